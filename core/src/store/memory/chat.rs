//! Chats and their messages.

use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::{ChatId, MessageId, RunId};
use crate::model::{
    Chat, Json, ListedChat, Message, MessageFields, MessageRole, MessageSpan, MessageStatus, MessageVisitor, Paging,
    Place, StoredMessage,
};
use crate::project::{AssistantFlush, has_words};
use crate::store::{ChatStore, ForkChat, ONE_PLACE, SearchFor, UNTOUCHED_WITHOUT_LEASE};

use super::{MemoryStore, Tables};

#[async_trait]
impl ChatStore for MemoryStore {
    async fn chat(&self, chat_id: ChatId) -> Result<Option<Chat>> {
        let tables = self.tables()?;
        Ok(tables.chats.get(&chat_id).filter(|_| !tables.deleted_chats.contains_key(&chat_id)).cloned())
    }

    async fn chat_even_deleted(&self, chat_id: ChatId) -> Result<Option<Chat>> {
        Ok(self.tables()?.chats.get(&chat_id).cloned())
    }

    async fn chats(&self, workspace_id: &str, user_id: &str, paging: &Paging) -> Result<Vec<(ListedChat, Place)>> {
        let tables = self.tables()?;
        let chats = tables.chats_of(workspace_id, user_id);
        let placed = chats.into_iter().map(|chat| {
            let place = Place { created_at: chat.created_at.to_string(), id: chat.id.to_string() };
            let role = chat.role_id.and_then(|role_id| tables.role_in_use(workspace_id, role_id));
            let role = role.map(|role| (role.name.clone(), role.emoji.clone()));
            (ListedChat::new(chat, role, None), place)
        });
        Ok(part(placed.collect(), paging))
    }

    async fn latest_chat_of_page(&self, workspace_id: &str, user_id: &str, page_id: &str) -> Result<Option<Chat>> {
        let chats = self.tables()?.chats_of(workspace_id, user_id).into_iter();
        let of_page = chats.filter(|chat| chat.page_id.as_deref() == Some(page_id));
        Ok(of_page.max_by_key(|chat| (chat.created_at, chat.id)))
    }

