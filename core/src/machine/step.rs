//! The step in progress: what has streamed, and what became of its tool calls.

use crate::log::{CallDetails, is_note};
use crate::model::{
    Answer, AnswerKind, Approval, Ask, BlockKind, DENIED_CALL, FinishReason, Json, Part, Repeat, StepRecord,
    TaintSource, TextPart, ToolPart, ToolState, Usage, Wait, WaitKind, is_steering,
};
use crate::project::shown_output;
use crate::provider::{ProviderFailure, RunBy};

use super::loop_guard::LoopGuard;

/// Gathers one model call. Blocks and calls keep the order in which they began.
#[derive(Clone, Debug, Default)]
pub(super) struct StepBuilder {
    pub(super) started: bool,
    /// Something of the provider's answer has come.
    pub(super) answered: bool,
    pub(super) finish_reason: Option<FinishReason>,
    pub(super) usage: Option<Usage>,
    /// The provider wants to go on with this answer.
    pub(super) paused: bool,
    /// The model would not answer.
    pub(super) refused: bool,
    pub(super) failure: Option<ProviderFailure>,
    /// How much of an answer there is, in bytes.
    pub(super) bytes: u64,
    /// How much tools have shown before they were done, in bytes.
    pub(super) preliminary_bytes: u64,
    /// How many tools run, and how many items have been looked at for calls to run.
    pub(super) running: usize,
    started_until: usize,
    calls: u32,
    items: Vec<Item>,
}

#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "a step has few of them, and only while it is in progress")]
enum Item {
    Block(Block),
    Call(Call),
    /// A source or a file, as the part that it is.
    Part(Json),
    /// What readers are told of the step itself, and nothing of its answer.
    Note(Json),
    /// A user's message that has joined the run.
    Heard(Json),
}

#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) kind: BlockKind,
    /// The driver's id, good until the block's end.
    driver_id: String,
    /// The id in the chunks, unique in the run.
    pub(super) ui_id: String,
    text: String,
    metadata: Option<Json>,
    open: bool,
    guard: LoopGuard,
}

#[derive(Clone, Debug)]
pub(super) struct Call {
    driver_id: String,
    pub(super) call_id: String,
    pub(super) name: String,
    pub(super) arguments: String,
    guard: LoopGuard,
    pub(super) phase: CallPhase,
    run_by: RunBy,
    metadata: Option<Json>,
    result_metadata: Option<Json>,
    /// How much of its output pages are shown.
    shown_bytes: u64,
    /// Somebody was asked whether it may be made.
    pub(super) approval: Option<Approval>,
    /// The origin of what it returns, where that is content from outside.
    pub(super) untrusted: Option<String>,
    /// What the run had read from outside, of a call that waits.
    pub(super) tainted_by: Vec<TaintSource>,
    /// What it waits for, or has waited for; known where the tool is.
    pub(super) ask: Option<Ask>,
    /// The answer that has come to it, until it is told.
    pub(super) answer: Option<Answer>,
    /// Why it may be made again if nobody knows what came of it.
    pub(super) repeats: Option<Repeat>,
    pub(super) attempt: Attempt,
}

/// How far a call has come that is ready to be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Attempt {
    /// It is not being made.
    #[default]
    None,
    /// Whoever drove the run before may have made it; it is to be made again.
    Again,
    /// It is being made.
    Made,
    /// The last owner was making it, and it is not made again.
    Cut,
    /// The store is asked what came of it.
    Closing,
}

/// What the model is told of a call that nobody has answered in time.
const EXPIRED_CALL: &str = "Nobody answered in time.";
/// What the model is told of a question that a person would not answer, and who gave no reason.
const DECLINED_CALL: &str = "The person did not answer.";

