//! Shrinking large tool outputs for the message row.

use serde_json::{Map, Value, json};

use crate::model::Json;
use crate::text::{utf16_len, utf16_prefix};

/// Outputs whose JSON is at most this many bytes of UTF-8 are kept as they are.
const KEEP_WHOLE_BYTES: usize = 4000;
/// Strings longer than this many UTF-16 units are cut,
const LONG_STRING: usize = 600;
/// to this many.
const STRING_PREVIEW: usize = 500;
/// Elements of an array that are kept.
const ARRAY_LIMIT: usize = 50;
/// Objects at this depth are replaced by a note. Arrays have no limit of their own.
const DEPTH_LIMIT: usize = 8;

/// `compactToolOutput`: the value itself when it is small, else a copy with long strings, long arrays and deep objects
/// cut short, each with a note of what was left out. A value nested too deeply to be read (128 levels) becomes such a
/// note as a whole.
pub fn compact_tool_output(output: &Json) -> Json {
    if output.get().len() <= KEEP_WHOLE_BYTES {
        return output.clone();
    }
    let compacted = match output.read::<Value>() {
        Ok(value) => shrink(value, 0),
        Err(_) => omitted_nested(),
    };
    Json::from_value(&compacted).unwrap_or_else(|_| Json::null())
}

fn omitted_nested() -> Value {
    json!({"_truncated": true, "note": "nested content omitted"})
}

fn shrink(value: Value, depth: usize) -> Value {
    match value {
        Value::String(text) => {
            let units = utf16_len(&text);
            if units <= LONG_STRING {
                return Value::String(text);
            }
            let preview = utf16_prefix(&text, STRING_PREVIEW);
            Value::String(format!("{preview}…[truncated {} chars]", units - STRING_PREVIEW))
        }
        Value::Array(items) => {
            let omitted = items.len().saturating_sub(ARRAY_LIMIT);
            let mut kept: Vec<Value> =
                items.into_iter().take(ARRAY_LIMIT).map(|item| shrink(item, depth + 1)).collect();
            if omitted > 0 {
                kept.push(json!({"_truncated": true, "omittedItems": omitted}));
            }
            Value::Array(kept)
        }
        Value::Object(_) if depth >= DEPTH_LIMIT => omitted_nested(),
        Value::Object(fields) => Value::Object(in_js_order(fields, depth)),
        other => other,
    }
}

/// Keys in the order that a JavaScript object gives them: array indexes by value, then the rest as they came.
fn in_js_order(fields: Map<String, Value>, depth: usize) -> Map<String, Value> {
    let mut fields: Vec<(String, Value)> = fields.into_iter().collect();
    fields.sort_by_key(|(key, _)| array_index(key).unwrap_or(u64::MAX));
    fields.into_iter().map(|(key, value)| (key, shrink(value, depth + 1))).collect()
}

/// The number that `key` stands for when JavaScript takes it for an array index (0 to 2^32 - 2, no leading zeros).
fn array_index(key: &str) -> Option<u64> {
    let canonical = key == "0" || (!key.starts_with('0') && !key.is_empty());
    let digits = canonical && key.len() <= 10 && key.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| key.parse::<u64>().ok())?.filter(|index| *index < u64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compact(value: &Value) -> Value {
        compact_tool_output(&Json::from_value(value).unwrap()).read().unwrap()
    }

    #[test]
    fn small_outputs_are_not_touched() {
        let json = Json::parse(r#"{"2":1.0,"1":[1e2]}"#).unwrap();
        assert_eq!(compact_tool_output(&json).get(), json.get());
    }

    #[test]
    fn long_strings_arrays_and_deep_objects_are_cut() {
        let mut deep = json!({"leaf": true});
        for _ in 0..10 {
            deep = json!({ "in": deep });
        }
        let value = json!({"text": "😀".repeat(400), "list": (0..60).collect::<Vec<_>>(), "deep": deep, "pad": "x".repeat(4000)});
        let out = compact(&value);
        assert_eq!(out["text"], format!("{}…[truncated 300 chars]", "😀".repeat(250)));
        assert_eq!(out["list"].as_array().unwrap().len(), 51);
        assert_eq!(out["list"][50], json!({"_truncated": true, "omittedItems": 10}));
        assert!(out["deep"].to_string().ends_with(r#"{"_truncated":true,"note":"nested content omitted"}}}}}}}}"#));
    }

    #[test]
    fn rebuilt_objects_have_index_keys_first() {
        let value = json!({"b": "x".repeat(5000), "10": 1, "9": 2, "01": 3});
        let keys: Vec<String> = compact(&value).as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["9", "10", "b", "01"]);
    }

    #[test]
    fn hostile_depth_is_answered_with_a_note() {
        let text = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(compact_tool_output(&Json::parse(&text).unwrap()).get(), omitted_nested().to_string());
    }
}
