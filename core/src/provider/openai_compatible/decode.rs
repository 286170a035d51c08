//! The answer: chat completions with the habits of the service, as far as the model's id tells.

use crate::project::{AssistantPart, ModelMessage};
use crate::provider::ChatRequest;
use crate::provider::chat_completions::{ChatCompletionsDecoder, Habits};

/// A decoder for the answer to `request`, if it is known.
pub(super) fn decoder(model: &str, request: Option<&ChatRequest>) -> ChatCompletionsDecoder {
    let repeats_reasoning = model.to_ascii_lowercase().contains("grok");
    ChatCompletionsDecoder::new(Habits { repeats_reasoning, echo: request.and_then(last_answer) })
}

/// The text of the assistant's message that the conversation ends with.
fn last_answer(request: &ChatRequest) -> Option<String> {
    let Some(ModelMessage::Assistant(parts)) = request.messages.last() else {
        return None;
    };
    let texts = parts.iter().filter_map(|part| match part {
        AssistantPart::Text { text, .. } => Some(text.as_str()),
        _ => None,
    });
    Some(texts.collect())
}
