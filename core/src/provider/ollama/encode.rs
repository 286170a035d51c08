//! The request body.

use serde_json::{Value, json};

use crate::project::{AssistantPart, ModelMessage, ToolOutput, ToolResult, UserPart};
use crate::provider::chat_completions::tools;
use crate::provider::wire::{Node, Object, ProviderOptions, data_url, unsupported};
use crate::provider::{ChatRequest, ProviderFailure, ToolChoice};

pub(super) fn body<'a>(model: &'a str, request: &'a ChatRequest) -> Result<(Object<'a>, Vec<String>), ProviderFailure> {
    let mut own = ProviderOptions::of(&request.options, &["ollama"]);
    let mut warnings = Vec::new();
    let mut messages: Vec<Node<'_>> = Vec::with_capacity(request.messages.len() + 1);
    if !request.system.is_empty() {
        messages.push(Object::new().with("role", "system").with("content", request.system.as_str()).into());
    }
    for message in &request.messages {
        match message {
            ModelMessage::User(parts) => messages.push(user(parts)?.into()),
            ModelMessage::Assistant(parts) => messages.extend(assistant(parts).map(Node::from)),
            ModelMessage::Tool(results) => messages.extend(results.iter().map(|result| tool_result(result).into())),
        }
    }
    let mut body = Object::new().with("model", model).with("messages", messages);
    body.put("options", options(request, own.take("options")));
    if let Some(format) = &request.options.response_format {
        match &format.schema {
            Some(schema) => body.put("format", schema),
            None => body.put("format", "json"),
        }
    }
    match request.tool_choice {
        // The API has no word for it: a model that may call nothing must not know of any tool.
        ToolChoice::None => {}
        ToolChoice::Auto => body.put_some("tools", tools(&request.tools)),
        ToolChoice::Required | ToolChoice::Tool(_) => {
            warnings.push("the provider cannot be made to call a tool".to_owned());
            body.put_some("tools", tools(&request.tools));
        }
    }
    body.put("stream", true);
    body.put_some("think", own.take("think"));
    let keep_alive = own.take("keep_alive").or_else(|| own.take("keepAlive"));
    body.put_some("keep_alive", keep_alive);
    warnings.extend(own.into_rest().into_iter().map(|(name, _)| format!("the option {name} is not known")));
    Ok((body, warnings))
}

/// <https://docs.ollama.com/modelfile#valid-parameters-and-values>
fn options<'a>(request: &'a ChatRequest, own: Option<Value>) -> Object<'a> {
    let given = &request.options;
    let mut options = Object::new()
        .with_some("temperature", given.temperature.as_ref())
        .with_some("num_predict", given.max_output_tokens)
        .with_some("top_p", given.top_p.as_ref())
        .with_some("top_k", given.top_k.as_ref())
        .with_some("frequency_penalty", given.frequency_penalty.as_ref())
        .with_some("presence_penalty", given.presence_penalty.as_ref());
    if !given.stop_sequences.is_empty() {
        options.put("stop", json!(given.stop_sequences));
    }
    options.put_some("seed", given.seed.as_ref());
    if let Some(Value::Object(own)) = own {
        options.spread(own);
    }
    options
}

fn user(parts: &[UserPart]) -> Result<Object<'_>, ProviderFailure> {
    let mut texts = Vec::new();
    let mut images: Vec<Node<'_>> = Vec::new();
    for part in parts {
        match part {
            UserPart::Text { text, .. } => texts.push(text.as_str()),
            UserPart::File { media_type, url, .. } => {
                if !media_type.starts_with("image/") {
                    return Err(unsupported(&format!("files of the type {media_type}")));
                }
                let (_, content) = data_url(url).ok_or_else(|| unsupported("images by URL"))?;
                images.push(content.into());
            }
        }
    }
    let message = Object::new().with("role", "user").with("content", texts.join("\n"));
    Ok(message.with_some("images", (!images.is_empty()).then_some(images)))
}

