//! Chats and their messages.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::{ChatId, MessageId, RunId};
use crate::model::{
    Chat, Json, Message, MessageFields, MessagePlace, MessageRole, MessageSpan, MessageStatus, MessageVisitor,
    StoredMessage,
};
use crate::project::AssistantFlush;
use crate::store::{ChatStore, ONE_PLACE, UNTOUCHED_WITHOUT_LEASE};

use super::{MemoryStore, Tables};

#[async_trait]
impl ChatStore for MemoryStore {
    async fn chat(&self, chat_id: ChatId) -> Result<Option<Chat>> {
        Ok(self.tables()?.chats.get(&chat_id).cloned())
    }

    async fn chat_of_message(&self, message_id: MessageId) -> Result<Option<ChatId>> {
        Ok(self.tables()?.messages.values().find(|message| message.id == message_id).map(|message| message.chat_id))
    }

    async fn messages(&self, chat_id: ChatId, limit: usize) -> Result<Vec<Message>> {
        let tables = self.tables()?;
        let mut messages: Vec<Message> =
            tables.messages.values().filter(|row| row.chat_id == chat_id).cloned().collect();
        messages.sort_by_key(|message| (message.created_at, message.id));
        let older = messages.len().saturating_sub(limit);
        Ok(messages.split_off(older))
    }

    async fn messages_before(&self, chat_id: ChatId, before: MessageId, limit: usize) -> Result<Vec<Message>> {
        let mut all = self.messages(chat_id, usize::MAX).await?;
        all.truncate(all.iter().position(|message| message.id == before).unwrap_or(0));
        let older = all.len().saturating_sub(limit);
        Ok(all.split_off(older))
    }

    async fn message_span(&self, chat_id: ChatId, limit: usize) -> Result<MessageSpan> {
        let all = self.messages(chat_id, usize::MAX).await?;
        let older = all.len().saturating_sub(limit);
        let place =
            |message: &Message| MessagePlace { created_at: message.created_at.to_string(), id: message.id.to_string() };
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
            let place = Some(MessagePlace { created_at: created_at.clone(), id: id.clone() });
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

impl Tables {
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
        last.map_or(now, |last| now.max(last.after(ONE_PLACE)))
    }
}
