//! What a role may consist of, and the form in which it is kept.

use std::collections::BTreeMap;

use serde_json::Map;

use crate::error::{Error, Result};
use crate::model::{Json, RoleChange, RoleFields};
use crate::text::{counted_len, js_trim, storable};

use super::model::RoleDriver;

/// The longest name, in characters as [`counted_len`] counts them; so are all lengths here.
const MAX_NAME: usize = 200;
/// The longest sign: enough for one that is made of many.
const MAX_EMOJI: usize = 32;
/// The longest description.
const MAX_DESCRIPTION: usize = 2_000;
/// The longest persona.
const MAX_INSTRUCTIONS: usize = 20_000;
/// The longest name of a model.
const MAX_MODEL: usize = 200;
/// The longest launch message.
const MAX_LAUNCH_MESSAGE: usize = 2_000;

/// A role as a host gives it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewRole {
    /// The name.
    pub name: String,
    /// The sign; blank is none, as of everything that may be left out.
    pub emoji: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The persona.
    pub instructions: String,
    /// The model: `{driver?, chatModel?}`.
    pub model_config: Option<Json>,
    /// Whether chats may be begun with it; they may unless this says otherwise.
    pub enabled: Option<bool>,
    /// Whether clients send the launch message by themselves; they do unless this says otherwise.
    pub auto_start: Option<bool>,
    /// What they send.
    pub launch_message: Option<String>,
}

/// A change of a role as a host gives it: what is `None` stays; blank text and `Some(None)` clear what may be left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoleEdit {
    /// The name.
    pub name: Option<String>,
    /// The sign.
    pub emoji: Option<Option<String>>,
    /// What it is for.
    pub description: Option<Option<String>>,
    /// The persona.
    pub instructions: Option<String>,
    /// The model.
    pub model_config: Option<Option<Json>>,
    /// Whether chats may be begun with it.
    pub enabled: Option<bool>,
    /// Whether clients send the launch message by themselves.
    pub auto_start: Option<bool>,
    /// What they send.
    pub launch_message: Option<Option<String>>,
}

impl NewRole {
    /// The role as it is stored.
    ///
    /// # Errors
    /// `INVALID_INPUT` naming the field, such as `modelConfig.chatModel`.
    pub fn check(self) -> Result<RoleFields> {
        Ok(RoleFields {
            name: needed("name", self.name, MAX_NAME)?,
            emoji: optional("emoji", self.emoji, MAX_EMOJI)?,
            description: optional("description", self.description, MAX_DESCRIPTION)?,
            instructions: needed("instructions", self.instructions, MAX_INSTRUCTIONS)?,
            model_config: self.model_config.as_ref().map_or(Ok(None), normalize_model_config)?,
            enabled: self.enabled.unwrap_or(true),
            auto_start: self.auto_start.unwrap_or(true),
            launch_message: launch_message(self.launch_message)?,
        })
    }
}

impl RoleEdit {
    /// The change as it is stored.
    ///
    /// # Errors
    /// As [`NewRole::check`].
    pub fn check(self) -> Result<RoleChange> {
        Ok(RoleChange {
            name: self.name.map(|name| needed("name", name, MAX_NAME)).transpose()?,
            emoji: self.emoji.map(|emoji| optional("emoji", emoji, MAX_EMOJI)).transpose()?,
            description: self.description.map(|text| optional("description", text, MAX_DESCRIPTION)).transpose()?,
            instructions: self.instructions.map(|text| needed("instructions", text, MAX_INSTRUCTIONS)).transpose()?,
            model_config: self
                .model_config
                .map(|config| config.as_ref().map_or(Ok(None), normalize_model_config))
                .transpose()?,
            enabled: self.enabled,
            auto_start: self.auto_start,
            launch_message: self.launch_message.map(launch_message).transpose()?,
        })
    }
}

/// Text without white space around it; nothing when there is nothing else.
pub fn trimmed(text: &str) -> Option<&str> {
    Some(js_trim(text)).filter(|text| !text.is_empty())
}

/// A role's model as it is stored: `driver` and `chatModel`, as far as they are given; nothing when neither is.
///
/// # Errors
/// `INVALID_INPUT` with the path from `modelConfig` on.
pub fn normalize_model_config(given: &Json) -> Result<Option<Json>> {
    const DRIVER: &str = "modelConfig.driver";
    const MODEL: &str = "modelConfig.chatModel";
    if given.get() == "null" {
        return Ok(None);
    }
    let wrong = |_| Error::invalid("modelConfig", "must be an object or null");
    let mut members: BTreeMap<String, Json> = given.read().map_err(wrong)?;
    let mut text = |name: &str, field: &str| match members.remove(name) {
        Some(value) if value.get() != "null" => {
            value.as_string().ok_or_else(|| Error::invalid(field, "must be text")).map(Some)
        }
        _ => Ok(None),
    };
    let mut kept = Map::new();
    if let Some(driver) = text("driver", DRIVER)? {
        if RoleDriver::from_name(&driver).is_none() {
            let names = RoleDriver::ALL.map(RoleDriver::as_str).join(", ");
            return Err(Error::invalid(DRIVER, format!("must be one of {names}")));
        }
        kept.insert("driver".to_owned(), driver.into());
    }
    if let Some(model) = text("chatModel", MODEL)? {
        kept.insert("chatModel".to_owned(), needed(MODEL, js_trim(&model).to_owned(), MAX_MODEL)?.into());
    }
    if kept.is_empty() {
        return Ok(None);
    }
    Json::from_value(&kept).map(Some).map_err(|_| Error::internal("a role's model could not be encoded"))
}

