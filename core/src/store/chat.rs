//! Chats and their messages.

use std::time::Duration;

use async_trait::async_trait;

use crate::error::Result;
use crate::id::{ChatId, MessageId};
use crate::model::{Chat, ListedChat, Message, MessageFields, MessageSpan, MessageVisitor, Paging, Place};
use crate::project::SearchWord;

/// What is searched for in the messages of a user's chats.
#[derive(Clone, Debug)]
pub struct SearchFor {
    /// The workspace.
    pub workspace_id: String,
    /// The user.
    pub user_id: String,
    /// In this chat alone.
    pub chat_id: Option<ChatId>,
    /// All of these words, in whatever order.
    pub words: Vec<SearchWord>,
    /// Only what is older than this message.
    pub before: Option<MessageId>,
    /// How many messages at most.
    pub limit: usize,
}

/// A chat that shows what another one has up to a message, and then goes its own way.
#[derive(Clone, Debug)]
pub struct ForkChat {
    /// The new chat. Its owner is that of the other one.
    pub chat: Chat,
    /// The other chat.
    pub origin_id: ChatId,
    /// Up to where.
    pub last: LastShown,
    /// A message of its own, which comes after these.
    pub own: Option<Message>,
}

/// Up to where a fork shows what another chat has: a message that this has, or has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastShown {
    /// Up to this message and with it.
    With(MessageId),
    /// Up to the one before it.
    Before(MessageId),
}

impl LastShown {
    /// The message.
    pub fn message_id(self) -> MessageId {
        match self {
            Self::With(id) | Self::Before(id) => id,
        }
    }

    /// The id that the ids of what is shown are less than, of messages that were written at the same moment.
    pub(crate) fn bound(self) -> MessageId {
        match self {
            Self::With(id) => id.following(),
            Self::Before(id) => id,
        }
    }
}

/// Chats and their messages.
#[async_trait]
pub trait ChatStore: Send + Sync {
    /// One chat that is not deleted.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn chat(&self, chat_id: ChatId) -> Result<Option<Chat>>;

    /// A part of the list of the user's chats, in the list's order, each with its place in it.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn chats(&self, workspace_id: &str, user_id: &str, paging: &Paging) -> Result<Vec<(ListedChat, Place)>>;

    /// The user's newest chat that was created on this page.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn latest_chat_of_page(&self, workspace_id: &str, user_id: &str, page_id: &str) -> Result<Option<Chat>>;

    /// Gives a chat another title. `false` when it is not there.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn rename_chat(&self, chat_id: ChatId, title: &str) -> Result<bool>;

    /// Deletes a chat so that nobody sees it any more; its rows stay. `false` when it is not there.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn delete_chat(&self, chat_id: ChatId) -> Result<bool>;

    /// The chat, whether or not it is deleted.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn chat_even_deleted(&self, chat_id: ChatId) -> Result<Option<Chat>>;

    /// Removes chats and all that belongs to them: messages, runs, their log, what is found by searching. What forks of
    /// them show belongs to the forks, and goes with the last of these.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn purge_chats(&self, chat_ids: &[ChatId]) -> Result<()>;

    /// Overwrites what removed rows have left in the database's files, where that is in our hands. `false` when somebody
    /// else's reading keeps it from being done now.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn scrub(&self) -> Result<bool> {
        Ok(true)
    }

    /// Chats that have no active run and have not been changed for so long: of those that are deleted for `deleted`, of
    /// the others for `unchanged`.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn outdated_chats(
        &self,
        unchanged: Option<Duration>,
        deleted: Option<Duration>,
        limit: usize,
    ) -> Result<Vec<ChatId>>;

    /// A part of a chat's messages, in the order that is asked for, each with its place.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn paged_messages(&self, chat_id: ChatId, paging: &Paging) -> Result<Vec<(Message, Place)>>;

    /// A message of the chat, or the one that stands in its place by now.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn message_now(&self, chat_id: ChatId, message_id: MessageId) -> Result<Option<Message>>;

    /// The message after this one in the chat.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn message_after(&self, chat_id: ChatId, message_id: MessageId) -> Result<Option<Message>>;

    /// The message and all that have stood in its place, oldest first; nothing when the chat has never had it.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn message_versions(&self, chat_id: ChatId, message_id: MessageId) -> Result<Vec<Message>>;

    /// Enters the words of some messages that wait for it into the index that they are found by, where that is not done
    /// when they are written. Whether there may be more of them.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn enter_waiting(&self) -> Result<bool> {
        Ok(false)
    }

    /// The messages that have these words, newest first, each with its chat's title.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn search_messages(&self, search: &SearchFor) -> Result<Vec<(Message, Option<String>)>>;

    /// Whether the chat has this message, or has had it before another one came in its place.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn has_message(&self, chat_id: ChatId, message_id: MessageId) -> Result<bool>;

    /// The chat that a message of this id was written in; where that is deleted, the newest fork that shows it, if any does.
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

    /// Makes a chat that goes on where another one was, at a small cost however long that is: both show the same messages.
    /// Whatever becomes of the other one later, the fork shows what it showed. `false`, and nothing made, when the other
    /// one does not have that message, or had it at a time of which it is not known any more what it showed.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn fork_chat(&self, fork: ForkChat) -> Result<bool>;

    /// Names a chat that has no name. `false` when it has one, or is not there.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn name_chat(&self, chat_id: ChatId, title: &str) -> Result<bool>;

    /// Ends messages that say that they are being written, while no run shows in them and nobody has touched them for
    /// [`super::UNTOUCHED_WITHOUT_LEASE`]: those that another writer left. Returns how many those were. Where many messages
    /// are being written, as those of runs that wait are, it looks at some of them, and at the next ones the next time.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn settle_stray_messages(&self) -> Result<usize>;
}
