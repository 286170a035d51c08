//! Stored messages as a provider must see them: call, result, answer, step by step.

use std::collections::HashSet;

use serde::Deserialize;

use super::compact::compact_tool_output;
use super::tool_content::{ContentPart, shortened, told};
use crate::model::{
    INCOMPLETE_CALL, Json, Message, MessageRole, Part, StepRecord, ToolPart, ToolState, steering_parts,
};

/// A message of the conversation, independent of any provider's format.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelMessage {
    /// What a person wrote.
    User(Vec<UserPart>),
    /// What the model said and called in one step.
    Assistant(Vec<AssistantPart>),
    /// The outcomes of that step's calls, all of them, in the order of the calls.
    Tool(Vec<ToolResult>),
}

/// A part of a user's message.
#[derive(Clone, Debug, PartialEq)]
pub enum UserPart {
    /// Text.
    Text {
        /// The text.
        text: String,
        /// What providers are to be told with it, by provider.
        metadata: Option<Json>,
    },
    /// A file by URL or data URL.
    File {
        /// Its media type.
        media_type: String,
        /// Where it is.
        url: String,
        /// Its name.
        filename: Option<String>,
        /// What providers are to be told with it, by provider.
        metadata: Option<Json>,
    },
}

impl UserPart {
    /// Text and nothing else.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), metadata: None }
    }
}

/// A part of an assistant's message.
#[derive(Clone, Debug, PartialEq)]
pub enum AssistantPart {
    /// The answer. Empty only with metadata.
    Text {
        /// The text.
        text: String,
        /// What the provider wants to see again, by provider.
        metadata: Option<Json>,
    },
    /// The reasoning before it. Empty only with metadata.
    Reasoning {
        /// The text.
        text: String,
        /// What the provider wants to see again, by provider.
        metadata: Option<Json>,
    },
    /// A file that the model made.
    File {
        /// Its media type.
        media_type: String,
        /// Its data URL.
        url: String,
        /// It made it while it was thinking.
        is_thought: bool,
        /// What the provider wants to see again, by provider.
        metadata: Option<Json>,
    },
    /// A call; its outcome follows in the next message, or in this one when the provider runs the tool.
    ToolCall {
        /// Pairs call and outcome.
        call_id: String,
        /// The tool.
        name: String,
        /// Always an object.
        input: Json,
        /// The provider ran it. Other providers are not told of it.
        provider_executed: bool,
        /// What the provider wants to see again, by provider.
        metadata: Option<Json>,
    },
    /// The outcome of a call that the provider ran.
    ToolResult {
        /// The call, the tool, and what came of it.
        result: ToolResult,
        /// What the provider wants to see again, by provider.
        metadata: Option<Json>,
    },
}

impl AssistantPart {
    /// Text and nothing else.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), metadata: None }
    }

    /// Reasoning and nothing else.
    pub fn reasoning(text: impl Into<String>) -> Self {
        Self::Reasoning { text: text.into(), metadata: None }
    }
}

/// The outcome of one call.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolResult {
    /// The call.
    pub call_id: String,
    /// The tool.
    pub name: String,
    /// What came of it.
    pub output: ToolOutput,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolOutput {
    /// It returned this value.
    Json(Json),
    /// It returned pictures, maybe with texts, in one of the forms of `tool_content`.
    Content(Vec<ContentPart>),
    /// It failed with this text.
    Error(String),
}

/// The messages for these rows, oldest first. Messages without anything that a provider accepts vanish. A call id that
/// was used before (some providers number the calls of each turn anew) gets a suffix, so that every id of the
/// conversation stands for one call and its outcome.
pub fn messages_from_rows(rows: &[Message]) -> Vec<ModelMessage> {
    let mut messages = Vec::new();
    let mut ids = CallIds::default();
    let newest = rows.iter().rposition(|row| row.role == MessageRole::User);
    let settled = settled_later(rows);
    for (place, row) in rows.iter().enumerate() {
        match row.role {
            MessageRole::User | MessageRole::Other(_) => {
                let is_newest = Some(place) == newest;
                let parts: Vec<UserPart> = row.parts().iter().filter_map(|part| user_part(part, is_newest)).collect();
                if !parts.is_empty() {
                    messages.push(ModelMessage::User(parts));
                }
            }
            MessageRole::Assistant => {
                let mut parts = compact_parts(row.parts());
                // What came of it stands where it came.
                parts.retain(
                    |part| !matches!(part, Part::Tool(tool) if is_asked(tool) && settled.contains(&tool.call_id)),
                );
                assistant_messages(&parts, false, &mut ids, &mut messages);
            }
        }
    }
    messages
}

