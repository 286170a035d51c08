//! OpenAI's chat completions, as OpenAI and everybody else speaks them: what their drivers have in common.

mod calls;
mod chunk;
mod decode;
mod ending;
mod kept;
mod messages;

pub use decode::{ChatCompletionsDecoder, Habits};
pub(super) use messages::{MessageStyle, Reasoning};
pub(super) use messages::{messages, response_format, sampling, tool_choice, tools};
