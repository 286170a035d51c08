"""What the scripts share: an engine on the store and the provider that the test gives as arguments."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import turnkeep

WHO: dict[str, Any] = {"workspace_id": "w", "user_id": "u"}


def open_engine(name: str = "chats.db") -> turnkeep.Engine:
    return turnkeep.Engine.open(
        store=f"sqlite:{os.path.join(sys.argv[1], name)}", providers={"default": json.loads(sys.argv[2])}
    )


def start(engine: turnkeep.Engine, **options: Any) -> turnkeep.Turn:
    """Begins a turn and tells the test its run's id."""
    turn = engine.start_turn(**WHO, message="?", **options)
    tell(run_id=turn.run_id)
    return turn


def read_to_text(turn: turnkeep.Turn) -> None:
    """Reads as far as the first text."""
    assert any(chunk["type"] == "text-delta" for chunk in turn.chunks())


def tell(**facts: Any) -> None:
    """Tells the test something."""
    print(json.dumps(facts), flush=True)
