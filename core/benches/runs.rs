//! What many runs at once cost: step flushes, stops, and runs that only wait.
//!
//! The peer of the flushes is a loop that inserts the same step and commits, one after another, on the same file system
//! in the same run and with the same settings (WAL, full synchronous). `runs flushes`, `runs stops` and `runs memory`
//! measure one of the three.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a program to read figures from"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};
use rusqlite::Connection;
use tokio::sync::mpsc;
use turnkeep::clock::SystemClock;
use turnkeep::model::{FinishReason, Json, MessageStatus, Part, RunStatus, StepRecord, TextPart, Trigger};
use turnkeep::project::{FlushExtra, flush_run};
use turnkeep::provider::{BlockKind, ChatRequest, Provider, ProviderFailure, StreamPart};
use turnkeep::store::{Began, BeginRun, Fence, NewUserMessage, RecordStep, StepNumbers, Store};
use turnkeep::{ChatId, Engine, EngineOptions, MessageId, RunId, Turn, TurnRequest, Who};

const LEASE: Duration = Duration::from_secs(15);
/// About what a step with a short answer and one tool call takes.
const STEP_BYTES: usize = 1024;
/// Steps that each measurement records, over all of its runs.
const STEPS: usize = 40_000;
/// Alone, a run waits for the disk at every step.
const STEPS_ALONE: usize = 2_000;
/// Measurements of either side, in turn.
const SLICES: usize = 10;
const COMMITS_PER_SLICE: usize = 200;
const STOPS: usize = 300;
const WAITING_RUNS: usize = 10_000;
/// Turns that are begun at the same time when many are wanted.
const BEGUN_AT_ONCE: usize = 200;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if let [mode, database] = arguments.as_slice()
        && mode == "stopper"
    {
        return runtime.block_on(stopper(database));
    }
    let wanted = |name: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == name);
    if wanted("flushes") {
        for runs in [1, 100, 1_000] {
            runtime.block_on(flushes(runs));
        }
    }
    if wanted("stops") {
        runtime.block_on(stops_here());
        runtime.block_on(stops_from_elsewhere());
    }
    if wanted("memory") {
        runtime.block_on(memory());
    }
}

fn step(number: usize) -> StepRecord {
    StepRecord {
        number: u32::try_from(number).unwrap(),
        parts: vec![Part::StepStart, Part::Text(TextPart::done("x".repeat(STEP_BYTES)))],
        finish_reason: Some(FinishReason::Stop),
        usage: None,
    }
}

async fn begin(store: &Arc<dyn Store>, owner: &str) -> Fence {
    let begin = BeginRun {
        run_id: RunId::generate(),
        chat_id: ChatId::generate(),
        workspace_id: "w".into(),
        user_id: "u".into(),
        trigger: Trigger::Api,
        owner: owner.into(),
        lease: LEASE,
        role_id: None,
        page_id: None,
        replaces: None,
        user_message: Some(NewUserMessage {
            id: MessageId::generate(),
            content: "go".into(),
            metadata: Json::empty_object(),
        }),
        assistant_message_id: MessageId::generate(),
        assistant: flush_run(&[], MessageStatus::Streaming, &FlushExtra::default()),
        idempotency_key: None,
        plan: None,
        unowned: false,
        from_queue: false,
    };
    match store.begin_run(begin).await.unwrap() {
        Began::Started(fence) => fence,
        Began::Repeated(_) => panic!("no key was given"),
    }
}

fn milliseconds(times: &mut [Duration], share: f64) -> f64 {
    times.sort_unstable();
    let rank = (times.len() as f64 * share).ceil() as usize;
    times[rank.saturating_sub(1)].as_secs_f64() * 1000.0
}

