//! Forks: each store against a model in which every chat has copies of its own.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use crate::clock::Clock;
use crate::id::{ChatId, MessageId};
use crate::model::{
    Chat, Message, MessageFields, MessageRole, MessageStatus, Paging, PagingFrom, RunStatus, StoredMessage,
};
use crate::project::search_words;
use crate::store::{BeginRun, ForkChat, LastShown, NewUserMessage, SearchFor};

use super::{TestClock, TestStore, begin, settle, started, step};

on_every_store![
    a_fork_goes_its_own_way,
    chats_show_what_they_would_if_forks_were_copies,
    a_fork_of_an_earlier_version_has_what_the_chat_had_then,
    what_a_purged_chat_has_left_to_forks_goes_with_the_last_of_them,
    a_fork_may_have_a_message_of_its_own,
];

fn chat(id: ChatId, clock: &TestClock) -> Chat {
    let now = clock.now();
    Chat {
        id,
        workspace_id: "w".into(),
        creator_id: "u".into(),
        title: Some("a fork".into()),
        role_id: None,
        page_id: None,
        created_at: now,
        updated_at: now,
    }
}

async fn fork(store: &TestStore, clock: &TestClock, origin_id: ChatId, last: LastShown) -> Option<ChatId> {
    let id = ChatId::generate();
    let made = store.fork_chat(ForkChat { chat: chat(id, clock), origin_id, last, own: None }).await.unwrap();
    made.then_some(id)
}

/// A turn of these two messages, in the place of another one if that is given.
async fn turn(store: &TestStore, chat_id: ChatId, text: &str, replaces: Option<MessageId>) -> [MessageId; 2] {
    let user = NewUserMessage {
        id: MessageId::generate(),
        content: format!("asks{text}"),
        metadata: crate::model::Json::parse("{}").unwrap(),
    };
    let begin = BeginRun { replaces, user_message: Some(user.clone()), ..begin(chat_id, "a") };
    ended(store, begin, text).await;
    [user.id, store.messages(chat_id, 1).await.unwrap().pop().unwrap().id]
}

async fn ended(store: &TestStore, begin: BeginRun, text: &str) {
    let fence = started(store, begin).await;
    let said = [step(0, &format!("says{text}"))];
    store.settle_run(settle(&fence, &said, Some(said[0].clone()))).await.unwrap();
}

async fn texts(store: &TestStore, chat_id: ChatId) -> Vec<String> {
    store.messages(chat_id, 999).await.unwrap().into_iter().map(|message| message.content).collect()
}

fn search(words: &str) -> SearchFor {
    SearchFor {
        workspace_id: "w".into(),
        user_id: "u".into(),
        chat_id: None,
        words: search_words(words),
        before: None,
        limit: 99,
    }
}

/// Where messages with this word are found, newest first.
async fn found(store: &TestStore, search: SearchFor) -> Vec<(ChatId, MessageId)> {
    let found = store.search_messages(&search).await.unwrap();
    found.into_iter().map(|(message, _)| (message.chat_id, message.id)).collect()
}

