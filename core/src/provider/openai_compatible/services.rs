//! What is known of single services: how they are told apart, and what each takes of a conversation.

use crate::provider::chat_completions::Reasoning;
use crate::provider::fit::{Ids, Rules};

/// A service that is known by its address.
#[derive(Debug)]
pub(super) struct Service {
    /// What calls and parts say for it stands under this name. Where the AI SDK has a driver for it, the name is the same.
    pub(super) name: &'static str,
    domains: &'static [&'static str],
    takes: Takes,
}

/// What a service takes besides the common form, or does not take of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Takes {
    /// Members of a message that are not OpenAI's: `reasoning_content` and what gateways want to see again.
    more_members: bool,
    /// A list of texts as a user's message.
    lists: bool,
    /// `stream_options`.
    pub(super) stream_options: bool,
    /// What it calls the seed.
    pub(super) seed: &'static str,
}

/// What everybody else is taken for.
const COMMON: Takes = Takes { more_members: true, lists: true, stream_options: true, seed: "seed" };
/// Services that refuse members that they do not know.
const STRICT: Takes = Takes { more_members: false, ..COMMON };

const fn service(name: &'static str, domains: &'static [&'static str], takes: Takes) -> Service {
    Service { name, domains, takes }
}

/// `docs/providers.md` has the same table in words.
const SERVICES: &[Service] = &[
    service("alibaba", &["aliyuncs.com"], COMMON),
    service("azure", &["openai.azure.com", "services.ai.azure.com", "cognitiveservices.azure.com"], STRICT),
    service("bedrock", &["amazonaws.com"], STRICT),
    service("cerebras", &["cerebras.ai"], Takes { lists: false, ..STRICT }),
    service("deepseek", &["deepseek.com"], Takes { lists: false, ..COMMON }),
    service("fireworks", &["fireworks.ai"], COMMON),
    service("github-copilot", &["githubcopilot.com"], COMMON),
    service("groq", &["groq.com"], STRICT),
    service("mistral", &["mistral.ai"], Takes { stream_options: false, seed: "random_seed", ..STRICT }),
    service("moonshotai", &["moonshot.ai", "moonshot.cn"], COMMON),
    service("nvidia", &["nvidia.com"], STRICT),
    service("openrouter", &["openrouter.ai"], COMMON),
    service("perplexity", &["perplexity.ai"], Takes { lists: false, ..STRICT }),
    service("sambanova", &["sambanova.ai"], Takes { lists: false, ..STRICT }),
    service("togetherai", &["together.xyz", "together.ai"], STRICT),
    service("xai", &["x.ai"], COMMON),
];

/// The service behind a base URL, if it is a known one.
pub(super) fn of_url(base_url: &str) -> Option<&'static Service> {
    let host = base_url.split_once("://")?.1.split(['/', ':']).next()?;
    let is_of = |domain: &&str| host.strip_suffix(*domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    SERVICES.iter().find(|service| service.domains.iter().any(is_of))
}

/// A service together with the model behind it, whose maker's rules hold wherever it is served.
#[derive(Clone, Copy, Debug)]
pub(super) struct Behind {
    takes: Takes,
    is_mistral: bool,
    is_kimi: bool,
    deepseek: Option<bool>,
}

impl Behind {
    pub(super) fn of(service: Option<&Service>, model: &str) -> Self {
        let model = model.to_ascii_lowercase();
        let has = |names: &[&str]| names.iter().any(|name| model.contains(name));
        let is = |name: &str| service.is_some_and(|service| service.name == name);
        Self {
            takes: service.map_or(COMMON, |service| service.takes),
            is_mistral: is("mistral")
                || has(&[
                    "mistral",
                    "mixtral",
                    "magistral",
                    "ministral",
                    "codestral",
                    "devstral",
                    "pixtral",
                    "voxtral",
                ]),
            is_kimi: is("moonshotai") || has(&["kimi"]),
            deepseek: has(&["deepseek"]).then(|| has(&["deepseek-v4"])),
        }
    }

    pub(super) fn takes(self) -> Takes {
        self.takes
    }

    /// What becomes of a conversation before it is encoded.
    pub(super) fn rules(self) -> Rules {
        let ids = match self {
            Self { is_mistral: true, .. } => Ids::Exactly(9),
            // Its ids have dots and colons in them, and the model counts on that.
            Self { is_kimi: true, .. } => Ids::Ascii(64),
            _ => Ids::Gateway(40),
        };
        Rules {
            ids,
            visible_text: true,
            signed: false,
            plain: true,
            user_first: true,
            alternates: true,
            outcomes_say_something: true,
        }
    }

    /// What becomes of the model's reasoning. DeepSeek's models are told of it only within a turn; from version 4 on the
    /// field must be there. <https://api-docs.deepseek.com/guides/thinking_mode>
    pub(super) fn reasoning(self) -> Reasoning {
        match self.deepseek {
            _ if !self.takes.more_members => Reasoning::Dropped,
            Some(empty_before) => Reasoning::OfThisTurn { empty_before },
            None => Reasoning::Sent,
        }
    }

    /// Whether what a gateway wants to see again goes back to it.
    pub(super) fn takes_kept_members(self) -> bool {
        self.takes.more_members
    }

    /// Whether a user's message may be a list of texts.
    pub(super) fn takes_lists(self) -> bool {
        self.takes.lists
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_known_by_their_address() {
        let name = |url: &str| of_url(url).map(|service| service.name);
        assert_eq!(name("https://api.x.ai/v1"), Some("xai"));
        assert_eq!(name("https://dashscope-intl.aliyuncs.com:443/compatible-mode/v1"), Some("alibaba"));
        assert_eq!(name("https://my-house.openai.azure.com/openai/v1"), Some("azure"));
        assert_eq!(name("https://api.notx.ai/v1"), None);
        assert_eq!(name("https://gateway.example.com/x.ai"), None);
    }

    #[test]
    fn a_makers_rules_hold_wherever_its_model_is_served() {
        let ids = |url: &str, model: &str| Behind::of(of_url(url), model).rules().ids;
        assert_eq!(ids("http://127.0.0.1:8000/v1", "mistralai/Mistral-Small-3.2"), Ids::Exactly(9));
        assert_eq!(ids("https://api.mistral.ai/v1", "any"), Ids::Exactly(9));
        assert_eq!(ids("https://openrouter.ai/api/v1", "moonshotai/kimi-k2"), Ids::Ascii(64));
        assert_eq!(ids("https://openrouter.ai/api/v1", "openai/gpt-5"), Ids::Gateway(40));
    }
}
