"""Logs that other processes follow, busy chats, keys, and runs that the host drives. A second engine on the same file
stands for another process.
"""

from __future__ import annotations

import gc
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

import turnkeep
from conftest import WHO, assistant_row
from scripted_provider import Answer, ScriptedProvider, calls, hangs, says

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

NOBODY = "01a2052e-08df-745a-b3b9-43ac3431e4d5"
GREET = turnkeep.Tool("greet", lambda tool_input: f"Привет, {tool_input['name']} 👋")


@pytest.fixture
def other(tmp_path: Path, provider: ScriptedProvider) -> Iterator[turnkeep.Engine]:
    settings: dict[str, Any] = {"store": f"sqlite:{tmp_path}/chats.db", "providers": {"default": provider.settings}}
    other = turnkeep.Engine.open(**settings, runs={"stopPollMs": 20})
    yield other
    other.close(grace_ms=0)


def gated(opened: threading.Event) -> Any:
    """An answer whose second half waits."""

    def script(answer: Answer) -> None:
        answer.begin_stream()
        answer.delta(content="First half, ")
        opened.wait()
        for word in range(40):
            answer.delta(content=f"word {word} ")
        answer.finish("stop")

    return script


def until(items: Iterator[Any], words: str) -> list[Any]:
    """Reads until an item has this text."""
    seen = []
    for item in items:
        seen.append(item)
        if words in json.dumps(item):
            return seen
    raise AssertionError(f"no {words!r} in {seen}")


def reduced(chunks: Iterable[dict[str, Any]]) -> list[Any]:
    """What a client makes of the chunks: texts joined, calls with their outcome."""
    parts: dict[str, Any] = {}
    for chunk in chunks:
        if chunk["type"] == "text-start":
            parts[chunk["id"]] = ""
        elif chunk["type"] == "text-delta":
            parts[chunk["id"]] += chunk["delta"]
        elif chunk["type"] == "tool-output-available":
            parts[chunk["toolCallId"]] = chunk["output"]
    return list(parts.values())


def chunks_of(items: Iterable[turnkeep.types.TailItem]) -> list[Any]:
    return [item["chunk"] for item in items]


def test_a_turn_is_followed_from_another_process(
    engine: turnkeep.Engine, other: turnkeep.Engine, provider: ScriptedProvider
) -> None:
    opened = threading.Event()
    provider.then(calls(("c1", "greet", {"name": "Аня"})), gated(opened))
    turn = engine.start_turn(**WHO, message="go", tools=[GREET])
    run_id = turn.run_id
    tails = [
        reader.runs.tail(**WHO, run_id=run_id, from_=from_) for reader in (engine, other) for from_ in ("start", None)
    ]
    begun = [until(tail, "First half, ") for tail in tails]
    assert all(tail.end is None for tail in tails)
    with ThreadPoolExecutor(len(tails)) as threads:
        rests = [threads.submit(list, tail) for tail in tails]
        opened.set()
        logs = [items + rest.result() for items, rest in zip(begun, rests, strict=True)]
    direct = list(turn.chunks())
    for tail, items in zip(tails, logs, strict=True):
        assert tail.end == {"status": "succeeded", "reason": None, "error": None}
        assert not any("resync" in item for item in items)
        assert reduced(chunks_of(items)) == reduced(direct)
        assert (items[0]["chunk"], items[-1]["chunk"]) == (direct[0], direct[-1])
    log = logs[0]
    assert log == logs[2]
    assert [item["cursor"] for item in log] == [str(place) for place in range(len(log))]
    for place in (0, 5, len(log) - 1):
        assert list(other.runs.tail(**WHO, run_id=run_id, after=log[place]["cursor"])) == log[place + 1 :]
        assert list(other.runs.tail(**WHO, run_id=run_id, after=place)) == log[place + 1 :]
    snapshot = logs[1]
    rest = list(other.runs.tail(**WHO, run_id=run_id, after=snapshot[1]["cursor"]))
    assert reduced(chunks_of(snapshot[:2] + rest)) == reduced(direct)

    with other.runs.tail(**WHO, run_id=run_id) as tail:
        events = b"".join(tail.sse())
    assert tail.end is not None
    assert events.startswith(b'id: 0\ndata: {"type":"start"')
    assert events.endswith(b"\n\ndata: [DONE]\n\n")


