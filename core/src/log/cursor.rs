//! What readers of a log are given: places in it, chunks with their places, and how it ended.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::model::{RunReason, RunStatus};

/// A place in a run's log: after the chunk with this number, and after so many chunks of the compact form of what
/// follows. As text `17`, or `17+3`; in a format in which a chunk is several events also `17/1`: behind one of those that
/// the next chunk is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The number of the last chunk that was read.
    pub sequence: u64,
    /// Chunks read of the next step's compact form.
    pub compact: u32,
    /// Events read of what the next chunk is.
    pub events: u32,
}

impl Cursor {
    /// The place after the chunk with this number.
    pub(crate) fn after(sequence: u64) -> Self {
        Self { sequence, ..Self::default() }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sequence.fmt(f)?;
        if self.compact > 0 {
            write!(f, "+{}", self.compact)?;
        }
        if self.events > 0 {
            write!(f, "/{}", self.events)?;
        }
        Ok(())
    }
}

impl FromStr for Cursor {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::invalid("after", "must be a cursor that a tail has given out");
        let (chunk, events) = text.split_once('/').unwrap_or((text, "0"));
        let (sequence, compact) = chunk.split_once('+').unwrap_or((chunk, "0"));
        // Digits only: what `parse` also takes, a sign, is no cursor.
        if [sequence, compact, events].iter().any(|part| !part.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(wrong());
        }
        Ok(Self {
            sequence: sequence.parse().map_err(|_| wrong())?,
            compact: compact.parse().map_err(|_| wrong())?,
            events: events.parse().map_err(|_| wrong())?,
        })
    }
}

/// Where a tail begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TailFrom {
    /// With finished steps in compact form, one delta per block; then chunk by chunk.
    #[default]
    Snapshot,
    /// Chunk by chunk from the first one, as far as that is still known.
    Start,
    /// After what was read before.
    After(Cursor),
}

/// A chunk of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TailItem {
    /// Where to go on after this chunk.
    pub cursor: Cursor,
    /// The chunk, encoded.
    pub chunk: Arc<str>,
    /// The place that was asked for is not known any more (or never was): what follows begins from the start, and
    /// replaces what was read before.
    pub resync: bool,
}

impl TailItem {
    /// As `{"cursor", "chunk", "resync"?}`.
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Item<'a> {
            cursor: String,
            chunk: Option<&'a RawValue>,
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            resync: bool,
        }
        let chunk = serde_json::from_str(&self.chunk).ok();
        let item = Item { cursor: self.cursor.to_string(), chunk, resync: self.resync };
        serde_json::to_string(&item).unwrap_or_default()
    }

    /// As a server-sent event whose id is the cursor. An event that begins anew is named `resync`.
    pub fn to_sse(&self) -> String {
        let name = if self.resync { "event: resync\n" } else { "" };
        format!("{name}{}", numbered_event(Some(&self.cursor), &self.chunk))
    }
}

/// A chunk as a server-sent event with the place behind it.
pub(crate) fn numbered_event(cursor: Option<&Cursor>, chunk: &str) -> String {
    let id = cursor.map(|cursor| format!("id: {cursor}\n")).unwrap_or_default();
    format!("{id}{}", super::sse_event(chunk))
}

/// How the run that was followed ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TailEnd {
    /// A final status.
    pub status: RunStatus,
    /// Why it did not succeed.
    pub reason: Option<RunReason>,
    /// The error in one line, when it failed.
    pub error: Option<String>,
}
