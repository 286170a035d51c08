//! What can go wrong between us and the server, and what it means to callers.

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

use crate::error::{Error, ErrorCode};

/// An attempt that failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// No connection could be had.
    NoConnection(PoolError),
    /// The statement failed, or the connection did while it was under way.
    Statement(tokio_postgres::Error),
    /// The answer has not come in time.
    TooSlow,
    /// The store was closed.
    Closed,
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Statement(error)
    }
}

impl From<PoolError> for Failure {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Closed => Self::Closed,
            error => Self::NoConnection(error),
        }
    }
}

impl Failure {
    fn database(&self) -> Option<&tokio_postgres::Error> {
        match self {
            Self::NoConnection(PoolError::Backend(error)) | Self::Statement(error) => Some(error),
            _ => None,
        }
    }

    pub(super) fn state(&self) -> Option<&SqlState> {
        self.database().and_then(tokio_postgres::Error::code)
    }

    /// The unique index or constraint that a write would have broken.
    pub(super) fn broken_rule(&self, state: &SqlState) -> Option<&str> {
        let error = self.database()?.as_db_error()?;
        if error.code() == state { error.constraint() } else { None }
    }

    /// Whether the same may well succeed a moment later: two transactions stood in each other's way, the connection was
    /// cut, the server is about to come back or has given out all of its connections.
    pub(super) fn may_pass(&self) -> bool {
        match self.state() {
            Some(state) => {
                let code = state.code();
                matches!(
                    code,
                    "25006" | "26000" | "40001" | "40P01" | "42P05" | "55P03" | "57P01" | "57P02" | "57P03" | "53300"
                ) || code.starts_with("08")
            }
            // No answer from a server at all: refused, reset, closed.
            None => matches!(self, Self::NoConnection(_) | Self::Statement(_)),
        }
    }

    /// Whether a value was refused that is too deep or too large.
    pub(super) fn is_beyond_limits(&self) -> bool {
        self.state().is_some_and(|state| state.code().starts_with("54"))
    }

    /// In words, without any of the data, and without an address: the state's number says what it is.
    fn in_words(&self) -> String {
        match (self, self.state()) {
            (_, Some(state)) => format!("the store failed: {} (SQLSTATE {})", meaning(state.code()), state.code()),
            (Self::TooSlow, _) => "the store failed: it did not answer in time".to_owned(),
            (Self::NoConnection(PoolError::Timeout(_)), _) => "the store failed: no connection became free".to_owned(),
            (Self::NoConnection(_), _) => "the store failed: it cannot be reached".to_owned(),
            _ => "the store failed: the connection was lost".to_owned(),
        }
    }

    pub(super) fn into_error(self) -> Error {
        if let Self::Closed = self {
            return closed();
        }
        if let Some(field) = self.unknown_reference() {
            return Error::invalid(field, "is not known in this database");
        }
        let code = match self.state().map(SqlState::code) {
            None => ErrorCode::StoreUnavailable,
            // Whose fault it is, by class: connections, resources, what operators do, the machine, transactions, rights
            // and databases that are not there are not ours; everything else is.
            Some(code) => match code.get(..2) {
                Some("08" | "25" | "28" | "3D" | "40" | "53" | "55" | "57" | "58") => ErrorCode::StoreUnavailable,
                _ => ErrorCode::Internal,
            },
        };
        match code {
            ErrorCode::Internal => Error::internal(self.in_words()),
            code => Error::new(code, self.in_words()),
        }
    }

    /// The field of a request that refers to a row of the host's which is not there.
    fn unknown_reference(&self) -> Option<&'static str> {
        let rule = self.broken_rule(&SqlState::FOREIGN_KEY_VIOLATION)?;
        [
            ("workspace", "workspaceId"),
            ("creator", "userId"),
            ("user", "userId"),
            ("page", "openPage.id"),
            ("role", "roleId"),
        ]
        .into_iter()
        .find_map(|(part, field)| rule.contains(part).then_some(field))
    }
}

pub(super) fn closed() -> Error {
    Error::new(ErrorCode::EngineClosed, "the engine is closed")
}

fn meaning(code: &str) -> &'static str {
    match code {
        "40001" | "40P01" => "other transactions stood in the way",
        "53300" => "the server has no connection left",
        "57014" => "a statement took too long",
        "57P01" | "57P02" => "the server is shutting down",
        "57P03" => "the server is starting up",
        "42501" => "the user has not the rights",
        "25006" => "the server takes no writes",
        _ => match code.get(..2) {
            Some("08") => "the connection was refused or lost",
            Some("28") => "the server refused the user",
            Some("3D") => "there is no such database",
            Some("53") => "the server is out of resources",
            Some("54") => "a value is beyond the server's limits",
            Some("22") => "a value does not fit",
            Some("23") => "a rule of the tables was broken",
            Some("42") => "the tables are not as they should be",
            _ => "the server reported an error",
        },
    }
}
