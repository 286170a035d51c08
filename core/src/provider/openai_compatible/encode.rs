//! The request body.

use serde::Serialize;

use crate::model::Json;
use crate::project::{AssistantPart, ModelMessage, ToolOutput, ToolResult, UserPart};
use crate::provider::{ChatRequest, ToolChoice};
use crate::tool::ToolDefinition;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<WireMessage<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WireTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<&'static str>,
    stream: bool,
    stream_options: StreamOptions,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "lowercase")]
enum WireMessage<'a> {
    System {
        content: &'a str,
    },
    User {
        content: UserContent<'a>,
    },
    Assistant {
        content: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reasoning_content: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<WireCall<'a>>,
    },
    Tool {
        tool_call_id: &'a str,
        content: String,
    },
}

#[derive(Serialize)]
#[serde(untagged)]
enum UserContent<'a> {
    Text(&'a str),
    Parts(Vec<WirePart<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum WirePart<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: ImageUrl<'a> },
}

#[derive(Serialize)]
struct ImageUrl<'a> {
    url: &'a str,
}

#[derive(Serialize)]
struct WireCall<'a> {
    id: &'a str,
    r#type: &'static str,
    function: WireFunctionCall<'a>,
}

#[derive(Serialize)]
struct WireFunctionCall<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Serialize)]
struct WireTool<'a> {
    r#type: &'static str,
    function: WireFunction<'a>,
}

#[derive(Serialize)]
struct WireFunction<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    parameters: &'a Json,
}

pub(super) fn body(model: &str, request: &ChatRequest) -> Vec<u8> {
    let mut messages = Vec::with_capacity(request.messages.len() + 1);
    if !request.system.is_empty() {
        messages.push(WireMessage::System { content: &request.system });
    }
    for message in &request.messages {
        match message {
            ModelMessage::User(parts) => messages.push(user(parts)),
            ModelMessage::Assistant(parts) => messages.push(assistant(parts)),
            ModelMessage::Tool(results) => messages.extend(results.iter().map(tool_result)),
        }
    }
    let tool_choice = match &request.tool_choice {
        _ if request.tools.is_empty() => None,
        ToolChoice::None => Some("none"),
        _ => Some("auto"),
    };
    let body = Body {
        model,
        messages,
        tools: request.tools.iter().map(tool).collect(),
        tool_choice,
        stream: true,
        stream_options: StreamOptions { include_usage: true },
    };
    // Plain data with text keys: there is nothing in it that could fail to serialize.
    serde_json::to_vec(&body).unwrap_or_default()
}

fn user(parts: &[UserPart]) -> WireMessage<'_> {
    let content = match parts {
        [UserPart::Text(text)] => UserContent::Text(text),
        parts => UserContent::Parts(
            parts
                .iter()
                .map(|part| match part {
                    UserPart::Text(text) => WirePart::Text { text },
                    UserPart::File { url, .. } => WirePart::ImageUrl { image_url: ImageUrl { url } },
                })
                .collect(),
        ),
    };
    WireMessage::User { content }
}

fn assistant(parts: &[AssistantPart]) -> WireMessage<'_> {
    let mut text = String::new();
    let mut reasoning = String::new();
    let mut tool_calls = Vec::new();
    for part in parts {
        match part {
            AssistantPart::Text(more) => text.push_str(more),
            AssistantPart::Reasoning(more) => reasoning.push_str(more),
            AssistantPart::ToolCall { call_id, name, input, .. } => tool_calls.push(WireCall {
                id: call_id,
                r#type: "function",
                function: WireFunctionCall { name, arguments: input.get() },
            }),
        }
    }
    let content = if text.is_empty() && !tool_calls.is_empty() { None } else { Some(text) };
    let reasoning_content = (!reasoning.is_empty()).then_some(reasoning);
    WireMessage::Assistant { content, reasoning_content, tool_calls }
}

fn tool_result(result: &ToolResult) -> WireMessage<'_> {
    let content = match &result.output {
        ToolOutput::Error(text) => text.clone(),
        ToolOutput::Json(json) => json.as_string().unwrap_or_else(|| json.get().to_owned()),
    };
    WireMessage::Tool { tool_call_id: &result.call_id, content }
}

fn tool(tool: &ToolDefinition) -> WireTool<'_> {
    WireTool {
        r#type: "function",
        function: WireFunction { name: &tool.name, description: &tool.description, parameters: &tool.input_schema },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_has_history_tools_and_usage() {
        let request = ChatRequest {
            system: "S".into(),
            messages: vec![
                ModelMessage::User(vec![UserPart::Text("hi".into())]),
                ModelMessage::Assistant(vec![
                    AssistantPart::Reasoning("hm".into()),
                    AssistantPart::ToolCall {
                        call_id: "c".into(),
                        name: "get".into(),
                        input: Json::parse(r#"{"a":1.0}"#).unwrap(),
                        metadata: None,
                    },
                ]),
                ModelMessage::Tool(vec![ToolResult {
                    call_id: "c".into(),
                    name: "get".into(),
                    output: ToolOutput::Json(Json::string("plain")),
                }]),
            ],
            tools: vec![ToolDefinition {
                name: "get".into(),
                description: "Gets".into(),
                input_schema: Json::parse(r#"{"type":"object"}"#).unwrap(),
                read_only: false,
                timeout_ms: None,
            }],
            tool_choice: ToolChoice::None,
            ..ChatRequest::default()
        };
        assert_eq!(
            String::from_utf8(body("m", &request)).unwrap(),
            concat!(
                r#"{"model":"m","messages":[{"role":"system","content":"S"},{"role":"user","content":"hi"},"#,
                r#"{"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{"id":"c","type":"function","function":{"name":"get","arguments":"{\"a\":1.0}"}}]},"#,
                r#"{"role":"tool","tool_call_id":"c","content":"plain"}],"#,
                r#""tools":[{"type":"function","function":{"name":"get","description":"Gets","parameters":{"type":"object"}}}],"tool_choice":"none","stream":true,"stream_options":{"include_usage":true}}"#
            )
        );
    }
}
