//! The pure functions. They need no engine and keep nothing; whatever thread calls them does the work.
//!
//! Written by tools/surface from the description of the surface. Changes made here are overwritten.

use std::ffi::c_char;

use crate::boundary;
use crate::by_name::call;
use crate::bytes::Bytes;
use crate::error::Error;
use crate::status::Status;

/// The row of an assistant message after these steps: the first one, one in between, or the last.
///
/// `arguments` is a JSON object:
///
/// - "steps": array of Step
/// - "inProgressText": string. The text of the step that has not finished.
/// - "status": MessageStatus
/// - "extra"?: FlushExtra
///
/// `result` receives AssistantFlush, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
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

/// The parts of an assistant message. The fallback is its text when no step has one.
///
/// `arguments` is a JSON object:
///
/// - "steps"?: array of Step
/// - "fallbackText": string
///
/// `result` receives array of AssistantPart, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// The trace of calls and results; null when there is none.
///
/// `arguments` is a JSON object:
///
/// - "steps"?: array of Step
///
/// `result` receives array of TraceEntry or null, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// The value itself when its JSON has at most 4000 bytes, or when it has none; else a copy with long strings, long
/// arrays and deep objects cut short.
///
/// `arguments` is a JSON object:
///
/// - "value": any JSON
///
/// `result` receives any JSON, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// A stored row as a message for pages. Of a row that the engine wrote also how it ended, as the stream tells it; of
/// a user's its client's own metadata.
///
/// `arguments` is a JSON object:
///
/// - "row": ChatRow
/// - "protocol"?: Protocol. Which clients it is for: its parts are in the form that they take, and that their
///   `convertToModelMessages` sends back. As they are stored unless given.
///
/// `result` receives ShownMessage, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// How the end of a turn is to be written: an update of the row of this id, or a new row.
///
/// `arguments` is a JSON object:
///
/// - "assistantId"?: string
///
/// `result` receives FinalizePlan, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// The sum of two usages; nothing when there is neither.
///
/// `arguments` is a JSON object:
///
/// - "acc"?: Usage
/// - "step"?: Usage
///
/// `result` receives Usage, as JSON, and is freed by turnkeep_bytes_free(). The status is TURNKEEP_DONE when there is
/// nothing.
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// The four figures of a usage that are kept; nothing when there is no usage.
///
/// `arguments` is a JSON object:
///
/// - "usage"?: StreamUsage
///
/// `result` receives Usage, as JSON, and is freed by turnkeep_bytes_free(). The status is TURNKEEP_DONE when there is
/// nothing.
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// The message metadata that goes with a part of a stream: the chat's id at the start, usage at the end of a step or
/// of all; nothing for other parts.
///
/// `arguments` is a JSON object:
///
/// - "part": StreamedPart
/// - "chatId": string
/// - "cumulativeUsage"?: Usage
///
/// `result` receives StreamMetadata, as JSON, and is freed by turnkeep_bytes_free(). The status is TURNKEEP_DONE when
/// there is nothing.
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// A chat as Markdown.
///
/// `arguments` is a JSON object:
///
/// - "title"?: string
/// - "chatId": string
/// - "rows": array of ChatRow
/// - "lang"?: string. A language tag; Russian for `ru…`, English otherwise.
/// - "labels"?: ExportLabels. Words of the host's own, in place of the language's.
/// - "exportedAt"?: string (ISO time). Now, unless given.
///
/// `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// A chat as a JSON document, which `parseChatJson` reads.
///
/// `arguments` is a JSON object:
///
/// - "title"?: string
/// - "chatId": string
/// - "rows": array of ChatRow
/// - "exportedAt"?: string (ISO time). Now, unless given.
///
/// `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// What a document of `buildChatJson` holds.
///
/// `arguments` is a JSON object:
///
/// - "text": string
///
/// `result` receives ChatDocument, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// The language of exports for a language tag.
///
/// `arguments` is a JSON object:
///
/// - "tag"?: string
///
/// `result` receives Lang, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// The system prompt: the persona and what goes with it, between two copies of the safety text.
///
/// `arguments` is a JSON object:
///
/// - "workspaceName"?: string
/// - "adminPrompt"?: string. The persona for chats without a role.
/// - "roleInstructions"?: string
/// - "openedPage"?: PageRef. The page that the person has open.
/// - "mcpInstructions"?: array of McpGuidance. Guidance for the tools of connected servers.
/// - "productName"?: string. What the product is called, for the default persona.
/// - "extraRules"?: array of string. Rules that join the safety text. Nothing replaces it.
/// - "extraSystem"?: string. What else the host has to say, between the two copies of the safety text.
///
/// `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// What the tool `getCurrentPage` tells a model of the page that the person has open; null where there is no id.
///
/// `arguments` is a JSON object:
///
/// - "openedPage"?: PageRef
///
/// `result` receives CurrentPage, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_resolve_current_page_result(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("resolveCurrentPageResult", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// A chat title made of what a model wrote; null when nothing is left of it.
///
/// `arguments` is a JSON object:
///
/// - "text": string
///
/// `result` receives string or null, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// What a model is asked for the title of a chat that begins with this text.
///
/// `arguments` is a JSON object:
///
/// - "text": string
///
/// `result` receives TitlePrompt, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// What a model is asked for the title of a page of this content.
///
/// `arguments` is a JSON object:
///
/// - "content": string
///
/// `result` receives TitlePrompt, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// What is different about the last allowed step, which goes without tools; nothing for the others.
///
/// `arguments` is a JSON object:
///
/// - "stepNumber": number. From 0.
/// - "system": string
/// - "maxSteps"?: integer. 20 unless given.
///
/// `result` receives StepOverride, as JSON, and is freed by turnkeep_bytes_free(). The status is TURNKEEP_DONE when
/// there is nothing.
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// A page title made of what a model wrote.
///
/// `arguments` is a JSON object:
///
/// - "text": string
///
/// `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// A failure of a provider on one line.
///
/// `arguments` is a JSON object:
///
/// - "err"?: any JSON. Text, or an error or object of which `message`, `statusCode`, `responseBody` and `text` are
///   read.
/// - "fallback"?: string. What is said where there is no message.
///
/// `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// Whether asking the provider again is of no use.
///
/// `arguments` is a JSON object:
///
/// - "err"?: any JSON. As for `describeProviderError`.
///
/// `result` receives boolean, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// The model that a role asks for; nothing when it asks for none.
///
/// `arguments` is a JSON object:
///
/// - "role"?: RoleRow
///
/// `result` receives ModelOverride, as JSON, and is freed by turnkeep_bytes_free(). The status is TURNKEEP_DONE when
/// there is nothing.
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// How a recording of this media type is sent; not `ok` for audio that is not on the list.
///
/// `arguments` is a JSON object:
///
/// - "mime": string
///
/// `result` receives AudioFormat, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// Whether a tool server may have this address.
///
/// `arguments` is a JSON object:
///
/// - "ip": string
///
/// `result` receives AddressVerdict, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// Whether a tool server may have all of these addresses. The reason names none of them.
///
/// `arguments` is a JSON object:
///
/// - "addresses": array of ResolvedAddress
///
/// `result` receives AddressVerdict, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// The search hits that the person may see, the best one of each page.
///
/// `arguments` is a JSON object:
///
/// - "hits": array of PageHit
/// - "accessiblePageIds": array of string
/// - "cap": number
///
/// `result` receives array of ShownHit, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// A name made of the characters that tool names may have.
///
/// `arguments` is a JSON object:
///
/// - "value": string
///
/// `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// The prefix of the names of a server's tools.
///
/// `arguments` is a JSON object:
///
/// - "serverName": string
///
/// `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// A tool name, cut to the length that providers accept.
///
/// `arguments` is a JSON object:
///
/// - "value": string
///
/// `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// A tool name that is not among those that are taken.
///
/// `arguments` is a JSON object:
///
/// - "name": string
/// - "serverId": string
/// - "taken": array of string
///
/// `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// The chunks of a text for embedding.
///
/// `arguments` is a JSON object:
///
/// - "text": string
/// - "options"?: SplitOptions
///
/// `result` receives array of string, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// Whether a model has fallen into repeating itself.
///
/// `arguments` is a JSON object:
///
/// - "text": string
///
/// `result` receives boolean, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// The text without the repetitions at its end.
///
/// `arguments` is a JSON object:
///
/// - "text": string
///
/// `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// The text as databases take it: U+0000 and half a surrogate pair, which JavaScript's strings may hold, become
/// U+FFFD.
///
/// `arguments` is a JSON object:
///
/// - "text": string
///
/// `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_storable_text(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("storableText", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The newest messages that fit into a budget.
///
/// `arguments` is a JSON object:
///
/// - "messages": array of ModelMessage
/// - "options": TrimOptions
///
/// `result` receives TrimmedHistory, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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

