//! Lists that are read a page at a time, and stops that come before their run.

use std::sync::Arc;
use std::time::Duration;

use crate::id::{ChatId, MessageId, RunId};
use crate::store::{BeginRun, STOP_NOTES_KEPT};

use super::{TestClock, TestStore, begin, settle, started};

const HOUR: Duration = Duration::from_secs(3600);

pub(super) async fn pages_go_on_where_the_last_one_ended(store: TestStore, clock: Arc<TestClock>) {
    let (chat_id, other) = (ChatId::generate(), ChatId::generate());
    let foreign = started(&store, begin(other, "a")).await;
    for _ in 0..5 {
        let fence = started(&store, begin(chat_id, "a")).await;
        store.settle_run(settle(&fence, &[], None)).await.unwrap();
        // The order is that of the chat, whatever the clock does.
        clock.set_back(HOUR);
    }
    started(&store, begin(chat_id, "a")).await;
    for _ in 0..3 {
        store.enqueue_run(begin(chat_id, "a")).await.unwrap();
    }

    let all: Vec<RunId> = store.runs_of_chat(chat_id, 99).await.unwrap().iter().map(|run| run.id).collect();
    let mut paged: Vec<RunId> = store.runs_of_chat(chat_id, 2).await.unwrap().iter().map(|run| run.id).collect();
    loop {
        let page = store.runs_before(chat_id, *paged.last().unwrap(), 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 2);
        paged.extend(page.iter().map(|run| run.id));
    }
    assert_eq!((paged.len(), &paged), (9, &all));
    assert!(store.runs_before(chat_id, foreign.run_id, 9).await.unwrap().is_empty());

    let all = store.messages(chat_id, 99).await.unwrap();
    let mut paged = store.messages(chat_id, 5).await.unwrap();
    loop {
        let page = store.messages_before(chat_id, paged[0].id, 5).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 5);
        paged.splice(0..0, page);
    }
    assert_eq!((paged.len(), &paged), (12, &all));
    assert!(store.messages_before(other, all[3].id, 9).await.unwrap().is_empty());
    assert!(store.messages_before(chat_id, MessageId::generate(), 9).await.unwrap().is_empty());
}

pub(super) async fn a_stop_waits_for_its_run(store: TestStore, clock: Arc<TestClock>) {
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
