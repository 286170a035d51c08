//! What every store must do. The suite is written once against the trait and stamped onto each store.

mod pages;
mod settings;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::error::ErrorCode;
use crate::id::{ChatId, MessageId, RunId};
use crate::model::{
    Chat, FinishReason, Json, Message, MessageRole, MessageStatus, Part, RunReason, RunStatus, StepRecord, TextPart,
    Trigger, Usage,
};
use crate::project::{FlushExtra, flush_run};

use turnkeep_test_postgres::{Cluster, Pooler, query};

use super::{
    Began, BeginRun, ChunkPack, Fence, LogFrom, LogPage, LogRange, LogRow, MOST_OWNERS, MemoryStore, MessageFields,
    MessageSpan, NewUserMessage, Offer, PostgresStore, RecordStep, RunPlan, SettleRun, SqliteStore, StepNumbers, Store,
    StoredMessage, Sweep, UNTOUCHED_WITHOUT_LEASE, Waiting,
};

use pages::{a_stop_waits_for_its_run, pages_go_on_where_the_last_one_ended};
use settings::{a_change_of_settings_is_all_or_nothing, secrets_are_sealed_anew_where_they_stand};

const LEASE: Duration = Duration::from_secs(15);

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

fn begin(chat_id: ChatId, owner: &str) -> BeginRun {
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
async fn started(store: &TestStore, begin: BeginRun) -> Fence {
    match store.begin_run(begin).await.unwrap() {
        Began::Started(fence) => fence,
        Began::Repeated(run_id) => panic!("{run_id} had been begun before"),
    }
}

fn step(number: u32, text: &str) -> StepRecord {
    StepRecord {
        number,
        parts: vec![Part::StepStart, Part::Text(TextPart::done(text))],
        finish_reason: Some(FinishReason::Stop),
        usage: Some(Usage { input_tokens: Some(1), ..Usage::default() }),
    }
}

/// Every step of this suite has ten chunks.
fn numbers(number: u32) -> StepNumbers {
    StepNumbers { packed_until: u64::from(number) * 10 + 4, next: u64::from(number) * 10 + 11 }
}

fn record(fence: &Fence, step: StepRecord) -> RecordStep {
    let refresh = Some(flush_run(std::slice::from_ref(&step), MessageStatus::Streaming, &FlushExtra::default()));
    RecordStep { fence: fence.clone(), numbers: numbers(step.number), step, lease: Some(LEASE), refresh }
}

fn settle(fence: &Fence, steps: &[StepRecord], last: Option<StepRecord>) -> SettleRun {
    SettleRun {
        fence: fence.clone(),
        status: RunStatus::Succeeded,
        reason: None,
        error: None,
        failure: None,
        step: last.map(|step| (step.clone(), numbers(step.number))),
        assistant: flush_run(steps, MessageStatus::Completed, &FlushExtra::default()),
    }
}

fn code<T>(result: crate::error::Result<T>) -> ErrorCode {
    result.err().expect("an error").code()
}

type TestStore = Arc<dyn Store>;

async fn a_turn_is_written_and_read_back(store: TestStore, clock: Arc<TestClock>) {
    let chat_id = ChatId::generate();
    let begun = begin(chat_id, "a");
    let (run_id, message_id) = (begun.run_id, begun.assistant_message_id);
    let fence = started(&store, begun).await;
    clock.advance(Duration::from_millis(5));
    store.record_intent(&fence, &step(0, "intent")).await.unwrap();
    assert!(!store.steps(run_id).await.unwrap()[0].finished);
    store.record_step(record(&fence, step(0, "one"))).await.unwrap();
    store.record_step(record(&fence, step(0, "never changes again"))).await.unwrap();
    let both = [step(0, "one"), step(1, "two")];
    store.settle_run(settle(&fence, &both, Some(step(1, "two")))).await.unwrap();
    store.settle_run(settle(&fence, &both, None)).await.unwrap();

    let run = store.run(run_id).await.unwrap().unwrap();
    assert_eq!((run.status, run.step_count, run.reason), (RunStatus::Succeeded, 2, None));
    assert!(run.finished_at.unwrap() > run.created_at);
    assert_eq!(store.latest_run(chat_id).await.unwrap().unwrap(), run);
    assert_eq!(store.run_of_message(message_id).await.unwrap().unwrap(), run);
    let steps: Vec<StepRecord> = store.steps(run_id).await.unwrap().into_iter().map(|logged| logged.step).collect();
    assert_eq!(steps, both);
    let messages = store.messages(chat_id, 10).await.unwrap();
    assert_eq!((messages[0].content.as_str(), messages[1].content.as_str()), ("hello", "onetwo"));
    assert_eq!(messages[1].status, Some(MessageStatus::Completed));
    assert_eq!(store.messages(chat_id, 1).await.unwrap(), messages[1..]);
    let chat = store.chat(chat_id).await.unwrap().unwrap();
    assert_eq!((chat.creator_id.as_str(), chat.page_id.as_deref()), ("u", Some("p")));
}

/// Rows of other times and writers, as an import brings them.
fn imported(chat_id: ChatId, clock: &TestClock, count: usize) -> (Chat, Vec<Message>) {
    let now = clock.now();
    let chat = Chat {
        id: chat_id,
        workspace_id: "w".into(),
        creator_id: "u".into(),
        title: Some("T".into()),
        role_id: None,
        page_id: None,
        created_at: now,
        updated_at: now,
    };
    let message = |number: usize| Message {
        id: MessageId::generate(),
        chat_id,
        workspace_id: "w".into(),
        user_id: None,
        role: MessageRole::Assistant,
        content: number.to_string(),
        tool_calls: Some(Json::parse("[{}]").unwrap()),
        metadata: Some(Json::parse(&format!("{{\"n\":{number}}}")).unwrap()),
        status: Some(MessageStatus::Completed),
        // Three at a time have the same moment: the id, which rises, decides.
        created_at: now.after(Duration::from_millis(u64::try_from(number / 3).unwrap())),
        updated_at: now,
    };
    (chat, (0..count).map(message).collect())
}

async fn messages_are_visited_in_order_and_within_their_span(store: TestStore, clock: Arc<TestClock>) {
    let chat_id = ChatId::generate();
    assert_eq!(store.message_span(chat_id, 5).await.unwrap().last, None);
    let (chat, messages) = imported(chat_id, &clock, 10);
    store.import_chat(chat.clone(), messages.clone()).await.unwrap();
    assert_eq!(store.chat(chat_id).await.unwrap().unwrap(), chat);
    assert_eq!(store.messages(chat_id, 100).await.unwrap(), messages);

    let seen = |span: MessageSpan, fields: MessageFields, limit: usize| {
        let store = Arc::clone(&store);
        async move {
            let rows = Arc::new(std::sync::Mutex::new(Vec::new()));
            let shared = Arc::clone(&rows);
            let visitor = Box::new(move |row: &StoredMessage<'_>| {
                let mut rows = shared.lock().unwrap();
                rows.push((row.place(), row.metadata.map(str::to_owned), row.content.map(str::to_owned)));
                if rows.len() == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            store.visit_messages(&span, fields, visitor).await.unwrap();
            std::mem::take(&mut *rows.lock().unwrap())
        }
    };
    let span = store.message_span(chat_id, 7).await.unwrap();
    assert_eq!((span.count, span.older_left_out), (7, true));
    // What is written later is not in the span.
    clock.advance(Duration::from_secs(1));
    store.begin_run(begin(chat_id, "a")).await.unwrap();
    let rows = seen(span.clone(), MessageFields::All, 100).await;
    let contents: Vec<_> = rows.iter().map(|(_, _, content)| content.clone().unwrap()).collect();
    assert_eq!(contents, ["3", "4", "5", "6", "7", "8", "9"]);
    assert_eq!(seen(span.clone(), MessageFields::Metadata, 3).await[2].1.as_deref(), Some("{\"n\":5}"));
    // Page by page, with ties on time.
    let mut rest = span;
    let mut paged = Vec::new();
    loop {
        let page = seen(rest.clone(), MessageFields::Shown, 2).await;
        let Some((last, _, _)) = page.last() else { break };
        rest.after = Some(last.clone());
        paged.extend(page.into_iter().map(|(_, _, content)| content.unwrap()));
    }
    assert_eq!(paged, contents);
    let all = store.message_span(chat_id, usize::MAX).await.unwrap();
    assert_eq!((all.count, all.older_left_out, all.after), (12, false, None));
}

async fn an_import_is_all_or_nothing(store: TestStore, clock: Arc<TestClock>) {
    let (chat, mut messages) = imported(ChatId::generate(), &clock, 3);
    store.import_chat(chat, messages.clone()).await.unwrap();
    let (other, mut more) = imported(ChatId::generate(), &clock, 2);
    more.push(messages.remove(0));
    store.import_chat(other.clone(), more).await.unwrap_err();
    assert_eq!(store.chat(other.id).await.unwrap(), None);
    assert!(store.messages(other.id, 10).await.unwrap().is_empty());
}

async fn the_gate_lets_one_through_and_leaves_no_orphan(store: TestStore, _: Arc<TestClock>) {
    let chat_id = ChatId::generate();
    let attempts: Vec<_> = (0..20)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.begin_run(begin(chat_id, "a")).await })
        })
        .collect();
    let mut won = Vec::new();
    for attempt in attempts {
        match attempt.await.unwrap() {
            Ok(Began::Started(fence)) => won.push(fence),
            Ok(Began::Repeated(_)) => panic!("no key was given"),
            Err(error) => assert_eq!(error.code(), ErrorCode::RunAlreadyActive),
        }
    }
    assert_eq!(won.len(), 1);
    assert_eq!(store.messages(chat_id, 100).await.unwrap().len(), 2);
    let error = store.begin_run(begin(chat_id, "a")).await.unwrap_err();
    assert_eq!(error.details()["activeRunId"], won[0].run_id.to_string());
    store.settle_run(settle(&won[0], &[], None)).await.unwrap();
    store.begin_run(begin(chat_id, "a")).await.unwrap();
}

