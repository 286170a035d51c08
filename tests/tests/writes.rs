//! What a step costs on disk: bytes that the process writes, WAL and database file together.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use turnkeep::clock::SystemClock;
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
    first_tenth: f64,
    last_tenth: f64,
    mean: f64,
    settling: u64,
}

async fn cost(steps: usize, bytes: usize) -> Cost {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("chats.db").display());
    let engine = Engine::open(EngineOptions::from_json(&json!({"store": store}).to_string()).unwrap()).await.unwrap();
    let who = Who { workspace_id: "w".into(), user_id: "u".into() };
    let request = json!({"workspaceId": "w", "userId": "u", "message": "go"});
    let request: HostedRequest = serde_json::from_value(request).unwrap();
    let run = engine.begin_run(request).await.unwrap();
    let mut after = vec![written()];
    for step in 0..steps {
        let step: HostedStep = serde_json::from_value(json!({"text": payload(step, bytes)})).unwrap();
        engine.record_step(&who, run.run_id, step).await.unwrap();
        after.push(written());
    }
    let finish = HostedFinish {
        status: turnkeep::model::RunStatus::Succeeded,
        reason: None,
        error: None,
        finish_reason: None,
        step: None,
    };
    engine.finish_run(&who, run.run_id, finish).await.unwrap();
    let settled = written();
    let per_step = |from: usize, to: usize| (after[to] - after[from]) as f64 / (to - from) as f64;
    let cost = Cost {
        first_tenth: per_step(0, steps / 10),
        last_tenth: per_step(steps - steps / 10, steps),
        mean: per_step(0, steps),
        settling: settled - after[steps],
    };
    engine.close(Some(Duration::ZERO)).await.unwrap();
    let _ = Arc::new(SystemClock);
    cost
}

#[tokio::test]
async fn a_step_costs_the_same_at_the_end_as_at_the_beginning() {
    for (steps, bytes) in [(1_000, 2 * 1024), (50, 100 * 1024)] {
        let Cost { first_tenth, last_tenth, mean, settling } = cost(steps, bytes).await;
        let limit = 2.2 * bytes as f64 + 1024.0;
        println!(
            "{steps} steps of {bytes} bytes: first tenth {first_tenth:.0}, last tenth {last_tenth:.0}, mean {mean:.0} \
             ({:.2} times the payload; goal {limit:.0}); settling {settling}",
            mean / bytes as f64
        );
    }
}
