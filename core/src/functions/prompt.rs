//! What models are told.

use serde::Deserialize;
use serde_json::json;

use crate::error::Error;
use crate::js::{Raw, Text, list, optional_object};
use crate::project::{
    Language, McpGuidance, OpenPage, PromptLayers, build_system_prompt, chat_title_prompt, page_title_prompt,
    prepare_agent_step,
};

use super::{Answer, answer, arguments};

pub(super) fn normalize_lang(text: &str) -> Answer {
    #[derive(Deserialize)]
    struct Arguments<'a> {
        #[serde(default, borrow)]
        tag: Option<Text<'a>>,
    }
    let Arguments { tag } = arguments(text)?;
    answer(Language::from_tag(tag.as_ref().map(|tag| tag.0.as_ref())).as_str())
}

/// `MAX_AGENT_STEPS` of the servers that this replaces.
const DEFAULT_MAX_STEPS: u32 = 20;

pub(super) fn prepare_step(text: &str) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Arguments<'a> {
        step_number: f64,
        #[serde(borrow)]
        system: Text<'a>,
        #[serde(default)]
        max_steps: Option<u32>,
    }
    let Arguments { step_number, system, max_steps } = arguments(text)?;
    if max_steps == Some(0) {
        return Err(Error::invalid("maxSteps", "must be at least 1"));
    }
    // Steps are counted in whole numbers, but nothing is lost by comparing what came in. `as` saturates.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let step = step_number.floor() as u32;
    match prepare_agent_step(step, &system.0, max_steps.unwrap_or(DEFAULT_MAX_STEPS)) {
        Some(prepared) => answer(&json!({"toolChoice": "none", "system": prepared.system})),
        None => Ok(None),
    }
}

/// Text, or a value of another type that the servers that this replaces take for none.
fn text_or_none(raw: Option<Raw<'_>>) -> Option<String> {
    serde_json::from_str::<Text<'_>>(raw?.get()).ok().map(|text| text.0.into_owned())
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(default, borrow)]
    id: Option<Raw<'a>>,
    #[serde(default, borrow)]
    title: Option<Raw<'a>>,
}

impl From<Page<'_>> for OpenPage {
    fn from(page: Page<'_>) -> Self {
        Self { id: text_or_none(page.id), title: text_or_none(page.title), untrusted: false }
    }
}

pub(super) fn current_page(text: &str) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Arguments<'a> {
        #[serde(default, borrow, deserialize_with = "optional_object")]
        opened_page: Option<Page<'a>>,
    }
    let Arguments { opened_page } = arguments(text)?;
    answer(&crate::project::current_page(opened_page.map(OpenPage::from).as_ref()))
}

pub(super) fn system_prompt(text: &str) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Arguments<'a> {
        #[serde(default, borrow)]
        workspace_name: Option<Text<'a>>,
        #[serde(default, borrow)]
        admin_prompt: Option<Raw<'a>>,
        #[serde(default, borrow)]
        role_instructions: Option<Raw<'a>>,
        #[serde(default, borrow, deserialize_with = "optional_object")]
        opened_page: Option<Page<'a>>,
        #[serde(default, borrow, deserialize_with = "list")]
        mcp_instructions: Vec<Guidance<'a>>,
        #[serde(default, borrow)]
        product_name: Option<Text<'a>>,
        #[serde(default, borrow)]
        extra_rules: Option<Vec<Text<'a>>>,
        #[serde(default, borrow)]
        extra_system: Option<Raw<'a>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Guidance<'a> {
        #[serde(borrow)]
        server_name: Text<'a>,
        #[serde(borrow)]
        tool_prefix: Text<'a>,
        #[serde(default, borrow)]
        instructions: Option<Raw<'a>>,
    }
    let given: Arguments<'_> = arguments(text)?;
    let owned = |text: Text<'_>| text.0.into_owned();
    let layers = PromptLayers {
        workspace_name: given.workspace_name.map(owned),
        admin_prompt: text_or_none(given.admin_prompt),
        role_instructions: text_or_none(given.role_instructions),
        opened_page: given.opened_page.map(OpenPage::from),
        mcp_instructions: given
            .mcp_instructions
            .into_iter()
            .map(|server| McpGuidance {
                server_name: owned(server.server_name),
                tool_prefix: owned(server.tool_prefix),
                instructions: text_or_none(server.instructions),
            })
            .collect(),
        product_name: given.product_name.map(owned),
        extra_rules: given.extra_rules.unwrap_or_default().into_iter().map(owned).collect(),
        extra_system: text_or_none(given.extra_system),
    };
    answer(&build_system_prompt(&layers))
}

pub(super) fn chat_title(text: &str) -> Answer {
    #[derive(Deserialize)]
    struct Arguments<'a> {
        #[serde(borrow)]
        text: Text<'a>,
    }
    let Arguments { text } = arguments(text)?;
    answer(&chat_title_prompt(&text.0))
}

pub(super) fn page_title(text: &str) -> Answer {
    #[derive(Deserialize)]
    struct Arguments<'a> {
        #[serde(borrow)]
        content: Text<'a>,
    }
    let Arguments { content } = arguments(text)?;
    answer(&page_title_prompt(&content.0))
}
