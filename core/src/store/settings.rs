//! What a workspace has configured: non-secret settings and sealed keys.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{Feature, FeatureFlags, RecordIdentity};

/// Which of a provider's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeySlot {
    /// For chat, and for the others where they have none.
    Chat,
    /// For embeddings.
    Embedding,
    /// For speech to text.
    Stt,
}

impl KeySlot {
    /// All of them, in the order of their columns.
    pub const ALL: [KeySlot; 3] = [KeySlot::Chat, KeySlot::Embedding, KeySlot::Stt];

    /// The slot of this column.
    pub fn of_column(column: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|slot| slot.column() == column)
    }

    /// The column.
    pub const fn column(self) -> &'static str {
        match self {
            KeySlot::Chat => "api_key_enc",
            KeySlot::Embedding => "embedding_api_key_enc",
            KeySlot::Stt => "stt_api_key_enc",
        }
    }
}

/// A sealed key of one of a workspace's providers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// The provider's driver.
    pub driver: String,
    /// Which key.
    pub slot: KeySlot,
    /// Sealed.
    pub blob: String,
}

/// Where a key may be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPlace {
    /// The provider's driver.
    pub driver: String,
    /// Which key.
    pub slot: KeySlot,
    /// The address, with what tells whether it is still this key's.
    pub place: String,
}

/// What a workspace has stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredSettings {
    /// The settings as JSON text; nothing when there never were any.
    pub settings: Option<String>,
    /// The keys of all drivers.
    pub keys: Vec<StoredKey>,
    /// Where they may be sent, as far as that is known.
    pub places: Vec<KeyPlace>,
    /// The flags that the system keeps whose database this is; nothing on one of turnkeep's own.
    pub host_features: Option<FeatureFlags>,
}

/// A key to set or to clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteKey {
    /// The provider's driver.
    pub driver: String,
    /// Which key.
    pub slot: KeySlot,
    /// Sealed; nothing clears it.
    pub blob: Option<String>,
}

/// A change of a workspace's settings: all of it is written, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteSettings {
    /// The workspace.
    pub workspace_id: String,
    /// The settings that the change was computed from; it is not written over others.
    pub expected: Option<String>,
    /// The settings from now on; nothing leaves them.
    pub settings: Option<String>,
    /// The keys that change.
    pub keys: Vec<WriteKey>,
    /// The flags that change among those of the system whose database this is. There are none on one of turnkeep's own,
    /// which has them in the settings.
    pub host_features: Vec<(Feature, Option<bool>)>,
}

/// Where a sealed secret stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretPlace {
    /// A key of a workspace's provider.
    ProviderKey {
        /// The workspace.
        workspace_id: String,
        /// The driver.
        driver: String,
        /// Which key.
        slot: KeySlot,
    },
    /// The headers of a tool server.
    McpHeaders {
        /// The workspace.
        workspace_id: String,
        /// The server.
        server_id: String,
    },
}

impl SecretPlace {
    /// The record that a secret in this place is sealed for.
    pub fn record(&self) -> RecordIdentity {
        match self {
            SecretPlace::ProviderKey { workspace_id, driver, slot } => {
                RecordIdentity::provider_key(workspace_id, driver, slot.column())
            }
            SecretPlace::McpHeaders { workspace_id, server_id } => RecordIdentity::mcp_headers(workspace_id, server_id),
        }
    }
}

/// A sealed secret in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSecret {
    /// Where it stands.
    pub place: SecretPlace,
    /// Sealed.
    pub blob: String,
}

/// A secret to be sealed anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reseal {
    /// What it is and where.
    pub sealed: SealedSecret,
    /// The same, sealed anew.
    pub blob: String,
}

/// The settings in a database.
#[async_trait]
pub trait SettingsStore: Send + Sync {
    /// Whether the database is another system's, which reads and writes the same settings and keys.
    fn is_adopted(&self) -> bool {
        false
    }

    /// Notes where keys may be sent.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn write_key_places(&self, workspace_id: &str, places: Vec<KeyPlace>) -> Result<()>;

    /// What the workspace has stored.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn settings(&self, workspace_id: &str) -> Result<StoredSettings>;

    /// Writes the change, unless the settings are others by now: then `false`, and nothing is written.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn write_settings(&self, write: WriteSettings) -> Result<bool>;

    /// About `limit` sealed secrets that do not begin with `current`, in the order of their places, those after `after`.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn sealed_secrets(
        &self,
        current: &str,
        after: Option<&SecretPlace>,
        limit: usize,
    ) -> Result<Vec<SealedSecret>>;

    /// Replaces secrets, each of them if it is still as it was read. Returns how many those were.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn reseal(&self, secrets: Vec<Reseal>) -> Result<usize>;
}
