//! The engine handle: opening, closing, and the questions that are answered at once.

use std::ffi::{c_char, c_void};
use std::future::Future;
use std::time::Duration;

use tokio::runtime::{Builder, Handle as RuntimeHandle, Runtime};
use turnkeep::tool::Mailbox;
use turnkeep::{EngineOptions, Result, ToolOffer};

use crate::boundary;
use crate::by_name::ask;
use crate::bytes::Bytes;
use crate::error::Error;
use crate::handle::{Handle, Out, text};
use crate::status::{Status, TURNKEEP_OK};
use crate::tool_call::{Callback, Delivery, ToolCallback};
use crate::wait::{limit, wait};

/// Threads of an engine that drive its turns. They wait most of the time; the store has threads of its own.
const WORKER_THREADS: usize = 2;

/// An engine on a store, with threads of its own.
///
/// Any number of threads may use it at once. turnkeep_engine_free() must be the last call with it, and no other call
/// with it may be in progress; turns and tool calls of the engine may be in use meanwhile and remain valid afterwards.
pub struct Engine {
    engine: turnkeep::Engine,
    /// Taken out only when the handle is dropped.
    runtime: Option<Runtime>,
}

impl Handle for Engine {
    const NAME: &'static str = "engine";
}

impl Engine {
    fn open(options: EngineOptions) -> Result<Self> {
        let runtime = start()?;
        match wait_in(runtime.handle(), turnkeep::Engine::open(options)) {
            Ok(engine) => Ok(Self { engine, runtime: Some(runtime) }),
            Err(error) => {
                shut_down(runtime);
                Err(error)
            }
        }
    }

    /// The runtime's handle; absent only while the engine is being dropped.
    pub(crate) fn runtime(&self) -> Result<&RuntimeHandle> {
        self.runtime.as_ref().map(Runtime::handle).ok_or_else(|| turnkeep::Error::internal("the engine has no runtime"))
    }

    fn offer(&self, offer: ToolOffer, callback: Option<Callback>) -> Result<()> {
        let callback = callback
            .ok_or_else(|| turnkeep::Error::invalid("toolCallback", "must not be NULL where tools are offered"))?;
        let (mailbox, tools) = Mailbox::new(offer.tools);
        self.engine.offer_tools(tools)?;
        // Whoever frees the engine waits for its threads, and so for callbacks that are in progress.
        let (delivery, _) = Delivery::new(mailbox, callback);
        self.runtime()?.spawn(delivery.run());
        Ok(())
    }

    /// Has the host asked, by the callback, for what comes into this mailbox.
    fn ask(&self, begin: impl FnOnce(&turnkeep::Engine) -> Result<Mailbox>, callback: Option<Callback>) -> Result<()> {
        let callback = callback
            .ok_or_else(|| turnkeep::Error::invalid("toolCallback", "must not be NULL where the host is asked"))?;
        let (delivery, _) = Delivery::new(begin(&self.engine)?, callback);
        self.runtime()?.spawn(delivery.run());
        Ok(())
    }

    pub(crate) fn wait<F: Future>(&self, future: impl FnOnce(turnkeep::Engine) -> F) -> Result<F::Output> {
        Ok(wait_in(self.runtime()?, future(self.engine.clone())))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Whoever wants to wait for running turns or to hear of errors closes before.
        let _ = self.wait(|engine| async move { engine.close(Some(Duration::ZERO)).await });
        if let Some(runtime) = self.runtime.take() {
            shut_down(runtime);
        }
    }
}

fn start() -> Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .thread_name("turnkeep")
        .enable_all()
        .build()
        .map_err(|error| turnkeep::Error::internal("the engine's threads cannot be started").with_source(error))
}

/// Waits for a future that may need a runtime around it.
fn wait_in<F: Future>(runtime: &RuntimeHandle, future: F) -> F::Output {
    let _context = runtime.enter();
    wait(future)
}

/// Waits for the runtime's threads, also for a tool callback that one of them is in. A thread that is the runtime's own,
/// or another runtime's, must not wait.
fn shut_down(runtime: Runtime) {
    if RuntimeHandle::try_current().is_ok() {
        runtime.shutdown_background();
    } else {
        drop(runtime);
    }
}

