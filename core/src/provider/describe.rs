//! Provider failures as one line for people.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::mask::mask_secrets;
use crate::model::{lossy_string, members};
use crate::text::{js_trim, one_line, utf16_prefix};

use super::sort;

/// How much of an error body is shown, in UTF-16 units.
pub const BODY_SNIPPET_UNITS: usize = 300;

/// `[label — ]status: message[ | response body: snippet]`, with `secrets` and everything that looks like a key masked.
pub fn describe_http_failure(status: u16, status_text: &str, body: &str, secrets: &[&str]) -> String {
    described(status, status_text, body, body, secrets)
}

/// As [`describe_http_failure`], without the snippet, and with no more of the message than that.
pub(crate) fn describe_without_body(status: u16, status_text: &str, body: &str, secrets: &[&str]) -> String {
    described(status, status_text, body, "", secrets)
}

fn described(status: u16, status_text: &str, body: &str, shown: &str, secrets: &[&str]) -> String {
    let message = error_message(body).unwrap_or_else(|| status_text.to_owned());
    let status = f64::from(status);
    let base = js_trim(&format!("{}: {message}", number_text(status))).to_owned();
    let line = compose(label(Some(status), &message, body), &base, shown, secrets);
    one_line(&line)
}

/// An error of another library, as it was caught: what of it tells people something.
#[derive(Clone, Debug, PartialEq)]
pub enum ReportedError {
    /// Neither text nor an object.
    Other,
    /// Text.
    Text(String),
    /// An object.
    Object {
        /// Its HTTP status, when it has a number for one.
        status: Option<f64>,
        /// Its message.
        message: Option<String>,
        /// What the provider answered.
        body: Option<String>,
    },
}

impl ReportedError {
    /// Reads what JavaScript would find in the value: `statusCode`, `message`, `responseBody`, else `text`. A message that
    /// is a number or a boolean is taken as its text.
    ///
    /// # Errors
    /// `INVALID_INPUT` for a message or a body that is no text, named below `field`.
    pub fn from_json(value: &RawValue, field: &str) -> Result<Self> {
        if let Some(text) = lossy_string(value) {
            return Ok(ReportedError::Text(text));
        }
        if value.get().starts_with('[') {
            return Ok(ReportedError::Object { status: None, message: None, body: None });
        }
        let Some(members) = members(value) else {
            return Ok(ReportedError::Other);
        };
        let member = |name: &str| members.get(name).copied().filter(|value| value.get() != "null");
        let wrong = |name: &str| Error::invalid(format!("{field}.{name}"), "is not text");
        let message = match member("message") {
            None => None,
            Some(value) if value.get().starts_with(['{', '[']) => return Err(wrong("message")),
            Some(value) => Some(lossy_string(value).unwrap_or_else(|| match serde_json::from_str(value.get()) {
                Ok(number) => number_text(number),
                Err(_) => value.get().to_owned(),
            })),
        };
        let body = ["responseBody", "text"].into_iter().find_map(|name| Some((name, member(name)?)));
        let body = match body {
            None => None,
            Some((name, value)) => Some(lossy_string(value).ok_or_else(|| wrong(name))?),
        };
        let status = member("statusCode").and_then(|status| serde_json::from_str(status.get()).ok());
        Ok(ReportedError::Object { status, message, body })
    }

    /// `isFatalProviderError`.
    pub fn is_fatal(&self) -> bool {
        matches!(self, ReportedError::Object { status: Some(status), .. } if is_fatal_status(*status))
    }
}

/// Whether no later request can fare better before somebody changes a key or pays.
pub fn is_fatal_status(status: f64) -> bool {
    [401.0, 402.0, 403.0].contains(&status)
}

