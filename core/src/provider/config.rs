//! Which provider a turn talks to.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::error::{Error, ErrorCode, Result};

use super::anthropic::Anthropic;
use super::gemini::Gemini;
use super::http::{HttpClient, HttpProvider};
use super::ollama::Ollama;
use super::openai::OpenAi;
use super::openai_compatible::OpenAiCompatible;
use super::{Access, CallOptions, Driver, NO_URL, without_secrets};

/// Settings of one provider, given by the host at open or with a turn.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProviderConfig {
    /// The driver: `openai`, `openai-compatible`, `gemini`, `ollama` or `anthropic`.
    pub driver: String,
    /// The model's id.
    #[serde(default)]
    pub model: String,
    /// Where the API is, such as `https://api.example.com/v1`; the provider's own place when it is empty. User and
    /// password in it are sent as basic authentication, in the place of a key that would go in the same header.
    #[serde(default)]
    pub base_url: String,
    /// The key. It is sent to `baseUrl` and appears nowhere else.
    #[serde(default)]
    pub api_key: Option<SecretString>,
    /// How many tokens the model's context holds.
    #[serde(default)]
    pub context_window: Option<u64>,
    /// How the model is to answer.
    #[serde(default)]
    pub options: CallOptions,
    /// Who chose the address, and what was kept of it as a secret.
    #[serde(skip)]
    pub(crate) access: Access,
}

impl fmt::Debug for ProviderConfig {
    /// Without what is secret in the address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { driver, model, base_url, api_key, context_window, options, access } = self;
        f.debug_struct("ProviderConfig")
            .field("driver", driver)
            .field("model", model)
            .field("base_url", &without_secrets(base_url))
            .field("api_key", api_key)
            .field("context_window", context_window)
            .field("options", options)
            .field("access", access)
            .finish()
    }
}

/// Who makes embeddings.
#[derive(Clone, Debug)]
pub struct EmbeddingConfig {
    /// `openai`, `openai-compatible`, `gemini` or `ollama`.
    pub driver: String,
    /// The model.
    pub model: String,
    /// Where the API is, unless it is the driver's own place.
    pub base_url: Option<String>,
    /// The key.
    pub api_key: Option<SecretString>,
    pub(crate) access: Access,
}

/// Who writes down what was said.
#[derive(Clone, Debug)]
pub struct SttConfig {
    /// The model.
    pub model: String,
    /// Where the API is.
    pub base_url: String,
    /// The key.
    pub api_key: Option<SecretString>,
    /// Whether audio goes as base64 in JSON; as a form otherwise.
    pub as_json: bool,
    /// The language that is spoken.
    pub language: Option<String>,
    pub(crate) access: Access,
}

/// Where OpenAI makes embeddings, and transcribes.
pub(crate) const OPENAI_URL: &str = "https://api.openai.com/v1";

/// The providers that a host configured, by name.
pub type Providers = BTreeMap<String, ProviderConfig>;

/// A turn's provider: the name of a configured one, or settings of its own.
#[derive(Clone, Debug)]
pub enum ProviderChoice {
    /// A key of [`Providers`].
    Named(String),
    /// Settings for this turn only.
    Given(Box<ProviderConfig>),
}

impl<'de> Deserialize<'de> for ProviderChoice {
    /// By hand, because an untagged enum would lose the path of a wrong field.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Choice;
        impl<'de> Visitor<'de> for Choice {
            type Value = ProviderChoice;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a provider's name or settings")
            }

            fn visit_str<E>(self, name: &str) -> Result<ProviderChoice, E> {
                Ok(ProviderChoice::Named(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ProviderChoice, A::Error> {
                let config = ProviderConfig::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ProviderChoice::Given(Box::new(config)))
            }
        }
        deserializer.deserialize_any(Choice)
    }
}

/// The settings that a choice stands for. Without a choice it is the provider named `default`, or the only one.
///
/// # Errors
/// `AI_NOT_CONFIGURED` when there is none, `INVALID_INPUT` for a name that is not configured.
pub(crate) fn resolve<'a>(choice: Option<&'a ProviderChoice>, providers: &'a Providers) -> Result<&'a ProviderConfig> {
    match choice {
        Some(ProviderChoice::Given(config)) => Ok(config),
        Some(ProviderChoice::Named(name)) => {
            providers.get(name).ok_or_else(|| Error::invalid("provider", "no provider of this name is configured"))
        }
        None => match providers.get("default") {
            Some(config) => Ok(config),
            None if providers.len() == 1 => providers.values().next().ok_or_else(not_configured),
            None => Err(not_configured()),
        },
    }
}

fn not_configured() -> Error {
    Error::new(ErrorCode::AiNotConfigured, "no chat provider is configured")
}

impl ProviderConfig {
    /// The provider, ready to be called. Nothing is sent yet.
    ///
    /// # Errors
    /// `AI_NOT_CONFIGURED` naming the driver and what is missing.
    pub(crate) fn build(&self, client: HttpClient) -> Result<HttpProvider> {
        let problem = |what: &str| {
            Error::new(ErrorCode::AiNotConfigured, format!("driver {}: {what}", self.driver))
                .with_detail("driver", self.driver.clone())
        };
        let (address, access) = self.access.split(self.base_url.trim());
        let (model, base_url) = (self.model.trim(), Some(&*address).filter(|url| !url.is_empty()));
        let driver: Box<dyn Driver> = match self.driver.as_str() {
            "openai" => Box::new(OpenAi::new(base_url, model)),
            "openai-compatible" => Box::new(OpenAiCompatible::new(base_url.unwrap_or_default(), model)),
            "gemini" => Box::new(Gemini::new(base_url, model)),
            "ollama" => Box::new(Ollama::new(base_url, model)),
            "anthropic" => Box::new(Anthropic::new(base_url, model)),
            _ => return Err(problem("there is no such driver")),
        };
        if model.is_empty() {
            return Err(problem("no model is set"));
        }
        let keyless = ["openai-compatible", "ollama"].contains(&self.driver.as_str());
        if !keyless && self.api_key.as_ref().is_none_or(|key| key.expose_secret().is_empty()) {
            return Err(problem("no API key is set"));
        }
        if base_url.is_some() || self.driver == "openai-compatible" {
            let url = reqwest::Url::parse(&address).map_err(|_| problem(NO_URL))?;
            if !matches!(url.scheme(), "http" | "https") {
                return Err(problem("the base URL must begin with http or https"));
            }
        }
        if let Some(what) = access.problem.filter(|_| !access.by_workspace) {
            return Err(problem(what));
        }
        Ok(HttpProvider::new(client, driver, self.api_key.clone(), self.context_window)
            .with_options(self.options.clone())
            .with_access(access))
    }
}
