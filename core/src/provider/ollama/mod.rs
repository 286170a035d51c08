//! Ollama's own API: lines of JSON, thinking, tools.

mod decode;
mod encode;

use std::borrow::Cow;

use super::fit::{self, Ids, Rules};
use super::wire::base_or;
use super::{ChatRequest, Decoder, Driver, ProviderFailure, WireRequest};

pub use decode::OllamaDecoder;

/// Where Ollama listens, as <https://docs.ollama.com/api> says.
pub const BASE_URL: &str = "http://127.0.0.1:11434";

/// The templates of many models know no other order than question, calls, outcomes, answer.
const RULES: Rules = Rules {
    ids: Ids::Any,
    visible_text: true,
    signed: false,
    plain: true,
    user_first: true,
    alternates: true,
    outcomes_say_something: true,
};

/// The driver for one model.
#[derive(Clone, Debug)]
pub struct Ollama {
    base_url: String,
    model: String,
}

impl Ollama {
    /// A driver that posts to `{base_url}/api/chat`; without a base URL to [`BASE_URL`]. A base URL that ends in `/api` is
    /// taken as the same one without it.
    pub fn new(base_url: Option<&str>, model: &str) -> Self {
        let base_url = base_or(base_url, BASE_URL);
        let base_url = base_url.strip_suffix("/api").unwrap_or(&base_url).to_owned();
        Self { base_url, model: model.to_owned() }
    }
}

impl Driver for Ollama {
    fn fitted<'r>(&self, request: &'r ChatRequest) -> Cow<'r, ChatRequest> {
        fit::conversation(request, &RULES)
    }

    fn takes(&self) -> &'static [&'static str] {
        &["image/*"]
    }

    fn encode(&self, request: &ChatRequest) -> Result<WireRequest, ProviderFailure> {
        let (body, warnings) = encode::body(&self.model, request)?;
        Ok(WireRequest {
            url: format!("{}/api/chat", self.base_url),
            body: body.into_bytes(),
            warnings,
            ..WireRequest::default()
        })
    }

    fn accept(&self) -> &'static str {
        "application/x-ndjson, application/json"
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(OllamaDecoder::default())
    }
}
