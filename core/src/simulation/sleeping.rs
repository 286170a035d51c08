//! Everything sleeps, the clock is set, the store is away; and the patience that this asks of whoever judges by leases.
//!
//! There are two clocks: the one that leases are written by, which anybody may set, and one that only goes on. A process
//! that is awake says so to its patience three times a lease, as the engine does in a task that nothing else can delay; it
//! may be late with its renewals all the same.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::engine::run::patience::{Look, Patience};
use crate::id::RunId;

use super::process::Life;
use super::world::{HOUR, LEASE, World};
use super::{Broken, Mutation};

const LEASE_MS: i64 = LEASE.as_millis() as i64;

impl World<'_> {
    /// Time goes by for those who are awake.
    pub(super) fn pass(&mut self, by: i64) {
        let mut left = by;
        while left > 0 {
            let piece = left.min(LEASE_MS / 3);
            self.advance(piece);
            left -= piece;
            self.all_are_awake();
        }
    }

    fn all_are_awake(&mut self) {
        let at = self.monotonic();
        self.processes.iter_mut().filter(|process| process.life == Life::Alive).for_each(|it| it.patience.awake(at));
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.elapsed.unsigned_abs())
    }

    /// Whether leases that have run out say anything to this process just now.
    pub(super) fn judges(&mut self, process: usize) -> bool {
        let (at, time) = (self.monotonic(), Timestamp::from_millis(self.now()));
        let judges = self.processes[process].patience.look(Look { before: at, after: at, time });
        self.coverage.patient += u64::from(!judges);
        judges
    }

    /// The time by which this process judges leases, if it does just now, or should not and this rule is broken.
    pub(super) fn leases_at(&mut self, process: usize, impatient: Mutation) -> Option<Timestamp> {
        let looked_at = Timestamp::from_millis(self.now());
        self.judged = (self.calm_from, self.elapsed);
        let judges = self.judges(process) || self.mutation == Some(impatient);
        if self.random.chance(self.plan.rates.in_between) {
            self.coverage.in_between += 1;
            match self.random.below(2) {
                0 => self.sleep_event(),
                _ => self.step_event(),
            }
        }
        let forgotten = self.mutation == Some(Mutation::ClaimForgetsLook);
        judges.then_some(if forgotten { Timestamp::MAX } else { looked_at })
    }

    /// As far as this process can tell, the store is away.
    pub(super) fn note_outage(&mut self, process: usize) {
        if self.mutation != Some(Mutation::OutageUnnoticed) {
            self.processes[process].patience.outage();
        }
    }

    /// Every process looks at the clocks, as each does several times a lease.
    pub(super) fn all_look(&mut self) {
        for process in 0..self.processes.len() {
            if self.is_alive(process) {
                self.judges(process);
            }
        }
    }

    /// Nothing is known of what came before; as where a process does not notice it.
    fn forget(&mut self) {
        self.processes.iter_mut().for_each(|process| process.patience = Patience::new(LEASE));
    }

    /// Owners could not be heard until now, however punctual they are. What is over in half a lease is none of that.
    fn disturbed(&mut self) {
        self.calm_from = self.elapsed;
    }

    pub(super) fn sleep_event(&mut self) {
        let by = self.random.pick(&[LEASE_MS / 3, 5 * LEASE_MS / 8, LEASE_MS, 2 * LEASE_MS, 20 * LEASE_MS, HOUR]);
        // To somebody who is frozen meanwhile two steps of the clock may look as if there had been none.
        let stands_still = self.random.chance(400) && !self.is_anybody_frozen();
        self.say(|| format!("everything sleeps for {by} ms{}", if stands_still { ", one clock as well" } else { "" }));
        self.coverage.sleeps += 1;
        self.all_look();
        match stands_still {
            true => self.set_clock(by),
            false => self.advance(by),
        }
        if by > LEASE_MS / 2 || stands_still {
            self.disturbed();
        }
        if self.mutation == Some(Mutation::SleepUnnoticed) {
            self.forget();
        }
    }

    pub(super) fn step_event(&mut self) {
        if self.is_anybody_frozen() {
            return;
        }
        let ahead = self.random.pick(&[LEASE_MS / 8, LEASE_MS / 2, LEASE_MS, 2 * LEASE_MS, HOUR, HOUR]);
        let by = if self.random.chance(500) { ahead } else { -ahead };
        self.say(|| format!("the clock is set by {by} ms"));
        self.coverage.clock_steps += 1;
        self.all_look();
        self.set_clock(by);
        if ahead > LEASE_MS / 4 {
            self.disturbed();
        } else {
            // It is as if so much time had gone by, or less than had.
            self.calm_from -= by.max(0);
            self.ledger.runs.values_mut().for_each(|facts| facts.heard_at = facts.heard_at.map(|at| at - by.max(0)));
        }
        if self.mutation == Some(Mutation::StepUnnoticed) {
            self.forget();
        }
    }

    fn is_anybody_frozen(&self) -> bool {
        self.processes.iter().any(|process| process.life == Life::Frozen)
    }

    /// Nobody reaches the store for a while, and everybody who lives tries to.
    pub(super) fn outage_event(&mut self) {
        let by = self.random.pick(&[LEASE_MS / 3, LEASE_MS, 2 * LEASE_MS]);
        self.say(|| format!("nobody reaches the store for {by} ms"));
        self.coverage.outages += 1;
        self.pass(by);
        for process in 0..self.processes.len() {
            if self.is_alive(process) {
                self.note_outage(process);
            }
        }
        if by > LEASE_MS / 2 {
            self.disturbed();
        }
    }

    /// An owner that lives and could not be heard, because of any of these, keeps its run: nobody takes it within a lease.
    pub(super) fn check_silent(&self, run_id: RunId) -> Result<(), Broken> {
        let Some(facts) = self.ledger.runs.get(&run_id) else { return Ok(()) };
        let drives = |process: usize| self.is_alive(process) && self.registered(process).contains(&run_id);
        // Once it has been given up, or if it never was anybody's, it is for others.
        let Some(heard_at) = facts.heard_at else { return Ok(()) };
        let lives = self.processes.iter().position(|process| process.owner == facts.owner()).is_some_and(drives);
        let (calm_from, judged_at) = self.judged;
        let silent = judged_at - heard_at.max(calm_from);
        if lives && silent < LEASE_MS {
            let detail = format!("{run_id}, {silent} ms after its owner could be heard");
            return Err(Broken::new("an owner that lives does not lose its run to a sleep or a clock", detail));
        }
        Ok(())
    }
}
