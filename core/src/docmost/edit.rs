//! Changes of a part of a page: its blocks, its tables, its words. Pure: a document in, the same document changed.

use serde_json::{Value, json};

use super::document::{children, id, kind, node_by_ref, text_of};
use super::shapes::{put, take};

/// Nodes that stand only in nodes of one kind.
const INNER: [(&str, &str); 6] = [
    ("tableRow", "table"),
    ("tableCell", "tableRow"),
    ("tableHeader", "tableRow"),
    ("listItem", "list"),
    ("taskItem", "list"),
    ("column", "columns"),
];
/// Marks of Markdown that a model writes around words which it has read as Markdown.
const MARKS: [char; 5] = ['*', '_', '`', '~', '#'];

/// Where a node is put.
#[derive(Clone, Copy, Debug)]
pub enum InsertAt<'a> {
    /// Behind everything.
    Append,
    /// Beside the node of this id, or the top-level block that has this text.
    Beside {
        /// Behind it, or before it.
        after: bool,
        /// The id.
        id: Option<&'a str>,
        /// The text.
        text: Option<&'a str>,
    },
}

fn content_mut(node: &mut Value) -> Option<&mut Vec<Value>> {
    node.get_mut("content")?.as_array_mut()
}

fn node_mut<'d>(document: &'d mut Value, path: &[usize]) -> Option<&'d mut Value> {
    path.iter().try_fold(document, |node, place| content_mut(node)?.get_mut(*place))
}

/// The list that a node stands in, and its place there.
fn siblings<'d>(document: &'d mut Value, path: &[usize]) -> Option<(&'d mut Vec<Value>, usize)> {
    let (place, parent) = path.split_last()?;
    Some((content_mut(node_mut(document, parent)?)?, *place))
}

/// How many nodes have this id.
pub fn count_of_id(document: &Value, wanted: &str) -> usize {
    let (mut count, mut open) = (0, vec![document]);
    while let Some(node) = open.pop() {
        count += usize::from(id(node) == Some(wanted));
        open.extend(children(node));
    }
    count
}

/// The one node that is meant.
fn the_one(document: &Value, reference: &str) -> Result<Vec<usize>, String> {
    let found = node_by_ref(document, reference).map(|(path, _)| path);
    let path = found.ok_or("The page has no such node. getOutline lists what there is.")?;
    match reference.starts_with('#') || count_of_id(document, reference) == 1 {
        true => Ok(path),
        false => Err("Several nodes of the page have this id. Name it by its place instead, such as #3.".to_owned()),
    }
}

/// Puts a node into the place of another one.
///
/// # Errors
/// What the model is told.
pub fn replace_node(document: &mut Value, reference: &str, node: Value) -> Result<(), String> {
    let path = the_one(document, reference)?;
    if kind(&node).is_empty() {
        return Err("parameter \"node\": invalid (must be a node with a type)".to_owned());
    }
    if let Some(place) = node_mut(document, &path) {
        *place = node;
    }
    Ok(())
}

/// Takes a node out.
///
/// # Errors
/// What the model is told.
pub fn delete_node(document: &mut Value, reference: &str) -> Result<(), String> {
    let path = the_one(document, reference)?;
    if let Some((siblings, place)) = siblings(document, &path) {
        siblings.remove(place);
    }
    Ok(())
}

/// Puts a node into a document.
///
/// # Errors
/// What the model is told.
pub fn insert_node(document: &mut Value, node: Value, at: InsertAt<'_>) -> Result<(), String> {
    if kind(&node).is_empty() {
        return Err("parameter \"node\": invalid (must be a node with a type)".to_owned());
    }
    let around = INNER.iter().find(|(inner, _)| *inner == kind(&node)).map(|(_, around)| *around);
    let (after, mut path) = match at {
        InsertAt::Append => {
            if around.is_some() {
                return Err(format!("A {} cannot stand at the top of a page; put it beside another one.", kind(&node)));
            }
            let content = content_mut(document).ok_or("The page has no content.")?;
            content.push(node);
            return Ok(());
        }
        InsertAt::Beside { after, id: Some(reference), .. } => (after, the_one(document, reference)?),
        InsertAt::Beside { after, text: Some(text), .. } => (after, vec![block_with(document, text)?]),
        InsertAt::Beside { .. } => {
            return Err("parameter \"anchorNodeId\": missing (it or anchorText says beside what)".to_owned());
        }
    };
    // A row goes beside the row that the anchor is in.
    if around.is_some() {
        while path.last().is_some() && !is_like(document, &path, kind(&node)) {
            path.pop();
        }
    }
    let (siblings, place) = siblings(document, &path).ok_or("There is no such place in the page.")?;
    siblings.insert(place + usize::from(after), node);
    Ok(())
}

