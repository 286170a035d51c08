//! Third-party services that speak OpenAI's chat completions: reasoning fields, usage in the stream, and the habits of
//! gateways.

mod decode;
mod encode;

use super::{ChatRequest, Decoder, Driver, ProviderFailure, WireRequest};

pub use decode::ChatCompletionsDecoder;

/// The driver for one model behind one base URL.
#[derive(Clone, Debug)]
pub struct OpenAiCompatible {
    base_url: String,
    model: String,
}

impl OpenAiCompatible {
    /// A driver that posts to `{base_url}/chat/completions`; one trailing slash of the base is dropped.
    pub fn new(base_url: String, model: String) -> Self {
        let base_url = base_url.strip_suffix('/').map(str::to_owned).unwrap_or(base_url);
        Self { base_url, model }
    }
}

impl Driver for OpenAiCompatible {
    fn encode(&self, request: &ChatRequest) -> Result<WireRequest, ProviderFailure> {
        Ok(WireRequest {
            url: format!("{}/chat/completions", self.base_url),
            body: encode::body(&self.model, request),
            ..WireRequest::default()
        })
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(ChatCompletionsDecoder::default())
    }
}
