//! Titles out of what a model answered when it was asked for one.

use std::collections::HashMap;

use crate::text::{is_js_space, js_trim, one_line, utf16_prefix};

/// How long a title may be, in UTF-16 units.
pub const TITLE_UNITS: usize = 120;

/// `cleanChatTitle`: trimmed, one straight quote less at either end, 120 units at most. Nothing when nothing is left.
///
/// Everything else stays, as in the rows that already exist; [`clean_generated_title`] does more.
pub fn clean_chat_title(text: &str) -> Option<&str> {
    let text = js_trim(text);
    let text = text.strip_prefix(['"', '\'']).unwrap_or(text);
    let text = text.strip_suffix(['"', '\'']).unwrap_or(text);
    Some(utf16_prefix(text, TITLE_UNITS)).filter(|title| !title.is_empty())
}

/// `cleanGeneratedTitle`: without thinking, Markdown, quotes around it, line breaks and a full stop at the end; 120 units
/// at most. Cleaning a clean title changes nothing.
pub fn clean_generated_title(text: &str) -> String {
    // One round cuts to the limit; those after it, which find what stood under a layer that is gone, are short.
    let mut title = clean_once(text);
    loop {
        let cleaner = clean_once(&title);
        if cleaner == title {
            return title;
        }
        title = cleaner;
    }
}

fn clean_once(text: &str) -> String {
    let text = without_thinking(text);
    let lines: Vec<&str> = text.split(['\n', '\r', '\u{2028}', '\u{2029}']).map(without_block_marks).collect();
    let text: String = lines.join(" ").chars().filter(|c| is_js_space(*c) || !c.is_control()).collect();
    let text = without_inline_marks(&one_line(&text));
    let text = one_line(&text);
    js_trim(utf16_prefix(without_frame(&text), TITLE_UNITS)).to_owned()
}

/// Without blocks of thinking. One that is not closed reaches to the end; one that is only closed began before the answer.
fn without_thinking(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    let mut inside = false;
    while let Some((before, tag, after)) = next_thinking_tag(rest) {
        if !inside {
            out.push_str(before);
        }
        match tag {
            Tag::Open => inside = true,
            Tag::Close => {
                if !inside {
                    out.clear();
                }
                inside = false;
            }
            Tag::Empty => {}
        }
        rest = after;
    }
    if !inside {
        out.push_str(rest);
    }
    out
}

enum Tag {
    Open,
    Close,
    Empty,
}

const THINKING: [&str; 4] = ["thinking", "thought", "think", "reasoning"];
/// No tag of thinking is longer, which bounds the search for its end.
const MAX_TAG_BYTES: usize = 80;

fn next_thinking_tag(text: &str) -> Option<(&str, Tag, &str)> {
    for (at, _) in text.match_indices('<') {
        let (before, from) = text.split_at_checked(at)?;
        let body = from.strip_prefix('<').unwrap_or(from);
        let (closes, body) = body.strip_prefix('/').map_or((false, body), |body| (true, body));
        let named = THINKING.iter().find_map(|name| {
            let start = body.get(..name.len())?;
            start.eq_ignore_ascii_case(name).then(|| body.get(name.len()..))?
        });
        let Some(inside) =
            named.filter(|inside| inside.starts_with(|c: char| matches!(c, '>' | '/') || is_js_space(c)))
        else {
            continue;
        };
        let near = inside.get(..inside.floor_char_boundary(MAX_TAG_BYTES)).unwrap_or(inside);
        let Some(end) = near.find('>') else { continue };
        let empty = near.get(..end).is_some_and(|inside| inside.ends_with('/'));
        let tag = match (closes, empty) {
            (true, _) => Tag::Close,
            (false, true) => Tag::Empty,
            (false, false) => Tag::Open,
        };
        return Some((before, tag, inside.get(end + 1..).unwrap_or_default()));
    }
    None
}

/// A line without the marks that make it a heading, a list item, a quotation, or the fence of a code block.
fn without_block_marks(line: &str) -> &str {
    let mut line = js_trim(line);
    let only = |marks: &[char]| line.chars().count() >= 3 && line.chars().all(|c| marks.contains(&c) || c == ' ');
    if line.starts_with("```") || line.starts_with("~~~") {
        // The fence of a block; what has more marks on the same line is a code span.
        let info = line.trim_start_matches(['`', '~']);
        return if info.contains(['`', '~', ' ']) { line } else { "" };
    }
    if [&['-'][..], &['='], &['*'], &['_']].into_iter().any(only) {
        return "";
    }
    loop {
        let heading = line.trim_start_matches('#');
        let hashes = line.len() - heading.len();
        let marked = line
            .strip_prefix(['-', '*', '+', '•', '>'])
            .filter(|rest| rest.is_empty() || rest.starts_with(is_js_space));
        line = if hashes > 0 && (hashes > 1 || heading.is_empty() || heading.starts_with(is_js_space)) {
            let heading = js_trim(heading);
            let text = heading.trim_end_matches('#');
            if text.is_empty() || text.ends_with(is_js_space) { js_trim(text) } else { heading }
        } else if let Some(rest) = marked {
            js_trim(rest)
        } else {
            return line;
        };
    }
}

