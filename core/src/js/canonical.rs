//! The one spelling of a value.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::number;
use super::scan::{Scanner, unescape_one, write_escaped};

/// A value in its one spelling.
#[derive(Clone, Debug, PartialEq)]
pub struct Canonical<'a> {
    /// The JSON.
    pub text: Cow<'a, str>,
    /// Units that were replaced by U+FFFD. JavaScript writes each of them as an escape of six bytes.
    pub replaced: usize,
}

impl Canonical<'_> {
    /// Bytes of UTF-8 that `JSON.stringify` would have written.
    pub fn javascript_bytes(&self) -> usize {
        self.text.len() + self.replaced * ('\u{fffd}'.len_utf8())
    }
}

/// The text that `JSON.stringify(JSON.parse(text))` gives, but for integers (never rounded) and for what cannot be
/// stored (becomes U+FFFD). `text` must be valid JSON; it is handed back as it is when it has that spelling already.
pub fn canonical(text: &str) -> Canonical<'_> {
    spell(text, Unstorable::Replaced)
}

/// [`canonical`] for text that is shown rather than stored: what cannot be stored stays an escape, as in JavaScript.
pub fn canonical_shown(text: &str) -> Cow<'_, str> {
    spell(text, Unstorable::Escaped).text
}

/// What becomes of U+0000 and of half a surrogate pair.
#[derive(Clone, Copy, PartialEq)]
enum Unstorable {
    Replaced,
    Escaped,
}

fn spell(text: &str, unstorable: Unstorable) -> Canonical<'_> {
    if is_canonical(text) {
        return Canonical { text: Cow::Borrowed(text), replaced: 0 };
    }
    let mut replaced = 0;
    let tree = Tree::read(text, unstorable, &mut replaced);
    Canonical { text: Cow::Owned(tree.write(text.len())), replaced }
}

/// The number that `key` stands for when JavaScript takes it for an array index (0 to 2^32 - 2, no leading zeros).
fn array_index(key: &str) -> Option<u32> {
    let canonical = key == "0" || (!key.starts_with('0') && !key.is_empty());
    let digits = canonical && key.len() <= 10 && key.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| key.parse::<u32>().ok())?.filter(|index| *index < u32::MAX)
}

/// Objects with more keys than this are looked through with a table rather than pair by pair.
const FEW_KEYS: usize = 8;

/// Takes what [`check`] reads.
trait Sink {
    /// A container begins; it may end at once.
    fn open(&mut self, object: bool, empty: bool);
    fn close(&mut self, object: bool);
    fn comma(&mut self);
    /// A key as it stands between its quotes.
    fn key(&mut self, key: &str);
    fn string(&mut self, content: &str);
    fn bare(&mut self, text: &str);
}

/// Nothing is done with it.
impl Sink for () {
    fn open(&mut self, _: bool, _: bool) {}
    fn close(&mut self, _: bool) {}
    fn comma(&mut self) {}
    fn key(&mut self, _: &str) {}
    fn string(&mut self, _: &str) {}
    fn bare(&mut self, _: &str) {}
}

/// Writes over several lines, as [`super::pretty`] does.
struct Lines<'a> {
    out: &'a mut String,
    depth: usize,
    /// At the depth from which on containers stand on one line.
    too_deep: bool,
}

impl Lines<'_> {
    fn line(&mut self) {
        self.out.push_str(super::pretty::line(self.depth));
    }

    fn quoted(&mut self, content: &str, end: &str) {
        self.out.push('"');
        self.out.push_str(content);
        self.out.push_str(end);
    }
}

impl Sink for Lines<'_> {
    fn open(&mut self, object: bool, empty: bool) {
        self.out.push(if object { '{' } else { '[' });
        self.too_deep |= self.depth >= super::PRETTY_DEPTH;
        if !empty && !self.too_deep {
            self.depth += 1;
            self.line();
        }
    }

    fn close(&mut self, object: bool) {
        if !self.too_deep && !self.out.ends_with(if object { '{' } else { '[' }) {
            self.depth = self.depth.saturating_sub(1);
            self.line();
        }
        self.out.push(if object { '}' } else { ']' });
    }

    fn comma(&mut self) {
        self.out.push(',');
        if !self.too_deep {
            self.line();
        }
    }

    fn key(&mut self, key: &str) {
        self.quoted(key, "\": ");
    }

    fn string(&mut self, content: &str) {
        self.quoted(content, "\"");
    }

    fn bare(&mut self, text: &str) {
        self.out.push_str(text);
    }
}

/// Appends the text over several lines, as [`super::pretty`] writes [`canonical_shown`]; in one pass when it has its one
/// spelling already.
pub fn pretty_shown(text: &str, out: &mut String) {
    let start = out.len();
    let mut lines = Lines { out, depth: 0, too_deep: false };
    if check(text, &mut lines) && !lines.too_deep {
        return;
    }
    out.truncate(start);
    // A String takes everything.
    let _ = super::pretty(&canonical_shown(text), out);
}

