//! One answer in the shape of each driver's provider: text, then calls.

use serde_json::{Value, json};

use crate::Response;
use crate::chunks::{event, finish, text, tool_call};

/// The names of the drivers.
pub const DRIVERS: [&str; 5] = ["openai", "openai-compatible", "gemini", "anthropic", "ollama"];

/// The bytes of an answer that says this and calls these tools: `(id, name, arguments)`. Providers that give calls no ids leave
/// them out.
pub fn answer(driver: &str, says: &str, calls: &[(&str, &str, Value)]) -> Vec<String> {
    match driver {
        "gemini" => {
            let parts =
                calls.iter().map(|(_, name, arguments)| json!({"functionCall": {"name": name, "args": arguments}}));
            let said = (!says.is_empty()).then(|| json!({"text": says}));
            let parts: Vec<Value> = said.into_iter().chain(parts).collect();
            let candidate = json!({"content": {"role": "model", "parts": parts}, "finishReason": "STOP"});
            vec![event(&json!({"candidates": [candidate]}))]
        }
        "ollama" => {
            let line = |value: Value| format!("{value}\n");
            let calls: Vec<Value> = calls
                .iter()
                .map(|(_, name, arguments)| json!({"function": {"name": name, "arguments": arguments}}))
                .collect();
            let mut message = json!({"role": "assistant", "content": says});
            if !calls.is_empty() {
                message["tool_calls"] = json!(calls);
            }
            let end = json!({"message": {"role": "assistant", "content": ""}, "done": true, "done_reason": "stop"});
            vec![line(json!({"message": message, "done": false})), line(end)]
        }
        "anthropic" => anthropic(says, calls),
        _ => {
            let said = (!says.is_empty()).then(|| text(says));
            let calls_of = calls
                .iter()
                .zip(0..)
                .map(|((id, name, arguments), index)| tool_call(index, id, name, &arguments.to_string()));
            let reason = if calls.is_empty() { "stop" } else { "tool_calls" };
            said.into_iter().chain(calls_of).chain(finish(reason, 1, 1)).collect()
        }
    }
}

fn anthropic(says: &str, calls: &[(&str, &str, Value)]) -> Vec<String> {
    let named = |kind: &str, mut value: Value| {
        value["type"] = json!(kind);
        format!("event: {kind}\ndata: {value}\n\n")
    };
    let block = |index: usize, block: Value, delta: Value| {
        [
            named("content_block_start", json!({"index": index, "content_block": block})),
            named("content_block_delta", json!({"index": index, "delta": delta})),
            named("content_block_stop", json!({"index": index})),
        ]
        .concat()
    };
    let usage = json!({"input_tokens": 1, "output_tokens": 1});
    let mut events = vec![named("message_start", json!({"message": {"id": "i", "model": "m", "usage": usage}}))];
    if !says.is_empty() {
        let delta = json!({"type": "text_delta", "text": says});
        events.push(block(0, json!({"type": "text", "text": ""}), delta));
    }
    for (place, (id, name, arguments)) in calls.iter().enumerate() {
        let delta = json!({"type": "input_json_delta", "partial_json": arguments.to_string()});
        events.push(block(place + 1, json!({"type": "tool_use", "id": id, "name": name, "input": {}}), delta));
    }
    let reason = if calls.is_empty() { "end_turn" } else { "tool_use" };
    events.push(named("message_delta", json!({"delta": {"stop_reason": reason}, "usage": {"output_tokens": 1}})));
    events.push(named("message_stop", json!({})));
    events
}

/// The same as a scripted provider gives it.
pub fn response(driver: &str, says: &str, calls: &[(&str, &str, Value)]) -> Response {
    let kind = if driver == "ollama" { "application/x-ndjson" } else { "text/event-stream" };
    Response::stream(answer(driver, says, calls)).header("content-type", kind)
}
