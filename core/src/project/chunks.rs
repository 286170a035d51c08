//! Pages in chunks for embedding, each under the trail of headings that leads to it.

use serde_json::Value;

use crate::model::Json;
use crate::text::{is_js_space, js_trim, storable, utf16_len};

use super::split::{SplitOptions, split_text};

/// What is between the headings of a trail.
const TRAIL: &str = " > ";
/// What comes before a block that is not the first of its text.
const BLOCK_SEPARATOR: &str = "\n\n";

/// Nodes that stand in a text.
const INLINE: &[&str] =
    &["text", "mention", "hardBreak", "mathInline", "status", "emoji", "footnoteReference", "inlineImage"];
/// Nodes that stand by themselves: Docmost's, and those of the editor that it is made of.
const BLOCKS: &[&str] = &[
    "doc",
    "paragraph",
    "heading",
    "bulletList",
    "orderedList",
    "listItem",
    "taskList",
    "taskItem",
    "blockquote",
    "codeBlock",
    "horizontalRule",
    "callout",
    "details",
    "detailsSummary",
    "detailsContent",
    "table",
    "tableRow",
    "tableHeader",
    "tableCell",
    "image",
    "video",
    "audio",
    "attachment",
    "drawio",
    "excalidraw",
    "embed",
    "youtube",
    "mathBlock",
    "subpages",
    "columns",
    "column",
    "htmlEmbed",
    "pageBreak",
    "footnotes",
    "footnote",
];
const MARKS: &[&str] = &[
    "bold",
    "italic",
    "strike",
    "code",
    "link",
    "underline",
    "subscript",
    "superscript",
    "textStyle",
    "highlight",
    "comment",
    "color",
];

/// A page, as far as it is searched.
#[derive(Clone, Copy, Debug, Default)]
pub struct PageContent<'a> {
    /// Its title.
    pub title: Option<&'a str>,
    /// Its text.
    pub text: Option<&'a str>,
    /// Its document: ProseMirror's JSON.
    pub document: Option<&'a Json>,
}

/// A chunk with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct ChunkRow {
    /// Its number in the page.
    pub index: u32,
    /// Where it begins in all chunks put together, in UTF-16 units.
    pub start: u32,
    /// How long it is, in UTF-16 units.
    pub length: u32,
    /// The chunk.
    pub content: String,
    /// Its vector.
    pub vector: Vec<f32>,
}

/// The chunks of a page: under their headings where the document can be read, of the text alone otherwise. A document
/// with nodes that are not known gives way to the text, and is read as far as possible where there is none.
pub fn page_chunks(page: PageContent<'_>) -> Vec<String> {
    let document = page.document.and_then(|document| document.read::<Value>().ok());
    let title = page.title.unwrap_or_default();
    if let Some(chunks) = document.as_ref().and_then(|document| breadcrumb_chunks(document, title, Unknown::Refused)) {
        return chunks;
    }
    match (page.text.filter(|text| !text.is_empty()), &document) {
        (Some(text), _) => split(text),
        (None, Some(document)) => breadcrumb_chunks(document, title, Unknown::Read).unwrap_or_default(),
        (None, None) => Vec::new(),
    }
}

/// The rows of chunks with vectors. One without a vector is left out; it keeps its number, and takes no place.
pub fn chunk_rows(chunks: Vec<String>, vectors: Vec<Option<Vec<f32>>>) -> Vec<ChunkRow> {
    let mut start = 0_u32;
    let numbered = (0..).zip(chunks).zip(vectors);
    let placed = numbered.filter_map(|((index, content), vector)| {
        let length = u32::try_from(utf16_len(&content)).unwrap_or(u32::MAX);
        let row = ChunkRow { index, start, length, content, vector: vector? };
        start = start.saturating_add(length);
        Some(row)
    });
    placed.collect()
}

/// What becomes of nodes and marks that are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The document counts as one that cannot be read.
    Refused,
    /// Their content is read, as that of a block.
    Read,
}

