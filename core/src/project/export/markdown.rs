//! The Markdown export.

use std::borrow::Cow;
use std::fmt::{self, Write};

use serde::Deserialize;

use crate::js::{Number, Raw, Scanner, Text, canonical, pretty_shown, truthy, unescape};
use crate::model::{Part, RunFailure, STEERING_PART};
use crate::project::labels::Labels;
use crate::project::{ErrorText, told_failure};
use crate::text::{js_trim, one_line};

use super::contain::contained;

/// The newest messages that an export holds; older ones are left out, and a line says so.
pub const MAX_EXPORTED_MESSAGES: usize = 5000;

/// A stored message, as far as an export shows it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExportRow<'a> {
    /// Who wrote it: `assistant`, or anything else for a person.
    #[serde(borrow)]
    pub role: Option<Text<'a>>,
    /// Its text, for rows without parts.
    #[serde(borrow)]
    pub content: Option<Text<'a>>,
    /// `{parts, usage?, error?, …}`; anything else counts as none.
    #[serde(borrow)]
    pub metadata: Option<Raw<'a>>,
    /// How far it has come.
    #[serde(borrow)]
    pub status: Option<Text<'a>>,
    /// When it was written, as it is to stand in the document.
    #[serde(borrow)]
    pub created_at: Option<Moment<'a>>,
}

/// A point in time as a host gives it: text, or a number. Without a time is what JavaScript takes for false.
#[derive(Clone, Debug)]
pub struct Moment<'a>(Cow<'a, str>);

impl Moment<'_> {
    /// As it stands in a document; empty when there is none.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a str> for Moment<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Moment<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Raw::deserialize(deserializer)?;
        if !truthy(raw) {
            return Ok(Self(Cow::Borrowed("")));
        }
        if let Ok(Text(text)) = serde_json::from_str(raw.get()) {
            return Ok(Self(text));
        }
        serde_json::from_str::<Number>(raw.get())
            .map(|number| Self(Cow::Owned(number.as_str().to_owned())))
            .map_err(|_| serde::de::Error::custom("expected a time"))
    }
}

/// What stands above the messages.
#[derive(Clone, Debug)]
pub struct MarkdownHead<'a> {
    /// The chat's title.
    pub title: Option<&'a str>,
    /// The chat's id.
    pub chat_id: &'a str,
    /// How many messages follow.
    pub messages: usize,
    /// Their tokens together, as [`ExportTotals`] adds them up.
    pub total_tokens: &'a ExportTotals,
    /// Whether there were older messages than these.
    pub older_left_out: bool,
    /// The time in the document.
    pub exported_at: &'a str,
}

/// The sum over the messages of an export.
#[derive(Clone, Debug)]
pub struct ExportTotals(Number);

impl Default for ExportTotals {
    fn default() -> Self {
        Self(Number::from(0))
    }
}

impl ExportTotals {
    /// Adds one row.
    pub fn add(&mut self, metadata: Option<Raw<'_>>) {
        if let Some(metadata) = metadata {
            self.add_text(metadata.get());
        }
    }

    /// [`ExportTotals::add`] for metadata as text.
    pub fn add_text(&mut self, metadata: &str) {
        if let Some(usage) = Shown::of(metadata).usage {
            self.0 = self.0.plus(&usage.total());
        }
    }
}

/// Writes a document piece by piece; blocks are parted by one blank line, and the last has no line end.
pub struct MarkdownWriter<'a, W> {
    out: W,
    labels: Cow<'a, Labels>,
    messages: usize,
    body: String,
    /// In whose words failures are told; nothing: as they stand.
    error_text: Option<ErrorText>,
}

impl<'a, W: Write> MarkdownWriter<'a, W> {
    /// A document that goes to `out`. Labels that are absent stay empty, so start from [`Labels::builtin`].
    pub fn new(out: W, labels: Cow<'a, Labels>) -> Self {
        Self { out, labels, messages: 0, body: String::new(), error_text: None }
    }

