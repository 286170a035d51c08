//! What comes to a run from outside: stops, clients that go away, shutdowns, deaths.

use std::time::Duration;

use crate::id::RunId;
use crate::machine::{Event, StopCause};
use crate::model::RunReason;
use crate::store::LeaseStore;

use super::process::{Drive, Life, Process};
use super::world::World;
use super::{Broken, ready};

impl World<'_> {
    pub(super) fn stop_event(&mut self) -> Result<(), Broken> {
        let runs: Vec<RunId> = self.ledger.runs.keys().copied().collect();
        if runs.is_empty() {
            return Ok(());
        }
        let run_id = self.random.pick(&runs);
        self.request_stop(run_id, RunReason::Stopped)
    }

    pub(super) fn request_stop(&mut self, run_id: RunId, reason: RunReason) -> Result<(), Broken> {
        let arrives = !self.random.chance(self.plan.rates.unreachable);
        let noted = arrives && ready(self.store.request_stop(run_id, reason)).unwrap_or(false);
        self.say(|| format!("{run_id} is to stop ({reason:?}), noted: {noted}"));
        if let Some(facts) = self.ledger.runs.get_mut(&run_id)
            && noted
        {
            if facts.settled.is_some() {
                return Err(Broken::new("a run is settled once", format!("{run_id} was stopped after its end")));
            }
            facts.stop.get_or_insert(reason);
            self.coverage.stops += 1;
        }
        if self.random.chance(self.plan.rates.told_at_once) {
            let cause = StopCause::noted(reason);
            if let Some(place) = self.drives.iter().position(|drive| drive.ids.run == run_id) {
                self.tell(place, cause);
            } else if let Some(waiter) = self.waiters.iter_mut().find(|waiter| waiter.begin.run_id == run_id) {
                waiter.control.push_back(Event::StopRequested(cause));
            }
        }
        Ok(())
    }

    pub(super) fn disconnect_event(&mut self) {
        let place = self.random.below(self.drives.len());
        if !self.drives[place].detached {
            self.say(|| "its client goes away".to_owned());
            self.tell(place, StopCause::Disconnected);
        }
    }

    pub(super) fn shutdown_event(&mut self) {
        let Some(process) = self.process(Life::Alive, true) else { return };
        self.say(|| format!("p{process} shuts down"));
        self.processes[process].closing = true;
        self.tell_all(process, &Event::HandOver);
        self.someone_lives();
    }

    /// A process that shuts down has waited for its runs for long enough.
    pub(super) fn deadline_event(&mut self) {
        let closing = |process: &Process| process.life == Life::Alive && process.closing && !process.out_of_time;
        let Some(process) = self.processes.iter().position(closing) else { return };
        self.say(|| format!("p{process} waits no longer"));
        self.processes[process].out_of_time = true;
        self.tell_all(process, &Event::HandOver);
        self.tell_all(process, &Event::StopRequested(StopCause::Shutdown));
    }

    pub(super) fn tell_all(&mut self, process: usize, event: &Event) {
        self.drives.iter_mut().filter(|d| d.process == process).for_each(|d| d.control.push_back(event.clone()));
        self.waiters.iter_mut().filter(|w| w.process == process).for_each(|w| w.control.push_back(event.clone()));
    }

    /// The process is gone with everything that it had in memory.
    pub(super) fn crash(&mut self, process: usize) {
        self.say(|| format!("p{process} dies"));
        self.coverage.crashes += 1;
        self.processes[process].life = Life::Dead;
        self.processes[process].claims.clear();
        let (dead, living): (Vec<Drive>, Vec<Drive>) =
            std::mem::take(&mut self.drives).into_iter().partition(|drive| drive.process == process);
        self.drives = living;
        for mut drive in dead {
            self.leave_write(&mut drive);
        }
        self.waiters.retain(|waiter| waiter.process != process);
        self.superseding.retain(|waiting| waiting.process != process);
        if self.random.chance(self.plan.rates.known_dead) {
            // As where a lock tells that an owner is dead: its leases are over at once.
            let owner = self.processes[process].owner.clone();
            let now = self.now();
            let runs = self.runs_of(&owner);
            let _ = ready(self.store.renew_leases(&owner, &runs, Duration::ZERO));
            for run_id in runs {
                if let Some(facts) = self.ledger.runs.get_mut(&run_id) {
                    facts.is_given_up(now);
                }
            }
        }
        self.someone_lives();
    }

    pub(super) fn runs_of(&self, owner: &str) -> Vec<RunId> {
        let owned = self.ledger.runs.iter().filter(|(_, facts)| {
            facts.settled.is_none() && facts.fence.as_ref().is_some_and(|fence| fence.owner == owner)
        });
        owned.map(|(run_id, _)| *run_id).collect()
    }
}
