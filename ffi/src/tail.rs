//! The log of a run, read from any process.

use std::collections::VecDeque;
use std::ffi::c_char;

use tokio::runtime::Handle as RuntimeHandle;
use tokio::sync::{Mutex, watch};
use turnkeep::{Result, RunTail, TailItem};

use crate::boundary;
use crate::bytes::Bytes;
use crate::engine::Engine;
use crate::error::Error;
use crate::handle::{Handle, Out, text};
use crate::resume::Resumable;
use crate::status::{Status, TURNKEEP_DONE, TURNKEEP_OK, TURNKEEP_TIMEOUT};
use crate::wait::{limit, wait_for};

/// Chunks that are taken out of the log at once.
const BATCH: usize = 64;

/// A place in the log of a run, which any process may have begun.
///
/// Any number of threads may use it at once; they share the one place, and each chunk goes to one of them.
/// turnkeep_tail_free() must be the last call with it, and no other call with it may be in progress. Its engine must
/// still be open while it is read.
pub struct Tail {
    reading: Mutex<Reading>,
    closed: watch::Sender<bool>,
    runtime: RuntimeHandle,
}

struct Reading {
    tail: Resumable<RunTail, Result<Vec<TailItem>>>,
    batch: VecDeque<TailItem>,
    told_done: bool,
    terminator: &'static str,
}

impl Handle for Tail {
    const NAME: &'static str = "tail";
}

impl Reading {
    /// Sees to it that there are chunks, or that the log is at its end.
    async fn fill(&mut self) -> Result<()> {
        if !self.batch.is_empty() {
            return Ok(());
        }
        let read = self.tail.next(|mut tail| async move {
            let batch = tail.next_batch(BATCH).await;
            (tail, batch)
        });
        let batch = read.await.ok_or_else(|| turnkeep::Error::internal("reading the log was interrupted"))?;
        self.batch = batch?.into();
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<String>> {
        self.fill().await?;
        Ok(self.batch.pop_front().map(|item| item.to_json()))
    }

    async fn next_sse(&mut self) -> Result<Option<String>> {
        self.fill().await?;
        if !self.batch.is_empty() {
            return Ok(Some(self.batch.drain(..).map(|item| item.to_sse()).collect()));
        }
        Ok((!std::mem::replace(&mut self.told_done, true)).then(|| self.terminator.to_owned()))
    }
}

impl Tail {
    /// What `take` takes of the log: `None` when the time is up, `Some(None)` at the end and once closed.
    fn wait(
        &self,
        timeout_ms: i64,
        take: impl AsyncFnOnce(&mut Reading) -> Result<Option<String>>,
    ) -> Result<Option<Option<String>>> {
        let _context = self.runtime.enter();
        let mut closed = self.closed.subscribe();
        let next = async {
            tokio::select! {
                biased;
                // The sender lives as long as this.
                _ = closed.wait_for(|closed| *closed) => Ok(None),
                taken = async { take(&mut *self.reading.lock().await).await } => taken,
            }
        };
        wait_for(next, limit(timeout_ms)).transpose()
    }

