//! Runs of hosts that keep their own agent loop: the gate, the log, leases, stops and the end, without the loop.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, mpsc, watch};

use crate::engine::options::{Busy, UserMessage, check_key, check_owner};
use crate::engine::{Engine, Inner, Who};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{AgentRoleId, ChatId, ChatRef, MessageId, RunId};
use crate::log::journal::{Journal, Rows};
use crate::machine::{Event, Settlement, StopCause};
use crate::model::{
    FinishReason, INCOMPLETE_CALL, Json, Part, RunReason, RunStatus, StepRecord, TextPart, ToolPart, ToolState,
    Trigger, Usage,
};
use crate::project::OpenPage;
use crate::text::{one_line, storable};

use super::begin::{Beginning, Outcome};
use super::stops::stop_if_noted;

/// What a run of a host is begun with.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostedRequest {
    /// The workspace.
    pub workspace_id: String,
    /// The user.
    pub user_id: String,
    /// The chat; it is created when there is none of this id, and when no id is given.
    #[serde(default)]
    pub chat_id: Option<ChatRef>,
    /// What the user wrote; nothing when the host has stored that itself.
    #[serde(default)]
    pub message: Option<UserMessage>,
    /// The role of a chat that is created.
    #[serde(default)]
    pub role_id: Option<AgentRoleId>,
    /// The page that the user has open.
    #[serde(default)]
    pub open_page: Option<OpenPage>,
    /// What begins the run.
    #[serde(default = "api")]
    pub trigger: Trigger,
    /// What to do when the chat is busy: refuse, or supersede. The engine cannot begin a host's loop later.
    #[serde(default)]
    pub busy: Busy,
    /// A second begin of the same user with the same key begins nothing.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

fn api() -> Trigger {
    Trigger::Api
}

/// A run that the host drives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HostedRun {
    /// The run.
    pub run_id: RunId,
    /// Its chat.
    pub chat_id: ChatId,
    /// The assistant's message, whose row the engine writes.
    pub message_id: MessageId,
    /// The run had been begun before, with the same idempotency key; it is not to be driven again.
    pub repeated: bool,
}

/// A finished step of a host's loop: the AI SDK's step result. Its `content` is taken where there is one; otherwise text,
/// reasoning and calls.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HostedStep {
    /// Its place in the run, from 0; the next one unless given. Recording a step again changes nothing.
    pub number: Option<u32>,
    /// Everything in its order.
    pub content: Option<Vec<HostedContent>>,
    /// What the model thought.
    pub reasoning_text: Option<String>,
    /// What it wrote.
    pub text: Option<String>,
    /// What it called.
    pub tool_calls: Option<Vec<HostedCall>>,
    /// What came back.
    pub tool_results: Option<Vec<HostedResult>>,
    /// What failed.
    pub tool_errors: Option<Vec<HostedError>>,
    /// Why the model stopped.
    pub finish_reason: Option<FinishReason>,
    /// The provider's count for this call.
    pub usage: Option<Usage>,
}

/// One entry of a step's content.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostedContent {
    r#type: String,
    text: Option<String>,
    tool_call_id: Option<String>,
    tool_name: Option<String>,
    input: Option<Json>,
    output: Option<Json>,
    error: Option<Json>,
    provider_metadata: Option<Json>,
}

/// A tool call of a step.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostedCall {
    tool_call_id: String,
    tool_name: String,
    input: Option<Json>,
    provider_metadata: Option<Json>,
}

/// A tool's result.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostedResult {
    tool_call_id: String,
    output: Option<Json>,
}

/// A tool's failure: a text, or an object with a `message`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostedError {
    tool_call_id: String,
    error: Option<Json>,
    error_text: Option<String>,
}

/// How a host's run ends.
#[derive(Clone, Debug)]
pub struct HostedFinish {
    /// `succeeded`, `failed` or `aborted`.
    pub status: RunStatus,
    /// Why it did not succeed; `stopped` and `internal` unless given.
    pub reason: Option<RunReason>,
    /// The error in one line, of a run that failed.
    pub error: Option<String>,
    /// The last step's finish reason, unless that step said it.
    pub finish_reason: Option<FinishReason>,
    /// A last step, or what there was of it, to be written together with the end.
    pub step: Option<HostedStep>,
}

