//! Chats and their messages, and lists that are read a page at a time.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::error::ErrorCode;
use crate::id::{ChatId, MessageId, RunId};
use crate::model::{
    Chat, Json, Message, MessageFields, MessageRole, MessageSpan, MessageStatus, Paging, PagingFrom, Place,
    StoredMessage,
};
use crate::project::search_words;
use crate::store::SearchFor;

use super::{TestClock, TestStore, begin, code, record, settle, started, step};

const HOUR: Duration = Duration::from_secs(3600);

/// Rows of other times and writers, as an import brings them.
pub(super) fn imported(chat_id: ChatId, clock: &TestClock, count: usize) -> (Chat, Vec<Message>) {
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
    lists_are_read_by_pages_in_both_directions,
    messages_are_read_by_pages_in_both_orders,
    a_deleted_chat_is_seen_by_nobody,
    a_purged_chat_leaves_nothing,
    chats_are_outdated_by_their_age,
    messages_are_found_by_their_words,
];

async fn chat_of(store: &TestStore, user: &str, title: &str, created_at: Timestamp) -> ChatId {
    let id = ChatId::generate();
    let chat = Chat {
        id,
        workspace_id: "w".into(),
        creator_id: user.into(),
        title: Some(title.into()),
        role_id: None,
        page_id: Some(format!("page of {title}")),
        created_at,
        updated_at: created_at,
    };
    store.import_chat(chat, Vec::new()).await.unwrap();
    id
}

fn paging(newest_first: bool, from: Option<PagingFrom>, limit: usize) -> Paging {
    Paging { newest_first, from, limit }
}

async fn lists_are_read_by_pages_in_both_directions(store: TestStore, clock: Arc<TestClock>) {
    let mut ids = Vec::new();
    for number in 0..7_u64 {
        // Two at a time have the same moment: the id, which rises, decides.
        let created_at = clock.now().after(Duration::from_millis(number / 2));
        ids.push(chat_of(&store, "u", &number.to_string(), created_at).await);
    }
    chat_of(&store, "somebody else", "x", clock.now()).await;
    ids.reverse();
    let part = async |newest_first, from, limit| {
        let found = store.chats("w", "u", &paging(newest_first, from, limit)).await.unwrap();
        found.into_iter().map(|(chat, place)| (chat.id, place)).collect::<Vec<_>>()
    };
    let only = |part: &[(ChatId, Place)]| part.iter().map(|(id, _)| *id).collect::<Vec<_>>();
    let all = part(true, None, 99).await;
    assert_eq!(only(&all), ids);
    for (at, (_, place)) in all.iter().enumerate() {
        let after = part(true, Some(PagingFrom::After(place.clone())), 2).await;
        assert_eq!(only(&after), only(&all[at + 1..(at + 3).min(7)]), "after {at}");
        let before = part(true, Some(PagingFrom::Before(place.clone())), 2).await;
        assert_eq!(only(&before), only(&all[at.saturating_sub(2)..at]), "before {at}");
    }
    ids.reverse();
    assert_eq!(only(&part(false, None, 99).await), ids);
    assert!(store.chats("another workspace", "u", &paging(true, None, 9)).await.unwrap().is_empty());

    let latest = store.latest_chat_of_page("w", "u", "page of 3").await.unwrap().unwrap();
    assert_eq!(latest.title.as_deref(), Some("3"));
    assert_eq!(store.latest_chat_of_page("w", "u", "page of x").await.unwrap(), None);
}

async fn messages_are_read_by_pages_in_both_orders(store: TestStore, clock: Arc<TestClock>) {
    let (chat, messages) = imported(ChatId::generate(), &clock, 8);
    store.import_chat(chat.clone(), messages.clone()).await.unwrap();
    for newest_first in [false, true] {
        let mut expected = messages.clone();
        if newest_first {
            expected.reverse();
        }
        let (mut paged, mut from) = (Vec::new(), None);
        loop {
            let page = store.paged_messages(chat.id, &paging(newest_first, from, 3)).await.unwrap();
            let Some((_, last)) = page.last() else { break };
            from = Some(PagingFrom::After(last.clone()));
            paged.extend(page.into_iter().map(|(message, _)| message));
        }
        assert_eq!(paged, expected);
        let all = store.paged_messages(chat.id, &paging(newest_first, None, 99)).await.unwrap();
        let before = PagingFrom::Before(all[5].1.clone());
        let page = store.paged_messages(chat.id, &paging(newest_first, Some(before), 2)).await.unwrap();
        assert_eq!(page.into_iter().map(|(message, _)| message).collect::<Vec<_>>(), expected[3..5]);
    }
}