async fn chats_of_others_are_forbidden(store: TestStore, _: Arc<TestClock>) {
    let chat_id = ChatId::generate();
    store.begin_run(begin(chat_id, "a")).await.unwrap();
    for (workspace, user) in [("w", "other"), ("other", "u")] {
        let attempt = BeginRun { workspace_id: workspace.into(), user_id: user.into(), ..begin(chat_id, "a") };
        let error = store.begin_run(attempt).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::Forbidden);
        assert!(error.details().is_empty());
    }
}

async fn writes_under_an_old_fence_change_nothing(store: TestStore, clock: Arc<TestClock>) {
    let chat_id = ChatId::generate();
    let old = started(&store, begin(chat_id, "a")).await;
    store.record_step(record(&old, step(0, "kept"))).await.unwrap();
    clock.advance(LEASE);
    let claimed = store.claim_abandoned(Sweep::new("b", LEASE)).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].fence.epoch, old.epoch + 1);

    assert_eq!(code(store.record_step(record(&old, step(1, "stale"))).await), ErrorCode::LeaseLost);
    let untouched = RecordStep { lease: None, refresh: None, ..record(&old, step(1, "stale")) };
    assert_eq!(code(store.record_step(untouched).await), ErrorCode::LeaseLost);
    assert_eq!(code(store.append_pack(&old, &pack(1, 11, &["stale"])).await), ErrorCode::LeaseLost);
    assert_eq!(code(store.record_intent(&old, &step(1, "stale")).await), ErrorCode::LeaseLost);
    assert_eq!(code(store.settle_run(settle(&old, &[], Some(step(1, "stale")))).await), ErrorCode::LeaseLost);
    assert_eq!(store.renew_leases("a", &[old.run_id], LEASE).await.unwrap().lost, [old.run_id]);
    assert_eq!(store.steps(old.run_id).await.unwrap().len(), 1);
    assert_eq!(store.messages(chat_id, 9).await.unwrap()[1].content, "kept");

    let lost = SettleRun {
        status: RunStatus::Aborted,
        reason: Some(RunReason::WorkerLost),
        ..settle(&claimed[0].fence, &[step(0, "kept")], None)
    };
    store.settle_run(lost).await.unwrap();
    let run = store.run(old.run_id).await.unwrap().unwrap();
    assert_eq!((run.status, run.reason, run.step_count), (RunStatus::Aborted, Some(RunReason::WorkerLost), 1));
}

