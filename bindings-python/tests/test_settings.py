"""What a workspace configures, and what is asked of providers outside of runs."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from turnkeep import Engine, TurnkeepError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "sk-stored-key-0123456789"


class Service(ThreadingHTTPServer):
    """Makes vectors and transcripts."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, str | None, Any]] = []

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append((self.path, self.headers["authorization"], body))
        if self.path.endswith("/embeddings"):
            answer: Any = {"data": [{"index": n, "embedding": [n, 0.1]} for n in range(len(body["input"]))]}
        else:
            answer = {"text": "said"}
        encoded = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    store = f"sqlite:{tmp_path / 'chats.db'}"
    with Engine.open(store=store, app_secret="an application secret", http={"allowPrivate": ["127.0.0.1"]}) as engine:
        yield engine


def test_keys_go_in_and_never_come_out(engine: Engine, tmp_path: Path) -> None:
    shown = engine.settings.update("w1", {"driver": "openai", "chatModel": "m", "apiKey": KEY})
    assert shown == {
        "driver": "openai",
        "chatModel": "m",
        "hasApiKey": True,
        "hasEmbeddingApiKey": False,
        "hasSttApiKey": False,
        "features": {"chat": True, "autonomousRuns": True, "dictation": True},
    }
    assert engine.settings.get("w1") == shown
    with pytest.raises(TurnkeepError) as error:
        engine.settings.get("w1", {"userId": "u1", "isAdmin": False})
    assert error.value.code == "FORBIDDEN"
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert engine.settings.update("w1", {"apiKey": ""})["hasApiKey"] is False
    with pytest.raises(TurnkeepError) as error:
        engine.settings.update("w1", {"chatApiStyle": "mystery"})  # type: ignore[typeddict-item]
    assert (error.value.code, error.value.details["field"]) == ("INVALID_INPUT", "chatApiStyle")
    with pytest.raises(TurnkeepError) as error:
        engine.start_turn(workspace_id="w1", user_id="u1", message="hi")
    assert (error.value.code, error.value.details["driver"]) == ("AI_NOT_CONFIGURED", "openai")


def test_texts_get_vectors_and_recordings_are_transcribed(engine: Engine, service: Service) -> None:
    settings: Any = {"driver": "openai", "embeddingModel": "e", "sttModel": "s", "sttApiStyle": "json"}
    engine.settings.update("w1", settings | {"baseUrl": service.base_url, "apiKey": KEY})
    assert engine.embed(workspace_id="w1", texts=("a", "b")) == [[0, 0.1], [1, 0.1]]
    assert engine.transcribe(workspace_id="w1", audio=memoryview(b"RIFF"), mime="audio/webm") == "said"
    assert service.requests[1][2]["input_audio"] == {"data": base64.b64encode(b"RIFF").decode(), "format": "webm"}
    assert {authorization for _, authorization, _ in service.requests} == {f"Bearer {KEY}"}
    assert engine.settings.test("w1", "embeddings") == {"ok": True}
    assert "not configured" in engine.settings.test("w2", "stt")["error"]
    with pytest.raises(TurnkeepError) as error:
        engine.transcribe(workspace_id="w1", audio=b"x", mime="video/mp4")
    assert error.value.code == "UNSUPPORTED_MEDIA"


def test_settings_lead_to_private_addresses_only_where_that_is_allowed(service: Service) -> None:
    settings: Any = {"driver": "openai-compatible", "chatModel": "m", "apiKey": KEY}
    with Engine.open(store="sqlite::memory:", app_secret="an application secret") as engine:
        login = service.base_url.replace("http://", "http://admin:hunter2-pass@")
        shown = engine.settings.update("w1", settings | {"baseUrl": login})
        assert (shown["baseUrl"], shown["hasBaseUrlLogin"]) == (service.base_url, True)
        assert "not a public one" in engine.settings.test("w1")["error"]
    assert service.requests == []


def test_an_earlier_application_secret_is_needed_once(tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path / 'chats.db'}"
    with Engine.open(store=store, app_secret="old") as engine:
        engine.settings.update("w1", {"driver": "openai", "chatModel": "m", "apiKey": KEY})
    with Engine.open(store=store, app_secret="new", previous_app_secrets=["old"]) as engine:
        assert engine.rotate_secrets()["unreadable"] == 0
    with Engine.open(store=store, app_secret="new") as engine:
        assert engine.rotate_secrets() == {"resealed": 0, "unreadable": 0}
    with Engine.open(store=store, app_secret="another") as engine:
        assert engine.rotate_secrets() == {"resealed": 0, "unreadable": 1}
        with pytest.raises(TurnkeepError) as error:
            engine.start_turn(workspace_id="w1", user_id="u1", message="hi")
        assert error.value.code == "SECRET_UNREADABLE"