async fn flushes(runs: usize) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("ours.db").display());
    let (store, owner) = turnkeep::store::open(&url, Some("bench"), Arc::new(SystemClock)).await.unwrap();
    let begins = stream::iter(0..runs).map(|_| begin(&store, &owner)).buffer_unordered(BEGUN_AT_ONCE);
    let fences: Vec<Fence> = begins.collect().await;
    let peer = by_hand(folder.path());
    let steps = if runs == 1 { STEPS_ALONE } else { STEPS };
    let (mut times, mut ours, mut theirs) = (Vec::new(), Duration::ZERO, Duration::ZERO);
    // In turn, because what a commit costs changes from second to second where others use the disk.
    for slice in 0..SLICES {
        let begun = Instant::now();
        times.extend(record(&store, &fences, slice, steps / SLICES / runs).await);
        ours += begun.elapsed();
        let begun = Instant::now();
        commit_one_by_one(&peer, slice);
        theirs += begun.elapsed();
    }
    store.close().await.unwrap();
    let ours = times.len() as f64 / ours.as_secs_f64();
    let theirs = (SLICES * COMMITS_PER_SLICE) as f64 / theirs.as_secs_f64();
    println!(
        "flushes, {runs} runs at once, steps of {STEP_BYTES} bytes: {ours:.0} steps/s, p50 {:.2} ms, p99 {:.2} ms; \
         a bare insert and commit {theirs:.0}/s; ratio {:.1}",
        milliseconds(&mut times, 0.5),
        milliseconds(&mut times, 0.99),
        ours / theirs,
    );
}

/// Every run records its next `count` steps; how long each of them took.
async fn record(store: &Arc<dyn Store>, fences: &[Fence], slice: usize, count: usize) -> Vec<Duration> {
    let record = |fence: Fence| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            let mut times = Vec::with_capacity(count);
            for number in slice * count..(slice + 1) * count {
                let first = number as u64 * 2 + 1;
                let numbers = StepNumbers { packed_until: first, next: first + 2 };
                // As a turn does it: the run's own row is brought up to date once a second.
                let lease = number.is_multiple_of(50).then_some(LEASE);
                let record = RecordStep {
                    fence: fence.clone(),
                    step: step(number),
                    numbers,
                    lease,
                    refresh: None,
                    call: CallNote::default(),
                };
                let begun = Instant::now();
                store.record_step(record).await.unwrap();
                times.push(begun.elapsed());
            }
            times
        })
    };
    let tasks: Vec<_> = fences.iter().cloned().map(record).collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    times
}

/// A database with nothing but a table of steps.
fn by_hand(folder: &Path) -> Connection {
    let connection = Connection::open(folder.join("peer.db")).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
             CREATE TABLE steps (run INTEGER, number INTEGER, parts TEXT, PRIMARY KEY (run, number));",
        )
        .unwrap();
    connection
}

fn commit_one_by_one(connection: &Connection, slice: usize) {
    let mut insert = connection.prepare_cached("INSERT INTO steps VALUES (1, ?1, ?2)").unwrap();
    for number in slice * COMMITS_PER_SLICE..(slice + 1) * COMMITS_PER_SLICE {
        let step = step(number);
        insert.execute(rusqlite::params![step.number, serde_json::to_string(&step.parts).unwrap()]).unwrap();
    }
}

/// Says a few words, then nothing; tells when its stream is dropped.
struct SilentModel {
    spoke: mpsc::UnboundedSender<()>,
    dropped: mpsc::UnboundedSender<Instant>,
}

struct Silence {
    words: std::vec::IntoIter<StreamPart>,
    spoke: Option<mpsc::UnboundedSender<()>>,
    dropped: mpsc::UnboundedSender<Instant>,
}

impl Stream for Silence {
    type Item = Result<StreamPart, ProviderFailure>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(part) = self.words.next() {
            return Poll::Ready(Some(Ok(part)));
        }
        self.spoke.take().map(|spoke| spoke.send(()));
        Poll::Pending
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        let _ = self.dropped.send(Instant::now());
    }
}

impl Provider for SilentModel {
    fn stream(&self, _: &ChatRequest) -> BoxStream<'static, Result<StreamPart, ProviderFailure>> {
        let (kind, id) = (BlockKind::Text, || "text".to_owned());
        let mut words = vec![StreamPart::BlockStart { kind, id: id(), metadata: None }];
        words.extend((0..8).map(|_| StreamPart::BlockDelta {
            kind,
            id: id(),
            delta: "some words ".to_owned(),
            metadata: None,
        }));
        let (spoke, dropped) = (Some(self.spoke.clone()), self.dropped.clone());
        Silence { words: words.into_iter(), spoke, dropped }.boxed()
    }
}

