//! Stored rows as clients see them, and what a stream says about them.

use std::borrow::Cow;

use serde::Deserialize;

use crate::js::{Raw, Text, canonical, present, write_string};
use crate::model::{Json, Protocol, RunFailure};

use super::told::{ErrorText, in_words, told_failure};
use super::versions::part_for;

/// A row of `ai_chat_messages` as a host reads it. What else it holds is not read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StoredRow<'a> {
    /// Its id, of any type.
    #[serde(borrow, deserialize_with = "present")]
    pub id: Option<Raw<'a>>,
    /// Who wrote it.
    #[serde(borrow)]
    pub role: Option<Text<'a>>,
    /// Its text.
    #[serde(borrow)]
    pub content: Option<Text<'a>>,
    /// `{parts, …}`; anything else counts as none.
    #[serde(borrow)]
    pub metadata: Option<Raw<'a>>,
    /// How far it has come.
    #[serde(borrow)]
    pub status: Option<Text<'a>>,
}

impl StoredRow<'_> {
    /// Whether the model wrote it. Every other role is a person's.
    pub fn is_assistant(&self) -> bool {
        self.role.as_ref().is_some_and(|role| role.0 == "assistant")
    }
}

/// The parts in a row's metadata, when it has a list of them that is not empty.
pub(super) fn stored_parts<'a>(metadata: Option<Raw<'a>>) -> Option<Raw<'a>> {
    #[derive(Deserialize)]
    struct Metadata<'a> {
        #[serde(borrow)]
        parts: Option<Raw<'a>>,
    }
    // A list would be read as if its first element were the first field.
    let text = metadata?.get();
    let parts = text.starts_with('{').then(|| serde_json::from_str::<Metadata<'_>>(text).ok())??.parts?;
    let mut inside = parts.get().strip_prefix('[')?.bytes().filter(|byte| !byte.is_ascii_whitespace());
    inside.next().is_some_and(|byte| byte != b']').then_some(parts)
}

/// What a client is told of a row besides its parts, in the spelling that the stream has told it in. Of a row that the
/// engine wrote, how it ended; of a user's, what its client had sent along. Rows of other writers have nothing.
fn told_metadata(row: &StoredRow<'_>) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Metadata<'a> {
        steps_persisted: Option<u64>,
        #[serde(borrow)]
        metadata: Option<Raw<'a>>,
        #[serde(borrow)]
        usage: Option<Raw<'a>>,
        #[serde(borrow)]
        finish_reason: Option<Raw<'a>>,
        #[serde(borrow)]
        reason: Option<Raw<'a>>,
        failure: Option<Json>,
        #[serde(borrow)]
        error: Option<Raw<'a>>,
        #[serde(borrow)]
        error_text: Option<Raw<'a>>,
        #[serde(borrow)]
        truncated_outputs: Option<Raw<'a>>,
    }
    let text = row.metadata?.get();
    let stored: Metadata<'_> = text.starts_with('{').then(|| serde_json::from_str(text).ok())??;
    if !row.is_assistant() {
        return stored.metadata.map(|metadata| canonical(metadata.get()).text.into_owned());
    }
    stored.steps_persisted?;
    let mut told = Vec::new();
    if let Some(status) = &row.status {
        let mut text = String::new();
        write_string(&status.0, &mut text);
        told.push(format!("\"status\":{text}"));
    }
    // A row has what the provider said; a page is told it in other words, the host's where it has put any beside it.
    let failure = stored.failure.and_then(|failure| failure.read::<RunFailure>().ok());
    let text = |value: Option<Raw<'_>>| value.and_then(|value| serde_json::from_str::<String>(value.get()).ok());
    let error = text(stored.error);
    let (error, failure) = match text(stored.error_text) {
        Some(words) => {
            let failure = failure.map(|failure| in_words(&failure, &words));
            (Some(words), failure)
        }
        None => told_failure(ErrorText::Safe, error.as_deref(), failure.as_ref()),
    };
    let error = error.map(|error| {
        let mut text = String::new();
        write_string(&error, &mut text);
        text
    });
    told.extend(stored.reason.map(|reason| format!("\"reason\":{}", canonical(reason.get()).text)));
    told.extend(failure.map(|failure| format!("\"failure\":{}", failure.to_json())));
    told.extend(error.map(|error| format!("\"error\":{error}")));
    let members = [
        ("finishReason", stored.finish_reason),
        ("usage", stored.usage),
        ("truncatedOutputs", stored.truncated_outputs),
    ];
    for (name, value) in members {
        told.extend(value.map(|value| format!("\"{name}\":{}", canonical(value.get()).text)));
    }
    Some(format!("{{{}}}", told.join(",")))
}

/// `rowToUiMessage`: `{id, role, metadata?, parts}` as JSON, the parts as they are stored unless it is said which clients they
/// are for.
pub fn row_to_ui_message(row: &StoredRow<'_>, protocol: Option<Protocol>) -> String {
    let mut out = "{".to_owned();
    if let Some(id) = row.id {
        out.push_str("\"id\":");
        out.push_str(&canonical(id.get()).text);
        out.push(',');
    }
    out.push_str(if row.is_assistant() { "\"role\":\"assistant\"" } else { "\"role\":\"user\"" });
    if let Some(metadata) = told_metadata(row) {
        out.push_str(",\"metadata\":");
        out.push_str(&metadata);
    }
    out.push_str(",\"parts\":");
    match (stored_parts(row.metadata), row.content.as_ref().filter(|content| content.truthy())) {
        (Some(parts), _) => out.push_str(&canonical(&parts_for(parts.get(), protocol)).text),
        (None, Some(content)) => {
            out.push_str("[{\"type\":\"text\",\"text\":");
            write_string(&content.0, &mut out);
            out.push_str("}]");
        }
        (None, None) => out.push_str("[]"),
    }
    out.push('}');
    out
}

/// Stored parts as clients of this version take them.
fn parts_for(parts: &str, protocol: Option<Protocol>) -> Cow<'_, str> {
    let Some(protocol) = protocol else { return Cow::Borrowed(parts) };
    let Ok(list) = serde_json::from_str::<Vec<Raw<'_>>>(parts) else { return Cow::Borrowed(parts) };
    let told = list.iter().map(|part| part_for(protocol, part.get()).map_or(Cow::Borrowed(part.get()), Cow::Owned));
    Cow::Owned(format!("[{}]", told.collect::<Vec<_>>().join(",")))
}

