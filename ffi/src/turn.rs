//! The turn handle: beginning a turn, reading its chunks, stopping it, hearing how it ended.

use std::collections::VecDeque;
use std::ffi::{c_char, c_void};
use std::future::Future;
use std::sync::Arc;

use tokio::runtime::Handle as RuntimeHandle;
use tokio::sync::{Mutex, watch};
use turnkeep::model::RunOutcome;
use turnkeep::tool::Mailbox;
use turnkeep::{Result, TurnReader, TurnRequest};

use crate::boundary;
use crate::bytes::Bytes;
use crate::engine::Engine;
use crate::error::Error;
use crate::handle::{Handle, Out, text};
use crate::resume::Resumable;
use crate::status::{Status, TURNKEEP_DONE, TURNKEEP_OK, TURNKEEP_TIMEOUT};
use crate::tool_call::{Callback, Delivery, ToolCallback, inside_callback};
use crate::wait::{limit, wait, wait_for};

/// Chunks that are taken out of the turn's log at once.
const BATCH: usize = 64;

/// A turn that was begun, and a place in its chunks.
///
/// Any number of threads may use it at once; several that call turnkeep_turn_next() share the one place, and each chunk
/// goes to one of them. turnkeep_turn_free() must be the last call with it, and no other call with it may be in
/// progress. It remains valid after its engine has been freed: the chunks so far and the outcome can still be read.
pub struct Turn {
    turn: Arc<turnkeep::Turn>,
    chunks: Mutex<Chunks>,
    outcome: Mutex<Resumable<Arc<turnkeep::Turn>, Result<RunOutcome>>>,
    runtime: RuntimeHandle,
    /// Ends with the last tool callback; absent in a turn without tools.
    calls: Option<watch::Receiver<()>>,
}

struct Chunks {
    reader: Resumable<TurnReader, Vec<Arc<str>>>,
    batch: VecDeque<Arc<str>>,
}

impl Chunks {
    /// Cancel-safe. `None` at the end.
    async fn next(&mut self) -> Result<Option<Arc<str>>> {
        if self.batch.is_empty() {
            let read = self.reader.next(|mut reader| async move {
                let batch = reader.next_batch(BATCH).await;
                (reader, batch)
            });
            self.batch = read.await.ok_or_else(interrupted)?.into();
        }
        Ok(self.batch.pop_front())
    }
}

fn interrupted() -> turnkeep::Error {
    turnkeep::Error::internal("reading the turn was interrupted")
}

impl Handle for Turn {
    const NAME: &'static str = "turn";
}

impl Turn {
    fn start(engine: &Engine, mut request: TurnRequest, callback: Option<Callback>) -> Result<Self> {
        let definitions = std::mem::take(&mut request.tools);
        if !definitions.is_empty() && callback.is_none() {
            return Err(turnkeep::Error::invalid("toolCallback", "must not be NULL in a turn with tools"));
        }
        let runtime = engine.runtime()?.clone();
        let (mailbox, tools) = Mailbox::new(definitions);
        let has_tools = !tools.is_empty();
        let turn = Arc::new(engine.wait(|engine| async move { engine.start_turn(request, tools).await })??);
        let calls = callback.filter(|_| has_tools).map(|callback| {
            let (delivery, over) = Delivery::new(mailbox, callback);
            runtime.spawn(delivery.run());
            over
        });
        let chunks = Mutex::new(Chunks { reader: Resumable::new(turn.chunks()), batch: VecDeque::new() });
        let outcome = Mutex::new(Resumable::new(Arc::clone(&turn)));
        Ok(Self { turn, chunks, outcome, runtime, calls })
    }

    async fn done(&self) -> Result<String> {
        let outcome = self.outcome().await;
        if let Some(calls) = self.calls.clone().filter(|_| !inside_callback()) {
            Delivery::over(calls).await;
        }
        serde_json::to_string(&outcome?)
            .map_err(|error| turnkeep::Error::internal("the outcome could not be encoded").with_source(error))
    }