    /// The same, which tells of failures as pages are told of them.
    #[must_use]
    pub fn telling(self, error_text: ErrorText) -> Self {
        // Nobody is there who would make a sentence of the failure.
        let error_text = if error_text == ErrorText::Failure { ErrorText::Safe } else { error_text };
        Self { error_text: Some(error_text), ..self }
    }

    /// The sink.
    pub fn sink(&mut self) -> &mut W {
        &mut self.out
    }

    /// The title and the facts; goes first.
    ///
    /// # Errors
    /// Those of the sink, here and below.
    pub fn head(&mut self, head: &MarkdownHead<'_>) -> fmt::Result {
        // A heading is one line: a title cannot bring lines of its own into the document.
        let title = head.title.map(|title| js_trim(title).replace(LINE_ENDS, " "));
        let title = title.filter(|title| !title.is_empty());
        let title = title.as_deref().or(self.labels.untitled.as_deref()).unwrap_or_default();
        write!(self.out, "# {title}\n\n- Chat ID: `{}`", head.chat_id.replace(LINE_ENDS, " "))?;
        let exported_at = head.exported_at.replace(LINE_ENDS, " ");
        write!(self.out, "\n- Exported: {exported_at}\n- Messages: {}", head.messages)?;
        if head.total_tokens.0.as_f64() > 0.0 {
            write!(self.out, "\n- Total tokens: {}", head.total_tokens.0.as_str())?;
        }
        if head.older_left_out {
            write!(self.out, "\n\n_Older messages were left out; these are the newest {}._", head.messages)?;
        }
        Ok(())
    }

