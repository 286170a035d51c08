//! Chats and their messages, and lists that are read a page at a time.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::id::{ChatId, MessageId, RunId};
use crate::model::{Chat, Json, Message, MessageFields, MessageRole, MessageSpan, MessageStatus, StoredMessage};

use super::{TestClock, TestStore, begin, settle, started};

const HOUR: Duration = Duration::from_secs(3600);

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

on_every_store![
    messages_are_visited_in_order_and_within_their_span,
    an_import_is_all_or_nothing,
    pages_go_on_where_the_last_one_ended,
];

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

async fn pages_go_on_where_the_last_one_ended(store: TestStore, clock: Arc<TestClock>) {
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
