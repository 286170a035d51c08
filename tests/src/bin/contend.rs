//! `contend begins=N [chats=N] [processes=N] [connections=N] [store=sqlite|postgres]`: processes that share one SQLite file
//! or one PostgreSQL server try to begin a turn in the same chat
//! at the same time, again and again. Of each round one wins; the others are told the winner's run.
//!
//! The winner holds its chat until everybody has had an answer and ends its run while the next round is on, in another
//! chat. The last line counts; the exit code is 1 if anything but one winner and the right refusals was seen.

use std::collections::{BTreeMap, HashMap};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::oneshot;
use turnkeep::model::FinishReason;
use turnkeep::provider::{BlockKind, ChatRequest, Provider, ProviderFailure, StreamPart};
use turnkeep::{ChatId, Engine, ErrorCode};
use turnkeep_tests::processes::{Process, percentile_ms, tell};
use turnkeep_tests::scenario::{options, request};
use turnkeep_tests::stage::{Observer, Stage, argument, column};

/// Beyond any wait of the store's own.
const PATIENCE: Duration = Duration::from_secs(90);
/// Rounds between lines of progress.
const PROGRESS: usize = 1000;

type Ends = Arc<Mutex<HashMap<String, oneshot::Sender<()>>>>;

/// Says one word once it is told to.
struct HeldModel(Mutex<Option<oneshot::Receiver<()>>>);

impl Provider for HeldModel {
    fn stream(&self, _: &ChatRequest) -> BoxStream<'static, Result<StreamPart, ProviderFailure>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (kind, id) = (BlockKind::Text, || "text".to_owned());
        let answer = vec![
            Ok(StreamPart::BlockStart { kind, id: id(), metadata: None }),
            Ok(StreamPart::BlockDelta { kind, id: id(), delta: "mine".to_owned(), metadata: None }),
            Ok(StreamPart::BlockEnd { kind, id: id(), metadata: None }),
            Ok(StreamPart::Finish { reason: FinishReason::Stop, usage: None }),
        ];
        let wait = async move {
            if let Some(held) = held {
                // A sender that is gone is as good as a word.
                let _ = held.await;
            }
            stream::iter(answer)
        };
        stream::once(wait).flatten().boxed()
    }
}

/// `engines` in this process, each with a way of its own to the database.
async fn child(store: &str, engines: usize) -> Result<(), String> {
    let mut open = Vec::new();
    for _ in 0..engines {
        open.push(Engine::open(options(store, "http://127.0.0.1:9/v1", json!({}))).await.map_err(text)?);
    }
    let ends = Ends::default();
    tell("opened");
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["go", round, chat] => {
                for engine in &open {
                    tokio::spawn(attempt(engine.clone(), (*round).to_owned(), (*chat).to_owned(), Arc::clone(&ends)));
                }
            }
            ["end", round] => {
                let end = ends.lock().unwrap_or_else(PoisonError::into_inner).remove(*round);
                end.map(|end| end.send(()));
            }
            _ => return Err(format!("what is {line:?}?")),
        }
    }
    for engine in open {
        engine.close(None).await.map_err(text)?;
    }
    Ok(())
}

async fn attempt(engine: Engine, round: String, chat: String, ends: Ends) {
    let (end, held) = oneshot::channel();
    let model = Arc::new(HeldModel(Mutex::new(Some(held))));
    let request = request("mine?", json!({"chatId": chat}));
    let begun = Instant::now();
    let outcome = engine.start_turn_with(request, Vec::new(), model).await;
    let took = begun.elapsed().as_micros();
    match outcome {
        Ok(turn) => {
            ends.lock().unwrap_or_else(PoisonError::into_inner).insert(round.clone(), end);
            tell(&format!("won {round} {} {took}", turn.run_id()));
            match turn.done().await {
                Ok(outcome) => tell(&format!("ended {round} {}", outcome.status.as_str())),
                Err(error) => tell(&format!("ended {round} {error}")),
            }
        }
        Err(error) if error.code() == ErrorCode::RunAlreadyActive => {
            let winner = error.details().get("activeRunId").and_then(|id| id.as_str()).unwrap_or("unknown").to_owned();
            tell(&format!("active {round} {winner} {took}"));
        }
        Err(error) => tell(&format!("error {round} {error}")),
    }
}