async fn a_deleted_chat_is_seen_by_nobody(store: TestStore, clock: Arc<TestClock>) {
    let id = chat_of(&store, "u", "before", clock.now()).await;
    clock.advance(Duration::from_secs(1));
    assert!(store.rename_chat(id, "after").await.unwrap());
    let renamed = store.chat(id).await.unwrap().unwrap();
    assert_eq!(renamed.title.as_deref(), Some("after"));
    assert!(renamed.updated_at > renamed.created_at);
    assert!(store.delete_chat(id).await.unwrap());
    assert!(!store.delete_chat(id).await.unwrap());
    assert!(!store.rename_chat(id, "again").await.unwrap());
    assert_eq!(store.chat(id).await.unwrap(), None);
    assert!(store.chats("w", "u", &paging(true, None, 9)).await.unwrap().is_empty());
    assert_eq!(store.latest_chat_of_page("w", "u", "page of before").await.unwrap(), None);
    // When it was last changed stays: deleting changes nothing of what was said.
    assert_eq!(store.chat_even_deleted(id).await.unwrap(), Some(renamed));
    assert_eq!(code(store.begin_run(begin(id, "a")).await), ErrorCode::NotFound);
    assert!(!store.rename_chat(ChatId::generate(), "x").await.unwrap());
}

async fn a_purged_chat_leaves_nothing(store: TestStore, _: Arc<TestClock>) {
    let (gone, kept) = (ChatId::generate(), ChatId::generate());
    let mut runs = Vec::new();
    for chat_id in [gone, kept] {
        let fence = started(&store, begin(chat_id, "a")).await;
        store.record_step(record(&fence, step(0, "said"))).await.unwrap();
        store.enqueue_run(begin(chat_id, "a")).await.unwrap();
        runs.push(fence.run_id);
    }
    store.purge_chats(&[gone, ChatId::generate()]).await.unwrap();
    assert!(store.scrub().await.unwrap());
    assert_eq!(store.chat_even_deleted(gone).await.unwrap(), None);
    assert!(store.messages(gone, 9).await.unwrap().is_empty());
    assert!(store.runs_of_chat(gone, 9).await.unwrap().is_empty());
    assert_eq!(store.run(runs[0]).await.unwrap(), None);
    assert!(store.steps(runs[0]).await.unwrap().is_empty());
    assert_eq!(store.messages(kept, 9).await.unwrap().len(), 2);
    assert_eq!(store.runs_of_chat(kept, 9).await.unwrap().len(), 2);
    assert_eq!(store.steps(runs[1]).await.unwrap().len(), 1);
}

async fn chats_are_outdated_by_their_age(store: TestStore, clock: Arc<TestClock>) {
    // By the store's own clock.
    let used = async || {
        let id = ChatId::generate();
        let fence = started(&store, begin(id, "a")).await;
        store.settle_run(settle(&fence, &[], None)).await.unwrap();
        id
    };
    let (old, deleted) = (used().await, used().await);
    started(&store, begin(ChatId::generate(), "a")).await;
    clock.advance(2 * HOUR);
    store.delete_chat(deleted).await.unwrap();
    let new = used().await;
    clock.advance(HOUR / 2);
    let outdated = async |unchanged: Option<Duration>, deleted: Option<Duration>| {
        store.outdated_chats(unchanged, deleted, 9).await.unwrap()
    };
    assert_eq!(outdated(Some(HOUR), None).await, [old]);
    assert!(outdated(None, Some(HOUR)).await.is_empty());
    assert_eq!(outdated(None, Some(HOUR / 4)).await, [deleted]);
    assert!(outdated(None, None).await.is_empty());
    let mut all = outdated(Some(Duration::ZERO), Some(Duration::ZERO)).await;
    all.sort_unstable();
    let mut expected = [old, deleted, new];
    expected.sort_unstable();
    assert_eq!(all, expected);
    assert_eq!(store.outdated_chats(Some(Duration::ZERO), Some(Duration::ZERO), 2).await.unwrap().len(), 2);
}

