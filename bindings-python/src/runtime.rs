//! The threads of one engine.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, EnterGuard, Handle};
use turnkeep::{Error, Result};

use crate::error::{closed, panicked};

const WORKERS: usize = 2;
/// How long threads that are in the middle of something are waited for at the end.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(2);

/// A tokio runtime that can be shut down while others still hold it.
pub(crate) struct Runtime {
    handle: Handle,
    threads: Mutex<Option<tokio::runtime::Runtime>>,
}

impl Runtime {
    /// Starts the threads.
    ///
    /// # Errors
    /// `INTERNAL` when the system gives us none.
    pub(crate) fn start() -> Result<Self> {
        let threads = Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("turnkeep")
            .enable_all()
            .build()
            .map_err(|error| Error::internal("the engine's threads could not be started").with_source(error))?;
        Ok(Self { handle: threads.handle().clone(), threads: Mutex::new(Some(threads)) })
    }

    /// Begins `work` on the runtime at once. It goes on even if nobody waits for its result.
    pub(crate) fn spawn<T, F>(&self, work: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let task = self.handle.spawn(work);
        async move {
            task.await.unwrap_or_else(|error| {
                if error.is_panic() { Err(panicked()) } else { Err(closed("the engine is closed")) }
            })
        }
    }

    /// While the guard lives, what the calling thread polls may use the runtime's timers.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    /// Ends the threads. What was spawned and is not finished is dropped. Blocks.
    pub(crate) fn shut_down(&self) {
        // Held until the end, so that whoever comes second returns no sooner.
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(threads) = threads.take() {
            threads.shutdown_timeout(SHUTDOWN_DEADLINE);
        }
    }
}

impl Drop for Runtime {
    /// For engines that were never closed. A plain drop would wait, perhaps for ever, while attached.
    fn drop(&mut self) {
        let threads = self.threads.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(threads) = threads.take() {
            threads.shutdown_background();
        }
    }
}
