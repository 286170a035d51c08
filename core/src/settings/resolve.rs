//! From what is stored to who is called: drivers, models, URLs and keys, all before anything is sent.

use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, ErrorCode, Result};
use crate::provider::{Access, CallOptions, OPENAI_URL, ProviderConfig};
pub use crate::provider::{EmbeddingConfig, SttConfig};
use crate::role::{RoleDriver, RoleModelOverride};
use crate::store::KeySlot;
use crate::text::js_trim;

use super::workspace::WorkspaceSettings;

/// Opens a stored key of a driver; nothing when there is none.
pub type KeyOf<'a> = &'a dyn Fn(&str, KeySlot) -> Result<Option<SecretString>>;

/// What a role changes, with whatever it calls its driver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelOverride<'a> {
    /// Another driver.
    pub driver: Option<&'a str>,
    /// Another model; blank is none.
    pub model: Option<&'a str>,
    /// The role, for messages to people.
    pub role_name: Option<&'a str>,
}

impl<'a> From<&'a RoleModelOverride> for ModelOverride<'a> {
    fn from(asked: &'a RoleModelOverride) -> Self {
        Self {
            driver: asked.driver.map(RoleDriver::as_str),
            model: asked.chat_model.as_deref(),
            role_name: asked.role_name.as_deref(),
        }
    }
}

impl ModelOverride<'_> {
    fn model(&self) -> Option<&str> {
        self.model.map(js_trim).filter(|model| !model.is_empty())
    }

    /// ` for role "name"`, where the name is known.
    fn for_role(&self) -> String {
        self.role_name.map(|name| format!(" for role \"{name}\"")).unwrap_or_default()
    }
}

/// The drivers that need no key.
fn is_keyless(driver: &str) -> bool {
    driver == "ollama"
}

fn filled(key: Option<SecretString>) -> Option<SecretString> {
    key.filter(|key| !key.expose_secret().is_empty())
}

/// Who answers chats of this workspace.
///
/// # Errors
/// `AI_NOT_CONFIGURED` naming the driver, and the role when one asked for it; `SECRET_UNREADABLE`.
pub fn chat_provider(
    settings: &WorkspaceSettings,
    asked: &ModelOverride<'_>,
    key_of: KeyOf<'_>,
) -> Result<ProviderConfig> {
    let workspace_driver = settings.driver().ok_or_else(|| not_configured(None, "no driver is set", asked))?;
    let model = asked.model().or_else(|| settings.filled("chatModel"));
    let other = asked.driver.filter(|driver| !driver.is_empty() && *driver != workspace_driver);
    let driver = other.unwrap_or(workspace_driver);
    if let Some(driver) = other
        && is_keyless(driver)
    {
        // It would need a URL of its own, and there is only the workspace's.
        let message = format!(
            "a model of {driver}{} needs an endpoint of its own, but the workspace is set to {workspace_driver}; set the \
             role's driver to {workspace_driver}, or the workspace to {driver}",
            asked.for_role()
        );
        return Err(detailed(message, Some(driver), asked));
    }
    let model = model.ok_or_else(|| not_configured(Some(driver), "no chat model is set", asked))?;
    let api_key = if is_keyless(driver) { None } else { filled(key_of(driver, KeySlot::Chat)?) };
    if api_key.is_none() && !is_keyless(driver) {
        let message = format!("driver {driver}{}: no API key is set", asked.for_role());
        return Err(detailed(message, Some(driver), asked));
    }
    // A URL belongs to the driver that it was entered for.
    let base_url = if other.is_some() { None } else { settings.filled("baseUrl") };
    let (driver, base_url) = endpoint(driver, settings.text("chatApiStyle"), base_url)
        .ok_or_else(|| not_configured(Some(driver), "there is no such driver", asked))?;
    Ok(ProviderConfig {
        driver: driver.to_owned(),
        model: model.to_owned(),
        base_url: base_url.unwrap_or_default().to_owned(),
        api_key,
        context_window: settings.context_window(),
        options: CallOptions::default(),
        access: Access::default(),
    })
}