def test_a_tail_that_waits_can_be_closed(
    engine: turnkeep.Engine, other: turnkeep.Engine, provider: ScriptedProvider
) -> None:
    provider.then(hangs("half"))
    turn = engine.start_turn(**WHO, message="go")
    for form in (iter, turnkeep.Tail.sse):
        tail = other.runs.tail(**WHO, run_id=turn.run_id)
        until(tail, "half")
        with ThreadPoolExecutor(1) as threads:
            rest = threads.submit(list, form(tail))
            tail.close()
            assert rest.result() == []
        assert tail.end is None
        assert list(tail) == []
    assert engine.runs.get(**WHO, run_id=turn.run_id)["status"] == "running"

    tail = other.runs.tail(**WHO, run_id=turn.run_id)
    until(tail, "half")
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(next, tail)
        other.close(grace_ms=0)
        error = waiting.exception()
    assert isinstance(error, turnkeep.TurnkeepError)
    assert error.code == "ENGINE_CLOSED"
    turn.stop()


@pytest.mark.parametrize(
    ("params", "code", "field"),
    [
        ({"user_id": "u2"}, "FORBIDDEN", None),
        ({"run_id": NOBODY}, "NOT_FOUND", None),
        ({"after": "x"}, "INVALID_INPUT", "after"),
        ({"after": "1", "from_": "start"}, "INVALID_INPUT", "from"),
        ({"from_": "end"}, "INVALID_INPUT", "from"),
    ],
)
def test_what_is_wrong_with_a_tail(
    engine: turnkeep.Engine, provider: ScriptedProvider, params: dict[str, Any], code: str, field: str | None
) -> None:
    provider.then(says("hi"))
    turn = engine.start_turn(**WHO, message="go")
    turn.done()
    with pytest.raises(turnkeep.TurnkeepError) as caught:
        engine.runs.tail(**{**WHO, "run_id": turn.run_id, **params})
    assert (caught.value.code, caught.value.details.get("field")) == (code, field)


def test_a_turn_that_waits_begins_when_the_chat_is_free(
    engine: turnkeep.Engine, other: turnkeep.Engine, provider: ScriptedProvider
) -> None:
    provider.then(hangs("half"), says("Second."), says("Third."))
    first = engine.start_turn(**WHO, message="one")
    until(first.chunks(), "half")
    chat: dict[str, Any] = {**WHO, "chat_id": first.chat_id}
    second = engine.start_turn(**chat, message="two", busy="enqueue")
    third = other.start_turn(**chat, message="three", busy="enqueue")
    runs = [(run["id"], run["status"]) for run in other.runs.list(**chat)]
    assert runs == [(third.run_id, "pending"), (second.run_id, "pending"), (first.run_id, "running")]
    assert len(other.runs.list(**chat, limit=1)) == 1
    active = other.runs.active_for_chat(**chat)
    assert active is not None
    assert active["id"] == first.run_id
    # A reader that comes before the run has begun.
    with ThreadPoolExecutor(1) as threads:
        following = threads.submit(list, other.runs.tail(**WHO, run_id=second.run_id))
        assert first.stop()
        assert reduced(chunks_of(following.result())) == ["Second."]
    assert [turn.done()["status"] for turn in (second, third)] == ["succeeded", "succeeded"]
    contents = [message["content"] for message in engine.chats.messages(**chat)]
    assert contents == ["one", "half", "two", "Second.", "three", "Third."]
    assert engine.runs.active_for_chat(**chat) is None
    assert engine.runs.sweep() == 0
    for store, code in (("sqlite:x", "INVALID_INPUT"), ("postgres://127.0.0.1:1/x", "STORE_UNAVAILABLE")):
        with pytest.raises(turnkeep.TurnkeepError) as refused:
            turnkeep.Engine.pending_migrations(store)
        assert refused.value.code == code
    health = engine.health()
    assert (health["store"]["kind"], health["store"]["ok"]) == ("sqlite", True)
    assert (health["notifications"]["state"], health["activeRuns"]) == ("none", 0)


