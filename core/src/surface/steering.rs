//! Messages that join a run that is under way.

use serde::Deserialize;

use crate::engine::{Engine, SteerAnswer, UserMessage, Who};
use crate::error::{Error, Result};
use crate::id::{ChatRef, MessageId, RunId};
use crate::model::Steering;

use super::Operation;

/// Lets a user's message join a run that has not ended, of whichever process. It is on disk when this answers. It enters
/// before the answer of the run's next step, and a run that would have succeeded makes one more step for it; if the run ends
/// otherwise, or has no step left, the message is the chat's next turn's. `place` says which of the two is to be expected. A
/// message of an id, or with a key, that was accepted before is that one: `state` says what has become of it.
///
/// # Errors
/// `RUN_NOT_ACTIVE` for a run that has ended or waits for its chat; `MESSAGE_EXISTS`; `RATE_LIMITED` when so many wait already
/// (`runs.maxSteering`); `INVALID_INPUT`, `NOT_FOUND`, `FORBIDDEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Steer {
    workspace_id: String,
    user_id: String,
    /// The run.
    run_id: RunId,
    /// The message, as a turn is begun with.
    message: UserMessage,
    /// What stands for the message where it has no id: a second one of the same key is the first.
    #[serde(default)]
    idempotency_key: Option<String>,
}

impl Operation for Steer {
    const NAME: &'static str = "runs.steer";
    type Answer = SteerAnswer;

    async fn answer(self, engine: &Engine) -> Result<SteerAnswer> {
        let who = Who { workspace_id: self.workspace_id, user_id: self.user_id };
        engine.steer(&who, self.run_id, &self.message, self.idempotency_key.as_deref()).await
    }
}

/// Takes a message back that waits: for its run, or for the next turn. Taking it back again changes nothing.
///
/// # Errors
/// `NOT_WAITING` for one that has entered its run, or is a message of the chat by now (`details.state`); `NOT_FOUND`,
/// `FORBIDDEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Unsteer {
    workspace_id: String,
    user_id: String,
    /// The message's id, as `runs.steer` has answered it.
    message_id: MessageId,
}

impl Operation for Unsteer {
    const NAME: &'static str = "runs.unsteer";
    type Answer = Steering;

    async fn answer(self, engine: &Engine) -> Result<Steering> {
        engine.unsteer(&Who { workspace_id: self.workspace_id, user_id: self.user_id }, self.message_id).await
    }
}

/// The messages that wait, in their order: for the next step of a run, or, where that has ended, for the chat's next turn.
///
/// # Errors
/// `NOT_FOUND`, `FORBIDDEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Queue {
    workspace_id: String,
    user_id: String,
    /// Those of one run,
    #[serde(default)]
    run_id: Option<RunId>,
    /// or those of a whole chat.
    #[serde(default)]
    chat_id: Option<ChatRef>,
}

impl Operation for Queue {
    const NAME: &'static str = "runs.queue";
    type Answer = Vec<Steering>;

    async fn answer(self, engine: &Engine) -> Result<Vec<Steering>> {
        let who = Who { workspace_id: self.workspace_id, user_id: self.user_id };
        match (self.run_id, self.chat_id) {
            (Some(run_id), None) => engine.queue_of_run(&who, run_id).await,
            (None, Some(chat_id)) => {
                let (who, chat_id) = engine.of_chat(who.workspace_id, who.user_id, &chat_id)?;
                engine.queue(&who, chat_id).await
            }
            _ => Err(Error::invalid("runId", "give runId or chatId")),
        }
    }
}

/// All messages that were accepted for a run, in their order, with what has become of each.
///
/// # Errors
/// `NOT_FOUND`, `FORBIDDEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct List {
    workspace_id: String,
    user_id: String,
    /// The run.
    run_id: RunId,
}

impl Operation for List {
    const NAME: &'static str = "runs.steering";
    type Answer = Vec<Steering>;

    async fn answer(self, engine: &Engine) -> Result<Vec<Steering>> {
        engine.steering(&Who { workspace_id: self.workspace_id, user_id: self.user_id }, self.run_id).await
    }
}

/// For a host with a loop of its own (`runs.begin`): lets the messages that wait for its run enter before the step that it
/// records next, and answers them, to be told to the model. They are in the log then. Asking again before the step is
/// recorded answers the same ones.
///
/// # Errors
/// `NOT_FOUND`, `FORBIDDEN`, `LEASE_LOST`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Take {
    workspace_id: String,
    user_id: String,
    /// The run.
    run_id: RunId,
}

impl Operation for Take {
    const NAME: &'static str = "runs.takeSteering";
    type Answer = Vec<Steering>;

    async fn answer(self, engine: &Engine) -> Result<Vec<Steering>> {
        engine.take_steering(&Who { workspace_id: self.workspace_id, user_id: self.user_id }, self.run_id).await
    }
}
