//! Single requests to a workspace's models, and how the engine is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::engine::{self, Engine};
use crate::error::{Error, Result};
use crate::js::OwnedText;
use crate::provider::ProviderChoice;

use super::Operation;

/// Vectors for texts, in their order, by the workspace's embedding model.
///
/// # Errors
/// `INVALID_INPUT`, `EMBEDDING_NOT_CONFIGURED`, `PROVIDER_ERROR`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Embed {
    workspace_id: String,
    /// The texts.
    texts: Vec<String>,
    /// Who makes them instead of whom the workspace's settings name: `model` is the embedding model. It is stored nowhere.
    #[serde(default)]
    provider: Option<ProviderChoice>,
}

impl Operation for Embed {
    const NAME: &'static str = "embed";
    const BEGINS: bool = true;
    type Answer = Vec<Vec<f64>>;

    async fn answer(self, engine: &Engine) -> Result<Vec<Vec<f64>>> {
        engine.embed(&self.workspace_id, &self.texts, self.provider.as_ref()).await
    }
}

/// What is said in a recording of at most 25 MiB; empty text when nothing is said.
///
/// # Errors
/// `FORBIDDEN`, `PAYLOAD_TOO_LARGE`, `UNSUPPORTED_MEDIA`, `STT_NOT_CONFIGURED`, `PROVIDER_ERROR`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Transcribe {
    workspace_id: String,
    /// The recording, in base64.
    audio: String,
    /// Its media type, such as `audio/webm`.
    mime: String,
    /// Who transcribes instead of whom the workspace's settings name: an `openai` or `openai-compatible` service, `model`
    /// being its speech-to-text model. It is stored nowhere.
    #[serde(default)]
    provider: Option<ProviderChoice>,
}

impl Operation for Transcribe {
    const NAME: &'static str = "transcribe";
    const BEGINS: bool = true;
    type Answer = String;

    async fn answer(self, engine: &Engine) -> Result<String> {
        let audio = STANDARD.decode(&self.audio).map_err(|_| Error::invalid("audio", "must be base64"))?;
        engine.transcribe(&self.workspace_id, audio.into(), &self.mime, self.provider.as_ref()).await
    }
}

/// A title for a page with this content. Nothing is stored.
///
/// # Errors
/// `FORBIDDEN`, `AI_NOT_CONFIGURED`, `PROVIDER_ERROR`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct GenerateTitle {
    workspace_id: String,
    /// The page's text.
    content: OwnedText,
    /// Who answers instead of whom the workspace's settings name. It is stored nowhere.
    #[serde(default)]
    provider: Option<ProviderChoice>,
}

impl Operation for GenerateTitle {
    const NAME: &'static str = "generateTitle";
    const BEGINS: bool = true;
    type Answer = String;

    async fn answer(self, engine: &Engine) -> Result<String> {
        engine.generate_title(&self.workspace_id, &self.content.0, self.provider.as_ref()).await
    }
}

/// How the engine is; asks the store. A store that does not answer is not an error: `ok` is false then.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Health {}

impl Operation for Health {
    const NAME: &'static str = "health";
    type Answer = engine::Health;

    async fn answer(self, engine: &Engine) -> Result<engine::Health> {
        Ok(engine.health().await)
    }
}
