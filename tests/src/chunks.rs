//! Events of a chat completions stream, as a provider would write them.

use serde_json::{Value, json};

/// One `data:` event.
pub fn event(payload: &Value) -> String {
    format!("data: {payload}\n\n")
}

fn choice(delta: &Value, finish_reason: Option<&str>) -> String {
    event(&json!({
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "test-model",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    }))
}

/// A piece of the answer.
pub fn text(content: &str) -> String {
    choice(&json!({"content": content}), None)
}

/// A piece of the reasoning.
pub fn reasoning(content: &str) -> String {
    choice(&json!({"reasoning_content": content}), None)
}

/// A whole tool call.
pub fn tool_call(index: u32, id: &str, name: &str, arguments: &str) -> String {
    let call =
        json!({"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    choice(&json!({"tool_calls": [call]}), None)
}

/// The end, with usage and the terminator.
pub fn finish(reason: &str, input_tokens: u64, output_tokens: u64) -> Vec<String> {
    let total = input_tokens + output_tokens;
    let usage = json!({"prompt_tokens": input_tokens, "completion_tokens": output_tokens, "total_tokens": total});
    vec![
        choice(&json!({}), Some(reason)),
        event(&json!({"id": "chatcmpl-1", "choices": [], "usage": usage})),
        "data: [DONE]\n\n".to_owned(),
    ]
}
