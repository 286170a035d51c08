//! Leases: keeping runs, giving them up, and taking those that were left.

use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::RunId;
use crate::model::{Run, RunReason};
use crate::store::{BeginRun, Fence, RunPlan};

/// A row without a lease that has not been touched for this long belongs to nobody. For so long, too, a run that names its
/// tools waits for somebody who offers them, once its owner is gone.
pub const UNTOUCHED_WITHOUT_LEASE: Duration = Duration::from_secs(10 * 60);

/// A run is not taken over once more when it has had this many owners: it may be what ends them.
pub const MOST_OWNERS: i64 = 25;

/// What a lease's renewal found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renewal {
    /// Runs that are somebody else's or settled by now.
    pub lost: Vec<RunId>,
    /// Runs that somebody asked to stop, and why.
    pub stop_requested: Vec<(RunId, RunReason)>,
}

/// A run that its owner left behind and that is the caller's now.
#[derive(Clone, Debug)]
pub struct ClaimedRun {
    /// The run as it was found.
    pub run: Run,
    /// The right to settle it.
    pub fence: Fence,
    /// Why it was asked to stop, if it was.
    pub stop_reason: Option<RunReason>,
}

/// Who looks for abandoned runs, and by what they are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep<'a> {
    /// The engine instance.
    pub owner: &'a str,
    /// How long what is taken over stays its. An owner that is known to live must have been silent for so long.
    pub lease: Duration,
    /// Only this run.
    pub only: Option<RunId>,
    /// Runs that the instance drives itself. They stay its, however late it is with their renewal.
    pub spare: &'a [RunId],
    /// A lease says that its owner is gone if it had run out at this time, and still has when the store looks. Without
    /// this time, only proof of death says so.
    pub leases_at: Option<Timestamp>,
    /// How many runs at most.
    pub limit: usize,
}

impl<'a> Sweep<'a> {
    /// A sweep of everything, by leases.
    pub fn new(owner: &'a str, lease: Duration) -> Self {
        Self { owner, lease, only: None, spare: &[], leases_at: Some(Timestamp::MAX), limit: usize::MAX }
    }

    /// Whether this run stays its owner's whatever its lease says.
    pub(crate) fn spares(&self, owner: Option<&str>, run_id: RunId) -> bool {
        owner == Some(self.owner) && self.spare.contains(&run_id)
    }
}

/// Who asks for runs to drive, and for which.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// The engine instance.
    pub owner: &'a str,
    /// The tools that it offers.
    pub tools: &'a [String],
    /// Runs that it drives itself, which are not to be taken from it.
    pub spare: &'a [RunId],
    /// As in [`Sweep::leases_at`]. Without this time, only what never had a lease is taken, and what is left by
    /// owners whose death is proven.
    pub leases_at: Option<Timestamp>,
    /// How many runs at most.
    pub limit: usize,
}

/// Runs that are the caller's to drive now.
#[derive(Clone, Debug, Default)]
pub struct OfferedRuns {
    /// Those that hold their chat: not begun yet, or left behind by their owner.
    pub active: Vec<(ClaimedRun, RunPlan)>,
    /// Those that wait for their chat.
    pub waiting: Vec<BeginRun>,
}

/// Who has which run.
#[async_trait]
pub trait LeaseStore: Send + Sync {
    /// The time by which leases are judged.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn time(&self) -> Result<Timestamp>;

    /// Renews the leases of these runs, which may be running or waiting.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn renew_leases(&self, owner: &str, runs: &[RunId], lease: Duration) -> Result<Renewal>;

    /// Gives up a run that others can drive: its lease ends at once. One that waits is named by its owner alone.
    ///
    /// # Errors
    /// `LEASE_LOST`, `STORE_UNAVAILABLE`.
    async fn release_run(&self, fence: &Fence) -> Result<()>;

    /// Takes runs with a plan whose tools are all offered and that nobody drives: not begun yet, or left behind, and not
    /// asked to stop. Those that others are just taking are not waited for.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn claim_offered(&self, offer: Offer<'_>, lease: Duration) -> Result<OfferedRuns>;

    /// Takes over active runs whose lease has run out, whose owner is known to be dead, or that have no lease and have
    /// not been touched for [`UNTOUCHED_WITHOUT_LEASE`]. A run with a plan is left for so long to those who can go on
    /// with it, unless it was asked to stop or has had [`MOST_OWNERS`]. A row that cannot be read is settled here and
    /// now, as `failed` and `internal`.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn claim_abandoned(&self, sweep: Sweep<'_>) -> Result<Vec<ClaimedRun>>;
}