    /// One message; they are numbered from 1.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn row(&mut self, row: &ExportRow<'_>) -> fmt::Result {
        self.message(&RowText {
            assistant: row.role.as_ref().is_some_and(|role| role.0 == "assistant"),
            content: row.content.as_ref().map_or("", |content| &content.0),
            metadata: row.metadata.map(|metadata| metadata.get()),
            streaming: row.status.as_ref().is_some_and(|status| status.0 == "streaming"),
            created_at: row.created_at.as_ref().map_or("", |at| &at.0),
        })
    }

    /// [`MarkdownWriter::row`] for a row as its store has it.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn message(&mut self, row: &RowText<'_>) -> fmt::Result {
        self.messages += 1;
        let label = if row.assistant { &self.labels.ai_agent } else { &self.labels.you };
        let label = label.as_deref().unwrap_or_default();
        write!(self.out, "\n\n---\n\n## {}. {label}", self.messages)?;
        if !row.created_at.is_empty() {
            let at = row.created_at.replace("--", "- -").replace(LINE_ENDS, " ");
            write!(self.out, "\n\n<!-- {at} -->")?;
        }
        let shown = row.metadata.map(Shown::of).unwrap_or_default();
        match shown.parts {
            Some(parts) => self.parts(parts)?,
            None => self.text(row.content)?,
        }
        if row.streaming {
            write!(self.out, "\n\n_⏳ {}_", self.labels.still_generating.as_deref().unwrap_or_default())?;
        }
        let error = match self.error_text {
            Some(error_text) => told_failure(error_text, shown.error.as_deref(), shown.failure.as_ref()).0,
            None => shown.error,
        };
        if let Some(error) = error {
            write!(self.out, "\n\n{}", contained(&format!("**⚠️ Error:** {error}")))?;
        }
        match shown.usage {
            Some(usage) => usage.write(&mut self.out),
            None => Ok(()),
        }
    }

    fn text(&mut self, text: &str) -> fmt::Result {
        let text = js_trim(text);
        if text.is_empty() { Ok(()) } else { write!(self.out, "\n\n{}", contained(text)) }
    }

    /// The elements of a JSON array.
    fn parts(&mut self, parts: &str) -> fmt::Result {
        let mut scanner = Scanner::new(parts);
        scanner.punctuation();
        while scanner.peek().is_some_and(|byte| byte != b']') {
            if scanner.peek() == Some(b'{') {
                let fields = PartFields::read(&mut scanner);
                self.part(&fields)?;
            } else {
                scanner.value();
            }
            if scanner.peek() == Some(b',') {
                scanner.punctuation();
            }
        }
        Ok(())
    }

    fn part(&mut self, part: &PartFields<'_>) -> fmt::Result {
        let Some(kind) = string(part.kind) else {
            return Ok(());
        };
        if kind == "text" {
            return self.text(&string(part.text).unwrap_or_default());
        }
        if kind == STEERING_PART {
            return self.said(part.data.unwrap_or_default());
        }
        let name = match kind.strip_prefix("tool-") {
            Some(name) => name.to_owned(),
            None if kind == "dynamic-tool" => string(part.tool_name).unwrap_or_default().into_owned(),
            None => return Ok(()),
        };
        let state = match string(part.state).as_deref() {
            Some("output-error" | "output-denied") => "error",
            Some("output-available") => "done",
            _ => "running",
        };
        let line = if name.contains(LINE_ENDS) { Cow::Owned(one_line(&name)) } else { Cow::Borrowed(name.as_str()) };
        let label = match self.labels.tools.get(&name) {
            Some(label) => Cow::Borrowed(label.as_str()),
            None => self.labels.ran_tool.as_deref().unwrap_or_default().replace("{name}", &inline(&line)).into(),
        };
        // Bold text ends with its last word: after a blank the marks would be no more than asterisks. A tool without a
        // name stays as it has always stood.
        let label = if name.is_empty() { label.as_ref() } else { label.trim_end() };
        write!(self.out, "\n\n**Tool: {label}**")?;
        write!(self.out, " ({}) — {state}", code_span(&line))?;
        self.fenced("Input:", part.input)?;
        self.fenced("Output:", part.output)?;
        // A call that somebody would not allow has a reason in the place of an error.
        let reason = part.approval.filter(|_| part.error_text.is_none() && state == "error").and_then(reason_of);
        match part.error_text.and_then(as_text).or(reason).filter(|text| !text.is_empty()) {
            Some(text) => write!(self.out, "\n\n{}", contained(&format!("**Error:** {text}"))),
            None => Ok(()),
        }
    }

    /// What a user has said to a run that was under way, as their words.
    fn said(&mut self, message: &str) -> fmt::Result {
        if !message.starts_with('{') {
            return Ok(());
        }
        let mut texts = Vec::new();
        each_field(&mut Scanner::new(message), |key, value| {
            if key == "parts" && is_filled_list(value) {
                let parts = serde_json::from_str::<Vec<Part>>(value).unwrap_or_default();
                texts.extend(parts.iter().filter_map(Part::as_text).map(str::to_owned));
            }
        });
        write!(self.out, "\n\n**{}:**", self.labels.you.as_deref().unwrap_or_default())?;
        texts.iter().try_for_each(|text| self.text(text))
    }

    /// A `json` block whose fence is longer than any run of backticks inside. Strings stand as they are.
    fn fenced(&mut self, label: &str, value: Option<&str>) -> fmt::Result {
        let Some(value) = value else {
            return Ok(());
        };
        self.body.clear();
        match string(Some(value)) {
            Some(text) => self.body.push_str(&text),
            None => pretty_shown(value, &mut self.body),
        }
        let fence = "`".repeat(fence_length(&self.body));
        write!(self.out, "\n\n{label}\n\n{fence}json\n{}\n{fence}", self.body)
    }
}

/// A row as its store has it.
#[derive(Clone, Copy, Debug)]
pub struct RowText<'a> {
    /// Whether the model wrote it.
    pub assistant: bool,
    /// Its text, for rows without parts.
    pub content: &'a str,
    /// Its metadata, JSON.
    pub metadata: Option<&'a str>,
    /// Whether it is still being written.
    pub streaming: bool,
    /// When it was written; may be empty.
    pub created_at: &'a str,
}

/// What ends a line of Markdown.
const LINE_ENDS: [char; 2] = ['\n', '\r'];

/// What an export shows of a row's metadata.
#[derive(Default)]
struct Shown<'a> {
    parts: Option<&'a str>,
    error: Option<String>,
    failure: Option<RunFailure>,
    usage: Option<ShownUsage>,
}

