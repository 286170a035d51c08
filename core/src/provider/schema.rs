//! The schemas of tools in a form that every service takes: an object that names its members, however it was written.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::model::Json;

/// The schema of a tool's input as it is sent. What the input must be is checked against the schema as it was written.
pub(super) fn of_input(schema: &Json) -> Cow<'_, Json> {
    let Ok(value) = schema.read::<Value>() else { return Cow::Borrowed(schema) };
    let fitted = object(&value, &value, 0);
    if fitted == value {
        return Cow::Borrowed(schema);
    }
    Json::from_value(&fitted).map_or(Cow::Borrowed(schema), Cow::Owned)
}

/// How deep alternatives of alternatives are followed.
const MAX_DEPTH: usize = 8;
/// Keywords that services refuse at the top of an input.
const NOT_AT_THE_TOP: [&str; 10] = ["anyOf", "oneOf", "allOf", "not", "if", "then", "else", "enum", "const", "$ref"];

/// The top of a schema: an object with `properties`, and alternatives put together into one.
fn object(schema: &Value, root: &Value, depth: usize) -> Value {
    let Value::Object(members) = schema else { return json!({"type": "object", "properties": {}}) };
    let mut top: Map<String, Value> = Map::new();
    let mut properties: Map<String, Value> = Map::new();
    let mut required: Option<Vec<Value>> = None;
    for (name, value) in members {
        match name.as_str() {
            "type" => {
                top.insert(name.clone(), "object".into());
            }
            "properties" => {
                // Keeps its place.
                top.insert(name.clone(), Value::Null);
                let own = value.as_object().into_iter().flatten();
                properties.extend(own.map(|(name, value)| (name.clone(), schema_within(value))));
            }
            "required" => {
                top.insert(name.clone(), Value::Null);
                required = value.as_array().cloned();
            }
            name if NOT_AT_THE_TOP.contains(&name) => {}
            _ => {
                top.insert(name.clone(), inner(value));
            }
        }
    }
    if depth < MAX_DEPTH {
        let reference =
            members.get("$ref").and_then(Value::as_str).and_then(|place| root.pointer(place.strip_prefix('#')?));
        let all = members.get("allOf").and_then(Value::as_array).into_iter().flatten().chain(reference);
        for part in all {
            let part = object(part, root, depth + 1);
            merge(part.get("properties"), &mut properties);
            let more = part.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
            let known = required.get_or_insert_default();
            known.extend(more);
        }
        for name in ["anyOf", "oneOf"] {
            let mut always: Option<Vec<Value>> = None;
            for part in members.get(name).and_then(Value::as_array).into_iter().flatten() {
                let part = object(part, root, depth + 1);
                merge(part.get("properties"), &mut properties);
                let needed = part.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
                always = Some(match always {
                    None => needed,
                    Some(known) => known.into_iter().filter(|name| needed.contains(name)).collect(),
                });
            }
            if let Some(always) = always.filter(|names| !names.is_empty()) {
                required.get_or_insert_default().extend(always);
            }
        }
    }
    if !top.contains_key("type") {
        let mut typed = Map::from_iter([("type".to_owned(), json!("object"))]);
        typed.extend(top);
        top = typed;
    }
    top.insert("properties".to_owned(), Value::Object(properties));
    if let Some(required) = required {
        let mut once: Vec<Value> = Vec::new();
        for name in required {
            if !once.contains(&name) {
                once.push(name);
            }
        }
        top.insert("required".to_owned(), Value::Array(once));
    }
    Value::Object(top)
}

/// Adds members; of two of one name, either may be given.
fn merge(more: Option<&Value>, properties: &mut Map<String, Value>) {
    for (name, value) in more.and_then(Value::as_object).into_iter().flatten() {
        match properties.get_mut(name) {
            Some(known) if known == value => {}
            Some(known) => match known.get_mut("anyOf").and_then(Value::as_array_mut) {
                Some(list) if !list.contains(value) => list.push(value.clone()),
                Some(_) => {}
                None => *known = json!({"anyOf": [known.clone(), value]}),
            },
            None => {
                properties.insert(name.clone(), value.clone());
            }
        }
    }
}

