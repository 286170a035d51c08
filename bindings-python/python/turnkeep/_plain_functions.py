"""The pure functions that do no more than to call.

Written by tools/surface from the description of the surface. Changes made here are overwritten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from turnkeep._calling import as_list, call

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from turnkeep import types


def flush_assistant(
    steps: Sequence[types.Step],
    in_progress_text: str,
    status: types.MessageStatus,
    extra: types.FlushExtra | None = None,
) -> types.AssistantFlush:
    """The row of an assistant message after these steps: the first one, one in between, or the last.

    :param in_progress_text: The text of the step that has not finished.
    """
    answer: types.AssistantFlush = call("flushAssistant", {"steps": steps, "inProgressText": in_progress_text, "status": status}, {"extra": extra})
    return answer


def assistant_parts(
    steps: Sequence[types.Step] | None,
    fallback_text: str,
) -> list[types.AssistantPart]:
    """The parts of an assistant message. The fallback is its text when no step has one."""
    answer: list[types.AssistantPart] = call("assistantParts", {"steps": steps, "fallbackText": fallback_text})
    return answer


def serialize_steps(
    steps: Sequence[types.Step] | None = None,
) -> list[types.TraceEntry] | None:
    """The trace of calls and results; ``None`` when there is none."""
    answer: list[types.TraceEntry] | None = call("serializeSteps", {}, {"steps": steps})
    return answer


def row_to_ui_message(
    row: types.ChatRow,
    protocol: types.Protocol | None = None,
) -> types.ShownMessage:
    """A stored row as a message for pages. Of a row that the engine wrote also how it ended, as the stream
    tells it; of a user's its client's own metadata.

    :param protocol: Which clients it is for: its parts are in the form that they take, and that their
        ``convertToModelMessages`` sends back. As they are stored unless given.
    """
    answer: types.ShownMessage = call("rowToUiMessage", {"row": row}, {"protocol": protocol})
    return answer


def plan_finalize_assistant(
    assistant_id: str | None = None,
) -> types.FinalizePlan:
    """How the end of a turn is to be written: an update of the row of this id, or a new row."""
    answer: types.FinalizePlan = call("planFinalizeAssistant", {}, {"assistantId": assistant_id})
    return answer


def accumulate_step_usage(
    acc: types.Usage | None = None,
    step: types.Usage | None = None,
) -> types.Usage | None:
    """The sum of two usages; nothing when there is neither."""
    answer: types.Usage | None = call("accumulateStepUsage", {}, {"acc": acc, "step": step})
    return answer


def normalize_usage(
    usage: types.StreamUsage | None = None,
) -> types.Usage | None:
    """The four figures of a usage that are kept; nothing when there is no usage."""
    answer: types.Usage | None = call("normalizeUsage", {}, {"usage": usage})
    return answer


def chat_stream_metadata(
    part: types.StreamedPart,
    chat_id: str,
    cumulative_usage: types.Usage | None = None,
) -> types.StreamMetadata | None:
    """The message metadata that goes with a part of a stream: the chat's id at the start, usage at the end of
    a step or of all; nothing for other parts.
    """
    answer: types.StreamMetadata | None = call("chatStreamMetadata", {"part": part, "chatId": chat_id}, {"cumulativeUsage": cumulative_usage})
    return answer


def build_chat_markdown(
    *,
    title: str | None,
    chat_id: str,
    rows: Sequence[types.ChatRow],
    lang: str | None = None,
    labels: types.ExportLabels | None = None,
    exported_at: datetime | str | None = None,
) -> str:
    """A chat as Markdown.

    :param lang: A language tag; Russian for ``ru…``, English otherwise.
    :param labels: Words of the host's own, in place of the language's.
    :param exported_at: Now, unless given.
    """
    answer: str = call("buildChatMarkdown", {"title": title, "chatId": chat_id, "rows": rows}, {"lang": lang, "labels": labels, "exportedAt": exported_at})
    return answer


def build_chat_json(
    *,
    title: str | None,
    chat_id: str,
    rows: Sequence[types.ChatRow],
    exported_at: datetime | str | None = None,
) -> str:
    """A chat as a JSON document, which ``parseChatJson`` reads.

    :param exported_at: Now, unless given.
    """
    answer: str = call("buildChatJson", {"title": title, "chatId": chat_id, "rows": rows}, {"exportedAt": exported_at})
    return answer


def parse_chat_json(
    text: str,
) -> types.ChatDocument:
    """What a document of ``buildChatJson`` holds."""
    answer: types.ChatDocument = call("parseChatJson", {"text": text})
    return answer


def normalize_lang(
    tag: str | None = None,
) -> types.Lang:
    """The language of exports for a language tag."""
    answer: types.Lang = call("normalizeLang", {}, {"tag": tag})
    return answer


def build_system_prompt(
    *,
    workspace_name: str | None = None,
    admin_prompt: str | None = None,
    role_instructions: str | None = None,
    opened_page: types.PageRef | None = None,
    mcp_instructions: Sequence[types.McpGuidance] | None = None,
    product_name: str | None = None,
    extra_rules: Sequence[str] | None = None,
    extra_system: str | None = None,
) -> str:
    """The system prompt: the persona and what goes with it, between two copies of the safety text.

    :param admin_prompt: The persona for chats without a role.
    :param opened_page: The page that the person has open.
    :param mcp_instructions: Guidance for the tools of connected servers.
    :param product_name: What the product is called, for the default persona.
    :param extra_rules: Rules that join the safety text. Nothing replaces it.
    :param extra_system: What else the host has to say, between the two copies of the safety text.
    """
    answer: str = call("buildSystemPrompt", {}, {"workspaceName": workspace_name, "adminPrompt": admin_prompt, "roleInstructions": role_instructions, "openedPage": opened_page, "mcpInstructions": mcp_instructions, "productName": product_name, "extraRules": extra_rules, "extraSystem": extra_system})
    return answer


def resolve_current_page_result(
    opened_page: types.PageRef | None = None,
) -> types.CurrentPage:
    """What the tool ``getCurrentPage`` tells a model of the page that the person has open; ``None`` where
    there is no id.
    """
    answer: types.CurrentPage = call("resolveCurrentPageResult", {}, {"openedPage": opened_page})
    return answer


def clean_chat_title(
    text: str,
) -> str | None:
    """A chat title made of what a model wrote; ``None`` when nothing is left of it."""
    answer: str | None = call("cleanChatTitle", {"text": text})
    return answer


def chat_title_prompt(
    text: str,
) -> types.TitlePrompt:
    """What a model is asked for the title of a chat that begins with this text."""
    answer: types.TitlePrompt = call("chatTitlePrompt", {"text": text})
    return answer


def page_title_prompt(
    content: str,
) -> types.TitlePrompt:
    """What a model is asked for the title of a page of this content."""
    answer: types.TitlePrompt = call("pageTitlePrompt", {"content": content})
    return answer


def prepare_agent_step(
    step_number: float,
    system: str,
    max_steps: int | None = None,
) -> types.StepOverride | None:
    """What is different about the last allowed step, which goes without tools; nothing for the others.

    :param step_number: From 0.
    :param max_steps: 20 unless given.
    """
    answer: types.StepOverride | None = call("prepareAgentStep", {"stepNumber": step_number, "system": system}, {"maxSteps": max_steps})
    return answer


def clean_generated_title(
    text: str,
) -> str:
    """A page title made of what a model wrote."""
    answer: str = call("cleanGeneratedTitle", {"text": text})
    return answer


def role_model_override(
    role: types.RoleRow | None = None,
) -> types.ModelOverride | None:
    """The model that a role asks for; nothing when it asks for none."""
    answer: types.ModelOverride | None = call("roleModelOverride", {}, {"role": role})
    return answer


def resolve_audio_format(
    mime: str,
) -> types.AudioFormat:
    """How a recording of this media type is sent; not ``ok`` for audio that is not on the list."""
    answer: types.AudioFormat = call("resolveAudioFormat", {"mime": mime})
    return answer


def is_ip_allowed(
    ip: str,
) -> types.AddressVerdict:
    """Whether a tool server may have this address."""
    answer: types.AddressVerdict = call("isIpAllowed", {"ip": ip})
    return answer


def validate_resolved_addresses(
    addresses: Sequence[types.ResolvedAddress],
) -> types.AddressVerdict:
    """Whether a tool server may have all of these addresses. The reason names none of them."""
    answer: types.AddressVerdict = call("validateResolvedAddresses", {"addresses": addresses})
    return answer


def select_accessible_hits(
    hits: Sequence[types.PageHit],
    accessible_page_ids: Collection[str],
    cap: float,
) -> list[types.ShownHit]:
    """The search hits that the person may see, the best one of each page."""
    answer: list[types.ShownHit] = call("selectAccessibleHits", {"hits": hits, "accessiblePageIds": as_list(accessible_page_ids), "cap": cap})
    return answer


def sanitize_tool_name(
    value: str,
) -> str:
    """A name made of the characters that tool names may have."""
    answer: str = call("sanitizeToolName", {"value": value})
    return answer


def tool_name_prefix(
    server_name: str,
) -> str:
    """The prefix of the names of a server's tools."""
    answer: str = call("toolNamePrefix", {"serverName": server_name})
    return answer


