//! The transitions: one method per event.

mod deferred;
mod repeats;
mod retrying;
mod rules;
mod steering;
mod taint;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crate::id::{ChatId, MessageId, RunId};
use crate::log::journal::Settlement;
use crate::log::replay::{RunEnd, block_id, start_chunk, waiting_chunk};
use crate::log::{ApprovalDetails, CallDetails, StreamMetadata, UiChunk};
use crate::model::{
    Answer, BlockKind, FailureKind, FinishReason, INCOMPLETE_CALL, Json, PAUSED_CALL, Part, Repeat, RunFailure,
    RunReason, RunStatus, StepRecord, Usage, WaitKind, call_key, timed_out_call,
};
use crate::project::{ErrorText, shown_output};
use crate::provider::{ProviderFailure, RunBy, StreamPart};
use crate::text::storable;
use crate::tool::ToolCatalog;

use super::budget::{Budget, Price, Spent};
use super::effect::{Effect, Ending, Timer, ToolCall};
use super::event::Event;
use super::retry::{Attempts, Retries, Switched};
use super::shown::{file_part, source_part};
use super::step::{Abandoned, Attempt, Call, CallPhase, Closed, StepBuilder};
pub(super) use rules::broken_rule;
use steering::{Counted, Joining};
use taint::Taint;
#[cfg(any(test, feature = "simulation"))]
pub(crate) use taint::TaintFlaw;
pub use taint::Tainting;

/// The ids that readers are told in the first chunk.
#[derive(Clone, Copy, Debug)]
pub struct TurnIds {
    /// The chat.
    pub chat: ChatId,
    /// The run.
    pub run: RunId,
    /// The assistant's message.
    pub message: MessageId,
}

/// The limits of a turn.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Model calls, the last of which is text only; at least 1.
    pub max_steps: u32,
    /// How long the provider may send nothing of its answer.
    pub provider_silence: Duration,
    /// The same until the first piece of an answer.
    pub first_chunk: Duration,
    /// How long a step may take, with its tools.
    pub step: Option<Duration>,
    /// How long the run may take.
    pub run: Option<Duration>,
    /// End a run whose model's output has fallen into a loop.
    pub degeneration_guard: bool,
    /// How many bytes one answer may have: its text, reasoning, files and the inputs of its calls.
    pub answer_bytes: u64,
    /// How many calls one answer may have.
    pub calls: u32,
    /// How many of them run at once.
    pub calls_at_once: u32,
    /// What the run may spend.
    pub budget: Budget,
    /// In whose words readers are told of a failure.
    pub error_text: ErrorText,
}

impl Limits {
    /// These limits of steps and silence, and no others.
    pub fn new(max_steps: u32, provider_silence: Duration) -> Self {
        let first_chunk = provider_silence;
        Self {
            max_steps,
            provider_silence,
            first_chunk,
            step: None,
            run: None,
            degeneration_guard: true,
            answer_bytes: u64::MAX,
            calls: u32::MAX,
            calls_at_once: u32::MAX,
            budget: Budget::default(),
            error_text: ErrorText::Safe,
        }
    }
}

/// Where a run stands: what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Created,
    Streaming,
    BackingOff,
    PersistingIntent,
    RunningTools,
    PersistingStep,
    Entering,
    Settling,
    Releasing,
    Suspending,
    Over,
}

/// How the run will end once its settlement is on disk.
#[derive(Clone, Debug)]
struct Close {
    end: RunEnd,
    finish_reason: Option<FinishReason>,
    /// What was counted before, of an end that is none while messages wait.
    counted: Option<Counted>,
}

/// One run of the agent loop. See the module's documentation for its rules.
pub struct RunMachine {
    ids: TurnIds,
    limits: Limits,
    tools: Arc<dyn ToolCatalog>,
    phase: Phase,
    number: u32,
    step: StepBuilder,
    /// Sum over the recorded steps and the one being settled.
    usage: Option<Usage>,
    spent: Spent,
    /// The answer that is awaited is the last one, and goes without tools.
    is_last: bool,
    /// The attempts at the step in progress, and which model they are of.
    attempts: Attempts,
    /// How long to wait before the next one.
    back_off: Duration,
    /// What readers are told of another model when its step begins, and what they were told in the step in progress.
    switched: Option<Switched>,
    told_switch: Option<Switched>,
    /// How many steps were withdrawn.
    withdrawn: u32,
    /// What the step costs that is withdrawn in favour of another model.
    spent_at: Option<Option<Price>>,
    context_tokens: Option<u64>,
    last_finish: Option<FinishReason>,
    /// A recorded step has text or a file in it.
    has_said_something: bool,
    call_ids: HashSet<String>,
    /// The deferred tools that are callable, in the order in which the model has asked for them.
    loaded: Vec<String>,
    stop: Option<RunReason>,
    close: Option<Close>,
    /// Others can go on with the run.
    hands_over: bool,
    handing_over: bool,
    /// The step that the run goes on with: its calls have waited.
    resumes: bool,
    untold: Vec<UiChunk>,
    told: Vec<String>,
    /// Messages that are to join the run.
    joining: Joining,
    /// What the run has read from outside, and what it may do then.
    taint: Taint,
}

impl RunMachine {
    /// A machine that waits for [`Event::Begun`].
    pub fn new(ids: TurnIds, limits: Limits, tools: Arc<dyn ToolCatalog>) -> Self {
        Self {
            ids,
            limits,
            tools,
            phase: Phase::Created,
            number: 0,
            step: StepBuilder::default(),
            usage: None,
            spent: Spent::default(),
            is_last: false,
            attempts: Attempts::default(),
            back_off: Duration::ZERO,
            switched: None,
            told_switch: None,
            withdrawn: 0,
            spent_at: None,
            context_tokens: None,
            last_finish: None,
            has_said_something: false,
            call_ids: HashSet::new(),
            loaded: Vec::new(),
            stop: None,
            close: None,
            hands_over: false,
            handing_over: false,
            resumes: false,
            untold: Vec::new(),
            told: Vec::new(),
            joining: Joining::default(),
            taint: Taint::default(),
        }
    }

