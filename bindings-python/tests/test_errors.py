"""What goes wrong, as outcomes and as exceptions."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest

import turnkeep
from conftest import WHO, assistant_row
from scripted_provider import Script, ScriptedProvider, answers, breaks_off, resets, says

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

HTML = "<html><body>Bad gateway</body></html>"


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (answers(401, '{"error":{"message":"Incorrect key test-key"}}'), "401: Incorrect key ***"),
        (answers(429, '{"error":{"message":"slow down"}}'), "429: slow down"),
        (answers(500, '{"error":{"message":"boom"}}'), "500: boom"),
        (answers(500, ""), "500"),
        (answers(502, HTML, "text/html"), HTML),
        (answers(200, HTML, "text/html"), HTML),
        (answers(200, "", "text/event-stream"), "finish reason"),
        (resets, "request to the provider failed"),
    ],
    ids=["401", "429", "500", "500-empty", "502-html", "200-html", "nothing", "reset"],
)
def test_a_provider_that_fails_is_an_outcome(
    engine: turnkeep.Engine, provider: ScriptedProvider, script: Script, error: str
) -> None:
    provider.then(script, says("better"))
    turn = engine.start_turn(**WHO, message="?")
    [chunk] = [chunk for chunk in turn.chunks() if chunk["type"] == "error"]
    outcome = turn.done()
    assert (outcome["status"], outcome["reason"]) == ("failed", "provider_error")
    assert error in outcome["error"]
    assert "\n" not in outcome["error"]
    assert "test-key" not in outcome["error"]
    # A page is told in a sentence of ours.
    assert "AI provider" in chunk["errorText"]
    assert HTML not in chunk["errorText"]
    row = assistant_row(engine, turn)
    assert (row["status"], row["metadata"]["error"]) == ("error", outcome["error"])
    # The chat is free again.
    assert engine.start_turn(**WHO, chat_id=turn.chat_id, message="again").done()["status"] == "succeeded"


def test_text_is_kept_when_the_provider_breaks_off(engine: turnkeep.Engine, provider: ScriptedProvider) -> None:
    provider.then(breaks_off("kept ", "text"))
    turn = engine.start_turn(**WHO, message="?")
    outcome = turn.done()
    assert (outcome["status"], outcome["reason"]) == ("failed", "provider_error")
    assert assistant_row(engine, turn)["content"] == "kept text"


def test_a_provider_that_is_not_there(engine: turnkeep.Engine, provider: ScriptedProvider) -> None:
    provider.close()
    outcome = engine.start_turn(**WHO, message="?").done()
    assert (outcome["status"], outcome["reason"]) == ("failed", "provider_error")


def refused(call: Callable[[], Any]) -> turnkeep.TurnkeepError:
    """The error that the call raises."""
    with pytest.raises(turnkeep.TurnkeepError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"store": "mysql://x"}, "store"),
        ({"store": ""}, "store"),
        ({"store": 5}, "store"),
        ({"store": object()}, "store"),
        ({"store": "sqlite::memory:", "runs": {"maxSteps": 0}}, "runs.maxSteps"),
        ({"store": "sqlite::memory:", "runs": {"max_steps": 1}}, "runs.max_steps"),
        ({"store": "sqlite::memory:", "runs": {"maxSteps": float("nan")}}, "runs"),
        ({"store": "sqlite::memory:", "providers": {"a": {}}}, "providers.a.driver"),
    ],
)
def test_wrong_options_name_their_field(options: dict[str, Any], field: str) -> None:
    error = refused(lambda: turnkeep.Engine.open(**options))
    assert (error.code, error.http_status, error.details["field"]) == ("INVALID_INPUT", 400, field)


def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    a_file = tmp_path / "file"
    a_file.write_text("")
    for place in (a_file / "chats.db", tmp_path / "missing" / "chats.db", tmp_path):
        error = refused(lambda place=place: turnkeep.Engine.open(store=f"sqlite:{place}"))  # type: ignore[misc]
        assert (error.code, error.http_status) == ("STORE_UNAVAILABLE", 503)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"message": ""}, "message"),
        ({"message": {}}, "message.parts"),
        ({"message": {"parts": []}}, "message.parts"),
        ({"message": {"parts": [{"type": "text"}]}}, "message.parts[0].text"),
        ({"message": object()}, "message"),
        ({"message": None}, "message"),
        ({"workspace_id": ""}, "workspaceId"),
        ({"chat_id": "not a uuid"}, "chatId"),
        ({"provider": "other"}, "provider"),
        ({"trigger": "whim"}, "trigger"),
        ({"busy": "wait"}, "busy"),
        ({"detached": "no"}, "detached"),
        ({"tools": [turnkeep.Tool("no spaces", len)]}, "tools[0].name"),
        ({"tools": [turnkeep.Tool("a", len), turnkeep.Tool("a", len)]}, "tools[1].name"),
        ({"tools": [turnkeep.Tool("a", len, input_schema={"type": 5})]}, "tools[0].inputSchema"),
        ({"tools": [turnkeep.Tool("a", len, timeout_ms=-1)]}, "tools[0].timeoutMs"),
    ],
)
def test_a_wrong_turn_names_its_field(
    engine: turnkeep.Engine, provider: ScriptedProvider, change: dict[str, Any], field: str
) -> None:
    error = refused(lambda: engine.start_turn(**{**WHO, "message": "?", **change}))
    assert (error.code, error.details["field"]) == ("INVALID_INPUT", field)
    assert provider.requests == []


def test_without_a_provider(tmp_path: Path) -> None:
    with turnkeep.Engine.open(store=f"sqlite:{tmp_path}/chats.db") as engine:
        error = refused(lambda: engine.start_turn(**WHO, message="?"))
        assert (error.code, error.http_status) == ("AI_NOT_CONFIGURED", 503)


def test_what_is_not_theirs(engine: turnkeep.Engine, provider: ScriptedProvider) -> None:
    provider.then(says("ok"))
    turn = engine.start_turn(**WHO, message="?")
    turn.done()
    other: dict[str, Any] = {"workspace_id": "w", "user_id": "other"}
    error = refused(lambda: engine.chats.messages(**other, chat_id=turn.chat_id))
    assert (error.code, error.http_status, error.details) == ("FORBIDDEN", 403, {})
    error = refused(lambda: engine.start_turn(**other, chat_id=turn.chat_id, message="?"))
    assert error.code == "FORBIDDEN"
    # An id of another kind.
    error = refused(lambda: engine.runs.get(**WHO, run_id=turn.chat_id))
    assert (error.code, error.http_status) == ("NOT_FOUND", 404)
    error = refused(lambda: engine.runs.stop(**WHO))
    assert error.details["field"] == "runId"
    error = refused(lambda: engine.chats.export(**WHO, chat_id=turn.chat_id, format="pdf"))  # type: ignore[arg-type]
    assert error.details["field"] == "format"


def test_the_error_can_be_pickled_and_read() -> None:
    error = refused(lambda: turnkeep.Engine.open(store="mysql://x"))
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.code, copy.message, copy.http_status, copy.details) == (
        error.code,
        error.message,
        error.http_status,
        error.details,
    )
    assert str(copy) == f"INVALID_INPUT: {error.message}"


REFUSAL = '{"error":{"message":"key of org-77 is gone"},"account":"org-77"}'


@pytest.mark.parametrize(
    ("error_text", "told"),
    [
        (None, "The AI provider refused the request: authentication failed (401)."),
        ("provider", None),
        (lambda failure: f"Sorry: {failure['kind']}", "Sorry: authentication"),
        (lambda failure: failure["none"], "The AI provider refused the request: authentication failed (401)."),
    ],
    ids=["safe", "provider", "function", "failing"],
)
def test_pages_are_told_of_a_failure_what_the_host_wants(
    tmp_path: Path, provider: ScriptedProvider, error_text: Any, told: str | None
) -> None:
    provider.then(answers(401, REFUSAL))
    settings: dict[str, Any] = {"store": f"sqlite:{tmp_path}/chats.db", "providers": {"default": provider.settings}}
    with turnkeep.Engine.open(**settings, error_text=error_text) as engine:
        turn = engine.start_turn(**WHO, message="?")
        outcome = turn.done()
        assert "org-77" in outcome["error"]
        told = told or outcome["error"]
        tail = {**WHO, "run_id": turn.run_id}
        streams: list[list[Any]] = [
            list(turn.chunks()),
            chunks_in(turn.sse()),
            [entry["chunk"] for entry in engine.runs.tail(**tail)],
            chunks_in(engine.runs.tail(**tail).sse()),
        ]
        for chunks in streams:
            [error] = [chunk["errorText"] for chunk in chunks if chunk["type"] == "error"]
            [how] = [chunk["messageMetadata"] for chunk in chunks if "failure" in chunk.get("messageMetadata", {})]
            assert {error, how["error"], how["failure"]["message"]} == {told}
        lists: list[Any] = [
            engine.chats.messages(**WHO, chat_id=turn.chat_id),
            engine.chats.open(**WHO, chat_id=turn.chat_id)["messages"],
        ]
        for rows in lists:
            assert "org-77" in rows[1]["metadata"]["error"]
            metadata = turnkeep.row_to_ui_message(rows[1])["metadata"]
            assert {metadata["error"], metadata["failure"]["message"]} == {told}


def chunks_in(events: Iterable[bytes]) -> list[dict[str, Any]]:
    """The chunks of server-sent events."""
    texts = b"".join(events).decode().split("\n\n")
    return [json.loads(text[text.index("{") :]) for text in texts if "data: {" in text]
