//! The recordings, and what of them turnkeep has a word for.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use turnkeep::model::Json;
use turnkeep::project::{AssistantPart, ModelMessage, ToolOutput, ToolResult, UserPart};
use turnkeep::provider::anthropic::Anthropic;
use turnkeep::provider::gemini::Gemini;
use turnkeep::provider::ollama::Ollama;
use turnkeep::provider::openai::OpenAi;
use turnkeep::provider::openai_compatible::OpenAiCompatible;
use turnkeep::provider::{CallOptions, ChatRequest, Driver, ToolChoice};

/// Every provider of the corpora. The last ones speak chat completions, each its own way.
pub(crate) const PROVIDERS: &[&str] = &[
    "openai",
    "openai-compatible",
    "google",
    "anthropic",
    "alibaba",
    "deepseek",
    "groq",
    "mistral",
    "moonshotai",
    "perplexity",
    "xai",
];

pub(crate) fn wire() -> PathBuf {
    std::env::var_os("TURNKEEP_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from)
        .join("wire")
}

pub(crate) fn lines(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(wire().join(file)).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("a case a line")).collect()
}

pub(crate) fn document(file: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file).expect("a file")).expect("a JSON file")
}

pub(crate) fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(wire().join(folder)).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    files.sort();
    files
}

/// The driver for a provider of the corpora, with the addresses that they were recorded with.
pub(crate) fn driver(provider: &str, model: &str) -> Box<dyn Driver> {
    match provider {
        "openai" => Box::new(OpenAi::new(None, model)),
        "google" => Box::new(Gemini::new(None, model)),
        "anthropic" => Box::new(Anthropic::new(None, model)),
        "ollama" => Box::new(Ollama::new(None, model)),
        "openai-compatible" => {
            Box::new(OpenAiCompatible::new("https://my.api.com/v1", model).with_name("test-provider"))
        }
        dialect => Box::new(OpenAiCompatible::new("https://my.api.com/v1", model).with_name(dialect)),
    }
}

/// The bytes of a streaming case; nothing for one that is not answered with 200.
pub(crate) fn response_bytes(response: &Value) -> Option<Vec<u8>> {
    match response["type"].as_str()? {
        "json" => Some(response["body"].to_string().into_bytes()),
        "stream" => {
            let mut bytes = String::new();
            match response["recorded"].as_str() {
                Some(file) => {
                    let text = std::fs::read_to_string(wire().join(file)).expect("a recording");
                    bytes = framed(text.lines(), response["done"] == true);
                }
                None => {
                    for chunk in response["chunks"].as_array()? {
                        bytes.push_str(chunk.as_str()?);
                    }
                }
            }
            Some(bytes.into_bytes())
        }
        _ => None,
    }
}

pub(crate) fn framed<'a>(lines: impl Iterator<Item = &'a str>, done: bool) -> String {
    let mut bytes = String::new();
    for line in lines.filter(|line| !line.is_empty()).chain(done.then_some("[DONE]")) {
        bytes.push_str(&format!("data: {line}\n\n"));
    }
    bytes
}

fn json_of(value: &Value) -> Json {
    Json::from_value(value).expect("plain data")
}

fn metadata(part: &Value) -> Option<Json> {
    part.get("providerOptions").filter(|options| !options.is_null()).map(json_of)
}

type Converted<T> = Result<T, &'static str>;

/// The call with these options, or what it has that turnkeep has no word for.
pub(crate) fn request(options: &Value) -> Converted<ChatRequest> {
    let mut request = conversation(options["prompt"].as_array().map_or(&[][..], Vec::as_slice))?;
    for tool in options["tools"].as_array().into_iter().flatten() {
        if tool["type"] != "function" {
            return Err("tools of the provider's own");
        }
        if ["providerOptions", "strict", "inputExamples"].iter().any(|key| tool.get(*key).is_some()) {
            return Err("settings of a single tool");
        }
        let definition = json!({
            "name": tool["name"],
            "description": tool.get("description").cloned().unwrap_or_else(|| json!("")),
            "inputSchema": tool["inputSchema"],
        });
        request.tools.push(serde_json::from_value(definition).expect("a definition"));
    }
    request.tool_choice = match options["toolChoice"]["type"].as_str() {
        Some("none") => ToolChoice::None,
        Some("required") => ToolChoice::Required,
        Some("tool") => ToolChoice::Tool(options["toolChoice"]["toolName"].as_str().expect("a name").to_owned()),
        _ => ToolChoice::Auto,
    };
    let mut known = Map::new();
    for key in [
        "maxOutputTokens",
        "temperature",
        "topP",
        "topK",
        "frequencyPenalty",
        "presencePenalty",
        "stopSequences",
        "seed",
        "providerOptions",
    ] {
        known.extend(options.get(key).map(|value| (key.to_owned(), value.clone())));
    }
    if options["responseFormat"]["type"] == "json" {
        let mut format = options["responseFormat"].as_object().expect("an object").clone();
        format.remove("type");
        known.insert("responseFormat".to_owned(), Value::Object(format));
    }
    request.options = serde_json::from_value::<CallOptions>(Value::Object(known)).expect("call options");
    Ok(request)
}

