//! Everything that is computed from the log: rows, exports, prompts, the history for a provider. Pure functions.

pub mod by_reference;
mod chunks;
mod compact;
mod conversation;
mod degenerate;
pub mod export;
mod flush;
mod frame;
mod history;
mod hits;
mod labels;
mod loop_message;
mod loop_step;
mod prompt;
pub mod public;
mod ranking;
mod rows;
mod search;
mod shown;
mod source;
mod split;
mod steps;
mod title;
mod told;
mod tool_content;
mod trim;
mod usage;
mod versions;

pub use chunks::{ChunkRow, PageContent, Unknown, breadcrumb_chunks, chunk_rows, page_chunks};
pub use compact::{
    CompactionLimits, compact_text, compact_tool_output, compacted, compacted_abridged, is_small, is_storable,
};
pub use conversation::{Conversation, LEFT_OUT, text_tokens};
pub use degenerate::{is_degenerate_output, truncate_degenerate_output};
pub(crate) use flush::truncated_outputs;
pub use flush::{AssistantFlush, FlushExtra, flush_run};
pub use history::{AssistantPart, ModelMessage, ToolOutput, ToolResult, UserPart, append_steps, messages_from_rows};
pub use hits::{AccessibleHit, SNIPPET_UNITS, SearchHit, select_accessible_hits, snippet};
pub use labels::{Labels, Language};
pub use loop_message::{LoopMessage, LoopMessagePart, LoopMessagePartKind};
pub use loop_step::{HostedCall, HostedContent, HostedContentKind, HostedError, HostedFile, HostedResult, HostedStep};
pub(crate) use prompt::last_step_prompt;
pub use prompt::{
    CurrentPageResult, McpGuidance, OpenPage, PromptLayers, StepOverride, TitlePrompt, build_public_prompt,
    build_system_prompt, chat_title_prompt, current_page, page_title_prompt, prepare_agent_step,
};
pub use ranking::{ChunkKey, Matching, Nearest, chunk_words, fused, query_words};
pub use rows::{FinalizePlan, StoredRow, plan_finalize_assistant, row_to_ui_message};
pub use search::{SearchWord, has_words, indexed_words, message_snippet, search_words};
pub use shown::{shown_output, shown_state};
pub use source::{EditSource, cuts_snapshot, resolve_edit_source};
pub use split::{SplitOptions, split_text};
pub use steps::{
    AssistantRow, RowExtra, RowUsage, Step, StepCall, StepError, StepResult, TextStep, assistant_parts,
    flush_assistant, serialize_steps,
};
pub use title::{TITLE_UNITS, clean_chat_title, clean_generated_title};
pub use told::{ErrorText, safe_error_text, told_failure};
pub use tool_content::{ContentPart, MAX_OUTCOME_BYTES, content_text};
pub use trim::{HistoryTrim, TrimOptions, trim_history};
pub use usage::TokenUsage;
pub(crate) use versions::{as_data, keeping, steering_message};
