//! What tools have noted of their calls in the store's own database, in the transactions in which they changed something.

use std::time::Duration;

use async_trait::async_trait;

use crate::error::Result;
use crate::id::RunId;
use crate::model::CallEffect;
use crate::store::Fence;

/// Calls that have taken effect, or never will.
#[async_trait]
pub trait EffectStore: Send + Sync {
    /// What is noted of the calls of this run.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn effects(&self, run_id: RunId) -> Result<Vec<CallEffect>>;

    /// Notes of these calls that they have not been done and never will be, unless they have been done; returns what is
    /// noted of them then. A tool that is late fails at its own note, and with it everything that its transaction has
    /// changed. Waits for transactions that are just noting something of these calls.
    ///
    /// # Errors
    /// `LEASE_LOST`, `STORE_UNAVAILABLE`.
    async fn close_effects(&self, fence: &Fence, keys: &[String]) -> Result<Vec<CallEffect>>;

    /// Removes what is noted of runs that ended longer ago than this, some of it at a time; whether there may be more.
    /// Nothing can be noted of a run that has ended.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn trim_effects(&self, settled_for: Duration) -> Result<bool>;
}

/// The table, in every database.
pub const EFFECTS_TABLE: &str = "turnkeep_effects";
