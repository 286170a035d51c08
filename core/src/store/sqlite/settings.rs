//! Settings and sealed keys.

use async_trait::async_trait;
use rusqlite::params;

use crate::error::Result;
use crate::store::{
    KeyPlace, KeySlot, Reseal, SealedSecret, SecretPlace, SettingsStore, StoredKey, StoredSettings, WriteSettings,
};

use super::tables::Tables;
use super::{SqliteStore, limited};

#[async_trait]
impl SettingsStore for SqliteStore {
    async fn settings(&self, workspace_id: &str) -> Result<StoredSettings> {
        let workspace_id = workspace_id.to_owned();
        self.read(move |tables| {
            let mut keys = Vec::new();
            tables.all(
                "SELECT driver, api_key_enc, embedding_api_key_enc, stt_api_key_enc FROM ai_provider_credentials \
                 WHERE workspace_id = ?1 ORDER BY driver",
                [&workspace_id],
                |row| {
                    for (slot, column) in KeySlot::ALL.into_iter().zip(1..) {
                        if let Some(blob) = row.get(column)? {
                            keys.push(StoredKey { driver: row.get(0)?, slot, blob });
                        }
                    }
                    Ok(())
                },
            )?;
            let places = tables.all(
                "SELECT driver, slot, place FROM turnkeep_key_places WHERE workspace_id = ?1",
                [&workspace_id],
                |row| {
                    let slot = KeySlot::of_column(&row.get::<_, String>(1)?);
                    let (driver, place) = (row.get(0)?, row.get(2)?);
                    Ok(slot.map(|slot| KeyPlace { driver, slot, place }))
                },
            )?;
            let places = places.into_iter().flatten().collect();
            Ok(StoredSettings { settings: tables.settings_text(&workspace_id)?, keys, places, host_features: None })
        })
        .await
    }

    async fn write_key_places(&self, workspace_id: &str, places: Vec<KeyPlace>) -> Result<()> {
        let workspace_id = workspace_id.to_owned();
        self.write(move |tables| {
            for place in places {
                tables.execute(
                    "INSERT OR REPLACE INTO turnkeep_key_places (workspace_id, driver, slot, place) \
                     VALUES (?1, ?2, ?3, ?4)",
                    params![workspace_id, place.driver, place.slot.column(), place.place],
                )?;
            }
            Ok(())
        })
        .await
    }

    async fn write_settings(&self, write: WriteSettings) -> Result<bool> {
        self.write(move |tables| {
            if tables.settings_text(&write.workspace_id)? != write.expected {
                return Ok(false);
            }
            if let Some(settings) = &write.settings {
                tables.execute(
                    "INSERT INTO ai_provider_settings (workspace_id, settings, created_at, updated_at) \
                     VALUES (?1, ?2, ?3, ?3) ON CONFLICT (workspace_id) DO UPDATE SET settings = excluded.settings, \
                     updated_at = excluded.updated_at",
                    params![write.workspace_id, settings, tables.now],
                )?;
            }
            for key in &write.keys {
                // The column's name is one of three constants.
                let column = key.slot.column();
                let statement = format!(
                    "INSERT INTO ai_provider_credentials (id, workspace_id, driver, {column}, created_at, updated_at) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?5) ON CONFLICT (workspace_id, driver) DO UPDATE SET \
                     {column} = excluded.{column}, updated_at = excluded.updated_at"
                );
                let id = uuid::Uuid::now_v7().to_string();
                tables.execute(&statement, params![id, write.workspace_id, key.driver, key.blob, tables.now])?;
            }
            Ok(true)
        })
        .await
    }