/// Nothing when there is nothing in the message that Ollama may see.
fn assistant(parts: &[AssistantPart]) -> Option<Object<'_>> {
    let (mut text, mut thinking) = (String::new(), String::new());
    let mut calls: Vec<Node<'_>> = Vec::new();
    for part in parts {
        match part {
            AssistantPart::Text { text: more, .. } => text.push_str(more),
            AssistantPart::Reasoning { text: more, .. } => thinking.push_str(more),
            AssistantPart::ToolCall { call_id, name, input, provider_executed: false, .. } => {
                let function = Object::new().with("name", name.as_str()).with("arguments", input);
                let call =
                    Object::new().with("id", call_id.as_str()).with("type", "function").with("function", function);
                calls.push(call.into());
            }
            AssistantPart::ToolCall { .. } | AssistantPart::ToolResult { .. } | AssistantPart::File { .. } => {}
        }
    }
    if text.is_empty() && calls.is_empty() {
        return None;
    }
    let message = Object::new().with("role", "assistant").with("content", text);
    let message = message.with_some("thinking", Some(thinking).filter(|thinking| !thinking.is_empty()));
    Some(message.with_some("tool_calls", (!calls.is_empty()).then_some(calls)))
}

fn tool_result(result: &ToolResult) -> Object<'_> {
    let content = match &result.output {
        ToolOutput::Error(text) => Node::from(text.as_str()),
        ToolOutput::Json(json) => json.as_string().map_or_else(|| Node::from(json.get()), Node::from),
    };
    Object::new().with("role", "tool").with("content", content).with("tool_name", result.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Json;
    use crate::tool::ToolDefinition;

    fn sent(tool_choice: ToolChoice) -> String {
        let image = UserPart::File {
            media_type: "image/png".into(),
            url: "data:image/png;base64,AA==".into(),
            filename: None,
            metadata: None,
        };
        let request = ChatRequest {
            system: "S".into(),
            messages: vec![
                ModelMessage::User(vec![UserPart::text("a"), image, UserPart::text("b")]),
                ModelMessage::Assistant(vec![
                    AssistantPart::reasoning("hm"),
                    AssistantPart::ToolCall {
                        call_id: "c".into(),
                        name: "get".into(),
                        input: Json::parse(r#"{"n":1.0}"#).unwrap(),
                        provider_executed: false,
                        metadata: None,
                    },
                ]),
                ModelMessage::Tool(vec![ToolResult {
                    call_id: "c".into(),
                    name: "get".into(),
                    output: ToolOutput::Error("no".into()),
                }]),
            ],
            tools: vec![ToolDefinition {
                name: "get".into(),
                description: String::new(),
                input_schema: Json::empty_object(),
                read_only: true,
                timeout_ms: None,
                validates_input: false,
            }],
            tool_choice,
            options: serde_json::from_str(
                r#"{"maxOutputTokens":5,"providerOptions":{"ollama":{"think":true,"options":{"num_ctx":9}}}}"#,
            )
            .unwrap(),
        };
        String::from_utf8(body("m", &request).unwrap().0.into_bytes()).unwrap()
    }

    #[test]
    fn the_whole_body() {
        assert_eq!(
            sent(ToolChoice::Auto),
            concat!(
                r#"{"model":"m","messages":[{"role":"system","content":"S"},{"role":"user","content":"a\nb","images":["AA=="]},"#,
                r#"{"role":"assistant","content":"","thinking":"hm","tool_calls":[{"id":"c","type":"function","function":{"name":"get","arguments":{"n":1.0}}}]},"#,
                r#"{"role":"tool","content":"no","tool_name":"get"}],"options":{"num_predict":5,"num_ctx":9},"#,
                r#""tools":[{"type":"function","function":{"name":"get","parameters":{}}}],"stream":true,"think":true}"#
            )
        );
    }

    #[test]
    fn who_may_call_nothing_knows_of_no_tool() {
        assert!(!sent(ToolChoice::None).contains("tools"));
    }
}
