//! JSON for request bodies, built without copying texts and with numbers spelled as they came.

use std::borrow::Cow;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::{Map, Number, Value};

use crate::model::{FailureKind, Json};

use super::{CallOptions, ProviderFailure};

/// A value of a request body.
#[derive(Debug)]
pub(super) enum Node<'a> {
    Text(Cow<'a, str>),
    /// Sent as it is spelled.
    Raw(Cow<'a, Json>),
    Value(Value),
    List(Vec<Node<'a>>),
    Object(Object<'a>),
}

/// An object of a request body; its members keep their order.
#[derive(Debug, Default)]
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, Node<'a>)>);

impl<'a> Object<'a> {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// The same with one more member.
    #[must_use]
    pub(super) fn with(mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Node<'a>>) -> Self {
        self.put(name, value);
        self
    }

    /// The same with one more member, if there is a value for it.
    #[must_use]
    pub(super) fn with_some(mut self, name: impl Into<Cow<'a, str>>, value: Option<impl Into<Node<'a>>>) -> Self {
        self.put_some(name, value);
        self
    }

    /// Sets a member; one of the same name is replaced where it stands.
    pub(super) fn put(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Node<'a>>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name, value)),
        }
    }

    pub(super) fn put_some(&mut self, name: impl Into<Cow<'a, str>>, value: Option<impl Into<Node<'a>>>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    /// Takes over all members of `map`.
    pub(super) fn spread(&mut self, map: Map<String, Value>) {
        for (name, value) in map {
            self.put(name, value);
        }
    }

    /// Takes a member out; whether there was one.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        let count = self.0.len();
        self.0.retain(|(known, _)| known != name);
        self.0.len() < count
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The JSON text.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        // Plain data with text keys: there is nothing in it that could fail to serialize.
        serde_json::to_vec(&self).unwrap_or_default()
    }
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Node::Text(text) => serializer.serialize_str(text),
            Node::Raw(json) => json.serialize(serializer),
            Node::Value(value) => value.serialize(serializer),
            Node::Object(object) => object.serialize(serializer),
            Node::List(list) => {
                let mut items = serializer.serialize_seq(Some(list.len()))?;
                for item in list {
                    items.serialize_element(item)?;
                }
                items.end()
            }
        }
    }
}

impl<'a> From<&'a str> for Node<'a> {
    fn from(text: &'a str) -> Self {
        Node::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Node<'_> {
    fn from(text: String) -> Self {
        Node::Text(Cow::Owned(text))
    }
}

impl<'a> From<Cow<'a, str>> for Node<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Node::Text(text)
    }
}

impl<'a> From<&'a Json> for Node<'a> {
    fn from(json: &'a Json) -> Self {
        Node::Raw(Cow::Borrowed(json))
    }
}

impl<'a> From<Cow<'a, Json>> for Node<'a> {
    fn from(json: Cow<'a, Json>) -> Self {
        Node::Raw(json)
    }
}

impl From<Json> for Node<'_> {
    fn from(json: Json) -> Self {
        Node::Raw(Cow::Owned(json))
    }
}

impl From<Value> for Node<'_> {
    fn from(value: Value) -> Self {
        Node::Value(value)
    }
}

impl From<bool> for Node<'_> {
    fn from(value: bool) -> Self {
        Node::Value(Value::Bool(value))
    }
}

impl From<u64> for Node<'_> {
    fn from(value: u64) -> Self {
        Node::Value(Value::from(value))
    }
}

impl From<&Number> for Node<'_> {
    fn from(value: &Number) -> Self {
        Node::Value(Value::Number(value.clone()))
    }
}

impl<'a> From<Object<'a>> for Node<'a> {
    fn from(object: Object<'a>) -> Self {
        Node::Object(object)
    }
}

impl<'a> From<Vec<Node<'a>>> for Node<'a> {
    fn from(list: Vec<Node<'a>>) -> Self {
        Node::List(list)
    }
}

/// What a call says for one provider only.
#[derive(Debug, Default)]
pub(super) struct ProviderOptions(Map<String, Value>);

impl ProviderOptions {
    /// The options under these names; of two with the same key that of the later name counts.
    pub(super) fn of(options: &CallOptions, names: &[&str]) -> Self {
        Self::in_json(options.provider_options.as_ref(), names)
    }

