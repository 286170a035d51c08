//! Settings and sealed keys.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use crate::clock::Timestamp;
use crate::error::Result;
use crate::store::{
    KeyPlace, KeySlot, Reseal, SealedSecret, SecretPlace, SettingsStore, StoredKey, StoredSettings, WriteKey,
    WriteSettings,
};

use super::{SqliteStore, store_error};

#[async_trait]
impl SettingsStore for SqliteStore {
    async fn settings(&self, workspace_id: &str) -> Result<StoredSettings> {
        let workspace_id = workspace_id.to_owned();
        self.read(move |connection| settings(connection, &workspace_id)).await
    }

    async fn write_key_places(&self, workspace_id: &str, places: Vec<KeyPlace>) -> Result<()> {
        let workspace_id = workspace_id.to_owned();
        self.write(move |connection| write_key_places(connection, &workspace_id, &places)).await
    }

    async fn write_settings(&self, write: WriteSettings) -> Result<bool> {
        let clock = Arc::clone(&self.clock);
        self.write(move |connection| write_settings(connection, clock.now(), &write)).await
    }

    async fn sealed_secrets(
        &self,
        current: &str,
        after: Option<&SecretPlace>,
        limit: usize,
    ) -> Result<Vec<SealedSecret>> {
        let (current, after) = (current.to_owned(), after.cloned());
        self.read(move |connection| sealed_secrets(connection, &current, after.as_ref(), limit)).await
    }

    async fn reseal(&self, secrets: Vec<Reseal>) -> Result<usize> {
        self.write(move |connection| reseal(connection, &secrets)).await
    }
}

fn stored_text(connection: &Connection, workspace_id: &str) -> Result<Option<String>> {
    connection
        .query_row("SELECT settings FROM ai_provider_settings WHERE workspace_id = ?1", [workspace_id], |row| {
            row.get(0)
        })
        .optional()
        .map_err(store_error)
}

fn settings(connection: &Connection, workspace_id: &str) -> Result<StoredSettings> {
    let mut statement = connection
        .prepare_cached(
            "SELECT driver, api_key_enc, embedding_api_key_enc, stt_api_key_enc FROM ai_provider_credentials \
             WHERE workspace_id = ?1 ORDER BY driver",
        )
        .map_err(store_error)?;
    let mut rows = statement.query([workspace_id]).map_err(store_error)?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next().map_err(store_error)? {
        for (slot, column) in KeySlot::ALL.into_iter().zip(1..) {
            if let Some(blob) = row.get(column).map_err(store_error)? {
                keys.push(StoredKey { driver: row.get(0).map_err(store_error)?, slot, blob });
            }
        }
    }
    let places = key_places(connection, workspace_id)?;
    Ok(StoredSettings { settings: stored_text(connection, workspace_id)?, keys, places })
}

fn key_places(connection: &Connection, workspace_id: &str) -> Result<Vec<KeyPlace>> {
    let mut statement = connection
        .prepare_cached("SELECT driver, slot, place FROM turnkeep_key_places WHERE workspace_id = ?1")
        .map_err(store_error)?;
    let mut rows = statement.query([workspace_id]).map_err(store_error)?;
    let mut places = Vec::new();
    while let Some(row) = rows.next().map_err(store_error)? {
        let slot: String = row.get(1).map_err(store_error)?;
        if let Some(slot) = KeySlot::of_column(&slot) {
            let (driver, place) = (row.get(0).map_err(store_error)?, row.get(2).map_err(store_error)?);
            places.push(KeyPlace { driver, slot, place });
        }
    }
    Ok(places)
}

fn write_key_places(connection: &Connection, workspace_id: &str, places: &[KeyPlace]) -> Result<()> {
    let mut statement = connection
        .prepare_cached(
            "INSERT OR REPLACE INTO turnkeep_key_places (workspace_id, driver, slot, place) VALUES (?1, ?2, ?3, ?4)",
        )
        .map_err(store_error)?;
    for place in places {
        statement
            .execute(params![workspace_id, place.driver, place.slot.column(), place.place])
            .map_err(store_error)?;
    }
    Ok(())
}

fn write_settings(connection: &Connection, now: Timestamp, write: &WriteSettings) -> Result<bool> {
    if stored_text(connection, &write.workspace_id)? != write.expected {
        return Ok(false);
    }
    let now = now.to_string();
    if let Some(settings) = &write.settings {
        connection
            .execute(
                "INSERT INTO ai_provider_settings (workspace_id, settings, created_at, updated_at) \
                 VALUES (?1, ?2, ?3, ?3) \
                 ON CONFLICT (workspace_id) DO UPDATE SET settings = excluded.settings, updated_at = excluded.updated_at",
                params![write.workspace_id, settings, now],
            )
            .map_err(store_error)?;
    }
    for key in &write.keys {
        write_key(connection, &now, &write.workspace_id, key)?;
    }
    Ok(true)
}

