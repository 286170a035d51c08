//! Tools with effects: each counts in the store's own database, at some time while it is called or after nobody waits for
//! it any more.

use crate::id::RunId;
use crate::machine::shell::Input;
use crate::machine::{Event, ToolCall};
use crate::model::Json;
use crate::store::EffectStore;

use super::process::Drive;
use super::world::World;
use super::{Broken, Mutation, ready};

/// A call that the store is asked for.
pub(super) struct Closing {
    pub(super) call_id: String,
    pub(super) key: String,
    pub(super) error: String,
}

impl World<'_> {
    /// The tool's transaction, if it goes through.
    pub(super) fn count(&mut self, run_id: RunId, call: &ToolCall) -> Result<bool, Broken> {
        let result = self.random.chance(700).then(|| Json::string("counted"));
        let counted = self.store.note_effect(run_id, &call.key, result);
        self.say(|| format!("    {} of {run_id} counts: {counted}", call.call_id));
        match counted {
            true => self.ledger.counted(run_id, &call.key)?,
            false => self.coverage.effects_refused += 1,
        }
        Ok(counted)
    }

    /// What the tool comes to, which may have counted before.
    pub(super) fn counter_returns(
        &mut self,
        drive: &mut Drive,
        call: &ToolCall,
    ) -> Result<std::result::Result<Json, String>, Broken> {
        let counted_before = drive.counted.contains(&call.call_id);
        let counted = counted_before || (self.random.chance(800) && self.count(drive.ids.run, call)?);
        let fails = self.random.chance(self.plan.rates.tool_fails);
        Ok(if counted && !fails { Ok(Json::string(&self.word())) } else { Err(self.word()) })
    }

    /// Nobody waits for these calls any more; what they do they may do all the same.
    pub(super) fn leave_tools(&mut self, drive: &mut Drive, which: impl Fn(&ToolCall) -> bool) {
        let (gone, kept) = std::mem::take(&mut drive.running).into_iter().partition(|call| which(call));
        drive.running = kept;
        let gone: Vec<ToolCall> = gone;
        for call in gone {
            let counts = call.name == "count" && !drive.counted.contains(&call.call_id);
            if counts && self.random.chance(500) {
                self.late_effects.push((drive.ids.run, call));
            }
        }
    }

    pub(super) fn late_effect_event(&mut self) -> Result<(), Broken> {
        let place = self.random.below(self.late_effects.len());
        let (run_id, call) = self.late_effects.swap_remove(place);
        self.say(|| "a tool goes on that nobody waits for:".to_owned());
        self.coverage.late_effects += u64::from(self.count(run_id, &call)?);
        Ok(())
    }

    /// The store says what a call has come to, or cannot be reached; `false` when the process died over it.
    pub(super) fn close_effect(&mut self, drive: &mut Drive) -> Result<bool, Broken> {
        let place = self.random.below(drive.closing.len());
        let rates = &self.plan.rates;
        let (before, after) = (rates.crash_before, rates.crash_after);
        let (unreachable, lost) = (rates.unreachable, rates.answer_lost);
        if self.random.chance(before) {
            return Ok(false);
        }
        if self.random.chance(unreachable) {
            return Ok(true);
        }
        let (fence, key) = (drive.shell.journal().fence().clone(), drive.closing[place].key.clone());
        let noted = match self.mutation {
            Some(Mutation::FailedToolUnasked) => Ok(Vec::new()),
            _ => ready(self.store.close_effects(&fence, &[key])),
        };
        if self.random.chance(after) {
            return Ok(false);
        }
        if self.random.chance(lost) {
            return Ok(true);
        }
        let Closing { call_id, error, .. } = drive.closing.swap_remove(place);
        let event = match noted {
            Ok(noted) => {
                let done = noted.iter().find(|effect| !effect.is_void);
                self.coverage.closed_effects += u64::from(done.is_some());
                Event::EffectClosed { call_id, outcome: done.map_or(Err(error), |effect| effect.outcome()) }
            }
            Err(_) => Event::LeaseLost,
        };
        self.hand(drive, Input::Event(event))?;
        Ok(true)
    }
}
