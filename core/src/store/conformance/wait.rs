//! Runs that wait for somebody's answer.

use std::sync::Arc;
use std::time::Duration;

use crate::error::ErrorCode;
use crate::id::{ChatId, RunId};
use crate::model::{Answer, AnswerKind, Json, MessageStatus, RunReason, RunStatus, TaintSource, Wait, WaitKind, Waits};
use crate::project::{FlushExtra, flush_run};
use crate::store::{
    BeginRun, CallNote, ChunkPack, Fence, RunPlan, SuspendRun, Sweep, UNTOUCHED_WITHOUT_LEASE, WaitingOf,
};

use super::chat::imported;
use super::{LEASE, TestClock, TestStore, begin, claimed, code, planned, record, started, step};

on_every_store![
    a_run_waits_as_nobody_s_until_it_is_answered,
    a_run_that_waits_holds_its_chat_unless_it_says_otherwise,
    a_run_that_waits_is_settled_when_it_is_to_stop,
    what_waits_is_listed_and_expires,
    messages_that_nobody_writes_are_found_among_many_that_wait,
];

pub(super) fn suspend(fence: &Fence, expires_after_ms: Option<u64>) -> SuspendRun {
    let wait = Wait {
        call_id: "c".into(),
        kind: WaitKind::Approval,
        tool_name: "t".into(),
        input: Json::parse(r#"{"a":"\u0000 b"}"#).unwrap(),
        schema: None,
        editable: false,
        answerers: Vec::new(),
        expires_after_ms,
        expires_at: None,
        answer: None,
        tainted_by: vec![TaintSource::page()],
    };
    let step = step(0, "asks");
    SuspendRun {
        fence: fence.clone(),
        assistant: flush_run(std::slice::from_ref(&step), MessageStatus::Streaming, &FlushExtra::default()),
        step,
        pack: Some(ChunkPack { step_number: 0, first_sequence: 1, chunks: vec![r#"{"type":"start-step"}"#.into()] }),
        waits: Waits { step: 0, taken_ms: 7, answered_at: None, calls: vec![wait] },
        call: CallNote::default(),
    }
}

async fn suspended(store: &TestStore, begin: BeginRun, expires_after_ms: Option<u64>) -> Fence {
    suspended_by(store, begin, |fence| suspend(fence, expires_after_ms)).await
}

pub(super) async fn suspended_by(store: &TestStore, begin: BeginRun, suspend: impl Fn(&Fence) -> SuspendRun) -> Fence {
    let fence = started(store, begin).await;
    let suspend = suspend(&fence);
    let waits = suspend.waits.clone().from(store.time().await.unwrap());
    store.suspend_run(SuspendRun { waits, ..suspend }).await.unwrap();
    fence
}

fn yes() -> Answer {
    Answer { kind: AnswerKind::Approved, reason: None, input: None, output: None, by: Some("u".into()) }
}

async fn answer(store: &TestStore, run_id: RunId) -> bool {
    let found = store.waits(run_id).await.unwrap().unwrap();
    let waits = found.waits.answered("c", yes(), store.time().await.unwrap()).unwrap();
    store.change_waits(run_id, &found.waits, &waits).await.unwrap()
}

/// The same run with its answer, gone on with by somebody else.
pub(super) async fn woken(store: &TestStore, fence: &Fence) -> Fence {
    assert!(answer(store, fence.run_id).await);
    let [next] = claimed(store, "b", &["t", "u"]).await.0.try_into().unwrap();
    next
}

async fn messages_that_nobody_writes_are_found_among_many_that_wait(store: TestStore, clock: Arc<TestClock>) {
    let mut strays = Vec::new();
    for _ in 0..4 {
        suspended(&store, planned(ChatId::generate(), "a", false), None).await;
        suspended(&store, planned(ChatId::generate(), "a", false), None).await;
        let (chat, mut messages) = imported(ChatId::generate(), &clock, 1);
        messages[0].status = Some(MessageStatus::Streaming);
        strays.push(chat.id);
        store.import_chat(chat, messages).await.unwrap();
    }
    clock.advance(UNTOUCHED_WITHOUT_LEASE * 2);
    let mut settled = 0;
    // A look sees three of these twelve.
    for _ in 0..5 {
        settled += store.settle_stray_messages().await.unwrap();
    }
    assert_eq!(settled, strays.len());
    for chat_id in strays {
        assert_eq!(store.messages(chat_id, 1).await.unwrap()[0].status, Some(MessageStatus::Aborted));
    }
    assert_eq!(store.settle_stray_messages().await.unwrap(), 0);
}

async fn a_run_waits_as_nobody_s_until_it_is_answered(store: TestStore, clock: Arc<TestClock>) {
    let chat_id = ChatId::generate();
    let fence = suspended(&store, planned(chat_id, "a", false), None).await;
    let run_id = fence.run_id;
    assert_eq!(store.run(run_id).await.unwrap().unwrap().status, RunStatus::Waiting);
    // Once more, as after an answer that was lost, changes nothing; every other write of its owner is refused.
    store.suspend_run(suspend(&fence, Some(1))).await.unwrap();
    assert_eq!(store.waits(run_id).await.unwrap().unwrap().waits.next_expiry(), None);
    assert_eq!(code(store.record_step(record(&fence, step(0, "late"))).await), ErrorCode::LeaseLost);
    assert_eq!(code(store.release_run(&fence).await), ErrorCode::LeaseLost);
    assert_eq!(store.renew_leases("a", &[run_id], LEASE).await.unwrap().lost, [run_id]);
    let steps = store.steps(run_id).await.unwrap();
    assert_eq!((steps.len(), steps[0].finished), (1, false));

    // However long it takes: nobody takes it, and no sweep settles it.
    clock.advance(UNTOUCHED_WITHOUT_LEASE * 100);
    assert!(store.claim_abandoned(Sweep::new("b", LEASE)).await.unwrap().is_empty());
    assert!(claimed(&store, "b", &["t", "u"]).await.0.is_empty());
    assert_eq!(store.settle_stray_messages().await.unwrap(), 0);

    // The second of two who have seen the same answers in vain.
    let seen = store.waits(run_id).await.unwrap().unwrap().waits;
    assert!(answer(&store, run_id).await);
    let late = seen.answered("c", yes(), store.time().await.unwrap()).unwrap();
    assert!(!store.change_waits(run_id, &seen, &late).await.unwrap());
    assert_eq!(store.run(run_id).await.unwrap().unwrap().status, RunStatus::Pending);

    // It is not settled before somebody goes on with it, who finds the answer.
    clock.advance(UNTOUCHED_WITHOUT_LEASE * 2);
    assert!(store.claim_abandoned(Sweep::new("b", LEASE)).await.unwrap().is_empty());
    let next = Fence { run_id, owner: "b".into(), epoch: fence.epoch + 1 };
    assert_eq!(claimed(&store, "b", &["t", "u"]).await.0, std::slice::from_ref(&next));
    let found = store.waits(run_id).await.unwrap().unwrap().waits;
    assert_eq!((found.answer_to(0, "c"), found.taken_ms), (Some(&yes()), 7));
    assert_eq!(code(store.suspend_run(suspend(&fence, None)).await), ErrorCode::LeaseLost);
    store.record_step(record(&next, step(0, "done"))).await.unwrap();
}

async fn a_run_that_waits_holds_its_chat_unless_it_says_otherwise(store: TestStore, _: Arc<TestClock>) {
    let chat_id = ChatId::generate();
    let held = suspended(&store, planned(chat_id, "a", false), None).await;
    assert_eq!(store.active_run(chat_id).await.unwrap().unwrap().id, held.run_id);
    assert_eq!(code(store.begin_run(begin(chat_id, "b")).await), ErrorCode::RunAlreadyActive);

    let chat_id = ChatId::generate();
    let frees = planned(chat_id, "a", false);
    let plan = frees.plan.clone().map(|plan| RunPlan { frees_chat: true, ..plan });
    let free = suspended(&store, BeginRun { plan, ..frees }, None).await;
    assert_eq!(store.active_run(chat_id).await.unwrap(), None);
    let other = started(&store, begin(chat_id, "b")).await;
    // It goes on when the chat is free again.
    assert!(answer(&store, free.run_id).await);
    assert_eq!(store.run(free.run_id).await.unwrap().unwrap().status, RunStatus::Waiting);
    assert_eq!(store.wake_answered().await.unwrap(), 0);
    store.settle_run(super::settle(&other, &[], None)).await.unwrap();
    assert_eq!(store.wake_answered().await.unwrap(), 1);
    assert_eq!(store.active_run(chat_id).await.unwrap().unwrap().id, free.run_id);
}

async fn a_run_that_waits_is_settled_when_it_is_to_stop(store: TestStore, _: Arc<TestClock>) {
    let fence = suspended(&store, planned(ChatId::generate(), "a", false), None).await;
    assert!(store.request_stop(fence.run_id, RunReason::Stopped).await.unwrap());
    assert!(!answer(&store, fence.run_id).await, "it is to stop");
    let only = Sweep { only: Some(fence.run_id), leases_at: None, ..Sweep::new("b", LEASE) };
    let claimed = store.claim_abandoned(only).await.unwrap().pop().unwrap();
    assert_eq!((claimed.stop_reason, claimed.fence.epoch), (Some(RunReason::Stopped), fence.epoch + 1));
    store.settle_run(super::settle(&claimed.fence, &[], None)).await.unwrap();
    assert!(!store.run(fence.run_id).await.unwrap().unwrap().status.is_active());
    assert!(!store.request_stop(fence.run_id, RunReason::Stopped).await.unwrap());
}

async fn what_waits_is_listed_and_expires(store: TestStore, clock: Arc<TestClock>) {
    let (chat, other) = (ChatId::generate(), ChatId::generate());
    let first = suspended(&store, planned(chat, "a", false), Some(1000)).await.run_id;
    let theirs = BeginRun { user_id: "v".into(), ..planned(other, "a", false) };
    let second = suspended(&store, theirs, None).await.run_id;
    let all = WaitingOf { workspace_id: "w".into(), user_id: None, chat_id: None, after: None, limit: 9 };
    let listed = async |of: WaitingOf| -> Vec<RunId> {
        store.waiting_runs(&of).await.unwrap().iter().map(|found| found.run.id).collect()
    };
    assert_eq!(listed(all.clone()).await, [first, second]);
    assert_eq!(listed(WaitingOf { limit: 1, ..all.clone() }).await, [first]);
    assert_eq!(listed(WaitingOf { after: Some(first), ..all.clone() }).await, [second]);
    assert_eq!(listed(WaitingOf { user_id: Some("v".into()), ..all.clone() }).await, [second]);
    assert_eq!(listed(WaitingOf { chat_id: Some(chat), ..all.clone() }).await, [first]);
    assert!(listed(WaitingOf { workspace_id: "x".into(), ..all.clone() }).await.is_empty());

    assert!(store.expired_waits(9).await.unwrap().is_empty());
    clock.advance(Duration::from_millis(1001));
    let expired = store.expired_waits(9).await.unwrap();
    assert_eq!(expired.iter().map(|found| found.run.id).collect::<Vec<_>>(), [first]);
    let waits = expired[0].waits.expired(store.time().await.unwrap()).unwrap();
    assert!(store.change_waits(first, &expired[0].waits, &waits).await.unwrap());
    assert!(store.expired_waits(9).await.unwrap().is_empty());
    assert_eq!(listed(all).await, [second]);
}
