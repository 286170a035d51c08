//! Settings and sealed keys.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::error::Result;
use crate::store::{
    KeyPlace, KeySlot, Reseal, SealedSecret, SecretPlace, SettingsStore, StoredKey, StoredSettings, WriteSettings,
};

use super::MemoryStore;

#[derive(Default)]
pub(super) struct SettingsTables {
    settings: BTreeMap<String, String>,
    pub(super) secrets: BTreeMap<SecretPlace, String>,
    places: BTreeMap<(String, String, KeySlot), String>,
}

#[async_trait]
impl SettingsStore for MemoryStore {
    async fn settings(&self, workspace_id: &str) -> Result<StoredSettings> {
        let tables = self.tables()?;
        let keys = tables.settings.secrets.iter().filter_map(|(place, blob)| match place {
            SecretPlace::ProviderKey { workspace_id: of, driver, slot } if of == workspace_id => {
                Some(StoredKey { driver: driver.clone(), slot: *slot, blob: blob.clone() })
            }
            _ => None,
        });
        let places = tables.settings.places.iter().filter(|((of, _, _), _)| of == workspace_id);
        let places = places
            .map(|((_, driver, slot), place)| KeyPlace { driver: driver.clone(), slot: *slot, place: place.clone() })
            .collect();
        let settings = tables.settings.settings.get(workspace_id).cloned();
        Ok(StoredSettings { settings, keys: keys.collect(), places, host_features: None })
    }

    async fn write_key_places(&self, workspace_id: &str, places: Vec<KeyPlace>) -> Result<()> {
        let mut tables = self.tables()?;
        for KeyPlace { driver, slot, place } in places {
            tables.settings.places.insert((workspace_id.to_owned(), driver, slot), place);
        }
        Ok(())
    }

    async fn write_settings(&self, write: WriteSettings) -> Result<bool> {
        let mut tables = self.tables()?;
        let tables = &mut tables.settings;
        if tables.settings.get(&write.workspace_id) != write.expected.as_ref() {
            return Ok(false);
        }
        if let Some(settings) = write.settings {
            tables.settings.insert(write.workspace_id.clone(), settings);
        }
        for key in write.keys {
            let workspace_id = write.workspace_id.clone();
            let place = SecretPlace::ProviderKey { workspace_id, driver: key.driver, slot: key.slot };
            match key.blob {
                Some(blob) => tables.secrets.insert(place, blob),
                None => tables.secrets.remove(&place),
            };
        }
        Ok(true)
    }

    async fn sealed_secrets(
        &self,
        current: &str,
        after: Option<&SecretPlace>,
        limit: usize,
    ) -> Result<Vec<SealedSecret>> {
        let tables = self.tables()?;
        let all = tables.settings.secrets.iter();
        let outdated =
            all.filter(|(place, blob)| after.is_none_or(|after| *place > after) && !blob.starts_with(current));
        Ok(outdated
            .take(limit)
            .map(|(place, blob)| SealedSecret { place: place.clone(), blob: blob.clone() })
            .collect())
    }

    async fn reseal(&self, secrets: Vec<Reseal>) -> Result<usize> {
        let mut tables = self.tables()?;
        let mut replaced = 0;
        for Reseal { sealed, blob } in secrets {
            if let Some(stored) = tables.settings.secrets.get_mut(&sealed.place)
                && *stored == sealed.blob
            {
                *stored = blob;
                replaced += 1;
            }
        }
        Ok(replaced)
    }
}
