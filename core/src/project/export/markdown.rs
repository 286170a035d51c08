//! The Markdown export.

use serde::Deserialize;

use crate::clock::Timestamp;
use crate::model::{Json, Message, MessageRole, MessageStatus, Part, ToolPart, ToolState, Usage};
use crate::project::labels::Labels;
use crate::text::{js_trim, one_line};

/// The newest messages that an export holds; older ones are left out, and a line says so.
pub const MAX_EXPORTED_MESSAGES: usize = 5000;

/// What an export is made of.
#[derive(Clone, Debug)]
pub struct MarkdownExport<'a> {
    /// The chat's title.
    pub title: Option<&'a str>,
    /// The chat's id.
    pub chat_id: &'a str,
    /// Its messages, oldest first, at most [`MAX_EXPORTED_MESSAGES`].
    pub rows: &'a [Message],
    /// Whether there were older messages than these.
    pub older_left_out: bool,
    /// The words; what is absent falls back to nothing, so start from [`Labels::builtin`].
    pub labels: &'a Labels,
    /// The time in the document.
    pub exported_at: Timestamp,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Shown {
    error: Option<Json>,
    usage: Option<Usage>,
}

/// `buildChatMarkdown`: the whole document, blocks joined by one blank line, no line end at the end.
pub fn build_chat_markdown(export: &MarkdownExport<'_>) -> String {
    let shown: Vec<Shown> = export
        .rows
        .iter()
        .map(|row| row.metadata.as_ref().and_then(|metadata| metadata.read().ok()).unwrap_or_default())
        .collect();
    let total: u64 = shown.iter().filter_map(|row| row.usage).map(total_tokens).sum();
    let mut blocks = vec![heading(export), facts(export, total)];
    if export.older_left_out {
        blocks.push(format!("_Older messages were left out; these are the newest {}._", export.rows.len()));
    }
    for (index, (row, shown)) in export.rows.iter().zip(&shown).enumerate() {
        message(index + 1, row, shown, export.labels, &mut blocks);
    }
    blocks.join("\n\n")
}

fn heading(export: &MarkdownExport<'_>) -> String {
    // A heading is one line: a title cannot bring lines of its own into the document.
    let title = export.title.map(|title| js_trim(title).replace(['\n', '\r', '\u{2028}', '\u{2029}'], " "));
    let title = title.filter(|title| !title.is_empty());
    format!("# {}", title.or_else(|| export.labels.untitled.clone()).unwrap_or_default())
}

fn facts(export: &MarkdownExport<'_>, total: u64) -> String {
    let mut lines = vec![
        format!("- Chat ID: `{}`", export.chat_id),
        format!("- Exported: {}", export.exported_at),
        format!("- Messages: {}", export.rows.len()),
    ];
    if total > 0 {
        lines.push(format!("- Total tokens: {total}"));
    }
    lines.join("\n")
}

fn message(number: usize, row: &Message, shown: &Shown, labels: &Labels, blocks: &mut Vec<String>) {
    let role = match row.role {
        MessageRole::Assistant => &labels.ai_agent,
        MessageRole::User => &labels.you,
    };
    blocks.push("---".to_owned());
    blocks.push(format!("## {number}. {}", role.as_deref().unwrap_or_default()));
    blocks.push(format!("<!-- {} -->", row.created_at));
    for part in row.parts() {
        match part {
            Part::Text(text) => {
                let text = js_trim(&text.text);
                if !text.is_empty() {
                    blocks.push(text.to_owned());
                }
            }
            Part::Tool(tool) => tool_blocks(&tool, labels, blocks),
            Part::StepStart | Part::Reasoning(_) | Part::Other(_) => {}
        }
    }
    if row.status == Some(MessageStatus::Streaming) {
        blocks.push(format!("_⏳ {}_", labels.still_generating.as_deref().unwrap_or_default()));
    }
    if let Some(error) = &shown.error {
        let text = error.as_string().unwrap_or_else(|| error.get().to_owned());
        if !text.is_empty() {
            blocks.push(format!("**⚠️ Error:** {}", one_line(&text)));
        }
    }
    if let Some(usage) = shown.usage {
        blocks.push(usage_line(usage));
    }
}

fn tool_blocks(tool: &ToolPart, labels: &Labels, blocks: &mut Vec<String>) {
    let state = match tool.state {
        ToolState::InputAvailable => "running",
        ToolState::OutputAvailable(_) => "done",
        ToolState::OutputError(_) => "error",
    };
    let name = one_line(&tool.name);
    let label = labels
        .tools
        .get(&tool.name)
        .cloned()
        .unwrap_or_else(|| labels.ran_tool.as_deref().unwrap_or_default().replace("{name}", &name));
    blocks.push(format!("**Tool: {label}** ({}) — {state}", code_span(&name)));
    if let Some(input) = &tool.input {
        blocks.push("Input:".to_owned());
        blocks.push(fenced(input));
    }
    match &tool.state {
        ToolState::InputAvailable | ToolState::OutputAvailable(None) => {}
        ToolState::OutputAvailable(Some(output)) => {
            blocks.push("Output:".to_owned());
            blocks.push(fenced(output));
        }
        ToolState::OutputError(text) if text.is_empty() => {}
        ToolState::OutputError(text) => blocks.push(format!("**Error:** {}", one_line(text))),
    }
}

