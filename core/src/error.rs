//! The one error type of turnkeep: a stable code, a sentence, and details that are safe to show.
//!
//! Every border (Node, Python, C) carries the same four things: `code`, `message`, `httpStatus` and
//! `details`. Codes never change their meaning; new ones may be added.

use std::error::Error as StdError;
use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

/// What every fallible operation of the engine returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $number:literal, $http:literal;)*) => {
        /// What went wrong, in terms of what the caller can do about it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
        }

        impl ErrorCode {
            /// Every code, in the order of their numbers.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$name,)*];

            /// The code as every language spells it.
            pub const fn as_str(self) -> &'static str {
                match self { $(ErrorCode::$name => $text,)* }
            }

            /// The number that the C interface returns. Numbers are never used twice.
            pub const fn number(self) -> i32 {
                match self { $(ErrorCode::$name => $number,)* }
            }

            /// The HTTP status that suits this code, as a hint for hosts.
            pub const fn http_status(self) -> u16 {
                match self { $(ErrorCode::$name => $http,)* }
            }
        }
    };
}

codes! {
    /// A field is missing or wrong; the message and `details.field` name it.
    InvalidInput = "INVALID_INPUT", 1001, 400;
    /// The thing belongs to somebody else, whoever acts may not do this, or the workspace has switched it off.
    Forbidden = "FORBIDDEN", 1002, 403;
    /// There is no such thing.
    NotFound = "NOT_FOUND", 1003, 404;
    /// The payload is over its documented limit.
    PayloadTooLarge = "PAYLOAD_TOO_LARGE", 1004, 413;
    /// The media type is not on the list.
    UnsupportedMedia = "UNSUPPORTED_MEDIA", 1005, 415;
    /// There is no such thing yet, such as generating an answer anew.
    NotSupported = "NOT_SUPPORTED", 1006, 501;
    /// Another run is active in the chat; `details.activeRunId` names it.
    RunAlreadyActive = "A_RUN_ALREADY_ACTIVE", 2001, 409;
    /// The run could not be written.
    RunBeginFailed = "A_RUN_BEGIN_FAILED", 2002, 503;
    /// Another process owns the run now.
    LeaseLost = "LEASE_LOST", 2003, 409;
    /// A run other than the one to supersede is active.
    SupersedeTargetMismatch = "SUPERSEDE_TARGET_MISMATCH", 2004, 409;
    /// The run to supersede did not settle in time.
    SupersedeTimeout = "SUPERSEDE_TIMEOUT", 2005, 409;
    /// The run to supersede is not a run of this chat.
    SupersedeInvalid = "SUPERSEDE_INVALID", 2006, 400;
    /// A message of this id is in the chat already.
    MessageExists = "MESSAGE_EXISTS", 2007, 409;
    /// Another role of the workspace has this name; the message says which.
    RoleNameTaken = "ROLE_NAME_TAKEN", 2008, 409;
    /// The run, the call that is answered, or the message that is taken back does not wait, or not any more.
    NotWaiting = "NOT_WAITING", 2010, 409;
    /// The answer is for another call, or for other arguments, than those that wait.
    AnswerMismatch = "ANSWER_MISMATCH", 2011, 409;
    /// The time in which the call could be answered is over.
    AnswerExpired = "ANSWER_EXPIRED", 2012, 410;
    /// The run has ended, or has not begun: no message can join it.
    RunNotActive = "RUN_NOT_ACTIVE", 2013, 409;
    /// The store cannot be reached or written.
    StoreUnavailable = "STORE_UNAVAILABLE", 3001, 503;
    /// The engine is shutting down or closed.
    EngineClosed = "ENGINE_CLOSED", 3002, 503;
    /// A stored secret cannot be read with the application secret in use.
    SecretUnreadable = "SECRET_UNREADABLE", 3003, 500;
    /// No usable chat provider is configured.
    AiNotConfigured = "AI_NOT_CONFIGURED", 4001, 503;
    /// No usable embedding provider is configured.
    EmbeddingNotConfigured = "EMBEDDING_NOT_CONFIGURED", 4002, 503;
    /// No usable speech-to-text provider is configured.
    SttNotConfigured = "STT_NOT_CONFIGURED", 4003, 503;
    /// The provider refused or failed.
    ProviderError = "PROVIDER_ERROR", 4004, 502;
    /// Too many requests in a window.
    RateLimited = "RATE_LIMITED", 4005, 429;
    /// The budget of the window is spent.
    BudgetExhausted = "BUDGET_EXHAUSTED", 4006, 429;
    /// A bug of ours.
    Internal = "INTERNAL", 9001, 500;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failure of turnkeep. `Display` is one line; neither it nor the details ever hold a key, a prompt or page text.
#[derive(Debug)]
pub struct Error {
    code: ErrorCode,
    message: String,
    details: Map<String, Value>,
    lasting: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error with this code and one-line message.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Map::new(), lasting: false, source: None }
    }

    /// [`ErrorCode::InvalidInput`] for `field`, given as a path such as `message.parts[0].type`.
    pub fn invalid(field: impl Into<String>, problem: impl fmt::Display) -> Self {
        let field = field.into();
        Self::new(ErrorCode::InvalidInput, format!("{field}: {problem}")).with_detail("field", field)
    }

    /// This error, with the path of its field taken from `parent` on.
    #[must_use]
    pub(crate) fn below(self, parent: &str) -> Self {
        let problem = self.message.split_once(": ").map_or(self.message.as_str(), |(_, problem)| problem);
        match self.details.get("field").and_then(Value::as_str) {
            Some("") => Self::invalid(parent, problem),
            Some(field) if field.starts_with('[') => Self::invalid(format!("{parent}{field}"), problem),
            Some(field) => Self::invalid(format!("{parent}.{field}"), problem),
            None => self,
        }
    }

    /// [`ErrorCode::Internal`], for states that only a bug of ours can reach. `details.id` is in the log with it.
    pub fn internal(message: impl Into<String>) -> Self {
        let (id, message) = (uuid::Uuid::now_v7().to_string(), message.into());
        tracing::error!(id, message, "an internal error");
        Self::new(ErrorCode::Internal, message).with_detail("id", id)
    }

    /// Adds one detail, which callers in every language can read.
    #[must_use]
    pub fn with_detail(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }

    /// Keeps the error beneath this one, for logs.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Says that trying again is of no use.
    #[must_use]
    pub(crate) fn for_good(mut self) -> Self {
        self.lasting = true;
        self
    }

    /// Whether a failure of the store is one that does not pass: a corrupt file, a table that is gone, a value beyond
    /// the store's limits.
    pub fn is_lasting(&self) -> bool {
        self.lasting
    }

    /// Whether writing the same once more is of no use.
    pub(crate) fn is_for_good(&self) -> bool {
        !matches!(self.code, ErrorCode::LeaseLost | ErrorCode::EngineClosed)
            && (self.code != ErrorCode::StoreUnavailable || self.lasting)
    }

    /// The same failure for somebody else who waits for it, without what is beneath it.
    pub(crate) fn copied(&self) -> Self {
        let Self { code, message, details, lasting, .. } = self;
        Self { code: *code, message: message.clone(), details: details.clone(), lasting: *lasting, source: None }
    }

    /// The stable code.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// The sentence that goes with the code.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What else is known, by name.
    pub fn details(&self) -> &Map<String, Value> {
        &self.details
    }

    /// `{code, message, httpStatus, details}`, the form in which errors cross every border.
    pub fn to_json(&self) -> String {
        let mut object = Map::new();
        object.insert("code".to_owned(), self.code.as_str().into());
        object.insert("message".to_owned(), self.message.clone().into());
        object.insert("httpStatus".to_owned(), self.code.http_status().into());
        object.insert("details".to_owned(), Value::Object(self.details.clone()));
        Value::Object(object).to_string()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Reads the JSON that a host passed in.
///
/// # Errors
/// `INVALID_INPUT` with the path of the field.
pub(crate) fn from_json<'a, T: Deserialize<'a>>(text: &'a str, whole: &str) -> Result<T> {
    // Keeping track of the path costs more than the reading: it is done when there is an error to be placed.
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        // A place that is not known any more, such as after the end of the text, is a question mark.
        let path = error.path().to_string();
        let path = path.trim_end_matches('?').trim_matches('.');
        let problem = describe_json_problem(error.inner());
        match (path, problem) {
            ("", JsonProblem::Missing(field)) => Error::invalid(field, "is missing"),
            (path, JsonProblem::Missing(field)) => Error::invalid(format!("{path}.{field}"), "is missing"),
            // In what is not JSON anything may stand where a field's name should.
            (_, JsonProblem::NotJson(problem)) | ("", JsonProblem::Other(problem)) => Error::invalid(whole, problem),
            (path, JsonProblem::Other(problem)) => Error::invalid(path, problem),
        }
    })?;
    reader.end().map_err(|_| Error::invalid(whole, "is not one JSON value"))?;
    Ok(value)
}

