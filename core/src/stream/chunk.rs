//! UI message chunks, with only the keys that the strict schemas of older clients know.

use serde::{Deserialize, Serialize};

use crate::id::{ChatId, MessageId, RunId};
use crate::model::{FinishReason, Json, Usage};

/// The headers of a UI message stream over HTTP.
pub const SSE_HEADERS: &[(&str, &str)] = &[
    ("content-type", "text/event-stream"),
    ("cache-control", "no-cache"),
    ("x-vercel-ai-ui-message-stream", "v1"),
    ("x-accel-buffering", "no"),
];

/// The event that ends a UI message stream over HTTP.
pub const SSE_DONE: &str = "data: [DONE]\n\n";

/// Frames one encoded chunk as a server-sent event.
pub fn sse_event(chunk: &str) -> String {
    format!("data: {chunk}\n\n")
}

/// What `messageMetadata` carries: the ids in the first chunk, the usage so far after each step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamMetadata {
    /// The chat, which may have been created by this turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_id: Option<ChatId>,
    /// The run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// Tokens of all steps so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// One chunk of the stream. Serialized, it is the JSON that the AI SDK's client reads.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[allow(missing_docs, reason = "names and meaning are the AI SDK's")]
pub enum UiChunk {
    Start {
        message_id: MessageId,
        message_metadata: StreamMetadata,
    },
    StartStep,
    TextStart {
        id: String,
    },
    TextDelta {
        id: String,
        delta: String,
    },
    TextEnd {
        id: String,
    },
    ReasoningStart {
        id: String,
    },
    ReasoningDelta {
        id: String,
        delta: String,
    },
    ReasoningEnd {
        id: String,
    },
    ToolInputStart {
        tool_call_id: String,
        tool_name: String,
    },
    ToolInputDelta {
        tool_call_id: String,
        input_text_delta: String,
    },
    ToolInputAvailable {
        tool_call_id: String,
        tool_name: String,
        input: Json,
    },
    ToolInputError {
        tool_call_id: String,
        tool_name: String,
        input: Json,
        error_text: String,
    },
    ToolOutputAvailable {
        tool_call_id: String,
        output: Json,
    },
    ToolOutputError {
        tool_call_id: String,
        error_text: String,
    },
    FinishStep,
    MessageMetadata {
        message_metadata: StreamMetadata,
    },
    Finish {
        finish_reason: FinishReason,
        #[serde(skip_serializing_if = "Option::is_none")]
        message_metadata: Option<StreamMetadata>,
    },
    Abort {
        reason: String,
    },
    Error {
        error_text: String,
    },
}

/// Every field that a chunk of a step may have.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    r#type: String,
    id: Option<String>,
    delta: Option<String>,
    tool_call_id: Option<String>,
    tool_name: Option<String>,
    input_text_delta: Option<String>,
    input: Option<Json>,
    output: Option<Json>,
    error_text: Option<String>,
}

impl UiChunk {
    /// Whether the chunk tells of what happens inside a step; the others tell of steps and runs as a whole, and can be
    /// told from what is on disk of those.
    pub(crate) fn is_of_step(&self) -> bool {
        !matches!(
            self,
            UiChunk::Start { .. }
                | UiChunk::FinishStep
                | UiChunk::MessageMetadata { .. }
                | UiChunk::Finish { .. }
                | UiChunk::Abort { .. }
                | UiChunk::Error { .. }
        )
    }

    /// Reads a chunk of a step back; `None` for every other.
    pub(crate) fn parse_of_step(json: &str) -> Option<Self> {
        let fields: Fields = serde_json::from_str(json).ok()?;
        Some(match fields.r#type.as_str() {
            "start-step" => UiChunk::StartStep,
            "text-start" => UiChunk::TextStart { id: fields.id? },
            "text-delta" => UiChunk::TextDelta { id: fields.id?, delta: fields.delta? },
            "text-end" => UiChunk::TextEnd { id: fields.id? },
            "reasoning-start" => UiChunk::ReasoningStart { id: fields.id? },
            "reasoning-delta" => UiChunk::ReasoningDelta { id: fields.id?, delta: fields.delta? },
            "reasoning-end" => UiChunk::ReasoningEnd { id: fields.id? },
            "tool-input-start" => {
                UiChunk::ToolInputStart { tool_call_id: fields.tool_call_id?, tool_name: fields.tool_name? }
            }
            "tool-input-delta" => UiChunk::ToolInputDelta {
                tool_call_id: fields.tool_call_id?,
                input_text_delta: fields.input_text_delta?,
            },
            "tool-input-available" => UiChunk::ToolInputAvailable {
                tool_call_id: fields.tool_call_id?,
                tool_name: fields.tool_name?,
                input: fields.input.unwrap_or_else(Json::null),
            },
            "tool-input-error" => UiChunk::ToolInputError {
                tool_call_id: fields.tool_call_id?,
                tool_name: fields.tool_name?,
                input: fields.input.unwrap_or_else(Json::null),
                error_text: fields.error_text?,
            },
            "tool-output-available" => UiChunk::ToolOutputAvailable {
                tool_call_id: fields.tool_call_id?,
                output: fields.output.unwrap_or_else(Json::null),
            },
            "tool-output-error" => {
                UiChunk::ToolOutputError { tool_call_id: fields.tool_call_id?, error_text: fields.error_text? }
            }
            _ => return None,
        })
    }

    /// The chunk's JSON.
    pub fn encode(&self) -> String {
        // Plain data with text keys: there is nothing in it that could fail to serialize.
        serde_json::to_string(self)
            .unwrap_or_else(|_| String::from(r#"{"type":"error","errorText":"unencodable chunk"}"#))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_have_the_sdk_keys() {
        let call = UiChunk::ToolInputAvailable {
            tool_call_id: "c".into(),
            tool_name: "get".into(),
            input: Json::parse(r#"{"a": 1}"#).unwrap(),
        };
        assert_eq!(
            call.encode(),
            r#"{"type":"tool-input-available","toolCallId":"c","toolName":"get","input":{"a":1}}"#
        );
        let finish = UiChunk::Finish { finish_reason: FinishReason::ToolCalls, message_metadata: None };
        assert_eq!(finish.encode(), r#"{"type":"finish","finishReason":"tool-calls"}"#);
        assert_eq!(UiChunk::StartStep.encode(), r#"{"type":"start-step"}"#);
    }
}