impl<'a> Shown<'a> {
    fn of(metadata: &'a str) -> Self {
        let mut shown = Self::default();
        each_field(&mut Scanner::new(metadata), |key, value| match key {
            "parts" => shown.parts = Some(value).filter(|parts| is_filled_list(parts)),
            "error" => shown.error = as_text(value).filter(|_| is_truthy(value)),
            "failure" => shown.failure = serde_json::from_str(value).ok(),
            "usage" => shown.usage = is_truthy(value).then(|| ShownUsage::of(value)),
            _ => {}
        });
        shown
    }
}

/// Calls `see` with every key and value of the object that comes next; passes anything else by.
fn each_field<'a>(scanner: &mut Scanner<'a>, mut see: impl FnMut(&'a str, &'a str)) {
    if scanner.peek() != Some(b'{') {
        scanner.value();
        return;
    }
    scanner.punctuation();
    while scanner.peek() == Some(b'"') {
        let key = scanner.string();
        scanner.punctuation();
        see(key, scanner.value());
        if scanner.peek() == Some(b',') {
            scanner.punctuation();
        }
    }
    scanner.punctuation();
}

fn is_filled_list(value: &str) -> bool {
    let mut inside = value.strip_prefix('[').unwrap_or("]").bytes().filter(|byte| !byte.is_ascii_whitespace());
    inside.next().is_some_and(|byte| byte != b']')
}

fn is_truthy(value: &str) -> bool {
    match value.bytes().next() {
        Some(b'-' | b'0'..=b'9') => value.parse::<f64>().is_ok_and(|number| number != 0.0),
        None => false,
        _ => !matches!(value, "null" | "false" | "\"\""),
    }
}

/// The fields of a part that are shown, as JSON.
#[derive(Default)]
struct PartFields<'a> {
    kind: Option<&'a str>,
    text: Option<&'a str>,
    tool_name: Option<&'a str>,
    state: Option<&'a str>,
    input: Option<&'a str>,
    output: Option<&'a str>,
    error_text: Option<&'a str>,
    approval: Option<&'a str>,
    data: Option<&'a str>,
}

impl<'a> PartFields<'a> {
    fn read(scanner: &mut Scanner<'a>) -> Self {
        let mut fields = Self::default();
        each_field(scanner, |key, value| {
            let field = match key {
                "type" => &mut fields.kind,
                "text" => &mut fields.text,
                "toolName" => &mut fields.tool_name,
                "state" => &mut fields.state,
                "input" => &mut fields.input,
                "output" => &mut fields.output,
                "errorText" => &mut fields.error_text,
                "approval" => &mut fields.approval,
                "data" => &mut fields.data,
                _ => return,
            };
            *field = Some(value);
        });
        fields
    }
}

/// Why whoever was asked has not allowed a call.
fn reason_of(approval: &str) -> Option<String> {
    let mut reason = None;
    if approval.starts_with('{') {
        each_field(&mut Scanner::new(approval), |key, value| {
            if key == "reason" {
                reason = string(Some(value)).map(Cow::into_owned);
            }
        });
    }
    reason
}

/// The text of a JSON string.
fn string(value: Option<&str>) -> Option<Cow<'_, str>> {
    let content = value?.strip_prefix('"')?.strip_suffix('"')?;
    if !content.contains('\\') {
        return Some(Cow::Borrowed(content));
    }
    let mut text = String::with_capacity(content.len());
    unescape(content, &mut 0, &mut text);
    Some(Cow::Owned(text))
}

/// The value as `String(value)` gives it.
fn as_text(value: &str) -> Option<String> {
    match value.bytes().next()? {
        b'"' => string(Some(value)).map(Cow::into_owned),
        b'{' => Some("[object Object]".to_owned()),
        b'[' => {
            let (mut scanner, mut items) = (Scanner::new(value), Vec::new());
            scanner.punctuation();
            while scanner.peek().is_some_and(|byte| byte != b']') {
                let item = scanner.value();
                items.push(match item.bytes().next() {
                    Some(b'[' | b'{') => "[object Object]".to_owned(),
                    _ if item == "null" => String::new(),
                    _ => as_text(item).unwrap_or_default(),
                });
                if scanner.peek() == Some(b',') {
                    scanner.punctuation();
                }
            }
            Some(items.join(","))
        }
        _ => Some(canonical(value).text.into_owned()),
    }
}