/// Order is a place in the chat, given under the gate; a time is only shown.
async fn a_clock_that_is_set_back_changes_no_order(store: TestStore, clock: Arc<TestClock>) {
    let chat_id = ChatId::generate();
    let mut begun = Vec::new();
    for _ in 0..3 {
        let fence = started(&store, begin(chat_id, "a")).await;
        begun.push(fence.run_id);
        store.settle_run(settle(&fence, &[], None)).await.unwrap();
        clock.set_back(Duration::from_secs(3600));
    }
    let waiting: Vec<BeginRun> = (0..2).map(|_| begin(chat_id, "a")).collect();
    let fence = started(&store, begin(chat_id, "a")).await;
    for waiting in &waiting {
        store.enqueue_run(waiting.clone()).await.unwrap();
        clock.set_back(Duration::from_secs(3600));
    }
    begun.push(fence.run_id);
    store.settle_run(settle(&fence, &[], None)).await.unwrap();
    for waiting in waiting {
        let fence = started(&store, BeginRun { from_queue: true, ..waiting }).await;
        begun.push(fence.run_id);
        store.settle_run(settle(&fence, &[], None)).await.unwrap();
    }
    begun.reverse();
    let listed: Vec<RunId> = store.runs_of_chat(chat_id, 9).await.unwrap().iter().map(|run| run.id).collect();
    assert_eq!(listed, begun);
    assert_eq!(store.latest_run(chat_id).await.unwrap().unwrap().id, begun[0]);
    let messages = store.messages(chat_id, 99).await.unwrap();
    let roles: Vec<MessageRole> = messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [MessageRole::User, MessageRole::Assistant].repeat(6));
}

async fn a_run_stays_its_own_process_s_however_late_it_is(store: TestStore, clock: Arc<TestClock>) {
    let fence = started(&store, begin(ChatId::generate(), "a")).await;
    let (owned, unowned) = (planned(ChatId::generate(), "a", false), planned(ChatId::generate(), "a", true));
    let (owned, before) = (started(&store, owned).await, store.time().await.unwrap());
    clock.advance(UNTOUCHED_WITHOUT_LEASE + LEASE);
    let own = [fence.run_id, owned.run_id];
    let late = Sweep { spare: &own, ..Sweep::new("a", LEASE) };
    assert!(store.claim_abandoned(late).await.unwrap().is_empty());
    let tools = ["t".to_owned(), "u".to_owned()];
    let offer = Offer { owner: "a", tools: &tools, spare: &own, leases_at: Some(Timestamp::MAX), limit: 9 };
    assert!(store.claim_offered(offer, LEASE).await.unwrap().active.is_empty());
    // While leases do not count nobody takes it, and afterwards only others do.
    let uncertain = Sweep { leases_at: None, ..Sweep::new("b", LEASE) };
    assert!(store.claim_abandoned(uncertain).await.unwrap().is_empty());
    // Nor if it was good when the look was taken by which it is judged, whatever became of the clock since.
    let since_set = Sweep { leases_at: Some(before), ..Sweep::new("b", LEASE) };
    assert!(store.claim_abandoned(since_set).await.unwrap().is_empty());
    let since_set = Offer { owner: "b", leases_at: Some(before), ..offer };
    assert!(store.claim_offered(since_set, LEASE).await.unwrap().active.is_empty());
    let unowned = started(&store, unowned).await;
    let uncertain = Offer { owner: "b", leases_at: None, ..offer };
    let found = store.claim_offered(uncertain, LEASE).await.unwrap();
    let taken: Vec<RunId> = found.active.iter().map(|(claimed, _)| claimed.run.id).collect();
    assert_eq!((taken, found.waiting.len()), (vec![unowned.run_id], 0), "what never had a lease is taken all the same");
    assert_eq!(store.claim_abandoned(Sweep { limit: 1, ..Sweep::new("b", LEASE) }).await.unwrap().len(), 1);
    assert_eq!(store.claim_abandoned(Sweep::new("b", LEASE)).await.unwrap().len(), 1);
}

