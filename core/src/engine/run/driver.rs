//! Carries out a machine's effects and tells it what came of them: one task per turn.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, FuturesUnordered, SelectAll};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until};

use crate::engine::Inner;
use crate::error::{ErrorCode, Result};
use crate::log::ChunkLog;
use crate::machine::{Effect, Ending, Event, RunMachine, Settlement, Timer, ToolCall, TurnIds};
use crate::model::{FailureKind, Json, RunFailure, RunOutcome, RunReason, RunStatus, StepRecord};
use crate::project::{Conversation, prepare_agent_step};
use crate::provider::{ChatRequest, Provider, ProviderFailure, RunBy, StreamPart, ToolChoice};
use crate::tool::{ToolInvocation, ToolProgress, ToolSet};

use super::journal::{FOLLOWED_PACK_INTERVAL, Journal, PACK_BYTES, PACK_INTERVAL, Rows};
use super::tail::FOLLOWING_AGAIN;
use super::{history, sweep};

/// The first wait before a write is attempted again; it doubles up to [`MAX_RETRY_WAIT`].
pub(super) const RETRY_WAIT: Duration = Duration::from_millis(50);
/// The longest wait between attempts to write.
pub(super) const MAX_RETRY_WAIT: Duration = Duration::from_secs(5);

/// How a turn ended for those who wait.
#[derive(Clone, Debug)]
pub(super) enum Finished {
    Settled(Box<RunOutcome>),
    LeaseLost,
    Unsettled,
}

pub(super) struct Driver {
    inner: Arc<Inner>,
    machine: RunMachine,
    ids: TurnIds,
    journal: Journal,
    system: String,
    conversation: Conversation,
    /// How many of the run's steps the conversation has.
    told_steps: usize,
    /// The call that is on its way, and whether the provider has found its conversation too long before.
    call: (u32, bool),
    found_too_long: bool,
    provider: Arc<dyn Provider>,
    tools: Arc<ToolSet>,
    log: Arc<ChunkLog>,
    control: mpsc::UnboundedReceiver<Event>,
    finished: watch::Sender<Option<Finished>>,
    rows: Rows,
    /// When the chunks that wait are to be put on disk.
    pack_due: Option<Instant>,
    pack_write: Option<BoxFuture<'static, Option<Event>>>,
    stream: Option<BoxStream<'static, Result<StreamPart, ProviderFailure>>>,
    calls: FuturesUnordered<BoxFuture<'static, Event>>,
    /// What the calls show before they are done.
    shown: SelectAll<BoxStream<'static, Event>>,
    call_handles: HashMap<String, AbortHandle>,
    timers: HashMap<Timer, Instant>,
    write: Option<BoxFuture<'static, Event>>,
    outcome: Option<RunOutcome>,
    /// The end could not be written as it was, and the run was ended as failed.
    failed_instead: Arc<AtomicBool>,
    over: bool,
}

impl Driver {
    #[allow(clippy::too_many_arguments, reason = "called once; a struct of the same fields would only repeat them")]
    pub(super) fn new(
        inner: Arc<Inner>,
        machine: RunMachine,
        ids: TurnIds,
        journal: Journal,
        (system, conversation): (String, Conversation),
        provider: Arc<dyn Provider>,
        tools: Arc<ToolSet>,
        log: Arc<ChunkLog>,
        control: mpsc::UnboundedReceiver<Event>,
        finished: watch::Sender<Option<Finished>>,
    ) -> Self {
        Self {
            inner,
            machine,
            ids,
            journal,
            system,
            conversation,
            told_steps: 0,
            call: (0, false),
            found_too_long: false,
            provider,
            tools,
            log,
            control,
            finished,
            rows: Rows::default(),
            pack_due: None,
            pack_write: None,
            stream: None,
            calls: FuturesUnordered::new(),
            shown: SelectAll::new(),
            call_handles: HashMap::new(),
            timers: HashMap::new(),
            write: None,
            outcome: None,
            failed_instead: Arc::default(),
            over: false,
        }
    }

    pub(super) async fn run(mut self) {
        let mut event = Event::Begun;
        let mut effects = Vec::new();
        loop {
            if matches!(event, Event::StepPersisted) {
                self.journal.step_persisted();
            }
            self.machine.handle(event, &mut effects);
            for effect in effects.drain(..) {
                self.carry_out(effect);
            }
            if self.over {
                return;
            }
            self.pack_when_due();
            event = self.next_event().await;
        }
    }

