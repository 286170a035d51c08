//! Exports of a chat, written from its stored rows.

mod markdown;

pub use markdown::{MAX_EXPORTED_MESSAGES, MarkdownExport, build_chat_markdown};
