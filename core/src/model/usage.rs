//! Token counts.

use serde::{Deserialize, Serialize};

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
}

/// Usage as the AI SDK reports it: the reasoning may stand among the output's details, and counts there first.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reported {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    total_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
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
