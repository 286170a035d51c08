//! What the owner of a run left of its log, and how that is closed. Pure.

use std::time::Duration;

use crate::id::RunId;
use crate::model::{
    CallEffect, FailureKind, MessageStatus, Part, Repeat, RunFailure, RunReason, RunStatus, StepRecord, ToolPart,
    ToolState, UNKNOWN_CALL, Usage, call_key,
};
use crate::project::{FlushExtra, flush_run};
use crate::store::{CallNote, ClaimedRun, Fence, LogPage, LogRow, LoggedStep, RecordStep, SettleRun, StepNumbers};

use super::UiChunk;
use super::replay::StepView;

/// The outcome of a call that waited for an answer and was not made before its run ended.
const NEVER_MADE: &str = "The run ended before this call was made.";

/// The log of a run whose owner is gone.
#[derive(Debug, Default)]
pub(crate) struct AbandonedLog {
    /// All steps; the last of them is not in the log as a finished one if `unfinished` says so.
    pub(crate) steps: Vec<StepRecord>,
    /// The numbers of a last step that was in progress and is closed.
    pub(crate) unfinished: Option<StepNumbers>,
    /// The number of the chunk after the last one that was told, or will be of the steps.
    pub(crate) next_sequence: u64,
    /// What was told of a step of which nothing came, and which is therefore none of the steps: that it began.
    pub(crate) begun: StepView,
    /// A last step with calls that wait, or have waited, and were not made, or that may be made again: it is none of the
    /// steps, and goes on.
    pub(crate) open: Option<OpenStep>,
}

/// A step that goes on.
#[derive(Debug)]
pub(crate) struct OpenStep {
    pub(crate) step: StepRecord,
    /// What is on disk of it and was told nobody.
    pub(crate) untold: Vec<UiChunk>,
    /// The calls of which the outcome was told, though it is not on disk of the step.
    pub(crate) told: Vec<String>,
}

/// What is noted of the calls that the owner was making.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    run_id: Option<RunId>,
    noted: Vec<CallEffect>,
}

impl Effects {
    pub(crate) fn new(run_id: RunId, noted: Vec<CallEffect>) -> Self {
        Self { run_id: Some(run_id), noted }
    }

    /// The keys of calls that were being made, and of which the store knows whether they were.
    pub(crate) fn keys(run_id: RunId, logged: &[LoggedStep]) -> Vec<String> {
        let intents = logged.iter().filter(|logged| !logged.finished);
        let cut = |step: &StepRecord| -> Vec<String> {
            let calls = step
                .tools()
                .filter(|tool| tool.state == ToolState::InputAvailable && tool.repeats == Some(Repeat::Effects));
            calls.map(|tool| call_key(run_id, step.number, &tool.call_id)).collect()
        };
        intents.flat_map(|logged| cut(&logged.step)).collect()
    }

    /// Puts the outcomes of these calls into the step, unless they were told.
    fn apply(&self, step: &mut StepRecord, view: &StepView) {
        let (Some(run_id), number) = (self.run_id, step.number) else { return };
        for part in &mut step.parts {
            let Part::Tool(tool) = part else { continue };
            let is_cut = tool.state == ToolState::InputAvailable && tool.repeats == Some(Repeat::Effects);
            if !is_cut || view.outcome_of(&tool.call_id).is_some() {
                continue;
            }
            let key = call_key(run_id, number, &tool.call_id);
            let Some(effect) = self.noted.iter().find(|effect| effect.key == key) else { continue };
            tool.state = match effect.outcome() {
                Ok(output) => ToolState::OutputAvailable(Some(output)),
                Err(error) => ToolState::OutputError(error),
            };
        }
    }
}

impl AbandonedLog {
    /// `trailing` is the end of the log, with the packs of the step that was in progress; `effects` is what is noted of
    /// its calls.
    pub(crate) fn of(logged: Vec<LoggedStep>, trailing: Option<LogPage>, effects: &Effects) -> Self {
        Self::read(logged, trailing, effects, false)
    }

    /// The same for whoever goes on with the run: a step whose calls wait, or may be made again, is not closed.
    pub(crate) fn to_go_on(logged: Vec<LoggedStep>, trailing: Option<LogPage>, effects: &Effects) -> Self {
        Self::read(logged, trailing, effects, true)
    }

