//! `answers kills=N [seed=N] [store=sqlite|postgres]`: one process drives runs whose calls wait for approvals, for people and
//! for clients, the other one answers them; either is killed at any moment, most often around a question, an answer or
//! the call that follows. In the end what was asked, answered and made is compared with the logs: no question is lost, no
//! answer that was taken, nothing is made twice or without leave, no run that was answered stands still, and of no call is
//! a second answer or a late one taken.
//!
//! The last line has the counts; the exit code is 1 if a rule was broken.

mod answerer;
mod audit;
mod script;
mod tools;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use turnkeep::{Engine, ErrorCode, RunId};
use turnkeep_tests::ScriptedProvider;
use turnkeep_tests::counting;
use turnkeep_tests::processes::{Line, Process};
use turnkeep_tests::scenario::{options, request, who};
use turnkeep_tests::stage::{Observer, Random, Stage, argument, column, number, seed_of_now};

use audit::Told;

/// The shortest lease that there is.
const LEASE_MS: u64 = 300;
/// How many runs are on their way at a time.
const AT_ONCE: usize = 6;
/// How long the last runs may take to come to their end.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How long a process is left alone that comes to no moment to kill it at.
const LEFT_ALONE: Duration = Duration::from_millis(120);
/// How soon after such a moment it is killed.
const SOON_AFTER: Duration = Duration::from_millis(4);

fn limits() -> Value {
    json!({"runs": {"leaseMs": LEASE_MS, "stopPollMs": 100}, "appSecret": "a secret of the application"})
}

/// A run is given up after so many owners that have died, as one that may kill them: none is brought near that.
const MOST_DEATHS: u64 = 20;
const DEATHS: &str =
    "SELECT MAX(epoch - suspensions) AS deaths FROM ai_chat_runs WHERE status IN ('pending', 'running')";

/// Which process.
#[derive(Clone, Copy)]
enum Role {
    Drives,
    Answers,
}

struct Storm {
    runtime: Runtime,
    front: Engine,
    provider: ScriptedProvider,
    stage: Stage,
    observer: Observer,
    program: String,
    driving: Process,
    answering: Process,
    /// Those that have not ended as far as is known.
    open: Vec<RunId>,
    told: Told,
    /// How many processes there were.
    started: u64,
    seed: u64,
}

impl Storm {
    fn new(kind: &str, seed: u64) -> Result<Self, String> {
        let stage = Stage::new(kind)?;
        let runtime = Runtime::new().map_err(|error| error.to_string())?;
        let provider = runtime.block_on(ScriptedProvider::start(script::script()));
        let opened = runtime.block_on(Engine::open(options(&stage.store, &provider.base_url(), limits())));
        let front = opened.map_err(|error| error.to_string())?;
        counting::prepare(&stage.store)?;
        let program = std::env::args().next().ok_or("this program has no name")?;
        let start = |role, number| start(&program, role, &stage.store, &provider.base_url(), seed, number);
        let (driving, answering) = (start(Role::Drives, 0)?, start(Role::Answers, 1)?);
        Ok(Self {
            observer: Observer::open(&stage.store)?,
            runtime,
            front,
            provider,
            stage,
            program,
            driving,
            answering,
            open: Vec::new(),
            told: Told::default(),
            started: 2,
            seed,
        })
    }

    fn begin(&mut self) -> Result<(), String> {
        self.forget_ended()?;
        while self.open.len() < AT_ONCE {
            let fields = json!({"offeredTools": tools::TOOLS});
            let begun = self.runtime.block_on(self.front.start_turn(request("go", fields), Vec::new()));
            self.open.push(begun.map_err(|error| error.to_string())?.run_id());
        }
        Ok(())
    }

    fn forget_ended(&mut self) -> Result<(), String> {
        let mut open = Vec::new();
        for run_id in std::mem::take(&mut self.open) {
            match self.runtime.block_on(self.front.run(&who(), run_id)) {
                Ok(run) if !run.status.is_active() => {}
                Ok(_) => open.push(run_id),
                Err(error) if error.code() == ErrorCode::StoreUnavailable => open.push(run_id),
                Err(error) => return Err(error.to_string()),
            }
        }
        self.open = open;
        Ok(())
    }

    fn note(&mut self, lines: Vec<Line>) {
        for line in lines {
            self.told.note(&line.text);
        }
    }

