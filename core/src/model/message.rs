//! Chats and their messages, as rows.

use serde::{Deserialize, Serialize};

use super::json::Json;
use super::part::Part;
use super::word::words;
use crate::clock::Timestamp;
use crate::id::{AgentRoleId, ChatId, MessageId};

words! {
    /// Who wrote a message.
    MessageRole {
        /// A person.
        User = "user",
        /// The model.
        Assistant = "assistant",
    }
    /// How far an assistant's message has come. A row without one was written before statuses existed, and is completed.
    MessageStatus {
        /// Its run is active.
        Streaming = "streaming",
        /// Its run succeeded.
        Completed = "completed",
        /// Its run failed.
        Error = "error",
        /// Its run was aborted.
        Aborted = "aborted",
    }
}

/// A row of `ai_chats`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Chat {
    /// Its id.
    pub id: ChatId,
    /// The workspace that it belongs to.
    pub workspace_id: String,
    /// Its owner.
    pub creator_id: String,
    /// Its title, once it has one.
    pub title: Option<String>,
    /// The role that it was created with.
    pub role_id: Option<AgentRoleId>,
    /// The page that was open when it was created.
    pub page_id: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A chat as a list shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedChat {
    /// Its id.
    pub id: ChatId,
    /// The workspace that it belongs to.
    pub workspace_id: String,
    /// Its owner.
    pub creator_id: String,
    /// Its title, once it has one.
    pub title: Option<String>,
    /// The role that it was created with.
    pub role_id: Option<AgentRoleId>,
    /// The role's name, while the role is in use.
    pub role_name: Option<String>,
    /// The role's emoji, while the role is in use.
    pub role_emoji: Option<String>,
    /// The page that was open when it was created.
    pub page_id: Option<String>,
    /// The page's title, where the database has the host's pages.
    pub page_title: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl ListedChat {
    /// The chat with what the list shows beside it.
    pub fn new(chat: Chat, role: Option<(String, Option<String>)>, page_title: Option<String>) -> Self {
        let (role_name, role_emoji) = role.map_or((None, None), |(name, emoji)| (Some(name), emoji));
        Self {
            id: chat.id,
            workspace_id: chat.workspace_id,
            creator_id: chat.creator_id,
            title: chat.title,
            role_id: chat.role_id,
            role_name,
            role_emoji,
            page_id: chat.page_id,
            page_title,
            created_at: chat.created_at,
            updated_at: chat.updated_at,
        }
    }
}

/// A row of `ai_chat_messages`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// The chat that it belongs to.
    pub chat_id: ChatId,
    /// The workspace that it belongs to.
    pub workspace_id: String,
    /// Who wrote it, for a user's message.
    pub user_id: Option<String>,
    /// Who wrote it.
    pub role: MessageRole,
    /// Its text.
    pub content: String,
    /// The flat trace of its tool calls and results.
    pub tool_calls: Option<Json>,
    /// `{parts, finishReason?, usage?, contextTokens?, maxContextTokens?, error?, failure?, historyLeftOut?, reason?,
    /// stepsPersisted?}`; of a user's message `{parts, metadata?}`, the latter the client's own.
    pub metadata: Option<Json>,
    /// How far it has come.
    pub status: Option<MessageStatus>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Message {
    /// The parts in its metadata, or its content as one text part when there are none.
    pub fn parts(&self) -> Vec<Part> {
        #[derive(Deserialize)]
        struct Parts {
            parts: Option<Vec<Part>>,
        }
        let stored = self.metadata.as_ref().and_then(|metadata| metadata.read::<Parts>().ok()?.parts);
        match stored {
            Some(parts) if !parts.is_empty() => parts,
            _ if self.content.is_empty() => Vec::new(),
            _ => vec![Part::Text(super::part::TextPart { text: self.content.clone(), ..Default::default() })],
        }
    }
}
