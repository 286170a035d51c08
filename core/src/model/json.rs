//! JSON that passes through unread: tool inputs and outputs, provider metadata, foreign parts.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// One JSON value, kept as text: key order and number spelling stay as they came, only white space between
/// tokens is dropped, and what no database column can hold (U+0000, half a surrogate pair) becomes U+FFFD.
/// Cloning shares the text.
#[derive(Clone)]
pub struct Json(Arc<RawValue>);

impl Json {
    /// Checks and keeps `text`.
    ///
    /// # Errors
    /// When `text` is not exactly one JSON value.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let raw: Box<RawValue> = serde_json::from_str(&clean(text))?;
        Ok(Self(Arc::from(raw)))
    }

    /// The JSON form of any serializable value.
    ///
    /// # Errors
    /// When the value has none, such as a map with keys that are not text.
    pub fn from_value<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        Self::parse(&serde_json::to_string(value)?)
    }

    /// A JSON string.
    pub fn string(text: &str) -> Self {
        Self::from_value(text).unwrap_or_else(|_| Self::null())
    }

    /// `null`.
    pub fn null() -> Self {
        Self(Arc::from(RawValue::NULL.to_owned()))
    }

    /// `{}`.
    pub fn empty_object() -> Self {
        Self::parse("{}").unwrap_or_else(|_| Self::null())
    }

    /// The text.
    pub fn get(&self) -> &str {
        self.0.get()
    }

    /// Whether the value is an object.
    pub fn is_object(&self) -> bool {
        self.get().starts_with('{')
    }

    /// The text inside, when the value is a string.
    pub fn as_string(&self) -> Option<String> {
        if self.get().starts_with('"') { self.read().ok() } else { None }
    }

    /// Reads the value into `T`.
    ///
    /// # Errors
    /// When the value does not have the shape of `T`, or is nested deeper than 128 levels.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.get())
    }
}

impl fmt::Debug for Json {
    /// Shows the size only: payloads may hold what must not reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({} bytes)", self.get().len())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::parse(raw.get()).map_err(serde::de::Error::custom)
    }
}

/// For fields where an explicit `null` is a value and only absence is absence.
///
/// # Errors
/// As [`Json`]'s own.
pub fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

/// The text of a JSON string, in which half a surrogate pair becomes U+FFFD; nothing for other values.
pub(crate) fn lossy_string(value: &RawValue) -> Option<String> {
    if !value.get().starts_with('"') {
        return None;
    }
    serde_json::from_str(value.get()).ok().or_else(|| Json::parse(value.get()).ok()?.as_string())
}

/// The members of an object, unread; of two with one name the last counts. Nothing for other values.
pub(crate) fn members(value: &RawValue) -> Option<BTreeMap<String, &RawValue>> {
    serde_json::from_str(value.get()).ok()
}

/// Drops white space between tokens and replaces escapes that stand for U+0000 or half a surrogate pair.
/// Text that is not JSON comes out as other text that is not JSON, and is refused by the parser afterwards.
fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(['"', ' ', '\t', '\n', '\r']) {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        if let Some(string) = from.strip_prefix('"') {
            out.push('"');
            rest = clean_string(string, &mut out);
        } else {
            let after = from.trim_start_matches([' ', '\t', '\n', '\r']);
            // `1 2` must not become `12`: a blank between two bare tokens stays.
            let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
            if out.chars().next_back().is_some_and(bare) && after.chars().next().is_some_and(bare) {
                out.push(' ');
            }
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// Copies one string up to and with its closing quote; returns what follows it.
fn clean_string<'a>(text: &'a str, out: &mut String) -> &'a str {
    let mut rest = text;
    while let Some(stop) = rest.find(['"', '\\']) {
        let (before, from) = rest.split_at(stop);
        out.push_str(before);
        if let Some(after) = from.strip_prefix('"') {
            out.push('"');
            return after;
        }
        rest = clean_escape(from, out);
    }
    out.push_str(rest);
    ""
}

/// Copies one escape sequence (a pair of them for a surrogate pair); returns what follows.
fn clean_escape<'a>(text: &'a str, out: &mut String) -> &'a str {
    let unit = |text: &str| -> Option<u32> {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
    };
    let mut copy = |bytes: usize| match text.split_at_checked(bytes) {
        Some((escape, after)) => {
            out.push_str(escape);
            after
        }
        None => {
            out.push_str(text);
            ""
        }
    };
    match unit(text) {
        Some(0xd800..=0xdbff) => match text.get(6..).and_then(unit) {
            Some(0xdc00..=0xdfff) => copy(12),
            _ => replace(text, out),
        },
        Some(0xdc00..=0xdfff | 0) => replace(text, out),
        Some(_) => copy(6),
        None => {
            let second = text.chars().nth(1).map_or(0, char::len_utf8);
            copy(1 + second)
        }
    }
}

fn replace<'a>(text: &'a str, out: &mut String) -> &'a str {
    out.push('\u{fffd}');
    text.get(6..).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_order_and_spelling_and_drops_blanks() {
        let json =
            Json::parse(" {\"b\" : 1.0, \"a\":[ 1e3 ,12345678901234567890123 ],\n\"10\" : \"x y\\n\" } ").unwrap();
        assert_eq!(json.get(), r#"{"b":1.0,"a":[1e3,12345678901234567890123],"10":"x y\n"}"#);
    }

    #[test]
    fn refuses_what_is_not_one_value() {
        for text in ["", " ", "1 2", "tru e", "{", "[1,]", "\"a", "{\"a\":1}x", "\"\\x\"", "\"\\u12\"", "nul"] {
            assert!(Json::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn replaces_what_cannot_be_stored() {
        let json =
            Json::parse(r#"["\ud83d\ude00","\ud83d","\ude00x","\u0000","\\u0000","\ud83d\ud83d\ude00"]"#).unwrap();
        let read: Vec<String> = json.read().unwrap();
        assert_eq!(read, ["😀", "\u{fffd}", "\u{fffd}x", "\u{fffd}", "\\u0000", "\u{fffd}😀"]);
    }

    #[test]
    fn deep_nesting_passes_through() {
        let text = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
        assert_eq!(Json::parse(&text).unwrap().get(), text);
    }

    proptest::proptest! {
        #[test]
        fn cleaning_keeps_the_value(value in "\\PC{0,40}", number in proptest::num::i64::ANY) {
            let original = serde_json::json!({"text": value, "list": [number, {"nested": value}]});
            let pretty = serde_json::to_string_pretty(&original).unwrap();
            let json = Json::parse(&pretty).unwrap();
            proptest::prop_assert_eq!(json.get(), original.to_string());
        }

        #[test]
        fn cleaning_never_panics(text in "\\PC{0,60}") {
            let _ = Json::parse(&text);
        }
    }
}