    /// Kills one of the two, mostly right after it has come to a moment that matters, and starts another in its place.
    fn kill(&mut self, random: &mut Random) -> Result<(), String> {
        let role = if random.one_in(2) || self.deaths()? > MOST_DEATHS { Role::Answers } else { Role::Drives };
        let so_far = self.process(role).lines_so_far();
        self.note(so_far);
        if random.one_in(3) {
            std::thread::sleep(random.moment(LEFT_ALONE));
        } else {
            let wanted = match role {
                Role::Drives => ["asking", "making", "made"][random.place(3)],
                Role::Answers => ["gives", "took"][random.place(2)],
            };
            self.until(role, wanted);
            std::thread::sleep(random.moment(SOON_AFTER));
        }
        let said = self.process(role).kill();
        self.note(said);
        let number = self.started;
        self.started += 1;
        let started = start(&self.program, role, &self.stage.store, &self.provider.base_url(), self.seed, number)?;
        *self.process(role) = started;
        Ok(())
    }

    /// How many owners the run has lost that has lost the most.
    fn deaths(&mut self) -> Result<u64, String> {
        let rows = self.observer.rows(DEATHS, "")?;
        let deaths = rows.first().and_then(|row| column(row, "deaths"));
        Ok(deaths.and_then(|deaths| deaths.parse().ok()).unwrap_or(0))
    }

    /// Waits for this moment of the process.
    fn until(&mut self, role: Role, wanted: &str) {
        let deadline = Instant::now() + LEFT_ALONE;
        while let Ok(line) = self.process(role).next_line(deadline) {
            if self.told.note(&line.text) == Some(wanted) {
                return;
            }
        }
    }

    fn process(&mut self, role: Role) -> &mut Process {
        match role {
            Role::Drives => &mut self.driving,
            Role::Answers => &mut self.answering,
        }
    }

    fn finish(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        // Runs that stand still are the audit's to tell of.
        while !self.open.is_empty() && Instant::now() < deadline {
            std::thread::sleep(LOOK_AGAIN);
            self.forget_ended()?;
        }
        let deadline = Instant::now() + PATIENCE;
        for role in [Role::Answers, Role::Drives] {
            self.process(role).hang_up();
            let said = self.process(role).until_ended(deadline).ok_or("a process does not end")?;
            self.note(said);
        }
        Ok(())
    }
}

fn start(program: &str, role: Role, store: &str, base_url: &str, seed: u64, number: u64) -> Result<Process, String> {
    let role = match role {
        Role::Drives => "drives",
        Role::Answers => "answers",
    };
    let of_its_own = seed.wrapping_mul(1_000_003).wrapping_add(number).to_string();
    Process::start(program, [role, store, base_url, &of_its_own]).map_err(|error| error.to_string())
}

fn storm(arguments: &[String]) -> Result<bool, String> {
    let (kills, seed) = (number(arguments, "kills", 100)?, number(arguments, "seed", seed_of_now())?);
    let mut random = Random::new(seed);
    let mut storm = Storm::new(argument(arguments, "store").unwrap_or_default(), seed)?;
    for kill in 0..kills {
        storm.begin()?;
        storm.kill(&mut random)?;
        if kill % 500 == 499 {
            eprintln!("{} kills", kill + 1);
        }
    }
    storm.finish()?;
    let audit = audit::audit(&storm.stage.store, &storm.told)?;
    println!("seed={seed} {} {:?}", audit.details(&storm.told), storm.told.moments);
    println!("answers: kills={kills} {audit}");
    if audit.is_clean() {
        return Ok(true);
    }
    let Storm { stage, .. } = storm;
    eprintln!("the store is kept: {}", stage.keep());
    Ok(false)
}

fn child(role: &str, store: &str, base_url: &str, seed: &str) -> Result<bool, String> {
    let runtime = Runtime::new().map_err(|error| error.to_string())?;
    let seed = seed.parse().map_err(|_| "the seed must be a number")?;
    let ended = match role {
        "drives" => runtime.block_on(tools::run(store, base_url, limits())),
        _ => runtime.block_on(answerer::run(store, base_url, limits(), seed)),
    };
    ended.map(|()| true)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [role, store, base_url, seed] if matches!(role.as_str(), "drives" | "answers") => {
            child(role, store, base_url, seed)
        }
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
