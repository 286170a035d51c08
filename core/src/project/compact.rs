//! Shrinking large tool outputs for the message row.

use std::borrow::Cow;
use std::iter;

use crate::js::{Scanner, canonical, escaped_utf16_len, unescape, write_string};
use crate::model::Json;
use crate::text::{utf16_len, utf16_prefix};

/// Outputs whose JSON is at most this many bytes of UTF-8 are kept as they are.
const KEEP_WHOLE_BYTES: usize = 4000;
/// Strings longer than this many UTF-16 units are cut,
const LONG_STRING: usize = 600;
/// to this many.
const STRING_PREVIEW: usize = 500;
/// Elements of an array that are kept.
const ARRAY_LIMIT: usize = 50;
/// Objects at this depth are replaced by a note. Arrays have no limit of their own.
const DEPTH_LIMIT: usize = 8;
/// Stands for an object at that depth.
const OMITTED: &str = r#"{"_truncated":true,"note":"nested content omitted"}"#;

/// [`compact_text`] for values of the log: one that is small stays as it came, numbers and all.
pub fn compact_tool_output(output: &Json) -> Json {
    match compacted(output.get()) {
        None => output.clone(),
        Some(text) => Json::parse(&text).unwrap_or_else(|_| Json::null()),
    }
}

/// `compactToolOutput`: the value itself when it is small, else a copy with long strings, long arrays and deep objects
/// cut short, each with a note of what was left out. Either way in the spelling of [`canonical`]. `json` must be valid.
pub fn compact_text(json: &str) -> Cow<'_, str> {
    let value = canonical(json);
    if value.javascript_bytes() <= KEEP_WHOLE_BYTES {
        value.text
    } else {
        Cow::Owned(shrink(&value.text, &mut iter::empty()))
    }
}

/// [`compact_text`] for callers who have the value: `None` when it is to stay as it is.
pub fn compacted(json: &str) -> Option<String> {
    let value = canonical(json);
    (value.javascript_bytes() > KEEP_WHOLE_BYTES).then(|| shrink(&value.text, &mut iter::empty()))
}

/// From where on a value is cut: what a caller has to know who looks at values itself and shows only those that may
/// change. A value with nothing in it that is over a limit stays as it is, however large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompactionLimits {
    /// Bytes of UTF-8 that the JSON of an output may have before anything in it is cut.
    pub bytes: usize,
    /// UTF-16 units of a text.
    pub text: usize,
    /// Elements of an array.
    pub items: usize,
    /// Containers around an object.
    pub depth: usize,
}

impl CompactionLimits {
    /// What holds for every output.
    pub const fn get() -> Self {
        Self { bytes: KEEP_WHOLE_BYTES, text: LONG_STRING, items: ARRAY_LIMIT, depth: DEPTH_LIMIT }
    }
}

/// Whether an output is small: its JSON has `others` bytes beside the contents of its texts and keys, and these are
/// `units` of UTF-16 when they are put together. `None` when there is something among them that cannot be stored.
pub fn is_small(others: usize, units: &[u16]) -> Option<bool> {
    is_storable(units).then(|| others.saturating_add(escaped_utf16_len(units)) <= KEEP_WHOLE_BYTES)
}

/// Whether text can be stored as it is: without U+0000 and halves of surrogate pairs.
pub fn is_storable(units: &[u16]) -> bool {
    // Without a branch, so that many units are looked at with one instruction.
    let odd = units.iter().fold(false, |odd, unit| odd | (*unit == 0) | (unit & 0xf800 == 0xd800));
    !odd || char::decode_utf16(units.iter().copied()).all(|unit| unit.is_ok_and(|character| character != '\0'))
}

/// The compacted form of an output that is known to be large, of which `abridged` is an abridged copy: of a text over
/// the limit the first units are there (one more than the limit), of an array the first elements (likewise), of an
/// object that is too deep nothing. `lengths` are the real lengths of what was abridged: of a text where it stands, of
/// an array after what is in it.
pub fn compacted_abridged(abridged: &str, lengths: &[u64]) -> String {
    shrink(&canonical(abridged).text, &mut lengths.iter().copied())
}

/// An open container of the walk.
enum Open {
    /// An array with this many elements written.
    Array(usize),
    /// An object, and whether a key of it is written.
    Object(bool),
}