    async fn outcome(&self) -> Result<RunOutcome> {
        let mut outcome = self.outcome.lock().await;
        let read = outcome.next(|turn| async move {
            let outcome = turn.done().await;
            (turn, outcome)
        });
        read.await.ok_or_else(interrupted)?
    }

    /// [`wait_for`], with the timers that the chunks of a repeated turn need.
    fn wait_for<F: Future>(&self, future: F, timeout_ms: i64) -> Option<F::Output> {
        let _context = self.runtime.enter();
        wait_for(future, limit(timeout_ms))
    }
}

/// Begins a turn: the user's message is stored, the run holds the chat, the model is called.
///
/// `request` is a TurnRequest, as JSON: every member of it, and of its tools, stands at the end of this header. Calls of
/// the tools go to `tool_callback`, which may be NULL in a turn without tools. It is passed `user_data`, which is nothing to
/// turnkeep; how long both must remain valid stands at turnkeep_tool_callback. `turn` receives a handle for turnkeep_turn_free(). The first callback may come before this
/// function returns.
///
/// "offeredTools" are names of tools that engines offer by turnkeep_engine_offer_tools(), in place of "tools" and
/// "provider". The run is driven by any engine on the store that offers all of them: this one if it does, else the first
/// that takes it, and another one when that engine is closed or its process dies; until then it is "pending". Chunks and
/// outcome of a turn that is driven elsewhere are read from the store while this engine is open.
///
/// "busy" says what to do when the chat has an active run: "reject" (the default), "enqueue" (the turn waits until the
/// chat is free), or {"supersede": runId} (that run is stopped, and the turn takes its place). A second turn of the same
/// user with the same "idempotencyKey" begins nothing and follows the first; see turnkeep_turn_is_repeated().
///
/// Errors: INVALID_INPUT naming the field ("toolCallback" for one that is missing), AI_NOT_CONFIGURED, FORBIDDEN,
/// NOT_FOUND, A_RUN_ALREADY_ACTIVE with details.activeRunId, SUPERSEDE_INVALID, SUPERSEDE_TARGET_MISMATCH with
/// details.activeRunId, SUPERSEDE_TIMEOUT, A_RUN_BEGIN_FAILED, STORE_UNAVAILABLE, ENGINE_CLOSED. In every case nothing is
/// left behind and no provider has been called.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `request` is NULL or holds `request_len` bytes;
/// `tool_callback` and `user_data` may be used on any thread; `turn` and `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_turn_start(
    engine: *const Engine,
    request: *const c_char,
    request_len: usize,
    tool_callback: ToolCallback,
    user_data: *mut c_void,
    turn: *mut *mut Turn,
    error: *mut *mut Error,
) -> Status {
    let body = || {
        // SAFETY: as the caller has promised.
        let (engine, request, place, callback) = unsafe {
            let engine = Engine::borrow(engine)?;
            let request = text(request, request_len, "request")?;
            (engine, request, Out::new(turn, "turn")?, Callback::new(tool_callback, user_data))
        };
        place.set(Turn::start(engine, TurnRequest::from_json(request)?, callback)?.give());
        Ok(TURNKEEP_OK)
    };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The turn's next chunk, from the first one on: a chunk of the AI SDK's UI message stream, as JSON.
///
/// Waits for up to `timeout_ms`, for ever when it is negative. TURNKEEP_OK: `chunk` is written and freed by
/// turnkeep_bytes_free(). TURNKEEP_TIMEOUT: there was none in that time. TURNKEEP_DONE: the turn has ended and every
/// chunk has been given out.
///
/// Errors: INVALID_INPUT.
///
/// # Safety
/// `turn` is NULL or a turn that has not been freed; `chunk` and `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_turn_next(
    turn: *const Turn,
    timeout_ms: i64,
    chunk: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    let body = || {
        // SAFETY: as the caller has promised.
        let (turn, place) = unsafe { (Turn::borrow(turn)?, Out::new(chunk, "chunk")?) };
        let next = async { turn.chunks.lock().await.next().await };
        Ok(match turn.wait_for(next, timeout_ms).transpose()? {
            Some(Some(chunk)) => {
                place.set(Bytes::give(&chunk));
                TURNKEEP_OK
            }
            Some(None) => TURNKEEP_DONE,
            None => TURNKEEP_TIMEOUT,
        })
    };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// {"runId", "chatId", "messageId"}, also of a chat that the turn has created. `ids` is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT.
///
/// # Safety
/// `turn` is NULL or a turn that has not been freed; `ids` and `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_turn_ids(turn: *const Turn, ids: *mut Bytes, error: *mut *mut Error) -> Status {
    let body = || {
        // SAFETY: as the caller has promised.
        let (turn, place) = unsafe { (Turn::borrow(turn)?, Out::new(ids, "ids")?) };
        place.set(Bytes::give(&turn.turn.to_json()));
        Ok(TURNKEEP_OK)
    };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Whether the run had been begun before, with the same idempotency key. `repeated` receives 1 or 0. The chunks of such a
/// turn are read from the store while the engine is open, finished steps in compact form; its tools are not called.
///
/// Errors: INVALID_INPUT.
///
/// # Safety
/// `turn` is NULL or a turn that has not been freed; `repeated` and `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_turn_is_repeated(
    turn: *const Turn,
    repeated: *mut i32,
    error: *mut *mut Error,
) -> Status {
    let body = || {
        // SAFETY: as the caller has promised.
        let (turn, place) = unsafe { (Turn::borrow(turn)?, Out::new(repeated, "repeated")?) };
        place.set(i32::from(turn.turn.is_repeated()));
        Ok(TURNKEEP_OK)
    };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Asks the run to stop; turnkeep_turn_done() tells when it has. `stopped` receives 1, or 0 when it has settled already.
///
/// Errors: INVALID_INPUT; STORE_UNAVAILABLE when the stop could not be noted, though the run is stopped all the same;
/// ENGINE_CLOSED.
///
/// # Safety
/// `turn` is NULL or a turn that has not been freed; `stopped` and `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_turn_stop(turn: *const Turn, stopped: *mut i32, error: *mut *mut Error) -> Status {
    let body = || {
        // SAFETY: as the caller has promised.
        let (turn, place) = unsafe { (Turn::borrow(turn)?, Out::new(stopped, "stopped")?) };
        let _context = turn.runtime.enter();
        place.set(i32::from(wait(turn.turn.stop())?));
        Ok(TURNKEEP_OK)
    };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Waits for the end of the turn, and of its tool callbacks, for up to `timeout_ms`, for ever when it is negative.
///
/// TURNKEEP_OK: `outcome` is {"runId", "chatId", "messageId", "status", "reason", "error", "finishReason", "usage",
/// "stepCount"}, all of it on disk, and freed by turnkeep_bytes_free(). A failed turn is an outcome, not an error.
/// TURNKEEP_TIMEOUT: it goes on. May be called any number of times. Inside a tool callback it waits for the turn only.
///
/// Errors: INVALID_INPUT; LEASE_LOST when another engine drives the run now; STORE_UNAVAILABLE when the end could not be
/// written; ENGINE_CLOSED when the run is driven elsewhere, or was begun before.
///
/// # Safety
/// `turn` is NULL or a turn that has not been freed; `outcome` and `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_turn_done(
    turn: *const Turn,
    timeout_ms: i64,
    outcome: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    let body = || {
        // SAFETY: as the caller has promised.
        let (turn, place) = unsafe { (Turn::borrow(turn)?, Out::new(outcome, "outcome")?) };
        Ok(match turn.wait_for(turn.done(), timeout_ms) {
            Some(outcome) => {
                place.set(Bytes::give(&outcome?));
                TURNKEEP_OK
            }
            None => TURNKEEP_TIMEOUT,
        })
    };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Frees the turn, which goes on without it; only one that was begun with "detached": false stops, when its chunks have
/// not been read to the end. NULL does nothing.
///
/// # Safety
/// `turn` is NULL or a turn that has not been freed, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_turn_free(turn: *mut Turn) {
    boundary::contain(|| {
        // SAFETY: as the caller has promised.
        drop(unsafe { Turn::take(turn) });
    });
}
