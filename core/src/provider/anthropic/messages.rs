//! The conversation in a request.

use serde_json::{Value, json};

use crate::model::{INCOMPLETE_CALL, Json, PAUSED_CALL};
use crate::project::{AssistantPart, ContentPart, ModelMessage, ToolOutput, ToolResult, UserPart};
use crate::provider::wire::{Node, Object, ProviderOptions, base64_text, data_url, text_in, unsupported};
use crate::provider::{ChatRequest, ProviderFailure};

use super::{NAME, results};

/// How many places of a request may be marked for caching.
/// <https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching>
const MAX_CACHE_MARKS: usize = 4;

/// Where a result says which call of an earlier answer it belongs to.
pub(super) const CALLED_BEFORE: &str = "calledBefore";

/// The beta features that a request makes use of, each once, in the order of their use.
#[derive(Default)]
pub(super) struct Betas(Vec<String>);

impl Betas {
    pub(super) fn add(&mut self, beta: &str) {
        if !self.0.iter().any(|known| known == beta) {
            self.0.push(beta.to_owned());
        }
    }

    pub(super) fn into_list(self) -> Vec<String> {
        self.0
    }
}

/// A document that answers may cite.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CitedDocument {
    pub(super) media_type: String,
    pub(super) title: String,
    pub(super) filename: Option<String>,
}

/// The documents of the conversation that answers may cite, in the order by which the API counts them.
pub(super) fn cited_documents(request: &ChatRequest) -> Vec<CitedDocument> {
    let users = request.messages.iter().filter_map(|message| match message {
        ModelMessage::User(parts) => Some(parts),
        _ => None,
    });
    users
        .flatten()
        .filter_map(|part| match part {
            UserPart::File { media_type, filename, metadata, .. }
                if matches!(media_type.as_str(), "application/pdf" | "text/plain") && wants_citations(metadata) =>
            {
                Some(CitedDocument {
                    media_type: media_type.clone(),
                    title: filename.clone().unwrap_or_else(|| "Untitled Document".to_owned()),
                    filename: filename.clone(),
                })
            }
            _ => None,
        })
        .collect()
}

fn wants_citations(metadata: &Option<Json>) -> bool {
    let own = ProviderOptions::in_json(metadata.as_ref(), &[NAME]);
    own.get("citations").and_then(|citations| citations.get("enabled")) == Some(&Value::Bool(true))
}

struct Writer<'w> {
    send_reasoning: bool,
    cache_marks: usize,
    betas: &'w mut Betas,
    /// Calls at Anthropic whose results came in a later answer.
    answered_later: Vec<String>,
    warnings: &'w mut Vec<String>,
}

/// Whether it is possible that nothing is sent of this part.
fn may_show_nothing(part: &AssistantPart) -> bool {
    match part {
        AssistantPart::Text { text, .. } => text.trim().is_empty(),
        AssistantPart::ToolCall { provider_executed, .. } => *provider_executed,
        _ => true,
    }
}

/// The system prompt and the messages. Neighbours of one side become one message; what tools returned is the user's.
///
/// # Errors
/// When there is a file of a kind that the API does not take.
pub(super) fn messages<'a>(
    request: &'a ChatRequest,
    send_reasoning: bool,
    betas: &mut Betas,
    warnings: &mut Vec<String>,
) -> Result<(Option<Node<'a>>, Vec<Node<'a>>), ProviderFailure> {
    let system = (!request.system.is_empty()).then(|| {
        let text: Node<'_> = Object::new().with("type", "text").with("text", request.system.as_str()).into();
        Node::from(vec![text])
    });
    let mut writer =
        Writer { send_reasoning, cache_marks: 0, betas, warnings, answered_later: answered_later(request) };
    let mut sides: Vec<(&'static str, Vec<Node<'a>>)> = Vec::new();
    let count = request.messages.len();
    for (place, message) in request.messages.iter().enumerate() {
        let (role, content) = match message {
            ModelMessage::User(parts) => {
                ("user", parts.iter().map(|part| writer.user_part(part)).collect::<Result<Vec<_>, _>>()?)
            }
            ModelMessage::Tool(results) => ("user", results.iter().map(tool_result).collect()),
            ModelMessage::Assistant(parts) => {
                let is_end = request.messages.iter().skip(place + 1).all(|later| match later {
                    ModelMessage::Assistant(parts) => parts.iter().all(may_show_nothing),
                    ModelMessage::User(_) | ModelMessage::Tool(_) => false,
                });
                ("assistant", writer.assistant(parts, place + 1 == count, is_end))
            }
        };
        match sides.last_mut() {
            _ if content.is_empty() => {}
            Some((known, side)) if *known == role => side.extend(content),
            _ => sides.push((role, content)),
        }
    }
    let messages =
        sides.into_iter().map(|(role, content)| Object::new().with("role", role).with("content", content).into());
    Ok((system, messages.collect()))
}