async fn a_run_can_be_ended_without_reading_it(store: TestStore, _: Arc<TestClock>) {
    let chat_id = ChatId::generate();
    let fence = started(&store, begin(chat_id, "a")).await;
    let old = Fence { epoch: fence.epoch - 1, ..fence.clone() };
    assert_eq!(code(store.fail_run(&old, "x").await), ErrorCode::LeaseLost);
    store.fail_run(&fence, "It cannot be read.").await.unwrap();
    store.fail_run(&fence, "It cannot be read.").await.unwrap();
    let run = store.run(fence.run_id).await.unwrap().unwrap();
    assert_eq!((run.status, run.reason), (RunStatus::Failed, Some(RunReason::Internal)));
    assert_eq!(run.error.as_deref(), Some("It cannot be read."));
    let message = store.messages(chat_id, 9).await.unwrap().pop().unwrap();
    assert_eq!(message.status, Some(MessageStatus::Error));
    started(&store, begin(chat_id, "b")).await;
}

async fn a_renewed_lease_is_not_swept(store: TestStore, clock: Arc<TestClock>) {
    let fence = started(&store, begin(ChatId::generate(), "a")).await;
    clock.advance(LEASE / 2);
    let renewal = store.renew_leases("a", &[fence.run_id], LEASE).await.unwrap();
    assert!(renewal.lost.is_empty() && renewal.stop_requested.is_empty());
    clock.advance(LEASE / 2);
    assert!(store.claim_abandoned(Sweep::new("b", LEASE)).await.unwrap().is_empty());
    clock.advance(LEASE / 2);
    assert!(
        store
            .claim_abandoned(Sweep { only: Some(RunId::generate()), ..Sweep::new("b", LEASE) })
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        store.claim_abandoned(Sweep { only: Some(fence.run_id), ..Sweep::new("b", LEASE) }).await.unwrap().len(),
        1
    );
    assert!(store.claim_abandoned(Sweep::new("c", LEASE)).await.unwrap().is_empty());
}

async fn a_stop_is_noted_until_the_run_has_settled(store: TestStore, _: Arc<TestClock>) {
    let fence = started(&store, begin(ChatId::generate(), "a")).await;
    let runs = [fence.run_id];
    assert!(store.stop_requests(&runs).await.unwrap().is_empty());
    assert!(store.request_stop(fence.run_id, RunReason::Stopped).await.unwrap());
    // The first reason stays.
    assert!(store.request_stop(fence.run_id, RunReason::Superseded).await.unwrap());
    let noted = [(fence.run_id, RunReason::Stopped)];
    assert_eq!(store.stop_requests(&runs).await.unwrap(), noted);
    assert_eq!(store.renew_leases("a", &runs, LEASE).await.unwrap().stop_requested, noted);
    store.settle_run(settle(&fence, &[], None)).await.unwrap();
    assert!(!store.request_stop(fence.run_id, RunReason::Stopped).await.unwrap());
    assert_eq!(code(store.request_stop(RunId::generate(), RunReason::Stopped).await), ErrorCode::NotFound);
}

fn pack(step_number: u32, first_sequence: u64, texts: &[&str]) -> ChunkPack {
    let chunks = texts.iter().map(|text| format!("{{\"text\":\"{text}\"}}").into()).collect();
    ChunkPack { step_number, first_sequence, chunks }
}

fn range(from: LogFrom) -> LogRange {
    LogRange { from, packs_of_finished: true, limit: usize::MAX }
}

