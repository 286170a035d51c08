//! Tool calls: how they come to C, and how C answers them.

use std::cell::Cell;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;
use tokio::task::{self, JoinSet};
use turnkeep::model::Json;
use turnkeep::tool::{CallTicket, Mailbox, MailboxMessage, ToolInvocation};
use turnkeep::{Result, RunId};

use crate::boundary;
use crate::bytes::Bytes;
use crate::error::Error;
use crate::handle::{Handle, Out, text};
use crate::status::{Status, TURNKEEP_OK};

/// What a model is told of a call that was freed without an answer.
const NO_ANSWER: &str = "The tool did not answer.";

/// Takes a tool call over. It must end in exactly one of turnkeep_tool_call_respond(), turnkeep_tool_call_fail() and
/// turnkeep_tool_call_free(), by any thread, during the callback or later.
///
/// Callbacks come on threads of turnkeep's, at most one at a time for a turn; those of different turns may come at
/// once. The calls of one step come in any order. A callback that takes long delays the turn's other calls and nothing
/// else: work that may take long belongs on a thread of the host's.
///
/// `user_data` is what turnkeep_turn_start() was given. It must remain valid until turnkeep_turn_done() has told how the
/// turn ended, or turnkeep_engine_free() has returned: no callback is in progress or still to come then, unless they
/// were called inside a callback, which they cannot wait for. What turnkeep_engine_offer_tools(),
/// turnkeep_engine_check_pages() and turnkeep_engine_docmost_tokens() were given must remain valid until turnkeep_engine_free() has returned: other turns may
/// come at any time.
///
/// A callback may call every function of turnkeep. It must not throw a C++ exception or jump out of itself.
pub type ToolCallback = Option<unsafe extern "C" fn(user_data: *mut c_void, call: *mut ToolCall)>;

/// A call of a tool that waits for its answer.
///
/// Any thread may use it, but only one at a time. It remains valid after its turn and its engine have been freed.
pub struct ToolCall {
    mailbox: Arc<Mailbox>,
    ticket: CallTicket,
    invocation: ToolInvocation,
    cancelled: Arc<AtomicBool>,
    answered: bool,
}

impl Handle for ToolCall {
    const NAME: &'static str = "call";
}

impl ToolCall {
    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    fn answer(mut self, outcome: Result<Json, String>) {
        self.answered = true;
        // Nobody waits for the answer to a cancelled call.
        self.mailbox.respond(self.ticket, outcome);
    }

    fn to_json(&self) -> Result<String> {
        serde_json::to_string(&self.invocation)
            .map_err(|error| turnkeep::Error::internal("the call could not be encoded").with_source(error))
    }
}

impl Drop for ToolCall {
    fn drop(&mut self) {
        if !self.answered {
            self.mailbox.respond(self.ticket, Err(NO_ANSWER.to_owned()));
        }
    }
}

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is in a callback, whose end it therefore cannot wait for.
pub(crate) fn inside_callback() -> bool {
    INSIDE.get()
}

/// C's function with C's data.
#[derive(Clone, Copy)]
pub(crate) struct Callback {
    function: unsafe extern "C" fn(*mut c_void, *mut ToolCall),
    user_data: *mut c_void,
}

// SAFETY: whoever gives a callback promises that it and its data may be used on turnkeep's threads.
unsafe impl Send for Callback {}

impl Callback {
    /// # Safety
    /// `function` can be called with `user_data` on any thread until the calls of the turn, or of the engine, are over.
    pub(crate) unsafe fn new(function: ToolCallback, user_data: *mut c_void) -> Option<Self> {
        function.map(|function| Self { function, user_data })
    }

    fn hand_over(self, call: ToolCall) {
        INSIDE.set(true);
        // SAFETY: as `new`'s caller has promised; the call is C's from here on.
        unsafe { (self.function)(self.user_data, call.give()) };
        INSIDE.set(false);
    }
}

/// The calls of a mailbox on their way to C: one at a time for each run, those of several runs at once.
pub(crate) struct Delivery {
    mailbox: Arc<Mailbox>,
    callback: Callback,
    /// The calls behind the one that is in progress, of each run that has one in progress.
    waiting: HashMap<RunId, VecDeque<ToolCall>>,
    /// The callbacks in progress, and the run of each by its task.
    in_progress: JoinSet<()>,
    runs: HashMap<task::Id, RunId>,
    /// Tells the holders of calls that nobody waits for them any more.
    flags: HashMap<CallTicket, Arc<AtomicBool>>,
    /// Dropped with the last callback, which is how [`Delivery::over`] learns of it.
    alive: watch::Sender<()>,
}