    /// # Safety
    /// As for the functions that use it.
    unsafe fn give_next(
        tail: *const Self,
        timeout_ms: i64,
        place: Result<Out<Bytes>>,
        take: impl AsyncFnOnce(&mut Reading) -> Result<Option<String>>,
    ) -> Result<Status> {
        // SAFETY: as the caller has promised.
        let (tail, place) = unsafe { (Self::borrow(tail)?, place?) };
        Ok(match tail.wait(timeout_ms, take)? {
            Some(Some(text)) => {
                place.set(Bytes::give(&text));
                TURNKEEP_OK
            }
            Some(None) => TURNKEEP_DONE,
            None => TURNKEEP_TIMEOUT,
        })
    }
}

/// Begins to follow a run's log, while it goes on and after it has ended, from any process. Nothing is stopped by going
/// away.
///
/// `params` is {"workspaceId", "userId", "runId", "after"?, "from"?}. "from" is "snapshot" (the default: finished steps in
/// compact form, then chunk by chunk) or "start" (chunk by chunk from the first one). "after" goes on behind a cursor that
/// a tail has given out, in place of "from". `tail` receives a handle for turnkeep_tail_free().
///
/// Errors: as turnkeep_run_get().
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `tail` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_tail_open(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    tail: *mut *mut Tail,
    error: *mut *mut Error,
) -> Status {
    let body = || {
        // SAFETY: as the caller has promised.
        let (engine, params, place) =
            unsafe { (Engine::borrow(engine)?, text(params, params_len, "params")?, Out::new(tail, "tail")?) };
        let runtime = engine.runtime()?.clone();
        let begun = engine.wait(|engine| async move { engine.tail_from_json(params).await })??;
        let terminator = begun.terminator();
        let reading = Reading { tail: Resumable::new(begun), batch: VecDeque::new(), told_done: false, terminator };
        place.set(Tail { reading: Mutex::new(reading), closed: watch::Sender::new(false), runtime }.give());
        Ok(TURNKEEP_OK)
    };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The log's next chunk, as {"cursor", "chunk", "resync"?}: the cursor is where to go on after it; with "resync", which is
/// true, the place that was asked for is not known any more, and what follows replaces what was read before.
///
/// Waits for up to `timeout_ms`, for ever when it is negative. TURNKEEP_OK: `item` is written and freed by
/// turnkeep_bytes_free(). TURNKEEP_TIMEOUT: there was none in that time. TURNKEEP_DONE: the run has ended and every chunk
/// has been given out, or the tail was closed.
///
/// Errors: INVALID_INPUT, STORE_UNAVAILABLE (reading may be tried again), ENGINE_CLOSED.
///
/// # Safety
/// `tail` is NULL or a tail that has not been freed; `item` and `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_tail_next(
    tail: *const Tail,
    timeout_ms: i64,
    item: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { Tail::give_next(tail, timeout_ms, Out::new(item, "item"), Reading::next) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// As turnkeep_tail_next(), but all chunks that are there, as server-sent events whose ids are the cursors; after the last
/// chunk comes the terminator, and then TURNKEEP_DONE. An event with "resync" is named so.
///
/// Errors: as turnkeep_tail_next().
///
/// # Safety
/// `tail` is NULL or a tail that has not been freed; `events` and `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_tail_next_sse(
    tail: *const Tail,
    timeout_ms: i64,
    events: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    // SAFETY: as the caller has promised.
    let body = || unsafe { Tail::give_next(tail, timeout_ms, Out::new(events, "events"), Reading::next_sse) };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// How the run that was followed ended: {"status", "reason", "error"}. TURNKEEP_OK: `end` is written and freed by
/// turnkeep_bytes_free(). TURNKEEP_DONE: not every chunk has been given out yet.
///
/// Errors: INVALID_INPUT.
///
/// # Safety
/// `tail` is NULL or a tail that has not been freed; `end` and `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_tail_end(tail: *const Tail, end: *mut Bytes, error: *mut *mut Error) -> Status {
    let body = || {
        // SAFETY: as the caller has promised.
        let (tail, place) = unsafe { (Tail::borrow(tail)?, Out::new(end, "end")?) };
        // Somebody who reads has not had everything yet.
        let reading = tail.reading.try_lock().ok().filter(|reading| reading.batch.is_empty());
        let end = reading.and_then(|reading| reading.tail.source()?.end().cloned());
        let Some(end) = end else { return Ok(TURNKEEP_DONE) };
        let end = serde_json::to_string(&end)
            .map_err(|error| turnkeep::Error::internal("the end could not be encoded").with_source(error))?;
        place.set(Bytes::give(&end));
        Ok(TURNKEEP_OK)
    };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Ends the tail for all threads: those that wait for chunks, and those that come later, find it at its end. The handle
/// remains to be freed. NULL does nothing.
///
/// # Safety
/// `tail` is NULL or a tail that has not been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_tail_close(tail: *const Tail) {
    boundary::contain(|| {
        // SAFETY: as the caller has promised.
        if let Ok(tail) = unsafe { Tail::borrow(tail) } {
            tail.closed.send_replace(true);
        }
    });
}

/// Frees the tail, read to its end or not. The run goes on. NULL does nothing.
///
/// # Safety
/// `tail` is NULL or a tail that has not been freed, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_tail_free(tail: *mut Tail) {
    boundary::contain(|| {
        // SAFETY: as the caller has promised.
        drop(unsafe { Tail::take(tail) });
    });
}
