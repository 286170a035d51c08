"""A whole turn: streams, rows, export, and several turns in one chat."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

import turnkeep
from conftest import WHO, assistant_row
from scripted_provider import Answer, ScriptedProvider, calls, hangs, says
from turnkeep import _presence

if TYPE_CHECKING:
    from pathlib import Path


def add(tool_input: dict[str, Any]) -> dict[str, Any]:
    return {"sum": tool_input["a"] + tool_input["b"]}


ADD = turnkeep.Tool(
    "add",
    add,
    description="Adds two numbers.",
    input_schema={
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
    read_only=True,
)
GREET = turnkeep.Tool("greet", lambda tool_input: f"Привет, {tool_input['name']} 👋")


def test_a_turn_with_two_tools(engine: turnkeep.Engine, provider: ScriptedProvider) -> None:
    provider.then(
        calls(("c1", "add", {"a": 1, "b": 2}), ("c2", "greet", {"name": "Аня"})),
        says("It is ", "three."),
    )
    turn = engine.start_turn(**WHO, message="How much?", tools=[ADD, GREET])
    chunks = list(turn.chunks())
    outcome = turn.done()

    assert chunks[0] == {
        "type": "start",
        "messageId": turn.message_id,
        "messageMetadata": {"chatId": turn.chat_id, "runId": turn.run_id},
    }
    assert chunks[-1]["type"] == "finish"
    outputs = {chunk["toolCallId"]: chunk["output"] for chunk in chunks if chunk["type"] == "tool-output-available"}
    assert outputs == {"c1": {"sum": 3}, "c2": "Привет, Аня 👋"}
    assert "".join(chunk["delta"] for chunk in chunks if chunk["type"] == "text-delta") == "It is three."

    assert outcome == {
        "runId": turn.run_id,
        "chatId": turn.chat_id,
        "messageId": turn.message_id,
        "status": "succeeded",
        "reason": None,
        "error": None,
        "failure": None,
        "finishReason": "stop",
        "usage": {"inputTokens": 20, "outputTokens": 10, "totalTokens": 30, "reasoningTokens": 0},
        "stepCount": 2,
    }

    user, assistant = engine.chats.messages(**WHO, chat_id=turn.chat_id)
    assert (user["role"], user["content"]) == ("user", "How much?")
    assert (assistant["content"], assistant["status"]) == ("It is three.", "completed")
    assert assistant["metadata"] is not None
    assert [part["type"] for part in assistant["metadata"]["parts"]] == [
        "step-start",
        "tool-add",
        "tool-greet",
        "step-start",
        "text",
    ]

    exported = engine.chats.export(**WHO, chat_id=turn.chat_id, labels={"tools": {"add": "Added"}})
    assert "**Tool: Added** (`add`) — done" in exported
    assert "It is three." in exported
    assert engine.chats.export(**WHO, chat_id=turn.chat_id, lang="ru") != exported

    run = engine.runs.get(**WHO, run_id=turn.run_id)
    assert (run["status"], run["stepCount"]) == ("succeeded", 2)
    assert engine.runs.latest_for_chat(**WHO, chat_id=turn.chat_id) == run


def test_the_provider_is_told_of_tools_and_results(engine: turnkeep.Engine, provider: ScriptedProvider) -> None:
    provider.then(calls(("c1", "add", {"a": 1, "b": 2})), says("3"))
    assert engine.start_turn(**WHO, message="?", tools=[ADD, GREET]).done()["status"] == "succeeded"
    first, second = provider.requests
    assert first["tools"][0]["function"] == {
        "name": "add",
        "description": "Adds two numbers.",
        "parameters": ADD.input_schema,
    }
    assert first["tools"][1]["function"]["parameters"] == {"type": "object", "properties": {}}
    assert second["messages"][-1] == {"role": "tool", "tool_call_id": "c1", "content": '{"sum":3}'}
    assert provider.keys == ["Bearer test-key"] * 2


def test_a_second_turn_knows_the_first(engine: turnkeep.Engine, provider: ScriptedProvider) -> None:
    provider.then(says("one"), says("two"))
    first = engine.start_turn(**WHO, message="1")
    first.done()
    second = engine.start_turn(
        **WHO, chat_id=first.chat_id, message={"role": "user", "parts": [{"type": "text", "text": "2"}]}
    )
    assert second.done()["status"] == "succeeded"
    assert second.chat_id == first.chat_id
    told = [(message["role"], message["content"]) for message in provider.requests[1]["messages"][1:]]
    assert told == [("user", "1"), ("assistant", "one"), ("user", "2")]


def test_sse_is_the_chunks_framed(engine: turnkeep.Engine, provider: ScriptedProvider) -> None:
    provider.then(says(*["word "] * 200))
    turn = engine.start_turn(**WHO, message="?")
    events = list(turn.sse())
    assert events[-1] == b"data: [DONE]\n\n"
    assert all(event.endswith(b"\n\n") for event in events)
    told = [json.loads(event.partition(b"data: ")[2]) for event in events[:-1]]
    assert told == list(turn.chunks())
    assert sum(b"text-delta" in event for event in events) == 200
    assert turnkeep.SSE_HEADERS["content-type"] == "text/event-stream"


def test_the_prompt_and_the_page_reach_the_provider(tmp_path: Path, provider: ScriptedProvider) -> None:
    provider.then(says("ok"))
    with turnkeep.Engine.open(
        store=f"sqlite:{tmp_path}/chats.db",
        instance_id="tests",
        runs={"maxSteps": 3},
        providers={"main": provider.settings},
        prompt={"workspaceName": "Kitchen", "extraRules": ["Answer in rhyme."]},
        app_secret="not needed yet",
    ) as engine:
        turn = engine.start_turn(
            **WHO, message="?", provider="main", trigger="api", busy="reject", open_page={"id": "p1", "title": "Soups"}
        )
        assert turn.done()["status"] == "succeeded"
        assert engine.runs.get(**WHO, run_id=turn.run_id)["trigger"] == "api"
    system = provider.requests[0]["messages"][0]["content"]
    assert all(text in system for text in ("Kitchen", "Answer in rhyme.", "Soups", "p1"))


def test_half_a_surrogate_pair_is_replaced(engine: turnkeep.Engine, provider: ScriptedProvider) -> None:
    provider.then(says("ok"))
    turn = engine.start_turn(**WHO, message="a\ud800b")
    turn.done()
    assert engine.chats.messages(**WHO, chat_id=turn.chat_id)[0]["content"] == "a\ufffdb"


def test_stop_from_another_thread(engine: turnkeep.Engine, provider: ScriptedProvider) -> None:
    provider.then(hangs("so far"))
    turn = engine.start_turn(**WHO, message="?")
    answers: list[bool] = []
    stopper = threading.Thread(target=lambda: answers.append(turn.stop()))
    types = []
    for chunk in turn.chunks():
        types.append(chunk["type"])
        if chunk["type"] == "text-delta":
            stopper.start()
    stopper.join()
    outcome = turn.done()
    assert answers == [True]
    assert "abort" in types
    assert (outcome["status"], outcome["reason"]) == ("aborted", "stopped")
    assert turn.stop() is False
    row = assistant_row(engine, turn)
    assert (row["status"], row["content"]) == ("aborted", "so far")


@pytest.mark.parametrize("by", ["run_id", "chat_id"])
def test_runs_stop(engine: turnkeep.Engine, provider: ScriptedProvider, by: str) -> None:
    provider.then(hangs())
    turn = engine.start_turn(**WHO, message="?")
    target = {by: getattr(turn, by)}
    assert engine.runs.stop(**WHO, **target) is True
    assert turn.done()["reason"] == "stopped"
    assert engine.runs.stop(**WHO, **target) is False


def test_what_waits_for_a_turn_is_in_its_queue_until_it_is_taken_back(
    engine: turnkeep.Engine, provider: ScriptedProvider
) -> None:
    provider.then(hangs())
    turn = engine.start_turn(**WHO, message="?")
    assert turn.queue() == []
    steered = engine.runs.steer(**WHO, run_id=turn.run_id, message="I meant B")
    assert steered["place"] == "this_run"
    assert [(waiting["messageId"], waiting["state"]) for waiting in turn.queue()] == [(steered["messageId"], "waiting")]
    taken = engine.runs.unsteer(**WHO, message_id=steered["messageId"])
    assert taken["state"] == "taken_back"
    assert turn.queue() == []
    turn.stop()
    turn.done()


def test_a_busy_chat_refuses(engine: turnkeep.Engine, provider: ScriptedProvider) -> None:
    provider.then(hangs())
    turn = engine.start_turn(**WHO, message="?")
    with pytest.raises(turnkeep.TurnkeepError) as refused:
        engine.start_turn(**WHO, chat_id=turn.chat_id, message="again")
    assert refused.value.code == "A_RUN_ALREADY_ACTIVE"
    assert refused.value.http_status == 409
    assert refused.value.details == {"activeRunId": turn.run_id}
    assert len(engine.chats.messages(**WHO, chat_id=turn.chat_id)) == 2


class Gate:
    """A script that says something only when it is let."""

    def __init__(self) -> None:
        self.opened = threading.Event()

    def __call__(self, answer: Answer) -> None:
        answer.begin_stream()
        answer.delta(content="before ")
        self.opened.wait()
        answer.delta(content="after")
        answer.finish("stop")


def read_to_text(stream: turnkeep.Stream[dict[str, Any]]) -> None:
    """Reads as far as the first text."""
    assert any(chunk["type"] == "text-delta" for chunk in stream)


def test_the_last_reader_of_an_attached_turn_stops_it(engine: turnkeep.Engine, provider: ScriptedProvider) -> None:
    provider.then(hangs("so far"))
    turn = engine.start_turn(**WHO, message="?", detached=False)
    with turn.chunks() as stream:
        read_to_text(stream)
    assert list(stream) == []
    outcome = turn.done()
    assert (outcome["status"], outcome["reason"]) == ("aborted", "disconnected")
    assert assistant_row(engine, turn)["content"] == "so far"


def test_dropping_the_stream_is_going_away(engine: turnkeep.Engine, provider: ScriptedProvider) -> None:
    provider.then(hangs())
    turn = engine.start_turn(**WHO, message="?", detached=False)
    for event in turn.sse():
        assert event.startswith(b"id: 0\ndata: ")
        break
    assert turn.done()["reason"] == "disconnected"


@pytest.mark.parametrize("detached", [True, False])
def test_a_run_outlives_a_reader(engine: turnkeep.Engine, provider: ScriptedProvider, detached: bool) -> None:
    gate = Gate()
    provider.then(gate)
    turn = engine.start_turn(**WHO, message="?", detached=detached)
    staying = turn.chunks()
    with turn.chunks() as leaving:
        read_to_text(leaving)
    if detached:
        staying.close()
    gate.opened.set()
    assert turn.done()["status"] == "succeeded"
    assert assistant_row(engine, turn)["content"] == "before after"


def test_closing_a_stream_wakes_its_reader(engine: turnkeep.Engine, provider: ScriptedProvider) -> None:
    provider.then(hangs("so far"))
    turn = engine.start_turn(**WHO, message="?")
    stream = turn.chunks()
    at_text = threading.Event()
    rest: list[dict[str, Any]] = []

    def read() -> None:
        read_to_text(stream)
        at_text.set()
        rest.extend(stream)

    reader = threading.Thread(target=read)
    reader.start()
    at_text.wait()
    stream.close()
    reader.join()
    assert rest == []
    assert engine.runs.get(**WHO, run_id=turn.run_id)["status"] == "running"


def test_a_client_that_left_is_noticed_without_a_garbage_collection(
    engine: turnkeep.Engine, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_presence, "PATIENCE_SECONDS", 0.2)
    provider.then(hangs("half"))
    turn = engine.start_turn(**WHO, message="?", detached=False)
    stream = turn.sse()
    next(stream)
    # A framework has stopped reading, and something still holds what it read.
    assert turn.done()["reason"] == "disconnected"
    assert list(stream) == []


def test_a_reader_that_waits_has_not_left(
    engine: turnkeep.Engine, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_presence, "PATIENCE_SECONDS", 0.2)
    asked, go_on = threading.Event(), threading.Event()

    def slow(answer: Any) -> None:
        asked.set()
        answer.begin_stream()
        go_on.wait()
        answer.delta(content="late")
        answer.finish("stop")

    provider.then(slow)
    waiting = engine.start_turn(**WHO, message="?", detached=False)
    kinds: list[str] = []
    reader = threading.Thread(target=lambda: kinds.extend(chunk["type"] for chunk in waiting.chunks()))
    reader.start()
    asked.wait()
    # Another stream is found to be left meanwhile: whoever looks has looked at this one, too.
    provider.then(hangs("half"))
    left = engine.start_turn(**WHO, message="?", detached=False)
    stream = left.chunks()
    next(stream)
    assert left.done()["reason"] == "disconnected"
    go_on.set()
    reader.join()
    assert waiting.done()["status"] == "succeeded"
    assert "text-delta" in kinds
