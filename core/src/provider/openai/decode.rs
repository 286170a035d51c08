//! The answer: chat completions without any habits.

use crate::provider::chat_completions::{ChatCompletionsDecoder, Habits};

pub(super) fn decoder() -> ChatCompletionsDecoder {
    ChatCompletionsDecoder::new(Habits::default())
}
