//! One chat at a time: a process that runs turns in it, what is done to that process, and what is looked at afterwards.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::runtime::Handle;
use turnkeep::{ChatId, Engine, ErrorCode, Turn};
use turnkeep_tests::processes::{Line, Process};
use turnkeep_tests::scenario::request;

use crate::ledger::{Database, Ledger, stale_writes};
use crate::plan::{self, Random};
use crate::tally::{Rule, Successor, Tally};

/// What a machine with too much to do may add to any wait.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a standing process tries for a chat, and how often a frozen run is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(3);
/// For how long the write lock must not be had before its holder is taken to be the frozen process.
const LOCK_PATIENCE: Duration = Duration::from_millis(400);
/// Kills and freezes in a chat, so that histories grow and stay readable.
const ROUNDS_PER_CHAT: usize = 10;
/// A turn takes some 100 ms.
const LONGEST_DELAY_US: u64 = 250_000;
/// About as long as a process needs until its first turn.
const START_US: u64 = 80_000;

/// What all slots share.
pub(crate) struct Storm {
    pub(crate) program: PathBuf,
    pub(crate) store: String,
    /// The server is restarted now and then: whoever is told that it cannot be reached tries again.
    pub(crate) is_restarted: bool,
    pub(crate) lease: Duration,
    pub(crate) runtime: Handle,
    /// The engine that is never killed: it sweeps, and competes for chats.
    pub(crate) standing: Engine,
    pub(crate) tally: Tally,
}

impl Storm {
    /// A lease, a sweep, and whatever the machine adds.
    fn settled_within(&self) -> Duration {
        2 * self.lease + PATIENCE
    }
}

/// What is done to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    Kill,
    Freeze,
}

type Outcome<T> = Result<T, String>;

pub(crate) struct Slot<'a> {
    storm: &'a Storm,
    random: Random,
    database: Database,
    ledger: Ledger,
    retired: Vec<Ledger>,
    rounds_in_chat: usize,
    owner: Option<Process>,
}

impl<'a> Slot<'a> {
    pub(crate) fn new(storm: &'a Storm, seed: u64) -> Outcome<Self> {
        Ok(Self {
            storm,
            random: Random::new(seed),
            database: Database::open(&storm.store).map_err(text)?,
            ledger: new_ledger(),
            retired: Vec::new(),
            rounds_in_chat: 0,
            owner: None,
        })
    }

    /// Deals the blows; returns what has been acknowledged in each chat.
    pub(crate) fn run(mut self, blows: &[Blow]) -> Outcome<Vec<Ledger>> {
        for blow in blows {
            match blow {
                Blow::Kill => self.kill()?,
                // At some moments there is nothing to freeze.
                Blow::Freeze => while !self.freeze()? {},
            }
            self.rounds_in_chat += 1;
            if self.rounds_in_chat >= ROUNDS_PER_CHAT {
                self.retire()?;
            }
        }
        self.retire()?;
        Ok(self.retired)
    }

    fn kill(&mut self) -> Outcome<()> {
        let fresh = self.owner.is_none();
        let mut owner = self.take_owner()?;
        if fresh && self.random.one_in(4) {
            self.pause(START_US);
        } else {
            if fresh && self.until_begun(&mut owner).is_none() {
                return Err("a process did not begin a turn".to_owned());
            }
            self.pause(LONGEST_DELAY_US);
        }
        let killed_at = Instant::now();
        let said = owner.kill();
        said.iter().for_each(|line| self.hear(line));
        let orphan = self.database.active_run(&self.ledger.chat).map_err(text)?;
        let kills = self.storm.tally.killed();
        if kills.is_multiple_of(100) {
            eprintln!("{}", self.storm.tally.progress());
        }
        let (successor, begun_at) = if self.random.one_in(2) {
            let next = self.begin_standing()?;
            let begun_at = Instant::now();
            if let Some((turn, number)) = next {
                self.end_standing(&turn, number)?;
            }
            (Successor::Standing, begun_at)
        } else {
            let mut next = self.take_owner()?;
            let begun_at = self.until_begun(&mut next);
            self.owner = Some(next);
            (Successor::Started, begun_at.unwrap_or_else(Instant::now))
        };
        if let Some(orphan) = orphan {
            self.storm.tally.recovered(successor, begun_at.saturating_duration_since(killed_at));
            if self.database.end_of(&orphan).map_err(text)?.is_none() {
                self.broken(Rule::SettledOnce, format!("run {orphan} of a killed process is still active"));
            }
        }
        self.check(false)
    }