def test_a_stop_by_its_key_may_come_before_the_turn_and_lists_have_pages(
    engine: turnkeep.Engine, provider: ScriptedProvider
) -> None:
    provider.then(says("One."))
    assert engine.runs.stop(**WHO, idempotency_key="early")
    stopped = engine.start_turn(**WHO, message="go", idempotency_key="early")
    assert stopped.done()["reason"] == "stopped"
    chat: dict[str, Any] = {**WHO, "chat_id": stopped.chat_id}
    engine.start_turn(**chat, message="on").done()
    messages = engine.chats.messages(**chat)
    assert engine.chats.messages(**chat, limit=1, before=messages[2]["id"]) == messages[1:2]
    assert len(engine.chats.open(**chat, limit=1)["messages"]) == 1
    newest, oldest = engine.runs.list(**chat)
    assert engine.runs.list(**chat, before=newest["id"]) == [oldest]


def test_a_run_is_superseded_by_name_only(
    engine: turnkeep.Engine, other: turnkeep.Engine, provider: ScriptedProvider
) -> None:
    provider.then(hangs("half"), says("Instead."), hangs())
    first = engine.start_turn(**WHO, message="one")
    until(first.chunks(), "half")
    chat: dict[str, Any] = {**WHO, "chat_id": first.chat_id}
    with pytest.raises(turnkeep.TurnkeepError) as caught:
        other.start_turn(**chat, message="two", busy={"supersede": NOBODY})
    assert (caught.value.code, caught.value.details) == ("SUPERSEDE_INVALID", {"field": "busy.supersede"})
    second = other.start_turn(**chat, message="two", busy={"supersede": first.run_id})
    assert first.done()["reason"] == "superseded"
    assert second.done()["status"] == "succeeded"
    third = engine.start_turn(**chat, message="three")
    with pytest.raises(turnkeep.TurnkeepError) as caught:
        other.start_turn(**chat, message="four", busy={"supersede": first.run_id})
    assert (caught.value.code, caught.value.http_status) == ("SUPERSEDE_TARGET_MISMATCH", 409)
    assert caught.value.details == {"activeRunId": third.run_id}
    third.stop()


def test_a_key_makes_one_turn_whose_chunks_both_callers_have(
    engine: turnkeep.Engine, other: turnkeep.Engine, provider: ScriptedProvider
) -> None:
    opened = threading.Event()
    provider.then(calls(("c1", "greet", {"name": "Аня"})), gated(opened))
    request: dict[str, Any] = {**WHO, "message": "go", "idempotency_key": "k1", "tools": [GREET]}
    first = engine.start_turn(**request)
    until(first.chunks(), "First half, ")
    again = other.start_turn(**request)
    assert (first.repeated, again.repeated) == (False, True)
    assert (again.run_id, again.chat_id, again.message_id) == (first.run_id, first.chat_id, first.message_id)
    chunks = again.chunks()
    begun = until(chunks, "First half, ")
    opened.set()
    assert reduced(begun + list(chunks)) == reduced(first.chunks())
    assert again.done() == first.done()
    assert b"".join(again.sse()).endswith(b"data: [DONE]\n\n")
    assert len(provider.requests) == 2
    with pytest.raises(turnkeep.TurnkeepError) as caught:
        engine.start_turn(**{**request, "idempotency_key": ""})
    assert caught.value.details == {"field": "idempotencyKey"}