#[derive(Clone, Debug, PartialEq)]
pub(super) enum CallPhase {
    /// Arguments are arriving.
    Streaming,
    /// Complete and valid, not run yet or running.
    Ready(Json),
    /// Complete and valid; somebody has to answer first.
    Waiting(Json, WaitKind),
    /// Complete, and run by the provider.
    Elsewhere(Json),
    /// Came back.
    Output { input: Json, output: Json },
    /// Failed, or could not be run.
    Failed { input: Json, error: String },
}

impl StepBuilder {
    pub(super) fn open_block(&mut self, kind: BlockKind, driver_id: String, ui_id: String, metadata: Option<Json>) {
        self.items.push(Item::Block(Block {
            kind,
            driver_id,
            ui_id,
            text: String::new(),
            metadata,
            open: true,
            guard: LoopGuard::default(),
        }));
    }

    /// The place that the next block or call will have in the step.
    pub(super) fn next_place(&self) -> usize {
        self.items.len()
    }

    /// The open block of this kind and driver id.
    pub(super) fn block(&mut self, kind: BlockKind, driver_id: &str) -> Option<&mut Block> {
        self.items.iter_mut().rev().find_map(|item| match item {
            Item::Block(block) if block.open && block.kind == kind && block.driver_id == driver_id => Some(block),
            _ => None,
        })
    }

    /// Ends whatever is open, in the order of the step, and returns what that was.
    pub(super) fn close_all(&mut self, error: &str) -> Vec<Closed> {
        let close = |item: &mut Item| match item {
            Item::Block(block) => {
                std::mem::take(&mut block.open).then(|| Closed::Block(block.kind, block.ui_id.clone()))
            }
            Item::Call(call) => call.abandon(error).map(Closed::Call),
            Item::Part(_) | Item::Note(_) | Item::Heard(_) => None,
        };
        self.items.iter_mut().filter_map(close).collect()
    }

    /// Closes every open block; returns the closed ones' kinds and ids.
    pub(super) fn close_blocks(&mut self) -> Vec<(BlockKind, String)> {
        let mut closed = Vec::new();
        for item in &mut self.items {
            if let Item::Block(block) = item
                && block.open
            {
                block.open = false;
                closed.push((block.kind, block.ui_id.clone()));
            }
        }
        closed
    }

    pub(super) fn add_part(&mut self, part: Json) {
        self.items.push(Item::Part(part));
    }

    pub(super) fn add_note(&mut self, note: Json) {
        self.items.push(Item::Note(note));
    }

    pub(super) fn open_call(&mut self, driver_id: String, call_id: String, name: String, run_by: RunBy) {
        self.calls = self.calls.saturating_add(1);
        self.items.push(Item::Call(Call {
            driver_id,
            call_id,
            name,
            arguments: String::new(),
            guard: LoopGuard::default(),
            phase: CallPhase::Streaming,
            run_by,
            metadata: None,
            result_metadata: None,
            shown_bytes: u64::MAX,
            approval: None,
            untrusted: None,
            tainted_by: Vec::new(),
            ask: None,
            answer: None,
            repeats: None,
            attempt: Attempt::None,
        }));
    }

    /// A step before which these messages have entered; they are its first parts.
    pub(super) fn hearing(messages: Vec<Json>) -> Self {
        let started = !messages.is_empty();
        Self { started, items: messages.into_iter().map(Item::Heard).collect(), ..Self::default() }
    }

    /// The same step before anything of its answer had come.
    pub(super) fn unanswered(self) -> Self {
        let items = self.items.into_iter().filter(|item| matches!(item, Item::Heard(_))).collect();
        Self { started: self.started, items, ..Self::default() }
    }