    fn read(logged: Vec<LoggedStep>, trailing: Option<LogPage>, effects: &Effects, goes_on: bool) -> Self {
        let mut steps: Vec<StepRecord> = Vec::with_capacity(logged.len());
        let mut intent = None;
        for entry in logged {
            if entry.finished {
                steps.push(entry.step);
            } else {
                intent = Some(entry.step);
            }
        }
        let (mut view, mut next_sequence) = (StepView::default(), 1);
        if let Some(page) = trailing {
            next_sequence = page.start.map_or(1, |start| start.first_sequence);
            for row in page.rows {
                let LogRow::Pack(pack) = row else { continue };
                next_sequence += pack.chunks.len() as u64;
                pack.chunks
                    .iter()
                    .filter_map(|chunk| UiChunk::parse_of_step(chunk))
                    .for_each(|chunk| view.apply(&chunk));
            }
        }
        let number = u32::try_from(steps.len()).unwrap_or(u32::MAX);
        let mut open = None;
        let unfinished = match intent {
            Some(mut step) => {
                effects.apply(&mut step, &view);
                let goes = |tool: &ToolPart| {
                    let is_cut = tool.state == ToolState::InputAvailable && view.outcome_of(&tool.call_id).is_none();
                    tool.waits.is_some() || (is_cut && tool.repeats.is_some())
                };
                let is_open = goes_on && step.tools().any(goes);
                close_calls(&mut step, &view, is_open);
                if is_open { open.replace(step) } else { Some(step) }
            }
            None if view.is_empty() => None,
            None => Some(view.clone().into_record(number)),
        };
        let usage = steps.iter().chain(&unfinished).fold(None, |sum, step| Usage::accumulate(sum, step.usage));
        let begun = if unfinished.is_none() { view.clone() } else { StepView::default() };
        let numbers = unfinished.map(|step| {
            let rest = view.continuation(&step, usage).len() as u64;
            steps.push(step);
            StepNumbers { packed_until: next_sequence, next: next_sequence + rest }
        });
        let next_sequence = numbers.map_or(next_sequence, |numbers| numbers.next);
        let open = open.map(|step| {
            let ids = step.tools().map(|tool| tool.call_id.clone());
            let told = ids.filter(|call_id| begun.outcome_of(call_id).is_some()).collect();
            OpenStep { untold: begun.untold(&step), told, step }
        });
        Self { steps, unfinished: numbers, next_sequence, begun, open }
    }

    /// The write that closes the step that was in progress, for whoever goes on with the run.
    pub(crate) fn closing(&self, fence: &Fence, lease: Duration) -> Option<RecordStep> {
        let (numbers, step) = self.unfinished.zip(self.steps.last().cloned())?;
        Some(RecordStep {
            fence: fence.clone(),
            numbers,
            lease: Some(lease),
            refresh: None,
            call: call_of(&self.steps),
            step,
        })
    }

    /// The end of an abandoned run.
    pub(crate) fn settlement(self, claimed: ClaimedRun) -> SettleRun {
        let Self { steps, unfinished, .. } = self;
        // A stop holds even if the owner died before it heard of it.
        let reason = claimed.stop_reason.unwrap_or(RunReason::WorkerLost);
        SettleRun {
            fence: claimed.fence,
            unless_steered: None,
            status: RunStatus::Aborted,
            reason: Some(reason),
            error: None,
            failure: None,
            step: steps.last().cloned().zip(unfinished),
            call: call_of(&steps),
            assistant: flush_run(&steps, MessageStatus::Aborted, &extra_of(&steps, reason)),
        }
    }

    /// The end of a run that nobody can go on with.
    pub(crate) fn failure(self, fence: Fence, error: String) -> SettleRun {
        let (Self { steps, unfinished, .. }, reason) = (self, RunReason::Internal);
        let failure = Some(RunFailure::new(FailureKind::Internal, error.as_str()));
        let extra = FlushExtra { error: Some(error.clone()), failure: failure.clone(), ..extra_of(&steps, reason) };
        SettleRun {
            fence,
            unless_steered: None,
            status: RunStatus::Failed,
            reason: Some(reason),
            error: Some(error),
            failure,
            step: steps.last().cloned().zip(unfinished),
            call: call_of(&steps),
            assistant: flush_run(&steps, MessageStatus::Error, &extra),
        }
    }
}

