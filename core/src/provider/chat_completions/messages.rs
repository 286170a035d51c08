//! The conversation, the tools and the common settings in a request.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::model::Json;
use crate::project::{AssistantPart, ModelMessage, ToolOutput, ToolResult, UserPart, content_text};
use crate::provider::wire::{Node, Object, ProviderOptions, base64_text, data_url, text_in, unsupported};
use crate::provider::{CallOptions, ChatRequest, ProviderFailure, ResponseFormat, ToolChoice, schema};
use crate::tool::ToolDefinition;

use super::kept::{KEPT, OWN, REASONING_NAME};

/// What differs between the services.
pub(in crate::provider) struct MessageStyle<'s> {
    /// The role of the system prompt; without one it is left out.
    pub(in crate::provider) system_role: Option<&'static str>,
    /// What becomes of the model's reasoning.
    pub(in crate::provider) reasoning: Reasoning,
    /// Whether what a gateway wants to see again goes back to it.
    pub(in crate::provider) kept_members: bool,
    /// Whether a user's message may be a list of texts.
    pub(in crate::provider) lists: bool,
    /// The names under which parts carry what this service is to be told.
    pub(in crate::provider) names: &'s [&'s str],
    /// Whether members of that metadata which are not known go into the request as they are.
    pub(in crate::provider) spread: bool,
    /// Whether files of text are sent as text.
    pub(in crate::provider) text_files: bool,
    /// Whether Google's models are behind the service, which want their thought signatures to be sent back.
    pub(in crate::provider) google: bool,
}

/// What becomes of the reasoning of earlier answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::provider) enum Reasoning {
    /// Not sent.
    Dropped,
    /// Sent as `reasoning_content`.
    Sent,
    /// Sent while the turn goes on, and empty or not at all for earlier turns: DeepSeek refuses or ignores it there.
    OfThisTurn { empty_before: bool },
}

/// The messages of a request.
///
/// # Errors
/// When there is a file of a kind that the service does not take.
pub(in crate::provider) fn messages<'a>(
    request: &'a ChatRequest,
    style: &MessageStyle<'_>,
) -> Result<Vec<Node<'a>>, ProviderFailure> {
    let mut messages = Vec::with_capacity(request.messages.len() + 1);
    if let Some(role) = style.system_role
        && !request.system.is_empty()
    {
        messages.push(Object::new().with("role", role).with("content", request.system.as_str()).into());
    }
    let newest = request.messages.iter().rposition(|message| matches!(message, ModelMessage::User(_))).unwrap_or(0);
    for (place, message) in request.messages.iter().enumerate() {
        match message {
            ModelMessage::User(parts) => messages.push(user(parts, style)?.into()),
            ModelMessage::Assistant(parts) => messages.extend(assistant(parts, style, place > newest).map(Node::from)),
            ModelMessage::Tool(results) => messages.extend(results.iter().map(|result| tool_result(result).into())),
        }
    }
    Ok(messages)
}

fn user<'a>(parts: &'a [UserPart], style: &MessageStyle<'_>) -> Result<Object<'a>, ProviderFailure> {
    let message = Object::new().with("role", "user");
    if let [UserPart::Text { text, metadata }] = parts {
        let own = ProviderOptions::in_json(metadata.as_ref(), style.names);
        if style.spread {
            let mut message = message.with("content", text.as_str());
            message.spread(own.into_rest());
            return Ok(message);
        }
        if own.get("promptCacheBreakpoint").is_none() {
            return Ok(message.with("content", text.as_str()));
        }
    }
    let texts = || {
        parts.iter().map(|part| match part {
            UserPart::Text { text, .. } => Some(text.as_str()),
            UserPart::File { .. } => None,
        })
    };
    if !style.lists
        && let Some(texts) = texts().collect::<Option<Vec<&str>>>()
    {
        return Ok(message.with("content", texts.join("\n\n")));
    }
    let mut content = Vec::with_capacity(parts.len());
    for (place, part) in parts.iter().enumerate() {
        let (mut object, metadata) = match part {
            UserPart::Text { text, metadata } => (text_part(text.as_str().into()), metadata),
            UserPart::File { media_type, url, filename, metadata } => {
                (file(place, media_type, url, filename.as_deref(), metadata.as_ref(), style)?, metadata)
            }
        };
        let mut own = ProviderOptions::in_json(metadata.as_ref(), style.names);
        object.put_some("prompt_cache_breakpoint", own.take("promptCacheBreakpoint"));
        own.take("imageDetail");
        if style.spread {
            object.spread(own.into_rest());
        }
        content.push(object.into());
    }
    Ok(message.with("content", content))
}

