//! Calls of which it is not known whether they were made: those of tools with effects are asked the store for, whatever
//! ends them; those that a death has cut off are made again where that does no harm.

use crate::log::{CallDetails, UiChunk};
use crate::model::{Json, Repeat, RunReason, UNKNOWN_CALL, call_key};

use super::super::effect::{Effect, Timer};
use super::super::step::{Attempt, CallPhase};
use super::{Phase, RunMachine};

/// What the model is told of a call that was being made when its run was ended, and that has not taken effect.
const ENDED_CALL: &str = "The run ended before this call was done; it has not taken effect.";
/// What the model is told of a call that its process has not made before it ended, and that is not made again here.
const NOT_REPEATED: &str = "The process ended while this tool was running; it has not taken effect.";

impl RunMachine {
    /// What is put on disk of the step says of its calls which may be made again.
    pub(super) fn persist_intent(&mut self, effects: &mut Vec<Effect>) {
        for call in self.step.calls_mut() {
            if matches!(call.phase, CallPhase::Ready(_)) && call.attempt != Attempt::Cut {
                call.repeats = self.tools.repeats(&call.name);
            }
        }
        self.phase = Phase::PersistingIntent;
        effects.push(Effect::PersistIntent(self.step.record(self.number)));
    }

    /// Calls that the last owner was making are made again, if their tools still say the same of themselves.
    pub(super) fn resume_cut_calls(&mut self, effects: &mut Vec<Effect>) {
        for call in self.step.calls_mut() {
            let (CallPhase::Ready(input), Some(mark)) = (call.phase.clone(), call.repeats) else { continue };
            let may_be_made = !self.taint.forbids_again(&*self.tools, call, &input);
            if self.tools.repeats(&call.name) == Some(mark) && may_be_made {
                call.attempt = Attempt::Again;
                continue;
            }
            if mark == Repeat::Effects {
                // The mark stays: whoever comes after this process has to ask, too.
                call.attempt = Attempt::Cut;
                continue;
            }
            let (tool_call_id, error_text) = (call.call_id.clone(), UNKNOWN_CALL.to_owned());
            call.phase = CallPhase::Failed { input, error: error_text.clone() };
            let more = CallDetails::default();
            effects.push(Effect::EmitChunk(UiChunk::ToolOutputError { tool_call_id, error_text, more }));
        }
    }

    /// Whether what this call has come to is for the store to say; it is asked.
    pub(super) fn asks_store(&mut self, call_id: &str, error: &str, effects: &mut Vec<Effect>) -> bool {
        let number = self.number;
        let Some(call) = self.step.call(call_id) else { return false };
        if self.tools.repeats(&call.name) != Some(Repeat::Effects) {
            return false;
        }
        call.attempt = Attempt::Closing;
        effects.push(close(call_key(self.ids.run, number, call_id), call_id, error));
        true
    }

    /// A call that a death has cut off and that is not made again: whether it was made is for the store to say.
    pub(super) fn close_cut_call(&mut self, call_id: &str, effects: &mut Vec<Effect>) {
        if let Some(call) = self.step.call(call_id) {
            call.attempt = Attempt::Closing;
        }
        effects.push(close(call_key(self.ids.run, self.number, call_id), call_id, NOT_REPEATED));
    }

    /// Whether the end of the run has to wait for what the store says of calls that are being made. Others can go on with
    /// a run that is given up, and ask themselves.
    pub(super) fn end_waits_for_effects(&mut self, reason: RunReason, effects: &mut Vec<Effect>) -> bool {
        if self.phase != Phase::RunningTools || (reason == RunReason::Shutdown && self.handing_over) {
            return false;
        }
        let made = self.step.calls().filter(|call| {
            matches!(call.attempt, Attempt::Made | Attempt::Again)
                && matches!(call.phase, CallPhase::Ready(_))
                && self.tools.repeats(&call.name) == Some(Repeat::Effects)
        });
        let made: Vec<String> = made.map(|call| call.call_id.clone()).collect();
        for call_id in made {
            effects.push(Effect::DisarmTimer(Timer::Tool { call_id: call_id.clone() }));
            effects.push(Effect::CancelTool { call_id: call_id.clone() });
            self.asks_store(&call_id, ENDED_CALL, effects);
        }
        self.step.calls().any(|call| call.attempt == Attempt::Closing)
    }

    /// The store has said what a call has come to.
    pub(super) fn effect_closed(&mut self, call_id: &str, outcome: Result<Json, String>, effects: &mut Vec<Effect>) {
        let Some(call) = self.step.call(call_id).filter(|call| call.attempt == Attempt::Closing) else { return };
        call.attempt = Attempt::None;
        self.end_call(call_id, outcome, effects);
        if self.stop.is_some()
            && self.phase == Phase::RunningTools
            && self.step.calls().all(|call| call.attempt != Attempt::Closing)
        {
            self.abort(effects);
        }
    }
}

fn close(key: String, call_id: &str, error: &str) -> Effect {
    Effect::CloseEffect { call_id: call_id.to_owned(), key, error: error.to_owned() }
}
