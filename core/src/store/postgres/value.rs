//! Parameters of statements.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use bytes::BytesMut;
use tokio_postgres::types::{Format, IsNull, ToSql, Type};

use crate::clock::Timestamp;
use crate::id::{AgentRoleId, ChatId, McpServerId, MessageId, RunId};
use crate::model::Json;

/// A parameter, as text that the server reads as whatever type it has there. So one statement serves tables whose ids
/// are text and tables whose ids are UUIDs, and JSON columns of either kind. `Debug` shows nothing of it: the client's
/// own log prints parameters.
#[derive(Clone, Default)]
pub(super) struct Value<'a>(Option<Cow<'a, str>>);

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        Ok(match &self.0 {
            None => IsNull::Yes,
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                IsNull::No
            }
        })
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    tokio_postgres::types::to_sql_checked!();
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self(Some(Cow::Borrowed(text)))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self(Some(Cow::Owned(text)))
    }
}

impl<'a> From<&'a Json> for Value<'a> {
    fn from(json: &'a Json) -> Self {
        Self::from(json.get())
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self(None), Into::into)
    }
}

macro_rules! as_text {
    ($($type:ty),*) => {$(
        impl From<$type> for Value<'_> {
            fn from(value: $type) -> Self {
                Self::from(value.to_string())
            }
        }
    )*};
}
as_text!(bool, i64, u32, u64, Timestamp, RunId, ChatId, MessageId, AgentRoleId, McpServerId);

/// These run ids as an array.
pub(super) fn ids(runs: &[RunId]) -> Value<'static> {
    let runs: Vec<String> = runs.iter().map(RunId::to_string).collect();
    Value::from(format!("{{{}}}", runs.join(",")))
}

/// Values of different types as parameters.
macro_rules! values {
    ($($value:expr),* $(,)?) => { [$($crate::store::postgres::value::Value::from($value)),*] };
}
pub(super) use values;
