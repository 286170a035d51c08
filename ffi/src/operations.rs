//! What is asked of an engine by name.
//!
//! Written by tools/surface from the description of the surface. Changes made here are overwritten.

use std::ffi::c_char;

use crate::boundary;
use crate::by_name::ask;
use crate::bytes::Bytes;
use crate::engine::Engine;
use crate::error::Error;
use crate::status::Status;

/// One run.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "runId": string. The run.
///
/// `result` receives Run, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_run_get(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "runs.get", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The newest run of a chat; null in a chat that never had one, or that is not there (yet).
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "chatId": string. The chat.
///
/// `result` receives Run or null, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_run_latest_for_chat(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "runs.latestForChat", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The run that holds a chat; null when the chat is free, or not there (yet).
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "chatId": string. The chat.
///
/// `result` receives Run or null, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
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

/// The newest runs of a chat, newest first; those that wait come before all others.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "chatId": string. The chat.
/// - "limit"?: integer. At most so many; 50 unless given.
/// - "before"?: string. A run's id: those that come after it in the list.
///
/// `result` receives array of Run, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
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

/// What is kept of a turn that is not stored: whose it was, and how it ended.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "runId": string. The run.
///
/// `result` receives StatelessRun, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, NOT_FOUND, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_run_get_stateless(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "runs.getStateless", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Stops a run, of whichever process: named by its id, by its chat (the active one), or by the idempotency key of its
/// turn. By its key a run may also be stopped that has not begun: it ends as stopped when it begins (within an hour),
/// before a provider is asked for anything. False when there is nothing left to stop.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "runId"?: string. The run.
/// - "chatId"?: string. The chat whose active run is meant; with a key, the chat of its turn.
/// - "idempotencyKey"?: string. The key of the run's turn.
///
/// `result` receives boolean, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_run_stop(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "runs.stop", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Answers a call that a run waits for, once and for good, from any process: a call that needs an approval with
/// `approved`, a question or a tool of the client's with `output` (or `approved: false`, which says that there will
/// be none). The run goes on when all of its calls are answered, in an engine that offers its tools. `waiting` says
/// how many are left.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. Who answers: the chat's owner, or one of the tool's `answerers` where it names some.
/// - "runId": string. The run.
/// - "callId": string. The call.
/// - "approved"?: boolean. Whether the call may be made.
/// - "output"?: any JSON. The call's output; it has to fit the question's schema.
/// - "input"?: any JSON. Arguments that the call is made with instead of its own, where its tool allows that.
/// - "reason"?: string. Why; the model is told.
/// - "token"?: string. The call's `token`, as it was listed: the answer is then for exactly this call with these
///   arguments.
///
/// `result` receives Answered, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, NOT_WAITING, ANSWER_MISMATCH, ANSWER_EXPIRED, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE,
/// ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_run_answer(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "runs.answer", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Runs that wait for an answer, with what they wait for (`waitingFor`), in the order of their ids. Whoever is no
/// administrator sees those that they have begun.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "actor": Actor. Who asks.
/// - "userId"?: string. The runs of one user: an administrator may name any, others themselves.
/// - "chatId"?: string. The runs of one chat, among those.
/// - "cursor"?: string. What comes behind this cursor of an earlier part.
/// - "limit"?: integer. At most so many; 50 unless given.
///
/// `result` receives WaitingPage, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_run_waiting(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "runs.waiting", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Lets a user's message join a run that has not ended, of whichever process. It is on disk when this answers. It
/// enters before the answer of the run's next step, and a run that would have succeeded makes one more step for it;
/// if the run ends otherwise, or has no step left, the message is the chat's next turn's. `place` says which of the
/// two is to be expected. A message of an id, or with a key, that was accepted before is that one: `state` says what
/// has become of it.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "runId": string. The run.
/// - "message": MessageInput. The message, as a turn is begun with.
/// - "idempotencyKey"?: string. What stands for the message where it has no id: a second one of the same key is the
///   first.
///
/// `result` receives SteerAnswer, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, RUN_NOT_ACTIVE, MESSAGE_EXISTS, RATE_LIMITED, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE,
/// ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_run_steer(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "runs.steer", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Takes a message back that waits: for its run, or for the next turn. Taking it back again changes nothing.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "messageId": string. The message's id, as `runs.steer` has answered it.
///
/// `result` receives Steering, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, NOT_WAITING, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_run_unsteer(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "runs.unsteer", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The messages that wait, in their order: for the next step of a run, or, where that has ended, for the chat's next
/// turn.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "runId"?: string. Those of one run,
/// - "chatId"?: string. or those of a whole chat.
///
/// `result` receives array of Steering, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_run_queue(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "runs.queue", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// All messages that were accepted for a run, in their order, with what has become of each.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "runId": string. The run.
///
/// `result` receives array of Steering, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_run_steering(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "runs.steering", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// For a host with a loop of its own (`runs.begin`): lets the messages that wait for its run enter before the step
/// that it records next, and answers them, to be told to the model. They are in the log then. Asking again before the
/// step is recorded answers the same ones.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "runId": string. The run.
///
/// `result` receives array of Steering, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, LEASE_LOST, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_run_take_steering(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "runs.takeSteering", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Begins a run whose loop is the host's own: `runs.recordStep` and `runs.finish` drive it. The gate, the log, the
/// lease and the stops are the engine's. One that is `repeated` had been begun before, with the same key, and is not
/// to be driven again.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user.
/// - "chatId"?: string. The chat; it is created when there is none of this id, and when no id is given.
/// - "message"?: MessageInput. What the user wrote; nothing when the host has stored that itself.
/// - "roleId"?: string. The role of a chat that is created.
/// - "openPage"?: PageRef. The page that the user has open: what a client says of it where the engine has the host's
///   check of pages, else resolved by the host.
/// - "trigger"?: Trigger. What begins the run. Default "api".
/// - "messageId"?: string. The message that is to be answered anew, or in the place of which the user has written;
///   see `TurnRequest`.
/// - "busy"?: Busy. What to do when the chat is busy: refuse, or supersede. The engine cannot begin a host's loop
///   later. Default "reject".
/// - "idempotencyKey"?: string. A second begin of the same user with the same key begins nothing.
///
/// `result` receives BegunRun, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, NOT_FOUND, A_RUN_ALREADY_ACTIVE, SUPERSEDE_INVALID, SUPERSEDE_TARGET_MISMATCH,
/// SUPERSEDE_TIMEOUT, MESSAGE_EXISTS, A_RUN_BEGIN_FAILED, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
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