impl Delivery {
    /// A delivery to be [run](Delivery::run), and something to wait for its end with.
    pub(crate) fn new(mailbox: Mailbox, callback: Callback) -> (Self, watch::Receiver<()>) {
        let (alive, over) = watch::channel(());
        let mailbox = Arc::new(mailbox);
        let delivery = Self {
            mailbox,
            callback,
            waiting: HashMap::new(),
            in_progress: JoinSet::new(),
            runs: HashMap::new(),
            flags: HashMap::new(),
            alive,
        };
        (delivery, over)
    }

    /// Waits until no callback is in progress or to come.
    pub(crate) async fn over(mut over: watch::Receiver<()>) {
        while over.changed().await.is_ok() {}
    }

    /// Delivers until there can be no more calls. A callback in progress does not keep cancellations from being seen.
    pub(crate) async fn run(mut self) {
        let mut listening = true;
        while listening || !self.in_progress.is_empty() {
            tokio::select! {
                Some(ended) = self.in_progress.join_next_with_id() => {
                    // However it ended: a callback that the closing engine has cancelled will not run.
                    self.begin_next(ended.map_or_else(|error| error.id(), |(id, ())| id));
                }
                message = self.mailbox.next(), if listening => match message {
                    Some(MailboxMessage::Call { ticket, call }) => self.enqueue(ticket, call),
                    Some(MailboxMessage::Cancelled { ticket }) => self.cancel(ticket),
                    None => listening = false,
                },
            }
        }
    }

    fn enqueue(&mut self, ticket: CallTicket, invocation: ToolInvocation) {
        // Those of calls that are answered are of no use, and what an engine offers may go on for ever.
        self.flags.retain(|_, cancelled| Arc::strong_count(cancelled) > 1);
        let cancelled = Arc::new(AtomicBool::new(false));
        self.flags.insert(ticket, Arc::clone(&cancelled));
        let (mailbox, run_id) = (Arc::clone(&self.mailbox), invocation.run_id);
        let call = ToolCall { mailbox, ticket, invocation, cancelled, answered: false };
        match self.waiting.entry(run_id) {
            Entry::Occupied(mut behind) => behind.get_mut().push_back(call),
            Entry::Vacant(none) => {
                none.insert(VecDeque::new());
                self.begin(run_id, call);
            }
        }
    }

    fn cancel(&mut self, ticket: CallTicket) {
        if let Some(cancelled) = self.flags.remove(&ticket) {
            cancelled.store(true, Ordering::Release);
        }
        self.waiting.values_mut().for_each(|calls| calls.retain(|call| call.ticket != ticket));
    }

    /// After a callback of a run, the next of the same run.
    fn begin_next(&mut self, ended: task::Id) {
        let Some(run_id) = self.runs.remove(&ended) else { return };
        match self.waiting.get_mut(&run_id).and_then(VecDeque::pop_front) {
            Some(call) => self.begin(run_id, call),
            None => drop(self.waiting.remove(&run_id)),
        }
    }

    fn begin(&mut self, run_id: RunId, call: ToolCall) {
        let (callback, alive) = (self.callback, self.alive.clone());
        let begun = self.in_progress.spawn_blocking(move || {
            callback.hand_over(call);
            drop(alive);
        });
        self.runs.insert(begun.id(), run_id);
    }
}

impl Drop for Delivery {
    /// Also when the engine's end cuts the delivery short.
    fn drop(&mut self) {
        self.flags.values().for_each(|cancelled| cancelled.store(true, Ordering::Release));
    }
}

