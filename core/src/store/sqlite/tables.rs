//! The tables as one operation sees them: its statements, what it writes as text, and its time.

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, OptionalExtension, Params, Row, ToSql};

use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::{AgentRoleId, ChatId, McpServerId, MessageId, RunId};
use crate::model::Json;

use super::store_error;

/// What an operation is given. It runs inside of a transaction, or of a savepoint of its own, that its caller has begun.
pub(super) struct Tables<'a> {
    pub(super) connection: &'a Connection,
    /// When the operation began.
    pub(super) now: Timestamp,
}

impl Tables<'_> {
    /// Executes a statement; how many rows it has changed.
    pub(super) fn execute(&self, sql: &str, values: impl Params) -> Result<usize> {
        self.try_execute(sql, values).map_err(store_error)
    }

    /// As [`Tables::execute`], for callers that know what a failure means.
    pub(super) fn try_execute(&self, sql: &str, values: impl Params) -> rusqlite::Result<usize> {
        self.connection.prepare_cached(sql)?.execute(values)
    }

    /// The first row of a query's answer, if there is one.
    pub(super) fn first<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        let found = self.connection.prepare_cached(sql).and_then(|mut query| query.query_row(values, read).optional());
        found.map_err(store_error)
    }

    /// The one row of a query's answer.
    pub(super) fn one<T: rusqlite::types::FromSql>(&self, sql: &str, values: impl Params) -> Result<T> {
        let found = self.connection.prepare_cached(sql).and_then(|mut query| query.query_row(values, |row| row.get(0)));
        found.map_err(store_error)
    }

    /// All rows of a query's answer.
    pub(super) fn all<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let rows = self.connection.prepare_cached(sql).and_then(|mut query| query.query_map(values, read)?.collect());
        rows.map_err(store_error)
    }

    /// All rows of a query's answer that can be read; one that cannot costs itself and nothing else.
    pub(super) fn readable<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let rows = self.connection.prepare_cached(sql).and_then(|mut query| {
            let mut found = Vec::new();
            for row in query.query_map(values, read)? {
                match row {
                    Ok(row) => found.push(row),
                    Err(error @ rusqlite::Error::SqliteFailure(..)) => return Err(error),
                    Err(error) => tracing::error!(%error, "a row cannot be read and is passed over"),
                }
            }
            Ok(found)
        });
        rows.map_err(store_error)
    }
}

macro_rules! as_text {
    ($($type:ty),*) => {$(
        impl ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.to_string().into())
            }
        }
    )*};
}
as_text!(Timestamp, RunId, ChatId, MessageId, AgentRoleId, McpServerId);

impl ToSql for Json {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.get().into())
    }
}
