//! Everything that is computed from the log: rows, exports, prompts, the history for a provider. Pure functions.

mod compact;
pub mod export;
mod flush;
mod history;
mod labels;
mod prompt;

pub use compact::compact_tool_output;
pub use flush::{
    AssistantFlush, FlushExtra, Step, StepCall, StepError, StepResult, assistant_parts, flush_assistant, flush_run,
    serialize_steps,
};
pub use history::{
    AssistantPart, ModelMessage, ToolOutput, ToolResult, UserPart, messages_from_rows, messages_from_step,
};
pub use labels::{Labels, Language};
pub use prompt::{McpGuidance, OpenPage, PromptLayers, StepOverride, build_system_prompt, prepare_agent_step};
