//! `simulate`: runs SEEDS schedules of the simulator from FROM on, on all cores; with SEED, replays that one and says
//! what happens in it. MUTATION breaks a rule on purpose. All of them are environment variables.

use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use turnkeep::simulation::{self, Coverage, Mutation};

/// How many schedules a thread takes at once.
const BATCH: u64 = 256;
/// After so many violations the rest is not shown.
const SHOWN: u64 = 10;

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} cannot be read")))
}

fn main() -> ExitCode {
    let mutation = variable::<String>("MUTATION").map(|name| {
        name.parse::<Mutation>().unwrap_or_else(|problem| {
            eprintln!("{problem}");
            std::process::exit(2);
        })
    });
    match variable("SEED") {
        Some(seed) => replay(seed, mutation),
        None => search(variable("FROM").unwrap_or(0), variable("SEEDS").unwrap_or(100_000), mutation),
    }
}

fn conclude(schedules: u64, violations: u64) -> ExitCode {
    println!("simulate: schedules={schedules} violations={violations}");
    if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn replay(seed: u64, mutation: Option<Mutation>) -> ExitCode {
    let outcome = simulation::replay(seed, mutation, |line| println!("{line}"));
    if let Err(violation) = &outcome {
        println!("VIOLATION {violation}");
    }
    conclude(1, u64::from(outcome.is_err()))
}

fn search(from: u64, seeds: u64, mutation: Option<Mutation>) -> ExitCode {
    let begun = Instant::now();
    let (next, violations) = (AtomicU64::new(0), AtomicU64::new(0));
    let coverage = Mutex::new(Coverage::default());
    let work = || {
        let mut reached = Coverage::default();
        loop {
            let first = next.fetch_add(BATCH, Ordering::Relaxed);
            if first >= seeds {
                break;
            }
            for seed in from + first..from + (first + BATCH).min(seeds) {
                match simulation::run(seed, mutation) {
                    Ok(one) => reached.add(&one),
                    Err(violation) if violations.fetch_add(1, Ordering::Relaxed) < SHOWN => {
                        let broken = mutation.map(|it| format!(" MUTATION={}", it.name())).unwrap_or_default();
                        println!("VIOLATION {violation}\n  replay it: make simulate SEED={seed}{broken}");
                    }
                    Err(_) => {}
                }
            }
        }
        coverage.lock().expect("no thread panics").add(&reached);
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    let seconds = begun.elapsed().as_secs_f64();
    let counts = coverage.into_inner().expect("no thread panics").counts();
    let counts: Vec<String> = counts.into_iter().map(|(name, count)| format!("{name}={count}")).collect();
    println!("reached: {}", counts.join(" "));
    println!("{:.0} schedules/s on {cores} cores", seeds as f64 / seconds);
    conclude(seeds, violations.into_inner())
}
