"""Turns and their streams."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from turnkeep import _native
from turnkeep._json import decode
from turnkeep._presence import presence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from turnkeep._engine import Engine
    from turnkeep._tools import ToolPump
    from turnkeep.types import Steering

_Item = TypeVar("_Item")

_BATCH = 64


class Stream(Iterator[_Item]):
    """A turn's chunks from the first one on, in some form.

    Going away before the end (:meth:`close`, leaving a ``with`` block, or dropping the stream) is a disconnect: of a
    turn that is not detached, the last stream's disconnect stops the run. One that is not asked for its next item for a
    minute counts as left, too: web frameworks do not always close what they stop reading. Not for use by several
    threads at a time, except that any thread may call :meth:`close`.
    """

    def __init__(
        self, turn: Turn, reader: _native.Reader, fetch: Callable[[], Sequence[_Item]], tail: Sequence[_Item] = ()
    ) -> None:
        self._turn = turn
        self._reader = reader
        self._fetch = fetch
        self._tail = tail
        self._batch: deque[_Item] = deque()
        self._over = False
        self._asked_at: float | None = time.monotonic()
        if not turn._detached:
            presence.watch(self)

    def _idle_since(self) -> float | None:
        return None if self._over else self._asked_at

    def __iter__(self) -> Stream[_Item]:
        return self

    def __next__(self) -> _Item:
        """Waits for the next item."""
        self._asked_at = None
        try:
            if not self._batch and not self._over:
                batch = self._fetch()
                if not batch and not self._over:
                    self._over = True
                    batch = self._tail
                self._batch.extend(batch)
            if not self._batch:
                raise StopIteration
            return self._batch.popleft()
        finally:
            self._asked_at = time.monotonic()

    def close(self) -> None:
        """Goes away. A thread that waits for the next item finds the stream at its end."""
        self._over = True
        self._batch.clear()
        self._reader.close()

    def __enter__(self) -> Stream[_Item]:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class Turn:
    """A turn that was begun here. Dropping it stops nothing.

    One whose tools are offered elsewhere is driven there; its chunks and its end are read from the store, for as long
    as the engine is open.
    """

    run_id: str
    """The run's id."""
    chat_id: str
    """The chat's id, also of a chat that this turn created."""
    message_id: str
    """The id of the assistant's message."""
    repeated: bool
    """The run had been begun before, with the same idempotency key. Its chunks are read from the store."""

    def __init__(self, engine: Engine, native: _native.Turn, pump: ToolPump | None, detached: bool) -> None:
        """Turns are begun by :meth:`Engine.start_turn`."""
        ids = decode(native.ids)
        self.run_id = ids["runId"]
        self.chat_id = ids["chatId"]
        self.message_id = ids["messageId"]
        self.repeated = native.is_repeated
        # The engine closes when it is collected, which must not happen to a turn that somebody holds.
        self._engine = engine
        self._native = native
        self._pump = pump
        self._detached = detached

    def __repr__(self) -> str:
        return f"<turnkeep.Turn run_id={self.run_id!r} chat_id={self.chat_id!r}>"

    def chunks(self) -> Stream[dict[str, Any]]:
        """The chunks of the AI SDK's UI message stream, from the first one on, however late this is called."""
        reader = self._native.reader()
        words = self._engine._words
        read = decode if words is None else lambda chunk: words.tell_chunk(decode(chunk))
        return Stream(self, reader, lambda: [read(chunk) for chunk in reader.next(_BATCH)])

    def sse(self) -> Stream[bytes]:
        """The same as server-sent events, for the body of an HTTP response with :data:`turnkeep.SSE_HEADERS`."""
        reader = self._native.reader()
        words = self._engine._words
        if words is None:
            return Stream(self, reader, lambda: reader.next_events(_BATCH), [_native.SSE_DONE])
        fetch = lambda: [words.tell_events(event) for event in reader.next_events(_BATCH)]  # noqa: E731
        return Stream(self, reader, fetch, [_native.SSE_DONE])

    def stop(self) -> bool:
        """Asks the run to stop; ``False`` when it has settled already."""
        return self._native.stop()

    def queue(self) -> list[Steering]:
        """The messages that wait for the run (``engine.runs.steer``), in their order.

        They wait for its next step, or, once it has ended, for the chat's next turn.
        """
        waiting: list[Steering] = decode(self._native.queue())
        return waiting

    def done(self) -> dict[str, Any]:
        """Waits for the end of the turn and says how it ended, once that is on disk.

        A run that failed or was stopped is an outcome, not an exception: see ``status``, ``reason`` and ``error``.

        :raises TurnkeepError: ``LEASE_LOST`` when another engine drives the run now, also one that has taken it over
            from this one; ``ENGINE_CLOSED`` when the run is driven elsewhere
        """
        outcome: dict[str, Any] = decode(self._native.done())
        return outcome
