//! Third-party services that speak OpenAI's chat completions: reasoning fields, usage in the stream, and the habits of
//! gateways.

mod decode;
mod encode;

use super::{ChatRequest, Decoder, Driver, ProviderFailure, WireRequest};

pub use super::chat_completions::{ChatCompletionsDecoder, Habits};

/// The driver for one model behind one base URL.
#[derive(Clone, Debug)]
pub struct OpenAiCompatible {
    base_url: String,
    model: String,
    name: Option<String>,
}

impl OpenAiCompatible {
    /// A driver that posts to `{base_url}/chat/completions`; one trailing slash of the base is dropped.
    pub fn new(base_url: &str, model: &str) -> Self {
        let base_url = base_url.strip_suffix('/').unwrap_or(base_url).to_owned();
        let name = service_of(&base_url).map(str::to_owned);
        Self { base_url, model: model.to_owned(), name }
    }

    /// The same for a service of this name: what calls and parts say for it stands under its name. The services that are
    /// known by their address have their names already.
    #[must_use]
    pub fn with_name(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }
}

/// Services whose address tells their name: the AI SDK has drivers of their own for them, under these names.
const SERVICES: &[(&str, &str)] = &[
    ("aliyuncs.com", "alibaba"),
    ("deepseek.com", "deepseek"),
    ("groq.com", "groq"),
    ("mistral.ai", "mistral"),
    ("moonshot.ai", "moonshotai"),
    ("moonshot.cn", "moonshotai"),
    ("perplexity.ai", "perplexity"),
    ("x.ai", "xai"),
];

fn service_of(base_url: &str) -> Option<&'static str> {
    let host = base_url.split_once("://")?.1.split(['/', ':']).next()?;
    let is_of = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    SERVICES.iter().find(|(domain, _)| is_of(domain)).map(|(_, name)| *name)
}

impl Driver for OpenAiCompatible {
    fn takes(&self) -> &'static [&'static str] {
        &["image/*", "audio/wav", "audio/x-wav", "audio/mp3", "audio/mpeg", "application/pdf", "text/*"]
    }

    fn encode(&self, request: &ChatRequest) -> Result<WireRequest, ProviderFailure> {
        let (body, warnings) = encode::body(&self.model, self.name.as_deref(), request)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_known_by_their_address() {
        assert_eq!(service_of("https://api.x.ai/v1"), Some("xai"));
        assert_eq!(service_of("https://dashscope-intl.aliyuncs.com:443/compatible-mode/v1"), Some("alibaba"));
        assert_eq!(service_of("https://api.notx.ai/v1"), None);
        assert_eq!(service_of("https://gateway.example.com/x.ai"), None);
    }
}