/// Puts a finished step of a host's own loop on disk, and answers its number. Recording a step again by its number
/// changes nothing. After `STORE_UNAVAILABLE` the step may be recorded again.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "runId": string. The run.
/// - "step": RunStep. The step.
///
/// `result` receives integer, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, LEASE_LOST, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
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

/// Ends a run that the host drives. Ending it again the same way changes nothing.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "runId": string. The run.
/// - "status": EndStatus. `succeeded`, `failed` or `aborted`.
/// - "reason"?: RunReason. Why it did not succeed; `internal` for a run that failed and what it was stopped for
///   otherwise, unless given.
/// - "error"?: string. The error in one line, of a run that failed.
/// - "finishReason"?: FinishReason. Why the model stopped, unless the last step said it.
/// - "step"?: RunStep. A last step, or what there was of it, written together with the end.
///
/// `result` receives null, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, LEASE_LOST, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
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

/// Waits until the host is to end the loop of its run, and says why.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "runId": string. The run.
///
/// `result` receives RunSignal, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
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

/// Gives up a run that the host drives: it is aborted as `worker_lost`. One that has ended stays as it is.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "runId": string. The run.
///
/// `result` receives null, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
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

/// A new chat, before anybody has written in it. A turn makes the chat that it is begun in by itself; this is for
/// hosts that show a chat before that. One that is there already, and the caller's, is returned as it is.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "chatId"?: string. Its id; one is made up unless given.
/// - "title"?: string. Its title: 1 to 255 characters.
/// - "roleId"?: string. Its role, for ever.
/// - "pageId"?: string. The page that it is about.
///
/// `result` receives Chat, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_chat_create(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "chats.create", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The user's chats, newest first, a page at a time, each with the name and emoji of its role and the title of its
/// page.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "limit"?: integer. At most so many: 1 to 100; 20 unless given.
/// - "cursor"?: string. What comes after this cursor, the `nextCursor` of a page.
/// - "beforeCursor"?: string. What comes before this cursor, the `prevCursor` of a page.
///
/// `result` receives ChatPage, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_chat_list(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "chats.list", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The user's newest chat that was created on a page; null when there is none.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "pageId": string. The page.
///
/// `result` receives Chat or null, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_chat_latest_for_page(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "chats.latestForPage", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Gives a chat another title. The chat as it is then.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "chatId": string. The chat.
/// - "title": string. 1 to 255 characters, without the white space around them.
///
/// `result` receives Chat, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_chat_rename(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "chats.rename", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Deletes a chat: nobody sees it any more, and its runs are stopped. Its rows stay until it is purged.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "chatId": string. The chat.
///
/// `result` receives null, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_chat_delete(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "chats.delete", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Removes a chat for good, deleted before or not: its runs are stopped, and then nothing of it is left in rows, log,
/// search, or files. A SQLite file is written anew for that, which takes as long as copying it.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "chatId": string. The chat.
///
/// `result` receives Purged, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_chat_purge(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "chats.purge", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// A chat that has what another one has up to a message, or a step of one, and then goes its own way; with its title,
/// its role and its page. Both share what they have: a fork costs next to nothing, however long the other chat is. In
/// tables that a host had before, whose own statements know of no forks, it has copies. Whatever becomes of either
/// chat, edits and purges too, the other one stays as it is. Of a message that is being written the fork has the
/// finished steps.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "chatId": string. The chat that is forked.
/// - "messageId"?: string. The last message that the fork has, or one of its versions; the newest message unless
///   given.
/// - "step"?: integer. The last step of that message that the fork has, from 0; all of them unless given.
/// - "forkId"?: string. The fork's id; one is made up unless given.
/// - "title"?: string. The fork's title: 1 to 255 characters; that of the other chat unless given.
///
/// `result` receives Chat, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_chat_fork(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "chats.fork", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// One chat: its title, its role, the page that was open when it was created.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "chatId": string. The chat.
///
/// `result` receives Chat, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_chat_get(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "chats.get", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The messages of a chat, oldest first; none of a chat that is not there (yet). A message in progress has every
/// finished step.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "chatId": string. The chat.
/// - "limit"?: integer. Only so many, the newest; all of them unless given.
/// - "before"?: string. A message's id: only those that are older.
///
/// `result` receives array of Message, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_chat_messages(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "chats.messages", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The messages of a chat, a page at a time, by cursors; none of a chat that is not there (yet). A message in
/// progress has every finished step.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "chatId": string. The chat.
/// - "newestFirst"?: boolean. Begin with the newest message; with the oldest unless given. Default false.
/// - "limit"?: integer. At most so many: 1 to 100; 50 unless given.
/// - "cursor"?: string. What comes after this cursor, the `nextCursor` of a page.
/// - "beforeCursor"?: string. What comes before this cursor, the `prevCursor` of a page.
///
/// `result` receives MessagePage, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_chat_message_page(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "chats.messagePage", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// As `chats.messagePage`, with messages as clients of the AI SDK have them.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "chatId": string. The chat.
/// - "newestFirst"?: boolean. Begin with the newest message; with the oldest unless given. Default false.
/// - "limit"?: integer. At most so many: 1 to 100; 50 unless given.
/// - "cursor"?: string. What comes after this cursor, the `nextCursor` of a page.
/// - "beforeCursor"?: string. What comes before this cursor, the `prevCursor` of a page.
/// - "protocol"?: Protocol. Which clients the messages are for. Default "ai-6".
///
/// `result` receives UiMessagePage, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_chat_ui_message_page(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "chats.uiMessagePage", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// All versions of a message, oldest first: it, and what stood in its place before it was edited or generated anew.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "chatId": string. The chat.
/// - "messageId": string. The message, or any version of it.
///
/// `result` receives array of MessageVersion, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_chat_versions(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "chats.versions", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The messages of the user's chats that have all words of a query, newest first, each with a line of its text.
/// English and Russian words are found in their other forms, too. A message in progress is found once it has ended.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "query": string. Words; everything between them is passed over.
/// - "chatId"?: string. In this chat alone.
/// - "limit"?: integer. At most so many: 1 to 100; 20 unless given.
/// - "before"?: string. A message's id, the last of a page: only those that are older.
///
/// `result` receives array of FoundMessage, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_chat_search(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "chats.search", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// What a page needs to show a chat and to go on with it: messages, and the run that brings what they lack. The two
/// fit together, also when the run has ended by the time that it is followed.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "chatId": string. The chat.
/// - "limit"?: integer. Only so many messages, the newest.
/// - "inProgress"?: InProgress. What becomes of the message that a run is writing: left out (`omit`), and following
///   the run brings all of it; or there with its finished steps (`include`), and the cursor is behind them. Default
///   "omit".
///
/// `result` receives OpenChat, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_chat_open(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "chats.open", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// A chat as one document: Markdown to be read, or JSON that `chats.import` takes.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "chatId": string. The chat.
/// - "format"?: DocumentFormat. `markdown` (the default) or `json`.
/// - "lang"?: string. A language tag; Russian for `ru…`, English otherwise.
/// - "labels"?: ExportLabels. Words of the host's own, in place of the language's.
///
/// `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_chat_export(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "chats.export", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// A new chat made of a JSON export. Chat and messages get ids of their own.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "document": string. The document.
///
/// `result` receives Chat, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_chat_import(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "chats.import", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Creates a role. Its name must differ from those of the workspace's other roles; lengths are counted in characters.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "actor": Actor. Who acts: an administrator.
/// - "name": string. At most 200 characters.
/// - "instructions": string. The persona of its chats: at most 20,000 characters. It takes the place of the
///   administrators' prompt, inside of the safety frame.
/// - "emoji"?: string. A sign for lists: at most 32 characters.
/// - "description"?: string. What it is for: at most 2,000 characters.
/// - "modelConfig"?: RoleModelConfig. The model that its chats get, in place of the workspace's.
/// - "enabled"?: boolean. Whether chats may be begun with it; true unless given.
/// - "autoStart"?: boolean. Whether a client sends the launch message by itself when a chat is begun with the role;
///   true unless given.
/// - "launchMessage"?: string. What a client sends to begin with: at most 2,000 characters.
///
/// `result` receives AgentRole, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, ROLE_NAME_TAKEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_role_create(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "roles.create", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Changes a role. What is not given stays; blank text clears what a role may be without, and so does an empty model.
/// Chats that have the role follow the change with their next turn.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "actor": Actor. Who acts: an administrator.
/// - "roleId": string. The role.
/// - "name"?: string. At most 200 characters, not blank.
/// - "emoji"?: string. A sign for lists: at most 32 characters.
/// - "description"?: string. What it is for: at most 2,000 characters.
/// - "instructions"?: string. The persona of its chats: at most 20,000 characters, not blank.
/// - "modelConfig"?: RoleModelConfig. The model that its chats get, in place of the workspace's.
/// - "enabled"?: boolean. Whether chats may be begun with it.
/// - "autoStart"?: boolean. Whether a client sends the launch message by itself when a chat is begun with the role.
/// - "launchMessage"?: string. What a client sends to begin with: at most 2,000 characters.
///
/// `result` receives AgentRole, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, NOT_FOUND, ROLE_NAME_TAKEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_role_update(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "roles.update", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Deletes a role. Chats that have it keep its id and go on without it; its name may be used again.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "actor": Actor. Who acts: an administrator.
/// - "roleId": string. The role.
///
/// `result` receives null, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, NOT_FOUND, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_role_delete(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "roles.delete", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The workspace's roles in the order in which they were created, disabled ones included: whole for administrators,
/// and for everybody else what it takes to choose one.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "actor": Actor. Who asks.
///
/// `result` receives array of ShownRole, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_role_list(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "roles.list", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// One role, as `roles.list` has it.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "actor": Actor. Who asks.
/// - "roleId": string. The role.
///
/// `result` receives ShownRole, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, NOT_FOUND, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_role_get(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "roles.get", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Roles as one document (YAML) that `roles.importBundle` takes, there or in another workspace. It has no ids.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "actor": Actor. Who acts: an administrator.
/// - "roleIds"?: array of string. Only these; all roles of the workspace unless given.
///
/// `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, NOT_FOUND, PAYLOAD_TOO_LARGE, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_role_export_bundle(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "roles.exportBundle", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Creates the roles of a document (YAML, at most 1 MiB and 1,000 roles), all of them or none. What is wrong in it is
/// named by its path, such as `bundle.roles[2].name`. Anchors, aliases and tags are not taken.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "actor": Actor. Who acts: an administrator.
/// - "bundle": string. The document.
/// - "existing"?: ExistingRoles. What becomes of a role whose name another one has. Default "fail".
///
/// `result` receives array of ImportedRole, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, PAYLOAD_TOO_LARGE, ROLE_NAME_TAKEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_role_import_bundle(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "roles.importBundle", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Signs a short-lived claim that whoever has it acts for the agent of this chat, for hosts whose other endpoints
/// mark what agents do. The engine needs its `appSecret`.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "chatId": string. The chat; it must be the user's.
/// - "runId"?: string. A run of the chat.
/// - "audience"?: string. Who is to take the claim: at most 255 bytes; `turnkeep` unless given.
/// - "ttlMs"?: integer. How long it holds, in milliseconds: 300000 unless given, from 1000 to 86400000. Rounded down
///   to whole seconds.
///
/// `result` receives SignedProvenance, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_provenance_sign(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "provenance.sign", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// What a claim says that was signed with this engine's `appSecret`, or with a previous one. A claim that is not
/// taken is `FORBIDDEN`, with `details.reason`: `malformed`, `signature`, `audience` or `expired`. Nothing is looked
/// up: the chat may have been deleted since.
///
/// `params` is a JSON object:
///
/// - "token": string. As `provenance.sign` has made it.
/// - "audience"?: string. Whom the claim must have been signed for; `turnkeep` unless given.
///
/// `result` receives Provenance, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_provenance_verify(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "provenance.verify", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Indexes a page, in the place of what was there of it: its chunks, under the headings that lead to them, with
/// vectors by the workspace's embedding model. A page without text, or in the trash, is removed. What is there stays,
/// and nothing is asked of the provider, where it was made of the same by the same model.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "page": PageToIndex. The page.
/// - "force"?: boolean. Index it even if it is unchanged. Default false.
///
/// `result` receives IndexedNow, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, PAYLOAD_TOO_LARGE, EMBEDDING_NOT_CONFIGURED, PROVIDER_ERROR, STORE_UNAVAILABLE,
/// ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_search_index(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "search.index", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Indexes pages as `search.index` does, several to one request of the provider's. A page that fails costs the others
/// nothing, and is listed. A host that goes through all of its pages makes one call after another: their answers are
/// its progress, and it may stop between any two.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "pages": array of PageToIndex. The pages: at most 100, each once.
/// - "force"?: boolean. Index them even if they are unchanged. Default false.
///
/// `result` receives Reindexed, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, EMBEDDING_NOT_CONFIGURED, PROVIDER_ERROR, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_search_reindex(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "search.reindex", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Removes a page from the index, or everything of the workspace.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "pageId"?: string. The page.
/// - "everything"?: boolean. All pages, in the place of `pageId`. Default false.
///
/// `result` receives RemovedChunks, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_search_remove(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "search.remove", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// What there is of a workspace in the index, and by which models. Vectors of another model than the workspace has
/// now are not compared: such pages are found by their words until they are indexed anew.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
///
/// `result` receives IndexStatus, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_search_status(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "search.status", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The chunks that answer a question best, by meaning and by words, of the pages that the user may read. The host
/// says which: by `pageIds`, by `spaceIds`, or by both, and then a page must be in both. From an empty list nothing
/// is found. Without an embedding model the words count alone, and the answer says so.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "userId": string. The user who asks.
/// - "query": string. What is looked for: at most 8,000 characters.
/// - "pageIds"?: array of string. Only in these pages: at most 100,000.
/// - "spaceIds"?: array of string. Only in pages of these spaces: at most 100,000.
/// - "mode"?: SearchMode. `text`: by words alone, without a request to the provider. `hybrid`: by both or not at all.
/// - "limit"?: integer. At most so many hits: 1 to 100; 10 unless given.
/// - "candidates"?: integer. So many chunks of each of the two rankings count: 1 to 1,000; 50 unless given.
///
/// `result` receives SearchAnswer, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, PROVIDER_ERROR, EMBEDDING_NOT_CONFIGURED, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_search_query(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "search.query", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// A workspace's settings, for its administrators; of keys only whether they are set.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "actor"?: Actor. Who acts: an administrator. It may be left out unless the option `settings.actor` is
///   `required`.
///
/// `result` receives WorkspaceSettings, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
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

