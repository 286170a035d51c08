//! What workspaces have configured. Keys go in and never come out.

use serde::Deserialize;
use serde_json::Value;

use crate::engine::{Capability, Engine, Tested};
use crate::error::Result;
use crate::model::Json;
use crate::secret::Rotation;
use crate::settings::SettingsPatch;

use super::Operation;

/// What is shown of a workspace's settings.
type Shown = Value;
/// A change of them.
type Change = Json;

/// A workspace's settings; of keys only whether they are set.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Get {
    workspace_id: String,
}

impl Operation for Get {
    const NAME: &'static str = "settings.get";
    type Answer = Shown;

    async fn answer(self, engine: &Engine) -> Result<Shown> {
        engine.settings(&self.workspace_id).await
    }
}

/// Changes a workspace's settings and keys, all or nothing, and answers them as `settings.get` does. To set keys, the engine
/// needs its `appSecret`.
///
/// # Errors
/// `INVALID_INPUT`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Update {
    workspace_id: String,
    /// The change.
    settings: Change,
}

impl Operation for Update {
    const NAME: &'static str = "settings.update";
    const BEGINS: bool = true;
    type Answer = Shown;

    async fn answer(self, engine: &Engine) -> Result<Shown> {
        let patch = SettingsPatch::from_json(self.settings.get())?;
        engine.update_settings(&self.workspace_id, &patch).await
    }
}

/// Tries what a workspace has configured, with the cheapest request that there is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Test {
    workspace_id: String,
    /// What is tried.
    #[serde(default)]
    capability: Capability,
}

impl Operation for Test {
    const NAME: &'static str = "settings.test";
    const BEGINS: bool = true;
    type Answer = Tested;

    async fn answer(self, engine: &Engine) -> Result<Tested> {
        engine.test_settings(&self.workspace_id, self.capability).await
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
