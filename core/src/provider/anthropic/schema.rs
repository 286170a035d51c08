//! Schemas for answers: what the API has no keyword for becomes part of the description.

use serde_json::{Map, Value};

/// Keywords that the API refuses, and how a description says the same.
/// <https://docs.anthropic.com/en/docs/build-with-claude/structured-outputs>
const REFUSED: &[(&str, &str)] = &[
    ("minimum", "minimum"),
    ("maximum", "maximum"),
    ("exclusiveMinimum", "exclusive minimum"),
    ("exclusiveMaximum", "exclusive maximum"),
    ("multipleOf", "multiple of"),
    ("minLength", "min length"),
    ("maxLength", "max length"),
    ("pattern", "pattern"),
    ("minItems", "min items"),
    ("maxItems", "max items"),
    ("uniqueItems", "unique items"),
    ("minProperties", "min properties"),
    ("maxProperties", "max properties"),
];

/// The schema with nothing in it that the API refuses.
pub(super) fn sanitized(schema: Value) -> Value {
    let map = match schema {
        Value::Object(map) => map,
        Value::Array(list) => return Value::Array(list.into_iter().map(sanitized).collect()),
        value => return value,
    };
    let mut clean = Map::new();
    let mut remarks = Vec::new();
    for (key, value) in map {
        if let Some((_, words)) = REFUSED.iter().find(|(refused, _)| *refused == key) {
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            remarks.push(format!("{words}: {shown}"));
            continue;
        }
        let value = match (key.as_str(), value) {
            ("properties" | "$defs" | "definitions", Value::Object(members)) => {
                members.into_iter().map(|(name, member)| (name, sanitized(member))).collect()
            }
            ("items" | "anyOf" | "allOf" | "oneOf" | "not", value) => sanitized(value),
            (_, value) => value,
        };
        clean.insert(key, value);
    }
    if clean.get("type").and_then(Value::as_str) == Some("object") || clean.contains_key("properties") {
        clean.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    if !remarks.is_empty() {
        let remarks = format!("{}.", remarks.join("; "));
        let description = match clean.get("description").and_then(Value::as_str) {
            Some(known) => format!("{known}\n{remarks}"),
            None => remarks,
        };
        clean.insert("description".to_owned(), description.into());
    }
    Value::Object(clean)
}