    async fn rename_chat(&self, chat_id: ChatId, title: &str) -> Result<bool> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        if tables.deleted_chats.contains_key(&chat_id) {
            return Ok(false);
        }
        let Some(chat) = tables.chats.get_mut(&chat_id) else { return Ok(false) };
        (chat.title, chat.updated_at) = (Some(title.to_owned()), now);
        Ok(true)
    }

    async fn delete_chat(&self, chat_id: ChatId) -> Result<bool> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        if !tables.chats.contains_key(&chat_id) || tables.deleted_chats.contains_key(&chat_id) {
            return Ok(false);
        }
        tables.deleted_chats.insert(chat_id, now);
        Ok(true)
    }

    async fn purge_chats(&self, chat_ids: &[ChatId]) -> Result<()> {
        self.tables()?.purge(chat_ids);
        Ok(())
    }

    async fn outdated_chats(
        &self,
        unchanged: Option<Duration>,
        deleted: Option<Duration>,
        limit: usize,
    ) -> Result<Vec<ChatId>> {
        let now = self.clock.now();
        let tables = self.tables()?;
        let is_old = |since: Timestamp, age: Option<Duration>| age.is_some_and(|age| since <= now.before(age));
        let is_active =
            |chat_id| tables.runs.values().any(|row| row.run.chat_id == chat_id && row.run.status.is_active());
        let outdated = tables.chats.values().filter(|chat| {
            !is_active(chat.id)
                && match tables.deleted_chats.get(&chat.id) {
                    Some(since) => is_old(*since, deleted),
                    None => is_old(chat.updated_at, unchanged),
                }
        });
        Ok(outdated.map(|chat| chat.id).take(limit).collect())
    }

    async fn paged_messages(&self, chat_id: ChatId, paging: &Paging) -> Result<Vec<(Message, Place)>> {
        let placed = self.messages(chat_id, usize::MAX).await?.into_iter().map(|message| {
            let place = Place { created_at: message.created_at.to_string(), id: message.id.to_string() };
            (message, place)
        });
        Ok(part(placed.collect(), paging))
    }

    async fn message_now(&self, chat_id: ChatId, message_id: MessageId) -> Result<Option<Message>> {
        let versions = self.message_versions(chat_id, message_id).await?;
        let shown = self.tables()?.shown(chat_id);
        Ok(versions.into_iter().rfind(|version| shown.iter().any(|message| message.id == version.id)))
    }

    async fn message_after(&self, chat_id: ChatId, message_id: MessageId) -> Result<Option<Message>> {
        let tables = self.tables()?;
        let from = tables.ever_shown(chat_id).into_iter().find(|message| message.id == message_id);
        let place = |message: &Message| (message.created_at, message.id);
        let after = |message: &Message| from.as_ref().is_some_and(|from| place(message) > place(from));
        Ok(tables.shown(chat_id).into_iter().find(after))
    }

    async fn message_versions(&self, chat_id: ChatId, message_id: MessageId) -> Result<Vec<Message>> {
        let tables = self.tables()?;
        let first = tables.versions.get(&message_id);
        let is_one = |message: &Message| {
            message.id == message_id || (first.is_some() && tables.versions.get(&message.id) == first)
        };
        let mut versions = tables.ever_shown(chat_id);
        versions.retain(is_one);
        Ok(versions)
    }

    async fn search_messages(&self, search: &SearchFor) -> Result<Vec<(Message, Option<String>)>> {
        let tables = self.tables()?;
        let chats = tables.chats_of(&search.workspace_id, &search.user_id);
        let title = |chat_id| chats.iter().find(|chat| chat.id == chat_id).map(|chat| chat.title.clone());
        let place = |message: &Message| (message.created_at, message.id);
        let before = search.before.map(|id| tables.messages.get(&id).map(place));
        let mut found: Vec<_> = tables
            .messages
            .values()
            .filter(|message| message.status != Some(MessageStatus::Streaming))
            .filter(|message| before.is_none_or(|before| Some(place(message)) < before))
            .filter(|message| has_words(&message.content, &search.words))
            .filter_map(|message| {
                // What its own chat does not show any more is found in the newest of its forks that does.
                let forks = chats.iter().map(|chat| chat.id).filter(|id| *id != message.chat_id).rev();
                let mut in_order = [message.chat_id].into_iter().chain(forks);
                let shown_in = in_order.find(|chat_id| {
                    search.chat_id.is_none_or(|wanted| wanted == *chat_id)
                        && title(*chat_id).is_some()
                        && tables.shows(*chat_id, message)
                })?;
                Some((Message { chat_id: shown_in, ..message.clone() }, title(shown_in)?))
            })
            .collect();
        found.sort_by_key(|(message, _)| std::cmp::Reverse(place(message)));
        found.truncate(search.limit);
        Ok(found)
    }

    async fn has_message(&self, chat_id: ChatId, message_id: MessageId) -> Result<bool> {
        Ok(self.tables()?.ever_shown(chat_id).iter().any(|message| message.id == message_id))
    }

    async fn chat_of_message(&self, message_id: MessageId) -> Result<Option<ChatId>> {
        let tables = self.tables()?;
        let Some(message) = tables.messages.get(&message_id) else { return Ok(None) };
        let lives =
            |chat_id: &ChatId| tables.chats.contains_key(chat_id) && !tables.deleted_chats.contains_key(chat_id);
        let shows = |fork: &&ChatId| lives(fork) && tables.shows(**fork, message);
        let fork = tables.forks.keys().rev().find(shows).filter(|_| !lives(&message.chat_id));
        Ok(Some(fork.copied().unwrap_or(message.chat_id)))
    }

    async fn messages(&self, chat_id: ChatId, limit: usize) -> Result<Vec<Message>> {
        let mut messages = self.tables()?.shown(chat_id);
        let older = messages.len().saturating_sub(limit);
        Ok(messages.split_off(older))
    }

    async fn messages_before(&self, chat_id: ChatId, before: MessageId, limit: usize) -> Result<Vec<Message>> {
        let tables = self.tables()?;
        let place = |message: &Message| (message.created_at, message.id);
        let bound = tables.ever_shown(chat_id).into_iter().find(|message| message.id == before);
        let mut all = tables.shown(chat_id);
        all.retain(|message| bound.as_ref().is_some_and(|bound| place(message) < place(bound)));
        let older = all.len().saturating_sub(limit);
        Ok(all.split_off(older))
    }

    async fn message_span(&self, chat_id: ChatId, limit: usize) -> Result<MessageSpan> {
        let all = self.messages(chat_id, usize::MAX).await?;
        let older = all.len().saturating_sub(limit);
        let place =
            |message: &Message| Place { created_at: message.created_at.to_string(), id: message.id.to_string() };
        Ok(MessageSpan {
            chat_id,
            count: all.len() - older,
            older_left_out: older > 0,
            after: older.checked_sub(1).and_then(|last| all.get(last)).map(place),
            last: all.last().map(place),
        })
    }

    async fn visit_messages(&self, span: &MessageSpan, _: MessageFields, mut visitor: MessageVisitor) -> Result<()> {
        for message in self.messages(span.chat_id, usize::MAX).await? {
            let (id, created_at) = (message.id.to_string(), message.created_at.to_string());
            let place = Some(Place { created_at: created_at.clone(), id: id.clone() });
            if place <= span.after || place > span.last {
                continue;
            }
            let stored = StoredMessage {
                id: &id,
                user_id: message.user_id.as_deref(),
                role: message.role.as_str(),
                content: Some(&message.content),
                tool_calls: message.tool_calls.as_ref().map(Json::get),
                metadata: message.metadata.as_ref().map(Json::get),
                status: message.status.map(|status| status.as_str()),
                created_at: &created_at,
                exact_created_at: None,
                updated_at: &message.updated_at.to_string(),
            };
            if visitor(&stored).is_break() {
                break;
            }
        }
        Ok(())
    }

    async fn import_chat(&self, chat: Chat, messages: Vec<Message>) -> Result<()> {
        let mut tables = self.tables()?;
        if tables.chats.contains_key(&chat.id) || messages.iter().any(|row| tables.messages.contains_key(&row.id)) {
            return Err(Error::internal("an imported row is there already"));
        }
        tables.chats.insert(chat.id, chat);
        tables.messages.extend(messages.into_iter().map(|message| (message.id, message)));
        Ok(())
    }

    async fn fork_chat(&self, fork: ForkChat) -> Result<bool> {
        let mut tables = self.tables()?;
        if tables.chats.contains_key(&fork.chat.id) {
            return Err(Error::internal("the chat is there already"));
        }
        Ok(tables.fork(fork))
    }

    async fn name_chat(&self, chat_id: ChatId, title: &str) -> Result<bool> {
        let mut tables = self.tables()?;
        let unnamed = |chat: &&mut Chat| chat.title.as_deref().unwrap_or_default().is_empty();
        let Some(chat) = tables.chats.get_mut(&chat_id).filter(unnamed) else { return Ok(false) };
        chat.title = Some(title.to_owned());
        chat.updated_at = self.clock.now();
        Ok(true)
    }

    async fn settle_stray_messages(&self) -> Result<usize> {
        let now = self.clock.now();
        let long_ago = now.before(UNTOUCHED_WITHOUT_LEASE);
        let mut tables = self.tables()?;
        let Tables { messages, runs, .. } = &mut *tables;
        let mut settled = 0;
        for message in messages.values_mut() {
            let is_shown = || {
                runs.values().any(|row| row.run.assistant_message_id == Some(message.id) && row.run.status.is_active())
            };
            let streams = message.role == MessageRole::Assistant && message.status == Some(MessageStatus::Streaming);
            if streams && message.updated_at <= long_ago && !is_shown() {
                message.status = Some(MessageStatus::Aborted);
                message.updated_at = now;
                settled += 1;
            }
        }
        Ok(settled)
    }
}