    async fn next_event(&mut self) -> Event {
        loop {
            let deadline = self.timers.iter().min_by_key(|(_, at)| **at).map(|(timer, at)| (timer.clone(), *at));
            let pack_due = self.pack_due.filter(|_| self.may_pack());
            tokio::select! {
                biased;
                Some(event) = self.control.recv() => return event,
                event = ready_or_never(self.write.as_mut()) => {
                    self.write = None;
                    return event;
                }
                failure = ready_or_never(self.pack_write.as_mut()) => {
                    self.pack_write = None;
                    match failure {
                        Some(event) => return event,
                        None => self.pack_when_due(),
                    }
                }
                // Before the outcomes: what a call has shown came before its own.
                Some(event) = self.shown.next(), if !self.shown.is_empty() => return event,
                Some(event) = self.calls.next(), if !self.calls.is_empty() => return event,
                timer = fire(deadline) => {
                    self.timers.remove(&timer);
                    return Event::TimerFired(timer);
                }
                () = until(pack_due) => self.pack(),
                item = next_part(self.stream.as_mut()) => return match item {
                    Some(Ok(StreamPart::Error(failure)) | Err(failure)) if self.goes_on_with_less(&failure) => continue,
                    Some(Ok(part)) => Event::Part(part),
                    Some(Err(failure)) => Event::StreamFailed(failure),
                    None => {
                        self.stream = None;
                        Event::StreamEnded
                    }
                },
            }
        }
    }

    /// One write at a time, so that packs and steps reach the disk in their order.
    fn may_pack(&self) -> bool {
        self.pack_write.is_none() && self.write.is_none()
    }

    fn pack_when_due(&mut self) {
        match self.journal.unpacked_bytes() {
            0 => self.pack_due = None,
            PACK_BYTES.. if self.may_pack() => self.pack(),
            _ => {
                if self.pack_due.is_none() {
                    // Those elsewhere see what is on disk.
                    let followed = self.inner.registry.is_followed(self.ids.run, 2 * FOLLOWING_AGAIN);
                    let interval = if followed { FOLLOWED_PACK_INTERVAL } else { PACK_INTERVAL };
                    self.pack_due = Some(Instant::now() + interval);
                }
            }
        }
    }

    fn pack(&mut self) {
        self.pack_due = None;
        let Some(pack) = self.journal.take_pack() else {
            return;
        };
        let (inner, fence) = (Arc::clone(&self.inner), self.journal.fence().clone());
        self.pack_write = Some(Box::pin(async move {
            let patience = inner.options.runs.store_patience();
            let failure = persist(patience, || inner.store.append_pack(&fence, &pack)).await;
            inner.changed(fence.run_id);
            failure
        }));
    }

    /// Puts on disk what streams just as it streamed, when somebody has been told the numbers.
    fn pack_as_numbered(&mut self) {
        if !self.log.is_numbered() {
            return;
        }
        let earlier = self.pack_write.take();
        self.pack();
        self.pack_write = match (earlier, self.pack_write.take()) {
            (Some(earlier), Some(pack)) => Some(Box::pin(async move {
                match earlier.await {
                    None => pack.await,
                    failure => failure,
                }
            })),
            (earlier, pack) => earlier.or(pack),
        };
    }

