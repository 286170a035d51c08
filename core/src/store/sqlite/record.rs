//! The records of turns that are not stored.

use std::time::Duration;

use async_trait::async_trait;
use rusqlite::params;

use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::RunId;
use crate::model::{RunReason, RunStatus, StatelessRun};
use crate::store::{BeginRecord, FinishRecord, RecordStore, lease_lost};

use super::SqliteStore;

#[async_trait]
impl RecordStore for SqliteStore {
    async fn begin_record(&self, begin: &BeginRecord) -> Result<()> {
        const BEGIN: &str = "INSERT OR IGNORE INTO turnkeep_stateless_runs (id, workspace_id, created_by, status, \
             lease_expires_at, created_at) VALUES (?1, ?2, ?3, 'running', ?4, ?5)";
        let BeginRecord { run_id, workspace_id, user_id, lease } = begin.clone();
        self.write(move |tables| {
            let lease = tables.now.after(lease);
            tables.execute(BEGIN, params![run_id, workspace_id, user_id, lease, tables.now]).map(|_| ())
        })
        .await
    }

    async fn renew_records(&self, runs: &[RunId], lease: Duration) -> Result<Vec<RunId>> {
        const RENEW: &str =
            "UPDATE turnkeep_stateless_runs SET lease_expires_at = ?2 WHERE id = ?1 AND status = 'running'";
        let runs = runs.to_vec();
        self.write(move |tables| {
            let mut ended = Vec::new();
            for run_id in &runs {
                if tables.execute(RENEW, params![run_id, tables.now.after(lease)])? == 0 {
                    ended.push(*run_id);
                }
            }
            Ok(ended)
        })
        .await
    }

    async fn stop_record(&self, run_id: RunId) -> Result<bool> {
        const STOP: &str = "UPDATE turnkeep_stateless_runs SET stop_requested_at = COALESCE(stop_requested_at, ?2) \
             WHERE id = ?1 AND status = 'running'";
        self.write(move |tables| Ok(tables.execute(STOP, params![run_id, tables.now])? == 1)).await
    }

    async fn stopped_records(&self, runs: &[RunId]) -> Result<Vec<RunId>> {
        const STOPPED: &str = "SELECT EXISTS (SELECT 1 FROM turnkeep_stateless_runs WHERE id = ?1 \
             AND stop_requested_at IS NOT NULL AND status = 'running')";
        let runs = runs.to_vec();
        self.read(move |tables| {
            let mut stopped = Vec::new();
            for run_id in &runs {
                if tables.one(STOPPED, [run_id])? {
                    stopped.push(*run_id);
                }
            }
            Ok(stopped)
        })
        .await
    }

    async fn finish_record(&self, finish: &FinishRecord) -> Result<()> {
        const FINISH: &str = "UPDATE turnkeep_stateless_runs SET status = ?2, reason = ?3, error = ?4, step_count = ?5, \
             lease_expires_at = NULL, finished_at = ?6 WHERE id = ?1 AND status = 'running'";
        const IS_SO: &str = "SELECT EXISTS (SELECT 1 FROM turnkeep_stateless_runs WHERE id = ?1 AND status = ?2)";
        let FinishRecord { run_id, status, reason, error, step_count } = finish.clone();
        self.write(move |tables| {
            let (status, reason) = (status.as_str(), reason.map(RunReason::as_str));
            let finished = tables.execute(FINISH, params![run_id, status, reason, error, step_count, tables.now])? == 1;
            if !finished && !tables.one(IS_SO, params![run_id, status])? {
                return Err(lease_lost());
            }
            tables.settle_reserved(run_id)
        })
        .await
    }

    async fn sweep_records(&self) -> Result<usize> {
        const LEFT: &str = "UPDATE turnkeep_stateless_runs SET status = 'aborted', \
             reason = CASE WHEN stop_requested_at IS NULL THEN 'worker_lost' ELSE 'stopped' END, \
             lease_expires_at = NULL, finished_at = ?1 WHERE status = 'running' AND lease_expires_at <= ?1 RETURNING id";
        const ANY: &str =
            "SELECT EXISTS (SELECT 1 FROM turnkeep_stateless_runs WHERE status = 'running' AND lease_expires_at <= ?1)";
        // Most of the time there is nothing to be written.
        if !self.read(|tables| tables.one(ANY, [tables.now])).await? {
            return Ok(0);
        }
        self.write(move |tables| {
            let left = tables.all(LEFT, [tables.now], |row| row.get::<_, String>(0))?;
            for run_id in left.iter().filter_map(|id| id.parse().ok()) {
                tables.settle_reserved(run_id)?;
            }
            Ok(left.len())
        })
        .await
    }

    async fn record(&self, run_id: RunId) -> Result<Option<StatelessRun>> {
        const ONE: &str = "SELECT workspace_id, created_by, status, reason, error, step_count, stop_requested_at, \
             created_at, finished_at FROM turnkeep_stateless_runs WHERE id = ?1";
        self.read(move |tables| {
            tables.first(ONE, [run_id], |row| {
                let at = |column| -> rusqlite::Result<Option<Timestamp>> {
                    Ok(row.get::<_, Option<String>>(column)?.as_deref().and_then(Timestamp::parse))
                };
                Ok(StatelessRun {
                    id: run_id,
                    workspace_id: row.get("workspace_id")?,
                    created_by: row.get("created_by")?,
                    status: RunStatus::read(&row.get::<_, String>("status")?),
                    reason: row.get::<_, Option<String>>("reason")?.as_deref().map(RunReason::read),
                    error: row.get("error")?,
                    step_count: row.get("step_count")?,
                    stop_requested_at: at("stop_requested_at")?,
                    created_at: at("created_at")?.unwrap_or(Timestamp::from_millis(0)),
                    finished_at: at("finished_at")?,
                })
            })
        })
        .await
    }

    async fn forget_records(&self, before: Duration) -> Result<()> {
        const FORGET: &str = "DELETE FROM turnkeep_stateless_runs WHERE finished_at <= ?1";
        self.write(move |tables| tables.execute(FORGET, [tables.now.before(before)]).map(|_| ())).await
    }
}