fn text_part(text: Cow<'_, str>) -> Object<'_> {
    Object::new().with("type", "text").with("text", text)
}

fn file<'a>(
    place: usize,
    media_type: &'a str,
    url: &'a str,
    filename: Option<&'a str>,
    metadata: Option<&Json>,
    style: &MessageStyle<'_>,
) -> Result<Object<'a>, ProviderFailure> {
    let content = data_url(url).map(|(_, content)| content);
    if media_type.starts_with("image/") {
        let detail = ProviderOptions::in_json(metadata, style.names).take("imageDetail");
        let url = match (media_type, content) {
            ("image/*", Some(content)) => Cow::Owned(format!("data:image/jpeg;base64,{content}")),
            _ => Cow::Borrowed(url),
        };
        let image = Object::new().with("url", url).with_some("detail", detail);
        return Ok(Object::new().with("type", "image_url").with("image_url", image));
    }
    let audio = match media_type {
        "audio/wav" | "audio/x-wav" => Some("wav"),
        "audio/mp3" | "audio/mpeg" => Some("mp3"),
        _ => None,
    };
    if let Some(format) = audio {
        let content = content.ok_or_else(|| unsupported("audio files by URL"))?;
        let audio = Object::new().with("data", content).with("format", format);
        return Ok(Object::new().with("type", "input_audio").with("input_audio", audio));
    }
    if media_type == "application/pdf" {
        let file = if style.spread || !url.starts_with("file-") {
            if content.is_none() {
                return Err(unsupported("PDF files by URL"));
            }
            let unnamed =
                || if style.spread { Cow::Borrowed("document.pdf") } else { Cow::Owned(format!("part-{place}.pdf")) };
            Object::new().with("filename", filename.map_or_else(unnamed, Cow::Borrowed)).with("file_data", url)
        } else {
            Object::new().with("file_id", url)
        };
        return Ok(Object::new().with("type", "file").with("file", file));
    }
    if media_type.starts_with("text/") && style.text_files {
        let text = match content {
            Some(content) => Cow::Owned(base64_text(content).ok_or_else(|| unsupported("a text that is not UTF-8"))?),
            None => Cow::Borrowed(url),
        };
        return Ok(text_part(text));
    }
    Err(unsupported(&format!("files of the type {media_type}")))
}

/// Nothing when there is nothing in the message that this service may see.
fn assistant<'a>(parts: &'a [AssistantPart], style: &MessageStyle<'_>, of_this_turn: bool) -> Option<Object<'a>> {
    let mut text = String::new();
    let mut reasoning = String::new();
    let mut calls: Vec<Node<'a>> = Vec::new();
    let mut has_text = false;
    for part in parts {
        match part {
            AssistantPart::Text { text: more, .. } => {
                has_text = true;
                text.push_str(more);
            }
            // Services that call it by another name refuse this one.
            AssistantPart::Reasoning { metadata, .. } if is_named_otherwise(metadata.as_ref()) => {}
            AssistantPart::Reasoning { text: more, .. } => reasoning.push_str(more),
            AssistantPart::ToolCall { call_id, name, input, provider_executed: false, metadata } => {
                calls.push(call(call_id, name, input, metadata.as_ref(), style).into());
            }
            AssistantPart::ToolCall { .. } | AssistantPart::ToolResult { .. } | AssistantPart::File { .. } => {}
        }
    }
    if !has_text && calls.is_empty() {
        return None;
    }
    let mut message = Object::new().with("role", "assistant");
    match text.is_empty() && !calls.is_empty() {
        true => message.put("content", Value::Null),
        false => message.put("content", text),
    }
    let reasoning = match style.reasoning {
        Reasoning::Dropped => None,
        Reasoning::OfThisTurn { empty_before } if !of_this_turn => empty_before.then(String::new),
        Reasoning::OfThisTurn { empty_before } => Some(reasoning).filter(|text| empty_before || !text.is_empty()),
        Reasoning::Sent => Some(reasoning).filter(|reasoning| !reasoning.is_empty()),
    };
    message.put_some("reasoning_content", reasoning);
    if style.kept_members {
        for part in parts {
            let (AssistantPart::Text { metadata, .. }
            | AssistantPart::Reasoning { metadata, .. }
            | AssistantPart::ToolCall { metadata, .. }) = part
            else {
                continue;
            };
            message.spread(ProviderOptions::in_json(metadata.as_ref(), &[KEPT]).into_rest());
        }
    }
    if !calls.is_empty() {
        message.put("tool_calls", calls);
    }
    Some(message)
}