/// A `json` block whose fence is longer than any run of backticks inside. Strings stand as they are.
fn fenced(value: &Json) -> String {
    let body = value.as_string().unwrap_or_else(|| pretty(value));
    let fence = "`".repeat((longest_backtick_run(&body) + 1).max(3));
    format!("{fence}json\n{body}\n{fence}")
}

fn pretty(value: &Json) -> String {
    value
        .read::<serde_json::Value>()
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| value.get().to_owned())
}

fn code_span(text: &str) -> String {
    let delimiter = "`".repeat(longest_backtick_run(text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{delimiter}{pad}{text}{pad}{delimiter}")
}

fn longest_backtick_run(text: &str) -> usize {
    text.split(|character| character != '`').map(str::len).max().unwrap_or(0)
}

fn total_tokens(usage: Usage) -> u64 {
    let sum = usage.input_tokens.unwrap_or(0).saturating_add(usage.output_tokens.unwrap_or(0));
    usage.total_tokens.unwrap_or(sum)
}

fn usage_line(usage: Usage) -> String {
    let known = |tokens: Option<u64>| tokens.map_or_else(|| "?".to_owned(), |tokens| tokens.to_string());
    let reasoning = match usage.reasoning_tokens {
        Some(tokens) if tokens > 0 => format!(", reasoning: {tokens}"),
        _ => String::new(),
    };
    format!(
        "_Tokens — in: {}, out: {}{reasoning}, total: {}_",
        known(usage.input_tokens),
        known(usage.output_tokens),
        total_tokens(usage)
    )
}

#[cfg(test)]
mod tests {
    use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

    use super::*;
    use crate::id::{ChatId, MessageId};
    use crate::project::labels::Language;

    fn row(role: MessageRole, content: &str, metadata: &str) -> Message {
        let at = Timestamp::parse("2026-07-01T10:00:00.000Z").unwrap();
        Message {
            id: MessageId::generate(),
            chat_id: ChatId::generate(),
            workspace_id: "w".into(),
            user_id: None,
            role,
            content: content.into(),
            tool_calls: None,
            metadata: Some(Json::parse(metadata).unwrap()),
            status: None,
            created_at: at,
            updated_at: at,
        }
    }

    fn export(rows: &[Message], language: Language) -> String {
        build_chat_markdown(&MarkdownExport {
            title: Some("  My\n# chat "),
            chat_id: "c1",
            rows,
            older_left_out: false,
            labels: &Labels::builtin(language),
            exported_at: Timestamp::parse("2026-07-01T12:34:56.789Z").unwrap(),
        })
    }

    #[test]
    fn document_has_the_documented_layout() {
        let rows = [
            row(MessageRole::User, "Hello", "{}"),
            row(
                MessageRole::Assistant,
                "",
                r#"{"parts":[{"type":"step-start"},{"type":"text","text":" Hi ","state":"done"},{"type":"tool-getPage","toolCallId":"1","state":"output-available","input":{"id":1},"output":"a ``` b"},{"type":"tool-x","toolCallId":"2","state":"output-error","input":{},"errorText":"no\nway"}],"usage":{"inputTokens":3,"outputTokens":4,"reasoningTokens":1},"error":"bad"}"#,
            ),
        ];
        assert_eq!(
            export(&rows, Language::English),
            "# My # chat\n\n- Chat ID: `c1`\n- Exported: 2026-07-01T12:34:56.789Z\n- Messages: 2\n- Total tokens: 7\n\n---\n\n## 1. You\n\n<!-- 2026-07-01T10:00:00.000Z -->\n\nHello\n\n---\n\n## 2. AI agent\n\n<!-- 2026-07-01T10:00:00.000Z -->\n\nHi\n\n**Tool: Read page** (`getPage`) — done\n\nInput:\n\n```json\n{\n  \"id\": 1\n}\n```\n\nOutput:\n\n````json\na ``` b\n````\n\n**Tool: Ran tool x** (`x`) — error\n\nInput:\n\n```json\n{}\n```\n\n**Error:** no way\n\n**⚠️ Error:** bad\n\n_Tokens — in: 3, out: 4, reasoning: 1, total: 7_"
        );
        assert!(export(&rows, Language::Russian).contains("## 2. ИИ-агент"));
    }

    proptest::proptest! {
        #[test]
        fn tool_blocks_parse_back(outputs in proptest::collection::vec("[`~a\n ]{0,30}", 1..4)) {
            let parts: Vec<_> = outputs
                .iter()
                .enumerate()
                .map(|(index, output)| serde_json::json!({"type": "tool-x", "toolCallId": index.to_string(), "state": "output-available", "input": {}, "output": output}))
                .collect();
            let metadata = serde_json::json!({ "parts": parts }).to_string();
            let document = export(&[row(MessageRole::Assistant, "", &metadata)], Language::English);
            let mut found = Vec::new();
            let mut current = None;
            for event in Parser::new(&document) {
                match event {
                    Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) if &*info == "json" => current = Some(String::new()),
                    Event::Text(text) => if let Some(code) = &mut current { code.push_str(&text) },
                    Event::End(TagEnd::CodeBlock) => found.extend(current.take()),
                    _ => {}
                }
            }
            let expected: Vec<String> = outputs.iter().flat_map(|output| ["{}\n".to_owned(), format!("{output}\n")]).collect();
            proptest::prop_assert_eq!(found, expected);
        }
    }
}