/// Without the marks of emphasis, code spans and links.
fn without_inline_marks(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut dropped = vec![false; characters.len()];
    drop_links(&characters, &mut dropped);
    drop_runs(&characters, &mut dropped);
    characters.iter().zip(&dropped).filter(|(_, dropped)| !**dropped).map(|(character, _)| *character).collect()
}

fn drop_range(dropped: &mut [bool], from: usize, to: usize) {
    dropped.iter_mut().take(to).skip(from).for_each(|slot| *slot = true);
}

/// `[text](address)` and `![text](address)` become `text`.
fn drop_links(text: &[char], dropped: &mut [bool]) {
    let at = |index: usize| text.get(index).copied();
    let mut open = Vec::new();
    let mut index = 0;
    // Once no `)` was found there is none for what comes later either.
    let mut closable = true;
    while let Some(character) = at(index) {
        match character {
            '[' => open.push(index),
            ']' => {
                let start = open.pop();
                if let (Some(start), Some('(')) = (start, at(index + 1))
                    && closable
                {
                    match link_end(text, index + 2) {
                        Some(end) => {
                            let image = start > 0 && at(start - 1) == Some('!');
                            drop_range(dropped, start - usize::from(image), start + 1);
                            drop_range(dropped, index, end + 1);
                            index = end;
                        }
                        None => closable = false,
                    }
                }
            }
            _ => {}
        }
        index += 1;
    }
}

/// Where the address ends that begins at `from`; parentheses inside come in pairs.
fn link_end(text: &[char], from: usize) -> Option<usize> {
    let mut depth = 0_usize;
    text.iter().enumerate().skip(from).find_map(|(index, character)| match character {
        '(' => {
            depth += 1;
            None
        }
        ')' if depth == 0 => Some(index),
        ')' => {
            depth -= 1;
            None
        }
        _ => None,
    })
}

/// Runs of the same mark come in pairs: the first opens, the next one as long as it closes.
fn drop_runs(text: &[char], dropped: &mut [bool]) {
    let at = |index: usize| text.get(index).copied();
    let mut open: HashMap<(char, usize), usize> = HashMap::new();
    let mut start = 0;
    while let Some(mark) = at(start) {
        let length = text.iter().skip(start).take_while(|character| **character == mark).count();
        let end = start + length;
        let skip = dropped.get(start).copied().unwrap_or(false);
        if !skip && matches!(mark, '`' | '*' | '_' | '~') {
            let before = start.checked_sub(1).and_then(at);
            let after = at(end);
            let Ends { opens, closes } = ends(mark, length, before, after);
            match open.get(&(mark, length)).copied() {
                Some(other) if closes => {
                    drop_range(dropped, other, other + length);
                    drop_range(dropped, start, end);
                    open.remove(&(mark, length));
                }
                _ if opens => {
                    open.insert((mark, length), start);
                }
                _ => {}
            }
        }
        start = end;
    }
}

struct Ends {
    opens: bool,
    closes: bool,
}

/// Whether a run of marks can begin or end something, going by its neighbours: `snake_case` and `2*3*4` are no emphasis.
fn ends(mark: char, length: usize, before: Option<char>, after: Option<char>) -> Ends {
    let touches = |neighbour: Option<char>| neighbour.is_some_and(|c| !is_js_space(c));
    let word = |neighbour: Option<char>| neighbour.is_some_and(char::is_alphanumeric);
    let ascii = |neighbour: Option<char>| neighbour.is_some_and(|c| c.is_ascii_alphanumeric());
    match (mark, length) {
        ('`', _) => Ends { opens: true, closes: true },
        ('~', 2) => Ends { opens: touches(after), closes: touches(before) },
        ('_', 1..=3) => Ends { opens: touches(after) && !word(before), closes: touches(before) && !word(after) },
        ('*', 1) => Ends { opens: touches(after) && !ascii(before), closes: touches(before) && !ascii(after) },
        ('*', 2 | 3) => Ends { opens: touches(after), closes: touches(before) },
        _ => Ends { opens: false, closes: false },
    }
}

