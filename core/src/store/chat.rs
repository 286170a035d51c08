//! Chats and their messages.

use async_trait::async_trait;

use crate::error::Result;
use crate::id::{ChatId, MessageId};
use crate::model::{Chat, Message, MessageFields, MessageSpan, MessageVisitor};

/// Chats and their messages.
#[async_trait]
pub trait ChatStore: Send + Sync {
    /// One chat that is not deleted.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn chat(&self, chat_id: ChatId) -> Result<Option<Chat>>;

    /// The chat that has a message of this id.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn chat_of_message(&self, message_id: MessageId) -> Result<Option<ChatId>>;

    /// The newest `limit` messages of a chat, oldest first.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn messages(&self, chat_id: ChatId, limit: usize) -> Result<Vec<Message>>;

    /// The newest `limit` messages of a chat that are older than this one, oldest first; none where the chat has no such
    /// message.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn messages_before(&self, chat_id: ChatId, before: MessageId, limit: usize) -> Result<Vec<Message>>;

    /// The newest `limit` messages of a chat, to be visited.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn message_span(&self, chat_id: ChatId, limit: usize) -> Result<MessageSpan>;

    /// Shows the messages of the span, oldest first.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn visit_messages(&self, span: &MessageSpan, fields: MessageFields, visitor: MessageVisitor) -> Result<()>;

    /// Creates a chat with these messages, all or nothing.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn import_chat(&self, chat: Chat, messages: Vec<Message>) -> Result<()>;

    /// Names a chat that has no name. `false` when it has one, or is not there.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn name_chat(&self, chat_id: ChatId, title: &str) -> Result<bool>;

    /// Ends messages that say that they are being written, while no run shows in them and nobody has touched them for
    /// [`super::UNTOUCHED_WITHOUT_LEASE`]: those that another writer left. Returns how many those were.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn settle_stray_messages(&self) -> Result<usize>;
}
