//! Runs that wait for somebody's answer: nobody's, without lease, until it comes.

use async_trait::async_trait;

use crate::error::Result;
use crate::id::{ChatId, RunId};
use crate::model::{Run, StepRecord, Waits};
use crate::project::AssistantFlush;
use crate::store::{CallNote, ChunkPack, Fence};

/// The beginning of the waiting, all of it in one transaction.
#[derive(Clone, Debug)]
pub struct SuspendRun {
    /// The right to write the run; it ends with this.
    pub fence: Fence,
    /// The step as far as it is: some of its calls wait.
    pub step: StepRecord,
    /// What has streamed and is not on disk yet, with what readers are told of those calls.
    pub pack: Option<ChunkPack>,
    /// What the run waits for.
    pub waits: Waits,
    /// The step's call.
    pub call: CallNote,
    /// The assistant's row meanwhile.
    pub assistant: AssistantFlush,
}

/// A run with what it waits for, or has waited for last.
#[derive(Clone, Debug, PartialEq)]
pub struct WaitingRun {
    /// The run.
    pub run: Run,
    /// What it waits for.
    pub waits: Waits,
}

/// Whose runs that wait are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingOf {
    /// Those of this workspace.
    pub workspace_id: String,
    /// Those that this user began.
    pub user_id: Option<String>,
    /// Those of this chat.
    pub chat_id: Option<ChatId>,
    /// Those that come after this one.
    pub after: Option<RunId>,
    /// At most so many.
    pub limit: usize,
}

/// Runs that wait for somebody's answer.
#[async_trait]
pub trait WaitStore: Send + Sync {
    /// Lets the run wait, as nobody's. It holds its chat still, unless its plan says that it does not. Letting it wait
    /// again under the same fence changes nothing.
    ///
    /// # Errors
    /// `LEASE_LOST`, `STORE_UNAVAILABLE`.
    async fn suspend_run(&self, suspend: SuspendRun) -> Result<()>;

    /// What the run waits for, or has waited for last.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn waits(&self, run_id: RunId) -> Result<Option<WaitingRun>>;

    /// Puts what it waits for in the place of what it was, if it still is that and the run still waits and was not asked
    /// to stop; `false` when not. Once everything is answered the run is pending, as soon as its chat is free.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn change_waits(&self, run_id: RunId, was: &Waits, waits: &Waits) -> Result<bool>;

    /// Makes runs pending that have all their answers and whose chat is free by now; how many those were.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn wake_answered(&self) -> Result<usize>;

    /// The runs that wait, in the order of their ids.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn waiting_runs(&self, of: &WaitingOf) -> Result<Vec<WaitingRun>>;

    /// Runs of which something has expired and not been answered.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn expired_waits(&self, limit: usize) -> Result<Vec<WaitingRun>>;
}