/// Which of the drivers a stored one stands for, and where it is.
fn endpoint<'a>(
    driver: &str,
    api_style: Option<&str>,
    base_url: Option<&'a str>,
) -> Option<(&'static str, Option<&'a str>)> {
    match driver {
        "openai" => match (api_style, base_url) {
            (None | Some("openai-compatible"), Some(url)) => Some(("openai-compatible", Some(url))),
            (_, url) => Some(("openai", url)),
        },
        "openai-compatible" => Some(("openai-compatible", base_url)),
        // Stored URLs are those of compatible services; what is Google's is only there.
        "gemini" => Some(("gemini", None)),
        "ollama" => Some(("ollama", base_url)),
        "anthropic" => Some(("anthropic", base_url)),
        _ => None,
    }
}

fn not_configured(driver: Option<&str>, problem: &str, asked: &ModelOverride<'_>) -> Error {
    let message = match driver {
        Some(driver) => format!("driver {driver}{}: {problem}", asked.for_role()),
        None => format!("the AI provider is not configured: {problem}"),
    };
    detailed(message, driver, asked)
}

fn detailed(message: String, driver: Option<&str>, asked: &ModelOverride<'_>) -> Error {
    let mut error = Error::new(ErrorCode::AiNotConfigured, message);
    if let Some(driver) = driver {
        error = error.with_detail("driver", driver);
    }
    match asked.role_name {
        Some(role) => error.with_detail("role", role),
        None => error,
    }
}

/// Who makes embeddings for this workspace: the chat's driver, with a URL and a key of its own where they are set.
///
/// # Errors
/// `EMBEDDING_NOT_CONFIGURED` naming the driver, `SECRET_UNREADABLE`.
pub fn embedding_provider(settings: &WorkspaceSettings, key_of: KeyOf<'_>) -> Result<EmbeddingConfig> {
    let problem = |driver: Option<&str>, problem: &str| match driver {
        Some(driver) => Error::new(ErrorCode::EmbeddingNotConfigured, format!("driver {driver}: {problem}"))
            .with_detail("driver", driver),
        None => Error::new(ErrorCode::EmbeddingNotConfigured, format!("embeddings are not configured: {problem}")),
    };
    let driver = settings.driver().ok_or_else(|| problem(None, "no driver is set"))?;
    let model = settings.filled("embeddingModel").ok_or_else(|| problem(Some(driver), "no embedding model is set"))?;
    if !EMBEDDING_DRIVERS.contains(&driver) {
        return Err(problem(Some(driver), "it makes no embeddings"));
    }
    let api_key = if is_keyless(driver) { None } else { own_key(driver, KeySlot::Embedding, key_of)? };
    if api_key.is_none() && !is_keyless(driver) {
        return Err(problem(Some(driver), "no API key is set"));
    }
    let base_url = settings.filled("embeddingBaseUrl").or_else(|| settings.filled("baseUrl"));
    let base_url = if driver == "gemini" { None } else { base_url.map(str::to_owned) };
    let (driver, model) = (driver.to_owned(), model.to_owned());
    Ok(EmbeddingConfig { driver, model, base_url, api_key, access: Access::default() })
}

/// Who transcribes for this workspace.
///
/// # Errors
/// `STT_NOT_CONFIGURED` naming what is missing, `SECRET_UNREADABLE`.
pub fn stt_provider(settings: &WorkspaceSettings, key_of: KeyOf<'_>) -> Result<SttConfig> {
    let problem = |what: &str| Error::new(ErrorCode::SttNotConfigured, format!("dictation is not configured: {what}"));
    let model = settings.filled("sttModel").ok_or_else(|| problem("no speech-to-text model is set"))?;
    let driver = settings.driver().unwrap_or_default();
    let own_url = settings.filled("sttBaseUrl").or_else(|| settings.filled("baseUrl"));
    let base_url = match (own_url, driver) {
        (Some(url), _) => url,
        // Anybody else's key is not for OpenAI to see.
        (None, "openai") => OPENAI_URL,
        (None, _) => {
            let error = problem("the driver has no speech-to-text service of its own; set the base URL of one");
            return Err(error.with_detail("driver", driver));
        }
    };
    let api_key = if driver.is_empty() || is_keyless(driver) { None } else { own_key(driver, KeySlot::Stt, key_of)? };
    let language = settings.text("sttLanguage").map(js_trim).filter(|language| !language.is_empty());
    Ok(SttConfig {
        model: model.to_owned(),
        base_url: base_url.to_owned(),
        api_key,
        as_json: settings.text("sttApiStyle") == Some("json"),
        language: language.map(str::to_owned),
        access: Access::default(),
    })
}

