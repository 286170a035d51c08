"""Closing an engine, in its many ways, within a living process."""

from __future__ import annotations

import contextlib
import gc
import threading
from pathlib import Path
from typing import Any

import pytest

import turnkeep
from conftest import WHO
from scripted_provider import ScriptedProvider, calls, hangs, says


def open_engine(folder: Path, provider: ScriptedProvider) -> turnkeep.Engine:
    return turnkeep.Engine.open(store=f"sqlite:{folder}/chats.db", providers={"default": provider.settings})


def test_a_closed_engine_refuses(tmp_path: Path, provider: ScriptedProvider) -> None:
    engine = open_engine(tmp_path, provider)
    engine.close()
    engine.close()
    for call in (
        lambda: engine.start_turn(**WHO, message="?"),
        lambda: engine.runs.get(**WHO, run_id="01a2052f-5621-75e5-bfa7-262884b51aa9"),
    ):
        with pytest.raises(turnkeep.TurnkeepError) as refused:
            call()
        assert (refused.value.code, refused.value.http_status) == ("ENGINE_CLOSED", 503)


def test_a_negative_grace_is_refused(engine: turnkeep.Engine) -> None:
    with pytest.raises(turnkeep.TurnkeepError) as refused:
        engine.close(grace_ms=-1)
    assert refused.value.details == {"field": "graceMs"}


def test_closing_settles_and_lets_everybody_go(tmp_path: Path, provider: ScriptedProvider) -> None:
    provider.then(hangs("so far"))
    engine = open_engine(tmp_path, provider)
    turn = engine.start_turn(**WHO, message="?")
    at_text = threading.Event()
    types: list[str] = []
    outcomes: list[dict[str, Any]] = []

    def read() -> None:
        for chunk in turn.chunks():
            types.append(chunk["type"])
            if chunk["type"] == "text-delta":
                at_text.set()

    threads = [threading.Thread(target=read), threading.Thread(target=lambda: outcomes.append(turn.done()))]
    for thread in threads:
        thread.start()
    at_text.wait()
    engine.close(grace_ms=0)
    for thread in threads:
        thread.join()
    [outcome] = outcomes
    assert (outcome["status"], outcome["reason"]) == ("aborted", "shutdown")
    assert "abort" in types
    # What this process knows of the turn outlives the engine.
    assert turn.done() == outcome
    assert [chunk["type"] for chunk in turn.chunks()] == types

    with open_engine(tmp_path, provider) as again:
        run = again.runs.get(**WHO, run_id=turn.run_id)
        assert (run["status"], run["reason"]) == ("aborted", "shutdown")


def test_a_tool_may_close_the_engine(tmp_path: Path, provider: ScriptedProvider) -> None:
    provider.then(calls(("c1", "shut", {})))
    engine = open_engine(tmp_path, provider)
    turn = engine.start_turn(**WHO, message="?", tools=[turnkeep.Tool("shut", lambda _: engine.close(grace_ms=0))])
    assert turn.done()["reason"] == "shutdown"
    engine.close()


def test_closing_ends_the_threads(tmp_path: Path, provider: ScriptedProvider) -> None:
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        pytest.skip("needs /proc")

    def ours() -> int:
        count = 0
        for task in tasks.iterdir():
            # One that has just ended has no name any more.
            with contextlib.suppress(OSError):
                count += (task / "comm").read_text().startswith("turnkeep")
        return count

    before = ours()
    provider.then(says("ok"))
    engine = open_engine(tmp_path, provider)
    engine.start_turn(**WHO, message="?").done()
    assert ours() > before
    engine.close()
    # A thread that has been waited for is listed for a moment longer; the suite's limit ends this if it stays.
    while ours() != before:
        pass


def test_an_engine_that_is_collected_is_closed(tmp_path: Path, provider: ScriptedProvider) -> None:
    provider.then(hangs())
    engine = open_engine(tmp_path, provider)
    turn = engine.start_turn(**WHO, message="?")
    run_id = turn.run_id
    held: list[object] = [engine, turn]
    del engine, turn
    with pytest.warns(ResourceWarning, match="unclosed engine"):
        held.clear()
    with open_engine(tmp_path, provider) as again:
        run = again.runs.get(**WHO, run_id=run_id)
        assert (run["status"], run["reason"]) == ("aborted", "shutdown")


def test_a_turn_keeps_its_engine(tmp_path: Path, provider: ScriptedProvider) -> None:
    provider.then(says("ok"))
    engine = open_engine(tmp_path, provider)
    turn = engine.start_turn(**WHO, message="?")
    del engine
    gc.collect()
    assert turn.done()["status"] == "succeeded"
    turn._engine.close()