async fn messages_are_found_by_their_words(store: TestStore, clock: Arc<TestClock>) {
    let id = ChatId::generate();
    let (chat, mut messages) = imported(id, &clock, 5);
    let texts = [
        "The quarterly reports were running late.",
        "Все отчёты готовы, спасибо!",
        "a@b.example: see https://host.example/path, section 4.2",
        "running away from \u{0} NASA's report",
        "said while it was written",
    ];
    for (message, text) in messages.iter_mut().zip(texts) {
        message.content = text.into();
    }
    let ids: Vec<MessageId> = messages.iter().map(|message| message.id).collect();
    store.import_chat(chat, messages).await.unwrap();
    let search = |query: &str| SearchFor {
        workspace_id: "w".into(),
        user_id: "u".into(),
        chat_id: None,
        words: search_words(query),
        before: None,
        limit: 9,
    };
    let found = async |search: SearchFor| {
        let found = store.search_messages(&search).await.unwrap();
        found.into_iter().map(|(message, title)| (message.id, title)).unzip::<_, _, Vec<_>, Vec<_>>()
    };
    for (query, expected) in [
        ("report", vec![3, 0]),
        ("REPORTS, late", vec![0]),
        ("run", vec![3, 0]),
        ("отчетами", vec![1]),
        ("Отчёт спасибо", vec![1]),
        ("отчет late", vec![]),
        ("nasa", vec![3]),
        ("nothing", vec![]),
    ] {
        let expected: Vec<MessageId> = expected.into_iter().map(|index: usize| ids[index]).collect();
        assert_eq!(found(search(query)).await.0, expected, "{query}");
    }
    assert_eq!(found(search("late")).await.1, [Some("T".to_owned())]);
    // Only the user's, only the chat's, only older ones, only so many.
    for other in [
        SearchFor { user_id: "somebody else".into(), ..search("late") },
        SearchFor { workspace_id: "another".into(), ..search("late") },
        SearchFor { chat_id: Some(ChatId::generate()), ..search("late") },
        SearchFor { before: Some(ids[0]), ..search("late") },
    ] {
        assert!(found(other).await.0.is_empty());
    }
    assert_eq!(found(SearchFor { before: Some(ids[3]), ..search("report") }).await.0, [ids[0]]);
    assert_eq!(found(SearchFor { limit: 1, ..search("report") }).await.0, [ids[3]]);

    // A message is found once it has ended, by what it has then.
    let running = ChatId::generate();
    let fence = started(&store, begin(running, "a")).await;
    store.record_step(record(&fence, step(0, "half an elephant"))).await.unwrap();
    assert!(found(search("elephant")).await.0.is_empty());
    assert_eq!(found(search("hello")).await.0.len(), 1);
    store.settle_run(settle(&fence, &[step(0, "a whole elephant")], None)).await.unwrap();
    assert_eq!(found(search("elephants")).await.0.len(), 1);
    store.delete_chat(running).await.unwrap();
    assert!(found(search("elephant")).await.0.is_empty());
    store.purge_chats(&[running, id]).await.unwrap();
    for query in ["elephant", "report", "отчет"] {
        assert!(found(search(query)).await.0.is_empty());
    }
}

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
    // However many there are.
    let (long, mut many) = imported(ChatId::generate(), &clock, 4_500);
    store.import_chat(long.clone(), many.clone()).await.unwrap();
    assert_eq!(store.messages(long.id, usize::MAX).await.unwrap().len(), 4_500);
    let (broken, mut rows) = imported(ChatId::generate(), &clock, 4_500);
    rows.push(many.remove(0));
    store.import_chat(broken.clone(), rows).await.unwrap_err();
    assert_eq!(store.chat_even_deleted(broken.id).await.unwrap(), None);
    assert!(store.messages(broken.id, 9).await.unwrap().is_empty());
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
