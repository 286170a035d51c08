"""How processes end: scripts in child processes, which must exit promptly, silently and with their own exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import turnkeep
from conftest import WHO
from scripted_provider import ScriptedProvider, calls, hangs, says

SCRIPTS = Path(__file__).parent / "exit_scripts"
PACKAGE = Path(turnkeep.__file__).parents[1]


def run_script(name: str, folder: Path, provider: ScriptedProvider, exit_code: int = 0) -> list[dict[str, Any]]:
    """Runs a script to its end; what it told."""
    finished = subprocess.run(
        # Forking with threads is deprecated, and what one of the scripts is about.
        [
            sys.executable,
            "-W",
            "ignore::DeprecationWarning",
            SCRIPTS / f"{name}.py",
            folder,
            json.dumps(provider.settings),
        ],
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (exit_code, "")
    return [json.loads(line) for line in finished.stdout.splitlines()]


def run_of(folder: Path, run_id: str) -> turnkeep.types.Run:
    """The run, as the script left it."""
    # What its own process did not settle, this would settle as `worker_lost`.
    with turnkeep.Engine.open(store=f"sqlite:{folder}/chats.db") as engine:
        return engine.runs.get(**WHO, run_id=run_id)


def test_a_forgotten_engine(tmp_path: Path, provider: ScriptedProvider) -> None:
    provider.then(says("ok"))
    [told] = run_script("finished_turn", tmp_path, provider)
    assert run_of(tmp_path, told["run_id"])["status"] == "succeeded"


@pytest.mark.parametrize(
    ("name", "exit_code"),
    [("running_turn", 0), ("unbound_engine", 0), ("uncaught", 7), ("waiting_threads", 0), ("busy_threads", 0)],
)
def test_a_running_turn_is_settled(tmp_path: Path, provider: ScriptedProvider, name: str, exit_code: int) -> None:
    provider.then(hangs("so far"))
    [told] = run_script(name, tmp_path, provider, exit_code)
    run = run_of(tmp_path, told["run_id"])
    assert (run["status"], run["reason"]) == ("aborted", "shutdown")


def test_a_tool_that_sleeps_for_ever(tmp_path: Path, provider: ScriptedProvider) -> None:
    provider.then(calls(("c1", "sleep", {})))
    [told] = run_script("sleeping_tool", tmp_path, provider)
    run = run_of(tmp_path, told["run_id"])
    assert (run["status"], run["reason"]) == ("aborted", "shutdown")


def test_an_engine_that_offers_tools_leaves_its_run_to_others(tmp_path: Path, provider: ScriptedProvider) -> None:
    provider.then(calls(("c1", "sleep", {})), says("awake"))
    [told] = run_script("offering", tmp_path, provider)
    store = f"sqlite:{tmp_path}/chats.db"
    with turnkeep.Engine.open(store=store, providers={"default": provider.settings}) as engine:
        assert engine.runs.get(**WHO, run_id=told["run_id"])["finishedAt"] is None
        engine.offer_tools([turnkeep.Tool("sleep", lambda _: "awake")])
        for _ in engine.runs.tail(**WHO, run_id=told["run_id"]):
            pass
        assert engine.runs.get(**WHO, run_id=told["run_id"])["status"] == "succeeded"


@pytest.mark.parametrize("name", ["waiting_threads", "busy_threads"])
def test_exits_do_not_crash_now_and_then(tmp_path: Path, provider: ScriptedProvider, name: str) -> None:
    for _ in range(10):
        provider.then(hangs("so far"))
        assert len(run_script(name, tmp_path, provider)) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child(tmp_path: Path, provider: ScriptedProvider) -> None:
    provider.then(hangs("so far"), says("ok"))
    started, *uses, child_turn, child_exit = run_script("forked", tmp_path, provider)
    assert [use["code"] for use in uses] == ["ENGINE_CLOSED"] * 7
    assert all("across fork" in use["message"] for use in uses)
    assert child_turn == {"child_turn": "succeeded"}
    assert child_exit == {"child_exit": 5}
    run = run_of(tmp_path, started["run_id"])
    assert (run["status"], run["reason"]) == ("aborted", "shutdown")


def test_ctrl_c_in_done(tmp_path: Path, provider: ScriptedProvider) -> None:
    provider.then(hangs())
    _, *told = run_script("interrupted", tmp_path, provider)
    assert told == [{"interrupted": True}, {"reason": "stopped"}]


def test_ctrl_c_in_close(tmp_path: Path, provider: ScriptedProvider) -> None:
    provider.then(hangs("so far"))
    started, *_, told = run_script("interrupted_closing", tmp_path, provider)
    assert told == {"interrupted": True}
    run = run_of(tmp_path, started["run_id"])
    assert (run["status"], run["reason"]) == ("aborted", "stopped")
