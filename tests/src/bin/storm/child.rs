//! The process that is killed and frozen: one turn after another in one chat. Each line that it writes is an
//! acknowledgement, which the database has to keep.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use turnkeep::{Engine, ErrorCode, Turn};
use turnkeep_tests::processes::tell;
use turnkeep_tests::scenario::{options, request};

use crate::plan::{self, Random};

/// How long a chat that is somebody else's is left alone.
const BUSY_PAUSE: Duration = Duration::from_millis(5);
/// How long a server is waited for.
const OPEN_PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn run(store: &str, chat_id: &str, seed: u64, lease_ms: u64) -> Result<(), String> {
    let hung_up = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&hung_up);
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        flag.store(true, Ordering::SeqCst);
    });
    let limits = json!({
        "runs": {"leaseMs": lease_ms, "stopPollMs": 100},
        // So much that nobody is refused, and something is set aside for each call.
        "limits": {"workspaceTokens": {"max": 1_000_000_000_000_u64, "windowMs": 60_000}},
    });
    let options = options(store, "http://127.0.0.1:9/v1", limits);
    // A server that is just being restarted is tried again, as whoever starts hosts would do.
    let begun = Instant::now();
    let engine = loop {
        match Engine::open(options.clone()).await {
            Ok(engine) => break engine,
            Err(error) if error.code() == ErrorCode::StoreUnavailable && begun.elapsed() < OPEN_PATIENCE => {
                tell(&format!("error {error}"));
                tokio::time::sleep(BUSY_PAUSE).await;
            }
            Err(error) => return Err(error.to_string()),
        }
    };
    tell("opened");
    let mut random = Random::new(seed);
    let mut turn = random.next();
    while !hung_up.load(Ordering::SeqCst) {
        let request = request(&plan::message(turn), json!({"chatId": chat_id}));
        let changed =
            |call: &turnkeep::tool::ToolInvocation| tell(&format!("changed {} {}", call.run_id, call.call_id));
        match engine.start_turn_with(request, plan::tools(changed), plan::model()).await {
            Ok(begun) => {
                tell(&format!("begun {} {turn}", begun.run_id()));
                follow(&begun).await;
                turn = random.next();
            }
            Err(error) if error.code() == ErrorCode::RunAlreadyActive => {
                tell(&format!("busy {}", error.details().get("activeRunId").unwrap_or(&Value::Null)));
                tokio::time::sleep(BUSY_PAUSE).await;
            }
            Err(error) => {
                tell(&format!("error {error}"));
                tokio::time::sleep(BUSY_PAUSE).await;
            }
        }
    }
    engine.close(None).await.map_err(|error| error.to_string())?;
    tell("closed");
    Ok(())
}

async fn follow(turn: &Turn) {
    let run_id = turn.run_id();
    let (mut reader, mut steps) = (turn.chunks(), 0);
    loop {
        let batch = reader.next_batch(1).await;
        if batch.is_empty() {
            break;
        }
        for chunk in batch {
            if serde_json::from_str::<Value>(&chunk).is_ok_and(|chunk| chunk["type"] == "finish-step") {
                tell(&format!("step {run_id} {steps}"));
                steps += 1;
            }
        }
    }
    match turn.done().await {
        Ok(outcome) => tell(&format!("done {run_id} {}", outcome.status.as_str())),
        Err(error) if error.code() == ErrorCode::LeaseLost => tell(&format!("lost {run_id}")),
        Err(error) => tell(&format!("error {error}")),
    }
}
