"""What the tests share: a provider that does what it is told, and an engine on a file of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import turnkeep
from scripted_provider import ScriptedProvider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHO: dict[str, Any] = {"workspace_id": "w", "user_id": "u"}


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as provider:
        yield provider


@pytest.fixture
def engine(tmp_path: Path, provider: ScriptedProvider) -> Iterator[turnkeep.Engine]:
    # A script has one answer for each request.
    engine = turnkeep.Engine.open(
        store=f"sqlite:{tmp_path}/chats.db",
        providers={"default": provider.settings},
        http={"maxTries": 1},
        runs={"stepRetries": 0},
    )
    yield engine
    engine.close(grace_ms=0)


def assistant_row(engine: turnkeep.Engine, turn: turnkeep.Turn) -> Any:
    """The turn's row, as it is on disk."""
    rows = engine.chats.messages(**WHO, chat_id=turn.chat_id)
    [row] = [row for row in rows if row["id"] == turn.message_id]
    return row
