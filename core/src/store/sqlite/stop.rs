//! Stops that somebody asked for.

use async_trait::async_trait;
use rusqlite::params;

use crate::error::{Error, ErrorCode, Result};
use crate::id::RunId;
use crate::model::RunReason;
use crate::store::{STOP_NOTES_KEPT, StopStore};

use super::SqliteStore;
use super::rows::{self, ACTIVE};

#[async_trait]
impl StopStore for SqliteStore {
    async fn request_stop(&self, run_id: RunId, reason: RunReason) -> Result<bool> {
        self.write(move |tables| {
            let running = tables.execute(
                &format!(
                    "UPDATE ai_chat_runs SET stop_requested_at = COALESCE(stop_requested_at, ?2), \
                     stop_reason = COALESCE(stop_reason, ?3), updated_at = ?2 WHERE id = ?1 AND {ACTIVE}"
                ),
                params![run_id, tables.now, reason.as_str()],
            )?;
            if running == 1 {
                return Ok(true);
            }
            let waiting = tables.execute(
                "UPDATE ai_chat_run_queue SET stop_requested_at = COALESCE(stop_requested_at, ?2) WHERE id = ?1",
                params![run_id, tables.now],
            )?;
            if waiting == 0 && tables.run(run_id)?.is_none() {
                return Err(Error::new(ErrorCode::NotFound, "there is no such run"));
            }
            Ok(waiting == 1)
        })
        .await
    }

    async fn stop_requests(&self, runs: &[RunId]) -> Result<Vec<(RunId, RunReason)>> {
        let runs = runs.to_vec();
        self.read(move |tables| {
            let mut stopped = Vec::new();
            for run_id in runs {
                let stop = tables.first(
                    "SELECT stop_requested_at IS NOT NULL, stop_reason FROM ai_chat_runs WHERE id = ?1 \
                     UNION ALL SELECT stop_requested_at IS NOT NULL, NULL FROM ai_chat_run_queue WHERE id = ?1",
                    [run_id],
                    rows::stop_reason,
                )?;
                stopped.extend(stop.flatten().map(|reason| (run_id, reason)));
            }
            Ok(stopped)
        })
        .await
    }

    async fn note_stop(&self, workspace_id: &str, user_id: &str, key: &str) -> Result<()> {
        let (workspace_id, user_id, key) = (workspace_id.to_owned(), user_id.to_owned(), key.to_owned());
        self.write(move |tables| {
            let too_old = tables.now.before(STOP_NOTES_KEPT);
            tables.execute("DELETE FROM turnkeep_stop_notes WHERE noted_at < ?1", [too_old])?;
            tables.execute(
                "INSERT OR REPLACE INTO turnkeep_stop_notes (workspace_id, user_id, idempotency_key, noted_at) \
                 VALUES (?1, ?2, ?3, ?4)",
                params![workspace_id, user_id, key, tables.now],
            )?;
            Ok(())
        })
        .await
    }

    async fn is_stop_noted(&self, workspace_id: &str, user_id: &str, key: &str) -> Result<bool> {
        const NOTED: &str = "SELECT EXISTS (SELECT 1 FROM turnkeep_stop_notes \
             WHERE workspace_id = ?1 AND user_id = ?2 AND idempotency_key = ?3)";
        let note = [workspace_id, user_id, key].map(str::to_owned);
        self.read(move |tables| tables.one(NOTED, note)).await
    }
}
