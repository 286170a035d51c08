//! The shell: opens the store, drives turns, keeps leases, sweeps what the dead left, answers questions.

mod docmost;
pub(crate) mod fallback;
mod message;
mod options;
mod request;
pub(crate) mod run;
mod service;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock::{Clock, SystemClock};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{ChatId, ChatRef, RunId};
use crate::machine::{Event, StopCause};
use crate::provider::{HttpClient, Provider};
use crate::secret::{Rotating, Rotation, SecretBox, SecretForm, rotate};
use crate::store::{self, NotificationState, Store, Sweep, Wakeups};
use crate::tool::Tool;

pub use crate::log::{Cursor, Protocol, StreamFormat, TailEnd, TailFrom, TailItem};
pub use docmost::DocmostAccess;
pub use fallback::{FallbackModel, TurnRetries};
pub use message::UserMessage;
pub use options::{
    ActorRule, ChatIds, ChatOptions, DocmostOptions, EngineOptions, FeatureGates, McpOptions, McpProgram, ModelPrice,
    Prices, RunLimits, SecretOptions, SettingsOptions, UnknownRole, UsageLimits, UsageOptions, Window,
};
pub use request::{
    Actor, Busy, GivenMessage, GivenPart, PublicTurn, RunBudget, Stateless, ToolOffer, TurnRequest, Who,
};
pub use run::hosted::{HostedFinish, HostedRequest, HostedRun, HostedStep, RunSignal};
pub use run::reader::{SharedReader, TurnReader};
pub use run::tail::{RunTail, SharedTail};
pub use run::turn::Turn;
pub use service::chats::{
    ChatPage, FoundMessage, MessagePage, MessageVersion, NewChat, PageAt, Purged, UiMessage, UiMessagePage,
};
pub use service::export::{Export, ExportFormat};
pub use service::fork::ForkAt;
pub use service::health::{Health, StoreHealth};
pub use service::index::{IndexOutcome, IndexStatus, IndexedNow, ModelIndex, NotIndexed, PageToIndex, Reindexed};
pub use service::mcp::{McpServerEdit, McpTested, McpTransport, NewMcpServer};
pub use service::open::{Follow, InProgress, OpenChat};
pub use service::provenance::{Provenance, SignedProvenance};
pub use service::roles::{ImportOutcome, ImportedRole};
pub use service::search::{ChunkHit, PageSearch, SearchAnswer, SearchMode};
pub use service::settings::{Capability, Tested};
pub use service::steering::{SteerAnswer, SteeringPlace};
pub use service::usage::{ReportOf, UsageLine, UsageReport};
pub use service::waiting::{Answered, GivenAnswer, WaitingPage};

use run::asked::HostFunction;
use run::follow::Tails;
use run::hosted::Hosted;
use run::patience::Patience;
use run::registry::Registry;
use run::stops::Stops;
use run::worker::Worker;
use run::{housekeeping, leases, stateless, stops, sweep, turn};
use service::mcp::pool::McpPool;

/// How long [`Engine::close`] lets running turns go on unless told otherwise.
const DEFAULT_GRACE: Duration = Duration::from_secs(5);
/// Stands for graces beyond what a clock can count: some thirty years.
const LONGEST_GRACE: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
/// How long opening waits for what dead processes have left; the rest of it is settled later.
const FIRST_SWEEP: Duration = Duration::from_secs(2);
/// How long a closing engine waits for the settlements of the turns that it has stopped.
const SETTLE_DEADLINE: Duration = Duration::from_secs(10);

/// An engine on a store. Clones are handles to the same one.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    store: Arc<dyn Store>,
    /// This instance's name in leases.
    owner: String,
    clock: Arc<dyn Clock>,
    options: EngineOptions,
    /// Built when it is first needed; one client keeps one pool of connections.
    client: std::sync::OnceLock<HttpClient>,
    registry: Registry,
    stops: Stops,
    patience: Mutex<Patience>,
    tails: Tails,
    wakeups: Option<Arc<dyn Wakeups>>,
    /// Changes when there may be something new of any run, here or elsewhere.
    news: watch::Sender<u64>,
    /// Changes when a run of this process has ended.
    freed: watch::Sender<u64>,
    hosted: Hosted,
    worker: Worker,
    /// The host's check of open pages.
    pages: HostFunction,
    /// Who has the tokens of users of Docmost.
    docmost: Arc<HostFunction>,
    mcp: McpPool,
    runtime: Handle,
    /// Opens and seals stored keys; nothing without an application secret.
    secrets: Option<Arc<SecretBox>>,
    closing: AtomicBool,
    /// When the grace of a closing engine is over.
    close_by: watch::Sender<Option<Instant>>,
    closed: watch::Sender<bool>,
    /// Drives the turns that are not stored, once there has been one.
    stateless: tokio::sync::OnceCell<Engine>,
}

