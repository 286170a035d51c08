"""The pure functions: no engine, no store.

Each is the function of the same name in every language of turnkeep. Dictionaries have camelCase keys; a parameter that
may be left out may also be ``None``. A wrong argument raises :class:`TurnkeepError` with ``INVALID_INPUT``, and
``details["field"]`` is its place, such as ``steps[2].toolCalls[0].toolName``.

A datetime in an argument becomes its ISO text (without a time zone it is taken for UTC); ``NaN`` and the infinities
become ``None``; integers keep all of their digits.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Any

from turnkeep import _native
from turnkeep._errors import TurnkeepError
from turnkeep._json import decode_result, encode_like_javascript

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

Json = Mapping[str, Any]

# With the attributes of exceptions that they come from.
_ERROR_FIELDS = {"statusCode": "status_code", "responseBody": "response_body", "text": "text"}


def flush_assistant(
    steps: Sequence[Json], in_progress_text: str, status: str, extra: Json | None = None
) -> dict[str, Any]:
    """The row of an assistant message after these steps: ``{content, toolCalls, metadata, status}``.

    :param steps: each ``{text?, toolCalls?, toolResults?, toolErrors?, usage?}``
    :param in_progress_text: the text of the step that has not finished
    :param status: ``streaming``, ``completed``, ``error`` or ``aborted``
    :param extra: ``{finishReason?, usage?, contextTokens?, maxContextTokens?, error?}``
    """
    flush: dict[str, Any] = _call(
        "flushAssistant", {"steps": steps, "inProgressText": in_progress_text, "status": status}, {"extra": extra}
    )
    return flush


def assistant_parts(steps: Sequence[Json] | None, fallback_text: str) -> list[dict[str, Any]]:
    """The parts of an assistant message. The fallback is its text when no step has one."""
    parts: list[dict[str, Any]] = _call("assistantParts", {"steps": steps, "fallbackText": fallback_text})
    return parts


def serialize_steps(steps: Sequence[Json] | None) -> list[dict[str, Any]] | None:
    """The trace of calls and results; ``None`` when there is none."""
    trace: list[dict[str, Any]] | None = _call("serializeSteps", {"steps": steps})
    return trace


def compact_tool_output(value: Any) -> Any:
    """The value itself when its JSON has at most 4000 bytes; else a copy with long strings, long arrays and deep
    objects cut short.
    """
    compacted = _native.compact_tool_output(encode_like_javascript(value, "value"))
    return value if compacted is None else decode_result(compacted)


def row_to_ui_message(row: Json) -> dict[str, Any]:
    """A stored row as ``{id, role, parts}``."""
    message: dict[str, Any] = _call("rowToUiMessage", {"row": row})
    return message


def plan_finalize_assistant(assistant_id: str | None = None) -> dict[str, Any]:
    """How the end of a turn is to be written: ``{kind: "update", id}`` or ``{kind: "insert"}``."""
    plan: dict[str, Any] = _call("planFinalizeAssistant", {}, {"assistantId": assistant_id})
    return plan


def accumulate_step_usage(acc: Json | None = None, step: Json | None = None) -> dict[str, Any] | None:
    """The sum of two usages; ``None`` when there is neither."""
    usage: dict[str, Any] | None = _call("accumulateStepUsage", {}, {"acc": acc, "step": step})
    return usage


def normalize_usage(usage: Json | None = None) -> dict[str, Any] | None:
    """The four figures of a usage that are kept; ``None`` when there is no usage."""
    normal: dict[str, Any] | None = _call("normalizeUsage", {}, {"usage": usage})
    return normal


def chat_stream_metadata(part: Json, chat_id: str, cumulative_usage: Json | None = None) -> dict[str, Any] | None:
    """The message metadata that goes with a part of a stream; ``None`` for parts that have none."""
    metadata: dict[str, Any] | None = _call(
        "chatStreamMetadata", {"part": part, "chatId": chat_id}, {"cumulativeUsage": cumulative_usage}
    )
    return metadata


def build_chat_markdown(
    *,
    title: str | None,
    chat_id: str,
    rows: Sequence[Json],
    lang: str | None = None,
    labels: Json | None = None,
    exported_at: datetime | str | None = None,
) -> str:
    """A chat as Markdown.

    :param rows: each ``{role, content?, metadata?, status?, createdAt?}``
    :param lang: a language tag; Russian for ``ru…``, English otherwise
    :param labels: words of the host's own: ``{untitled?, aiAgent?, you?, ranTool?, stillGenerating?, tools?}``
    :param exported_at: now, unless given
    """
    markdown: str = _call(
        "buildChatMarkdown",
        {"title": title, "chatId": chat_id, "rows": rows},
        {"lang": lang, "labels": labels, "exportedAt": exported_at},
    )
    return markdown


def build_chat_json(
    *, title: str | None, chat_id: str, rows: Sequence[Json], exported_at: datetime | str | None = None
) -> str:
    """A chat as a JSON document, which :func:`parse_chat_json` reads."""
    document: str = _call(
        "buildChatJson", {"title": title, "chatId": chat_id, "rows": rows}, {"exportedAt": exported_at}
    )
    return document


def parse_chat_json(text: str) -> dict[str, Any]:
    """What a document of :func:`build_chat_json` holds."""
    chat: dict[str, Any] = _call("parseChatJson", {"text": text})
    return chat


def normalize_lang(tag: str | None = None) -> str:
    """The language of exports for a language tag: ``en`` or ``ru``."""
    language: str = _call("normalizeLang", {}, {"tag": tag})
    return language


def build_system_prompt(
    *,
    workspace_name: str | None = None,
    admin_prompt: str | None = None,
    role_instructions: str | None = None,
    opened_page: Json | None = None,
    mcp_instructions: Sequence[Json] | None = None,
    product_name: str | None = None,
    extra_rules: Sequence[str] | None = None,
) -> str:
    """The system prompt: the persona and what goes with it, between two copies of the safety text.

    :param admin_prompt: the persona for chats without a role
    :param opened_page: ``{id?, title?}`` of the page that the person has open
    :param mcp_instructions: each ``{serverName, toolPrefix, instructions?}``
    :param extra_rules: rules that join the safety text; nothing replaces it
    """
    prompt: str = _call(
        "buildSystemPrompt",
        {},
        {
            "workspaceName": workspace_name,
            "adminPrompt": admin_prompt,
            "roleInstructions": role_instructions,
            "openedPage": opened_page,
            "mcpInstructions": mcp_instructions,
            "productName": product_name,
            "extraRules": extra_rules,
        },
    )
    return prompt


def clean_chat_title(text: str) -> str | None:
    """A chat title made of what a model wrote; ``None`` when nothing is left of it."""
    title: str | None = _call("cleanChatTitle", {"text": text})
    return title


def chat_title_prompt(text: str) -> dict[str, str]:
    """What a model is asked for the title of a chat that begins with this text: ``{system, prompt}``."""
    prompt: dict[str, str] = _call("chatTitlePrompt", {"text": text})
    return prompt


def page_title_prompt(content: str) -> dict[str, str]:
    """What a model is asked for the title of a page of this content: ``{system, prompt}``."""
    prompt: dict[str, str] = _call("pageTitlePrompt", {"content": content})
    return prompt


def prepare_agent_step(step_number: int, system: str, max_steps: int | None = None) -> dict[str, Any] | None:
    """``{toolChoice: "none", system}`` for the last allowed step (from 0; 20 steps unless given), else ``None``."""
    override: dict[str, Any] | None = _call(
        "prepareAgentStep", {"stepNumber": step_number, "system": system}, {"maxSteps": max_steps}
    )
    return override


def clean_generated_title(text: str) -> str:
    """A page title made of what a model wrote."""
    title: str = _call("cleanGeneratedTitle", {"text": text})
    return title


def describe_provider_error(err: Any = None, fallback: str | None = None) -> str:
    """A failure of a provider on one line.

    :param err: text, a dictionary with ``message``, ``statusCode`` and ``responseBody`` or ``text``, or an exception
        with attributes of these names in snake_case
    """
    line: str = _call("describeProviderError", {"err": _error_fields(err)}, {"fallback": fallback})
    return line


def is_fatal_provider_error(err: Any = None) -> bool:
    """Whether asking the provider again is of no use; ``err`` as for :func:`describe_provider_error`."""
    fatal: bool = _call("isFatalProviderError", {"err": _error_fields(err)})
    return fatal


def role_model_override(role: Json | None = None) -> dict[str, Any] | None:
    """The model that a role asks for: ``{driver?, chatModel?, roleName?}``; ``None`` when it asks for none."""
    override: dict[str, Any] | None = _call("roleModelOverride", {}, {"role": role})
    return override


def resolve_audio_format(mime: str) -> dict[str, Any]:
    """``{ok: True, baseMime, format}``, or ``{ok: False}`` for audio that is not on the list."""
    audio: dict[str, Any] = _call("resolveAudioFormat", {"mime": mime})
    return audio


def is_ip_allowed(ip: str) -> dict[str, Any]:
    """Whether a tool server may have this address: ``{ok, reason?}``."""
    verdict: dict[str, Any] = _call("isIpAllowed", {"ip": ip})
    return verdict


def validate_resolved_addresses(addresses: Sequence[Json]) -> dict[str, Any]:
    """Whether a tool server may have all of these addresses, each ``{address, family?}``: ``{ok, reason?}``."""
    verdict: dict[str, Any] = _call("validateResolvedAddresses", {"addresses": addresses})
    return verdict


def select_accessible_hits(
    hits: Sequence[Json], accessible_page_ids: Collection[str], cap: int
) -> list[dict[str, Any]]:
    """The search hits that the person may see, the best one of each page."""
    selected: list[dict[str, Any]] = _call(
        "selectAccessibleHits", {"hits": hits, "accessiblePageIds": _list(accessible_page_ids), "cap": cap}
    )
    return selected


def sanitize_tool_name(value: str) -> str:
    """A name made of the characters that tool names may have."""
    name: str = _call("sanitizeToolName", {"value": value})
    return name


def tool_name_prefix(server_name: str) -> str:
    """The prefix of the names of a server's tools."""
    prefix: str = _call("toolNamePrefix", {"serverName": server_name})
    return prefix


