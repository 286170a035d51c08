//! What the engine needs of a database, in terms of runs rather than of SQL.
//!
//! Every method is one transaction. Every write of a run names its [`Fence`]; a write that finds another owner, another
//! epoch or a settled run changes nothing and answers `LEASE_LOST`.

#[cfg(test)]
mod conformance;
mod memory;
mod plan;
mod postgres;
mod settings;
mod sqlite;
mod wakeups;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::{Clock, Timestamp};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{AgentRoleId, ChatId, MessageId, RunId};
use crate::model::{
    Chat, FinishReason, Json, Message, Run, RunFailure, RunReason, RunStatus, StepRecord, Trigger, Usage,
};
pub use crate::model::{MessageFields, MessagePlace, MessageSpan, MessageVisitor, StoredMessage};
use crate::project::AssistantFlush;

pub use memory::MemoryStore;
pub use plan::{MOST_OWNERS, Offer, OfferedRuns, RunPlan};
pub use postgres::{PendingMigration, PostgresStore};
pub use settings::{
    KeyPlace, KeySlot, Reseal, SealedSecret, SecretPlace, SettingsStore, StoredKey, StoredSettings, WriteKey,
    WriteSettings,
};
pub use sqlite::SqliteStore;
#[cfg(test)]
pub(crate) use sqlite::file_of_the_first_version;
pub use wakeups::{Hint, NotificationHealth, NotificationState, Wakeups};

/// A row without a lease that has not been touched for this long belongs to nobody. For so long, too, a run that names its
/// tools waits for somebody who offers them, once its owner is gone.
pub const UNTOUCHED_WITHOUT_LEASE: Duration = Duration::from_secs(10 * 60);

/// What stands between two messages, or runs, of a chat at least. Their order is a place that the chat gives them under
/// the gate, and the place is written as a time, so that all who read the tables find the same order: the present time,
/// or, where the clock has gone back since, the time just after the last one.
pub const ONE_PLACE: Duration = Duration::from_millis(1);

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

/// Which runs that wait are to be settled without having begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting<'a> {
    /// This one, as long as it is this owner's.
    Run(RunId, &'a str),
    /// Those whose owner is gone, unless somebody may still come for them.
    Abandoned(Sweep<'a>),
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

/// Where a finished step's chunks are in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepNumbers {
    /// The number of the first chunk that no pack has; it and those after it are told from the step.
    pub packed_until: u64,
    /// The number of the first chunk after the step.
    pub next: u64,
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
}

/// The end of a run.
#[derive(Clone, Debug)]
pub struct SettleRun {
    /// The right to write it.
    pub fence: Fence,
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
    /// The assistant's row as it stays.
    pub assistant: AssistantFlush,
}

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

/// A role, as far as a turn needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct RolePrompt {
    /// Its name.
    pub name: String,
    /// Its instructions.
    pub instructions: String,
    /// Which model it wants, as stored.
    pub model_config: Option<Json>,
}

/// A database of chats and runs.
#[async_trait]
pub trait Store: SettingsStore {
    /// What kind of store it is, in a word.
    fn kind(&self) -> &'static str;

    /// Hints between processes, where the database has them.
    fn wakeups(&self) -> Option<Arc<dyn Wakeups>> {
        None
    }

