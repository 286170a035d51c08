//! What turns steps into rows and prompts into text.

use serde::Deserialize;
use serde_json::json;

use crate::project::{Language, prepare_agent_step};

use super::{Answer, Function, answer, arguments};

pub(super) fn find(name: &str) -> Option<Function> {
    Some(match name {
        "normalizeLang" => normalize_lang,
        "prepareAgentStep" => prepare_step,
        _ => return None,
    })
}

fn normalize_lang(text: &str) -> Answer {
    #[derive(Deserialize)]
    struct Arguments {
        #[serde(default)]
        tag: Option<String>,
    }
    let Arguments { tag } = arguments(text)?;
    answer(Language::from_tag(tag.as_deref()).as_str())
}

/// `MAX_AGENT_STEPS` of the servers that this replaces.
const DEFAULT_MAX_STEPS: u32 = 20;

fn prepare_step(text: &str) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Arguments {
        step_number: u32,
        system: String,
        #[serde(default)]
        max_steps: Option<u32>,
    }
    let Arguments { step_number, system, max_steps } = arguments(text)?;
    match prepare_agent_step(step_number, &system, max_steps.unwrap_or(DEFAULT_MAX_STEPS)) {
        Some(prepared) => answer(&json!({"toolChoice": "none", "system": prepared.system})),
        None => Ok(None),
    }
}
