"""Tools: Python callables that a model may call during a turn."""

from __future__ import annotations

import contextlib
import inspect
import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from turnkeep._calling import call
from turnkeep._errors import TurnkeepError
from turnkeep._handlers import Handler, encode_output, members_of
from turnkeep._json import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    from turnkeep import _native

_JOIN_SECONDS = 1.0
# Null is an output, too.
_NOTHING: Any = object()
_logger = logging.getLogger("turnkeep")


class EffectStatement(NamedTuple):
    """A statement with its parameters, in the order in which ``execute`` takes them."""

    sql: str
    params: tuple[str | None, ...]


@dataclass(frozen=True)
class ToolContext:
    """What a handler may want to know of the call that it serves."""

    tool_call_id: str
    """Unique within the run; the same call never runs twice under another id."""
    tool_name: str
    chat_id: str
    run_id: str
    message_id: str
    effect: Mapping[str, str] | None = None
    """Of a tool with ``effects``: what the call is noted by, ``{"key", "database"}``."""
    idempotency_key: str | None = None
    """Of a tool that is ``idempotent``: the same whenever this call is made."""
    cancelled: threading.Event = field(default_factory=threading.Event)
    """Set when nobody waits for the result any more: the run was stopped, or the call's time is up."""

    def effect_statement(
        self, result: Any = _NOTHING, *, placeholders: str | None = None, schema: str | None = None
    ) -> EffectStatement:
        """Of a tool with ``effects``: the statement to be carried out in the transaction in which the call changes
        something, once and before it commits. A failure of it has to roll that back.

        :param result: the output, which the model is told if the process ends before it can be told otherwise
        :param placeholders: ``question`` (``?``), ``dollar`` (``$1``) or ``format`` (``%s``, as for psycopg); as the
            database writes them unless given
        :param schema: the schema of PostgreSQL that turnkeep's tables are in; the connection's own unless given
        """
        if self.effect is None:
            raise TypeError(f"The tool {self.tool_name} has no effects")
        given: dict[str, Any] = {"effect": self.effect}
        if result is not _NOTHING:
            given["result"] = decode(encode_output(result))
        statement = call("effectStatement", given, {"placeholders": placeholders, "schema": schema})
        return EffectStatement(statement["sql"], tuple(statement["params"]))


@dataclass(frozen=True)
class Tool:
    """A callable that the model may call.

    The handler is called on a thread of its own. If its parameters are members of the input, as ``weather(city,
    unit="C")`` is for a schema with ``city`` and ``unit``, it is given those; every other is called as
    ``handler(input)``. A parameter that is named ``context`` or annotated as :class:`ToolContext` is given the context,
    and so is a second one that must be given; one that has a default keeps it.

    What it returns must have a JSON form; models of Pydantic, dataclasses, times, UUIDs, decimals and enums have one,
    too. Of a generator the last value is the output, and readers are shown those before it as preliminary results (some
    of them, where they come faster than they can be shown). What it raises is told to the model as the call's failure,
    written to the log ``turnkeep``, and ends nothing.
    """

    name: str
    """Letters, digits, ``_`` and ``-``, at most 64 of them."""
    handler: Callable[..., Any] | None
    """The code; ``None`` of a question and of a tool of the client's, which run nothing here."""
    description: str = ""
    """What it does and when to use it, for the model."""
    input_schema: Mapping[str, Any] | None = None
    """The JSON Schema of its input; an object without properties unless given."""
    read_only: bool = False
    """It changes nothing. The calls of other tools are put on disk before they run."""
    timeout_ms: int | None = None
    """How long a call may take; the engine's ``runs.toolTimeoutMs`` unless given."""
    unknown_members: str | None = None
    """What becomes of members that the schema does not allow: ``strip`` or ``refuse``; the engine's
    ``runs.unknownMembers`` unless given."""
    shown_output_bytes: int | None = None
    """How many bytes of an output's JSON pages are shown, while it streams and after a reload; the engine's
    ``runs.shownOutputBytes`` unless given. Beyond that it is shown in a shorter form of the same shape, and
    ``truncatedOutputs`` of the message's metadata says so. The model is told of it in any case."""
    approval: str | Mapping[str, Any] | None = None
    """Which of its calls somebody has to allow first: ``"always"``, or ``{"when": SCHEMA}`` for those whose input fits
    that JSON Schema. The run waits meanwhile (``runs.answer``, ``runs.waiting``), so this is for tools that are
    offered."""
    editable_input: bool | None = None
    """Whoever allows a call may change its input, within the input's schema."""
    answer_schema: Mapping[str, Any] | None = None
    """The tool is a question to a person, and this is the JSON Schema of the answer."""
    client_side: bool | None = None
    """The tool is the client's, which answers with the output."""
    answerers: Sequence[str] | None = None
    """Users who may allow or answer its calls, instead of the chat's owner."""
    expires_after_ms: int | None = None
    """After how many milliseconds a call that waits has expired; never unless given."""
    effects: bool | None = None
    """Everything that a call changes it changes in one transaction in the store's own database, in which it also
    carries out ``context.effect_statement()``. Whoever goes on after a death knows then whether it was done; if not, it
    is made again."""
    idempotent: bool | Mapping[str, str] | None = None
    """A call that is made twice does no more than one that is made once: ``True``, or ``{"key": NAME}`` where a member
    of the input is what tells such calls apart. Whoever goes on after a death makes it again, with the same
    ``context.idempotency_key``."""
    tier: str | None = None
    """``core`` tools are told to the model whole, from the first step on. Of a ``deferred`` one it is told a line, in
    the tool ``loadTools``, by which it makes those callable that it needs, for the rest of the turn."""
    catalog_line: str | None = None
    """That line; the beginning of the description unless given."""
    untrusted: bool | None = None
    """What it returns, and what its errors say, is content from outside: pages of others, mails, the web. With
    ``taint``, a turn that was told of it may not change anything any more by itself. A tool that only sometimes returns
    such content says so in its output instead, an object with ``untrusted: true``."""
    _handle: Handler | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.handler is None and (self.answer_schema is not None or self.client_side):
            object.__setattr__(self, "_handle", None)
            return
        if not callable(self.handler):
            raise TypeError(f"the handler of the tool {self.name!r} is not callable")
        if inspect.iscoroutinefunction(self.handler):
            raise TypeError(f"the handler of the tool {self.name!r} must be a plain function, not a coroutine function")
        object.__setattr__(self, "_handle", Handler(self.handler, members_of(self.input_schema), ToolContext))

    def _definition(self) -> dict[str, Any]:
        definition = {
            "name": self.name,
            "description": self.description,
            "inputSchema": self.input_schema,
            "readOnly": self.read_only,
            "timeoutMs": self.timeout_ms,
            "unknownMembers": self.unknown_members,
            "shownOutputBytes": self.shown_output_bytes,
            "approval": self.approval,
            "editableInput": self.editable_input,
            "answerSchema": self.answer_schema,
            "clientSide": self.client_side,
            "answerers": None if self.answerers is None else list(self.answerers),
            "expiresAfterMs": self.expires_after_ms,
            "effects": self.effects,
            "idempotent": self.idempotent,
            "tier": self.tier,
            "catalogLine": self.catalog_line,
            "untrusted": self.untrusted,
        }
        return {key: value for key, value in definition.items() if value is not None}

    def _run(self, tool_input: Any, context: ToolContext, show: Callable[[str], object]) -> str:
        if self._handle is None:
            raise TypeError(f"The tool {self.name} runs nothing")
        output = self._handle(tool_input, context)
        if inspect.isgenerator(output):
            output = _last(output, context, show)
        try:
            return encode_output(output)
        except (TypeError, ValueError, RecursionError) as error:
            raise TypeError(f"The tool {self.name} returned what cannot be written as JSON: {error}") from error


