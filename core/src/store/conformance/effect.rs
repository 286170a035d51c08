//! What tools have noted of their calls.

use std::sync::Arc;
use std::time::Duration;

use crate::error::ErrorCode;
use crate::id::{ChatId, RunId};
use crate::model::{CallEffect, call_key};

use super::{TestClock, TestStore, begin, claimed, code, planned, settle, started};

on_every_store![
    calls_that_are_closed_stay_so_for_whoever_owns_the_run,
    what_is_noted_of_calls_goes_after_the_run_and_with_its_chat,
];

fn void(key: &str) -> CallEffect {
    CallEffect { key: key.to_owned(), result: None, is_void: true }
}

async fn noted(store: &TestStore, run_id: RunId) -> Vec<CallEffect> {
    let mut noted = store.effects(run_id).await.unwrap();
    noted.sort_by(|a, b| a.key.cmp(&b.key));
    noted
}

async fn calls_that_are_closed_stay_so_for_whoever_owns_the_run(store: TestStore, clock: Arc<TestClock>) {
    let fence = started(&store, planned(ChatId::generate(), "a", false)).await;
    let run_id = fence.run_id;
    let [first, second] = ["b'\"$1%s", "a"].map(|call| call_key(run_id, 0, call));
    assert_eq!(noted(&store, run_id).await, []);
    let mut closed = store.close_effects(&fence, &[first.clone(), second.clone()]).await.unwrap();
    closed.sort_by(|a, b| a.key.cmp(&b.key));
    let mut both = [void(&first), void(&second)];
    both.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(closed, both);
    assert_eq!(noted(&store, run_id).await, both);
    // Once more, as after an answer that was lost.
    assert_eq!(store.close_effects(&fence, std::slice::from_ref(&second)).await.unwrap(), [void(&second)]);
    assert_eq!(store.close_effects(&fence, &[]).await.unwrap(), []);

    // Whoever has lost the run closes nothing of it any more.
    clock.advance(super::LEASE * 2);
    let next = claimed(&store, "b", &["t", "u"]).await.0.remove(0);
    let third = call_key(run_id, 1, "c");
    assert_eq!(code(store.close_effects(&fence, std::slice::from_ref(&third)).await), ErrorCode::LeaseLost);
    assert_eq!(noted(&store, run_id).await, both);
    assert_eq!(store.close_effects(&next, std::slice::from_ref(&third)).await.unwrap(), [void(&third)]);
    store.settle_run(settle(&next, &[], None)).await.unwrap();
    assert_eq!(code(store.close_effects(&next, &[call_key(run_id, 2, "d")]).await), ErrorCode::LeaseLost);
}

async fn what_is_noted_of_calls_goes_after_the_run_and_with_its_chat(store: TestStore, clock: Arc<TestClock>) {
    let (day, chat_id) = (Duration::from_secs(86_400), ChatId::generate());
    let fence = started(&store, begin(chat_id, "a")).await;
    let key = call_key(fence.run_id, 0, "a");
    store.close_effects(&fence, std::slice::from_ref(&key)).await.unwrap();
    clock.advance(day * 9);
    assert!(!store.trim_effects(day).await.unwrap(), "the run goes on");
    assert_eq!(noted(&store, fence.run_id).await, [void(&key)]);
    store.settle_run(settle(&fence, &[], None)).await.unwrap();
    assert!(!store.trim_effects(day).await.unwrap(), "it has just ended");
    assert_eq!(noted(&store, fence.run_id).await, [void(&key)]);
    clock.advance(day * 2);
    while store.trim_effects(day).await.unwrap() {}
    assert_eq!(noted(&store, fence.run_id).await, []);

    let fence = started(&store, begin(chat_id, "a")).await;
    store.close_effects(&fence, &[call_key(fence.run_id, 0, "a")]).await.unwrap();
    store.settle_run(settle(&fence, &[], None)).await.unwrap();
    store.purge_chats(&[chat_id]).await.unwrap();
    assert_eq!(noted(&store, fence.run_id).await, []);
}