fn is_like(document: &Value, path: &[usize], wanted: &str) -> bool {
    let node = path.iter().try_fold(document, |node, place| children(node).get(*place));
    let cells = ["tableCell", "tableHeader"];
    node.is_some_and(|node| kind(node) == wanted || (cells.contains(&kind(node)) && cells.contains(&wanted)))
}

/// The first top-level block that has this text.
fn block_with(document: &Value, text: &str) -> Result<usize, String> {
    let wanted = text.trim().trim_matches(MARKS).trim();
    let found = children(document).iter().position(|block| !wanted.is_empty() && text_of(block).contains(wanted));
    found.ok_or_else(|| "No block of the page has this text (anchorText).".to_owned())
}

/// Finds a text in the blocks of a document, and puts another one in its place. How often it was found; more than once it is
/// left as it is unless `all` are meant.
pub fn replace_text(document: &mut Value, find: &str, replacement: &str, all: bool) -> usize {
    let mut blocks = Vec::new();
    let mut open = vec![(Vec::new(), &*document)];
    while let Some((path, node)) = open.pop() {
        if children(node).iter().any(|child| kind(child) == "text") {
            blocks.push(path);
        } else {
            let below = children(node).iter().enumerate();
            open.extend(below.map(|(place, child)| ([&path[..], &[place]].concat(), child)));
        }
    }
    let of_block = |path: &Vec<usize>| {
        let node = path.iter().try_fold(&*document, |node, place| children(node).get(*place));
        node.map_or(0, |node| runs(children(node)).iter().map(|run| run.text.matches(find).count()).sum())
    };
    let counts: Vec<usize> = blocks.iter().map(of_block).collect();
    let count: usize = counts.iter().sum();
    if count == 0 || (count > 1 && !all) {
        return count;
    }
    for (path, _) in blocks.iter().zip(counts).filter(|(_, count)| *count > 0) {
        if let Some(content) = node_mut(document, path).and_then(content_mut) {
            *content = replaced(content, find, replacement);
        }
    }
    count
}

/// Texts that stand beside each other, whatever marks they have.
struct Run {
    text: String,
    /// What it consists of.
    nodes: std::ops::Range<usize>,
}

fn runs(content: &[Value]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (place, node) in content.iter().enumerate().filter(|(_, node)| kind(node) == "text") {
        let text = text_of(node);
        match runs.last_mut().filter(|run| run.nodes.end == place) {
            Some(run) => {
                run.text.push_str(&text);
                run.nodes.end += 1;
            }
            None => runs.push(Run { text, nodes: place..place + 1 }),
        }
    }
    runs
}

/// The same content with another text; it has the marks of where the one before began.
fn replaced(content: &[Value], find: &str, replacement: &str) -> Vec<Value> {
    let runs = runs(content);
    let mut out = Vec::new();
    for (place, node) in content.iter().enumerate() {
        let Some(run) = runs.iter().find(|run| run.nodes.contains(&place)) else {
            out.push(node.clone());
            continue;
        };
        let before: usize = content.get(run.nodes.start..place).into_iter().flatten().map(|it| text_of(it).len()).sum();
        let (begin, end) = (before, before + text_of(node).len());
        let (mut text, mut at) = (String::new(), begin);
        for (start, found) in
            run.text.match_indices(find).filter(|(start, found)| start + found.len() > begin && *start < end)
        {
            text.push_str(run.text.get(at..start).unwrap_or_default());
            if start >= begin {
                text.push_str(replacement);
            }
            at = (start + found.len()).min(end);
        }
        text.push_str(run.text.get(at..end).unwrap_or_default());
        // A text without characters is none.
        if !text.is_empty() {
            let mut node = node.clone();
            put(&mut node, "text", json!(text));
            out.push(node);
        }
    }
    out
}

