//! Stops that somebody asked for.

use std::sync::Arc;
use std::time::Duration;

use crate::error::ErrorCode;
use crate::id::{ChatId, RunId};
use crate::model::RunReason;
use crate::store::{BeginRun, STOP_NOTES_KEPT};

use super::{LEASE, TestClock, TestStore, begin, code, settle, started};

const HOUR: Duration = Duration::from_secs(3600);

on_every_store![a_stop_is_noted_until_the_run_has_settled, a_stop_waits_for_its_run,];

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

async fn a_stop_waits_for_its_run(store: TestStore, clock: Arc<TestClock>) {
    assert!(!store.is_stop_noted("w", "u", "k").await.unwrap());
    store.note_stop("w", "u", "k").await.unwrap();
    store.note_stop("w", "u", "k").await.unwrap();
    assert!(store.is_stop_noted("w", "u", "k").await.unwrap());
    for (workspace, user, key) in [("other", "u", "k"), ("w", "other", "k"), ("w", "u", "other")] {
        assert!(!store.is_stop_noted(workspace, user, key).await.unwrap());
    }
    // It does not keep the run from beginning: whoever begins it is to see both.
    let keyed = BeginRun { idempotency_key: Some("k".into()), ..begin(ChatId::generate(), "a") };
    started(&store, keyed).await;
    assert!(store.is_stop_noted("w", "u", "k").await.unwrap());
    clock.advance(STOP_NOTES_KEPT + HOUR);
    store.note_stop("w", "u", "later").await.unwrap();
    assert!(!store.is_stop_noted("w", "u", "k").await.unwrap());
}
