//! One turn with a tool, printed as it comes:
//! `cargo run -p turnkeep --example turn -- chats.db http://127.0.0.1:8080/v1 my-model`

#![allow(clippy::indexing_slicing, reason = "a member of JSON that is not there is null")]

use std::io::Write;
use std::sync::Arc;

use serde_json::{Value, json};
use turnkeep::model::Json;
use turnkeep::tool::{Tool, ToolDefinition, ToolHandler, ToolInvocation};
use turnkeep::{Engine, EngineOptions, TurnRequest};

struct Weather;

#[async_trait::async_trait]
impl ToolHandler for Weather {
    async fn call(&self, call: ToolInvocation) -> Result<Json, String> {
        let input: Value = call.input.read().map_err(|error| error.to_string())?;
        Json::from_value(&json!({"city": input["city"], "sky": "clear", "tempC": 21}))
            .map_err(|error| error.to_string())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [database, base_url, model] = arguments.as_slice() else { return Err("turn DATABASE BASE_URL MODEL".into()) };
    let provider = json!({"driver": "openai-compatible", "model": model, "baseUrl": base_url});
    let options = json!({"store": format!("sqlite:{database}"), "providers": {"default": provider}});
    let engine = Engine::open(EngineOptions::from_json(&options.to_string())?).await?;

    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let definition = ToolDefinition {
        description: "Tells the weather in a city".to_owned(),
        input_schema: Json::from_value(&schema)?,
        read_only: true,
        ..ToolDefinition::new("weather")
    };
    let request = json!({"workspaceId": "w1", "userId": "u1", "message": "How is the weather in Oslo?"});
    let request = TurnRequest::from_json(&request.to_string())?;
    let turn = engine.start_turn(request, vec![Tool { definition, handler: Arc::new(Weather) }]).await?;

    let mut chunks = turn.chunks();
    loop {
        let batch = chunks.next_batch(64).await;
        if batch.is_empty() {
            break;
        }
        for chunk in batch {
            let chunk: Value = serde_json::from_str(&chunk)?;
            match chunk["type"].as_str() {
                Some("text-delta") => print!("{}", chunk["delta"].as_str().unwrap_or_default()),
                Some("tool-output-available") => println!("[weather: {}]", chunk["output"]),
                _ => {}
            }
            std::io::stdout().flush()?;
        }
    }
    let outcome = turn.done().await?;
    println!("\n{} after {} steps", outcome.status.as_str(), outcome.step_count);
    engine.close(None).await?;
    Ok(())
}
