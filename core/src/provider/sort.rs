//! Which kind of failure a provider means: one table for refusals, for errors inside of answers, and for errors that
//! hosts caught elsewhere.

use crate::model::FailureKind;

/// How much of a text is searched: error bodies may be whole pages.
const SEARCHED_BYTES: usize = 16 * 1024;

/// Words of providers in codes, types and sentences, for what a status does not tell; the first that fits counts.
const BILLING: &[&str] = &[
    "insufficient_quota",
    "exceeded your current quota",
    "credit balance",
    "insufficient credits",
    "insufficient balance",
    "insufficient funds",
    "billing_hard_limit",
    "billing_error",
    "payment required",
];
const FILTERED: &[&str] = &[
    "content_filter",
    "content_policy_violation",
    "content management policy",
    "responsibleaipolicyviolation",
    "data_inspection_failed",
    "prohibited_content",
    "blocked by the content filter",
];
const NO_MODEL: &[&str] = &[
    "model_not_found",
    "model_not_available",
    "not a valid model",
    "invalid model",
    "unknown model",
    "no such model",
    "does not exist or you do not have access",
    "deploymentnotfound",
    "model_not_supported",
];
const OVERLOADED: &[&str] = &["overloaded", "over capacity", "try again later", "temporarily unavailable"];

/// The kind of a failure with this status, and with these texts in its sentence and its body.
pub(super) fn kind(status: Option<u16>, texts: &[&str]) -> FailureKind {
    let lower: Vec<String> = texts.iter().map(|text| lower(text)).collect();
    let says = |words: &[&str]| lower.iter().any(|text| words.iter().any(|word| text.contains(word)));
    let mentions_model = || lower.iter().any(|text| text.contains("model"));
    match status {
        Some(401 | 403) => FailureKind::Authentication,
        Some(402) => FailureKind::Billing,
        Some(429) if says(BILLING) => FailureKind::Billing,
        Some(429) => FailureKind::RateLimit,
        Some(413) => FailureKind::ContextOverflow,
        _ if texts.iter().any(|text| is_context_overflow(text)) => FailureKind::ContextOverflow,
        Some(408 | 500..=599) => FailureKind::Overloaded,
        _ if says(BILLING) => FailureKind::Billing,
        _ if says(FILTERED) => FailureKind::ContentFilter,
        _ if says(NO_MODEL) => FailureKind::ModelNotFound,
        Some(404) if mentions_model() => FailureKind::ModelNotFound,
        Some(400..=499) => FailureKind::InvalidRequest,
        _ if says(OVERLOADED) => FailureKind::Overloaded,
        _ => FailureKind::BadResponse,
    }
}

/// What to do about a failure of this kind, where that can be said in one clause.
pub(super) fn label(kind: FailureKind) -> Option<&'static str> {
    match kind {
        FailureKind::Authentication => Some("Authentication failed; check the provider's API key and its permissions"),
        FailureKind::Billing => Some("The provider account has no credits left; check its billing"),
        FailureKind::RateLimit => Some("Rate limit reached; try again later"),
        FailureKind::ContextOverflow => {
            Some("Context length exceeded; shorten the conversation or choose a model with a larger context window")
        }
        _ => None,
    }
}

fn lower(text: &str) -> String {
    text.get(..text.floor_char_boundary(SEARCHED_BYTES)).unwrap_or(text).to_ascii_lowercase()
}

/// Whether this is how a provider says that the conversation is too long for its model.
fn is_context_overflow(text: &str) -> bool {
    let text = lower(text);
    let has = |needle: &str| text.contains(needle);
    let window = has("context window") || has("context length") || has("context size") || has("context limit");
    let window = window || (has("context of") && has("tokens"));
    has("context_length_exceeded")
        || has("context_window_exceeded")
        || has("exceed_context_size")
        || has("maximum context length")
        || has("prompt is too long")
        || has("input is too long")
        || has("exceeds the maximum number of tokens")
        || (has("prompt") && has("more tokens than the context"))
        || (has("input token count") && has("exceeds the maximum"))
        || (window && (has("exceed") || has("too long") || has("too large") || has("larger than") || has("overflow")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_told_by_status_or_by_words() {
        for (status, text, expected) in [
            (Some(401), "", FailureKind::Authentication),
            (Some(403), "", FailureKind::Authentication),
            (Some(402), "", FailureKind::Billing),
            (Some(429), "insufficient_quota", FailureKind::Billing),
            (Some(429), "slow down", FailureKind::RateLimit),
            (Some(400), "Your credit balance is too low to access the API.", FailureKind::Billing),
            (Some(400), "prompt is too long: 9 tokens > 8 maximum", FailureKind::ContextOverflow),
            (Some(413), "", FailureKind::ContextOverflow),
            (Some(404), "model 'x' not found, try pulling it first", FailureKind::ModelNotFound),
            (Some(404), "<html>no such page</html>", FailureKind::InvalidRequest),
            (Some(400), "x is not a valid model ID", FailureKind::ModelNotFound),
            (Some(400), "{\"code\":\"content_filter\"}", FailureKind::ContentFilter),
            (Some(400), "temperature: too high", FailureKind::InvalidRequest),
            (Some(529), "Overloaded", FailureKind::Overloaded),
            (Some(503), "", FailureKind::Overloaded),
            (None, "the engine is currently overloaded", FailureKind::Overloaded),
            (None, "odd", FailureKind::BadResponse),
        ] {
            assert_eq!(kind(status, &[text]), expected, "{status:?} {text}");
        }
    }
}
