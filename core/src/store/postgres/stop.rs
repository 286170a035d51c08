//! Stops that somebody asked for.

use async_trait::async_trait;

use crate::error::{Error, ErrorCode, Result};
use crate::id::RunId;
use crate::model::RunReason;
use crate::store::{STOP_NOTES_KEPT, StopStore};

use super::migrate::check_id;
use super::value::{ids, values};
use super::{PostgresStore, rows};

/// How often a stop is attempted whose run changes between waiting and running meanwhile.
const ATTEMPTS: usize = 5;

const STOP: &str = "\
     WITH at AS MATERIALIZED (SELECT turnkeep_now() AS now), \
     running AS (UPDATE ai_chat_runs SET stop_requested_at = COALESCE(stop_requested_at, now), \
         stop_reason = COALESCE(stop_reason, $2::text), updated_at = now FROM at \
         WHERE id = $1::uuid AND status IN ('pending', 'running', 'waiting') RETURNING id), \
     waiting AS (UPDATE ai_chat_run_queue SET stop_requested_at = COALESCE(stop_requested_at, now) FROM at \
         WHERE id = $1::uuid RETURNING id) \
     SELECT EXISTS (SELECT FROM running) OR EXISTS (SELECT FROM waiting) AS noted, \
         (SELECT status IN ('succeeded', 'failed', 'aborted') FROM ai_chat_runs WHERE id = $1::uuid) AS is_settled, \
         EXISTS (SELECT FROM ai_chat_run_queue WHERE id = $1::uuid) AS was_waiting";

const STOPS: &str = "\
     SELECT id::text AS id, true AS stop_asked, stop_reason::text AS stop_reason FROM ai_chat_runs \
         WHERE id = ANY ($1::uuid[]) AND stop_requested_at IS NOT NULL \
     UNION ALL SELECT id::text, true, NULL FROM ai_chat_run_queue \
         WHERE id = ANY ($1::uuid[]) AND stop_requested_at IS NOT NULL";

#[async_trait]
impl StopStore for PostgresStore {
    async fn request_stop(&self, run_id: RunId, reason: RunReason) -> Result<bool> {
        for _ in 0..ATTEMPTS {
            let row = self.database.query_one(STOP, &values![run_id, reason.as_str()]).await?;
            if rows::get::<bool>(&row, "noted")? {
                return Ok(true);
            }
            match rows::get::<Option<bool>>(&row, "is_settled")? {
                Some(true) => return Ok(false),
                // It has settled, or begun, while we waited for its row: another look tells.
                Some(false) => {}
                None if rows::get::<bool>(&row, "was_waiting")? => {}
                None => return Err(Error::new(ErrorCode::NotFound, "there is no such run")),
            }
        }
        Err(Error::new(ErrorCode::StoreUnavailable, "the store failed: the run is changed by others all the time"))
    }

    async fn stop_requests(&self, runs: &[RunId]) -> Result<Vec<(RunId, RunReason)>> {
        let found = self.database.query(STOPS, &values![ids(runs)]).await?;
        let stop = |row| Ok(rows::stop_reason(row)?.map(|reason| (rows::id(row, "id"), reason)));
        found
            .iter()
            .filter_map(|row| stop(row).transpose())
            .map(|stop: Result<_>| stop.and_then(|(id, reason)| Ok((id?, reason))))
            .collect()
    }

    async fn note_stop(&self, workspace_id: &str, user_id: &str, key: &str) -> Result<()> {
        const NOTE: &str = "\
             WITH forgotten AS (DELETE FROM turnkeep_stop_notes \
                 WHERE noted_at < turnkeep_now() - $4::bigint * interval '1 second') \
             INSERT INTO turnkeep_stop_notes (workspace_id, user_id, idempotency_key, noted_at) \
             VALUES ($1::text, $2::text, $3::text, turnkeep_now()) \
             ON CONFLICT (workspace_id, user_id, idempotency_key) DO UPDATE SET noted_at = excluded.noted_at";
        check_id("workspaceId", workspace_id, self.ids.workspace)?;
        check_id("userId", user_id, self.ids.user)?;
        check_id("idempotencyKey", key, false)?;
        let values = values![workspace_id, user_id, key, i64::try_from(STOP_NOTES_KEPT.as_secs()).unwrap_or(i64::MAX)];
        self.database.query(NOTE, &values).await.map(|_| ())
    }

    async fn is_stop_noted(&self, workspace_id: &str, user_id: &str, key: &str) -> Result<bool> {
        const NOTED: &str = "SELECT 1 AS noted FROM turnkeep_stop_notes \
             WHERE workspace_id = $1::text AND user_id = $2::text AND idempotency_key = $3::text";
        Ok(!self.database.query(NOTED, &values![workspace_id, user_id, key]).await?.is_empty())
    }
}