enum JsonProblem {
    Missing(String),
    NotJson(&'static str),
    Other(&'static str),
}

/// serde's own words may quote the value, which may be a key or a prompt; only what kind of problem it is goes on.
fn describe_json_problem(error: &serde_json::Error) -> JsonProblem {
    use serde_json::error::Category;
    match error.classify() {
        Category::Syntax | Category::Eof => JsonProblem::NotJson("is not valid JSON"),
        Category::Io => JsonProblem::NotJson("cannot be read"),
        Category::Data => {
            let text = error.to_string();
            if let Some(field) = text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
                return JsonProblem::Missing(field.to_owned());
            }
            JsonProblem::Other(match text {
                text if text.starts_with("unknown field") => "is not a known field",
                text if text.starts_with("must be a UUID") => "must be a UUID",
                _ => "has the wrong type or value",
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_numbers_are_unique() {
        let mut texts: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        let mut numbers: Vec<_> = ErrorCode::ALL.iter().map(|code| code.number()).collect();
        texts.sort_unstable();
        texts.dedup();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(texts.len(), ErrorCode::ALL.len());
        assert_eq!(numbers.len(), ErrorCode::ALL.len());
    }

    #[test]
    fn internal_errors_have_an_id() {
        let id = |error: Error| error.details()["id"].as_str().unwrap().to_owned();
        assert_ne!(id(Error::internal("a")), id(Error::internal("a")));
    }

    #[test]
    fn what_is_not_json_is_not_repeated() {
        for text in [r#"{"a":"He said "secret": x"}"#, r#"{"secret":"#, r#"{"a":{"secret":[}}"#] {
            let error = from_json::<serde_json::Value>(text, "arguments").unwrap_err();
            assert_eq!(error.to_string(), "INVALID_INPUT: arguments: is not valid JSON", "{text}");
        }
    }

    #[test]
    fn json_form_names_the_field() {
        let error = Error::invalid("message.parts", "must not be empty");
        assert_eq!(
            error.to_json(),
            r#"{"code":"INVALID_INPUT","message":"message.parts: must not be empty","httpStatus":400,"details":{"field":"message.parts"}}"#
        );
    }
}
