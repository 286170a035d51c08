//! One schedule: processes, clients and a store, and what happens to them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::engine::TailFrom;
use crate::engine::journal::empty_row;
use crate::engine::{queue, sweep};
use crate::error::ErrorCode;
use crate::id::{ChatId, MessageId, RunId};
use crate::machine::{Effect, Event, StopCause, TurnIds};
use crate::model::{Json, MessageStatus, RunReason, Trigger};
use crate::project::messages_from_rows;
use crate::store::{Began, BeginRun, Fence, NewUserMessage, Store, Waiting};

use super::ledger::{Facts, Ledger, tells_the_steps, whole_log};
use super::process::{Drive, LateWrite, Life, Process, Superseding, Waiter, Write};
use super::random::Random;
use super::readers::Client;
use super::schedule::{Plan, Rates};
use super::store::{Fault, SimulatedStore};
use super::{Broken, Coverage, Mutation, ready};

pub(super) const LEASE: Duration = Duration::from_secs(15);
/// Events after which a schedule that should have come to its end has not.
const FAR_TOO_MANY: usize = 4000;

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
    pub(super) plan: Plan,
    pub(super) mutation: Option<Mutation>,
    clock: Arc<SimulatedClock>,
    pub(super) store: Arc<SimulatedStore>,
    pub(super) ledger: Ledger,
    pub(super) coverage: Coverage,
    pub(super) drives: Vec<Drive>,
    pub(super) late: Vec<LateWrite>,
    pub(super) effects: Vec<Effect>,
    processes: Vec<Process>,
    waiters: Vec<Waiter>,
    superseding: Vec<Superseding>,
    clients: Vec<Client>,
    chats: Vec<ChatId>,
    turns_left: usize,
    ids: u64,
    words: u32,
    trace: Trace<'t>,
}