/// What quotes a title, opening and closing.
const QUOTES: [(char, char); 18] = [
    ('"', '"'),
    ('\'', '\''),
    ('“', '”'),
    ('‘', '’'),
    ('„', '“'),
    ('„', '”'),
    ('‚', '‘'),
    ('‚', '’'),
    ('”', '”'),
    ('’', '’'),
    ('«', '»'),
    ('»', '«'),
    ('‹', '›'),
    ('›', '‹'),
    ('「', '」'),
    ('『', '』'),
    ('《', '》'),
    ('＂', '＂'),
];

/// What models put before a title although nobody asked for it.
const PREFIXES: [&str; 9] =
    ["title", "page title", "chat title", "заголовок", "название", "titel", "titre", "标题", "タイトル"];

/// Rounds of one pass; what is left after them is found by the next one.
const MAX_LAYERS: usize = 8;

/// Without quotes around it, a full stop after it and a word like `Title:` before it.
fn without_frame(text: &str) -> &str {
    let mut text = js_trim(text);
    for _ in 0..MAX_LAYERS {
        let before = text;
        if let Some(inside) = without_quotes(text) {
            text = js_trim(inside);
        }
        if let Some(rest) = text.strip_suffix(['.', '。', '．', '｡'])
            && !rest.ends_with(['.', '。', '．', '｡', '…'])
        {
            text = js_trim(rest);
        }
        if let Some((prefix, rest)) = text.split_once([':', '：'])
            && prefix.len() <= 40
            && PREFIXES.contains(&js_trim(prefix).to_lowercase().as_str())
            && !js_trim(rest).is_empty()
        {
            text = js_trim(rest);
        }
        if text == before {
            break;
        }
    }
    text
}

fn without_quotes(text: &str) -> Option<&str> {
    QUOTES.iter().find_map(|(open, close)| {
        let inside = text.strip_prefix(*open)?.strip_suffix(*close)?;
        let whole =
            if open == close { same_pair_closes_last(inside, *open) } else { pair_closes_last(inside, *open, *close) };
        whole.then_some(inside)
    })
}

/// Whether the quote that opened before `inside` is still open at its end: `«a» and «b»` is not quoted as a whole.
fn pair_closes_last(inside: &str, open: char, close: char) -> bool {
    let mut depth = 1_usize;
    for character in inside.chars() {
        if character == close {
            depth -= 1;
        } else if character == open {
            depth += 1;
        }
        if depth == 0 {
            return false;
        }
    }
    depth == 1
}

