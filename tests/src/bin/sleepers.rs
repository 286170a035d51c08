//! `sleepers rounds=N [clock=1] [store=sqlite|postgres] [lanes=N] [seed=N]`: in each round two processes that share a
//! store run a turn each, and in the middle of it either both are stopped for two leases and let go on, or the clock is
//! set an hour ahead or back. Nobody wants their runs but they themselves: every run must succeed under its first owner,
//! and every chat must keep the order of its turns.
//!
//! The last line counts what was lost; the exit code is 1 if there was anything.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use turnkeep::ChatId;
use turnkeep_tests::ScriptedProvider;
use turnkeep_tests::processes::Process;
use turnkeep_tests::scenario::six_steps;
use turnkeep_tests::stage::{Observer, Row, Stage, column};

/// Long enough for a machine that others load: nobody is to be late but for what is done to it here.
const LEASE: Duration = Duration::from_millis(1500);
/// A turn takes about as long as two leases.
const CHUNK_DELAY_MS: u64 = 120;
/// How long a turn may take, with its sleep, on a machine that others load.
const PATIENCE: Duration = Duration::from_secs(120);
const HOUR: i64 = 3600;

/// Adds the seconds in a file to the time of day of a process.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
static long ahead(void) {
  const char *path = getenv("CLOCK_AHEAD");
  FILE *file = path ? fopen(path, "r") : 0;
  long seconds = 0;
  if (file) { if (fscanf(file, "%ld", &seconds) != 1) seconds = 0; fclose(file); }
  return seconds;
}
int clock_gettime(clockid_t clock, struct timespec *at) {
  int result = (int)syscall(SYS_clock_gettime, clock, at);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) at->tv_sec += ahead();
  return result;
}
"#;

#[derive(Clone)]
struct Options {
    rounds: usize,
    clock: bool,
    store: String,
    lanes: usize,
    seed: u64,
}

impl Options {
    fn read(arguments: &[String]) -> Option<Self> {
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        let mut options = Self { rounds: 20, clock: false, store: String::new(), lanes: 4, seed };
        for argument in arguments {
            let (name, value) = argument.split_once('=')?;
            // An empty value is what a Makefile passes for a variable that is not set.
            if value.is_empty() {
                continue;
            }
            match name {
                "rounds" => options.rounds = value.parse().ok()?,
                "clock" => options.clock = value != "0",
                "store" => value.clone_into(&mut options.store),
                "lanes" => options.lanes = value.parse().ok().filter(|lanes| *lanes > 0)?,
                "seed" => options.seed = value.parse().ok()?,
                _ => return None,
            }
        }
        Some(options)
    }
}

/// A small generator, so that a seed is all that the moments need.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit.max(1)
    }
}

