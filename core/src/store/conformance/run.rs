//! Beginning runs and ending them.

use std::sync::Arc;
use std::time::Duration;

use crate::error::ErrorCode;
use crate::id::{ChatId, RunId};
use crate::model::{Message, MessageRole, MessageStatus, RunReason, RunStatus};
use crate::store::{Began, BeginRun, Fence};

use super::{TestClock, TestStore, begin, code, settle, started, step};

on_every_store![
    a_turn_takes_the_place_of_messages,
    the_gate_lets_one_through_and_leaves_no_orphan,
    chats_of_others_are_forbidden,
    a_clock_that_is_set_back_changes_no_order,
    a_run_can_be_ended_without_reading_it,
    a_key_begins_one_run,
    a_host_may_store_the_users_message_itself,
    a_closed_store_says_so,
];

async fn a_turn_takes_the_place_of_messages(store: TestStore, clock: Arc<TestClock>) {
    let chat_id = ChatId::generate();
    let mut rows = Vec::new();
    for _ in 0..2 {
        let fence = started(&store, begin(chat_id, "a")).await;
        store.settle_run(settle(&fence, &[step(0, "said")], None)).await.unwrap();
        rows = store.messages(chat_id, 9).await.unwrap();
    }
    let ids = |rows: &[Message]| rows.iter().map(|row| row.id).collect::<Vec<_>>();
    let (first, answer) = (rows[2].id, rows[3].id);
    assert_eq!(store.message_after(chat_id, first).await.unwrap().unwrap().id, answer);
    assert_eq!(store.message_after(chat_id, answer).await.unwrap(), None);
    assert_eq!(ids(&store.message_versions(chat_id, answer).await.unwrap()), [answer]);

    // The last answer anew, whatever the clock does.
    clock.set_back(Duration::from_secs(3600));
    let again = BeginRun { replaces: Some(answer), user_message: None, ..begin(chat_id, "a") };
    let anew = again.assistant_message_id;
    let fence = started(&store, again).await;
    store.settle_run(settle(&fence, &[step(0, "said anew")], None)).await.unwrap();
    assert_eq!(ids(&store.messages(chat_id, 9).await.unwrap()), [rows[0].id, rows[1].id, first, anew]);
    // Another message in the place of the second, with all that comes after it, twice.
    let mut edited = vec![first];
    for _ in 0..2 {
        let edit = BeginRun { replaces: edited.last().copied(), ..begin(chat_id, "a") };
        edited.push(edit.user_message.as_ref().unwrap().id);
        let fence = started(&store, edit).await;
        store.settle_run(settle(&fence, &[step(0, "said")], None)).await.unwrap();
    }
    let now = store.messages(chat_id, 9).await.unwrap();
    assert_eq!((now.len(), now[2].id), (4, edited[2]));
    for version in &edited {
        assert_eq!(ids(&store.message_versions(chat_id, *version).await.unwrap()), edited);
        assert_eq!(store.message_now(chat_id, *version).await.unwrap().unwrap().id, edited[2]);
    }
    // What went with it has no place any more, and its versions are there.
    assert_eq!(store.message_now(chat_id, answer).await.unwrap(), None);
    assert_eq!(ids(&store.message_versions(chat_id, anew).await.unwrap()), [answer, anew]);
    // Only of this chat.
    let other = ChatId::generate();
    assert!(store.message_versions(other, first).await.unwrap().is_empty());
    assert_eq!(store.message_now(other, edited[2]).await.unwrap(), None);
    // A chat that is busy keeps what it has.
    started(&store, begin(chat_id, "a")).await;
    let busy = BeginRun { replaces: Some(edited[2]), ..begin(chat_id, "b") };
    assert_eq!(code(store.begin_run(busy).await), ErrorCode::RunAlreadyActive);
    assert_eq!(store.messages(chat_id, 9).await.unwrap().len(), 6);
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