fn tool_result(result: &ToolResult) -> Node<'_> {
    let object = Object::new().with("type", "tool_result").with("tool_use_id", result.call_id.as_str());
    match &result.output {
        ToolOutput::Json(json) => {
            let content = json.as_string().map_or_else(|| Node::from(json.get()), Node::from);
            object.with("content", content).into()
        }
        ToolOutput::Content(parts) => {
            let blocks: Vec<Node<'_>> = parts.iter().filter_map(content_block).map(Node::from).collect();
            object.with("content", blocks).into()
        }
        ToolOutput::Error(text) => object.with("content", text.as_str()).with("is_error", true).into(),
    }
}

/// Nothing for a text in which nothing is to be seen: the API refuses it.
fn content_block(part: &ContentPart) -> Option<Object<'_>> {
    match part {
        ContentPart::Text(text) if text.trim().is_empty() => None,
        ContentPart::Text(text) => Some(Object::new().with("type", "text").with("text", text.as_str())),
        ContentPart::Image { media_type, base64 } => {
            let source = Object::new()
                .with("type", "base64")
                .with("media_type", media_type.as_str())
                .with("data", base64.as_str());
            Some(Object::new().with("type", "image").with("source", source))
        }
    }
}

impl Writer<'_> {
    /// The part's mark for caching; a request may have only so many.
    fn cache_control(&mut self, metadata: Option<&Json>) -> Option<Value> {
        let mark = ProviderOptions::in_json(metadata, &[NAME]).take("cacheControl")?;
        self.cache_marks += 1;
        if self.cache_marks > MAX_CACHE_MARKS {
            self.warnings.push(format!("more than {MAX_CACHE_MARKS} places are marked for caching"));
            return None;
        }
        Some(mark)
    }

    fn user_part<'a>(&mut self, part: &'a UserPart) -> Result<Node<'a>, ProviderFailure> {
        let (object, metadata) = match part {
            UserPart::Text { text, metadata } => {
                (Object::new().with("type", "text").with("text", text.as_str()), metadata.as_ref())
            }
            UserPart::File { media_type, url, filename, metadata } => {
                let metadata = metadata.as_ref();
                (self.file(media_type, url, filename.as_deref(), metadata)?, metadata)
            }
        };
        let mark = self.cache_control(metadata);
        Ok(object.with_some("cache_control", mark).into())
    }

    fn file<'a>(
        &mut self,
        media_type: &'a str,
        url: &'a str,
        filename: Option<&'a str>,
        metadata: Option<&Json>,
    ) -> Result<Object<'a>, ProviderFailure> {
        let content = data_url(url).map(|(_, content)| content);
        let source = |media_type: &'a str| match content {
            Some(content) => Object::new().with("type", "base64").with("media_type", media_type).with("data", content),
            None => Object::new().with("type", "url").with("url", url),
        };
        if media_type.starts_with("image/") {
            let media_type = if media_type == "image/*" { "image/jpeg" } else { media_type };
            return Ok(Object::new().with("type", "image").with("source", source(media_type)));
        }
        let source = match (media_type, content) {
            ("application/pdf", _) => {
                self.betas.add("pdfs-2024-09-25");
                source(media_type)
            }
            ("text/plain", Some(content)) => {
                let text = base64_text(content).ok_or_else(|| unsupported("a text that is not UTF-8"))?;
                Object::new().with("type", "text").with("media_type", media_type).with("data", text)
            }
            ("text/plain", None) => source(media_type),
            _ => return Err(unsupported(&format!("files of the type {media_type}"))),
        };
        let mut own = ProviderOptions::in_json(metadata, &[NAME]);
        let title = own.take("title").map(Node::from).or_else(|| filename.map(Node::from));
        let citations = own.take("citations").filter(|citations| citations.get("enabled") == Some(&Value::Bool(true)));
        Ok(Object::new()
            .with("type", "document")
            .with("source", source)
            .with_some("title", title)
            .with_some("context", own.take("context"))
            .with_some("citations", citations))
    }

    /// What the model said. Between two pieces of thinking the calls stand last, as the API wants it; the text that ends
    /// the conversation must not end in white space.
    fn assistant<'a>(&mut self, parts: &'a [AssistantPart], is_last: bool, is_end: bool) -> Vec<Node<'a>> {
        let mut content: Vec<Node<'a>> = Vec::with_capacity(parts.len());
        let mut calls: Vec<Node<'a>> = Vec::new();
        let mut servers: Vec<(&str, bool)> = Vec::new();
        for (place, part) in parts.iter().enumerate() {
            match part {
                AssistantPart::Text { text, metadata } => {
                    let ends_all = is_end && parts.iter().skip(place + 1).all(may_show_nothing);
                    let text = if ends_all { text.trim_end() } else { text.as_str() };
                    if !text.is_empty() {
                        content.push(self.text(text, metadata.as_ref()).into());
                    }
                }
                AssistantPart::Reasoning { text, metadata } => {
                    if let Some(thinking) = self.thinking(text, metadata.as_ref()) {
                        content.append(&mut calls);
                        content.push(thinking.into());
                    }
                }
                AssistantPart::ToolCall { call_id, name, input, provider_executed: false, metadata } => {
                    let caller = caller(metadata.as_ref());
                    let mark = self.cache_control(metadata.as_ref());
                    let call = Object::new()
                        .with("type", "tool_use")
                        .with("id", call_id.as_str())
                        .with("name", name.as_str())
                        .with("input", input)
                        .with_some("caller", caller)
                        .with_some("cache_control", mark);
                    calls.push(call.into());
                }
                AssistantPart::ToolCall { call_id, name, input, metadata, .. } => {
                    let outcome = parts.iter().find_map(|part| match part {
                        AssistantPart::ToolResult { result, metadata } if result.call_id == *call_id => {
                            Some((result, metadata))
                        }
                        _ => None,
                    });
                    let came_before = |(_, metadata): &(_, &Option<Json>)| {
                        text_in(metadata.as_ref(), &[NAME], CALLED_BEFORE).is_some()
                    };
                    // A call without a result is refused, unless it is where the answer paused.
                    let is_open = outcome.is_none_or(|(result, _)| is_unanswered(result));
                    let goes_on = is_last || self.answered_later.contains(call_id);
                    if outcome.as_ref().is_some_and(came_before) || (is_open && !goes_on) {
                        continue;
                    }
                    if let Some(call) = results::server_call(call_id, name, input, metadata.as_ref()) {
                        let is_mcp = text_in(metadata.as_ref(), &[NAME], "type").as_deref() == Some("mcp-tool-use");
                        servers.push((call_id, is_mcp));
                        let mark = self.cache_control(metadata.as_ref());
                        content.push(call.with_some("cache_control", mark).into());
                    }
                }
                AssistantPart::ToolResult { result, .. } if is_unanswered(result) => {}
                AssistantPart::ToolResult { result, metadata } => {
                    if let Some(id) = text_in(metadata.as_ref(), &[NAME], CALLED_BEFORE) {
                        let mut sent = results::server_result(result, result.name == "mcp");
                        if let Some(sent) = &mut sent {
                            sent.put("tool_use_id", id);
                        }
                        content.extend(sent.map(Node::from));
                        continue;
                    }
                    let known = servers.iter().find(|(id, _)| *id == result.call_id);
                    let sent = known.and_then(|(_, is_mcp)| results::server_result(result, *is_mcp));
                    content.extend(sent.map(Node::from));
                }
                AssistantPart::File { .. } => {}
            }
        }
        content.append(&mut calls);
        content
    }

    fn text<'a>(&mut self, text: &'a str, metadata: Option<&Json>) -> Object<'a> {
        let mut own = ProviderOptions::in_json(metadata, &[NAME]);
        let mark = self.cache_control(metadata);
        if own.get("type").and_then(Value::as_str) == Some("compaction") {
            return Object::new().with("type", "compaction").with("content", text).with_some("cache_control", mark);
        }
        Object::new()
            .with("type", "text")
            .with("text", text)
            .with_some("citations", own.take("citations").filter(Value::is_array))
            .with_some("cache_control", mark)
    }

    /// Thinking is taken only as it was signed. What another model thought has no signature of Anthropic's.
    fn thinking<'a>(&mut self, text: &'a str, metadata: Option<&Json>) -> Option<Object<'a>> {
        if !self.send_reasoning {
            return None;
        }
        if let Some(signature) = text_in(metadata, &[NAME], "signature") {
            return Some(Object::new().with("type", "thinking").with("thinking", text).with("signature", signature));
        }
        if let Some(data) = text_in(metadata, &[NAME], "redactedData") {
            return Some(Object::new().with("type", "redacted_thinking").with("data", data));
        }
        self.warnings.push("reasoning without a signature is not sent".to_owned());
        None
    }
}

