//! Calls to the provider that failed and are made up for by another one, of the same model or of the next.

use std::time::Duration;

use crate::log::UiChunk;
use crate::model::{FinishReason, RunReason};
use crate::provider::ProviderFailure;

use super::super::budget::Price;
use super::super::effect::{Effect, Timer};
use super::super::retry::withdrawn_part;
use super::{Phase, RunMachine};

impl RunMachine {
    pub(super) fn price(&self) -> Option<Price> {
        self.limits.budget.cost.map(|cost| cost.price)
    }

    pub(super) fn try_again_or_fail(
        &mut self,
        failure: ProviderFailure,
        cut_short: bool,
        reason: RunReason,
        effects: &mut Vec<Effect>,
    ) {
        if !self.tries_again(&failure, cut_short, effects) {
            self.fail(failure, reason, effects);
        }
    }

    /// Whether the call that failed is made up for by another one. What had streamed of its answer is withdrawn: first on
    /// disk, as any step. What the provider has done itself meanwhile cannot be taken back.
    pub(super) fn tries_again(
        &mut self,
        failure: &ProviderFailure,
        cut_short: bool,
        effects: &mut Vec<Effect>,
    ) -> bool {
        if self.stop.is_some() || self.step.calls_elsewhere() {
            return false;
        }
        let Some(again) = self.attempts.next(failure, cut_short) else { return false };
        effects.push(Effect::CancelProvider);
        effects.push(Effect::DisarmTimer(Timer::ProviderSilence));
        effects.push(Effect::DisarmTimer(Timer::Step));
        self.back_off = again.wait;
        // What a step has told of the switch is withdrawn with it.
        self.switched = again.switched.or(self.switched.take()).or(self.told_switch.take());
        self.spent_at = Some(self.price());
        if let (Some(cost), Some(price)) = (&mut self.limits.budget.cost, again.price) {
            cost.price = price;
        }
        if !self.step.answered {
            self.spent_at = None;
            self.step = std::mem::take(&mut self.step).unanswered();
            self.call_provider_in_time(effects);
            return true;
        }
        self.close_all(effects);
        if let Some(note) = withdrawn_part(self.number, failure.kind) {
            self.step.add_note(note.clone());
            effects.push(Effect::EmitChunk(UiChunk::Part(note)));
        }
        self.step.finish_reason = Some(FinishReason::Withdrawn);
        self.phase = Phase::PersistingStep;
        effects.push(Effect::PersistStep(self.step.record(self.number)));
        true
    }

    pub(super) fn call_provider_in_time(&mut self, effects: &mut Vec<Effect>) {
        if self.handing_over {
            return self.release(effects);
        }
        match std::mem::take(&mut self.back_off) {
            Duration::ZERO => self.call_provider(effects),
            after => {
                self.phase = Phase::BackingOff;
                effects.push(Effect::ArmTimer { timer: Timer::Retry, after });
            }
        }
    }
}
