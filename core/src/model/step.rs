//! One finished model call with its tool outcomes: a row of the log.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::part::{Part, ToolPart};
use super::usage::Usage;

/// Why the model stopped, in the AI SDK's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FinishReason {
    /// It was done.
    Stop,
    /// It ran into the output limit.
    Length,
    /// Its output was withheld.
    ContentFilter,
    /// It wants its tool calls answered.
    ToolCalls,
    /// The stream broke or carried an error.
    Error,
    /// The answer broke off and was asked for again: the step is in the log and in no message. A word of ours.
    Withdrawn,
    /// Something else, or nothing was said; `unknown` in the words of earlier versions.
    #[serde(alias = "unknown")]
    Other,
}

impl FinishReason {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            FinishReason::Stop => "stop",
            FinishReason::Length => "length",
            FinishReason::ContentFilter => "content-filter",
            FinishReason::ToolCalls => "tool-calls",
            FinishReason::Error => "error",
            FinishReason::Withdrawn => "withdrawn",
            FinishReason::Other => "other",
        }
    }

    /// The value of a row's word. One that this version does not know is `other` to it; the row keeps it.
    pub fn read(word: &str) -> Self {
        match word {
            "stop" => FinishReason::Stop,
            "length" => FinishReason::Length,
            "content-filter" => FinishReason::ContentFilter,
            "tool-calls" => FinishReason::ToolCalls,
            "error" => FinishReason::Error,
            "withdrawn" => FinishReason::Withdrawn,
            _ => FinishReason::Other,
        }
    }
}

/// A step of a run, as it is appended to the log. Its parts begin with [`Part::StepStart`]; every tool call in them
/// has an outcome once the step is finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepRecord {
    /// Its place in the run, from 0.
    pub number: u32,
    /// What the model said and did, in order.
    pub parts: Vec<Part>,
    /// Why the model stopped; absent when it was cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<FinishReason>,
    /// The provider's count for this call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

impl StepRecord {
    /// Whether it was taken back: its answer broke off and was asked for again. It is in the log, and in nothing else.
    pub fn is_withdrawn(&self) -> bool {
        self.finish_reason == Some(FinishReason::Withdrawn)
    }

    /// Those of the steps that were not taken back.
    pub(crate) fn kept(steps: &[Self]) -> Cow<'_, [Self]> {
        if steps.iter().any(Self::is_withdrawn) {
            return Cow::Owned(steps.iter().filter(|step| !step.is_withdrawn()).cloned().collect());
        }
        Cow::Borrowed(steps)
    }

    /// The tool calls, in order.
    pub fn tools(&self) -> impl Iterator<Item = &ToolPart> {
        self.parts.iter().filter_map(|part| match part {
            Part::Tool(tool) => Some(tool),
            _ => None,
        })
    }

    /// The text blocks, joined.
    pub fn text(&self) -> String {
        self.parts.iter().filter_map(Part::as_text).collect()
    }
}
