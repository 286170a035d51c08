//! What begins and ends runs, and what is asked of them.

use std::time::Duration;

use async_trait::async_trait;

use crate::error::{Error, ErrorCode, Result};
use crate::id::{AgentRoleId, ChatId, MessageId, RunId};
use crate::model::{Json, Run, RunFailure, RunReason, RunStatus, StepRecord, Trigger};
use crate::project::AssistantFlush;
use crate::store::{CallNote, RunPlan, StepNumbers};

/// The right to write a run: who, and the how-manieth owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// The run.
    pub run_id: RunId,
    /// The engine instance.
    pub owner: String,
    /// Rises with every change of owner.
    pub epoch: i64,
}

/// Everything that begins a turn.
#[derive(Clone, Debug)]
pub struct BeginRun {
    /// The new run's id.
    pub run_id: RunId,
    /// The chat; it is created when there is none of this id.
    pub chat_id: ChatId,
    /// Whose chat it must be.
    pub workspace_id: String,
    /// Whose chat it must be.
    pub user_id: String,
    /// What began it.
    pub trigger: Trigger,
    /// The engine instance that will drive it, or that has asked for it.
    pub owner: String,
    /// How long it stays that instance's without a sign of life.
    pub lease: Duration,
    /// What others need for driving it; nothing when nobody else can.
    pub plan: Option<RunPlan>,
    /// It is left to whoever offers its tools: it holds the chat, or waits for it, and is nobody's yet.
    pub unowned: bool,
    /// The role of a chat that is created.
    pub role_id: Option<AgentRoleId>,
    /// The page of a chat that is created.
    pub page_id: Option<String>,
    /// The message in whose place this turn stands: it and what comes after it are kept as versions, and no longer are
    /// messages of the chat.
    pub replaces: Option<MessageId>,
    /// What the user wrote; nothing when the host has stored that itself.
    pub user_message: Option<NewUserMessage>,
    /// The id of the assistant's message.
    pub assistant_message_id: MessageId,
    /// The assistant's row as it is at the start.
    pub assistant: AssistantFlush,
    /// A second begin of the same user with the same key begins nothing.
    pub idempotency_key: Option<String>,
    /// The run waited in the queue, which it leaves; it may begin only when it stands first there.
    pub from_queue: bool,
}

/// A user's message to be written.
#[derive(Clone, Debug)]
pub struct NewUserMessage {
    /// Its id.
    pub id: MessageId,
    /// Its text.
    pub content: String,
    /// Its metadata.
    pub metadata: Json,
}

/// What came of beginning a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Began {
    /// It is the caller's to drive.
    Started(Fence),
    /// The idempotency key was used for this run before; nothing was written.
    Repeated(RunId),
}

/// The end of a run.
#[derive(Clone, Debug)]
pub struct SettleRun {
    /// The right to write it.
    pub fence: Fence,
    /// Only if no messages wait for the run, and none have entered behind this step.
    pub unless_steered: Option<u32>,
    /// A final status.
    pub status: RunStatus,
    /// Why it did not succeed.
    pub reason: Option<RunReason>,
    /// One line for people.
    pub error: Option<String>,
    /// What kind of failure it was.
    pub failure: Option<RunFailure>,
    /// A last step that is not in the log yet, and its chunks in the log.
    pub step: Option<(StepRecord, StepNumbers)>,
    /// The call of that step.
    pub call: CallNote,
    /// The assistant's row as it stays.
    pub assistant: AssistantFlush,
}

/// What stands between two messages, or runs, of a chat at least. Their order is a place that the chat gives them under
/// the gate, and the place is written as a time, so that all who read the tables find the same order: the present time,
/// or, where the clock has gone back since, the time just after the last one.
pub const ONE_PLACE: Duration = Duration::from_millis(1);

/// Runs: their beginning, their end, and reading them.
#[async_trait]
pub trait RunStore: Send + Sync {
    /// Creates the chat if it is new, the run and both messages, all or nothing. The partial unique index decides
    /// whether the chat is free; where runs wait, it is free for the first of them only.
    ///
    /// # Errors
    /// `A_RUN_ALREADY_ACTIVE` with `activeRunId`, `FORBIDDEN`, `NOT_FOUND` for a deleted chat, `LEASE_LOST` for a run
    /// that waits no more, `STORE_UNAVAILABLE`.
    async fn begin_run(&self, begin: BeginRun) -> Result<Began>;

    /// Sets run and message to their final state together, enters the call of the last step into the ledger, and settles
    /// what was reserved for calls. Settling again under the same fence changes nothing. `false` when messages keep the run
    /// from its end ([`SettleRun::unless_steered`]): then nothing was written.
    ///
    /// # Errors
    /// `LEASE_LOST`, `STORE_UNAVAILABLE`.
    async fn settle_run(&self, settle: SettleRun) -> Result<bool>;

    /// Ends a run as `failed` and `internal` without reading anything of it, and its message with it, whose text stays
    /// as it is: for runs whose rows cannot be read, or cannot be written as they should be.
    ///
    /// # Errors
    /// `LEASE_LOST`, `STORE_UNAVAILABLE`.
    async fn fail_run(&self, fence: &Fence, error: &str) -> Result<()>;

    /// One run; one that waits is pending.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn run(&self, run_id: RunId) -> Result<Option<Run>>;

    /// The run that this user began with this key.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn run_of_key(&self, workspace_id: &str, user_id: &str, key: &str) -> Result<Option<RunId>>;

    /// The run that holds the chat's gate.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn active_run(&self, chat_id: ChatId) -> Result<Option<Run>>;

    /// The chat's newest run.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn latest_run(&self, chat_id: ChatId) -> Result<Option<Run>>;

    /// The chat's newest `limit` runs, newest first, and before them those that wait.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn runs_of_chat(&self, chat_id: ChatId, limit: usize) -> Result<Vec<Run>>;

    /// The `limit` runs of a chat that come after this one in the order of [`RunStore::runs_of_chat`]; none where the chat
    /// has no such run.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn runs_before(&self, chat_id: ChatId, before: RunId, limit: usize) -> Result<Vec<Run>>;

    /// The run that this message shows.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn run_of_message(&self, message_id: MessageId) -> Result<Option<Run>>;
}

/// The error for a gate that is held by `active`.
pub(crate) fn already_active(active: Option<RunId>) -> Error {
    let error = Error::new(ErrorCode::RunAlreadyActive, "another run is active in this chat");
    match active {
        Some(run_id) => error.with_detail("activeRunId", run_id.to_string()),
        None => error,
    }
}

/// The error for a write under an old fence.
pub(crate) fn lease_lost() -> Error {
    Error::new(ErrorCode::LeaseLost, "this run is owned by another process now, or has been settled")
}

/// The error for a chat of somebody else. It says nothing of the chat.
pub(crate) fn forbidden() -> Error {
    Error::new(ErrorCode::Forbidden, "this chat belongs to somebody else")
}

/// What is said of a run whose row cannot be read.
pub(crate) const UNREADABLE_RUN: &str = "The run's record in the store cannot be read.";
