//! One finished model call with its tool outcomes: a row of the log.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::part::{Part, ToolPart};
use super::steering::is_steering;
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
    /// It was cut short by whoever drives the loop; a word of the AI SDK 7, which clients of version 6 are told as `other`.
    Interrupted,
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
            FinishReason::Interrupted => "interrupted",
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
            "interrupted" => FinishReason::Interrupted,
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

    /// Those of the steps that were not taken back. Messages that had joined the run before one that was stay.
    pub(crate) fn kept(steps: &[Self]) -> Cow<'_, [Self]> {
        if !steps.iter().any(Self::is_withdrawn) {
            return Cow::Borrowed(steps);
        }
        let keep = |step: &Self| if step.is_withdrawn() { step.heard() } else { Some(step.clone()) };
        Cow::Owned(steps.iter().filter_map(keep).collect())
    }

    /// The step without anything of an answer: the messages that have joined the run before it, if there are any.
    pub(crate) fn heard(&self) -> Option<Self> {
        let is_heard = |part: &&Part| matches!(part, Part::Other(part) if is_steering(part));
        let heard: Vec<Part> = self.parts.iter().filter(is_heard).cloned().collect();
        let parts = std::iter::once(Part::StepStart).chain(heard.iter().cloned()).collect();
        (!heard.is_empty()).then_some(Self { number: self.number, parts, finish_reason: None, usage: None })
    }

    /// Whether anything of a call's answer is in it. One in which there are only messages that have joined the run was never
    /// asked for, or nothing came.
    pub fn is_of_a_call(&self) -> bool {
        let came = |part: &Part| match part {
            Part::StepStart => false,
            Part::Other(part) => !is_steering(part),
            _ => true,
        };
        let heard = self.parts.iter().any(|part| matches!(part, Part::Other(part) if is_steering(part)));
        !heard || self.finish_reason.is_some() || self.usage.is_some() || self.parts.iter().any(came)
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
