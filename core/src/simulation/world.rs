//! One schedule: processes, clients and a store, and what happens to them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use crate::clock::{Clock, Timestamp};
use crate::engine::run::patience::Patience;
use crate::id::{ChatId, RunId};
use crate::machine::ToolCall;
use crate::model::Waits;

use super::ledger::{Facts, Ledger};
use super::process::{Drive, LateWrite, Life, Process, Superseding, Waiter};
use super::random::Random;
use super::readers::Client;
use super::schedule::Plan;
use super::steering::Messages;
use super::store::SimulatedStore;
use super::{Broken, Coverage, Mutation};

pub(super) const LEASE: Duration = Duration::from_secs(15);
pub(super) const HOUR: i64 = 3_600_000;
/// Events after which a schedule that should have come to its end has not.
pub(super) const FAR_TOO_MANY: usize = 4000;

pub(super) struct SimulatedClock(AtomicI64);

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// Takes a line of what happens.
pub(super) type Trace<'t> = Option<&'t mut dyn FnMut(String)>;

pub(super) struct World<'t> {
    pub(super) random: Random,
    /// What is drawn beside everything else.
    pub(super) apart: Random,
    pub(super) plan: Plan,
    pub(super) mutation: Option<Mutation>,
    /// The clock that leases are written by.
    pub(super) clock: Arc<SimulatedClock>,
    /// The latest that it has been.
    pub(super) latest: i64,
    /// The clock that only goes on, in milliseconds.
    pub(super) elapsed: i64,
    /// When it began.
    began: Instant,
    /// Since when owners that live can be heard, by that clock.
    pub(super) calm_from: i64,
    /// The same when leases were last judged, and when that was.
    pub(super) judged: (i64, i64),
    pub(super) store: Arc<SimulatedStore>,
    pub(super) ledger: Ledger,
    pub(super) messages: Messages,
    pub(super) coverage: Coverage,
    pub(super) drives: Vec<Drive>,
    pub(super) late: Vec<LateWrite>,
    /// Calls of tools with effects that nobody waits for.
    pub(super) late_effects: Vec<(RunId, ToolCall)>,
    pub(super) processes: Vec<Process>,
    pub(super) waiters: Vec<Waiter>,
    pub(super) superseding: Vec<Superseding>,
    pub(super) clients: Vec<Client>,
    pub(super) chats: Vec<ChatId>,
    /// What somebody has seen of a run that waits, and is about to answer.
    pub(super) looks: Vec<(RunId, Waits)>,
    pub(super) turns_left: usize,
    pub(super) ids: u64,
    pub(super) words: u32,
    pub(super) trace: Trace<'t>,
}

impl<'t> World<'t> {
    pub(super) fn new(seed: u64, mutation: Option<Mutation>, trace: Trace<'t>) -> Self {
        let mut random = Random::new(seed);
        let mut apart = Random::new(seed ^ 0x7461_696e_7465_6421);
        let plan = Plan::draw(&mut random).with_messages(seed).with_taint(&mut apart);
        let clock = Arc::new(SimulatedClock(AtomicI64::new(1_782_909_296_789)));
        let store = Arc::new(SimulatedStore::new(Arc::clone(&clock) as Arc<dyn Clock>, mutation));
        let mut world = Self {
            random,
            apart,
            turns_left: plan.turns,
            mutation,
            clock,
            latest: 0,
            elapsed: 0,
            began: Instant::now(),
            calm_from: -HOUR,
            judged: (-HOUR, 0),
            store,
            ledger: Ledger::default(),
            messages: Messages::default(),
            coverage: Coverage::default(),
            drives: Vec::new(),
            late: Vec::new(),
            late_effects: Vec::new(),
            processes: Vec::new(),
            waiters: Vec::new(),
            superseding: Vec::new(),
            clients: Vec::new(),
            chats: Vec::new(),
            looks: Vec::new(),
            ids: 0,
            words: 0,
            trace,
            plan,
        };
        for _ in 0..world.plan.chats {
            let id = world.id();
            world.chats.push(id);
        }
        for _ in 0..world.plan.processes {
            world.start_process();
        }
        world
    }

    /// Says what happens, to whoever replays the seed.
    pub(super) fn say(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = self.trace.as_mut() {
            trace(line());
        }
    }

    pub(super) fn now(&self) -> i64 {
        self.clock.0.load(Ordering::Relaxed)
    }

    /// The same as shells are told the time.
    pub(super) fn instant(&self) -> Instant {
        self.began + Duration::from_millis(self.elapsed.unsigned_abs())
    }

    pub(super) fn advance(&mut self, by: i64) {
        self.elapsed += by;
        self.set_clock(by);
    }

    /// The clock that leases are written by goes ahead or back, and nothing else does.
    pub(super) fn set_clock(&mut self, by: i64) {
        self.latest = self.latest.max(self.now());
        self.clock.0.fetch_add(by, Ordering::Relaxed);
        self.latest = self.latest.max(self.now());
    }

    /// Ids that rise, and are the same whenever the seed is replayed.
    pub(super) fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(&mut self) -> T {
        self.ids += 1;
        format!("00000000-0000-7000-8000-{:012x}", self.ids).parse().expect("a UUID")
    }

    /// A text that is nowhere else.
    pub(super) fn word(&mut self) -> String {
        self.words += 1;
        let mark = if self.words.is_multiple_of(7) { "ü😀" } else { "w" };
        format!("{mark}{:x} ", self.words)
    }

