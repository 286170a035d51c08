//! The process that is killed and frozen: it offers three tools that count, each in a transaction of its own.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::time::sleep;
use turnkeep::Engine;
use turnkeep::model::Json;
use turnkeep::tool::{ToolHandler, ToolInvocation};
use turnkeep_tests::counting;
use turnkeep_tests::processes::tell;
use turnkeep_tests::scenario::{options, tool};

/// `count` has effects, `put` is idempotent, `plain` says nothing of itself.
pub(crate) const TOOLS: [&str; 3] = ["count", "plain", "put"];

struct Counter {
    store: String,
}

#[async_trait]
impl ToolHandler for Counter {
    async fn call(&self, call: ToolInvocation) -> Result<Json, String> {
        let output = Json::from_value(&json!({"counted": counting::name(&call)})).map_err(|error| error.to_string())?;
        pause().await;
        counting::count(&self.store, &call, &output, pause).await?;
        pause().await;
        Ok(output)
    }
}

/// So that blows hit every place.
async fn pause() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    sleep(Duration::from_micros(u64::from(now / 100) % 4000)).await;
}

pub(crate) fn run(store: &str, base_url: &str, lease: &str) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(offer(store, base_url, lease.parse().map_err(|_| "the lease must be milliseconds")?))
}

async fn offer(store: &str, base_url: &str, lease_ms: u64) -> Result<(), String> {
    let limits = json!({"runs": {"leaseMs": lease_ms, "stopPollMs": 100}});
    let engine = Engine::open(options(store, base_url, limits)).await.map_err(|error| error.to_string())?;
    let offered = TOOLS.map(|name| {
        let mut definition = json!({"name": name});
        match name {
            "count" => definition["effects"] = Value::Bool(true),
            "put" => definition["idempotent"] = Value::Bool(true),
            _ => {}
        }
        tool(definition, Counter { store: store.to_owned() })
    });
    engine.offer_tools(offered.into()).map_err(|error| error.to_string())?;
    tell("offers");
    let ended = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    let _ = ended.await;
    engine.close(None).await.map_err(|error| error.to_string())
}