/// A row's usage. What is not a number is not known.
#[derive(Default)]
struct ShownUsage {
    input: Option<Number>,
    output: Option<Number>,
    total: Option<Number>,
    reasoning: Option<Number>,
}

impl ShownUsage {
    fn of(value: &str) -> Self {
        let mut usage = Self::default();
        each_field(&mut Scanner::new(value), |key, value| {
            let field = match key {
                "inputTokens" => &mut usage.input,
                "outputTokens" => &mut usage.output,
                "totalTokens" => &mut usage.total,
                "reasoningTokens" => &mut usage.reasoning,
                _ => return,
            };
            *field = serde_json::from_str(value).ok();
        });
        usage
    }

    fn total(&self) -> Number {
        let zero = Number::from(0);
        let known = |tokens: &Option<Number>| tokens.clone().unwrap_or_else(|| zero.clone());
        self.total.clone().unwrap_or_else(|| known(&self.input).plus(&known(&self.output)))
    }

    fn write<W: Write>(&self, out: &mut W) -> fmt::Result {
        let known = |tokens: &Option<Number>| tokens.as_ref().map_or("?".to_owned(), |known| known.as_str().to_owned());
        write!(out, "\n\n_Tokens — in: {}, out: {}", known(&self.input), known(&self.output))?;
        if let Some(reasoning) = self.reasoning.as_ref().filter(|tokens| tokens.as_f64() > 0.0) {
            write!(out, ", reasoning: {}", reasoning.as_str())?;
        }
        write!(out, ", total: {}_", self.total().as_str())
    }
}