    /// `false` when the moment was one that has nothing to freeze.
    fn freeze(&mut self) -> Outcome<bool> {
        let fresh = self.owner.is_none();
        let mut owner = self.take_owner()?;
        if fresh && self.until_begun(&mut owner).is_none() {
            return Err("a process did not begin a turn".to_owned());
        }
        self.pause(LONGEST_DELAY_US);
        if !owner.freeze() {
            return Err("a process could not be frozen".to_owned());
        }
        let frozen_at = Instant::now();
        if !self.database.is_writable_within(LOCK_PATIENCE).map_err(text)? {
            // Nobody can write, so nobody can take over: the fence has nothing to do here.
            self.storm.tally.froze_in_a_write();
            return self.thaw_unharmed(owner);
        }
        owner.lines_so_far().iter().for_each(|line| self.hear(line));
        let Some(run) = self.database.active_run(&self.ledger.chat).map_err(text)? else {
            return self.thaw_unharmed(owner);
        };
        let Some(epoch) = self.until_settled(&run)? else {
            self.broken(Rule::SettledOnce, format!("run {run} of a frozen process is still active"));
            self.thaw_unharmed(owner)?;
            return Ok(true);
        };
        if epoch == 1 {
            // Its own settlement was on its way when it froze.
            return self.thaw_unharmed(owner);
        }
        let taken_over_after = frozen_at.elapsed();
        let before = self.database.snapshot(&self.ledger.chat).map_err(text)?;
        let rival = if self.random.one_in(2) { self.begin_standing()? } else { None };
        owner.hang_up();
        owner.wake();
        match owner.until_ended(Instant::now() + PATIENCE) {
            Some(said) => {
                let lost = format!("lost {run}");
                said.iter().filter(|line| line.text != lost).for_each(|line| self.hear(line));
                // On a busy machine it may have lost its lease, and said so, before it was frozen.
                let knows = self.ledger.is_lost(&run) || said.iter().any(|line| line.text == lost);
                if self.ledger.is_done(&run) || !knows {
                    let said: Vec<&str> = said.iter().map(|line| line.text.as_str()).collect();
                    self.broken(Rule::NoStaleWrite, format!("the woken owner of {run} did not lose it: {said:?}"));
                }
            }
            None => self.broken(Rule::SettledOnce, format!("the woken owner of {run} goes on for ever")),
        }
        let after = self.database.snapshot(&self.ledger.chat).map_err(text)?;
        for write in stale_writes(&before, &after) {
            self.broken(Rule::NoStaleWrite, write);
        }
        if let Some((turn, number)) = rival {
            self.end_standing(&turn, number)?;
        }
        self.storm.tally.froze(taken_over_after);
        self.check(false)?;
        Ok(true)
    }

    fn thaw_unharmed(&mut self, owner: Process) -> Outcome<bool> {
        if !owner.wake() {
            return Err("a process could not be woken".to_owned());
        }
        self.owner = Some(owner);
        Ok(false)
    }

    /// Lets the process end as it likes, and begins with a new chat.
    fn retire(&mut self) -> Outcome<()> {
        if let Some(mut owner) = self.owner.take() {
            owner.hang_up();
            match owner.until_ended(Instant::now() + PATIENCE) {
                Some(said) => said.iter().for_each(|line| self.hear(line)),
                None => self.broken(Rule::NoError, format!("the process of chat {} does not end", self.ledger.chat)),
            }
        }
        self.check(true)?;
        self.retired.push(std::mem::replace(&mut self.ledger, new_ledger()));
        self.rounds_in_chat = 0;
        Ok(())
    }

    fn take_owner(&mut self) -> Outcome<Process> {
        if let Some(owner) = self.owner.take() {
            return Ok(owner);
        }
        let (seed, lease) = (self.random.next().to_string(), self.storm.lease.as_millis().to_string());
        Process::start(&self.storm.program, ["child", &self.storm.store, &self.ledger.chat, &seed, &lease])
            .map_err(text)
    }

    /// When the process says that it has begun a turn; a violation when it does not.
    fn until_begun(&mut self, owner: &mut Process) -> Option<Instant> {
        let deadline = Instant::now() + self.storm.settled_within();
        loop {
            let Ok(line) = owner.next_line(deadline) else {
                self.broken(Rule::SettledOnce, format!("no process can begin in chat {}", self.ledger.chat));
                return None;
            };
            self.hear(&line);
            if line.text.starts_with("begun ") {
                return Some(line.at);
            }
        }
    }