    /// A step as it is on disk, some calls of which wait or have waited.
    pub(super) fn restored(step: StepRecord) -> Self {
        let mut restored =
            Self { started: true, finish_reason: step.finish_reason, usage: step.usage, ..Self::default() };
        for part in step.parts {
            match part {
                Part::StepStart => {}
                Part::Text(text) => restored.restore_block(BlockKind::Text, text),
                Part::Reasoning(text) => restored.restore_block(BlockKind::Reasoning, text),
                Part::Tool(tool) => {
                    restored.calls = restored.calls.saturating_add(1);
                    restored.items.push(Item::Call(Call::restored(tool)));
                }
                Part::Other(part) if is_note(&part) => restored.add_note(part),
                Part::Other(part) if is_steering(&part) => restored.items.push(Item::Heard(part)),
                Part::Other(part) => restored.add_part(part),
            }
        }
        restored
    }

    fn restore_block(&mut self, kind: BlockKind, text: TextPart) {
        self.open_block(kind, String::new(), String::new(), text.provider_metadata);
        if let Some(Item::Block(block)) = self.items.last_mut() {
            block.open = false;
            block.text = text.text;
        }
    }

    /// Whether there are calls that nobody has answered.
    pub(super) fn is_waiting(&self) -> bool {
        self.calls().any(|call| matches!(call.phase, CallPhase::Waiting(..)))
    }

    /// The calls that nobody has answered.
    pub(super) fn waits(&self) -> Vec<Wait> {
        self.calls().filter_map(Call::wait).collect()
    }

    /// The call whose arguments are arriving under this driver id.
    pub(super) fn streaming_call(&mut self, driver_id: &str) -> Option<&mut Call> {
        self.calls_mut().rev().find(|call| call.phase == CallPhase::Streaming && call.driver_id == driver_id)
    }

    /// The call of this driver id that the provider runs and has not answered yet.
    pub(super) fn call_elsewhere(&mut self, driver_id: &str) -> Option<&mut Call> {
        self.calls_mut().find(|call| matches!(call.phase, CallPhase::Elsewhere(_)) && call.driver_id == driver_id)
    }

    /// The call with this id in the run.
    pub(super) fn call(&mut self, call_id: &str) -> Option<&mut Call> {
        self.calls_mut().find(|call| call.call_id == call_id)
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.items.iter().filter_map(|item| match item {
            Item::Call(call) => Some(call),
            Item::Block(_) | Item::Part(_) | Item::Note(_) | Item::Heard(_) => None,
        })
    }

    pub(super) fn calls_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Call> {
        self.items.iter_mut().filter_map(|item| match item {
            Item::Call(call) => Some(call),
            Item::Block(_) | Item::Part(_) | Item::Note(_) | Item::Heard(_) => None,
        })
    }

    pub(super) fn has_open_calls(&self) -> bool {
        self.calls().any(|call| matches!(call.phase, CallPhase::Streaming | CallPhase::Ready(_)))
    }

    /// Whether it is taken back.
    pub(super) fn is_withdrawn(&self) -> bool {
        self.finish_reason == Some(FinishReason::Withdrawn)
    }

    /// Whether the provider may have done something itself already.
    pub(super) fn calls_elsewhere(&self) -> bool {
        self.calls().any(|call| call.run_by != RunBy::Host)
    }

    /// Whether the host has anything to do before the model can go on.
    pub(super) fn calls_the_host(&self) -> bool {
        self.calls().any(|call| call.run_by == RunBy::Host)
    }

    /// Whether there is text in the step, or a file.
    pub(super) fn says_something(&self) -> bool {
        self.items.iter().any(|item| match item {
            Item::Block(block) => block.kind == BlockKind::Text && !block.text.trim().is_empty(),
            Item::Call(_) | Item::Note(_) | Item::Heard(_) => false,
            Item::Part(_) => true,
        })
    }

    /// The same, or a call.
    pub(super) fn shows_something(&self) -> bool {
        self.items.iter().any(|item| match item {
            Item::Block(block) => block.kind == BlockKind::Text && !block.text.trim().is_empty(),
            Item::Call(_) | Item::Part(_) => true,
            Item::Note(_) | Item::Heard(_) => false,
        })
    }