/// The sections of a document as chunks, each below the title and the headings that lead to it. A section without text
/// has none. Nothing for what is no document.
pub fn breadcrumb_chunks(document: &Value, title: &str, unknown: Unknown) -> Option<Vec<String>> {
    let blocks = document.as_object()?.get("content")?.as_array()?;
    let mut sections = Sections { title, trail: Vec::new(), body: String::new(), chunks: Vec::new() };
    for block in blocks {
        if block.is_null() && unknown == Unknown::Refused {
            return None;
        }
        let mut text = String::new();
        let read = write_text(block, false, unknown, &mut text);
        if read.is_none() {
            if unknown == Unknown::Refused {
                return None;
            }
            continue;
        }
        if block.get("type").is_some_and(|kind| kind == "heading") {
            sections.heading(block, &text);
        } else {
            sections.push(&text);
        }
    }
    sections.flush();
    Some(sections.chunks)
}

struct Sections<'a> {
    title: &'a str,
    /// The headings above, with their levels.
    trail: Vec<(f64, String)>,
    body: String,
    chunks: Vec<String>,
}

impl Sections<'_> {
    fn heading(&mut self, block: &Value, text: &str) {
        self.flush();
        let level = block.get("attrs").and_then(|attributes| attributes.get("level")).and_then(Value::as_f64);
        let level = level.unwrap_or(1.0);
        while self.trail.last().is_some_and(|(above, _)| *above >= level) {
            self.trail.pop();
        }
        let text = js_trim(text);
        if !text.is_empty() {
            self.trail.push((level, text.to_owned()));
        }
    }

    fn push(&mut self, text: &str) {
        if !self.body.is_empty() {
            self.body.push('\n');
        }
        self.body.push_str(text);
    }

    fn flush(&mut self) {
        let body = std::mem::take(&mut self.body);
        if js_trim(&body).is_empty() {
            return;
        }
        let title = Some(self.title).filter(|title| !js_trim(title).is_empty());
        let names: Vec<&str> = title.into_iter().chain(self.trail.iter().map(|(_, text)| text.as_str())).collect();
        let trail = names.join(TRAIL);
        self.chunks.extend(split(&body).into_iter().map(|piece| match trail.as_str() {
            "" => piece,
            trail => storable(format!("{trail}\n\n{piece}")),
        }));
    }
}

fn split(text: &str) -> Vec<String> {
    if text.chars().all(is_js_space) {
        return Vec::new();
    }
    // The sizes are those of before, and possible.
    split_text(text, SplitOptions::default()).unwrap_or_default().into_iter().map(storable).collect()
}

/// The text of a node, and of all below it. No deeper than JSON is read, which is 128 levels.
fn write_text(node: &Value, is_inner: bool, unknown: Unknown, out: &mut String) -> Option<()> {
    let kind = node.get("type").and_then(Value::as_str);
    let is_known = kind.is_some_and(|kind| INLINE.contains(&kind) || BLOCKS.contains(&kind));
    if unknown == Unknown::Refused && !(is_known && marks_are_known(node)) {
        return None;
    }
    let kind = kind?;
    let text = node.get("text").and_then(Value::as_str).unwrap_or_default();
    let attribute = |name: &str| node.get("attrs").and_then(|attributes| attributes.get(name)).and_then(Value::as_str);
    match kind {
        "text" if text.is_empty() && unknown == Unknown::Refused => return None,
        "text" => out.push_str(text),
        "mention" => {
            out.push('@');
            out.push_str(attribute("label").or_else(|| attribute("id")).unwrap_or_default());
            return Some(());
        }
        "hardBreak" => out.push('\n'),
        kind if is_inner && !INLINE.contains(&kind) => out.push_str(BLOCK_SEPARATOR),
        _ => {}
    }
    match node.get("content") {
        None | Some(Value::Null | Value::Bool(false)) => Some(()),
        Some(Value::Array(children)) => {
            for child in children {
                if write_text(child, true, unknown, out).is_none() && unknown == Unknown::Refused {
                    return None;
                }
            }
            Some(())
        }
        Some(_) => (unknown == Unknown::Read).then_some(()),
    }
}