def test_a_host_keeps_its_own_loop(engine: turnkeep.Engine, other: turnkeep.Engine) -> None:
    run = engine.runs.begin(**WHO, message="go", idempotency_key="h")
    of_run: dict[str, Any] = {**WHO, "run_id": run["runId"]}
    assert run["repeated"] is False
    assert engine.runs.begin(**WHO, idempotency_key="h") == {**run, "repeated": True}
    with pytest.raises(turnkeep.TurnkeepError) as caught:
        engine.runs.begin(**WHO, chat_id=run["chatId"])
    assert caught.value.details == {"activeRunId": run["runId"]}
    step: turnkeep.types.RunStep = {
        "text": "Looking. ",
        "toolCalls": [
            {"toolCallId": "a", "toolName": "weather", "input": {"city": "Oslo"}},
            {"toolCallId": "b", "toolName": "time", "input": {}},
        ],
        "toolResults": [{"toolCallId": "a", "output": {"tempC": 21}}],
        "toolErrors": [{"toolCallId": "b", "error": "no clock"}],
    }
    assert engine.runs.record_step(**of_run, step=step) == 0
    assert engine.runs.record_step(**of_run, step={**step, "number": 0}) == 0
    tail = other.runs.tail(**of_run)
    until(tail, "no clock")
    content: Any = [{"type": "text", "text": "x"}, {"type": "tool-call", "toolCallId": "c"}]
    with pytest.raises(turnkeep.TurnkeepError) as caught:
        engine.runs.record_step(**of_run, step={"content": content})
    assert (caught.value.code, caught.value.details["field"]) == ("INVALID_INPUT", "step.content[1].toolName")
    with pytest.raises(turnkeep.TurnkeepError) as caught:
        other.runs.record_step(**of_run, step=step)
    assert caught.value.code == "LEASE_LOST"
    last: turnkeep.types.RunStep = {"text": "Done.", "finishReason": "stop"}
    engine.runs.finish(**of_run, status="succeeded", step=last)
    engine.runs.finish(**of_run, status="succeeded")
    with pytest.raises(turnkeep.TurnkeepError) as caught:
        engine.runs.record_step(**of_run, step=step)
    assert caught.value.code == "LEASE_LOST"
    assert engine.runs.signal(**of_run) == "settled"
    assert reduced(chunks_of(tail)) == ["Done."]
    assert tail.end is not None
    row = other.chats.messages(**WHO, chat_id=run["chatId"])[1]
    assert row["content"] == "Looking. Done."


def test_what_a_step_holds_is_kept_and_told_to_clients_of_either_version(engine: turnkeep.Engine) -> None:
    run = engine.runs.begin(**WHO, message="go")
    call: turnkeep.types.RunStepCall = {"toolCallId": "c", "toolName": "remove", "input": {}}
    content: list[turnkeep.types.RunStepContent] = [
        {"type": "custom", "kind": "p.compaction", "providerMetadata": {"p": {"sealed": "s"}}},
        {"type": "tool-call", "toolCallId": "c", "toolName": "remove", "input": {}},
        {"type": "tool-approval-request", "approvalId": "a", "toolCall": call, "reason": "it is gone then"},
    ]
    said: list[turnkeep.types.RunStepMessage] = [{"content": "I meant B"}]
    step: turnkeep.types.RunStep = {"content": content, "experimental_steeringMessages": said}
    engine.runs.record_step(**WHO, run_id=run["runId"], step=step)
    engine.runs.finish(**WHO, run_id=run["runId"], status="succeeded")
    row = engine.chats.messages(**WHO, chat_id=run["chatId"])[1]
    pure: turnkeep.types.Step = {"content": content, "experimental_steeringMessages": said}
    flushed = turnkeep.flush_assistant([pure], "", "completed")

    def types(parts: Any) -> list[str]:
        return [part["type"] for part in parts]

    assert row["metadata"] is not None
    assert types(flushed["metadata"]["parts"]) == types(row["metadata"]["parts"])
    older = turnkeep.row_to_ui_message(row, "ai-6")["parts"]
    newer = turnkeep.row_to_ui_message(row, "ai-7")["parts"]
    assert types(older) == ["step-start", "data-steering", "data-custom", "tool-remove"]
    assert types(newer) == ["step-start", "steering-message", "custom", "tool-remove"]
    assert newer[3]["state"] == "approval-requested"
    assert newer[3]["approval"] == {"id": "a", "requestReason": "it is gone then"}
    told = [item["chunk"]["type"] for item in engine.runs.tail(**WHO, run_id=run["runId"], protocol="ai-7")]
    assert "custom" in told
    assert "steering-message" in told


