//! Runs on one replica are followed on another while they stream: how much later a chunk is there than the provider has
//! sent it.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use serde_json::{Value, json};
use turnkeep::model::FinishReason;
use turnkeep::provider::{BlockKind, ChatRequest, Provider, ProviderFailure, StreamPart};
use turnkeep::store::NotificationState;
use turnkeep::{Engine, RunId, TailFrom};
use turnkeep_test_postgres::Cluster;
use turnkeep_tests::processes::{Process, tell};
use turnkeep_tests::scenario::{options, request, who};

use crate::stop::print_times;
use crate::{Numbers, text};

const PATIENCE: Duration = Duration::from_secs(600);
/// Chunks a second.
const RATE: u64 = 50;
/// The beginning of each run is not counted: until its follower has said that it is there, packs are larger.
const WARM_UP: Duration = Duration::from_secs(2);

/// Says the time, over and over.
struct Clock {
    chunks: u64,
}

fn micros() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

impl Provider for Clock {
    fn stream(&self, _: &ChatRequest) -> BoxStream<'static, Result<StreamPart, ProviderFailure>> {
        let ticker = tokio::time::interval(Duration::from_micros(1_000_000 / RATE));
        let words = stream::unfold((ticker, self.chunks), |(mut ticker, left)| async move {
            if left == 0 {
                return None;
            }
            ticker.tick().await;
            let delta = format!("{} ", micros());
            let part = StreamPart::BlockDelta { kind: BlockKind::Text, id: "t".to_owned(), delta, metadata: None };
            Some((Ok(part), (ticker, left - 1)))
        });
        let end = StreamPart::Finish { reason: FinishReason::Stop, usage: None };
        words.chain(stream::iter([Ok(end)])).boxed()
    }
}

/// The replica that drives the runs.
pub(crate) async fn child(store: &str, runs: &str, seconds: &str) -> Result<(), String> {
    let (runs, seconds): (u32, u64) = (runs.parse().map_err(text)?, seconds.parse().map_err(text)?);
    let limits = json!({"runs": {"degenerationGuard": false}});
    let engine = Engine::open(options(store, "http://127.0.0.1:9/v1", limits)).await.map_err(text)?;
    let mut turns = Vec::new();
    for _ in 0..runs {
        let model = Arc::new(Clock { chunks: seconds * RATE });
        let turn = engine.start_turn_with(request("go", json!({})), Vec::new(), model).await.map_err(text)?;
        tell(&turn.run_id().to_string());
        turns.push(turn);
        // Not all at the same moment.
        tokio::time::sleep(Duration::from_millis(7)).await;
    }
    for turn in turns {
        turn.done().await.map_err(text)?;
    }
    tell(&format!("sent {}", engine.health().await.notifications.sent));
    engine.close(None).await.map_err(text)
}

async fn follow(engine: Engine, run_id: RunId) -> Result<Vec<Duration>, String> {
    let mut tail = engine.tail(&who(), run_id, TailFrom::Start).await.map_err(text)?;
    let begun = Instant::now();
    let mut times = Vec::new();
    loop {
        let batch = tail.next_batch(usize::MAX).await.map_err(text)?;
        if batch.is_empty() {
            return Ok(times);
        }
        let now = micros();
        for item in batch {
            let chunk: Value = serde_json::from_str(&item.chunk).map_err(text)?;
            let sent: Option<u64> = chunk["delta"].as_str().and_then(|delta| delta.trim().parse().ok());
            if let Some(sent) = sent.filter(|_| begun.elapsed() > WARM_UP) {
                times.push(Duration::from_micros(now.saturating_sub(sent)));
            }
        }
    }
}

pub(crate) async fn measure(numbers: &Numbers) -> Result<(), String> {
    let (runs, seconds) = (numbers.get("runs", 100), numbers.get("seconds", 30));
    let cluster = Cluster::start(&[]);
    let store = cluster.database();
    let engine = Engine::open(options(&store, "http://127.0.0.1:9/v1", json!({}))).await.map_err(text)?;
    while engine.health().await.notifications.state != NotificationState::Live {
        tokio::task::yield_now().await;
    }
    let program = std::env::current_exe().map_err(text)?;
    let (runs_text, seconds_text) = (runs.to_string(), seconds.to_string());
    let begun = Instant::now();
    let owner = Process::start(&program, ["tail-child", &store, &runs_text, &seconds_text]).map_err(text)?;
    let owner = Arc::new(std::sync::Mutex::new(owner));
    let next_line = || {
        let owner = Arc::clone(&owner);
        async move {
            let line = tokio::task::spawn_blocking(move || {
                let owner = owner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                owner.next_line(Instant::now() + PATIENCE)
            });
            line.await.map_err(text)?.map(|line| line.text).map_err(text)
        }
    };
    let mut followers = Vec::new();
    for _ in 0..runs {
        let run_id: RunId = next_line().await?.parse().map_err(text)?;
        followers.push(tokio::spawn(follow(engine.clone(), run_id)));
    }
    let mut times = Vec::new();
    for follower in followers {
        times.extend(follower.await.map_err(text)??);
    }
    let sent: String = next_line().await?;
    let elapsed = begun.elapsed().as_secs_f64();
    print_times(&format!("tail, {runs} runs at {RATE} chunks a second"), &mut times);
    let sent: f64 = sent.trim_start_matches("sent ").parse().map_err(text)?;
    println!("notifications of the owner: {:.1} a second", sent / elapsed);
    engine.close(None).await.map_err(text)
}
