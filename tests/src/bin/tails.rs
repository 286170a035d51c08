//! `tails sequences=N [readers=N] [store=sqlite|postgres]`: readers in two processes connect to live and finished runs, read some, disconnect,
//! and come back with their cursor, over and over. Whatever a reader has received in all has to be the run's log as one
//! look at it afterwards gives it.
//!
//! The last line counts; the exit code is 1 if anything else was received.

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use turnkeep::model::FinishReason;
use turnkeep::provider::{BlockKind, ChatRequest, Provider, ProviderFailure, RunBy, StreamPart};
use turnkeep::{Cursor, Engine, RunId, TailFrom, TailItem};
use turnkeep_tests::processes::{Process, tell};
use turnkeep_tests::scenario::{options, request, weather_and_time, who};
use turnkeep_tests::stage::{Stage, argument};

/// Runs that are live at any time.
const LIVE: usize = 6;
/// The last runs are read from; older ones are as finished as these.
const KNOWN: usize = 24;
const PATIENCE: Duration = Duration::from_secs(1200);

/// Steps with reasoning, text in many deltas and a tool call, slow enough to be followed.
struct Talks;

impl Provider for Talks {
    fn stream(&self, request: &ChatRequest) -> BoxStream<'static, Result<StreamPart, ProviderFailure>> {
        let step = request.messages.len();
        let mut parts = Vec::new();
        for word in 0..12 {
            let kind = if word < 3 { BlockKind::Reasoning } else { BlockKind::Text };
            let delta = format!("{step}.{word} ").repeat(1 + word * 7 % 40);
            parts.push(StreamPart::BlockDelta { kind, id: format!("{kind:?}"), delta, metadata: None });
        }
        let reason = if step < 7 {
            parts.push(StreamPart::ToolCall {
                id: "call".to_owned(),
                name: "weather".to_owned(),
                arguments: r#"{"city":"Oslo"}"#.to_owned(),
                run_by: RunBy::Host,
                metadata: None,
            });
            FinishReason::ToolCalls
        } else {
            FinishReason::Stop
        };
        parts.push(StreamPart::Finish { reason, usage: None });
        let paced = stream::iter(parts).then(|part| async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(part)
        });
        paced.boxed()
    }
}

/// The runs that readers choose from.
#[derive(Clone, Default)]
struct Runs(Arc<Mutex<Vec<RunId>>>);

impl Runs {
    fn add(&self, run_id: RunId) {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        runs.push(run_id);
        if runs.len() > KNOWN {
            runs.remove(0);
        }
    }

    fn any(&self, random: &mut Random) -> Option<RunId> {
        let runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        runs.get(random.below(runs.len().max(1))).copied()
    }
}

/// Numbers by chance, from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % limit.max(1) as u64).unwrap_or(0)
    }
}

#[derive(Default)]
struct Tally {
    sequences: AtomicUsize,
    reconnects: AtomicUsize,
    violations: AtomicUsize,
}

/// One reader of one run, from its first look to the run's end.
async fn sequence(engine: &Engine, run_id: RunId, random: &mut Random, tally: &Tally) -> Result<(), String> {
    let exact = random.below(4) != 0;
    let mut received: Vec<TailItem> = Vec::new();
    loop {
        let from = match received.last() {
            Some(last) => TailFrom::After(last.cursor),
            None if exact => TailFrom::Start,
            None => TailFrom::Snapshot,
        };
        let mut tail = engine.tail(&who(), run_id, from).await.map_err(text)?;
        let mut budget = random.below(120);
        let ended = loop {
            let batch = tail.next_batch(1 + random.below(20)).await.map_err(text)?;
            if batch.is_empty() {
                break true;
            }
            budget = budget.saturating_sub(batch.len());
            received.extend(batch);
            if budget == 0 && random.below(3) != 0 {
                break false;
            }
        };
        if ended {
            break;
        }
        tally.reconnects.fetch_add(1, Ordering::Relaxed);
        // What was on its way when the connection broke never arrived.
        let lost = random.below(6);
        received.truncate(received.len().saturating_sub(lost));
    }
    let log = read(engine, run_id, if exact { TailFrom::Start } else { TailFrom::Snapshot }).await?;
    if exact {
        let in_order =
            |(number, item): (usize, &TailItem)| item.cursor == Cursor { sequence: number as u64, ..Cursor::default() };
        if received != log || !log.iter().enumerate().all(in_order) {
            return Err(format!("{} chunks were received, the log has {}", received.len(), log.len()));
        }
    } else if told(&received) != told(&log) {
        return Err("a snapshot and what followed it tell something else than the log".to_owned());
    }
    Ok(())
}

async fn read(engine: &Engine, run_id: RunId, from: TailFrom) -> Result<Vec<TailItem>, String> {
    let mut tail = engine.tail(&who(), run_id, from).await.map_err(text)?;
    let mut items = Vec::new();
    loop {
        let batch = tail.next_batch(usize::MAX).await.map_err(text)?;
        if batch.is_empty() {
            return Ok(items);
        }
        items.extend(batch);
    }
}

