//! Messages that join runs that are under way.
//!
//! Such a message is in the store before it is acknowledged, and its state changes once: it enters the run's log, in the one
//! write that puts it there; or it is the chat's next turn's, in the one write that makes it a message of the chat; or it is
//! taken back.

use async_trait::async_trait;

use crate::error::Result;
use crate::id::{ChatId, MessageId, RunId};
use crate::model::{Json, Steering};
use crate::store::Fence;

/// A message that is to join a run.
#[derive(Clone, Debug)]
pub struct NewSteering {
    /// Its id.
    pub message_id: MessageId,
    /// The run.
    pub run_id: RunId,
    /// The run's chat.
    pub chat_id: ChatId,
    /// Who wrote it.
    pub user_id: String,
    /// Its text.
    pub content: String,
    /// `{"parts": [...], "metadata"?}`, as a user's message has it.
    pub message: Json,
    /// How many may wait for one run.
    pub most: u32,
}

/// What has come of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Steered {
    /// It is on disk and waits.
    Waits(Steering),
    /// A message of this id was accepted before.
    Repeated(Steering),
    /// The run has ended, or has not begun.
    NotActive,
    /// So many wait already.
    TooMany,
}

/// The write with which all messages that wait for a run enter its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnterSteering {
    /// The owner of the run.
    pub fence: Fence,
    /// The step that they enter before.
    pub step: u32,
    /// The number of the first chunk that tells of them.
    pub first_sequence: u64,
    /// That the step begins was told before.
    pub begun: bool,
}

/// Which messages are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SteeringOf {
    /// All that were for this run, in the order in which they were accepted.
    Run(RunId),
    /// Those of this chat that wait, in that order.
    WaitingInChat(ChatId),
}

/// Messages that join runs.
#[async_trait]
pub trait SteerStore: Send + Sync {
    /// Keeps a message for a run that has not ended. One of an id that was accepted before is that one.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn steer(&self, new: NewSteering) -> Result<Steered>;

    /// Takes a message back if it waits. Returns it as it is after that.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn unsteer(&self, message_id: MessageId) -> Result<Option<Steering>>;

    /// One message.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn steering_message(&self, message_id: MessageId) -> Result<Option<Steering>>;

    /// Messages in the order in which they were accepted.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn steering(&self, of: &SteeringOf) -> Result<Vec<Steering>>;

    /// Lets all messages that wait for the run enter before a step, together with the chunks that tell of them
    /// ([`crate::model::entering_chunks`]). Doing it again gives the same ones. With none nothing is written.
    ///
    /// # Errors
    /// `LEASE_LOST`, `STORE_UNAVAILABLE`.
    async fn enter_steering(&self, enter: EnterSteering) -> Result<Vec<Steering>>;
}