async fn a_fork_goes_its_own_way(store: TestStore, clock: Arc<TestClock>) {
    let origin = ChatId::generate();
    let [_, first] = turn(&store, origin, "one", None).await;
    let [second, _] = turn(&store, origin, "two", None).await;
    let one = fork(&store, &clock, origin, LastShown::With(first)).await.unwrap();
    assert_eq!(store.chat(one).await.unwrap().unwrap().title.as_deref(), Some("a fork"));
    assert_eq!(texts(&store, one).await, ["asksone", "saysone"]);
    assert!(store.messages(one, 9).await.unwrap().iter().all(|message| message.chat_id == one));
    assert!(store.runs_of_chat(one, 9).await.unwrap().is_empty());
    assert!(store.has_message(one, first).await.unwrap() && !store.has_message(one, second).await.unwrap());
    assert_eq!(store.message_after(one, first).await.unwrap(), None);

    turn(&store, one, "other", None).await;
    assert_eq!(texts(&store, one).await, ["asksone", "saysone", "asksother", "saysother"]);
    assert_eq!(texts(&store, origin).await, ["asksone", "saysone", "askstwo", "saystwo"]);

    // Both write the first answer anew, and each has its own versions of it.
    let mut again = Vec::new();
    for (chat_id, text) in [(one, "inone"), (origin, "inorigin")] {
        let begin = BeginRun { replaces: Some(first), user_message: None, ..begin(chat_id, "a") };
        ended(&store, begin, text).await;
        assert_eq!(texts(&store, chat_id).await, ["asksone".to_owned(), format!("says{text}")]);
        let now = store.message_now(chat_id, first).await.unwrap().unwrap();
        assert_eq!(now.content, format!("says{text}"));
        again.push((chat_id, now.id));
    }
    for (chat_id, now) in again {
        let versions = store.message_versions(chat_id, now).await.unwrap();
        assert_eq!(versions.iter().map(|version| version.id).collect::<Vec<_>>(), [first, now]);
    }

    // What one chat does not show any more is found in the other one.
    assert!(found(&store, search("saysone")).await.is_empty());
    let third = fork(&store, &clock, origin, LastShown::With(first)).await.unwrap();
    assert_eq!(texts(&store, third).await, ["asksone", "saysone"]);
    assert_eq!(found(&store, search("saysone")).await, [(third, first)]);
    let asked = store.messages(origin, 9).await.unwrap()[0].id;
    assert_eq!(found(&store, search("asksone")).await, [(origin, asked)]);
    assert_eq!(found(&store, SearchFor { chat_id: Some(one), ..search("asksone") }).await, [(one, asked)]);
    store.delete_chat(origin).await.unwrap();
    assert_eq!(found(&store, search("asksone")).await, [(third, asked)]);
    assert_eq!(store.chat_of_message(asked).await.unwrap(), Some(third));
    assert_eq!(texts(&store, one).await, ["asksone", "saysinone"]);
    assert_eq!(fork(&store, &clock, origin, LastShown::With(MessageId::generate())).await, None);
}

async fn a_fork_of_an_earlier_version_has_what_the_chat_had_then(store: TestStore, clock: Arc<TestClock>) {
    let origin = ChatId::generate();
    let [asked, first] = turn(&store, origin, "one", None).await;
    let [_, second] = turn(&store, origin, "two", None).await;
    let [asked_anew, _] = turn(&store, origin, "three", Some(asked)).await;
    turn(&store, origin, "four", Some(asked_anew)).await;
    assert_eq!(texts(&store, origin).await, ["asksfour", "saysfour"]);
    for (last, expected) in [
        (LastShown::With(second), vec!["asksone", "saysone", "askstwo", "saystwo"]),
        (LastShown::Before(second), vec!["asksone", "saysone", "askstwo"]),
        (LastShown::With(first), vec!["asksone", "saysone"]),
        (LastShown::Before(asked), vec![]),
        (LastShown::With(asked_anew), vec!["asksthree"]),
    ] {
        let fork = fork(&store, &clock, origin, last).await.unwrap();
        assert_eq!(texts(&store, fork).await, expected, "{last:?}");
        // What is written there comes after it.
        turn(&store, fork, "more", None).await;
        let more = ["asksmore", "saysmore"];
        assert_eq!(texts(&store, fork).await, [expected, more.to_vec()].concat());
    }
    // Where a fork has been cut, what it showed before is not known: the answer is no, not something else.
    let one = fork(&store, &clock, origin, LastShown::With(second)).await.unwrap();
    let [_, own] = turn(&store, one, "own", None).await;
    let edited = store.message_now(one, first).await.unwrap().unwrap().id;
    ended(&store, BeginRun { replaces: Some(edited), user_message: None, ..begin(one, "a") }, "anew").await;
    assert_eq!(texts(&store, one).await, ["asksone", "saysanew"]);
    assert_eq!(fork(&store, &clock, one, LastShown::With(own)).await, None);
    // Of what comes before the cut it is.
    let two = fork(&store, &clock, one, LastShown::With(first)).await.unwrap();
    assert_eq!(texts(&store, two).await, ["asksone", "saysone"]);
}

