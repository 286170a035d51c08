//! What tools with effects carry out.

use serde::Deserialize;

use crate::js::OwnedText as Text;
use crate::model::{Json, present};
use crate::tool::{EffectStyle, Placeholders, ToolEffect, effect_statement};

use super::{Answer, answer, arguments};

pub(super) fn statement(text: &str) -> Answer {
    #[derive(Deserialize)]
    struct Arguments {
        effect: ToolEffect,
        #[serde(default, deserialize_with = "present")]
        result: Option<Json>,
        #[serde(default)]
        placeholders: Option<Placeholders>,
        #[serde(default)]
        schema: Option<Text>,
    }
    let Arguments { effect, result, placeholders, schema } = arguments(text)?;
    let style = EffectStyle { placeholders, schema: schema.map(|schema| schema.0) };
    answer(&effect_statement(&effect, result.as_ref(), &style)?)
}

#[cfg(test)]
mod tests {
    use crate::functions::call;

    #[test]
    fn statements_of_effects() {
        let effect = r#""effect":{"key":"0197f3d0-0000-7000-8000-000000000000/0/c","database":"sqlite"}"#;
        let statement = call("effectStatement", &format!(r#"{{{effect},"result":null}}"#)).unwrap().unwrap();
        let statement: serde_json::Value = serde_json::from_str(&statement).unwrap();
        assert!(statement["sql"].as_str().unwrap().starts_with("INSERT INTO turnkeep_effects"));
        assert_eq!(statement["params"][2], "null");
        for (arguments, field) in [
            ("{}".to_owned(), "effect"),
            (format!(r#"{{{effect},"placeholders":"colon"}}"#), "placeholders"),
            (r#"{"effect":{"key":"x","database":"sqlite"}}"#.to_owned(), "effect.key"),
            (r#"{"effect":{"key":"x","database":"mysql"}}"#.to_owned(), "effect.database"),
        ] {
            let error = call("effectStatement", &arguments).unwrap_err();
            assert_eq!(error.details()["field"], field, "{arguments}");
        }
    }
}