impl<'t> World<'t> {
    pub(super) fn new(seed: u64, mutation: Option<Mutation>, trace: Trace<'t>) -> Self {
        let mut random = Random::new(seed);
        let plan = Plan::draw(&mut random);
        let clock = Arc::new(SimulatedClock(AtomicI64::new(1_782_909_296_789)));
        let store = Arc::new(SimulatedStore::new(Arc::clone(&clock) as Arc<dyn Clock>, mutation));
        let mut world = Self {
            random,
            turns_left: plan.turns,
            mutation,
            clock,
            store,
            ledger: Ledger::default(),
            coverage: Coverage::default(),
            drives: Vec::new(),
            late: Vec::new(),
            effects: Vec::new(),
            processes: Vec::new(),
            waiters: Vec::new(),
            superseding: Vec::new(),
            clients: Vec::new(),
            chats: Vec::new(),
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

    fn advance(&mut self, by: i64) {
        self.clock.0.fetch_add(by, Ordering::Relaxed);
    }

    /// Ids that rise, and are the same whenever the seed is replayed.
    fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(&mut self) -> T {
        self.ids += 1;
        format!("00000000-0000-7000-8000-{:012x}", self.ids).parse().expect("a UUID")
    }

    /// A text that is nowhere else.
    pub(super) fn word(&mut self) -> String {
        self.words += 1;
        let mark = if self.words.is_multiple_of(7) { "ü😀" } else { "w" };
        format!("{mark}{:x} ", self.words)
    }

    fn start_process(&mut self) -> usize {
        let place = self.processes.len();
        let owner = format!("p{place}");
        self.processes.push(Process { owner, life: Life::Alive, closing: false, claims: VecDeque::new() });
        place
    }

    pub(super) fn run(&mut self) -> Result<(), Broken> {
        for _ in 0..self.plan.events {
            self.coverage.events += 1;
            let pause = self.random.below(4) as i64;
            self.advance(pause);
            self.happen()?;
        }
        self.bring_to_an_end()
    }

    /// A process in this state, if there is one.
    fn process(&mut self, life: Life, fresh: bool) -> Option<usize> {
        let places: Vec<usize> = (0..self.processes.len())
            .filter(|place| self.processes[*place].life == life && !(fresh && self.processes[*place].closing))
            .collect();
        (!places.is_empty()).then(|| self.random.pick(&places))
    }

    fn is_alive(&self, process: usize) -> bool {
        self.processes[process].life == Life::Alive
    }

    fn happen(&mut self) -> Result<(), Broken> {
        let weights = &self.plan.weights;
        let has = |there: bool, weight: u32| if there { weight } else { 0 };
        let frozen = self.processes.iter().any(|process| process.life == Life::Frozen);
        let driving = !self.drives.is_empty();
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
            has(self.plan.readers > 0 && !self.ledger.runs.is_empty(), weights.read),
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
            Some(_) => self.read_event(),
            None => Ok(()),
        }
    }

    fn someone_lives(&mut self) {
        if self.processes.iter().all(|process| process.life == Life::Dead || process.closing) {
            let process = self.start_process();
            self.say(|| format!("p{process} starts"));
        }
    }

    fn drive_something(&mut self) -> Result<bool, Broken> {
        let first = self.random.below(self.drives.len());
        for offset in 0..self.drives.len() {
            let place = (first + offset) % self.drives.len();
            if self.is_alive(self.drives[place].process) {
                return self.drive_event(place);
            }
        }
        Ok(false)
    }

    // ---- beginning -------------------------------------------------------------------------------------------

    fn begin_event(&mut self) -> Result<(), Broken> {
        let Some(process) = self.process(Life::Alive, true) else { return Ok(()) };
        self.turns_left -= 1;
        let key = self.random.chance(300).then(|| self.random.below(2));
        let (run_id, assistant_message_id, user): (RunId, MessageId, MessageId) = {
            let user = self.id();
            (self.id(), self.id(), user)
        };
        let begin = BeginRun {
            run_id,
            chat_id: self.random.pick(&self.chats),
            workspace_id: "w".to_owned(),
            user_id: "u".to_owned(),
            trigger: Trigger::User,
            owner: self.processes[process].owner.clone(),
            lease: LEASE,
            role_id: None,
            page_id: None,
            user_message: Some(NewUserMessage { id: user, content: "hi".to_owned(), metadata: Json::empty_object() }),
            assistant_message_id,
            assistant: empty_row(MessageStatus::Streaming),
            idempotency_key: key.map(|key| format!("key-{key}")),
            from_queue: false,
        };
        match self.random.below(3) {
            0 => self.begin(process, begin, key, false),
            1 => self.begin(process, begin, key, true),
            _ => match ready(self.store.active_run(begin.chat_id)).ok().flatten() {
                Some(active) => {
                    self.request_stop(active.id, RunReason::Superseded)?;
                    self.superseding.push(Superseding { process, target: active.id, begin, key });
                    Ok(())
                }
                None => self.begin(process, begin, key, false),
            },
        }
    }

    fn begin(&mut self, process: usize, begin: BeginRun, key: Option<usize>, waits: bool) -> Result<(), Broken> {
        let run_id = begin.run_id;
        self.say(|| format!("p{process} begins {run_id} in {}, key {key:?}", begin.chat_id));
        if self.random.chance(self.plan.rates.crash_before) {
            self.crash(process);
            return Ok(());
        }
        self.arm_begin();
        let began = ready(self.store.begin_run(begin.clone()));
        self.store.arm(None);
        self.observe(&begin, key)?;
        let died = self.random.chance(self.plan.rates.crash_after);
        self.say(|| format!("    {began:?}{}", if died { ", and the process dies" } else { "" }));
        if died {
            self.crash(process);
            return Ok(());
        }
        match began {
            Ok(Began::Started(fence)) => self.start_driving(process, &begin, fence),
            Ok(Began::Repeated(known)) => self.check_repeated(key, known),
            Err(error) if error.code() == ErrorCode::RunAlreadyActive && waits => self.enqueue(process, begin, key),
            Err(_) => Ok(()),
        }
    }

    fn arm_begin(&mut self) {
        let (unreachable, lost) = (self.plan.rates.unreachable, self.plan.rates.answer_lost);
        let fault = match () {
            () if self.random.chance(unreachable / 2) => Some(Fault::Unreachable),
            () if self.random.chance(lost / 2) => Some(Fault::AnswerLost),
            () => None,
        };
        self.store.arm(fault);
    }

    fn check_repeated(&mut self, key: Option<usize>, known: RunId) -> Result<(), Broken> {
        self.coverage.repeated += 1;
        match key.and_then(|key| self.ledger.keys.get(&key)) {
            Some(first) if *first == known => Ok(()),
            first => Err(Broken::new("a key begins one run", format!("{known} instead of {first:?}"))),
        }
    }

    /// Enters into the books what a begin has written, whether its answer arrived or not.
    fn observe(&mut self, begin: &BeginRun, key: Option<usize>) -> Result<(), Broken> {
        let Some(run) = ready(self.store.run(begin.run_id)).ok().flatten() else { return Ok(()) };
        if let Some(key) = key {
            let first = *self.ledger.keys.entry(key).or_insert(begin.run_id);
            if first != begin.run_id {
                return Err(Broken::new("a key begins one run", format!("{first} and {}", begin.run_id)));
            }
        }
        let lease_until = self.now() + LEASE.as_millis() as i64;
        let facts = self.ledger.runs.entry(begin.run_id);
        let facts = facts.or_insert_with(|| Facts::new(begin.chat_id, begin.assistant_message_id));
        if facts.settled.is_some() {
            return Ok(());
        }
        if run.status == crate::model::RunStatus::Running && facts.fence.is_none() {
            facts.fence = Some(Fence { run_id: run.id, owner: begin.owner.clone(), epoch: 1 });
            facts.lease_until = lease_until;
            if begin.from_queue {
                let overtaken = self.ledger.runs.iter().find(|(other, facts)| {
                    **other < run.id && facts.chat == run.chat_id && facts.fence.is_none() && facts.settled.is_none()
                });
                if let Some((other, _)) = overtaken {
                    return Err(Broken::new(
                        "runs that wait begin in their order",
                        format!("{} before {other}", run.id),
                    ));
                }
            }
            self.ledger.check_gate(&self.store, begin.chat_id)?;
        } else if facts.fence.is_none() {
            facts.lease_until = lease_until;
        }
        self.ledger.check(&self.store, begin.run_id)
    }

    fn start_driving(&mut self, process: usize, begin: &BeginRun, fence: Fence) -> Result<(), Broken> {
        let rows = ready(self.store.messages(begin.chat_id, usize::MAX)).unwrap_or_default();
        let ids = TurnIds { chat: begin.chat_id, run: begin.run_id, message: begin.assistant_message_id };
        let (history, now) = (messages_from_rows(&rows), self.now());
        let mut drive = Drive::new(process, ids, fence, history, self.plan.max_steps, now);
        drive.detached = self.random.chance(700);
        if self.processes[process].closing {
            drive.control.push_back(Event::StopRequested(StopCause::Shutdown));
        }
        self.coverage.runs += 1;
        self.drives.push(drive);
        Ok(())
    }

    fn enqueue(&mut self, process: usize, begin: BeginRun, key: Option<usize>) -> Result<(), Broken> {
        self.arm_begin();
        let queued = ready(self.store.enqueue_run(begin.clone()));
        self.store.arm(None);
        self.observe(&begin, key)?;
        self.say(|| format!("    it waits: {queued:?}"));
        match queued {
            Ok(Began::Started(_)) => {
                let begin = BeginRun { from_queue: true, ..begin };
                let renewed_at = self.now();
                self.coverage.queued += 1;
                self.waiters.push(Waiter { process, begin, control: VecDeque::new(), renewed_at });
                Ok(())
            }
            Ok(Began::Repeated(known)) => self.check_repeated(key, known),
            Err(_) => Ok(()),
        }
    }

    fn queue_event(&mut self) -> Result<(), Broken> {
        let place = self.random.below(self.waiters.len() + self.superseding.len());
        if let Some(place) = place.checked_sub(self.waiters.len()) {
            return self.supersede(place);
        }
        if !self.is_alive(self.waiters[place].process) {
            return Ok(());
        }
        let mut waiter = self.waiters.swap_remove(place);
        let run_id = waiter.begin.run_id;
        match waiter.control.pop_front() {
            Some(Event::StopRequested(cause)) => {
                self.arm_begin();
                let settled = ready(queue::settle(&*self.store, &waiter.begin, cause.reason()));
                self.store.arm(None);
                self.say(|| format!("p{} {run_id} waits no more ({cause:?}): {settled:?}", waiter.process));
                self.ledger.check(&self.store, run_id)?;
                let told = settled.is_ok();
                if told && self.ledger.runs.get(&run_id).is_some_and(|facts| facts.settled.is_none()) {
                    let detail = format!("{run_id} was to wait no more");
                    return Err(Broken::new("nobody is told of an end that is not on disk", detail));
                }
                return Ok(());
            }
            Some(_) => return Ok(()),
            None => {}
        }
        self.arm_begin();
        let begun = ready(queue::attempt(&*self.store, &waiter.begin));
        self.store.arm(None);
        self.say(|| format!("p{} {run_id} looks whether its chat is free: {begun:?}", waiter.process));
        self.observe(&waiter.begin, None)?;
        match begun {
            Ok(Some(fence)) => return self.start_driving(waiter.process, &waiter.begin, fence),
            Err(error) if error.code() == ErrorCode::LeaseLost => return Ok(()),
            Ok(None) | Err(_) => {}
        }
        self.waiters.push(waiter);
        Ok(())
    }

    fn supersede(&mut self, place: usize) -> Result<(), Broken> {
        let waiting = &self.superseding[place];
        let over = ready(self.store.run(waiting.target)).ok().flatten().is_none_or(|run| !run.status.is_active());
        if self.is_alive(waiting.process) && over {
            let waiting = self.superseding.swap_remove(place);
            self.begin(waiting.process, waiting.begin, waiting.key, false)?;
        }
        Ok(())
    }

    // ---- from outside ----------------------------------------------------------------------------------------

    fn stop_event(&mut self) -> Result<(), Broken> {
        let runs: Vec<RunId> = self.ledger.runs.keys().copied().collect();
        if runs.is_empty() {
            return Ok(());
        }
        let run_id = self.random.pick(&runs);
        self.request_stop(run_id, RunReason::Stopped)
    }

    fn request_stop(&mut self, run_id: RunId, reason: RunReason) -> Result<(), Broken> {
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

    fn disconnect_event(&mut self) {
        let place = self.random.below(self.drives.len());
        if !self.drives[place].detached {
            self.say(|| "its client goes away".to_owned());
            self.tell(place, StopCause::Disconnected);
        }
    }

    fn shutdown_event(&mut self) {
        let Some(process) = self.process(Life::Alive, true) else { return };
        self.say(|| format!("p{process} shuts down"));
        self.processes[process].closing = true;
        self.tell_all(process, &Event::StopRequested(StopCause::Shutdown));
        self.someone_lives();
    }

    fn tell_all(&mut self, process: usize, event: &Event) {
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
            self.leave_writes(&mut drive);
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
                    facts.lease_until = now;
                }
            }
        }
        self.someone_lives();
    }

    fn runs_of(&self, owner: &str) -> Vec<RunId> {
        let owned = self.ledger.runs.iter().filter(|(_, facts)| {
            facts.settled.is_none() && facts.fence.as_ref().is_some_and(|fence| fence.owner == owner)
        });
        owned.map(|(run_id, _)| *run_id).collect()
    }

    // ---- signs of life ---------------------------------------------------------------------------------------

    fn renew_event(&mut self) -> Result<(), Broken> {
        match self.process(Life::Alive, false) {
            Some(process) => self.renew(process),
            None => Ok(()),
        }
    }

    fn registered(&self, process: usize) -> Vec<RunId> {
        let drives = self.drives.iter().filter(|drive| drive.process == process).map(|drive| drive.ids.run);
        let waiters = self.waiters.iter().filter(|waiter| waiter.process == process);
        drives.chain(waiters.map(|waiter| waiter.begin.run_id)).collect()
    }

    fn renew(&mut self, process: usize) -> Result<(), Broken> {
        let runs = self.registered(process);
        if runs.is_empty() {
            return Ok(());
        }
        let (owner, now) = (self.processes[process].owner.clone(), self.now());
        if !self.random.chance(self.plan.rates.unreachable) {
            let renewal = ready(self.store.renew_leases(&owner, &runs, LEASE)).unwrap_or_default();
            self.say(|| format!("p{process} renews {runs:?}: {renewal:?}"));
            for run_id in &runs {
                if renewal.lost.contains(run_id) {
                    continue;
                }
                if let Some(facts) = self.ledger.runs.get_mut(run_id) {
                    facts.lease_until = now + LEASE.as_millis() as i64;
                }
            }
            if !self.random.chance(self.plan.rates.answer_lost) {
                for run_id in &runs {
                    match renewal.lost.contains(run_id) {
                        true => self.tell_run(process, *run_id, Event::LeaseLost),
                        false => self.renewed(process, *run_id, now),
                    }
                }
                for (run_id, reason) in renewal.stop_requested {
                    self.tell_run(process, run_id, Event::StopRequested(StopCause::noted(reason)));
                }
            }
        }
        let limit = now - LEASE.as_millis() as i64;
        for run_id in runs {
            let renewed_at = self.renewed_at(process, run_id);
            if renewed_at.is_some_and(|at| at <= limit) {
                self.tell_run(process, run_id, Event::LeaseLost);
            }
        }
        Ok(())
    }

    fn renewed_at(&self, process: usize, run_id: RunId) -> Option<i64> {
        let drive = self.drives.iter().find(|drive| drive.process == process && drive.ids.run == run_id);
        let waiter = || self.waiters.iter().find(|waiter| waiter.begin.run_id == run_id);
        drive.map(|drive| drive.renewed_at).or_else(|| waiter().map(|waiter| waiter.renewed_at))
    }

    fn renewed(&mut self, process: usize, run_id: RunId, at: i64) {
        for drive in self.drives.iter_mut().filter(|drive| drive.process == process && drive.ids.run == run_id) {
            drive.renewed_at = at;
        }
        for waiter in self.waiters.iter_mut().filter(|waiter| waiter.begin.run_id == run_id) {
            waiter.renewed_at = at;
        }
    }

    fn tell_run(&mut self, process: usize, run_id: RunId, event: Event) {
        for drive in self.drives.iter_mut().filter(|drive| drive.process == process && drive.ids.run == run_id) {
            drive.control.push_back(event.clone());
        }
        for waiter in self.waiters.iter_mut().filter(|waiter| waiter.begin.run_id == run_id) {
            waiter.control.push_back(event.clone());
        }
    }

    fn hear_event(&mut self) {
        let Some(process) = self.process(Life::Alive, false) else { return };
        let runs = self.registered(process);
        for (run_id, reason) in ready(self.store.stop_requests(&runs)).unwrap_or_default() {
            self.tell_run(process, run_id, Event::StopRequested(StopCause::noted(reason)));
        }
    }

    fn time_event(&mut self) -> Result<(), Broken> {
        let lease = LEASE.as_millis() as i64;
        let by = self.random.pick(&[50, 1000, lease / 3, lease / 3, lease, 2 * lease]);
        // Whoever lives has renewed its leases meanwhile, as a rule.
        if by >= lease / 3 && self.random.chance(700) {
            for process in 0..self.processes.len() {
                if self.is_alive(process) {
                    self.renew(process)?;
                }
            }
        }
        self.say(|| format!("{by} ms pass"));
        self.advance(by);
        Ok(())
    }

    fn trim_event(&mut self) {
        let settled_for = self.random.pick(&[0, 0, 1000]);
        let _ = ready(self.store.trim_packs(Duration::from_millis(settled_for)));
        let before = self.now() - settled_for as i64;
        self.say(|| "packs of settled runs are trimmed".to_owned());
        for facts in self.ledger.runs.values_mut() {
            let finished_at = facts.settled.as_ref().and_then(|settled| settled.run.finished_at);
            facts.trimmed |= finished_at.is_some_and(|at| at.as_millis() <= before);
        }
    }

    fn late_event(&mut self) -> Result<(), Broken> {
        let place = self.random.below(self.late.len());
        let LateWrite { fence, write } = self.late.swap_remove(place);
        self.say(|| "a write arrives that nobody waits for:".to_owned());
        self.coverage.late_writes += 1;
        let _ = self.perform(&fence, &write)?;
        Ok(())
    }

    // ---- the sweep -------------------------------------------------------------------------------------------

    fn sweep_event(&mut self) -> Result<(), Broken> {
        let Some(process) = self.process(Life::Alive, false) else { return Ok(()) };
        self.coverage.sweeps += 1;
        let whole = self.sweep(process)?;
        if whole { self.check_swept() } else { Ok(()) }
    }

    fn check_swept(&self) -> Result<(), Broken> {
        let now = self.now();
        let left = self.ledger.runs.iter().find(|(_, facts)| facts.settled.is_none() && facts.lease_until <= now);
        match left {
            None => Ok(()),
            Some((run_id, _)) => Err(Broken::new("a sweep settles what is abandoned", run_id.to_string())),
        }
    }

    /// Settles what is abandoned; `false` when that was interrupted.
    fn sweep(&mut self, process: usize) -> Result<bool, Broken> {
        self.say(|| format!("p{process} sweeps"));
        let now = self.now();
        if self.random.chance(self.plan.rates.unreachable) {
            return Ok(false);
        }
        if self.processes[process].claims.is_empty() {
            for facts in self.ledger.runs.values_mut() {
                if facts.fence.is_none() && facts.settled.is_none() && facts.lease_until <= now {
                    facts.swept.get_or_insert(facts.stop);
                }
            }
            let empty = empty_row(MessageStatus::Aborted);
            let _ = ready(self.store.settle_waiting(Waiting::Abandoned, RunReason::WorkerLost, empty));
            self.ledger.check_all(&self.store)?;
            if self.random.chance(self.plan.rates.crash_before) {
                self.crash(process);
                return Ok(false);
            }
            let owner = self.processes[process].owner.clone();
            let claimed = ready(self.store.claim_abandoned(&owner, LEASE)).unwrap_or_default();
            for claim in &claimed {
                let run_id = claim.run.id;
                self.say(|| format!("    takes over {run_id} under epoch {}", claim.fence.epoch));
                let Some(facts) = self.ledger.runs.get_mut(&run_id) else { continue };
                let epoch = facts.fence.as_ref().map_or(0, |fence| fence.epoch);
                if claim.fence.epoch <= epoch || facts.settled.is_some() || facts.lease_until > now {
                    return Err(Broken::new("only what is abandoned is taken over", run_id.to_string()));
                }
                facts.fence = Some(claim.fence.clone());
                facts.lease_until = now + LEASE.as_millis() as i64;
                facts.swept = Some(facts.stop);
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
        Ok(true)
    }

    fn settle_claimed(&mut self, process: usize, claim: crate::store::ClaimedRun) -> Result<bool, Broken> {
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
            () if rates_allow_late(late) && self.random.chance(late) => Some(Fault::Late),
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
            self.late.push(LateWrite { fence, write: Write::Settle(settle) });
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

    // ---- readers ---------------------------------------------------------------------------------------------

    fn read_event(&mut self) -> Result<(), Broken> {
        if self.clients.len() < self.plan.readers && (self.clients.is_empty() || self.random.chance(100)) {
            let runs: Vec<RunId> = self.ledger.runs.keys().copied().collect();
            let run_id = self.random.pick(&runs);
            let from = if self.random.chance(650) { TailFrom::Start } else { TailFrom::Snapshot };
            self.clients.push(Client::new(run_id, from));
            return Ok(());
        }
        let place = self.random.below(self.clients.len());
        match self.random.below(10) {
            0 => {
                self.coverage.reconnects += u64::from(self.clients[place].is_connected());
                self.clients[place].disconnect();
            }
            1..=5 => {
                self.read_page(place);
            }
            _ => {
                let count = 1 + self.random.below(6);
                self.clients[place].receive(count);
            }
        }
        self.check_client(place)
    }

    fn read_page(&mut self, place: usize) -> bool {
        let limit = self.random.pick(&[1, 60, 200, 1000, 1 << 20]);
        let client = &mut self.clients[place];
        let (run_id, range) = (client.run, client.wants(limit));
        let page = ready(self.store.read_log(run_id, range)).ok().flatten();
        page.is_some_and(|page| self.clients[place].feed(page))
    }

    /// A client that was told of the end compares; it may come back later to be told of it again.
    fn check_client(&mut self, place: usize) -> Result<(), Broken> {
        if self.clients[place].end.is_none() {
            return Ok(());
        }
        let mut client = self.clients.swap_remove(place);
        self.coverage.clients += 1;
        let run_id = client.run;
        let Some(facts) = self.ledger.runs.get(&run_id) else { return Ok(()) };
        let (settled, exact) = (facts.settled.is_some(), !facts.trimmed && !facts.renumbered);
        self.say(|| format!("a client has read {run_id} {:?}: {:#?}", client.from, client.received));
        if !settled {
            return Err(Broken::new("nobody is told of an end that is not on disk", run_id.to_string()));
        }
        tells_the_steps(&self.store, run_id, client.received.iter())?;
        if exact {
            if client.resyncs > 0 {
                let detail = format!("{run_id}: told to begin anew {} times", client.resyncs);
                return Err(Broken::new("nobody begins anew while the packs are there", detail));
            }
            if client.from == TailFrom::Start {
                let (whole, _) = whole_log(&self.store, run_id, TailFrom::Start)?;
                if !client.gapless || whole != client.received {
                    let detail = format!("{run_id}: without gaps: {}; in one go: {whole:#?}", client.gapless);
                    return Err(Broken::new("pieces of a log are the log", detail));
                }
            }
        }
        self.coverage.resyncs += u64::from(client.resyncs);
        if self.random.chance(200) {
            client.disconnect();
            client.end = None;
            self.clients.push(client);
        }
        Ok(())
    }

    // ---- the end ---------------------------------------------------------------------------------------------

    fn bring_to_an_end(&mut self) -> Result<(), Broken> {
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
        let mut events = 0;
        while !self.drives.is_empty() || !self.waiters.is_empty() || !self.superseding.is_empty() {
            events += 1;
            if events > FAR_TOO_MANY {
                let left = (self.drives.len(), self.waiters.len(), self.superseding.len());
                return Err(Broken::new("every run ends", format!("{left:?} are still driven, wait, supersede")));
            }
            if !self.drives.is_empty() {
                self.drive_something()?;
            } else {
                self.queue_event()?;
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
        let unsettled = self.ledger.runs.iter().find(|(_, facts)| facts.settled.is_none());
        if let Some((run_id, _)) = unsettled {
            return Err(Broken::new("every run ends within a lease and a sweep", run_id.to_string()));
        }
        while !self.late.is_empty() {
            self.late_event()?;
        }
        self.ledger.check_all(&self.store)?;
        self.read_everything()
    }

    fn after_a_lease(&mut self) -> Result<(), Broken> {
        for process in 0..self.processes.len() {
            if self.is_alive(process) {
                self.renew(process)?;
            }
        }
        self.advance(LEASE.as_millis() as i64 - 1);
        for process in 0..self.processes.len() {
            if self.is_alive(process) {
                self.renew(process)?;
            }
        }
        self.advance(2);
        self.someone_lives();
        if let Some(process) = self.process(Life::Alive, false) {
            self.processes.iter_mut().for_each(|process| process.claims.clear());
            self.sweep(process)?;
            self.check_swept()?;
        }
        Ok(())
    }

    fn read_everything(&mut self) -> Result<(), Broken> {
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
                tells_the_steps(&self.store, *run_id, chunks.iter())?;
                if resynchronized && !facts.trimmed && !facts.renumbered {
                    return Err(Broken::new("nobody begins anew while the packs are there", run_id.to_string()));
                }
            }
        }
        Ok(())
    }
}

fn rates_allow_late(rate: u32) -> bool {
    rate > 0
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
        provider_fails: rates.provider_fails,
        no_finish_reason: rates.no_finish_reason,
        tool_fails: rates.tool_fails,
        bad_call: rates.bad_call,
        told_at_once: rates.told_at_once,
        known_dead: rates.known_dead,
    }
}