impl Engine {
    /// Opens the store, settles what dead processes left in it, and begins to keep leases. Must be called in a tokio
    /// runtime, which the engine uses until it is closed.
    ///
    /// # Errors
    /// `INVALID_INPUT` naming the option, `STORE_UNAVAILABLE`.
    pub async fn open(options: EngineOptions) -> Result<Self> {
        options.check()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let instance = options.instance_id.as_deref();
        let (store, owner) = store::open(&options.store, instance, Arc::clone(&clock)).await?;
        Self::on_store(options, store, owner, clock).await
    }

    /// An engine on a store that is open already; `owner` is the instance's name in leases and unique to it.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    pub async fn on_store(
        options: EngineOptions,
        store: Arc<dyn Store>,
        owner: String,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let inner = Arc::new(Inner {
            wakeups: store.wakeups(),
            news: watch::Sender::new(0),
            freed: watch::Sender::new(0),
            store,
            owner,
            clock,
            secrets: options.secret_box().map(Arc::new),
            worker: Worker::new(options.runs.max_offered_runs),
            stops: Stops::default(),
            patience: Mutex::new(Patience::new(options.runs.lease())),
            options,
            client: std::sync::OnceLock::new(),
            registry: Registry::default(),
            tails: Tails::default(),
            hosted: Hosted::default(),
            pages: HostFunction::default(),
            docmost: Arc::default(),
            mcp: McpPool::default(),
            runtime: Handle::current(),
            closing: AtomicBool::new(false),
            close_by: watch::Sender::new(None),
            closed: watch::Sender::new(false),
            stateless: tokio::sync::OnceCell::new(),
        });
        // Nobody waits for a backlog, and no row keeps an engine from being opened.
        sweep::begin_sweep(&inner, FIRST_SWEEP).await;
        // Nothing of an adopted database is rewritten unasked: its own system reads the same keys.
        if let Some(secrets) = inner.secrets.clone().filter(|_| inner.secret_form() == SecretForm::Current)
            && !inner.store.is_adopted()
        {
            inner.runtime.spawn(rotate_in_background(Arc::clone(&inner.store), secrets, inner.closed.subscribe()));
        }
        if let Some(wakeups) = &inner.wakeups {
            inner.runtime.spawn(stops::listen(Arc::downgrade(&inner), wakeups.listen(), inner.closed.subscribe()));
        }
        inner.runtime.spawn(leases::stay_awake(Arc::downgrade(&inner), inner.closed.subscribe()));
        inner.runtime.spawn(leases::keep(Arc::downgrade(&inner), inner.closed.subscribe()));
        inner.runtime.spawn(stops::poll(Arc::downgrade(&inner), inner.closed.subscribe()));
        inner.runtime.spawn(housekeeping::keep(Arc::downgrade(&inner), inner.closed.subscribe()));
        Ok(Self { inner })
    }

    /// Begins a turn: the user's message is stored, the run holds the chat, the model is called. `tools` are the host's.
    ///
    /// # Errors
    /// `INVALID_INPUT` naming the field, `AI_NOT_CONFIGURED`, `FORBIDDEN`, `NOT_FOUND`, `A_RUN_ALREADY_ACTIVE` with
    /// `activeRunId`, `A_RUN_BEGIN_FAILED`, `STORE_UNAVAILABLE`, `ENGINE_CLOSED`. In every case nothing is left behind
    /// and no provider has been called.
    pub async fn start_turn(&self, request: TurnRequest, tools: Vec<Tool>) -> Result<Turn> {
        self.begin(request, tools, None).await
    }

    /// As [`Engine::start_turn`], with a provider of the caller's own.
    ///
    /// # Errors
    /// As [`Engine::start_turn`].
    pub async fn start_turn_with(
        &self,
        request: TurnRequest,
        tools: Vec<Tool>,
        provider: Arc<dyn Provider>,
    ) -> Result<Turn> {
        self.begin(request, tools, Some(provider)).await
    }

    /// In a task of its own: a caller that goes away half-way must not leave a run without a driver.
    async fn begin(&self, request: TurnRequest, tools: Vec<Tool>, provider: Option<Arc<dyn Provider>>) -> Result<Turn> {
        let inner = Arc::clone(&self.inner);
        let begun = match request.stateless {
            Some(_) => self.inner.runtime.spawn(stateless::start(inner, request, tools, provider)),
            None => self.inner.runtime.spawn(turn::start(inner, request, tools, provider, None)),
        };
        begun.await.unwrap_or_else(|_| Err(Error::internal("beginning the turn was interrupted")))
    }

    /// Refuses new turns, lets the running ones go on for `grace` (5 s unless given), settles the rest as `shutdown`
    /// and closes the store. Runs that name their tools are given up for other engines, after the step that they are in
    /// if there is time. Closing again waits for the first closing, and can only shorten its grace. A caller that
    /// goes away does not interrupt it.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE` when the store could not be closed in order.
    pub async fn close(&self, grace: Option<Duration>) -> Result<()> {
        let inner = &self.inner;
        let now = Instant::now();
        // A moment that no clock can name is as good as one that nobody lives to see.
        let deadline = now.checked_add(grace.unwrap_or(DEFAULT_GRACE)).unwrap_or_else(|| now + LONGEST_GRACE);
        inner.close_by.send_modify(|at| *at = Some(at.map_or(deadline, |earlier| earlier.min(deadline))));
        if !inner.closing.swap(true, Ordering::SeqCst) {
            let closing = inner.runtime.spawn(closing(Arc::clone(inner)));
            return closing.await.unwrap_or_else(|_| Err(Error::internal("closing was interrupted")));
        }
        let mut closed = inner.closed.subscribe();
        // The sender lives in `inner`, so this ends with the first closer's `true`.
        let _ = closed.wait_for(|closed| *closed).await;
        Ok(())
    }
}

