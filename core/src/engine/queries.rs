//! What hosts ask about stored things. Every answer is for one user of one workspace.

use std::sync::Arc;

use crate::error::{Error, ErrorCode, Result};
use crate::id::{ChatId, MessageId, RunId};
use crate::machine::{Event, StopCause};
use crate::model::{Chat, Message, MessageRole, MessageStatus, Run, StepRecord, Usage};
use crate::project::{AssistantFlush, FlushExtra, flush_run};
use crate::store::forbidden;

use super::{Engine, Inner, Who};

impl Engine {
    /// One run.
    ///
    /// # Errors
    /// `NOT_FOUND`, `FORBIDDEN`, `STORE_UNAVAILABLE`, `ENGINE_CLOSED`.
    pub async fn run(&self, who: &Who, run_id: RunId) -> Result<Run> {
        who.check()?;
        let run = self.inner.store.run(run_id).await?;
        let run = run.ok_or_else(|| Error::new(ErrorCode::NotFound, "there is no such run"))?;
        self.chat(who, run.chat_id).await?;
        Ok(run)
    }

    /// The chat's newest run; `None` in a chat that never had one.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn latest_run(&self, who: &Who, chat_id: ChatId) -> Result<Option<Run>> {
        self.chat(who, chat_id).await?;
        self.inner.store.latest_run(chat_id).await
    }

    /// Stops a run, from any process. `false` when it has settled already.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn stop_run(&self, who: &Who, run_id: RunId) -> Result<bool> {
        self.run(who, run_id).await?;
        stop_run(&self.inner, run_id).await
    }

    /// Stops the chat's active run. `false` when there is none.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn stop_chat(&self, who: &Who, chat_id: ChatId) -> Result<bool> {
        match self.latest_run(who, chat_id).await? {
            Some(run) if run.status.is_active() => stop_run(&self.inner, run.id).await,
            _ => Ok(false),
        }
    }

    /// One chat.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn chat(&self, who: &Who, chat_id: ChatId) -> Result<Chat> {
        who.check()?;
        let chat = self.inner.store.chat(chat_id).await?;
        let chat = chat.ok_or_else(|| Error::new(ErrorCode::NotFound, "there is no such chat"))?;
        if chat.workspace_id != who.workspace_id || chat.creator_id != who.user_id {
            return Err(forbidden());
        }
        Ok(chat)
    }

    /// The chat's messages, oldest first. A message that is being written has every step that is finished.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn messages(&self, who: &Who, chat_id: ChatId) -> Result<Vec<Message>> {
        self.chat(who, chat_id).await?;
        self.merged_messages(chat_id, usize::MAX).await
    }

    /// The rows, those in progress brought up to date from the log: the row is not rewritten at every step.
    async fn merged_messages(&self, chat_id: ChatId, limit: usize) -> Result<Vec<Message>> {
        let mut messages = self.inner.store.messages(chat_id, limit).await?;
        for message in &mut messages {
            if message.role == MessageRole::Assistant && message.status == Some(MessageStatus::Streaming) {
                self.merge(message).await?;
            }
        }
        Ok(messages)
    }

    async fn merge(&self, message: &mut Message) -> Result<()> {
        if let Some(flush) = self.logged_row(message.id).await? {
            message.content = flush.content;
            message.tool_calls = flush.tool_calls;
            message.metadata = Some(flush.metadata);
        }
        Ok(())
    }

    /// The row of a message in progress as its run's log has it; nothing when no run shows in it.
    pub(super) async fn logged_row(&self, message_id: MessageId) -> Result<Option<AssistantFlush>> {
        let Some(run) = self.inner.store.run_of_message(message_id).await? else {
            return Ok(None);
        };
        let logged = self.inner.store.steps(run.id).await?;
        let steps: Vec<StepRecord> =
            logged.into_iter().filter(|entry| entry.finished).map(|entry| entry.step).collect();
        let usage = steps.iter().fold(None, |sum, step| Usage::accumulate(sum, step.usage));
        let extra = FlushExtra { usage, ..FlushExtra::default() };
        Ok(Some(flush_run(&steps, MessageStatus::Streaming, &extra)))
    }
}

pub(super) async fn stop_run(inner: &Arc<Inner>, run_id: RunId) -> Result<bool> {
    let noted = inner.store.request_stop(run_id).await;
    // Whatever the store says, the run of this process is stopped; elsewhere it is heard by polling.
    if !matches!(noted, Ok(false)) {
        inner.registry.tell(run_id, Event::StopRequested(StopCause::Stopped));
    }
    noted
}
