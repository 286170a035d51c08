"""The page that a user has open, which the host checks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from conftest import WHO
from scripted_provider import ScriptedProvider, calls, says
from turnkeep import TurnkeepError

if TYPE_CHECKING:
    from turnkeep import Engine

OPENED: Any = {"id": "p1", "title": "The client's"}


def told(engine: Engine, provider: ScriptedProvider) -> tuple[bool, Any]:
    """What the model is told of the page, in the prompt and by the tool."""
    provider.then(calls(("c1", "getCurrentPage", {})), says("ok"))
    turn = engine.start_turn(**WHO, message="What is this?", open_page=OPENED, page_tool=True)
    assert turn.done()["status"] == "succeeded"
    first, second = provider.requests[-2:]
    return "(pageId: " in first["messages"][0]["content"], json.loads(second["messages"][-1]["content"])


def test_only_what_the_check_returns_counts(engine: Engine, provider: ScriptedProvider) -> None:
    assert told(engine, provider) == (True, {"page": OPENED})
    asked: list[Any] = []

    def check(workspace_id: str, user_id: str, page: Any) -> Any:
        asked.append((workspace_id, user_id, page))
        return {"id": "p1", "title": "Its own"}

    engine.check_pages(check)
    assert told(engine, provider) == (True, {"page": {"id": "p1", "title": "Its own"}})
    assert asked == [("w", "u", OPENED)]

    def raises(*_: Any) -> Any:
        raise PermissionError

    checks: list[Any] = [lambda *_: None, lambda *_: "p1", raises]
    for none in checks:
        # It takes the place of the one before.
        engine.check_pages(none)
        assert told(engine, provider) == (False, {"page": None})
    assert len(asked) == 1


def test_a_check_ends_with_its_engine(engine: Engine) -> None:
    engine.check_pages(lambda *_: None)
    engine.close(grace_ms=0)
    with pytest.raises(TurnkeepError) as error:
        engine.check_pages(lambda *_: None)
    assert error.value.code == "ENGINE_CLOSED"
