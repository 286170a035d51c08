//! A step of a host's loop, as a step of the log.

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::model::{FinishReason, INCOMPLETE_CALL, Json, Part, StepRecord, TextPart, ToolPart, ToolState, Usage};
use crate::text::storable;

/// A finished step of a host's loop: the AI SDK's step result. Its `content` is taken where there is one; otherwise text,
/// reasoning and calls.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HostedStep {
    /// Its place in the run, from 0; the next one unless given. Recording a step again changes nothing.
    pub number: Option<u32>,
    /// Everything in its order.
    pub content: Option<Vec<HostedContent>>,
    /// What the model thought.
    pub reasoning_text: Option<String>,
    /// What it wrote.
    pub text: Option<String>,
    /// What it called.
    pub tool_calls: Option<Vec<HostedCall>>,
    /// What came back.
    pub tool_results: Option<Vec<HostedResult>>,
    /// What failed.
    pub tool_errors: Option<Vec<HostedError>>,
    /// Why the model stopped.
    pub finish_reason: Option<FinishReason>,
    /// The provider's count for this call.
    pub usage: Option<Usage>,
}

/// One entry of a step's content.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostedContent {
    r#type: String,
    text: Option<String>,
    tool_call_id: Option<String>,
    tool_name: Option<String>,
    input: Option<Json>,
    output: Option<Json>,
    error: Option<Json>,
    provider_metadata: Option<Json>,
}

/// A tool call of a step.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostedCall {
    tool_call_id: String,
    tool_name: String,
    input: Option<Json>,
    provider_metadata: Option<Json>,
}

/// A tool's result.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostedResult {
    tool_call_id: String,
    output: Option<Json>,
}

/// A tool's failure: a text, or an object with a `message`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostedError {
    tool_call_id: String,
    error: Option<Json>,
    error_text: Option<String>,
}

impl HostedStep {
    /// The step as a row of the log, of whose outputs pages are shown so many bytes.
    pub(super) fn into_record(self, number: u32, shown_bytes: u64) -> Result<StepRecord> {
        let mut parts = vec![Part::StepStart];
        match self.content {
            Some(content) => {
                for (place, entry) in content.into_iter().enumerate() {
                    entry.add_to(&mut parts, &format!("step.content[{place}]"))?;
                }
            }
            None => {
                let text =
                    |text: Option<String>| text.filter(|text| !text.is_empty()).map(storable).map(TextPart::done);
                parts.extend(text(self.reasoning_text).map(Part::Reasoning));
                parts.extend(text(self.text).map(Part::Text));
                parts.extend(self.tool_calls.into_iter().flatten().map(|call| {
                    Part::Tool(ToolPart {
                        provider_metadata: call.provider_metadata,
                        ..ToolPart::new(call.tool_name, call.tool_call_id, call.input, ToolState::InputAvailable)
                    })
                }));
            }
        }
        for result in self.tool_results.into_iter().flatten() {
            set_outcome(&mut parts, &result.tool_call_id, ToolState::OutputAvailable(result.output));
        }
        for failure in self.tool_errors.into_iter().flatten() {
            let text = failure.error_text.map_or_else(|| error_text(failure.error), storable);
            set_outcome(&mut parts, &failure.tool_call_id, ToolState::OutputError(text));
        }
        for part in &mut parts {
            if let Part::Tool(tool) = part
                && tool.state == ToolState::InputAvailable
            {
                tool.state = ToolState::OutputError(INCOMPLETE_CALL.to_owned());
            }
        }
        // A host's loop takes no step back.
        let finish_reason = self.finish_reason.map(|reason| match reason {
            FinishReason::Withdrawn => FinishReason::Other,
            reason => reason,
        });
        let parts = parts.into_iter().map(|part| match part {
            Part::Tool(tool) => Part::Tool(tool.showing(shown_bytes)),
            other => other,
        });
        Ok(StepRecord { number, parts: parts.collect(), finish_reason, usage: self.usage })
    }
}

impl HostedContent {
    fn add_to(self, parts: &mut Vec<Part>, path: &str) -> Result<()> {
        let missing = |field: &str| Error::invalid(format!("{path}.{field}"), "is missing");
        match self.r#type.as_str() {
            "text" | "reasoning" => {
                let text = storable(self.text.ok_or_else(|| missing("text"))?);
                let part = TextPart { text, done: true, provider_metadata: self.provider_metadata };
                parts.push(if self.r#type == "text" { Part::Text(part) } else { Part::Reasoning(part) });
            }
            "tool-call" => {
                let name = self.tool_name.ok_or_else(|| missing("toolName"))?;
                let call_id = self.tool_call_id.ok_or_else(|| missing("toolCallId"))?;
                parts.push(Part::Tool(ToolPart {
                    provider_metadata: self.provider_metadata,
                    ..ToolPart::new(name, call_id, self.input, ToolState::InputAvailable)
                }));
            }
            "tool-result" => {
                let call_id = self.tool_call_id.ok_or_else(|| missing("toolCallId"))?;
                set_outcome(parts, &call_id, ToolState::OutputAvailable(self.output));
            }
            "tool-error" => {
                let call_id = self.tool_call_id.ok_or_else(|| missing("toolCallId"))?;
                set_outcome(parts, &call_id, ToolState::OutputError(error_text(self.error)));
            }
            // Sources and files are the host's to show; no provider is sent them again.
            _ => {}
        }
        Ok(())
    }
}

/// The first outcome of a call is the one that counts; one of a call that was not made says nothing.
fn set_outcome(parts: &mut [Part], call_id: &str, state: ToolState) {
    let call = parts.iter_mut().find_map(|part| match part {
        Part::Tool(tool) if tool.call_id == call_id && tool.state == ToolState::InputAvailable => Some(tool),
        _ => None,
    });
    if let Some(call) = call {
        call.state = state;
    }
}

fn error_text(error: Option<Json>) -> String {
    #[derive(Deserialize)]
    struct WithMessage {
        message: String,
    }
    let text = error
        .and_then(|error| error.as_string().or_else(|| error.read::<WithMessage>().ok().map(|error| error.message)));
    storable(text.filter(|text| !text.is_empty()).unwrap_or_else(|| "The tool failed.".to_owned()))
}
