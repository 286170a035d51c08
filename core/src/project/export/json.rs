//! The JSON export: the stored rows as they are, so that nothing is lost between an export and an import.

use std::fmt::{self, Write};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::clock::Timestamp;
use crate::error::{Error, Result, from_json};
use crate::js::{Raw, Text, object, write_string};
use crate::model::StoredMessage;
use crate::model::{MessageRole, MessageStatus};

/// Names the document's format in its first member.
pub const JSON_FORMAT: &str = "turnkeep-chat";
/// The format's version. A reader refuses documents of a later one.
pub const JSON_VERSION: u32 = 1;

/// Writes `{format, version, exportedAt, chat: {id, title}, messages: […]}` piece by piece.
pub struct JsonWriter<W> {
    out: W,
    messages: usize,
}

impl<W: Write> JsonWriter<W> {
    /// Begins a document.
    ///
    /// # Errors
    /// Those of the sink, here and below.
    pub fn new(
        mut out: W,
        chat_id: &str,
        title: Option<&str>,
        exported_at: &str,
    ) -> std::result::Result<Self, fmt::Error> {
        let mut head = format!("{{\"format\":\"{JSON_FORMAT}\",\"version\":{JSON_VERSION},\"exportedAt\":");
        write_string(exported_at, &mut head);
        head.push_str(",\"chat\":{\"id\":");
        write_string(chat_id, &mut head);
        head.push_str(",\"title\":");
        match title {
            Some(title) => write_string(title, &mut head),
            None => head.push_str("null"),
        }
        head.push_str("},\"messages\":[");
        out.write_str(&head)?;
        Ok(Self { out, messages: 0 })
    }

    /// The sink.
    pub fn sink(&mut self) -> &mut W {
        &mut self.out
    }

    /// One row as its store has it. JSON that is not JSON, in rows of other writers, becomes `null`.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn message(&mut self, chat_id: &str, workspace_id: &str, row: &StoredMessage<'_>) -> fmt::Result {
        let mut out =
            String::with_capacity(256 + row.metadata.map_or(0, str::len) + row.tool_calls.map_or(0, str::len));
        let texts = [
            ("{\"id\":", Some(row.id)),
            (",\"chatId\":", Some(chat_id)),
            (",\"workspaceId\":", Some(workspace_id)),
            (",\"userId\":", row.user_id),
            (",\"role\":", Some(row.role)),
            (",\"content\":", Some(row.content.unwrap_or_default())),
        ];
        texts.iter().for_each(|(name, text)| member(name, *text, &mut out));
        for (name, json) in [(",\"toolCalls\":", row.tool_calls), (",\"metadata\":", row.metadata)] {
            let valid = json.filter(|json| serde_json::from_str::<serde::de::IgnoredAny>(json).is_ok());
            out.push_str(name);
            // A line end between its tokens would be harmless, but a row is one line.
            out.push_str(&valid.unwrap_or("null").replace(['\n', '\r'], " "));
        }
        let texts = [
            (",\"status\":", row.status),
            (",\"createdAt\":", Some(row.created_at)),
            (",\"updatedAt\":", Some(row.updated_at)),
        ];
        texts.iter().for_each(|(name, text)| member(name, *text, &mut out));
        out.push('}');
        self.row(&out)
    }

    /// One row, as JSON.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn row(&mut self, row: &str) -> fmt::Result {
        self.out.write_str(if self.messages == 0 { "\n" } else { ",\n" })?;
        self.messages += 1;
        self.out.write_str(row)
    }

    /// The end of the document.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn finish(&mut self) -> fmt::Result {
        self.out.write_str(if self.messages == 0 { "]}" } else { "\n]}" })
    }
}

/// Appends a name and a text, or `null`.
fn member(name: &str, text: Option<&str>, out: &mut String) {
    out.push_str(name);
    match text {
        Some(text) => write_string(text, out),
        None => out.push_str("null"),
    }
}

/// A document that was read.
#[derive(Debug)]
pub struct ChatDocument<'a> {
    /// The chat's id where it was exported.
    pub chat_id: Text<'a>,
    /// Its title.
    pub title: Option<Text<'a>>,
    /// When it was exported.
    pub exported_at: Option<Text<'a>>,
    /// Its rows, oldest first, as they came.
    pub rows: Vec<Raw<'a>>,
}

/// A row of a [`ChatDocument`].
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DocumentRow<'a> {
    /// Who wrote it.
    pub role: MessageRole,
    /// Its text.
    #[serde(default, borrow)]
    pub content: Option<Text<'a>>,
    /// The flat trace of its tool calls and results.
    #[serde(default, borrow)]
    pub tool_calls: Option<Raw<'a>>,
    /// `{parts, …}`.
    #[serde(default, borrow, deserialize_with = "optional_members")]
    pub metadata: Option<Raw<'a>>,
    /// How far it had come.
    #[serde(default)]
    pub status: Option<MessageStatus>,
    /// When it was written.
    #[serde(default)]
    pub created_at: Option<Timestamp>,
    /// When it was last changed.
    #[serde(default)]
    pub updated_at: Option<Timestamp>,
}

