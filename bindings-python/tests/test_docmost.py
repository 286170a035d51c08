"""Tools for a Docmost server: one argument of a turn, and a function that has the user's token."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

import turnkeep
from conftest import WHO
from scripted_provider import ScriptedProvider, calls, says

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def docmost(taken: str) -> Iterator[tuple[str, list[Any]]]:
    """A server that has one page, and takes one token: its address, and what it was asked."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            token = self.headers["authorization"]
            asked.append((self.path, token, body))
            is_known = token == f"Bearer {taken}"
            data = {"id": "p1", "title": "A page", "content": "# Words"}
            answer = {"data": data, "success": True, "status": 200} if is_known else {"message": "Unauthorized"}
            encoded = json.dumps(answer).encode()
            self.send_response(200 if is_known else 401)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(encoded)))
            self.end_headers()
            self.wfile.write(encoded)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def engine(tmp_path: Path, provider: ScriptedProvider) -> Iterator[turnkeep.Engine]:
    engine = turnkeep.Engine.open(
        store=f"sqlite:{tmp_path}/chats.db",
        providers={"default": provider.settings},
        http={"maxTries": 1, "allowPrivate": ["127.0.0.1"]},
        runs={"stepRetries": 0},
    )
    yield engine
    engine.close(grace_ms=0)


def told(engine: turnkeep.Engine, provider: ScriptedProvider, access: Any) -> str:
    """What the model is told of the page."""
    provider.then(calls(("c1", "getPage", {"pageId": "p1"})), says("ok"))
    turn = engine.start_turn(**WHO, message="What does it say?", docmost=access)
    assert turn.done()["status"] == "succeeded"
    content: str = provider.requests[-1]["messages"][-1]["content"]
    return content


def test_a_turn_reads_a_page_as_its_user(engine: turnkeep.Engine, provider: ScriptedProvider) -> None:
    questions: list[Any] = []

    def token(workspace_id: str, user_id: str, base_url: str, refused: bool) -> str:
        questions.append((workspace_id, user_id, base_url, refused))
        return "second" if refused else "first"

    def raises(*_: Any) -> str:
        raise PermissionError("a s3cret")

    with docmost("second") as (base_url, asked):
        engine.docmost_tokens(token)
        expected = {"title": "A page", "markdown": "# Words"}
        assert json.loads(told(engine, provider, {"baseUrl": base_url})) == expected
        assert questions == [("w", "u", base_url, False), ("w", "u", base_url, True)]
        assert asked[-1] == ("/api/pages/info", "Bearer second", {"pageId": "p1", "format": "markdown"})
        # A token that the turn has brought is asked for by nobody.
        assert json.loads(told(engine, provider, {"baseUrl": base_url, "token": "second"})) == expected
        assert len(questions) == 2
        engine.docmost_tokens(raises)
        failed = told(engine, provider, {"baseUrl": base_url})
        assert "token could not be got" in failed
        assert "s3cret" not in failed


def test_where_nobody_has_a_token_the_turn_is_refused(engine: turnkeep.Engine) -> None:
    with pytest.raises(turnkeep.TurnkeepError) as error:
        engine.start_turn(**WHO, message="x", docmost={"baseUrl": "https://wiki.example"})
    assert error.value.details["field"] == "docmost.token"


def test_the_function_ends_with_its_engine(engine: turnkeep.Engine) -> None:
    engine.docmost_tokens(lambda *_: "t")
    engine.close(grace_ms=0)
    with pytest.raises(turnkeep.TurnkeepError) as error:
        engine.docmost_tokens(lambda *_: "t")
    assert error.value.code == "ENGINE_CLOSED"
