//! The model that a role asks for.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::Json;
use crate::text::js_trim;

/// The drivers that a role may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RoleDriver {
    /// OpenAI, or whatever speaks its protocol.
    OpenAi,
    /// Gemini.
    Gemini,
    /// Ollama.
    Ollama,
}

impl RoleDriver {
    /// All of them.
    pub const ALL: [RoleDriver; 3] = [RoleDriver::OpenAi, RoleDriver::Gemini, RoleDriver::Ollama];

    /// The name that settings use.
    pub const fn as_str(self) -> &'static str {
        match self {
            RoleDriver::OpenAi => "openai",
            RoleDriver::Gemini => "gemini",
            RoleDriver::Ollama => "ollama",
        }
    }

    /// The driver of exactly this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|driver| driver.as_str() == name)
    }
}

/// What a role changes about the workspace's model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleModelOverride {
    /// Another driver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<RoleDriver>,
    /// Another model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_model: Option<String>,
    /// The role, for messages to people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_name: Option<String>,
}

/// `roleModelOverride`: what the stored `model_config` of a role says. Whatever in it is not a known driver or the name of
/// a model changes nothing, because rows may be older than the rules for them.
pub fn role_model_override(name: Option<&str>, model_config: &Json) -> Option<RoleModelOverride> {
    let config: BTreeMap<String, Json> = model_config.read().ok()?;
    let text = |member: &str| config.get(member).and_then(Json::as_string);
    let driver = text("driver").and_then(|driver| RoleDriver::from_name(&driver));
    let chat_model = text("chatModel");
    let chat_model = chat_model.map(|model| js_trim(&model).to_owned()).filter(|model| !model.is_empty());
    if driver.is_none() && chat_model.is_none() {
        return None;
    }
    Some(RoleModelOverride { driver, chat_model, role_name: name.map(str::to_owned) })
}

/// A role's `model_config` as it is read from a row: an object, or nothing. Writers before us have put it there as the
/// text of an object, too.
pub fn stored_model_config(stored: &str) -> Option<Json> {
    let config = Json::parse(stored).ok()?;
    let config = match config.as_string() {
        Some(text) => Json::parse(&text).ok()?,
        None => config,
    };
    Some(config).filter(Json::is_object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(config: &str) -> Option<String> {
        let found = role_model_override(Some("R"), &Json::parse(config).unwrap());
        found.map(|found| serde_json::to_string(&found).unwrap())
    }

    #[test]
    fn known_drivers_and_models_that_have_a_name() {
        assert_eq!(of(r#"{"driver":"openai"}"#).unwrap(), r#"{"driver":"openai","roleName":"R"}"#);
        let both = of(r#"{"driver":"gemini","chatModel":" g "}"#).unwrap();
        assert_eq!(both, r#"{"driver":"gemini","chatModel":"g","roleName":"R"}"#);
        assert_eq!(of(r#"{"driver":["openai"],"chatModel":"m"}"#).unwrap(), r#"{"chatModel":"m","roleName":"R"}"#);
    }

    #[test]
    fn everything_else_changes_nothing() {
        for config in ["null", "[]", "\"x\"", "5", "true", "{}", r#"{"driver":"OpenAI"}"#, r#"{"chatModel":"  "}"#] {
            assert_eq!(of(config), None, "{config}");
        }
        assert_eq!(of(r#"{"driver":{"openai":null},"chatModel":5}"#), None);
    }

    #[test]
    fn rows_hold_objects_or_their_text_and_anything_else_is_nothing() {
        let of = |stored: &str| stored_model_config(stored).map(|config| config.get().to_owned());
        assert_eq!(of(r#"{"chatModel": "m"}"#).unwrap(), r#"{"chatModel":"m"}"#);
        assert_eq!(of(r#""{\"driver\":\"gemini\"}""#).unwrap(), r#"{"driver":"gemini"}"#);
        for nothing in ["null", "[]", "5", "garbage", "", r#""[]""#, r#""null""#, r#""not json""#, r#""\"{}\"""#] {
            assert_eq!(of(nothing), None, "{nothing}");
        }
    }
}