    /// The same for a run that others can go on with when this process ends.
    pub fn handing_over(mut self) -> Self {
        self.hands_over = true;
        self
    }

    /// The same, which makes up for calls that fail.
    pub fn retrying(mut self, retries: Retries) -> Self {
        self.attempts = Attempts::new(retries);
        self
    }

    /// The same for a run that another process has driven so far: it goes on after these steps.
    pub fn after(mut self, steps: &[StepRecord]) -> Self {
        self.attempts.after(steps);
        for step in steps {
            // Also what was told with a step that was taken back.
            self.taint.note_told(step);
            self.number = step.number.saturating_add(1);
            self.spent.add_recorded(step, self.price());
            self.usage = Usage::accumulate(self.usage, step.usage);
            if step.is_withdrawn() {
                self.withdrawn = self.withdrawn.saturating_add(1);
                self.call_ids.extend(step.tools().map(|tool| tool.call_id.clone()));
                continue;
            }
            self.context_tokens = step.usage.and_then(Usage::context_tokens).or(self.context_tokens);
            self.last_finish = step.finish_reason.or(self.last_finish);
            self.has_said_something |= !step.text().trim().is_empty();
            self.note_loaded(step);
            self.taint.note_reads(step);
            self.call_ids.extend(step.parts.iter().filter_map(|part| match part {
                Part::Tool(tool) => Some(tool.call_id.clone()),
                _ => None,
            }));
        }
        self.joining = Joining::behind(steps.last());
        self
    }

    /// The same, which goes on within this step: `answers` are what came to calls of it that have waited. A call without
    /// an answer waits on. Readers are told first what is `untold` of the step, and not again how the calls came out of which
    /// they were `told`.
    pub fn resuming(
        mut self,
        step: StepRecord,
        (untold, told): (Vec<UiChunk>, Vec<String>),
        answers: impl Fn(&str) -> Option<Answer>,
    ) -> Self {
        (self.untold, self.told) = (untold, told);
        self.call_ids.extend(step.tools().map(|tool| tool.call_id.clone()));
        self.taint.note_told(&step);
        self.step = StepBuilder::restored(step);
        for call in self.step.calls_mut() {
            match (&call.phase, answers(&call.call_id)) {
                (CallPhase::Waiting(..), Some(answer)) => call.answer = Some(answer),
                (CallPhase::Waiting(input, kind), None) => {
                    let asks = self.tools.ask(&call.name, input).filter(|ask| ask.kind == *kind);
                    let is_asked = *kind == WaitKind::Approval;
                    call.ask = asks.or_else(|| is_asked.then(|| self.tools.approval(&call.name)));
                }
                _ => {}
            }
        }
        self.resumes = true;
        self
    }

    /// Takes an event and adds what is to be done to `effects`. Events that the phase has no use for are ignored.
    pub fn handle(&mut self, event: Event, effects: &mut Vec<Effect>) {
        let rule = broken_rule(&event, self.phase);
        debug_assert!(rule.is_none(), "{}: {} while {:?}", rule.unwrap_or_default(), event.name(), self.phase);
        #[cfg(test)]
        let (name, phase, before) = (event.name(), self.phase, effects.len());
        self.step_on(event, effects);
        #[cfg(test)]
        super::reached::note(name, phase, self.phase, effects.len() > before);
    }

    fn step_on(&mut self, event: Event, effects: &mut Vec<Effect>) {
        match (event, self.phase) {
            (_, Phase::Over) => {}
            (Event::Begun, Phase::Created) => self.begin(effects),
            (Event::Part(part), Phase::Streaming) => self.part(part, effects),
            (Event::StreamEnded, Phase::Streaming) => self.stream_ended(effects),
            (Event::StreamFailed(failure), Phase::Streaming) => {
                self.try_again_or_fail(failure, false, RunReason::ProviderError, effects);
            }
            (Event::IntentPersisted, Phase::PersistingIntent) => self.run_tools(effects),
            (Event::ToolFinished { call_id, outcome }, Phase::RunningTools) => {
                self.tool_finished(&call_id, outcome, effects);
            }
            (Event::EffectClosed { call_id, outcome }, Phase::RunningTools) => {
                self.effect_closed(&call_id, outcome, effects);
            }
            (Event::ToolShows { call_id, output }, Phase::RunningTools) => self.tool_shows(&call_id, output, effects),
            (Event::StepPersisted, Phase::PersistingStep) => self.step_persisted(effects),
            (Event::Steered, _) => self.steered(effects),
            (Event::SteeringEntered(messages), Phase::Entering) => self.entered(messages, effects),
            (Event::Settled, Phase::Settling) => self.settled(effects),
            (Event::FailedInstead, Phase::Settling) => self.failed_instead(effects),
            (Event::HandOver, _) => self.handing_over = self.hands_over,
            (Event::Released, Phase::Releasing) => self.lose_lease(effects),
            (Event::Suspended, Phase::Suspending) => self.suspended(effects),
            (Event::PersistFailed, phase) => self.persist_failed(phase, effects),
            (Event::StopRequested(cause), phase) => self.stop(cause.reason(), phase, effects),
            (Event::LeaseLost, _) => self.lose_lease(effects),
            (Event::TimerFired(timer), phase) => self.timer_fired(timer, phase, effects),
            _ => {}
        }
    }

