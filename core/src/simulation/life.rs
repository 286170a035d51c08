//! Heartbeats, the passing of time, and writes that arrive late.

use std::time::Duration;

use crate::id::RunId;
use crate::machine::writes::Write;
use crate::machine::{Event, StopCause};
use crate::store::{LeaseStore, LogStore, UNTOUCHED_WITHOUT_LEASE};

use super::process::{LateWrite, Life};
use super::world::{LEASE, World};
use super::{Broken, Mutation, ready};

impl World<'_> {
    pub(super) fn renew_event(&mut self) -> Result<(), Broken> {
        match self.process(Life::Alive, false) {
            Some(process) => self.renew(process),
            None => Ok(()),
        }
    }

    pub(super) fn registered(&self, process: usize) -> Vec<RunId> {
        let drives = self.drives.iter().filter(|drive| drive.process == process).map(|drive| drive.ids.run);
        let waiters = self.waiters.iter().filter(|waiter| waiter.process == process);
        drives.chain(waiters.map(|waiter| waiter.begin.run_id)).collect()
    }

    /// Those of them that are its own; it may not have noticed yet that another has taken one.
    pub(super) fn own(&self, process: usize) -> Vec<RunId> {
        let owner = &self.processes[process].owner;
        let is_own = |run_id: &RunId| self.ledger.runs.get(run_id).is_some_and(|facts| facts.owner() == owner);
        self.registered(process).into_iter().filter(is_own).collect()
    }

    pub(super) fn renew(&mut self, process: usize) -> Result<(), Broken> {
        let runs = self.registered(process);
        if runs.is_empty() {
            return Ok(());
        }
        let (owner, now, elapsed) = (self.processes[process].owner.clone(), self.now(), self.elapsed);
        if self.random.chance(self.plan.rates.unreachable) {
            self.note_outage(process);
        } else {
            let is_late = |run_id: &RunId| self.ledger.runs.get(run_id).is_some_and(|facts| facts.is_left(now));
            let late: Vec<RunId> = runs.iter().copied().filter(is_late).collect();
            let mut renewal = ready(self.store.renew_leases(&owner, &runs, LEASE)).unwrap_or_default();
            if self.mutation == Some(Mutation::LateOwnerGivesUp) {
                renewal.lost.extend(&late);
            }
            self.say(|| format!("p{process} renews {runs:?}: {renewal:?}"));
            for run_id in &runs {
                if renewal.lost.contains(run_id) {
                    continue;
                }
                if let Some(facts) = self.ledger.runs.get_mut(run_id) {
                    facts.is_heard(now, elapsed);
                    self.coverage.late_renewals += u64::from(late.contains(run_id));
                }
            }
            if self.random.chance(self.plan.rates.answer_lost) {
                self.note_outage(process);
            } else {
                for run_id in &renewal.lost {
                    self.check_lost(process, *run_id)?;
                    self.tell_run(process, *run_id, Event::LeaseLost);
                }
                for (run_id, reason) in renewal.stop_requested {
                    self.tell_run(process, run_id, Event::StopRequested(StopCause::noted(reason)));
                }
            }
        }
        Ok(())
    }

    /// Whoever is told that its run is lost has lost it to somebody.
    fn check_lost(&self, process: usize, run_id: RunId) -> Result<(), Broken> {
        let Some(facts) = self.ledger.runs.get(&run_id) else { return Ok(()) };
        match facts.settled.is_none() && !facts.suspended && facts.owner() == self.processes[process].owner {
            true => Err(Broken::new("no owner gives a run up because it is late", run_id.to_string())),
            false => Ok(()),
        }
    }

    pub(super) fn tell_run(&mut self, process: usize, run_id: RunId, event: Event) {
        for drive in self.drives.iter_mut().filter(|drive| drive.process == process && drive.ids.run == run_id) {
            drive.control.push_back(event.clone());
        }
        for waiter in
            self.waiters.iter_mut().filter(|waiter| waiter.process == process && waiter.begin.run_id == run_id)
        {
            waiter.control.push_back(event.clone());
        }
    }

    pub(super) fn hear_event(&mut self) {
        let Some(process) = self.process(Life::Alive, false) else { return };
        let runs = self.registered(process);
        for (run_id, reason) in ready(self.store.stop_requests(&runs)).unwrap_or_default() {
            self.tell_run(process, run_id, Event::StopRequested(StopCause::noted(reason)));
        }
    }

    pub(super) fn time_event(&mut self) -> Result<(), Broken> {
        let lease = LEASE.as_millis() as i64;
        let long = UNTOUCHED_WITHOUT_LEASE.as_millis() as i64;
        let by = match self.random.chance(50) {
            true => long,
            false => self.random.pick(&[50, 1000, lease / 3, lease / 3, lease, 2 * lease]),
        };
        // Whoever lives has renewed its leases meanwhile, as a rule.
        if by >= lease / 3 && self.random.chance(700) {
            for process in 0..self.processes.len() {
                if self.is_alive(process) {
                    self.renew(process)?;
                }
            }
        }
        self.say(|| format!("{by} ms pass"));
        self.pass(by);
        Ok(())
    }

    pub(super) fn trim_event(&mut self) {
        let settled_for = self.random.pick(&[0, 0, 1000]);
        let _ = ready(self.store.trim_packs(Duration::from_millis(settled_for)));
        let before = self.now() - settled_for as i64;
        self.say(|| "packs of settled runs are trimmed".to_owned());
        for facts in self.ledger.runs.values_mut() {
            let finished_at = facts.settled.as_ref().and_then(|settled| settled.run.finished_at);
            facts.trimmed |= finished_at.is_some_and(|at| at.as_millis() <= before);
        }
    }

    pub(super) fn late_event(&mut self) -> Result<(), Broken> {
        let place = self.random.below(self.late.len());
        let LateWrite { fence, write, entering } = self.late.swap_remove(place);
        self.say(|| "a write arrives that nobody waits for:".to_owned());
        self.coverage.late_writes += 1;
        if matches!(*write, Write::Enter(_)) && entering != self.waiting_for(fence.run_id) {
            self.say(|| "    what waits has changed".to_owned());
            return Ok(());
        }
        let _ = self.perform(&fence, &write)?;
        Ok(())
    }
}