async fn the_log_is_read_in_order_from_any_place(store: TestStore, clock: Arc<TestClock>) {
    assert_eq!(store.read_log(RunId::generate(), range(LogFrom::Sequence(0))).await.unwrap(), None);
    let fence = started(&store, begin(ChatId::generate(), "a")).await;
    let read = |range: LogRange| {
        let store = Arc::clone(&store);
        async move { store.read_log(fence.run_id, range).await.unwrap().unwrap() }
    };
    let shape = |page: &LogPage| -> Vec<String> {
        let row = |row: &LogRow| match row {
            LogRow::Pack(pack) => format!("pack {} of {}", pack.first_sequence, pack.step_number),
            LogRow::Step(logged) => format!("step {}", logged.step.number),
        };
        page.rows.iter().map(row).collect()
    };
    let page = read(range(LogFrom::Sequence(0))).await;
    assert_eq!((page.rows.len(), page.complete, page.start.unwrap().first_sequence), (0, true, 1));

    let owner = fence.clone();
    for pack in [pack(0, 1, &["a", "b"]), pack(0, 3, &["c"]), pack(0, 3, &["never changes"])] {
        store.append_pack(&owner, &pack).await.unwrap();
    }
    store.record_intent(&owner, &step(0, "intent")).await.unwrap();
    assert_eq!(shape(&read(range(LogFrom::Sequence(0))).await), ["pack 1 of 0", "pack 3 of 0"]);
    store.record_step(record(&owner, step(0, "one"))).await.unwrap();
    store.record_step(RecordStep { lease: None, refresh: None, ..record(&owner, step(1, "two")) }).await.unwrap();
    assert_eq!(store.run(owner.run_id).await.unwrap().unwrap().step_count, 2);
    store.append_pack(&owner, &pack(2, 21, &["x"])).await.unwrap();

    let page = read(range(LogFrom::Sequence(0))).await;
    assert_eq!(shape(&page), ["pack 1 of 0", "pack 3 of 0", "step 0", "step 1", "pack 21 of 2"]);
    let LogRow::Pack(second) = &page.rows[1] else { panic!("a pack") };
    assert_eq!(*second, pack(0, 3, &["c"]));
    let LogRow::Step(logged) = &page.rows[3] else { panic!("a step") };
    assert_eq!((logged.numbers, logged.finished), (Some(numbers(1)), true));
    let compact = LogRange { packs_of_finished: false, ..range(LogFrom::Sequence(0)) };
    assert_eq!(shape(&read(compact).await), ["step 0", "step 1", "pack 21 of 2"]);

    // In the middle of a step, at the beginning of one, at the present and beyond it.
    for (wanted, first, start, tokens) in [
        (5, "pack 1 of 0", 1, None),
        (11, "step 1", 11, Some(1)),
        (21, "pack 21 of 2", 21, Some(2)),
        (99, "pack 21 of 2", 21, Some(2)),
    ] {
        let page = read(range(LogFrom::Sequence(wanted))).await;
        assert_eq!(shape(&page)[0], first);
        let at = page.start.unwrap();
        assert_eq!((at.first_sequence, at.usage.and_then(|usage| usage.input_tokens)), (start, tokens));
        assert_eq!(at.finish_reason, tokens.map(|_| FinishReason::Stop));
    }
    // Row by row.
    let mut place = (0, 1);
    let mut rows = Vec::new();
    loop {
        let from = LogFrom::Place { step: place.0, sequence: place.1 };
        let page = read(LogRange { limit: 1, ..range(from) }).await;
        assert_eq!(page.start, None);
        match page.rows.first() {
            Some(LogRow::Pack(pack)) => place.1 = pack.first_sequence + pack.chunks.len() as u64,
            Some(LogRow::Step(logged)) => place = (logged.step.number + 1, logged.numbers.unwrap().next),
            None => break,
        }
        assert_eq!(page.rows.len(), 1);
        rows.extend(page.rows);
    }
    assert_eq!(rows, read(range(LogFrom::Sequence(0))).await.rows);

    store.settle_run(settle(&owner, &[], None)).await.unwrap();
    store.trim_packs(LEASE).await.unwrap();
    assert_eq!(read(range(LogFrom::Sequence(0))).await.rows.len(), 5);
    clock.advance(LEASE);
    store.trim_packs(LEASE).await.unwrap();
    assert_eq!(shape(&read(range(LogFrom::Sequence(0))).await), ["step 0", "step 1", "pack 21 of 2"]);
}

async fn a_key_begins_one_run(store: TestStore, _: Arc<TestClock>) {
    let keyed = |user: &str| BeginRun {
        idempotency_key: Some("k".into()),
        user_id: user.into(),
        ..begin(ChatId::generate(), "a")
    };
    let first = started(&store, keyed("u")).await;
    assert_eq!(store.begin_run(keyed("u")).await.unwrap(), Began::Repeated(first.run_id));
    assert_eq!(store.enqueue_run(keyed("u")).await.unwrap(), Began::Repeated(first.run_id));
    assert_eq!(store.run_of_key("w", "u", "k").await.unwrap(), Some(first.run_id));
    assert_eq!(store.run_of_key("w", "other", "k").await.unwrap(), None);
    // Keys are each user's own, and last longer than the run.
    started(&store, keyed("other")).await;
    store.settle_run(settle(&first, &[], None)).await.unwrap();
    assert_eq!(store.begin_run(keyed("u")).await.unwrap(), Began::Repeated(first.run_id));
}

