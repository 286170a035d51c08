//! What hosts ask about stored things. Every answer is for one user of one workspace.

use std::sync::Arc;

use serde::Deserialize;

use crate::engine::request::check_key;
use crate::engine::run::tail::RunTail;
use crate::engine::run::{stops, sweep};
use crate::engine::{Engine, Who};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{ChatId, MessageId, RunId};
use crate::log::TailFrom;
use crate::model::{
    Chat, Json, Message, MessageRole, MessageStatus, Run, RunFailure, RunReason, RunStatus, StepRecord, Usage,
};
use crate::project::{AssistantFlush, ErrorText, FlushExtra, flush_run, told_failure};
use crate::store::forbidden;

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
        self.with_waits(run).await
    }

    /// The chat's newest run; `None` in a chat that never had one, or that is not there (yet).
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn latest_run(&self, who: &Who, chat_id: ChatId) -> Result<Option<Run>> {
        if !self.has_chat(who, chat_id).await? {
            return Ok(None);
        }
        match self.inner.store.latest_run(chat_id).await? {
            Some(run) => self.with_waits(run).await.map(Some),
            None => Ok(None),
        }
    }

    /// The run that holds the chat; `None` when the chat is free, or is not there (yet).
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn active_run(&self, who: &Who, chat_id: ChatId) -> Result<Option<Run>> {
        if !self.has_chat(who, chat_id).await? {
            return Ok(None);
        }
        match self.inner.store.active_run(chat_id).await? {
            Some(run) => self.with_waits(run).await.map(Some),
            None => Ok(None),
        }
    }

    /// The chat's newest `limit` runs, newest first; those that wait come before all others.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn runs(&self, who: &Who, chat_id: ChatId, limit: usize) -> Result<Vec<Run>> {
        if !self.has_chat(who, chat_id).await? {
            return Ok(Vec::new());
        }
        self.inner.store.runs_of_chat(chat_id, limit).await
    }

    /// The `limit` runs that come after this one in the order of [`Engine::runs`].
    ///
    /// # Errors
    /// As [`Engine::run`], and `INVALID_INPUT` for a run that is none of the chat's.
    pub async fn runs_before(&self, who: &Who, chat_id: ChatId, before: RunId, limit: usize) -> Result<Vec<Run>> {
        if !self.has_chat(who, chat_id).await?
            || self.inner.store.run(before).await?.is_none_or(|run| run.chat_id != chat_id)
        {
            return Err(Error::invalid("before", "is no run of this chat"));
        }
        self.inner.store.runs_before(chat_id, before, limit).await
    }

    /// Follows a run's log from any process, while it goes on and after it has ended.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn tail(&self, who: &Who, run_id: RunId, from: TailFrom) -> Result<RunTail> {
        self.run(who, run_id).await?;
        Ok(RunTail::new(Arc::clone(&self.inner), run_id, from))
    }

    /// Settles what dead processes have left in the store, which is also done when an engine is opened and now and then
    /// after that. Returns how many runs that were.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`, `ENGINE_CLOSED`.
    pub async fn sweep(&self) -> Result<usize> {
        sweep::sweep(&self.inner).await
    }

    /// Stops a run, from any process. `false` when it has settled already.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn stop_run(&self, who: &Who, run_id: RunId) -> Result<bool> {
        match self.run(who, run_id).await {
            Ok(_) => stops::stop(&self.inner, run_id, RunReason::Stopped).await,
            Err(error) if error.code() == ErrorCode::NotFound => self.stop_stateless(who, run_id).await,
            Err(error) => Err(error),
        }
    }

    /// Stops the chat's active run. `false` when there is none.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn stop_chat(&self, who: &Who, chat_id: ChatId) -> Result<bool> {
        match self.active_run(who, chat_id).await? {
            Some(run) => stops::stop(&self.inner, run.id, RunReason::Stopped).await,
            None => Ok(false),
        }
    }

    /// Stops the run of this idempotency key, from any process, also one that has not begun yet: then it ends as stopped
    /// when it begins (within [`STOP_NOTES_KEPT`](crate::store::STOP_NOTES_KEPT)), before anything is asked of a provider.
    /// With a chat, the key must be of a run of that chat. `false` when the run has settled already.
    ///
    /// # Errors
    /// `INVALID_INPUT` for a key that none can be, or one that was used in another chat; and as [`Engine::run`].
    pub async fn stop_keyed(&self, who: &Who, chat_id: Option<ChatId>, key: &str) -> Result<bool> {
        who.check()?;
        check_key(Some(key))?;
        if let Some(chat_id) = chat_id {
            self.has_chat(who, chat_id).await?;
        }
        let store = &self.inner.store;
        let mut run_id = store.run_of_key(&who.workspace_id, &who.user_id, key).await?;
        if run_id.is_none() {
            store.note_stop(&who.workspace_id, &who.user_id, key).await?;
            // It may have begun in between, and have looked for the note before that was there.
            run_id = store.run_of_key(&who.workspace_id, &who.user_id, key).await?;
        }
        let Some(run_id) = run_id else { return Ok(true) };
        let run = self.run(who, run_id).await?;
        if chat_id.is_some_and(|chat_id| run.chat_id != chat_id) {
            return Err(Error::invalid("idempotencyKey", "was used for a run of another chat"));
        }
        stops::stop(&self.inner, run_id, RunReason::Stopped).await
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

    /// Whether there is such a chat. Clients choose ids of chats before anything is written in them: a chat that is not
    /// there is an empty one for whoever asks what is in it.
    ///
    /// # Errors
    /// As [`Engine::chat`], but for `NOT_FOUND`.
    pub(crate) async fn has_chat(&self, who: &Who, chat_id: ChatId) -> Result<bool> {
        match self.chat(who, chat_id).await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The chat's messages, oldest first; none of a chat that is not there (yet). A message that is being written has
    /// every step that is finished.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn messages(&self, who: &Who, chat_id: ChatId) -> Result<Vec<Message>> {
        if !self.has_chat(who, chat_id).await? {
            return Ok(Vec::new());
        }
        self.merged_messages(chat_id, usize::MAX).await
    }

    /// The newest `limit` messages of the chat, or of those before this one, as [`Engine::messages`] gives them.
    ///
    /// # Errors
    /// As [`Engine::run`], and `INVALID_INPUT` for a message that is none of the chat's.
    pub async fn message_page(
        &self,
        who: &Who,
        chat_id: ChatId,
        before: Option<MessageId>,
        limit: usize,
    ) -> Result<Vec<Message>> {
        let is_there = self.has_chat(who, chat_id).await?;
        let Some(before) = before else {
            return if is_there { self.merged_messages(chat_id, limit).await } else { Ok(Vec::new()) };
        };
        if !is_there || !self.inner.store.has_message(chat_id, before).await? {
            return Err(Error::invalid("before", "is no message of this chat"));
        }
        self.brought_up_to_date(self.inner.store.messages_before(chat_id, before, limit).await?).await
    }

    /// The rows, those in progress brought up to date from the log: the row is not rewritten at every step.
    async fn merged_messages(&self, chat_id: ChatId, limit: usize) -> Result<Vec<Message>> {
        self.brought_up_to_date(self.inner.store.messages(chat_id, limit).await?).await
    }

    pub(super) async fn brought_up_to_date(&self, mut messages: Vec<Message>) -> Result<Vec<Message>> {
        let error_text = self.inner.options.error_text;
        for message in &mut messages {
            if error_text != ErrorText::Safe {
                tell_failure(message, error_text);
            }
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
    pub(crate) async fn logged_row(&self, message_id: MessageId) -> Result<Option<AssistantFlush>> {
        let Some(run) = self.inner.store.run_of_message(message_id).await? else {
            return Ok(None);
        };
        let logged = self.inner.store.steps(run.id).await?;
        // Of a run that waits the step is shown, too, whose calls wait.
        let waits = run.status == RunStatus::Waiting;
        let steps: Vec<StepRecord> =
            logged.into_iter().filter(|entry| entry.finished || waits).map(|entry| entry.step).collect();
        let usage = steps.iter().fold(None, |sum, step| Usage::accumulate(sum, step.usage));
        let extra = FlushExtra { usage, ..FlushExtra::default() };
        Ok(Some(flush_run(&steps, MessageStatus::Streaming, &extra)))
    }
}

/// Puts beside what a provider said what pages are to be told of it, as `errorText`.
fn tell_failure(message: &mut Message, error_text: ErrorText) {
    #[derive(Deserialize)]
    struct Stored {
        error: Option<String>,
        failure: Option<RunFailure>,
    }
    let Some(metadata) = message.metadata.as_ref().filter(|_| message.role == MessageRole::Assistant) else { return };
    let Ok(Stored { error, failure }) = metadata.read::<Stored>() else { return };
    let Some(text) = told_failure(error_text, error.as_deref(), failure.as_ref()).0 else { return };
    if let Some(members) = metadata.get().strip_prefix('{') {
        let told = format!("{{\"errorText\":{},{members}", Json::string(&text).get());
        message.metadata = Json::parse(&told).ok().or(message.metadata.take());
    }
}