async fn what_a_purged_chat_has_left_to_forks_goes_with_the_last_of_them(store: TestStore, clock: Arc<TestClock>) {
    let origin = ChatId::generate();
    let [_, first] = turn(&store, origin, "one", None).await;
    let [_, second] = turn(&store, origin, "two", None).await;
    turn(&store, origin, "three", None).await;
    let short = fork(&store, &clock, origin, LastShown::With(first)).await.unwrap();
    let long = fork(&store, &clock, origin, LastShown::With(second)).await.unwrap();
    let of_short = fork(&store, &clock, short, LastShown::With(first)).await.unwrap();
    store.purge_chats(&[origin]).await.unwrap();
    assert_eq!(store.chat_even_deleted(origin).await.unwrap(), None);
    assert!(texts(&store, origin).await.is_empty() && store.runs_of_chat(origin, 9).await.unwrap().is_empty());
    assert!(store.outdated_chats(None, Some(std::time::Duration::ZERO), 9).await.unwrap().is_empty());
    for chat_id in [short, of_short] {
        assert_eq!(texts(&store, chat_id).await, ["asksone", "saysone"]);
    }
    assert_eq!(texts(&store, long).await, ["asksone", "saysone", "askstwo", "saystwo"]);
    let written = async |message_id| store.chat_of_message(message_id).await.unwrap().is_some();
    assert!(written(first).await && written(second).await && found(&store, search("saysthree")).await.is_empty());
    assert_eq!(found(&store, search("saystwo")).await, [(long, second)]);

    store.purge_chats(&[long]).await.unwrap();
    assert!(written(first).await && !written(second).await);
    assert!(found(&store, search("saystwo")).await.is_empty());
    turn(&store, of_short, "four", None).await;
    store.purge_chats(&[short, ChatId::generate()]).await.unwrap();
    assert_eq!(texts(&store, of_short).await, ["asksone", "saysone", "asksfour", "saysfour"]);
    store.purge_chats(&[of_short]).await.unwrap();
    assert!(!written(first).await);
    // The id is free again.
    turn(&store, origin, "five", None).await;
    assert_eq!(texts(&store, origin).await, ["asksfive", "saysfive"]);
    // All at once, in whatever order.
    let [_, last] = turn(&store, origin, "six", None).await;
    let one = fork(&store, &clock, origin, LastShown::With(last)).await.unwrap();
    let two = fork(&store, &clock, one, LastShown::With(last)).await.unwrap();
    store.purge_chats(&[one, origin, two]).await.unwrap();
    assert!(!written(last).await);
}

async fn a_fork_may_have_a_message_of_its_own(store: TestStore, clock: Arc<TestClock>) {
    let origin = ChatId::generate();
    let [_, first] = turn(&store, origin, "one", None).await;
    let id = ChatId::generate();
    let now = store.messages(origin, 1).await.unwrap().pop().unwrap();
    let own = Message {
        id: MessageId::generate(),
        chat_id: id,
        content: "a part".into(),
        role: MessageRole::Assistant,
        status: Some(MessageStatus::Completed),
        ..now.clone()
    };
    let made =
        ForkChat { chat: chat(id, &clock), origin_id: origin, last: LastShown::Before(first), own: Some(own.clone()) };
    assert!(store.fork_chat(made).await.unwrap());
    let messages = store.messages(id, 9).await.unwrap();
    assert_eq!(messages[1], own);
    turn(&store, id, "two", None).await;
    assert_eq!(texts(&store, id).await, ["asksone", "a part", "askstwo", "saystwo"]);
    // An id that is taken fails it, and leaves nothing.
    let again = ForkChat { chat: chat(id, &clock), origin_id: origin, last: LastShown::With(first), own: None };
    store.fork_chat(again).await.unwrap_err();
    assert_eq!(texts(&store, id).await.len(), 4);
}

/// Pseudo-random numbers; the same ones each time.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

