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
from turnkeep._runs import Runs
from turnkeep._tools import Tool, ToolPump
from turnkeep._turn import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType


class Engine:
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
    def open(
        cls,
        *,
        store: str,
        instance_id: str | None = None,
        runs: Mapping[str, Any] | None = None,
        providers: Mapping[str, Mapping[str, Any]] | None = None,
        prompt: Mapping[str, Any] | None = None,
        app_secret: str | None = None,
        previous_app_secrets: Sequence[str] | None = None,
        secrets: Mapping[str, Any] | None = None,
        http: Mapping[str, Any] | None = None,
        requests: Mapping[str, Any] | None = None,
        generate_chat_titles: bool | None = None,
        chats: Mapping[str, Any] | None = None,
        error_text: str | Callable[[dict[str, Any]], str | None] | None = None,
        tools: Sequence[Tool] = (),
    ) -> Engine:
        """Opens the store and settles what dead processes left in it.

        :param store: ``sqlite:PATH``, ``sqlite::memory:`` or ``postgres://…``
        :param instance_id: what this process is called in leases
        :param runs: limits: ``maxSteps``, ``leaseMs``, ``providerSilenceMs``, ``firstChunkMs``, ``stepTimeoutMs``,
            ``runTimeoutMs``, ``toolTimeoutMs``, ``unknownMembers``, ``historyMessages``,
            ``inputCheckMs``, ``maxAnswerBytes``, ``maxCallsPerStep``, ``maxParallelCalls``, ``degenerationGuard``,
            ``shownOutputBytes``, ``stopPollMs``, ``tailPollMs``, ``chunkRetentionMs``, ``supersedeTimeoutMs``,
            ``refreshEveryStep``,
            ``maxOfferedRuns``, ``storePatienceMs``, ``stopDeadlineMs``, ``hostedSilenceMs``,
            ``maxWaitingPerChat``, ``maxWaitingPerUser``
        :param providers: by name, each ``{driver, model, baseUrl?, apiKey?, contextWindow?, options?}`` with the driver
            ``openai``, ``openai-compatible``, ``gemini``, ``ollama`` or ``anthropic``
        :param prompt: ``workspaceName``, ``adminPrompt``, ``productName``, ``extraRules``
        :param app_secret: the secret that stored keys are sealed with; without it no keys can be stored
        :param previous_app_secrets: previous application secrets: what is sealed with them is read; on a database of
            turnkeep's own it is sealed anew with ``app_secret`` in the background
        :param secrets: ``write``: ``legacy`` (the default on an adopted database, whose system reads it)
            or ``current``;
            ``bindToAddress``: a stored key is sent only to the address that was set when it was entered (default true)
        :param http: how providers are reached: ``proxy``, ``caFile``, ``caPem``, ``bundledRoots``,
            ``connectTimeoutMs``, ``keepAliveMs``, ``maxTries``, ``retryWaitMs``;
            ``allowPrivate``: private hosts that workspaces may name in their settings (names, IP addresses, networks,
            with or without a port); settings lead to public addresses only otherwise
        :param requests: limits of requests outside of runs: ``embeddingTimeoutMs``, ``transcriptionTimeoutMs``,
            ``titleTimeoutMs``, ``testTimeoutMs``
        :param generate_chat_titles: name chats that a turn has created, by a second request after its success
        :param chats: ``ids``: which ids chats may be called by: ``uuid`` (the default), or whatever a client has made
            up, too (``any``), which then stands for one chat of this user in this workspace
        :param error_text: what pages are told of a failure (``error`` chunks, ``error`` and ``failure.message`` of a
            message's metadata): a sentence for each kind that says nothing of what the provider said (``safe``, the
            default), the provider's own (``provider``), or what a function makes of the failure, which has the
            provider's; where that is no text, or it raises, it is the safe one. The outcome, the rows and the log have
            the provider's in any case; rows of :meth:`Chats.messages` and :meth:`Chats.open` have beside it what pages
            are told, as ``errorText``, which :func:`row_to_ui_message` takes
        :param tools: tools for every turn; a turn's own tool of the same name takes the place of one of these
        :raises TurnkeepError: ``INVALID_INPUT`` naming the option, ``STORE_UNAVAILABLE``
        """
        words = Words(error_text) if callable(error_text) else None
        options = {
            "store": store,
            "instanceId": instance_id,
            "runs": runs,
            "providers": providers,
            "prompt": prompt,
            "appSecret": app_secret,
            "previousAppSecrets": previous_app_secrets,
            "secrets": secrets,
            "http": http,
            "requests": requests,
            "generateChatTitles": generate_chat_titles,
            "chats": chats,
            "errorText": error_text if words is None else "failure",
        }
        return cls(_native.Engine.open(encode_fields(options)), tools, words)

    @staticmethod
    def pending_migrations(store: str) -> list[dict[str, Any]]:
        """Which migrations opening this PostgreSQL database would apply. Changes nothing.

        :returns: for each its ``version``, its ``name`` and the ``additions`` it would make to the database as it is
        :raises TurnkeepError: ``INVALID_INPUT`` for another kind of store, ``STORE_UNAVAILABLE``
        """
        pending: list[dict[str, Any]] = decode(_native.Engine.pending_migrations(store))
        return pending

    def start_turn(
        self,
        *,
        workspace_id: str,
        user_id: str,
        message: str | Mapping[str, Any],
        chat_id: str | None = None,
        role_id: str | None = None,
        open_page: Mapping[str, Any] | None = None,
        tools: Sequence[Tool] | None = None,
        offered_tools: Sequence[str] | None = None,
        provider: str | Mapping[str, Any] | None = None,
        detached: bool | None = None,
        trigger: str | None = None,
        busy: str | Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> Turn:
        """Begins a turn: the user's message is stored, the run holds the chat, the model is called.

        :param message: text, or a ``UIMessage`` with ``parts``
        :param chat_id: created when there is none of this id, and when none is given
        :param role_id: the role of a chat that is created
        :param open_page: ``{id?, title?}`` of the page that the user has open
        :param tools: tools of this turn, besides those of the engine
        :param offered_tools: names of tools that engines offer (:meth:`offer_tools`), instead of ``tools`` and of those
            of the engine. The run is driven by any engine on the store that offers all of them: this one if it does,
            else the first that takes it, and another one when that engine is closed or its process dies. Until then it
            is ``pending``. Not together with ``provider``
        :param provider: the name of a configured one, or settings for this turn only
        :param detached: ``False``: the run stops when its last reader goes away
        :param trigger: ``user``, ``autostart``, ``schedule``, ``api`` or ``continue``
        :param busy: what to do when the chat has an active run: ``reject`` (the default), ``enqueue`` (the turn waits
            until the chat is free), or ``{"supersede": run_id}`` (that run is stopped and the turn takes its place)
        :param idempotency_key: a second turn of the same user with the same key begins nothing and follows the first
        :raises TurnkeepError: ``INVALID_INPUT`` naming the field, ``AI_NOT_CONFIGURED``, ``FORBIDDEN``, ``NOT_FOUND``,
            ``A_RUN_ALREADY_ACTIVE`` with ``activeRunId``, ``SUPERSEDE_INVALID``, ``SUPERSEDE_TARGET_MISMATCH`` with
            ``activeRunId``, ``SUPERSEDE_TIMEOUT``, ``A_RUN_BEGIN_FAILED``, ``STORE_UNAVAILABLE``, ``ENGINE_CLOSED``;
            nothing is left behind and no provider has been called
        """
        engines = self._tools if offered_tools is None else ()
        own = {tool.name: tool for tool in tools or ()}
        # The engine's come first in every turn, and a turn's own takes the place of one: what the model is told begins
        # the same each time, which provider caches depend on.
        replaced = [own.get(tool.name, tool) for tool in engines]
        names = {tool.name for tool in engines}
        tools = replaced + [tool for tool in tools or () if tool.name not in names]
        request = {
            "workspaceId": workspace_id,
            "userId": user_id,
            "message": message,
            "chatId": chat_id,
            "roleId": role_id,
            "openPage": open_page,
            "tools": [tool._definition() for tool in tools] or None,
            # A text is a sequence of texts, too; the engine says what is wrong with it.
            "offeredTools": list(offered_tools) if not isinstance(offered_tools, str | None) else offered_tools,
            "provider": provider,
            "detached": detached,
            "trigger": trigger,
            "busy": busy,
            "idempotencyKey": idempotency_key,
        }
        native = self._native.start_turn(encode_fields(request))
        return Turn(self, native, self._pump(native, tools) if tools else None, detached is not False)

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

    @property
    def runs(self) -> Runs:
        """What is known of runs, their logs, and runs that the host drives itself."""
        return Runs(self)

    @property
    def chats(self) -> Chats:
        """What is in chats."""
        return Chats(self)

    @property
    def settings(self) -> Settings:
        """What workspaces have configured."""
        return Settings(self)

    def embed(self, *, workspace_id: str, texts: Sequence[str]) -> list[list[float]]:
        """Vectors for texts, in their order, by the workspace's embedding model."""
        vectors: list[list[float]] = self._call("embed", workspaceId=workspace_id, texts=list(texts))
        return vectors

    def transcribe(self, *, workspace_id: str, audio: bytes | bytearray | memoryview, mime: str) -> str:
        """What is said in a recording of at most 25 MiB; empty text when nothing is said."""
        encoded = base64.b64encode(audio).decode("ascii")
        transcript: str = self._call("transcribe", workspaceId=workspace_id, audio=encoded, mime=mime)
        return transcript

    def generate_title(self, *, workspace_id: str, content: str) -> str:
        """A title for a page with this content. Nothing is stored."""
        title: str = self._call("generateTitle", workspaceId=workspace_id, content=content)
        return title

    def rotate_secrets(self, *, dry_run: bool = False) -> dict[str, int]:
        """Seals stored keys anew under ``app_secret``, in the form of ``secrets.write``; ``{resealed, unreadable}``.

        On a database of turnkeep's own the engine does so by itself after it is opened; on an adopted one nothing is
        rewritten but by this call. A dry run tells how many keys it would touch, and touches none.
        """
        rotation: dict[str, int] = self._call("secrets.rotate", dryRun=dry_run)
        return rotation

    def health(self) -> dict[str, Any]:
        """How the engine is; asks the store.

        ``store`` has ``kind``, ``ok``, and ``latencyMs`` or ``error``. ``notifications.state`` is ``live`` when what
        happens in other processes is heard at once, ``polling`` when notifications do not arrive, and ``none`` where
        the store has none. ``activeRuns`` are the runs of this process.
        """
        health: dict[str, Any] = self._call("health")
        return health

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

    def _call(self, method: str, **params: Any) -> Any:
        return decode(self._native.call(method, encode_fields(params)))

    def _tail(self, **params: Any) -> _native.Tail:
        return self._native.tail(encode_fields(params))

    def _export(self, **params: Any) -> _native.Export:
        return self._native.export(encode_fields(params))


class Chats:
    """Questions about chats. Each raises ``FORBIDDEN`` for what is not the user's; a chat that is not there (yet) is an
    empty one.
    """

    def __init__(self, engine: Engine) -> None:
        """Found at :attr:`Engine.chats`."""
        self._engine = engine

    def messages(
        self, *, workspace_id: str, user_id: str, chat_id: str, limit: int | None = None, before: str | None = None
    ) -> list[dict[str, Any]]:
        """The chat's messages, oldest first; none of a chat that is not there (yet). One that is being written has
        every step that is finished.

        :param limit: only that many, the newest; all of them unless given
        :param before: the id of a message: only those that are older
        """
        messages: list[dict[str, Any]] = self._engine._call(
            "chats.messages", workspaceId=workspace_id, userId=user_id, chatId=chat_id, limit=limit, before=before
        )
        return self._told(messages)

    def open(
        self,
        *,
        workspace_id: str,
        user_id: str,
        chat_id: str,
        in_progress: str | None = None,
        limit: int | None = None,
    ) -> dict[str, Any]:
        """What a page needs to show a chat and to go on with it: ``{messages, follow}``, which fit together.

        ``follow`` is ``None`` in a chat that is free, else ``{runId, messageId, cursor}`` for ``engine.runs.tail``,
        which brings exactly what the messages lack, also when the run has ended by then.

        :param in_progress: ``omit`` (the default) leaves out the message that the run writes, and the cursor is
            ``None``; ``include`` has it with its finished steps, and the cursor is behind them
        :param limit: only that many messages, the newest
        """
        chat: dict[str, Any] = self._engine._call(
            "chats.open",
            workspaceId=workspace_id,
            userId=user_id,
            chatId=chat_id,
            inProgress=in_progress,
            limit=limit,
        )
        self._told(chat["messages"])
        return chat

    def _told(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        words = self._engine._words
        return rows if words is None else words.tell_rows(rows)

    def export(
        self,
        *,
        workspace_id: str,
        user_id: str,
        chat_id: str,
        format: str | None = None,  # noqa: A002
        lang: str | None = None,
        labels: Mapping[str, Any] | None = None,
    ) -> str:
        """The chat as Markdown, or as JSON that :meth:`import_chat` reads.

        :param format: ``markdown`` (the default) or ``json``
        :param lang: the language tag of the labels
        :param labels: words to use in place of the built-in ones
        """
        exported: str = self._engine._call(
            "chats.export",
            workspaceId=workspace_id,
            userId=user_id,
            chatId=chat_id,
            format=format,
            lang=lang,
            labels=labels,
        )
        return exported

    def export_stream(
        self,
        *,
        workspace_id: str,
        user_id: str,
        chat_id: str,
        format: str | None = None,  # noqa: A002
        lang: str | None = None,
        labels: Mapping[str, Any] | None = None,
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

    def import_chat(self, *, workspace_id: str, user_id: str, document: str) -> dict[str, Any]:
        """A new chat made of a JSON export. Chat and messages get ids of their own."""
        chat: dict[str, Any] = self._engine._call(
            "chats.import", workspaceId=workspace_id, userId=user_id, document=document
        )
        return chat


class Settings:
    """What workspaces have configured. Keys go in and never come out."""

    def __init__(self, engine: Engine) -> None:
        """Found at :attr:`Engine.settings`."""
        self._engine = engine

    def get(self, workspace_id: str) -> dict[str, Any]:
        """The workspace's settings; of keys only whether they are set."""
        settings: dict[str, Any] = self._engine._call("settings.get", workspaceId=workspace_id)
        return settings

    def update(self, workspace_id: str, patch: Mapping[str, Any]) -> dict[str, Any]:
        """Changes settings and keys, all or nothing, and returns them as :meth:`get` does.

        What is absent stays. Keys (``apiKey``, ``embeddingApiKey``, ``sttApiKey``) are those of the driver that is set;
        ``""`` clears one and ``None`` leaves it.
        """
        settings: dict[str, Any] = self._engine._call("settings.update", workspaceId=workspace_id, settings=patch)
        return settings

    def test(self, workspace_id: str, capability: str = "chat") -> dict[str, Any]:
        """Tries ``chat``, ``embeddings`` or ``stt`` with the cheapest request there is: ``{ok, error?}``."""
        tested: dict[str, Any] = self._engine._call("settings.test", workspaceId=workspace_id, capability=capability)
        return tested
