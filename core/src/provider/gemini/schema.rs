//! JSON Schema 7 in the form of OpenAPI 3 that Gemini takes. What that form has no word for is left out.

use serde_json::{Map, Value, json};

/// The schema for Gemini; nothing for an object without properties, which Gemini refuses.
pub(super) fn convert(schema: &Value) -> Option<Value> {
    let definitions = Definitions { root: schema, open: Vec::new() };
    definitions.convert(schema, true)
}

/// What references may point to, and those that are being followed.
#[derive(Clone)]
struct Definitions<'s> {
    root: &'s Value,
    open: Vec<&'s str>,
}

impl<'s> Definitions<'s> {
    fn convert(&self, schema: &'s Value, is_root: bool) -> Option<Value> {
        let map = match schema {
            Value::Object(map) => map,
            Value::Bool(_) => return Some(json!({"type": "boolean", "properties": {}})),
            _ => return None,
        };
        if let Some(Value::String(reference)) = map.get("$ref") {
            return Some(self.follow(reference, map));
        }
        if is_empty_object(map) {
            return (!is_root).then(|| described(map, json!({"type": "object"})));
        }
        let mut converted = Map::new();
        for key in ["description", "required", "format", "minLength"] {
            if let Some(value) = map.get(key) {
                converted.insert(key.to_owned(), value.clone());
            }
        }
        if let Some(value) = map.get("const") {
            converted.insert("enum".to_owned(), json!([value]));
        }
        convert_type(map.get("type"), &mut converted);
        if let Some(values) = map.get("enum") {
            converted.insert("enum".to_owned(), values.clone());
        }
        only_texts(&mut converted);
        if let Some(Value::Object(properties)) = map.get("properties") {
            let properties: Map<String, Value> = properties
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), self.convert(value, false)?)))
                .collect();
            converted.insert("properties".to_owned(), Value::Object(properties));
        }
        match map.get("items") {
            Some(Value::Array(items)) => {
                converted.insert("items".to_owned(), self.list(items));
            }
            Some(items) => {
                converted.extend(self.convert(items, false).map(|items| ("items".to_owned(), items)));
            }
            None => {}
        }
        for key in ["allOf", "oneOf"] {
            if let Some(Value::Array(schemas)) = map.get(key) {
                converted.insert(key.to_owned(), self.list(schemas));
            }
        }
        if let Some(Value::Array(schemas)) = map.get("anyOf") {
            self.any_of(schemas, &mut converted);
        }
        Some(Value::Object(converted))
    }

    fn list(&self, schemas: &'s [Value]) -> Value {
        schemas.iter().filter_map(|schema| self.convert(schema, false)).collect()
    }

    /// An alternative that is null becomes `nullable`.
    fn any_of(&self, schemas: &'s [Value], converted: &mut Map<String, Value>) {
        let is_null = |schema: &Value| schema.get("type").and_then(Value::as_str) == Some("null");
        let rest: Vec<Value> =
            schemas.iter().filter(|schema| !is_null(schema)).filter_map(|schema| self.convert(schema, false)).collect();
        if schemas.iter().any(is_null) {
            converted.insert("nullable".to_owned(), Value::Bool(true));
            if let [Value::Object(only)] = rest.as_slice() {
                converted.extend(only.clone());
                return;
            }
        }
        converted.insert("anyOf".to_owned(), Value::Array(rest));
    }

    /// The schema that a reference names, with what stands beside the reference. A reference that leads back to itself
    /// or nowhere stands for any object: the form has no references, and one odd tool must not cost the call.
    fn follow(&self, reference: &'s str, beside: &'s Map<String, Value>) -> Value {
        let place = reference.strip_prefix("#/$defs/").map(|name| ("$defs", name));
        let place = place.or_else(|| reference.strip_prefix("#/definitions/").map(|name| ("definitions", name)));
        let target = place.and_then(|(folder, name)| {
            let name = name.replace("~1", "/").replace("~0", "~");
            self.root.get(folder)?.get(&name)
        });
        let mut deeper = self.clone();
        deeper.open.push(reference);
        match target {
            Some(target) if !self.open.contains(&reference) => {
                described(beside, deeper.convert(target, false).unwrap_or_else(|| json!({"type": "object"})))
            }
            _ => described(beside, json!({"type": "object"})),
        }
    }
}

/// An `enum` may have texts only; other values are told in words.
fn only_texts(converted: &mut Map<String, Value>) {
    let Some(Value::Array(values)) = converted.get("enum") else { return };
    if values.iter().all(Value::is_string) && !values.is_empty() {
        return;
    }
    let words: Vec<String> = values.iter().map(Value::to_string).collect();
    converted.shift_remove("enum");
    if !words.is_empty() {
        let remark = format!("One of: {}.", words.join(", "));
        let description = match converted.get("description").and_then(Value::as_str) {
            Some(known) => format!("{known} {remark}"),
            None => remark,
        };
        converted.insert("description".to_owned(), description.into());
    }
}

fn is_empty_object(map: &Map<String, Value>) -> bool {
    let is_object = map.get("type").and_then(Value::as_str) == Some("object");
    let has_properties = map.get("properties").and_then(Value::as_object).is_some_and(|map| !map.is_empty());
    let is_open = map.get("additionalProperties").is_some_and(|more| !matches!(more, Value::Null | Value::Bool(false)));
    is_object && !has_properties && !is_open
}

fn described(from: &Map<String, Value>, mut schema: Value) -> Value {
    if let (Some(description), Value::Object(map)) = (from.get("description"), &mut schema) {
        map.insert("description".to_owned(), description.clone());
    }
    schema
}

fn convert_type(kind: Option<&Value>, converted: &mut Map<String, Value>) {
    match kind {
        Some(Value::Array(kinds)) => {
            let some: Vec<Value> =
                kinds.iter().filter(|kind| **kind != "null").map(|kind| json!({"type": kind})).collect();
            if some.is_empty() {
                converted.insert("type".to_owned(), json!("null"));
                return;
            }
            if some.len() < kinds.len() {
                converted.insert("nullable".to_owned(), Value::Bool(true));
            }
            converted.insert("anyOf".to_owned(), Value::Array(some));
        }
        Some(kind) => {
            converted.insert("type".to_owned(), kind.clone());
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_written_out_and_circles_end() {
        let schema = json!({
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/A", "description": "first"}, "b": {"$ref": "https://example.com/b"}},
            "$defs": {"A": {"type": "object", "properties": {"next": {"$ref": "#/$defs/A"}, "n": {"const": 1}}}},
        });
        assert_eq!(
            convert(&schema),
            Some(json!({
                "type": "object",
                "properties": {
                    "a": {
                        "type": "object",
                        "properties": {"next": {"type": "object"}, "n": {"description": "One of: 1."}},
                        "description": "first",
                    },
                    "b": {"type": "object"},
                },
            }))
        );
    }

    #[test]
    fn null_is_nullable() {
        let of = |schema: Value| convert(&json!({"type": "array", "items": schema})).unwrap()["items"].clone();
        assert_eq!(of(json!({"type": ["string", "null"]})), json!({"anyOf": [{"type": "string"}], "nullable": true}));
        let several = json!({"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "null"}]});
        assert_eq!(of(several), json!({"nullable": true, "anyOf": [{"type": "string"}, {"type": "number"}]}));
        assert_eq!(convert(&json!({"type": "object"})), None);
        assert_eq!(of(json!({"type": "object"})), json!({"type": "object"}));
    }
}
