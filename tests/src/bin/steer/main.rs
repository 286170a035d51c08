//! `steer races=N [seed=N] [store=sqlite|postgres]`: messages that join runs, each against the run's end, a stop, the death
//! of the process that drives it, or its being handed over. In the end each message that was accepted is in the chat once:
//! in the log of its run or as a message of the next turn. One that was refused is nowhere.
//!
//! The last line has the counts; the exit code is 1 if a rule was broken.

mod race;
mod worker;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use turnkeep::Engine;
use turnkeep_tests::chunks::{finish, text, tool_call};
use turnkeep_tests::processes::Process;
use turnkeep_tests::scenario::options;
use turnkeep_tests::stage::{Random, Stage, argument, number, seed_of_now};
use turnkeep_tests::{Response, Script, ScriptedProvider};

use race::{Course, Tally};

/// The shortest lease that there is, for those who are killed.
const LEASE_MS: u64 = 300;
/// How many races are run at a time.
const AT_ONCE: u64 = 64;
/// How many processes there are to be killed.
const WORKERS: usize = 2;
/// How long they live at most.
const LIFE: Duration = Duration::from_millis(400);
/// How long one that hands its runs over may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A step with a call and one with the answer, for as many messages as there are.
fn script() -> Script {
    let call = vec![text("Looking. "), tool_call(0, "call_a", "look", "{}")];
    let answer = vec![text("So it "), text("is.")];
    let response = |chunks: Vec<String>, reason| Response {
        chunk_delay_ms: 1,
        ..Response::stream([chunks, finish(reason, 5, 5)].concat())
    };
    Script { responses: vec![response(call, "tool_calls"), response(answer, "stop")], repeat: true, by_step: true }
}

/// Kills processes, or lets them hand over what they drive, until the races are over. Returns how many were killed.
fn harass(store: &str, base_url: &str, seed: u64, is_over: &AtomicBool) -> Result<u64, String> {
    let program = std::env::args().next().ok_or("this program has no name")?;
    let lease = LEASE_MS.to_string();
    let start = || Process::start(&program, ["worker", store, base_url, &lease]).map_err(|error| error.to_string());
    let mut workers = (0..WORKERS).map(|_| start()).collect::<Result<Vec<Process>, String>>()?;
    let (mut random, mut kills) = (Random::new(seed), 0);
    while !is_over.load(Ordering::SeqCst) {
        let mut worker = workers.swap_remove(random.place(WORKERS));
        // Most are killed while they work; on a slow machine none would come to that otherwise.
        if !random.one_in(8) {
            let _ = worker.next_line(Instant::now() + PATIENCE);
        }
        std::thread::sleep(random.moment(LIFE));
        if random.one_in(3) {
            worker.hang_up();
            worker.until_ended(Instant::now() + PATIENCE).ok_or("a process does not end")?;
        } else {
            worker.kill();
            kills += 1;
        }
        workers.push(start()?);
    }
    workers.iter_mut().for_each(Process::hang_up);
    for mut worker in workers {
        worker.until_ended(Instant::now() + PATIENCE).ok_or("a process does not end")?;
    }
    Ok(kills)
}

async fn open(store: &str, base_url: &str, limits: Value) -> Result<Engine, String> {
    Engine::open(options(store, base_url, limits)).await.map_err(|error| error.to_string())
}

async fn races(store: &str, base_url: &str, races: u64, seed: u64) -> Result<Tally, String> {
    let limits = || json!({"runs": {"leaseMs": 2000, "stopPollMs": 100}});
    // One drives what it begins, one leaves its runs to the processes, and messages come from a third.
    let course = Course {
        driving: open(store, base_url, limits()).await?,
        leaving: open(store, base_url, limits()).await?,
        writing: open(store, base_url, limits()).await?,
    };
    let next = AtomicU64::new(0);
    let run_some = |task| {
        let (course, next) = (&course, &next);
        async move {
            let (mut tally, mut random) = (Tally::default(), Random::new(seed.wrapping_add(task)));
            loop {
                let number = next.fetch_add(1, Ordering::SeqCst);
                if number >= races {
                    return Ok::<_, String>(tally);
                }
                course.race(number, &mut random, &mut tally).await?;
                if number % 5000 == 4999 {
                    eprintln!("{} races", number + 1);
                }
            }
        }
    };
    let mut tally = Tally::default();
    for part in futures_util::future::join_all((0..AT_ONCE).map(run_some)).await {
        tally.add(part?);
    }
    for engine in [&course.driving, &course.leaving, &course.writing] {
        engine.close(None).await.map_err(|error| error.to_string())?;
    }
    Ok(tally)
}

fn storm(arguments: &[String]) -> Result<bool, String> {
    let (count, seed) = (number(arguments, "races", 1000)?, number(arguments, "seed", seed_of_now())?);
    let stage = Stage::new(argument(arguments, "store").unwrap_or_default())?;
    let runtime = Runtime::new().map_err(|error| error.to_string())?;
    let provider = runtime.block_on(ScriptedProvider::start(script()));
    let (is_over, base_url) = (AtomicBool::new(false), provider.base_url());
    let (tally, kills) = std::thread::scope(|scope| {
        let harassing = scope.spawn(|| harass(&stage.store, &base_url, seed, &is_over));
        let tally = runtime.block_on(races(&stage.store, &base_url, count, seed));
        is_over.store(true, Ordering::SeqCst);
        (tally, harassing.join().unwrap_or_else(|_| Err("whoever kills has panicked".to_owned())))
    });
    let (tally, kills) = (tally?, kills?);
    println!("seed={seed} kills={kills} {}", tally.details());
    println!("steer: races={count} {tally}");
    if tally.is_clean() {
        return Ok(true);
    }
    eprintln!("the store is kept: {}", stage.keep());
    Ok(false)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [role, store, base_url, lease] if role == "worker" => worker::run(store, base_url, lease).map(|()| true),
        arguments => storm(arguments),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
