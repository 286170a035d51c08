//! Provider failures as one line for people.

use serde::Deserialize;

use crate::text::{js_trim, one_line, utf16_len, utf16_prefix};

/// How much of an error body is shown, in UTF-16 units.
pub const BODY_SNIPPET_UNITS: usize = 300;

/// `[label — ]status: message[ | response body: snippet]`, with `secrets` and everything that looks like a key masked.
pub fn describe_http_failure(status: u16, status_text: &str, body: &str, secrets: &[&str]) -> String {
    let message = error_message(body).unwrap_or_else(|| status_text.to_owned());
    let base = format!("{status}: {message}");
    let mut line = match label(status) {
        Some(label) => format!("{label} — {}", js_trim(&base)),
        None => js_trim(&base).to_owned(),
    };
    let body = one_line(body);
    if !body.is_empty() {
        let snippet = utf16_prefix(&body, BODY_SNIPPET_UNITS);
        let more = if utf16_len(&body) > BODY_SNIPPET_UNITS { "…" } else { "" };
        line.push_str(&format!(" | response body: {snippet}{more}"));
    }
    mask(&one_line(&line), secrets)
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

fn label(status: u16) -> Option<&'static str> {
    match status {
        401 | 403 => Some("Authentication failed; check the provider's API key and its permissions"),
        402 => Some("The provider account has no credits left; check its billing"),
        429 => Some("Rate limit reached; try again later"),
        _ => None,
    }
}

/// Replaces the given secrets, and words that look like one, by `***`.
pub(super) fn mask(text: &str, secrets: &[&str]) -> String {
    let mut masked = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        masked = masked.replace(secret, "***");
    }
    let is_key_character = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*');
    for prefix in ["sk-", "Bearer ", "AIza", "xai-", "gsk_", "key-"] {
        let mut out = String::with_capacity(masked.len());
        let mut rest = masked.as_str();
        while let Some(at) = rest.find(prefix) {
            let (before, from) = rest.split_at(at);
            let after = from.split_at(prefix.len()).1;
            let end = after.find(|c| !is_key_character(c)).unwrap_or(after.len());
            let inside_word = before.chars().next_back().is_some_and(|c| c.is_ascii_alphanumeric());
            out.push_str(before);
            out.push_str(prefix);
            if end >= 8 && !inside_word {
                out.push_str("***");
                rest = after.split_at(end).1;
            } else {
                rest = after;
            }
        }
        out.push_str(rest);
        masked = out;
    }
    masked
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
}
