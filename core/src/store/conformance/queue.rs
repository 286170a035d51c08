//! Runs that wait for their chat.

use std::sync::Arc;

use crate::error::ErrorCode;
use crate::id::{ChatId, RunId};
use crate::model::{MessageStatus, RunReason, RunStatus};
use crate::project::{FlushExtra, flush_run};
use crate::store::{BeginRun, Fence, Sweep, UNTOUCHED_WITHOUT_LEASE, Waiting};

use super::{LEASE, TestClock, TestStore, begin, claimed, code, planned, settle, started};

on_every_store![runs_wait_in_order, a_run_waits_with_whoever_offers_its_tools,];

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
