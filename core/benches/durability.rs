//! What durability costs, against doing the same the usual way on the same file system in the same run.
//!
//! The peers are what hosts write by hand: the whole message row rewritten at every step, and one transaction for every
//! write. Both use SQLite with the same settings as the store (WAL, full synchronous).

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a program to read figures from")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use turnkeep::clock::SystemClock;
use turnkeep::model::{FinishReason, Json, MessageStatus, Part, StepRecord, TextPart, Trigger};
use turnkeep::project::{FlushExtra, flush_run};
use turnkeep::provider::Decoder;
use turnkeep::provider::openai_compatible::ChatCompletionsDecoder;
use turnkeep::store::{Began, BeginRun, CallNote, Fence, NewUserMessage, RecordStep, StepNumbers, Store};
use turnkeep::{ChatId, MessageId, RunId};

const LEASE: Duration = Duration::from_secs(15);
const STEP_BYTES: usize = 8 * 1024;
const LONG_RUN_STEPS: u32 = 200;
const CONCURRENT_RUNS: u32 = 64;
const STEPS_PER_RUN: u32 = 20;

#[tokio::main]
async fn main() {
    long_run().await;
    many_runs().await;
    decoding();
}

fn step(number: u32) -> StepRecord {
    let text = "x".repeat(STEP_BYTES);
    StepRecord {
        number,
        parts: vec![Part::StepStart, Part::Text(TextPart::done(text))],
        finish_reason: Some(FinishReason::Stop),
        usage: None,
    }
}

/// Two chunks for every step.
fn numbers(step: u32) -> StepNumbers {
    let first = u64::from(step) * 2 + 1;
    StepNumbers { packed_until: first, next: first + 2 }
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

async fn open(folder: &std::path::Path, name: &str) -> (Arc<dyn Store>, String) {
    let url = format!("sqlite:{}", folder.join(name).display());
    turnkeep::store::open(&url, Some("bench"), Arc::new(SystemClock)).await.unwrap()
}

/// A database as a host would make it by hand.
fn by_hand(folder: &std::path::Path, name: &str) -> Connection {
    let connection = Connection::open(folder.join(name)).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
             CREATE TABLE messages (id INTEGER PRIMARY KEY, content TEXT, metadata TEXT); \
             CREATE TABLE steps (run INTEGER, number INTEGER, parts TEXT, PRIMARY KEY (run, number));",
        )
        .unwrap();
    connection
}

/// One run of many steps: the engine's append with its occasional refresh, against a rewrite at every step.
async fn long_run() {
    let folder = tempfile::tempdir().unwrap();
    let (store, owner) = open(folder.path(), "ours.db").await;
    let fence = begin(&store, &owner).await;
    let (mut steps, mut refreshed, mut ours) = (Vec::new(), 0_usize, Vec::new());
    for number in 0..LONG_RUN_STEPS {
        let step = step(number);
        steps.push(step.clone());
        let begun = Instant::now();
        // The driver's rule: always while small, then when the log has grown by half.
        let log = steps.len() * STEP_BYTES;
        let refresh = (log <= 64 * 1024 || log >= refreshed / 2 * 3).then(|| {
            refreshed = log;
            flush_run(&steps, MessageStatus::Streaming, &FlushExtra::default())
        });
        store
            .record_step(RecordStep {
                fence: fence.clone(),
                numbers: numbers(step.number),
                step,
                lease: Some(LEASE),
                refresh,
                call: CallNote::default(),
            })
            .await
            .unwrap();
        ours.push(begun.elapsed());
    }
    store.close().await.unwrap();

    let connection = by_hand(folder.path(), "peer.db");
    connection.execute("INSERT INTO messages (id) VALUES (1)", []).unwrap();
    let (mut steps, mut peer) = (Vec::new(), Vec::new());
    for number in 0..LONG_RUN_STEPS {
        steps.push(step(number));
        let begun = Instant::now();
        let row = flush_run(&steps, MessageStatus::Streaming, &FlushExtra::default());
        connection
            .execute(
                "UPDATE messages SET content = ?1, metadata = ?2 WHERE id = 1",
                [row.content.as_str(), row.metadata.get()],
            )
            .unwrap();
        peer.push(begun.elapsed());
    }
    let mean = |times: &[Duration]| times.iter().sum::<Duration>() / u32::try_from(times.len()).unwrap();
    let last = |times: &[Duration]| mean(times.get(times.len() * 9 / 10..).unwrap_or_default());
    println!(
        "long run, {LONG_RUN_STEPS} steps of {STEP_BYTES} bytes: step {:?}, in the last tenth {:?}; rewriting the row {:?}, \
         in the last tenth {:?}; ratio {:.1}, in the last tenth {:.1}",
        mean(&ours),
        last(&ours),
        mean(&peer),
        last(&peer),
        mean(&peer).as_secs_f64() / mean(&ours).as_secs_f64(),
        last(&peer).as_secs_f64() / last(&ours).as_secs_f64(),
    );
}