    pub(super) fn start_process(&mut self) -> usize {
        let place = self.processes.len();
        let owner = format!("p{place}");
        let offers_tools = self.random.chance(self.plan.rates.offering);
        self.processes.push(Process {
            owner,
            life: Life::Alive,
            closing: false,
            out_of_time: false,
            offers_tools,
            patience: Patience::new(LEASE),
            claims: VecDeque::new(),
        });
        // It knows of nothing that was before, so none is drawn that begins while owners cannot have been heard yet.
        if self.elapsed - self.calm_from < LEASE.as_millis() as i64 {
            self.processes[place].patience.outage();
        }
        self.judges(place);
        place
    }

    pub(super) fn run(&mut self) -> Result<(), Broken> {
        for _ in 0..self.plan.events {
            self.coverage.events += 1;
            let pause = self.random.below(4) as i64;
            self.pass(pause);
            self.happen()?;
            if self.coverage.events.is_multiple_of(4) {
                self.check_messages(false)?;
            }
            if self.is_idle() && self.random.chance(60) {
                break;
            }
        }
        self.bring_to_an_end()
    }

    /// Only readers and the retention have something to do.
    pub(super) fn is_idle(&self) -> bool {
        let nobody_works = self.drives.is_empty() && self.waiters.is_empty() && self.superseding.is_empty();
        nobody_works
            && self.turns_left == 0
            && self.late.is_empty()
            && self.ledger.runs.values().all(|facts| facts.settled.is_some())
    }

    /// A process in this state, if there is one.
    pub(super) fn process(&mut self, life: Life, fresh: bool) -> Option<usize> {
        let places: Vec<usize> = (0..self.processes.len())
            .filter(|place| self.processes[*place].life == life && !(fresh && self.processes[*place].closing))
            .collect();
        (!places.is_empty()).then(|| self.random.pick(&places))
    }

    pub(super) fn is_alive(&self, process: usize) -> bool {
        self.processes[process].life == Life::Alive
    }

    pub(super) fn happen(&mut self) -> Result<(), Broken> {
        let weights = &self.plan.weights;
        let has = |there: bool, weight: u32| if there { weight } else { 0 };
        let frozen = self.processes.iter().any(|process| process.life == Life::Frozen);
        let driving = !self.drives.is_empty();
        let closing = self.processes.iter().any(|process| process.closing && !process.out_of_time);
        let planned = self.ledger.runs.values().any(|facts| facts.planned && facts.settled.is_none());
        let choices = [
            has(self.turns_left > 0, weights.begin),
            has(driving, weights.drive),
            has(!self.waiters.is_empty() || !self.superseding.is_empty(), weights.queue),
            has(driving || !self.waiters.is_empty(), weights.stop),
            has(driving, weights.disconnect),
            weights.shutdown,
            weights.crash,
            weights.freeze,
            has(frozen, weights.wake),
            has(driving, weights.renew),
            has(driving, weights.hear),
            weights.sweep,
            has(!self.late.is_empty(), weights.late_write),
            weights.advance,
            weights.trim,
            has(closing, weights.deadline),
            has(planned, weights.claim),
            has(self.plan.readers > 0 && !self.ledger.runs.is_empty(), weights.read),
            weights.sleep,
            weights.step,
            weights.outage,
            has(self.ledger.runs.values().any(Facts::waits), weights.answer),
            has(!self.ledger.runs.is_empty(), weights.steer),
            has(!self.ledger.runs.is_empty(), weights.unsteer),
            has(!self.late_effects.is_empty(), weights.late_write),
        ];
        match self.random.weighted(&choices) {
            Some(0) => self.begin_event(),
            Some(1) => self.drive_something().map(|_| ()),
            Some(2) => self.queue_event(),
            Some(3) => self.stop_event(),
            Some(4) => {
                self.disconnect_event();
                Ok(())
            }
            Some(5) => {
                self.shutdown_event();
                Ok(())
            }
            Some(6) => {
                if let Some(process) = self.process(Life::Alive, false) {
                    self.crash(process);
                }
                Ok(())
            }
            Some(7) => {
                if let Some(process) = self.process(Life::Alive, false) {
                    self.say(|| format!("p{process} freezes"));
                    self.processes[process].life = Life::Frozen;
                }
                self.someone_lives();
                Ok(())
            }
            Some(8) => {
                if let Some(process) = self.process(Life::Frozen, false) {
                    self.say(|| format!("p{process} wakes"));
                    self.processes[process].life = Life::Alive;
                }
                Ok(())
            }
            Some(9) => self.renew_event(),
            Some(10) => {
                self.hear_event();
                Ok(())
            }
            Some(11) => self.sweep_event(),
            Some(12) => self.late_event(),
            Some(13) => self.time_event(),
            Some(14) => {
                self.trim_event();
                Ok(())
            }
            Some(15) => {
                self.deadline_event();
                Ok(())
            }
            Some(16) => self.claim_event(),
            Some(17) => self.read_event(),
            Some(18) => {
                self.sleep_event();
                Ok(())
            }
            Some(19) => {
                self.step_event();
                Ok(())
            }
            Some(20) => {
                self.outage_event();
                Ok(())
            }
            Some(21) => self.answer_event(),
            Some(22) => self.steer_event(),
            Some(23) => {
                self.unsteer_event();
                Ok(())
            }
            Some(_) => self.late_effect_event(),
            None => Ok(()),
        }
    }

    pub(super) fn someone_lives(&mut self) {
        if self.processes.iter().all(|process| process.life == Life::Dead || process.closing) {
            let process = self.start_process();
            self.say(|| format!("p{process} starts"));
        }
    }

    pub(super) fn drive_something(&mut self) -> Result<bool, Broken> {
        let first = self.random.below(self.drives.len());
        for offset in 0..self.drives.len() {
            let place = (first + offset) % self.drives.len();
            if self.is_alive(self.drives[place].process) {
                return self.drive_event(place);
            }
        }
        Ok(false)
    }
}