async fn runs_wait_in_order(store: TestStore, clock: Arc<TestClock>) {
    let chat_id = ChatId::generate();
    let first = started(&store, begin(chat_id, "a")).await;
    let waiting: Vec<BeginRun> = (0..3).map(|_| begin(chat_id, "a")).collect();
    for begin in &waiting {
        store.enqueue_run(begin.clone()).await.unwrap();
    }
    let turn_of = |place: usize| BeginRun { from_queue: true, ..waiting[place].clone() };
    assert_eq!(code(store.begin_run(turn_of(0)).await), ErrorCode::RunAlreadyActive);
    let ids: Vec<RunId> = waiting.iter().map(|begin| begin.run_id).collect();
    let listed: Vec<RunId> = store.runs_of_chat(chat_id, 9).await.unwrap().iter().map(|run| run.id).collect();
    assert_eq!(listed, [ids[2], ids[1], ids[0], first.run_id]);
    assert_eq!(store.run(ids[0]).await.unwrap().unwrap().status, RunStatus::Pending);
    assert_eq!(store.active_run(chat_id).await.unwrap().unwrap().id, first.run_id);

    store.settle_run(settle(&first, &[], None)).await.unwrap();
    // Neither the second nor one from outside gets in before the first.
    let error = store.begin_run(begin(chat_id, "b")).await.unwrap_err();
    assert_eq!(
        (error.code(), &error.details()["activeRunId"]),
        (ErrorCode::RunAlreadyActive, &ids[0].to_string().into())
    );
    assert_eq!(code(store.begin_run(turn_of(1)).await), ErrorCode::RunAlreadyActive);
    // A stop holds, although it was asked for before the run began.
    assert!(store.request_stop(ids[0], RunReason::Stopped).await.unwrap());
    let fence = started(&store, turn_of(0)).await;
    assert_eq!(store.active_run(chat_id).await.unwrap().unwrap().id, ids[0]);
    assert!(store.request_stop(ids[0], RunReason::Superseded).await.unwrap());
    assert_eq!(store.stop_requests(&ids[..1]).await.unwrap(), [(ids[0], RunReason::Stopped)]);
    store.settle_run(settle(&fence, &[], None)).await.unwrap();

    // One is stopped while it waits, the other is left by its owner.
    assert!(store.request_stop(ids[1], RunReason::Stopped).await.unwrap());
    assert_eq!(store.stop_requests(&ids[1..]).await.unwrap(), [(ids[1], RunReason::Stopped)]);
    let row = || flush_run(&[], MessageStatus::Aborted, &FlushExtra::default());
    assert_eq!(store.settle_waiting(Waiting::Run(ids[1], "a"), RunReason::Stopped, row()).await.unwrap(), 1);
    clock.advance(LEASE / 2);
    let renewal = store.renew_leases("a", &ids[1..], LEASE).await.unwrap();
    assert_eq!((renewal.lost, renewal.stop_requested), (vec![ids[1]], vec![]));
    clock.advance(LEASE / 2);
    assert_eq!(
        store.settle_waiting(Waiting::Abandoned(Sweep::new("b", LEASE)), RunReason::WorkerLost, row()).await.unwrap(),
        0
    );
    clock.advance(LEASE / 2);
    assert_eq!(
        store.settle_waiting(Waiting::Abandoned(Sweep::new("b", LEASE)), RunReason::WorkerLost, row()).await.unwrap(),
        1
    );
    for (id, reason) in [(ids[1], RunReason::Stopped), (ids[2], RunReason::WorkerLost)] {
        let run = store.run(id).await.unwrap().unwrap();
        assert_eq!((run.status, run.reason), (RunStatus::Aborted, Some(reason)));
        assert!(run.finished_at.is_some());
    }
    assert_eq!(code(store.begin_run(turn_of(2)).await), ErrorCode::LeaseLost);
    // Nothing that was written is lost: every run has both of its messages.
    assert_eq!(store.messages(chat_id, 99).await.unwrap().len(), 8);
    started(&store, begin(chat_id, "b")).await;
}

/// What those who offer these tools are given: the fences, with the steps that are counted, and those that wait.
async fn claimed(store: &TestStore, owner: &str, tools: &[&str]) -> (Vec<Fence>, Vec<BeginRun>) {
    let tools: Vec<String> = tools.iter().map(|tool| (*tool).to_owned()).collect();
    let offer = Offer { owner, tools: &tools, spare: &[], leases_at: Some(Timestamp::MAX), limit: 9 };
    let runs = store.claim_offered(offer, LEASE).await.unwrap();
    (runs.active.into_iter().map(|(claimed, _)| claimed.fence).collect(), runs.waiting)
}

fn planned(chat_id: ChatId, owner: &str, unowned: bool) -> BeginRun {
    let plan = RunPlan { tools: vec!["t".into(), "u".into()], open_page: None };
    BeginRun { plan: Some(plan), unowned, ..begin(chat_id, owner) }
}

