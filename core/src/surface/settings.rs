//! What workspaces have configured. Keys go in and never come out.

use serde::Deserialize;
use serde_json::Value;

use crate::engine::{Actor, Capability, Engine, Tested};
use crate::error::Result;
use crate::model::Json;
use crate::provider::ProviderChoice;
use crate::secret::Rotation;
use crate::settings::SettingsPatch;

use super::Operation;

/// What is shown of a workspace's settings.
type Shown = Value;
/// A change of them.
type Change = Json;

/// A workspace's settings, for its administrators; of keys only whether they are set.
///
/// # Errors
/// `FORBIDDEN`, `INVALID_INPUT`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Get {
    workspace_id: String,
    /// Who acts: an administrator. It may be left out unless the option `settings.actor` is `required`.
    #[serde(default)]
    actor: Option<Actor>,
}

impl Operation for Get {
    const NAME: &'static str = "settings.get";
    type Answer = Shown;

    async fn answer(self, engine: &Engine) -> Result<Shown> {
        engine.settings(&self.workspace_id, self.actor.as_ref()).await
    }
}

/// Changes a workspace's settings and keys, all or nothing, and answers them as `settings.get` does. To set keys, the engine
/// needs its `appSecret`.
///
/// # Errors
/// `FORBIDDEN`, `INVALID_INPUT`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Update {
    workspace_id: String,
    /// The change.
    settings: Change,
    /// Who acts: an administrator. It may be left out unless the option `settings.actor` is `required`.
    #[serde(default)]
    actor: Option<Actor>,
}

impl Operation for Update {
    const NAME: &'static str = "settings.update";
    const BEGINS: bool = true;
    type Answer = Shown;

    async fn answer(self, engine: &Engine) -> Result<Shown> {
        let patch = SettingsPatch::from_json(self.settings.get())?;
        engine.update_settings(&self.workspace_id, self.actor.as_ref(), &patch).await
    }
}

/// Tries what a workspace has configured, or a provider that it could have, with the cheapest request that there is.
///
/// # Errors
/// `FORBIDDEN`, `INVALID_INPUT`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Test {
    workspace_id: String,
    /// What is tried.
    #[serde(default)]
    capability: Capability,
    /// Who acts: an administrator. It may be left out unless the option `settings.actor` is `required`.
    #[serde(default)]
    actor: Option<Actor>,
    /// What is tried instead of what the workspace has configured; `model` is that of the capability. It is stored nowhere.
    #[serde(default)]
    provider: Option<ProviderChoice>,
}

impl Operation for Test {
    const NAME: &'static str = "settings.test";
    const BEGINS: bool = true;
    type Answer = Tested;

    async fn answer(self, engine: &Engine) -> Result<Tested> {
        let (actor, provider) = (self.actor.as_ref(), self.provider.as_ref());
        engine.test_settings(&self.workspace_id, actor, self.capability, provider).await
    }
}

/// Seals stored keys anew under the engine's `appSecret`, in the form of its option `secrets.write`. On a database of
/// turnkeep's own that also happens by itself after opening; on an adopted one nothing is rewritten but by this call.
///
/// # Errors
/// `INVALID_INPUT`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Rotate {
    /// Tell how many keys it would touch, and touch none.
    #[serde(default)]
    dry_run: bool,
}

impl Operation for Rotate {
    const NAME: &'static str = "secrets.rotate";
    const BEGINS: bool = true;
    type Answer = Rotation;

    async fn answer(self, engine: &Engine) -> Result<Rotation> {
        engine.rotate_secrets(self.dry_run).await
    }
}
