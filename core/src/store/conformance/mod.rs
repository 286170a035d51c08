//! What every store must do. Each test is written once against the traits and made for each store; the files are those of
//! the traits.

/// Makes tests of these functions, for each store.
macro_rules! on_every_store {
    ([$($store:ident)*] $tests:tt) => {$(
        mod $store {
            on_every_store!($store $tests);
        }
    )*};
    ($store:ident [$($test:ident)*]) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            crate::store::conformance::on(crate::store::conformance::$store, super::$test).await;
        }
    )*};
    ($($test:ident),* $(,)?) => {
        on_every_store!([memory sqlite_file sqlite_memory postgres postgres_behind_a_pooler] [$($test)*]);
    };
}

mod chat;
mod effect;
mod fork;
mod lease;
mod limit;
mod log;
mod mcp;
mod queue;
mod record;
mod role;
mod run;
mod search;
mod settings;
mod steer;
mod stop;
mod usage;
mod wait;

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::error::ErrorCode;
use crate::id::{ChatId, MessageId, RunId};
use crate::model::{FinishReason, Json, MessageStatus, Part, RunStatus, StepRecord, TextPart, Trigger, Usage};
use crate::project::{FlushExtra, flush_run};
use crate::store::{
    Began, BeginRun, CallNote, Fence, MemoryStore, NewUserMessage, Offer, PostgresStore, RecordStep, RunPlan,
    SettleRun, SqliteStore, StepNumbers, Store,
};

use turnkeep_test_postgres::{Cluster, Pooler, query};

pub(super) const LEASE: Duration = Duration::from_secs(15);

/// A clock that stands still until it is moved; a database's own goes on and is moved along.
pub(crate) struct TestClock {
    now: AtomicI64,
    database: OnceLock<String>,
}

impl TestClock {
    fn new() -> Arc<Self> {
        Arc::new(Self { now: AtomicI64::new(1_782_909_296_789), database: OnceLock::new() })
    }

    fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap();
        self.now.fetch_add(by, Ordering::SeqCst);
        if let Some(url) = self.database.get() {
            query(url, &format!("UPDATE clock SET ahead = ahead + interval '{by} ms'"));
        }
    }

    fn set_back(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap();
        self.now.fetch_sub(by, Ordering::SeqCst);
        if let Some(url) = self.database.get() {
            query(url, &format!("UPDATE clock SET ahead = ahead - interval '{by} ms'"));
        }
    }

    /// From now on this database's clock, too.
    fn moves(&self, url: &str) {
        const CLOCK: &str = "CREATE TABLE clock (ahead interval); INSERT INTO clock VALUES (interval '0'); \
             CREATE OR REPLACE FUNCTION turnkeep_now() RETURNS timestamptz LANGUAGE sql VOLATILE \
             AS 'SELECT clock_timestamp() + (SELECT ahead FROM clock)'";
        query(url, CLOCK);
        self.database.set(url.to_owned()).unwrap();
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::SeqCst))
    }
}

pub(super) type TestStore = Arc<dyn Store>;

