//! What a workspace has configured, and which model answers because of it.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::engine::{Actor, ActorRule, Engine, FeatureGates, Inner};
use crate::error::{Error, ErrorCode, Result};
use crate::model::{CallKind, Feature, Features, Trigger};
use crate::provider::transcribe::silence;
use crate::provider::{Access, CallOptions, ProviderChoice, ProviderConfig, Providers, resolve_audio_format};
use crate::role::{RoleDriver, RoleModelOverride, role_model_override};
use crate::secret::{RecordIdentity, Rotating, Rotation, SecretBox, SecretForm, rotate};
use crate::settings::resolve::{
    EmbeddingConfig, ModelOverride, SttConfig, chat_provider, embedding_provider, given_embedding_provider,
    given_stt_provider, stt_provider,
};
use crate::settings::{SettingsPatch, WorkspaceSettings, addresses};
use crate::store::{KeySlot, RolePrompt, SecretPlace, StoredKey, StoredSettings, WriteKey, WriteSettings};

use super::requests::CallFor;

/// How often a change of settings is attempted when others change them at the same time.
const WRITE_ATTEMPTS: u32 = 10;
/// The cheapest question that a model can be asked.
const PROBE: &str = "ping";
/// How many tokens its answer may have.
const PROBE_TOKENS: u64 = 16;

/// What can be tried out of a workspace's settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Capability {
    /// A model answers.
    #[default]
    Chat,
    /// Texts get vectors.
    Embeddings,
    /// Recordings are transcribed.
    Stt,
}

