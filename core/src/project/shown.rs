//! What a page is shown of a large tool output: less of it, and of the same shape.

use crate::js::{Scanner, canonical};
use crate::model::{Json, ToolPart, ToolState};

/// Containers deeper than this are shown empty.
const MOST_DEPTH: usize = 64;
/// Members whose names have more bytes than this go with the first that go.
const LONG_NAME: usize = 256;
/// What a note at the end of a text takes, at most; a text that is hardly longer than its limit stays whole.
const NOTE_BYTES: usize = 48;
/// From one attempt to the next the limits are divided by this.
const STEP: usize = 4;

/// What is shown of an output whose JSON has more than `limit` bytes; nothing when it has not, and is shown whole.
///
/// Everything that is shown is of the type that it had: a text loses its end, which says so
/// (`…[truncated 300 chars]`), a list its last elements and an object its last members. Texts and lists are cut as little
/// as it takes, everywhere to the same limits.
pub fn shown_output(output: &Json, limit: u64) -> Option<Json> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if output.get().len() <= limit {
        return None;
    }
    let whole = canonical(output.get()).text;
    let mut caps = Caps { text: limit / 2, items: (limit / 8).max(1) };
    let shown = loop {
        match shorten(&whole, caps, limit) {
            Some(shown) => break shown,
            None if caps.is_least() => break empty(&whole).to_owned(),
            None => caps = caps.less(),
        }
    };
    Some(Json::parse(&shown).unwrap_or_else(|_| Json::null()))
}

/// The outcome of a call as a page is shown it.
pub fn shown_state(tool: &ToolPart) -> ToolState {
    let output = match (&tool.state, tool.shown_bytes) {
        (ToolState::OutputAvailable(Some(output)), Some(limit)) => shown_output(output, limit),
        _ => None,
    };
    output.map_or_else(|| tool.state.clone(), |output| ToolState::OutputAvailable(Some(output)))
}

/// How much of texts and containers is shown.
#[derive(Clone, Copy, Debug)]
struct Caps {
    /// Bytes of a text's JSON.
    text: usize,
    /// Elements of a list; of an object's members many times as many, since each is something else.
    items: usize,
}

impl Caps {
    fn less(self) -> Self {
        Self { text: self.text / STEP, items: (self.items / STEP).max(1) }
    }

    fn is_least(self) -> bool {
        self.text == 0 && self.items <= 1
    }

    fn members(self) -> usize {
        if self.is_least() { 1 } else { self.items.saturating_mul(16) }
    }
}

/// The value of this type that has nothing in it.
fn empty(json: &str) -> &'static str {
    match json.as_bytes().first() {
        Some(b'"') => "\"\"",
        Some(b'[') => "[]",
        Some(b'{') => "{}",
        _ => "0",
    }
}

/// An open container of the walk, and how much of it is written.
enum Open {
    List(usize),
    Object(usize),
}

/// The value within these limits; nothing when it still has more than `limit` bytes. `text` has its one spelling.
fn shorten(text: &str, caps: Caps, limit: usize) -> Option<String> {
    let mut scanner = Scanner::new(text);
    let mut out = String::new();
    let mut open: Vec<Open> = Vec::new();
    loop {
        if out.len() > limit {
            return None;
        }
        // One value, or the beginning of one.
        match scanner.peek() {
            Some(b'"') => cut(scanner.string(), caps.text, &mut out),
            Some(b'{' | b'[') if open.len() >= MOST_DEPTH => out.push_str(empty(scanner.value())),
            Some(b'{') => {
                scanner.punctuation();
                out.push('{');
                open.push(Open::Object(0));
            }
            Some(b'[') => {
                scanner.punctuation();
                out.push('[');
                open.push(Open::List(0));
            }
            _ => out.push_str(scanner.bare()),
        }
        // What follows it: the end of containers, then the next element or name.
        loop {
            match open.last_mut() {
                None => return (out.len() <= limit).then_some(out),
                Some(Open::List(written)) => {
                    skip_comma(&mut scanner);
                    if *written == caps.items {
                        skip_elements(&mut scanner);
                    }
                    if scanner.peek().is_none_or(|byte| byte == b']') {
                        scanner.punctuation();
                        out.push(']');
                        open.pop();
                        continue;
                    }
                    if *written > 0 {
                        out.push(',');
                    }
                    *written += 1;
                }
                Some(Open::Object(written)) => {
                    skip_comma(&mut scanner);
                    if scanner.peek() != Some(b'"') {
                        scanner.punctuation();
                        out.push('}');
                        open.pop();
                        continue;
                    }
                    let name = scanner.string();
                    scanner.punctuation();
                    if *written == caps.members() || name.len() > LONG_NAME {
                        scanner.value();
                        continue;
                    }
                    if *written > 0 {
                        out.push(',');
                    }
                    *written += 1;
                    out.push('"');
                    out.push_str(name);
                    out.push_str("\":");
                }
            }
            break;
        }
    }
}

fn skip_comma(scanner: &mut Scanner<'_>) {
    if scanner.peek() == Some(b',') {
        scanner.punctuation();
    }
}

fn skip_elements(scanner: &mut Scanner<'_>) {
    while scanner.peek().is_some_and(|byte| byte != b']') {
        scanner.value();
        skip_comma(scanner);
    }
}

/// Appends a text, given as it stands between its quotes.
fn cut(content: &str, most: usize, out: &mut String) {
    out.push('"');
    if content.len() <= most.saturating_add(NOTE_BYTES) {
        out.push_str(content);
    } else {
        let kept = whole_characters(content, most);
        let (kept, rest) = (content.get(..kept).unwrap_or_default(), content.get(kept..).unwrap_or_default());
        out.push_str(&format!("{kept}…[truncated {} chars]", units(rest)));
    }
    out.push('"');
}

