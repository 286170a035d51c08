//! The ledger: what each call to a provider has used, and what is set aside for calls that are on their way.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::{ChatId, RunId};
use crate::model::{CallKind, CallTokens};
use crate::store::Fence;

/// A call to a provider, as the ledger has it.
#[derive(Clone, Debug)]
pub struct LedgerCall {
    /// Its id, any text.
    pub id: String,
    /// Whose call it is.
    pub workspace_id: String,
    /// Whose call it is, where that is known.
    pub user_id: Option<String>,
    /// The chat, if it was for one.
    pub chat_id: Option<ChatId>,
    /// The run, if it was for one.
    pub run_id: Option<RunId>,
    /// What it was for.
    pub kind: CallKind,
    /// The model that was asked.
    pub model: Option<String>,
    /// What it has used, or is taken for.
    pub tokens: CallTokens,
}

/// The id of the call that a run's step is.
pub(crate) fn step_call_id(run_id: RunId, step: u32) -> String {
    format!("{run_id}/{step}")
}

/// How many tokens a workspace may use in a window that slides with time.
#[derive(Clone, Debug)]
pub struct TokenLimit<'a> {
    /// Whose tokens.
    pub workspace_id: &'a str,
    /// How far back they are counted.
    pub window: Duration,
    /// How many there may be in it.
    pub max: u64,
    /// Only those of calls of one kind.
    pub kind: Option<CallKind>,
}

/// What a report is grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UsageBy {
    /// Days of UTC.
    Day,
    /// Users.
    User,
    /// Chats.
    Chat,
    /// What providers were called for.
    Kind,
    /// Models.
    Model,
}

impl UsageBy {
    /// All of them, in the order in which a report is sorted.
    pub const ALL: [UsageBy; 5] = [UsageBy::Day, UsageBy::User, UsageBy::Chat, UsageBy::Kind, UsageBy::Model];
}

/// Which calls a report is of.
#[derive(Clone, Debug)]
pub struct UsageOf {
    /// Whose calls.
    pub workspace_id: String,
    /// Those of one user.
    pub user_id: Option<String>,
    /// Those for one chat.
    pub chat_id: Option<ChatId>,
    /// Those from this moment on.
    pub from: Option<Timestamp>,
    /// Those before this moment.
    pub until: Option<Timestamp>,
    /// What they are grouped by. Models are always told apart, so that they can be priced.
    pub by: Vec<UsageBy>,
}

/// The calls that have something in common.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageGroup {
    /// The day, as `2026-01-31`.
    pub day: Option<String>,
    /// The user.
    pub user_id: Option<String>,
    /// The chat.
    pub chat_id: Option<String>,
    /// What they were for.
    pub kind: Option<CallKind>,
    /// The model.
    pub model: Option<String>,
    /// How many there are.
    pub calls: u64,
    /// Of these, those with estimated tokens.
    pub estimated_calls: u64,
    /// What all of them have used.
    pub tokens: CallTokens,
}

/// The ledger of calls to providers.
#[async_trait]
pub trait UsageStore: Send + Sync {
    /// Sets aside what a call is taken for, if the workspace has not used all of its tokens: what is set aside counts as used.
    /// Where nothing is left, how long it takes until there is. Whoever repeats the id sets nothing more aside. A run has one
    /// call at a time: what was set aside for it goes when its next call is entered, and stays, as used, when the run is
    /// settled without one. `fence` is that of the call's run, if it has one.
    ///
    /// # Errors
    /// `LEASE_LOST`, `STORE_UNAVAILABLE`.
    async fn reserve_tokens(
        &self,
        limit: &TokenLimit<'_>,
        call: &LedgerCall,
        fence: Option<&Fence>,
    ) -> Result<Option<Duration>>;

    /// Enters a call, in the place of what was set aside for its run; where that knows more of the prompt, it counts. Whoever
    /// repeats the id enters nothing more.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn enter_call(&self, call: &LedgerCall) -> Result<()>;

    /// Settles what is still set aside for calls of this run: they were made, and nobody knows what they have used.
    ///
    /// # Errors
    /// `LEASE_LOST`, `STORE_UNAVAILABLE`.
    async fn settle_reserved(&self, fence: &Fence) -> Result<()>;

    /// Whether a workspace has used all of its tokens, and then how long it takes until some are free again.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn are_tokens_used_up(&self, limit: &TokenLimit<'_>) -> Result<Option<Duration>>;

    /// What was used, in the order of [`UsageBy::ALL`], the newest day first. What is set aside is none of it.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn usage(&self, wanted: &UsageOf) -> Result<Vec<UsageGroup>>;

    /// Forgets the calls that were made so long ago.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn forget_usage(&self, before: Duration) -> Result<()>;
}
