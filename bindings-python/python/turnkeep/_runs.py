"""Runs: questions, logs, and runs that the host drives."""

from __future__ import annotations

import contextlib
import weakref
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from turnkeep._errors import TurnkeepError
from turnkeep._json import decode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from turnkeep import _native
    from turnkeep._engine import Engine

_BATCH = 64

# `Runs.list` hides the builtin inside of its class.
_Rows = list[dict[str, Any]]


class Runs:
    """Runs. Each method raises ``NOT_FOUND`` or ``FORBIDDEN`` for what is not the user's."""

    def __init__(self, engine: Engine) -> None:
        """Found at :attr:`Engine.runs`."""
        self._engine = engine

    def get(self, *, workspace_id: str, user_id: str, run_id: str) -> dict[str, Any]:
        """One run."""
        run: dict[str, Any] = self._engine._call("runs.get", workspaceId=workspace_id, userId=user_id, runId=run_id)
        return run

    def latest_for_chat(self, *, workspace_id: str, user_id: str, chat_id: str) -> dict[str, Any] | None:
        """The chat's newest run; ``None`` in a chat that never had one, or that is not there (yet)."""
        run: dict[str, Any] | None = self._engine._call(
            "runs.latestForChat", workspaceId=workspace_id, userId=user_id, chatId=chat_id
        )
        return run

    def active_for_chat(self, *, workspace_id: str, user_id: str, chat_id: str) -> dict[str, Any] | None:
        """The run that holds the chat; ``None`` when it is free, or not there (yet)."""
        run: dict[str, Any] | None = self._engine._call(
            "runs.activeForChat", workspaceId=workspace_id, userId=user_id, chatId=chat_id
        )
        return run

    def list(
        self, *, workspace_id: str, user_id: str, chat_id: str, limit: int | None = None, before: str | None = None
    ) -> _Rows:
        """The chat's newest runs (50 unless told otherwise), newest first; those that wait come before all others.

        :param before: the id of a run: those that come after it
        """
        runs: _Rows = self._engine._call(
            "runs.list", workspaceId=workspace_id, userId=user_id, chatId=chat_id, limit=limit, before=before
        )
        return runs

    def stop(
        self,
        *,
        workspace_id: str,
        user_id: str,
        run_id: str | None = None,
        chat_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> bool:
        """Stops a run, or the chat's active one, from any process. ``False`` when there is none to stop.

        :param idempotency_key: of the run's turn, which may not have begun: it then ends as stopped when it begins
            (within an hour), before a provider is asked for anything
        """
        stopped: bool = self._engine._call(
            "runs.stop",
            workspaceId=workspace_id,
            userId=user_id,
            runId=run_id,
            chatId=chat_id,
            idempotencyKey=idempotency_key,
        )
        return stopped

    def sweep(self) -> int:
        """Settles what dead processes have left, as opening an engine does, and returns how many runs that were."""
        settled: int = self._engine._call("runs.sweep")
        return settled

    def tail(
        self,
        *,
        workspace_id: str,
        user_id: str,
        run_id: str,
        after: str | int | None = None,
        from_: str | None = None,
    ) -> Tail:
        """Follows a run's log, from any process, while the run goes on and after it has ended.

        :param after: go on behind this cursor; not together with ``from_``
        :param from_: ``snapshot`` (the default: finished steps in compact form, then chunk by chunk) or ``start``
            (chunk by chunk from the first one)
        """
        native = self._engine._tail(
            **{"workspaceId": workspace_id, "userId": user_id, "runId": run_id, "after": after, "from": from_}
        )
        return Tail(self._engine, native)

    def begin(
        self,
        *,
        workspace_id: str,
        user_id: str,
        chat_id: str | None = None,
        message: str | Mapping[str, Any] | None = None,
        role_id: str | None = None,
        open_page: Mapping[str, Any] | None = None,
        trigger: str | None = None,
        busy: str | Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> HostedRun:
        """Begins a run that the host drives itself, by :meth:`record_step` and :meth:`finish`. The gate, the log, the
        lease and the stops are the engine's.

        :param message: what the user wrote; leave it out when the host has stored that itself
        :param trigger: ``api`` unless given
        :param busy: ``reject`` or ``{"supersede": run_id}``; the engine cannot begin a host's loop later
        :returns: ``runId``, ``chatId``, ``messageId``, and ``repeated``, which is true when the user has begun this run
            before with the same key; then it is not to be driven again. It is a handle, too: see :class:`HostedRun`
        :raises TurnkeepError: as :meth:`Engine.start_turn`, without ``AI_NOT_CONFIGURED``
        """
        run: dict[str, Any] = self._engine._call(
            "runs.begin",
            workspaceId=workspace_id,
            userId=user_id,
            chatId=chat_id,
            message=message,
            roleId=role_id,
            openPage=open_page,
            trigger=trigger,
            busy=busy,
            idempotencyKey=idempotency_key,
        )
        return HostedRun(self._engine, {"workspace_id": workspace_id, "user_id": user_id}, run)

    def record_step(self, *, workspace_id: str, user_id: str, run_id: str, step: Mapping[str, Any]) -> int:
        """Puts a finished step on disk and returns its number. Recording a step again by its number changes nothing.

        :param step: the AI SDK's step result: ``content`` with its entries in order, or ``reasoningText``, ``text``,
            ``toolCalls``, ``toolResults`` and ``toolErrors``; and ``finishReason``, ``usage`` and ``number``
        :raises TurnkeepError: ``INVALID_INPUT`` with the path of the field, ``LEASE_LOST`` when the run has ended or is
            another process's, ``STORE_UNAVAILABLE``, after which the step may be recorded again
        """
        number: int = self._engine._call(
            "runs.recordStep", workspaceId=workspace_id, userId=user_id, runId=run_id, step=step
        )
        return number

    def finish(
        self,
        *,
        workspace_id: str,
        user_id: str,
        run_id: str,
        status: str,
        reason: str | None = None,
        error: str | None = None,
        finish_reason: str | None = None,
        step: Mapping[str, Any] | None = None,
    ) -> None:
        """Ends a run that the host drives. Ending it again the same way changes nothing.

        :param status: ``succeeded``, ``failed`` or ``aborted``
        :param reason: why it did not succeed; ``internal``, or what it was stopped for, unless given
        :param error: the error in one line, of a run that failed
        :param step: a last step, or what there was of it, written together with the end
        """
        self._engine._call(
            "runs.finish",
            workspaceId=workspace_id,
            userId=user_id,
            runId=run_id,
            status=status,
            reason=reason,
            error=error,
            finishReason=finish_reason,
            step=step,
        )

    def signal(self, *, workspace_id: str, user_id: str, run_id: str) -> str:
        """Waits until the host is to end its loop, and says why: ``stopped``, ``superseded``, ``shutdown``,
        ``lease_lost`` or ``settled``. For a thread beside the loop: finishing the run ends the wait, and so does
        closing the engine.
        """
        reason: str = self._engine._call("runs.signal", workspaceId=workspace_id, userId=user_id, runId=run_id)
        return reason


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

    def record_step(self, step: Mapping[str, Any]) -> int:
        """As :meth:`Runs.record_step`."""
        self._use()
        return self._runs.record_step(**self._of, step=step)

    def finish(
        self,
        status: str,
        *,
        reason: str | None = None,
        error: str | None = None,
        finish_reason: str | None = None,
        step: Mapping[str, Any] | None = None,
    ) -> None:
        """As :meth:`Runs.finish`."""
        self._use()
        self._runs.finish(**self._of, status=status, reason=reason, error=error, finish_reason=finish_reason, step=step)
        if self._given_up is not None:
            self._given_up.detach()

    def signal(self) -> str:
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


class Tail(Iterator[dict[str, Any]]):
    """A run's log, as ``{"cursor", "chunk", "resync"?}``: the cursor is where to go on after the chunk; with
    ``resync``, the place that was asked for is not known any more, and what follows replaces what was read before.

    Going away stops nothing. Not for use by several threads at a time, except that any thread may call :meth:`close`.
    """

    def __init__(self, engine: Engine, native: _native.Tail) -> None:
        """Tails come from :meth:`Runs.tail`."""
        # The engine closes when it is collected, and with it what reads from it.
        self._engine = engine
        self._native = native
        self._batch: deque[dict[str, Any]] = deque()
        self._end: dict[str, Any] | None = None

    @property
    def end(self) -> dict[str, Any] | None:
        """How the run ended, as ``{"status", "reason", "error"}``, once everything was read; ``None`` before."""
        return self._end

    def __iter__(self) -> Tail:
        return self

    def __next__(self) -> dict[str, Any]:
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