/// The calls that a later message says what came of: a loop that asks whether a call may be made ends, and the next one makes
/// it.
fn settled_later(rows: &[Message]) -> HashSet<String> {
    let asks = |row: &Message| row.metadata.as_ref().is_some_and(|row| row.get().contains("\"approval-re"));
    let Some(first) = rows.iter().position(asks) else { return HashSet::new() };
    let answers = rows.iter().skip(first).filter(|row| row.role == MessageRole::Assistant).flat_map(Message::parts);
    let mut asked = HashSet::new();
    let mut settled = HashSet::new();
    for part in answers {
        match part {
            Part::Tool(tool) if is_asked(&tool) => drop(asked.insert(tool.call_id)),
            Part::Tool(tool) if asked.contains(&tool.call_id) => drop(settled.insert(tool.call_id)),
            _ => {}
        }
    }
    settled
}

/// Whether somebody was asked for the call, and nothing has come of it yet.
fn is_asked(tool: &ToolPart) -> bool {
    tool.state == ToolState::InputAvailable && tool.approval.is_some()
}

/// A stored row has what pages are shown of its outputs; a model is told less of those of earlier turns. What a provider
/// returned itself goes back to it as it came.
fn compact_parts(mut parts: Vec<Part>) -> Vec<Part> {
    for part in &mut parts {
        if let Part::Tool(ToolPart {
            state: ToolState::OutputAvailable(Some(output)), provider_executed: false, ..
        }) = part
            && !is_compact(output)
        {
            *output = compact_tool_output(output);
        }
    }
    parts
}

/// Rows of earlier versions, and of hosts with a loop of their own, have outputs that were cut before; the notes of what
/// is missing would be cut with what they count.
fn is_compact(output: &Json) -> bool {
    output.get().contains("\"_truncated\":true")
}

/// Appends the messages for the steps of the run in progress to its history.
pub fn append_steps(messages: &mut Vec<ModelMessage>, steps: &[StepRecord]) {
    let mut ids = CallIds::of(messages);
    for step in steps {
        assistant_messages(&step.parts, true, &mut ids, messages);
    }
}

/// The call ids of a conversation so far.
#[derive(Clone, Debug, Default)]
pub(super) struct CallIds(HashSet<String>);

impl CallIds {
    pub(super) fn of(messages: &[ModelMessage]) -> Self {
        let calls = messages.iter().flat_map(|message| match message {
            ModelMessage::Assistant(parts) => parts.as_slice(),
            _ => &[],
        });
        let ids = calls.filter_map(|part| match part {
            AssistantPart::ToolCall { call_id, .. } => Some(call_id.clone()),
            _ => None,
        });
        Self(ids.collect())
    }

    /// `id`, or `id` with the first suffix that makes it new.
    fn claim(&mut self, id: &str) -> String {
        let suffixes = (2_u32..).map(|number| format!("{id}_{number}"));
        let mut names = std::iter::once(id.to_owned()).chain(suffixes);
        names.find(|name| self.0.insert(name.clone())).unwrap_or_default()
    }
}

/// What the model is told instead of a file of an earlier message that would have to be fetched.
const EARLIER_FILE: &str = "[A file that was attached here is not shown any more.]";