fn is_canonical(text: &str) -> bool {
    check(text, &mut ())
}

/// Whether `text` has its one spelling. `sink` is told what is read until it is known.
fn check(text: &str, sink: &mut impl Sink) -> bool {
    let mut scanner = Scanner::new(text);
    let mut keys: Vec<&str> = Vec::new();
    // For every open container: where its keys begin, or nothing for an array.
    let mut open: Vec<Option<usize>> = Vec::new();
    loop {
        match scanner.next_byte() {
            Some(b'{') => {
                scanner.punctuation();
                open.push(Some(keys.len()));
                sink.open(true, scanner.next_byte() == Some(b'}'));
                match scanner.next_byte() {
                    Some(b'}') => {}
                    Some(b'"') => match key(&mut scanner) {
                        Some(key) => {
                            sink.key(key);
                            keys.push(key);
                            continue;
                        }
                        None => return false,
                    },
                    _ => return false,
                }
            }
            Some(b'[') => {
                scanner.punctuation();
                open.push(None);
                sink.open(false, scanner.next_byte() == Some(b']'));
                match scanner.next_byte() {
                    Some(b']') => {}
                    _ => continue,
                }
            }
            Some(b'"') => {
                let (content, escapes) = scanner.string_and_escapes();
                if escapes && !is_canonical_string(content) {
                    return false;
                }
                sink.string(content);
            }
            Some(b't' | b'f' | b'n') => sink.bare(scanner.bare()),
            Some(b'-' | b'0'..=b'9') => {
                let number = scanner.bare();
                if !number::is_canonical(number) {
                    return false;
                }
                sink.bare(number);
            }
            _ => return false,
        }
        // A value has ended: close what ends with it, or go on to the next.
        loop {
            let Some(container) = open.last() else {
                return scanner.rest().is_empty();
            };
            match (scanner.next_byte(), container) {
                (Some(b','), None) => {
                    scanner.punctuation();
                    sink.comma();
                    break;
                }
                (Some(b','), Some(_)) => {
                    scanner.punctuation();
                    let Some(key) = key(&mut scanner) else {
                        return false;
                    };
                    sink.comma();
                    sink.key(key);
                    keys.push(key);
                    break;
                }
                (Some(b']'), None) => {}
                (Some(b'}'), Some(from)) => {
                    if !keys_in_order(keys.get(*from..).unwrap_or_default()) {
                        return false;
                    }
                    keys.truncate(*from);
                }
                _ => return false,
            }
            sink.close(container.is_some());
            scanner.punctuation();
            open.pop();
        }
    }
}

/// Takes a key and its colon, when both have their one spelling.
fn key<'a>(scanner: &mut Scanner<'a>) -> Option<&'a str> {
    if scanner.next_byte() != Some(b'"') {
        return None;
    }
    let (key, escapes) = scanner.string_and_escapes();
    if scanner.next_byte() != Some(b':') || (escapes && !is_canonical_string(key)) {
        return None;
    }
    scanner.punctuation();
    Some(key)
}

fn is_canonical_string(content: &str) -> bool {
    let mut rest = content.as_bytes();
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let length = match rest.get(at + 1) {
            Some(b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            // A control character without a letter of its own, in small digits; U+0000 cannot be stored.
            Some(b'u') => match rest.get(at + 2..at + 6) {
                Some([b'0', b'0', b'0' | b'1', low @ (b'0'..=b'9' | b'a'..=b'f')]) => {
                    let first = rest.get(at + 4) == Some(&b'0');
                    if first && matches!(low, b'0' | b'8' | b'9' | b'a' | b'c' | b'd') {
                        return false;
                    }
                    6
                }
                _ => return false,
            },
            _ => return false,
        };
        rest = rest.get(at + length..).unwrap_or_default();
    }
    true
}

/// No key twice, and integer-like keys first, in ascending order.
fn keys_in_order(keys: &[&str]) -> bool {
    let indexes = keys.iter().map(|key| array_index(key));
    let mut last = Some(None);
    for index in indexes {
        last = match (last, index) {
            (Some(None), Some(index)) => Some(Some(index)),
            (Some(Some(before)), Some(index)) if before < index => Some(Some(index)),
            (_, Some(_)) => return false,
            (_, None) => None,
        };
    }
    if keys.len() <= FEW_KEYS {
        return keys.iter().enumerate().all(|(place, key)| !keys.iter().take(place).any(|other| other == key));
    }
    let mut seen = HashSet::with_capacity(keys.len());
    keys.iter().all(|key| seen.insert(*key))
}

/// A value as a flat list of nodes, so that neither reading nor dropping it recurses.
struct Tree<'a> {
    nodes: Vec<Node<'a>>,
}