def cap_tool_name(
    value: str,
) -> str:
    """A tool name, cut to the length that providers accept."""
    answer: str = call("capToolName", {"value": value})
    return answer


def disambiguate_tool_name(
    name: str,
    server_id: str,
    taken: Collection[str],
) -> str:
    """A tool name that is not among those that are taken."""
    answer: str = call("disambiguateToolName", {"name": name, "serverId": server_id, "taken": as_list(taken)})
    return answer


def split_text(
    text: str,
    options: types.SplitOptions | None = None,
) -> list[str]:
    """The chunks of a text for embedding."""
    answer: list[str] = call("splitText", {"text": text}, {"options": options})
    return answer


def is_degenerate_output(
    text: str,
) -> bool:
    """Whether a model has fallen into repeating itself."""
    answer: bool = call("isDegenerateOutput", {"text": text})
    return answer


def truncate_degenerate_output(
    text: str,
) -> str:
    """The text without the repetitions at its end."""
    answer: str = call("truncateDegenerateOutput", {"text": text})
    return answer


def storable_text(
    text: str,
) -> str:
    """The text as databases take it: U+0000 and half a surrogate pair, which JavaScript's strings may hold,
    become U+FFFD.
    """
    answer: str = call("storableText", {"text": text})
    return answer


def trim_history(
    messages: Sequence[types.ModelMessage],
    options: types.TrimOptions,
) -> types.TrimmedHistory:
    """The newest messages that fit into a budget."""
    answer: types.TrimmedHistory = call("trimHistory", {"messages": messages, "options": options})
    return answer


