//! Runs that wait for their chat.

use async_trait::async_trait;

use crate::error::Result;
use crate::id::{ChatId, RunId};
use crate::model::RunReason;
use crate::project::AssistantFlush;
use crate::store::{Began, BeginRun, Sweep};

/// Which runs that wait are to be settled without having begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting<'a> {
    /// This one, as long as it is this owner's.
    Run(RunId, &'a str),
    /// Those whose owner is gone, unless somebody may still come for them.
    Abandoned(Sweep<'a>),
}

/// Runs that wait for their chat.
#[async_trait]
pub trait QueueStore: Send + Sync {
    /// Lets the run wait for its chat, under the lease of its owner.
    ///
    /// # Errors
    /// `FORBIDDEN`, `NOT_FOUND` for a chat that is not there, `STORE_UNAVAILABLE`.
    async fn enqueue_run(&self, begin: BeginRun) -> Result<Began>;

    /// How many runs wait for this chat, and how many of this user's in all chats.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn count_waiting(&self, chat_id: ChatId, workspace_id: &str, user_id: &str) -> Result<(u64, u64)>;

    /// Settles runs that wait as aborted, with both messages, as if they had begun and ended at once. Returns how many
    /// runs those were.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn settle_waiting(&self, waiting: Waiting<'_>, reason: RunReason, assistant: AssistantFlush)
    -> Result<usize>;
}
