"""The engine, and the questions that can be put to it."""

from __future__ import annotations

import base64
import os
import warnings
import weakref
from typing import TYPE_CHECKING, Any

from turnkeep import _exit, _native
from turnkeep._failures import Words
from turnkeep._json import decode, encode_fields
from turnkeep._operations import (
    ChatsOperations,
    EngineOperations,
    McpOperations,
    ProvenanceOperations,
    RolesOperations,
    SearchOperations,
    SettingsOperations,
    UsageOperations,
)
from turnkeep._runs import Runs
from turnkeep._tools import Tool, ToolPump
from turnkeep._turn import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from turnkeep import types


class Engine(EngineOperations):
    """An engine on a store, with threads of its own. All methods block and may be called from any thread.

    Close it, or use it in a ``with`` block. One that is forgotten is closed at exit or when it is collected, without
    grace for its running turns. It belongs to the process that opened it: a forked child opens its own.
    """

    def __init__(self, native: _native.Engine, tools: Sequence[Tool], words: Words | None = None) -> None:
        """Engines are made by :meth:`Engine.open`."""
        self._native = native
        self._words = words
        self._tools = tuple(tools)
        self._pumps: weakref.WeakSet[ToolPump] = weakref.WeakSet()
        self._process = os.getpid()
        self._closed = False
        _exit.register(self)

    @classmethod
    def _open(cls, options: dict[str, Any], tools: Sequence[Tool]) -> Self:
        said = options["errorText"]
        words = Words(said) if callable(said) else None
        options["errorText"] = said if words is None else "failure"
        if isinstance(options["store"], os.PathLike):
            options["store"] = f"sqlite:{os.fspath(options['store'])}"
        return cls(_native.Engine.open(encode_fields(options)), tools, words)

    @staticmethod
    def pending_migrations(store: str) -> list[types.PendingMigration]:
        """Which migrations opening this PostgreSQL database would apply. Changes nothing.

        :returns: for each its ``version``, its ``name`` and the ``additions`` it would make to the database as it is
        :raises TurnkeepError: ``INVALID_INPUT`` for another kind of store, ``STORE_UNAVAILABLE``
        """
        pending: list[types.PendingMigration] = decode(_native.Engine.pending_migrations(store))
        return pending

    def _start_turn(self, request: dict[str, Any], tools: Sequence[Tool] | None) -> Turn:
        offered = request["offeredTools"]
        engines = self._tools if offered is None else ()
        own = {tool.name: tool for tool in tools or ()}
        # The engine's come first in every turn, and a turn's own takes the place of one: what the model is told begins
        # the same each time, which provider caches depend on.
        replaced = [own.get(tool.name, tool) for tool in engines]
        names = {tool.name for tool in engines}
        tools = replaced + [tool for tool in tools or () if tool.name not in names]
        request["tools"] = [tool._definition() for tool in tools] or None
        # A text is a sequence of texts, too; the engine says what is wrong with it.
        request["offeredTools"] = list(offered) if not isinstance(offered, str | None) else offered
        native = self._native.start_turn(encode_fields(request))
        return Turn(self, native, self._pump(native, tools) if tools else None, request["detached"] is not False)

    def offer_tools(self, tools: Sequence[Tool] | None = None) -> None:
        """Offers these tools, besides what is offered already: from now on the engine drives turns that name their
        tools (``offered_tools`` of :meth:`start_turn`) if it offers all of them.

        It begins those that are left to it within moments, and goes on with those whose engine was closed or has died,
        after their last finished step; of a call whose outcome is not known the model is told so. A tool takes the
        place of one of the same name. It ends when the engine is closed, which the end of the program does too, so a
        program that does nothing else has to wait for something.

        :param tools: those that the engine was opened with unless given
        :raises TurnkeepError: ``INVALID_INPUT`` naming the field, ``ENGINE_CLOSED``
        """
        tools = self._tools if tools is None else tools
        offer = self._native.offer_tools(encode_fields({"tools": [tool._definition() for tool in tools]}))
        # Should no thread be had for the calls, the offer is withdrawn as it is dropped.
        if tools:
            self._pumps.add(ToolPump(offer, tools, owner=self))

    def check_pages(self, check: Callable[[str, str, types.PageRef], types.PageRef | None]) -> None:
        """Has every page that a turn, or a run of the host's own, is said to be begun on (``open_page``) checked.

        From now on only what ``check(workspace_id, user_id, page)`` returns is used, for the prompt, for the tool
        ``getCurrentPage`` and for the page of a chat that is created: the page with its own title, or ``None`` where
        there is no such page or the user may not see it. When it raises, returns anything else, or takes longer than
        ``pageCheckTimeoutMs`` of the engine's ``requests``, there is no page. It is called on threads of its own, and
        takes the place of one that was given before.

        :raises TurnkeepError: ``ENGINE_CLOSED``
        """
        tool = Tool("checkOpenPage", lambda asked: check(asked["workspaceId"], asked["userId"], asked["page"]))
        self._pumps.add(ToolPump(self._native.check_pages(), [tool], owner=self))

    def docmost_tokens(self, token: Callable[[str, str, str, bool], str]) -> None:
        """Has the host asked for the access tokens of users, by which turns with ``docmost`` act on a Docmost server.

        ``token(workspace_id, user_id, base_url, refused)`` returns the user's token: when a turn first needs one, and
        once more when the server does not take it, with ``refused``. What it raises is told to nobody. It is called on
        threads of its own, and takes the place of one that was given before.

        :raises TurnkeepError: ``ENGINE_CLOSED``
        """

        def ask(asked: Any) -> str:
            return token(asked["workspaceId"], asked["userId"], asked["baseUrl"], asked["refused"])

        self._pumps.add(ToolPump(self._native.docmost_tokens(), [Tool("docmostToken", ask)], owner=self))

    @property
    def runs(self) -> Runs:
        """What is known of runs, their logs, and runs that the host drives itself."""
        return Runs(self)

    @property
    def chats(self) -> Chats:
        """What is in chats."""
        return Chats(self)

    @property
    def roles(self) -> Roles:
        """The personas that chats are begun with."""
        return Roles(self)

    @property
    def mcp(self) -> Mcp:
        """External tool servers, whose tools turns may have (``mcp_tools``)."""
        return Mcp(self)

    @property
    def provenance(self) -> Provenance:
        """Claims that an access is by the agent of a chat."""
        return Provenance(self)

    @property
    def search(self) -> Search:
        """The index that pages are found by."""
        return Search(self)

    @property
    def settings(self) -> Settings:
        """What workspaces have configured."""
        return Settings(self)

    @property
    def usage(self) -> Usage:
        """What calls to providers have used."""
        return Usage(self)

    def run_stateless(self, **given: Any) -> Turn:
        """Begins a turn of which nothing is stored but its record and what it uses.

        :param given: as :meth:`start_turn` takes it; ``stateless`` may say more about it
        :raises TurnkeepError: as :meth:`start_turn`
        """
        return self.start_turn(**{"stateless": {}, **given})

    def close(self, grace_ms: int | None = None) -> None:
        """Refuses new turns, lets the running ones go on for ``grace_ms`` (5 s unless given), settles the rest as
        ``shutdown`` and ends the engine's threads. Closing again does nothing.

        :raises TurnkeepError: ``STORE_UNAVAILABLE`` when the store could not be closed in order
        """
        self._native.close(grace_ms)
        self._after_closing()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # An engine that could not be opened has nothing to close; one of the parent process is not ours to close.
        if getattr(self, "_closed", True) or self._process != os.getpid():
            return
        warnings.warn(f"unclosed engine {self!r}", ResourceWarning, source=self, stacklevel=2)
        self._exit()

    def _exit(self) -> None:
        """Closes without grace and within a bounded time."""
        try:
            self._native.exit()
        finally:
            self._after_closing()

    def _after_closing(self) -> None:
        self._closed = True
        _exit.unregister(self)
        for pump in list(self._pumps):
            pump.join()

    def _pump(self, native: _native.Turn, tools: Sequence[Tool]) -> ToolPump:
        try:
            pump = ToolPump(native, tools, owner=self)
        except RuntimeError:
            # No thread can be had, so nobody would answer the turn's calls.
            native.stop()
            raise
        self._pumps.add(pump)
        return pump

    def _ask(self, operation: str, params: dict[str, Any]) -> Any:
        if operation == "transcribe":
            params["audio"] = base64.b64encode(params["audio"]).decode("ascii")
        answer = decode(self._native.call(operation, encode_fields(params)))
        if self._words is not None:
            if operation == "chats.messages":
                self._words.tell_rows(answer)
            elif operation == "chats.open":
                self._words.tell_rows(answer["messages"])
        return answer

    def _tail(self, **params: Any) -> _native.Tail:
        return self._native.tail(encode_fields(params))

    def _export(self, **params: Any) -> _native.Export:
        return self._native.export(encode_fields(params))


