//! PostgreSQL: one database for many machines.
//!
//! Every operation is one statement, or one transaction that is sent at once: one round trip. Gate, fences and leases are
//! the database's, and so is the clock. Nothing is kept in sessions, so that poolers which share them are no obstacle:
//! where one is found on the way, statements are sent with their text instead of being prepared.

mod begin;
mod connect;
mod failure;
mod leases;
mod log;
mod migrate;
mod notify;
mod presence;
mod read;
mod rows;
mod session;
mod settings;
mod value;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::{Error, ErrorCode, Result};
use crate::id::{AgentRoleId, ChatId, MessageId, RunId};
use crate::model::{Chat, Message, Run, RunReason, StepRecord};
use crate::project::AssistantFlush;

use super::{
    Began, BeginRun, ChunkPack, ClaimedRun, Fence, LogPage, LogRange, LoggedStep, MessageFields, MessageSpan,
    MessageVisitor, Offer, OfferedRuns, RecordStep, Renewal, RolePrompt, SettleRun, Store, Sweep, Waiting, Wakeups,
};
use connect::Target;
use failure::Failure;
use migrate::HostIds;
use notify::Notifier;
use session::Database;

pub use migrate::PendingMigration;

/// Within this time every caller is answered: below the lease of 15 s, so that an owner learns in time that it cannot
/// renew, and long enough for a server that is busy with a checkpoint.
pub(in crate::store) const OPERATION_DEADLINE: Duration = Duration::from_secs(10);
/// For so long a server that is gone is waited for before callers are told: a restart takes a second or two.
const OUTAGE_PATIENCE: Duration = Duration::from_secs(3);

/// A PostgreSQL database.
pub struct PostgresStore {
    database: Arc<Database>,
    notifier: Arc<Notifier>,
    ids: HostIds,
    begin: begin::Statements,
    log: log::Statements,
    leases: leases::Statements,
    read: read::Statements,
    settings: settings::Statements,
}

/// For the server's intervals.
fn seconds(duration: Duration) -> String {
    // No lease is longer than a century; the server's intervals end before Rust's do.
    duration.min(Duration::from_secs(100 * 365 * 24 * 60 * 60)).as_secs_f64().to_string()
}

async fn database(url: &str) -> Result<Arc<Database>> {
    let target = Target::parse(url)?;
    let pool_size = target.pool_size;
    let connector = target.explore().await.map_err(|error| {
        let failed = Failure::from(error).into_error();
        let message = failed.to_string();
        // Whatever keeps us from a first connection is the store's, or its URL's.
        Error::new(ErrorCode::StoreUnavailable, format!("the store cannot be opened: {message}"))
            .with_detail("field", "store")
    })?;
    Database::new(connector, pool_size)
}

/// What opening the database would add to it; changes nothing.
pub(super) async fn pending_migrations(url: &str) -> Result<Vec<PendingMigration>> {
    let database = database(url).await?;
    let pending = migrate::pending(&database).await;
    database.close();
    pending
}

impl PostgresStore {
    /// Connects and brings the tables up to date. `url` is `postgres://user:password@host:port/database`, and may have
    /// the parameters of libpq's URLs that concern connecting, of which `sslmode` is `prefer` unless given: encrypted
    /// where the server can, with any certificate. `require` and `verify-full` check certificate and name, against the
    /// platform's roots or those in the file `sslrootcert`; `no-verify` encrypts without checking. `pool_size` (10) is
    /// how many connections there may be, `schema` where the tables are.
    ///
    /// # Errors
    /// `INVALID_INPUT` for what is wrong in the URL, `STORE_UNAVAILABLE` when the server cannot be reached or does not
    /// let us make the tables.
    pub async fn open(url: &str) -> Result<Self> {
        let database = database(url).await?;
        Self::on(database, None).await
    }