/// The calls whose results came in a later answer than they did.
fn answered_later(request: &ChatRequest) -> Vec<String> {
    let parts = request.messages.iter().flat_map(|message| match message {
        ModelMessage::Assistant(parts) => parts.as_slice(),
        _ => &[],
    });
    parts
        .filter_map(|part| match part {
            AssistantPart::ToolResult { metadata, .. } => text_in(metadata.as_ref(), &[NAME], CALLED_BEFORE),
            _ => None,
        })
        .collect()
}

/// Whether the engine had to give the call an outcome, for want of one from the provider.
fn is_unanswered(result: &ToolResult) -> bool {
    matches!(&result.output, ToolOutput::Error(text) if text == INCOMPLETE_CALL || text == PAUSED_CALL)
}

/// Which tool called this one, for calls out of running code.
fn caller(metadata: Option<&Json>) -> Option<Value> {
    let caller = ProviderOptions::in_json(metadata, &[NAME]).take("caller")?;
    let kind = caller.get("type")?.as_str()?;
    match caller.get("toolId").and_then(Value::as_str) {
        Some(id) => Some(json!({"type": kind, "tool_id": id})),
        None if kind == "direct" => Some(json!({"type": kind})),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(parts: Vec<AssistantPart>) -> String {
        let request = ChatRequest { messages: vec![ModelMessage::Assistant(parts)], ..ChatRequest::default() };
        let (_, messages) = messages(&request, true, &mut Betas::default(), &mut Vec::new()).unwrap();
        String::from_utf8(Object::new().with("m", messages).into_bytes()).unwrap()
    }

    fn metadata(text: &str) -> Option<Json> {
        Some(Json::parse(text).unwrap())
    }

    #[test]
    fn thinking_goes_back_as_it_was_signed() {
        let call = |id: &str| AssistantPart::ToolCall {
            call_id: id.into(),
            name: "get".into(),
            input: Json::parse(r#"{"n":1.0}"#).unwrap(),
            provider_executed: false,
            metadata: None,
        };
        let parts = vec![
            AssistantPart::Reasoning {
                text: "hm".into(),
                metadata: metadata(r#"{"anthropic":{"signature":"S+/=\n"}}"#),
            },
            AssistantPart::Reasoning {
                text: "other".into(),
                metadata: metadata(r#"{"google":{"thoughtSignature":"x"}}"#),
            },
            call("1"),
            AssistantPart::text("a"),
            AssistantPart::Reasoning {
                text: String::new(),
                metadata: metadata(r#"{"anthropic":{"redactedData":"R"}}"#),
            },
            AssistantPart::text("b "),
        ];
        assert_eq!(
            sent(parts),
            concat!(
                r#"{"m":[{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"S+/=\n"},"#,
                r#"{"type":"text","text":"a"},{"type":"tool_use","id":"1","name":"get","input":{"n":1.0}},"#,
                r#"{"type":"redacted_thinking","data":"R"},{"type":"text","text":"b"}]}]}"#
            )
        );
    }
}