fn marks_are_known(node: &Value) -> bool {
    let is_known = |mark: &Value| mark.get("type").and_then(Value::as_str).is_some_and(|kind| MARKS.contains(&kind));
    match node.get("marks") {
        None | Some(Value::Null) => true,
        Some(Value::Array(marks)) => marks.iter().all(is_known),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn chunks(title: Option<&str>, text: Option<&str>, document: Option<Value>) -> Vec<String> {
        let document = document.map(|document| Json::from_value(&document).unwrap());
        page_chunks(PageContent { title, text, document: document.as_ref() })
    }

    fn paragraph(text: &str) -> Value {
        json!({"type": "paragraph", "content": [{"type": "text", "text": text}]})
    }

    #[test]
    fn sections_stand_under_their_headings() {
        let heading = |level: u32, text: &str| json!({"type": "heading", "attrs": {"level": level}, "content": [{"type": "text", "text": text}]});
        let document = json!({"type": "doc", "content": [
            paragraph("before"), heading(1, "A"), heading(2, "B"), paragraph("one"), paragraph("two"), heading(1, "C"),
            paragraph("three"), heading(1, "empty")
        ]});
        let found = chunks(Some("Page"), Some("not this"), Some(document));
        assert_eq!(found, ["Page\n\nbefore", "Page > A > B\n\none\ntwo", "Page > C\n\nthree"]);
    }

    #[test]
    fn a_document_that_is_not_known_gives_way_to_the_text() {
        let document = json!({"type": "doc", "content": [{"type": "widget", "content": [paragraph("inside")]}]});
        assert_eq!(chunks(Some("P"), Some("the text"), Some(document.clone())), ["the text"]);
        assert_eq!(chunks(Some("P"), None, Some(document)), ["P\n\ninside"]);
        assert_eq!(chunks(Some("P"), Some("the text"), Some(json!("no document"))), ["the text"]);
        assert!(chunks(Some("P"), Some(" \n"), None).is_empty());
        assert!(chunks(Some("P"), None, None).is_empty());
        assert!(chunks(Some("P"), None, Some(json!({"type": "zzz"}))).is_empty());
    }

    #[test]
    fn depth_is_no_danger() {
        let deep = format!("{}{}{}", "{\"content\":[".repeat(5_000), "1", "]}".repeat(5_000));
        let document = Json::parse(&deep).unwrap();
        let found = page_chunks(PageContent { title: None, text: Some("x"), document: Some(&document) });
        assert_eq!(found, ["x"]);
    }

    #[test]
    fn rows_are_placed_one_behind_the_other() {
        let texts = ["a😀".to_owned(), "lost".to_owned(), "c".to_owned()].to_vec();
        let rows = chunk_rows(texts, vec![Some(vec![1.0]), None, Some(vec![2.0])]);
        let places: Vec<_> = rows.iter().map(|row| (row.index, row.start, row.length)).collect();
        assert_eq!(places, [(0, 0, 3), (2, 3, 1)]);
    }

    proptest::proptest! {
        #[test]
        fn no_document_is_too_much(
            kinds in proptest::collection::vec("(text|heading|paragraph|mention|x)", 0..8), text in "\\PC{0,20}",
        ) {
            let inside = json!([{"type": "text", "text": text}, 5, null]);
            let block = |kind| json!({"type": kind, "text": text, "content": inside, "marks": [1]});
            let document = json!({"content": kinds.iter().map(block).collect::<Vec<_>>()});
            let _ = breadcrumb_chunks(&document, &text, Unknown::Refused);
            proptest::prop_assert!(breadcrumb_chunks(&document, &text, Unknown::Read).is_some());
        }
    }
}
