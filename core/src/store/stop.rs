//! Stops that somebody asked for.

use std::time::Duration;

use async_trait::async_trait;

use crate::error::Result;
use crate::id::RunId;
use crate::model::RunReason;

/// For how long a stop waits for its run to begin: longer than any request is on its way.
pub const STOP_NOTES_KEPT: Duration = Duration::from_secs(60 * 60);

/// Stops that somebody asked for.
#[async_trait]
pub trait StopStore: Send + Sync {
    /// Notes that the run is to stop, and why; the first reason stays. `false` when it has settled already.
    ///
    /// # Errors
    /// `NOT_FOUND`, `STORE_UNAVAILABLE`.
    async fn request_stop(&self, run_id: RunId, reason: RunReason) -> Result<bool>;

    /// Which of these runs somebody asked to stop. Cheaper than a renewal; writes nothing.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn stop_requests(&self, runs: &[RunId]) -> Result<Vec<(RunId, RunReason)>>;

    /// Notes that the run of this idempotency key is to stop although it has not begun. Forgets notes that are older than
    /// [`STOP_NOTES_KEPT`].
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`, `INVALID_INPUT` for ids that cannot be in this database.
    async fn note_stop(&self, workspace_id: &str, user_id: &str, key: &str) -> Result<()>;

    /// Whether such a note was made before.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn is_stop_noted(&self, workspace_id: &str, user_id: &str, key: &str) -> Result<bool>;
}
