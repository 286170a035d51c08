//! What a step costs on disk: bytes that the process writes, WAL and database file together.

use std::time::Duration;

use serde_json::json;
use turnkeep::model::RunStatus;
use turnkeep::{Engine, EngineOptions, HostedFinish, HostedRequest, HostedStep, Who};

/// Bytes that this process has handed to the kernel so far; nothing else in it writes.
fn written() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").expect("a kernel that counts");
    let line = io.lines().find_map(|line| line.strip_prefix("wchar: ")).expect("the count");
    line.parse().expect("a number")
}

/// Text that no two steps share and nothing compresses.
fn payload(step: usize, bytes: usize) -> String {
    let mut state = (step as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut text = String::with_capacity(bytes + 16);
    while text.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&format!("{state:016x}"));
    }
    text.truncate(bytes);
    text
}

struct Cost {
    /// Bytes of the median step among the first tenth and the last tenth: what is copied from the WAL into the file now
    /// and then, for many steps at a time, is in neither.
    first: u64,
    last: u64,
    /// Bytes a step over the whole run, with that.
    mean: f64,
    settling: u64,
}

fn url(folder: &tempfile::TempDir) -> String {
    format!("sqlite:{}", folder.path().join("chats.db").display())
}

async fn cost(steps: usize, bytes: usize) -> Cost {
    let folder = tempfile::tempdir().unwrap();
    let options = EngineOptions::from_json(&json!({"store": url(&folder)}).to_string()).unwrap();
    let engine = Engine::open(options).await.unwrap();
    let who = Who { workspace_id: "w".into(), user_id: "u".into() };
    let request = json!({"workspaceId": "w", "userId": "u", "message": "go"});
    let run = engine.begin_run(serde_json::from_value::<HostedRequest>(request).unwrap()).await.unwrap();
    let mut after = vec![written()];
    for step in 0..steps {
        let step: HostedStep = serde_json::from_value(json!({"text": payload(step, bytes)})).unwrap();
        engine.record_step(&who, run.run_id, step).await.unwrap();
        after.push(written());
    }
    let finish =
        HostedFinish { status: RunStatus::Succeeded, reason: None, error: None, finish_reason: None, step: None };
    engine.finish_run(&who, run.run_id, finish).await.unwrap();
    let settling = written() - after[steps];
    engine.close(Some(Duration::ZERO)).await.unwrap();
    let each: Vec<u64> = after.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let median = |steps: &[u64]| {
        let mut sorted = steps.to_vec();
        sorted.sort_unstable();
        sorted[sorted.len() / 2]
    };
    let (first, last) = (median(&each[..steps / 10]), median(&each[steps - steps / 10..]));
    Cost { first, last, mean: (after[steps] - after[0]) as f64 / steps as f64, settling }
}

/// What the same costs when the message row is rewritten at every step, as the servers did that this replaces.
fn cost_of_rewriting(steps: usize, bytes: usize) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let database = rusqlite::Connection::open(folder.path().join("peer.db")).unwrap();
    database
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
             CREATE TABLE messages (id TEXT PRIMARY KEY, content TEXT, metadata TEXT); \
             INSERT INTO messages VALUES ('m', '', '{}')",
        )
        .unwrap();
    let (before, mut parts, mut content) = (written(), Vec::new(), String::new());
    for step in 0..steps {
        let text = payload(step, bytes);
        content.push_str(&text);
        parts.push(json!({"type": "text", "text": text, "state": "done"}));
        let metadata = json!({ "parts": parts }).to_string();
        database.execute("UPDATE messages SET content = ?1, metadata = ?2", [&content, &metadata]).unwrap();
    }
    (written() - before) as f64 / steps as f64
}

#[tokio::test]
async fn a_step_costs_the_same_however_many_went_before_it() {
    // The same for both, short enough for the peer, whose cost grows with every step.
    let (steps, bytes) = (200, 2 * 1024);
    let (ours, peer) = (cost(steps, bytes).await.mean, cost_of_rewriting(steps, bytes));
    println!(
        "{steps} steps of {bytes} bytes: {ours:.0} bytes a step; rewriting the row {peer:.0}, {:.1} times as much",
        peer / ours
    );
    assert!(peer > 10.0 * ours);
    for (steps, bytes, pages) in [(1_000, 2 * 1024, 6.0), (50, 100 * 1024, 2.0)] {
        let Cost { first, last, mean, settling } = cost(steps, bytes).await;
        println!(
            "{steps} steps of {bytes} bytes: median of the first tenth {first}, of the last tenth {last}, mean \
             {mean:.0} ({:.2} times the payload; goal {:.0}); settling {settling}",
            mean / bytes as f64,
            2.2 * bytes as f64 + 1024.0
        );
        assert!(last as f64 <= 1.1 * first as f64, "a step costs more the more went before it");
        // The payload in the WAL and in the file, and for each step some pages that it shares with others.
        assert!(mean < 2.1 * bytes as f64 + pages * 4096.0);
    }
}