/// What came of trying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tested {
    /// Whether it works.
    pub ok: bool,
    /// Why it does not, in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Engine {
    /// The workspace's settings as they may be shown to an administrator: of keys only whether they are set, for the
    /// current driver; and under `features` what is on.
    ///
    /// # Errors
    /// `FORBIDDEN` unless an administrator acts; `INVALID_INPUT`, also for `actor` where nobody acts and
    /// [`ActorRule::Required`] wants somebody to; `STORE_UNAVAILABLE`.
    pub async fn settings(&self, workspace_id: &str, actor: Option<&Actor>) -> Result<Value> {
        self.inner.check_settings_actor(workspace_id, actor)?;
        self.inner.shown_settings(workspace_id).await
    }

    /// Changes settings and keys, all or nothing, and returns them as [`Engine::settings`] does. Keys are those of the
    /// driver that the change sets, else of the one that is set. Features are switched where they are kept: on another
    /// system's database in its own settings.
    ///
    /// # Errors
    /// As [`Engine::settings`]. `INVALID_INPUT` names the field: also for a key where there is no driver, or the engine was
    /// opened without `appSecret`.
    pub async fn update_settings(
        &self,
        workspace_id: &str,
        actor: Option<&Actor>,
        patch: &SettingsPatch,
    ) -> Result<Value> {
        self.inner.check_settings_actor(workspace_id, actor)?;
        for _ in 0..WRITE_ATTEMPTS {
            let stored = self.inner.stored_settings(workspace_id).await?;
            let mut settings = WorkspaceSettings::from_stored(stored.settings.as_deref());
            // A key that nothing was known of belongs where it was sent until now.
            let mut places = addresses::unbound(&stored, &settings);
            let driver = patch.driver().or(settings.driver()).map(str::to_owned);
            let before = settings.clone();
            settings.apply(patch);
            let is_own = stored.host_features.is_none();
            if is_own && !patch.features.is_empty() {
                settings.change_features(&patch.features);
            }
            let logins = addresses::changed_logins(&stored, &before, patch, &settings);
            let mut keys = self.inner.sealed_keys(workspace_id, driver.as_deref(), &patch.keys)?;
            keys.extend(self.inner.sealed_keys(workspace_id, Some(addresses::LOGIN), &logins)?);
            let of_new = addresses::of_keys(&keys, &settings);
            // A new key is where the settings say, whatever was known of the old one.
            places.retain(|known| !of_new.iter().any(|new| (&new.driver, new.slot) == (&known.driver, known.slot)));
            places.extend(of_new);
            if !places.is_empty() {
                self.inner.store.write_key_places(workspace_id, places).await?;
            }
            let write = WriteSettings {
                workspace_id: workspace_id.to_owned(),
                expected: stored.settings,
                settings: (settings != before || patch.sets_any()).then(|| settings.to_stored()),
                keys,
                host_features: if is_own { Vec::new() } else { patch.features.clone() },
            };
            if self.inner.store.write_settings(write).await? {
                return self.inner.shown_settings(workspace_id).await;
            }
        }
        Err(Error::new(ErrorCode::StoreUnavailable, "the settings are being changed by others; try again"))
    }

    /// Tries what the workspace has configured, or `provider`, with the cheapest request that there is. What is switched
    /// off may be tried, too.
    ///
    /// # Errors
    /// As [`Engine::settings`]. What is wrong with the settings or the provider is in the answer.
    pub async fn test_settings(
        &self,
        workspace_id: &str,
        actor: Option<&Actor>,
        capability: Capability,
        provider: Option<&ProviderChoice>,
    ) -> Result<Tested> {
        self.inner.check_settings_actor(workspace_id, actor)?;
        let stored = self.inner.stored_settings(workspace_id).await?;
        let tried = match capability {
            Capability::Chat => self.try_chat(workspace_id, &stored, provider).await,
            Capability::Embeddings => self.embed(workspace_id, &[PROBE.to_owned()], provider).await.map(|_| ()),
            Capability::Stt => match resolve_audio_format("audio/wav") {
                Some(format) => self.inner.transcribe(workspace_id, silence(), &format, provider).await.map(|_| ()),
                None => Ok(()),
            },
        };
        match tried {
            Ok(()) => Ok(Tested { ok: true, error: None }),
            Err(error) if error.code() == ErrorCode::StoreUnavailable => Err(error),
            Err(error) => Ok(Tested { ok: false, error: Some(error.message().to_owned()) }),
        }
    }

    async fn try_chat(
        &self,
        workspace_id: &str,
        stored: &StoredSettings,
        provider: Option<&ProviderChoice>,
    ) -> Result<()> {
        let config = self.inner.chat_config(workspace_id, stored, provider, None)?;
        let options = CallOptions { max_output_tokens: Some(PROBE_TOKENS), ..CallOptions::default() };
        let timeout = Duration::from_millis(self.inner.options.requests.test_timeout_ms);
        let call = CallFor { workspace_id, chat: None, kind: CallKind::Test, model: &config.model };
        self.inner.ask_of(&config, call, ("", PROBE), Some(options), timeout).await.map(|_| ())
    }

    /// Seals stored keys anew that are sealed with a previous application secret or in another form than `secrets.write`
    /// says, or tells in a dry run how many those are. On a database of turnkeep's own the engine does so by itself after
    /// it is opened; on another system's nothing is rewritten but by this call.
    ///
    /// # Errors
    /// `INVALID_INPUT` when the engine was opened without `appSecret`, `STORE_UNAVAILABLE`.
    pub async fn rotate_secrets(&self, dry_run: bool) -> Result<Rotation> {
        let how = Rotating { form: self.inner.secret_form(), dry_run };
        rotate(self.inner.store.as_ref(), Arc::clone(self.inner.secret_box()?), how).await
    }
}

fn masked(stored: &StoredSettings) -> Value {
    let settings = WorkspaceSettings::from_stored(stored.settings.as_deref());
    let driver = settings.driver().unwrap_or_default().to_owned();
    let has = |of: &str, slot| stored.keys.iter().any(|key| key.driver == of && key.slot == slot);
    settings.masked(|slot| has(&driver, slot), |slot| has(addresses::LOGIN, slot))
}

/// A feature that is needed and is off.
fn is_off(feature: Feature, problem: &str) -> Error {
    let message = format!("{} is switched off in this workspace{problem}", feature.as_str());
    Error::new(ErrorCode::Forbidden, message).with_detail("feature", feature.as_str())
}

/// The model and the persona that a turn gets.
pub(crate) struct ChatModel {
    pub(crate) config: ProviderConfig,
    pub(crate) admin_prompt: Option<String>,
}

impl Inner {
    pub(crate) async fn stored_settings(&self, workspace_id: &str) -> Result<StoredSettings> {
        if workspace_id.is_empty() {
            return Err(Error::invalid("workspaceId", "is empty"));
        }
        self.store.settings(workspace_id).await
    }