def resolve_edit_source(
    gathered: types.EditSource | None,
    edit: types.EditSource,
) -> types.EditSource:
    """The source that a write of a page carries: the agent's once the agent has had a part in it.

    :param gathered: That of the edits which the write has gathered so far; none for its first.
    :param edit: That of the edit which joins them.
    """
    answer: types.EditSource = call("resolveEditSource", {"gathered": gathered, "edit": edit})
    return answer


def cuts_snapshot(
    last_source: str | None,
    source: types.EditSource,
    pending: bool,
) -> bool:
    """Whether a page must be kept as a snapshot of its history before it is written: what is in no snapshot
    yet is a person's, and the write the agent's, or the other way round.

    :param last_source: The source of the page's last write, as its row has it: ``agent``, or any other
        word for a person.
    :param source: That of the write.
    :param pending: Whether the page has changes that are in no snapshot yet.
    """
    answer: bool = call("cutsSnapshot", {"lastSource": last_source, "source": source, "pending": pending})
    return answer


def effect_statement(
    *,
    effect: types.ToolEffect,
    result: Any | None = None,
    placeholders: types.Placeholders | None = None,
    schema: str | None = None,
) -> types.EffectStatement:
    """What a tool with effects carries out in the transaction in which it changes something, once and before
    it commits: it notes there that the call has been done. The statement fails where the call was done
    before, was given up, or its run has ended; the transaction then has to be rolled back.

    :param effect: What the call has come with.
    :param result: The call's output, which the model is told if the process ends before it can be told
        otherwise.
    :param placeholders: How the client library writes the places of parameters; as the database does
        unless given.
    :param schema: The schema of PostgreSQL that turnkeep's tables are in; the connection's own unless
        given.
    """
    answer: types.EffectStatement = call("effectStatement", {"effect": effect}, {"result": result, "placeholders": placeholders, "schema": schema})
    return answer


def to_view(
    server: types.McpServer,
) -> types.McpServerView:
    """A tool server without the values of its headers: their names only."""
    answer: types.McpServerView = call("toView", {"server": server})
    return answer


__all__ = [
]
