//! The assistant's message row, computed from its steps.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::model::{
    INCOMPLETE_CALL, Json, MessageStatus, Part, StepRecord, TextPart, ToolPart, ToolState, Usage, present,
};

use crate::text::storable;

use super::compact::compact_tool_output;

/// A finished model call as hosts that keep their own loop describe it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Step {
    /// What the model wrote.
    pub text: Option<String>,
    /// What it called.
    pub tool_calls: Vec<StepCall>,
    /// What came back.
    pub tool_results: Vec<StepResult>,
    /// What failed.
    pub tool_errors: Vec<StepError>,
    /// The tokens of the call.
    pub usage: Option<Usage>,
}

/// A tool call of a [`Step`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StepCall {
    /// Pairs the call with its outcome.
    pub tool_call_id: Option<String>,
    /// The tool.
    pub tool_name: Option<String>,
    /// The arguments.
    #[serde(deserialize_with = "present")]
    pub input: Option<Json>,
}

/// A tool result of a [`Step`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StepResult {
    /// The call that it answers.
    pub tool_call_id: Option<String>,
    /// The tool.
    pub tool_name: Option<String>,
    /// What the tool returned.
    #[serde(deserialize_with = "present")]
    pub output: Option<Json>,
}

/// A failed call of a [`Step`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StepError {
    /// The call that failed.
    pub tool_call_id: Option<String>,
    /// The tool.
    pub tool_name: Option<String>,
    /// Why, as the model was told.
    pub error_text: String,
}

/// The columns of an assistant's message row.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AssistantFlush {
    /// The text of all finished steps, then the text in progress.
    pub content: String,
    /// The flat trace, `None` when there is nothing.
    pub tool_calls: Option<Json>,
    /// `{parts, finishReason?, usage?, contextTokens?, maxContextTokens?, error?, stepsPersisted?}`.
    pub metadata: Json,
    /// The message's status.
    pub status: MessageStatus,
}

/// What else the row's metadata may carry; zero, empty and absent are the same.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
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
    /// How many steps of the log the row shows; written by the engine only.
    #[serde(skip)]
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
    steps_persisted: Option<u32>,
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

/// `assistantParts`: the parts of the finished steps, or the fallback text when no step has text.
pub fn assistant_parts(steps: &[Step], fallback_text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut has_text = false;
    for step in steps {
        if let Some(text) = step.text.as_deref().filter(|text| !text.is_empty()) {
            has_text = true;
            parts.push(plain_text(text));
        }
        // A falsy id pairs with nothing; of several results for one call the last counts.
        let results: HashMap<&str, &StepResult> =
            step.tool_results.iter().filter_map(|result| Some((truthy(&result.tool_call_id)?, result))).collect();
        let errors: HashMap<&str, &StepError> =
            step.tool_errors.iter().filter_map(|error| Some((truthy(&error.tool_call_id)?, error))).collect();
        for call in &step.tool_calls {
            let (Some(call_id), Some(name)) = (truthy(&call.tool_call_id), truthy(&call.tool_name)) else {
                continue;
            };
            let state = match (results.get(call_id), errors.get(call_id)) {
                (Some(result), _) => ToolState::OutputAvailable(result.output.as_ref().map(compact_tool_output)),
                (None, Some(error)) => ToolState::OutputError(error.error_text.clone()),
                (None, None) => ToolState::OutputError(INCOMPLETE_CALL.to_owned()),
            };
            parts.push(Part::Tool(ToolPart {
                name: name.to_owned(),
                call_id: call_id.to_owned(),
                input: call.input.clone(),
                state,
                provider_metadata: None,
            }));
        }
    }
    if !has_text && !fallback_text.is_empty() {
        parts.push(plain_text(fallback_text));
    }
    parts
}

/// `serializeSteps`: per step all calls, then all results; `None` when there is neither.
pub fn serialize_steps(steps: &[Step]) -> Option<Json> {
    let mut trace = Vec::new();
    for step in steps {
        trace.extend(step.tool_calls.iter().map(|call| TraceEntry {
            tool_name: call.tool_name.as_deref(),
            input: call.input.as_ref(),
            output: None,
        }));
        trace.extend(step.tool_results.iter().map(|result| TraceEntry {
            tool_name: result.tool_name.as_deref(),
            input: None,
            output: result.output.as_ref().map(compact_tool_output),
        }));
    }
    trace_json(&trace)
}

/// `flushAssistant`: the row for these steps. The same function serves the first write, every step and the end.
pub fn flush_assistant(
    steps: &[Step],
    in_progress_text: &str,
    status: MessageStatus,
    extra: &FlushExtra,
) -> AssistantFlush {
    let mut content: String = steps.iter().filter_map(|step| step.text.as_deref()).collect();
    content.push_str(in_progress_text);
    let content = storable(content);
    let mut parts = assistant_parts(steps, "");
    if !in_progress_text.is_empty() {
        parts.push(plain_text(in_progress_text));
    }
    let metadata = metadata_json(&parts, status, extra);
    AssistantFlush { content, tool_calls: serialize_steps(steps), metadata, status }
}