fn at_most(field: &str, text: &str, limit: usize) -> Result<()> {
    if counted_len(text) > limit {
        return Err(Error::invalid(field, format!("must have at most {limit} characters")));
    }
    Ok(())
}

fn needed(field: &str, text: String, limit: usize) -> Result<String> {
    at_most(field, &text, limit)?;
    let text = trimmed(&text).ok_or_else(|| Error::invalid(field, "must not be blank"))?;
    Ok(storable(text.to_owned()))
}

fn optional(field: &str, text: Option<String>, limit: usize) -> Result<Option<String>> {
    let Some(text) = text else { return Ok(None) };
    at_most(field, &text, limit)?;
    Ok(trimmed(&text).map(|text| storable(text.to_owned())))
}

/// White space around it does not count.
fn launch_message(text: Option<String>) -> Result<Option<String>> {
    optional("launchMessage", text.map(|text| js_trim(&text).to_owned()), MAX_LAUNCH_MESSAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role() -> NewRole {
        NewRole { name: "R".into(), instructions: "I".into(), ..NewRole::default() }
    }

    fn refused(given: NewRole) -> String {
        given.check().unwrap_err().details()["field"].as_str().unwrap().to_owned()
    }

    #[test]
    fn text_is_trimmed_as_javascript_does_and_what_is_blank_is_none() {
        let given = NewRole {
            name: "\u{feff} R ".into(),
            emoji: Some(" \u{2028}".into()),
            description: Some("\u{85}".into()),
            launch_message: Some(" go\n".into()),
            enabled: Some(false),
            ..role()
        };
        let fields = given.check().unwrap();
        assert_eq!((fields.name.as_str(), fields.emoji), ("R", None));
        assert_eq!(fields.description.as_deref(), Some("\u{85}"));
        assert_eq!(fields.launch_message.as_deref(), Some("go"));
        assert_eq!((fields.enabled, fields.auto_start), (false, true));
        assert_eq!(NewRole { name: "a\0b".into(), ..role() }.check().unwrap().name, "a\u{fffd}b");
    }

    #[test]
    fn lengths_have_limits() {
        let long = |length| Some("x".repeat(length));
        assert!(NewRole { name: "😀".repeat(200), emoji: long(32), ..role() }.check().is_ok());
        let padded = Some(format!("{}{}", " ".repeat(9), "x".repeat(2000)));
        assert!(NewRole { launch_message: padded.clone(), ..role() }.check().is_ok());
        let model = |length| Json::parse(&format!("{{\"chatModel\":\" {} \"}}", "m".repeat(length))).ok();
        assert!(NewRole { model_config: model(200), ..role() }.check().is_ok());
        for (given, field) in [
            (NewRole { name: "x".repeat(201), ..role() }, "name"),
            (NewRole { name: format!(" {}", "x".repeat(200)), ..role() }, "name"),
            (NewRole { name: " ".into(), ..role() }, "name"),
            (NewRole { emoji: long(33), ..role() }, "emoji"),
            (NewRole { description: padded, ..role() }, "description"),
            (NewRole { instructions: "x".repeat(20_001), ..role() }, "instructions"),
            (NewRole { launch_message: long(2001), ..role() }, "launchMessage"),
            (NewRole { model_config: model(201), ..role() }, "modelConfig.chatModel"),
        ] {
            assert_eq!(refused(given), field);
        }
    }

    #[test]
    fn of_a_model_only_what_is_known_is_kept() {
        let of = |config: &str| normalize_model_config(&Json::parse(config).unwrap());
        let kept = |config: &str| of(config).unwrap().map(|config| config.get().to_owned());
        assert_eq!(
            kept(r#"{"chatModel":" m ","extra":1,"driver":"gemini"}"#).unwrap(),
            r#"{"driver":"gemini","chatModel":"m"}"#
        );
        for nothing in ["{}", "null", r#"{"driver":null,"chatModel":null,"extra":1}"#] {
            assert_eq!(kept(nothing), None, "{nothing}");
        }
        for (wrong, field) in [
            ("[]", "modelConfig"),
            ("\"x\"", "modelConfig"),
            (r#"{"driver":"OpenAI"}"#, "modelConfig.driver"),
            (r#"{"driver":5}"#, "modelConfig.driver"),
            (r#"{"chatModel":" "}"#, "modelConfig.chatModel"),
            (r#"{"chatModel":5}"#, "modelConfig.chatModel"),
        ] {
            assert_eq!(of(wrong).unwrap_err().details()["field"], field, "{wrong}");
        }
    }

    #[test]
    fn a_change_leaves_what_it_does_not_name() {
        assert_eq!(RoleEdit::default().check().unwrap(), RoleChange::default());
        let edit = RoleEdit {
            emoji: Some(None),
            description: Some(Some(" ".into())),
            model_config: Some(Json::parse("{}").ok()),
            auto_start: Some(false),
            ..RoleEdit::default()
        };
        let change = edit.check().unwrap();
        let expected = r#"{"emoji":null,"description":null,"model_config":null,"auto_start":false}"#;
        assert_eq!(serde_json::to_string(&change).unwrap(), expected);
        let blank = RoleEdit { instructions: Some(String::new()), ..RoleEdit::default() };
        assert_eq!(blank.check().unwrap_err().details()["field"], "instructions");
    }
}
