//! A workspace's settings as they are stored, changed and shown. Keys are not among them.

use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::model::{Feature, FeatureFlags};
use crate::provider::{login_in, without_secrets};
use crate::store::KeySlot;
use crate::text::js_trim;

/// What can be set, besides keys. All values are stored as text.
const FIELDS: [&str; 14] = [
    "driver",
    "chatModel",
    "chatContextWindow",
    "chatApiStyle",
    "embeddingModel",
    "baseUrl",
    "embeddingBaseUrl",
    "sttModel",
    "sttBaseUrl",
    "sttApiStyle",
    "sttLanguage",
    "systemPrompt",
    "publicShareChatModel",
    "publicShareAssistantRoleId",
];

/// Fields with a fixed choice of values.
const CHOICES: [(&str, &[&str]); 3] = [
    ("driver", &["openai", "openai-compatible", "gemini", "ollama", "anthropic"]),
    ("chatApiStyle", &["openai-compatible", "openai"]),
    ("sttApiStyle", &["multipart", "json"]),
];

/// The member that holds the flags of features.
const FEATURES: &str = "features";
const CONTEXT_WINDOW: &str = "chatContextWindow";
/// The largest context window that is taken for one; JavaScript's largest exact integer.
const MAX_CONTEXT_WINDOW: u64 = (1 << 53) - 1;

/// Keys as callers name them.
const KEY_FIELDS: [(&str, KeySlot); 3] =
    [("apiKey", KeySlot::Chat), ("embeddingApiKey", KeySlot::Embedding), ("sttApiKey", KeySlot::Stt)];

/// Fields that hold addresses, and the slots of what it takes to be let in there.
pub(super) const ADDRESSES: [(&str, KeySlot); 3] =
    [("baseUrl", KeySlot::Chat), ("embeddingBaseUrl", KeySlot::Embedding), ("sttBaseUrl", KeySlot::Stt)];

/// The non-secret settings of a workspace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkspaceSettings(Map<String, Value>);

/// A change of settings and keys.
#[derive(Debug, Default)]
pub struct SettingsPatch {
    values: Map<String, Value>,
    /// The keys to set (`Some`) or to clear.
    pub(crate) keys: Vec<(KeySlot, Option<SecretString>)>,
    /// The features that are switched (`Some`) or set back.
    pub(crate) features: Vec<(Feature, Option<bool>)>,
    /// Users and passwords that were in addresses.
    pub(crate) logins: Vec<(KeySlot, SecretString)>,
}

impl SettingsPatch {
    /// Reads a change: an object of settings, of keys, where `""` clears, and of `features`. A field that is absent stays,
    /// and so does a key that is `null`; fields that nobody knows are passed over, but for features: a gate that was meant
    /// to be shut must not stay open.
    ///
    /// # Errors
    /// `INVALID_INPUT` naming the field.
    pub fn from_json(text: &str) -> Result<Self> {
        let patch: Value = crate::error::from_json(text, "settings")?;
        let Value::Object(fields) = patch else {
            return Err(Error::invalid("settings", "must be an object"));
        };
        let mut patch = Self::default();
        for (name, value) in fields {
            if let Some((_, slot)) = KEY_FIELDS.iter().find(|(field, _)| *field == name) {
                match value {
                    Value::Null => {}
                    Value::String(key) if key.is_empty() => patch.keys.push((*slot, None)),
                    Value::String(key) => patch.keys.push((*slot, Some(SecretString::from(key)))),
                    _ => return Err(Error::invalid(name, "must be text")),
                }
            } else if name == FEATURES {
                patch.features = read_features(value)?;
            } else if FIELDS.contains(&name.as_str()) {
                check(&name, &value)?;
                let value = patch.without_login(&name, value);
                patch.values.insert(name, value);
            }
        }
        Ok(patch)
    }

    /// The value, of an address without what is secret in it.
    fn without_login(&mut self, name: &str, value: Value) -> Value {
        let slot = ADDRESSES.iter().find(|(field, _)| *field == name).map(|(_, slot)| *slot);
        match (slot, &value) {
            (Some(slot), Value::String(url)) => {
                self.logins.extend(login_in(url).map(|login| (slot, login)));
                Value::String(without_secrets(url))
            }
            _ => value,
        }
    }