/// A schema within: what is no object becomes one, and lists say what is in them.
fn inner(schema: &Value) -> Value {
    let members = match schema {
        Value::Object(members) => members,
        Value::Array(list) => return Value::Array(list.iter().map(inner).collect()),
        value => return value.clone(),
    };
    let mut fitted: Map<String, Value> = Map::new();
    for (name, value) in members {
        let value = match (name.as_str(), value) {
            ("properties" | "patternProperties" | "$defs" | "definitions", Value::Object(map)) => {
                map.iter().map(|(name, value)| (name.clone(), schema_within(value))).collect()
            }
            ("items", Value::Array(list)) => json!({"anyOf": list.iter().map(schema_within).collect::<Vec<_>>()}),
            ("items" | "not", value) => schema_within(value),
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(list)) => {
                Value::Array(list.iter().map(schema_within).collect())
            }
            (_, value) => value.clone(),
        };
        fitted.insert(name.clone(), value);
    }
    let is_list = match fitted.get("type") {
        Some(Value::String(kind)) => kind == "array",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "array"),
        _ => false,
    };
    if is_list && !fitted.contains_key("items") && !fitted.contains_key("prefixItems") {
        fitted.insert("items".to_owned(), json!({}));
    }
    if fitted.get("type").and_then(Value::as_str) == Some("object") && !fitted.contains_key("properties") {
        let is_open = fitted.contains_key("additionalProperties") || fitted.contains_key("patternProperties");
        if !is_open {
            fitted.insert("properties".to_owned(), json!({}));
        }
    }
    Value::Object(fitted)
}

fn schema_within(schema: &Value) -> Value {
    match schema {
        Value::Bool(true) => json!({}),
        Value::Bool(false) => json!({"not": {}}),
        schema => inner(schema),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(schema: &str) -> Value {
        of_input(&Json::parse(schema).unwrap()).read().unwrap()
    }

    #[test]
    fn a_tool_without_members_says_that_it_has_none() {
        for schema in ["{}", r#"{"type":"object"}"#, r#"{"type":["object","null"]}"#, r#"{"properties":{}}"#] {
            assert_eq!(sent(schema), json!({"type": "object", "properties": {}}), "{schema}");
        }
        assert_eq!(
            sent(r#"{"type":"object","additionalProperties":false}"#),
            json!({"type": "object", "additionalProperties": false, "properties": {}})
        );
    }

    #[test]
    fn what_fits_goes_out_as_it_was_spelled() {
        let schema = r#"{"type":"object","properties":{"n":{"type":"number","minimum":1.0}},"required":["n"]}"#;
        assert!(matches!(of_input(&Json::parse(schema).unwrap()), Cow::Borrowed(_)));
    }

    #[test]
    fn alternatives_at_the_top_become_one_object() {
        let union = r##"{"$schema":"s","oneOf":[
            {"type":"object","properties":{"kind":{"const":"a"},"x":{"type":"string"}},"required":["kind","x"]},
            {"$ref":"#/$defs/b"}],"$defs":{"b":{"type":"object","properties":{"kind":{"const":"b"}},"required":["kind"]}}}"##;
        let sent = sent(union);
        assert_eq!(sent["type"], "object");
        assert_eq!(sent["properties"]["kind"], json!({"anyOf": [{"const": "a"}, {"const": "b"}]}));
        assert_eq!(sent["required"], json!(["kind"]));
        assert!(sent.get("oneOf").is_none());
    }

    #[test]
    fn what_is_no_schema_everywhere_is_written_as_one() {
        let odd = r#"{"type":"object","properties":{"any":true,"list":{"type":"array"},"pair":{"type":"array","items":[{"type":"string"},true]},"deep":{"type":"object"}}}"#;
        assert_eq!(
            sent(odd)["properties"],
            json!({
                "any": {},
                "list": {"type": "array", "items": {}},
                "pair": {"type": "array", "items": {"anyOf": [{"type": "string"}, {}]}},
                "deep": {"type": "object", "properties": {}},
            })
        );
    }

    #[test]
    fn a_circle_at_the_top_ends() {
        assert_eq!(sent(r##"{"allOf":[{"$ref":"#"}],"properties":{"a":{}}}"##)["properties"], json!({"a": {}}));
    }
}
