//! What workspaces configure, and what is asked of providers outside of runs.

use std::ffi::c_char;

use crate::boundary;
use crate::bytes::Bytes;
use crate::engine::{Engine, ask};
use crate::error::Error;
use crate::status::Status;

/// The settings of a workspace as a JSON object; of keys only whether they are set. `params` is {"workspaceId"}.
/// `result` is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// As for turnkeep_run_get().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_settings_get(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "settings.get", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Changes settings and keys of a workspace, all or nothing, and gives them as turnkeep_settings_get() does. `params` is
/// {"workspaceId", "settings"}; in "settings" what is absent stays, and the keys "apiKey", "embeddingApiKey" and
/// "sttApiKey" are cleared by "".
/// `result` is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT naming the field, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// As for turnkeep_run_get().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_settings_update(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "settings.update", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Tries what a workspace has configured with the cheapest request that there is. `params` is {"workspaceId",
/// "capability"?}, which is "chat" (the default), "embeddings" or "stt". The result is {"ok", "error"?}.
/// `result` is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// As for turnkeep_run_get().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_settings_test(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "settings.test", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Seals stored secrets anew with "appSecret", which the engine also does by itself after it is opened. `params` is {}.
/// The result is {"resealed", "unreadable"}.
/// `result` is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT without "appSecret", STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// As for turnkeep_run_get().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_secrets_rotate(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "secrets.rotate", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Vectors for texts, in their order, as a JSON array of arrays. `params` is {"workspaceId", "texts"}.
/// `result` is freed by turnkeep_bytes_free().
///
/// Errors: EMBEDDING_NOT_CONFIGURED, PROVIDER_ERROR, SECRET_UNREADABLE, INVALID_INPUT, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// As for turnkeep_run_get().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_embed(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "embed", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// What is said in a recording, as JSON text. `params` is {"workspaceId", "audio", "mime"}, the audio in base64 and 25 MiB
/// at most.
/// `result` is freed by turnkeep_bytes_free().
///
/// Errors: STT_NOT_CONFIGURED, PROVIDER_ERROR, PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA, SECRET_UNREADABLE, INVALID_INPUT,
/// STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// As for turnkeep_run_get().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_transcribe(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "transcribe", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// A title for a page, as JSON text. `params` is {"workspaceId", "content"}. Nothing is stored.
/// `result` is freed by turnkeep_bytes_free().
///
/// Errors: AI_NOT_CONFIGURED, PROVIDER_ERROR, SECRET_UNREADABLE, INVALID_INPUT, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// As for turnkeep_run_get().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_generate_title(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "generateTitle", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}
