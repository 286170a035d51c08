//! Carries out a machine's effects and tells it what came of them: one task per turn.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, FuturesUnordered};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until};

use crate::error::{ErrorCode, Result};
use crate::machine::{Effect, Ending, Event, RunMachine, Settlement, Timer, ToolCall, TurnIds};
use crate::model::{Json, MessageStatus, RunOutcome, RunStatus, StepRecord};
use crate::project::{AssistantFlush, FlushExtra, ModelMessage, append_steps, flush_run, prepare_agent_step};
use crate::provider::{ChatRequest, Provider, ProviderFailure, StreamPart, ToolChoice};
use crate::store::{Fence, RecordStep, SettleRun};
use crate::stream::ChunkLog;
use crate::tool::{ToolInvocation, ToolSet};

use super::Inner;

/// Up to this size the message row is rewritten at every step; beyond it only when the log has grown by half, so that
/// the work stays in proportion to what is new.
const REFRESH_ALWAYS_BYTES: usize = 64 * 1024;
/// The first wait before a write is attempted again; it doubles up to [`MAX_RETRY_WAIT`].
const RETRY_WAIT: Duration = Duration::from_millis(50);
/// The longest wait between attempts to write.
const MAX_RETRY_WAIT: Duration = Duration::from_secs(5);

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
    fence: Fence,
    system: String,
    history: Vec<ModelMessage>,
    provider: Arc<dyn Provider>,
    tools: Arc<ToolSet>,
    log: Arc<ChunkLog>,
    control: mpsc::UnboundedReceiver<Event>,
    finished: watch::Sender<Option<Finished>>,
    /// Every step of the log, in order.
    steps: Vec<StepRecord>,
    log_bytes: usize,
    refreshed_bytes: usize,
    stream: Option<BoxStream<'static, Result<StreamPart, ProviderFailure>>>,
    calls: FuturesUnordered<BoxFuture<'static, Event>>,
    call_handles: HashMap<String, AbortHandle>,
    timers: HashMap<Timer, Instant>,
    write: Option<BoxFuture<'static, Event>>,
    outcome: Option<RunOutcome>,
    over: bool,
}

