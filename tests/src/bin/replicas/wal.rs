//! How much the server writes for a step, beside what rewriting a row of all steps costs.

use serde_json::json;
use tokio_postgres::{Client, NoTls};
use turnkeep::{Engine, HostedRequest, HostedStep};
use turnkeep_test_postgres::Cluster;
use turnkeep_tests::scenario::{options, who};

use crate::{Numbers, text};

/// Text that no compression makes much smaller.
fn noise(bytes: usize, seed: &mut u64) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut letter = || {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(LETTERS[usize::try_from(*seed >> 58).unwrap_or(0)])
    };
    (0..bytes).map(|_| letter()).collect()
}

async fn position(client: &Client) -> Result<u64, String> {
    let row = client.query_one("SELECT (pg_current_wal_lsn() - '0/0')::bigint", &[]).await.map_err(text)?;
    u64::try_from(row.get::<_, i64>(0)).map_err(text)
}

fn print(name: &str, written: &[u64], payload: u64) {
    let sum: u64 = written.iter().sum();
    let mean = |part: &[u64]| part.iter().sum::<u64>() as f64 / part.len().max(1) as f64 / 1024.0;
    let tenth = written.len().div_ceil(10);
    println!(
        "{name}: steps={} first_tenth_kib={:.0} last_tenth_kib={:.0} total_mib={:.2} times_payload={:.2}",
        written.len(),
        mean(&written[..tenth]),
        mean(&written[written.len() - tenth..]),
        sum as f64 / 1024.0 / 1024.0,
        sum as f64 / payload as f64
    );
}

pub(crate) async fn measure(numbers: &Numbers) -> Result<(), String> {
    let (steps, bytes) = (numbers.get("steps", 50), numbers.get("bytes", 100 * 1024));
    // Only what the steps write: nothing of the server's own housekeeping, and no checkpoint in between.
    let cluster = Cluster::start(&["autovacuum=off", "checkpoint_timeout=1h", "max_wal_size=4GB"]);
    let store = cluster.database();
    let engine = Engine::open(options(&store, "http://127.0.0.1:9/v1", json!({}))).await.map_err(text)?;
    let (client, connection) = tokio_postgres::connect(&store, NoTls).await.map_err(text)?;
    tokio::spawn(connection);
    let request = json!({"workspaceId": "w1", "userId": "u1", "message": "go"}).to_string();
    let request: HostedRequest = serde_json::from_str(&request).map_err(text)?;
    let run = engine.begin_run(request).await.map_err(text)?;
    let mut seed = 7;
    let payload = (steps * bytes) as u64;
    client.batch_execute("CHECKPOINT").await.map_err(text)?;
    let mut written = Vec::new();
    for _ in 0..steps {
        let step = HostedStep { text: Some(noise(bytes, &mut seed)), ..HostedStep::default() };
        let before = position(&client).await?;
        engine.record_step(&who(), run.run_id, step).await.map_err(text)?;
        written.push(position(&client).await? - before);
    }
    print("a step of its own row", &written, payload);
    client
        .batch_execute(
            "CREATE TABLE peer (id integer PRIMARY KEY, metadata jsonb); INSERT INTO peer VALUES (1, '{}'); CHECKPOINT",
        )
        .await
        .map_err(text)?;
    let (mut parts, mut written) = (Vec::new(), Vec::new());
    for _ in 0..steps {
        parts.push(json!({"type": "text", "text": noise(bytes, &mut seed)}));
        let row = json!({"parts": parts}).to_string();
        let before = position(&client).await?;
        let update = "UPDATE peer SET metadata = $1::text::jsonb WHERE id = 1";
        client.execute(update, &[&row]).await.map_err(text)?;
        written.push(position(&client).await? - before);
    }
    print("rewriting the row of all steps", &written, payload);
    engine.close(Some(std::time::Duration::ZERO)).await.map_err(text)
}