async fn a_run_is_driven_by_whoever_offers_its_tools(store: TestStore, clock: Arc<TestClock>) {
    let chat_id = ChatId::generate();
    let left = planned(chat_id, "front", true);
    let run_id = left.run_id;
    started(&store, left).await;
    let active = store.active_run(chat_id).await.unwrap().unwrap();
    assert_eq!((active.id, active.status, active.started_at), (run_id, RunStatus::Pending, None));
    assert_eq!(code(store.begin_run(begin(chat_id, "b")).await), ErrorCode::RunAlreadyActive);
    assert!(store.claim_abandoned(Sweep::new("b", LEASE)).await.unwrap().is_empty());
    assert!(claimed(&store, "a", &["t"]).await.0.is_empty(), "not all of its tools");

    let fence = Fence { run_id, owner: "a".into(), epoch: 1 };
    assert_eq!(claimed(&store, "a", &["u", "x", "t"]).await.0, std::slice::from_ref(&fence));
    let run = store.run(run_id).await.unwrap().unwrap();
    assert!(run.status == RunStatus::Running && run.started_at.is_some());
    assert!(claimed(&store, "b", &["t", "u"]).await.0.is_empty(), "somebody drives it");
    store.record_step(record(&fence, step(0, "one"))).await.unwrap();

    // Its owner goes: others go on with it, and no sweep settles it.
    clock.advance(LEASE * 2);
    assert!(store.claim_abandoned(Sweep::new("b", LEASE)).await.unwrap().is_empty());
    assert!(store.claim_abandoned(Sweep { only: Some(run_id), ..Sweep::new("b", LEASE) }).await.unwrap().is_empty());
    let next = Fence { run_id, owner: "b".into(), epoch: 2 };
    assert_eq!(claimed(&store, "b", &["t", "u"]).await.0, std::slice::from_ref(&next));
    assert_eq!(code(store.record_step(record(&fence, step(1, "old"))).await), ErrorCode::LeaseLost);
    assert_eq!(code(store.release_run(&fence).await), ErrorCode::LeaseLost);
    store.record_step(record(&next, step(1, "two"))).await.unwrap();

    // It is given up, and taken at once.
    store.release_run(&next).await.unwrap();
    let last = Fence { run_id, owner: "c".into(), epoch: 3 };
    assert_eq!(claimed(&store, "c", &["t", "u"]).await.0, std::slice::from_ref(&last));
    assert_eq!(code(store.settle_run(settle(&next, &[], None)).await), ErrorCode::LeaseLost);
    let texts: Vec<String> = store.steps(run_id).await.unwrap().iter().map(|logged| logged.step.text()).collect();
    assert_eq!(texts, ["one", "two"]);

    // Nobody goes on with one that is to stop: it is settled.
    store.request_stop(run_id, RunReason::Stopped).await.unwrap();
    store.release_run(&last).await.unwrap();
    assert!(claimed(&store, "a", &["t", "u"]).await.0.is_empty());
    let swept = store.claim_abandoned(Sweep::new("b", LEASE)).await.unwrap();
    assert_eq!(swept[0].stop_reason, Some(RunReason::Stopped));
    store.settle_run(settle(&swept[0].fence, &[], None)).await.unwrap();
    started(&store, begin(chat_id, "b")).await;
}

async fn a_run_that_nobody_takes_is_settled_in_the_end(store: TestStore, clock: Arc<TestClock>) {
    let (left, ended) = (planned(ChatId::generate(), "front", true), planned(ChatId::generate(), "a", false));
    for begin in [&left, &ended] {
        started(&store, begin.clone()).await;
    }
    let mut ids = [left.run_id, ended.run_id];
    clock.advance(UNTOUCHED_WITHOUT_LEASE - LEASE);
    assert!(store.claim_abandoned(Sweep::new("b", LEASE)).await.unwrap().is_empty());
    clock.advance(LEASE * 2);
    let mut swept: Vec<RunId> =
        store.claim_abandoned(Sweep::new("b", LEASE)).await.unwrap().iter().map(|claimed| claimed.run.id).collect();
    ids.sort();
    swept.sort();
    assert_eq!(swept, ids);

    // One that has had many owners may be what ends them.
    let many = planned(ChatId::generate(), "a", false);
    let mut fence = started(&store, many).await;
    while fence.epoch < MOST_OWNERS {
        store.release_run(&fence).await.unwrap();
        fence = claimed(&store, "a", &["t", "u"]).await.0.remove(0);
    }
    store.release_run(&fence).await.unwrap();
    assert!(claimed(&store, "a", &["t", "u"]).await.0.is_empty());
    assert_eq!(store.claim_abandoned(Sweep::new("b", LEASE)).await.unwrap().len(), 1);
    // One that waits for nobody in particular and is to stop needs no patience.
    let stopped = planned(ChatId::generate(), "front", true);
    started(&store, stopped.clone()).await;
    store.request_stop(stopped.run_id, RunReason::Stopped).await.unwrap();
    assert_eq!(store.claim_abandoned(Sweep::new("b", LEASE)).await.unwrap().len(), 1);
}

async fn a_run_waits_with_whoever_offers_its_tools(store: TestStore, clock: Arc<TestClock>) {
    let chat_id = ChatId::generate();
    let first = started(&store, begin(chat_id, "a")).await;
    let (left, mine) = (planned(chat_id, "front", true), planned(chat_id, "a", false));
    for begin in [&left, &mine] {
        store.enqueue_run(begin.clone()).await.unwrap();
    }
    let row = || flush_run(&[], MessageStatus::Aborted, &FlushExtra::default());
    let settled = || store.settle_waiting(Waiting::Abandoned(Sweep::new("b", LEASE)), RunReason::WorkerLost, row());
    assert_eq!(settled().await.unwrap(), 0);
    let (none, mut waiting) = claimed(&store, "b", &["t", "u"]).await;
    assert!(none.is_empty() && waiting.len() == 1);
    let begin = waiting.remove(0);
    assert_eq!((begin.run_id, begin.owner.as_str(), begin.plan.clone()), (left.run_id, "b", left.plan.clone()));
    assert_eq!(begin.user_message.as_ref().unwrap().content, "hello");
    // Whoever had asked for it has no say in it any more.
    let asked = BeginRun { from_queue: true, unowned: false, ..left.clone() };
    store.settle_run(settle(&first, &[], None)).await.unwrap();
    assert_eq!(code(store.begin_run(asked).await), ErrorCode::LeaseLost);
    assert_eq!(store.settle_waiting(Waiting::Run(left.run_id, "front"), RunReason::Stopped, row()).await.unwrap(), 0);
    let fence = started(&store, begin).await;
    assert_eq!((fence.owner.as_str(), fence.epoch), ("b", 1));
    store.settle_run(settle(&fence, &[], None)).await.unwrap();

    // One is given up while it waits.
    let waits = Fence { run_id: mine.run_id, owner: "a".into(), epoch: 0 };
    store.release_run(&waits).await.unwrap();
    let (_, waiting) = claimed(&store, "c", &["t", "u"]).await;
    assert_eq!(waiting[0].run_id, mine.run_id);
    assert_eq!(code(store.release_run(&waits).await), ErrorCode::LeaseLost);
    // Its owner goes, nobody comes, and it is settled in the end.
    clock.advance(LEASE * 2);
    assert_eq!(settled().await.unwrap(), 0);
    clock.advance(UNTOUCHED_WITHOUT_LEASE);
    assert_eq!(settled().await.unwrap(), 1);
}