    /// The calls of whose outputs pages are shown less than there is, and how many bytes there are.
    pub(super) fn truncated_outputs(&self) -> impl Iterator<Item = (&str, u64)> {
        self.calls().filter_map(|call| match &call.phase {
            CallPhase::Output { output, .. } => {
                let bytes = u64::try_from(output.get().len()).unwrap_or(u64::MAX);
                (bytes > call.shown_bytes).then_some((call.call_id.as_str(), bytes))
            }
            _ => None,
        })
    }

    /// How many calls there are.
    pub(super) fn call_count(&self) -> u32 {
        self.calls
    }

    /// The next call that is ready to run, counted as running from now on.
    pub(super) fn next_to_run(&mut self) -> Option<&mut Call> {
        loop {
            let place = self.started_until;
            self.started_until += 1;
            match self.items.get(place)? {
                Item::Call(call) if matches!(call.phase, CallPhase::Ready(_)) => {}
                _ => continue,
            }
            self.running += 1;
            return match self.items.get_mut(place) {
                Some(Item::Call(call)) => Some(call),
                _ => None,
            };
        }
    }

    /// The step as it stands, for the log. Calls without outcome are only announced.
    pub(super) fn record(&self, number: u32) -> StepRecord {
        let mut parts = vec![Part::StepStart];
        parts.extend(self.items.iter().map(|item| match item {
            Item::Block(block) => {
                let text = TextPart { provider_metadata: block.metadata.clone(), ..TextPart::done(block.text.clone()) };
                match block.kind {
                    BlockKind::Text => Part::Text(text),
                    BlockKind::Reasoning => Part::Reasoning(text),
                }
            }
            Item::Call(call) => Part::Tool(call.part()),
            Item::Part(part) | Item::Note(part) | Item::Heard(part) => Part::Other(part.clone()),
        }));
        StepRecord { number, parts, finish_reason: self.finish_reason, usage: self.usage }
    }
}

impl Block {
    pub(super) fn push(&mut self, delta: &str) {
        self.text.push_str(delta);
    }

    pub(super) fn is_stuck(&mut self) -> bool {
        self.guard.is_stuck(&self.text, false)
    }

    /// Of several metadata the last one counts.
    pub(super) fn note(&mut self, metadata: &Option<Json>) {
        if metadata.is_some() {
            self.metadata.clone_from(metadata);
        }
    }

    pub(super) fn close(&mut self) {
        self.open = false;
    }
}

impl Call {
    pub(super) fn is_stuck(&mut self) -> bool {
        self.guard.is_stuck(&self.arguments, true)
    }

    pub(super) fn set_metadata(&mut self, metadata: Option<Json>) {
        self.metadata = metadata;
    }

    pub(super) fn set_result_metadata(&mut self, metadata: Option<Json>) {
        self.result_metadata = metadata;
    }

    /// Ends the call with its output; gives what pages are shown of it.
    pub(super) fn succeed(&mut self, input: Json, output: Json, shown_bytes: u64) -> Json {
        self.shown_bytes = shown_bytes;
        let shown = shown_output(&output, shown_bytes).unwrap_or_else(|| output.clone());
        self.phase = CallPhase::Output { input, output };
        shown
    }

    /// What chunks say of the call besides its input.
    pub(super) fn details(&self) -> CallDetails {
        CallDetails {
            provider_executed: self.run_by != RunBy::Host,
            provider_metadata: self.metadata.clone(),
            dynamic: self.run_by == RunBy::Provider { dynamic: true },
            ..CallDetails::default()
        }
    }

    /// What the chunk of its outcome says.
    pub(super) fn result_details(&self) -> CallDetails {
        CallDetails { provider_metadata: self.result_metadata.clone(), ..self.details() }
    }

