//! A turn, its readers and its tool calls.

use std::sync::Arc;

use napi::Result;
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use turnkeep::model::Json;
use turnkeep::tool::{CallTicket, Mailbox};
use turnkeep::{Error, SharedReader, Turn};

use crate::error::to_js;

/// A turn of this process.
#[napi]
pub struct NativeTurn {
    turn: Arc<Turn>,
    mailbox: Arc<Mailbox>,
}

impl NativeTurn {
    pub(crate) fn new(turn: Turn, mailbox: Mailbox) -> Self {
        Self { turn: Arc::new(turn), mailbox: Arc::new(mailbox) }
    }
}

#[napi]
impl NativeTurn {
    /// `{runId, chatId, messageId}` as JSON.
    #[napi(catch_unwind)]
    pub fn ids(&self) -> String {
        self.turn.to_json()
    }

    /// A reader from the first chunk on.
    #[napi(catch_unwind)]
    pub fn reader(&self) -> NativeReader {
        NativeReader { reader: self.turn.chunks().into() }
    }

    /// Asks the run to stop.
    #[napi]
    pub async fn stop(&self) -> Result<bool> {
        self.turn.stop().await.map_err(to_js)
    }

    /// Waits for the outcome; its JSON.
    #[napi]
    pub async fn done(&self) -> Result<String> {
        let outcome = self.turn.done().await.map_err(to_js)?;
        serde_json::to_string(&outcome).map_err(|_| to_js(Error::internal("the outcome could not be encoded")))
    }

    /// The next message for the host's tools as JSON; `null` when the turn has no more.
    #[napi]
    pub async fn next_tool_message(&self) -> Result<Option<String>> {
        match self.mailbox.next().await {
            Some(message) => message.to_json().map(Some).map_err(to_js),
            None => Ok(None),
        }
    }

    /// Answers a call with the JSON of its output.
    #[napi(catch_unwind)]
    pub fn respond(&self, ticket: i64, output: String) -> Result<bool> {
        let output = Json::parse(&output).map_err(|_| to_js(Error::invalid("output", "is not JSON")))?;
        Ok(self.mailbox.respond(CallTicket::try_from(ticket).unwrap_or_default(), Ok(output)))
    }

    /// Answers a call with the text of its error.
    #[napi(catch_unwind)]
    pub fn fail(&self, ticket: i64, error: String) -> bool {
        self.mailbox.respond(CallTicket::try_from(ticket).unwrap_or_default(), Err(error))
    }
}

/// A place in a turn's chunks.
#[napi]
pub struct NativeReader {
    reader: SharedReader,
}

#[napi]
impl NativeReader {
    /// The next chunks as JSON texts; empty at the end, and once the reader is closed.
    #[napi]
    pub async fn next(&self, limit: u32) -> Vec<String> {
        let batch = self.reader.next_batch(limit as usize).await;
        batch.iter().map(|chunk| chunk.to_string()).collect()
    }

    /// The next bytes of the stream over HTTP; `null` at the end, and once the reader is closed.
    #[napi]
    pub async fn next_sse(&self, limit: u32) -> Option<Buffer> {
        self.reader.next_sse(limit as usize).await.map(|events| Buffer::from(events.into_bytes()))
    }

    /// Leaves. A pending `next` ends at once.
    #[napi(catch_unwind)]
    pub fn close(&self) {
        self.reader.close();
    }
}
