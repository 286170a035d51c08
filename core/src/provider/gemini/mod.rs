//! Google's Gemini API: contents and parts, schemas in OpenAPI's form, thought signatures, safety blocks.

mod decode;
mod encode;
mod partial_args;
mod schema;

use std::borrow::Cow;

use super::fit::{self, Ids, Rules};
use super::wire::base_or;
use super::{ChatRequest, Decoder, Driver, KeyHeader, ProviderFailure, WireRequest};

pub use decode::GeminiDecoder;

/// Where the API is, as <https://ai.google.dev/api> says.
pub const BASE_URL: &str = "https://generativelanguage.googleapis.com/v1beta";

/// What the API takes of a conversation.
const RULES: Rules = Rules {
    ids: Ids::Any,
    visible_text: true,
    signed: true,
    plain: false,
    user_first: true,
    alternates: false,
    outcomes_say_something: false,
};

/// The driver for one model.
#[derive(Clone, Debug)]
pub struct Gemini {
    base_url: String,
    model: String,
}

impl Gemini {
    /// A driver that posts to `{base_url}/models/{model}`, or to `{base_url}/{model}` for a model that is given as a path;
    /// without a base URL to [`BASE_URL`].
    pub fn new(base_url: Option<&str>, model: &str) -> Self {
        Self { base_url: base_or(base_url, BASE_URL), model: model.to_owned() }
    }
}

impl Driver for Gemini {
    fn fitted<'r>(&self, request: &'r ChatRequest) -> Cow<'r, ChatRequest> {
        fit::conversation(request, &RULES)
    }

    fn takes(&self) -> &'static [&'static str] {
        &["image/*", "audio/*", "video/*", "application/pdf", "text/*"]
    }

    fn encode(&self, request: &ChatRequest) -> Result<WireRequest, ProviderFailure> {
        let (body, warnings) = encode::body(&self.model, request)?;
        let folder = if self.model.contains('/') { "" } else { "models/" };
        Ok(WireRequest {
            url: format!("{}/{folder}{}:streamGenerateContent?alt=sse", self.base_url, self.model),
            body: body.into_bytes(),
            warnings,
            ..WireRequest::default()
        })
    }

    fn key_header(&self) -> KeyHeader {
        KeyHeader::Named("x-goog-api-key")
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(GeminiDecoder::default())
    }

    fn decoder_for(&self, request: &ChatRequest) -> Box<dyn Decoder> {
        let renamed = request.tools.iter().filter_map(|tool| match encode::name_for_google(&tool.name) {
            Cow::Owned(sent) => Some((sent, tool.name.clone())),
            Cow::Borrowed(_) => None,
        });
        Box::new(GeminiDecoder::new(renamed.collect()))
    }
}