/// A file that is not in the message itself is shown in the turn that it came with: if it cannot be fetched any more,
/// that must not fail every turn from then on.
fn user_part(part: &Part, is_newest: bool) -> Option<UserPart> {
    match part {
        Part::Text(text) if !text.text.is_empty() => {
            Some(UserPart::Text { text: text.text.clone(), metadata: text.provider_metadata.clone() })
        }
        Part::Other(json) => {
            let file = FilePart::of(json)?;
            if !is_newest && !file.url.starts_with("data:") {
                return Some(UserPart::text(EARLIER_FILE));
            }
            Some(UserPart::File {
                media_type: file.media_type,
                url: file.url,
                filename: file.filename,
                metadata: file.provider_metadata,
            })
        }
        _ => None,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FilePart {
    r#type: String,
    media_type: String,
    url: String,
    filename: Option<String>,
    provider_metadata: Option<Json>,
}

impl FilePart {
    /// Whether it is one that a model makes.
    fn is_made(&self) -> bool {
        matches!(self.r#type.as_str(), "file" | "reasoning-file")
    }

    fn of(part: &Json) -> Option<Self> {
        part.read::<Self>().ok().filter(|file| file.r#type == "file")
    }
}

/// One assistant message and one tool message per step. Rows of older writers have no step boundaries; there, text or
/// reasoning after a tool call begins the next step. A user's message that has joined the run stands where it has entered;
/// `now` says that it is of the turn in progress.
pub(super) fn assistant_messages(parts: &[Part], now: bool, ids: &mut CallIds, messages: &mut Vec<ModelMessage>) {
    let has_boundaries = parts.contains(&Part::StepStart);
    let mut block: Vec<AssistantPart> = Vec::new();
    let mut results: Vec<ToolResult> = Vec::new();
    let flush = |messages: &mut Vec<ModelMessage>, block: &mut Vec<AssistantPart>, results: &mut Vec<ToolResult>| {
        // Reasoning alone is no answer; providers refuse a message of nothing else.
        let is_thought = |part: &AssistantPart| {
            matches!(part, AssistantPart::Reasoning { .. } | AssistantPart::File { is_thought: true, .. })
        };
        if !block.iter().all(is_thought) {
            messages.push(ModelMessage::Assistant(std::mem::take(block)));
        }
        block.clear();
        if !results.is_empty() {
            messages.push(ModelMessage::Tool(std::mem::take(results)));
        }
    };
    for part in parts {
        match part {
            Part::StepStart => flush(messages, &mut block, &mut results),
            Part::Text(text) | Part::Reasoning(text) => {
                if text.text.is_empty() && text.provider_metadata.is_none() {
                    continue;
                }
                if !has_boundaries && !results.is_empty() {
                    flush(messages, &mut block, &mut results);
                }
                let (metadata, is_reasoning) = (text.provider_metadata.clone(), matches!(part, Part::Reasoning(_)));
                let text = text.text.clone();
                block.push(match is_reasoning {
                    true => AssistantPart::Reasoning { text, metadata },
                    false => AssistantPart::Text { text, metadata },
                });
            }
            Part::Tool(tool) => {
                let (call, result) = call_and_result(tool, ids);
                block.push(call);
                match result {
                    result if tool.provider_executed => {
                        let metadata = tool.result_metadata.clone().or_else(|| tool.provider_metadata.clone());
                        block.push(AssistantPart::ToolResult { result, metadata });
                    }
                    result => results.push(result),
                }
            }
            Part::Other(json) => {
                if let Some(said) = steering_parts(json) {
                    flush(messages, &mut block, &mut results);
                    let said: Vec<UserPart> = said.iter().filter_map(|part| user_part(part, now)).collect();
                    if !said.is_empty() {
                        messages.push(ModelMessage::User(said));
                    }
                } else if let Some(file) = json.read::<FilePart>().ok().filter(FilePart::is_made) {
                    let is_thought = file.r#type == "reasoning-file";
                    let (media_type, url, metadata) = (file.media_type, file.url, file.provider_metadata);
                    block.push(AssistantPart::File { media_type, url, is_thought, metadata });
                }
            }
        }
    }
    flush(messages, &mut block, &mut results);
}

fn call_and_result(tool: &ToolPart, ids: &mut CallIds) -> (AssistantPart, ToolResult) {
    let call_id = ids.claim(&tool.call_id);
    let call = AssistantPart::ToolCall {
        call_id: call_id.clone(),
        name: tool.name.clone(),
        input: tool.input.clone().filter(Json::is_object).unwrap_or_else(Json::empty_object),
        provider_executed: tool.provider_executed,
        metadata: tool.provider_metadata.clone(),
    };
    let output = match &tool.state {
        // What a provider returned goes back to it as it came.
        ToolState::OutputAvailable(output) if tool.provider_executed => {
            ToolOutput::Json(output.clone().unwrap_or_else(Json::null))
        }
        ToolState::OutputAvailable(output) => {
            let output = output.clone().unwrap_or_else(Json::null);
            let edited = tool.approval.as_ref().is_some_and(|approval| approval.edited);
            if edited { with_note(output) } else { told(output) }
        }
        ToolState::OutputError(text) => ToolOutput::Error(shortened(text.clone())),
        ToolState::InputAvailable => ToolOutput::Error(INCOMPLETE_CALL.to_owned()),
    };
    (call, ToolResult { call_id, name: tool.name.clone(), output })
}

/// The output of a call whose arguments somebody has changed: the model sees the call with those.
fn with_note(output: Json) -> ToolOutput {
    #[derive(serde::Serialize)]
    struct Noted<'a> {
        note: &'static str,
        output: &'a Json,
    }
    let note = "The person who allowed this call has changed its arguments to those that it shows.";
    match told(output.clone()) {
        ToolOutput::Content(mut parts) => {
            parts.insert(0, ContentPart::Text(note.to_owned()));
            ToolOutput::Content(parts)
        }
        _ => told(Json::from_value(&Noted { note, output: &output }).unwrap_or(output)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert(parts: &str) -> Vec<ModelMessage> {
        let mut messages = Vec::new();
        assistant_messages(
            &serde_json::from_str::<Vec<Part>>(parts).unwrap(),
            false,
            &mut CallIds::default(),
            &mut messages,
        );
        messages
    }

    fn shape(messages: &[ModelMessage]) -> Vec<&'static str> {
        messages
            .iter()
            .map(|message| match message {
                ModelMessage::User(_) => "user",
                ModelMessage::Assistant(_) => "assistant",
                ModelMessage::Tool(_) => "tool",
            })
            .collect()
    }

    #[test]
    fn steps_become_call_result_answer() {
        let with_steps = convert(
            r#"[{"type":"step-start"},{"type":"text","text":"a"},{"type":"tool-x","toolCallId":"1","state":"output-available","input":{},"output":1},
                {"type":"step-start"},{"type":"tool-y","toolCallId":"2","state":"input-available","input":"{bro"},{"type":"step-start"},{"type":"text","text":"b"}]"#,
        );
        assert_eq!(shape(&with_steps), ["assistant", "tool", "assistant", "tool", "assistant"]);
        let ModelMessage::Tool(results) = &with_steps[3] else { panic!() };
        assert_eq!(results[0].output, ToolOutput::Error(INCOMPLETE_CALL.to_owned()));
        let ModelMessage::Assistant(calls) = &with_steps[2] else { panic!() };
        assert!(matches!(&calls[0], AssistantPart::ToolCall { input, .. } if input.get() == "{}"));
    }

    #[test]
    fn rows_without_boundaries_keep_the_answer_after_the_result() {
        let legacy = convert(
            r#"[{"type":"text","text":"a"},{"type":"tool-x","toolCallId":"1","state":"output-available","input":{},"output":1},{"type":"text","text":"b"}]"#,
        );
        assert_eq!(shape(&legacy), ["assistant", "tool", "assistant"]);
    }

    #[test]
    fn an_id_stands_for_one_call() {
        let twice = r#"{"type":"tool-x","toolCallId":"call_0","state":"output-available","input":{},"output":1}"#;
        let mut messages = convert(&format!("[{twice},{twice}]"));
        let step = StepRecord {
            number: 0,
            parts: serde_json::from_str(&format!("[{twice}]")).unwrap(),
            finish_reason: None,
            usage: None,
        };
        append_steps(&mut messages, &[step]);
        let ids: Vec<&str> = messages
            .iter()
            .flat_map(|message| match message {
                ModelMessage::Tool(results) => results.as_slice(),
                _ => &[],
            })
            .map(|result| result.call_id.as_str())
            .collect();
        assert_eq!(ids, ["call_0", "call_0_2", "call_0_3"]);
    }

    #[test]
    fn a_step_stays_one_message_and_keeps_what_its_provider_wants_to_see() {
        let messages = convert(
            r#"[{"type":"step-start"},{"type":"reasoning","text":"","providerMetadata":{"p":{"s":"1"}}},
                {"type":"tool-x","toolCallId":"1","state":"output-available","input":{},"output":1,"callProviderMetadata":{"p":{"s":"2"}}},
                {"type":"text","text":"a","providerMetadata":{"p":{"s":"3"}}},
                {"type":"tool-find","toolCallId":"2","state":"output-available","input":{},"output":[],"providerExecuted":true,"resultProviderMetadata":{"p":{"s":"4"}}},
                {"type":"file","mediaType":"image/png","url":"data:image/png;base64,AA==","providerMetadata":{"p":{"s":"5"}}}]"#,
        );
        assert_eq!(shape(&messages), ["assistant", "tool"]);
        let ModelMessage::Assistant(parts) = &messages[0] else { panic!() };
        let signatures: Vec<String> = parts
            .iter()
            .map(|part| match part {
                AssistantPart::Text { metadata, .. }
                | AssistantPart::Reasoning { metadata, .. }
                | AssistantPart::File { metadata, .. }
                | AssistantPart::ToolCall { metadata, .. }
                | AssistantPart::ToolResult { metadata, .. } => metadata.as_ref().map_or("-", Json::get).to_owned(),
            })
            .collect();
        let kept = |n: u8| format!(r#"{{"p":{{"s":"{n}"}}}}"#);
        assert_eq!(signatures, [kept(1), kept(2), kept(3), "-".to_owned(), kept(4), kept(5)]);
        let ModelMessage::Tool(results) = &messages[1] else { panic!() };
        assert_eq!(results.len(), 1);
    }

    #[test]
    fn a_call_that_was_allowed_later_is_told_where_it_was_made() {
        let row = |parts: &str| Message {
            id: crate::id::MessageId::generate(),
            chat_id: crate::id::ChatId::generate(),
            workspace_id: "w".into(),
            user_id: None,
            role: MessageRole::Assistant,
            content: String::new(),
            tool_calls: None,
            metadata: Some(Json::parse(&format!(r#"{{"parts":[{parts}]}}"#)).unwrap()),
            status: None,
            created_at: crate::clock::Timestamp::from_millis(0),
            updated_at: crate::clock::Timestamp::from_millis(0),
        };
        let asked = r#"{"type":"step-start"},{"type":"text","text":"May I?"},{"type":"tool-x","toolCallId":"1","state":"approval-requested","input":{},"approval":{"id":"a"}}"#;
        let made = r#"{"type":"step-start"},{"type":"tool-x","toolCallId":"1","state":"output-available","input":{},"output":1},{"type":"step-start"},{"type":"text","text":"Done."}"#;
        let messages = messages_from_rows(&[row(asked), row(made)]);
        assert_eq!(shape(&messages), ["assistant", "assistant", "tool", "assistant"]);
        let alone = messages_from_rows(&[row(asked)]);
        let Some(ModelMessage::Tool(results)) = alone.last() else { panic!() };
        assert_eq!(results[0].output, ToolOutput::Error(INCOMPLETE_CALL.to_owned()));
    }

    #[test]
    fn a_file_of_the_reasoning_is_a_thought() {
        let file = r#"{"type":"reasoning-file","mediaType":"image/png","url":"data:image/png;base64,AA=="}"#;
        assert!(convert(&format!("[{file}]")).is_empty());
        let with_answer = convert(&format!(r#"[{file},{{"type":"text","text":"a"}}]"#));
        let ModelMessage::Assistant(parts) = &with_answer[0] else { panic!() };
        assert!(matches!(&parts[0], AssistantPart::File { is_thought: true, .. }));
    }

    #[test]
    fn reasoning_alone_is_not_sent() {
        assert!(convert(r#"[{"type":"step-start"},{"type":"reasoning","text":"hm"}]"#).is_empty());
    }
}