/// Why a host is to end its loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunSignal {
    /// Somebody asked the run to stop: cancel what is under way and finish it as `aborted`.
    Stopped,
    /// Another run is to take its place: as `Stopped`.
    Superseded,
    /// The engine is closing. The run is settled without the host.
    Shutdown,
    /// The run is another process's; nothing more can be written.
    LeaseLost,
    /// The run has ended.
    Settled,
}

/// The runs of hosts in this process.
#[derive(Default)]
pub(crate) struct Hosted {
    runs: std::sync::Mutex<HashMap<RunId, Arc<HostedState>>>,
}

struct HostedState {
    journal: Mutex<Writing>,
    signal: watch::Sender<Option<RunSignal>>,
    /// When the host's loop last recorded something.
    heard: watch::Sender<Instant>,
    /// Changes with whatever a host does for the run.
    cared: watch::Sender<()>,
}

impl HostedState {
    fn heard(&self) {
        self.heard.send_replace(Instant::now());
    }
}

struct Writing {
    journal: Journal,
    rows: Rows,
}

impl Writing {
    /// The number of the step that comes next.
    fn next_number(&self) -> u32 {
        u32::try_from(self.journal.steps().len()).unwrap_or(u32::MAX)
    }
}

impl Hosted {
    fn get(&self, run_id: RunId) -> Option<Arc<HostedState>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).get(&run_id).cloned()
    }

    fn insert(&self, run_id: RunId, state: Arc<HostedState>) {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).insert(run_id, state);
    }

    fn ids(&self) -> Vec<RunId> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    fn remove(&self, run_id: RunId) -> Option<Arc<HostedState>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).remove(&run_id)
    }
}

impl HostedRequest {
    fn check(&self) -> Result<Option<Vec<Part>>> {
        check_owner("workspaceId", &self.workspace_id)?;
        check_owner("userId", &self.user_id)?;
        check_key(self.idempotency_key.as_deref())?;
        if self.busy == Busy::Enqueue {
            return Err(Error::invalid("busy", "must be reject or supersede for a run that the host drives"));
        }
        self.message.as_ref().map(UserMessage::parts).transpose()
    }
}

impl Engine {
    /// Begins a run that the host drives by [`Engine::record_step`] and [`Engine::finish_run`]. Its lease is renewed
    /// while this engine is open.
    ///
    /// # Errors
    /// As [`Engine::start_turn`], without those of the provider.
    pub async fn begin_run(&self, request: HostedRequest) -> Result<HostedRun> {
        // In a task of its own: a caller that goes away half-way must not leave a run that nobody knows of.
        let begun = self.inner.runtime.spawn(begin(Arc::clone(&self.inner), request));
        begun.await.unwrap_or_else(|_| Err(Error::internal("beginning the run was interrupted")))
    }

    /// Puts a finished step of the host's loop on disk. Returns its number once it is there.
    ///
    /// # Errors
    /// `INVALID_INPUT` with the field's path, `LEASE_LOST` when the run has ended or is another process's,
    /// `STORE_UNAVAILABLE` (the step may be recorded again), and those of [`Engine::run`].
    pub async fn record_step(&self, who: &Who, run_id: RunId, step: HostedStep) -> Result<u32> {
        let state = self.hosted(who, run_id).await?;
        let inner = Arc::clone(&self.inner);
        // In a task of its own: what is on its way to the disk has to be accounted for, whoever waits for it.
        let recorded = self.inner.runtime.spawn(async move { inner.record_hosted(run_id, &state, step).await });
        recorded.await.unwrap_or_else(|_| Err(Error::internal("recording the step was interrupted")))
    }

    /// Ends the host's run. Ending it again the same way changes nothing.
    ///
    /// # Errors
    /// As [`Engine::record_step`].
    pub async fn finish_run(&self, who: &Who, run_id: RunId, finish: HostedFinish) -> Result<()> {
        if finish.status.is_active() {
            return Err(Error::invalid("status", "must be succeeded, failed or aborted"));
        }
        let state = match self.hosted(who, run_id).await {
            Ok(state) => state,
            // The answer to an earlier attempt may have been lost on its way.
            Err(error) if error.code() == ErrorCode::LeaseLost => {
                let run = self.run(who, run_id).await?;
                return if run.status == finish.status { Ok(()) } else { Err(error) };
            }
            Err(error) => return Err(error),
        };
        let reason = match (finish.status, finish.reason) {
            (RunStatus::Succeeded, _) => None,
            (RunStatus::Failed, None) => Some(RunReason::Internal),
            (_, None) => Some(match *state.signal.borrow() {
                Some(RunSignal::Superseded) => RunReason::Superseded,
                Some(RunSignal::Shutdown) => RunReason::Shutdown,
                _ => RunReason::Stopped,
            }),
            (_, given) => given,
        };
        let error = finish.error.as_deref().filter(|_| finish.status == RunStatus::Failed);
        let error = error.map(|error| storable(one_line(error))).filter(|error| !error.is_empty());
        let end = HostedFinish { reason, error, ..finish };
        let inner = Arc::clone(&self.inner);
        let settled = self.inner.runtime.spawn(async move { inner.settle_hosted(run_id, &state, end).await });
        settled.await.unwrap_or_else(|_| Err(Error::internal("ending the run was interrupted")))
    }

