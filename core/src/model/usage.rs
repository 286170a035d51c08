//! Token counts.

use serde::{Deserialize, Serialize};

use super::word::words;

/// Tokens of a step or of a turn. A field that the provider did not report is absent, not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "Reported")]
pub struct Usage {
    /// Tokens of the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Tokens of the answer, reasoning included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// Both together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_tokens: Option<u64>,
    /// Of the answer's tokens, those spent on reasoning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
    /// Of the prompt's tokens, those that the provider had kept from an earlier call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_input_tokens: Option<u64>,
}

/// Usage as the AI SDK reports it: the reasoning may stand among the output's details, and counts there first.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reported {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    total_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
    cached_input_tokens: Option<u64>,
    output_token_details: Option<OutputDetails>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OutputDetails {
    reasoning_tokens: Option<u64>,
}

impl From<Reported> for Usage {
    fn from(reported: Reported) -> Self {
        let detailed = reported.output_token_details.and_then(|details| details.reasoning_tokens);
        Self {
            input_tokens: reported.input_tokens,
            output_tokens: reported.output_tokens,
            total_tokens: reported.total_tokens,
            reasoning_tokens: detailed.or(reported.reasoning_tokens),
            cached_input_tokens: reported.cached_input_tokens,
        }
    }
}

impl Usage {
    /// Field by field; a field that neither side has stays absent. Sums saturate, so usage never shrinks.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let add = |left: Option<u64>, right: Option<u64>| match (left, right) {
            (None, None) => None,
            (left, right) => Some(left.unwrap_or(0).saturating_add(right.unwrap_or(0))),
        };
        Self {
            input_tokens: add(self.input_tokens, other.input_tokens),
            output_tokens: add(self.output_tokens, other.output_tokens),
            total_tokens: add(self.total_tokens, other.total_tokens),
            reasoning_tokens: add(self.reasoning_tokens, other.reasoning_tokens),
            cached_input_tokens: add(self.cached_input_tokens, other.cached_input_tokens),
        }
    }

    /// `accumulateStepUsage`: the running sum after one more step.
    pub fn accumulate(sum: Option<Self>, step: Option<Self>) -> Option<Self> {
        match (sum, step) {
            (Some(sum), Some(step)) => Some(sum.plus(step)),
            (sum, step) => sum.or(step),
        }
    }

    /// How full the context was after this step: what went in and what came out.
    pub fn context_tokens(self) -> Option<u64> {
        let tokens = self.input_tokens.unwrap_or(0).saturating_add(self.output_tokens.unwrap_or(0));
        (tokens > 0).then_some(tokens)
    }
}

words! {
    /// What a provider was called for.
    CallKind {
        /// A step of a run.
        Step = "step",
        /// A step of a run for a visitor of public pages.
        PublicStep = "publicStep",
        /// The title of a chat or of a page.
        Title = "title",
        /// A try of what a workspace has configured for chats.
        Test = "test",
        /// Vectors.
        Embeddings = "embeddings",
        /// A transcript.
        Transcription = "transcription",
    }
}

#[allow(clippy::derivable_impls, reason = "the enum is written by the macro")]
impl Default for CallKind {
    fn default() -> Self {
        CallKind::Step
    }
}

/// What a text is taken for whose tokens nobody has counted: a guess on the safe side.
const BYTES_PER_TOKEN: u64 = 3;

/// What a text of so many bytes is taken for, in tokens.
pub(crate) fn estimated_tokens(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX).div_ceil(BYTES_PER_TOKEN)
}

/// What a call to a provider has used, as it is counted: nothing is absent, and what the provider did not say is estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallTokens {
    /// Tokens of the prompt.
    pub input: u64,
    /// Tokens of the answer, reasoning included.
    pub output: u64,
    /// Of the prompt's tokens, those that the provider had kept from an earlier call.
    pub cached_input: u64,
    /// Of the answer's tokens, those spent on reasoning.
    pub reasoning: u64,
    /// A part of it is estimated.
    pub estimated: bool,
}

impl CallTokens {
    /// Those of a call with this usage, whose answer has a text of so many bytes, and whose prompt is taken for so many
    /// tokens.
    pub fn of(usage: Option<Usage>, answer_bytes: usize, prompt: Option<u64>) -> Self {
        let told = usage.unwrap_or_default();
        let input = told.input_tokens.or(match (told.total_tokens, told.output_tokens) {
            (Some(total), Some(output)) => Some(total.saturating_sub(output)),
            // All of it counts for the prompt.
            (Some(total), None) => Some(total),
            _ => None,
        });
        let output = told.output_tokens.or(told.total_tokens.map(|total| total.saturating_sub(input.unwrap_or(0))));
        // What a total has beyond both was thought, and is paid for as an answer is.
        let beyond = told.total_tokens.map(|total| total.saturating_sub(input.unwrap_or(0)));
        let output = output.map(|output| output.max(beyond.unwrap_or(0)));
        // Some report zeros when they have not counted.
        let counted = input.unwrap_or(0) > 0 || output.unwrap_or(0) > 0;
        let input = input.filter(|_| counted);
        let output = output.filter(|_| counted);
        Self {
            input: input.or(prompt).unwrap_or(0),
            output: output.unwrap_or_else(|| estimated_tokens(answer_bytes)),
            cached_input: told.cached_input_tokens.unwrap_or(0),
            reasoning: told.reasoning_tokens.unwrap_or(0),
            estimated: input.is_none() || output.is_none(),
        }
    }

    /// A prompt that is taken for so many tokens, and an answer of which nothing is known.
    pub fn estimated(input: u64, output: u64) -> Self {
        Self { input, output, estimated: true, ..Self::default() }
    }

    /// Prompt and answer together.
    pub fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
            cached_input: self.cached_input.saturating_add(other.cached_input),
            reasoning: self.reasoning.saturating_add(other.reasoning),
            estimated: self.estimated || other.estimated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(input: Option<u64>, output: Option<u64>, total: Option<u64>) -> Option<Usage> {
        Some(Usage { input_tokens: input, output_tokens: output, total_tokens: total, ..Usage::default() })
    }

    #[test]
    fn what_was_not_said_is_estimated() {
        let of = |usage| {
            let tokens = CallTokens::of(usage, 10, Some(50));
            (tokens.input, tokens.output, tokens.estimated)
        };
        assert_eq!(of(usage(Some(7), Some(3), Some(10))), (7, 3, false));
        assert_eq!(of(usage(None, Some(3), Some(10))), (7, 3, false));
        assert_eq!(of(usage(Some(1), Some(1), Some(10))), (1, 9, false));
        assert_eq!(of(usage(Some(7), None, Some(10))), (7, 3, false));
        assert_eq!(of(usage(None, None, Some(10))), (10, 0, false));
        assert_eq!(of(usage(Some(7), None, None)), (7, 4, true));
        assert_eq!(of(usage(None, Some(3), None)), (50, 3, true));
        assert_eq!(of(None), (50, 4, true));
        assert_eq!(of(usage(Some(0), Some(0), Some(0))), (50, 4, true));
        assert_eq!(of(usage(Some(5), Some(0), Some(5))), (5, 0, false));
        assert_eq!(CallTokens::of(None, 0, None), CallTokens { estimated: true, ..CallTokens::default() });
    }
}