/// Many runs at once: group commit, against a transaction for each write.
async fn many_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (store, owner) = open(folder.path(), "ours.db").await;
    let mut fences = Vec::new();
    for _ in 0..CONCURRENT_RUNS {
        fences.push(begin(&store, &owner).await);
    }
    let begun = Instant::now();
    let runs: Vec<_> = fences
        .into_iter()
        .map(|fence| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for number in 0..STEPS_PER_RUN {
                    let record = RecordStep {
                        fence: fence.clone(),
                        numbers: numbers(number),
                        step: step(number),
                        lease: Some(LEASE),
                        refresh: None,
                        call: CallNote::default(),
                    };
                    store.record_step(record).await.unwrap();
                }
            })
        })
        .collect();
    for run in runs {
        run.await.unwrap();
    }
    let ours = begun.elapsed();
    store.close().await.unwrap();

    let connection = by_hand(folder.path(), "peer.db");
    let begun = Instant::now();
    for run in 0..CONCURRENT_RUNS {
        for number in 0..STEPS_PER_RUN {
            let parts = serde_json::to_string(&step(number).parts).unwrap();
            connection.execute("INSERT INTO steps VALUES (?1, ?2, ?3)", rusqlite::params![run, number, parts]).unwrap();
        }
    }
    let peer = begun.elapsed();
    let steps = f64::from(CONCURRENT_RUNS) * f64::from(STEPS_PER_RUN);
    println!(
        "{CONCURRENT_RUNS} runs at once: {:.0} durable steps/s; a transaction each {:.0} steps/s; ratio {:.1}",
        steps / ours.as_secs_f64(),
        steps / peer.as_secs_f64(),
        peer.as_secs_f64() / ours.as_secs_f64(),
    );
}

/// The decoder, against parsing the same events into plain JSON values and doing nothing with them.
fn decoding() {
    let event = r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":[{"index":0,"delta":{"content":"some words"},"finish_reason":null}]}"#;
    let bytes = format!("data: {event}\n\n").repeat(50_000);
    let begun = Instant::now();
    let (mut decoder, mut parts) = (ChatCompletionsDecoder::default(), Vec::new());
    for piece in bytes.as_bytes().chunks(1400) {
        decoder.push(piece, &mut parts).unwrap();
    }
    let ours = begun.elapsed();
    let begun = Instant::now();
    let values = bytes.lines().filter_map(|line| line.strip_prefix("data: "));
    let values: Vec<serde_json::Value> = values.map(|data| serde_json::from_str(data).unwrap()).collect();
    let peer = begun.elapsed();
    assert_eq!(parts.len(), values.len() + 2);
    println!(
        "decoding: {:.0} MB/s from 1400-byte pieces; whole lines into JSON values {:.0} MB/s; ratio {:.2}",
        bytes.len() as f64 / 1e6 / ours.as_secs_f64(),
        bytes.len() as f64 / 1e6 / peer.as_secs_f64(),
        peer.as_secs_f64() / ours.as_secs_f64(),
    );
}
