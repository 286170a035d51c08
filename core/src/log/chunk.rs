//! UI message chunks, with only the keys that the strict schemas of older clients know.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{ChatId, MessageId, RunId};
use crate::model::{
    Approval, FinishReason, Json, MessageStatus, RunFailure, RunReason, STEERING_PART, TAINT_PART, ToolPart, Usage,
    present,
};

/// The headers of a UI message stream over HTTP.
pub const SSE_HEADERS: &[(&str, &str)] = &[
    ("content-type", "text/event-stream"),
    ("cache-control", "no-cache, no-transform"),
    ("x-vercel-ai-ui-message-stream", "v1"),
    ("x-accel-buffering", "no"),
];

/// The event that ends a UI message stream over HTTP.
pub const SSE_DONE: &str = "data: [DONE]\n\n";

/// Frames one encoded chunk as a server-sent event.
pub fn sse_event(chunk: &str) -> String {
    format!("data: {chunk}\n\n")
}

/// What `messageMetadata` carries: the ids in the first chunk, the usage so far after each step, how it ended at the end.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
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
    /// What kind of failure ended the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<RunFailure>,
    /// The message's status, once that is final.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<MessageStatus>,
    /// Why the run did not succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<RunReason>,
    /// The error in one line, when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The run has not ended: it waits for somebody's answer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub waiting: bool,
    /// The calls of the step of whose outputs less is shown than there is, and how many bytes there are.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub truncated_outputs: BTreeMap<String, u64>,
}

impl StreamMetadata {
    /// How much was used so far, if that is known.
    pub(crate) fn usage(usage: Option<Usage>) -> Option<Self> {
        usage.map(|usage| Self { usage: Some(usage), ..Self::default() })
    }

    /// What is said at the end of a step, if there is anything to say.
    pub(crate) fn of_step<'a>(usage: Option<Usage>, truncated: impl Iterator<Item = (&'a str, u64)>) -> Option<Self> {
        let truncated_outputs: BTreeMap<String, u64> = truncated.map(|(id, bytes)| (id.to_owned(), bytes)).collect();
        let says_something = usage.is_some() || !truncated_outputs.is_empty();
        says_something.then(|| Self { usage, truncated_outputs, ..Self::default() })
    }
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
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_metadata: Option<Json>,
    },
    TextDelta {
        id: String,
        delta: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_metadata: Option<Json>,
    },
    TextEnd {
        id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_metadata: Option<Json>,
        /// What the text rests on; for clients of `ai` 7 alone.
        #[serde(skip_serializing_if = "Option::is_none")]
        citations: Option<Json>,
    },
    ReasoningStart {
        id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_metadata: Option<Json>,
    },
    ReasoningDelta {
        id: String,
        delta: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_metadata: Option<Json>,
    },
    ReasoningEnd {
        id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_metadata: Option<Json>,
    },
    ToolInputStart {
        tool_call_id: String,
        tool_name: String,
        #[serde(flatten)]
        more: CallDetails,
    },
    ToolInputDelta {
        tool_call_id: String,
        input_text_delta: String,
    },
    ToolInputAvailable {
        tool_call_id: String,
        tool_name: String,
        input: Json,
        #[serde(flatten)]
        more: CallDetails,
    },
    ToolInputError {
        tool_call_id: String,
        tool_name: String,
        input: Json,
        #[serde(flatten)]
        more: CallDetails,
        error_text: String,
    },
    ToolOutputAvailable {
        tool_call_id: String,
        output: Json,
        #[serde(flatten)]
        more: CallDetails,
    },
    /// An outcome that will be followed by another one.
    #[serde(rename = "tool-output-available")]
    ToolOutputPreliminary {
        tool_call_id: String,
        output: Json,
        /// Always true.
        preliminary: bool,
    },
    ToolOutputError {
        tool_call_id: String,
        error_text: String,
        #[serde(flatten)]
        more: CallDetails,
    },
    ToolApprovalRequest {
        approval_id: String,
        tool_call_id: String,
        #[serde(flatten)]
        more: ApprovalDetails,
    },
    ToolOutputDenied {
        tool_call_id: String,
        /// For clients of `ai` 7 alone, which are told it as an answer of its own.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
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
    /// A source or a file: the part of the message that it becomes is the chunk.
    #[serde(untagged)]
    Part(Json),
}

/// What the chunks of a tool call may say besides the call.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallDetails {
    /// The provider runs the tool itself.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub provider_executed: bool,
    /// What the provider wants to see again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_metadata: Option<Json>,
    /// The tool is not one of those that the client knows.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dynamic: bool,
    /// How pages are to call the tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What the host has noted of the tool; for clients of `ai` 7 alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_metadata: Option<Json>,
}

