//! What a page needs to show a chat and to go on with it: what has been said, and what to follow.

use serde::{Deserialize, Serialize};

use crate::engine::{Engine, Inner, Who};
use crate::error::Result;
use crate::id::{ChatId, ChatRef, MessageId, RunId};
use crate::log::Cursor;
use crate::model::{Json, Message, MessageRole, MessageStatus, StepRecord, Usage};
use crate::project::{FlushExtra, flush_run};

/// What becomes of the message that the run in progress writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum InProgress {
    /// It is left out, and whoever follows the run is told all of it.
    #[default]
    Omit,
    /// It is there with its finished steps, and the cursor is behind these.
    Include,
}

/// A chat as it was at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenChat {
    /// The messages, oldest first.
    pub messages: Vec<Message>,
    /// The run that brings what is missing of them; `None` when the chat is free.
    pub follow: Option<Follow>,
}

/// A run to be followed by [`Engine::tail`], also when it has ended by then.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Follow {
    /// The run.
    pub run_id: RunId,
    /// The message that it writes.
    pub message_id: Option<MessageId>,
    /// Where to go on; `None`: with the first chunk.
    pub cursor: Option<String>,
}

impl Inner {
    /// The chat that a host means, if it names one.
    pub(crate) fn chat_of(&self, given: Option<&ChatRef>, workspace_id: &str, user_id: &str) -> Result<Option<ChatId>> {
        given.map(|given| self.options.chats.resolve(given, workspace_id, user_id)).transpose()
    }
}

impl Engine {
    /// The chat's messages and the run that goes on with them. The two fit together: what is not in the messages comes by
    /// following the run, and nothing comes twice. With a limit there are only the newest messages. A chat that is not there (yet) is an empty one.
    ///
    /// # Errors
    /// As [`Engine::messages`].
    pub async fn open_chat(
        &self,
        who: &Who,
        chat_id: ChatId,
        in_progress: InProgress,
        limit: Option<usize>,
    ) -> Result<OpenChat> {
        // The run first: what it writes after that is left to whoever follows it.
        let run = self.active_run(who, chat_id).await?;
        let mut messages = self.message_page(who, chat_id, None, limit.unwrap_or(usize::MAX)).await?;
        let Some(run) = run else { return Ok(OpenChat { messages, follow: None }) };
        let message_id = run.assistant_message_id;
        let cursor = match in_progress {
            InProgress::Omit => {
                messages.retain(|message| Some(message.id) != message_id);
                None
            }
            InProgress::Include => {
                let logged = self.inner.store.steps(run.id).await?;
                let finished = logged.into_iter().filter(|entry| entry.finished);
                let (mut steps, mut next) = (Vec::<StepRecord>::new(), 1);
                for entry in finished {
                    next = entry.numbers.map_or(next, |numbers| numbers.next);
                    steps.push(entry.step);
                }
                if let Some(message) = messages.iter_mut().find(|message| Some(message.id) == message_id) {
                    show(message, &steps);
                }
                Some(Cursor::after(next - 1).to_string())
            }
        };
        Ok(OpenChat { messages, follow: Some(Follow { run_id: run.id, message_id, cursor }) })
    }
}

/// Makes the message what these steps come to, whatever has been written of it since.
fn show(message: &mut Message, steps: &[StepRecord]) {
    debug_assert_eq!(message.role, MessageRole::Assistant);
    let usage = steps.iter().fold(None, |sum, step| Usage::accumulate(sum, step.usage));
    let flush = flush_run(steps, MessageStatus::Streaming, &FlushExtra { usage, ..FlushExtra::default() });
    message.content = flush.content;
    message.tool_calls = flush.tool_calls;
    message.metadata = Some(flush.metadata).filter(|metadata: &Json| metadata.get() != "null");
    message.status = Some(MessageStatus::Streaming);
}
