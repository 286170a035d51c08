//! Settings and sealed keys.

use async_trait::async_trait;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::model::{FeatureFlags, Json};
use crate::store::{
    KeyPlace, KeySlot, Reseal, SealedSecret, SecretPlace, SettingsStore, StoredKey, StoredSettings, WriteSettings,
};

use super::PostgresStore;
use super::failure::Failure;
use super::migrate::check_id;
use super::rows;
use super::session::Database;
use super::value::values;

const KEYS: &str = "SELECT driver::text AS driver, api_key_enc::text AS api_key_enc, \
     embedding_api_key_enc::text AS embedding_api_key_enc, stt_api_key_enc::text AS stt_api_key_enc \
     FROM ai_provider_credentials WHERE workspace_id = $1 ORDER BY driver";
const OWN_SETTINGS: &str = "(SELECT settings FROM ai_provider_settings WHERE workspace_id = $1)";
/// Those of a workspace's row, where the system before keeps them.
const OF_HOST: &str = "CASE WHEN jsonb_typeof(workspaces.settings->'ai'->'provider') = 'object' \
     THEN (workspaces.settings->'ai'->'provider')::text END";
/// What it switches on and off.
const HOST_FLAGS: &str = "(SELECT json_build_object('chat', settings->'ai'->'chat', \
     'autonomousRuns', settings->'ai'->'autonomousRuns', 'dictation', settings->'ai'->'dictation')::text \
     FROM workspaces WHERE id = $1)";
/// Changes what that system keeps, and leaves everything else there: the members of `settings.ai` that `changed` is.
fn write_host(changed: &str, unless: &str) -> String {
    format!(
        ", hosts AS (UPDATE workspaces SET settings = \
         CASE WHEN jsonb_typeof(settings) = 'object' THEN settings ELSE '{{}}'::jsonb END || jsonb_build_object('ai', \
         CASE WHEN jsonb_typeof(settings->'ai') = 'object' THEN settings->'ai' ELSE '{{}}'::jsonb END || {changed}) \
         FROM same WHERE ok AND workspaces.id = $1 {unless} RETURNING 1)"
    )
}
const HAS_HOST_SETTINGS: &str = "SELECT EXISTS (SELECT FROM information_schema.columns \
     WHERE table_schema = ANY (current_schemas(false)) AND table_name = 'workspaces' AND column_name = 'settings' \
     AND data_type = 'jsonb') AS found, \
     COALESCE(has_column_privilege(to_regclass('workspaces'), 'settings', 'UPDATE'), false) AS writable";
/// Rows in byte order, which is the order of places.
const OUTDATED_KEYS: &str = "SELECT workspace_id::text AS workspace_id, driver::text AS driver, \
     api_key_enc::text AS api_key_enc, embedding_api_key_enc::text AS embedding_api_key_enc, \
     stt_api_key_enc::text AS stt_api_key_enc FROM ai_provider_credentials \
     WHERE (workspace_id::text COLLATE \"C\", driver::text COLLATE \"C\") > ($2::text, $3::text) \
     AND (left(api_key_enc, length($1::text)) <> $1::text OR left(embedding_api_key_enc, length($1::text)) <> $1::text \
         OR left(stt_api_key_enc, length($1::text)) <> $1::text) \
     ORDER BY workspace_id::text COLLATE \"C\", driver::text COLLATE \"C\" LIMIT $4::bigint";
const OUTDATED_HEADERS: &str = "SELECT workspace_id::text AS workspace_id, id::text AS id, headers_enc::text AS blob \
     FROM ai_mcp_servers WHERE (workspace_id::text COLLATE \"C\", id::text COLLATE \"C\") > ($2::text, $3::text) \
     AND left(headers_enc, length($1::text)) <> $1::text \
     ORDER BY workspace_id::text COLLATE \"C\", id::text COLLATE \"C\" LIMIT $4::bigint";
const PLACES: &str = "SELECT driver, slot, place FROM turnkeep_key_places WHERE workspace_id = $1::text";
const WRITE_PLACES: &str = "INSERT INTO turnkeep_key_places (workspace_id, driver, slot, place) \
     SELECT $1::text, driver, slot, place FROM json_to_recordset($2::json) AS given (driver text, slot text, place text) \
     ON CONFLICT (workspace_id, driver, slot) DO UPDATE SET place = excluded.place";
