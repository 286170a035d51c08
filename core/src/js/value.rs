//! Parameters as JavaScript callers give them.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::scan::unescape;
use super::write_number;

/// Text. Half a surrogate pair and U+0000, which JavaScript strings may hold and databases refuse, become U+FFFD.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Text<'a>(pub Cow<'a, str>);

impl Text<'_> {
    /// Whether JavaScript takes it for true.
    pub fn truthy(&self) -> bool {
        !self.0.is_empty()
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        if text.contains('\0') { Self(Cow::Owned(text.replace('\0', "\u{fffd}"))) } else { Self(Cow::Borrowed(text)) }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        let content = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let content = content.ok_or_else(|| D::Error::custom("expected text"))?;
        if !content.contains('\\') {
            return Ok(Self(Cow::Borrowed(content)));
        }
        let mut text = String::with_capacity(content.len());
        unescape(content, &mut 0, &mut text);
        Ok(Self(Cow::Owned(text)))
    }
}

/// [`Text`] that borrows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct OwnedText(pub String);

impl<'de> Deserialize<'de> for OwnedText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text: Text<'_> = serde_json::from_str(raw.get()).map_err(D::Error::custom)?;
        Ok(Self(text.0.into_owned()))
    }
}

/// A number, spelled as JavaScript does; integers keep all their digits.
#[derive(Clone, Debug, PartialEq)]
pub struct Number(String);

impl Number {
    /// The spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As a double.
    pub fn as_f64(&self) -> f64 {
        self.0.parse().unwrap_or(0.0)
    }

    /// Whether JavaScript takes it for true.
    pub fn truthy(&self) -> bool {
        self.0 != "0"
    }

    /// The sum: exact for integers, in doubles otherwise.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let exact = self.0.parse::<i128>().ok().zip(other.0.parse::<i128>().ok());
        match exact.and_then(|(left, right)| left.checked_add(right)) {
            Some(sum) => Self(sum.to_string()),
            None => Self::from(self.as_f64() + other.as_f64()),
        }
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        let mut text = String::new();
        write_number(&format!("{number:e}"), &mut text);
        Self(text)
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self(number.to_string())
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        if !raw.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            return Err(D::Error::custom("expected a number"));
        }
        let mut text = String::with_capacity(raw.len());
        write_number(raw, &mut text);
        // Over the range of a double it is Infinity, which has no JSON.
        if text == "null" { Err(D::Error::custom("expected a number")) } else { Ok(Self(text)) }
    }
}

/// Any value, as the text that came in.
pub type Raw<'a> = &'a RawValue;

/// Whether JavaScript takes the value for true.
pub fn truthy(raw: Raw<'_>) -> bool {
    let text = raw.get();
    match text.bytes().next() {
        Some(b'-' | b'0'..=b'9') => text.parse::<f64>().is_ok_and(|number| number != 0.0),
        _ => !matches!(text, "null" | "false" | "\"\""),
    }
}

/// For members where an explicit `null` is a value and only absence is absence.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// For members that are objects: without this a list would be read as if its elements were the fields in their order.
pub(crate) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Fields<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
        type Value = T;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(fields))
        }
    }
    deserializer.deserialize_map(Fields(PhantomData))
}

/// [`object`] as a type.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer).map(Self)
    }
}

/// [`object`] for members that may be `null`.
pub(crate) fn optional_object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(Option::<Object<T>>::deserialize(deserializer)?.map(|object| object.0))
}

/// For lists of objects where `null` is as good as none.
pub(crate) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let items = Option::<Vec<Object<T>>>::deserialize(deserializer)?.unwrap_or_default();
    Ok(items.into_iter().map(|item| item.0).collect())
}

/// For lists of objects that must be there.
pub(crate) fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Vec::<Object<T>>::deserialize(deserializer)?.into_iter().map(|item| item.0).collect())
}
