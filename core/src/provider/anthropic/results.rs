//! Calls and results of tools that run at Anthropic: from the wire to parts, and back.

use serde_json::{Map, Value, json};

use crate::model::Json;
use crate::project::{ToolOutput, ToolResult};
use crate::provider::wire::{Object, ProviderOptions, text_in};

use super::{NAME, camel_case, renamed, snake_case};

/// How the names of the API's own tools begin their ids.
const SERVER_ID: &str = "srvtoolu_";
const MCP_ID: &str = "mcptoolu_";

/// The kinds of code execution that have an own name on the wire; here they are one tool, and the input's type tells.
const CODE_KINDS: &[&str] = &["bash_code_execution", "text_editor_code_execution"];
/// The type of the input of calls that run code which may call tools.
const PROGRAMMATIC: &str = "programmatic-tool-call";

/// The tool of a call at Anthropic, and what its input has to begin with.
pub(super) fn tool_of(wire_name: &str) -> (&str, Option<&str>) {
    match wire_name {
        "code_execution" => ("code_execution", Some(PROGRAMMATIC)),
        kind if CODE_KINDS.contains(&kind) => ("code_execution", Some(kind)),
        name => (name, None),
    }
}

/// The tool that results of this type are of, its output, and whether it failed; nothing for a type that is not known.
pub(super) fn result_of(kind: &str, content: Value, known_name: Option<&str>) -> Option<(String, Value, bool)> {
    let is_error = content.get("type").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("_error"));
    let camel = |content: Value| renamed(content, camel_case);
    let (name, output) = match kind {
        "web_search_tool_result" => ("web_search", if is_error { error(&content) } else { search_results(content) }),
        "web_fetch_tool_result" => ("web_fetch", if is_error { error(&content) } else { camel(content) }),
        "code_execution_tool_result" if is_error => ("code_execution", error(&content)),
        "code_execution_tool_result" | "bash_code_execution_tool_result" | "text_editor_code_execution_tool_result" => {
            ("code_execution", content)
        }
        "tool_search_tool_result" => {
            let references = content.get("tool_references").cloned();
            let output = if is_error { error(&content) } else { camel(references.unwrap_or_else(|| json!([]))) };
            (known_name.unwrap_or("tool_search_tool_regex"), output)
        }
        "advisor_tool_result" => ("advisor", camel(content)),
        "mcp_tool_result" => (known_name.unwrap_or("mcp"), content),
        _ => return None,
    };
    Some((name.to_owned(), output, is_error))
}

fn error(content: &Value) -> Value {
    let mut error = Map::new();
    error.extend(content.get("type").map(|kind| ("type".to_owned(), kind.clone())));
    error.extend(content.get("error_code").map(|code| ("errorCode".to_owned(), code.clone())));
    Value::Object(error)
}

fn search_results(content: Value) -> Value {
    let Value::Array(results) = content else { return content };
    let results = results.into_iter().map(|result| {
        let member = |name: &str| result.get(name).cloned().unwrap_or_default();
        json!({
            "url": member("url"),
            "title": member("title"),
            "pageAge": member("page_age"),
            "encryptedContent": member("encrypted_content"),
            "type": member("type"),
        })
    });
    results.collect()
}

/// A call as it goes back; those of other providers are not sent.
pub(super) fn server_call<'a>(
    id: &'a str,
    name: &'a str,
    input: &'a Json,
    metadata: Option<&Json>,
) -> Option<Object<'a>> {
    if text_in(metadata, &[NAME], "type").as_deref() == Some("mcp-tool-use") {
        let server = text_in(metadata, &[NAME], "serverName")?;
        let call = Object::new().with("type", "mcp_tool_use").with("id", id).with("name", name);
        return Some(call.with("input", input).with("server_name", server));
    }
    if !id.starts_with(SERVER_ID) && !id.starts_with(MCP_ID) {
        return None;
    }
    let caller = ProviderOptions::in_json(metadata, &[NAME])
        .take("caller")
        .filter(|caller| caller.get("toolId").is_some())
        .map(|caller| renamed(caller, snake_case));
    let call = Object::new().with("type", "server_tool_use").with("id", id);
    let kind = input.read::<Value>().ok()?.get("type").and_then(Value::as_str).map(str::to_owned);
    let is_code = name == "code_execution";
    let call = match kind.as_deref().filter(|_| is_code) {
        Some(kind) if CODE_KINDS.contains(&kind) => {
            call.with("name", kind.to_owned()).with("input", without_type(input))
        }
        Some(PROGRAMMATIC) => call.with("name", name).with("input", without_type(input)),
        _ => call.with("name", name).with("input", input),
    };
    Some(call.with_some("caller", caller))
}

fn without_type(input: &Json) -> Value {
    let mut input: Map<String, Value> = input.read().unwrap_or_default();
    input.shift_remove("type");
    Value::Object(input)
}

/// A result as it goes back with its call; nothing for one that the API would not take.
pub(super) fn server_result(result: &ToolResult, is_mcp: bool) -> Option<Object<'_>> {
    let (output, failed) = match &result.output {
        ToolOutput::Json(output) => (output.read::<Value>().ok()?, false),
        // Made of the host's outcomes only.
        ToolOutput::Content(_) => return None,
        ToolOutput::Error(text) => (serde_json::from_str::<Value>(text).unwrap_or_default(), true),
    };
    let sent = |kind: &'static str, content: Value| {
        Some(Object::new().with("type", kind).with("tool_use_id", result.call_id.as_str()).with("content", content))
    };
    if is_mcp {
        let object = Object::new().with("type", "mcp_tool_result").with("tool_use_id", result.call_id.as_str());
        return Some(object.with("is_error", failed).with("content", output));
    }
    let kind = output.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let wire = renamed(output, snake_case);
    match result.name.as_str() {
        "web_search" if failed => sent("web_search_tool_result", api_error("web_search_tool_result_error", &wire)),
        "web_search" => wire.is_array().then(|| sent("web_search_tool_result", wire)).flatten(),
        "web_fetch" if failed => sent("web_fetch_tool_result", api_error("web_fetch_tool_result_error", &wire)),
        "web_fetch" => sent("web_fetch_tool_result", wire),
        "code_execution" if kind.starts_with("bash_") => sent("bash_code_execution_tool_result", wire),
        "code_execution" if kind.starts_with("text_editor_") => sent("text_editor_code_execution_tool_result", wire),
        "code_execution" if failed => {
            sent("code_execution_tool_result", api_error("code_execution_tool_result_error", &wire))
        }
        "code_execution" => {
            let mut wire = wire;
            if let Value::Object(map) = &mut wire {
                map.entry("content").or_insert_with(|| json!([]));
            }
            wire.is_object().then(|| sent("code_execution_tool_result", wire)).flatten()
        }
        "advisor" => kind.starts_with("advisor_").then(|| sent("advisor_tool_result", wire)).flatten(),
        name if name.starts_with("tool_search") => {
            let content = json!({"type": "tool_search_tool_search_result", "tool_references": wire});
            sent("tool_search_tool_result", content)
        }
        _ => None,
    }
}

fn api_error(kind: &str, wire: &Value) -> Value {
    let code = wire.get("error_code").cloned().unwrap_or_else(|| json!("unavailable"));
    json!({"type": kind, "error_code": code})
}