    async fn shown_settings(&self, workspace_id: &str) -> Result<Value> {
        let stored = self.stored_settings(workspace_id).await?;
        let mut shown = masked(&stored);
        if let (Value::Object(shown), Ok(features)) = (&mut shown, serde_json::to_value(self.features(&stored))) {
            shown.insert("features".to_owned(), features);
        }
        Ok(shown)
    }

    /// Settings are administrators' alone. A host that has looked who asks need not say it, unless it wants to be held to
    /// that.
    pub(crate) fn check_settings_actor(&self, workspace_id: &str, actor: Option<&Actor>) -> Result<()> {
        match actor {
            Some(actor) => actor.check_admin(workspace_id),
            None if self.options.settings.actor == ActorRule::Optional => Ok(()),
            None => Err(Error::invalid("actor", "is missing")),
        }
    }

    /// What is on in the workspace.
    fn features(&self, stored: &StoredSettings) -> Features {
        let unset = self.options.features != FeatureGates::Strict;
        match &stored.host_features {
            Some(flags) => Features::of(flags, unset),
            None => Features::of(&WorkspaceSettings::from_stored(stored.settings.as_deref()).features(), unset),
        }
    }

    fn has_feature(&self, stored: &StoredSettings, feature: Feature) -> bool {
        self.options.features == FeatureGates::Report || self.features(stored).has(feature)
    }

    /// Refuses what the workspace has switched off.
    ///
    /// # Errors
    /// `FORBIDDEN` with `details.feature`, `INVALID_INPUT`, `STORE_UNAVAILABLE`.
    pub(crate) async fn ensure_feature(&self, workspace_id: &str, feature: Feature) -> Result<()> {
        let stored = self.stored_settings(workspace_id).await?;
        if self.has_feature(&stored, feature) { Ok(()) } else { Err(is_off(feature, "")) }
    }

    /// Refuses a run that the workspace has switched off: every run without chat; without autonomous runs those that no
    /// person has begun, and those that go on when the person goes away.
    ///
    /// # Errors
    /// `FORBIDDEN` with `details.feature`.
    pub(crate) fn ensure_may_run(&self, stored: &StoredSettings, trigger: Trigger, detached: bool) -> Result<()> {
        if !self.has_feature(stored, Feature::Chat) {
            return Err(is_off(Feature::Chat, ""));
        }
        // A role begins by itself where somebody has just opened a chat with it.
        let by_person = matches!(trigger, Trigger::User | Trigger::Regenerate | Trigger::Autostart);
        if by_person && !detached || self.has_feature(stored, Feature::AutonomousRuns) {
            return Ok(());
        }
        Err(match by_person {
            true => is_off(Feature::AutonomousRuns, ": a turn must be begun with detached false")
                .with_detail("field", "detached"),
            false => is_off(Feature::AutonomousRuns, ": only a person may begin a run").with_detail("field", "trigger"),
        })
    }

    pub(crate) fn secret_box(&self) -> Result<&Arc<SecretBox>> {
        self.secrets.as_ref().ok_or_else(|| Error::invalid("appSecret", "is needed to keep keys"))
    }

    fn sealed_keys(
        &self,
        workspace_id: &str,
        driver: Option<&str>,
        entered: &[(KeySlot, Option<SecretString>)],
    ) -> Result<Vec<WriteKey>> {
        let mut keys = Vec::with_capacity(entered.len());
        for (slot, key) in entered {
            let driver = driver.ok_or_else(|| Error::invalid("driver", "must be set before a key is"))?;
            let record = RecordIdentity::provider_key(workspace_id, driver, slot.column());
            let blob = match key {
                Some(key) => Some(self.secret_box()?.seal_as(self.secret_form(), key, &record)?),
                None => None,
            };
            keys.push(WriteKey { driver: driver.to_owned(), slot: *slot, blob });
        }
        Ok(keys)
    }

    /// In which form keys are written.
    pub(crate) fn secret_form(&self) -> SecretForm {
        let default = if self.store.is_adopted() { SecretForm::Legacy } else { SecretForm::Current };
        self.options.secrets.write.unwrap_or(default)
    }

