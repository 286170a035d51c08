//! The sweep, as far as the engine's one cannot be taken as it is.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::engine::run::sweep;
use crate::error::ErrorCode;
use crate::log::journal::empty_row;
use crate::machine::writes::Write;
use crate::model::{MessageStatus, RunReason};
use crate::store::{ClaimedRun, LeaseStore, QueueStore, Sweep, Waiting};

use super::process::{LateWrite, Life};
use super::store::Fault;
use super::world::{LEASE, World};
use super::{Broken, Mutation, ready};

impl World<'_> {
    pub(super) fn sweep_event(&mut self) -> Result<(), Broken> {
        let Some(process) = self.process(Life::Alive, false) else { return Ok(()) };
        self.coverage.sweeps += 1;
        let whole = self.sweep(process)?;
        if whole { self.check_swept(process) } else { Ok(()) }
    }

    pub(super) fn check_swept(&self, process: usize) -> Result<(), Broken> {
        let now = self.now();
        let own = self.own(process);
        let left = self.ledger.runs.iter().find(|(run_id, facts)| facts.is_abandoned(now) && !own.contains(run_id));
        match left {
            None => Ok(()),
            Some((run_id, _)) => Err(Broken::new("a sweep settles what is abandoned", run_id.to_string())),
        }
    }

    /// Settles what is abandoned; `false` when that was interrupted, or leases said nothing.
    pub(super) fn sweep(&mut self, process: usize) -> Result<bool, Broken> {
        self.say(|| format!("p{process} sweeps"));
        self.expire()?;
        if self.random.chance(self.plan.rates.unreachable) {
            self.note_outage(process);
            return Ok(false);
        }
        let leases_at = self.leases_at(process, Mutation::SweepIsImpatient);
        let (now, elapsed) = (self.now(), self.elapsed);
        let own = self.registered(process);
        let begun_before = !self.processes[process].claims.is_empty();
        if !begun_before {
            let (mut left, spared) = (Vec::new(), self.own(process));
            for (run_id, facts) in self.ledger.runs.iter_mut() {
                let is_judged = leases_at.is_some_and(|at| facts.lease_until <= at.as_millis());
                if facts.fence.is_none() && is_judged && facts.is_abandoned(now) && !spared.contains(run_id) {
                    facts.swept.get_or_insert(facts.stop);
                    left.push(*run_id);
                }
            }
            let empty = empty_row(MessageStatus::Aborted);
            let owner = self.processes[process].owner.clone();
            let everything = Sweep { spare: &own, leases_at, ..Sweep::new(&owner, LEASE) };
            let _ = ready(self.store.settle_waiting(Waiting::Abandoned(everything), RunReason::WorkerLost, empty));
            self.ledger.check_all(&self.store)?;
            for run_id in left.into_iter().filter(|run_id| self.ledger.is_settled(*run_id)) {
                self.check_silent(run_id)?;
            }
            if self.random.chance(self.plan.rates.crash_before) {
                self.crash(process);
                return Ok(false);
            }
            let claimed = ready(self.store.claim_abandoned(everything)).unwrap_or_default();
            for claim in &claimed {
                let run_id = claim.run.id;
                self.check_own(process, run_id)?;
                self.check_silent(run_id)?;
                self.say(|| format!("    takes over {run_id} under epoch {}", claim.fence.epoch));
                let Some(facts) = self.ledger.runs.get_mut(&run_id) else { continue };
                if claim.fence.epoch <= facts.epoch() || !facts.is_abandoned(now) {
                    return Err(Broken::new("only what is abandoned is taken over", run_id.to_string()));
                }
                facts.fence = Some(claim.fence.clone());
                facts.is_heard(now, elapsed);
                (facts.swept, facts.suspended) = (Some(facts.stop), false);
            }
            self.processes[process].claims.extend(claimed);
        }
        while let Some(claim) = self.processes[process].claims.pop_front() {
            // Other things may happen before the next one is settled.
            if self.random.chance(self.plan.rates.unreachable) {
                self.processes[process].claims.push_front(claim);
                return Ok(false);
            }
            if !self.settle_claimed(process, claim)? {
                return Ok(false);
            }
        }
        Ok(!begun_before && leases_at == Some(Timestamp::from_millis(now)))
    }

    pub(super) fn settle_claimed(&mut self, process: usize, claim: ClaimedRun) -> Result<bool, Broken> {
        let (run_id, fence) = (claim.run.id, claim.fence.clone());
        let rates = &self.plan.rates;
        let (before, after) = (rates.crash_before, rates.crash_after);
        let (lost, late) = (rates.answer_lost, rates.late / 4);
        if self.random.chance(before) {
            self.crash(process);
            return Ok(false);
        }
        let fault = match () {
            () if self.random.chance(lost) => Some(Fault::AnswerLost),
            () if self.random.chance(late) => Some(Fault::Late),
            () => None,
        };
        let old = self.ledger.runs.get(&run_id).is_some_and(|facts| facts.fence.as_ref() != Some(&fence));
        let rows = if old { self.ledger.rows(&self.store, run_id) } else { None };
        self.store.arm(fault);
        let settled = ready(sweep::settle(&*self.store, claim));
        self.store.arm(None);
        self.say(|| format!("    settles {run_id}: {settled:?}"));
        if old && (settled.is_ok() || rows != self.ledger.rows(&self.store, run_id)) {
            return Err(Broken::new("no write from an old epoch", format!("a sweep's settlement of {run_id}")));
        }
        if let Some(settle) = self.store.take_late() {
            self.late.push(LateWrite { fence, write: Arc::new(Write::Settle(settle)), entering: Vec::new() });
        }
        self.ledger.check(&self.store, run_id)?;
        if self.random.chance(after) {
            self.crash(process);
            return Ok(false);
        }
        match settled {
            Ok(()) => {
                self.coverage.swept += 1;
                Ok(true)
            }
            Err(error) if error.code() == ErrorCode::LeaseLost => Ok(true),
            Err(_) => {
                // The engine's sweep ends here; what it had taken over is left to the next one.
                self.processes[process].claims.clear();
                Ok(false)
            }
        }
    }
}
