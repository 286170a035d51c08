//! The records of turns that are not stored.

use std::time::Duration;

use async_trait::async_trait;

use crate::error::Result;
use crate::id::RunId;
use crate::model::{RunReason, RunStatus, StatelessRun};
use crate::store::{BeginRecord, FinishRecord, RecordStore, lease_lost};
use crate::text::storable;

use super::value::{ids, values};
use super::{PostgresStore, rows, seconds};

#[async_trait]
impl RecordStore for PostgresStore {
    async fn begin_record(&self, begin: &BeginRecord) -> Result<()> {
        const BEGIN: &str = "INSERT INTO turnkeep_stateless_runs (id, workspace_id, created_by, status, lease_expires_at, \
             created_at) SELECT $1::uuid, $2::text, $3::text, 'running', now + make_interval(secs => $4::float8), now \
             FROM (SELECT turnkeep_now() AS now) AS at ON CONFLICT (id) DO NOTHING";
        let values = values![begin.run_id, &begin.workspace_id, &begin.user_id, seconds(begin.lease)];
        self.database.query(BEGIN, &values).await.map(|_| ())
    }

    async fn renew_records(&self, runs: &[RunId], lease: Duration) -> Result<Vec<RunId>> {
        const RENEW: &str = "WITH renewed AS (UPDATE turnkeep_stateless_runs \
             SET lease_expires_at = turnkeep_now() + make_interval(secs => $2::float8) \
             WHERE id = ANY ($1::uuid[]) AND status = 'running' RETURNING id) \
             SELECT wanted.id::text AS id FROM unnest($1::uuid[]) AS wanted (id) \
             WHERE wanted.id NOT IN (SELECT id FROM renewed)";
        let found = self.database.query(RENEW, &[ids(runs), seconds(lease).into()]).await?;
        found.iter().map(|row| rows::id(row, "id")).collect()
    }

    async fn stop_record(&self, run_id: RunId) -> Result<bool> {
        const STOP: &str = "UPDATE turnkeep_stateless_runs \
             SET stop_requested_at = COALESCE(stop_requested_at, turnkeep_now()) \
             WHERE id = $1::uuid AND status = 'running' RETURNING id::text AS id";
        Ok(!self.database.query(STOP, &values![run_id]).await?.is_empty())
    }

    async fn stopped_records(&self, runs: &[RunId]) -> Result<Vec<RunId>> {
        const STOPPED: &str = "SELECT id::text AS id FROM turnkeep_stateless_runs WHERE id = ANY ($1::uuid[]) \
             AND stop_requested_at IS NOT NULL AND status = 'running'";
        self.database.query(STOPPED, &[ids(runs)]).await?.iter().map(|row| rows::id(row, "id")).collect()
    }

    async fn finish_record(&self, finish: &FinishRecord) -> Result<()> {
        const FINISH: &str = "WITH finished AS (UPDATE turnkeep_stateless_runs SET status = $2::text, reason = $3::text, \
             error = $4::text, step_count = $5::integer, lease_expires_at = NULL, finished_at = turnkeep_now() \
             WHERE id = $1::uuid AND status = 'running' RETURNING id), \
             reserved AS (UPDATE turnkeep_usage SET reserved = false FROM finished \
             WHERE run_id = finished.id::text AND reserved) \
             SELECT EXISTS (SELECT FROM finished) OR EXISTS (SELECT FROM turnkeep_stateless_runs \
             WHERE id = $1::uuid AND status = $2::text) AS is_so";
        let values = values![
            finish.run_id,
            finish.status.as_str(),
            finish.reason.map(RunReason::as_str),
            finish.error.clone().map(storable),
            finish.step_count,
        ];
        let row = self.database.query_one(FINISH, &values).await?;
        if rows::get(&row, "is_so")? { Ok(()) } else { Err(lease_lost()) }
    }

    async fn sweep_records(&self) -> Result<usize> {
        const SWEEP: &str = "WITH left_behind AS (UPDATE turnkeep_stateless_runs SET status = 'aborted', \
             reason = CASE WHEN stop_requested_at IS NULL THEN 'worker_lost' ELSE 'stopped' END, \
             lease_expires_at = NULL, finished_at = turnkeep_now() \
             WHERE status = 'running' AND lease_expires_at <= turnkeep_now() RETURNING id), \
             reserved AS (UPDATE turnkeep_usage SET reserved = false FROM left_behind \
             WHERE run_id = left_behind.id::text AND reserved) \
             SELECT COUNT(*) AS count FROM left_behind";
        let row = self.database.query_one(SWEEP, &[]).await?;
        Ok(usize::try_from(rows::get::<i64>(&row, "count")?).unwrap_or(0))
    }

    async fn record(&self, run_id: RunId) -> Result<Option<StatelessRun>> {
        const ONE: &str = "SELECT workspace_id, created_by, status, reason, error, step_count::bigint AS step_count, \
             stop_requested_at, created_at, finished_at FROM turnkeep_stateless_runs WHERE id = $1::uuid";
        let found = self.database.query(ONE, &values![run_id]).await?;
        let Some(row) = found.first() else { return Ok(None) };
        Ok(Some(StatelessRun {
            id: run_id,
            workspace_id: rows::get(row, "workspace_id")?,
            created_by: rows::get(row, "created_by")?,
            status: RunStatus::read(&rows::get::<String>(row, "status")?),
            reason: rows::get::<Option<String>>(row, "reason")?.as_deref().map(RunReason::read),
            error: rows::get(row, "error")?,
            step_count: rows::small(row, "step_count")?,
            stop_requested_at: rows::optional_time(row, "stop_requested_at")?,
            created_at: rows::time(row, "created_at")?,
            finished_at: rows::optional_time(row, "finished_at")?,
        }))
    }

    async fn forget_records(&self, before: Duration) -> Result<()> {
        const FORGET: &str = "DELETE FROM turnkeep_stateless_runs \
             WHERE finished_at <= turnkeep_now() - make_interval(secs => $1::float8)";
        self.database.query(FORGET, &values![seconds(before)]).await.map(|_| ())
    }
}
