//! Steps of loops of the AI SDK: everything that they hold is in the row, or they are refused with its place.

use serde_json::{Value, json};
use turnkeep::functions::call;

use crate::budget::within;
use crate::input::{Input, is_json};

/// Entries of content that can be kept, as far as that can be told from one alone.
fn entry(input: &mut Input<'_>) -> Value {
    let id = format!("c{}", input.below(3));
    let call = json!({"toolCallId": id, "toolName": "t", "input": {"a": 1}});
    let approval = format!("a{id}");
    match input.below(14) {
        0 => json!({"type": "text", "text": input.text(), "citations": [{"n": 1}]}),
        1 => json!({"type": "reasoning", "text": input.text(), "providerMetadata": {"p": {"n": 1}}}),
        2 => json!({"type": "custom", "kind": "p.word", "providerMetadata": {"p": {"t": input.text()}}}),
        3 => json!({"type": "reasoning-file", "file": {"mediaType": "a/b", "base64": "AA=="}}),
        4 => json!({"type": "file", "file": {"mediaType": "a/b", "base64": "AA=="}}),
        5 => json!({"type": "source", "sourceType": "url", "id": "s", "url": input.text()}),
        6 => json!({"type": "source", "sourceType": "document", "id": "s", "mediaType": "a/b", "title": input.text()}),
        7 => json!({"type": "tool-result", "toolCallId": id, "toolName": "t", "input": {}, "output": input.text()}),
        8 => json!({"type": "tool-error", "toolCallId": id, "toolName": "t", "input": {}, "error": input.text()}),
        9 => json!({"type": "tool-approval-request", "approvalId": approval, "toolCall": call}),
        10 => {
            let approved = input.chance(2);
            json!({"type": "tool-approval-response", "approvalId": approval, "toolCall": call, "approved": approved})
        }
        // What nobody knows, and what is not there.
        11 if input.chance(4) => json!({"type": input.text()}),
        _ => {
            let mut call = call;
            call["type"] = json!("tool-call");
            call["providerExecuted"] = json!(input.chance(3));
            call
        }
    }
}

/// The row has a part for each entry of its own, and one for each call; messages have only what their clients take.
pub fn loops(data: &[u8]) {
    let mut input = Input::new(data);
    let mut steps = Vec::new();
    for _ in 0..=input.below(3) {
        let content: Vec<Value> = (0..input.below(9)).map(|_| entry(&mut input)).collect();
        let mut step = json!({ "content": content });
        if input.chance(3) {
            step["experimental_steeringMessages"] = json!([{"role": "user", "content": input.text()}]);
        }
        steps.push(step);
    }
    let arguments = json!({"steps": steps, "inProgressText": "", "status": "completed"}).to_string();
    let row = match within("flushAssistant", arguments.len(), 8000, || call("flushAssistant", &arguments)) {
        Ok(row) => row.expect("there is a row"),
        Err(error) => {
            let field = error.details().get("field").and_then(Value::as_str).unwrap_or_default();
            assert!(field.starts_with("steps["), "{field}");
            return;
        }
    };
    let row: Value = serde_json::from_str(&row).expect("a row is JSON");
    let parts = row["metadata"]["parts"].as_array().expect("there is a list of parts");
    // Steps in which there is nothing have no boundaries.
    let is_empty = |step: &Value| step["content"] == json!([]) && step["experimental_steeringMessages"].is_null();
    let expected = if steps.iter().all(is_empty) { 0 } else { steps.iter().map(expected).sum() };
    assert_eq!(parts.len(), expected, "{steps:?} became {parts:?}");
    for part in parts.iter().filter(|part| part["toolCallId"].is_string()) {
        let (state, is_error) = (part["state"].as_str(), part["errorText"].is_string());
        assert_eq!(is_error, state == Some("output-error"), "{part}");
        assert_ne!(state, Some("input-available"), "{part}");
    }
    let stored = json!({"id": "m", "role": "assistant", "metadata": row["metadata"]});
    for (protocol, others) in [("ai-6", &["custom", "reasoning-file"][..]), ("ai-7", &["data-steering"])] {
        let arguments = json!({"row": stored, "protocol": protocol}).to_string();
        let message = call("rowToUiMessage", &arguments).expect("rows can be shown").expect("there is a message");
        assert!(is_json(&message));
        let message: Value = serde_json::from_str(&message).expect("a message is JSON");
        let told = message["parts"].as_array().expect("there is a list of parts");
        assert_eq!(told.len(), parts.len());
        for part in told {
            assert!(!others.contains(&part["type"].as_str().expect("a part has a type")), "{part}");
        }
    }
}

/// How many parts a step has: its beginning, what is a part of its own, and a part for each call, however many entries tell
/// of it.
fn expected(step: &Value) -> usize {
    let content = step["content"].as_array().expect("there is content");
    let (mut own, mut calls) = (0, std::collections::BTreeMap::<&str, usize>::new());
    for entry in content {
        let kind = entry["type"].as_str().unwrap_or_default();
        let id = entry["toolCallId"].as_str().or(entry["toolCall"]["toolCallId"].as_str());
        match (kind, id) {
            // A call that is made twice is told twice.
            ("tool-call", Some(id)) => *calls.entry(id).or_default() += 1,
            (_, Some(id)) => drop(calls.entry(id).or_insert(1)),
            (_, None) => own += 1,
        }
    }
    let steering = usize::from(step["experimental_steeringMessages"].is_array());
    own + calls.values().sum::<usize>() + steering + 1
}
