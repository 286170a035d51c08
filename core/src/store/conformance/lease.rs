//! Who has which run.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::error::ErrorCode;
use crate::id::{ChatId, RunId};
use crate::model::{RunReason, RunStatus};
use crate::store::{Fence, LeaseStore, MOST_OWNERS, Offer, RunStore, SqliteStore, Sweep, UNTOUCHED_WITHOUT_LEASE};

use super::{LEASE, TestClock, TestStore, begin, claimed, code, planned, record, settle, started, step};

on_every_store![
    a_run_stays_its_own_process_s_however_late_it_is,
    a_renewed_lease_is_not_swept,
    a_run_is_driven_by_whoever_offers_its_tools,
    a_run_that_nobody_takes_is_settled_in_the_end,
];

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

#[tokio::test]
async fn a_dead_owner_is_swept_before_its_lease_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chats.db");
    let clock = TestClock::new();
    let store = SqliteStore::open(path.to_str().unwrap(), "x/own", clock).await.unwrap();
    let lock = crate::store::sqlite::hold_instance_lock(&path, "x/other");
    store.begin_run(begin(ChatId::generate(), "x/other")).await.unwrap();
    store.begin_run(begin(ChatId::generate(), "x/own")).await.unwrap();
    assert!(store.claim_abandoned(Sweep::new("x/own", LEASE)).await.unwrap().is_empty());
    drop(lock);
    assert_eq!(store.claim_abandoned(Sweep::new("x/own", LEASE)).await.unwrap().len(), 1);
}
