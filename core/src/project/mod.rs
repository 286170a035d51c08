//! Everything that is computed from the log: rows, exports, prompts, the history for a provider. Pure functions.

mod compact;
mod degenerate;
pub mod export;
mod flush;
mod history;
mod hits;
mod labels;
mod prompt;
mod split;
mod title;
mod trim;

pub use compact::compact_tool_output;
pub use degenerate::{is_degenerate_output, truncate_degenerate_output};
pub use flush::{
    AssistantFlush, FlushExtra, Step, StepCall, StepError, StepResult, assistant_parts, flush_assistant, flush_run,
    serialize_steps,
};
pub use history::{
    AssistantPart, ModelMessage, ToolOutput, ToolResult, UserPart, messages_from_rows, messages_from_step,
};
pub use hits::{AccessibleHit, SNIPPET_UNITS, SearchHit, select_accessible_hits, snippet};
pub use labels::{Labels, Language};
pub use prompt::{McpGuidance, OpenPage, PromptLayers, StepOverride, build_system_prompt, prepare_agent_step};
pub use split::{SplitOptions, split_text};
pub use title::{TITLE_UNITS, clean_chat_title, clean_generated_title};
pub use trim::{HistoryTrim, TrimOptions, trim_history};