fn options(database: &Path) -> EngineOptions {
    EngineOptions::from_json(&format!(r#"{{"store": "sqlite:{}"}}"#, database.display())).unwrap()
}

fn request() -> TurnRequest {
    TurnRequest::from_json(r#"{"workspaceId": "w", "userId": "u", "message": "go"}"#).unwrap()
}

/// Times until the provider's stream was dropped, and until the end with the partial text was on disk.
#[derive(Default)]
struct StopTimes {
    dropped: Vec<Duration>,
    on_disk: Vec<Duration>,
}

impl StopTimes {
    /// Begins a turn, waits until it is silent, has `stop` stop it, and waits for both.
    async fn measure<S: AsyncFnMut(&Turn) -> Instant>(&mut self, engine: &Engine, mut stop: S) {
        let (spoke, mut spoken) = mpsc::unbounded_channel();
        let (dropped, mut drops) = mpsc::unbounded_channel();
        let turn =
            engine.start_turn_with(request(), Vec::new(), Arc::new(SilentModel { spoke, dropped })).await.unwrap();
        spoken.recv().await.unwrap();
        let begun = stop(&turn).await;
        let outcome = turn.done().await.unwrap();
        self.on_disk.push(begun.elapsed());
        self.dropped.push(drops.recv().await.unwrap().saturating_duration_since(begun));
        assert_eq!((outcome.status, outcome.step_count), (RunStatus::Aborted, 1));
    }

    fn print(&mut self, from: &str) {
        println!(
            "stop from {from}: provider dropped p50 {:.2} ms, p99 {:.2} ms; partial text on disk p50 {:.2} ms, p99 {:.2} ms",
            milliseconds(&mut self.dropped, 0.5),
            milliseconds(&mut self.dropped, 0.99),
            milliseconds(&mut self.on_disk, 0.5),
            milliseconds(&mut self.on_disk, 0.99),
        );
    }
}

async fn stops_here() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::open(options(&folder.path().join("chats.db"))).await.unwrap();
    let mut times = StopTimes::default();
    for _ in 0..STOPS {
        let stop = async |turn: &Turn| {
            let begun = Instant::now();
            assert!(turn.stop().await.unwrap());
            begun
        };
        times.measure(&engine, stop).await;
    }
    engine.close(None).await.unwrap();
    times.print("the same process");
}

/// The other process: stops the run of each line that it is told.
async fn stopper(database: &str) {
    let engine = Engine::open(options(Path::new(database))).await.unwrap();
    let who = Who { workspace_id: "w".into(), user_id: "u".into() };
    println!("ready");
    for line in std::io::stdin().lines() {
        assert!(engine.stop_run(&who, line.unwrap().parse().unwrap()).await.unwrap());
    }
    engine.close(None).await.unwrap();
}

async fn stops_from_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("chats.db");
    let engine = Engine::open(options(&database)).await.unwrap();
    let mut other = Command::new(std::env::current_exe().unwrap())
        .arg("stopper")
        .arg(&database)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut orders, answers) = (other.stdin.take().unwrap(), other.stdout.take().unwrap());
    BufReader::new(answers).read_line(&mut String::new()).unwrap();
    let mut times = StopTimes::default();
    for _ in 0..STOPS {
        let stop = async |turn: &Turn| {
            let begun = Instant::now();
            writeln!(orders, "{}", turn.run_id()).and_then(|()| orders.flush()).unwrap();
            begun
        };
        times.measure(&engine, stop).await;
    }
    drop(orders);
    other.wait().unwrap();
    engine.close(None).await.unwrap();
    times.print("another process");
}

/// Begins turns that wait for a silent model, and keeps them.
async fn waiting(engine: &Engine, count: usize) -> Vec<Turn> {
    let (spoke, mut spoken) = mpsc::unbounded_channel();
    let (dropped, _) = mpsc::unbounded_channel();
    let model: Arc<dyn Provider> = Arc::new(SilentModel { spoke, dropped });
    let begins = stream::iter(0..count).map(|_| engine.start_turn_with(request(), Vec::new(), Arc::clone(&model)));
    let turns = begins.buffer_unordered(BEGUN_AT_ONCE).map(Result::unwrap).collect().await;
    for _ in 0..count {
        spoken.recv().await.unwrap();
    }
    turns
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<usize>().unwrap() * 1024
}

async fn memory() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::open(options(&folder.path().join("chats.db"))).await.unwrap();
    // What is made once is there before the first measurement.
    let first = waiting(&engine, BEGUN_AT_ONCE).await;
    let before = resident_bytes();
    let turns = waiting(&engine, WAITING_RUNS).await;
    let bytes = resident_bytes().saturating_sub(before);
    println!(
        "memory, {WAITING_RUNS} runs that wait for their provider: {:.1} KiB resident for each",
        bytes as f64 / 1024.0 / turns.len() as f64,
    );
    drop((first, turns));
    engine.close(Some(Duration::ZERO)).await.unwrap();
}
