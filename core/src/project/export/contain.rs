//! Keeps what people and models wrote from ending or forging the structure around it.

use std::borrow::Cow;
use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, Parser, Tag, TagEnd};

/// Stands for whatever comes after the text; it has to come out as a paragraph of its own.
const AFTER: &str = "\n\nafter";
/// What ends the blocks that do not end at a blank line.
const ENDS: [&str; 8] = ["-->", "?>", "]]>", ">", "</script>", "</style>", "</pre>", "</textarea>"];

/// `text` as it is, unless a Markdown reader would take it for more than the text of one message: headings that look
/// like a message's and lines that look like a tool's get a backslash; a block that is left open is closed.
pub(super) fn contained(text: &str) -> Cow<'_, str> {
    if !suspicious(text) {
        return Cow::Borrowed(text);
    }
    // One parse says both, as a rule; what was changed is looked at again.
    let whole = format!("{text}{AFTER}");
    let (forged, ends_well) = read(&whole, text.len());
    if forged.is_empty() && ends_well {
        return Cow::Borrowed(text);
    }
    let text = if forged.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(with_backslashes(text, &forged)) };
    if ends(&text) { text } else { Cow::Owned(ended(&text)) }
}

/// Whether a look at the beginnings of the lines leaves room for doubt.
fn suspicious(text: &str) -> bool {
    text.split(['\n', '\r']).any(|line| {
        let marker = |character: char| matches!(character, ' ' | '\t' | '>' | '*' | '+' | '_' | '.' | ')' | '0'..='9');
        let inside = line.trim_start_matches(|character| marker(character) || character == '-');
        match inside.chars().next() {
            Some('#' | '`' | '~' | '<' | '=') => true,
            Some('T') => inside.starts_with("Tool:"),
            Some(_) => false,
            None => line.contains('-'),
        }
    })
}

/// Where a backslash takes the meaning away from what looks like ours, in the first `length` bytes of `whole`, and
/// whether [`AFTER`], which follows them, is out of their reach.
fn read(whole: &str, length: usize) -> (Vec<usize>, bool) {
    let mut found = Vec::new();
    let mut heading: Option<(Range<usize>, String)> = None;
    let mut paragraph: Option<usize> = None;
    let mut last = [None, None, None];
    let (mut depth, mut depth_of_last) = (0_usize, 0_usize);
    for (event, range) in Parser::new(whole).into_offset_iter() {
        match &event {
            Event::Start(tag) => {
                depth_of_last = depth;
                depth += 1;
                match tag {
                    Tag::Heading { level: HeadingLevel::H1 | HeadingLevel::H2, .. } => {
                        heading = Some((range, String::new()));
                    }
                    Tag::Paragraph => paragraph = Some(range.start),
                    Tag::Strong if paragraph == Some(range.start) => {
                        let inside = whole.get(range.clone()).unwrap_or("").trim_start_matches(['*', '_']);
                        if inside.starts_with("Tool:") {
                            found.push(range.start);
                        }
                    }
                    _ => {}
                }
            }
            Event::End(end) => {
                depth = depth.saturating_sub(1);
                if let TagEnd::Heading(_) = end
                    && let Some((range, _)) = heading.take().filter(|(_, title)| is_numbered(title))
                {
                    found.push(mark_of_heading(whole, range));
                }
            }
            Event::Text(piece) | Event::Code(piece) => {
                if let Some((_, title)) = &mut heading {
                    title.push_str(piece);
                }
            }
            _ => {}
        }
        last.rotate_left(1);
        if let Some(place) = last.last_mut() {
            *place = Some(event);
        }
    }
    let after_is_a_paragraph = matches!(
        last,
        [Some(Event::Start(Tag::Paragraph)), Some(Event::Text(after)), Some(Event::End(TagEnd::Paragraph))]
            if *after == *AFTER.trim_start()
    );
    found.retain(|place| *place < length);
    (found, after_is_a_paragraph && (depth, depth_of_last) == (0, 0))
}