    /// Opens stored keys for somebody who is about to send one of them somewhere.
    fn keys_of<'a>(&'a self, workspace_id: &'a str, stored: &'a StoredSettings) -> OpenedKeys<'a> {
        OpenedKeys { inner: self, workspace_id, stored, used: RefCell::new(None) }
    }

    /// Opens a stored key.
    fn open_key(
        &self,
        workspace_id: &str,
        stored: &StoredSettings,
        driver: &str,
        slot: KeySlot,
    ) -> Result<Option<SecretString>> {
        let Some(key) = stored.keys.iter().find(|key| key.driver == driver && key.slot == slot) else {
            return Ok(None);
        };
        let place = SecretPlace::ProviderKey { workspace_id: workspace_id.to_owned(), driver: driver.to_owned(), slot };
        let secrets = self.secrets.as_ref().ok_or_else(|| {
            Error::new(ErrorCode::SecretUnreadable, "a key is stored, but the engine was opened without appSecret")
                .with_detail("driver", driver)
        })?;
        // The old form opens in any record, so it is taken only where somebody writes it.
        let may_be_legacy = self.secret_form() == SecretForm::Legacy
            || (self.store.is_adopted() && addresses::known(stored, key).is_none());
        if SecretBox::is_legacy(&key.blob) && !may_be_legacy {
            return Err(crate::secret::unreadable().with_detail("driver", driver));
        }
        let opened = secrets.open(&key.blob, &place.record());
        opened.map(|(plaintext, _)| Some(plaintext)).map_err(|error| error.with_detail("driver", driver))
    }

    /// What it takes to send something to an address that the workspace has chosen.
    fn access(&self, workspace_id: &str, stored: &StoredSettings, slot: KeySlot, base_url: &str) -> Result<Access> {
        let login = match addresses::login(stored, slot, base_url) {
            Some(key) => self.open_key(workspace_id, stored, &key.driver, key.slot)?,
            None => None,
        };
        Ok(Access { login, by_workspace: true, problem: None })
    }

    /// Who answers, and as whom. What a turn names itself comes first; then what the workspace has stored, with what its
    /// role changes; then what the engine was opened with.
    pub(crate) async fn chat_model(
        &self,
        workspace_id: &str,
        choice: Option<&ProviderChoice>,
        role: Option<&RolePrompt>,
    ) -> Result<ChatModel> {
        let stored = self.stored_settings(workspace_id).await?;
        self.chat_model_of(workspace_id, &stored, choice, role)
    }

    /// As [`Inner::chat_model`], of settings that have been read.
    pub(crate) fn chat_model_of(
        &self,
        workspace_id: &str,
        stored: &StoredSettings,
        choice: Option<&ProviderChoice>,
        role: Option<&RolePrompt>,
    ) -> Result<ChatModel> {
        let config = self.chat_config(workspace_id, stored, choice, role)?;
        let settings = WorkspaceSettings::from_stored(stored.settings.as_deref());
        let admin_prompt = settings.filled("systemPrompt").map(str::to_owned);
        Ok(ChatModel { config, admin_prompt: admin_prompt.or_else(|| self.options.prompt.admin_prompt.clone()) })
    }

    pub(crate) fn chat_config(
        &self,
        workspace_id: &str,
        stored: &StoredSettings,
        choice: Option<&ProviderChoice>,
        role: Option<&RolePrompt>,
    ) -> Result<ProviderConfig> {
        if choice.is_some() {
            return crate::provider::resolve(choice, &self.options.providers).cloned();
        }
        let asked = role.and_then(|role| role_model_override(Some(&role.name), role.model_config.as_ref()?));
        let settings = WorkspaceSettings::from_stored(stored.settings.as_deref());
        if settings.driver().is_some() {
            let asked = asked.as_ref().map(ModelOverride::from).unwrap_or_default();
            let keys = self.keys_of(workspace_id, stored);
            let mut config = chat_provider(&settings, &asked, &|driver, slot| keys.open(driver, slot))?;
            keys.ensure_at(ErrorCode::AiNotConfigured, &config.driver, Some(&config.base_url))?;
            config.access = self.access(workspace_id, stored, KeySlot::Chat, &config.base_url)?;
            return Ok(config);
        }
        configured(asked.as_ref(), &self.options.providers)
    }

    pub(crate) async fn embedding_config(
        &self,
        workspace_id: &str,
        choice: Option<&ProviderChoice>,
    ) -> Result<EmbeddingConfig> {
        if choice.is_some() {
            return given_embedding_provider(crate::provider::resolve(choice, &self.options.providers)?);
        }
        let stored = self.stored_settings(workspace_id).await?;
        let settings = WorkspaceSettings::from_stored(stored.settings.as_deref());
        let keys = self.keys_of(workspace_id, &stored);
        let mut config = embedding_provider(&settings, &|driver, slot| keys.open(driver, slot))?;
        keys.ensure_at(ErrorCode::EmbeddingNotConfigured, &config.driver, config.base_url.as_deref())?;
        let own = settings.filled("embeddingBaseUrl").is_some();
        let slot = if own { KeySlot::Embedding } else { KeySlot::Chat };
        config.access = self.access(workspace_id, &stored, slot, config.base_url.as_deref().unwrap_or_default())?;
        Ok(config)
    }

    pub(crate) async fn stt_config(&self, workspace_id: &str, choice: Option<&ProviderChoice>) -> Result<SttConfig> {
        if choice.is_some() {
            return given_stt_provider(crate::provider::resolve(choice, &self.options.providers)?);
        }
        let stored = self.stored_settings(workspace_id).await?;
        let settings = WorkspaceSettings::from_stored(stored.settings.as_deref());
        let keys = self.keys_of(workspace_id, &stored);
        let mut config = stt_provider(&settings, &|driver, slot| keys.open(driver, slot))?;
        keys.ensure_at(ErrorCode::SttNotConfigured, "", Some(&config.base_url))?;
        let slot = if settings.filled("sttBaseUrl").is_some() { KeySlot::Stt } else { KeySlot::Chat };
        config.access = self.access(workspace_id, &stored, slot, &config.base_url)?;
        Ok(config)
    }
}