fn is_named_otherwise(metadata: Option<&Json>) -> bool {
    text_in(metadata, &[OWN], REASONING_NAME).is_some_and(|name| name != "reasoning_content")
}

fn call<'a>(
    id: &'a str,
    name: &'a str,
    input: &'a Json,
    metadata: Option<&Json>,
    style: &MessageStyle<'_>,
) -> Object<'a> {
    let function = Object::new().with("name", name).with("arguments", input.get());
    let mut call = Object::new().with("id", id).with("type", "function").with("function", function);
    if style.spread {
        call.spread(ProviderOptions::in_json(metadata, style.names).into_rest());
    }
    if style.google
        && let Some(signature) = text_in(metadata, &["google"], "thoughtSignature")
    {
        call.put("extra_content", json!({"google": {"thought_signature": signature}}));
    }
    call
}

fn tool_result(result: &ToolResult) -> Object<'_> {
    let content = match &result.output {
        ToolOutput::Error(text) => Node::from(text.as_str()),
        ToolOutput::Content(parts) => Node::from(content_text(parts)),
        ToolOutput::Json(json) => json.as_string().map_or_else(|| Node::from(json.get()), Node::from),
    };
    Object::new().with("role", "tool").with("tool_call_id", result.call_id.as_str()).with("content", content)
}

/// The tools of a request, if there are any.
pub(in crate::provider) fn tools(tools: &[ToolDefinition]) -> Option<Vec<Node<'_>>> {
    let tools: Vec<Node<'_>> = tools
        .iter()
        .map(|tool| {
            let description = Some(tool.description.as_str()).filter(|text| !text.is_empty());
            let function = Object::new()
                .with("name", tool.name.as_str())
                .with_some("description", description)
                .with("parameters", schema::of_input(&tool.input_schema));
            Object::new().with("type", "function").with("function", function).into()
        })
        .collect();
    (!tools.is_empty()).then_some(tools)
}

/// Whether tools may be called, if there are any.
pub(in crate::provider) fn tool_choice(request: &ChatRequest) -> Option<Node<'_>> {
    if request.tools.is_empty() {
        return None;
    }
    Some(match &request.tool_choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Tool(name) => {
            let function = Object::new().with("name", name.as_str());
            Object::new().with("type", "function").with("function", function).into()
        }
    })
}

/// The settings that every service knows.
pub(in crate::provider) fn sampling<'a>(options: &'a CallOptions, body: &mut Object<'a>) {
    body.put_some("max_tokens", options.max_output_tokens);
    body.put_some("temperature", options.temperature.as_ref());
    body.put_some("top_p", options.top_p.as_ref());
    body.put_some("frequency_penalty", options.frequency_penalty.as_ref());
    body.put_some("presence_penalty", options.presence_penalty.as_ref());
    if !options.stop_sequences.is_empty() {
        body.put("stop", options.stop_sequences.iter().map(|text| text.as_str().into()).collect::<Vec<Node<'_>>>());
    }
    body.put_some("seed", options.seed.as_ref());
}

/// The form that the answer must have. Without `schemas` it is any JSON.
pub(in crate::provider) fn response_format(format: &ResponseFormat, schemas: bool, strict: bool) -> Object<'_> {
    let Some(schema) = format.schema.as_ref().filter(|_| schemas) else {
        return Object::new().with("type", "json_object");
    };
    let named = Object::new()
        .with("schema", schema)
        .with("strict", strict)
        .with("name", format.name.as_deref().unwrap_or("response"))
        .with_some("description", format.description.as_deref());
    Object::new().with("type", "json_schema").with("json_schema", named)
}
