//! Runs that are nobody's are taken by who offers their tools, and gone on with.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::run::sweep;
use crate::error::ErrorCode;
use crate::id::RunId;
use crate::machine::writes::Write;
use crate::machine::{Event, TurnIds};
use crate::store::{BeginRun, ClaimedRun, LeaseStore, Offer, WaitStore};

use super::ledger::tells_abandoned_log;
use super::process::{Drive, History, Life, OFFERED, Process, Waiter};
use super::world::{LEASE, World};
use super::{Broken, Mutation, ready};

impl World<'_> {
    pub(super) fn claim_event(&mut self) -> Result<(), Broken> {
        let offers = |process: &Process| process.life == Life::Alive && process.offers_tools && !process.closing;
        let places: Vec<usize> = (0..self.processes.len()).filter(|place| offers(&self.processes[*place])).collect();
        if places.is_empty() {
            return Ok(());
        }
        let process = self.random.pick(&places);
        self.claim(process)
    }

    pub(super) fn claim(&mut self, process: usize) -> Result<(), Broken> {
        if self.random.chance(self.plan.rates.unreachable) {
            self.note_outage(process);
            return Ok(());
        }
        if self.random.chance(self.plan.rates.crash_before) {
            self.crash(process);
            return Ok(());
        }
        let (owner, tools) = (self.processes[process].owner.clone(), OFFERED.map(str::to_owned));
        let limit = 1 + self.random.below(3);
        let own = self.registered(process);
        let leases_at = self.leases_at(process, Mutation::ClaimIsImpatient);
        let offer = Offer { owner: &owner, tools: &tools, spare: &own, leases_at, limit };
        let _ = ready(self.store.wake_answered());
        let found = ready(self.store.claim_offered(offer, LEASE)).unwrap_or_default();
        for (claimed, _) in &found.active {
            self.check_own(process, claimed.run.id)?;
            self.check_claim(process, claimed)?;
        }
        for begin in &found.waiting {
            self.check_waiting_claim(process, begin)?;
        }
        if self.random.chance(self.plan.rates.crash_after) {
            self.crash(process);
            return Ok(());
        }
        if self.random.chance(self.plan.rates.answer_lost) {
            self.say(|| "    the answer is lost".to_owned());
            return Ok(());
        }
        for (claimed, _) in found.active {
            // Giving one of them up may have been the last thing that the process did.
            if self.is_alive(process) {
                self.drive_claimed(process, claimed)?;
            }
        }
        if self.is_alive(process) {
            found.waiting.into_iter().for_each(|begin| self.wait_claimed(process, begin));
        }
        Ok(())
    }

    /// A process that lives keeps its runs, at least from itself.
    pub(super) fn check_own(&self, process: usize, taken: RunId) -> Result<(), Broken> {
        // One that waits is nobody's, also where its owner has not heard yet that it does.
        let suspended = self.ledger.runs.get(&taken).is_some_and(|facts| facts.suspended);
        if !suspended && self.own(process).contains(&taken) {
            return Err(Broken::new("a living owner does not lose its run to itself", taken.to_string()));
        }
        Ok(())
    }

    fn check_claim(&mut self, process: usize, claimed: &ClaimedRun) -> Result<(), Broken> {
        let (run_id, now, elapsed) = (claimed.run.id, self.now(), self.elapsed);
        self.check_silent(run_id)?;
        self.say(|| format!("p{process} takes {run_id} under epoch {}", claimed.fence.epoch));
        self.coverage.claimed += 1;
        let Some(facts) = self.ledger.runs.get_mut(&run_id) else { return Ok(()) };
        if claimed.fence.epoch != facts.epoch() + 1 {
            let detail = format!("{run_id}: {} after {}", claimed.fence.epoch, facts.epoch());
            return Err(Broken::new("each owner has an epoch of its own", detail));
        }
        if !facts.may_go_on(now) {
            return Err(Broken::new("only what nobody drives is gone on with", run_id.to_string()));
        }
        facts.fence = Some(claimed.fence.clone());
        facts.is_heard(now, elapsed);
        (facts.swept, facts.suspended) = (None, false);
        let chat = facts.chat;
        self.ledger.check(&self.store, run_id)?;
        self.ledger.check_gate(&self.store, chat)
    }

    fn check_waiting_claim(&mut self, process: usize, begin: &BeginRun) -> Result<(), Broken> {
        let (run_id, now, elapsed) = (begin.run_id, self.now(), self.elapsed);
        self.check_silent(run_id)?;
        self.say(|| format!("p{process} waits with {run_id} now"));
        self.coverage.claimed_waiting += 1;
        let Some(facts) = self.ledger.runs.get_mut(&run_id) else { return Ok(()) };
        if facts.fence.is_some() || !facts.may_go_on(now) {
            return Err(Broken::new("only what nobody drives is gone on with", format!("{run_id}, which waits")));
        }
        facts.waits_in.clone_from(&begin.owner);
        facts.is_heard(now, elapsed);
        self.ledger.check(&self.store, run_id)
    }

    fn drive_claimed(&mut self, process: usize, claimed: ClaimedRun) -> Result<(), Broken> {
        let (run, fence) = (claimed.run, claimed.fence);
        let Some(message) = run.assistant_message_id else { return Ok(()) };
        // Whoever drove it here, and has not heard yet that it waits, is gone before it is driven again.
        while let Some(place) = self.drives.iter().position(|drive| drive.process == process && drive.ids.run == run.id)
        {
            let mut before = self.drives.swap_remove(place);
            self.leave_write(&mut before);
        }
        let ids = TurnIds { chat: run.chat_id, run: run.id, message };
        let mut rows = ready(self.store.messages(run.chat_id, usize::MAX)).unwrap_or_default();
        rows.retain(|row| row.id != message);
        if self.is_history_gone() {
            rows.clear();
        }
        let mut drive = self.turn(process, ids, fence, History::of(&rows), true, None);
        drive.taking_over = true;
        self.coverage.runs += 1;
        self.drives.push(drive);
        Ok(())
    }

    fn wait_claimed(&mut self, process: usize, begin: BeginRun) {
        // It waits here, and its lease is good again: two that waited would both begin it.
        if self.registered(process).contains(&begin.run_id) {
            return;
        }
        self.waiters.push(Waiter { process, begin, control: VecDeque::new() });
    }

    /// The next piece of work between taking a run over and going on with it.
    pub(super) fn take_over(&mut self, mut drive: Drive) -> Result<(), Broken> {
        if drive.write.is_none() {
            if self.random.chance(self.plan.rates.unreachable) {
                self.drives.push(drive);
                return Ok(());
            }
            self.store.go_on(true);
            let left = ready(sweep::log_to_go_on(&*self.store, drive.ids.run));
            self.store.go_on(false);
            let Ok(left) = left else { return Ok(()) };
            let is_over = left.unfinished.is_none() && left.open.is_none();
            if is_over && ready(self.store.settle_reserved(drive.shell.journal().fence())).is_err() {
                return Ok(());
            }
            let closing = left.closing(drive.shell.journal().fence(), LEASE);
            drive.write = closing.map(|record| Arc::new(Write::Step(record)));
            drive.left = Some(left);
            if drive.write.is_some() {
                self.coverage.closed_steps += 1;
                self.drives.push(drive);
                return Ok(());
            }
        }
        if let Some(write) = drive.write.clone() {
            let fence = drive.shell.journal().fence().clone();
            match self.attempt(&fence, &write)? {
                Some(Ok(told)) => self.acknowledge(&fence, &write, &told),
                Some(Err(ErrorCode::StoreUnavailable)) => {
                    self.drives.push(drive);
                    return Ok(());
                }
                // What the registry was told meanwhile is of no use any more.
                Some(Err(ErrorCode::LeaseLost)) => return Ok(()),
                Some(Err(_)) => return self.release_or_fail(drive),
                None => {
                    self.leave_write(&mut drive);
                    self.crash(drive.process);
                    return Ok(());
                }
            }
        }
        let Some(left) = drive.left.take() else { return Ok(()) };
        self.say(|| format!("p{} goes on with {} after {} steps", drive.process, drive.ids.run, left.steps.len()));
        self.coverage.gone_on += u64::from(!left.steps.is_empty());
        let Drive { process, ids, history, control, shell, .. } = drive;
        let mut drive = self.turn(process, ids, shell.journal().fence().clone(), history, true, Some(left));
        drive.control.extend(control.into_iter().filter(|event| *event != Event::Begun));
        self.drives.push(drive);
        Ok(())
    }

    /// The step that was in progress cannot be written.
    fn release_or_fail(&mut self, drive: Drive) -> Result<(), Broken> {
        let fence = drive.shell.journal().fence().clone();
        let Ok(left) = ready(sweep::abandoned_log(&*self.store, &fence)) else { return Ok(()) };
        let end = left.failure(fence.clone(), "The run could not be gone on with.".to_owned());
        if self.attempt(&fence, &Arc::new(Write::Settle(end)))?.is_none() {
            self.crash(drive.process);
        }
        Ok(())
    }

    /// Whoever goes on with the run finds all that was told of it.
    pub(super) fn check_released(&self, drive: &Drive) -> Result<(), Broken> {
        tells_abandoned_log(&self.store, drive.ids.run, drive.told.iter())
    }
}
