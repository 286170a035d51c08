//! Signs of life, stops, and runs that were left behind.

use std::time::Duration;

use crate::error::{Error, ErrorCode, Result};
use crate::id::RunId;
use crate::model::RunReason;
use crate::store::{ClaimedRun, Fence, Renewal, UNTOUCHED_WITHOUT_LEASE};

use super::rows::{self, RUN_COLUMNS};
use super::value::{ids, values};
use super::{PostgresStore, seconds};

/// How often a stop is attempted whose run changes between waiting and running meanwhile.
const ATTEMPTS: usize = 5;

const RENEW: &str = "\
     WITH running AS (UPDATE ai_chat_runs \
         SET lease_expires_at = turnkeep_now() + make_interval(secs => $3::float8) \
         WHERE id = ANY ($1::uuid[]) AND owner = $2::text AND status IN ('pending', 'running') \
         RETURNING id, stop_requested_at, stop_reason), \
     waiting AS (UPDATE ai_chat_run_queue \
         SET lease_expires_at = turnkeep_now() + make_interval(secs => $3::float8) \
         WHERE id = ANY ($1::uuid[]) AND owner = $2::text RETURNING id, stop_requested_at) \
     SELECT id::text AS id, stop_requested_at IS NOT NULL AS stop_asked, stop_reason::text AS stop_reason FROM running \
     UNION ALL SELECT id::text, stop_requested_at IS NOT NULL, NULL FROM waiting";
const STOPS: &str = "\
     SELECT id::text AS id, true AS stop_asked, stop_reason::text AS stop_reason FROM ai_chat_runs \
         WHERE id = ANY ($1::uuid[]) AND stop_requested_at IS NOT NULL \
     UNION ALL SELECT id::text, true, NULL FROM ai_chat_run_queue \
         WHERE id = ANY ($1::uuid[]) AND stop_requested_at IS NOT NULL";
const STOP: &str = "\
     WITH at AS MATERIALIZED (SELECT turnkeep_now() AS now), \
     running AS (UPDATE ai_chat_runs SET stop_requested_at = COALESCE(stop_requested_at, now), \
         stop_reason = COALESCE(stop_reason, $2::text), updated_at = now FROM at \
         WHERE id = $1::uuid AND status IN ('pending', 'running') RETURNING id), \
     waiting AS (UPDATE ai_chat_run_queue SET stop_requested_at = COALESCE(stop_requested_at, now) FROM at \
         WHERE id = $1::uuid RETURNING id) \
     SELECT EXISTS (SELECT FROM running) OR EXISTS (SELECT FROM waiting) AS noted, \
         (SELECT status IN ('succeeded', 'failed', 'aborted') FROM ai_chat_runs WHERE id = $1::uuid) AS is_settled, \
         EXISTS (SELECT FROM ai_chat_run_queue WHERE id = $1::uuid) AS was_waiting";

/// Statements of this file, built once.
pub(super) struct Statements {
    claim: String,
}

impl Statements {
    pub(super) fn new() -> Self {
        Self {
            // Every active row is in exactly one of the two arms. Those that somebody is writing just now are not waited
            // for: either they live, or another sweep has them.
            claim: format!(
                "WITH due AS MATERIALIZED (SELECT * FROM ai_chat_runs WHERE status IN ('pending', 'running') \
                 AND ($4::uuid IS NULL OR id = $4::uuid) \
                 AND (lease_expires_at <= turnkeep_now() OR (lease_expires_at IS NULL \
                     AND updated_at <= turnkeep_now() - make_interval(secs => $3::float8))) \
                 FOR UPDATE SKIP LOCKED), \
                 claimed AS (UPDATE ai_chat_runs SET owner = $1::text, epoch = ai_chat_runs.epoch + 1, \
                 lease_expires_at = turnkeep_now() + make_interval(secs => $2::float8), updated_at = turnkeep_now() \
                 FROM due WHERE ai_chat_runs.id = due.id RETURNING ai_chat_runs.id, ai_chat_runs.epoch) \
                 SELECT {RUN_COLUMNS}, claimed.epoch AS claimed_epoch, run.stop_requested_at IS NOT NULL AS stop_asked, \
                 run.stop_reason::text AS stop_reason FROM due AS run JOIN claimed ON claimed.id = run.id"
            ),
        }
    }
}

impl PostgresStore {
    pub(super) async fn renew(&self, owner: &str, runs: &[RunId], lease: Duration) -> Result<Renewal> {
        let found = self.database.query(RENEW, &values![ids(runs), owner, seconds(lease)]).await?;
        let mut renewed = std::collections::HashSet::new();
        let mut renewal = Renewal::default();
        for row in &found {
            let run_id: RunId = rows::id(row, "id")?;
            renewed.insert(run_id);
            if let Some(reason) = rows::stop_reason(row)? {
                renewal.stop_requested.push((run_id, reason));
            }
        }
        renewal.lost = runs.iter().copied().filter(|run_id| !renewed.contains(run_id)).collect();
        Ok(renewal)
    }

    pub(super) async fn stops(&self, runs: &[RunId]) -> Result<Vec<(RunId, RunReason)>> {
        let found = self.database.query(STOPS, &values![ids(runs)]).await?;
        let stop = |row| Ok(rows::stop_reason(row)?.map(|reason| (rows::id(row, "id"), reason)));
        found
            .iter()
            .filter_map(|row| stop(row).transpose())
            .map(|stop: Result<_>| stop.and_then(|(id, reason)| Ok((id?, reason))))
            .collect()
    }

    pub(super) async fn stop(&self, run_id: RunId, reason: RunReason) -> Result<bool> {
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

    pub(super) async fn claim(&self, owner: &str, lease: Duration, only: Option<RunId>) -> Result<Vec<ClaimedRun>> {
        let values = values![owner, seconds(lease), seconds(UNTOUCHED_WITHOUT_LEASE), only];
        let found = self.database.query(&self.leases.claim, &values).await?;
        found
            .iter()
            .map(|row| {
                let run = rows::run(row)?;
                let fence = Fence { run_id: run.id, owner: owner.to_owned(), epoch: rows::get(row, "claimed_epoch")? };
                Ok(ClaimedRun { run, fence, stop_reason: rows::stop_reason(row)? })
            })
            .collect()
    }
}