/// Statements of this file, built once.
pub(super) struct Statements {
    adopted: bool,
    settings: String,
    write: String,
    /// The same for the system before's own settings, and what of it writes there.
    write_host: String,
    host_keeps_settings: bool,
    reseal: [String; 3],
    reseal_headers: &'static str,
}

impl Statements {
    pub(super) async fn new(database: &Database) -> Result<Self> {
        let row = database.query_one(HAS_HOST_SETTINGS, &[]).await?;
        let adopted = rows::get(&row, "found")?;
        // Where they may not be written they are kept here once they are changed, and then those count.
        let host_keeps_settings = adopted && rows::get(&row, "writable")?;
        let hosts = format!("(SELECT {OF_HOST} FROM workspaces WHERE id = $1)");
        let stored = match (adopted, host_keeps_settings) {
            (true, true) => format!("COALESCE({hosts}, {OWN_SETTINGS})"),
            (true, false) => format!("COALESCE({OWN_SETTINGS}, {hosts})"),
            _ => OWN_SETTINGS.to_owned(),
        };
        let of_slot = |slot: KeySlot| {
            let column = slot.column();
            format!(
                "max(blob) FILTER (WHERE slot = '{column}') AS {column}, bool_or(slot = '{column}') AS has_{column}"
            )
        };
        let set = |slot: KeySlot| {
            let column = slot.column();
            format!(
                "{column} = CASE WHEN (SELECT has_{column} FROM keys WHERE keys.driver = excluded.driver) \
                 THEN excluded.{column} ELSE stored.{column} END"
            )
        };
        let reseal = |slot: KeySlot| {
            let column = slot.column();
            format!(
                "WITH given AS MATERIALIZED (SELECT * FROM json_to_recordset($1::json) \
                 AS given (workspace_id text, name text, old text, new text)), \
                 changed AS (UPDATE ai_provider_credentials AS stored SET {column} = given.new FROM given \
                 WHERE stored.workspace_id::text = given.workspace_id AND stored.driver = given.name \
                 AND stored.{column} = given.old RETURNING 1) SELECT count(*) AS changed FROM changed"
            )
        };
        let own = "INSERT INTO ai_provider_settings (workspace_id, settings) \
             SELECT $1, $3::text FROM same WHERE ok AND $3::text IS NOT NULL \
             ON CONFLICT (workspace_id) DO UPDATE SET settings = excluded.settings, updated_at = now()";
        // What was kept here before counts no more.
        let no_longer_own = "DELETE FROM ai_provider_settings USING same \
             WHERE ok AND $3::text IS NOT NULL AND workspace_id = $1";
        let write = |settled: &str, more: &str, told: &str| {
            format!(
                "WITH same AS MATERIALIZED (SELECT {stored} IS NOT DISTINCT FROM $2::text AS ok), \
                 settled AS ({settled}), \
                 keys AS MATERIALIZED (SELECT driver, max(id) AS id, {}, {}, {} FROM json_to_recordset($4::json) \
                     AS given (id text, driver text, slot text, blob text) GROUP BY driver), \
                 sealed AS (INSERT INTO ai_provider_credentials AS stored \
                     (id, workspace_id, driver, api_key_enc, embedding_api_key_enc, stt_api_key_enc) \
                     SELECT id::uuid, $1, driver, api_key_enc, embedding_api_key_enc, stt_api_key_enc FROM keys, same \
                     WHERE ok ON CONFLICT (workspace_id, driver) DO UPDATE SET {}, {}, {}, updated_at = now()){more} \
                 SELECT {told} FROM same",
                of_slot(KeySlot::Chat),
                of_slot(KeySlot::Embedding),
                of_slot(KeySlot::Stt),
                set(KeySlot::Chat),
                set(KeySlot::Embedding),
                set(KeySlot::Stt),
            )
        };
        let flags = if adopted { HOST_FLAGS } else { "NULL::text" };
        Ok(Self {
            adopted,
            settings: format!("SELECT {stored} AS settings, {flags} AS flags"),
            write: write(own, "", "ok, true AS has_workspace"),
            write_host: match host_keeps_settings {
                true => write(
                    no_longer_own,
                    &write_host(
                        "(CASE WHEN $3::text IS NULL THEN '{}'::jsonb ELSE jsonb_build_object('provider', $3::text::jsonb) END) \
                         || $5::text::jsonb",
                        // Its own code may write there at the same moment.
                        &format!("AND ({OF_HOST} IS NULL OR {OF_HOST} IS NOT DISTINCT FROM $2::text)"),
                    ),
                    "ok AND (EXISTS (SELECT FROM hosts) OR NOT EXISTS (SELECT FROM workspaces WHERE id = $1)) AS ok, \
                     EXISTS (SELECT FROM workspaces WHERE id = $1) AS has_workspace",
                ),
                false => {
                    write(own, &write_host("$5::text::jsonb", ""), "ok, EXISTS (SELECT FROM hosts) AS has_workspace")
                }
            },
            host_keeps_settings,
            reseal: KeySlot::ALL.map(reseal),
            reseal_headers: "WITH given AS MATERIALIZED (SELECT * FROM json_to_recordset($1::json) \
                 AS given (workspace_id text, name text, old text, new text)), \
                 changed AS (UPDATE ai_mcp_servers AS stored SET headers_enc = given.new FROM given \
                 WHERE stored.workspace_id::text = given.workspace_id AND stored.id::text = given.name \
                 AND stored.headers_enc = given.old RETURNING 1) SELECT count(*) AS changed FROM changed",
        })
    }
}