fn write_key(connection: &Connection, now: &str, workspace_id: &str, key: &WriteKey) -> Result<()> {
    let column = key.slot.column();
    // The column's name is one of three constants.
    let statement = format!(
        "INSERT INTO ai_provider_credentials (id, workspace_id, driver, {column}, created_at, updated_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?5) \
         ON CONFLICT (workspace_id, driver) DO UPDATE SET {column} = excluded.{column}, updated_at = excluded.updated_at"
    );
    let id = uuid::Uuid::now_v7().to_string();
    connection.execute(&statement, params![id, workspace_id, key.driver, key.blob, now]).map_err(store_error)?;
    Ok(())
}

fn sealed_secrets(
    connection: &Connection,
    current: &str,
    after: Option<&SecretPlace>,
    limit: usize,
) -> Result<Vec<SealedSecret>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut found = Vec::new();
    let (after_workspace, after_driver, with_keys) = match after {
        None => ("", "", true),
        Some(SecretPlace::ProviderKey { workspace_id, driver, .. }) => (workspace_id.as_str(), driver.as_str(), true),
        Some(SecretPlace::McpHeaders { .. }) => ("", "", false),
    };
    if with_keys {
        let outdated = |column: &str| format!("substr({column}, 1, length(?1)) <> ?1");
        let statement = format!(
            "SELECT workspace_id, driver, api_key_enc, embedding_api_key_enc, stt_api_key_enc \
             FROM ai_provider_credentials WHERE (workspace_id, driver) > (?2, ?3) AND ({}) \
             ORDER BY workspace_id, driver LIMIT ?4",
            KeySlot::ALL.map(|slot| outdated(slot.column())).join(" OR ")
        );
        let mut statement = connection.prepare_cached(&statement).map_err(store_error)?;
        let mut rows = statement.query(params![current, after_workspace, after_driver, limit]).map_err(store_error)?;
        while let Some(row) = rows.next().map_err(store_error)? {
            for (slot, column) in KeySlot::ALL.into_iter().zip(2..) {
                let blob: Option<String> = row.get(column).map_err(store_error)?;
                let Some(blob) = blob.filter(|blob| !blob.starts_with(current)) else { continue };
                let workspace_id = row.get(0).map_err(store_error)?;
                let driver = row.get(1).map_err(store_error)?;
                found.push(SealedSecret { place: SecretPlace::ProviderKey { workspace_id, driver, slot }, blob });
            }
        }
    }
    if !found.is_empty() {
        return Ok(found);
    }
    let (after_workspace, after_server) = match after {
        Some(SecretPlace::McpHeaders { workspace_id, server_id }) => (workspace_id.as_str(), server_id.as_str()),
        _ => ("", ""),
    };
    let mut statement = connection
        .prepare_cached(
            "SELECT workspace_id, id, headers_enc FROM ai_mcp_servers \
             WHERE (workspace_id, id) > (?2, ?3) AND substr(headers_enc, 1, length(?1)) <> ?1 \
             ORDER BY workspace_id, id LIMIT ?4",
        )
        .map_err(store_error)?;
    let rows = statement
        .query_map(params![current, after_workspace, after_server, limit], |row| {
            let place = SecretPlace::McpHeaders { workspace_id: row.get(0)?, server_id: row.get(1)? };
            Ok(SealedSecret { place, blob: row.get(2)? })
        })
        .map_err(store_error)?;
    rows.collect::<rusqlite::Result<_>>().map_err(store_error)
}

fn reseal(connection: &Connection, secrets: &[Reseal]) -> Result<usize> {
    let mut replaced = 0;
    for Reseal { sealed, blob } in secrets {
        replaced += match &sealed.place {
            SecretPlace::ProviderKey { workspace_id, driver, slot } => {
                let column = slot.column();
                let statement = format!(
                    "UPDATE ai_provider_credentials SET {column} = ?1 \
                     WHERE workspace_id = ?2 AND driver = ?3 AND {column} = ?4"
                );
                let mut statement = connection.prepare_cached(&statement).map_err(store_error)?;
                statement.execute(params![blob, workspace_id, driver, sealed.blob])
            }
            SecretPlace::McpHeaders { workspace_id, server_id } => connection.execute(
                "UPDATE ai_mcp_servers SET headers_enc = ?1 WHERE workspace_id = ?2 AND id = ?3 AND headers_enc = ?4",
                params![blob, workspace_id, server_id, sealed.blob],
            ),
        }
        .map_err(store_error)?;
    }
    Ok(replaced)
}