/// The row that the engine writes for the steps of its log: as [`flush_assistant`], with step boundaries, reasoning,
/// provider metadata and the real error texts kept.
pub fn flush_run(steps: &[StepRecord], status: MessageStatus, extra: &FlushExtra) -> AssistantFlush {
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
    let parts: Vec<Part> = steps.iter().flat_map(|step| step.parts.iter().map(compact_part)).collect();
    let extra = FlushExtra { steps_persisted: Some(u32::try_from(steps.len()).unwrap_or(u32::MAX)), ..extra.clone() };
    AssistantFlush { content, tool_calls: trace_json(&trace), metadata: metadata_json(&parts, status, &extra), status }
}

fn compact_part(part: &Part) -> Part {
    match part {
        Part::Tool(ToolPart { state: ToolState::OutputAvailable(output), .. }) => {
            let Part::Tool(mut tool) = part.clone() else {
                return part.clone();
            };
            tool.state = ToolState::OutputAvailable(output.as_ref().map(compact_tool_output));
            Part::Tool(tool)
        }
        other => other.clone(),
    }
}

fn metadata_json(parts: &[Part], status: MessageStatus, extra: &FlushExtra) -> Json {
    let given = extra.finish_reason.as_deref().filter(|reason| !reason.is_empty());
    let by_status = match status {
        MessageStatus::Error | MessageStatus::Aborted => Some(status.as_str()),
        MessageStatus::Streaming | MessageStatus::Completed => None,
    };
    let metadata = Metadata {
        parts,
        finish_reason: given.or(by_status),
        usage: extra.usage,
        context_tokens: extra.context_tokens.filter(|tokens| *tokens > 0),
        max_context_tokens: extra.max_context_tokens.filter(|tokens| *tokens > 0),
        error: extra.error.as_deref().filter(|error| !error.is_empty()),
        steps_persisted: extra.steps_persisted,
    };
    Json::from_value(&metadata).unwrap_or_else(|_| Json::null())
}

fn trace_json(trace: &[TraceEntry<'_>]) -> Option<Json> {
    if trace.is_empty() { None } else { Json::from_value(trace).ok() }
}

fn plain_text(text: &str) -> Part {
    Part::Text(TextPart { text: storable(text.to_owned()), ..TextPart::default() })
}

fn truthy(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps() -> Vec<Step> {
        serde_json::from_str(
            r#"[{"text":"Looking. ","toolCalls":[{"toolCallId":"a","toolName":"get","input":{"id":1}},{"toolCallId":"b","toolName":"put","input":null},{"toolCallId":"c","toolName":"del","input":{}}],
                "toolResults":[{"toolCallId":"a","toolName":"get","output":{"title":"T"}}],
                "toolErrors":[{"toolCallId":"b","toolName":"put","errorText":"denied"}]},{"text":"Done."}]"#,
        )
        .unwrap()
    }

    #[test]
    fn row_has_text_parts_and_every_outcome() {
        let extra =
            FlushExtra { usage: Some(Usage { input_tokens: Some(3), ..Usage::default() }), ..FlushExtra::default() };
        let row = flush_assistant(&steps(), "", MessageStatus::Completed, &extra);
        assert_eq!(
            serde_json::to_string(&row).unwrap(),
            concat!(
                r#"{"content":"Looking. Done.","toolCalls":[{"toolName":"get","input":{"id":1}},{"toolName":"put","input":null},{"toolName":"del","input":{}},{"toolName":"get","output":{"title":"T"}}],"#,
                r#""metadata":{"parts":[{"type":"text","text":"Looking. "},{"type":"tool-get","toolCallId":"a","state":"output-available","input":{"id":1},"output":{"title":"T"}},"#,
                r#"{"type":"tool-put","toolCallId":"b","state":"output-error","input":null,"errorText":"denied"},"#,
                r#"{"type":"tool-del","toolCallId":"c","state":"output-error","input":{},"errorText":"The tool call did not complete."},"#,
                r#"{"type":"text","text":"Done."}],"usage":{"inputTokens":3}},"status":"completed"}"#
            )
        );
    }

    #[test]
    fn first_write_is_empty_and_aborted_names_itself() {
        let row = flush_assistant(&[], "", MessageStatus::Streaming, &FlushExtra::default());
        assert_eq!(
            serde_json::to_string(&row).unwrap(),
            r#"{"content":"","toolCalls":null,"metadata":{"parts":[]},"status":"streaming"}"#
        );
        let row = flush_assistant(&[], "half", MessageStatus::Aborted, &FlushExtra::default());
        assert_eq!(row.metadata.get(), r#"{"parts":[{"type":"text","text":"half"}],"finishReason":"aborted"}"#);
    }
}