/// The call as JSON: {"toolCallId", "toolName", "input", "chatId", "runId", "messageId"}, with the input checked against
/// the tool's schema; with "effect" of a tool with effects, for turnkeep_effect_statement(), and "idempotencyKey" of one that
/// is idempotent. `json` is freed by turnkeep_bytes_free(). The call remains to be answered.
///
/// Errors: INVALID_INPUT.
///
/// # Safety
/// `call` is NULL or a call that has been neither answered nor freed; `json` and `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_tool_call_json(
    call: *const ToolCall,
    json: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    let body = || {
        // SAFETY: as the caller has promised.
        let (call, place) = unsafe { (ToolCall::borrow(call)?, Out::new(json, "json")?) };
        place.set(Bytes::give(&call.to_json()?));
        Ok(TURNKEEP_OK)
    };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// 1 when nobody waits for the answer any more, because the run was stopped, the call's time is up or the engine has
/// been closed; else 0. 1 for NULL. The call remains to be answered or freed; an answer is ignored.
///
/// # Safety
/// `call` is NULL or a call that has been neither answered nor freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_tool_call_cancelled(call: *const ToolCall) -> i32 {
    boundary::contain(|| {
        // SAFETY: as the caller has promised.
        let cancelled = unsafe { ToolCall::borrow(call) }.map_or(true, ToolCall::is_cancelled);
        i32::from(cancelled)
    })
}

/// Answers the call with any JSON value, and frees it. On INVALID_INPUT, when `output` is not JSON, the call remains to
/// be answered. The answer to a cancelled call is accepted and ignored.
///
/// # Safety
/// `call` is NULL or a call that has been neither answered nor freed, and is not used again after TURNKEEP_OK; `output`
/// is NULL or holds `output_len` bytes; `error` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_tool_call_respond(
    call: *mut ToolCall,
    output: *const c_char,
    output_len: usize,
    error: *mut *mut Error,
) -> Status {
    let body = || {
        // SAFETY: as the caller has promised.
        let (_, output) = unsafe { (ToolCall::borrow(call)?, text(output, output_len, "output")?) };
        let output = Json::parse(output).map_err(|_| turnkeep::Error::invalid("output", "is not valid JSON"))?;
        // SAFETY: as the caller has promised; nothing can fail from here on.
        if let Some(call) = unsafe { ToolCall::take(call) } {
            call.answer(Ok(output));
        }
        Ok(TURNKEEP_OK)
    };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Shows readers what the output of the call is so far, any JSON value, as a preliminary result. The call remains to be
/// answered, and its answer is what is stored. What comes faster than it can be shown is left out, and so is what is shown
/// for a cancelled call. INVALID_INPUT when `output` is not JSON.
///
/// # Safety
/// `call` is NULL or a call that has been neither answered nor freed; `output` is NULL or holds `output_len` bytes; `error`
/// is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_tool_call_show(
    call: *const ToolCall,
    output: *const c_char,
    output_len: usize,
    error: *mut *mut Error,
) -> Status {
    let body = || {
        // SAFETY: as the caller has promised.
        let (call, output) = unsafe { (ToolCall::borrow(call)?, text(output, output_len, "output")?) };
        let output = Json::parse(output).map_err(|_| turnkeep::Error::invalid("output", "is not valid JSON"))?;
        call.mailbox.show(call.ticket, output);
        Ok(TURNKEEP_OK)
    };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Answers the call with a failure, of which the model and the reader are told this text, and frees it. On
/// INVALID_INPUT the call remains to be answered. The answer to a cancelled call is accepted and ignored.
///
/// # Safety
/// `call` is NULL or a call that has been neither answered nor freed, and is not used again after TURNKEEP_OK; `reason`
/// is NULL or holds `reason_len` bytes; `error` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_tool_call_fail(
    call: *mut ToolCall,
    reason: *const c_char,
    reason_len: usize,
    error: *mut *mut Error,
) -> Status {
    let body = || {
        // SAFETY: as the caller has promised.
        let (_, reason) = unsafe { (ToolCall::borrow(call)?, text(reason, reason_len, "reason")?) };
        let reason = reason.to_owned();
        // SAFETY: as the caller has promised; nothing can fail from here on.
        if let Some(call) = unsafe { ToolCall::take(call) } {
            call.answer(Err(reason));
        }
        Ok(TURNKEEP_OK)
    };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Frees the call. The model is told that the tool did not answer. NULL does nothing.
///
/// # Safety
/// `call` is NULL or a call that has been neither answered nor freed, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_tool_call_free(call: *mut ToolCall) {
    boundary::contain(|| {
        // SAFETY: as the caller has promised.
        drop(unsafe { ToolCall::take(call) });
    });
}
