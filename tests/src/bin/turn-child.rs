//! `turn-child STORE BASE_URL CHAT_ID [INSTANCE]`: runs one turn and prints a line for each step that it was told is finished.
//! It is there to be killed. `TURN_LEASE_MS` and `TURN_MESSAGE` say what it does not do by default.

use std::io::Write;

use serde_json::{Value, json};
use turnkeep_tests::scenario::{options, request, weather_and_time};

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, store, base_url, chat_id, instance @ ..] = arguments.as_slice() else {
        panic!("usage: turn-child STORE URL CHAT [INSTANCE]")
    };
    let lease = std::env::var("TURN_LEASE_MS").ok().and_then(|lease| lease.parse::<u64>().ok());
    let message = std::env::var("TURN_MESSAGE").unwrap_or_else(|_| "go".to_owned());
    let limits = match instance.first() {
        _ if lease.is_some() => json!({"runs": {"leaseMs": lease}}),
        Some(instance) => json!({"instanceId": instance}),
        // Only its lease tells others on a server that this process is dead.
        None if store.starts_with("postgres") => json!({"runs": {"leaseMs": 600}}),
        None => json!({}),
    };
    let options = options(store, base_url, limits);
    let engine = turnkeep::Engine::open(options).await.expect("an engine");
    let turn =
        engine.start_turn(request(&message, json!({"chatId": chat_id})), weather_and_time()).await.expect("a turn");
    say(&format!("run {}", turn.run_id()));
    let mut reader = turn.chunks();
    loop {
        let batch = reader.next_batch(1).await;
        if batch.is_empty() {
            break;
        }
        let chunks = batch.iter().map(|chunk| serde_json::from_str::<Value>(chunk).expect("JSON"));
        chunks.filter(|chunk| chunk["type"] == "finish-step").for_each(|_| say("step"));
    }
    turn.done().await.expect("an outcome");
    say("done");
}

/// Whoever reads must have the line before anything else happens.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("a reader");
}