    /// Gives up a run whose host has forgotten it, such as a handle that nobody holds any more: it is settled as
    /// `worker_lost`. Does nothing for a run that has ended, or that this engine has not begun for a host.
    pub fn abandon_run(&self, run_id: RunId) {
        let inner = Arc::clone(&self.inner);
        if inner.hosted.get(run_id).is_some() {
            self.inner.runtime.spawn(async move { inner.abandon_hosted(run_id).await });
        }
    }

    /// The same unless a host cares for the run after all within `runs.stopDeadlineMs`: records a step, ends it, or waits
    /// for its signal. For handles that are gone of runs that may be driven by their ids.
    pub fn abandon_run_unless_driven(&self, run_id: RunId) {
        let Some(state) = self.inner.hosted.get(run_id) else { return };
        let (engine, within) = (Arc::downgrade(&self.inner), self.inner.options.runs.stop_deadline());
        let mut cared = state.cared.subscribe();
        drop(state);
        self.inner.runtime.spawn(async move {
            if tokio::time::timeout(within, cared.changed()).await.is_err()
                && let Some(inner) = engine.upgrade()
            {
                inner.abandon_hosted(run_id).await;
            }
        });
    }

    /// Gives up all runs that this engine has begun for hosts, as [`Engine::abandon_run`], because whoever could have
    /// driven them is gone.
    pub fn abandon_runs(&self) {
        for run_id in self.inner.hosted.ids() {
            self.abandon_run(run_id);
        }
    }

    /// Waits until the host is to end its loop, and says why. Returns at once when it was to already.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn run_signal(&self, who: &Who, run_id: RunId) -> Result<RunSignal> {
        // Looked for first: a run that is not a host's any more has ended on disk before.
        let state = self.inner.hosted.get(run_id);
        let run = self.run(who, run_id).await?;
        let Some(state) = state else {
            return Ok(if run.status.is_active() { RunSignal::LeaseLost } else { RunSignal::Settled });
        };
        state.cared.send_replace(());
        let mut signal = state.signal.subscribe();
        let seen = signal.wait_for(Option::is_some).await.map(|seen| *seen);
        Ok(seen.ok().flatten().unwrap_or(RunSignal::Settled))
    }

    async fn hosted(&self, who: &Who, run_id: RunId) -> Result<Arc<HostedState>> {
        self.inner.ensure_not_closed()?;
        self.run(who, run_id).await?;
        let state = self.inner.hosted.get(run_id).ok_or_else(crate::store::lease_lost)?;
        state.cared.send_replace(());
        Ok(state)
    }
}

impl Inner {
    async fn record_hosted(&self, run_id: RunId, state: &HostedState, step: HostedStep) -> Result<u32> {
        let mut writing = state.journal.lock().await;
        let number = writing.next_number();
        match step.number {
            Some(given) if given < number => return Ok(given),
            Some(given) if given > number => {
                return Err(Error::invalid("step.number", format!("must be {number}: steps follow each other")));
            }
            _ => {}
        }
        let step = step.into_record(number, self.options.runs.shown_output_bytes)?;
        state.heard();
        let due = writing.rows.due(Instant::now());
        let record = writing.journal.record_step(step, due);
        let written = self.store.record_step(record).await;
        match &written {
            Ok(()) => writing.journal.step_persisted(),
            Err(_) => writing.journal.step_refused(),
        }
        drop(writing);
        match written {
            Ok(()) => {
                self.changed(run_id);
                Ok(number)
            }
            Err(error) => {
                if error.code() == ErrorCode::LeaseLost {
                    self.leave_hosted(run_id, RunSignal::LeaseLost);
                }
                Err(error)
            }
        }
    }

