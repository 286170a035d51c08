//! What a Markdown reader finds in an export.

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Parser, Tag, TagEnd};

/// Messages, tools, and the contents of code blocks that stand below `Input:` or `Output:`.
pub(crate) fn structure(document: &str) -> (usize, usize, Vec<String>) {
    let (mut messages, mut tools, mut blocks) = (0, 0, Vec::new());
    let (mut heading, mut code, mut strong): (Option<String>, Option<String>, Option<String>) = (None, None, None);
    let mut paragraph = String::new();
    // Whether a paragraph has begun and shows nothing yet.
    let mut fresh = false;
    for event in Parser::new(document) {
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H2, .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                if let Some(heading) = heading.take() {
                    messages += usize::from(heading.starts_with(&format!("{}. ", messages + 1)));
                }
            }
            Event::Start(Tag::Paragraph) => {
                fresh = true;
                paragraph.clear();
            }
            Event::End(TagEnd::Paragraph) => fresh = false,
            Event::Start(Tag::Strong) if fresh => strong = Some(String::new()),
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
                fresh &= text.is_empty();
                paragraph.push_str(&text);
            }
            Event::SoftBreak | Event::HardBreak => strong.iter_mut().for_each(|shown| shown.push(' ')),
            _ => {}
        }
    }
    (messages, tools, blocks)
}

/// Whether a reader has found `text` in a code block.
pub(crate) fn is_code(text: &str, found: &str) -> bool {
    let text = format!("{text}\n").replace('\0', "\u{fffd}");
    // Readers do not agree on what becomes of line ends of the other kinds.
    if text.contains('\r') { text.replace(['\r', '\n'], "") == found.replace(['\r', '\n'], "") } else { text == found }
}