/// What the call of the last step is taken for: its prompt had at least what the one before it had, and its answer.
fn call_of(steps: &[StepRecord]) -> CallNote {
    let before = steps.len().checked_sub(2).and_then(|index| steps.get(index)?.usage?.context_tokens());
    CallNote { prompt_tokens: before, ..CallNote::default() }
}

fn extra_of(steps: &[StepRecord], reason: RunReason) -> FlushExtra {
    FlushExtra {
        reason: Some(reason),
        usage: steps.iter().fold(None, |sum, step| Usage::accumulate(sum, step.usage)),
        context_tokens: steps.last().and_then(|step| step.usage?.context_tokens()),
        ..FlushExtra::default()
    }
}

/// With `goes_on`, what waits and what may be made again stays as it is.
fn close_calls(step: &mut StepRecord, view: &StepView, goes_on: bool) {
    for part in &mut step.parts {
        let Part::Tool(tool) = part else { continue };
        if tool.waits.is_some() {
            if !goes_on {
                // What an answer has come to may have been told, and be on disk nowhere else.
                let (input, denial) = view.answer_to(&tool.call_id);
                (tool.waits, tool.approval, tool.input) = (None, denial.map(Box::new), input.or(tool.input.take()));
                let never_made = || ToolState::OutputError(NEVER_MADE.to_owned());
                tool.state = view.outcome_of(&tool.call_id).unwrap_or_else(never_made);
            }
        } else if tool.state == ToolState::InputAvailable {
            match view.outcome_of(&tool.call_id) {
                Some(outcome) => tool.state = outcome,
                None if goes_on && tool.repeats.is_some() => continue,
                None => tool.state = ToolState::OutputError(UNKNOWN_CALL.to_owned()),
            }
        }
        if tool.state != ToolState::InputAvailable {
            tool.repeats = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Approval, Json, WaitKind};

    fn waiting(kind: WaitKind) -> StepRecord {
        let tool = ToolPart::new("form", "c", Some(Json::empty_object()), ToolState::InputAvailable);
        let approval = (kind == WaitKind::Approval).then(|| Approval::requested("c"));
        let parts =
            vec![Part::StepStart, Part::Tool(ToolPart { waits: Some(kind), approval: approval.map(Box::new), ..tool })];
        StepRecord { number: 0, parts, finish_reason: None, usage: None }
    }

    fn closed(kind: WaitKind, told: &[UiChunk]) -> ToolPart {
        let mut view = StepView::default();
        told.iter().for_each(|chunk| view.apply(chunk));
        let mut step = waiting(kind);
        close_calls(&mut step, &view, false);
        let tool = step.tools().next().cloned().unwrap();
        assert!(tool.waits.is_none());
        tool
    }

    #[test]
    fn what_was_told_of_an_answered_call_stays_when_the_run_is_not_gone_on_with() {
        let input = |input: Json| UiChunk::ToolInputAvailable {
            tool_call_id: "c".into(),
            tool_name: "form".into(),
            input,
            more: crate::log::CallDetails::default(),
        };
        let (output, more) = (Json::string("blue"), crate::log::CallDetails::default());
        let answered = UiChunk::ToolOutputAvailable { tool_call_id: "c".into(), output: output.clone(), more };
        let asked = input(Json::empty_object());
        let tool = closed(WaitKind::Question, &[asked.clone(), answered]);
        assert_eq!(tool.state, ToolState::OutputAvailable(Some(output)));
        let denied = UiChunk::ToolOutputDenied { tool_call_id: "c".into(), reason: None };
        let tool = closed(WaitKind::Approval, &[asked.clone(), denied]);
        assert!(tool.is_denied());
        // It was allowed with another input, and not made.
        let edited = Json::parse(r#"{"a":1}"#).unwrap();
        let tool = closed(WaitKind::Approval, &[asked.clone(), input(edited.clone())]);
        assert_eq!((tool.input, tool.state), (Some(edited), ToolState::OutputError(NEVER_MADE.to_owned())));
        // Nobody has said anything.
        let tool = closed(WaitKind::Question, &[asked]);
        assert_eq!(tool.state, ToolState::OutputError(NEVER_MADE.to_owned()));
    }
}