    async fn settle_hosted(&self, run_id: RunId, state: &HostedState, end: HostedFinish) -> Result<()> {
        let HostedFinish { status, reason, error, finish_reason, step } = end;
        let mut writing = state.journal.lock().await;
        let number = writing.next_number();
        let shown = self.options.runs.shown_output_bytes;
        let step = step.map(|step| step.into_record(number, shown)).transpose()?;
        let steps = writing.journal.steps().iter().chain(&step);
        let usage = steps.clone().fold(None, |sum, step| Usage::accumulate(sum, step.usage));
        let last = steps.last();
        let finish_reason = match status {
            RunStatus::Failed => Some(FinishReason::Error),
            _ => finish_reason.or_else(|| last.and_then(|step| step.finish_reason)),
        };
        let context_tokens = last.and_then(|step| step.usage?.context_tokens());
        let settlement =
            Settlement { status, reason, error, failure: None, finish_reason, step, usage, context_tokens };
        let settle = writing.journal.settle(&settlement);
        self.registry.settling(run_id, true);
        let settled = self.store.settle_run(settle).await;
        if settled.is_err() {
            self.registry.settling(run_id, false);
            writing.journal.settlement_refused();
        }
        drop(writing);
        match &settled {
            Ok(()) => self.leave_hosted(run_id, RunSignal::Settled),
            Err(error) if error.code() == ErrorCode::LeaseLost => self.leave_hosted(run_id, RunSignal::LeaseLost),
            Err(_) => {}
        }
        settled
    }

    /// Ends a run whose host has forgotten it.
    async fn abandon_hosted(&self, run_id: RunId) {
        let Some(state) = self.hosted.get(run_id) else { return };
        while !self.end_hosted(run_id, &state, RunReason::WorkerLost).await {
            tokio::time::sleep(SETTLE_WAIT).await;
            if self.ensure_not_closed().is_err() {
                return;
            }
        }
    }

    fn leave_hosted(&self, run_id: RunId, signal: RunSignal) {
        if let Some(state) = self.hosted.remove(run_id) {
            state.signal.send_replace(Some(signal));
        }
        self.registry.remove(run_id);
        self.changed(run_id);
        self.chat_freed();
    }
}

async fn begin(inner: Arc<Inner>, request: HostedRequest) -> Result<HostedRun> {
    inner.ensure_open()?;
    let parts = request.check()?;
    let beginning = Beginning {
        workspace_id: &request.workspace_id,
        user_id: &request.user_id,
        chat_id: inner.chat_of(request.chat_id.as_ref(), &request.workspace_id, &request.user_id)?,
        role_id: request.role_id,
        open_page: request.open_page.as_ref(),
        trigger: request.trigger,
        busy: request.busy,
        idempotency_key: request.idempotency_key.as_deref(),
        parts: parts.as_deref(),
        envelope: request.message.as_ref().map(UserMessage::envelope).transpose()?.unwrap_or_default(),
        plan: None,
        unowned: false,
    };
    if let Some(run_id) = beginning.repeated(&inner).await? {
        return repeated(&inner, run_id).await;
    }
    let found = beginning.precheck(&inner).await?;
    let (user_message_id, ids) = beginning.new_ids(&found);
    let fence = match beginning.begin(&inner, ids, user_message_id).await? {
        Outcome::Begun(fence) => fence,
        Outcome::Repeated(run_id) => return repeated(&inner, run_id).await,
        Outcome::Waits(_) => return Err(Error::internal("a host's run cannot wait")),
    };
    let (control, events) = mpsc::unbounded_channel();
    let runs = &inner.options.runs;
    let rows = Rows::new(runs.lease(), runs.refresh_every_step);
    let journal = Mutex::new(Writing { journal: Journal::new(fence, None), rows });
    let heard = watch::Sender::new(Instant::now());
    let cared = watch::Sender::new(());
    let state = Arc::new(HostedState { journal, signal: watch::Sender::new(None), heard, cared });
    inner.hosted.insert(ids.run, Arc::clone(&state));
    inner.registry.add(ids.run, control);
    inner.runtime.spawn(listen(Arc::downgrade(&inner), ids.run, state, events));
    stop_if_noted(&inner, beginning.stop_note(), ids.run).await;
    if inner.ensure_open().is_err() {
        inner.registry.tell(ids.run, Event::StopRequested(StopCause::Shutdown));
    }
    Ok(HostedRun { run_id: ids.run, chat_id: ids.chat, message_id: ids.message, repeated: false })
}