/// What else there is to a question whether a call may be made; for clients of `ai` 7 alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalDetails {
    /// Why it is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Rules answer it, nobody else.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_automatic: bool,
    /// What binds the question to its call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The input before it was refined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_schema_input: Option<Json>,
    /// What is to be shown of the question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_descriptor: Option<Json>,
    /// Why it was allowed, where that is known already: what clients are told with the answer, and not with the question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_reason: Option<String>,
}

impl ApprovalDetails {
    /// What is told with the question.
    pub(crate) fn of(approval: &Approval) -> Self {
        Self {
            reason: approval.request_reason.clone(),
            is_automatic: approval.is_automatic,
            signature: approval.signature.clone(),
            input_schema_input: approval.input_schema_input.clone(),
            approval_descriptor: approval.descriptor.clone(),
            answer_reason: approval.reason.clone().filter(|_| approval.approved == Some(true)),
        }
    }
}

impl CallDetails {
    /// What the chunks that tell of the call's input say.
    pub(crate) fn of_call(tool: &ToolPart) -> Self {
        Self {
            provider_executed: tool.provider_executed,
            provider_metadata: tool.provider_metadata.clone(),
            dynamic: tool.dynamic,
            title: tool.title.clone(),
            tool_metadata: tool.tool_metadata.clone(),
        }
    }

    /// What the chunk that tells of the call's outcome says.
    pub(crate) fn of_result(tool: &ToolPart) -> Self {
        Self { provider_metadata: tool.result_metadata.clone(), title: None, ..Self::of_call(tool) }
    }
}

/// Types of parts that tell of a step itself: that it is withdrawn, that another model is asked, what it is tainted by.
const NOTES: &[&str] = &["data-withdrawn", "data-model", TAINT_PART];
/// Types of parts that are chunks as they are.
const TOLD: &[&str] = &["source-url", "source-document", "file", "reasoning-file", "custom", STEERING_PART];

#[derive(Deserialize)]
struct PartType {
    r#type: String,
}