/// Cuts `text`, which has its one spelling. `lengths` are those of [`compacted_abridged`]; without them everything is
/// as long as it is.
fn shrink(text: &str, lengths: &mut impl Iterator<Item = u64>) -> String {
    let mut scanner = Scanner::new(text);
    let mut out = String::with_capacity(text.len().min(64 * 1024));
    let mut open: Vec<Open> = Vec::new();
    loop {
        // One value, or the beginning of one.
        match scanner.peek() {
            Some(b'"') => cut_string(scanner.string(), lengths, &mut out),
            Some(b'{') if open.len() >= DEPTH_LIMIT => {
                scanner.value();
                out.push_str(OMITTED);
            }
            Some(b'{') => {
                scanner.punctuation();
                out.push('{');
                open.push(Open::Object(false));
            }
            Some(b'[') => {
                scanner.punctuation();
                out.push('[');
                open.push(Open::Array(0));
            }
            _ => out.push_str(scanner.bare()),
        }
        // What follows it: the end of containers, then the next element or key.
        loop {
            match open.last_mut() {
                None => return out,
                Some(Open::Array(written)) => {
                    if scanner.peek() == Some(b',') {
                        scanner.punctuation();
                    }
                    if scanner.peek().is_none_or(|byte| byte == b']') {
                        scanner.punctuation();
                        out.push(']');
                        open.pop();
                        continue;
                    }
                    if *written == ARRAY_LIMIT {
                        skip_rest(&mut scanner, lengths, &mut out);
                        open.pop();
                        continue;
                    }
                    if *written > 0 {
                        out.push(',');
                    }
                    *written += 1;
                }
                Some(Open::Object(written)) => {
                    if scanner.peek() == Some(b',') {
                        scanner.punctuation();
                    }
                    if scanner.peek() != Some(b'"') {
                        scanner.punctuation();
                        out.push('}');
                        open.pop();
                        continue;
                    }
                    let key = scanner.string();
                    scanner.punctuation();
                    // A rebuilt object has no own `__proto__`: assigning to it sets the prototype.
                    if key == "__proto__" {
                        scanner.value();
                        continue;
                    }
                    if *written {
                        out.push(',');
                    }
                    *written = true;
                    out.push('"');
                    out.push_str(key);
                    out.push_str("\":");
                }
            }
            break;
        }
    }
}

/// Passes the elements of an array by that are over the limit, and closes it with their number.
fn skip_rest(scanner: &mut Scanner<'_>, lengths: &mut impl Iterator<Item = u64>, out: &mut String) {
    let mut omitted = 0_u64;
    while scanner.peek().is_some_and(|byte| byte != b']') {
        scanner.value();
        omitted += 1;
        if scanner.peek() == Some(b',') {
            scanner.punctuation();
        }
    }
    scanner.punctuation();
    let omitted = lengths.next().map_or(omitted, |length| length.saturating_sub(ARRAY_LIMIT as u64));
    out.push_str(&format!(",{{\"_truncated\":true,\"omittedItems\":{omitted}}}]"));
}

