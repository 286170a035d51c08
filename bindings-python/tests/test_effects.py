"""Tools that say what becomes of their calls when a process dies."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import turnkeep
from conftest import WHO
from scripted_provider import ScriptedProvider, calls, says

if TYPE_CHECKING:
    from pathlib import Path

COUNT = ("c1", "count", {"a": "k"})


# In a process of its own: Python has another copy of SQLite than the engine, and two in one process do not see each
# other's locks.
COUNTING = """
import json, sqlite3, sys
path, statement = sys.argv[1], json.loads(sys.argv[2])
with sqlite3.connect(path, timeout=20) as file:
    file.execute("CREATE TABLE IF NOT EXISTS counted (n)")
    if statement:
        file.execute("INSERT INTO counted VALUES (1)")
        file.execute(*statement)
print(file.execute("SELECT COUNT(*) FROM counted").fetchone()[0])
"""


def run_counting(path: Path, statement: turnkeep.EffectStatement | None) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-c", COUNTING, str(path), json.dumps(statement)]
    return subprocess.run(arguments, capture_output=True, text=True, check=False)


def count(path: Path, statement: turnkeep.EffectStatement) -> None:
    ended = run_counting(path, statement)
    if ended.returncode != 0:
        raise ValueError(ended.stderr)


def counted(path: Path) -> int:
    return int(run_counting(path, None).stdout)


def outcome(turn: turnkeep.Turn) -> Any:
    chunks = list(turn.chunks())
    return next(chunk for chunk in chunks if chunk["type"].startswith("tool-output"))


def test_what_has_been_noted_is_told_also_of_a_tool_that_fails(
    engine: turnkeep.Engine, provider: ScriptedProvider, tmp_path: Path
) -> None:
    provider.then(calls(COUNT), says("counted"))
    path = tmp_path / "chats.db"

    def run(tool_input: Any, context: turnkeep.ToolContext) -> None:
        statement = context.effect_statement({"n": tool_input["a"]})
        count(path, statement)
        # A second time it is refused, and with it everything that goes with it.
        with pytest.raises(ValueError, match="IntegrityError"):
            count(path, statement)
        raise RuntimeError("after it had counted")

    turn = engine.start_turn(**WHO, message="?", tools=[turnkeep.Tool("count", run, effects=True)])
    assert outcome(turn)["output"] == {"n": "k"}
    assert turn.done()["status"] == "succeeded"
    assert counted(path) == 1


def test_a_tool_that_fails_without_having_noted_anything_has_failed(
    engine: turnkeep.Engine, provider: ScriptedProvider, tmp_path: Path
) -> None:
    provider.then(calls(COUNT), says("sorry"))
    path, seen = tmp_path / "chats.db", []

    def run(_: Any, context: turnkeep.ToolContext) -> None:
        seen.append(context)
        raise RuntimeError("no")

    turn = engine.start_turn(**WHO, message="?", tools=[turnkeep.Tool("count", run, effects=True)])
    assert outcome(turn)["errorText"] == "no"
    turn.done()
    with pytest.raises(ValueError, match="IntegrityError"):
        count(path, seen[0].effect_statement())
    assert counted(path) == 0
    assert "%s" in seen[0].effect_statement(None, placeholders="format", schema="ai").sql


def test_a_tool_without_effects_has_no_statement(engine: turnkeep.Engine, provider: ScriptedProvider) -> None:
    provider.then(calls(COUNT), says("done"))
    seen = []
    tool = turnkeep.Tool("count", lambda _, context: seen.append(context), idempotent={"key": "a"})
    engine.start_turn(**WHO, message="?", tools=[tool]).done()
    assert seen[0].idempotency_key == "k"
    with pytest.raises(TypeError):
        seen[0].effect_statement()