/// The drivers that make embeddings.
const EMBEDDING_DRIVERS: [&str; 4] = ["openai", "openai-compatible", "gemini", "ollama"];

/// Who makes embeddings by settings that came with the question: the model is that of the embeddings.
///
/// # Errors
/// `EMBEDDING_NOT_CONFIGURED` naming the driver and what is missing.
pub(crate) fn given_embedding_provider(given: &ProviderConfig) -> Result<EmbeddingConfig> {
    let driver = given.driver.as_str();
    let check = || {
        let base_url = given_place(given, EMBEDDING_DRIVERS.contains(&driver), "it makes no embeddings")?;
        if given.api_key.is_none() && ["openai", "gemini"].contains(&driver) {
            return Err("no API key is set");
        }
        Ok(base_url)
    };
    let base_url = check().map_err(|problem| not_given(ErrorCode::EmbeddingNotConfigured, driver, problem))?;
    Ok(EmbeddingConfig {
        driver: driver.to_owned(),
        model: js_trim(&given.model).to_owned(),
        base_url: base_url.map(str::to_owned),
        api_key: filled(given.api_key.clone()),
        access: given.access.clone(),
    })
}

/// Who transcribes by settings that came with the question: the model is that of the transcripts.
///
/// # Errors
/// `STT_NOT_CONFIGURED` naming the driver and what is missing.
pub(crate) fn given_stt_provider(given: &ProviderConfig) -> Result<SttConfig> {
    let driver = given.driver.as_str();
    let transcribes = ["openai", "openai-compatible"].contains(&driver);
    let base_url = given_place(given, transcribes, "it transcribes nothing")
        .map_err(|problem| not_given(ErrorCode::SttNotConfigured, driver, problem))?;
    Ok(SttConfig {
        model: js_trim(&given.model).to_owned(),
        base_url: base_url.unwrap_or(OPENAI_URL).to_owned(),
        api_key: filled(given.api_key.clone()),
        as_json: false,
        language: None,
        access: given.access.clone(),
    })
}

/// Where a service is that a question has named; nothing for the driver's own place.
fn given_place<'a>(
    given: &'a ProviderConfig,
    is_able: bool,
    problem: &'static str,
) -> Result<Option<&'a str>, &'static str> {
    if !is_able {
        return Err(problem);
    }
    if js_trim(&given.model).is_empty() {
        return Err("no model is set");
    }
    match js_trim(&given.base_url) {
        // Anybody else's key is not for OpenAI to see.
        "" if given.driver == "openai-compatible" => Err("no base URL is set"),
        "" => Ok(None),
        url => Ok(Some(url)),
    }
}

fn not_given(code: ErrorCode, driver: &str, problem: &str) -> Error {
    Error::new(code, format!("driver {driver}: {problem}")).with_detail("driver", driver)
}