fn is_numbered(title: &str) -> bool {
    let rest = title.trim_start().trim_start_matches(|character: char| character.is_ascii_digit());
    rest.len() < title.trim_start().len() && rest.starts_with('.')
}

/// The `#` of a heading, or the underline of one that has it below.
fn mark_of_heading(text: &str, range: Range<usize>) -> usize {
    let heading = text.get(range.clone()).unwrap_or("");
    if heading.starts_with('#') {
        return range.start;
    }
    let body = heading.trim_end_matches(['\n', '\r']);
    let line = body.rfind(['\n', '\r']).map_or(0, |at| at + 1);
    let indent = body.get(line..).map_or(0, |last| last.len() - last.trim_start_matches([' ', '\t', '>']).len());
    range.start + line + indent
}

fn with_backslashes(text: &str, places: &[usize]) -> String {
    let mut out = String::with_capacity(text.len() + places.len());
    let mut from = 0;
    for place in places {
        out.push_str(text.get(from..*place).unwrap_or(""));
        out.push('\\');
        from = *place;
    }
    out.push_str(text.get(from..).unwrap_or(""));
    out
}

/// Whether what follows the text is out of its reach.
fn ends(text: &str) -> bool {
    read(&format!("{text}{AFTER}"), text.len()).1
}

fn ended(text: &str) -> String {
    if let Some(fence) = open_fence(text) {
        let closed = format!("{text}\n{fence}");
        if ends(&closed) {
            return closed;
        }
    }
    for end in ENDS {
        let closed = format!("{text}\n{end}");
        if ends(&closed) {
            return closed;
        }
    }
    // Nothing closes it: shown as what it is, text.
    let fence = "`".repeat(super::markdown::fence_length(text));
    format!("{fence}text\n{text}\n{fence}")
}

/// The fence of the last code block, in its own marks.
fn open_fence(text: &str) -> Option<String> {
    let blocks = Parser::new(text).into_offset_iter().filter_map(|(event, range)| match event {
        Event::Start(Tag::CodeBlock(_)) => Some(range.start),
        _ => None,
    });
    let block = text.get(blocks.last()?..)?.trim_start_matches(' ');
    let mark = block.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
    Some(block.chars().take_while(|character| *character == mark).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_stays_as_it_is() {
        for text in [
            "Hello",
            "# Heading\n\n## Summary\n\n- a\n- b\n\n1. x\n2. y\n\n---\n\nend",
            "```rust\nfn main() {}\n```",
            "a < b && c > d, <b>bold</b>",
            "| a | b |\n|---|---|\n| 1 | 2 |",
            "Title\n=====\n\ntext",
            "- ```\n  open in a list",
            "> ## 5 ways",
        ] {
            assert_eq!(contained(text), text);
        }
    }

    #[test]
    fn what_would_reach_beyond_is_stopped() {
        for (text, expected) in [
            ("a\n\n## 3. You", "a\n\n\\## 3. You"),
            ("*3*. You\n---\n\nb", "*3*. You\n\\---\n\nb"),
            ("> ## 12. You", "> \\## 12. You"),
            ("**Tool: Read page** (`getPage`) — done", "\\**Tool: Read page** (`getPage`) — done"),
            ("```js\nlet a;", "```js\nlet a;\n```"),
            ("~~~~\n```\n~~~", "~~~~\n```\n~~~\n~~~~"),
            ("see <!-- this", "see <!-- this"),
            ("<!-- never ends", "<!-- never ends\n-->"),
            ("<script>\nalert(1)", "<script>\nalert(1)\n</script>"),
            ("<?php", "<?php\n?>"),
        ] {
            assert_eq!(contained(text), expected);
            assert!(ends(&contained(text)), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn always_ends_and_never_forges(text in "([`~#<>!*_=\\-\\[\\]?0-9. \n\taT:]|```|~~~|<!--|## 1\\. |<pre>|\\*\\*Tool: ){0,25}") {
            let text = text.trim();
            let out = contained(text);
            proptest::prop_assert!(ends(&out), "{:?}", out);
            proptest::prop_assert!(read(&out, out.len()).0.is_empty(), "{:?}", out);
        }
    }
}
