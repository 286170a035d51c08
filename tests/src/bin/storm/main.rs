//! `storm kills=N freezes=N [seed=N] [slots=N] [lease=MS] [store=sqlite|postgres] [restarts=N]`: runs turns in processes
//! that share one SQLite file or one PostgreSQL server, kills and freezes those processes at any moment, crashes and
//! restarts the server, and compares the database with what they had acknowledged.
//!
//! The last line counts the violations; the exit code is 1 if there was any. The moments are drawn from the seed, but
//! what they hit depends on the machine: a seed names a storm, it does not replay one.

mod child;
mod ledger;
mod plan;
mod slot;
mod tally;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use turnkeep::Engine;
use turnkeep_test_postgres::Cluster;
use turnkeep_tests::scenario;
use turnkeep_tests::stage::Stage;

use ledger::{Database, Ledger};
use plan::Random;
use slot::{Blow, Slot, Storm};
use tally::{Rule, Tally};

/// How often the storm is asked how far it is.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

struct Options {
    kills: usize,
    freezes: usize,
    seed: u64,
    slots: usize,
    lease_ms: u64,
    store: String,
    restarts: usize,
}

impl Options {
    fn read(arguments: &[String]) -> Option<Self> {
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        let mut options =
            Self { kills: 100, freezes: 15, seed, slots: 4, lease_ms: 600, store: String::new(), restarts: 0 };
        for argument in arguments {
            let (name, value) = argument.split_once('=')?;
            if name == "store" {
                value.clone_into(&mut options.store);
                continue;
            }
            // An empty value is what a Makefile passes for a variable that is not set.
            let Ok(number) = value.parse::<u64>() else {
                if value.is_empty() {
                    continue;
                }
                return None;
            };
            let count = usize::try_from(number).ok()?;
            match name {
                "kills" => options.kills = count,
                "freezes" => options.freezes = count,
                "seed" => options.seed = number,
                "slots" => options.slots = count.max(1),
                "restarts" => options.restarts = count,
                "lease" => options.lease_ms = number,
                _ => return None,
            }
        }
        Some(options)
    }

    /// The blows of each slot, in a random order.
    fn blows(&self) -> Vec<Vec<Blow>> {
        let mut random = Random::new(self.seed);
        let mut blows = vec![Vec::new(); self.slots];
        let all = std::iter::repeat_n(Blow::Kill, self.kills).chain(std::iter::repeat_n(Blow::Freeze, self.freezes));
        for (place, blow) in all.enumerate() {
            if let Some(blows) = blows.get_mut(place % self.slots) {
                let at = usize::try_from(random.below(blows.len() as u64 + 1)).unwrap_or(0);
                blows.insert(at, blow);
            }
        }
        blows
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.to_string()),
    };
    if let [mode, store, chat, seed, lease] = arguments.as_slice()
        && mode == "child"
        && let (Ok(seed), Ok(lease)) = (seed.parse(), lease.parse())
    {
        return match runtime.block_on(child::run(store, chat, seed, lease)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                turnkeep_tests::processes::tell(&format!("error {error}"));
                ExitCode::FAILURE
            }
        };
    }
    let Some(options) = Options::read(&arguments) else {
        return fail(
            "usage: storm kills=N freezes=N [seed=N] [slots=N] [lease=MS] [store=sqlite|postgres] [restarts=N]",
        );
    };
    match weather(&options, &runtime) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => fail(&error),
    }
}

fn fail(error: &str) -> ExitCode {
    eprintln!("storm: {error}");
    ExitCode::FAILURE
}

/// The whole storm; `false` when a rule was broken.
fn weather(options: &Options, runtime: &tokio::runtime::Runtime) -> Result<bool, String> {
    eprintln!("storm: seed={} slots={} lease_ms={}", options.seed, options.slots, options.lease_ms);
    let begun = std::time::Instant::now();
    let stage = Stage::new(&options.store)?;
    if options.restarts > 0 && stage.cluster.is_none() {
        return Err("a file has no server to restart".to_owned());
    }
    let limits = json!({"runs": {"leaseMs": options.lease_ms, "stopPollMs": 100}});
    let engine = scenario::options(&stage.store, "http://127.0.0.1:9/v1", limits);
    let storm = Storm {
        program: std::env::current_exe().map_err(text)?,
        store: stage.store.clone(),
        is_restarted: options.restarts > 0,
        lease: Duration::from_millis(options.lease_ms),
        runtime: runtime.handle().clone(),
        standing: runtime.block_on(Engine::open(engine)).map_err(text)?,
        tally: Tally::default(),
    };
    let (mut ledgers, blows, mut seeds) = (Vec::new(), options.blows(), Random::new(options.seed ^ u64::MAX));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<(), String> {
        if let Some(cluster) = &stage.cluster {
            scope.spawn(|| restart(cluster, options, &storm.tally, &over));
        }
        let slots: Vec<_> = blows
            .iter()
            .map(|blows| (blows, seeds.next(), &storm))
            .map(|(blows, seed, storm)| scope.spawn(move || Slot::new(storm, seed)?.run(blows)))
            .collect();
        let all: Vec<_> = slots.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        over.store(true, Ordering::SeqCst);
        for slot in all {
            ledgers.extend(slot.map_err(|_| "a slot panicked")??);
        }
        Ok(())
    })?;
    runtime.block_on(storm.standing.close(None)).map_err(text)?;
    look_back(&storm, &mut ledgers).map_err(text)?;
    let (clean, summary) = (storm.tally.is_clean(), storm.tally.summary(storm.lease));
    if !clean {
        eprintln!("the database is kept in {}", stage.keep());
    }
    println!("chats={} seconds={:.0}", ledgers.len(), begun.elapsed().as_secs_f64());
    summary.iter().for_each(|line| println!("{line}"));
    Ok(clean)
}

/// Crashes the server and starts it again, evenly over the storm.
fn restart(cluster: &Cluster, options: &Options, tally: &Tally, over: &AtomicBool) {
    let all = options.kills + options.freezes;
    for number in 1..=options.restarts {
        while tally.blows() < number * all / (options.restarts + 1) {
            if over.load(Ordering::SeqCst) {
                return;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        cluster.crash_and_restart();
        tally.restarted();
    }
}

/// Everything once more, now that nobody writes.
fn look_back(storm: &Storm, ledgers: &mut [Ledger]) -> Result<(), String> {
    let mut database = Database::open(&storm.store)?;
    for ledger in ledgers {
        ledger.check(&mut database, &storm.tally, true)?;
    }
    let (crowded, unsettled) = database.crowded_and_unsettled()?;
    for chat in crowded {
        storm.tally.broken(Rule::OneActive, format!("chat {chat} has several active runs"));
    }
    for run in unsettled {
        storm.tally.broken(Rule::SettledOnce, format!("run {run} was never settled"));
    }
    if !database.is_sound()? {
        storm.tally.broken(Rule::NoLostStep, "the database is damaged".to_owned());
    }
    Ok(())
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