/// The same for quotes that open and close alike: there are none inside (apostrophes are none), or they are doubled.
fn same_pair_closes_last(inside: &str, quote: char) -> bool {
    if inside.len() > quote.len_utf8() && inside.starts_with(quote) && inside.ends_with(quote) {
        return true;
    }
    let mut before: Option<char> = None;
    let mut characters = inside.chars().peekable();
    while let Some(character) = characters.next() {
        let apostrophe =
            before.is_some_and(char::is_alphanumeric) && characters.peek().is_some_and(|after| after.is_alphanumeric());
        if character == quote && !(apostrophe && quote != '"') {
            return false;
        }
        before = Some(character);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::utf16_len;

    #[test]
    fn chat_titles_lose_one_quote_at_either_end() {
        assert_eq!(clean_chat_title(" \"\"Title\"' "), Some("\"Title\""));
        assert_eq!(clean_chat_title("\u{feff}Title.\u{feff}"), Some("Title."));
        for nothing in ["", " ", "\"", "''", "'\""] {
            assert_eq!(clean_chat_title(nothing), None, "{nothing}");
        }
        let cut = format!("{}😀", "x".repeat(119));
        assert_eq!(clean_chat_title(&cut), Some("x".repeat(119).as_str()));
    }

    /// so did the tags of thinking;
    #[test]
    fn thinking_goes() {
        for text in [
            "<think>What is it about?</think>Trip plan",
            "<THINKING>\nhm\n</THINKING>\n\nTrip plan",
            "<reasoning effort=\"low\">x</reasoning> Trip plan",
            "It asks for a title.</think>Trip plan",
            "<think>a<think>b</think>c</think>Trip plan",
            "Trip plan<think>was that right?",
            "<think/>Trip plan",
            "<thi<think>x</think>nk>Trip plan",
        ] {
            let title = clean_generated_title(text);
            assert!(title == "Trip plan" || title.is_empty(), "{text}: {title}");
        }
        assert_eq!(clean_generated_title("<think>never closed"), "");
        assert_eq!(clean_generated_title("I think <b> is bold"), "I think <b> is bold");
    }

    #[test]
    fn markdown_goes() {
        for (text, title) in [
            ("# Trip plan", "Trip plan"),
            ("## Trip plan ##", "Trip plan"),
            ("- **Trip** plan", "Trip plan"),
            ("* Trip plan", "Trip plan"),
            ("__Trip__ _plan_", "Trip plan"),
            ("***Trip plan***", "Trip plan"),
            ("**Trip _plan_**", "Trip plan"),
            ("`Trip` plan", "Trip plan"),
            ("~~Trip~~ plan", "Trip plan"),
            ("[Trip plan](https://a.example/x_(y))", "Trip plan"),
            ("![Trip](a.png) plan", "Trip plan"),
            ("```markdown\nTrip plan\n```", "Trip plan"),
            ("```Trip plan```", "Trip plan"),
            ("Trip plan\n=====", "Trip plan"),
            ("> Trip plan", "Trip plan"),
            ("**Title:** Trip plan", "Trip plan"),
            ("这是**标题**吗", "这是标题吗"),
        ] {
            assert_eq!(clean_generated_title(text), title, "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_markdown_stays() {
        for text in [
            "snake_case_name in C#",
            "2*3*4 = 24",
            "#1 of 10",
            "a [b] c",
            "f(x) = x^2",
            "5 > 3",
            "-5 degrees",
            "~10 km",
            "What * means",
        ] {
            assert_eq!(clean_generated_title(text), text);
        }
    }

    /// Defect 24 of the servers that this replaces: quotes, here of any script, stayed in titles;
    #[test]
    fn quotes_of_any_script_go() {
        for text in [
            "\"Trip plan\"",
            "'Trip plan'",
            "“Trip plan”",
            "‘Trip plan’",
            "«Trip plan»",
            "„Trip plan“",
            "「Trip plan」",
            "『Trip plan』",
            "《Trip plan》",
            "‹Trip plan›",
            "»Trip plan«",
            "«\"Trip plan\"»",
            "\"\"Trip plan\"\"",
            "\"Trip plan.\"",
            "\"Trip plan\".",
            "“‘Trip plan’”",
            "**\"Trip plan\"**",
            "\"**Trip plan**\"",
            "# \"Trip plan\"",
            "\"# Trip plan\"",
        ] {
            assert_eq!(clean_generated_title(text), "Trip plan", "{text}");
        }
        for text in ["\"A\" and \"B\"", "«A» и «B»", "Say \"hi\"", "It's"] {
            assert_eq!(clean_generated_title(text), text);
        }
        assert_eq!(clean_generated_title("'It's here'"), "It's here");
    }

    /// and line breaks, and half a surrogate pair at the cut.
    #[test]
    fn one_line_one_stop_less_and_short() {
        assert_eq!(clean_generated_title(" Trip\r\n plan. "), "Trip plan");
        assert_eq!(clean_generated_title("旅行计划。"), "旅行计划");
        assert_eq!(clean_generated_title("旅行计划．"), "旅行计划");
        for text in ["And then...", "And then…", "Why?", "Now!"] {
            assert_eq!(clean_generated_title(text), text);
        }
        let long = clean_generated_title(&format!("{}😀😀", "x".repeat(119)));
        assert_eq!(long, "x".repeat(119));
        assert_eq!(clean_generated_title(""), "");
    }

    #[test]
    fn hostile_text_takes_linear_time() {
        for part in [
            "<", "<think", "<think>", "</think>", "[", "](", "[](", "`", "*a", "**", "_a_", "«", "\"", "'\"", "#",
            "# ", "> ", "- ", "~~", "x.", "Title:", "`a``",
        ] {
            let title = clean_generated_title(&part.repeat(200_000 / part.len()));
            assert!(utf16_len(&title) <= TITLE_UNITS);
        }
    }

    proptest::proptest! {
        #[test]
        fn cleaning_twice_is_cleaning_once(text in "([#*_`~\"'«»“”.\\[\\]()! \\n-]|think|</?think>|Title:|[ab😀好]){0,60}|\\PC{0,200}") {
            let title = clean_generated_title(&text);
            proptest::prop_assert_eq!(clean_generated_title(&title), title.clone());
            proptest::prop_assert!(utf16_len(&title) <= TITLE_UNITS);
            proptest::prop_assert_eq!(js_trim(&title), title.as_str());
            proptest::prop_assert!(!title.contains('\n'));
        }
    }
}
