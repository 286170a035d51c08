//! The tools that a server lists, made fit for a model.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::model::Json;
use crate::tool::{Tool, ToolDefinition, ToolHandler, ToolInvocation, ToolSet};

use super::words;

/// How many tools of a server are taken.
pub(super) const MOST_TOOLS: usize = 256;
/// How long a description may be, in UTF-16 units.
const DESCRIPTION_UNITS: usize = 4_000;
/// How long a schema may be, in bytes.
const SCHEMA_BYTES: usize = 64 * 1024;
/// How long a name may be, in bytes, as the server writes it.
const NAME_BYTES: usize = 512;
/// How long an argument in a header may be, in bytes.
const HEADER_BYTES: usize = 4 * 1024;

/// A tool of a server's.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ListedTool {
    /// As the server calls it.
    pub(crate) name: String,
    /// What it says that it does.
    pub(crate) description: String,
    /// The schema of its input.
    pub(crate) schema: Json,
    /// Arguments that the server wants to see in headers, too: the way to each, and the name.
    headers: Vec<(Vec<String>, String)>,
}

/// The tools of a page of the list, and why others of it are left out.
pub(super) fn read_page(result: &Value, tools: &mut Vec<ListedTool>, left_out: &mut Vec<String>) {
    for listed in result["tools"].as_array().into_iter().flatten() {
        if tools.len() == MOST_TOOLS {
            left_out.push(format!("it lists more than {MOST_TOOLS} tools"));
            return;
        }
        match read(listed) {
            Ok(tool) => tools.push(tool),
            Err((name, problem)) => left_out.push(format!("tool {name}: {problem}")),
        }
    }
}

fn read(listed: &Value) -> Result<ListedTool, (String, &'static str)> {
    let name = listed["name"].as_str().unwrap_or_default();
    let no = |problem| (words::line(name, 64), problem);
    if name.is_empty() || name.len() > NAME_BYTES {
        return Err(no("its name is empty or too long"));
    }
    let schema = &listed["inputSchema"];
    if refers_elsewhere(schema) {
        return Err(no("its schema refers to other documents"));
    }
    let headers = headers_in(schema).ok_or_else(|| no("its schema names headers that cannot be"))?;
    let schema = match schema {
        Value::Null => Json::empty_object(),
        other => Json::from_value(other).map_err(|_| no("its schema cannot be read"))?,
    };
    if schema.get().len() > SCHEMA_BYTES {
        return Err(no("its schema is too long"));
    }
    if !is_usable(&schema) {
        return Err(no("its schema is not valid"));
    }
    let description = listed["description"].as_str().or_else(|| listed["title"].as_str()).unwrap_or_default();
    let description = words::lines(description, DESCRIPTION_UNITS);
    Ok(ListedTool { name: name.to_owned(), description, schema, headers })
}

/// Whether some reference leads out of the schema. Nobody fetches it; but then nobody could check an input either.
fn refers_elsewhere(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => members.iter().any(|(name, value)| match (name.as_str(), value) {
            ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(place)) => !place.starts_with('#'),
            _ => refers_elsewhere(value),
        }),
        Value::Array(items) => items.iter().any(refers_elsewhere),
        _ => false,
    }
}

/// Whether a turn's tools would take it.
fn is_usable(schema: &Json) -> bool {
    struct Nobody;

    #[async_trait]
    impl ToolHandler for Nobody {
        async fn call(&self, _: ToolInvocation) -> Result<Json, String> {
            Err(String::new())
        }
    }

    let definition = ToolDefinition { input_schema: schema.clone(), ..ToolDefinition::new("tool") };
    ToolSet::new(vec![Tool { definition, handler: Arc::new(Nobody) }], Duration::MAX).is_ok()
}

/// The members that a schema marks with `x-mcp-header`; nothing when one of the marks cannot be followed.
fn headers_in(schema: &Value) -> Option<Vec<(Vec<String>, String)>> {
    let (mut found, mut names) = (Vec::new(), HashSet::new());
    gather_headers(schema, &mut Vec::new(), &mut found)?;
    found.iter().all(|(_, name): &(_, String)| names.insert(name.to_ascii_lowercase())).then_some(found)
}

fn gather_headers(schema: &Value, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, String)>) -> Option<()> {
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        path.push(name.clone());
        if let Some(header) = member.get("x-mcp-header") {
            let header = header.as_str().filter(|header| is_token(header))?;
            matches!(member["type"].as_str(), Some("string" | "integer" | "boolean")).then_some(())?;
            found.push((path.clone(), header.to_owned()));
        }
        gather_headers(member, path, found)?;
        path.pop();
    }
    Some(())
}

