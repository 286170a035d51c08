//! Everything that is computed from the log: rows, exports, prompts, the history for a provider. Pure functions.

mod compact;
pub mod export;
mod flush;
mod history;
mod labels;
mod prompt;
mod rows;
mod steps;
mod usage;

pub use compact::{KEEP_WHOLE_BYTES, compact_text, compact_tool_output};
pub use flush::{AssistantFlush, FlushExtra, flush_run};
pub use history::{
    AssistantPart, ModelMessage, ToolOutput, ToolResult, UserPart, messages_from_rows, messages_from_step,
};
pub use labels::{Labels, Language};
pub use prompt::{
    McpGuidance, OpenPage, PromptLayers, StepOverride, TitlePrompt, build_system_prompt, chat_title_prompt,
    page_title_prompt, prepare_agent_step,
};
pub use rows::{FinalizePlan, StoredRow, plan_finalize_assistant, row_to_ui_message};
pub use steps::{
    AssistantRow, RowExtra, RowUsage, Step, StepCall, StepError, StepResult, assistant_parts, flush_assistant,
    serialize_steps,
};
pub use usage::TokenUsage;
