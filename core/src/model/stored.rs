//! A message's row as a store has it, for readers that go through many of them.

use std::ops::ControlFlow;

use crate::id::ChatId;

use super::page::Place;

/// The newest messages of a chat as they were at one moment; what is written later is not among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageSpan {
    /// The chat.
    pub chat_id: ChatId,
    /// How many there are.
    pub count: usize,
    /// Whether there are older ones.
    pub older_left_out: bool,
    /// They come after this one.
    pub after: Option<Place>,
    /// They end with this one; nothing when there are none.
    pub last: Option<Place>,
}

/// A message's row as the store has it: for readers that go through many of them, without copies.
#[derive(Clone, Copy, Debug, Default)]
pub struct StoredMessage<'a> {
    /// Its id.
    pub id: &'a str,
    /// Who wrote it, for a user's message.
    pub user_id: Option<&'a str>,
    /// `user`, `assistant` or a word of another writer's.
    pub role: &'a str,
    /// Its text.
    pub content: Option<&'a str>,
    /// The flat trace, as JSON.
    pub tool_calls: Option<&'a str>,
    /// The metadata, as JSON.
    pub metadata: Option<&'a str>,
    /// How far it has come.
    pub status: Option<&'a str>,
    /// When it was written.
    pub created_at: &'a str,
    /// The same as exactly as the store knows it, where that is more exact.
    pub exact_created_at: Option<&'a str>,
    /// When it was last changed.
    pub updated_at: &'a str,
}

impl StoredMessage<'_> {
    /// Whether the log may know more of it than the row.
    pub fn is_in_progress(&self) -> bool {
        self.role == "assistant" && self.status == Some("streaming")
    }

    /// Its place in the chat.
    pub fn place(&self) -> Place {
        let created_at = self.exact_created_at.unwrap_or(self.created_at);
        Place { created_at: created_at.to_owned(), id: self.id.to_owned() }
    }
}

/// Which large fields a reader wants; the others are not read from the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageFields {
    /// The metadata.
    Metadata,
    /// The content and the metadata.
    Shown,
    /// All of them.
    All,
}

/// Sees one message after another, until it breaks off.
pub type MessageVisitor = Box<dyn FnMut(&StoredMessage<'_>) -> ControlFlow<()> + Send>;
