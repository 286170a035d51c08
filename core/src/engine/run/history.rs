//! How much of a chat a turn's calls are told.

use serde::Serialize;

use crate::clock::Timestamp;
use crate::engine::Inner;
use crate::engine::request::GivenMessage;
use crate::error::Result;
use crate::id::{ChatId, MessageId};
use crate::model::{Json, Message, MessageRole, Part};
use crate::project::{Conversation, text_tokens};
use crate::provider::Provider;
use crate::tool::ToolDefinition;

/// How many tokens of a context are kept for an answer of unknown length, at most.
const MOST_RESERVED: u64 = 16_000;
/// What remains for the conversation whatever the prompt and the tools take.
const LEAST: u64 = 500;

/// The newest rows of a chat, without the message of the run itself: what that has said so far is in its steps.
pub(crate) async fn read(inner: &Inner, chat_id: ChatId, own: MessageId) -> Result<Vec<Message>> {
    let wanted = wanted(inner);
    // One more shows that there are more, and one may be the run's own.
    let mut rows = inner.store.messages(chat_id, wanted.saturating_add(2)).await?;
    rows.retain(|row| row.id != own);
    let beyond = rows.len().saturating_sub(wanted.saturating_add(1));
    rows.drain(..beyond);
    Ok(rows)
}

/// How many of them a turn is told, at most.
fn wanted(inner: &Inner) -> usize {
    usize::try_from(inner.options.runs.history_messages).unwrap_or(usize::MAX)
}

/// What a host gives as the history, as rows, with the message that the turn is begun with.
pub(crate) fn given(history: &[GivenMessage], parts: &[Part]) -> Vec<Message> {
    let said = history.iter().map(|message| {
        let role = if message.role == "assistant" { MessageRole::Assistant } else { MessageRole::User };
        row(role, &message.parts)
    });
    said.chain([row(MessageRole::User, parts)]).collect()
}

/// The conversation that such rows are, and those of them that it tells of.
pub(crate) fn told<'r>(inner: &Inner, rows: &'r [Message]) -> (Conversation, &'r [Message]) {
    (Conversation::of_rows(rows, wanted(inner)), Conversation::told(rows, wanted(inner)))
}

/// A row that is nowhere stored.
fn row<P: Serialize>(role: MessageRole, parts: &[P]) -> Message {
    #[derive(Serialize)]
    struct Metadata<'a, P> {
        parts: &'a [P],
    }
    let never = Timestamp::from_millis(0);
    Message {
        id: MessageId::generate(),
        chat_id: ChatId::generate(),
        workspace_id: String::new(),
        user_id: None,
        role,
        content: String::new(),
        tool_calls: None,
        metadata: Json::from_value(&Metadata { parts }).ok(),
        status: None,
        created_at: never,
        updated_at: never,
    }
}

/// How many tokens the conversation may have, where the model's context is known.
pub(crate) fn budget(provider: &dyn Provider, system: &str, tools: &[ToolDefinition]) -> Option<u64> {
    let window = provider.context_window().filter(|window| *window > 0)?;
    let answer = provider.options().max_output_tokens.unwrap_or(MOST_RESERVED).min(window / 4);
    let frame = frame_tokens(system, tools);
    Some(window.saturating_sub(answer).saturating_sub(frame).max(LEAST))
}

/// What prompt and tools are taken for.
pub(crate) fn frame_tokens(system: &str, tools: &[ToolDefinition]) -> u64 {
    let size = |tool: &ToolDefinition| tool.name.len() + tool.description.len() + tool.input_schema.get().len();
    text_tokens(system.len() + tools.iter().map(size).sum::<usize>())
}