/// The keys of a row, which has a column for each slot.
fn keys_of(row: &tokio_postgres::Row) -> Result<Vec<(KeySlot, String)>> {
    let mut keys = Vec::new();
    for slot in KeySlot::ALL {
        if let Some(blob) = rows::get::<Option<String>>(row, slot.column())? {
            keys.push((slot, blob));
        }
    }
    Ok(keys)
}

fn json<T: Serialize>(rows: &[T]) -> String {
    // Plain text fields: there is nothing in them that could fail to serialize.
    serde_json::to_string(rows).unwrap_or_default()
}

#[async_trait]
impl SettingsStore for PostgresStore {
    async fn settings(&self, workspace_id: &str) -> Result<StoredSettings> {
        if check_id("workspaceId", workspace_id, self.ids.workspace).is_err() {
            let host_features = self.settings.adopted.then(FeatureFlags::default);
            return Ok(StoredSettings { host_features, ..StoredSettings::default() });
        }
        let settings = self.database.query_one(&self.settings.settings, &values![workspace_id]).await?;
        let mut keys = Vec::new();
        for row in &self.database.query(KEYS, &values![workspace_id]).await? {
            let driver: String = rows::get(row, "driver")?;
            let of_row = keys_of(row)?.into_iter();
            keys.extend(of_row.map(|(slot, blob)| StoredKey { driver: driver.clone(), slot, blob }));
        }
        let mut places = Vec::new();
        // Only keys have places.
        if !keys.is_empty() {
            for row in &self.database.query(PLACES, &values![workspace_id]).await? {
                if let Some(slot) = KeySlot::of_column(rows::get(row, "slot")?) {
                    let (driver, place) = (rows::get(row, "driver")?, rows::get(row, "place")?);
                    places.push(KeyPlace { driver, slot, place });
                }
            }
        }
        let flags: Option<String> = rows::get(&settings, "flags")?;
        let flags = flags.and_then(|text| serde_json::from_str(&text).ok());
        let host_features = self.settings.adopted.then(|| FeatureFlags::from_stored(flags.as_ref()));
        Ok(StoredSettings { settings: rows::get(&settings, "settings")?, keys, places, host_features })
    }

    fn is_adopted(&self) -> bool {
        self.settings.adopted
    }

