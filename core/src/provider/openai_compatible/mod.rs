//! Third-party services that speak OpenAI's chat completions: reasoning fields, usage in the stream, and the habits of
//! gateways.

mod decode;
mod encode;
mod services;

use std::borrow::Cow;

use services::Behind;

use super::fit;
use super::{ChatRequest, Decoder, Driver, ProviderFailure, WireRequest};

pub use super::chat_completions::{ChatCompletionsDecoder, Habits};

/// The driver for one model behind one base URL.
#[derive(Clone, Debug)]
pub struct OpenAiCompatible {
    base_url: String,
    model: String,
    name: Option<String>,
    behind: Behind,
}

impl OpenAiCompatible {
    /// A driver that posts to `{base_url}/chat/completions`; one trailing slash of the base is dropped.
    pub fn new(base_url: &str, model: &str) -> Self {
        let base_url = base_url.strip_suffix('/').unwrap_or(base_url).to_owned();
        let service = services::of_url(&base_url);
        let (name, behind) = (service.map(|service| service.name.to_owned()), Behind::of(service, model));
        Self { base_url, model: model.to_owned(), name, behind }
    }

    /// The same for a service of this name: what calls and parts say for it stands under its name. The services that are
    /// known by their address have their names already.
    #[must_use]
    pub fn with_name(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }
}

impl Driver for OpenAiCompatible {
    fn fitted<'r>(&self, request: &'r ChatRequest) -> Cow<'r, ChatRequest> {
        fit::conversation(request, &self.behind.rules())
    }

    fn takes(&self) -> &'static [&'static str] {
        &["image/*", "audio/wav", "audio/x-wav", "audio/mp3", "audio/mpeg", "application/pdf", "text/*"]
    }

    fn encode(&self, request: &ChatRequest) -> Result<WireRequest, ProviderFailure> {
        let (body, warnings) = encode::body(&self.model, self.name.as_deref(), self.behind, request)?;
        Ok(WireRequest {
            url: format!("{}/chat/completions", self.base_url),
            body: body.into_bytes(),
            warnings,
            ..WireRequest::default()
        })
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(decode::decoder(&self.model, None))
    }

    fn decoder_for(&self, request: &ChatRequest) -> Box<dyn Decoder> {
        Box::new(decode::decoder(&self.model, Some(request)))
    }
}