/// A secret that is sealed in an old way can still be read; so nobody waits for this.
async fn rotate_in_background(store: Arc<dyn Store>, secrets: Arc<SecretBox>, mut closed: watch::Receiver<bool>) {
    let how = Rotating { form: SecretForm::Current, dry_run: false };
    let rotated = tokio::select! {
        rotated = rotate(store.as_ref(), secrets, how) => rotated,
        _ = closed.wait_for(|closed| *closed) => return,
    };
    match rotated {
        Ok(Rotation { resealed: 0, unreadable: 0 }) => {}
        Ok(Rotation { resealed, unreadable }) => {
            tracing::info!(resealed, unreadable, "stored secrets were sealed anew")
        }
        Err(error) => tracing::warn!(%error, "stored secrets could not be sealed anew; the next opening tries again"),
    }
}

/// Boxed, because the engine of turns that are not stored is closed as this one is.
fn closing(inner: Arc<Inner>) -> BoxFuture<'static, Result<()>> {
    Box::pin(close(inner))
}

async fn close(inner: Arc<Inner>) -> Result<()> {
    inner.registry.tell_all(&Event::HandOver);
    let stateless = inner.stateless.get();
    tokio::select! {
        () = async {
            inner.registry.until_empty().await;
            if let Some(engine) = stateless {
                engine.inner.registry.until_empty().await;
            }
        } => {}
        () = grace_is_over(inner.close_by.subscribe()) => {}
    }
    // Before the store that it writes to.
    if let Some(engine) = stateless
        && let Err(error) = engine.close(Some(Duration::ZERO)).await
    {
        tracing::warn!(%error, "the turns that are not stored could not be closed in order");
    }
    inner.stop_for_shutdown();
    if tokio::time::timeout(SETTLE_DEADLINE, inner.registry.until_empty()).await.is_err() {
        tracing::warn!("closing with runs that could not be settled; a later sweep will");
    }
    inner.worker.retire();
    inner.pages.retire();
    inner.docmost.retire();
    inner.mcp.clear();
    let closed = inner.store.close().await;
    inner.closed.send_replace(true);
    closed
}

/// Also when the engine is gone altogether.
async fn until_closed(closed: &mut watch::Receiver<bool>) {
    let _ = closed.wait_for(|closed| *closed).await;
}

