//! Token counts as hosts report and store them: any number, and `null` where a provider said so.

use serde::Deserialize;

use crate::js::{Number, optional_object, present};

/// Usage as a host's loop hands it over. A field that is absent is not written; one that is `null` is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(from = "Reported")]
pub struct TokenUsage {
    fields: [Option<Option<Number>>; 4],
}

/// The AI SDK's shape: the reasoning may stand among the output's details, and counts there first.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reported {
    #[serde(default, deserialize_with = "present")]
    input_tokens: Option<Option<Number>>,
    #[serde(default, deserialize_with = "present")]
    output_tokens: Option<Option<Number>>,
    #[serde(default, deserialize_with = "present")]
    total_tokens: Option<Option<Number>>,
    #[serde(default, deserialize_with = "present")]
    reasoning_tokens: Option<Option<Number>>,
    #[serde(default, deserialize_with = "optional_object")]
    output_token_details: Option<OutputDetails>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OutputDetails {
    #[serde(default)]
    reasoning_tokens: Option<Number>,
}

impl From<Reported> for TokenUsage {
    fn from(reported: Reported) -> Self {
        let detailed = reported.output_token_details.and_then(|details| details.reasoning_tokens);
        let reasoning = match detailed {
            Some(tokens) => Some(Some(tokens)),
            None => reported.reasoning_tokens,
        };
        Self { fields: [reported.input_tokens, reported.output_tokens, reported.total_tokens, reasoning] }
    }
}

impl TokenUsage {
    const NAMES: [&'static str; 4] = ["inputTokens", "outputTokens", "totalTokens", "reasoningTokens"];

    fn known(&self, field: usize) -> Option<&Number> {
        self.fields.get(field)?.as_ref()?.as_ref()
    }

    /// Tokens of the prompt.
    pub fn input_tokens(&self) -> Option<&Number> {
        self.known(0)
    }

    /// Tokens of the answer.
    pub fn output_tokens(&self) -> Option<&Number> {
        self.known(1)
    }

    /// Both together: as reported, else their sum.
    pub fn total_tokens(&self) -> Number {
        let zero = Number::from(0);
        self.known(2)
            .cloned()
            .unwrap_or_else(|| self.input_tokens().unwrap_or(&zero).plus(self.output_tokens().unwrap_or(&zero)))
    }

    /// Of the answer's tokens, those spent on reasoning.
    pub fn reasoning_tokens(&self) -> Option<&Number> {
        self.known(3)
    }

    /// `accumulateStepUsage` for two that are there: field by field; a field that neither side knows stays absent.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let add = |field: usize| match (self.known(field), other.known(field)) {
            (Some(left), Some(right)) => Some(Some(left.plus(right))),
            (left, right) => left.or(right).cloned().map(Some),
        };
        Self { fields: [add(0), add(1), add(2), add(3)] }
    }

    /// `{inputTokens?, outputTokens?, totalTokens?, reasoningTokens?}`.
    pub fn to_json(&self) -> String {
        let fields = Self::NAMES.iter().zip(&self.fields).filter_map(|(name, field)| {
            let number = field.as_ref()?.as_ref().map_or("null", Number::as_str);
            Some(format!("\"{name}\":{number}"))
        });
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> TokenUsage {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn reasoning_counts_in_the_details_first() {
        assert_eq!(
            of(r#"{"reasoningTokens":5,"outputTokenDetails":{"reasoningTokens":0},"inputTokens":null,"x":1}"#)
                .to_json(),
            r#"{"inputTokens":null,"reasoningTokens":0}"#
        );
        assert_eq!(of(r#"{"reasoningTokens":5,"outputTokenDetails":null}"#).to_json(), r#"{"reasoningTokens":5}"#);
    }

    #[test]
    fn sums_are_exact_for_integers() {
        let sum = of(r#"{"inputTokens":9007199254740993,"outputTokens":0.1}"#)
            .plus(&of(r#"{"inputTokens":2,"outputTokens":0.2}"#));
        assert_eq!(sum.to_json(), r#"{"inputTokens":9007199254740995,"outputTokens":0.30000000000000004}"#);
    }
}