    /// The same of the metadata of a part.
    pub(super) fn in_json(json: Option<&Json>, names: &[&str]) -> Self {
        let mut merged = Map::new();
        let all = json.and_then(|json| json.read::<Map<String, Value>>().ok()).unwrap_or_default();
        for name in names {
            if let Some(Value::Object(own)) = all.get(*name) {
                merged.extend(own.clone());
            }
        }
        Self(merged)
    }

    /// Takes an option out; `null` is none.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.shift_remove(name).filter(|value| !value.is_null())
    }

    pub(super) fn take_text(&mut self, name: &str) -> Option<String> {
        match self.take(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    pub(super) fn take_flag(&mut self, name: &str) -> Option<bool> {
        self.take(name).and_then(|value| value.as_bool())
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// What was not taken.
    pub(super) fn into_rest(self) -> Map<String, Value> {
        self.0
    }
}

/// A text that a provider left in a part's metadata, under the first of these names that has it.
pub(super) fn text_in(metadata: Option<&Json>, names: &[&str], key: &str) -> Option<String> {
    let all: Map<String, Value> = metadata?.read().ok()?;
    names.iter().find_map(|name| Some(all.get(*name)?.get(key)?.as_str()?.to_owned()))
}

/// Metadata of one provider.
pub(super) fn metadata_of(provider: &str, value: &Value) -> Option<Json> {
    Json::from_value(&Map::from_iter([(provider.to_owned(), value.clone())])).ok()
}

/// The media type and the content of a data URL in base64.
pub(super) fn data_url(url: &str) -> Option<(&str, &str)> {
    let (head, content) = url.strip_prefix("data:")?.split_once(',')?;
    let media_type = head.strip_suffix(";base64")?;
    Some((media_type.split(';').next().unwrap_or(media_type), content))
}

/// The text that base64 stands for; nothing when it is not base64 of UTF-8.
pub(super) fn base64_text(content: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(content.len() / 4 * 3);
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    for digit in content.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        buffer = (buffer << 6) | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((buffer >> bits) & 0xff).unwrap_or_default());
        }
    }
    String::from_utf8(bytes).ok()
}

/// A call that cannot be sent, because this provider has no form for something in it.
pub(super) fn unsupported(what: &str) -> ProviderFailure {
    ProviderFailure::new(FailureKind::InvalidRequest, format!("The provider does not take {what}.")).unanswered()
}

/// `base_url` without one trailing slash, or `default` when it is blank.
pub(super) fn base_or(base_url: Option<&str>, default: &str) -> String {
    let given = base_url.map(str::trim).filter(|url| !url.is_empty()).unwrap_or(default);
    given.strip_suffix('/').unwrap_or(given).to_owned()
}

/// The names of all members in the other spelling, at every depth; values stay.
pub(super) fn renamed(value: Value, rename: fn(&str) -> String) -> Value {
    match value {
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(name, value)| (rename(&name), renamed(value, rename))).collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(|value| renamed(value, rename)).collect()),
        value => value,
    }
}

/// `pageAge` is `page_age`.
pub(super) fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// `page_age` is `pageAge`.
pub(super) fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut upper = false;
    for letter in name.chars() {
        match letter {
            '_' => upper = true,
            letter if std::mem::take(&mut upper) => camel.push(letter.to_ascii_uppercase()),
            letter => camel.push(letter),
        }
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_keep_order_and_spelling() {
        let raw = Json::parse(r#"{"b":1.0,"a":12345678901234567890123}"#).unwrap();
        let mut body = Object::new().with("z", "text").with("raw", &raw).with_some("none", None::<bool>);
        body.put("z", vec![Node::from(true), Node::from(7)]);
        assert_eq!(
            String::from_utf8(body.into_bytes()).unwrap(),
            r#"{"z":[true,7],"raw":{"b":1.0,"a":12345678901234567890123}}"#
        );
    }

    #[test]
    fn data_urls_and_base64() {
        assert_eq!(data_url("data:text/plain;charset=utf-8;base64,aMOp"), Some(("text/plain", "aMOp")));
        assert_eq!(data_url("https://example.com/a.png"), None);
        assert_eq!(base64_text("aMOp").as_deref(), Some("hé"));
        assert_eq!(base64_text("aGk=").as_deref(), Some("hi"));
        assert_eq!((base64_text("a*"), base64_text("/w==")), (None, None));
    }
}