struct Node<'a> {
    /// The key in its object, without quotes, in its one spelling.
    key: Option<Cow<'a, str>>,
    value: NodeValue<'a>,
}

enum NodeValue<'a> {
    /// A scalar in its one spelling.
    Scalar(Cow<'a, str>),
    Array(Vec<usize>),
    Object(Vec<usize>),
}

impl<'a> Tree<'a> {
    fn read(text: &'a str, unstorable: Unstorable, replaced: &mut usize) -> Self {
        let mut scanner = Scanner::new(text);
        let mut tree = Self { nodes: Vec::new() };
        let mut open: Vec<usize> = Vec::new();
        while let Some(byte) = scanner.peek() {
            match byte {
                b',' | b':' => {
                    scanner.punctuation();
                    continue;
                }
                b'}' | b']' => {
                    scanner.punctuation();
                    if let Some(closed) = open.pop() {
                        tree.put_in_order(closed);
                    }
                    continue;
                }
                _ => {}
            }
            let in_object = open
                .last()
                .and_then(|parent| tree.nodes.get(*parent))
                .is_some_and(|parent| matches!(parent.value, NodeValue::Object(_)));
            let key = in_object.then(|| {
                let key = spelled(scanner.string(), unstorable, replaced);
                scanner.punctuation();
                key
            });
            let value = match scanner.peek() {
                Some(b'{') => NodeValue::Object(Vec::new()),
                Some(b'[') => NodeValue::Array(Vec::new()),
                Some(b'"') => {
                    let content = spelled(scanner.string(), unstorable, replaced);
                    NodeValue::Scalar(Cow::Owned(format!("\"{content}\"")))
                }
                _ => {
                    let bare = scanner.bare();
                    if bare.is_empty() {
                        scanner.punctuation();
                    }
                    NodeValue::Scalar(if bare.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
                        let mut number = String::with_capacity(bare.len());
                        number::write_number(bare, &mut number);
                        Cow::Owned(number)
                    } else {
                        Cow::Borrowed(bare)
                    })
                }
            };
            let container = !matches!(value, NodeValue::Scalar(_));
            let place = tree.nodes.len();
            if let Some(parent) = open.last().and_then(|parent| tree.nodes.get_mut(*parent)) {
                match &mut parent.value {
                    NodeValue::Array(children) | NodeValue::Object(children) => children.push(place),
                    NodeValue::Scalar(_) => {}
                }
            }
            tree.nodes.push(Node { key, value });
            if container {
                scanner.punctuation();
                open.push(place);
            }
        }
        tree
    }

    /// Drops all but the last of equal keys, which takes the place of the first, and moves integer-like keys to the
    /// front.
    fn put_in_order(&mut self, object: usize) {
        let children = match self.nodes.get_mut(object).map(|node| &mut node.value) {
            Some(NodeValue::Object(children)) if children.len() > 1 => std::mem::take(children),
            _ => return,
        };
        let key = |child: &usize| self.nodes.get(*child).and_then(|node| node.key.as_deref()).unwrap_or_default();
        let mut places: HashMap<&str, usize> = HashMap::with_capacity(children.len());
        let mut kept: Vec<usize> = Vec::with_capacity(children.len());
        for child in &children {
            match places.get(key(child)).and_then(|place| kept.get_mut(*place)) {
                Some(first) => *first = *child,
                None => {
                    places.insert(key(child), kept.len());
                    kept.push(*child);
                }
            }
        }
        kept.sort_by_key(|child| array_index(key(child)).unwrap_or(u32::MAX));
        if let Some(NodeValue::Object(children)) = self.nodes.get_mut(object).map(|node| &mut node.value) {
            *children = kept;
        }
    }

    fn write(&self, size: usize) -> String {
        let mut out = String::with_capacity(size);
        // Open containers: their children, and how many of them are written.
        let mut open: Vec<(&[usize], usize, char)> = Vec::new();
        let mut next = self.nodes.first();
        loop {
            if let Some(node) = next.take() {
                if let Some(key) = &node.key {
                    out.push('"');
                    out.push_str(key);
                    out.push_str("\":");
                }
                match &node.value {
                    NodeValue::Scalar(text) => out.push_str(text),
                    NodeValue::Array(children) => {
                        out.push('[');
                        open.push((children, 0, ']'));
                    }
                    NodeValue::Object(children) => {
                        out.push('{');
                        open.push((children, 0, '}'));
                    }
                }
            }
            let Some((children, written, close)) = open.last_mut() else {
                return out;
            };
            match children.get(*written) {
                Some(child) => {
                    if *written > 0 {
                        out.push(',');
                    }
                    *written += 1;
                    next = self.nodes.get(*child);
                }
                None => {
                    out.push(*close);
                    open.pop();
                }
            }
        }
    }
}

