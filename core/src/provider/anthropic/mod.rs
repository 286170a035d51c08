//! Anthropic's messages: thinking with signatures, redacted thinking, cache control, tools that run at Anthropic.

mod capabilities;
mod decode;
mod encode;
mod messages;
mod results;
mod schema;

use std::borrow::Cow;

use super::fit::{self, Ids, Rules};
use super::wire::{ProviderOptions, base_or, camel_case, renamed, snake_case};
use super::{ChatRequest, Decoder, Driver, KeyHeader, ProviderFailure, WireRequest};

pub use decode::{AnthropicDecoder, Expectations};

/// Where the API is, as <https://docs.anthropic.com/en/api/overview> says.
pub const BASE_URL: &str = "https://api.anthropic.com/v1";
/// The version of the API that this driver speaks, as <https://docs.anthropic.com/en/api/versioning> lists it.
pub const VERSION: &str = "2023-06-01";

/// The name under which calls and parts carry what is Anthropic's own.
const NAME: &str = "anthropic";

/// What the API takes of a conversation; neighbours of one side become one message anyway.
const RULES: Rules = Rules {
    ids: Ids::Words(64),
    visible_text: true,
    signed: false,
    plain: false,
    user_first: true,
    alternates: false,
    outcomes_say_something: true,
};

/// The driver for one model.
#[derive(Clone, Debug)]
pub struct Anthropic {
    base_url: String,
    model: String,
}

impl Anthropic {
    /// A driver that posts to `{base_url}/messages`; without a base URL to [`BASE_URL`].
    pub fn new(base_url: Option<&str>, model: &str) -> Self {
        Self { base_url: base_or(base_url, BASE_URL), model: model.to_owned() }
    }
}

impl Driver for Anthropic {
    fn fitted<'r>(&self, request: &'r ChatRequest) -> Cow<'r, ChatRequest> {
        fit::conversation(request, &RULES)
    }

    fn takes(&self) -> &'static [&'static str] {
        &["image/*", "application/pdf", "text/plain"]
    }

    fn encode(&self, request: &ChatRequest) -> Result<WireRequest, ProviderFailure> {
        let encoded = encode::body(&self.model, request)?;
        let mut headers = vec![("anthropic-version", VERSION.to_owned())];
        if !encoded.betas.is_empty() {
            headers.push(("anthropic-beta", encoded.betas.join(",")));
        }
        Ok(WireRequest {
            url: format!("{}/messages", self.base_url),
            headers,
            body: encoded.body.into_bytes(),
            warnings: encoded.warnings,
        })
    }

    fn key_header(&self) -> KeyHeader {
        KeyHeader::Named("x-api-key")
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(AnthropicDecoder::default())
    }

    fn decoder_for(&self, request: &ChatRequest) -> Box<dyn Decoder> {
        Box::new(AnthropicDecoder::new(Expectations {
            json_tool: encode::answers_with_a_tool(&self.model, request),
            documents: messages::cited_documents(request),
        }))
    }
}

fn own_options(request: &ChatRequest) -> ProviderOptions {
    ProviderOptions::of(&request.options, &[NAME])
}