    /// Proves that the store takes a write.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn ping(&self) -> Result<()> {
        self.run(RunId::generate()).await.map(|_| ())
    }

    /// Creates the chat if it is new, the run and both messages, all or nothing. The partial unique index decides
    /// whether the chat is free; where runs wait, it is free for the first of them only.
    ///
    /// # Errors
    /// `A_RUN_ALREADY_ACTIVE` with `activeRunId`, `FORBIDDEN`, `NOT_FOUND` for a deleted chat, `LEASE_LOST` for a run
    /// that waits no more, `STORE_UNAVAILABLE`.
    async fn begin_run(&self, begin: BeginRun) -> Result<Began>;

    /// Lets the run wait for its chat, under the lease of its owner.
    ///
    /// # Errors
    /// `FORBIDDEN`, `NOT_FOUND` for a chat that is not there, `STORE_UNAVAILABLE`.
    async fn enqueue_run(&self, begin: BeginRun) -> Result<Began>;

    /// How many runs wait for this chat, and how many of this user's in all chats.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn count_waiting(&self, chat_id: ChatId, workspace_id: &str, user_id: &str) -> Result<(u64, u64)>;

    /// Settles runs that wait as aborted, with both messages, as if they had begun and ended at once. Returns how many
    /// runs those were.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn settle_waiting(&self, waiting: Waiting<'_>, reason: RunReason, assistant: AssistantFlush)
    -> Result<usize>;

    /// Puts streamed chunks on disk. Appending the same pack again changes nothing.
    ///
    /// # Errors
    /// `LEASE_LOST`, `STORE_UNAVAILABLE`.
    async fn append_pack(&self, fence: &Fence, pack: &ChunkPack) -> Result<()>;

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

    /// Appends the calls of a step before they run.
    ///
    /// # Errors
    /// `LEASE_LOST`, `STORE_UNAVAILABLE`.
    async fn record_intent(&self, fence: &Fence, step: &StepRecord) -> Result<()>;

    /// Appends a finished step, counts it, renews the lease and refreshes the row when asked to. Recording the same
    /// step again changes nothing.
    ///
    /// # Errors
    /// `LEASE_LOST`, `STORE_UNAVAILABLE`.
    async fn record_step(&self, record: RecordStep) -> Result<()>;

    /// Sets run and message to their final state together. Settling again under the same fence changes nothing.
    ///
    /// # Errors
    /// `LEASE_LOST`, `STORE_UNAVAILABLE`.
    async fn settle_run(&self, settle: SettleRun) -> Result<()>;

    /// Notes that the run is to stop, and why; the first reason stays. `false` when it has settled already.
    ///
    /// # Errors
    /// `NOT_FOUND`, `STORE_UNAVAILABLE`.
    async fn request_stop(&self, run_id: RunId, reason: RunReason) -> Result<bool>;

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

    /// Renews the leases of these runs, which may be running or waiting.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn renew_leases(&self, owner: &str, runs: &[RunId], lease: Duration) -> Result<Renewal>;

    /// Which of these runs somebody asked to stop. Cheaper than a renewal; writes nothing.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn stop_requests(&self, runs: &[RunId]) -> Result<Vec<(RunId, RunReason)>>;

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

    /// Ends a run as `failed` and `internal` without reading anything of it, and its message with it, whose text stays
    /// as it is: for runs whose rows cannot be read, or cannot be written as they should be.
    ///
    /// # Errors
    /// `LEASE_LOST`, `STORE_UNAVAILABLE`.
    async fn fail_run(&self, fence: &Fence, error: &str) -> Result<()>;

    /// Ends messages that say that they are being written, while no run shows in them and nobody has touched them for
    /// [`UNTOUCHED_WITHOUT_LEASE`]: those that another writer left. Returns how many those were.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn settle_stray_messages(&self) -> Result<usize>;

    /// The time by which leases are judged.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn time(&self) -> Result<Timestamp>;

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

    /// The chat's newest `limit` runs, newest first, and before them those that wait.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn runs_of_chat(&self, chat_id: ChatId, limit: usize) -> Result<Vec<Run>>;

    /// The `limit` runs of a chat that come after this one in the order of [`Store::runs_of_chat`]; none where the chat
    /// has no such run.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn runs_before(&self, chat_id: ChatId, before: RunId, limit: usize) -> Result<Vec<Run>>;

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

    /// The run that this message shows.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn run_of_message(&self, message_id: MessageId) -> Result<Option<Run>>;

    /// The chat that has a message of this id.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn chat_of_message(&self, message_id: MessageId) -> Result<Option<ChatId>>;

    /// The run's log, in order.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn steps(&self, run_id: RunId) -> Result<Vec<LoggedStep>>;

    /// One chat that is not deleted.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn chat(&self, chat_id: ChatId) -> Result<Option<Chat>>;

    /// The newest `limit` messages of a chat, oldest first.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn messages(&self, chat_id: ChatId, limit: usize) -> Result<Vec<Message>>;

    /// The newest `limit` messages of a chat that are older than this one, oldest first; none where the chat has no such
    /// message.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn messages_before(&self, chat_id: ChatId, before: MessageId, limit: usize) -> Result<Vec<Message>>;

    /// The newest `limit` messages of a chat, to be visited.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn message_span(&self, chat_id: ChatId, limit: usize) -> Result<MessageSpan>;

    /// Shows the messages of the span, oldest first.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn visit_messages(&self, span: &MessageSpan, fields: MessageFields, visitor: MessageVisitor) -> Result<()>;

    /// Creates a chat with these messages, all or nothing.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn import_chat(&self, chat: Chat, messages: Vec<Message>) -> Result<()>;

    /// A role that is neither deleted nor disabled.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn role(&self, workspace_id: &str, role_id: AgentRoleId) -> Result<Option<RolePrompt>>;

    /// Names a chat that has no name. `false` when it has one, or is not there.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn name_chat(&self, chat_id: ChatId, title: &str) -> Result<bool>;

    /// Writes what is queued and lets go of the database. Later calls answer `ENGINE_CLOSED`.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn close(&self) -> Result<()>;
}

