//! Documents that are written from rows, and read again.

use serde_json::{Value, json};
use turnkeep::functions::call;
use turnkeep::project::export::{ExportRow, JsonWriter, build_chat_markdown, parse_chat_json, row_of};
use turnkeep::project::{Labels, Language};

use crate::budget::within;
use crate::input::{Input, is_json};
use crate::structure::{is_code, structure};

/// A Markdown document has the messages, tools and code blocks that were put into it and no others, whatever the texts
/// are; a JSON document comes back as it went; other documents are refused or read, row by row.
pub fn export(data: &[u8]) {
    let mut input = Input::new(data);
    match input.below(3) {
        0 => read(&input.rest_text()),
        _ => written(&mut input),
    }
}

fn read(text: &str) {
    let document = match within("parse_chat_json", text.len(), 2000, || parse_chat_json(text, "text")) {
        Ok(document) => document,
        Err(error) => {
            let field = error.details().get("field").and_then(Value::as_str);
            assert!(field.is_some_and(|field| !field.is_empty()), "{}", error.to_json());
            return;
        }
    };
    let rows: Vec<&str> = document.rows.iter().map(|row| row.get()).collect();
    for row in &document.rows {
        assert!(row_of(row).is_ok());
    }
    let title = document.title.as_ref().map(|title| title.0.as_ref());
    let at = document.exported_at.as_ref().map_or("", |at| at.0.as_ref());
    round_trip(&document.chat_id.0, title, at, &rows);
    // The engine's own reader of the same rows must not fall over either.
    let rows: Result<Vec<ExportRow<'_>>, _> = rows.iter().map(|row| serde_json::from_str(row)).collect();
    if let Ok(rows) = rows {
        build_chat_markdown(title, &document.chat_id.0, &rows, &Labels::builtin(Language::English), at);
    }
}

fn round_trip(chat_id: &str, title: Option<&str>, at: &str, rows: &[&str]) {
    let mut text = String::new();
    let mut writer = JsonWriter::new(&mut text, chat_id, title, at).expect("a String takes everything");
    rows.iter().for_each(|row| writer.row(row).expect("a String takes everything"));
    writer.finish().expect("a String takes everything");
    let read = parse_chat_json(&text, "text").expect("what was written can be read");
    let stored = |text: &str| text.replace('\0', "\u{fffd}");
    assert_eq!(read.chat_id.0, stored(chat_id));
    assert_eq!(read.title.map(|title| title.0.into_owned()), title.map(stored));
    assert_eq!(read.exported_at.map(|at| at.0.into_owned()), Some(stored(at)));
    assert_eq!(read.rows.iter().map(|row| row.get()).collect::<Vec<_>>(), rows);
}

fn written(input: &mut Input<'_>) {
    let (title, chat_id, at) = (input.text(), input.text(), input.text());
    let (mut rows, mut tools, mut blocks) = (Vec::new(), 0, Vec::new());
    for _ in 0..input.below(5) {
        let mut parts = Vec::new();
        for _ in 0..input.below(5) {
            if input.chance(2) {
                parts.push(json!({"type": "text", "text": input.text()}));
                continue;
            }
            let (name, dynamic) = (input.text(), input.chance(4));
            let mut part = json!({
                "type": if dynamic { "dynamic-tool".to_owned() } else { format!("tool-{name}") },
                "state": input.pick(&["output-available", "output-error", "input-available", "output-denied", "x"]),
            });
            if dynamic {
                part["toolName"] = json!(name);
            }
            // What has no name reads as it always has, which is not bold.
            tools += usize::from(!name.is_empty());
            for member in ["input", "output"] {
                match input.below(3) {
                    0 => {}
                    1 => {
                        let text = input.text();
                        part[member] = json!(text);
                        blocks.push(text);
                    }
                    _ => {
                        let value = json!({"in": [input.text()]});
                        blocks.push(serde_json::to_string_pretty(&value).expect("a value has a JSON form"));
                        part[member] = value;
                    }
                }
            }
            if input.chance(2) {
                part["errorText"] = json!(input.text());
            }
            parts.push(part);
        }
        rows.push(json!({
            "role": input.pick(&["assistant", "user", "system"]),
            "content": input.text(),
            "createdAt": input.text(),
            "status": input.pick(&["completed", "streaming"]),
            "metadata": {"parts": parts, "error": input.text(), "usage": {"inputTokens": input.byte()}},
        }));
    }
    let arguments = json!({"title": title, "chatId": chat_id, "exportedAt": at, "rows": rows}).to_string();
    let document = within("buildChatMarkdown", arguments.len(), 40_000, || call("buildChatMarkdown", &arguments));
    let document = document.expect("these rows are right").expect("it always answers");
    let document: String = serde_json::from_str(&document).expect("a document is text");
    let (messages, found, code) = structure(&document);
    assert_eq!((messages, found), (rows.len(), tools), "{document}");
    // A text may have a block of its own below a line that says `Output:`.
    let mut code = code.iter();
    let missing = blocks.iter().find(|block| !code.any(|found| is_code(block, found)));
    assert_eq!(missing, None, "is not in {:?} of {document}", structure(&document).2);

    // A row of an export has one of two roles.
    let rows: Vec<Value> = rows
        .into_iter()
        .map(|mut row| {
            row["role"] = json!(if row["role"] == "assistant" { "assistant" } else { "user" });
            row.as_object_mut().expect("a row is an object").remove("createdAt");
            row
        })
        .collect();
    let texts: Vec<String> = rows.iter().map(Value::to_string).collect();
    round_trip(&chat_id, Some(&title), &at, &texts.iter().map(String::as_str).collect::<Vec<_>>());
    let arguments = json!({"title": title, "chatId": chat_id, "exportedAt": at, "rows": rows}).to_string();
    let text = call("buildChatJson", &arguments).expect("these rows are right").expect("it always answers");
    let back = call("parseChatJson", &format!("{{\"text\":{text}}}")).expect("what was written can be read");
    let back = back.expect("it always answers");
    assert!(is_json(&back));
    let back: Value = serde_json::from_str(&back).expect("nothing here is deep");
    // What cannot be stored is replaced in what is ours; rows pass through unread.
    assert_eq!(back["title"], title.replace('\0', "\u{fffd}"));
    assert_eq!(back["rows"], Value::from(rows));
}
