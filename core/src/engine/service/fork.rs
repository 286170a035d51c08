//! Forks: chats that go on where another one was.

use crate::engine::{Engine, Who};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{ChatId, MessageId};
use crate::model::{Chat, Message, MessageRole, MessageStatus, Part, StepRecord, ToolState};
use crate::project::{FlushExtra, flush_run};
use crate::store::{ForkChat, LastShown};

use super::chats::checked_title;

/// Where a chat is forked, and what becomes of it.
#[derive(Clone, Debug, Default)]
pub struct ForkAt {
    /// The last message that the fork has, in any of its versions; the chat's newest unless given.
    pub message_id: Option<MessageId>,
    /// The last step of that message that the fork has, from 0; all of them unless given.
    pub step: Option<u32>,
    /// The fork's id; one is made up unless given.
    pub id: Option<ChatId>,
    /// Its title; that of the other chat unless given.
    pub title: Option<String>,
}

impl Engine {
    /// Makes a chat that has what another one has up to a message, or a step of one, and then goes its own way. It costs
    /// next to nothing, however long the other one is, and whatever becomes of either of them leaves the other as it is. Of
    /// a message that is being written it has the finished steps.
    ///
    /// # Errors
    /// `INVALID_INPUT` for a title, a step that is not finished or is none of the message's, and an id that is taken;
    /// `NOT_FOUND` for a message that the chat never had; as [`Engine::chat`].
    pub async fn fork_chat(&self, who: &Who, chat_id: ChatId, at: ForkAt) -> Result<Chat> {
        self.inner.ensure_open()?;
        let origin = self.chat(who, chat_id).await?;
        let title = at.title.map(|title| checked_title(&title)).transpose()?.or(origin.title);
        let id = at.id.unwrap_or_else(ChatId::generate);
        if self.inner.store.chat_even_deleted(id).await?.is_some() {
            return Err(taken());
        }
        let now = self.inner.clock.now();
        let chat = Chat { id, title, created_at: now, updated_at: now, ..origin };
        let Some(message) = self.forked_message(chat_id, at.message_id).await? else {
            if at.step.is_some() {
                return Err(Error::invalid("step", "is none of a chat without messages"));
            }
            self.inner.store.import_chat(chat.clone(), Vec::new()).await?;
            return Ok(chat);
        };
        let (last, own) = self.cut(id, message, at.step).await?;
        let fork = ForkChat { chat: chat.clone(), origin_id: chat_id, last, own };
        match self.inner.store.fork_chat(fork).await {
            Ok(true) => Ok(chat),
            Ok(false) => {
                Err(Error::invalid("messageId", "is of a time of which it is not known any more what the chat had"))
            }
            // Somebody has taken the id in between.
            Err(_) if self.inner.store.chat_even_deleted(id).await?.is_some() => Err(taken()),
            Err(error) => Err(error),
        }
    }

    async fn forked_message(&self, chat_id: ChatId, message_id: Option<MessageId>) -> Result<Option<Message>> {
        let Some(id) = message_id else { return Ok(self.inner.store.messages(chat_id, 1).await?.pop()) };
        let versions = self.inner.store.message_versions(chat_id, id).await?;
        let found = versions.into_iter().find(|version| version.id == id);
        let none = || Error::new(ErrorCode::NotFound, "there is no such message").with_detail("field", "messageId");
        found.ok_or_else(none).map(Some)
    }

    /// Up to where both chats have the same, and the message that the fork has for itself where it has but a part of it.
    async fn cut(&self, fork: ChatId, message: Message, step: Option<u32>) -> Result<(LastShown, Option<Message>)> {
        let streams = message.status == Some(MessageStatus::Streaming);
        if message.role != MessageRole::Assistant {
            let refused = Err(Error::invalid("step", "is none of a message that the user wrote"));
            return if step.is_some() { refused } else { Ok((LastShown::With(message.id), None)) };
        }
        if step.is_none() && !streams {
            return Ok((LastShown::With(message.id), None));
        }
        let mut steps = self.finished_steps(&message).await?;
        if streams {
            // What waits for somebody's answer is the other chat's.
            let waits = |step: &StepRecord| step.tools().any(|tool| tool.state == ToolState::InputAvailable);
            steps.truncate(steps.iter().position(waits).unwrap_or(steps.len()));
        }
        if let Some(last) = step {
            let wanted = usize::try_from(last).unwrap_or(usize::MAX).saturating_add(1);
            if wanted > steps.len() {
                return Err(Error::invalid("step", "is no finished step of this message"));
            }
            if wanted == steps.len() && !streams {
                return Ok((LastShown::With(message.id), None));
            }
            steps.truncate(wanted);
        }
        let before = LastShown::Before(message.id);
        if steps.is_empty() {
            return Ok((before, None));
        }
        let flush = flush_run(&steps, MessageStatus::Completed, &FlushExtra::default());
        let own = Message {
            id: MessageId::generate(),
            chat_id: fork,
            content: flush.content,
            tool_calls: flush.tool_calls,
            metadata: Some(flush.metadata),
            status: Some(flush.status),
            ..message
        };
        Ok((before, Some(own)))
    }

    /// The message's steps that are finished: those of its run's log, else what its own parts say.
    async fn finished_steps(&self, message: &Message) -> Result<Vec<StepRecord>> {
        if let Some(run) = self.inner.store.run_of_message(message.id).await? {
            let logged = self.inner.store.steps(run.id).await?.into_iter();
            let steps: Vec<StepRecord> = logged.filter(|entry| entry.finished).map(|entry| entry.step).collect();
            if !steps.is_empty() {
                return Ok(StepRecord::kept(&steps).into_owned());
            }
        }
        let mut steps: Vec<StepRecord> = Vec::new();
        for part in message.parts() {
            match steps.last_mut() {
                Some(step) if part != Part::StepStart => step.parts.push(part),
                _ => {
                    let number = u32::try_from(steps.len()).unwrap_or(u32::MAX);
                    steps.push(StepRecord { number, parts: vec![part], finish_reason: None, usage: None });
                }
            }
        }
        Ok(steps)
    }
}

fn taken() -> Error {
    Error::invalid("forkId", "is the id of a chat already")
}