/// `buildChatMarkdown`: the whole document. Of more rows than [`MAX_EXPORTED_MESSAGES`] the newest are shown.
pub fn build_chat_markdown(
    title: Option<&str>,
    chat_id: &str,
    rows: &[ExportRow<'_>],
    labels: &Labels,
    exported_at: &str,
) -> String {
    let older = rows.len().saturating_sub(MAX_EXPORTED_MESSAGES);
    let rows = rows.get(older..).unwrap_or_default();
    let mut totals = ExportTotals::default();
    rows.iter().for_each(|row| totals.add(row.metadata));
    let head = MarkdownHead {
        title,
        chat_id,
        messages: rows.len(),
        total_tokens: &totals,
        older_left_out: older > 0,
        exported_at,
    };
    let mut document = String::new();
    let mut writer = MarkdownWriter::new(&mut document, Cow::Borrowed(labels));
    // A String takes everything.
    let _ = writer.head(&head);
    for row in rows {
        let _ = writer.row(row);
    }
    document
}

/// The shortest fence, at least three marks, that nothing inside ends.
pub(super) fn fence_length(body: &str) -> usize {
    (longest_backtick_run(body) + 1).max(3)
}

fn longest_backtick_run(text: &str) -> usize {
    let (mut rest, mut longest) = (text.as_bytes(), 0);
    while let Some(at) = memchr::memchr(b'`', rest) {
        rest = rest.get(at..).unwrap_or_default();
        let run = rest.iter().take_while(|byte| **byte == b'`').count();
        longest = longest.max(run);
        rest = rest.get(run..).unwrap_or_default();
    }
    longest
}

/// A name within bold text, which it can neither end nor turn into something else.
fn inline(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for character in js_trim(name).chars() {
        if matches!(character, '\\' | '`' | '*' | '<' | '[' | ']' | '&') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

fn code_span(text: &str) -> String {
    let text = if text.contains(LINE_ENDS) { Cow::Owned(one_line(text)) } else { Cow::Borrowed(text) };
    let delimiter = "`".repeat(longest_backtick_run(&text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{delimiter}{pad}{text}{pad}{delimiter}")
}

#[cfg(test)]
mod tests {
    use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Parser, Tag, TagEnd};
    use serde_json::{Value, json};

    use super::*;
    use crate::project::labels::Language;

    fn export(rows: &Value, language: Language) -> String {
        let text = rows.to_string();
        let rows: Vec<ExportRow<'_>> = serde_json::from_str(&text).unwrap();
        build_chat_markdown(Some("  My\n# chat "), "c1", &rows, &Labels::builtin(language), "2026-07-01T12:34:56.789Z")
    }

    #[test]
    fn document_has_the_documented_layout() {
        let rows = json!([
            {"role": "user", "content": "Hello", "metadata": {}, "createdAt": "2026-07-01T10:00:00.000Z"},
            {"role": "assistant", "content": "", "createdAt": "2026-07-01T10:00:00.000Z", "metadata":
                {"parts": [{"type": "step-start"}, {"type": "text", "text": " Hi ", "state": "done"},
                    {"type": "tool-getPage", "toolCallId": "1", "state": "output-available", "input": {"id": 1}, "output": "a ``` b"},
                    {"type": "tool-x", "toolCallId": "2", "state": "output-error", "input": {}, "errorText": "no\nway"},
                    {"type": "tool-x", "toolCallId": "3", "state": "output-denied", "input": {}, "approval": {"id": "a", "approved": false, "reason": "not now"}}],
                 "usage": {"inputTokens": 3, "outputTokens": 4, "reasoningTokens": 1}, "error": "bad"}}
        ]);
        assert_eq!(
            export(&rows, Language::English),
            "# My # chat\n\n- Chat ID: `c1`\n- Exported: 2026-07-01T12:34:56.789Z\n- Messages: 2\n- Total tokens: 7\n\n---\n\n## 1. You\n\n<!-- 2026-07-01T10:00:00.000Z -->\n\nHello\n\n---\n\n## 2. AI agent\n\n<!-- 2026-07-01T10:00:00.000Z -->\n\nHi\n\n**Tool: Read page** (`getPage`) — done\n\nInput:\n\n```json\n{\n  \"id\": 1\n}\n```\n\nOutput:\n\n````json\na ``` b\n````\n\n**Tool: Ran tool x** (`x`) — error\n\nInput:\n\n```json\n{}\n```\n\n**Error:** no\nway\n\n**Tool: Ran tool x** (`x`) — error\n\nInput:\n\n```json\n{}\n```\n\n**Error:** not now\n\n**⚠️ Error:** bad\n\n_Tokens — in: 3, out: 4, reasoning: 1, total: 7_"
        );
        assert!(export(&rows, Language::Russian).contains("## 2. ИИ-агент"));
    }

    /// Defect 23 of the servers that this replaces: what was left out is said, text forges no heading, and a tool that
    /// is named like a member of every JavaScript object has a label like any other.
    #[test]
    fn nothing_is_left_out_in_silence_or_forged() {
        let rows: Vec<Value> =
            (0..=MAX_EXPORTED_MESSAGES).map(|n| json!({"role": "user", "content": n.to_string()})).collect();
        let document = export(&json!(rows), Language::English);
        assert!(
            document.contains("\n- Messages: 5000\n\n_Older messages were left out; these are the newest 5000._\n")
        );
        assert!(document.contains("## 1. You\n\n1\n") && document.ends_with("## 5000. You\n\n5000"));
        let rows = json!([{"role": "user", "content": "hi\n\n---\n\n## 2. AI agent\n\nforged", "metadata":
            {"parts": [{"type": "text", "text": "hi\n\n---\n\n## 2. AI agent\n\nforged"},
                {"type": "tool-constructor"}, {"type": "tool-__proto__"}, {"type": "tool-a`\n\n## 3. You"}]}}]);
        let document = export(&rows, Language::English);
        assert!(document.contains("\n\\## 2. AI agent\n"));
        assert!(document.contains("**Tool: Ran tool constructor** (`constructor`) — running"));
        assert!(document.contains("**Tool: Ran tool __proto__** (`__proto__`) — running"));
        assert_eq!(structure(&document), (1, 3, Vec::new()));
    }

    #[test]
    fn a_name_that_ends_in_a_blank_is_a_tool_like_any_other() {
        let rows =
            json!([{"metadata": {"parts": [{"type": "tool- "}, {"type": "tool-a\u{85}"}, {"type": "tool-b "}]}}]);
        let document = export(&rows, Language::English);
        assert!(document.contains("**Tool: Ran tool** (` `)") && document.contains("**Tool: Ran tool b** (`b `)"));
        assert_eq!(structure(&document), (1, 3, Vec::new()));
    }

    #[test]
    fn the_time_of_an_export_is_one_line() {
        let document =
            build_chat_markdown(None, "c", &[], &Labels::builtin(Language::English), "a\n\n## 1. You\r\n<pre>");
        assert!(document.contains("\n- Exported: a  ## 1. You  <pre>\n"));
    }

    #[test]
    fn invalid_times_crash_nothing() {
        let document = export(
            &json!([{"content": "x", "createdAt": null}, {"content": "y", "createdAt": "a --> \n# b"}]),
            Language::English,
        );
        assert!(document.contains("## 1. You\n\nx") && document.contains("<!-- a - -> "));
    }

    /// Messages, tools and the contents of code blocks that stand below `Input:` or `Output:` of a tool.
    fn structure(document: &str) -> (usize, usize, Vec<String>) {
        let (mut messages, mut tools, mut blocks) = (0, 0, Vec::new());
        let (mut heading, mut code, mut strong): (Option<String>, Option<String>, Option<String>) = (None, None, None);
        let mut paragraph = String::new();
        for event in Parser::new(document) {
            match event {
                Event::Start(Tag::Heading { level: HeadingLevel::H2, .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    if let Some(heading) = heading.take() {
                        let number = format!("{}. ", messages + 1);
                        messages += usize::from(heading.starts_with(&number));
                    }
                }
                Event::Start(Tag::Paragraph) => paragraph.clear(),
                Event::Start(Tag::Strong) if paragraph.is_empty() => strong = Some(String::new()),
                Event::End(TagEnd::Strong) => {
                    tools += usize::from(strong.take().is_some_and(|strong| strong.starts_with("Tool: ")));
                }
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) if &*info == "json" => {
                    code = matches!(paragraph.as_str(), "Input:" | "Output:").then(String::new);
                }
                Event::End(TagEnd::CodeBlock) => blocks.extend(code.take()),
                Event::Text(text) | Event::Code(text) => {
                    for open in [&mut heading, &mut code, &mut strong].into_iter().flatten() {
                        open.push_str(&text);
                    }
                    paragraph.push_str(&text);
                }
                _ => {}
            }
        }
        (messages, tools, blocks)
    }

    const WILD: &str = "([`~a#<>!*_=\\-1-9. \n\\[\\]]|```|~~~|```json\n|<!--|\n## 2\\. You\n|\n---\n|<script>|\\*\\*Tool: x\\*\\*){0,14}";

    proptest::proptest! {
        #[test]
        fn parses_back_into_the_same_structure(
            messages in proptest::collection::vec(
                (proptest::bool::ANY, proptest::collection::vec(
                    proptest::prop_oneof![
                        WILD.prop_map(|text| json!({"type": "text", "text": text})),
                        (WILD, WILD, "[a-z][a-z`\n*]{0,5}", WILD).prop_map(|(input, output, name, error)| json!(
                            {"type": format!("tool-{name}"), "input": {"in": input}, "output": output, "errorText": error})),
                    ], 0..4), WILD), 0..5),
            title in WILD,
        ) {
            let rows: Vec<Value> = messages.iter().map(|(assistant, parts, error)| json!({
                "role": if *assistant { "assistant" } else { "user" }, "createdAt": title, "content": error,
                "metadata": {"parts": parts, "error": error},
            })).collect();
            let document = export(&json!(rows), Language::English);
            let parts: Vec<&Value> = messages.iter().flat_map(|(_, parts, _)| parts).filter(|part| part["type"] != "text").collect();
            let codes: Vec<String> = parts.iter().flat_map(|part| {
                // CommonMark has no other line end than this one within a code block.
                [format!("{}\n", serde_json::to_string_pretty(&part["input"]).unwrap()), format!("{}\n", part["output"].as_str().unwrap())]
            }).collect();
            proptest::prop_assert_eq!(structure(&document), (messages.len(), parts.len(), codes), "{}", document);
        }
    }

    use proptest::prelude::Strategy as _;
}