def cap_tool_name(value: str) -> str:
    """A tool name, cut to the length that providers accept."""
    name: str = _call("capToolName", {"value": value})
    return name


def disambiguate_tool_name(name: str, server_id: str, taken: Collection[str]) -> str:
    """A tool name that is not among those that are taken."""
    free: str = _call("disambiguateToolName", {"name": name, "serverId": server_id, "taken": _list(taken)})
    return free


def split_text(text: str, options: Json | None = None) -> list[str]:
    """The chunks of a text for embedding; ``options`` is ``{chunkSize?, chunkOverlap?}``."""
    chunks: list[str] = _call("splitText", {"text": text}, {"options": options})
    return chunks


def is_degenerate_output(text: str) -> bool:
    """Whether a model has fallen into repeating itself."""
    degenerate: bool = _call("isDegenerateOutput", {"text": text})
    return degenerate


def truncate_degenerate_output(text: str) -> str:
    """The text without the repetitions at its end."""
    truncated: str = _call("truncateDegenerateOutput", {"text": text})
    return truncated


def trim_history(messages: Sequence[Json], options: Json) -> dict[str, Any]:
    """The newest messages that fit into a budget: ``{messages, trimmed, estimatedTokens}``.

    :param options: ``{budgetTokens, contextTokens?, keepTurns?}``
    """
    trimmed: dict[str, Any] = _call("trimHistory", {"messages": messages, "options": options})
    return trimmed


