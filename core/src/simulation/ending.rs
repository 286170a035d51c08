//! Everything is brought to its end, and what is left is compared.

use crate::engine::TailFrom;
use crate::store::UNTOUCHED_WITHOUT_LEASE;

use super::Broken;
use super::ledger::{tells_the_steps, whole_log};
use super::process::Life;
use super::schedule::Rates;
use super::world::{FAR_TOO_MANY, LEASE, World};

/// How often those who go on with what others have left come and go, far beyond what any run needs.
const TOO_MANY_ROUNDS: usize = 500;

impl World<'_> {
    pub(super) fn bring_to_an_end(&mut self) -> Result<(), Broken> {
        self.say(|| "everything comes to its end".to_owned());
        self.plan.rates = Rates { late: 0, ..no_faults(&self.plan.rates) };
        if self.random.chance(300) {
            for process in 0..self.processes.len() {
                if self.processes[process].life != Life::Dead {
                    self.crash(process);
                }
            }
        }
        self.processes.iter_mut().filter(|p| p.life == Life::Frozen).for_each(|p| p.life = Life::Alive);
        // A lease that was written before the clock was set back runs out when it is as late as that again.
        self.pass(self.latest - self.now());
        let mut events = 0;
        while !self.drives.is_empty() || !self.waiters.is_empty() || !self.superseding.is_empty() {
            events += 1;
            if events > FAR_TOO_MANY {
                let left = (self.drives.len(), self.waiters.len(), self.superseding.len());
                return Err(Broken::new("every run ends", format!("{left:?} are still driven, wait, supersede")));
            }
            self.answer_all()?;
            if self.random.chance(20) {
                self.claim_event()?;
            } else if !self.drives.is_empty() {
                self.drive_something()?;
            } else if !self.waiters.is_empty() || !self.superseding.is_empty() {
                self.queue_event()?;
                if events.is_multiple_of(64) {
                    // Nor does anybody come who could.
                    self.pass(UNTOUCHED_WITHOUT_LEASE.as_millis() as i64);
                    // But for a run that has its answers: it holds its chat until somebody goes on with it.
                    if self.ledger.runs.values().any(|facts| facts.suspended && facts.settled.is_none()) {
                        let process = self.start_process();
                        self.processes[process].offers_tools = true;
                        self.claim(process)?;
                    }
                }
                if events.is_multiple_of(16) {
                    // Nobody drives what the others wait for.
                    self.after_a_lease()?;
                }
            }
        }
        while !self.late.is_empty() && self.random.chance(700) {
            self.late_event()?;
        }
        self.after_a_lease()?;
        self.finish_abandoned_log()?;
        let unsettled = self.ledger.runs.iter().find(|(_, facts)| facts.settled.is_none());
        if let Some((run_id, _)) = unsettled {
            return Err(Broken::new("every run ends within a lease and a sweep", run_id.to_string()));
        }
        while !self.late.is_empty() {
            self.late_event()?;
        }
        while !self.late_effects.is_empty() {
            self.late_effect_event()?;
        }
        self.ledger.check_all(&self.store)?;
        self.check_messages(true)?;
        self.read_everything()
    }

    /// Somebody comes who goes on with what others have left, or nobody does for so long that a sweep settles it.
    fn finish_abandoned_log(&mut self) -> Result<(), Broken> {
        let mut rounds = 0;
        while self.ledger.runs.values().any(|facts| facts.settled.is_none() && facts.planned) {
            rounds += 1;
            if rounds > TOO_MANY_ROUNDS {
                return Err(Broken::new("every run ends", "what was left is gone on with for ever".to_owned()));
            }
            self.answer_all()?;
            if self.random.chance(300) {
                self.pass(UNTOUCHED_WITHOUT_LEASE.as_millis() as i64);
                self.after_a_lease()?;
                continue;
            }
            let process = self.start_process();
            self.processes[process].offers_tools = true;
            // As little is left to one that has had too many owners as to one that was stopped.
            self.after_a_lease()?;
            self.claim(process)?;
            let mut events = 0;
            while !self.drives.is_empty() || !self.waiters.is_empty() {
                events += 1;
                if events > FAR_TOO_MANY {
                    return Err(Broken::new("every run ends", "what was left is driven for ever".to_owned()));
                }
                self.answer_all()?;
                match self.drives.is_empty() {
                    true => self.queue_event()?,
                    false => self.drive_something().map(|_| ())?,
                }
                if events.is_multiple_of(64) {
                    self.claim(process)?;
                }
                if events.is_multiple_of(256) {
                    // What the others wait for may wait itself, and have been stopped.
                    self.after_a_lease()?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn after_a_lease(&mut self) -> Result<(), Broken> {
        // Whoever has seen something strange has judged nothing for a lease then.
        self.all_look();
        for _ in 0..4 {
            for process in 0..self.processes.len() {
                if self.is_alive(process) {
                    self.renew(process)?;
                }
            }
            self.pass(LEASE.as_millis() as i64 / 3);
        }
        self.someone_lives();
        if let Some(process) = self.process(Life::Alive, false) {
            self.processes.iter_mut().for_each(|process| process.claims.clear());
            self.sweep(process)?;
            self.check_swept(process)?;
        }
        Ok(())
    }

    pub(super) fn read_everything(&mut self) -> Result<(), Broken> {
        let mut rounds = 0;
        while !self.clients.is_empty() {
            rounds += 1;
            if rounds > FAR_TOO_MANY {
                return Err(Broken::new("a log that is over can be read to its end", "by a client".to_owned()));
            }
            self.read_page(0);
            self.clients[0].receive(usize::MAX);
            self.check_client(0)?;
        }
        for (run_id, facts) in &self.ledger.runs {
            for from in [TailFrom::Start, TailFrom::Snapshot] {
                let (chunks, resynchronized) = whole_log(&self.store, *run_id, from)?;
                if !facts.cut_short {
                    tells_the_steps(&self.store, *run_id, 0, chunks.iter())?;
                }
                if resynchronized && !facts.trimmed && !facts.renumbered {
                    return Err(Broken::new("nobody begins anew while the packs are there", run_id.to_string()));
                }
            }
        }
        Ok(())
    }
}

fn no_faults(rates: &Rates) -> Rates {
    Rates {
        unreachable: 0,
        answer_lost: 0,
        refused: 0,
        twice: 0,
        crash_before: 0,
        crash_after: 0,
        late: 0,
        in_between: 0,
        provider_fails: rates.provider_fails,
        no_finish_reason: rates.no_finish_reason,
        tool_fails: rates.tool_fails,
        bad_call: rates.bad_call,
        told_at_once: rates.told_at_once,
        known_dead: rates.known_dead,
        planned: rates.planned,
        unowned: rates.unowned,
        offering: rates.offering,
    }
}
