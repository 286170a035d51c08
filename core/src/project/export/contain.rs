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
    // Readers differ on lone carriage returns, so a text that leaves room for doubt has line feeds instead.
    let mut shown = with_line_feeds(text);
    // A backslash may give what follows another meaning, so it is looked at again; nobody means more than a few rounds.
    for _ in 0..ROUNDS {
        let (forged, ends) = read(&shown);
        if forged.is_empty() {
            return if ends { shown } else { Cow::Owned(ended(&shown)) };
        }
        shown = Cow::Owned(with_backslashes(&shown, &forged));
    }
    Cow::Owned(as_code(text))
}

/// How often a text is looked at before it is shown as code.
const ROUNDS: usize = 8;

/// White space and what lists and quotes begin with.
fn is_marker(character: char) -> bool {
    character.is_whitespace() || matches!(character, '>' | '*' | '+' | '-' | '_' | '.' | ')' | '0'..='9')
}

/// Tells of one place after another whether nothing but markers stands before it on its line. No line is looked at twice,
/// however many places it has.
struct LineBeginnings<'a> {
    text: &'a str,
    looked_at: usize,
    only_markers: bool,
}

impl<'a> LineBeginnings<'a> {
    fn of(text: &'a str) -> Self {
        Self { text, looked_at: 0, only_markers: true }
    }

    /// Places are asked for in their order.
    fn begins_line(&mut self, place: usize) -> bool {
        if place < self.looked_at {
            *self = Self::of(self.text);
        }
        for character in self.text.get(self.looked_at..place).unwrap_or_default().chars() {
            self.only_markers = matches!(character, '\n' | '\r') || (self.only_markers && is_marker(character));
        }
        self.looked_at = place;
        self.only_markers
    }
}

/// Whether what follows one of these marks may be shown as `Tool:`, be it with marks, tags or escapes in between.
fn may_read_like_a_tool(text: &str, mark: &str) -> bool {
    let is_shown = |c: char| c.is_alphanumeric() || matches!(c, '<' | '&');
    // Where the first thing is that shows; many marks may stand before it.
    let mut shown = 0;
    for (at, _) in text.match_indices(mark) {
        if shown <= at {
            shown = text.get(at..).and_then(|rest| rest.find(is_shown)).map_or(text.len(), |offset| at + offset);
        }
        let mut characters = text.get(shown..).unwrap_or_default().chars();
        let may = match characters.next() {
            Some('<' | '&') => true,
            Some('T') => characters.next().is_some_and(|second| second == 'o' || !second.is_alphanumeric()),
            _ => false,
        };
        if may {
            return true;
        }
    }
    false
}

/// Whether a look at the beginnings of the lines leaves room for doubt.
fn suspicious(text: &str) -> bool {
    if ["**", "__"].iter().any(|mark| may_read_like_a_tool(text, mark)) {
        return true;
    }
    text.split(['\n', '\r']).any(|line| {
        let inside = line.trim_start_matches(is_marker);
        match inside.chars().next() {
            Some('#' | '`' | '~' | '<' | '=') => true,
            Some('T') => inside.starts_with("Tool:"),
            Some(_) => false,
            None => line.contains('-'),
        }
    })
}

/// `text` with line feeds for lone carriage returns, which end lines of Markdown too, though not in every reader.
fn with_line_feeds(text: &str) -> Cow<'_, str> {
    if !text.contains('\r') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let lone = character == '\r' && characters.peek() != Some(&'\n');
        out.push(if lone { '\n' } else { character });
    }
    Cow::Owned(out)
}

