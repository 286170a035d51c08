//! Stored messages as a provider must see them: call, result, answer, step by step.

use std::collections::HashSet;

use serde::Deserialize;

use crate::model::{INCOMPLETE_CALL, Json, Message, MessageRole, Part, StepRecord, ToolState};

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
    Text(String),
    /// A file by URL or data URL.
    File {
        /// Its media type.
        media_type: String,
        /// Where it is.
        url: String,
    },
}

/// A part of an assistant's message.
#[derive(Clone, Debug, PartialEq)]
pub enum AssistantPart {
    /// The answer.
    Text(String),
    /// The reasoning before it.
    Reasoning(String),
    /// A call; its outcome follows in the next message.
    ToolCall {
        /// Pairs call and outcome.
        call_id: String,
        /// The tool.
        name: String,
        /// Always an object.
        input: Json,
        /// What the provider wants to see again.
        metadata: Option<Json>,
    },
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
    for (place, row) in rows.iter().enumerate() {
        match row.role {
            MessageRole::User => {
                let is_newest = Some(place) == newest;
                let parts: Vec<UserPart> = row.parts().iter().filter_map(|part| user_part(part, is_newest)).collect();
                if !parts.is_empty() {
                    messages.push(ModelMessage::User(parts));
                }
            }
            MessageRole::Assistant => assistant_messages(&row.parts(), &mut ids, &mut messages),
        }
    }
    messages
}

/// Appends the messages for the steps of the run in progress to its history.
pub fn append_steps(messages: &mut Vec<ModelMessage>, steps: &[StepRecord]) {
    let mut ids = CallIds::of(messages);
    for step in steps {
        assistant_messages(&step.parts, &mut ids, messages);
    }
}

/// The call ids of a conversation so far.
#[derive(Default)]
struct CallIds(HashSet<String>);

impl CallIds {
    fn of(messages: &[ModelMessage]) -> Self {
        let results = messages.iter().flat_map(|message| match message {
            ModelMessage::Tool(results) => results.as_slice(),
            _ => &[],
        });
        Self(results.map(|result| result.call_id.clone()).collect())
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
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct File {
        r#type: String,
        media_type: String,
        url: String,
    }
    match part {
        Part::Text(text) if !text.text.is_empty() => Some(UserPart::Text(text.text.clone())),
        Part::Other(json) => {
            let file = json.read::<File>().ok().filter(|file| file.r#type == "file")?;
            if !is_newest && !file.url.starts_with("data:") {
                return Some(UserPart::Text(EARLIER_FILE.to_owned()));
            }
            Some(UserPart::File { media_type: file.media_type, url: file.url })
        }
        _ => None,
    }
}

/// One assistant message and one tool message per step. Rows of older writers have no step boundaries; there, text or
/// reasoning after a tool call begins the next step.
fn assistant_messages(parts: &[Part], ids: &mut CallIds, messages: &mut Vec<ModelMessage>) {
    let mut block: Vec<AssistantPart> = Vec::new();
    let mut results: Vec<ToolResult> = Vec::new();
    let mut flush = |block: &mut Vec<AssistantPart>, results: &mut Vec<ToolResult>| {
        // Reasoning alone is no answer; providers refuse a message of nothing else.
        if block.iter().any(|part| !matches!(part, AssistantPart::Reasoning(_))) {
            messages.push(ModelMessage::Assistant(std::mem::take(block)));
        }
        block.clear();
        if !results.is_empty() {
            messages.push(ModelMessage::Tool(std::mem::take(results)));
        }
    };
    for part in parts {
        match part {
            Part::StepStart => flush(&mut block, &mut results),
            Part::Text(text) | Part::Reasoning(text) => {
                if text.text.is_empty() {
                    continue;
                }
                if !results.is_empty() {
                    flush(&mut block, &mut results);
                }
                block.push(match part {
                    Part::Reasoning(_) => AssistantPart::Reasoning(text.text.clone()),
                    _ => AssistantPart::Text(text.text.clone()),
                });
            }
            Part::Tool(tool) => {
                let call_id = ids.claim(&tool.call_id);
                let input = tool.input.clone().filter(Json::is_object).unwrap_or_else(Json::empty_object);
                block.push(AssistantPart::ToolCall {
                    call_id: call_id.clone(),
                    name: tool.name.clone(),
                    input,
                    metadata: tool.provider_metadata.clone(),
                });
                let output = match &tool.state {
                    ToolState::OutputAvailable(output) => ToolOutput::Json(output.clone().unwrap_or_else(Json::null)),
                    ToolState::OutputError(text) => ToolOutput::Error(text.clone()),
                    ToolState::InputAvailable => ToolOutput::Error(INCOMPLETE_CALL.to_owned()),
                };
                results.push(ToolResult { call_id, name: tool.name.clone(), output });
            }
            Part::Other(_) => {}
        }
    }
    flush(&mut block, &mut results);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert(parts: &str) -> Vec<ModelMessage> {
        let mut messages = Vec::new();
        assistant_messages(&serde_json::from_str::<Vec<Part>>(parts).unwrap(), &mut CallIds::default(), &mut messages);
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
    fn reasoning_alone_is_not_sent() {
        assert!(convert(r#"[{"type":"step-start"},{"type":"reasoning","text":"hm"}]"#).is_empty());
    }
}
