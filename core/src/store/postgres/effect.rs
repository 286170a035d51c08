//! What tools have noted of their calls.

use std::time::Duration;

use async_trait::async_trait;
use tokio_postgres::Row;

use crate::error::{Error, Result};
use crate::id::RunId;
use crate::model::{CallEffect, Json};
use crate::store::{EffectStore, Fence, lease_lost};

use super::log::{OWNED, fence_values};
use super::value::values;
use super::{PostgresStore, rows, seconds};

/// How many notes are removed at once.
const TRIMMED_EFFECTS: i64 = 1000;

/// Parameters have no arrays: the keys come as JSON.
const KEYS: &str = "SELECT key FROM json_array_elements_text($4::json) AS key";

#[async_trait]
impl EffectStore for PostgresStore {
    async fn effects(&self, run_id: RunId) -> Result<Vec<CallEffect>> {
        const EFFECTS: &str = "SELECT call_id, result, void FROM turnkeep_effects WHERE run_id = $1::uuid";
        self.database.query(EFFECTS, &values![run_id]).await?.iter().map(effect).collect()
    }

    async fn close_effects(&self, fence: &Fence, keys: &[String]) -> Result<Vec<CallEffect>> {
        // A key that is just being written by a tool is waited for, without any lock that would keep the run's lease from
        // being renewed meanwhile. What came of that, only another statement sees.
        let close = format!(
            "WITH owned AS MATERIALIZED (SELECT id FROM ai_chat_runs WHERE {OWNED}), \
             closed AS (INSERT INTO turnkeep_effects (call_id, run_id, void, created_at) \
                 SELECT key, owned.id, true, turnkeep_now() FROM owned, ({KEYS}) AS asked \
                 ON CONFLICT (call_id) DO NOTHING) \
             SELECT COUNT(*) AS owned FROM owned"
        );
        const EFFECTS: &str = "SELECT call_id, result, void FROM turnkeep_effects \
             WHERE call_id IN (SELECT key FROM json_array_elements_text($1::json) AS key)";
        let keys = serde_json::to_string(keys)
            .map_err(|error| Error::internal("the keys of calls could not be encoded").with_source(error))?;
        let mut values = fence_values(fence).to_vec();
        values.extend(values![&keys]);
        let row = self.database.query_one(&close, &values).await?;
        if rows::get::<i64>(&row, "owned")? != 1 {
            return Err(lease_lost());
        }
        self.database.query(EFFECTS, &values![&keys]).await?.iter().map(effect).collect()
    }

    async fn trim_effects(&self, settled_for: Duration) -> Result<bool> {
        const TRIM: &str = "\
             WITH due AS MATERIALIZED (SELECT effect.call_id FROM turnkeep_effects AS effect \
                 JOIN ai_chat_runs AS run ON run.id = effect.run_id \
                 WHERE run.finished_at <= turnkeep_now() - make_interval(secs => $1::float8) \
                 LIMIT $2::bigint FOR UPDATE OF effect SKIP LOCKED), \
             gone AS (DELETE FROM turnkeep_effects AS effect USING due WHERE effect.call_id = due.call_id) \
             SELECT COUNT(*) AS found FROM due";
        let row = self.database.query_one(TRIM, &values![seconds(settled_for), TRIMMED_EFFECTS]).await?;
        Ok(rows::get::<i64>(&row, "found")? >= TRIMMED_EFFECTS)
    }
}

fn effect(row: &Row) -> Result<CallEffect> {
    // What cannot be read is none of ours: that it was done counts.
    let result = rows::get::<Option<&str>>(row, "result")?.and_then(|text| Json::parse(text).ok());
    Ok(CallEffect { key: rows::get(row, "call_id")?, result, is_void: rows::get(row, "void")? })
}