pub(super) fn begin(chat_id: ChatId, owner: &str) -> BeginRun {
    BeginRun {
        run_id: RunId::generate(),
        chat_id,
        workspace_id: "w".into(),
        user_id: "u".into(),
        trigger: Trigger::User,
        owner: owner.into(),
        lease: LEASE,
        role_id: None,
        page_id: Some("p".into()),
        replaces: None,
        user_message: Some(NewUserMessage {
            id: MessageId::generate(),
            content: "hello".into(),
            metadata: Json::parse(r#"{"parts":[{"type":"text","text":"hello"}]}"#).unwrap(),
        }),
        assistant_message_id: MessageId::generate(),
        assistant: flush_run(&[], MessageStatus::Streaming, &FlushExtra::default()),
        idempotency_key: None,
        plan: None,
        unowned: false,
        from_queue: false,
    }
}

/// Begins a run that must not have been begun before.
pub(super) async fn started(store: &TestStore, begin: BeginRun) -> Fence {
    match store.begin_run(begin).await.unwrap() {
        Began::Started(fence) => fence,
        Began::Repeated(run_id) => panic!("{run_id} had been begun before"),
    }
}

pub(super) fn step(number: u32, text: &str) -> StepRecord {
    StepRecord {
        number,
        parts: vec![Part::StepStart, Part::Text(TextPart::done(text))],
        finish_reason: Some(FinishReason::Stop),
        usage: Some(Usage { input_tokens: Some(1), ..Usage::default() }),
    }
}

/// Every step of this suite has ten chunks.
pub(super) fn numbers(number: u32) -> StepNumbers {
    StepNumbers { packed_until: u64::from(number) * 10 + 4, next: u64::from(number) * 10 + 11 }
}

pub(super) fn record(fence: &Fence, step: StepRecord) -> RecordStep {
    let refresh = Some(flush_run(std::slice::from_ref(&step), MessageStatus::Streaming, &FlushExtra::default()));
    RecordStep {
        fence: fence.clone(),
        numbers: numbers(step.number),
        step,
        lease: Some(LEASE),
        refresh,
        call: CallNote::default(),
    }
}

pub(super) fn settle(fence: &Fence, steps: &[StepRecord], last: Option<StepRecord>) -> SettleRun {
    SettleRun {
        fence: fence.clone(),
        unless_steered: None,
        status: RunStatus::Succeeded,
        reason: None,
        error: None,
        failure: None,
        step: last.map(|step| (step.clone(), numbers(step.number))),
        call: CallNote::default(),
        assistant: flush_run(steps, MessageStatus::Completed, &FlushExtra::default()),
    }
}

pub(super) fn planned(chat_id: ChatId, owner: &str, unowned: bool) -> BeginRun {
    let plan = RunPlan { tools: vec!["t".into(), "u".into()], open_page: None, own: None, frees_chat: false };
    BeginRun { plan: Some(plan), unowned, ..begin(chat_id, owner) }
}

/// What those who offer these tools are given: the fences, with the steps that are counted, and those that wait.
pub(super) async fn claimed(store: &TestStore, owner: &str, tools: &[&str]) -> (Vec<Fence>, Vec<BeginRun>) {
    let tools: Vec<String> = tools.iter().map(|tool| (*tool).to_owned()).collect();
    let offer = Offer { owner, tools: &tools, spare: &[], leases_at: Some(Timestamp::MAX), limit: 9 };
    let runs = store.claim_offered(offer, LEASE).await.unwrap();
    (runs.active.into_iter().map(|(claimed, _)| claimed.fence).collect(), runs.waiting)
}

pub(super) fn code<T>(result: crate::error::Result<T>) -> ErrorCode {
    result.err().expect("an error").code()
}

async fn memory(clock: Arc<TestClock>, _: PathBuf) -> TestStore {
    Arc::new(MemoryStore::new(clock))
}

async fn sqlite_file(clock: Arc<TestClock>, path: PathBuf) -> TestStore {
    // The suite's owners have no lock files, so that nothing better is known of them than their leases.
    Arc::new(SqliteStore::open(path.to_str().unwrap(), "x/own", clock).await.unwrap())
}

async fn sqlite_memory(clock: Arc<TestClock>, _: PathBuf) -> TestStore {
    Arc::new(SqliteStore::open(":memory:", "x/own", clock).await.unwrap())
}

async fn postgres(clock: Arc<TestClock>, _: PathBuf) -> TestStore {
    let url = Cluster::shared().database();
    let store = PostgresStore::open(&url).await.unwrap();
    clock.moves(&url);
    Arc::new(store)
}

async fn postgres_behind_a_pooler(clock: Arc<TestClock>, _: PathBuf) -> TestStore {
    let url = Cluster::shared().database();
    let store = PostgresStore::open(&Pooler::shared().url(url.rsplit('/').next().unwrap())).await.unwrap();
    clock.moves(&url);
    Arc::new(store)
}

/// Runs a test on a store that is opened for it.
async fn on(open: impl AsyncFn(Arc<TestClock>, PathBuf) -> TestStore, test: impl AsyncFn(TestStore, Arc<TestClock>)) {
    let clock = TestClock::new();
    let folder = tempfile::tempdir().unwrap();
    let store = open(Arc::clone(&clock), folder.path().join("chats.db")).await;
    test(store, clock).await;
}

#[tokio::test]
async fn bad_urls_and_folders_are_refused_by_name() {
    for (url, expected) in [
        ("mysql://x", ErrorCode::InvalidInput),
        ("chats.db", ErrorCode::InvalidInput),
        ("sqlite:", ErrorCode::InvalidInput),
        ("postgres://127.0.0.1:1/x?sslmode=sometimes", ErrorCode::InvalidInput),
        ("postgres://127.0.0.1:1/x", ErrorCode::StoreUnavailable),
        ("sqlite:/nonexistent/folder/chats.db", ErrorCode::StoreUnavailable),
        ("sqlite:/proc/chats.db", ErrorCode::StoreUnavailable),
    ] {
        let error = super::open(url, Some("i"), TestClock::new()).await.err().unwrap();
        assert_eq!((error.code(), &error.details()["field"]), (expected, &"store".into()), "{url}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chats.db");
    std::fs::write(&path, "not a database, but long enough to be looked at as one").unwrap();
    let error = super::open(&format!("sqlite:{}", path.display()), Some("i"), TestClock::new()).await.err().unwrap();
    assert_eq!(error.code(), ErrorCode::StoreUnavailable);
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("not a database"));
}