/// Appends a string, given as it stands between its quotes.
fn cut_string(content: &str, lengths: &mut impl Iterator<Item = u64>, out: &mut String) {
    // No unit of UTF-16 takes less than a byte here, so short text needs no counting.
    if content.len() > LONG_STRING {
        let mut text = String::with_capacity(content.len());
        unescape(content, &mut 0, &mut text);
        let units = utf16_len(&text);
        if units > LONG_STRING {
            let preview = utf16_prefix(&text, STRING_PREVIEW);
            let units = lengths.next().unwrap_or(units as u64);
            let omitted = units.saturating_sub(STRING_PREVIEW as u64);
            write_string(&format!("{preview}…[truncated {omitted} chars]"), out);
            return;
        }
    }
    out.push('"');
    out.push_str(content);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn compact(value: &Value) -> Value {
        compact_tool_output(&Json::from_value(value).unwrap()).read().unwrap()
    }

    #[test]
    fn small_outputs_are_not_touched() {
        let json = Json::parse(r#"{"1":[100],"b":1.5}"#).unwrap();
        assert!(matches!(compact_text(json.get()), Cow::Borrowed(_)));
        assert_eq!(compact_text(r#"{"b":1.50,"1":[1e2]}"#), json.get());
    }

    #[test]
    fn long_strings_arrays_and_deep_objects_are_cut() {
        let mut deep = json!({"leaf": true});
        for _ in 0..10 {
            deep = json!({ "in": deep });
        }
        let value = json!({"text": "😀".repeat(400), "list": (0..60).collect::<Vec<_>>(), "deep": deep, "pad": "x".repeat(4000)});
        let out = compact(&value);
        assert_eq!(out["text"], format!("{}…[truncated 300 chars]", "😀".repeat(250)));
        assert_eq!(out["list"].as_array().unwrap().len(), 51);
        assert_eq!(out["list"][50], json!({"_truncated": true, "omittedItems": 10}));
        assert!(out["deep"].to_string().ends_with(r#"{"_truncated":true,"note":"nested content omitted"}}}}}}}}"#));
    }

    /// Defect 3 of the servers that this replaces: a cut in the middle of a pair made rows that no database took.
    #[test]
    fn a_cut_never_leaves_half_a_pair() {
        let text = format!("{}😀{}", "a".repeat(499), "b".repeat(5000));
        let out = compact(&json!(text));
        assert_eq!(out, format!("{}…[truncated 5001 chars]", "a".repeat(499)));
        let halves = format!("\"{}\"", "\\ud83d".repeat(700));
        assert!(!compact_text(&halves).contains("\\ud"));
        assert!(!compact_text(&format!("[\"\\u0000{}\"]", "x".repeat(5000))).contains("\\u0000"));
    }

    #[test]
    fn sizes_are_those_of_the_json() {
        let text = "a\"\\\u{1}\n\u{7f}é\u{2028}😀".repeat(100);
        let bytes = serde_json::to_string(&text).unwrap().len();
        let units: Vec<u16> = text.encode_utf16().collect();
        let others = KEEP_WHOLE_BYTES - (bytes - 2);
        assert_eq!((is_small(others, &units), is_small(others + 1, &units)), (Some(true), Some(false)));
        for odd in [0, 0xd83d, 0xde00] {
            assert_eq!(is_small(0, &[b'a'.into(), odd, b'b'.into()]), None);
        }
    }

    #[test]
    fn rebuilt_objects_have_index_keys_first_and_no_prototype() {
        let value = json!({"b": "x".repeat(5000), "10": 1, "9": 2, "01": 3, "__proto__": {"a": 1}});
        let keys: Vec<String> = compact(&value).as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["9", "10", "b", "01"]);
    }

    #[test]
    fn hostile_depth_and_width_are_no_matter() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(compact_text(&deep), deep);
        let objects = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
        assert_eq!(compact_text(&objects), format!("{}{OMITTED}{}", "{\"a\":".repeat(8), "}".repeat(8)));
        let wide = format!("[{}0]", "[],".repeat(200_000));
        assert!(compact_text(&wide).ends_with("[],{\"_truncated\":true,\"omittedItems\":199951}]"));
    }

    fn any_json() -> impl proptest::strategy::Strategy<Value = Value> {
        use proptest::prelude::*;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,20}".prop_map(Value::from),
            (0_usize..3000, "\\PC").prop_map(|(times, text)| Value::from(text.repeat(times))),
        ];
        leaf.prop_recursive(12, 400, 80, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..80).prop_map(Value::from),
                proptest::collection::vec(("[a-z0-9]{0,3}", inner), 0..12)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest::proptest! {
        #[test]
        fn grows_by_its_notes_at_most_and_keeps_what_clients_cite(value in any_json(), id in "[a-z0-9-]{1,40}") {
            let cited = json!({"id": id, "title": "T", "pageId": id, "body": value, "pad": "x".repeat(4100)});
            let before = canonical(&cited.to_string()).text.into_owned();
            let after = compact_text(&before).into_owned();
            // An array of 51 tiny elements gets a note that is longer than what it stands for, as ever.
            let notes = after.matches("\"_truncated\":true").count() * OMITTED.len();
            proptest::prop_assert!(after.len() <= before.len() + notes);
            let out: Value = serde_json::from_str(&after).unwrap();
            proptest::prop_assert_eq!(&out["id"], &cited["id"]);
            proptest::prop_assert_eq!(&out["title"], &cited["title"]);
            proptest::prop_assert_eq!(&out["pageId"], &cited["pageId"]);
            let again = canonical(&after);
            proptest::prop_assert_eq!(again.text.as_ref(), after.as_str(), "one spelling");
        }
    }
}