    /// The same for this owner of an instance that has a name of its own: what earlier processes of the instance have
    /// left is free at once, if they are dead. Returns the owner's name in leases, which says whether others can tell.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub(super) async fn open_as(url: &str, instance: &str, owner: String) -> Result<(Self, String)> {
        let database = database(url).await?;
        if database.connector().shared_sessions.load(Ordering::SeqCst) {
            return Ok((Self::on(database, None).await?, owner));
        }
        let owner = presence::present(&owner);
        let store = Self::on(database, Some(owner.clone())).await?;
        presence::free_earlier(&store.database, instance, &owner).await?;
        Ok((store, owner))
    }

    async fn on(database: Arc<Database>, present: Option<String>) -> Result<Self> {
        ensure_holds_all_text(&database).await?;
        let types = migrate::migrate(&database).await?;
        let settings = settings::Statements::new(&database).await?;
        Ok(Self {
            notifier: Notifier::start(&database, present),
            database,
            ids: types.ids(),
            begin: begin::Statements::new(),
            log: log::Statements::new(),
            leases: leases::Statements::new(),
            read: read::Statements::new(),
            settings,
        })
    }
}

/// A database in another encoding would refuse an answer that has been paid for.
async fn ensure_holds_all_text(database: &Database) -> Result<()> {
    let row = database.query_one("SELECT current_setting('server_encoding') AS encoding", &[]).await?;
    let encoding: &str = rows::get(&row, "encoding")?;
    if encoding == "UTF8" {
        return Ok(());
    }
    let message = format!("the store cannot be opened: the database's encoding is {encoding}; it must be UTF8");
    Err(Error::new(ErrorCode::StoreUnavailable, message).with_detail("field", "store"))
}