    /// Ends the call without an outcome of its own; `None` when it already has one.
    pub(super) fn abandon(&mut self, error: &str) -> Option<Abandoned> {
        let (input, announced) = match &self.phase {
            CallPhase::Streaming => (Json::string(&self.arguments), false),
            CallPhase::Ready(input) | CallPhase::Elsewhere(input) | CallPhase::Waiting(input, _) => {
                (input.clone(), true)
            }
            CallPhase::Output { .. } | CallPhase::Failed { .. } => return None,
        };
        self.phase = CallPhase::Failed { input: input.clone(), error: error.to_owned() };
        self.untrusted = None;
        // Nobody has refused it.
        self.approval = self.approval.take().filter(|approval| approval.approved == Some(true));
        let more = self.details();
        Some(Abandoned { call_id: self.call_id.clone(), name: self.name.clone(), input, announced, more })
    }

    fn restored(tool: ToolPart) -> Self {
        let input = tool.input.unwrap_or_else(Json::null);
        let phase = match (tool.state, tool.waits) {
            (ToolState::InputAvailable, Some(kind)) => CallPhase::Waiting(input, kind),
            (ToolState::InputAvailable, None) => CallPhase::Ready(input),
            (ToolState::OutputAvailable(output), _) => {
                CallPhase::Output { input, output: output.unwrap_or_else(Json::null) }
            }
            (ToolState::OutputError(error), _) => CallPhase::Failed { input, error },
        };
        Self {
            driver_id: tool.call_id.clone(),
            call_id: tool.call_id,
            name: tool.name,
            arguments: String::new(),
            guard: LoopGuard::default(),
            phase,
            run_by: if tool.provider_executed { RunBy::Provider { dynamic: tool.dynamic } } else { RunBy::Host },
            metadata: tool.provider_metadata,
            result_metadata: tool.result_metadata,
            shown_bytes: tool.shown_bytes.unwrap_or(u64::MAX),
            tainted_by: tool.approval.as_ref().map(|approval| approval.tainted_by.clone()).unwrap_or_default(),
            approval: tool.approval.map(|approval| *approval),
            untrusted: tool.untrusted,
            ask: None,
            answer: None,
            repeats: tool.repeats,
            attempt: Attempt::None,
        }
    }

    /// The call waits for this, and is not made before.
    pub(super) fn wait_for(&mut self, ask: Ask) {
        let CallPhase::Ready(input) = &self.phase else { return };
        self.phase = CallPhase::Waiting(input.clone(), ask.kind);
        self.approval = (ask.kind == WaitKind::Approval).then(|| Approval::requested(&self.call_id));
        self.ask = Some(ask);
    }

    /// The call is not made: nobody is asked, and the rules do not allow it.
    pub(super) fn refuse(&mut self, why: &str) -> Approval {
        if let CallPhase::Ready(input) = self.phase.clone() {
            self.phase = CallPhase::Failed { input, error: why.to_owned() };
        }
        self.untrusted = None;
        let approval = Approval::requested(&self.call_id).answered(false, Some(why.to_owned()));
        self.approval.insert(approval).clone()
    }

    /// The id of what is asked, of a call that waits to be allowed.
    pub(super) fn approval_id(&self) -> Option<String> {
        match (&self.phase, &self.approval) {
            (CallPhase::Waiting(..), Some(approval)) => Some(approval.id.clone()),
            _ => None,
        }
    }

    fn wait(&self) -> Option<Wait> {
        let CallPhase::Waiting(input, kind) = &self.phase else { return None };
        let ask = self.ask.as_ref().filter(|ask| ask.kind == *kind);
        Some(Wait {
            call_id: self.call_id.clone(),
            kind: *kind,
            tool_name: self.name.clone(),
            input: input.clone(),
            schema: ask.and_then(|ask| ask.schema.clone()),
            editable: ask.is_some_and(|ask| ask.editable),
            answerers: ask.map(|ask| ask.answerers.clone()).unwrap_or_default(),
            expires_after_ms: ask.and_then(|ask| ask.expires_after_ms),
            expires_at: None,
            answer: None,
            tainted_by: self.tainted_by.clone(),
        })
    }