    /// Whether it sets this field.
    pub(crate) fn sets(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The driver that the change sets.
    pub(crate) fn driver(&self) -> Option<&str> {
        self.values.get("driver").and_then(Value::as_str)
    }

    /// Whether it sets any of the fields.
    pub(crate) fn sets_any(&self) -> bool {
        !self.values.is_empty()
    }
}

fn read_features(value: Value) -> Result<Vec<(Feature, Option<bool>)>> {
    let flags = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Object(flags) => flags,
        _ => return Err(Error::invalid(FEATURES, "must be an object")),
    };
    let flags = flags.into_iter().map(|(name, on)| {
        let field = || format!("{FEATURES}.{name}");
        let feature = Feature::ALL.into_iter().find(|feature| feature.as_str() == name);
        let feature = feature.ok_or_else(|| Error::invalid(field(), "is no feature"))?;
        match on {
            Value::Null => Ok((feature, None)),
            Value::Bool(on) => Ok((feature, Some(on))),
            _ => Err(Error::invalid(field(), "must be true, false or null")),
        }
    });
    flags.collect()
}

fn check(name: &str, value: &Value) -> Result<()> {
    if name == CONTEXT_WINDOW {
        let fits = value.is_null() || value.as_u64().is_some_and(|window| window <= MAX_CONTEXT_WINDOW);
        return if fits { Ok(()) } else { Err(Error::invalid(name, "must be a whole number of tokens, 0 or more")) };
    }
    let text = match value {
        Value::Null => return Ok(()),
        Value::String(text) => text,
        _ => return Err(Error::invalid(name, "must be text")),
    };
    match CHOICES.iter().find(|(field, _)| *field == name) {
        Some((_, choices)) if !choices.contains(&text.as_str()) => {
            Err(Error::invalid(name, format!("must be one of {}", choices.join(", "))))
        }
        _ => Ok(()),
    }
}

impl WorkspaceSettings {
    /// Reads stored settings; whatever is no object is as good as none.
    pub fn from_stored(text: Option<&str>) -> Self {
        match text.map(serde_json::from_str) {
            Some(Ok(Value::Object(fields))) => Self(fields),
            _ => Self::default(),
        }
    }

    /// As they are stored.
    pub fn to_stored(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// Sets the fields of the change. Values become text; a null stays one.
    pub fn apply(&mut self, patch: &SettingsPatch) {
        self.set(&patch.values);
    }

    /// As [`WorkspaceSettings::apply`], for values as they come; fields that nobody knows are passed over.
    fn set(&mut self, values: &Map<String, Value>) {
        for (name, value) in values {
            if !FIELDS.contains(&name.as_str()) {
                continue;
            }
            let stored = match value {
                Value::Null | Value::String(_) => value.clone(),
                other => Value::String(other.to_string()),
            };
            self.0.insert(name.clone(), stored);
        }
    }

    /// The flags of features.
    pub fn features(&self) -> FeatureFlags {
        FeatureFlags::from_stored(self.0.get(FEATURES))
    }

    /// Switches features.
    pub(crate) fn change_features(&mut self, changes: &[(Feature, Option<bool>)]) {
        let mut flags = self.features();
        flags.change(changes);
        self.0.insert(FEATURES.to_owned(), flags.to_value());
    }

    /// A field's text. Empty text is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// A field's text, unless it is empty.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.text(name).filter(|text| !text.is_empty())
    }

    /// The driver.
    pub fn driver(&self) -> Option<&str> {
        self.filled("driver")
    }

    /// How many tokens the chat model's context holds.
    pub fn context_window(&self) -> Option<u64> {
        // Other writers store it as a number, too.
        let number = match self.0.get(CONTEXT_WINDOW)? {
            Value::Number(stored) => stored.as_f64()?.floor(),
            stored => number(stored.as_str()?)?.floor(),
        };
        // Below the bound, the conversion is exact.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        (number >= 1.0 && number <= MAX_CONTEXT_WINDOW as f64).then_some(number as u64)
    }

    /// What may be shown: every field as stored (the context window as the number that it is taken for), and of keys only
    /// whether there is one. Logins that were in addresses are told only where there are any.
    pub fn masked(&self, has_key: impl Fn(KeySlot) -> bool, has_login: impl Fn(KeySlot) -> bool) -> Value {
        let mut shown = Map::new();
        for name in FIELDS {
            let value = match self.0.get(name) {
                Some(_) if name == CONTEXT_WINDOW => self.context_window().map(Value::from),
                // Other writers may have left a password in it.
                Some(Value::String(url)) if ADDRESSES.iter().any(|(field, _)| *field == name) => {
                    Some(Value::String(without_secrets(url)))
                }
                value => value.cloned(),
            };
            if let Some(value) = value {
                shown.insert(name.to_owned(), value);
            }
        }
        for (name, slot) in
            [("hasApiKey", KeySlot::Chat), ("hasEmbeddingApiKey", KeySlot::Embedding), ("hasSttApiKey", KeySlot::Stt)]
        {
            shown.insert(name.to_owned(), Value::Bool(self.driver().is_some() && has_key(slot)));
        }
        let logins = ["hasBaseUrlLogin", "hasEmbeddingBaseUrlLogin", "hasSttBaseUrlLogin"];
        for (name, (_, slot)) in logins.into_iter().zip(ADDRESSES) {
            if has_login(slot) {
                shown.insert(name.to_owned(), Value::Bool(true));
            }
        }
        Value::Object(shown)
    }
}