#[async_trait]
impl Store for PostgresStore {
    fn kind(&self) -> &'static str {
        "postgres"
    }

    fn wakeups(&self) -> Option<Arc<dyn Wakeups>> {
        Some(Arc::clone(&self.notifier) as Arc<dyn Wakeups>)
    }

    async fn ping(&self) -> Result<()> {
        const WRITE: &str = "INSERT INTO turnkeep_health (id, at) VALUES (1, turnkeep_now()) \
             ON CONFLICT (id) DO UPDATE SET at = excluded.at";
        self.database.query(WRITE, &[]).await.map(|_| ())
    }

    async fn begin_run(&self, begin: BeginRun) -> Result<Began> {
        self.begin(&begin).await
    }

    async fn enqueue_run(&self, begin: BeginRun) -> Result<Began> {
        self.enqueue(&begin).await
    }

    async fn count_waiting(&self, chat_id: ChatId, workspace_id: &str, user_id: &str) -> Result<(u64, u64)> {
        self.waiting_counts(chat_id, workspace_id, user_id).await
    }

    async fn settle_waiting(
        &self,
        waiting: Waiting<'_>,
        reason: RunReason,
        assistant: AssistantFlush,
    ) -> Result<usize> {
        self.settle_queued(waiting, reason, &assistant).await
    }

    async fn append_pack(&self, fence: &Fence, pack: &ChunkPack) -> Result<()> {
        self.append(fence, pack).await
    }

    async fn read_log(&self, run_id: RunId, range: LogRange) -> Result<Option<LogPage>> {
        self.page(run_id, range).await
    }

    async fn trim_packs(&self, settled_for: Duration) -> Result<bool> {
        self.trim(settled_for).await
    }

    async fn record_intent(&self, fence: &Fence, step: &StepRecord) -> Result<()> {
        self.intent(fence, step).await
    }

    async fn record_step(&self, record: RecordStep) -> Result<()> {
        self.record(&record).await
    }

    async fn settle_run(&self, settle: SettleRun) -> Result<()> {
        self.settle(&settle).await
    }

    async fn request_stop(&self, run_id: RunId, reason: RunReason) -> Result<bool> {
        self.stop(run_id, reason).await
    }

    async fn renew_leases(&self, owner: &str, runs: &[RunId], lease: Duration) -> Result<Renewal> {
        self.renew(owner, runs, lease).await
    }

    async fn stop_requests(&self, runs: &[RunId]) -> Result<Vec<(RunId, RunReason)>> {
        self.stops(runs).await
    }

    async fn claim_abandoned(&self, sweep: Sweep<'_>) -> Result<Vec<ClaimedRun>> {
        self.claim(sweep).await
    }

    async fn fail_run(&self, fence: &Fence, error: &str) -> Result<()> {
        self.fail(fence, error).await
    }

    async fn settle_stray_messages(&self) -> Result<usize> {
        self.settle_strays().await
    }

    async fn time(&self) -> Result<Timestamp> {
        self.server_time().await
    }

    async fn release_run(&self, fence: &Fence) -> Result<()> {
        self.release(fence).await
    }

    async fn claim_offered(&self, offer: Offer<'_>, lease: Duration) -> Result<OfferedRuns> {
        self.claim_planned(offer, lease).await
    }

    async fn run(&self, run_id: RunId) -> Result<Option<Run>> {
        self.run_by_id(run_id).await
    }

    async fn note_stop(&self, workspace_id: &str, user_id: &str, key: &str) -> Result<()> {
        self.write_stop_note(workspace_id, user_id, key).await
    }

    async fn is_stop_noted(&self, workspace_id: &str, user_id: &str, key: &str) -> Result<bool> {
        self.has_stop_note(workspace_id, user_id, key).await
    }

    async fn run_of_key(&self, workspace_id: &str, user_id: &str, key: &str) -> Result<Option<RunId>> {
        self.keyed_run(workspace_id, user_id, key).await
    }

    async fn runs_of_chat(&self, chat_id: ChatId, limit: usize) -> Result<Vec<Run>> {
        self.runs_in_chat(chat_id, limit).await
    }

    async fn runs_before(&self, chat_id: ChatId, before: RunId, limit: usize) -> Result<Vec<Run>> {
        self.older_runs(chat_id, before, limit).await
    }

    async fn active_run(&self, chat_id: ChatId) -> Result<Option<Run>> {
        self.active(chat_id).await
    }

    async fn latest_run(&self, chat_id: ChatId) -> Result<Option<Run>> {
        self.latest(chat_id).await
    }

    async fn run_of_message(&self, message_id: MessageId) -> Result<Option<Run>> {
        self.shown_run(message_id).await
    }

    async fn chat_of_message(&self, message_id: MessageId) -> Result<Option<ChatId>> {
        self.chat_with_message(message_id).await
    }

    async fn steps(&self, run_id: RunId) -> Result<Vec<LoggedStep>> {
        self.logged_steps(run_id).await
    }

    async fn chat(&self, chat_id: ChatId) -> Result<Option<Chat>> {
        self.chat_by_id(chat_id).await
    }

    async fn messages(&self, chat_id: ChatId, limit: usize) -> Result<Vec<Message>> {
        self.newest_messages(chat_id, limit).await
    }

    async fn messages_before(&self, chat_id: ChatId, before: MessageId, limit: usize) -> Result<Vec<Message>> {
        self.older_messages(chat_id, before, limit).await
    }

    async fn message_span(&self, chat_id: ChatId, limit: usize) -> Result<MessageSpan> {
        self.span(chat_id, limit).await
    }

    async fn visit_messages(&self, span: &MessageSpan, fields: MessageFields, visitor: MessageVisitor) -> Result<()> {
        self.visit(span, fields, visitor).await
    }

    async fn import_chat(&self, chat: Chat, messages: Vec<Message>) -> Result<()> {
        self.import(&chat, &messages).await
    }

    async fn role(&self, workspace_id: &str, role_id: AgentRoleId) -> Result<Option<RolePrompt>> {
        self.role_prompt(workspace_id, role_id).await
    }

    async fn name_chat(&self, chat_id: ChatId, title: &str) -> Result<bool> {
        self.title(chat_id, title).await
    }

    async fn close(&self) -> Result<()> {
        self.notifier.close(&self.database).await;
        self.database.close();
        Ok(())
    }
}