def _last(values: Generator[Any, Any, Any], context: ToolContext, show: Callable[[str], object]) -> object:
    """The last value of a generator, each of which is shown. One whose call is over is closed."""
    last: object = None
    with contextlib.closing(values):
        for last in values:
            if context.cancelled.is_set():
                break
            # What has no JSON is a failure only as the output.
            with contextlib.suppress(TypeError, ValueError, RecursionError):
                show(encode_output(last))
    return last


class ToolPump:
    """Takes the tool calls of a turn, or of an offer, out of the engine and runs each on a thread of its own.

    All threads are daemons: a tool that never returns must not keep the process from exiting.
    """

    def __init__(self, calls: _native.Turn | _native.Offer, tools: Iterable[Tool], owner: object) -> None:
        self._calls = calls
        self._tools = {tool.name: tool for tool in tools}
        # The engine must not be collected while it has calls to make.
        self._owner: object | None = owner
        self._lock = threading.Lock()
        self._running: dict[int, ToolContext] = {}
        self._thread = threading.Thread(target=self._pump, name="turnkeep-tools", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Waits briefly for the end of the pump, not of the tools."""
        if self._thread is not threading.current_thread():
            self._thread.join(_JOIN_SECONDS)

    def _pump(self) -> None:
        try:
            while (text := self._calls.next_tool_message()) is not None:
                message = decode(text)
                if message["type"] == "call":
                    self._begin(message)
                else:
                    self._cancel(message["ticket"])
        finally:
            with self._lock:
                tickets = list(self._running)
            for ticket in tickets:
                self._cancel(ticket)
            self._owner = None

    def _begin(self, message: dict[str, Any]) -> None:
        ticket: int = message["ticket"]
        context = ToolContext(
            tool_call_id=message["toolCallId"],
            tool_name=message["toolName"],
            chat_id=message["chatId"],
            run_id=message["runId"],
            message_id=message["messageId"],
            effect=message.get("effect"),
            idempotency_key=message.get("idempotencyKey"),
        )
        with self._lock:
            self._running[ticket] = context
        name = f"turnkeep-tool-{context.tool_name}"
        thread = threading.Thread(target=self._call, args=(ticket, message["input"], context), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self._forget(ticket)
            self._calls.fail(ticket, f"The tool {context.tool_name} could not be started: {error}")

    def _call(self, ticket: int, tool_input: Any, context: ToolContext) -> None:
        try:
            output = self._tools[context.tool_name]._run(
                tool_input, context, lambda text: self._calls.show(ticket, text)
            )
            self._forget(ticket)
            self._calls.respond(ticket, output)
        except BaseException as error:  # Also SystemExit: a tool ends its call and nothing else.
            # The model is told; whoever wrote the tool wants to know, too.
            _logger.warning("the tool %s failed", context.tool_name, exc_info=True)
            self._forget(ticket)
            self._fail(ticket, _describe(error))

    def _fail(self, ticket: int, text: str) -> None:
        # In a child that the tool has forked there is nobody to tell.
        with contextlib.suppress(TurnkeepError):
            self._calls.fail(ticket, text)

    def _cancel(self, ticket: int) -> None:
        with self._lock:
            context = self._running.get(ticket)
        if context is not None:
            context.cancelled.set()

    def _forget(self, ticket: int) -> None:
        with self._lock:
            self._running.pop(ticket, None)


def _describe(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = ""
    # Only whole characters can cross.
    return (text or type(error).__name__).encode(errors="replace").decode()