#[derive(Default)]
struct Counts {
    begins: usize,
    winners: usize,
    already_active: usize,
    other_errors: usize,
    double_active: usize,
    winner_times: Vec<Duration>,
    loser_times: Vec<Duration>,
}

struct Contest {
    processes: Vec<Process>,
    /// How many engines each process has.
    engines: Vec<usize>,
    counts: Counts,
    /// Runs whose end nobody has told of yet: the round, and who won it.
    ending: BTreeMap<usize, usize>,
}

impl Contest {
    /// The next line of a process that is not about the end of a run.
    fn answer(&mut self, place: usize) -> Result<String, String> {
        loop {
            let process = self.processes.get(place).ok_or("no such process")?;
            let line =
                process.next_line(Instant::now() + PATIENCE).map_err(|_| format!("process {place} is silent"))?;
            let Some(end) = line.text.strip_prefix("ended ") else { return Ok(line.text) };
            self.heard_end(end);
        }
    }

    fn heard_end(&mut self, end: &str) {
        let (round, status) = end.split_once(' ').unwrap_or((end, ""));
        let known = round.parse().ok().and_then(|round: usize| self.ending.remove(&round));
        if known.is_none() || status != "succeeded" {
            self.error(&format!("round {round} ended as {status}"));
        }
    }

    fn error(&mut self, what: &str) {
        eprintln!("violation: {what}");
        self.counts.other_errors += 1;
    }

    /// Waits for the end of a round, which frees its chat.
    fn until_ended(&mut self, round: usize) -> Result<(), String> {
        while let Some(place) = self.ending.get(&round).copied() {
            let process = self.processes.get(place).ok_or("no such process")?;
            let line =
                process.next_line(Instant::now() + PATIENCE).map_err(|_| format!("round {round} does not end"))?;
            match line.text.strip_prefix("ended ") {
                Some(end) => self.heard_end(end),
                None => self.error(&line.text),
            }
        }
        Ok(())
    }

    fn round(&mut self, round: usize, chat: &str) -> Result<(), String> {
        for process in &mut self.processes {
            process.say(&format!("go {round} {chat}"));
        }
        let (mut won, mut named) = (Vec::new(), Vec::new());
        let asked = self.engines.iter().enumerate().flat_map(|(place, engines)| std::iter::repeat_n(place, *engines));
        for place in asked.collect::<Vec<_>>() {
            let answer = self.answer(place)?;
            self.counts.begins += 1;
            match answer.split(' ').collect::<Vec<_>>().as_slice() {
                ["won", _, run, took] => {
                    won.push((place, (*run).to_owned()));
                    self.counts.winner_times.push(micros(took));
                }
                ["active", _, run, took] => {
                    named.push((*run).to_owned());
                    self.counts.loser_times.push(micros(took));
                }
                _ => self.error(&answer),
            }
        }
        self.counts.winners += won.len();
        self.counts.already_active += named.len();
        if won.len() > 1 {
            eprintln!("violation: round {round} was won by {won:?}");
            self.counts.double_active += 1;
        }
        match won.first() {
            None => self.error(&format!("nobody won round {round}")),
            Some((_, winner)) => {
                if let Some(other) = named.iter().find(|run| *run != winner) {
                    self.error(&format!("round {round} was won by {winner}, and somebody was told of {other}"));
                }
            }
        }
        for (place, _) in won {
            self.ending.insert(round, place);
            if let Some(process) = self.processes.get_mut(place) {
                process.say(&format!("end {round}"));
            }
        }
        Ok(())
    }
}