    async fn write_key_places(&self, workspace_id: &str, places: Vec<KeyPlace>) -> Result<()> {
        #[derive(Serialize)]
        struct Place<'a> {
            driver: &'a str,
            slot: &'static str,
            place: &'a str,
        }
        let places: Vec<Place<'_>> = places
            .iter()
            .map(|place| Place { driver: &place.driver, slot: place.slot.column(), place: &place.place })
            .collect();
        self.database.query(WRITE_PLACES, &values![workspace_id, json(&places)]).await.map(|_| ())
    }

    async fn write_settings(&self, write: WriteSettings) -> Result<bool> {
        #[derive(Serialize)]
        struct Key<'a> {
            id: String,
            driver: &'a str,
            slot: &'static str,
            blob: Option<&'a str>,
        }
        check_id("workspaceId", &write.workspace_id, self.ids.workspace)?;
        let keys: Vec<Key<'_>> = write
            .keys
            .iter()
            .map(|key| Key {
                id: uuid::Uuid::now_v7().to_string(),
                driver: &key.driver,
                slot: key.slot.column(),
                blob: key.blob.as_deref(),
            })
            .collect();
        let (workspace, keys) = (&write.workspace_id, json(&keys));
        let expected = write.expected.as_deref();
        // No text of the server can hold U+0000.
        let settings = write
            .settings
            .as_deref()
            .map(|text| Json::parse(text).map_or(text.to_owned(), |json| json.get().to_owned()));
        let is_hosts = self.settings.host_keeps_settings && settings.is_some();
        // Two who write a workspace's first settings have no row to wait for.
        let lock = format!("settings of {}", write.workspace_id);
        // Whoever changes nothing of the host's needs no right to write there.
        let written = if write.host_features.is_empty() && !is_hosts {
            let values = values![workspace, expected, settings, keys];
            self.database.try_query(Some(&lock), &self.settings.write, &values).await
        } else {
            let mut flags = FeatureFlags::default();
            flags.change(&write.host_features);
            let values = values![workspace, expected, settings, keys, flags.to_value().to_string()];
            self.database.try_query(Some(&lock), &self.settings.write_host, &values).await
        };
        let rows = written.map_err(Failure::into_error)?;
        let Some(row) = rows.first() else { return Ok(false) };
        let is_written = rows::get(row, "ok")?;
        if is_written && !rows::get::<bool>(row, "has_workspace")? {
            return Err(Error::invalid("workspaceId", "there is no such workspace"));
        }
        Ok(is_written)
    }

    async fn sealed_secrets(
        &self,
        current: &str,
        after: Option<&SecretPlace>,
        limit: usize,
    ) -> Result<Vec<SealedSecret>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut found = Vec::new();
        let (workspace, driver, with_keys) = match after {
            None => ("", "", true),
            Some(SecretPlace::ProviderKey { workspace_id, driver, .. }) => {
                (workspace_id.as_str(), driver.as_str(), true)
            }
            Some(SecretPlace::McpHeaders { .. }) => ("", "", false),
        };
        if with_keys {
            for row in &self.database.query(OUTDATED_KEYS, &values![current, workspace, driver, limit]).await? {
                let (workspace_id, driver): (String, String) =
                    (rows::get(row, "workspace_id")?, rows::get(row, "driver")?);
                for (slot, blob) in keys_of(row)?.into_iter().filter(|(_, blob)| !blob.starts_with(current)) {
                    let (workspace_id, driver) = (workspace_id.clone(), driver.clone());
                    found.push(SealedSecret { place: SecretPlace::ProviderKey { workspace_id, driver, slot }, blob });
                }
            }
        }
        if !found.is_empty() {
            return Ok(found);
        }
        let (workspace, server) = match after {
            Some(SecretPlace::McpHeaders { workspace_id, server_id }) => (workspace_id.as_str(), server_id.as_str()),
            _ => ("", ""),
        };
        let outdated = self.database.query(OUTDATED_HEADERS, &values![current, workspace, server, limit]).await?;
        outdated
            .iter()
            .map(|row| {
                let place = SecretPlace::McpHeaders {
                    workspace_id: rows::get(row, "workspace_id")?,
                    server_id: rows::get(row, "id")?,
                };
                Ok(SealedSecret { place, blob: rows::get(row, "blob")? })
            })
            .collect()
    }

    async fn reseal(&self, secrets: Vec<Reseal>) -> Result<usize> {
        #[derive(Serialize)]
        struct Given<'a> {
            workspace_id: &'a str,
            name: &'a str,
            old: &'a str,
            new: &'a str,
        }
        let (mut keys, mut headers) = ([Vec::new(), Vec::new(), Vec::new()], Vec::new());
        for Reseal { sealed, blob } in &secrets {
            let given = |workspace_id, name| Given { workspace_id, name, old: &sealed.blob, new: blob };
            match &sealed.place {
                SecretPlace::ProviderKey { workspace_id, driver, slot } => {
                    let place = KeySlot::ALL.into_iter().zip(&mut keys).find(|(of, _)| of == slot);
                    if let Some((_, list)) = place {
                        list.push(given(workspace_id, driver));
                    }
                }
                SecretPlace::McpHeaders { workspace_id, server_id } => headers.push(given(workspace_id, server_id)),
            }
        }
        let statements = self.settings.reseal.iter().map(String::as_str).chain([self.settings.reseal_headers]);
        let mut replaced = 0;
        for (statement, given) in statements.zip(keys.iter().chain([&headers])) {
            if given.is_empty() {
                continue;
            }
            let row = self.database.query_one(statement, &values![json(given)]).await?;
            replaced += usize::try_from(rows::get::<i64>(&row, "changed")?).unwrap_or_default();
        }
        Ok(replaced)
    }
}
