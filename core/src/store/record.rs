//! The records of turns that are not stored: whose they are, whether somebody drives them, and how they ended.

use std::time::Duration;

use async_trait::async_trait;

use crate::error::Result;
use crate::id::RunId;
use crate::model::{RunReason, RunStatus, StatelessRun};

/// The beginning of such a turn.
#[derive(Clone, Debug)]
pub struct BeginRecord {
    /// The run.
    pub run_id: RunId,
    /// Whose it is.
    pub workspace_id: String,
    /// Whose it is.
    pub user_id: String,
    /// How long it is taken for alive without a sign of life.
    pub lease: Duration,
}

/// The end of such a turn.
#[derive(Clone, Debug)]
pub struct FinishRecord {
    /// The run.
    pub run_id: RunId,
    /// A final status.
    pub status: RunStatus,
    /// Why it did not succeed.
    pub reason: Option<RunReason>,
    /// One line for people.
    pub error: Option<String>,
    /// How many steps it had.
    pub step_count: u32,
}

/// Records of turns that are not stored.
#[async_trait]
pub trait RecordStore: Send + Sync {
    /// Notes that a turn has begun. Whoever repeats it notes nothing more.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn begin_record(&self, begin: &BeginRecord) -> Result<()>;

    /// Says that these turns are driven; which of them have ended all the same.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn renew_records(&self, runs: &[RunId], lease: Duration) -> Result<Vec<RunId>>;

    /// Asks a turn to stop; `false` when it has ended.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn stop_record(&self, run_id: RunId) -> Result<bool>;

    /// Which of these turns were asked to stop.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn stopped_records(&self, runs: &[RunId]) -> Result<Vec<RunId>>;

    /// Notes how a turn has ended, and settles what is set aside for its calls. Repeating it changes nothing.
    ///
    /// # Errors
    /// `LEASE_LOST` when it had ended otherwise by then, `STORE_UNAVAILABLE`.
    async fn finish_record(&self, finish: &FinishRecord) -> Result<()>;

    /// Ends the turns that nobody drives any more, and settles what is set aside for their calls. Returns how many.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn sweep_records(&self) -> Result<usize>;

    /// One record.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn record(&self, run_id: RunId) -> Result<Option<StatelessRun>>;

    /// Forgets the turns that ended so long ago.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn forget_records(&self, before: Duration) -> Result<()>;
}
