//! Runs: the busy chat, the list, the sweep, and runs that the host drives.

use std::ffi::c_char;

use crate::boundary;
use crate::bytes::Bytes;
use crate::engine::{Engine, ask};
use crate::error::Error;
use crate::handle::{Handle, Out};
use crate::status::{Status, TURNKEEP_OK};

/// The run that holds a chat, as JSON; null when the chat is free. `params` is {"workspaceId", "userId", "chatId"}.
/// `result` is freed by turnkeep_bytes_free().
///
/// Errors: as turnkeep_run_get().
///
/// # Safety
/// As for turnkeep_run_get().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_run_active_for_chat(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "runs.activeForChat", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The newest runs of a chat, newest first, as a JSON array; those that wait come before all others. `params` is
/// {"workspaceId", "userId", "chatId", "limit"?, "before"?}, the limit being 50 unless given; with the id of a run in
/// "before", only those that come after it. `result` is freed by turnkeep_bytes_free().
///
/// Errors: as turnkeep_run_get().
///
/// # Safety
/// As for turnkeep_run_get().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_run_list(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "runs.list", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Settles what dead processes have left in the store, which is also done when an engine is opened and now and then after
/// that. `settled` receives how many runs that were.
///
/// Errors: STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `settled` and `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_run_sweep(
    engine: *const Engine,
    settled: *mut usize,
    error: *mut *mut Error,
) -> Status {
    let body = || {
        // SAFETY: as the caller has promised.
        let (engine, place) = unsafe { (Engine::borrow(engine)?, Out::new(settled, "settled")?) };
        place.set(engine.wait(|engine| async move { engine.sweep().await })??);
        Ok(TURNKEEP_OK)
    };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Begins a run that the host drives itself: it calls the model and the tools, records every finished step by
/// turnkeep_run_record_step() and ends the run by turnkeep_run_finish(). The gate, the log, the lease and the stops are the
/// engine's. Another thread may hear by turnkeep_run_signal() that the loop is to end.
///
/// `params` is {"workspaceId", "userId", "chatId"?, "message"?, "roleId"?, "openPage"?, "trigger"?, "busy"?,
/// "idempotencyKey"?}; "busy" is "reject" or {"supersede": runId}. `result` is {"runId", "chatId", "messageId",
/// "repeated"}, as JSON, and freed by turnkeep_bytes_free(). With "repeated", which is true when the same user has begun
/// this run before with the same key, the run is not to be driven again.
///
/// Errors: as turnkeep_turn_start(), without AI_NOT_CONFIGURED.
///
/// # Safety
/// As for turnkeep_run_get().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_run_begin(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "runs.begin", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Puts a finished step on disk. `params` is {"workspaceId", "userId", "runId", "step"}, the step being the AI SDK's step
/// result: {"content"?} with its entries in order, or {"reasoningText"?, "text"?, "toolCalls"?, "toolResults"?,
/// "toolErrors"?}, and {"finishReason"?, "usage"?, "number"?}. `result` is the step's number in the run, from 0, and freed
/// by turnkeep_bytes_free(). Recording a step again by its number changes nothing.
///
/// Errors: as turnkeep_run_get(); INVALID_INPUT with the path of the field, such as "step.finishReason"; LEASE_LOST
/// when the run has ended or is another process's; STORE_UNAVAILABLE, after which the step may be recorded again.
///
/// # Safety
/// As for turnkeep_run_get().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_run_record_step(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "runs.recordStep", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Ends a run that the host drives. `params` is {"workspaceId", "userId", "runId", "status", "reason"?, "error"?,
/// "finishReason"?, "step"?}: "status" is "succeeded", "failed" or "aborted", and "step" is a last one, or what there was
/// of it. `result` is null, and freed by turnkeep_bytes_free(). Ending a run again the same way changes nothing.
///
/// Errors: as turnkeep_run_record_step().
///
/// # Safety
/// As for turnkeep_run_get().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_run_finish(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "runs.finish", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Waits, for as long as it takes, until a run that the host drives is to end, and says why: "stopped", "superseded",
/// "shutdown", "lease_lost" or "settled", as JSON. That has an end of its own: finishing the run ends the wait, and so does
/// closing the engine. A host without a thread to spare looks at "stopRequestedAt" of turnkeep_run_get() between its steps
/// instead. `params` is {"workspaceId", "userId", "runId"}. `result` is freed by turnkeep_bytes_free().
///
/// Errors: as turnkeep_run_get().
///
/// # Safety
/// As for turnkeep_run_get().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_run_signal(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "runs.signal", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Gives up a run that the host drives, because whoever drove it is gone: it is aborted as "worker_lost". For
/// destructors; nothing waits for the end. A run that has ended, or that this engine has not begun, stays as it is.
/// `params` is {"workspaceId", "userId", "runId"}. `result` is null, and freed by turnkeep_bytes_free(). Runs that are not
/// finished when the engine is closed or freed are settled as "shutdown".
///
/// Errors: as turnkeep_run_get().
///
/// # Safety
/// As for turnkeep_run_get().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_run_abandon(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "runs.abandon", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}