pub(crate) fn conversation(prompt: &[Value]) -> Converted<ChatRequest> {
    let mut request = ChatRequest::default();
    for (place, message) in prompt.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        if message.get("providerOptions").is_some() && (role != "system" || place > 0) {
            return Err("settings of a whole message");
        }
        let parts = message["content"].as_array().map_or(&[][..], Vec::as_slice);
        match role {
            "system" if place == 0 && message.get("providerOptions").is_none() => {
                request.system = message["content"].as_str().unwrap_or_default().to_owned();
            }
            "system" => return Err("more than one system prompt, or one with settings"),
            "user" => {
                request.messages.push(ModelMessage::User(parts.iter().map(user_part).collect::<Converted<_>>()?));
            }
            "assistant" => {
                let parts = parts.iter().map(assistant_part).collect::<Converted<_>>()?;
                request.messages.push(ModelMessage::Assistant(parts));
            }
            _ => {
                if parts.iter().any(|part| part.get("providerOptions").is_some()) {
                    return Err("settings of a tool's result");
                }
                let results = parts.iter().map(tool_result).collect::<Converted<_>>()?;
                request.messages.push(ModelMessage::Tool(results));
            }
        }
    }
    Ok(request)
}

fn user_part(part: &Value) -> Converted<UserPart> {
    if part["type"] == "text" {
        return Ok(UserPart::Text { text: text(&part["text"]), metadata: metadata(part) });
    }
    let (media_type, url) = file(part)?;
    let filename = part["filename"].as_str().map(str::to_owned);
    Ok(UserPart::File { media_type, url, filename, metadata: metadata(part) })
}

fn file(part: &Value) -> Converted<(String, String)> {
    let media_type = text(&part["mediaType"]);
    let url = match &part["data"] {
        Value::String(data) if data.starts_with("http") || data.starts_with("file-") => data.clone(),
        Value::String(data) => format!("data:{media_type};base64,{data}"),
        Value::Object(data) if data.contains_key("$url") => text(&data["$url"]),
        Value::Object(data) if data.contains_key("$bytes") => {
            format!("data:{media_type};base64,{}", text(&data["$bytes"]))
        }
        _ => return Err("a file in another form"),
    };
    Ok((media_type, url))
}

fn assistant_part(part: &Value) -> Converted<AssistantPart> {
    Ok(match part["type"].as_str().unwrap_or_default() {
        "text" => AssistantPart::Text { text: text(&part["text"]), metadata: metadata(part) },
        "reasoning" => AssistantPart::Reasoning { text: text(&part["text"]), metadata: metadata(part) },
        "file" => {
            let (media_type, url) = file(part)?;
            AssistantPart::File { media_type, url, is_thought: false, metadata: metadata(part) }
        }
        "tool-call" => {
            let input = match &part["input"] {
                Value::String(input) => serde_json::from_str(input).map_err(|_| "an input that is not JSON")?,
                Value::Null => json!({}),
                input => input.clone(),
            };
            AssistantPart::ToolCall {
                call_id: text(&part["toolCallId"]),
                name: text(&part["toolName"]),
                input: json_of(&input),
                // Gemini's server tools are told by their metadata in these cases.
                provider_executed: part["providerExecuted"] == true
                    || part["providerOptions"]["google"].get("serverToolCallId").is_some(),
                metadata: metadata(part),
            }
        }
        "tool-result" => AssistantPart::ToolResult { result: tool_result(part)?, metadata: metadata(part) },
        _ => return Err("another kind of part"),
    })
}

fn tool_result(part: &Value) -> Converted<ToolResult> {
    let output = &part["output"];
    if output.get("providerOptions").is_some() {
        return Err("settings of a tool's result");
    }
    let as_text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let output = match output["type"].as_str().unwrap_or_default() {
        "text" | "json" => ToolOutput::Json(json_of(&output["value"])),
        "error-text" | "error-json" => ToolOutput::Error(as_text(&output["value"])),
        _ => return Err("results in pieces, or denied"),
    };
    Ok(ToolResult { call_id: text(&part["toolCallId"]), name: text(&part["toolName"]), output })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
