//! What pages are told of a failure. What a provider says is for whoever runs the server: it may name accounts, addresses
//! and what else was in its answer.

use serde::Deserialize;

use crate::model::{FailureKind, RunFailure};

/// In whose words pages are told why a run failed. The log, the rows and the outcome have the provider's in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ErrorText {
    /// In a sentence of ours for each kind of failure.
    #[default]
    Safe,
    /// In those of the provider.
    Provider,
    /// As the failure's JSON, for bindings whose hosts make the sentence of it.
    Failure,
}

/// Where a described error goes on with what the provider has answered.
const BODY: &str = " | response body: ";

/// A sentence for everybody. Clients that sort failures by words find theirs in it.
pub fn safe_error_text(failure: &RunFailure) -> String {
    let sentence = match failure.kind {
        FailureKind::Authentication => "The AI provider refused the request: authentication failed",
        FailureKind::Billing => "The AI provider's account has insufficient credits or quota",
        FailureKind::RateLimit => "The rate limit of the AI provider is reached; try again later",
        FailureKind::ContextOverflow => "The conversation exceeds the maximum context length of the model",
        FailureKind::ModelNotFound => "The AI model is not available",
        FailureKind::Overloaded => "The AI provider is overloaded; try again later",
        FailureKind::Unreachable => "The AI provider could not be reached (ECONNREFUSED)",
        FailureKind::ConnectionLost => "The connection to the AI provider was lost (ECONNRESET)",
        FailureKind::Silence => "The AI provider timed out",
        FailureKind::BadResponse => "The answer of the AI provider could not be used; try again",
        FailureKind::ContentFilter => "The AI provider withheld the answer",
        FailureKind::Refused => "The AI model refused to answer",
        FailureKind::InvalidRequest => "The AI provider did not accept the request",
        FailureKind::Limit => "The answer passed one of the server's limits",
        FailureKind::Internal => "The server could not go on with the answer",
        FailureKind::Other(_) => "The AI provider could not answer",
    };
    match failure.status_code {
        Some(status) if status >= 400 => format!("{sentence} ({status})."),
        _ => format!("{sentence}."),
    }
}

/// The error and the failure as pages are told them. An error without a failure is in the words of a host with a loop of
/// its own, or of ours; what it quotes of a provider's answer is left out.
pub fn told_failure(
    error_text: ErrorText,
    error: Option<&str>,
    failure: Option<&RunFailure>,
) -> (Option<String>, Option<RunFailure>) {
    match (error_text, failure) {
        (ErrorText::Provider, _) => (error.map(str::to_owned), failure.cloned()),
        (ErrorText::Safe, Some(failure)) => {
            let told = in_words(failure, &safe_error_text(failure));
            (Some(told.message.clone()), Some(told))
        }
        (ErrorText::Safe, None) => (error.map(|error| without_body(error).to_owned()), None),
        (ErrorText::Failure, failure) => {
            let internal = || RunFailure::new(FailureKind::Internal, error.unwrap_or_default());
            let json = failure.cloned().or_else(|| error.map(|_| internal())).map(|failure| failure.to_json());
            (json, failure.cloned())
        }
    }
}

/// The failure in other words.
pub(super) fn in_words(failure: &RunFailure, message: &str) -> RunFailure {
    RunFailure { message: message.to_owned(), ..failure.clone() }
}

/// A described error without what the provider has answered.
pub(super) fn without_body(error: &str) -> &str {
    error.split_once(BODY).map_or(error, |(sentence, _)| sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_is_of_the_kind_and_says_nothing_that_the_provider_said() {
        let failure = RunFailure {
            status_code: Some(401),
            ..RunFailure::new(FailureKind::Authentication, "401: key of org-77 | response body: {\"org\":77}")
        };
        let (error, told) = told_failure(ErrorText::Safe, Some(&failure.message), Some(&failure));
        assert_eq!(error.as_deref(), Some("The AI provider refused the request: authentication failed (401)."));
        assert_eq!(
            told.map(|told| (told.kind, told.status_code, Some(told.message))),
            Some((failure.kind, failure.status_code, error))
        );
        let (error, told) = told_failure(ErrorText::Provider, Some(&failure.message), Some(&failure));
        assert_eq!((error.as_ref(), told.as_ref()), (Some(&failure.message), Some(&failure)));
        let (error, _) = told_failure(ErrorText::Failure, Some(&failure.message), Some(&failure));
        assert_eq!(serde_json::from_str::<RunFailure>(&error.unwrap()).unwrap(), failure);
    }

    #[test]
    fn words_of_a_host_stay_but_for_the_body() {
        let described = "Rate limit reached; try again later — 429: slow down | response body: {\"org\":77}";
        let (error, told) = told_failure(ErrorText::Safe, Some(described), None);
        assert_eq!((error.as_deref(), told), (Some("Rate limit reached; try again later — 429: slow down"), None));
        assert_eq!(told_failure(ErrorText::Failure, None, None), (None, None));
    }
}