/// The source that a write of a page carries: the agent's once the agent has had a part in it.
///
/// `arguments` is a JSON object:
///
/// - "gathered"?: EditSource. That of the edits which the write has gathered so far; none for its first.
/// - "edit": EditSource. That of the edit which joins them.
///
/// `result` receives EditSource, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_resolve_edit_source(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("resolveEditSource", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Whether a page must be kept as a snapshot of its history before it is written: what is in no snapshot yet is a
/// person's, and the write the agent's, or the other way round.
///
/// `arguments` is a JSON object:
///
/// - "lastSource"?: string. The source of the page's last write, as its row has it: `agent`, or any other word for a
///   person.
/// - "source": EditSource. That of the write.
/// - "pending": boolean. Whether the page has changes that are in no snapshot yet.
///
/// `result` receives boolean, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_cuts_snapshot(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("cutsSnapshot", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// What a tool with effects carries out in the transaction in which it changes something, once and before it commits:
/// it notes there that the call has been done. The statement fails where the call was done before, was given up, or
/// its run has ended; the transaction then has to be rolled back.
///
/// `arguments` is a JSON object:
///
/// - "effect": ToolEffect. What the call has come with.
/// - "result"?: any JSON. The call's output, which the model is told if the process ends before it can be told
///   otherwise.
/// - "placeholders"?: Placeholders. How the client library writes the places of parameters; as the database does
///   unless given.
/// - "schema"?: string. The schema of PostgreSQL that turnkeep's tables are in; the connection's own unless given.
///
/// `result` receives EffectStatement, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_effect_statement(
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { call("effectStatement", arguments, arguments_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// A tool server without the values of its headers: their names only.
///
/// `arguments` is a JSON object:
///
/// - "server": McpServer
///
/// `result` receives McpServerView, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field.
///
/// # Safety
/// `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
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