def to_view(server: Json) -> dict[str, Any]:
    """A tool server without the values of its headers: their names only."""
    view: dict[str, Any] = _call("toView", {"server": server})
    return view


def _call(function: str, given: Json, optional: Json | None = None) -> Any:
    """Calls with what must be there and those of the rest that are not ``None``."""
    parameters = {**given, **{name: value for name, value in (optional or {}).items() if value is not None}}
    members = [f'"{name}":{encode_like_javascript(value, name)}' for name, value in parameters.items()]
    answer = _native.call_function(function, "{" + ",".join(members) + "}")
    return None if answer is None else decode_result(answer)


def _list(items: Collection[str]) -> Collection[str]:
    return list(items) if isinstance(items, Set) else items


def _error_fields(err: object) -> object:
    """What is read of an error. The rest may refer to anything, and hold keys."""
    fields: dict[str, object] = {}
    if isinstance(err, dict):
        fields = {name: err[name] for name in ("name", "message", *_ERROR_FIELDS) if name in err}
    elif isinstance(err, BaseException):
        fields = {"name": type(err).__name__, "message": str(err)}
        for name, attribute in _ERROR_FIELDS.items():
            value = getattr(err, attribute, None)
            if value is not None:
                fields[name] = value
    else:
        return err
    return {name: value for name, value in fields.items() if _has_json(value)}


def _has_json(value: object) -> bool:
    try:
        encode_like_javascript(value, "err")
    except TurnkeepError:
        return False
    return True
