//! Engines, requests and tools for the tests.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use turnkeep::model::Json;
use turnkeep::tool::{Tool, ToolHandler, ToolInvocation};
use turnkeep::{Engine, EngineOptions, Turn, TurnRequest, Who};

/// A tool made of a function.
pub struct FnTool<F>(pub F);

#[async_trait]
impl<F> ToolHandler for FnTool<F>
where
    F: Fn(Value) -> Result<Value, String> + Send + Sync,
{
    async fn call(&self, invocation: ToolInvocation) -> Result<Json, String> {
        let input = invocation.input.read().map_err(|error| error.to_string())?;
        (self.0)(input).map(|output| Json::from_value(&output).expect("plain data"))
    }
}

/// A tool that never comes back.
pub struct Hang;

#[async_trait]
impl ToolHandler for Hang {
    async fn call(&self, _: ToolInvocation) -> Result<Json, String> {
        std::future::pending().await
    }
}

/// A tool with this definition (JSON) and code.
pub fn tool(definition: Value, handler: impl ToolHandler + 'static) -> Tool {
    Tool { definition: serde_json::from_value(definition).expect("a definition"), handler: Arc::new(handler) }
}

/// `weather` and `time`, which answer the same every time.
pub fn weather_and_time() -> Vec<Tool> {
    let weather = FnTool(|input: Value| Ok(json!({"city": input["city"], "tempC": 21, "sky": "clear"})));
    let time = FnTool(|_| Ok(json!("12:00")));
    vec![
        tool(weather_definition(), weather),
        tool(json!({"name": "time", "description": "Tells the time", "readOnly": true}), time),
    ]
}

/// The definition of `weather`.
pub fn weather_definition() -> Value {
    json!({
        "name": "weather",
        "description": "Tells the weather",
        "inputSchema": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": false,
        },
    })
}

/// Options for an engine on `store` that talks to `base_url`; `more` is merged in.
pub fn options(store: &str, base_url: &str, more: Value) -> EngineOptions {
    let mut options = json!({
        "store": store,
        "providers": {"default": {"driver": "openai-compatible", "model": "test-model", "baseUrl": base_url, "apiKey": "test-key-0123456789"}},
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        options[key] = value.clone();
    }
    EngineOptions::from_json(&options.to_string()).expect("valid options")
}

/// The URL of a database in `folder`.
pub fn store_in(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("chats.db").display())
}

/// An engine on a database in `folder`.
pub async fn open(folder: &Path, base_url: &str, more: Value) -> Engine {
    Engine::open(options(&store_in(folder), base_url, more)).await.expect("an engine")
}

/// The user of all tests.
pub fn who() -> Who {
    Who { workspace_id: "w1".to_owned(), user_id: "u1".to_owned() }
}

/// A request of that user; `more` is merged in.
pub fn request(message: &str, more: Value) -> TurnRequest {
    let mut request = json!({"workspaceId": "w1", "userId": "u1", "message": message});
    for (key, value) in more.as_object().into_iter().flatten() {
        request[key] = value.clone();
    }
    TurnRequest::from_json(&request.to_string()).expect("a valid request")
}

/// Every chunk of the turn.
pub async fn all_chunks(turn: &Turn) -> Vec<Value> {
    let mut reader = turn.chunks();
    let mut chunks = Vec::new();
    loop {
        let batch = reader.next_batch(16).await;
        if batch.is_empty() {
            return chunks;
        }
        chunks.extend(batch.iter().map(|chunk| serde_json::from_str::<Value>(chunk).expect("JSON")));
    }
}
