//! A run on one replica is stopped on another: from the call until the connection to the provider is closed.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use turnkeep::store::NotificationState;
use turnkeep::{Engine, RunId};
use turnkeep_test_postgres::{Cluster, Pooler};
use turnkeep_tests::chunks;
use turnkeep_tests::processes::{Process, percentile_ms, tell};
use turnkeep_tests::scenario::{options, request, who};
use turnkeep_tests::{Response, Script, ScriptedProvider, Then};

use crate::{Numbers, text};

const PATIENCE: Duration = Duration::from_secs(120);
/// What a stop has to itself at least; more of it by turns, so that polls are met at any moment.
const BETWEEN: Duration = Duration::from_millis(200);

/// The replica that drives the runs: begins one for each line that it is sent.
pub(crate) async fn child(store: &str, provider: &str, lease: &str) -> Result<(), String> {
    let limits = json!({"runs": {"leaseMs": lease.parse::<u64>().map_err(text)?}});
    let engine = Engine::open(options(store, provider, limits)).await.map_err(text)?;
    tell("opened");
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(_)) = lines.next_line().await {
        let turn = engine.start_turn(request("go", json!({})), Vec::new()).await.map_err(text)?;
        let mut reader = turn.chunks();
        while !reader.next_batch(1).await.iter().any(|chunk| chunk.contains("half")) {}
        tell(&turn.run_id().to_string());
    }
    engine.close(None).await.map_err(text)
}

fn next_run(owner: &mut Process) -> Result<RunId, String> {
    owner.say("go");
    owner.next_line(Instant::now() + PATIENCE).map_err(text)?.text.parse().map_err(text)
}

pub(crate) async fn measure(numbers: &Numbers) -> Result<(), String> {
    let (stops, kills, lease) = (numbers.get("stops", 300), numbers.get("kills", 20), numbers.get("lease", 15_000));
    let cluster = Cluster::start(&[]);
    let database = cluster.database();
    let pooler = Pooler::start(&cluster, 10);
    let pooled = pooler.url(database.rsplit('/').next().unwrap_or_default());
    let hangs = Response::stream([chunks::text("half")]).then(Then::Hang);
    let provider = ScriptedProvider::start(Script { responses: vec![hangs], repeat: true, by_step: false }).await;
    let program = std::env::current_exe().map_err(text)?;
    let start = |store: &str| -> Result<Process, String> {
        let arguments = ["stop-child", store, &provider.base_url(), &lease.to_string()];
        let process = Process::start(&program, arguments).map_err(text)?;
        process.next_line(Instant::now() + PATIENCE).map_err(text)?;
        Ok(process)
    };
    let mut left = 0;
    for (name, store) in [("listening", &database), ("polling", &pooled)] {
        let engine = Engine::open(options(store, &provider.base_url(), json!({}))).await.map_err(text)?;
        let mut owner = start(store)?;
        while store == &database && engine.health().await.notifications.state != NotificationState::Live {
            tokio::task::yield_now().await;
        }
        let mut times = Vec::new();
        for number in 0..stops {
            let run_id = next_run(&mut owner)?;
            // Stops come one at a time: many in a row would wait for each other's notifications.
            tokio::time::sleep(BETWEEN + Duration::from_millis(number as u64 * 61 % 250)).await;
            let begun = Instant::now();
            engine.stop_run(&who(), run_id).await.map_err(text)?;
            left += 1;
            provider.until_left_early(left).await;
            times.push(begun.elapsed());
        }
        print_times(&format!("stop, {name}"), &mut times);
        owner.hang_up();
        engine.close(None).await.map_err(text)?;
        owner.until_ended(Instant::now() + PATIENCE).ok_or("the owner does not end")?;
    }
    // The owner is dead: from the kill, which is the last sign of life there can be, until the run has ended.
    let limits = json!({"runs": {"leaseMs": lease}});
    let engine = Engine::open(options(&database, &provider.base_url(), limits)).await.map_err(text)?;
    let mut owners: Vec<(Process, RunId)> = Vec::new();
    for _ in 0..kills {
        let mut owner = start(&database)?;
        let run_id = next_run(&mut owner)?;
        owners.push((owner, run_id));
    }
    let mut times = Vec::new();
    let mut waits = Vec::new();
    for (mut owner, run_id) in owners {
        owner.kill();
        let killed = Instant::now();
        engine.stop_run(&who(), run_id).await.map_err(text)?;
        let engine = engine.clone();
        waits.push(tokio::spawn(async move {
            while engine.run(&who(), run_id).await.map_err(text)?.status.is_active() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok::<_, String>(killed.elapsed())
        }));
    }
    for wait in waits {
        times.push(wait.await.map_err(text)??);
    }
    print_times(&format!("stop, owner killed (lease {lease} ms)"), &mut times);
    engine.close(None).await.map_err(text)
}

pub(crate) fn print_times(name: &str, times: &mut [Duration]) {
    println!(
        "{name}: n={} p50_ms={:.1} p99_ms={:.1} max_ms={:.1}",
        times.len(),
        percentile_ms(times, 0.5),
        percentile_ms(times, 0.99),
        percentile_ms(times, 1.0)
    );
}
