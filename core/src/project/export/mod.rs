//! Exports of a chat, written from its stored rows.

mod contain;
mod json;
mod markdown;

pub use json::{ChatDocument, DocumentRow, JSON_FORMAT, JSON_VERSION, JsonWriter, parse_chat_json, row_of};
pub use markdown::{
    ExportRow, ExportTotals, MAX_EXPORTED_MESSAGES, MarkdownHead, MarkdownWriter, Moment, RowText, build_chat_markdown,
};
