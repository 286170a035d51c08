//! The log of a run, read from any process.

use std::sync::Arc;

use napi::bindgen_prelude::{Buffer, PromiseRaw};
use napi::{Env, Result};
use napi_derive::napi;
use turnkeep::{RunTail, SharedTail};

use crate::promise::promise;

/// A place in a run's log.
#[napi]
pub struct NativeTail {
    tail: Arc<SharedTail>,
}

impl NativeTail {
    pub(crate) fn new(tail: RunTail) -> Self {
        Self { tail: Arc::new(tail.into()) }
    }
}

impl Drop for NativeTail {
    /// A worker thread that ends leaves, too.
    fn drop(&mut self) {
        self.tail.close();
    }
}

#[napi]
impl NativeTail {
    /// The next entries as a JSON list, the last of which is the end; `null` after it, and once the tail is closed.
    #[napi(catch_unwind)]
    pub fn next<'env>(&self, env: &'env Env, limit: u32) -> Result<PromiseRaw<'env, Option<String>>> {
        let tail = Arc::clone(&self.tail);
        promise(env, async move { tail.next_json(limit as usize).await })
    }

    /// The next bytes of the stream over HTTP; `null` at the end, and once the tail is closed.
    #[napi(catch_unwind)]
    pub fn next_sse<'env>(&self, env: &'env Env, limit: u32) -> Result<PromiseRaw<'env, Option<Buffer>>> {
        let tail = Arc::clone(&self.tail);
        promise(env, async move {
            let events = tail.next_sse(limit as usize).await?;
            Ok(events.map(|events| Buffer::from(events.into_bytes())))
        })
    }

    /// How the run ended as JSON; `null` before everything was read.
    #[napi(catch_unwind)]
    pub fn end(&self) -> Option<String> {
        self.tail.end().and_then(|end| serde_json::to_string(&end).ok())
    }

    /// Leaves. A pending `next` ends at once.
    #[napi(catch_unwind)]
    pub fn close(&self) {
        self.tail.close();
    }
}
