//! The process that drives the runs: it offers the tools, and is killed while it asks, goes on, and makes what was allowed.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::time::sleep;
use turnkeep::Engine;
use turnkeep::model::Json;
use turnkeep::tool::{Tool, ToolHandler, ToolInvocation};
use turnkeep_tests::counting;
use turnkeep_tests::processes::tell;
use turnkeep_tests::scenario::{options, tool};

/// How long `soon` may be allowed.
const SOON_MS: u64 = 150;

/// `look` only reads; `write` and `soon` have to be allowed; `ask` is a question, `place` the client's.
pub(crate) const TOOLS: [&str; 5] = ["look", "write", "soon", "ask", "place"];

/// Counts each call with the arguments that it was made with, where no kill reaches it.
struct Write {
    store: String,
}

#[async_trait]
impl ToolHandler for Write {
    async fn call(&self, call: ToolInvocation) -> Result<Json, String> {
        tell("making");
        pause().await;
        let name = format!("{} {}", counting::name(&call), call.input.get());
        let output = call.input.clone();
        counting::count_as(name, &self.store, &call, &output, pause).await?;
        tell("made");
        pause().await;
        Ok(output)
    }
}

/// The last thing before a run begins to wait.
struct Look;

#[async_trait]
impl ToolHandler for Look {
    async fn call(&self, _: ToolInvocation) -> Result<Json, String> {
        tell("asking");
        Ok(Json::string("seen"))
    }
}

/// So that blows hit every place.
async fn pause() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    sleep(Duration::from_micros(u64::from(now / 100) % 3000)).await;
}

fn offered(store: &str) -> Vec<Tool> {
    let page = json!({"type": "object", "properties": {"page": {"type": "integer"}}, "required": ["page"]});
    let write = || Write { store: store.to_owned() };
    let text = json!({"type": "string"});
    vec![
        tool(json!({"name": "look", "readOnly": true}), Look),
        tool(json!({"name": "write", "approval": "always", "editableInput": true, "inputSchema": page}), write()),
        tool(
            json!({"name": "soon", "approval": "always", "editableInput": true, "inputSchema": page,
                "expiresAfterMs": SOON_MS}),
            write(),
        ),
        tool(json!({"name": "ask", "answerSchema": text}), Look),
        tool(json!({"name": "place", "clientSide": true}), Look),
    ]
}

pub(crate) async fn run(store: &str, base_url: &str, limits: Value) -> Result<(), String> {
    let engine = Engine::open(options(store, base_url, limits)).await.map_err(|error| error.to_string())?;
    engine.offer_tools(offered(store)).map_err(|error| error.to_string())?;
    tell("offers");
    let ended = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    let _ = ended.await;
    engine.close(None).await.map_err(|error| error.to_string())
}
