//! The log of a run: its steps, and the packs of chunks of what streams.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::Result;
use crate::id::RunId;
use crate::model::{CallKind, FinishReason, Run, StepRecord, Usage};
use crate::project::AssistantFlush;
use crate::store::Fence;

/// Streamed chunks of one step, as they go to disk together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkPack {
    /// The step.
    pub step_number: u32,
    /// The number of the first chunk in the run's log.
    pub first_sequence: u64,
    /// The encoded chunks.
    pub chunks: Vec<Arc<str>>,
}

/// Where a finished step's chunks are in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepNumbers {
    /// The number of the first chunk that no pack has; it and those after it are told from the step.
    pub packed_until: u64,
    /// The number of the first chunk after the step.
    pub next: u64,
}

/// What a step's call to a provider was, for the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallNote {
    /// The model that was asked.
    pub model: Option<Arc<str>>,
    /// What its prompt is taken for, in tokens, should the provider not say.
    pub prompt_tokens: Option<u64>,
    /// What it is for: a step, unless the run is none that is stored.
    pub kind: CallKind,
}

/// A step for the log.
#[derive(Clone, Debug)]
pub struct RecordStep {
    /// The right to write it.
    pub fence: Fence,
    /// The step.
    pub step: StepRecord,
    /// Its chunks in the log.
    pub numbers: StepNumbers,
    /// The new lease, when the run's row is due: it is not rewritten for every step.
    pub lease: Option<Duration>,
    /// The assistant's row, when it is due.
    pub refresh: Option<AssistantFlush>,
    /// The step's call.
    pub call: CallNote,
}

/// A row of the log, as read back.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedStep {
    /// The step. Calls of an unfinished one have no outcome.
    pub step: StepRecord,
    /// Whether the outcomes are in.
    pub finished: bool,
    /// The chunks of a finished step.
    pub numbers: Option<StepNumbers>,
}

/// Where to read a run's log from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFrom {
    /// From the beginning of the step in whose range this number is.
    Sequence(u64),
    /// The rows from this step on, of its packs those that begin at this number or later.
    Place {
        /// The step.
        step: u32,
        /// The number.
        sequence: u64,
    },
}

/// Which rows of a log to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRange {
    /// Where they begin.
    pub from: LogFrom,
    /// Also the packs of finished steps, which tell what the steps tell, as it was sent.
    pub packs_of_finished: bool,
    /// About how many bytes to read at most.
    pub limit: usize,
}

/// The beginning of a step in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogStart {
    /// The step.
    pub step: u32,
    /// The number of its first chunk.
    pub first_sequence: u64,
    /// Tokens of the steps before it.
    pub usage: Option<Usage>,
    /// Why the model stopped in the step before it.
    pub finish_reason: Option<FinishReason>,
}

/// A row of the log: each step after its packs.
#[derive(Clone, Debug, PartialEq)]
pub enum LogRow {
    /// Chunks of a step.
    Pack(ChunkPack),
    /// A finished step.
    Step(LoggedStep),
}

/// Rows of a run's log as they were at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct LogPage {
    /// The run.
    pub run: Run,
    /// Where the rows begin, for [`LogFrom::Sequence`].
    pub start: Option<LogStart>,
    /// The rows, in order.
    pub rows: Vec<LogRow>,
    /// Whether there were no more at that moment.
    pub complete: bool,
}

/// The logs of runs.
#[async_trait]
pub trait LogStore: Send + Sync {
    /// Puts streamed chunks on disk. Appending the same pack again changes nothing.
    ///
    /// # Errors
    /// `LEASE_LOST`, `STORE_UNAVAILABLE`.
    async fn append_pack(&self, fence: &Fence, pack: &ChunkPack) -> Result<()>;

    /// Appends the calls of a step before they run.
    ///
    /// # Errors
    /// `LEASE_LOST`, `STORE_UNAVAILABLE`.
    async fn record_intent(&self, fence: &Fence, step: &StepRecord) -> Result<()>;

    /// Appends a finished step, counts it, enters its call into the ledger, renews the lease and refreshes the row when asked
    /// to. Recording the same step again changes nothing. Returns whether messages wait for the run.
    ///
    /// # Errors
    /// `LEASE_LOST`, `STORE_UNAVAILABLE`.
    async fn record_step(&self, record: RecordStep) -> Result<bool>;

    /// The run's log, in order.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn steps(&self, run_id: RunId) -> Result<Vec<LoggedStep>>;

    /// Rows of a run's log, at least one if there is any; nothing when there is no such run.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn read_log(&self, run_id: RunId, range: LogRange) -> Result<Option<LogPage>>;

    /// Forgets the packs of runs that settled at least this long ago; their steps stay, and so does what was told of a
    /// step that is not in the log: without it, the end of the log would have other numbers than readers were given.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    ///
    /// Works through a part of them at a time; `true` when there may be more.
    async fn trim_packs(&self, settled_for: Duration) -> Result<bool>;
}