def test_a_hosts_loop_is_told_to_stop(engine: turnkeep.Engine, other: turnkeep.Engine) -> None:
    run = other.runs.begin(**WHO, message="go")
    with ThreadPoolExecutor(1) as threads:
        signal = threads.submit(other.runs.signal, **WHO, run_id=run["runId"])
        assert engine.runs.stop(**WHO, chat_id=run["chatId"])
        assert signal.result() == "stopped"
    other.runs.finish(**WHO, run_id=run["runId"], status="aborted", step={"text": "half"})
    assert engine.runs.get(**WHO, run_id=run["runId"])["reason"] == "stopped"

    second = other.runs.begin(**WHO, chat_id=run["chatId"])
    other.runs.record_step(**WHO, run_id=second["runId"], step={"text": "kept"})
    with ThreadPoolExecutor(1) as threads:
        signal = threads.submit(other.runs.signal, **WHO, run_id=second["runId"])
        other.close(grace_ms=0)
        # The engine may have been closed before the question was put to it.
        error = signal.exception()
        assert error is None or (isinstance(error, turnkeep.TurnkeepError) and error.code == "ENGINE_CLOSED")
        assert error is not None or signal.result() in {"shutdown", "settled"}
    ended = engine.runs.get(**WHO, run_id=second["runId"])
    assert (ended["status"], ended["reason"]) == ("aborted", "shutdown")


def test_options_of_runs_reach_the_engine(tmp_path: Path, provider: ScriptedProvider) -> None:
    provider.then(hangs("half"))
    settings: dict[str, Any] = {"store": f"sqlite:{tmp_path}/chats.db", "providers": {"default": provider.settings}}
    runs: turnkeep.types.RunLimits = {
        "tailPollMs": 5,
        "chunkRetentionMs": 0,
        "supersedeTimeoutMs": 50,
        "refreshEveryStep": True,
        "firstChunkMs": 60_000,
        "stepTimeoutMs": 60_000,
        "runTimeoutMs": 200,
        "degenerationGuard": False,
    }
    with turnkeep.Engine.open(**settings, runs=runs) as engine:
        turn = engine.start_turn(**WHO, message="go")
        outcome = turn.done()
        assert (outcome["status"], outcome["reason"]) == ("aborted", "timeout")
        assert assistant_row(engine, turn)["content"] == "half"
        run = engine.runs.begin(**WHO, chat_id=turn.chat_id)
        with pytest.raises(turnkeep.TurnkeepError) as caught:
            engine.start_turn(**WHO, chat_id=turn.chat_id, message="x", busy={"supersede": run["runId"]})
        assert (caught.value.code, caught.value.details) == ("SUPERSEDE_TIMEOUT", {"activeRunId": run["runId"]})
        engine.runs.finish(**WHO, run_id=run["runId"], status="aborted")


def until_ended(engine: turnkeep.Engine, run_id: str) -> turnkeep.types.Run:
    """The run, once it has ended."""
    for _ in engine.runs.tail(**WHO, run_id=run_id):
        pass
    return engine.runs.get(**WHO, run_id=run_id)


def test_a_run_goes_with_the_handle_that_drives_it(engine: turnkeep.Engine) -> None:
    run = engine.runs.begin(**WHO, message="go")
    by_id = engine.runs.begin(**WHO, message="go")["runId"]
    run_id, chat_id = run["runId"], run["chatId"]
    assert run.record_step({"text": "kept"}) == 0
    del run
    gc.collect()
    ended = until_ended(engine, run_id)
    assert (ended["status"], ended["reason"]) == ("aborted", "worker_lost")
    # The chat is free, and one that is driven by its id alone goes on.
    engine.runs.begin(**WHO, chat_id=chat_id).finish("succeeded")
    assert engine.runs.record_step(**WHO, run_id=by_id, step={"text": "kept"}) == 0


def test_a_loop_that_raises_gives_its_run_up(engine: turnkeep.Engine) -> None:
    with pytest.raises(ZeroDivisionError), engine.runs.begin(**WHO, message="go") as run:
        raise ZeroDivisionError
    ended = until_ended(engine, run["runId"])
    assert (ended["status"], ended["reason"]) == ("aborted", "worker_lost")
    with engine.runs.begin(**WHO, chat_id=run["chatId"]) as run:
        run.finish("succeeded", step={"text": "done", "finishReason": "stop"})
    assert engine.runs.get(**WHO, run_id=run["runId"])["status"] == "succeeded"
    assert run.signal() == "settled"
