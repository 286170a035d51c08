"""turnkeep turns one agent turn of a chat into a durable, server-side run.

>>> import turnkeep
>>> with turnkeep.Engine.open(store="sqlite:chats.db", providers={"default": {...}}) as engine:  # doctest: +SKIP
...     turn = engine.start_turn(workspace_id="w", user_id="u", message="Hello")
...     for chunk in turn.chunks():
...         print(chunk)
...     print(turn.done()["status"])

Every finished step is on disk before the next begins; at most one run is active in a chat; a client that goes away
stops nothing. Dictionaries that come from the engine or go into it have the camelCase keys that all languages share.
"""

from turnkeep import _native, errors, types
from turnkeep._engine import Chats, Engine, Mcp, Provenance, Roles, Search, Settings, Usage
from turnkeep._errors import TurnkeepError
from turnkeep._functions import compact_tool_output, describe_provider_error, is_fatal_provider_error
from turnkeep._plain_functions import (
    # <functions>
    accumulate_step_usage,
    assistant_parts,
    build_chat_json,
    build_chat_markdown,
    build_system_prompt,
    cap_tool_name,
    chat_stream_metadata,
    chat_title_prompt,
    clean_chat_title,
    clean_generated_title,
    cuts_snapshot,
    disambiguate_tool_name,
    effect_statement,
    flush_assistant,
    is_degenerate_output,
    is_ip_allowed,
    normalize_lang,
    normalize_usage,
    page_title_prompt,
    parse_chat_json,
    plan_finalize_assistant,
    prepare_agent_step,
    resolve_audio_format,
    resolve_current_page_result,
    resolve_edit_source,
    role_model_override,
    row_to_ui_message,
    sanitize_tool_name,
    select_accessible_hits,
    serialize_steps,
    split_text,
    storable_text,
    to_view,
    tool_name_prefix,
    trim_history,
    truncate_degenerate_output,
    validate_resolved_addresses,
    # </functions>
)
from turnkeep._runs import HostedRun, Runs, Tail
from turnkeep._tools import EffectStatement, Tool, ToolContext
from turnkeep._turn import Stream, Turn

__version__: str = _native.VERSION

SSE_HEADERS: dict[str, str] = dict(_native.SSE_HEADERS)
"""The headers of an HTTP response whose body is :meth:`Turn.sse` or :meth:`Tail.sse`."""

__all__ = [  # noqa: RUF022
    "SSE_HEADERS",
    "Chats",
    "Engine",
    "HostedRun",
    "Mcp",
    "Provenance",
    "Roles",
    "Runs",
    "Search",
    "Settings",
    "Stream",
    "Tail",
    "Tool",
    "ToolContext",
    "EffectStatement",
    "Turn",
    "TurnkeepError",
    "Usage",
    "__version__",
    "compact_tool_output",
    "describe_provider_error",
    "errors",
    "is_fatal_provider_error",
    "types",
    # <functions>
    "accumulate_step_usage",
    "assistant_parts",
    "build_chat_json",
    "build_chat_markdown",
    "build_system_prompt",
    "cap_tool_name",
    "chat_stream_metadata",
    "chat_title_prompt",
    "clean_chat_title",
    "clean_generated_title",
    "cuts_snapshot",
    "disambiguate_tool_name",
    "effect_statement",
    "flush_assistant",
    "is_degenerate_output",
    "is_ip_allowed",
    "normalize_lang",
    "normalize_usage",
    "page_title_prompt",
    "parse_chat_json",
    "plan_finalize_assistant",
    "prepare_agent_step",
    "resolve_audio_format",
    "resolve_current_page_result",
    "resolve_edit_source",
    "role_model_override",
    "row_to_ui_message",
    "sanitize_tool_name",
    "select_accessible_hits",
    "serialize_steps",
    "split_text",
    "storable_text",
    "to_view",
    "tool_name_prefix",
    "trim_history",
    "truncate_degenerate_output",
    "validate_resolved_addresses",
    # </functions>
]