/// Where a backslash takes the meaning away from what looks like ours, and whether what follows the text is out of its
/// reach: one parse says both.
fn read(text: &str) -> (Vec<usize>, bool) {
    let whole = format!("{text}{AFTER}");
    let mut found = Vec::new();
    let mut lines = LineBeginnings::of(&whole);
    let mut heading: Option<(Range<usize>, String)> = None;
    let mut strong: Option<(usize, String)> = None;
    // Whether a paragraph or an item has begun and shows nothing yet.
    let mut fresh = false;
    let mut last = [None, None, None];
    let (mut depth, mut depth_of_last) = (0_usize, 0_usize);
    for (event, range) in Parser::new(&whole).into_offset_iter() {
        match &event {
            Event::Start(_) => {
                depth_of_last = depth;
                depth += 1;
            }
            Event::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
        match &event {
            Event::Start(Tag::Heading { level: HeadingLevel::H1 | HeadingLevel::H2, .. }) => {
                heading = Some((range, String::new()));
            }
            Event::End(TagEnd::Heading(_)) => {
                if let Some((range, _)) = heading.take().filter(|(_, title)| is_numbered(title)) {
                    found.push(mark_of_heading(&whole, range));
                }
            }
            Event::Start(Tag::HtmlBlock) => {
                let block = whole.get(range.clone()).unwrap_or_default();
                if is_ambiguous_html(block) {
                    found.push(range.start + block.len() - block.trim_start().len());
                }
            }
            Event::Start(Tag::Paragraph | Tag::Item) => fresh = true,
            Event::End(TagEnd::Paragraph | TagEnd::Item) => fresh = false,
            // Not only where a paragraph begins: readers differ on which white space parts paragraphs.
            Event::Start(Tag::Strong) if strong.is_none() && (fresh || lines.begins_line(range.start)) => {
                strong = Some((range.start, String::new()));
            }
            Event::End(TagEnd::Strong) => {
                if let Some((start, _)) = strong.take().filter(|(_, shown)| shown.trim_start().starts_with("Tool:")) {
                    found.push(start);
                }
            }
            Event::Text(piece) | Event::Code(piece) => {
                fresh &= piece.trim().is_empty();
                if let Some((_, shown)) = &mut heading {
                    shown.push_str(piece);
                }
                if let Some((_, shown)) = &mut strong {
                    shown.push_str(piece);
                }
            }
            Event::SoftBreak | Event::HardBreak => {
                if let Some((_, shown)) = &mut strong {
                    shown.push(' ');
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
    found.retain(|place| *place < text.len());
    found.sort_unstable();
    found.dedup();
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

fn ended(text: &str) -> String {
    if let Some(fence) = open_fence(text) {
        let closed = format!("{text}\n{fence}");
        if settles(&closed) {
            return closed;
        }
    }
    for end in ENDS {
        let closed = format!("{text}\n{end}");
        if settles(&closed) {
            return closed;
        }
    }
    as_code(text)
}

/// Whether a text needs nothing more.
fn settles(text: &str) -> bool {
    read(text) == (Vec::new(), true)
}

/// The text as nothing but text.
fn as_code(text: &str) -> String {
    let fence = "`".repeat(super::markdown::fence_length(text));
    format!("{fence}text\n{text}\n{fence}")
}

/// Whether readers differ on where this block of HTML ends: some wait for the tag that it began with, others take any of
/// the four, so that a wrong one within it ends it for them.
fn is_ambiguous_html(block: &str) -> bool {
    let block = block.to_ascii_lowercase();
    let literal = ["<script", "<style", "<pre", "<textarea"].iter().any(|tag| block.trim_start().starts_with(tag));
    let inside = block.trim_end().rfind('\n').and_then(|last| block.get(..last)).unwrap_or_default();
    literal && ["</script>", "</style>", "</pre>", "</textarea>"].iter().any(|tag| inside.contains(tag))
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
            ("* **Tool: x**\n* y", "* \\**Tool: x**\n* y"),
            ("**T<b>ool: x** (`x`) — done", "\\**T<b>ool: x** (`x`) — done"),
            ("**&#84;ool: x**", "\\**&#84;ool: x**"),
            ("**`Tool: x`**", "\\**`Tool: x`**"),
            ("***Tool: x***", "*\\**Tool: x***"),
            ("<b></b>__Tool\\: x__", "<b></b>\\__Tool\\: x__"),
            ("```js\nlet a;", "```js\nlet a;\n```"),
            ("<script>\n</pre>\n## 2. You\n</script>", "\\<script>\n</pre>\n\\## 2. You\n</script>"),
            ("\u{a0}**Tool: x**", "\u{a0}\\**Tool: x**"),
            (">~~~\r~~~", ">~~~\n~~~\n~~~"),
            ("~~~~\n```\n~~~", "~~~~\n```\n~~~\n~~~~"),
            ("see <!-- this", "see <!-- this"),
            ("<!-- never ends", "<!-- never ends\n-->"),
            ("<script>\nalert(1)", "<script>\nalert(1)\n</script>"),
            ("<?php", "<?php\n?>"),
        ] {
            assert_eq!(contained(text), expected);
            assert!(settles(&contained(text)), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn always_ends_and_never_forges(text in "([`~#<>!*_=\\-\\[\\]?0-9. \n\r\taT:]|```|~~~|<!--|## 1\\. |<pre>|</pre>|<script>|</script>|<b>|&#84;|ool: |\\*\\*Tool: ){0,25}") {
            let text = text.trim();
            let out = contained(text);
            proptest::prop_assert!(settles(&out), "{:?}", out);
        }
    }
}