fn is_token(text: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.len() <= 64 && text.bytes().all(is_token)
}

impl ListedTool {
    /// The headers that go with a call with these arguments.
    pub(super) fn headers(&self, arguments: &Value) -> Vec<(String, String)> {
        let header = |(path, name): &(Vec<String>, String)| {
            let value = match path.iter().try_fold(arguments, |value, member| value.get(member))? {
                Value::String(text) => text.clone(),
                value @ (Value::Bool(_) | Value::Number(_)) => value.to_string(),
                _ => return None,
            };
            (value.len() <= HEADER_BYTES).then(|| (format!("Mcp-Param-{name}"), as_header(&value)))
        };
        self.headers.iter().filter_map(header).collect()
    }
}

/// Text as a header's value; in base64 where a header would not keep it.
pub(super) fn as_header(text: &str) -> String {
    let stays = text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
        && text.trim_matches([' ', '\t']) == text
        && !(text.starts_with("=?base64?") && text.ends_with("?="));
    if stays { text.to_owned() } else { format!("=?base64?{}?=", STANDARD.encode(text)) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn listed(tools: Value) -> (Vec<ListedTool>, Vec<String>) {
        let (mut found, mut left_out) = (Vec::new(), Vec::new());
        read_page(&json!({"tools": tools}), &mut found, &mut left_out);
        (found, left_out)
    }

    #[test]
    fn a_tool_whose_schema_leads_elsewhere_is_left_out() {
        for place in ["https://evil.example/schema.json", "file:///etc/passwd", "other.json", "//evil.example/x", ""] {
            for schema in [
                json!({"$ref": place}),
                json!({"type": "object", "properties": {"a": {"items": [{"$dynamicRef": place}]}}}),
            ] {
                let (tools, left_out) = listed(json!([{"name": "a", "inputSchema": schema}, {"name": "b"}]));
                assert_eq!(tools.len(), 1, "{place}");
                assert_eq!(left_out, ["tool a: its schema refers to other documents"]);
            }
        }
        let own = json!({"type": "object", "properties": {"$ref": {"$ref": "#/$defs/a"}}, "$defs": {"a": {}}});
        assert_eq!(listed(json!([{"name": "a", "inputSchema": own}])).0.len(), 1);
    }

    #[test]
    fn what_cannot_be_used_is_left_out_and_the_rest_stays() {
        let long = "x".repeat(SCHEMA_BYTES);
        let (tools, left_out) = listed(json!([
            {"name": "a", "inputSchema": {"type": "nonsense"}},
            {"name": "", "inputSchema": {}},
            {"name": "b\u{7}\nc", "inputSchema": []},
            {"name": "d", "inputSchema": {"description": long}},
            {"name": "e", "inputSchema": {"properties": {"p": {"type": "string", "x-mcp-header": "a b"}}}},
            5,
            {"name": "good", "description": "Does\u{1b}[2J it.\nWell.\u{202e}"},
        ]));
        assert_eq!(left_out.len(), 6, "{left_out:?}");
        assert!(left_out[2].starts_with("tool b c:"), "{left_out:?}");
        assert_eq!((tools.len(), tools[0].description.as_str()), (1, "Does[2J it.\nWell."));
    }

    #[test]
    fn there_is_an_end_to_lists() {
        let many: Vec<Value> = (0..MOST_TOOLS + 50).map(|n| json!({"name": format!("t{n}")})).collect();
        let (tools, left_out) = listed(json!(many));
        assert_eq!((tools.len(), left_out.len()), (MOST_TOOLS, 1));
    }

    #[test]
    fn marked_arguments_go_into_headers() {
        let schema = json!({"type": "object", "properties": {
            "tenant": {"type": "string", "x-mcp-header": "Tenant"},
            "deep": {"type": "object", "properties": {"n": {"type": "integer", "x-mcp-header": "N"}}},
        }});
        let (tools, _) = listed(json!([{"name": "a", "inputSchema": schema}]));
        let headers = tools[0].headers(&json!({"tenant": "é\r\nX: y", "deep": {"n": 5}}));
        let encoded = format!("=?base64?{}?=", STANDARD.encode("é\r\nX: y"));
        assert_eq!(headers, [("Mcp-Param-Tenant".into(), encoded), ("Mcp-Param-N".into(), "5".into())]);
        assert!(tools[0].headers(&json!({"tenant": [1]})).is_empty());
    }
}
