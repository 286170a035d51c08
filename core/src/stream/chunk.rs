//! UI message chunks, with only the keys that the strict schemas of older clients know.

use serde::Serialize;

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

impl UiChunk {
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