/// How the last write of a turn is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FinalizePlan<'a> {
    /// The row is there: update it.
    Update(&'a str),
    /// The first write failed: insert it.
    Insert,
}

/// `planFinalizeAssistant`.
pub fn plan_finalize_assistant(assistant_id: Option<&str>) -> FinalizePlan<'_> {
    match assistant_id {
        Some(id) if !id.is_empty() => FinalizePlan::Update(id),
        _ => FinalizePlan::Insert,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_the_engine_s_rows_ended_is_told_and_of_others_nothing() {
        let told = |row: &str| row_to_ui_message(&serde_json::from_str::<StoredRow<'_>>(row).unwrap(), None);
        let row = |more: &str| {
            format!(
                r#"{{"id":"1","role":"assistant","status":"aborted","metadata":{{"parts":[{{}}],"reason":"degenerate"{more}}}}}"#
            )
        };
        assert_eq!(
            told(&row(r#","usage":{"inputTokens":1},"finishReason":"aborted","stepsPersisted":1"#)),
            r#"{"id":"1","role":"assistant","metadata":{"status":"aborted","reason":"degenerate","finishReason":"aborted","usage":{"inputTokens":1}},"parts":[{}]}"#
        );
        assert_eq!(told(&row("")), r#"{"id":"1","role":"assistant","parts":[{}]}"#);
        assert_eq!(
            told(r#"{"id":"2","role":"user","metadata":{"parts":[{}],"metadata":{"n": 1.0}}}"#),
            r#"{"id":"2","role":"user","metadata":{"n":1},"parts":[{}]}"#
        );
    }

    #[test]
    fn falls_back_to_content_without_usable_parts() {
        for metadata in
            ["null", "5", "\"x\"", "[[1]]", "{}", r#"{"parts":null}"#, r#"{"parts":[ ]}"#, r#"{"parts":{"0":1}}"#]
        {
            let text = format!(r#"{{"id":7,"role":"x","content":"c","metadata":{metadata}}}"#);
            let row: StoredRow<'_> = serde_json::from_str(&text).unwrap();
            assert_eq!(row_to_ui_message(&row, None), r#"{"id":7,"role":"user","parts":[{"type":"text","text":"c"}]}"#);
        }
        let row: StoredRow<'_> = serde_json::from_str(
            r#"{"role":"assistant","content":"c","metadata":{"usage":{},"parts":[ null , 1.0 ]}}"#,
        )
        .unwrap();
        assert_eq!(row_to_ui_message(&row, None), r#"{"role":"assistant","parts":[null,1]}"#);
    }
}
