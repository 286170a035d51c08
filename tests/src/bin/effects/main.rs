//! `effects kills=N [freezes=N] [seed=N] [store=sqlite|postgres]`: processes that offer tools are killed, and frozen, at any
//! moment while these count in the store's own database. In the end what was counted is compared with what the runs were
//! told: once for each call of a tool with effects that is told to be done and not at all for the others; never twice for a
//! tool that declares nothing; and nothing that is not in the log.
//!
//! The last line has the counts; the exit code is 1 if a rule was broken.

mod audit;
mod child;

use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;
use tokio::runtime::Runtime;
use turnkeep::{Engine, ErrorCode, RunId};
use turnkeep_tests::chunks::{finish, text, tool_call};
use turnkeep_tests::counting;
use turnkeep_tests::processes::Process;
use turnkeep_tests::scenario::{options, request, who};
use turnkeep_tests::stage::{Stage, argument};
use turnkeep_tests::{Response, Script, ScriptedProvider};

/// The shortest lease that there is.
const LEASE_MS: u64 = 300;
/// How many runs are on their way at a time.
const AT_ONCE: usize = 6;
/// How many processes offer the tools.
const WORKERS: usize = 2;
/// How long the last runs may take to come to their end.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Moments that are drawn.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit.max(1)
    }
}

/// Three steps with calls and one with the answer.
fn script() -> Script {
    let called = |step: usize, names: &[&str]| {
        let call = |(place, name): (usize, &&str)| {
            let index = u32::try_from(place).expect("a small number");
            tool_call(index, &format!("call_{step}_{place}"), name, "{}")
        };
        let mut chunks = vec![text("counting ")];
        chunks.extend(names.iter().enumerate().map(call));
        chunks.extend(finish("tool_calls", 10, 5));
        Response::stream(chunks)
    };
    let answer = Response::stream([vec![text("done")], finish("stop", 10, 5)].concat());
    let responses =
        vec![called(0, &["count", "plain"]), called(1, &["count", "put", "count"]), called(2, &["count"]), answer];
    Script { responses, repeat: false, by_step: true }
}

struct Storm {
    runtime: Runtime,
    front: Engine,
    provider: ScriptedProvider,
    stage: Stage,
    program: String,
    workers: Vec<Process>,
    /// All runs, and those that have not ended as far as is known.
    runs: Vec<RunId>,
    open: Vec<RunId>,
    stops: usize,
}

impl Storm {
    fn new(kind: &str) -> Result<Self, String> {
        let stage = Stage::new(kind)?;
        let runtime = Runtime::new().map_err(|error| error.to_string())?;
        let provider = runtime.block_on(ScriptedProvider::start(script()));
        let limits = json!({"runs": {"leaseMs": LEASE_MS, "stopPollMs": 100}});
        let opened = runtime.block_on(Engine::open(options(&stage.store, &provider.base_url(), limits)));
        let front = opened.map_err(|error| error.to_string())?;
        counting::prepare(&stage.store)?;
        let program = std::env::args().next().ok_or("this program has no name")?;
        let mut storm = Self {
            runtime,
            front,
            provider,
            stage,
            program,
            workers: Vec::new(),
            runs: Vec::new(),
            open: Vec::new(),
            stops: 0,
        };
        for _ in 0..WORKERS {
            storm.start_worker()?;
        }
        Ok(storm)
    }

    fn start_worker(&mut self) -> Result<(), String> {
        let arguments =
            ["child", &self.stage.store, &self.provider.base_url(), &LEASE_MS.to_string()].map(str::to_owned);
        let worker = Process::start(&self.program, arguments).map_err(|error| error.to_string())?;
        self.workers.push(worker);
        Ok(())
    }

    fn begin(&mut self, random: &mut Random) -> Result<(), String> {
        while self.open.len() < AT_ONCE {
            let fields = json!({"offeredTools": child::TOOLS});
            let begun = self.runtime.block_on(self.front.start_turn(request("go", fields), Vec::new()));
            let turn = begun.map_err(|error| error.to_string())?;
            self.runs.push(turn.run_id());
            self.open.push(turn.run_id());
        }
        if random.below(20) == 0
            && let Some(run_id) = self.open.get(usize::try_from(random.below(AT_ONCE as u64)).unwrap_or_default())
        {
            self.stops += 1;
            match self.runtime.block_on(self.front.stop_run(&who(), *run_id)) {
                Ok(_) => {}
                Err(error) if error.code() == ErrorCode::StoreUnavailable => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        self.forget_ended()
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

    fn kill(&mut self, random: &mut Random) -> Result<(), String> {
        std::thread::sleep(Duration::from_micros(random.below(120_000)));
        let place = usize::try_from(random.below(self.workers.len() as u64)).unwrap_or_default();
        self.workers.swap_remove(place).kill();
        self.start_worker()
    }

    /// A process stands still for longer than its lease, and goes on then.
    fn freeze(&mut self, random: &mut Random) {
        std::thread::sleep(Duration::from_micros(random.below(120_000)));
        let place = usize::try_from(random.below(self.workers.len() as u64)).unwrap_or_default();
        if let Some(worker) = self.workers.get(place) {
            worker.freeze();
            std::thread::sleep(Duration::from_millis(LEASE_MS * 3));
            worker.wake();
        }
    }

    fn finish(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while !self.open.is_empty() {
            if Instant::now() > deadline {
                return Err(format!("{} runs do not end", self.open.len()));
            }
            std::thread::sleep(LOOK_AGAIN);
            self.forget_ended()?;
        }
        // What a process still does that has lost its runs.
        self.workers.iter_mut().for_each(Process::hang_up);
        for mut worker in std::mem::take(&mut self.workers) {
            worker.until_ended(deadline).ok_or("a process does not end")?;
        }
        Ok(())
    }
}

fn storm(arguments: &[String]) -> Result<bool, String> {
    let number = |name: &str, default: u64| -> Result<u64, String> {
        match argument(arguments, name).filter(|value| !value.is_empty()) {
            None => Ok(default),
            Some(value) => value.parse().map_err(|_| format!("{name}={value}: must be a number")),
        }
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (kills, seed) = (number("kills", 100)?, number("seed", now)?);
    let freezes = number("freezes", kills / 20)?;
    let mut random = Random(seed);
    let mut storm = Storm::new(argument(arguments, "store").unwrap_or_default())?;
    for blow in 0..kills + freezes {
        storm.begin(&mut random)?;
        if blow < kills {
            storm.kill(&mut random)?;
        } else {
            storm.freeze(&mut random);
        }
        if blow % 500 == 499 {
            eprintln!("{} blows, {} runs", blow + 1, storm.runs.len());
        }
    }
    storm.finish()?;
    let audit = audit::audit(&storm.stage.store, &storm.runs)?;
    println!("runs={} stops={} seed={seed}", storm.runs.len(), storm.stops);
    println!("effects: kills={kills} freezes={freezes} {audit}");
    if audit.is_clean() {
        return Ok(true);
    }
    let Storm { stage, .. } = storm;
    eprintln!("the store is kept: {}", stage.keep());
    Ok(false)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [first, store, base_url, lease] if first == "child" => child::run(store, base_url, lease).map(|()| true),
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