fn spelled<'a>(content: &'a str, unstorable: Unstorable, replaced: &mut usize) -> Cow<'a, str> {
    if is_canonical_string(content) {
        return Cow::Borrowed(content);
    }
    let mut out = String::with_capacity(content.len());
    let mut rest = content;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        let (plain, escape) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(plain);
        let before = *replaced;
        let (character, length) = unescape_one(escape, replaced);
        if *replaced > before && unstorable == Unstorable::Escaped {
            out.push_str(&escape.get(..length).unwrap_or(escape).to_ascii_lowercase());
        } else {
            write_escaped(character.encode_utf8(&mut [0; 4]), &mut out);
        }
        rest = escape.get(length..).unwrap_or("");
    }
    out.push_str(rest);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        canonical(text).text.into_owned()
    }

    #[test]
    fn spelled_as_stringify_of_parse() {
        for (text, expected) in [
            (" [ 1.0 , \"a\\u00e9\\/\" , { } , [ ] ] ", "[1,\"aé/\",{},[]]"),
            (r#"{"b":1,"10":2,"a":3,"9":4,"01":5}"#, r#"{"9":4,"10":2,"b":1,"a":3,"01":5}"#),
            (r#"{"a":1,"b":2,"a":{"x":[]}}"#, r#"{"a":{"x":[]},"b":2}"#),
            (r#"{"a":1,"\u0061":2}"#, r#"{"a":2}"#),
            (r#"{"__proto__":1,"4294967294":1,"4294967295":2}"#, r#"{"4294967294":1,"__proto__":1,"4294967295":2}"#),
            (r#""\u001F\u0008\u000a""#, "\"\\u001f\\b\\n\""),
            ("true", "true"),
            (" null", "null"),
            ("-0", "0"),
            (r#""😀\ud83d\ude00""#, "\"😀😀\""),
        ] {
            assert_eq!(of(text), expected);
            assert!(matches!(canonical(expected).text, Cow::Borrowed(_)), "{expected}");
        }
    }

    #[test]
    fn counts_what_javascript_would_have_written() {
        let value = canonical(r#"["\ud83d","\u0000x"]"#);
        assert_eq!(value.text, "[\"\u{fffd}\",\"\u{fffd}x\"]");
        assert_eq!(value.javascript_bytes(), r#"["\ud83d","\u0000x"]"#.len());
    }

    #[test]
    fn shown_text_keeps_its_escapes() {
        assert_eq!(canonical_shown(r#"["\uD83D\n","\u0000", 1.0]"#), r#"["\ud83d\n","\u0000",1]"#);
    }

    #[test]
    fn depth_and_width_are_no_matter() {
        let deep = format!("{}1.0{}", "{\"b\":[".repeat(50_000), "]}".repeat(50_000));
        assert_eq!(of(&deep), deep.replace("1.0", "1"));
        let wide: Vec<String> = (0..50_000).rev().map(|number| format!("\"{number}\":1")).collect();
        assert!(of(&format!("{{{}}}", wide.join(","))).starts_with("{\"0\":1,\"1\":1,"));
        let shuffled = format!("{}{}", "{\"b\":0,\"1\":".repeat(20_000), "}".repeat(20_000));
        assert!(of(&shuffled.replace(":}", ":0}")).starts_with("{\"1\":{\"1\":"));
    }

    fn shown_on_lines(text: &str) -> (String, String) {
        let (mut fused, mut apart) = ("before".to_owned(), "before".to_owned());
        pretty_shown(text, &mut fused);
        super::super::pretty(&canonical_shown(text), &mut apart).unwrap();
        (fused, apart)
    }

    #[test]
    fn lines_are_the_same_in_one_pass() {
        let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
        let deeper = format!("{}1{}", "{\"a\":[2,".repeat(100), "]}".repeat(100));
        for text in
            [r#"{"a":[1,{},[],{"b":"\n"}],"c":-1.5}"#, "[]", "\"x\"", r#"{"b":1,"1":[1.0]}"#, "{ }", &deep, &deeper]
        {
            let (fused, apart) = shown_on_lines(text);
            assert_eq!(fused, apart);
        }
    }

    proptest::proptest! {
        #[test]
        fn one_pass_or_two(text in "[\\[\\]{}\",:0-9.e\\\\ual-]{0,60}") {
            if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() {
                let (fused, apart) = shown_on_lines(&text);
                proptest::prop_assert_eq!(fused, apart);
            }
        }

        #[test]
        fn is_a_fixed_point(text in "[\\[\\]{}\",:0-9.e\\\\ual-]{0,60}") {
            if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() {
                let once = of(&text);
                let again = canonical(&once);
                proptest::prop_assert_eq!(again.text.as_ref(), once.as_str());
                proptest::prop_assert!(matches!(again.text, Cow::Borrowed(_)));
            }
        }
    }
}