/// Where a text of at most so many bytes ends without half an escape or half a character.
fn whole_characters(content: &str, most: usize) -> usize {
    let bytes = content.as_bytes();
    let mut end = 0;
    while let Some(byte) = bytes.get(end) {
        let next = end + escape_length(*byte, bytes.get(end + 1));
        if next > most {
            break;
        }
        end = next;
    }
    content.floor_char_boundary(end)
}

/// The length of an escape that begins here, or 1.
fn escape_length(byte: u8, next: Option<&u8>) -> usize {
    match (byte, next) {
        (b'\\', Some(b'u')) => 6,
        (b'\\', _) => 2,
        _ => 1,
    }
}

/// How many units of UTF-16 a text has. In its one spelling every escape stands for one.
fn units(content: &str) -> usize {
    let (mut rest, mut units) = (content, 0);
    while let Some(character) = rest.chars().next() {
        let length = match u8::try_from(character) {
            Ok(byte) if byte.is_ascii() => escape_length(byte, rest.as_bytes().get(1)),
            _ => character.len_utf8(),
        };
        units += character.len_utf16();
        rest = rest.get(length..).unwrap_or_default();
    }
    units
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn shown(value: &Value, limit: u64) -> Option<Value> {
        let shown = shown_output(&Json::from_value(value).unwrap(), limit)?;
        assert!(shown.get().len() as u64 <= limit.max(2), "{} bytes of {limit}", shown.get().len());
        Some(shown.read().unwrap())
    }

    #[test]
    fn what_is_within_the_limit_is_shown_as_it_came() {
        let json = Json::parse(r#"{"b":1.50,"1":[1e2,"x"]}"#).unwrap();
        assert_eq!(shown_output(&json, json.get().len() as u64), None);
        assert!(shown_output(&json, json.get().len() as u64 - 1).is_some());
    }

    #[test]
    fn a_list_of_records_loses_records_and_a_record_the_end_of_its_text() {
        let rows: Vec<Value> = (0..10_000).map(|n| json!({"id": n, "title": format!("Page {n}")})).collect();
        let few = shown(&json!(rows), 20_000).unwrap();
        let few = few.as_array().unwrap();
        assert!(few.len() > 100, "{}", few.len());
        assert_eq!(few.as_slice(), &rows[..few.len()]);

        let page = json!({"title": "T", "body": "é\n".repeat(50_000), "tags": ["a", "b"]});
        let less = shown(&page, 20_000).unwrap();
        assert_eq!((&less["title"], &less["tags"]), (&page["title"], &page["tags"]));
        let body = less["body"].as_str().unwrap();
        let (kept, note) = body.split_once('…').unwrap();
        assert!(kept.len() > 4_000 && page["body"].as_str().unwrap().starts_with(kept));
        assert_eq!(note, format!("[truncated {} chars]", 100_000 - kept.chars().count()));
    }

    #[test]
    fn a_few_long_texts_are_all_there() {
        let list: Vec<Value> = (0..60).map(|n| json!({"n": n, "text": "x".repeat(10_000)})).collect();
        let shown = shown(&json!(list), 100_000).unwrap();
        assert_eq!(shown.as_array().unwrap().len(), 60);
    }

    #[test]
    fn a_limit_that_fits_nothing_leaves_the_type() {
        for (value, least) in [
            (json!("x".repeat(99)), json!("")),
            (json!([[1, 2, 3], 4]), json!([])),
            (json!({"a": "x".repeat(99)}), json!({})),
            (json!(123_456), json!(0)),
        ] {
            let shown = shown_output(&Json::from_value(&value).unwrap(), 3).unwrap();
            assert_eq!(shown.read::<Value>().unwrap(), least);
        }
    }

    #[test]
    fn hostile_depth_width_and_names_are_no_matter() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(shown_output(&Json::parse(&deep).unwrap(), 1000).unwrap().get().len(), 2 * (MOST_DEPTH + 1));
        let name = "n".repeat(10_000);
        assert_eq!(shown(&json!({&name: 1, "a": 2}), 1000), Some(json!({"a": 2})));
        let wide: Value = (0..100_000).map(|n| (format!("k{n}"), json!(n))).collect::<serde_json::Map<_, _>>().into();
        assert!(shown(&wide, 1000).unwrap().as_object().unwrap().len() > 10);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (0_usize..300, "[\"\\\\\n\u{1}aé😀…]").prop_map(|(times, text)| Value::from(text.repeat(times))),
        ];
        leaf.prop_recursive(8, 200, 40, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..40).prop_map(Value::from),
                proptest::collection::vec(("[a-z0-9]{0,3}", inner), 0..12)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    /// Whether `less` is a beginning of `whole`, of the same types everywhere.
    fn is_beginning(less: &Value, whole: &Value) -> bool {
        match (less, whole) {
            (Value::Array(less), Value::Array(whole)) => {
                less.len() <= whole.len() && less.iter().zip(whole).all(|(less, whole)| is_beginning(less, whole))
            }
            (Value::Object(less), Value::Object(whole)) => {
                less.iter().all(|(name, less)| whole.get(name).is_some_and(|whole| is_beginning(less, whole)))
            }
            (Value::String(less), Value::String(whole)) => {
                less == whole || less.rsplit_once("…[truncated ").is_some_and(|(kept, _)| whole.starts_with(kept))
            }
            _ => less == whole,
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_a_beginning_of_the_same_types(value in any_json(), limit in 2_u64..5_000) {
            if let Some(shown) = shown(&value, limit) {
                prop_assert!(is_beginning(&shown, &value) || shown == json!(0) || shown == json!(""));
            }
        }
    }
}