/// The part of a list that is asked for.
fn part<T>(mut list: Vec<(T, Place)>, paging: &Paging) -> Vec<(T, Place)> {
    list.sort_by(|(_, one), (_, other)| one.cmp(other));
    if paging.descends() {
        list.reverse();
    }
    if let Some(from) = paging.place() {
        list.retain(|(_, place)| if paging.descends() { place < from } else { place > from });
    }
    list.truncate(paging.limit);
    paging.in_order(list)
}

impl Tables {
    /// The user's chats that are not deleted.
    fn chats_of(&self, workspace_id: &str, user_id: &str) -> Vec<Chat> {
        let is_theirs = |chat: &&Chat| chat.workspace_id == workspace_id && chat.creator_id == user_id;
        let there = self.chats.values().filter(|chat| !self.deleted_chats.contains_key(&chat.id));
        there.filter(is_theirs).cloned().collect()
    }

    pub(super) fn update_message(&mut self, run_id: RunId, flush: &AssistantFlush, now: Timestamp) {
        let id = self.runs.get(&run_id).and_then(|row| row.run.assistant_message_id);
        if let Some(message) = id.and_then(|id| self.messages.get_mut(&id)) {
            message.content = flush.content.clone();
            message.tool_calls = flush.tool_calls.clone();
            message.metadata = Some(flush.metadata.clone());
            message.status = Some(flush.status);
            message.updated_at = now;
        }
    }

    /// The place after the chat's last message: its time, unless the clock has gone back since.
    pub(super) fn next_place(&self, chat_id: ChatId, now: Timestamp) -> Timestamp {
        let last = self.messages.values().filter(|row| row.chat_id == chat_id).map(|row| row.created_at).max();
        let last = last.max(self.inherited_until(chat_id));
        last.map_or(now, |last| now.max(last.after(ONE_PLACE)))
    }
}
