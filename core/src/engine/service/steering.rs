//! Letting messages join a run that is under way: accepting them, listing what waits, and taking one back. Whoever does it
//! need not be the process that drives the run.

use serde::Serialize;

use crate::engine::message::{UserMessage, stored_message};
use crate::engine::request::check_key;
use crate::engine::{Engine, Who};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{ChatId, MessageId, RunId};
use crate::model::{Part, Run, Steering, SteeringState};
use crate::store::{NewSteering, Steered, SteeringOf};

/// Where a message that was accepted will be, as far as that is known when it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SteeringPlace {
    /// In its run: before the answer of the next step, unless the run ends before that.
    ThisRun,
    /// In the chat's next turn: the run has ended, or is to stop.
    NextTurn,
    /// Nowhere: it was taken back.
    Nowhere,
}

/// That a message was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SteerAnswer {
    /// Its id.
    pub message_id: MessageId,
    /// Where it will be.
    pub place: SteeringPlace,
    /// What has become of it so far.
    pub state: SteeringState,
}

impl Engine {
    /// Lets a message join a run that has not ended. It is on disk when this returns. It enters before the answer of the
    /// run's next step; if the run ends before that, it is the chat's next turn's. A message of an id, or a key, that was
    /// accepted before is that one.
    ///
    /// # Errors
    /// `RUN_NOT_ACTIVE`, `MESSAGE_EXISTS`, `RATE_LIMITED`, `INVALID_INPUT` with the field's path, `NOT_FOUND`, `FORBIDDEN`,
    /// `STORE_UNAVAILABLE`, `ENGINE_CLOSED`.
    pub async fn steer(
        &self,
        who: &Who,
        run_id: RunId,
        message: &UserMessage,
        key: Option<&str>,
    ) -> Result<SteerAnswer> {
        who.check()?;
        let (parts, envelope) = (message.parts()?, message.envelope()?);
        check_key(key)?;
        let run = self.run(who, run_id).await?;
        let name = envelope.id.as_deref().or(key);
        let message_id = self.steering_id(&run, name).await?;
        let most = self.inner.options.runs.max_steering;
        let new = NewSteering {
            message_id,
            run_id,
            chat_id: run.chat_id,
            user_id: who.user_id.clone(),
            content: parts.iter().filter_map(Part::as_text).collect(),
            message: stored_message(&parts, envelope.metadata.as_ref())?,
            most,
        };
        match self.inner.store.steer(new).await? {
            Steered::Waits(steering) => {
                self.inner.changed(run_id);
                Ok(answer(&steering, &run))
            }
            Steered::Repeated(steering) => Ok(answer(&steering, &run)),
            Steered::NotActive => {
                let message = "the run has ended, or has not begun: begin a turn with the message";
                Err(Error::new(ErrorCode::RunNotActive, message))
            }
            Steered::TooMany => {
                let message = format!("{most} messages are waiting for this run already");
                Err(Error::new(ErrorCode::RateLimited, message)
                    .with_detail("field", "message")
                    .with_detail("limit", most))
            }
        }
    }

    /// The id that the message has in the chat, as one that begins a turn would have it.
    async fn steering_id(&self, run: &Run, name: Option<&str>) -> Result<MessageId> {
        let Some(name) = name else { return Ok(MessageId::generate()) };
        let store = &self.inner.store;
        let derived = MessageId::of_client(run.chat_id, name);
        for id in name.parse::<MessageId>().into_iter().chain([derived]) {
            if let Some(known) = store.steering_message(id).await? {
                if known.chat_id == run.chat_id {
                    return Ok(id);
                }
                continue;
            }
            match store.chat_of_message(id).await? {
                None => return Ok(id),
                Some(chat) if chat == run.chat_id => {
                    let message = "message.id: this message is in the chat already";
                    return Err(Error::new(ErrorCode::MessageExists, message).with_detail("field", "message.id"));
                }
                Some(_) => {}
            }
        }
        Ok(MessageId::generate())
    }

    /// Takes a message back that waits. One that was taken back before stays so.
    ///
    /// # Errors
    /// `NOT_WAITING` for one that has entered its run or is a message of the chat by now, `NOT_FOUND`, `FORBIDDEN`,
    /// `STORE_UNAVAILABLE`, `ENGINE_CLOSED`.
    pub async fn unsteer(&self, who: &Who, message_id: MessageId) -> Result<Steering> {
        who.check()?;
        let not_found = || Error::new(ErrorCode::NotFound, "there is no such message");
        let known = self.inner.store.steering_message(message_id).await?.ok_or_else(not_found)?;
        self.chat(who, known.chat_id).await?;
        let steering = self.inner.store.unsteer(message_id).await?.ok_or_else(not_found)?;
        match steering.state {
            SteeringState::TakenBack => Ok(steering),
            _ => Err(Error::new(ErrorCode::NotWaiting, "the message does not wait any more")
                .with_detail("state", steering.state.as_str())),
        }
    }

    /// The messages that were accepted for a run, in their order, with what has become of them.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn steering(&self, who: &Who, run_id: RunId) -> Result<Vec<Steering>> {
        self.run(who, run_id).await?;
        self.inner.store.steering(&SteeringOf::Run(run_id)).await
    }

    /// What waits in a chat, in its order: for the next step of a run, or for the next turn where that has ended.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn queue(&self, who: &Who, chat_id: ChatId) -> Result<Vec<Steering>> {
        self.chat(who, chat_id).await?;
        self.inner.store.steering(&SteeringOf::WaitingInChat(chat_id)).await
    }

    /// The same of one run.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn queue_of_run(&self, who: &Who, run_id: RunId) -> Result<Vec<Steering>> {
        let mut found = self.steering(who, run_id).await?;
        found.retain(|steering| steering.state == SteeringState::Waiting);
        Ok(found)
    }
}

fn answer(steering: &Steering, run: &Run) -> SteerAnswer {
    let goes_on = |run: &Run| run.status.is_active() && run.stop_requested_at.is_none();
    let place = match steering.state {
        SteeringState::Entered => SteeringPlace::ThisRun,
        SteeringState::TakenBack => SteeringPlace::Nowhere,
        SteeringState::Waiting if steering.run_id == run.id && goes_on(run) => SteeringPlace::ThisRun,
        _ => SteeringPlace::NextTurn,
    };
    SteerAnswer { message_id: steering.message_id, place, state: steering.state }
}