/// `describeProviderError`: as [`describe_http_failure`], for what another library threw. Its message is left as it is, apart
/// from what looks like a key.
pub fn describe_provider_error(error: &ReportedError, fallback: &str) -> String {
    match error {
        ReportedError::Text(text) if !text.is_empty() => mask_secrets(text, &[]),
        ReportedError::Text(_) | ReportedError::Other => fallback.to_owned(),
        ReportedError::Object { status, message, body } => {
            let body = body.as_deref().unwrap_or_default();
            let label = label(*status, message.as_deref().unwrap_or_default(), body);
            let base = match (status, message) {
                (Some(status), message) => {
                    let line = format!("{}: {}", number_text(*status), message.as_deref().unwrap_or_default());
                    js_trim(&line).to_owned()
                }
                (None, Some(message)) => message.clone(),
                (None, None) => fallback.to_owned(),
            };
            compose(label, &base, body, &[])
        }
    }
}

fn compose(label: Option<&str>, base: &str, body: &str, secrets: &[&str]) -> String {
    let mut line = match label {
        Some(label) => format!("{label} — {base}"),
        None => base.to_owned(),
    };
    // Masked before it is cut, so that no first half of a key is left over.
    let body = mask_secrets(&one_line(body), secrets);
    if !body.is_empty() {
        let snippet = utf16_prefix(&body, BODY_SNIPPET_UNITS);
        let more = if snippet.len() < body.len() { "…" } else { "" };
        line.push_str(&format!(" | response body: {snippet}{more}"));
    }
    mask_secrets(&line, secrets)
}

/// A number as JavaScript writes it.
fn number_text(number: f64) -> String {
    let size = number.abs();
    if number == 0.0 {
        "0".to_owned()
    } else if (1e-6..1e21).contains(&size) {
        number.to_string()
    } else {
        let text = format!("{number:e}");
        if size >= 1.0 { text.replacen('e', "e+", 1) } else { text }
    }
}

/// The provider's own sentence in an error body: `error.message`, `error` or `message`.
pub(super) fn error_message(body: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        error: Option<ErrorField>,
        message: Option<String>,
    }
    let body: Body = serde_json::from_str(body).ok()?;
    let message = body.error.and_then(ErrorField::message).or(body.message)?;
    Some(message).filter(|message| !js_trim(message).is_empty())
}

/// The shapes in which providers put an error into JSON.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum ErrorField {
    /// `{"message": …}`
    Object {
        /// The sentence.
        message: Option<String>,
    },
    /// The sentence itself.
    Text(String),
    /// Anything else.
    Other(serde::de::IgnoredAny),
}

impl ErrorField {
    pub(super) fn message(self) -> Option<String> {
        match self {
            ErrorField::Object { message } => message,
            ErrorField::Text(text) => Some(text),
            ErrorField::Other(_) => None,
        }
    }
}

