//! Stored rows as clients see them, and what a stream says about them.

use serde::Deserialize;

use crate::js::{Raw, Text, canonical, present, write_string};

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

/// `rowToUiMessage`: `{id, role, parts}` as JSON.
pub fn row_to_ui_message(row: &StoredRow<'_>) -> String {
    let mut out = "{".to_owned();
    if let Some(id) = row.id {
        out.push_str("\"id\":");
        out.push_str(&canonical(id.get()).text);
        out.push(',');
    }
    out.push_str(if row.is_assistant() { "\"role\":\"assistant\"" } else { "\"role\":\"user\"" });
    out.push_str(",\"parts\":");
    match (stored_parts(row.metadata), row.content.as_ref().filter(|content| content.truthy())) {
        (Some(parts), _) => out.push_str(&canonical(parts.get()).text),
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
    fn falls_back_to_content_without_usable_parts() {
        for metadata in
            ["null", "5", "\"x\"", "[[1]]", "{}", r#"{"parts":null}"#, r#"{"parts":[ ]}"#, r#"{"parts":{"0":1}}"#]
        {
            let text = format!(r#"{{"id":7,"role":"x","content":"c","metadata":{metadata}}}"#);
            let row: StoredRow<'_> = serde_json::from_str(&text).unwrap();
            assert_eq!(row_to_ui_message(&row), r#"{"id":7,"role":"user","parts":[{"type":"text","text":"c"}]}"#);
        }
        let row: StoredRow<'_> = serde_json::from_str(
            r#"{"role":"assistant","content":"c","metadata":{"usage":{},"parts":[ null , 1.0 ]}}"#,
        )
        .unwrap();
        assert_eq!(row_to_ui_message(&row), r#"{"role":"assistant","parts":[null,1]}"#);
    }
}