async fn repeated(inner: &Inner, run_id: RunId) -> Result<HostedRun> {
    let run = inner.store.run(run_id).await?;
    let gone = || Error::internal("the run of an idempotency key is gone");
    let run = run.ok_or_else(gone)?;
    let message_id = run.assistant_message_id.ok_or_else(gone)?;
    Ok(HostedRun { run_id, chat_id: run.chat_id, message_id, repeated: true })
}

/// How often the end of a run whose host does not write it is attempted.
const SETTLE_WAIT: Duration = Duration::from_millis(500);

/// Passes on what the rest of the engine has to say to the run, and ends it when its host does not: in time after a stop,
/// at once when the engine closes, and after the silence that is allowed. Does not keep the engine.
async fn listen(
    engine: Weak<Inner>,
    run_id: RunId,
    state: Arc<HostedState>,
    mut events: mpsc::UnboundedReceiver<Event>,
) {
    let Some(limits) = engine.upgrade().map(|inner| inner.options.runs) else { return };
    let silence = limits.hosted_silence_ms.map(Duration::from_millis);
    let mut heard = state.heard.subscribe();
    // When the run is to be ended for its host, and as what.
    let mut due: Option<(tokio::time::Instant, RunReason)> = None;
    loop {
        let silent_at = silence.map(|limit| tokio::time::Instant::from_std(*heard.borrow_and_update()) + limit);
        let event = tokio::select! {
            biased;
            event = events.recv() => match event {
                Some(event) => event,
                None => return,
            },
            () = until(due.map(|(at, _)| at)) => {
                let (Some((_, reason)), Some(inner)) = (due, engine.upgrade()) else { return };
                if inner.end_hosted(run_id, &state, reason).await {
                    return;
                }
                due = Some((tokio::time::Instant::now() + SETTLE_WAIT, reason));
                continue;
            }
            _ = heard.changed(), if silence.is_some() => continue,
            () = until(silent_at) => {
                state.signal(RunSignal::Stopped);
                due.get_or_insert((tokio::time::Instant::now(), RunReason::Timeout));
                heard.mark_unchanged();
                state.heard();
                continue;
            }
        };
        let now = tokio::time::Instant::now();
        let (signal, at, reason) = match event {
            // The grace for the host is over by now.
            Event::StopRequested(StopCause::Shutdown) => (RunSignal::Shutdown, now, RunReason::Shutdown),
            Event::StopRequested(StopCause::Superseded) => {
                (RunSignal::Superseded, now + limits.stop_deadline(), RunReason::Superseded)
            }
            Event::StopRequested(cause @ StopCause::Other(_)) => {
                (RunSignal::Stopped, now + limits.stop_deadline(), cause.reason())
            }
            Event::StopRequested(_) => (RunSignal::Stopped, now + limits.stop_deadline(), RunReason::Stopped),
            Event::LeaseLost => {
                let Some(inner) = engine.upgrade() else { return };
                return inner.leave_hosted(run_id, RunSignal::LeaseLost);
            }
            _ => continue,
        };
        state.signal(signal);
        due = match due {
            Some((earlier, reason)) if earlier <= at => Some((earlier, reason)),
            _ => Some((at, reason)),
        };
    }
}

async fn until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

impl HostedState {
    /// The first signal is the one that counts.
    fn signal(&self, signal: RunSignal) {
        self.signal.send_if_modified(|known| {
            let news = known.is_none();
            if news {
                *known = Some(signal);
            }
            news
        });
    }
}

impl Inner {
    /// Ends a run whose host does not. `false` when that is to be attempted again.
    async fn end_hosted(&self, run_id: RunId, state: &HostedState, reason: RunReason) -> bool {
        let end = HostedFinish {
            status: RunStatus::Aborted,
            reason: Some(reason),
            error: None,
            finish_reason: None,
            step: None,
        };
        match self.settle_hosted(run_id, state, end).await {
            Ok(()) => true,
            Err(error) if error.code() == ErrorCode::LeaseLost => true,
            Err(error) if reason == RunReason::Shutdown || error.is_lasting() => {
                tracing::warn!(%error, "a host's run could not be settled; a later sweep will");
                self.leave_hosted(run_id, RunSignal::LeaseLost);
                true
            }
            Err(error) => {
                tracing::warn!(%error, "a host's run could not be settled; that will be repeated");
                false
            }
        }
    }
}

