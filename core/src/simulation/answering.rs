//! Calls that wait are answered, at last: by several at once, late, twice, or by nobody until they expire.

use crate::clock::Clock;
use crate::id::RunId;
use crate::model::{Answer, AnswerKind, Json, Wait, WaitKind, Waits};
use crate::store::{WaitStore, WaitingRun};

use super::ledger::Facts;
use super::world::{FAR_TOO_MANY, World};
use super::{Broken, ready};

impl World<'_> {
    /// Somebody looks at what waits, or answers what he has seen, whatever has happened since.
    pub(super) fn answer_event(&mut self) -> Result<(), Broken> {
        if !self.looks.is_empty() && self.random.chance(600) {
            let place = self.random.below(self.looks.len());
            let (run_id, waits) = match self.random.chance(800) {
                true => self.looks.swap_remove(place),
                false => self.looks[place].clone(),
            };
            return self.answer(run_id, &waits);
        }
        let runs: Vec<RunId> =
            self.ledger.runs.iter().filter(|(_, facts)| facts.waits()).map(|(run_id, _)| *run_id).collect();
        if runs.is_empty() {
            return Ok(());
        }
        let run_id = self.random.pick(&runs);
        if let Ok(Some(WaitingRun { waits, .. })) = ready(self.store.waits(run_id)) {
            self.looks.push((run_id, waits));
        }
        Ok(())
    }

    fn answer(&mut self, run_id: RunId, seen: &Waits) -> Result<(), Broken> {
        let open: Vec<Wait> = seen.calls.iter().filter(|wait| wait.is_open()).cloned().collect();
        if open.is_empty() || self.random.chance(self.plan.rates.unreachable) {
            return Ok(());
        }
        let wait = open[self.random.below(open.len())].clone();
        let now = self.clock.now();
        if wait.is_over(now) {
            return Ok(());
        }
        let kind = match (wait.kind, self.random.chance(700)) {
            (WaitKind::Approval, true) => AnswerKind::Approved,
            (WaitKind::Question, true) => AnswerKind::Answered,
            _ => AnswerKind::Denied,
        };
        let output = (kind == AnswerKind::Answered).then(|| Json::string(&self.word()));
        let reason = (kind == AnswerKind::Denied && self.random.chance(500)).then(|| self.word());
        let answer = Answer { kind, reason, input: None, output, by: Some("u".to_owned()) };
        let Some(waits) = seen.answered(&wait.call_id, answer.clone(), now) else { return Ok(()) };
        let taken = ready(self.store.change_waits(run_id, seen, &waits)).unwrap_or(false);
        self.say(|| format!("{} of {run_id} is answered ({kind:?}), taken: {taken}", wait.call_id));
        if !taken {
            self.coverage.answered_in_vain += 1;
            return Ok(());
        }
        self.coverage.answered += 1;
        self.ledger.answered(run_id, &wait.call_id, answer)?;
        self.check_answered(run_id)
    }

    /// What is answered is nobody's still, and in its rows.
    fn check_answered(&mut self, run_id: RunId) -> Result<(), Broken> {
        let chat = self.ledger.runs.get(&run_id).map(|facts| facts.chat);
        self.ledger.check(&self.store, run_id)?;
        chat.map_or(Ok(()), |chat| self.ledger.check_gate(&self.store, chat))
    }

    /// What nobody has answered in time.
    pub(super) fn expire(&mut self) -> Result<(), Broken> {
        let now = self.clock.now();
        for WaitingRun { run, waits } in ready(self.store.expired_waits(usize::MAX)).unwrap_or_default() {
            let Some(expired) = waits.expired(now) else { continue };
            if !ready(self.store.change_waits(run.id, &waits, &expired)).unwrap_or(false) {
                continue;
            }
            self.say(|| format!("calls of {} expire", run.id));
            let calls = expired.calls.iter().zip(&waits.calls).filter(|(_, before)| before.is_open());
            for (wait, _) in calls {
                if let Some(answer) = wait.answer.clone() {
                    self.coverage.expired += 1;
                    self.ledger.answered(run.id, &wait.call_id, answer)?;
                }
            }
            self.check_answered(run.id)?;
        }
        Ok(())
    }

    /// Everybody answers.
    pub(super) fn answer_all(&mut self) -> Result<(), Broken> {
        for _ in 0..FAR_TOO_MANY {
            let waits = |facts: &Facts| facts.settled.is_none() && facts.waits() && facts.stop.is_none();
            let waiting = self.ledger.runs.iter().find(|(_, facts)| waits(facts));
            let Some((run_id, _)) = waiting else { return Ok(()) };
            let run_id = *run_id;
            let Ok(Some(found)) = ready(self.store.waits(run_id)) else {
                return Err(Broken::new("no acknowledged run is lost", format!("{run_id}, which waits")));
            };
            if found.waits.calls.iter().any(|wait| wait.is_open() && wait.is_over(self.clock.now())) {
                self.expire()?;
            } else {
                self.answer(run_id, &found.waits)?;
            }
        }
        Err(Broken::new("what waits can be answered", "some of it waits for ever".to_owned()))
    }
}