/// Changes a workspace's settings and keys, all or nothing, and answers them as `settings.get` does. To set keys, the
/// engine needs its `appSecret`.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "settings": SettingsPatch. The change.
/// - "actor"?: Actor. Who acts: an administrator. It may be left out unless the option `settings.actor` is
///   `required`.
///
/// `result` receives WorkspaceSettings, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
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

/// Tries what a workspace has configured, or a provider that it could have, with the cheapest request that there is.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "capability"?: Capability. What is tried. Default "chat".
/// - "actor"?: Actor. Who acts: an administrator. It may be left out unless the option `settings.actor` is
///   `required`.
/// - "provider"?: ProviderChoice. What is tried instead of what the workspace has configured; `model` is that of the
///   capability. It is stored nowhere.
///
/// `result` receives SettingsTest, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
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

/// Seals stored keys anew under the engine's `appSecret`, in the form of its option `secrets.write`. On a database of
/// turnkeep's own that also happens by itself after opening; on an adopted one nothing is rewritten but by this call.
///
/// `params` is a JSON object:
///
/// - "dryRun"?: boolean. Tell how many keys it would touch, and touch none. Default false.
///
/// `result` receives SecretRotation, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
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

/// Adds a tool server whose tools turns of the workspace may have (`mcpTools`). Its address must be a public one, or
/// one that the option `http.allowPrivate` has; that is looked at here, and again whenever a connection is made.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "name": string. What it is called: at most 200 characters. Its tools' names begin with it.
/// - "transport": McpTransport. `http` (streamable HTTP), `sse` (what servers had before that), or `stdio`: a program
///   of the option `mcp.programs`.
/// - "url": string. Its address: at most 2,048 bytes. With `stdio` the name of the program.
/// - "actor"?: Actor. Who acts: an administrator. It may be left out unless the option `settings.actor` is
///   `required`.
/// - "headers"?: object of string. Headers that go with every request. They are kept sealed, for which the engine
///   needs its `appSecret`, and shown by their names only. Blank ones are none.
/// - "toolAllowlist"?: array of string. The tools that may be used, by the server's own names; all when there are
///   none.
/// - "instructions"?: string. Guidance for the model, which is told it when the server contributes a tool: at most
///   4,000 characters.
/// - "enabled"?: boolean. Whether its tools are offered; true unless given.
///
/// `result` receives McpServerView, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_mcp_create(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "mcp.create", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Changes a tool server. What is not given stays; an address that is given as it was shown counts as not given.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "serverId": string. The server.
/// - "actor"?: Actor. Who acts: an administrator. It may be left out unless the option `settings.actor` is
///   `required`.
/// - "name"?: string. What it is called: at most 200 characters.
/// - "transport"?: McpTransport. `http`, `sse` or `stdio`.
/// - "url"?: string. Its address: at most 2,048 bytes. Where it leads to another place, headers must be given again,
///   unless the option `secrets.bindToAddress` is off.
/// - "headers"?: object of string. The headers from now on, all of them; `{}` or null for none.
/// - "toolAllowlist"?: array of string. The tools that may be used, by the server's own names; all when there are
///   none.
/// - "instructions"?: string. Guidance for the model: at most 4,000 characters; null or blank for none.
/// - "enabled"?: boolean. Whether its tools are offered.
///
/// `result` receives McpServerView, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, NOT_FOUND, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_mcp_update(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "mcp.update", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Deletes a tool server. Turns that are under way keep its tools until they end.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "serverId": string. The server.
/// - "actor"?: Actor. Who acts: an administrator. It may be left out unless the option `settings.actor` is
///   `required`.
///
/// `result` receives null, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, NOT_FOUND, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_mcp_delete(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "mcp.delete", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The workspace's tool servers in the order in which they were created, disabled ones included. Of headers there are
/// the names, and what looks like a secret in an address is masked.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "actor"?: Actor. Who acts: an administrator. It may be left out unless the option `settings.actor` is
///   `required`.
///
/// `result` receives array of McpServerView, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_mcp_list(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "mcp.list", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Tries a tool server: whether it answers, and with which tools. A disabled one may be tried, too.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "serverId": string. The server.
/// - "actor"?: Actor. Who acts: an administrator. It may be left out unless the option `settings.actor` is
///   `required`.
///
/// `result` receives McpTested, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, NOT_FOUND, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_mcp_test(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "mcp.test", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// What calls to providers have used in a workspace, and what that costs by the option `prices`: those of runs, one
/// for each step, also of stopped ones, and those for titles, vectors and transcripts. Whoever is no administrator
/// sees their own.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "actor": Actor. Who asks.
/// - "userId"?: string. The calls of one user: an administrator may name any, others themselves.
/// - "chatId"?: string. The calls for one chat.
/// - "since"?: string. Calls from this moment on, such as `2026-01-01T00:00:00Z`.
/// - "until"?: string. Calls before this moment.
/// - "by"?: array of UsageBy. What is told apart; nothing unless given, and then there is one line at most.
///
/// `result` receives UsageReport, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_usage_report(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { ask(engine, "usage.report", params, params_len, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Vectors for texts, in their order, by the workspace's embedding model.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "texts": array of string. The texts.
/// - "provider"?: ProviderChoice. Who makes them instead of whom the workspace's settings name: `model` is the
///   embedding model. It is stored nowhere.
///
/// `result` receives array of array of number, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, EMBEDDING_NOT_CONFIGURED, PROVIDER_ERROR, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
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

/// What is said in a recording of at most 25 MiB; empty text when nothing is said.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "audio": string (base64). The recording, in base64.
/// - "mime": string. Its media type, such as `audio/webm`.
/// - "provider"?: ProviderChoice. Who transcribes instead of whom the workspace's settings name: an `openai` or
///   `openai-compatible` service, `model` being its speech-to-text model. It is stored nowhere.
///
/// `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA, STT_NOT_CONFIGURED, PROVIDER_ERROR,
/// STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
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

/// A title for a page with this content. Nothing is stored.
///
/// `params` is a JSON object:
///
/// - "workspaceId": string. The workspace.
/// - "content": string. The page's text.
/// - "provider"?: ProviderChoice. Who answers instead of whom the workspace's settings name. It is stored nowhere.
///
/// `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT, FORBIDDEN, AI_NOT_CONFIGURED, PROVIDER_ERROR, STORE_UNAVAILABLE, ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
/// `error` are NULL or may be written to.
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