/// For how long a stop waits for its run to begin: longer than any request is on its way.
pub const STOP_NOTES_KEPT: Duration = Duration::from_secs(60 * 60);

/// What an instance is called that was given no name.
const UNNAMED: &str = "engine";

/// Opens the store that `url` names: `sqlite:PATH`, `sqlite::memory:` or `postgres://…` (see [`PostgresStore::open`]).
/// `instance`, if there is one, becomes part of the owner's name, which is returned with the store. What the same instance
/// has left when it died is then free at once, and not only when its leases have run out.
///
/// # Errors
/// `INVALID_INPUT` for a URL of another kind, `STORE_UNAVAILABLE` when the database cannot be opened or written.
pub async fn open(url: &str, instance: Option<&str>, clock: Arc<dyn Clock>) -> Result<(Arc<dyn Store>, String)> {
    let owner = format!("{}/{}", instance.unwrap_or(UNNAMED), uuid::Uuid::now_v7());
    match instance {
        Some(instance) if is_postgres(url) => {
            let (store, owner) = PostgresStore::open_as(url, instance, owner).await?;
            return Ok((Arc::new(store), owner));
        }
        None if is_postgres(url) => return Ok((Arc::new(PostgresStore::open(url).await?), owner)),
        _ => {}
    }
    let Some(path) = url.strip_prefix("sqlite:") else {
        return Err(Error::invalid("store", "must be sqlite:PATH, sqlite::memory: or postgres://…"));
    };
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() {
        return Err(Error::invalid("store", "the path after sqlite: is missing"));
    }
    let store = SqliteStore::open(path, &owner, clock).await?;
    Ok((Arc::new(store), owner))
}

/// Which migrations opening this PostgreSQL database would apply, and what they would add to it. Changes nothing.
///
/// # Errors
/// `INVALID_INPUT` for a URL of another kind, `STORE_UNAVAILABLE` when the database cannot be reached.
pub async fn pending_migrations(url: &str) -> Result<Vec<PendingMigration>> {
    if !is_postgres(url) {
        return Err(Error::invalid("store", "must be postgres://…: files are made and changed by whoever opens them"));
    }
    postgres::pending_migrations(url).await
}

/// As [`pending_migrations`], as JSON: `[{"version", "name", "additions"}]`.
///
/// # Errors
/// As [`pending_migrations`].
pub async fn pending_migrations_json(url: &str) -> Result<String> {
    let pending = pending_migrations(url).await?;
    serde_json::to_string(&pending).map_err(|error| Error::internal("a result could not be encoded").with_source(error))
}

fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// A role's stored `model_config`. Writers before us have put it there as the text of an object, too.
pub(crate) fn model_config_of(stored: &str) -> Option<Json> {
    let config = Json::parse(stored).ok()?;
    match config.as_string() {
        Some(text) => Json::parse(&text).ok(),
        None => Some(config),
    }
}

/// The error for a gate that is held by `active`.
pub(crate) fn already_active(active: Option<RunId>) -> Error {
    let error = Error::new(ErrorCode::RunAlreadyActive, "another run is active in this chat");
    match active {
        Some(run_id) => error.with_detail("activeRunId", run_id.to_string()),
        None => error,
    }
}

/// What is said of a run whose row cannot be read.
pub(crate) const UNREADABLE_RUN: &str = "The run's record in the store cannot be read.";

/// The error for a write under an old fence.
pub(crate) fn lease_lost() -> Error {
    Error::new(ErrorCode::LeaseLost, "this run is owned by another process now, or has been settled")
}

/// The error for a chat of somebody else. It says nothing of the chat.
pub(crate) fn forbidden() -> Error {
    Error::new(ErrorCode::Forbidden, "this chat belongs to somebody else")
}