/// An object, as it came.
fn optional_members<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<Raw<'de>>, D::Error> {
    match Option::<Raw<'de>>::deserialize(deserializer)? {
        Some(raw) if !raw.get().starts_with('{') => Err(serde::de::Error::custom("expected an object")),
        raw => Ok(raw),
    }
}

/// Reads a document of [`JsonWriter`]. `name` is what errors call it.
///
/// # Errors
/// `INVALID_INPUT` with the path of the field, such as `document.messages[3].role`.
pub fn parse_chat_json<'a>(text: &'a str, name: &str) -> Result<ChatDocument<'a>> {
    parse(text).map_err(|error| error.below(name))
}

fn parse(text: &str) -> Result<ChatDocument<'_>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Document<'a> {
        #[serde(borrow)]
        format: Text<'a>,
        version: u32,
        #[serde(default, borrow)]
        exported_at: Option<Text<'a>>,
        #[serde(borrow, deserialize_with = "object")]
        chat: Chat<'a>,
        #[serde(borrow)]
        messages: Vec<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Chat<'a> {
        #[serde(borrow)]
        id: Text<'a>,
        #[serde(default, borrow)]
        title: Option<Text<'a>>,
    }
    if !text.trim_start().starts_with('{') {
        return Err(Error::invalid("", "is not an exported chat"));
    }
    let document: Document<'_> = from_json(text, "")?;
    if document.format.0 != JSON_FORMAT {
        return Err(Error::invalid("format", "is not an exported chat"));
    }
    if document.version != JSON_VERSION {
        return Err(Error::invalid("version", "is not a version that can be read here"));
    }
    for (index, row) in document.messages.iter().enumerate() {
        row_of(row).map_err(|error| error.below(&format!("messages[{index}]")))?;
    }
    Ok(ChatDocument {
        chat_id: document.chat.id,
        title: document.chat.title,
        exported_at: document.exported_at,
        rows: document.messages,
    })
}

/// Reads one row of a document.
///
/// # Errors
/// `INVALID_INPUT` with the path of the field.
pub fn row_of<'a>(row: Raw<'a>) -> Result<DocumentRow<'a>> {
    if !row.get().starts_with('{') {
        return Err(Error::invalid("", "is not a message"));
    }
    from_json(row.get(), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(rows: &[&str]) -> String {
        let mut text = String::new();
        let mut writer = JsonWriter::new(&mut text, "c", Some("T \"x\""), "2026-07-01T12:34:56.789Z").unwrap();
        rows.iter().for_each(|row| writer.row(row).unwrap());
        writer.finish().unwrap();
        text
    }

    #[test]
    fn rows_come_back_as_they_went() {
        let rows = [
            r#"{"id":"1","role":"user","content":"hi","metadata":{"b":1.0,"a":[1e5,12345678901234567890123]}}"#,
            r#"{"role":"assistant","content":"","metadata":null,"toolCalls":[],"status":"streaming","createdAt":"2026-07-01T10:00:00.000Z","mine":1}"#,
        ];
        let text = document(&rows);
        let read = parse_chat_json(&text, "text").unwrap();
        assert_eq!(read.title.unwrap().0, "T \"x\"");
        assert_eq!(read.rows.iter().map(|row| row.get()).collect::<Vec<_>>(), rows);
        assert!(parse_chat_json(&document(&[]), "text").unwrap().rows.is_empty());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let field =
            |text: &str| parse_chat_json(text, "text").unwrap_err().details()["field"].as_str().unwrap().to_owned();
        for (row, path) in [
            ("5", "text.messages[0]"),
            (r#"{"role":"system"}"#, "text.messages[0].role"),
            ("{}", "text.messages[0].role"),
            (r#"{"role":"user","content":5}"#, "text.messages[0].content"),
            (r#"{"role":"user","metadata":[]}"#, "text.messages[0].metadata"),
            (r#"{"role":"user","status":"done"}"#, "text.messages[0].status"),
            (r#"{"role":"user","createdAt":"yesterday"}"#, "text.messages[0].createdAt"),
        ] {
            assert_eq!(field(&document(&[row])), path, "{row}");
        }
        assert_eq!(field("[]"), "text");
        assert_eq!(field("{\"format\":\"x\",\"version\":1,\"chat\":{\"id\":\"\"},\"messages\":[]}"), "text.format");
        assert_eq!(field(&document(&[]).replace(":1,", ":2,")), "text.version");
        assert_eq!(field(&document(&[]).replace("\"c\"", "7")), "text.chat.id");
    }
}