/// Opens the store that the options name, settles what dead processes left in it, and begins to keep leases.
///
/// `options` is an EngineOptions, as JSON: every option stands at the end of this header. `engine` receives a handle for
/// turnkeep_engine_free().
///
/// Errors: INVALID_INPUT naming the option, STORE_UNAVAILABLE.
///
/// # Safety
/// `options` is NULL or holds `options_len` bytes; `engine` and `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_engine_open(
    options: *const c_char,
    options_len: usize,
    engine: *mut *mut Engine,
    error: *mut *mut Error,
) -> Status {
    let body = || {
        // SAFETY: as the caller has promised.
        let (options, place) = unsafe { (text(options, options_len, "options")?, Out::new(engine, "engine")?) };
        place.set(Engine::open(EngineOptions::from_json(options)?)?.give());
        Ok(TURNKEEP_OK)
    };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Offers tools, besides those that the engine offers already: from now on it drives turns that name their tools
/// ("offeredTools" of turnkeep_turn_start()) if it offers all of them. It begins those that are left to it within moments,
/// and goes on with those whose engine was closed or has died, after their last finished step; of a call whose outcome is
/// not known the model is told so. At most "maxOfferedRuns" of the engine's "runs" (64) at a time. A tool takes the place
/// of one of the same name. It ends when the engine is closed.
///
/// `offer` is a JSON object: {"tools": array of ToolDefinition}. Their calls go to `tool_callback`,
/// which must not be NULL and is passed `user_data`. Both must remain valid until turnkeep_engine_free() has returned. The
/// first callback may come before this function returns.
///
/// Errors: INVALID_INPUT naming the field ("toolCallback" for one that is missing), ENGINE_CLOSED. Nothing is offered
/// then that was not before.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `offer` is NULL or holds `offer_len` bytes; `tool_callback` and
/// `user_data` may be used on any thread; `error` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_engine_offer_tools(
    engine: *const Engine,
    offer: *const c_char,
    offer_len: usize,
    tool_callback: ToolCallback,
    user_data: *mut c_void,
    error: *mut *mut Error,
) -> Status {
    let body = || {
        // SAFETY: as the caller has promised.
        let (engine, offer, callback) = unsafe {
            let engine = Engine::borrow(engine)?;
            (engine, text(offer, offer_len, "offer")?, Callback::new(tool_callback, user_data))
        };
        engine.offer(ToolOffer::from_json(offer)?, callback)?;
        Ok(TURNKEEP_OK)
    };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Has every page that a turn, or a run of the host's own, is said to be begun on ("openPage") checked by the host: from now
/// on only what the check answers is used, for the prompt, for the tool getCurrentPage and for the page of a chat that is
/// created. Without it the engine takes the page for one that the host has resolved.
///
/// The checks come to `tool_callback` as calls of a tool named "checkOpenPage", whose input is {"workspaceId", "userId",
/// "page": {"id", "title"}}. They are answered as calls are, with {"id", "title"}, the title being the page's own, or with null
/// where there is no such page or the user may not see it. When a check fails, answers anything else, or takes longer than
/// "pageCheckTimeoutMs" of the engine's "requests", there is no page. `tool_callback` must not be NULL and is passed
/// `user_data`; both must remain valid until turnkeep_engine_free() has returned. It takes the place of one that was given
/// before, and ends when the engine is closed.
///
/// The check comes while turnkeep_turn_start() waits: it must not wait for that call's thread.
///
/// Errors: INVALID_INPUT ("toolCallback" for one that is missing), ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `tool_callback` and `user_data` may be used on any thread;
/// `error` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_engine_check_pages(
    engine: *const Engine,
    tool_callback: ToolCallback,
    user_data: *mut c_void,
    error: *mut *mut Error,
) -> Status {
    let body = || {
        // SAFETY: as the caller has promised.
        let (engine, callback) = unsafe { (Engine::borrow(engine)?, Callback::new(tool_callback, user_data)) };
        engine.ask(turnkeep::Engine::check_pages_by_mailbox, callback)?;
        Ok(TURNKEEP_OK)
    };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Has the host asked for the access tokens of users, by which turns with "docmost" act on a Docmost server: when a turn first
/// needs one, and once more when the server does not take it.
///
/// The questions come to `tool_callback` as calls of a tool named "docmostToken", whose input is {"workspaceId", "userId",
/// "baseUrl", "refused"}; "refused" says that the token before was not taken. They are answered as calls are, with the token as
/// a JSON string. What a question fails with is told to nobody. `tool_callback` must not be NULL and is passed `user_data`; both
/// must remain valid until turnkeep_engine_free() has returned. It takes the place of one that was given before, and ends when the
/// engine is closed.
///
/// Errors: INVALID_INPUT ("toolCallback" for one that is missing), ENGINE_CLOSED.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `tool_callback` and `user_data` may be used on any thread;
/// `error` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_engine_docmost_tokens(
    engine: *const Engine,
    tool_callback: ToolCallback,
    user_data: *mut c_void,
    error: *mut *mut Error,
) -> Status {
    let body = || {
        // SAFETY: as the caller has promised.
        let (engine, callback) = unsafe { (Engine::borrow(engine)?, Callback::new(tool_callback, user_data)) };
        engine.ask(turnkeep::Engine::docmost_tokens_by_mailbox, callback)?;
        Ok(TURNKEEP_OK)
    };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Refuses new turns, lets those that run go on for `grace_ms` (5 seconds when negative), settles the rest as aborted
/// with the reason "shutdown", and closes the store. Runs that name their tools ("offeredTools") are not settled but left
/// for other engines. Later calls answer ENGINE_CLOSED; closing again does nothing. The
/// handle remains to be freed.
///
/// Errors: STORE_UNAVAILABLE when the store could not be closed in order; it is closed all the same.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `error` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_engine_close(engine: *const Engine, grace_ms: i64, error: *mut *mut Error) -> Status {
    let body = || {
        // SAFETY: as the caller has promised.
        let engine = unsafe { Engine::borrow(engine)? };
        engine.wait(|engine| async move { engine.close(limit(grace_ms)).await })??;
        Ok(TURNKEEP_OK)
    };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Which migrations opening the PostgreSQL database `store` ("postgres://…") would apply, as JSON: [{"version", "name",
/// "additions"}]. Changes nothing. `result` is freed by turnkeep_bytes_free().
///
/// Errors: INVALID_INPUT for another kind of store, STORE_UNAVAILABLE.
///
/// # Safety
/// `store` is NULL or holds `store_len` bytes; `result` and `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_pending_migrations(
    store: *const c_char,
    store_len: usize,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    let body = || {
        // SAFETY: as the caller has promised.
        let (store, place) = unsafe { (text(store, store_len, "store")?, Out::new(result, "result")?) };
        let runtime = start()?;
        let pending = wait_in(runtime.handle(), turnkeep::store::pending_migrations_json(store));
        shut_down(runtime);
        place.set(Bytes::give(&pending?));
        Ok(TURNKEEP_OK)
    };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// How the engine is, as JSON: {"store": {"kind", "ok", "latencyMs"? or "error"?}, "notifications": {"state", "sent",
/// "heard"}, "activeRuns"}. The state is "live" when what happens in other processes is heard at once, "polling" when
/// notifications do not arrive, and "none" where the store has none. `result` is freed by turnkeep_bytes_free().
///
/// Errors: ENGINE_CLOSED. A store that does not answer is none: "ok" is false then.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `result` and `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_engine_health(
    engine: *const Engine,
    result: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised; the parameters are a literal.
    let body = || unsafe { ask(engine, "health", c"{}".as_ptr(), 2, result) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Closes the engine, without grace unless turnkeep_engine_close() has been called before, ends its threads and frees
/// it. It returns only after the tool callbacks that are in progress; no callback runs afterwards. Turns and tool calls
/// remain valid and are freed on their own. NULL does nothing.
///
/// Called inside a tool callback it cannot wait for that callback, and returns before the engine's threads have ended.
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_engine_free(engine: *mut Engine) {
    boundary::contain(|| {
        // SAFETY: as the caller has promised.
        drop(unsafe { Engine::take(engine) });
    });
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
