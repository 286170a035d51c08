//! What makes documents of rows.

use serde::Deserialize;

use crate::clock::{Clock, SystemClock};
use crate::js::{Raw, Text, list, optional_object, write_string};
use crate::project::export::{ExportRow, JsonWriter, Moment, build_chat_markdown, parse_chat_json};
use crate::project::{Labels, Language};

use super::{Answer, answer, arguments};

/// The time that was passed in, or now.
fn exported_at(given: Option<Moment<'_>>) -> String {
    match given {
        Some(at) if !at.as_str().is_empty() => at.as_str().to_owned(),
        _ => SystemClock.now().to_string(),
    }
}

pub(super) fn markdown(text: &str) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Arguments<'a> {
        #[serde(default, borrow)]
        title: Option<Text<'a>>,
        #[serde(borrow)]
        chat_id: Text<'a>,
        #[serde(borrow, deserialize_with = "list")]
        rows: Vec<ExportRow<'a>>,
        #[serde(default, borrow)]
        lang: Option<Text<'a>>,
        #[serde(default, deserialize_with = "optional_object")]
        labels: Option<Labels>,
        #[serde(default, borrow)]
        exported_at: Option<Moment<'a>>,
    }
    let given: Arguments<'_> = arguments(text)?;
    let language = Language::from_tag(given.lang.as_ref().map(|lang| lang.0.as_ref()));
    let labels = given.labels.unwrap_or_default().over(Labels::builtin(language));
    let title = given.title.as_ref().map(|title| title.0.as_ref());
    answer(&build_chat_markdown(title, &given.chat_id.0, &given.rows, &labels, &exported_at(given.exported_at)))
}

pub(super) fn json(text: &str) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Arguments<'a> {
        #[serde(default, borrow)]
        title: Option<Text<'a>>,
        #[serde(borrow)]
        chat_id: Text<'a>,
        #[serde(borrow)]
        rows: Vec<Raw<'a>>,
        #[serde(default, borrow)]
        exported_at: Option<Moment<'a>>,
    }
    let given: Arguments<'_> = arguments(text)?;
    let title = given.title.as_ref().map(|title| title.0.as_ref());
    let mut document = String::with_capacity(text.len());
    // A String takes everything.
    if let Ok(mut writer) = JsonWriter::new(&mut document, &given.chat_id.0, title, &exported_at(given.exported_at)) {
        for row in given.rows {
            let _ = writer.row(row.get());
        }
        let _ = writer.finish();
    }
    answer(&document)
}

/// `{chatId, title, exportedAt, rows}` of a document.
pub(super) fn parse(text: &str) -> Answer {
    #[derive(Deserialize)]
    struct Arguments<'a> {
        #[serde(borrow)]
        text: Text<'a>,
    }
    let Arguments { text } = arguments(text)?;
    let document = parse_chat_json(&text.0, "text")?;
    let mut out = "{\"chatId\":".to_owned();
    write_string(&document.chat_id.0, &mut out);
    for (name, value) in [("title", document.title), ("exportedAt", document.exported_at)] {
        out.push_str(&format!(",\"{name}\":"));
        match value {
            Some(value) => write_string(&value.0, &mut out),
            None => out.push_str("null"),
        }
    }
    out.push_str(",\"rows\":[");
    for (index, row) in document.rows.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(row.get());
    }
    out.push_str("]}");
    Ok(Some(out))
}