fn cell(kind: &str, text: &str) -> Value {
    let paragraph = match text {
        "" => json!({"type": "paragraph"}),
        text => json!({"type": "paragraph", "content": [{"type": "text", "text": text}]}),
    };
    json!({"type": kind, "attrs": {"colspan": 1, "rowspan": 1}, "content": [paragraph]})
}

/// The rows of the table at this path.
fn rows<'d>(document: &'d mut Value, path: &[usize]) -> Result<&'d mut Vec<Value>, String> {
    node_mut(document, path).and_then(content_mut).ok_or_else(|| "The table has no rows.".to_owned())
}

/// Puts a row into the table at this path, at a place or behind all; the place.
///
/// # Errors
/// What the model is told.
pub(super) fn insert_row(
    document: &mut Value,
    path: &[usize],
    cells: &[&str],
    at: Option<i64>,
) -> Result<usize, String> {
    let rows = rows(document, path)?;
    let columns = rows.iter().map(|row| children(row).len()).max().unwrap_or_default();
    if cells.len() > columns {
        return Err(format!("parameter \"cells\": invalid (the table has {columns} columns)"));
    }
    let place = match at {
        None => rows.len(),
        Some(at) => {
            usize::try_from(at).ok().filter(|at| *at <= rows.len()).ok_or_else(|| out_of(rows.len(), "index"))?
        }
    };
    let texts = cells.iter().copied().chain(std::iter::repeat("")).take(columns);
    rows.insert(
        place,
        json!({"type": "tableRow", "content": texts.map(|text| cell("tableCell", text)).collect::<Vec<_>>()}),
    );
    Ok(place)
}

/// Takes a row out of the table at this path.
///
/// # Errors
/// What the model is told.
pub(super) fn delete_row(document: &mut Value, path: &[usize], at: i64) -> Result<(), String> {
    let rows = rows(document, path)?;
    let place = usize::try_from(at).ok().filter(|at| *at < rows.len()).ok_or_else(|| out_of(rows.len(), "index"))?;
    if rows.len() == 1 {
        return Err("A table keeps its last row; deleteNode takes the table out.".to_owned());
    }
    rows.remove(place);
    Ok(())
}

/// Puts a text into a cell of the table at this path.
///
/// # Errors
/// What the model is told.
pub(super) fn write_cell(
    document: &mut Value,
    path: &[usize],
    row: i64,
    column: i64,
    text: &str,
) -> Result<(), String> {
    let rows = rows(document, path)?;
    let count = rows.len();
    let of_row = usize::try_from(row).ok().and_then(|row| rows.get_mut(row)).ok_or_else(|| out_of(count, "row"))?;
    let columns = children(of_row).len();
    let place = usize::try_from(column).ok().and_then(|column| content_mut(of_row)?.get_mut(column));
    let place = place.ok_or_else(|| out_of(columns, "col"))?;
    let content = take(&mut cell("tableCell", text), "content");
    // The first block keeps its id, by which it is known.
    let known = place.pointer("/content/0/attrs").cloned();
    put(place, "content", content);
    if let (Some(known), Some(block)) = (known, place.pointer_mut("/content/0")) {
        put(block, "attrs", known);
    }
    Ok(())
}