impl Driver {
    #[allow(clippy::too_many_arguments, reason = "called once; a struct of the same fields would only repeat them")]
    pub(super) fn new(
        inner: Arc<Inner>,
        machine: RunMachine,
        ids: TurnIds,
        fence: Fence,
        (system, history): (String, Vec<ModelMessage>),
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
            fence,
            system,
            history,
            provider,
            tools,
            log,
            control,
            finished,
            steps: Vec::new(),
            log_bytes: 0,
            refreshed_bytes: 0,
            stream: None,
            calls: FuturesUnordered::new(),
            call_handles: HashMap::new(),
            timers: HashMap::new(),
            write: None,
            outcome: None,
            over: false,
        }
    }

    pub(super) async fn run(mut self) {
        let mut event = Event::Begun;
        let mut effects = Vec::new();
        loop {
            self.machine.handle(event, &mut effects);
            for effect in effects.drain(..) {
                self.carry_out(effect);
            }
            if self.over {
                return;
            }
            event = self.next_event().await;
        }
    }

    async fn next_event(&mut self) -> Event {
        let deadline = self.timers.iter().min_by_key(|(_, at)| **at).map(|(timer, at)| (timer.clone(), *at));
        tokio::select! {
            biased;
            Some(event) = self.control.recv() => event,
            event = ready_or_never(self.write.as_mut()) => {
                self.write = None;
                event
            }
            Some(event) = self.calls.next(), if !self.calls.is_empty() => event,
            timer = fire(deadline) => {
                self.timers.remove(&timer);
                Event::TimerFired(timer)
            }
            item = next_part(self.stream.as_mut()) => match item {
                Some(Ok(part)) => Event::Part(part),
                Some(Err(failure)) => Event::StreamFailed(failure),
                None => {
                    self.stream = None;
                    Event::StreamEnded
                }
            },
        }
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
                let (inner, fence) = (Arc::clone(&self.inner), self.fence.clone());
                self.write = Some(Box::pin(persist(Event::IntentPersisted, move || {
                    let (inner, fence, step) = (Arc::clone(&inner), fence.clone(), step.clone());
                    async move { inner.store.record_intent(&fence, &step).await }
                })));
            }
            Effect::PersistStep(step) => self.persist_step(step),
            Effect::EmitChunk(chunk) => self.log.append(chunk.encode()),
            Effect::ArmTimer { timer, after } => {
                self.timers.insert(timer, Instant::now() + after);
            }
            Effect::DisarmTimer(timer) => {
                self.timers.remove(&timer);
            }
            Effect::Settle(settlement) => self.settle(settlement),
            Effect::End(ending) => self.end(ending),
        }
    }

    fn call_provider(&mut self, step: u32, text_only: bool) {
        let mut messages = self.history.clone();
        append_steps(&mut messages, &self.steps);
        let max_steps = self.inner.options.runs.max_steps;
        let system = prepare_agent_step(step, &self.system, max_steps)
            .map_or_else(|| self.system.clone(), |prepared| prepared.system);
        self.stream = Some(self.provider.stream(&ChatRequest {
            system,
            messages,
            tools: self.tools.definitions(),
            tool_choice: if text_only { ToolChoice::None } else { ToolChoice::Auto },
        }));
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
        // In a task of its own: a tool that panics ends its call and nothing else.
        let task = self.inner.runtime.spawn(async move { handler.call(invocation).await });
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
        self.log_bytes += encoded_size(&step);
        self.steps.push(step.clone());
        let due = self.log_bytes <= REFRESH_ALWAYS_BYTES || self.log_bytes >= self.refreshed_bytes / 2 * 3;
        let refresh = due.then(|| {
            self.refreshed_bytes = self.log_bytes;
            flush_run(&self.steps, MessageStatus::Streaming, &self.extra(None))
        });
        let record = RecordStep { fence: self.fence.clone(), step, lease: self.inner.options.runs.lease(), refresh };
        let (inner, run_id) = (Arc::clone(&self.inner), self.ids.run);
        self.write = Some(Box::pin(persist(Event::StepPersisted, move || {
            let (inner, record) = (Arc::clone(&inner), record.clone());
            async move {
                let begun = std::time::Instant::now();
                inner.store.record_step(record).await?;
                inner.registry.renewed(run_id, begun);
                Ok(())
            }
        })));
    }

    fn extra(&self, settlement: Option<&Settlement>) -> FlushExtra {
        let step_usage = self.steps.last().and_then(|step| step.usage);
        let sum = self.steps.iter().fold(None, |sum, step| crate::model::Usage::accumulate(sum, step.usage));
        let known = FlushExtra {
            usage: sum,
            context_tokens: step_usage.and_then(crate::model::Usage::context_tokens),
            max_context_tokens: self.provider.context_window(),
            ..FlushExtra::default()
        };
        match settlement {
            None => known,
            Some(settlement) => FlushExtra {
                finish_reason: settlement.finish_reason.map(|reason| reason.as_str().to_owned()),
                usage: settlement.usage,
                context_tokens: settlement.context_tokens,
                error: settlement.error.clone(),
                ..known
            },
        }
    }

    fn settle(&mut self, settlement: Settlement) {
        if let Some(step) = &settlement.step
            && self.steps.last().is_none_or(|last| last.number < step.number)
        {
            self.steps.push(step.clone());
        }
        let status = match settlement.status {
            RunStatus::Succeeded => MessageStatus::Completed,
            RunStatus::Failed => MessageStatus::Error,
            RunStatus::Pending | RunStatus::Running | RunStatus::Aborted => MessageStatus::Aborted,
        };
        let assistant: AssistantFlush = flush_run(&self.steps, status, &self.extra(Some(&settlement)));
        self.outcome = Some(RunOutcome {
            run_id: self.ids.run,
            chat_id: self.ids.chat,
            message_id: self.ids.message,
            status: settlement.status,
            reason: settlement.reason,
            error: settlement.error.clone(),
            finish_reason: settlement.finish_reason,
            usage: settlement.usage,
            step_count: u32::try_from(self.steps.len()).unwrap_or(u32::MAX),
        });
        let settle = SettleRun {
            fence: self.fence.clone(),
            status: settlement.status,
            reason: settlement.reason,
            error: settlement.error,
            step: settlement.step,
            assistant,
        };
        let inner = Arc::clone(&self.inner);
        self.write = Some(Box::pin(persist(Event::Settled, move || {
            let (inner, settle) = (Arc::clone(&inner), settle.clone());
            async move { inner.store.settle_run(settle).await }
        })));
    }

    fn end(&mut self, ending: Ending) {
        self.over = true;
        self.log.end();
        self.finished.send_replace(Some(match (ending, self.outcome.take()) {
            (Ending::Settled, Some(outcome)) => Finished::Settled(Box::new(outcome)),
            (Ending::LeaseLost, _) => Finished::LeaseLost,
            (Ending::Settled | Ending::Unsettled, _) => Finished::Unsettled,
        }));
    }
}

impl Drop for Driver {
    /// Also when the driver itself panics: nobody may wait for ever, and no tool may go on unseen.
    fn drop(&mut self) {
        self.call_handles.values().for_each(AbortHandle::abort);
        if !self.over {
            self.end(Ending::Unsettled);
        }
        self.inner.registry.remove(self.ids.run);
    }
}

/// Writes until the store has answered for good. A store that is out of reach is asked again for as long as it takes.
async fn persist<F>(done: Event, mut write: impl FnMut() -> F + Send) -> Event
where
    F: Future<Output = Result<()>> + Send,
{
    let mut wait = RETRY_WAIT;
    loop {
        match write().await {
            Ok(()) => return done,
            Err(error) => match error.code() {
                ErrorCode::LeaseLost => return Event::LeaseLost,
                ErrorCode::StoreUnavailable => {
                    tracing::warn!(%error, "a write failed and will be attempted again");
                    sleep(wait).await;
                    wait = (wait * 2).min(MAX_RETRY_WAIT);
                }
                _ => {
                    tracing::error!(%error, "a write was refused");
                    return Event::PersistFailed;
                }
            },
        }
    }
}

async fn ready_or_never(future: Option<&mut BoxFuture<'static, Event>>) -> Event {
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

async fn fire(deadline: Option<(Timer, Instant)>) -> Timer {
    match deadline {
        Some((timer, at)) => {
            sleep_until(at).await;
            timer
        }
        None => std::future::pending().await,
    }
}

/// The size of the step's JSON, without building it.
fn encoded_size(step: &StepRecord) -> usize {
    struct Counter(usize);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    // Counting cannot fail; what cannot be encoded is reported by the store.
    let _ = serde_json::to_writer(&mut counter, step);
    counter.0
}