    /// Whether the machine has nothing more to say.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    fn begin(&mut self, effects: &mut Vec<Effect>) {
        effects.push(Effect::EmitChunk(start_chunk(self.ids.chat, self.ids.run, self.ids.message)));
        if let Some(after) = self.limits.run.into_iter().chain(self.limits.budget.time).min() {
            effects.push(Effect::ArmTimer { timer: Timer::Run, after });
        }
        match () {
            () if self.resumes => self.resume(effects),
            () if self.joining.wait => self.enter(effects),
            () => self.call_provider(effects),
        }
    }

    /// Tells what the answers have come to. What was allowed is on disk as such before it is made: whoever finds it there
    /// does not make it again.
    fn resume(&mut self, effects: &mut Vec<Effect>) {
        if let Some(after) = self.limits.step {
            effects.push(Effect::ArmTimer { timer: Timer::Step, after });
        }
        effects.extend(std::mem::take(&mut self.untold).into_iter().map(Effect::EmitChunk));
        self.resume_cut_calls(effects);
        for call in self.step.calls_mut() {
            let Some(answer) = call.answer.take() else { continue };
            call.take_answer(&answer);
            let (tool_call_id, more) = (call.call_id.clone(), CallDetails::default());
            let chunk = match call.phase.clone() {
                CallPhase::Ready(input) if answer.input.is_some() => {
                    let (tool_name, more) = (call.name.clone(), call.details());
                    UiChunk::ToolInputAvailable { tool_call_id, tool_name, input, more }
                }
                CallPhase::Failed { .. } if call.is_denied() => {
                    UiChunk::ToolOutputDenied { tool_call_id, reason: call.denial() }
                }
                CallPhase::Failed { error, .. } => UiChunk::ToolOutputError { tool_call_id, error_text: error, more },
                CallPhase::Output { input, output } => {
                    let output = call.succeed(input, output, self.tools.shown_bytes(&call.name));
                    UiChunk::ToolOutputAvailable { tool_call_id, output, more }
                }
                _ => continue,
            };
            if !self.told.contains(&call.call_id) {
                effects.push(Effect::EmitChunk(chunk));
            }
        }
        if self.step.has_open_calls() {
            self.persist_intent(effects);
        } else {
            self.run_tools(effects);
        }
    }

    fn call_provider(&mut self, effects: &mut Vec<Effect>) {
        self.phase = Phase::Streaming;
        let steps = self.number.saturating_sub(self.withdrawn).saturating_add(1);
        self.is_last = steps >= self.limits.max_steps || self.spent.is_near(&self.limits.budget);
        let (model, loaded) = (self.attempts.model(), self.loaded.clone());
        effects.push(Effect::CallProvider { step: self.number, text_only: self.is_last, model, loaded });
        if let Some(after) = self.limits.step {
            effects.push(Effect::ArmTimer { timer: Timer::Step, after });
        }
        self.arm_silence(self.limits.first_chunk, effects);
    }

    fn arm_silence(&self, after: Duration, effects: &mut Vec<Effect>) {
        effects.push(Effect::ArmTimer { timer: Timer::ProviderSilence, after });
    }

    // ---- the provider's answer -------------------------------------------------------------------------------

    fn part(&mut self, part: StreamPart, effects: &mut Vec<Effect>) {
        if part.is_content() {
            self.arm_silence(self.limits.provider_silence, effects);
        }
        match &part {
            StreamPart::ResponseMetadata { .. } => return,
            // An error that is all there is of an answer is a refusal; there is no step then.
            StreamPart::Error(failure) if !failure.answered => {}
            _ => self.start_step(effects),
        }
        self.step.bytes = self.step.bytes.saturating_add(bytes_of(&part));
        if self.step.bytes > self.limits.answer_bytes {
            let most = self.limits.answer_bytes;
            let failure = format!("The provider's answer is larger than {most} bytes (runs.maxAnswerBytes).");
            return self.fail(ProviderFailure::new(FailureKind::Limit, failure), RunReason::ProviderError, effects);
        }
        if self.step.call_count() > self.limits.calls {
            let most = self.limits.calls;
            let failure = format!("The provider's answer has more than {most} tool calls (runs.maxCallsPerStep).");
            return self.fail(ProviderFailure::new(FailureKind::Limit, failure), RunReason::ProviderError, effects);
        }
        match part {
            StreamPart::ResponseMetadata { .. } => {}
            StreamPart::BlockStart { kind, id, metadata } => self.open_block(kind, id, metadata, effects),
            StreamPart::BlockDelta { kind, id, delta, metadata } => {
                self.block_delta(kind, id, delta, metadata, effects);
            }
            StreamPart::BlockEnd { kind, id, metadata } => {
                if let Some(block) = self.step.block(kind, &id) {
                    block.note(&metadata);
                    block.close();
                    let id = block.ui_id.clone();
                    effects.push(Effect::EmitChunk(block_end(kind, id, metadata)));
                }
            }
            StreamPart::ToolInputStart { id, name, run_by } => {
                let (tool_call_id, more) = self.open_call(id, name.clone(), run_by);
                effects.push(Effect::EmitChunk(UiChunk::ToolInputStart { tool_call_id, tool_name: name, more }));
            }
            StreamPart::ToolInputDelta { id, delta } => {
                let delta = storable(delta);
                if let Some(call) = self.step.streaming_call(&id)
                    && !delta.is_empty()
                {
                    call.arguments.push_str(&delta);
                    let stuck = self.limits.degeneration_guard && call.is_stuck();
                    effects.push(Effect::EmitChunk(UiChunk::ToolInputDelta {
                        tool_call_id: call.call_id.clone(),
                        input_text_delta: delta,
                    }));
                    if stuck {
                        self.stop(RunReason::Degenerate, Phase::Streaming, effects);
                    }
                }
            }
            StreamPart::ToolCall { id, name, arguments, run_by, metadata } => {
                self.tool_call(&id, name, &arguments, run_by, metadata, effects);
            }
            StreamPart::ToolResult { id, name, output, is_error, metadata } => {
                self.provider_result(id, name, output, is_error, metadata, effects);
            }
            StreamPart::Source(source) => self.add_part(source_part(source), effects),
            StreamPart::File { media_type, base64, metadata } => {
                let url = format!("data:{media_type};base64,{base64}");
                self.add_part(file_part(&media_type, &url, metadata.as_ref()), effects);
            }
            StreamPart::Error(failure) => {
                // The stream may still bring its usage; the first error is the one that counts.
                self.step.failure.get_or_insert(failure);
            }
            StreamPart::Pause => self.step.paused = true,
            StreamPart::Refused => self.step.refused = true,
            StreamPart::Finish { reason, usage } => {
                self.step.finish_reason = Some(reason);
                self.step.usage = usage;
            }
        }
    }

    fn start_step(&mut self, effects: &mut Vec<Effect>) {
        self.step.answered = true;
        if !self.step.started {
            self.step.started = true;
            effects.push(Effect::EmitChunk(UiChunk::StartStep));
        }
        if let Some(switched) = self.switched.take() {
            if let Some(note) = switched.part(self.number) {
                self.step.add_note(note.clone());
                effects.push(Effect::EmitChunk(UiChunk::Part(note)));
            }
            self.told_switch = Some(switched);
        }
        self.tell_taint(effects);
    }

    fn open_block(
        &mut self,
        kind: BlockKind,
        driver_id: String,
        provider_metadata: Option<Json>,
        effects: &mut Vec<Effect>,
    ) {
        let id = block_id(kind, self.number, self.step.next_place());
        self.step.open_block(kind, driver_id, id.clone(), provider_metadata.clone());
        effects.push(Effect::EmitChunk(match kind {
            BlockKind::Text => UiChunk::TextStart { id, provider_metadata },
            BlockKind::Reasoning => UiChunk::ReasoningStart { id, provider_metadata },
        }));
    }

    fn block_delta(
        &mut self,
        kind: BlockKind,
        driver_id: String,
        delta: String,
        provider_metadata: Option<Json>,
        effects: &mut Vec<Effect>,
    ) {
        let delta = storable(delta);
        if self.step.block(kind, &driver_id).is_none() {
            self.open_block(kind, driver_id.clone(), None, effects);
        }
        let Some(block) = self.step.block(kind, &driver_id) else {
            return;
        };
        if delta.is_empty() && provider_metadata.is_none() {
            return;
        }
        block.push(&delta);
        block.note(&provider_metadata);
        let stuck = self.limits.degeneration_guard && block.is_stuck();
        let id = block.ui_id.clone();
        effects.push(Effect::EmitChunk(match kind {
            BlockKind::Text => UiChunk::TextDelta { id, delta, provider_metadata },
            BlockKind::Reasoning => UiChunk::ReasoningDelta { id, delta, provider_metadata },
        }));
        if stuck {
            self.stop(RunReason::Degenerate, Phase::Streaming, effects);
        }
    }

    fn add_part(&mut self, part: Option<Json>, effects: &mut Vec<Effect>) {
        if let Some(part) = part {
            self.step.add_part(part.clone());
            effects.push(Effect::EmitChunk(UiChunk::Part(part)));
        }
    }

    /// Some providers count their call ids from zero in every answer; clients look calls up in the whole message.
    fn unique_call_id(&mut self, id: &str) -> String {
        let mut unique = id.to_owned();
        let mut suffix = 2;
        while !self.call_ids.insert(unique.clone()) {
            unique = format!("{id}_{suffix}");
            suffix += 1;
        }
        unique
    }

    /// Returns the call's id in the run and what its chunks say besides.
    fn open_call(&mut self, driver_id: String, name: String, run_by: RunBy) -> (String, CallDetails) {
        let call_id = self.unique_call_id(&driver_id);
        self.step.open_call(driver_id, call_id.clone(), name, run_by);
        let more = self.step.call(&call_id).map(|call| call.details()).unwrap_or_default();
        (call_id, more)
    }

    fn tool_call(
        &mut self,
        driver_id: &str,
        name: String,
        arguments: &str,
        run_by: RunBy,
        metadata: Option<Json>,
        effects: &mut Vec<Effect>,
    ) {
        if self.step.streaming_call(driver_id).is_none() {
            // A call that comes whole needs no announcement.
            self.open_call(driver_id.to_owned(), name.clone(), run_by);
        }
        let as_written = || Json::parse(arguments).unwrap_or_else(|_| Json::string(arguments));
        // What the provider runs is its own affair: there need not be a tool of this name here.
        let checked = match run_by {
            RunBy::Host => self.check_call(&name, arguments).map(CallPhase::Ready),
            RunBy::Provider { .. } => Ok(CallPhase::Elsewhere(as_written())),
        };
        let Some(call) = self.step.streaming_call(driver_id) else {
            return;
        };
        call.set_metadata(metadata);
        let tool_call_id = call.call_id.clone();
        let more = call.details();
        match checked {
            Ok(phase) => {
                let (CallPhase::Ready(input) | CallPhase::Elsewhere(input)) = phase.clone() else {
                    return;
                };
                if matches!(phase, CallPhase::Ready(_)) {
                    // By the name that is called, which may have been announced otherwise.
                    call.untrusted = self.tools.untrusted(&call.name);
                }
                call.phase = phase;
                effects.push(Effect::EmitChunk(UiChunk::ToolInputAvailable {
                    tool_call_id,
                    tool_name: name,
                    input,
                    more,
                }));
            }
            Err(error_text) => {
                let input = as_written();
                call.phase = CallPhase::Failed { input: input.clone(), error: error_text.clone() };
                effects.push(Effect::EmitChunk(UiChunk::ToolInputError {
                    tool_call_id: tool_call_id.clone(),
                    tool_name: name,
                    input,
                    more,
                    error_text: error_text.clone(),
                }));
                let more = CallDetails::default();
                effects.push(Effect::EmitChunk(UiChunk::ToolOutputError { tool_call_id, error_text, more }));
            }
        }
    }

    /// The outcome of a call that the provider ran. One whose call came in an earlier answer is shown as a call of its
    /// own: what is in the log is not changed.
    fn provider_result(
        &mut self,
        driver_id: String,
        name: String,
        output: Json,
        is_error: bool,
        metadata: Option<Json>,
        effects: &mut Vec<Effect>,
    ) {
        if self.step.call_elsewhere(&driver_id).is_none() {
            let run_by = RunBy::Provider { dynamic: false };
            self.tool_call(&driver_id, name, "{}", run_by, None, effects);
        }
        let Some(call) = self.step.call_elsewhere(&driver_id) else {
            return;
        };
        let CallPhase::Elsewhere(input) = call.phase.clone() else {
            return;
        };
        call.set_result_metadata(metadata);
        let (tool_call_id, more) = (call.call_id.clone(), call.result_details());
        let chunk = if is_error {
            let error_text = output.as_string().unwrap_or_else(|| output.get().to_owned());
            call.phase = CallPhase::Failed { input, error: error_text.clone() };
            UiChunk::ToolOutputError { tool_call_id, error_text, more }
        } else {
            let output = call.succeed(input, output, self.tools.shown_bytes(&call.name));
            UiChunk::ToolOutputAvailable { tool_call_id, output, more }
        };
        effects.push(Effect::EmitChunk(chunk));
    }

    fn stream_ended(&mut self, effects: &mut Vec<Effect>) {
        effects.push(Effect::DisarmTimer(Timer::ProviderSilence));
        if let Some(failure) = self.step.failure.clone() {
            if self.tries_again(&failure, false, effects) {
                return;
            }
            return self.close_failed(failure.to_run_failure(), RunReason::ProviderError, effects);
        }
        let Some(reason) = self.step.finish_reason else {
            let message = "The provider's answer ended without a finish reason.";
            let failure = ProviderFailure::new(FailureKind::BadResponse, message);
            return self.try_again_or_fail(failure, true, RunReason::ProviderError, effects);
        };
        if reason == FinishReason::Error {
            let message = "The provider ended its answer with an error.";
            let failure = ProviderFailure::new(FailureKind::BadResponse, message);
            return self.try_again_or_fail(failure, true, RunReason::ProviderError, effects);
        }
        self.start_step(effects);
        self.close_blocks(effects);
        if self.step.paused && !self.is_last && !self.step.calls_the_host() {
            // What the provider had begun itself goes on in its next answer, and is shown there.
            self.abandon_calls(|_| true, PAUSED_CALL, effects);
            return self.persist_when_tools_are_done(effects);
        }
        let may_run =
            matches!(reason, FinishReason::Stop | FinishReason::ToolCalls | FinishReason::Other) && !self.is_last;
        if !self.step.calls_the_host() || !may_run {
            if !self.has_said_something && !self.step.shows_something() {
                let failure = nothing_said(reason, self.step.refused);
                return self.try_again_or_fail(failure, false, RunReason::ProviderError, effects);
            }
            return self.finish(reason, effects);
        }
        // A call that was announced and never made, or that the provider has not answered, has nobody who would answer
        // it: the step would wait for ever.
        self.abandon_calls(|call| !matches!(call.phase, CallPhase::Ready(_)), INCOMPLETE_CALL, effects);
        self.hold_tainted_calls(effects);
        self.ask_for_calls(effects);
        self.show_taint();
        let goes_to_disk = |call: &Call| !self.tools.is_read_only(&call.name) || self.taint.goes_to_disk(call);
        let is_any = self.step.calls().any(|call| matches!(call.phase, CallPhase::Ready(_)) && goes_to_disk(call));
        if is_any || self.step.is_waiting() {
            self.persist_intent(effects);
        } else {
            self.run_tools(effects);
        }
    }

    /// Which of the calls wait for somebody. A run that nobody else could go on with cannot wait: its calls fail.
    fn ask_for_calls(&mut self, effects: &mut Vec<Effect>) {
        for call in self.step.calls_mut() {
            let CallPhase::Ready(input) = &call.phase else { continue };
            let Some(ask) = self.tools.ask(&call.name, input) else { continue };
            if self.hands_over {
                call.wait_for(ask);
            } else if let Some(abandoned) = call.abandon(CANNOT_WAIT) {
                tell_abandoned(abandoned, CANNOT_WAIT, effects);
            }
        }
    }

    // ---- tools -----------------------------------------------------------------------------------------------

    fn run_tools(&mut self, effects: &mut Vec<Effect>) {
        self.phase = Phase::RunningTools;
        if self.stop.is_some() {
            return self.abort(effects);
        }
        self.start_tools(effects);
        self.persist_when_tools_are_done(effects);
    }

    /// Starts as many of the calls that wait as may run beside those that do.
    fn start_tools(&mut self, effects: &mut Vec<Effect>) {
        let most = usize::try_from(self.limits.calls_at_once.max(1)).unwrap_or(usize::MAX);
        while self.stop.is_none()
            && self.step.running < most
            && let Some(call) = self.step.next_to_run()
        {
            let CallPhase::Ready(input) = &call.phase else { continue };
            let (call_id, name, input) = (call.call_id.clone(), call.name.clone(), input.clone());
            if call.attempt == Attempt::Cut {
                self.close_cut_call(&call_id, effects);
                continue;
            }
            call.attempt = Attempt::Made;
            let key = call_key(self.ids.run, self.number, &call_id);
            let after = self.tools.timeout(&name);
            effects.push(Effect::ArmTimer { timer: Timer::Tool { call_id: call_id.clone() }, after });
            effects.push(Effect::RunTool(ToolCall { call_id, name, input, key }));
        }
    }

    fn tool_finished(&mut self, call_id: &str, outcome: Result<Json, String>, effects: &mut Vec<Effect>) {
        let Some(call) = self.step.call(call_id) else {
            return;
        };
        if !matches!(call.phase, CallPhase::Ready(_)) || call.attempt == Attempt::Closing {
            return;
        }
        effects.push(Effect::DisarmTimer(Timer::Tool { call_id: call_id.to_owned() }));
        match outcome {
            // A tool that has failed may have done it all the same.
            Err(error) if self.asks_store(call_id, &error, effects) => {}
            outcome => self.end_call(call_id, outcome, effects),
        }
    }

    fn end_call(&mut self, call_id: &str, outcome: Result<Json, String>, effects: &mut Vec<Effect>) {
        let Some(call) = self.step.call(call_id) else {
            return;
        };
        let CallPhase::Ready(input) = call.phase.clone() else {
            return;
        };
        let (tool_call_id, more) = (call_id.to_owned(), CallDetails::default());
        let chunk = match outcome {
            Ok(output) => {
                let output = call.succeed(input, output, self.tools.shown_bytes(&call.name));
                UiChunk::ToolOutputAvailable { tool_call_id, output, more }
            }
            Err(error) => {
                let error = storable(error);
                call.phase = CallPhase::Failed { input, error: error.clone() };
                UiChunk::ToolOutputError { tool_call_id, error_text: error, more }
            }
        };
        effects.push(Effect::EmitChunk(chunk));
        self.step.running = self.step.running.saturating_sub(1);
        self.start_tools(effects);
        self.persist_when_tools_are_done(effects);
    }

    /// Shows readers what a tool has so far, up to the limit of an answer in a step. Nothing of it is recorded: the call
    /// has one outcome.
    fn tool_shows(&mut self, call_id: &str, output: Json, effects: &mut Vec<Effect>) {
        if self.step.preliminary_bytes >= self.limits.answer_bytes {
            return;
        }
        let Some(call) = self.step.call(call_id).filter(|call| matches!(call.phase, CallPhase::Ready(_))) else {
            return;
        };
        let output = shown_output(&output, self.tools.shown_bytes(&call.name)).unwrap_or(output);
        let bytes = u64::try_from(output.get().len()).unwrap_or(u64::MAX);
        self.step.preliminary_bytes = self.step.preliminary_bytes.saturating_add(bytes);
        let tool_call_id = call_id.to_owned();
        effects.push(Effect::EmitChunk(UiChunk::ToolOutputPreliminary { tool_call_id, output, preliminary: true }));
    }

    fn persist_when_tools_are_done(&mut self, effects: &mut Vec<Effect>) {
        if !self.step.has_open_calls() {
            effects.push(Effect::DisarmTimer(Timer::Step));
            if self.step.is_waiting() {
                return self.suspend(effects);
            }
            self.phase = Phase::PersistingStep;
            effects.push(Effect::PersistStep(self.step.record(self.number)));
        }
    }

    /// Everything else of the step is done: the run waits, as nobody's.
    fn suspend(&mut self, effects: &mut Vec<Effect>) {
        self.phase = Phase::Suspending;
        effects.push(Effect::DisarmTimer(Timer::Run));
        let asked = self.step.calls().filter_map(|call| {
            let (approval_id, tool_call_id) = (call.approval_id()?, call.call_id.clone());
            Some(UiChunk::ToolApprovalRequest { approval_id, tool_call_id, more: ApprovalDetails::default() })
        });
        let asked = asked.collect();
        let (step, waits) = (self.step.record(self.number), self.step.waits());
        effects.push(Effect::Suspend { step, waits, asked });
    }

    fn suspended(&mut self, effects: &mut Vec<Effect>) {
        self.phase = Phase::Over;
        let usage = Usage::accumulate(self.usage, self.step.usage);
        effects.push(Effect::EmitAside(waiting_chunk(usage)));
        effects.push(Effect::End(Ending::Waiting(self.stop.filter(|reason| *reason != RunReason::Shutdown))));
    }

    fn step_persisted(&mut self, effects: &mut Vec<Effect>) {
        let is_withdrawn = self.step.is_withdrawn();
        self.note_taint_here(is_withdrawn);
        self.count_usage();
        self.finish_step(effects);
        if is_withdrawn {
            self.withdrawn += 1;
        } else {
            self.has_said_something |= self.step.says_something();
            self.attempts.succeeded();
            self.told_switch = None;
            self.note_loaded_here();
        }
        self.number += 1;
        self.step = StepBuilder::default();
        self.after_step(effects);
    }

    /// The last step is on disk, and the next one has not begun.
    fn after_step(&mut self, effects: &mut Vec<Effect>) {
        if self.stop.is_some() {
            return self.abort(effects);
        }
        if self.spent.is_all_of(&self.limits.budget) {
            if let Some(reason) = self.joining.take_ending() {
                return self.settle(RunStatus::Succeeded, None, None, Some(reason), effects);
            }
            self.stop = Some(RunReason::Budget);
            return self.abort(effects);
        }
        if self.handing_over {
            return self.release(effects);
        }
        if self.joining.wait {
            return self.enter(effects);
        }
        self.call_provider_in_time(effects);
    }

    /// Only usage of steps that are (about to be) in the log is counted.
    fn count_usage(&mut self) {
        self.usage = Usage::accumulate(self.usage, self.step.usage);
        let price = self.spent_at.take().unwrap_or_else(|| self.price());
        self.spent.add(self.step.usage, self.step.bytes, price);
        if self.step.is_withdrawn() {
            return;
        }
        self.context_tokens = self.step.usage.and_then(Usage::context_tokens).or(self.context_tokens);
        self.last_finish = self.step.finish_reason.or(self.last_finish);
    }

    fn finish_step(&self, effects: &mut Vec<Effect>) {
        effects.push(Effect::EmitChunk(UiChunk::FinishStep));
        let truncated = self.step.truncated_outputs();
        if let Some(message_metadata) = StreamMetadata::of_step(self.usage, truncated) {
            effects.push(Effect::EmitChunk(UiChunk::MessageMetadata { message_metadata }));
        }
    }

    // ---- endings ---------------------------------------------------------------------------------------------

    fn finish(&mut self, reason: FinishReason, effects: &mut Vec<Effect>) {
        self.abandon_calls(|_| true, INCOMPLETE_CALL, effects);
        self.settle(RunStatus::Succeeded, None, None, Some(reason), effects);
    }

    fn fail(&mut self, failure: ProviderFailure, reason: RunReason, effects: &mut Vec<Effect>) {
        effects.push(Effect::CancelProvider);
        effects.push(Effect::DisarmTimer(Timer::ProviderSilence));
        self.close_failed(failure.to_run_failure(), reason, effects);
    }

    fn close_failed(&mut self, failure: RunFailure, reason: RunReason, effects: &mut Vec<Effect>) {
        // A step that was to be withdrawn may be on disk as such, whatever its write has come to.
        if !self.step.is_withdrawn() {
            self.step.finish_reason = Some(FinishReason::Error);
        }
        self.settle(RunStatus::Failed, Some(reason), Some(failure), None, effects);
    }

    fn abort(&mut self, effects: &mut Vec<Effect>) {
        let reason = self.stop.unwrap_or(RunReason::Stopped);
        if self.end_waits_for_effects(reason, effects) {
            return;
        }
        effects.push(Effect::CancelProvider);
        effects.push(Effect::DisarmTimer(Timer::ProviderSilence));
        self.cancel_tools(effects);
        if reason == RunReason::Shutdown && self.handing_over {
            return self.release(effects);
        }
        self.settle(RunStatus::Aborted, Some(reason), None, None, effects);
    }

    /// Gives the run up for others to go on with.
    fn release(&mut self, effects: &mut Vec<Effect>) {
        if self.phase == Phase::BackingOff {
            effects.push(Effect::DisarmTimer(Timer::Retry));
        }
        self.phase = Phase::Releasing;
        effects.push(Effect::DisarmTimer(Timer::Step));
        effects.push(Effect::DisarmTimer(Timer::Run));
        effects.push(Effect::Release);
    }

    fn cancel_tools(&mut self, effects: &mut Vec<Effect>) {
        if self.phase != Phase::RunningTools {
            return;
        }
        for call in self.step.calls() {
            if matches!(call.phase, CallPhase::Ready(_)) {
                effects.push(Effect::DisarmTimer(Timer::Tool { call_id: call.call_id.clone() }));
                effects.push(Effect::CancelTool { call_id: call.call_id.clone() });
            }
        }
    }

    fn settle(
        &mut self,
        status: RunStatus,
        reason: Option<RunReason>,
        failure: Option<RunFailure>,
        finish_reason: Option<FinishReason>,
        effects: &mut Vec<Effect>,
    ) {
        if self.phase == Phase::BackingOff {
            effects.push(Effect::DisarmTimer(Timer::Retry));
        }
        self.phase = Phase::Settling;
        effects.push(Effect::DisarmTimer(Timer::Step));
        let error = failure.as_ref().map(|failure| failure.message.clone());
        let error_text = self.limits.error_text;
        let end = RunEnd { status, reason, error: error.clone(), failure: failure.clone(), error_text };
        let counted = self.counted();
        // What readers are told of the open calls waits for the settlement; what is stored does not.
        let mut recorded = self.step.clone();
        for call in recorded.calls_mut() {
            call.abandon(INCOMPLETE_CALL);
        }
        self.count_usage();
        let unless_steered = self.waits_for_nobody(status);
        if !unless_steered {
            effects.push(Effect::DisarmTimer(Timer::Run));
        }
        self.close = Some(Close { end, finish_reason, counted: unless_steered.then_some(counted) });
        // What readers were shown is kept, also when nothing came of it; a step that never began is none.
        let worth_keeping = recorded.started;
        effects.push(Effect::Settle(Settlement {
            status,
            reason,
            error: failure.as_ref().map(|failure| failure.message.clone()),
            failure,
            finish_reason: match status {
                RunStatus::Succeeded => self.last_finish,
                RunStatus::Failed => Some(FinishReason::Error),
                _ => None,
            },
            step: worth_keeping.then(|| recorded.record(self.number)),
            usage: self.usage,
            context_tokens: self.context_tokens,
            unless_steered,
        }));
    }

    fn settled(&mut self, effects: &mut Vec<Effect>) {
        self.phase = Phase::Over;
        if let Some(Close { end, finish_reason, .. }) = self.close.take() {
            if self.step.started {
                self.close_step(effects);
            }
            let in_step = self.step.started && !self.step.is_withdrawn();
            let told = end.told(finish_reason, in_step, self.usage);
            effects.extend(told.into_iter().map(Effect::EmitChunk));
        }
        effects.push(Effect::End(Ending::Settled));
    }

    fn failed_instead(&mut self, effects: &mut Vec<Effect>) {
        if let Some(close) = &mut self.close {
            close.end.status = RunStatus::Failed;
            close.end.reason = Some(RunReason::Internal);
            close.end.error = Some(NOT_WRITTEN.to_owned());
            close.end.failure = Some(RunFailure::new(FailureKind::Internal, NOT_WRITTEN));
        }
        self.settled(effects);
    }

    /// Ends, for the readers, whatever the step had open, in its order: so it is in the log.
    fn close_step(&mut self, effects: &mut Vec<Effect>) {
        self.close_all(effects);
        self.finish_step(effects);
    }

    /// Tells readers that there will be no more here, after whatever was open. The step does not end: it is not ours to
    /// say what is on disk of it.
    fn break_off(&mut self, error: &str, effects: &mut Vec<Effect>) {
        self.close_all(effects);
        effects.push(Effect::EmitChunk(UiChunk::Error { error_text: error.to_owned() }));
    }

    fn close_all(&mut self, effects: &mut Vec<Effect>) {
        for closed in self.step.close_all(INCOMPLETE_CALL) {
            match closed {
                Closed::Block(kind, id) => effects.push(Effect::EmitChunk(block_end(kind, id, None))),
                Closed::Call(abandoned) => tell_abandoned(abandoned, INCOMPLETE_CALL, effects),
            }
        }
    }

    fn close_blocks(&mut self, effects: &mut Vec<Effect>) {
        for (kind, id) in self.step.close_blocks() {
            effects.push(Effect::EmitChunk(block_end(kind, id, None)));
        }
    }

    fn abandon_calls(&mut self, which: impl Fn(&Call) -> bool, why: &str, effects: &mut Vec<Effect>) {
        for call in self.step.calls_mut().filter(|call| which(call)) {
            if let Some(abandoned) = call.abandon(why) {
                tell_abandoned(abandoned, why, effects);
            }
        }
    }

    // ---- from outside ----------------------------------------------------------------------------------------

    fn stop(&mut self, reason: RunReason, phase: Phase, effects: &mut Vec<Effect>) {
        if phase == Phase::Settling {
            return self.stop_if_it_goes_on(reason);
        }
        if self.stop.is_some() || phase == Phase::Releasing {
            return;
        }
        self.stop = Some(reason);
        match phase {
            // The answer of the store is on its way and decides whether this step is in the log.
            Phase::PersistingIntent | Phase::PersistingStep | Phase::Suspending | Phase::Entering => {}
            Phase::Created | Phase::Streaming | Phase::BackingOff | Phase::RunningTools => self.abort(effects),
            Phase::Settling | Phase::Releasing | Phase::Over => {}
        }
    }

    fn lose_lease(&mut self, effects: &mut Vec<Effect>) {
        effects.push(Effect::CancelProvider);
        self.cancel_tools(effects);
        self.phase = Phase::Over;
        self.break_off("This run is owned by another process now.", effects);
        effects.push(Effect::End(Ending::LeaseLost));
    }

    fn persist_failed(&mut self, phase: Phase, effects: &mut Vec<Effect>) {
        let failure = RunFailure::new(FailureKind::Internal, NOT_WRITTEN);
        match phase {
            Phase::PersistingIntent | Phase::PersistingStep | Phase::Suspending | Phase::Entering => {
                self.close_failed(failure, RunReason::Internal, effects);
            }
            // What streams could not be put on disk.
            Phase::Streaming | Phase::BackingOff | Phase::RunningTools => {
                effects.push(Effect::CancelProvider);
                effects.push(Effect::DisarmTimer(Timer::ProviderSilence));
                self.cancel_tools(effects);
                self.close_failed(failure, RunReason::Internal, effects);
            }
            Phase::Settling | Phase::Releasing => {
                self.phase = Phase::Over;
                self.break_off(NOT_WRITTEN, effects);
                effects.push(Effect::End(Ending::Unsettled));
            }
            _ => {}
        }
    }

    fn time_is_of_the_budget(&self) -> bool {
        self.limits.budget.time.is_some_and(|time| self.limits.run.is_none_or(|run| time < run))
    }

    fn timer_fired(&mut self, timer: Timer, phase: Phase, effects: &mut Vec<Effect>) {
        match (timer, phase) {
            // Between two steps, unless the run as a whole may not take any longer.
            (Timer::Run, _) if !self.spent.time && self.time_is_of_the_budget() => {
                self.spent.time = true;
                if let (Some(run), Some(time)) = (self.limits.run, self.limits.budget.time) {
                    effects.push(Effect::ArmTimer { timer: Timer::Run, after: run.saturating_sub(time) });
                }
            }
            (Timer::Step | Timer::Run, phase) => self.stop(RunReason::Timeout, phase, effects),
            (Timer::ProviderSilence, Phase::Streaming) => {
                let begun = self.step.answered;
                let limit = if begun { self.limits.provider_silence } else { self.limits.first_chunk };
                let seconds = limit.as_secs_f64();
                let message = format!("The provider timed out: it sent nothing for {seconds} s.");
                let failure = ProviderFailure::new(FailureKind::Silence, message);
                let failure = ProviderFailure { answered: begun, ..failure };
                self.try_again_or_fail(failure, false, RunReason::Timeout, effects);
            }
            (Timer::Retry, Phase::BackingOff) if self.handing_over => self.release(effects),
            (Timer::Retry, Phase::BackingOff) => self.call_provider(effects),
            (Timer::Tool { call_id }, Phase::RunningTools) => {
                let Some(call) = self.step.call(&call_id) else {
                    return;
                };
                if self.tools.repeats(&call.name) != Some(Repeat::Effects) {
                    // That its time is up is said in our own words.
                    call.untrusted = None;
                }
                let millis = self.tools.timeout(&call.name).as_millis();
                effects.push(Effect::CancelTool { call_id: call_id.clone() });
                self.tool_finished(&call_id, Err(timed_out_call(millis)), effects);
            }
            _ => {}
        }
    }
}