fn out_of(count: usize, name: &str) -> String {
    format!("parameter \"{name}\": invalid (there are {count}, counted from 0)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paragraph(id: &str, texts: &[(&str, bool)]) -> Value {
        let text = |(text, bold): &(&str, bool)| match bold {
            true => json!({"type": "text", "text": text, "marks": [{"type": "bold"}]}),
            false => json!({"type": "text", "text": text}),
        };
        json!({"type": "paragraph", "attrs": {"id": id}, "content": texts.iter().map(text).collect::<Vec<_>>()})
    }

    fn document(blocks: &[Value]) -> Value {
        json!({"type": "doc", "content": blocks})
    }

    #[test]
    fn words_are_replaced_across_marks() {
        let mut page = document(&[
            paragraph("a", &[("one t", false), ("wo", true), (" three", false)]),
            paragraph("b", &[("four", false)]),
        ]);
        assert_eq!(replace_text(&mut page, "two", "2", false), 1);
        assert_eq!(
            page["content"][0]["content"],
            json!([{"type": "text", "text": "one 2"}, {"type": "text", "text": " three"}])
        );
        assert_eq!(replace_text(&mut page, "nothing", "x", true), 0);
        let mut twice = document(&[paragraph("a", &[("x and x", false)]), paragraph("b", &[("x", true)])]);
        let before = twice.clone();
        assert_eq!((replace_text(&mut twice, "x", "y", false), &twice), (3, &before));
        assert_eq!(replace_text(&mut twice, "x", "yy", true), 3);
        assert_eq!(text_of(&twice), "yy and yyyy");
        assert_eq!(twice["content"][1]["content"][0]["marks"][0]["type"], "bold");
        let mut gone = document(&[paragraph("a", &[("x", false)])]);
        replace_text(&mut gone, "x", "", false);
        assert_eq!(gone["content"][0]["content"], json!([]));
    }

    #[test]
    fn nodes_are_put_in_taken_out_and_replaced() {
        let mut page = document(&[
            paragraph("a", &[("A", false)]),
            paragraph("b", &[("B", false)]),
            paragraph("b", &[("C", false)]),
        ]);
        let new = || paragraph("n", &[("N", false)]);
        let texts = |page: &Value| children(page).iter().map(text_of).collect::<String>();
        let beside = |after, id, text| InsertAt::Beside { after, id, text };
        insert_node(&mut page, new(), beside(false, Some("a"), None)).unwrap();
        insert_node(&mut page, new(), beside(true, None, Some("**B**"))).unwrap();
        insert_node(&mut page, new(), InsertAt::Append).unwrap();
        assert_eq!(texts(&page), "NABNCN");
        assert!(insert_node(&mut page, new(), beside(true, None, None)).unwrap_err().contains("anchorNodeId"));
        assert!(insert_node(&mut page, json!({"type": "tableRow"}), InsertAt::Append).is_err());
        assert!(delete_node(&mut page, "b").unwrap_err().contains("Several"));
        assert!(delete_node(&mut page, "z").is_err());
        delete_node(&mut page, "#5").unwrap();
        replace_node(&mut page, "a", paragraph("a", &[("Z", false)])).unwrap();
        assert!(replace_node(&mut page, "a", json!("text")).is_err());
        assert_eq!(texts(&page), "NZBNC");
    }

    #[test]
    fn rows_and_cells_of_tables() {
        let table = json!({"type": "table", "content": [
            {"type": "tableRow", "content": [{"type": "tableHeader", "content": [paragraph("c1", &[("1", false)])]}, cell("tableHeader", "2")]},
            {"type": "tableRow", "content": [cell("tableCell", "3"), cell("tableCell", "4")]},
        ]});
        let mut page = document(&[table]);
        assert_eq!(insert_row(&mut page, &[0], &["5"], None).unwrap(), 2);
        assert_eq!(insert_row(&mut page, &[0], &["6", "7"], Some(1)).unwrap(), 1);
        assert!(insert_row(&mut page, &[0], &["1", "2", "3"], None).unwrap_err().contains("\"cells\""));
        assert!(insert_row(&mut page, &[0], &[], Some(-1)).unwrap_err().contains("\"index\""));
        delete_row(&mut page, &[0], 2).unwrap();
        assert!(delete_row(&mut page, &[0], 9).is_err());
        write_cell(&mut page, &[0], 0, 0, "new").unwrap();
        assert!(write_cell(&mut page, &[0], 0, 2, "x").unwrap_err().contains("\"col\""));
        assert_eq!(text_of(&page), "new2675");
        assert_eq!(node_by_ref(&page, "c1").map(|(path, _)| path), Some(vec![0, 0, 0, 0]));
        // A row goes beside the row that the anchor is in.
        let row = json!({"type": "tableRow", "content": [cell("tableCell", "8")]});
        insert_node(&mut page, row, InsertAt::Beside { after: true, id: Some("c1"), text: None }).unwrap();
        assert_eq!(text_of(&page), "new28675");
    }
}