/// The key in this slot, else the chat's.
fn own_key(driver: &str, slot: KeySlot, key_of: KeyOf<'_>) -> Result<Option<SecretString>> {
    match filled(key_of(driver, slot)?) {
        Some(key) => Ok(Some(key)),
        None => Ok(filled(key_of(driver, KeySlot::Chat)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> WorkspaceSettings {
        WorkspaceSettings::from_stored(Some(text))
    }

    fn keys<'a>(
        stored: &'a [(&'a str, KeySlot, &'a str)],
    ) -> impl Fn(&str, KeySlot) -> Result<Option<SecretString>> + 'a {
        move |driver, slot| {
            let found = stored.iter().find(|(of, at, _)| *of == driver && *at == slot);
            Ok(found.map(|(_, _, key)| SecretString::from((*key).to_owned())))
        }
    }

    fn shown(config: &ProviderConfig) -> (&str, &str, &str, Option<&str>) {
        let key = config.api_key.as_ref().map(ExposeSecret::expose_secret);
        (&config.driver, &config.model, &config.base_url, key)
    }

    const ASKED: ModelOverride<'_> =
        ModelOverride { driver: Some("gemini"), model: Some(" g "), role_name: Some("Editor") };

    #[test]
    fn another_driver_carries_neither_url_nor_key_of_the_workspace() {
        let settings = settings(r#"{"driver":"openai","chatModel":"m","baseUrl":"https://gw/v1"}"#);
        let stored = [("openai", KeySlot::Chat, "K"), ("gemini", KeySlot::Chat, "G")];
        let config = chat_provider(&settings, &ASKED, &keys(&stored)).unwrap();
        assert_eq!(shown(&config), ("gemini", "g", "", Some("G")));
        let error = chat_provider(&settings, &ASKED, &keys(&stored[..1])).unwrap_err();
        assert_eq!(error.code(), ErrorCode::AiNotConfigured);
        assert_eq!((&error.details()["driver"], &error.details()["role"]), (&"gemini".into(), &"Editor".into()));
        assert!(error.to_string().contains("gemini") && error.to_string().contains("Editor"));
        let own = chat_provider(&settings, &ModelOverride::default(), &keys(&stored)).unwrap();
        assert_eq!(shown(&own), ("openai-compatible", "m", "https://gw/v1", Some("K")));
    }

    #[test]
    fn a_key_that_cannot_be_read_is_an_error_of_its_own() {
        let settings = settings(r#"{"driver":"openai","chatModel":"m"}"#);
        let unreadable: KeyOf<'_> = &|_, _| Err(Error::new(ErrorCode::SecretUnreadable, "x"));
        let error = chat_provider(&settings, &ModelOverride::default(), unreadable).unwrap_err();
        assert_eq!(error.code(), ErrorCode::SecretUnreadable);
    }

    #[test]
    fn dictation_does_not_show_another_drivers_key_to_openai() {
        let stored = [("gemini", KeySlot::Chat, "G"), ("openai", KeySlot::Chat, "K")];
        let gemini = settings(r#"{"driver":"gemini","sttModel":"w"}"#);
        assert_eq!(stt_provider(&gemini, &keys(&stored)).unwrap_err().code(), ErrorCode::SttNotConfigured);
        let openai = settings(r#"{"driver":"openai","sttModel":"w","sttLanguage":" ru "}"#);
        let config = stt_provider(&openai, &keys(&stored)).unwrap();
        assert_eq!((config.base_url.as_str(), config.language.as_deref()), (OPENAI_URL, Some("ru")));
        assert_eq!(config.api_key.unwrap().expose_secret(), "K");
    }

    #[test]
    fn embeddings_have_a_key_and_a_url_of_their_own() {
        let text = r#"{"driver":"openai","embeddingModel":"e","baseUrl":"B","embeddingBaseUrl":""}"#;
        let stored = [("openai", KeySlot::Chat, "K"), ("openai", KeySlot::Embedding, "E")];
        let config = embedding_provider(&settings(text), &keys(&stored)).unwrap();
        assert_eq!((config.base_url.as_deref(), config.api_key.unwrap().expose_secret()), (Some("B"), "E"));
        let error = embedding_provider(&settings(r#"{"driver":"anthropic","embeddingModel":"e"}"#), &keys(&[]));
        assert_eq!(error.unwrap_err().code(), ErrorCode::EmbeddingNotConfigured);
    }
}
