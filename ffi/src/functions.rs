//! The pure functions. They need no engine and keep nothing; whatever thread calls them does the work.

use std::ffi::c_char;

use turnkeep::Result;

use crate::boundary;
use crate::bytes::Bytes;
use crate::error::Error;
use crate::handle::{Out, text};
use crate::status::{Status, TURNKEEP_DONE, TURNKEEP_OK};

/// The row of an assistant message after these steps, an object with content, toolCalls, metadata and status.
/// `arguments` is {"steps", "inProgressText", "status", "extra"?}. "extra" may have "finishReason", "usage",
/// "contextTokens", "maxContextTokens" and "error". `result` is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field. What JavaScript calls undefined is TURNKEEP_DONE, here and in all the
/// functions below.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_flush_assistant(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("flushAssistant", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The parts of an assistant message, as an array. The fallback is used when no step has a text. `arguments` is
/// {"steps", "fallbackText"}. `result` is freed by turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_assistant_parts(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("assistantParts", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The trace of calls and results, as an array; null when there is none. `arguments` is {"steps"}. `result` is freed by
/// turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_serialize_steps(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("serializeSteps", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The value, shrunk when its JSON is over 4000 bytes. `arguments` is {"value"}. `result` is freed by
/// turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_compact_tool_output(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("compactToolOutput", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// A stored row as {"id", "role", "parts"}. `arguments` is {"row"}. `result` is freed by turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_row_to_ui_message(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("rowToUiMessage", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// How the end of a turn is to be written: {"kind": "update", "id"} or {"kind": "insert"}. `arguments` is
/// {"assistantId"?}. `result` is freed by turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_plan_finalize_assistant(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("planFinalizeAssistant", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The sum of two usages. TURNKEEP_DONE when there is neither. `arguments` is {"acc"?, "step"?}. `result` is freed by
/// turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_accumulate_step_usage(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("accumulateStepUsage", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// A usage with the four fields that are kept. TURNKEEP_DONE when there is none. `arguments` is {"usage"?}. `result` is
/// freed by turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_normalize_usage(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("normalizeUsage", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The message metadata that goes with a part of a stream. TURNKEEP_DONE for parts that have none. `arguments` is
/// {"part", "chatId", "cumulativeUsage"?}. `result` is freed by turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_chat_stream_metadata(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("chatStreamMetadata", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// A chat as Markdown, in a JSON string. `arguments` is {"title", "chatId", "rows", "lang"?, "labels"?, "exportedAt"?}.
/// `result` is freed by turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_build_chat_markdown(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("buildChatMarkdown", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// A chat as a JSON document, in a JSON string. `arguments` is {"title", "chatId", "rows", "exportedAt"?}. `result` is
/// freed by turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_build_chat_json(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("buildChatJson", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// What a document of turnkeep_build_chat_json() holds. `arguments` is {"text"}. `result` is freed by
/// turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_parse_chat_json(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("parseChatJson", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The language of exports for a language tag: "en" or "ru". `arguments` is {"tag"?}. `result` is freed by
/// turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_normalize_lang(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("normalizeLang", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The system prompt, in a JSON string. `arguments` is {"workspaceName"?, "adminPrompt"?, "roleInstructions"?,
/// "openedPage"?, "mcpInstructions"?, "productName"?, "extraRules"?}. `result` is freed by turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_build_system_prompt(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("buildSystemPrompt", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// A chat title made of what a model wrote; null when nothing is left of it. `arguments` is {"text"}. `result` is freed
/// by turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_clean_chat_title(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("cleanChatTitle", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// {"system", "prompt"}: what a model is asked for the title of a chat that begins with this text. `arguments` is {"text"}. `result` is freed
/// by turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_chat_title_prompt(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("chatTitlePrompt", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// {"system", "prompt"}: what a model is asked for the title of a page of this content. `arguments` is {"content"}. `result` is freed by
/// turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_page_title_prompt(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("pageTitlePrompt", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// {"toolChoice": "none", "system"} for the last allowed step, counted from 0. TURNKEEP_DONE for every other.
/// `arguments` is {"stepNumber", "system", "maxSteps"?}. `result` is freed by turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_prepare_agent_step(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("prepareAgentStep", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// A page title made of what a model wrote. `arguments` is {"text"}. `result` is freed by turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_clean_generated_title(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("cleanGeneratedTitle", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// A failure of a provider on one line, in a JSON string. `arguments` is {"err", "fallback"?}. "err" is a string, or an
/// object with "name", "message", "statusCode" and "responseBody" or "text". `result` is freed by
/// turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_describe_provider_error(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("describeProviderError", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Whether asking the provider again is of no use: true or false. `arguments` is {"err"}. `result` is freed by
/// turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_is_fatal_provider_error(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("isFatalProviderError", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The model that a role asks for: {"driver"?, "chatModel"?, "roleName"?}. TURNKEEP_DONE when it asks for none.
/// `arguments` is {"role"?}. `result` is freed by turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_role_model_override(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("roleModelOverride", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// {"ok": true, "baseMime", "format"}, or {"ok": false} for audio that is not on the list. `arguments` is {"mime"}.
/// `result` is freed by turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_resolve_audio_format(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("resolveAudioFormat", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Whether a tool server may have this address: {"ok", "reason"?}. `arguments` is {"ip"}. `result` is freed by
/// turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_is_ip_allowed(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("isIpAllowed", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Whether a tool server may have all of these addresses: {"ok", "reason"?}. `arguments` is {"addresses"}.
/// `result` is freed by turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_validate_resolved_addresses(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("validateResolvedAddresses", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The search hits that the person may see, the best one of each page. `arguments` is {"hits", "accessiblePageIds",
/// "cap"}. `result` is freed by turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_select_accessible_hits(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("selectAccessibleHits", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// A name made of the characters that tool names may have. `arguments` is {"value"}. `result` is freed by
/// turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_sanitize_tool_name(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("sanitizeToolName", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The prefix of the names of a server's tools. `arguments` is {"serverName"}. `result` is freed by
/// turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_tool_name_prefix(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("toolNamePrefix", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// A tool name, cut to the length that providers accept. `arguments` is {"value"}. `result` is freed by
/// turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_cap_tool_name(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("capToolName", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// A tool name that is not among those that are taken. `arguments` is {"name", "serverId", "taken"}. `result` is freed
/// by turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_disambiguate_tool_name(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("disambiguateToolName", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The chunks of a text for embedding, as an array of strings. `arguments` is {"text", "options"?}. "options" may have
/// "chunkSize" and "chunkOverlap". `result` is freed by turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_split_text(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("splitText", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Whether a model has fallen into repeating itself: true or false. `arguments` is {"text"}. `result` is freed by
/// turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_is_degenerate_output(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("isDegenerateOutput", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The text without the repetitions at its end. `arguments` is {"text"}. `result` is freed by turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_truncate_degenerate_output(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("truncateDegenerateOutput", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// {"messages", "trimmed", "estimatedTokens"}: the newest messages that fit into a budget; "trimmed" is true when some
/// were left out. `arguments` is {"messages",
/// "options"}. "options" has "budgetTokens" and may have "contextTokens" and "keepTurns". `result` is freed by
/// turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_trim_history(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("trimHistory", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// A tool server without the values of its headers: their names only. `arguments` is {"server"}. `result` is freed by
/// turnkeep_bytes_free().
///
/// Errors: as turnkeep_flush_assistant().
///
/// # Safety
/// As for turnkeep_flush_assistant().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_to_view(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("toView", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// # Safety
/// As for the functions that use it.
unsafe fn call(
    function: &'static str,
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
) -> Result<Status> {
    // SAFETY: as the caller has promised.
    let (arguments, place) = unsafe { (text(arguments, arguments_len, "arguments")?, Out::new(result, "result")?) };
    let Some(answer) = turnkeep::functions::call(function, arguments)? else {
        return Ok(TURNKEEP_DONE);
    };
    place.set(Bytes::give(&answer));
    Ok(TURNKEEP_OK)
}
