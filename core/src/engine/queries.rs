//! What hosts ask about stored things. Every answer is for one user of one workspace.

use std::sync::Arc;

use crate::error::{Error, ErrorCode, Result};
use crate::id::{ChatId, RunId};
use crate::machine::{Event, StopCause};
use crate::model::{Chat, Json, Message, MessageRole, MessageStatus, Run, StepRecord, Usage};
use crate::project::export::{ExportTotals, MAX_EXPORTED_MESSAGES, MarkdownHead, MarkdownWriter, RowText};
use crate::project::{FlushExtra, Labels, Language, flush_run};
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

    /// The chat as Markdown: at most its newest [`MAX_EXPORTED_MESSAGES`] messages.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn export_markdown(
        &self,
        who: &Who,
        chat_id: ChatId,
        language: Language,
        labels: Labels,
    ) -> Result<String> {
        let chat = self.chat(who, chat_id).await?;
        let mut rows = self.merged_messages(chat_id, MAX_EXPORTED_MESSAGES + 1).await?;
        let older_left_out = rows.len() > MAX_EXPORTED_MESSAGES;
        if older_left_out {
            rows.remove(0);
        }
        let labels = labels.over(Labels::builtin(language));
        let mut totals = ExportTotals::default();
        rows.iter().filter_map(|row| row.metadata.as_ref()).for_each(|metadata| totals.add_text(metadata.get()));
        let mut document = String::new();
        let mut writer = MarkdownWriter::new(&mut document, &labels);
        let written = writer.head(&MarkdownHead {
            title: chat.title.as_deref(),
            chat_id: &chat_id.to_string(),
            messages: rows.len(),
            total_tokens: &totals,
            older_left_out,
            exported_at: &self.inner.clock.now().to_string(),
        });
        let written = rows.iter().fold(written, |written, row| {
            written.and_then(|()| {
                writer.message(&RowText {
                    assistant: row.role == MessageRole::Assistant,
                    content: &row.content,
                    metadata: row.metadata.as_ref().map(Json::get),
                    streaming: row.status == Some(MessageStatus::Streaming),
                    created_at: &row.created_at.to_string(),
                })
            })
        });
        written.map_err(|_| Error::internal("the export could not be written"))?;
        Ok(document)
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
        let Some(run) = self.inner.store.run_of_message(message.id).await? else {
            return Ok(());
        };
        let logged = self.inner.store.steps(run.id).await?;
        let steps: Vec<StepRecord> =
            logged.into_iter().filter(|entry| entry.finished).map(|entry| entry.step).collect();
        let usage = steps.iter().fold(None, |sum, step| Usage::accumulate(sum, step.usage));
        let flush = flush_run(&steps, MessageStatus::Streaming, &FlushExtra { usage, ..FlushExtra::default() });
        message.content = flush.content;
        message.tool_calls = flush.tool_calls;
        message.metadata = Some(flush.metadata);
        Ok(())
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