/// Returns at the deadline, which later closers may bring forward.
async fn grace_is_over(mut close_by: watch::Receiver<Option<Instant>>) {
    loop {
        let deadline = *close_by.borrow_and_update();
        let Some(deadline) = deadline else { return };
        tokio::select! {
            () = tokio::time::sleep_until(deadline) => return,
            changed = close_by.changed() => if changed.is_err() { return },
        }
    }
}

impl Inner {
    /// There may be something new of this run, which is on disk: whoever follows it is told, here and elsewhere.
    pub(crate) fn changed(&self, run_id: RunId) {
        self.tails.wake(run_id);
        self.news.send_modify(|news| *news = news.wrapping_add(1));
        self.tell_others(run_id);
    }

    /// A sweep of everything in the name of this engine.
    pub(crate) fn everything(&self) -> Sweep<'_> {
        Sweep::new(&self.owner, self.options.runs.lease())
    }

    /// The store could not be reached: leases that ran out meanwhile say nothing of their owners.
    pub(crate) fn note_outage(&self, error: &Error) {
        if error.code() == ErrorCode::StoreUnavailable {
            self.patience.lock().unwrap_or_else(PoisonError::into_inner).outage();
        }
    }

    /// This process is not asleep.
    fn note_awake(&self) {
        self.patience.lock().unwrap_or_else(PoisonError::into_inner).awake(self.clock.monotonic());
    }

    /// A run of this process has ended: those of its turns that wait for a chat look whether it was theirs.
    pub(crate) fn chat_freed(&self) {
        self.freed.send_modify(|freed| *freed = freed.wrapping_add(1));
    }

    /// Says to other processes that there is something about this run.
    pub(crate) fn tell_others(&self, run_id: RunId) {
        if let Some(wakeups) = &self.wakeups {
            wakeups.tell(run_id);
        }
    }

    /// Whether whatever happens elsewhere is heard of without asking.
    pub(crate) fn hears(&self) -> bool {
        self.notifications().state == NotificationState::Live
    }

    /// Ends the runs of this process, or gives them up where others can go on with them.
    pub(crate) fn stop_for_shutdown(&self) {
        self.registry.tell_all(&Event::HandOver);
        self.registry.tell_all(&Event::StopRequested(StopCause::Shutdown));
    }

    /// A run that has begun just now: if closing began in between, it may not have seen it.
    pub(crate) fn stop_if_closing(&self, run_id: RunId) {
        if self.ensure_open().is_err() {
            self.registry.tell(run_id, Event::HandOver);
            self.registry.tell(run_id, Event::StopRequested(StopCause::Shutdown));
        }
    }

    pub(crate) fn ensure_open(&self) -> Result<()> {
        if self.closing.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorCode::EngineClosed, "the engine is closed"));
        }
        Ok(())
    }

    /// A closing engine still takes in what its runs have to write.
    pub(crate) fn ensure_not_closed(&self) -> Result<()> {
        if *self.closed.borrow() {
            return Err(Error::new(ErrorCode::EngineClosed, "the engine is closed"));
        }
        Ok(())
    }

    /// What all requests of this engine are sent with.
    pub(crate) fn http(&self) -> Result<HttpClient> {
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        let runs = &self.options.runs;
        let patience = runs.first_chunk_ms.unwrap_or(runs.provider_silence_ms);
        let client = HttpClient::new(self.options.http.clone())?.with_patience(Duration::from_millis(patience));
        Ok(self.client.get_or_init(|| client).clone())
    }
}

/// For what asks by name.
impl Engine {
    /// Refuses what begins something while the engine drains, and everything once it is closed.
    ///
    /// # Errors
    /// `ENGINE_CLOSED`.
    pub(crate) fn may(&self, begins: bool) -> Result<()> {
        if begins { self.inner.ensure_open() } else { self.inner.ensure_not_closed() }
    }

    /// Who asks, and the chat that they mean.
    ///
    /// # Errors
    /// `INVALID_INPUT` for `chatId`.
    pub(crate) fn of_chat(&self, workspace_id: String, user_id: String, chat: &ChatRef) -> Result<(Who, ChatId)> {
        let chat_id = self.inner.options.chats.resolve(chat, &workspace_id, &user_id)?;
        Ok((Who { workspace_id, user_id }, chat_id))
    }
}
