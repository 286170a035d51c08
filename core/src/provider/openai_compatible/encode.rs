//! The request body.

use serde_json::{Value, json};

use crate::provider::chat_completions::{
    MessageStyle, Reasoning, messages, response_format, sampling, tool_choice, tools,
};
use crate::provider::wire::{Object, ProviderOptions, renamed, snake_case};
use crate::provider::{ChatRequest, ProviderFailure};

/// Under these names any service of this kind is told something.
const NAMES: &[&str] = &["openai-compatible", "openaiCompatible"];
/// Services whose options the AI SDK spells in its own way; on the wire they are in snake case.
const SNAKE_CASED: &[&str] = &["alibaba", "deepseek", "groq", "mistral", "moonshotai", "xai"];

pub(super) fn body<'a>(
    model: &'a str,
    name: Option<&str>,
    request: &'a ChatRequest,
) -> Result<(Object<'a>, Vec<String>), ProviderFailure> {
    let options = &request.options;
    let camel = name.map(camel_case);
    let mut names = NAMES.to_vec();
    names.extend(name);
    names.extend(camel.as_deref());
    let mut own = ProviderOptions::of(options, &names);
    let mut warnings = Vec::new();
    let mut body = Object::new().with("model", model);
    body.put_some("user", own.take("user"));
    sampling(options, &mut body);
    if options.top_k.is_some() {
        warnings.push("topK is not a setting of this provider".to_owned());
    }
    let schemas = own.take_flag("structuredOutputs").unwrap_or(true);
    let strict = own.take_flag("strictJsonSchema").unwrap_or(true);
    if let Some(format) = &options.response_format {
        if format.schema.is_some() && !schemas {
            warnings.push("the schema of the answer is not sent".to_owned());
        }
        body.put("response_format", response_format(format, schemas, strict));
    }
    body.put_some("reasoning_effort", own.take("reasoningEffort"));
    body.put_some("verbosity", own.take("textVerbosity"));
    // What is left is the service's own. Of those that are known the spelling is known, too; elsewhere it goes out as it
    // is spelled.
    let rest = own.into_rest();
    match name {
        Some(name) if SNAKE_CASED.contains(&name) => {
            if let Value::Object(rest) = renamed(Value::Object(rest), snake_case) {
                body.spread(rest);
            }
        }
        _ => body.spread(rest),
    }
    let style = MessageStyle {
        system_role: Some("system"),
        reasoning: reasoning(model),
        names: &names,
        spread: true,
        text_files: true,
        google: model.to_ascii_lowercase().contains("gemini"),
    };
    body.put("messages", messages(request, &style)?);
    body.put_some("tools", tools(&request.tools));
    body.put_some("tool_choice", tool_choice(request));
    body.put("stream", true);
    body.put("stream_options", json!({"include_usage": true}));
    Ok((body, warnings))
}

/// DeepSeek's models are told of reasoning only within a turn; from version 4 on the field must be there.
/// <https://api-docs.deepseek.com/guides/thinking_mode>
fn reasoning(model: &str) -> Reasoning {
    let model = model.to_ascii_lowercase();
    match model.contains("deepseek") {
        true => Reasoning::OfThisTurn { empty_before: model.contains("deepseek-v4") },
        false => Reasoning::Sent,
    }
}

/// `my-service` is `myService`.
fn camel_case(name: &str) -> String {
    let mut words = name.split(['-', '_']);
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Json;
    use crate::project::{AssistantPart, ModelMessage, ToolOutput, ToolResult, UserPart};
    use crate::provider::ToolChoice;
    use crate::tool::ToolDefinition;

    fn request() -> ChatRequest {
        ChatRequest {
            system: "S".into(),
            messages: vec![
                ModelMessage::User(vec![UserPart::text("hi")]),
                ModelMessage::Assistant(vec![
                    AssistantPart::reasoning("hm"),
                    AssistantPart::ToolCall {
                        call_id: "c".into(),
                        name: "get".into(),
                        input: Json::parse(r#"{"a":1.0}"#).unwrap(),
                        provider_executed: false,
                        metadata: Json::parse(r#"{"google":{"thoughtSignature":"S+/="}}"#).ok(),
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
                validates_input: false,
            }],
            tool_choice: ToolChoice::None,
            ..ChatRequest::default()
        }
    }

    fn encoded(model: &str, request: &ChatRequest) -> String {
        String::from_utf8(body(model, Some("my-service"), request).unwrap().0.into_bytes()).unwrap()
    }

    #[test]
    fn body_has_history_tools_and_usage() {
        assert_eq!(
            encoded("m", &request()),
            concat!(
                r#"{"model":"m","messages":[{"role":"system","content":"S"},{"role":"user","content":"hi"},"#,
                r#"{"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{"id":"c","type":"function","function":{"name":"get","arguments":"{\"a\":1.0}"}}]},"#,
                r#"{"role":"tool","tool_call_id":"c","content":"plain"}],"#,
                r#""tools":[{"type":"function","function":{"name":"get","description":"Gets","parameters":{"type":"object"}}}],"tool_choice":"none","stream":true,"stream_options":{"include_usage":true}}"#
            )
        );
    }

    #[test]
    fn signatures_go_to_the_models_that_gave_them() {
        assert!(encoded("google/gemini-3-pro", &request()).contains(r#"{"thought_signature":"S+/="}"#));
        assert!(!encoded("other", &request()).contains("S+/="));
    }

    #[test]
    fn reasoning_of_earlier_turns_is_not_for_deepseek() {
        let mut later = request();
        assert!(encoded("deepseek-reasoner", &later).contains(r#""reasoning_content":"hm""#));
        later.messages.push(ModelMessage::User(vec![UserPart::text("go on")]));
        assert!(!encoded("deepseek-reasoner", &later).contains("reasoning_content"));
        assert!(encoded("deepseek-v4-flash", &later).contains(r#""reasoning_content":"""#));
        assert!(encoded("kimi", &later).contains(r#""reasoning_content":"hm""#));
    }

    #[test]
    fn options_of_the_service_go_out_as_they_are() {
        let options = r#"{"topP":0.30,"providerOptions":{"openaiCompatible":{"user":"u","thinking":{"type":"enabled"}},"my-service":{"a":1},"myService":{"a":2},"other":{"b":3}}}"#;
        let request = ChatRequest { options: serde_json::from_str(options).unwrap(), ..ChatRequest::default() };
        assert_eq!(
            encoded("m", &request),
            r#"{"model":"m","user":"u","top_p":0.3,"thinking":{"type":"enabled"},"a":2,"messages":[],"stream":true,"stream_options":{"include_usage":true}}"#
        );
    }
}
