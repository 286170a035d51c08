//! Messages that join the run.
//!
//! - They enter between two steps, before the next call is made, in a write of their own that puts them into the log.
//! - A run that would succeed while messages wait makes one more step, which answers them, if it has one left. The store
//!   decides that with the settlement, so that none comes in between.
//! - A run that is to end for any other reason ends; what waits is the chat's next turn's.

use crate::model::{FinishReason, Json, RunReason, RunStatus, StepRecord};

use super::{Close, Effect, Phase, RunMachine, Spent, Usage};

/// What a run that is to end has counted before, in case that it does not.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    usage: Option<Usage>,
    spent: Spent,
    context_tokens: Option<u64>,
    last_finish: Option<FinishReason>,
}

/// What is known of messages that are to join.
#[derive(Clone, Debug, Default)]
pub(super) struct Joining {
    /// Some wait, or have waited.
    pub(super) wait: bool,
    /// The run ends with this unless some enter.
    ending: Option<FinishReason>,
}

impl Joining {
    /// Of a run that goes on behind this step. One that could have been the last was put on disk as any other because messages
    /// waited: they enter before the model is asked anything, and if they were taken back since, the run ends with it.
    pub(super) fn behind(step: Option<&StepRecord>) -> Self {
        let could_be_last = |step: &&StepRecord| step.finish_reason.is_some() && !step.is_withdrawn();
        let Some(step) = step.filter(could_be_last) else { return Self::default() };
        if step.tools().any(|tool| !tool.provider_executed) {
            return Self::default();
        }
        // A provider that pauses does so in a call of its own, and goes on with its answer.
        let ending = step.finish_reason.filter(|_| step.tools().next().is_none());
        Self { wait: true, ending }
    }

    /// What the run was to end with.
    pub(super) fn take_ending(&mut self) -> Option<FinishReason> {
        self.ending.take()
    }
}

impl RunMachine {
    /// Whether an end of this kind is none while messages wait: there is a step left that would answer them.
    pub(super) fn waits_for_nobody(&self, status: RunStatus) -> bool {
        let has_room = !self.is_last && !self.spent.is_all_of(&self.limits.budget);
        status == RunStatus::Succeeded && has_room && self.stop.is_none()
    }

    /// The counts as they are, to be kept with an end that may not come.
    pub(super) fn counted(&self) -> Counted {
        Counted {
            usage: self.usage,
            spent: self.spent,
            context_tokens: self.context_tokens,
            last_finish: self.last_finish,
        }
    }

    /// Whether the end that is being written may not come.
    pub(super) fn may_go_on(&self) -> bool {
        self.phase == Phase::Settling && self.close.as_ref().is_some_and(|close| close.counted.is_some())
    }

    /// Messages wait. If the run was about to end, it does not: its last step is put on disk as any other.
    pub(super) fn steered(&mut self, effects: &mut Vec<Effect>) {
        self.joining.wait = true;
        if !self.may_go_on() {
            return;
        }
        let Some(Close { finish_reason, counted: Some(counted), .. }) = self.close.take() else { return };
        self.joining.ending = finish_reason;
        if !self.step.started {
            // It is on disk, and so is what it counts.
            return self.after_step(effects);
        }
        let Counted { usage, spent, context_tokens, last_finish } = counted;
        (self.usage, self.context_tokens, self.last_finish) = (usage, context_tokens, last_finish);
        let time = self.spent.time;
        self.spent = spent;
        self.spent.time = time;
        self.phase = Phase::PersistingStep;
        effects.push(Effect::PersistStep(self.step.record(self.number)));
    }

    /// Lets what waits enter before the next step.
    pub(super) fn enter(&mut self, effects: &mut Vec<Effect>) {
        self.phase = Phase::Entering;
        effects.push(Effect::EnterSteering { step: self.number });
    }

    /// These have entered, and readers were told. With none the run goes on, or ends, as it would have.
    pub(super) fn entered(&mut self, messages: Vec<Json>, effects: &mut Vec<Effect>) {
        self.joining.wait = false;
        let ending = self.joining.take_ending();
        let any = !messages.is_empty();
        self.step = super::StepBuilder::hearing(messages);
        if self.stop.is_some() {
            return self.abort(effects);
        }
        match ending {
            Some(reason) if !any => self.settle(RunStatus::Succeeded, None, None, Some(reason), effects),
            _ => self.call_provider_in_time(effects),
        }
    }

    /// It is to stop, but its end was being written, and that decides.
    pub(super) fn stop_if_it_goes_on(&mut self, reason: RunReason) {
        if self.may_go_on() {
            self.stop.get_or_insert(reason);
        }
    }
}