    /// Begins a turn in the process that is always there, as soon as the chat is free.
    fn begin_standing(&mut self) -> Outcome<Option<(Turn, u64)>> {
        let deadline = Instant::now() + self.storm.settled_within();
        let number = self.random.next();
        while Instant::now() < deadline {
            let request = request(&plan::message(number), json!({"chatId": self.ledger.chat}));
            let tools = plan::tools(plan::unnoticed);
            let begun = self.storm.standing.start_turn_with(request, tools, plan::model());
            match self.storm.runtime.block_on(begun) {
                Ok(turn) => {
                    self.storm.tally.acknowledged();
                    self.ledger.begun(&turn.run_id().to_string(), number);
                    return Ok(Some((turn, number)));
                }
                Err(error) if error.code() == ErrorCode::RunAlreadyActive => std::thread::sleep(LOOK_AGAIN),
                Err(error) if error.code() == ErrorCode::StoreUnavailable && self.storm.is_restarted => {
                    self.storm.tally.was_unavailable();
                }
                Err(error) => {
                    self.broken(Rule::NoError, format!("beginning in {}: {error}", self.ledger.chat));
                    return Ok(None);
                }
            }
        }
        self.broken(Rule::SettledOnce, format!("chat {} does not become free", self.ledger.chat));
        Ok(None)
    }

    fn end_standing(&mut self, turn: &Turn, number: u64) -> Outcome<()> {
        let run = turn.run_id().to_string();
        if self.random.one_in(2) {
            match self.storm.runtime.block_on(turn.stop()) {
                Ok(_) => {}
                Err(error) if error.code() == ErrorCode::StoreUnavailable && self.storm.is_restarted => {
                    self.storm.tally.was_unavailable();
                }
                Err(error) => return Err(text(error)),
            }
        }
        match self.storm.runtime.block_on(turn.done()) {
            Ok(outcome) => {
                self.storm.tally.acknowledged();
                self.ledger.done(&run, outcome.status.as_str());
                if outcome.status.as_str() == "succeeded" {
                    (0..plan::steps(number).len()).for_each(|step| self.ledger.step(&run, step));
                }
            }
            Err(error) if error.code() == ErrorCode::LeaseLost => self.storm.tally.lost_a_lease_awake(),
            Err(error) => self.broken(Rule::NoError, format!("run {run} of the standing process: {error}")),
        }
        Ok(())
    }

    /// The epoch under which the run was settled.
    fn until_settled(&mut self, run: &str) -> Outcome<Option<i64>> {
        let deadline = Instant::now() + self.storm.settled_within();
        while Instant::now() < deadline {
            if let Some(epoch) = self.database.end_of(run).map_err(text)? {
                return Ok(Some(epoch));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(None)
    }

    /// Any moment will do.
    fn pause(&mut self, longest_us: u64) {
        std::thread::sleep(Duration::from_micros(self.random.below(longest_us)));
    }

    fn hear(&mut self, line: &Line) {
        let tally = &self.storm.tally;
        match line.text.split(' ').collect::<Vec<_>>().as_slice() {
            ["begun", run, turn] => self.ledger.begun(run, turn.parse().unwrap_or_default()),
            ["step", run, number] => self.ledger.step(run, number.parse().unwrap_or(usize::MAX)),
            ["changed", run, call] => self.ledger.changed(run, call),
            ["done", run, status] => self.ledger.done(run, status),
            ["lost", run] => {
                self.ledger.lost(run);
                return tally.lost_a_lease_awake();
            }
            ["opened" | "closed" | "busy", ..] => return,
            ["unpaired"] => {
                return self.broken(Rule::PairedHistory, format!("chat {}: the model was sent one", self.ledger.chat));
            }
            ["error", "STORE_UNAVAILABLE:", ..] if self.storm.is_restarted => return tally.was_unavailable(),
            _ => return self.broken(Rule::NoError, format!("chat {}: {}", self.ledger.chat, line.text)),
        }
        tally.acknowledged();
    }

    fn check(&mut self, quiet: bool) -> Outcome<()> {
        self.ledger.check(&mut self.database, &self.storm.tally, quiet).map_err(text)
    }

    fn broken(&self, rule: Rule, detail: String) {
        self.storm.tally.broken(rule, detail);
    }
}

fn new_ledger() -> Ledger {
    Ledger::new(ChatId::generate().to_string())
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
