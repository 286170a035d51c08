//! Engines, requests and tools for the tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use turnkeep::model::Json;
use turnkeep::tool::{Tool, ToolHandler, ToolInvocation};
use turnkeep::{Engine, EngineOptions, Turn, TurnRequest, Who};
use turnkeep_test_postgres::Cluster;

use crate::chunks::{finish, text, tool_call};
use crate::{Response, Script};

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

/// How many steps [`six_steps`] takes.
pub const STEPS: usize = 6;

/// Five steps with a call of `weather` or `time` each and a last one with the answer, with a pause after each chunk; for
/// any number of turns.
pub fn six_steps(chunk_delay_ms: u64) -> Script {
    let answer = |number: usize| {
        let mut chunks = vec![text(&format!("step {number} ")), text("and on ")];
        if number + 1 < STEPS {
            // One of the two tools only reads, the other has its calls put on disk first.
            let (name, arguments) =
                if number.is_multiple_of(2) { ("weather", r#"{"city":"Oslo"}"#) } else { ("time", "{}") };
            chunks.push(tool_call(0, &format!("call_{number}"), name, arguments));
            chunks.extend(finish("tool_calls", 10, 5));
        } else {
            chunks.extend(finish("stop", 10, 5));
        }
        Response { chunk_delay_ms, ..Response::stream(chunks) }
    };
    Script { responses: (0..STEPS).map(answer).collect(), repeat: false, by_step: true }
}

/// Whether every call of a request's messages is answered by the tool messages right after it.
pub fn is_paired(messages: &Value) -> bool {
    let messages = messages.as_array().expect("messages");
    messages.iter().enumerate().all(|(place, message)| {
        let calls = message["tool_calls"].as_array().map(Vec::as_slice).unwrap_or_default();
        let answers = &messages[place + 1..];
        calls.iter().enumerate().all(|(index, call)| {
            answers.get(index).is_some_and(|answer| answer["role"] == "tool" && answer["tool_call_id"] == call["id"])
        })
    })
}

/// Options for an engine on `store` that talks to `base_url`; `more` is merged in. Most tests look at what becomes of one
/// answer, so that none is asked for again unless they say so.
pub fn options(store: &str, base_url: &str, more: Value) -> EngineOptions {
    let mut options = json!({
        "store": store,
        "providers": {"default": {"driver": "openai-compatible", "model": "test-model", "baseUrl": base_url, "apiKey": "test-key-0123456789"}},
        "http": {"allowPrivate": ["127.0.0.1"]},
        "runs": {"stepRetries": 0},
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        match (key.as_str(), value.as_object()) {
            // Settings of these tests lead to servers of these tests, whatever else they say.
            ("http" | "runs", Some(some)) => some.iter().for_each(|(name, value)| options[key][name] = value.clone()),
            _ => options[key] = value.clone(),
        }
    }
    EngineOptions::from_json(&options.to_string()).expect("valid options")
}

/// Whether the tests are to run on PostgreSQL: `TURNKEEP_TEST_STORE=postgres`. Otherwise they run on SQLite.
pub fn on_postgres() -> bool {
    match std::env::var("TURNKEEP_TEST_STORE").as_deref() {
        Err(_) | Ok("sqlite" | "") => false,
        Ok("postgres") => true,
        Ok(other) => panic!("TURNKEEP_TEST_STORE is {other}, which is no store"),
    }
}

/// The URL of the database that belongs to `folder`: a file in it, or a database of PostgreSQL's that stands for one.
pub fn store_in(folder: &Path) -> String {
    static DATABASES: Mutex<BTreeMap<PathBuf, String>> = Mutex::new(BTreeMap::new());
    if !on_postgres() {
        return format!("sqlite:{}", folder.join("chats.db").display());
    }
    let mut databases = DATABASES.lock().expect("no panic");
    databases.entry(folder.to_owned()).or_insert_with(|| Cluster::shared().database()).clone()
}

/// What a statement in the database of `folder` returns: rows in lines, columns separated by `|`.
pub fn sql(folder: &Path, statement: &str) -> String {
    let store = store_in(folder);
    let Some(path) = store.strip_prefix("sqlite:") else { return turnkeep_test_postgres::query(&store, statement) };
    let database = rusqlite::Connection::open(path).expect("a database");
    let mut statement = database.prepare(statement).expect("a statement");
    let columns = statement.column_count();
    let line = |row: &rusqlite::Row<'_>| -> rusqlite::Result<String> {
        let values = (0..columns).map(|column| row.get::<_, rusqlite::types::Value>(column));
        let texts = values.map(|value| {
            Ok(match value? {
                rusqlite::types::Value::Text(text) => text,
                rusqlite::types::Value::Integer(number) => number.to_string(),
                _ => String::new(),
            })
        });
        Ok(texts.collect::<rusqlite::Result<Vec<String>>>()?.join("|"))
    };
    if columns == 0 {
        statement.execute([]).expect("a change");
        return String::new();
    }
    let lines = statement.query_map([], line).and_then(Iterator::collect::<rusqlite::Result<Vec<String>>>);
    lines.expect("rows").join("\n")
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
