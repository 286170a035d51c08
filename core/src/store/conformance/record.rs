//! The records of turns that are not stored.

use std::sync::Arc;
use std::time::Duration;

use crate::error::ErrorCode;
use crate::id::RunId;
use crate::model::{CallKind, CallTokens, RunReason, RunStatus};
use crate::store::{BeginRecord, FinishRecord, LedgerCall, TokenLimit};

use super::{LEASE, TestClock, TestStore, code};

on_every_store![a_turn_is_recorded, a_stop_is_heard, what_nobody_drives_has_ended, old_records_are_forgotten];

async fn begun(store: &TestStore) -> RunId {
    let run_id = RunId::generate();
    let begin = BeginRecord { run_id, workspace_id: "w".into(), user_id: "u".into(), lease: LEASE };
    for _ in 0..2 {
        store.begin_record(&begin).await.unwrap();
    }
    run_id
}

fn end(run_id: RunId, status: RunStatus, reason: Option<RunReason>) -> FinishRecord {
    FinishRecord { run_id, status, reason, error: Some("a line".into()), step_count: 3 }
}

async fn a_turn_is_recorded(store: TestStore, _: Arc<TestClock>) {
    assert_eq!(store.record(RunId::generate()).await.unwrap(), None);
    let run_id = begun(&store).await;
    let run = store.record(run_id).await.unwrap().unwrap();
    assert_eq!((run.status, run.workspace_id.as_str(), run.created_by.as_str()), (RunStatus::Running, "w", "u"));
    assert_eq!((run.reason, run.finished_at, run.stop_requested_at, run.step_count), (None, None, None, 0));
    let failed = end(run_id, RunStatus::Failed, Some(RunReason::ProviderError));
    for _ in 0..2 {
        store.finish_record(&failed).await.unwrap();
    }
    let run = store.record(run_id).await.unwrap().unwrap();
    assert_eq!((run.status, run.reason), (RunStatus::Failed, Some(RunReason::ProviderError)));
    assert_eq!((run.error.as_deref(), run.step_count, run.finished_at.is_some()), (Some("a line"), 3, true));
    let otherwise = store.finish_record(&end(run_id, RunStatus::Succeeded, None)).await;
    assert_eq!(code(otherwise), ErrorCode::LeaseLost);
}

async fn a_stop_is_heard(store: TestStore, _: Arc<TestClock>) {
    let (run_id, other) = (begun(&store).await, begun(&store).await);
    assert_eq!(store.stopped_records(&[run_id, other]).await.unwrap(), []);
    for _ in 0..2 {
        assert!(store.stop_record(run_id).await.unwrap());
    }
    assert_eq!(store.stopped_records(&[run_id, other, RunId::generate()]).await.unwrap(), [run_id]);
    store.finish_record(&end(run_id, RunStatus::Aborted, Some(RunReason::Stopped))).await.unwrap();
    assert!(!store.stop_record(run_id).await.unwrap() && !store.stop_record(RunId::generate()).await.unwrap());
    assert_eq!(store.stopped_records(&[run_id]).await.unwrap(), []);
}

async fn what_nobody_drives_has_ended(store: TestStore, clock: Arc<TestClock>) {
    let (left, kept) = (begun(&store).await, begun(&store).await);
    let call = LedgerCall {
        id: "a call".into(),
        workspace_id: "w".into(),
        user_id: None,
        chat_id: None,
        run_id: Some(left),
        kind: CallKind::Step,
        model: None,
        tokens: CallTokens::estimated(7, 3),
    };
    let limit = TokenLimit { workspace_id: "w", window: Duration::from_secs(3600), max: 100, kind: None };
    assert_eq!(store.reserve_tokens(&limit, &call, None).await.unwrap(), None);
    clock.advance(LEASE / 2);
    assert_eq!(store.renew_records(&[kept], LEASE).await.unwrap(), []);
    clock.advance(LEASE / 2);
    assert_eq!(store.sweep_records().await.unwrap(), 1);
    assert_eq!(store.sweep_records().await.unwrap(), 0);
    let run = store.record(left).await.unwrap().unwrap();
    assert_eq!((run.status, run.reason), (RunStatus::Aborted, Some(RunReason::WorkerLost)));
    // The call was made, and nobody knows what it has used.
    let wanted = crate::store::UsageOf {
        workspace_id: "w".into(),
        user_id: None,
        chat_id: None,
        from: None,
        until: None,
        by: Vec::new(),
    };
    assert_eq!(store.usage(&wanted).await.unwrap().first().map(|group| group.tokens.total()), Some(10));
    // Who had it is told.
    assert_eq!(store.renew_records(&[left, kept], LEASE).await.unwrap(), [left]);
    let late = store.finish_record(&end(left, RunStatus::Succeeded, None)).await;
    assert_eq!(code(late), ErrorCode::LeaseLost);
}

async fn old_records_are_forgotten(store: TestStore, clock: Arc<TestClock>) {
    let (old, goes_on) = (begun(&store).await, begun(&store).await);
    store.finish_record(&end(old, RunStatus::Succeeded, None)).await.unwrap();
    clock.advance(LEASE);
    let new = begun(&store).await;
    store.finish_record(&end(new, RunStatus::Succeeded, None)).await.unwrap();
    store.forget_records(LEASE / 2).await.unwrap();
    assert_eq!(store.record(old).await.unwrap(), None);
    assert!(store.record(goes_on).await.unwrap().is_some() && store.record(new).await.unwrap().is_some());
}
