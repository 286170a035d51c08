//! What kind of failure ended a run.

use serde::{Deserialize, Deserializer, Serialize};

use super::word::words;

words! {
    /// What kind of failure it is, in terms of what can be done about it.
    FailureKind {
        /// The key is wrong, missing, or has no permission.
        Authentication = "authentication",
        /// The account has no credits left.
        Billing = "billing",
        /// Too many requests for now.
        RateLimit = "rate_limit",
        /// The conversation is too long for the model.
        ContextOverflow = "context_overflow",
        /// There is no such model, or not for this account.
        ModelNotFound = "model_not_found",
        /// The provider cannot answer at the moment.
        Overloaded = "overloaded",
        /// There is no way to the provider.
        Unreachable = "unreachable",
        /// The connection broke off.
        ConnectionLost = "connection_lost",
        /// The provider sent nothing for too long.
        Silence = "silence",
        /// The answer cannot be read, is not whole, or has nothing in it.
        BadResponse = "bad_response",
        /// The provider withheld the answer.
        ContentFilter = "content_filter",
        /// The model would not answer.
        Refused = "refused",
        /// The provider takes no such request.
        InvalidRequest = "invalid_request",
        /// The answer passed one of the engine's limits.
        Limit = "limit",
        /// A bug of ours, or a store that refused a write for good.
        Internal = "internal",
    }
}

impl FailureKind {
    /// Whether the same turn may well succeed a little later.
    pub fn is_retryable(self) -> bool {
        use FailureKind::{BadResponse, ConnectionLost, Overloaded, RateLimit, Silence, Unreachable};
        matches!(self, RateLimit | Overloaded | Unreachable | ConnectionLost | Silence | BadResponse)
    }
}

fn kind_of_row<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FailureKind, D::Error> {
    Ok(FailureKind::read(&String::deserialize(deserializer)?))
}

/// A failure as outcomes, messages and streams carry it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunFailure {
    /// What kind it is. A row may have one of another version's.
    #[serde(deserialize_with = "kind_of_row")]
    pub kind: FailureKind,
    /// The HTTP status, or the one that an error inside of an answer stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_code: Option<u16>,
    /// Whether the same turn may well succeed a little later.
    pub retryable: bool,
    /// One line for people.
    pub message: String,
}

impl RunFailure {
    /// A failure of this kind, without a status.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, status_code: None, retryable: kind.is_retryable(), message: message.into() }
    }

    /// `{kind, statusCode?, retryable, message}`.
    pub fn to_json(&self) -> String {
        // Texts and numbers: there is nothing in it that could fail to serialize.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_another_version_survives_a_round_trip() {
        let row = r#"{"kind":"quota_of_tomorrow","statusCode":418,"retryable":true,"message":"m"}"#;
        let failure: RunFailure = serde_json::from_str(row).unwrap();
        assert_eq!(failure.to_json(), row);
        assert!(!failure.kind.is_retryable());
    }
}
