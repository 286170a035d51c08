//! A turn and its readers.

use std::sync::Arc;

use napi::bindgen_prelude::{Buffer, PromiseRaw};
use napi::{Env, Result};
use napi_derive::napi;
use turnkeep::tool::Mailbox;
use turnkeep::{Error, SharedReader, Turn};

use crate::calls::Calls;
use crate::promise::promise;

/// A turn of this process.
#[napi]
pub struct NativeTurn {
    turn: Arc<Turn>,
    calls: Calls,
}

impl NativeTurn {
    pub(crate) fn new(turn: Turn, mailbox: Mailbox) -> Self {
        Self { turn: Arc::new(turn), calls: Calls::new(mailbox) }
    }
}

#[napi]
impl NativeTurn {
    /// `{runId, chatId, messageId}` as JSON.
    #[napi(catch_unwind)]
    pub fn ids(&self) -> String {
        self.turn.to_json()
    }

    /// Whether the run had been begun before, with the same idempotency key.
    #[napi(catch_unwind)]
    pub fn is_repeated(&self) -> bool {
        self.turn.is_repeated()
    }

    /// Whether the engine drives the run itself.
    #[napi(catch_unwind)]
    pub fn is_driven_here(&self) -> bool {
        self.turn.is_driven_here()
    }

    /// A reader from the first chunk on.
    #[napi(catch_unwind)]
    pub fn reader(&self) -> NativeReader {
        NativeReader { reader: Arc::new(self.turn.chunks().into()) }
    }

    /// Asks the run to stop.
    #[napi(catch_unwind)]
    pub fn stop<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, bool>> {
        let turn = Arc::clone(&self.turn);
        promise(env, async move { turn.stop().await })
    }

    /// The messages that wait for the run; their JSON.
    #[napi(catch_unwind)]
    pub fn queue<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, String>> {
        let turn = Arc::clone(&self.turn);
        promise(env, async move {
            let waiting = turn.queue().await?;
            serde_json::to_string(&waiting).map_err(|_| Error::internal("the messages could not be encoded"))
        })
    }

    /// Waits for the outcome; its JSON.
    #[napi(catch_unwind)]
    pub fn done<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, String>> {
        let turn = Arc::clone(&self.turn);
        promise(env, async move {
            let outcome = turn.done().await?;
            serde_json::to_string(&outcome).map_err(|_| Error::internal("the outcome could not be encoded"))
        })
    }

    /// The next message for the host's tools as JSON; `null` when the turn has no more.
    #[napi(catch_unwind)]
    pub fn next_tool_message<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Option<String>>> {
        self.calls.next(env)
    }

    /// Answers a call with the JSON of its output.
    #[napi(catch_unwind)]
    pub fn respond(&self, ticket: i64, output: String) -> Result<bool> {
        self.calls.respond(ticket, &output)
    }

    /// Shows the JSON of what the output of a call is so far.
    #[napi(catch_unwind)]
    pub fn show(&self, ticket: i64, output: String) -> bool {
        self.calls.show(ticket, &output)
    }

    /// Answers a call with the text of its error.
    #[napi(catch_unwind)]
    pub fn fail(&self, ticket: i64, error: String) -> bool {
        self.calls.fail(ticket, error)
    }
}

/// A place in a turn's chunks.
#[napi]
pub struct NativeReader {
    reader: Arc<SharedReader>,
}

impl Drop for NativeReader {
    /// A worker thread that ends leaves, too.
    fn drop(&mut self) {
        self.reader.close();
    }
}

#[napi]
impl NativeReader {
    /// The next chunks as JSON texts; empty at the end, and once the reader is closed.
    #[napi(catch_unwind)]
    pub fn next<'env>(&self, env: &'env Env, limit: u32) -> Result<PromiseRaw<'env, Vec<String>>> {
        let reader = Arc::clone(&self.reader);
        promise(env, async move {
            let batch = reader.next_batch(limit as usize).await;
            Ok(batch.iter().map(|chunk| chunk.to_string()).collect())
        })
    }

    /// The next bytes of the stream over HTTP; `null` at the end, and once the reader is closed.
    #[napi(catch_unwind)]
    pub fn next_sse<'env>(&self, env: &'env Env, limit: u32) -> Result<PromiseRaw<'env, Option<Buffer>>> {
        let reader = Arc::clone(&self.reader);
        promise(env, async move {
            let events = reader.next_sse(limit as usize).await;
            Ok(events.map(|events| Buffer::from(events.into_bytes())))
        })
    }

    /// Leaves. A pending `next` ends at once.
    #[napi(catch_unwind)]
    pub fn close(&self) {
        self.reader.close();
    }
}
