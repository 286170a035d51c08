//! Pages as the editor keeps them, a tree of nodes: what is where in them, and their text. No recursion, whatever a page
//! holds.

use serde_json::{Value, json};

use super::shapes::{cut, put};

/// How much an outline shows of a block, and of a cell of a table's header, in UTF-16 units.
const FIRST_TEXT: usize = 100;
const HEADER_TEXT: usize = 40;

pub(super) fn kind(node: &Value) -> &str {
    node.get("type").and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn children(node: &Value) -> &[Value] {
    node.get("content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

pub(super) fn id(node: &Value) -> Option<&str> {
    node.pointer("/attrs/id").and_then(Value::as_str)
}

/// The texts of a node, one behind the other.
pub(super) fn text_of(node: &Value) -> String {
    let (mut text, mut open) = (String::new(), vec![node]);
    while let Some(node) = open.pop() {
        text.push_str(node.get("text").and_then(Value::as_str).unwrap_or_default());
        open.extend(children(node).iter().rev());
    }
    text
}

/// The top-level blocks of a document: `{index, type, id, firstText, level?, rows?, cols?, header?, items?}` each.
pub fn outline(document: &Value) -> Value {
    let block = |(index, node): (usize, &Value)| {
        let mut entry =
            json!({"index": index, "type": kind(node), "id": id(node), "firstText": cut(&text_of(node), FIRST_TEXT)});
        match kind(node) {
            "heading" => put(&mut entry, "level", node.pointer("/attrs/level").cloned().unwrap_or_default()),
            "table" => {
                let first = children(node).first().map(children).unwrap_or_default();
                put(&mut entry, "rows", json!(children(node).len()));
                put(&mut entry, "cols", json!(first.len()));
                put(
                    &mut entry,
                    "header",
                    first.iter().map(|cell| json!(cut(&text_of(cell), HEADER_TEXT))).collect::<Value>(),
                );
            }
            "bulletList" | "orderedList" | "taskList" => put(&mut entry, "items", json!(children(node).len())),
            _ => {}
        }
        entry
    };
    children(document).iter().enumerate().map(block).collect()
}

/// The node of this id, or the top-level one at `#` and a place; with the places that lead to it.
pub fn node_by_ref<'d>(document: &'d Value, reference: &str) -> Option<(Vec<usize>, &'d Value)> {
    if let Some(place) = reference.strip_prefix('#') {
        let place: usize = place.parse().ok()?;
        return Some((vec![place], children(document).get(place)?));
    }
    let mut open: Vec<(Vec<usize>, &Value)> = vec![(Vec::new(), document)];
    while let Some((path, node)) = open.pop() {
        if !path.is_empty() && id(node) == Some(reference) {
            return Some((path, node));
        }
        let below = children(node).iter().enumerate().rev();
        open.extend(below.map(|(place, child)| ([&path[..], &[place]].concat(), child)));
    }
    None
}

/// The table at this place, or around the node of this id, as `{rows, cols, cells, cellIds, path}`.
pub fn read_table(document: &Value, reference: &str) -> Option<Value> {
    let (mut path, _) = node_by_ref(document, reference)?;
    // The nearest one that there is on the way up.
    let table = loop {
        let node = path.iter().try_fold(document, |node, place| children(node).get(*place))?;
        if kind(node) == "table" {
            break node;
        }
        if reference.starts_with('#') || path.pop().is_none() {
            return None;
        }
    };
    let rows = children(table);
    let cells: Vec<Vec<String>> = rows.iter().map(|row| children(row).iter().map(text_of).collect()).collect();
    let cell_id = |cell: &Value| children(cell).first().and_then(id).map(str::to_owned);
    let ids: Vec<Vec<_>> = rows.iter().map(|row| children(row).iter().map(cell_id).collect()).collect();
    let columns = rows.first().map_or(0, |row| children(row).len());
    Some(json!({"rows": rows.len(), "cols": columns, "cells": cells, "cellIds": ids, "path": path}))
}

/// The text of a document, each of its lowest blocks a line.
pub(super) fn plain_text(document: &Value) -> String {
    let (mut lines, mut open) = (Vec::new(), vec![document]);
    while let Some(node) = open.pop() {
        let is_text = |node: &Value| matches!(kind(node), "text" | "hardBreak" | "mention");
        if children(node).iter().any(is_text) {
            lines.push(children(node).iter().map(inline_text).collect::<String>());
        } else {
            open.extend(children(node).iter().rev());
        }
    }
    lines.join("\n")
}

fn inline_text(node: &Value) -> String {
    match kind(node) {
        "hardBreak" => "\n".to_owned(),
        "mention" => format!("@{}", node.pointer("/attrs/label").and_then(Value::as_str).unwrap_or_default()),
        _ => text_of(node),
    }
}

/// What a comment says, which servers keep as a document, as its JSON text, or as mere text.
pub(super) fn comment_text(content: &Value) -> String {
    match content {
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(document) if document.is_object() => plain_text(&document),
            _ => text.clone(),
        },
        document => plain_text(document),
    }
}

/// A document that says this, each line a paragraph.
pub(super) fn document_of(text: &str) -> Value {
    let paragraph = |line: &str| match line {
        "" => json!({"type": "paragraph"}),
        line => json!({"type": "paragraph", "content": [{"type": "text", "text": line}]}),
    };
    json!({"type": "doc", "content": text.lines().map(paragraph).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paragraph(id: &str, text: &str) -> Value {
        json!({"type": "paragraph", "attrs": {"id": id}, "content": [{"type": "text", "text": text}]})
    }

    #[test]
    fn blocks_are_found_by_place_and_by_id() {
        let cell = |id, text| json!({"type": "tableCell", "content": [paragraph(id, text)]});
        let table =
            json!({"type": "table", "content": [{"type": "tableRow", "content": [cell("a", "1"), cell("b", "2")]}]});
        let document = json!({"type": "doc", "content": [paragraph("p", "Hello"), table]});
        assert_eq!(node_by_ref(&document, "#0").unwrap().0, [0]);
        assert_eq!(node_by_ref(&document, "b").unwrap().0, [1, 0, 1, 0]);
        assert!(node_by_ref(&document, "#9").is_none() && node_by_ref(&document, "z").is_none());
        assert_eq!(read_table(&document, "b").unwrap()["cells"], json!([["1", "2"]]));
        assert_eq!(read_table(&document, "#1").unwrap()["cellIds"], json!([["a", "b"]]));
        assert!(read_table(&document, "p").is_none() && read_table(&document, "#0").is_none());
        assert_eq!(
            outline(&document)[1],
            json!({"index": 1, "type": "table", "id": null, "firstText": "12", "rows": 1, "cols": 2, "header": ["1", "2"]})
        );
    }

    #[test]
    fn text_becomes_a_document_and_comes_back() {
        let text = "one\n\ntwo";
        assert_eq!(plain_text(&document_of(text)), "one\ntwo");
        assert_eq!(comment_text(&json!(document_of("x").to_string())), "x");
        assert_eq!(comment_text(&json!("just text")), "just text");
    }

    #[test]
    fn no_depth_is_a_danger() {
        let mut node = paragraph("deep", "x");
        for _ in 0..100 {
            node = json!({"type": "blockquote", "content": [node]});
        }
        assert_eq!(node_by_ref(&json!({"content": [node.clone()]}), "deep").unwrap().0.len(), 101);
        assert_eq!(plain_text(&node), "x");
    }
}
