"""An OpenAI-compatible provider on loopback that does what a test tells it, request by request."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

Script = Callable[["Answer"], None]
"""Answers one request."""


class Answer:
    """The answer to one request, as far as it has been given."""

    def __init__(self, handler: BaseHTTPRequestHandler, provider: ScriptedProvider) -> None:
        self._handler = handler
        self.provider = provider

    def whole(self, status: int, body: str, content_type: str = "application/json") -> None:
        """A body of known length."""
        encoded = body.encode()
        self._handler.send_response(status)
        self._handler.send_header("content-type", content_type)
        self._handler.send_header("content-length", str(len(encoded)))
        self._handler.end_headers()
        self._handler.wfile.write(encoded)

    def begin_stream(self) -> None:
        """The head of an event stream."""
        self._handler.send_response(200)
        self._handler.send_header("content-type", "text/event-stream")
        self._handler.send_header("transfer-encoding", "chunked")
        self._handler.end_headers()

    def event(self, data: str) -> None:
        """One event."""
        encoded = f"data: {data}\n\n".encode()
        self._handler.wfile.write(f"{len(encoded):x}\r\n".encode() + encoded + b"\r\n")

    def delta(self, finish_reason: str | None = None, **delta: Any) -> None:
        """One chat completion chunk."""
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        self.event(json.dumps({"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}))

    def finish(self, reason: str, prompt_tokens: int = 10, completion_tokens: int = 5) -> None:
        """The finish reason, the usage and the end of the stream."""
        self.delta(finish_reason=reason)
        usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
        self.event(json.dumps({"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": usage}))
        self.event("[DONE]")
        self._handler.wfile.write(b"0\r\n\r\n")

    def hang(self) -> None:
        """Says nothing more until the provider is closed."""
        self.provider.hanging.set()
        self.provider.closing.wait()
        self.cut()

    def cut(self) -> None:
        """Closes the connection in the middle."""
        self._handler.close_connection = True

    def reset(self) -> None:
        """Resets the connection."""
        linger = struct.pack("ii", 1, 0)
        self._handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.cut()


def says(*texts: str) -> Script:
    """Streams these texts and stops."""

    def script(answer: Answer) -> None:
        answer.begin_stream()
        for text in texts:
            answer.delta(content=text)
        answer.finish("stop")

    return script


def calls(*tool_calls: tuple[str, str, Any]) -> Script:
    """Calls tools, each given as ``(id, name, input)``."""

    def script(answer: Answer) -> None:
        answer.begin_stream()
        for index, (call_id, name, tool_input) in enumerate(tool_calls):
            function = {"name": name, "arguments": json.dumps(tool_input)}
            answer.delta(tool_calls=[{"index": index, "id": call_id, "type": "function", "function": function}])
        answer.finish("tool_calls")

    return script


def hangs(*texts: str) -> Script:
    """Streams these texts and then nothing more."""

    def script(answer: Answer) -> None:
        answer.begin_stream()
        for text in texts:
            answer.delta(content=text)
        answer.hang()

    return script


def breaks_off(*texts: str) -> Script:
    """Streams these texts and then closes the connection."""

    def script(answer: Answer) -> None:
        answer.begin_stream()
        for text in texts:
            answer.delta(content=text)
        answer.cut()

    return script


def resets(answer: Answer) -> None:
    """Resets the connection without an answer."""
    answer.reset()


def answers(status: int, body: str, content_type: str = "application/json") -> Script:
    """Answers with this body."""
    return lambda answer: answer.whole(status, body, content_type)


class ScriptedProvider:
    """Serves each request with the next script, and keeps what was asked."""

    def __init__(self, *scripts: Script) -> None:
        self.requests: list[dict[str, Any]] = []
        """The bodies, in the order of arrival."""
        self.keys: list[str | None] = []
        """The ``authorization`` headers."""
        self.hanging = threading.Event()
        """Set once a script hangs."""
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._scripts = list(scripts)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler_class())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def settings(self) -> Any:
        """This provider, as an engine is told of it."""
        base_url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        return {"driver": "openai-compatible", "model": "m", "baseUrl": base_url, "apiKey": "test-key"}

    def then(self, *scripts: Script) -> None:
        """Adds scripts for later requests."""
        with self._lock:
            self._scripts += scripts

    def close(self) -> None:
        """Ends what hangs, and the server."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> ScriptedProvider:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, body: dict[str, Any], key: str | None) -> Script:
        with self._lock:
            self.requests.append(body)
            self.keys.append(key)
            if self._scripts:
                return self._scripts.pop(0)
        return answers(500, '{"error":{"message":"the test has no script for this request"}}')

    def _handler_class(provider) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                script = provider._take(body, self.headers["authorization"])
                try:
                    script(Answer(self, provider))
                except ConnectionError:
                    # The engine has gone away, which is what stopping a run is.
                    self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Says nothing."""

        return Handler