fn micros(text: &str) -> Duration {
    Duration::from_micros(text.parse().unwrap_or_default())
}

/// The whole contest; `false` when it did not go by the rules.
fn contend(begins: usize, chats: usize, processes: usize, connections: usize, kind: &str) -> Result<bool, String> {
    let stage = Stage::new(kind)?;
    let program = std::env::current_exe().map_err(text)?;
    // As evenly as it goes: eight in three processes are three, three and two.
    let engines: Vec<usize> = (0..processes).map(|place| (connections + processes - 1 - place) / processes).collect();
    let started: Result<Vec<Process>, _> = engines
        .iter()
        .map(|engines| Process::start(&program, ["child", stage.store.as_str(), engines.to_string().as_str()]))
        .collect();
    let mut contest =
        Contest { processes: started.map_err(text)?, engines, counts: Counts::default(), ending: BTreeMap::new() };
    for place in 0..processes {
        let line = contest.answer(place)?;
        if line != "opened" {
            return Err(format!("process {place}: {line}"));
        }
    }
    let names: Vec<String> = (0..chats).map(|_| ChatId::generate().to_string()).collect();
    let begun = Instant::now();
    for (round, chat) in names.iter().cycle().take(begins.div_ceil(connections)).enumerate() {
        if let Some(before) = round.checked_sub(chats) {
            contest.until_ended(before)?;
        }
        contest.round(round, chat)?;
        if (round + 1).is_multiple_of(PROGRESS) {
            eprintln!("rounds={} seconds={:.0}", round + 1, begun.elapsed().as_secs_f64());
        }
    }
    while let Some(round) = contest.ending.keys().next().copied() {
        contest.until_ended(round)?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    for process in &mut contest.processes {
        process.hang_up();
        if process.until_ended(Instant::now() + PATIENCE).is_none() {
            return Err("a process does not end".to_owned());
        }
    }
    let stored = runs_by_status(&stage.store)?;
    if stored != BTreeMap::from([("succeeded".to_owned(), contest.counts.winners)]) {
        contest.error(&format!("the database holds {stored:?}"));
    }
    let mut counts = contest.counts;
    for (name, times) in [("winner", &mut counts.winner_times), ("loser", &mut counts.loser_times)] {
        println!(
            "{name} told after: p50_ms={:.1} p99_ms={:.1} max_ms={:.1}",
            percentile_ms(times, 0.5),
            percentile_ms(times, 0.99),
            percentile_ms(times, 1.0)
        );
    }
    println!(
        "contend: begins={} winners={} already_active={} other_errors={} double_active={} seconds={seconds:.1}",
        counts.begins, counts.winners, counts.already_active, counts.other_errors, counts.double_active
    );
    Ok(counts.other_errors == 0 && counts.double_active == 0)
}

fn runs_by_status(store: &str) -> Result<BTreeMap<String, usize>, String> {
    let rows = Observer::open(store)?.rows("SELECT status, COUNT(*) AS count FROM ai_chat_runs GROUP BY status", "")?;
    let count = |row| column(row, "count").and_then(|count| count.parse().ok()).unwrap_or(usize::MAX);
    Ok(rows.iter().map(|row| (column(row, "status").unwrap_or_default(), count(row))).collect())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = if let [mode, store, engines] = arguments.as_slice()
        && mode == "child"
    {
        let engines = engines.parse().unwrap_or(1);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(text).and_then(|runtime| runtime.block_on(child(store, engines))).map(|()| true)
    } else {
        let number = |name: &str, otherwise: usize| {
            argument(&arguments, name).and_then(|value| value.parse().ok()).unwrap_or(otherwise)
        };
        let processes = number("processes", 8).max(1);
        let connections = number("connections", processes).max(processes);
        let store = argument(&arguments, "store").unwrap_or_default();
        contend(number("begins", 1000), number("chats", 100).max(1), processes, connections, store)
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("contend: {error}");
            ExitCode::FAILURE
        }
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