class Chats(ChatsOperations):
    """Questions about chats. Each raises ``FORBIDDEN`` for what is not the user's; a chat that is not there (yet) is an
    empty one.
    """

    def __init__(self, engine: Engine) -> None:
        """Found at :attr:`Engine.chats`."""
        self._engine = engine

    def _ask(self, operation: str, params: dict[str, Any]) -> Any:
        return self._engine._ask(operation, params)

    def export_stream(
        self,
        *,
        workspace_id: str,
        user_id: str,
        chat_id: str,
        format: types.DocumentFormat | None = None,  # noqa: A002
        lang: str | None = None,
        labels: types.ExportLabels | None = None,
    ) -> Iterator[bytes]:
        """The document of :meth:`export` as UTF-8 in pieces, so that memory does not grow with the chat."""
        export = self._engine._export(
            workspaceId=workspace_id,
            userId=user_id,
            chatId=chat_id,
            format=format,
            lang=lang,
            labels=labels,
        )
        return iter(export.next, None)


class Mcp(McpOperations):
    """External tool servers of workspaces. Headers go in and never come out."""

    def __init__(self, engine: Engine) -> None:
        """Found at :attr:`Engine.mcp`."""
        self._engine = engine

    def _ask(self, operation: str, params: dict[str, Any]) -> Any:
        return self._engine._ask(operation, params)