    async fn sealed_secrets(
        &self,
        current: &str,
        after: Option<&SecretPlace>,
        limit: usize,
    ) -> Result<Vec<SealedSecret>> {
        let (current, after) = (current.to_owned(), after.cloned());
        self.read(move |tables| {
            if !matches!(after, Some(SecretPlace::McpHeaders { .. })) {
                let keys = tables.outdated_keys(&current, after.as_ref(), limit)?;
                if !keys.is_empty() {
                    return Ok(keys);
                }
            }
            let (after_workspace, after_server) = match &after {
                Some(SecretPlace::McpHeaders { workspace_id, server_id }) => {
                    (workspace_id.as_str(), server_id.as_str())
                }
                _ => ("", ""),
            };
            tables.all(
                "SELECT workspace_id, id, headers_enc FROM ai_mcp_servers \
                 WHERE (workspace_id, id) > (?2, ?3) AND substr(headers_enc, 1, length(?1)) <> ?1 \
                 ORDER BY workspace_id, id LIMIT ?4",
                params![current, after_workspace, after_server, limited(limit)],
                |row| {
                    let place = SecretPlace::McpHeaders { workspace_id: row.get(0)?, server_id: row.get(1)? };
                    Ok(SealedSecret { place, blob: row.get(2)? })
                },
            )
        })
        .await
    }

    async fn reseal(&self, secrets: Vec<Reseal>) -> Result<usize> {
        self.write(move |tables| {
            let mut replaced = 0;
            for Reseal { sealed, blob } in &secrets {
                replaced += match &sealed.place {
                    SecretPlace::ProviderKey { workspace_id, driver, slot } => {
                        let column = slot.column();
                        let statement = format!(
                            "UPDATE ai_provider_credentials SET {column} = ?1 \
                             WHERE workspace_id = ?2 AND driver = ?3 AND {column} = ?4"
                        );
                        tables.execute(&statement, params![blob, workspace_id, driver, sealed.blob])?
                    }
                    SecretPlace::McpHeaders { workspace_id, server_id } => tables.execute(
                        "UPDATE ai_mcp_servers SET headers_enc = ?1 \
                         WHERE workspace_id = ?2 AND id = ?3 AND headers_enc = ?4",
                        params![blob, workspace_id, server_id, sealed.blob],
                    )?,
                }
            }
            Ok(replaced)
        })
        .await
    }
}

impl Tables<'_> {
    fn settings_text(&self, workspace_id: &str) -> Result<Option<String>> {
        let settings = "SELECT settings FROM ai_provider_settings WHERE workspace_id = ?1";
        self.first(settings, [workspace_id], |row| row.get(0))
    }

    /// Keys that do not begin with `current`, of the drivers behind this place.
    fn outdated_keys(&self, current: &str, after: Option<&SecretPlace>, limit: usize) -> Result<Vec<SealedSecret>> {
        let (after_workspace, after_driver) = match after {
            Some(SecretPlace::ProviderKey { workspace_id, driver, .. }) => (workspace_id.as_str(), driver.as_str()),
            _ => ("", ""),
        };
        let outdated = |slot: KeySlot| format!("substr({column}, 1, length(?1)) <> ?1", column = slot.column());
        let mut found = Vec::new();
        self.all(
            &format!(
                "SELECT workspace_id, driver, api_key_enc, embedding_api_key_enc, stt_api_key_enc \
                 FROM ai_provider_credentials WHERE (workspace_id, driver) > (?2, ?3) AND ({}) \
                 ORDER BY workspace_id, driver LIMIT ?4",
                KeySlot::ALL.map(outdated).join(" OR ")
            ),
            params![current, after_workspace, after_driver, limited(limit)],
            |row| {
                for (slot, column) in KeySlot::ALL.into_iter().zip(2..) {
                    let blob: Option<String> = row.get(column)?;
                    let Some(blob) = blob.filter(|blob| !blob.starts_with(current)) else { continue };
                    let (workspace_id, driver) = (row.get(0)?, row.get(1)?);
                    found.push(SealedSecret { place: SecretPlace::ProviderKey { workspace_id, driver, slot }, blob });
                }
                Ok(())
            },
        )?;
        Ok(found)
    }
}
