"""Runs: questions, logs, and runs that the host drives."""

from __future__ import annotations

import contextlib
import weakref
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from turnkeep._errors import TurnkeepError
from turnkeep._json import decode
from turnkeep._operations import RunsOperations

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from turnkeep import _native, types
    from turnkeep._engine import Engine

_BATCH = 64


class Runs(RunsOperations):
    """Runs. Each method raises ``NOT_FOUND`` or ``FORBIDDEN`` for what is not the user's."""

    def __init__(self, engine: Engine) -> None:
        """Found at :attr:`Engine.runs`."""
        self._engine = engine

    def _ask(self, operation: str, params: dict[str, Any]) -> Any:
        return self._engine._ask(operation, params)

    def tail(
        self,
        *,
        workspace_id: str,
        user_id: str,
        run_id: str,
        after: types.TailCursor | None = None,
        from_: types.TailStart | None = None,
        protocol: types.Protocol | None = None,
        format: types.StreamFormat | None = None,  # noqa: A002
    ) -> Tail:
        """Follows a run's log, from any process, while the run goes on and after it has ended.

        :param after: go on behind this cursor; not together with ``from_``
        :param from_: ``snapshot`` (the default: finished steps in compact form, then chunk by chunk) or ``start``
            (chunk by chunk from the first one)
        :param protocol: ``ai-6`` (the default) or ``ai-7``: clients of version 7 of the AI SDK are told of steps that
            are withdrawn, and of messages that join the run, by chunks of their own
        :param format: ``ui`` (the default), or ``ag-ui``: events of AG-UI 1.0 instead of chunks of the AI SDK
        """
        native = self._engine._tail(
            workspaceId=workspace_id,
            userId=user_id,
            runId=run_id,
            after=after,
            protocol=protocol,
            format=format,
            **{"from": from_},
        )
        return Tail(self._engine, native)

    def _begin(self, params: dict[str, Any]) -> HostedRun:
        run: dict[str, Any] = self._ask("runs.begin", params)
        who = {"workspace_id": params["workspaceId"], "user_id": params["userId"]}
        return HostedRun(self._engine, who, run)


class HostedRun(dict[str, Any]):
    """A run that the host drives: ``runId``, ``chatId``, ``messageId`` and ``repeated``.

    It may be driven by its id, with the methods of :class:`Runs`, or by this handle, whose methods are the same. Once
    it has been used as a handle, the run goes with it: one that is collected, or whose ``with`` block is left, before
    the run is finished gives it up, and the run is aborted as ``worker_lost``.
    """

    def __init__(self, engine: Engine, who: Mapping[str, str], run: Mapping[str, Any]) -> None:
        """Runs are begun by :meth:`Runs.begin`."""
        super().__init__(run)
        # The engine closes when it is collected, and its runs end with it.
        self._runs = Runs(engine)
        self._of: dict[str, Any] = {**who, "run_id": run["runId"]}
        self._given_up: weakref.finalize[..., Any] | None = None

    def _use(self) -> None:
        if self._given_up is None and not self["repeated"]:
            self._given_up = weakref.finalize(self, _give_up, self._runs._engine._native, self["runId"])
            # At exit engines are closed, and say so.
            self._given_up.atexit = False

    def record_step(self, step: types.RunStep) -> int:
        """As :meth:`Runs.record_step`."""
        self._use()
        return self._runs.record_step(**self._of, step=step)

    def finish(
        self,
        status: types.EndStatus,
        *,
        reason: types.RunReason | None = None,
        error: str | None = None,
        finish_reason: types.FinishReason | None = None,
        step: types.RunStep | None = None,
    ) -> None:
        """As :meth:`Runs.finish`."""
        self._use()
        self._runs.finish(**self._of, status=status, reason=reason, error=error, finish_reason=finish_reason, step=step)
        if self._given_up is not None:
            self._given_up.detach()

    def signal(self) -> types.RunSignal:
        """As :meth:`Runs.signal`. A thread that waits here holds the handle."""
        return self._runs.signal(**self._of)

    def __enter__(self) -> HostedRun:
        self._use()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._given_up is not None:
            self._given_up()


def _give_up(native: _native.Engine, run_id: str) -> None:
    # In a forked child the run is the parent's.
    with contextlib.suppress(TurnkeepError):
        native.abandon_run(run_id)


class Tail(Iterator["types.TailItem"]):
    """A run's log, as ``{"cursor", "chunk", "resync"?}``: the cursor is where to go on after the chunk; with
    ``resync``, the place that was asked for is not known any more, and what follows replaces what was read before.

    Going away stops nothing. Not for use by several threads at a time, except that any thread may call :meth:`close`.
    """

    def __init__(self, engine: Engine, native: _native.Tail) -> None:
        """Tails come from :meth:`Runs.tail`."""
        # The engine closes when it is collected, and with it what reads from it.
        self._engine = engine
        self._native = native
        self._batch: deque[types.TailItem] = deque()
        self._end: types.TailEnd | None = None

    @property
    def end(self) -> types.TailEnd | None:
        """How the run ended, as ``{"status", "reason", "error"}``, once everything was read; ``None`` before."""
        return self._end

    def __iter__(self) -> Tail:
        return self

    def __next__(self) -> types.TailItem:
        """Waits for the next chunk."""
        if not self._batch:
            batch = self._native.next(_BATCH)
            entries = [] if batch is None else decode(batch)
            if entries and "end" in entries[0]:
                self._end = entries[0]["end"]
                entries = []
            if self._engine._words is not None:
                for entry in entries:
                    if "chunk" in entry:
                        self._engine._words.tell_chunk(entry["chunk"])
            self._batch.extend(entries)
        if not self._batch:
            raise StopIteration
        return self._batch.popleft()

    def sse(self) -> Iterator[bytes]:
        """What is left as server-sent events whose ids are the cursors, with the terminator: for the body of an HTTP
        response with :data:`turnkeep.SSE_HEADERS`.
        """
        while (events := self._native.next_events(_BATCH)) is not None:
            yield events if self._engine._words is None else self._engine._words.tell_events(events)
        end = self._native.end
        if end is not None:
            self._end = decode(end)

    def close(self) -> None:
        """Goes away. A thread that waits for the next chunk finds the tail at its end."""
        self._native.close()
        self._batch.clear()

    def __enter__(self) -> Tail:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