/// Opens stored keys, and knows which one is about to be sent: the last that was found.
struct OpenedKeys<'a> {
    inner: &'a Inner,
    workspace_id: &'a str,
    stored: &'a StoredSettings,
    used: RefCell<Option<StoredKey>>,
}

impl OpenedKeys<'_> {
    fn open(&self, driver: &str, slot: KeySlot) -> Result<Option<SecretString>> {
        let opened = self.inner.open_key(self.workspace_id, self.stored, driver, slot)?;
        if opened.as_ref().is_some_and(|key| !key.expose_secret().is_empty()) {
            let used = self.stored.keys.iter().find(|key| key.driver == driver && key.slot == slot);
            self.used.replace(used.cloned());
        }
        Ok(opened)
    }

    /// Refuses to send the key to an address that it was not entered for.
    fn ensure_at(&self, code: ErrorCode, driver: &str, base_url: Option<&str>) -> Result<()> {
        let used = self.used.borrow();
        let Some(key) = used.as_ref().filter(|_| self.inner.options.secrets.bind_to_address) else { return Ok(()) };
        match addresses::known(self.stored, key) {
            Some(bound) if bound != addresses::origin(driver, base_url) => {
                let message = format!(
                    "driver {}: the address was changed after the key had been entered; enter the key again",
                    key.driver
                );
                Err(Error::new(code, message).with_detail("driver", key.driver.clone()))
            }
            _ => Ok(()),
        }
    }
}

/// The provider among those that the engine was opened with, and the role's model on it. A role that wants another driver
/// gets a configured provider of that driver.
fn configured(asked: Option<&RoleModelOverride>, providers: &Providers) -> Result<ProviderConfig> {
    let speaks = |config: &ProviderConfig, driver: &str| {
        config.driver == driver || (driver == "openai" && config.driver == "openai-compatible")
    };
    let mut config = match crate::provider::resolve(None, providers) {
        Ok(config) => config.clone(),
        Err(error) => return Err(error),
    };
    let Some(asked) = asked else { return Ok(config) };
    if let Some(driver) = asked.driver.map(RoleDriver::as_str)
        && !speaks(&config, driver)
    {
        config = providers.values().find(|config| speaks(config, driver)).cloned().ok_or_else(|| {
            let role = asked.role_name.clone().unwrap_or_default();
            let message = format!("driver {driver} for role \"{role}\": no provider of this driver is configured");
            Error::new(ErrorCode::AiNotConfigured, message).with_detail("driver", driver).with_detail("role", role)
        })?;
    }
    if let Some(model) = &asked.chat_model {
        config.model.clone_from(model);
    }
    Ok(config)
}