/// The label of a failure with this status and these texts.
fn label(status: Option<f64>, message: &str, body: &str) -> Option<&'static str> {
    let whole = status.filter(|status| status.fract() == 0.0 && (100.0..600.0).contains(status));
    // Between 100 and 600, so it fits.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number of three digits")]
    let status = whole.map(|status| status as u16);
    // What is too large need not be the conversation; its status says as much.
    let status = status.filter(|status| *status != 413);
    sort::label(sort::kind(status, &[message, body]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_message_label_and_body() {
        let body = "{\"error\":{\"message\":\"Incorrect API key provided: sk-abcdefgh12345.\"}}";
        let line = describe_http_failure(401, "Unauthorized", body, &[]);
        assert!(line.starts_with("Authentication failed"), "{line}");
        assert!(line.contains("— 401: Incorrect API key provided: sk-***"), "{line}");
        assert!(line.contains(" | response body: "), "{line}");
        assert!(!line.contains("abcdefgh"), "{line}");
    }

    #[test]
    fn html_is_one_line_and_cut() {
        let line = describe_http_failure(502, "Bad Gateway", &format!("<html>\n {} </html>", "x".repeat(400)), &[]);
        assert!(line.starts_with("502: Bad Gateway | response body: <html> xxx"), "{line}");
        assert!(line.ends_with('…') && !line.contains('\n'));
    }

    #[test]
    fn own_secret_is_masked_wherever_it_stands() {
        let line = describe_http_failure(400, "Bad Request", "{\"message\":\"got hunter2\"}", &["hunter2"]);
        assert!(!line.contains("hunter2"), "{line}");
    }

    fn describe(json: &str) -> String {
        let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
        describe_provider_error(&ReportedError::from_json(&raw, "err").unwrap(), "FB")
    }

    #[test]
    fn what_javascript_would_find_in_an_error() {
        assert_eq!(describe("\"boom\""), "boom");
        for nothing in ["\"\"", "0", "true", "null", "[]", "[\"x\"]", "{}", "{\"statusCode\":\"429\"}"] {
            assert_eq!(describe(nothing), "FB", "{nothing}");
        }
        assert_eq!(describe(r#"{"statusCode":500}"#), "500:");
        assert_eq!(describe(r#"{"statusCode":-0.0,"message":" x "}"#), "0:  x");
        assert_eq!(describe(r#"{"statusCode":401.5}"#), "401.5:");
        assert_eq!(describe(r#"{"statusCode":1e21}"#), "1e+21:");
        assert_eq!(
            describe(r#"{"message":" x\ny ","responseBody":null,"text":" a\n b"}"#),
            " x\ny  | response body: a b"
        );
        assert!(describe(r#"{"statusCode":402,"message":"m"}"#).ends_with("credits left; check its billing — 402: m"));
    }

    #[test]
    fn only_three_statuses_are_fatal() {
        let fatal = |json: &str| {
            let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
            ReportedError::from_json(&raw, "err").unwrap().is_fatal()
        };
        for status in ["401", "402", "403", "401.0"] {
            assert!(fatal(&format!("{{\"statusCode\":{status}}}")), "{status}");
        }
        for other in ["401", "\"401\"", "{\"statusCode\":\"401\"}", "{\"statusCode\":429}", "null", "[]", "{}"] {
            assert!(!fatal(other), "{other}");
        }
    }

    #[test]
    fn bodies_that_are_no_text_are_named() {
        for (json, field) in [
            (r#"{"responseBody":{"a":1}}"#, "err.responseBody"),
            (r#"{"text":5}"#, "err.text"),
            (r#"{"message":[1]}"#, "err.message"),
        ] {
            let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
            let error = ReportedError::from_json(&raw, "err").unwrap_err();
            assert_eq!(error.details().get("field").unwrap(), field);
        }
    }

    #[test]
    fn a_conversation_that_is_too_long_has_its_own_label() {
        for message in [
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
            "prompt is too long: 210000 tokens > 200000 maximum",
            "The input token count (1100000) exceeds the maximum number of tokens allowed (1048576).",
            "Your input exceeds the context window of this model.",
            "the request exceeds the available context size",
        ] {
            let line = describe(&serde_json::json!({"statusCode": 400, "message": message}).to_string());
            assert!(line.starts_with("Context length exceeded"), "{line}");
            assert!(line.contains(" — 400: "), "{line}");
        }
        let by_code =
            describe(r#"{"statusCode":400,"message":"m","responseBody":"{\"code\":\"context_length_exceeded\"}"}"#);
        assert!(by_code.starts_with("Context length exceeded"), "{by_code}");
        assert!(describe(r#"{"statusCode":429,"message":"maximum context length"}"#).starts_with("Rate limit"));
        assert_eq!(
            describe(r#"{"statusCode":400,"message":"the context window is fine"}"#),
            "400: the context window is fine"
        );
    }

    #[test]
    fn no_half_of_a_key_is_left_at_the_cut() {
        for pad in 250..320 {
            let body = format!("{} sk-SECRET12345678SECRET12345678", "x".repeat(pad));
            let line = describe(&serde_json::json!({"statusCode": 400, "responseBody": body}).to_string());
            assert!(!line.contains("SECR"), "{line}");
        }
    }
}