#[derive(Default)]
struct Lost {
    turns: usize,
    what: Vec<String>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(options) = Options::read(&arguments) else {
        eprintln!("usage: sleepers rounds=N [clock=1] [store=sqlite|postgres] [lanes=N] [seed=N]");
        return ExitCode::FAILURE;
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let provider = runtime.block_on(ScriptedProvider::start(six_steps(CHUNK_DELAY_MS)));
    let base_url = provider.base_url();
    eprintln!("sleepers: seed={}", options.seed);
    let lanes: Vec<Lost> = std::thread::scope(|scope| {
        let lane = |number: usize| {
            let (options, base_url) = (options.clone(), base_url.clone());
            scope.spawn(move || Lane::new(&options, number, base_url).run())
        };
        let lanes: Vec<_> = (0..options.lanes.min(options.rounds)).map(lane).collect();
        lanes.into_iter().map(|lane| lane.join().expect("a lane")).collect()
    });
    let turns: usize = lanes.iter().map(|lane| lane.turns).sum();
    let lost: Vec<&String> = lanes.iter().flat_map(|lane| &lane.what).collect();
    lost.iter().for_each(|what| eprintln!("lost: {what}"));
    let kind = if options.clock { "clock" } else { "freeze_all" };
    println!("sleepers: {kind}={} turns={turns} lost={}", options.rounds, lost.len());
    if lost.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Lane {
    stage: Stage,
    rounds: usize,
    clock: bool,
    base_url: String,
    random: Random,
    chats: [ChatId; 2],
    /// The shim and the file that it reads.
    shim: Option<(PathBuf, PathBuf, tempfile::TempDir)>,
}

impl Lane {
    fn new(options: &Options, number: usize, base_url: String) -> Self {
        let lanes = options.lanes.min(options.rounds);
        let rounds = options.rounds / lanes + usize::from(number < options.rounds % lanes);
        let stage = Stage::new(&options.store).expect("a store");
        let shim = (options.clock && stage.cluster.is_none()).then(compile_shim);
        let random = Random(options.seed ^ (number as u64) << 32);
        let chats = [ChatId::generate(), ChatId::generate()];
        Self { stage, rounds, clock: options.clock, base_url, random, chats, shim }
    }

    fn run(mut self) -> Lost {
        let mut lost = Lost::default();
        for round in 0..self.rounds {
            let message = format!("turn {round}");
            let mut children: Vec<Process> = self.chats.map(|chat| self.child(chat, &message)).into_iter().collect();
            let deadline = Instant::now() + PATIENCE;
            for child in &children {
                child.next_line(deadline).expect("a run");
            }
            // Not a wait for anything: any moment is meant.
            std::thread::sleep(Duration::from_millis(self.random.below(2200)));
            if self.clock {
                let ahead = [-HOUR, 0, HOUR][usize::try_from(self.random.below(3)).unwrap_or_default()];
                self.set_clock(ahead);
            } else {
                // One that has ended already cannot be stopped, and need not be.
                for child in &children {
                    child.freeze();
                }
                std::thread::sleep(2 * LEASE);
                for child in &children {
                    child.wake();
                }
            }
            for (place, child) in children.iter_mut().enumerate() {
                lost.turns += 1;
                let said = child.until_ended(deadline).map(|lines| lines.iter().any(|line| line.text == "done"));
                if said != Some(true) {
                    lost.what.push(format!("{message} of process {place}: {said:?}"));
                }
            }
        }
        self.look_back(&mut lost);
        lost
    }

    fn child(&self, chat: ChatId, message: &str) -> Process {
        let program = std::env::current_exe().expect("a program").with_file_name("turn-child");
        let lease = LEASE.as_millis().to_string();
        let mut environment = vec![("TURN_LEASE_MS", lease), ("TURN_MESSAGE", message.to_owned())];
        if let Some((library, file, _)) = &self.shim {
            environment.push(("LD_PRELOAD", library.display().to_string()));
            environment.push(("CLOCK_AHEAD", file.display().to_string()));
        }
        let arguments = [self.stage.store.clone(), self.base_url.clone(), chat.to_string()];
        Process::start_with(program, arguments, environment).expect("a process")
    }

    fn set_clock(&self, ahead: i64) {
        match &self.shim {
            Some((_, file, _)) => {
                let new = file.with_extension("new");
                std::fs::write(&new, ahead.to_string()).and_then(|()| std::fs::rename(&new, file)).expect("a clock");
            }
            None => {
                let clock = format!(
                    "CREATE OR REPLACE FUNCTION turnkeep_now() RETURNS timestamptz LANGUAGE sql VOLATILE \
                     AS 'SELECT clock_timestamp() + interval ''{ahead} s''' "
                );
                turnkeep_test_postgres::query(&self.stage.store, &clock);
            }
        }
    }

    /// Every run has succeeded under its first owner, and the chats tell their turns in order.
    fn look_back(&self, lost: &mut Lost) {
        let mut observer = Observer::open(&self.stage.store).expect("the database");
        let runs = observer.rows("SELECT id, status, epoch FROM ai_chat_runs", "").expect("runs");
        let is_well = |run: &&Row| {
            column(run, "status").as_deref() == Some("succeeded") && column(run, "epoch").as_deref() == Some("1")
        };
        lost.what.extend(runs.iter().filter(|run| !is_well(run)).map(|run| format!("{run:?}")));
        for chat in self.chats {
            const TOLD: &str = "SELECT role, content FROM ai_chat_messages WHERE CAST(chat_id AS text) = ?1 \
                 ORDER BY created_at, id";
            let told = observer.rows(TOLD, &chat.to_string()).expect("messages");
            let asked: Vec<String> = told.iter().step_by(2).filter_map(|row| column(row, "content")).collect();
            let expected: Vec<String> = (0..self.rounds).map(|round| format!("turn {round}")).collect();
            if asked != expected {
                lost.what.push(format!("the order of chat {chat}: {asked:?}"));
            }
        }
    }
}

fn compile_shim() -> (PathBuf, PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, library, file) =
        (folder.path().join("clock.c"), folder.path().join("clock.so"), folder.path().join("ahead"));
    std::fs::write(&source, SHIM).expect("a source");
    std::fs::write(&file, "0").expect("a clock");
    compile(&source, &library);
    (library, file, folder)
}

fn compile(source: &Path, library: &Path) {
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(library).arg(source).status();
    assert!(compiled.is_ok_and(|status| status.success()), "the shim could not be compiled");
}