    /// Begins a write, after the pack that is on its way.
    fn write<F>(&mut self, done: Event, attempt: impl FnMut() -> F + Send + 'static)
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let pack = self.pack_write.take();
        let (inner, run_id) = (Arc::clone(&self.inner), self.ids.run);
        self.write = Some(Box::pin(async move {
            if let Some(pack) = pack
                && let Some(failure) = pack.await
            {
                return failure;
            }
            let failure = persist(inner.options.runs.store_patience(), attempt).await;
            inner.changed(run_id);
            failure.unwrap_or(done)
        }));
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::CallProvider { step, text_only } => self.call_provider(step, text_only),
            Effect::CancelProvider => self.stream = None,
            Effect::RunTool(call) => self.run_tool(call),
            Effect::CancelTool { call_id } => {
                if let Some(handle) = self.call_handles.remove(&call_id) {
                    handle.abort();
                }
            }
            Effect::PersistIntent(step) => {
                let (inner, fence) = (Arc::clone(&self.inner), self.journal.fence().clone());
                self.write(Event::IntentPersisted, move || {
                    let (inner, fence, step) = (Arc::clone(&inner), fence.clone(), step.clone());
                    async move { inner.store.record_intent(&fence, &step).await }
                });
            }
            Effect::PersistStep(step) => self.persist_step(step),
            Effect::EmitChunk(chunk) => {
                let encoded: Arc<str> = chunk.encode().into();
                self.log.append(Arc::clone(&encoded));
                self.journal.chunk(chunk, &encoded);
            }
            Effect::ArmTimer { timer, after } => {
                self.timers.insert(timer, Instant::now() + after);
            }
            Effect::DisarmTimer(timer) => {
                self.timers.remove(&timer);
            }
            Effect::Settle(settlement) => self.settle(&settlement),
            Effect::Release => self.release(),
            Effect::End(ending) => self.end(ending),
        }
    }

    fn call_provider(&mut self, step: u32, text_only: bool) {
        if step > 0 {
            self.log.step_begins(self.journal.next_sequence());
        }
        self.call = (step, text_only);
        let steps = self.journal.steps_for_the_model();
        for step in steps.iter().skip(self.told_steps) {
            self.conversation.add_step(step);
        }
        self.told_steps = steps.len();
        let max_steps = self.inner.options.runs.max_steps;
        let system = prepare_agent_step(step, &self.system, max_steps)
            .map_or_else(|| self.system.clone(), |prepared| prepared.system);
        let tools = self.tools.definitions();
        if let Some(budget) = history::budget(self.provider.as_ref(), &system, &tools) {
            self.conversation.trim(budget);
        }
        self.journal.note_history(&self.conversation);
        let request = ChatRequest {
            system,
            messages: std::mem::take(self.conversation.messages_mut()),
            tools,
            tool_choice: if text_only { ToolChoice::None } else { ToolChoice::Auto },
            options: self.provider.options(),
        };
        let tools = Arc::clone(&self.tools);
        let checked = self.provider.stream(&request).then(move |item| {
            let tools = Arc::clone(&tools);
            async move {
                if let Ok(StreamPart::ToolCall { name, arguments, run_by: RunBy::Host, .. }) = &item {
                    tools.check_ahead(name, arguments).await;
                }
                item
            }
        });
        self.stream = Some(checked.boxed());
        *self.conversation.messages_mut() = request.messages;
    }

    /// Whether the provider finds the conversation too long and is asked again with half of it: once, and before anything
    /// of an answer was shown.
    fn goes_on_with_less(&mut self, failure: &ProviderFailure) -> bool {
        if failure.kind != FailureKind::ContextOverflow || failure.answered || self.found_too_long {
            return false;
        }
        self.found_too_long = true;
        if !self.conversation.trim(self.conversation.tokens() / 2) {
            return false;
        }
        tracing::debug!("the provider found the conversation too long; it is asked again with less of it");
        let (step, text_only) = self.call;
        self.call_provider(step, text_only);
        true
    }

    fn run_tool(&mut self, call: ToolCall) {
        let Some(handler) = self.tools.handler(&call.name) else {
            return;
        };
        let call_id = call.call_id.clone();
        let invocation = ToolInvocation {
            call_id: call.call_id,
            name: call.name,
            input: call.input,
            chat_id: self.ids.chat,
            run_id: self.ids.run,
            message_id: self.ids.message,
        };
        let (progress, mut shown) = ToolProgress::new();
        let id = call_id.clone();
        let shown = futures_util::stream::poll_fn(move |context| {
            shown.poll_recv(context).map(|output| Some(Event::ToolShows { call_id: id.clone(), output: output? }))
        });
        self.shown.push(shown.boxed());
        // In a task of its own: a tool that panics ends its call and nothing else.
        let validates = self.tools.validates_input(&invocation.name);
        let task = self.inner.runtime.spawn(async move {
            let mut invocation = invocation;
            if validates {
                invocation.input = match handler.validate(&invocation).await {
                    Ok(input) => input,
                    Err(problem) => return Err(format!("Invalid input for tool {}: {problem}", invocation.name)),
                };
            }
            handler.call_showing(invocation, progress).await
        });
        self.call_handles.insert(call_id.clone(), task.abort_handle());
        self.calls.push(Box::pin(async move {
            let outcome: Result<Json, String> = match task.await {
                Ok(outcome) => outcome,
                Err(error) if error.is_cancelled() => Err("The tool call was cancelled.".to_owned()),
                Err(_) => Err("The tool panicked.".to_owned()),
            };
            Event::ToolFinished { call_id, outcome }
        }));
    }

    fn persist_step(&mut self, step: StepRecord) {
        self.call_handles.clear();
        self.pack_as_numbered();
        let due = self.rows.due(std::time::Instant::now(), &self.inner.options.runs);
        let record = self.journal.record_step(step, due);
        let inner = Arc::clone(&self.inner);
        self.write(Event::StepPersisted, move || {
            let (inner, record) = (Arc::clone(&inner), record.clone());
            async move { inner.store.record_step(record).await }
        });
    }

    fn settle(&mut self, settlement: &Settlement) {
        self.pack_as_numbered();
        let settle = self.journal.settle(settlement);
        self.outcome = Some(RunOutcome {
            run_id: self.ids.run,
            chat_id: self.ids.chat,
            message_id: self.ids.message,
            status: settlement.status,
            reason: settlement.reason,
            error: settlement.error.clone(),
            failure: settlement.failure.clone(),
            finish_reason: settlement.finish_reason,
            usage: settlement.usage,
            step_count: u32::try_from(self.journal.steps().len()).unwrap_or(u32::MAX),
        });
        self.inner.registry.settling(self.ids.run, true);
        let (inner, failed) = (Arc::clone(&self.inner), Arc::clone(&self.failed_instead));
        self.write(Event::Settled, move || {
            let (inner, settle, failed) = (Arc::clone(&inner), settle.clone(), Arc::clone(&failed));
            async move {
                let fence = settle.fence.clone();
                match inner.store.settle_run(settle).await {
                    Err(error) if sweep::is_for_good(&error) => {
                        // As far as it can be written: what cannot is left out, so that the chat is free again.
                        tracing::error!(%error, run_id = %fence.run_id, "the end of a run was refused");
                        inner.store.fail_run(&fence, NOT_WRITTEN).await?;
                        failed.store(true, Ordering::SeqCst);
                        Ok(())
                    }
                    settled => settled,
                }
            }
        });
    }

    fn release(&mut self) {
        let (inner, fence, pack) = (Arc::clone(&self.inner), self.journal.fence().clone(), self.journal.take_pack());
        self.write(Event::Released, move || {
            let (inner, fence, pack) = (Arc::clone(&inner), fence.clone(), pack.clone());
            async move {
                if let Some(pack) = pack {
                    inner.store.append_pack(&fence, &pack).await?;
                }
                inner.store.release_run(&fence).await
            }
        });
    }

    fn end(&mut self, ending: Ending) {
        self.over = true;
        self.inner.registry.ended(self.ids.run);
        self.log.end();
        let outcome = self.outcome.take().map(|outcome| {
            if !self.failed_instead.load(Ordering::SeqCst) {
                return outcome;
            }
            let (reason, error) = (Some(RunReason::Internal), Some(NOT_WRITTEN.to_owned()));
            let failure = Some(RunFailure::new(FailureKind::Internal, NOT_WRITTEN));
            RunOutcome { status: RunStatus::Failed, reason, error, failure, ..outcome }
        });
        self.finished.send_replace(Some(match (ending, outcome) {
            (Ending::Settled, Some(outcome)) => Finished::Settled(Box::new(outcome)),
            (Ending::LeaseLost, _) => Finished::LeaseLost,
            (Ending::Settled | Ending::Unsettled, _) => Finished::Unsettled,
        }));
        self.inner.registry.remove(self.ids.run);
        self.inner.chat_freed();
    }
}