/// What JavaScript's `Number` makes of a text, if that is finite.
fn number(text: &str) -> Option<f64> {
    let text = js_trim(text);
    let prefixed = |prefix: &[&str], radix| {
        let digits = prefix.iter().find_map(|prefix| text.strip_prefix(prefix))?;
        // `from_str_radix` would take a sign.
        let digits = Some(digits).filter(|digits| digits.chars().all(|digit| digit.is_digit(radix)))?;
        u32::from_str_radix(digits, radix).ok().map(f64::from)
    };
    let special = prefixed(&["0x", "0X"], 16).or(prefixed(&["0o", "0O"], 8)).or(prefixed(&["0b", "0B"], 2));
    let decimal = || {
        text.parse::<f64>()
            .ok()
            .filter(|_| !text.contains(|letter: char| "infaty".contains(letter.to_ascii_lowercase())))
    };
    special.or_else(decimal).filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_sets_what_it_names() {
        let mut settings = WorkspaceSettings::from_stored(Some(r#"{"driver":"openai","systemPrompt":"P"}"#));
        let patch = SettingsPatch::from_json(
            r#"{"chatModel":"m","systemPrompt":null,"chatContextWindow":128000,"nope":1,"apiKey":"K","sttApiKey":"","embeddingApiKey":null}"#,
        )
        .unwrap();
        settings.apply(&patch);
        assert_eq!(
            settings.to_stored(),
            r#"{"driver":"openai","systemPrompt":null,"chatModel":"m","chatContextWindow":"128000"}"#
        );
        assert_eq!(settings.context_window(), Some(128_000));
        let slots: Vec<_> = patch.keys.iter().map(|(slot, key)| (*slot, key.is_some())).collect();
        assert_eq!(slots, [(KeySlot::Chat, true), (KeySlot::Stt, false)]);
        assert!(!format!("{patch:?}").contains("\"K\""), "keys are not shown");
    }

    #[test]
    fn features_are_switched_one_by_one() {
        let mut settings = WorkspaceSettings::from_stored(Some(r#"{"driver":"openai"}"#));
        for (patch, stored) in [
            (r#"{"features":{"chat":false}}"#, r#"{"driver":"openai","features":{"chat":false}}"#),
            (r#"{"features":{"dictation":true}}"#, r#"{"driver":"openai","features":{"chat":false,"dictation":true}}"#),
            (r#"{"features":{"chat":null}}"#, r#"{"driver":"openai","features":{"chat":null,"dictation":true}}"#),
        ] {
            let patch = SettingsPatch::from_json(patch).unwrap();
            assert!(!patch.sets_any());
            settings.change_features(&patch.features);
            assert_eq!(settings.to_stored(), stored);
        }
        assert!(SettingsPatch::from_json(r#"{"features":null}"#).unwrap().features.is_empty());
    }

    #[test]
    fn wrong_values_are_named() {
        for (patch, field) in [
            (r#"{"driver":""}"#, "driver"),
            (r#"{"driver":"mystery"}"#, "driver"),
            (r#"{"chatApiStyle":"x"}"#, "chatApiStyle"),
            (r#"{"chatContextWindow":-1}"#, "chatContextWindow"),
            (r#"{"chatContextWindow":1.5}"#, "chatContextWindow"),
            (r#"{"chatContextWindow":"5"}"#, "chatContextWindow"),
            (r#"{"baseUrl":7}"#, "baseUrl"),
            (r#"{"apiKey":7}"#, "apiKey"),
            (r#"{"features":true}"#, "features"),
            (r#"{"features":{"chat":"off"}}"#, "features.chat"),
            (r#"{"features":{"chats":false}}"#, "features.chats"),
            ("[]", "settings"),
        ] {
            let error = SettingsPatch::from_json(patch).unwrap_err();
            assert_eq!(error.details()["field"], field, "{patch}");
        }
    }

    #[test]
    fn windows_that_are_none_do_not_count() {
        for (text, expected) in [
            ("0", None),
            ("0.5", None),
            ("1e3", Some(1000)),
            ("12.9", Some(12)),
            ("x", None),
            ("-5", None),
            ("0x10", Some(16)),
            (" 12 ", Some(12)),
            ("inf", None),
            ("", None),
        ] {
            let stored = format!(r#"{{"chatContextWindow":"{text}"}}"#);
            assert_eq!(WorkspaceSettings::from_stored(Some(&stored)).context_window(), expected, "{text}");
        }
        assert_eq!(WorkspaceSettings::from_stored(Some("[1]")), WorkspaceSettings::default());
    }
}