/// What the model is told of a call that would have to wait, in a run that cannot.
const CANNOT_WAIT: &str = "This tool needs somebody's answer, for which this run cannot wait.";

/// What is said of a run that could not be written.
pub(super) const NOT_WRITTEN: &str = "The run could not be written to the store.";

/// An answer that came to its end and in which nobody can see anything.
fn nothing_said(reason: FinishReason, refused: bool) -> ProviderFailure {
    let (kind, message) = match reason {
        _ if refused => (FailureKind::Refused, "The model would not answer, and said nothing about it."),
        FinishReason::ContentFilter => (FailureKind::ContentFilter, "The provider withheld the whole answer."),
        FinishReason::Length => (
            FailureKind::BadResponse,
            "The answer reached its limit of tokens before there was anything of it to show.",
        ),
        _ => (FailureKind::BadResponse, "The provider ended its answer without having said anything."),
    };
    ProviderFailure::new(kind, message)
}

/// How much of an answer's limit a piece takes.
fn bytes_of(part: &StreamPart) -> u64 {
    let bytes = match part {
        StreamPart::BlockDelta { delta, .. } | StreamPart::ToolInputDelta { delta, .. } => delta.len(),
        StreamPart::File { base64, .. } => base64.len(),
        StreamPart::ToolResult { output, .. } => output.get().len(),
        _ => 0,
    };
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn tell_abandoned(abandoned: Abandoned, why: &str, effects: &mut Vec<Effect>) {
    if !abandoned.announced {
        effects.push(Effect::EmitChunk(UiChunk::ToolInputError {
            tool_call_id: abandoned.call_id.clone(),
            tool_name: abandoned.name,
            input: abandoned.input,
            more: abandoned.more.clone(),
            error_text: why.to_owned(),
        }));
    }
    effects.push(Effect::EmitChunk(UiChunk::ToolOutputError {
        tool_call_id: abandoned.call_id,
        error_text: why.to_owned(),
        more: CallDetails { provider_metadata: None, ..abandoned.more },
    }));
}

fn block_end(kind: BlockKind, id: String, provider_metadata: Option<Json>) -> UiChunk {
    match kind {
        BlockKind::Text => UiChunk::TextEnd { id, provider_metadata, citations: None },
        BlockKind::Reasoning => UiChunk::ReasoningEnd { id, provider_metadata },
    }
}