impl Drop for Driver {
    /// Also when the driver itself panics: nobody may wait for ever, and no tool may go on unseen.
    fn drop(&mut self) {
        self.call_handles.values().for_each(AbortHandle::abort);
        if !self.over {
            self.end(Ending::Unsettled);
        }
    }
}

/// What is said of a run whose end could not be written as it was.
const NOT_WRITTEN: &str = "The run could not be written to the store.";

/// Writes until the store has answered for good, and returns what went wrong. A store that is out of reach is asked
/// again for as long as `patience`.
pub(super) async fn persist<F>(patience: Duration, mut write: impl FnMut() -> F + Send) -> Option<Event>
where
    F: Future<Output = Result<()>> + Send,
{
    let (begun, mut wait) = (Instant::now(), RETRY_WAIT);
    loop {
        match write().await {
            Ok(()) => return None,
            Err(error) => match error.code() {
                ErrorCode::LeaseLost => return Some(Event::LeaseLost),
                ErrorCode::StoreUnavailable if !error.is_lasting() && begun.elapsed() < patience => {
                    tracing::warn!(%error, "a write failed and will be attempted again");
                    sleep(wait).await;
                    wait = (wait * 2).min(MAX_RETRY_WAIT);
                }
                _ => {
                    tracing::error!(%error, "a write was refused");
                    return Some(Event::PersistFailed);
                }
            },
        }
    }
}

async fn ready_or_never<T>(future: Option<&mut BoxFuture<'static, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

async fn next_part(
    stream: Option<&mut BoxStream<'static, Result<StreamPart, ProviderFailure>>>,
) -> Option<Result<StreamPart, ProviderFailure>> {
    match stream {
        Some(stream) => stream.next().await,
        None => std::future::pending().await,
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn fire(deadline: Option<(Timer, Instant)>) -> Timer {
    match deadline {
        Some((timer, at)) => {
            sleep_until(at).await;
            timer
        }
        None => std::future::pending().await,
    }
}