    /// Takes the answer that the call has waited for. What is allowed is ready to run after it, with the input that came
    /// with the answer; everything else has its outcome.
    pub(super) fn take_answer(&mut self, answer: &Answer) {
        let CallPhase::Waiting(input, kind) = self.phase.clone() else { return };
        let refused = |default: &str| answer.reason.clone().unwrap_or_else(|| default.to_owned());
        let is_approved = answer.kind == AnswerKind::Approved;
        self.phase = match (kind, answer.kind) {
            (WaitKind::Approval, AnswerKind::Approved) => CallPhase::Ready(answer.input.clone().unwrap_or(input)),
            (WaitKind::Question | WaitKind::ClientTool, AnswerKind::Answered) => {
                CallPhase::Output { input, output: answer.output.clone().unwrap_or_else(Json::null) }
            }
            (_, AnswerKind::Expired) => CallPhase::Failed { input, error: refused(EXPIRED_CALL) },
            (WaitKind::Approval, _) => CallPhase::Failed { input, error: refused(DENIED_CALL) },
            _ => CallPhase::Failed { input, error: refused(DECLINED_CALL) },
        };
        if matches!(self.phase, CallPhase::Failed { .. }) {
            self.untrusted = None;
        }
        if let (WaitKind::Approval, Some(approval)) = (kind, self.approval.take()) {
            let reason = match answer.kind {
                AnswerKind::Expired => Some(refused(EXPIRED_CALL)),
                _ => answer.reason.clone(),
            };
            let edited = is_approved && answer.input.is_some();
            self.approval = Some(Approval { edited, ..approval.answered(is_approved, reason) });
        }
    }

    /// Whether somebody has refused to let it be made.
    pub(super) fn is_denied(&self) -> bool {
        self.approval.as_ref().is_some_and(|approval| approval.approved == Some(false))
    }

    /// Why, in the words of whoever has refused.
    pub(super) fn denial(&self) -> Option<String> {
        self.approval.as_ref().filter(|approval| approval.approved == Some(false))?.reason.clone()
    }

    fn part(&self) -> ToolPart {
        let waits = match &self.phase {
            CallPhase::Waiting(_, kind) => Some(*kind),
            _ => None,
        };
        let (input, state) = match &self.phase {
            CallPhase::Streaming => (Json::string(&self.arguments), ToolState::InputAvailable),
            CallPhase::Ready(input) | CallPhase::Elsewhere(input) | CallPhase::Waiting(input, _) => {
                (input.clone(), ToolState::InputAvailable)
            }
            CallPhase::Output { input, output } => (input.clone(), ToolState::OutputAvailable(Some(output.clone()))),
            CallPhase::Failed { input, error } => (input.clone(), ToolState::OutputError(error.clone())),
        };
        ToolPart {
            provider_executed: self.run_by != RunBy::Host,
            dynamic: self.run_by == RunBy::Provider { dynamic: true },
            provider_metadata: self.metadata.clone(),
            result_metadata: self.result_metadata.clone(),
            approval: self.approval.clone().map(Box::new),
            waits,
            repeats: self.repeats.filter(|_| matches!(self.phase, CallPhase::Ready(_))),
            untrusted: self.untrusted.clone(),
            ..ToolPart::new(self.name.clone(), self.call_id.clone(), Some(input), state).showing(self.shown_bytes)
        }
    }
}

/// What was open and is closed.
pub(super) enum Closed {
    Block(BlockKind, String),
    Call(Abandoned),
}

/// A call that was ended without an outcome.
pub(super) struct Abandoned {
    pub(super) call_id: String,
    pub(super) name: String,
    pub(super) input: Json,
    /// Whether readers have seen its complete input.
    pub(super) announced: bool,
    pub(super) more: CallDetails,
}