async fn chats_show_what_they_would_if_forks_were_copies(store: TestStore, clock: Arc<TestClock>) {
    let mut model: BTreeMap<ChatId, Vec<(MessageId, String)>> = BTreeMap::new();
    let mut draw = Draw(store.kind().len() as u64);
    for number in 0..60 {
        if draw.below(4) == 0 {
            // A clock that goes back changes nothing of the order.
            let by = std::time::Duration::from_millis(draw.below(50) as u64);
            if draw.below(2) == 0 { clock.advance(by) } else { clock.set_back(by) }
        }
        let chats: Vec<ChatId> = model.keys().copied().collect();
        let picked = (!chats.is_empty()).then(|| chats[draw.below(chats.len())]);
        let text = number.to_string();
        match (draw.below(10), picked) {
            (0, _) | (_, None) => {
                let id = ChatId::generate();
                let [asks, says] = turn(&store, id, &text, None).await;
                model.insert(id, vec![(asks, format!("asks{text}")), (says, format!("says{text}"))]);
            }
            (1..=3, Some(id)) => {
                let [asks, says] = turn(&store, id, &text, None).await;
                let messages = model.get_mut(&id).unwrap();
                messages.extend([(asks, format!("asks{text}")), (says, format!("says{text}"))]);
            }
            (4 | 5, Some(id)) => {
                let messages = model.get_mut(&id).unwrap();
                let at = draw.below(messages.len());
                let [asks, says] = turn(&store, id, &text, Some(messages[at].0)).await;
                messages.truncate(at);
                messages.extend([(asks, format!("asks{text}")), (says, format!("says{text}"))]);
            }
            (6, Some(id)) if chats.len() > 2 => {
                store.purge_chats(&[id]).await.unwrap();
                model.remove(&id);
            }
            (_, Some(id)) => {
                let messages = &model[&id];
                let at = draw.below(messages.len());
                let made = fork(&store, &clock, id, LastShown::With(messages[at].0)).await.unwrap();
                let copies = messages[..=at].to_vec();
                model.insert(made, copies);
            }
        }
        for (id, expected) in &model {
            let shown = store.messages(*id, 999).await.unwrap();
            let shown: Vec<_> = shown.into_iter().map(|message| (message.id, message.content)).collect();
            assert_eq!(&shown, expected, "after {number}");
        }
    }
    for (id, expected) in &model {
        read_in_every_way(&store, *id, expected).await;
    }
    assert!(
        store
            .runs_of_chat(*model.keys().next().unwrap(), 1)
            .await
            .unwrap()
            .iter()
            .all(|run| run.status == RunStatus::Succeeded)
    );
    store.purge_chats(&model.keys().copied().collect::<Vec<_>>()).await.unwrap();
    for message_id in model.values().flatten().map(|(id, _)| *id) {
        assert_eq!(store.chat_of_message(message_id).await.unwrap(), None);
    }
}

async fn read_in_every_way(store: &TestStore, id: ChatId, expected: &[(MessageId, String)]) {
    let ids: Vec<MessageId> = expected.iter().map(|(id, _)| *id).collect();
    for newest_first in [true, false] {
        let (mut paged, mut from) = (Vec::new(), None);
        loop {
            let paging = Paging { newest_first, from: from.take(), limit: 3 };
            let part = store.paged_messages(id, &paging).await.unwrap();
            let Some((_, place)) = part.last() else { break };
            from = Some(PagingFrom::After(place.clone()));
            paged.extend(part.into_iter().map(|(message, _)| message.id));
        }
        if newest_first {
            paged.reverse();
        }
        assert_eq!(paged, ids);
    }
    for (at, (message_id, text)) in expected.iter().enumerate() {
        let before = store.messages_before(id, *message_id, 2).await.unwrap();
        let before: Vec<_> = before.iter().map(|message| message.id).collect();
        assert_eq!(before, ids[at.saturating_sub(2)..at]);
        assert_eq!(store.message_after(id, *message_id).await.unwrap().map(|next| next.id), ids.get(at + 1).copied());
        assert_eq!(store.message_now(id, *message_id).await.unwrap().unwrap().content, *text);
        let in_chat = found(store, SearchFor { chat_id: Some(id), ..search(text) }).await;
        assert_eq!(in_chat, [(id, *message_id)], "{text}");
        assert_eq!(found(store, search(text)).await.len(), 1);
    }
    for limit in [1, 2, 5, 999] {
        let span = store.message_span(id, limit).await.unwrap();
        assert_eq!((span.count, span.older_left_out), (ids.len().min(limit), ids.len() > limit));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&seen);
        let visitor = Box::new(move |row: &StoredMessage<'_>| {
            shared.lock().unwrap().push(row.id.to_owned());
            ControlFlow::Continue(())
        });
        store.visit_messages(&span, MessageFields::Shown, visitor).await.unwrap();
        let newest: Vec<String> = ids[ids.len().saturating_sub(limit)..].iter().map(ToString::to_string).collect();
        assert_eq!(*seen.lock().unwrap(), newest);
    }
}
