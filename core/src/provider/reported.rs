//! Errors that providers report inside of an answer.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::model::Json;
use crate::text::one_line;

use super::{ProviderFailure, sort};

/// The words in an error's code or type, and the status that they stand for; the first that fits counts. Codes and types
/// of OpenAI, Anthropic and Google, as their API references list them.
const WORDS: &[(&str, u16)] = &[
    ("rate_limit", 429),
    ("resource_exhausted", 429),
    ("insufficient_quota", 429),
    ("too_many_requests", 429),
    ("quota", 429),
    ("authentication", 401),
    ("unauthenticated", 401),
    ("unauthorized", 401),
    ("invalid_api_key", 401),
    ("permission", 403),
    ("forbidden", 403),
    ("not_found", 404),
    ("invalid_request", 400),
    ("invalid_argument", 400),
    ("failed_precondition", 400),
    ("bad_request", 400),
    ("context_length", 400),
    ("request_too_large", 413),
    ("overloaded", 503),
    ("unavailable", 503),
    ("deadline", 504),
    ("timeout", 504),
    ("server_error", 500),
    ("internal", 500),
    ("api_error", 500),
];

#[derive(Default, Deserialize)]
struct Fields {
    message: Option<Value>,
    code: Option<Value>,
    r#type: Option<Value>,
    status: Option<Value>,
}

/// What an error object (or text) says. `begun` says whether anything of the answer came before it.
pub(super) fn failure(error: &RawValue, begun: bool) -> ProviderFailure {
    let (message, fields) = match serde_json::from_str::<Value>(error.get()).or_else(|_| cleaned(error)) {
        Ok(Value::String(text)) => (Some(text), Fields::default()),
        Ok(Value::Object(map)) => {
            let fields: Fields = serde_json::from_value(Value::Object(map)).unwrap_or_default();
            (fields.message.as_ref().and_then(Value::as_str).map(str::to_owned), fields)
        }
        _ => (None, Fields::default()),
    };
    let words = || [&fields.r#type, &fields.code, &fields.status].into_iter().flatten().filter_map(Value::as_str);
    let message = message.map(|message| one_line(&message)).filter(|message| !message.is_empty());
    let message = message.unwrap_or_else(|| match words().next() {
        Some(word) => format!("The provider reported an error ({}).", one_line(word)),
        None => "The provider reported an error.".to_owned(),
    });
    let status = status(&fields);
    let kind = sort::kind(status, &[&message, error.get()]);
    ProviderFailure { kind, status, message, answered: begun }
}

/// The same of an object whose members say it, without a member for errors; `sentence` is its message.
pub(super) fn of_members(data: &str, sentence: &str, begun: bool) -> ProviderFailure {
    let fields: Fields = serde_json::from_str(data).unwrap_or_default();
    let (status, message) = (status(&fields), one_line(sentence));
    ProviderFailure { kind: sort::kind(status, &[&message, data]), status, message, answered: begun }
}

fn cleaned(error: &RawValue) -> Result<Value, serde_json::Error> {
    Json::parse(error.get())?.read()
}

fn status(fields: &Fields) -> Option<u16> {
    let numbers = [&fields.code, &fields.status].into_iter().flatten().filter_map(|value| match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    });
    let number = numbers.filter_map(|number| u16::try_from(number).ok()).find(|status| (400..600).contains(status));
    number.or_else(|| {
        let texts = [&fields.code, &fields.r#type, &fields.status].into_iter().flatten().filter_map(Value::as_str);
        let texts: Vec<String> = texts.map(|text| text.to_ascii_lowercase().replace([' ', '-'], "_")).collect();
        // The message is left out: it may quote anything.
        let fits = |word: &str| texts.iter().any(|text| text.contains(word));
        WORDS.iter().find(|(word, _)| fits(word)).map(|(_, status)| *status)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(error: &str) -> (Option<u16>, String) {
        let failure = failure(&RawValue::from_string(error.to_owned()).unwrap(), false);
        (failure.status, failure.message)
    }

    #[test]
    fn statuses_of_reported_errors() {
        assert_eq!(read(r#"{"code":503,"message":"busy","status":"UNAVAILABLE"}"#), (Some(503), "busy".into()));
        assert_eq!(read(r#"{"code":"429","message":"slow\ndown"}"#), (Some(429), "slow down".into()));
        assert_eq!(read(r#"{"type":"server_error","code":null,"message":"sorry"}"#).0, Some(500));
        assert_eq!(read(r#"{"code":"rate_limit_exceeded","type":"tokens"}"#).0, Some(429));
        assert_eq!(read(r#""out of order""#), (None, "out of order".into()));
        assert_eq!(read("7"), (None, "The provider reported an error.".into()));
        assert_eq!(read(r#"{"type":"odd"}"#), (None, "The provider reported an error (odd).".into()));
    }
}
