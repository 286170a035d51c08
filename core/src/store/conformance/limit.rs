//! Limits that all processes share.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::store::LimitOf;

use super::{TestClock, TestStore};

const WINDOW: Duration = Duration::from_secs(3600);

on_every_store![
    so_many_and_no_more,
    what_is_given_back_is_free,
    old_uses_are_forgotten,
    many_at_once_take_what_there_is,
];

fn limit(key: &str, max: u64) -> LimitOf<'_> {
    LimitOf { key, window: WINDOW, max }
}

async fn so_many_and_no_more(store: TestStore, clock: Arc<TestClock>) {
    let take = async |key: &str, max: u64| store.take_one(&limit(key, max), Uuid::now_v7()).await.unwrap();
    assert_eq!(take("a", 2).await, None);
    clock.advance(WINDOW / 2);
    assert_eq!(take("a", 2).await, None);
    let wait = take("a", 2).await.unwrap();
    // A server's clock goes on by itself.
    assert!(wait <= WINDOW / 2 && wait > WINDOW / 3, "{wait:?}");
    assert!(take("a", 1).await.unwrap() > wait);
    assert_eq!(take("b", 2).await, None, "another's is another's");
    assert!(take("c", 0).await.is_some());
    // What was refused is not counted.
    clock.advance(WINDOW / 2);
    assert_eq!(take("a", 2).await, None);
    assert!(take("a", 2).await.is_some());
}

async fn what_is_given_back_is_free(store: TestStore, _: Arc<TestClock>) {
    let id = Uuid::now_v7();
    for _ in 0..2 {
        // An attempt whose answer was lost is repeated.
        assert_eq!(store.take_one(&limit("a", 1), id).await.unwrap(), None);
    }
    assert!(store.take_one(&limit("a", 1), Uuid::now_v7()).await.unwrap().is_some());
    store.give_back(id).await.unwrap();
    store.give_back(id).await.unwrap();
    assert_eq!(store.take_one(&limit("a", 1), Uuid::now_v7()).await.unwrap(), None);
}

async fn many_at_once_take_what_there_is(store: TestStore, _: Arc<TestClock>) {
    let taking = (0..24).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.take_one(&limit("a", 5), Uuid::now_v7()).await.unwrap().is_none() })
    });
    let mut taken = 0;
    for one in taking.collect::<Vec<_>>() {
        taken += usize::from(one.await.unwrap());
    }
    assert_eq!(taken, 5);
}

async fn old_uses_are_forgotten(store: TestStore, clock: Arc<TestClock>) {
    assert_eq!(store.take_one(&limit("a", 2), Uuid::now_v7()).await.unwrap(), None);
    clock.advance(WINDOW / 2);
    assert_eq!(store.take_one(&limit("a", 2), Uuid::now_v7()).await.unwrap(), None);
    store.forget_used(WINDOW / 4).await.unwrap();
    assert_eq!(store.take_one(&limit("a", 2), Uuid::now_v7()).await.unwrap(), None);
    assert!(store.take_one(&limit("a", 2), Uuid::now_v7()).await.unwrap().is_some());
}
