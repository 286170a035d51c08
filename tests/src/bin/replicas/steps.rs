//! Steps at a steady rate, from hosts with loops of their own, while another replica listens.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};
use turnkeep::model::RunStatus;
use turnkeep::{Engine, HostedFinish, HostedRequest, HostedStep};
use turnkeep_test_postgres::Cluster;
use turnkeep_tests::scenario::{options, who};

use crate::stop::print_times;
use crate::{Numbers, text};

/// Steps of a run before the next one begins, as long as the longest turns.
const STEPS_OF_A_RUN: usize = 50;

/// One host: a run after the other, a step at each tick.
async fn host(engine: Engine, steps: usize, period: Duration) -> Result<Vec<Duration>, String> {
    let mut ticker = interval(period);
    // What comes late is made up for, so that the rate holds.
    ticker.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut times, text_of_step) = (Vec::new(), "A step of about a kilobyte. ".repeat(36));
    let mut run = None;
    for number in 0..steps {
        if number % STEPS_OF_A_RUN == 0 {
            if let Some(run_id) = run.take() {
                let finish = HostedFinish {
                    status: RunStatus::Succeeded,
                    reason: None,
                    error: None,
                    finish_reason: None,
                    step: None,
                };
                engine.finish_run(&who(), run_id, finish).await.map_err(text)?;
            }
            let request = json!({"workspaceId": "w1", "userId": "u1", "message": "go"}).to_string();
            let request: HostedRequest = serde_json::from_str(&request).map_err(text)?;
            run = Some(engine.begin_run(request).await.map_err(text)?.run_id);
        }
        ticker.tick().await;
        let Some(run_id) = run else { continue };
        let step = HostedStep { text: Some(text_of_step.clone()), ..HostedStep::default() };
        let begun = Instant::now();
        engine.record_step(&who(), run_id, step).await.map_err(text)?;
        times.push(begun.elapsed());
    }
    Ok(times)
}

pub(crate) async fn measure(numbers: &Numbers) -> Result<(), String> {
    let (rate, seconds, hosts) = (numbers.get("rate", 1000), numbers.get("seconds", 60), numbers.get("hosts", 100));
    let cluster = Cluster::start(&[]);
    let store = cluster.database();
    let engine = Engine::open(options(&store, "http://127.0.0.1:9/v1", json!({}))).await.map_err(text)?;
    let other = Engine::open(options(&store, "http://127.0.0.1:9/v1", json!({}))).await.map_err(text)?;
    let period = Duration::from_secs_f64(hosts as f64 / rate as f64);
    let begun = Instant::now();
    let mut all = Vec::new();
    for _ in 0..hosts {
        all.push(tokio::spawn(host(engine.clone(), rate * seconds / hosts, period)));
        tokio::time::sleep(period / u32::try_from(hosts).unwrap_or(1)).await;
    }
    let mut times = Vec::new();
    for host in all {
        times.extend(host.await.map_err(text)??);
    }
    let elapsed = begun.elapsed().as_secs_f64();
    print_times("a step", &mut times);
    let (sent, heard) = (engine.health().await.notifications.sent, other.health().await.notifications.heard);
    println!(
        "steps a second: {:.0}; notifications a second: sent {:.1}, heard by the other replica {:.1}",
        times.len() as f64 / elapsed,
        sent as f64 / elapsed,
        heard as f64 / elapsed
    );
    engine.close(Some(Duration::ZERO)).await.map_err(text)?;
    other.close(Some(Duration::ZERO)).await.map_err(text)
}