/// What a client has after these chunks: for every block and call all that was said of it, and how it ended.
fn told(items: &[TailItem]) -> Vec<(String, String)> {
    let mut told: Vec<(String, String)> = Vec::new();
    for item in items {
        let chunk: Value = serde_json::from_str(&item.chunk).unwrap_or_default();
        let kind = chunk["type"].as_str().unwrap_or_default();
        let (name, said) = match kind {
            "text-delta" | "reasoning-delta" => (&chunk["id"], chunk["delta"].as_str().unwrap_or_default().to_owned()),
            "tool-input-available" => (&chunk["toolCallId"], chunk["input"].to_string()),
            "tool-output-available" => (&chunk["toolCallId"], chunk["output"].to_string()),
            "start" | "finish" | "abort" | "error" => (&chunk["type"], item.chunk.to_string()),
            _ => continue,
        };
        let name = name.to_string();
        match told.iter_mut().find(|(known, _)| *known == name) {
            Some((_, all)) => all.push_str(&said),
            None => told.push((name, said)),
        }
    }
    told
}

/// Readers that go on until all sequences are done.
async fn read_all(engine: &Engine, runs: &Runs, sequences: usize, readers: usize, tally: &Arc<Tally>) {
    let readers = (0..readers).map(|reader| {
        let (engine, runs, tally) = (engine.clone(), runs.clone(), Arc::clone(tally));
        tokio::spawn(async move {
            let mut random = Random(u64::from(std::process::id()) << 32 | reader as u64);
            while tally.sequences.fetch_add(1, Ordering::Relaxed) < sequences {
                let Some(run_id) = runs.any(&mut random) else { continue };
                if let Err(problem) = sequence(&engine, run_id, &mut random, &tally).await {
                    tally.violations.fetch_add(1, Ordering::Relaxed);
                    eprintln!("violation: run {run_id}: {problem}");
                }
            }
        })
    });
    for reader in readers.collect::<Vec<_>>() {
        // A reader that panicked has said so.
        let _ = reader.await;
    }
}

async fn child(store: &str, sequences: usize, readers: usize) -> Result<(), String> {
    let engine = Engine::open(options(store, "http://127.0.0.1:9/v1", json!({}))).await.map_err(text)?;
    let (runs, tally) = (Runs::default(), Arc::new(Tally::default()));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    if let Ok(Some(line)) = lines.next_line().await {
        runs.add(line.parse().map_err(text)?);
    }
    tokio::spawn({
        let runs = runs.clone();
        async move {
            while let Ok(Some(line)) = lines.next_line().await {
                line.parse().into_iter().for_each(|run_id| runs.add(run_id));
            }
        }
    });
    read_all(&engine, &runs, sequences, readers, &tally).await;
    tell(&format!("{} {}", tally.reconnects.load(Ordering::SeqCst), tally.violations.load(Ordering::SeqCst)));
    engine.close(None).await.map_err(text)
}

async fn parent(sequences: usize, readers: usize, kind: &str) -> Result<bool, String> {
    let begun = Instant::now();
    let stage = Stage::new(kind)?;
    let store = stage.store.clone();
    let engine = Engine::open(options(&store, "http://127.0.0.1:9/v1", json!({}))).await.map_err(text)?;
    let program = std::env::current_exe().map_err(text)?;
    let half = (sequences / 2).to_string();
    let mut other = Process::start(&program, ["child", store.as_str(), half.as_str(), readers.to_string().as_str()])
        .map_err(text)?;
    let (runs, tally) = (Runs::default(), Arc::new(Tally::default()));
    let (sender, mut begun_runs) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..LIVE {
        let (engine, sender) = (engine.clone(), sender.clone());
        tokio::spawn(async move {
            while let Ok(turn) =
                engine.start_turn_with(request("go", json!({})), weather_and_time(), Arc::new(Talks)).await
            {
                if sender.send(turn.run_id()).is_err() || turn.done().await.is_err() {
                    return;
                }
            }
        });
    }
    let first = begun_runs.recv().await.ok_or("no run was begun")?;
    runs.add(first);
    other.say(&first.to_string());
    let told = tokio::spawn({
        let runs = runs.clone();
        async move {
            while let Some(run_id) = begun_runs.recv().await {
                runs.add(run_id);
                other.say(&run_id.to_string());
                if let Some(line) = other.lines_so_far().pop() {
                    return Ok(line.text);
                }
            }
            let line = tokio::task::spawn_blocking(move || other.next_line(Instant::now() + PATIENCE));
            line.await.map_err(text)?.map(|line| line.text).map_err(text)
        }
    });
    read_all(&engine, &runs, sequences - sequences / 2, readers, &tally).await;
    let told: Result<String, String> = told.await.map_err(text)?;
    let counts: Vec<usize> = told?.split(' ').filter_map(|count| count.parse().ok()).collect();
    let [reconnects, violations] = counts.as_slice() else { return Err("the other process said nothing".to_owned()) };
    let reconnects = reconnects + tally.reconnects.load(Ordering::SeqCst);
    let violations = violations + tally.violations.load(Ordering::SeqCst);
    println!(
        "tails: sequences={sequences} reconnects={reconnects} violations={violations} seconds={:.0}",
        begun.elapsed().as_secs_f64()
    );
    engine.close(Some(Duration::ZERO)).await.map_err(text)?;
    Ok(violations == 0)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, otherwise: usize| {
        argument(&arguments, name).and_then(|value| value.parse().ok()).unwrap_or(otherwise)
    };
    let outcome = match arguments.as_slice() {
        [mode, store, sequences, readers] if mode == "child" => {
            let count = |value: &String| value.parse().unwrap_or(1);
            child(store, count(sequences), count(readers)).await.map(|()| true)
        }
        _ => {
            parent(
                number("sequences", 20_000),
                number("readers", 100),
                argument(&arguments, "store").unwrap_or_default(),
            )
            .await
        }
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
