//! Plain data that every layer shares. Nothing here reads a clock, a socket or a store.

mod json;
mod message;
mod part;
mod run;
mod step;
mod usage;
mod word;

pub use json::{Json, present};
pub(crate) use json::{lossy_string, members};
pub use message::{Chat, Message, MessageRole, MessageStatus};
pub use part::{INCOMPLETE_CALL, Part, TextPart, ToolPart, ToolState};
pub use run::{Run, RunOutcome, RunReason, RunStatus, Trigger};
pub use step::{FinishReason, StepRecord};
pub use usage::Usage;
pub use word::Word;