class Roles(RolesOperations):
    """Roles of agents. Who acts, and what they may, is said by the host with each call."""

    def __init__(self, engine: Engine) -> None:
        """Found at :attr:`Engine.roles`."""
        self._engine = engine

    def _ask(self, operation: str, params: dict[str, Any]) -> Any:
        return self._engine._ask(operation, params)


class Provenance(ProvenanceOperations):
    """Signed claims that an access is by the agent of a chat."""

    def __init__(self, engine: Engine) -> None:
        """Found at :attr:`Engine.provenance`."""
        self._engine = engine

    def _ask(self, operation: str, params: dict[str, Any]) -> Any:
        return self._engine._ask(operation, params)


class Search(SearchOperations):
    """The index that pages are found by. What is in it, and which pages a user may read, is said by the host."""

    def __init__(self, engine: Engine) -> None:
        """Found at :attr:`Engine.search`."""
        self._engine = engine

    def _ask(self, operation: str, params: dict[str, Any]) -> Any:
        return self._engine._ask(operation, params)


class Settings(SettingsOperations):
    """What workspaces have configured. Keys go in and never come out."""

    def __init__(self, engine: Engine) -> None:
        """Found at :attr:`Engine.settings`."""
        self._engine = engine

    def _ask(self, operation: str, params: dict[str, Any]) -> Any:
        return self._engine._ask(operation, params)


class Usage(UsageOperations):
    """What calls to providers have used, and what that costs."""

    def __init__(self, engine: Engine) -> None:
        """Found at :attr:`Engine.usage`."""
        self._engine = engine

    def _ask(self, operation: str, params: dict[str, Any]) -> Any:
        return self._engine._ask(operation, params)
