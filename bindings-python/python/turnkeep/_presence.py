"""Whether somebody still reads a stream.

Web frameworks do not close an iterator whose client has left, and what holds it may be a cycle that only a garbage
collection finds. Such a stream is not asked for its next item any more, which is how it is known here.
"""

from __future__ import annotations

import threading
import time
import weakref
from typing import Protocol

PATIENCE_SECONDS = 60.0
"""How long a reader may leave an item untouched that is there for it."""
_LOOK_SECONDS = 1.0


class Watched(Protocol):
    """A stream that can be left."""

    def _idle_since(self) -> float | None:
        """Since when nobody has asked for the next item; ``None`` while somebody waits for it, and after the end."""

    def close(self) -> None:
        """Goes away."""


class Presence:
    """Closes the streams that nobody reads any more. Its thread lives as long as there are any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: weakref.WeakSet[Watched] = weakref.WeakSet()
        self._thread: threading.Thread | None = None

    def watch(self, stream: Watched) -> None:
        """Watches this one, too."""
        with self._lock:
            self._streams.add(stream)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._look, name="turnkeep-presence", daemon=True)
                self._thread.start()

    def _look(self) -> None:
        while True:
            time.sleep(min(_LOOK_SECONDS, PATIENCE_SECONDS / 4))
            with self._lock:
                streams = list(self._streams)
                if not streams:
                    self._thread = None
                    return
            for stream in streams:
                since = stream._idle_since()
                if since is not None and time.monotonic() - since > PATIENCE_SECONDS:
                    stream.close()
                    with self._lock:
                        self._streams.discard(stream)
            # Nothing here may keep a stream that its reader has dropped.
            del streams
            stream = None  # type: ignore[assignment]


presence = Presence()