fn is_of_type(part: &Json, types: &[&str]) -> bool {
    part.read::<PartType>().is_ok_and(|part| types.contains(&part.r#type.as_str()))
}

/// Whether a part that the engine stores unread has a chunk of its own.
pub(crate) fn is_told(part: &Json) -> bool {
    is_of_type(part, TOLD) || is_note(part)
}

/// Whether a part tells of its step itself, and nothing of its answer.
pub(crate) fn is_note(part: &Json) -> bool {
    is_of_type(part, NOTES)
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
    approval_id: Option<String>,
    #[serde(default)]
    provider_executed: bool,
    #[serde(default)]
    dynamic: bool,
    #[serde(default)]
    preliminary: bool,
    provider_metadata: Option<Json>,
    citations: Option<Json>,
    title: Option<String>,
    tool_metadata: Option<Json>,
    reason: Option<String>,
    #[serde(default)]
    is_automatic: bool,
    signature: Option<String>,
    #[serde(default, deserialize_with = "present")]
    input_schema_input: Option<Json>,
    #[serde(default, deserialize_with = "present")]
    approval_descriptor: Option<Json>,
    answer_reason: Option<String>,
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
        let provider_metadata = fields.provider_metadata;
        let more = CallDetails {
            provider_executed: fields.provider_executed,
            provider_metadata: provider_metadata.clone(),
            dynamic: fields.dynamic,
            title: fields.title,
            tool_metadata: fields.tool_metadata,
        };
        Some(match fields.r#type.as_str() {
            "start-step" => UiChunk::StartStep,
            "text-start" => UiChunk::TextStart { id: fields.id?, provider_metadata },
            "text-delta" => UiChunk::TextDelta { id: fields.id?, delta: fields.delta?, provider_metadata },
            "text-end" => UiChunk::TextEnd { id: fields.id?, provider_metadata, citations: fields.citations },
            "reasoning-start" => UiChunk::ReasoningStart { id: fields.id?, provider_metadata },
            "reasoning-delta" => UiChunk::ReasoningDelta { id: fields.id?, delta: fields.delta?, provider_metadata },
            "reasoning-end" => UiChunk::ReasoningEnd { id: fields.id?, provider_metadata },
            "tool-input-start" => {
                UiChunk::ToolInputStart { tool_call_id: fields.tool_call_id?, tool_name: fields.tool_name?, more }
            }
            "tool-input-delta" => UiChunk::ToolInputDelta {
                tool_call_id: fields.tool_call_id?,
                input_text_delta: fields.input_text_delta?,
            },
            "tool-input-available" => UiChunk::ToolInputAvailable {
                tool_call_id: fields.tool_call_id?,
                tool_name: fields.tool_name?,
                input: fields.input.unwrap_or_else(Json::null),
                more,
            },
            "tool-input-error" => UiChunk::ToolInputError {
                tool_call_id: fields.tool_call_id?,
                tool_name: fields.tool_name?,
                input: fields.input.unwrap_or_else(Json::null),
                more,
                error_text: fields.error_text?,
            },
            "tool-output-available" if fields.preliminary => {
                let output = fields.output.unwrap_or_else(Json::null);
                UiChunk::ToolOutputPreliminary { tool_call_id: fields.tool_call_id?, output, preliminary: true }
            }
            "tool-output-available" => UiChunk::ToolOutputAvailable {
                tool_call_id: fields.tool_call_id?,
                output: fields.output.unwrap_or_else(Json::null),
                more,
            },
            "tool-output-error" => {
                UiChunk::ToolOutputError { tool_call_id: fields.tool_call_id?, error_text: fields.error_text?, more }
            }
            "tool-approval-request" => UiChunk::ToolApprovalRequest {
                approval_id: fields.approval_id?,
                tool_call_id: fields.tool_call_id?,
                more: ApprovalDetails {
                    reason: fields.reason,
                    is_automatic: fields.is_automatic,
                    signature: fields.signature,
                    input_schema_input: fields.input_schema_input,
                    approval_descriptor: fields.approval_descriptor,
                    answer_reason: fields.answer_reason,
                },
            },
            "tool-output-denied" => {
                UiChunk::ToolOutputDenied { tool_call_id: fields.tool_call_id?, reason: fields.reason }
            }
            told if TOLD.contains(&told) || NOTES.contains(&told) => UiChunk::Part(Json::parse(json).ok()?),
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
            more: CallDetails::default(),
        };
        assert_eq!(
            call.encode(),
            r#"{"type":"tool-input-available","toolCallId":"c","toolName":"get","input":{"a":1}}"#
        );
        let finish = UiChunk::Finish { finish_reason: FinishReason::ToolCalls, message_metadata: None };
        assert_eq!(finish.encode(), r#"{"type":"finish","finishReason":"tool-calls"}"#);
        assert_eq!(UiChunk::StartStep.encode(), r#"{"type":"start-step"}"#);
    }

    #[test]
    fn chunks_of_a_step_are_read_back() {
        let metadata = Json::parse(r#"{"p":{"signature":"A+/=\u20ac 1.0"},"n":1.0}"#).unwrap();
        let more = CallDetails {
            provider_executed: true,
            provider_metadata: Some(metadata.clone()),
            dynamic: true,
            title: Some("T".into()),
            tool_metadata: Some(metadata.clone()),
        };
        let asked = ApprovalDetails {
            reason: Some("it costs".into()),
            is_automatic: true,
            signature: Some("s".into()),
            input_schema_input: Some(Json::null()),
            approval_descriptor: Some(metadata.clone()),
            answer_reason: Some("cheap".into()),
        };
        let (id, call) = (|| "t".to_owned(), || "c".to_owned());
        let chunks = [
            UiChunk::TextStart { id: id(), provider_metadata: None },
            UiChunk::TextDelta { id: id(), delta: String::new(), provider_metadata: Some(metadata.clone()) },
            UiChunk::TextEnd { id: id(), provider_metadata: None, citations: Some(Json::parse("[]").unwrap()) },
            UiChunk::ReasoningEnd { id: id(), provider_metadata: Some(metadata) },
            UiChunk::ToolInputStart { tool_call_id: call(), tool_name: "x".into(), more: more.clone() },
            UiChunk::ToolInputAvailable {
                tool_call_id: call(),
                tool_name: "x".into(),
                input: Json::empty_object(),
                more: more.clone(),
            },
            UiChunk::ToolOutputAvailable { tool_call_id: call(), output: Json::null(), more: more.clone() },
            UiChunk::ToolOutputPreliminary { tool_call_id: call(), output: Json::string("half"), preliminary: true },
            UiChunk::ToolOutputError { tool_call_id: call(), error_text: "no".into(), more },
            UiChunk::ToolApprovalRequest { approval_id: "a".into(), tool_call_id: call(), more: asked },
            UiChunk::ToolOutputDenied { tool_call_id: call(), reason: Some("no".into()) },
            UiChunk::Part(Json::parse(r#"{"type":"custom","kind":"p.compaction"}"#).unwrap()),
            UiChunk::Part(Json::parse(r#"{"type":"source-url","sourceId":"1","url":"https://example.com"}"#).unwrap()),
        ];
        for chunk in chunks {
            assert_eq!(UiChunk::parse_of_step(&chunk.encode()), Some(chunk));
        }
    }
}
