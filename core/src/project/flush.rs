//! The assistant's message row, computed from its steps.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{Json, MessageStatus, Part, RunFailure, RunReason, StepRecord, ToolPart, ToolState, Usage};

use super::compact::compact_tool_output;
use super::shown::shown_state;

/// The columns of an assistant's message row.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AssistantFlush {
    /// The text of all finished steps, then the text in progress.
    pub content: String,
    /// The flat trace, `None` when there is nothing.
    pub tool_calls: Option<Json>,
    /// `{parts, finishReason?, usage?, contextTokens?, maxContextTokens?, error?, failure?, historyLeftOut?, reason?,
    /// stepsPersisted?, truncatedOutputs?}`.
    pub metadata: Json,
    /// The message's status.
    pub status: MessageStatus,
}

/// What else the row's metadata may carry; zero, empty and absent are the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FlushExtra {
    /// Why the model stopped.
    pub finish_reason: Option<String>,
    /// Tokens of the turn.
    pub usage: Option<Usage>,
    /// How full the context is.
    pub context_tokens: Option<u64>,
    /// How large the context is.
    pub max_context_tokens: Option<u64>,
    /// The error in one line.
    pub error: Option<String>,
    /// What kind of failure it was.
    pub failure: Option<RunFailure>,
    /// The model was not told of earlier messages of the chat.
    pub history_left_out: bool,
    /// Why the run did not succeed; written by the engine only.
    pub reason: Option<RunReason>,
    /// How many steps of the log the row shows; written by the engine only.
    pub steps_persisted: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    parts: &'a [Part],
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_context_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a RunFailure>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    history_left_out: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<RunReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps_persisted: Option<u32>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    truncated_outputs: BTreeMap<&'a str, u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TraceEntry<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Json>,
}

/// The row that the engine writes for the steps of its log: as [`super::flush_assistant`], with step boundaries, reasoning,
/// provider metadata and the real error texts kept, and outputs as pages were shown them while the run went on.
/// Steps that were withdrawn are in none of it.
pub fn flush_run(logged: &[StepRecord], status: MessageStatus, extra: &FlushExtra) -> AssistantFlush {
    let steps = &*StepRecord::kept(logged);
    let content = steps.iter().flat_map(|step| step.parts.iter().filter_map(Part::as_text)).collect();
    let mut trace = Vec::new();
    for step in steps {
        trace.extend(step.tools().map(|tool| TraceEntry {
            tool_name: Some(&tool.name),
            input: tool.input.as_ref(),
            output: None,
        }));
        trace.extend(step.tools().filter_map(|tool| match &tool.state {
            ToolState::OutputAvailable(output) => Some(TraceEntry {
                tool_name: Some(&tool.name),
                input: None,
                output: output.as_ref().map(compact_tool_output),
            }),
            _ => None,
        }));
    }
    let parts: Vec<Part> = steps.iter().flat_map(|step| step.parts.iter().map(shown_part)).collect();
    let extra = FlushExtra { steps_persisted: Some(u32::try_from(logged.len()).unwrap_or(u32::MAX)), ..extra.clone() };
    AssistantFlush {
        content,
        tool_calls: trace_json(&trace),
        metadata: metadata_json(&parts, steps, status, &extra),
        status,
    }
}

fn shown_part(part: &Part) -> Part {
    match part {
        Part::Tool(tool) => {
            let approval = tool.approval.clone();
            Part::Tool(ToolPart {
                state: shown_state(tool),
                shown_bytes: None,
                waits: None,
                repeats: None,
                approval,
                ..tool.clone()
            })
        }
        other => other.clone(),
    }
}

/// The calls of whose outputs a page is shown less than there is, and how many bytes there are.
pub(crate) fn truncated_outputs(steps: &[StepRecord]) -> impl Iterator<Item = (&str, u64)> {
    steps.iter().flat_map(StepRecord::tools).filter_map(|tool| Some((tool.call_id.as_str(), tool.truncated()?)))
}

fn metadata_json(parts: &[Part], steps: &[StepRecord], status: MessageStatus, extra: &FlushExtra) -> Json {
    let given = extra.finish_reason.as_deref().filter(|reason| !reason.is_empty());
    let by_status = match status {
        MessageStatus::Error | MessageStatus::Aborted => Some(status.as_str()),
        MessageStatus::Streaming | MessageStatus::Completed | MessageStatus::Other(_) => None,
    };
    let metadata = Metadata {
        parts,
        finish_reason: given.or(by_status),
        usage: extra.usage,
        context_tokens: extra.context_tokens.filter(|tokens| *tokens > 0),
        max_context_tokens: extra.max_context_tokens.filter(|tokens| *tokens > 0),
        error: extra.error.as_deref().filter(|error| !error.is_empty()),
        failure: extra.failure.as_ref(),
        history_left_out: extra.history_left_out,
        reason: extra.reason,
        steps_persisted: extra.steps_persisted,
        truncated_outputs: truncated_outputs(steps).collect(),
    };
    Json::from_value(&metadata).unwrap_or_else(|_| Json::null())
}

fn trace_json(trace: &[TraceEntry<'_>]) -> Option<Json> {
    if trace.is_empty() { None } else { Json::from_value(trace).ok() }
}