async fn a_host_may_store_the_users_message_itself(store: TestStore, _: Arc<TestClock>) {
    let chat_id = ChatId::generate();
    started(&store, BeginRun { user_message: None, ..begin(chat_id, "a") }).await;
    assert_eq!(store.messages(chat_id, 9).await.unwrap().len(), 1);
}

async fn a_closed_store_says_so(store: TestStore, _: Arc<TestClock>) {
    store.begin_run(begin(ChatId::generate(), "a")).await.unwrap();
    store.close().await.unwrap();
    store.close().await.unwrap();
    assert_eq!(code(store.begin_run(begin(ChatId::generate(), "a")).await), ErrorCode::EngineClosed);
    assert_eq!(code(store.latest_run(ChatId::generate()).await), ErrorCode::EngineClosed);
}

macro_rules! conformance {
    ($module:ident, $open:expr) => {
        mod $module {
            use super::*;
            conformance!(@tests $open; a_turn_is_written_and_read_back, the_gate_lets_one_through_and_leaves_no_orphan,
                messages_are_visited_in_order_and_within_their_span, an_import_is_all_or_nothing,
                chats_of_others_are_forbidden, writes_under_an_old_fence_change_nothing, a_renewed_lease_is_not_swept,
                a_clock_that_is_set_back_changes_no_order, a_run_stays_its_own_process_s_however_late_it_is,
                a_run_can_be_ended_without_reading_it,
                a_stop_is_noted_until_the_run_has_settled, the_log_is_read_in_order_from_any_place, a_key_begins_one_run,
                runs_wait_in_order, a_run_is_driven_by_whoever_offers_its_tools,
                a_run_that_nobody_takes_is_settled_in_the_end, a_run_waits_with_whoever_offers_its_tools, a_host_may_store_the_users_message_itself, a_change_of_settings_is_all_or_nothing,
                secrets_are_sealed_anew_where_they_stand, pages_go_on_where_the_last_one_ended,
                a_stop_waits_for_its_run, a_closed_store_says_so);
        }
    };
    (@tests $open:expr; $($name:ident),*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let clock = TestClock::new();
            let folder = tempfile::tempdir().unwrap();
            let open: fn(Arc<TestClock>, std::path::PathBuf) -> _ = $open;
            let store: TestStore = open(Arc::clone(&clock), folder.path().join("chats.db")).await;
            super::$name(store, clock).await;
        }
    )*};
}

conformance!(memory, |clock, _| async move { Arc::new(MemoryStore::new(clock)) as TestStore });
conformance!(sqlite_file, |clock, path| async move {
    // The suite's owners have no lock files, so that nothing better is known of them than their leases.
    Arc::new(SqliteStore::open(path.to_str().unwrap(), "x/own", clock).await.unwrap()) as TestStore
});
conformance!(postgres, |clock, _| async move {
    let url = Cluster::shared().database();
    let store = PostgresStore::open(&url).await.unwrap();
    clock.moves(&url);
    Arc::new(store) as TestStore
});
conformance!(postgres_behind_a_pooler, |clock, _| async move {
    let url = Cluster::shared().database();
    let store = PostgresStore::open(&Pooler::shared().url(url.rsplit('/').next().unwrap())).await.unwrap();
    clock.moves(&url);
    Arc::new(store) as TestStore
});
conformance!(sqlite_memory, |clock, _| async move {
    Arc::new(SqliteStore::open(":memory:", "x/own", clock).await.unwrap()) as TestStore
});

#[tokio::test]
async fn a_dead_owner_is_swept_before_its_lease_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chats.db");
    let clock = TestClock::new();
    let store = SqliteStore::open(path.to_str().unwrap(), "x/own", clock).await.unwrap();
    let lock = super::sqlite::hold_instance_lock(&path, "x/other");
    store.begin_run(begin(ChatId::generate(), "x/other")).await.unwrap();
    store.begin_run(begin(ChatId::generate(), "x/own")).await.unwrap();
    assert!(store.claim_abandoned(Sweep::new("x/own", LEASE)).await.unwrap().is_empty());
    drop(lock);
    assert_eq!(store.claim_abandoned(Sweep::new("x/own", LEASE)).await.unwrap().len(), 1);
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