impl HostedStep {
    /// The step as a row of the log, of whose outputs pages are shown so many bytes.
    fn into_record(self, number: u32, shown_bytes: u64) -> Result<StepRecord> {
        let mut parts = vec![Part::StepStart];
        match self.content {
            Some(content) => {
                for (place, entry) in content.into_iter().enumerate() {
                    entry.add_to(&mut parts, &format!("step.content[{place}]"))?;
                }
            }
            None => {
                let text =
                    |text: Option<String>| text.filter(|text| !text.is_empty()).map(storable).map(TextPart::done);
                parts.extend(text(self.reasoning_text).map(Part::Reasoning));
                parts.extend(text(self.text).map(Part::Text));
                parts.extend(self.tool_calls.into_iter().flatten().map(|call| {
                    Part::Tool(ToolPart {
                        provider_metadata: call.provider_metadata,
                        ..ToolPart::new(call.tool_name, call.tool_call_id, call.input, ToolState::InputAvailable)
                    })
                }));
            }
        }
        for result in self.tool_results.into_iter().flatten() {
            set_outcome(&mut parts, &result.tool_call_id, ToolState::OutputAvailable(result.output));
        }
        for failure in self.tool_errors.into_iter().flatten() {
            let text = failure.error_text.map_or_else(|| error_text(failure.error), storable);
            set_outcome(&mut parts, &failure.tool_call_id, ToolState::OutputError(text));
        }
        for part in &mut parts {
            if let Part::Tool(tool) = part
                && tool.state == ToolState::InputAvailable
            {
                tool.state = ToolState::OutputError(INCOMPLETE_CALL.to_owned());
            }
        }
        let parts = parts.into_iter().map(|part| match part {
            Part::Tool(tool) => Part::Tool(tool.showing(shown_bytes)),
            other => other,
        });
        Ok(StepRecord { number, parts: parts.collect(), finish_reason: self.finish_reason, usage: self.usage })
    }
}

impl HostedContent {
    fn add_to(self, parts: &mut Vec<Part>, path: &str) -> Result<()> {
        let missing = |field: &str| Error::invalid(format!("{path}.{field}"), "is missing");
        match self.r#type.as_str() {
            "text" | "reasoning" => {
                let text = storable(self.text.ok_or_else(|| missing("text"))?);
                let part = TextPart { text, done: true, provider_metadata: self.provider_metadata };
                parts.push(if self.r#type == "text" { Part::Text(part) } else { Part::Reasoning(part) });
            }
            "tool-call" => {
                let name = self.tool_name.ok_or_else(|| missing("toolName"))?;
                let call_id = self.tool_call_id.ok_or_else(|| missing("toolCallId"))?;
                parts.push(Part::Tool(ToolPart {
                    provider_metadata: self.provider_metadata,
                    ..ToolPart::new(name, call_id, self.input, ToolState::InputAvailable)
                }));
            }
            "tool-result" => {
                let call_id = self.tool_call_id.ok_or_else(|| missing("toolCallId"))?;
                set_outcome(parts, &call_id, ToolState::OutputAvailable(self.output));
            }
            "tool-error" => {
                let call_id = self.tool_call_id.ok_or_else(|| missing("toolCallId"))?;
                set_outcome(parts, &call_id, ToolState::OutputError(error_text(self.error)));
            }
            // Sources and files are the host's to show; no provider is sent them again.
            _ => {}
        }
        Ok(())
    }
}

/// The first outcome of a call is the one that counts; one of a call that was not made says nothing.
fn set_outcome(parts: &mut [Part], call_id: &str, state: ToolState) {
    let call = parts.iter_mut().find_map(|part| match part {
        Part::Tool(tool) if tool.call_id == call_id && tool.state == ToolState::InputAvailable => Some(tool),
        _ => None,
    });
    if let Some(call) = call {
        call.state = state;
    }
}

fn error_text(error: Option<Json>) -> String {
    #[derive(Deserialize)]
    struct WithMessage {
        message: String,
    }
    let text = error
        .and_then(|error| error.as_string().or_else(|| error.read::<WithMessage>().ok().map(|error| error.message)));
    storable(text.filter(|text| !text.is_empty()).unwrap_or_else(|| "The tool failed.".to_owned()))
}
