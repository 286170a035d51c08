//! OpenAI's own chat completions: developer role and completion tokens for reasoning models, and the settings that only
//! OpenAI knows.

mod decode;
mod encode;

use std::borrow::Cow;

use super::fit::{self, Ids, Rules};
use super::wire::base_or;
use super::{ChatRequest, Decoder, Driver, ProviderFailure, WireRequest};

/// Where OpenAI's API is, as <https://platform.openai.com/docs/api-reference> says.
pub const BASE_URL: &str = "https://api.openai.com/v1";

/// Ids may have 40 characters; of the rest of a conversation OpenAI takes anything that says something and belongs together.
const RULES: Rules = Rules {
    ids: Ids::Ascii(40),
    visible_text: true,
    signed: false,
    plain: true,
    user_first: false,
    alternates: false,
    outcomes_say_something: false,
};

/// The driver for one model.
#[derive(Clone, Debug)]
pub struct OpenAi {
    base_url: String,
    model: String,
}

impl OpenAi {
    /// A driver that posts to `{base_url}/chat/completions`; without a base URL to [`BASE_URL`].
    pub fn new(base_url: Option<&str>, model: &str) -> Self {
        Self { base_url: base_or(base_url, BASE_URL), model: model.to_owned() }
    }
}

impl Driver for OpenAi {
    fn fitted<'r>(&self, request: &'r ChatRequest) -> Cow<'r, ChatRequest> {
        fit::conversation(request, &RULES)
    }

    fn takes(&self) -> &'static [&'static str] {
        &["image/*", "audio/wav", "audio/x-wav", "audio/mp3", "audio/mpeg", "application/pdf"]
    }

    fn encode(&self, request: &ChatRequest) -> Result<WireRequest, ProviderFailure> {
        let (body, warnings) = encode::body(&self.model, request)?;
        Ok(WireRequest {
            url: format!("{}/chat/completions", self.base_url),
            body: body.into_bytes(),
            warnings,
            ..WireRequest::default()
        })
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(decode::decoder())
    }
}
