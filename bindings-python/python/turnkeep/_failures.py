"""What pages are told of failures, where the host makes the sentence."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

from turnkeep import _native
from turnkeep._json import decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable

_logger = logging.getLogger("turnkeep")


class Words:
    """Puts the sentences of a host's function where the engine has put the failures that they are to be made of."""

    def __init__(self, error_text: Callable[[dict[str, Any]], str | None]) -> None:
        self._error_text = error_text

    def tell_chunk(self, chunk: dict[str, Any]) -> dict[str, Any]:
        """The chunk with the sentence in it, if it tells of a failure."""
        if chunk["type"] == "error":
            failure = _failure_in(chunk["errorText"])
            if failure is not None:
                chunk["errorText"] = self._sentence(failure)
        metadata = chunk.get("messageMetadata") or {}
        failure = _failure_in(metadata.get("error"))
        if failure is not None:
            metadata["error"] = self._sentence(failure)
            if "failure" in metadata:
                metadata["failure"]["message"] = metadata["error"]
        return chunk

    def tell_events(self, events: bytes) -> bytes:
        """The same of server-sent events."""
        if b'"failure"' not in events and b'"errorText"' not in events:
            return events
        return "\n\n".join(self._event(event) for event in events.decode().split("\n\n")).encode()

    def tell_rows(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Rows with the sentences beside what providers have said; :func:`row_to_ui_message` takes them."""
        for row in rows:
            metadata = row.get("metadata") or {}
            failure = _failure_in(metadata.get("errorText"))
            if failure is not None:
                metadata["errorText"] = self._sentence(failure)
        return rows

    def _event(self, event: str) -> str:
        head, mark, chunk = event.partition("data: {")
        return f"{head}data: {encode(self.tell_chunk(decode('{' + chunk)))}" if mark else event

    def _sentence(self, failure: dict[str, Any]) -> str:
        try:
            text = self._error_text(dict(failure))
            if isinstance(text, str) and text:
                return text
        except Exception:
            # It must not be in anybody's way; whoever wrote it wants to know.
            _logger.warning("error_text failed", exc_info=True)
        sentence: str = decode(_native.call_function("safeErrorText", encode({"failure": failure})) or '""')
        return sentence


def _failure_in(text: object) -> dict[str, Any] | None:
    """The failure that a text stands for; nothing where it is a sentence."""
    if isinstance(text, str) and text.startswith("{"):
        with contextlib.suppress(ValueError):
            failure: dict[str, Any] = decode(text)
            return failure if isinstance(failure.get("kind"), str) else None
    return None
