//! Who has which run.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::RunId;
use crate::model::{Json, Trigger};
use crate::store::{
    BeginRun, ClaimedRun, Fence, LeaseStore, MOST_OWNERS, NewUserMessage, Offer, OfferedRuns, Renewal, RunPlan,
    RunStore, Sweep, UNREADABLE_RUN, UNTOUCHED_WITHOUT_LEASE, lease_lost,
};

use super::rows::{self, RUN_COLUMNS};
use super::value::{ids, values};
use super::{PostgresStore, seconds};
use crate::store::plan::unwritten_row;

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

const RELEASE: &str = "\
     WITH running AS (UPDATE ai_chat_runs SET lease_expires_at = turnkeep_now() \
         WHERE id = $1::uuid AND owner = $2::text AND epoch = $3::bigint AND status IN ('pending', 'running') \
         RETURNING id), \
     waiting AS (UPDATE ai_chat_run_queue SET lease_expires_at = turnkeep_now() \
         WHERE id = $1::uuid AND owner = $2::text RETURNING id) \
     SELECT EXISTS (SELECT FROM running) OR EXISTS (SELECT FROM waiting) AS released";

const CLAIM_WAITING: &str = "\
     WITH due AS MATERIALIZED (SELECT id FROM ai_chat_run_queue WHERE plan IS NOT NULL AND stop_requested_at IS NULL \
         AND (owner <> $1::text OR NOT id = ANY ($5::uuid[])) \
         AND lease_expires_at <= $6::timestamptz AND lease_expires_at <= turnkeep_now() \
         AND plan::jsonb -> 'tools' <@ $3::text::jsonb \
         ORDER BY id LIMIT $4::bigint FOR UPDATE SKIP LOCKED) \
     UPDATE ai_chat_run_queue AS run SET owner = $1::text, \
         lease_expires_at = turnkeep_now() + make_interval(secs => $2::float8) FROM due WHERE run.id = due.id \
     RETURNING run.id::text AS id, run.chat_id::text AS chat_id, run.workspace_id::text AS workspace_id, \
         run.created_by::text AS created_by, run.trigger::text AS trigger, run.user_message_id::text AS user_message_id, \
         run.user_content::text AS user_content, run.user_metadata::text AS user_metadata, \
         run.assistant_message_id::text AS assistant_message_id, run.idempotency_key::text AS idempotency_key, run.plan";

/// The runs that somebody drives, or may.
const DRIVEN: &str = "status IN ('pending', 'running')";
/// Those that wait for an answer and were asked to stop: each in a statement of its own, which its index serves.
const WAITING_STOPPED: &str = "status = 'waiting' AND stop_requested_at IS NOT NULL";

/// Every active row is in exactly one of the two arms, and those with a plan are in them later, unless nobody
/// is to go on with them. Those that somebody is writing just now are not waited for: either they live, or
/// another has them. A tool that has noted an effect of a run, and whose transaction is open, only keeps it from being
/// removed.
fn claim_statement(status: &str) -> String {
    format!(
        "WITH at AS MATERIALIZED (SELECT turnkeep_now() AS now, \
         turnkeep_now() - make_interval(secs => $3::float8) AS long_ago), \
         due AS MATERIALIZED (SELECT ai_chat_runs.* FROM ai_chat_runs, at \
         WHERE {status} AND ($4::uuid IS NULL OR id = $4::uuid) \
         AND (lease_expires_at <= $6::timestamptz OR lease_expires_at IS NULL) \
         AND (owner IS DISTINCT FROM $1::text OR NOT id = ANY ($5::uuid[])) \
         AND CASE WHEN plan IS NULL THEN lease_expires_at <= now \
                 OR (lease_expires_at IS NULL AND updated_at <= long_ago) \
             WHEN stop_requested_at IS NOT NULL OR epoch - suspensions >= {MOST_OWNERS} \
                 THEN lease_expires_at <= now OR lease_expires_at IS NULL \
             WHEN status = 'pending' AND answered THEN false \
             ELSE COALESCE(lease_expires_at, updated_at) <= long_ago END \
         LIMIT $7::bigint FOR NO KEY UPDATE OF ai_chat_runs SKIP LOCKED), \
         claimed AS (UPDATE ai_chat_runs SET owner = $1::text, epoch = ai_chat_runs.epoch + 1, \
         lease_expires_at = turnkeep_now() + make_interval(secs => $2::float8), updated_at = turnkeep_now() \
         FROM due WHERE ai_chat_runs.id = due.id RETURNING ai_chat_runs.id, ai_chat_runs.epoch) \
         SELECT {RUN_COLUMNS}, claimed.epoch AS claimed_epoch, run.stop_requested_at IS NOT NULL AS stop_asked, \
         run.stop_reason::text AS stop_reason FROM due AS run JOIN claimed ON claimed.id = run.id"
    )
}

fn claim_offered_statement() -> String {
    format!(
        "WITH due AS MATERIALIZED (SELECT * FROM ai_chat_runs WHERE status IN ('pending', 'running') \
         AND plan IS NOT NULL AND stop_requested_at IS NULL AND epoch - suspensions < {MOST_OWNERS} \
         AND (owner IS DISTINCT FROM $1::text OR NOT id = ANY ($5::uuid[])) \
         AND (lease_expires_at <= $6::timestamptz AND lease_expires_at <= turnkeep_now() \
             OR (lease_expires_at IS NULL AND status = 'pending')) \
         AND plan::jsonb -> 'tools' <@ $3::text::jsonb ORDER BY id LIMIT $4::bigint FOR NO KEY UPDATE SKIP LOCKED), \
         claimed AS (UPDATE ai_chat_runs SET owner = $1::text, epoch = ai_chat_runs.epoch + 1, \
         status = 'running', started_at = COALESCE(ai_chat_runs.started_at, turnkeep_now()), \
         lease_expires_at = turnkeep_now() + make_interval(secs => $2::float8), updated_at = turnkeep_now() \
         FROM due WHERE ai_chat_runs.id = due.id RETURNING ai_chat_runs.id, ai_chat_runs.epoch) \
         SELECT {RUN_COLUMNS}, claimed.epoch AS claimed_epoch, false AS stop_asked, \
         NULL::text AS stop_reason, run.plan AS plan FROM due AS run JOIN claimed ON claimed.id = run.id"
    )
}

#[async_trait]
impl LeaseStore for PostgresStore {
    async fn time(&self) -> Result<Timestamp> {
        let row = self.database.query_one("SELECT turnkeep_now() AS at", &values![]).await?;
        rows::time(&row, "at")
    }

    async fn renew_leases(&self, owner: &str, runs: &[RunId], lease: Duration) -> Result<Renewal> {
        let mut renewal = Renewal { lost: runs.to_vec(), ..Renewal::default() };
        // One that begins just then is in neither table for the first look: its row among the runs came after the look
        // had begun, and the one among those that wait was gone when it came to it. Lost is what the second look misses.
        for _ in 0..2 {
            let found = self.database.query(RENEW, &values![ids(&renewal.lost), owner, seconds(lease)]).await?;
            let mut renewed = HashSet::new();
            for row in &found {
                let run_id: RunId = rows::id(row, "id")?;
                renewed.insert(run_id);
                if let Some(reason) = rows::stop_reason(row)? {
                    renewal.stop_requested.push((run_id, reason));
                }
            }
            renewal.lost.retain(|run_id| !renewed.contains(run_id));
            if renewal.lost.is_empty() {
                break;
            }
        }
        Ok(renewal)
    }

    async fn release_run(&self, fence: &Fence) -> Result<()> {
        let row = self.database.query_one(RELEASE, &values![fence.run_id, &fence.owner, fence.epoch]).await?;
        if rows::get::<bool>(&row, "released")? { Ok(()) } else { Err(lease_lost()) }
    }

    async fn claim_offered(&self, offer: Offer<'_>, lease: Duration) -> Result<OfferedRuns> {
        let tools = serde_json::to_string(offer.tools)
            .map_err(|error| Error::internal("names of tools could not be encoded").with_source(error))?;
        let count = |taken: usize| i64::try_from(offer.limit.saturating_sub(taken)).unwrap_or(i64::MAX);
        let mut runs = OfferedRuns::default();
        let spare = ids(offer.spare);
        let values = values![offer.owner, seconds(lease), &tools, count(0), spare.clone(), offer.leases_at];
        for row in &self.database.query(&claim_offered_statement(), &values).await? {
            let plan = RunPlan::parse(rows::get(row, "plan")?).unwrap_or_default();
            match claimed(row, offer.owner) {
                Ok(run) => runs.active.push((run, plan)),
                Err(error) => tracing::error!(%error, "a run cannot be read; the sweep ends it"),
            }
        }
        let values = values![offer.owner, seconds(lease), &tools, count(runs.active.len()), spare, offer.leases_at];
        match self.database.query(CLAIM_WAITING, &values).await {
            Ok(found) => {
                for row in &found {
                    // One that cannot be read is left to the sweep, when its lease runs out.
                    match waiting(row, offer.owner, lease) {
                        Ok(begin) => runs.waiting.push(begin),
                        Err(error) => tracing::error!(%error, "a run that waits cannot be read"),
                    }
                }
                Ok(runs)
            }
            // What was taken already is the caller's, whatever came of the rest.
            Err(_) if !runs.active.is_empty() => Ok(runs),
            Err(error) => Err(error),
        }
    }

    async fn claim_abandoned(&self, sweep: Sweep<'_>) -> Result<Vec<ClaimedRun>> {
        let values = values![
            sweep.owner,
            seconds(sweep.lease),
            seconds(UNTOUCHED_WITHOUT_LEASE),
            sweep.only,
            ids(sweep.spare),
            sweep.leases_at,
            i64::try_from(sweep.limit).unwrap_or(i64::MAX),
        ];
        let mut found = self.database.query(&claim_statement(DRIVEN), &values).await?;
        found.extend(self.database.query(&claim_statement(WAITING_STOPPED), &values).await?);
        let mut runs = Vec::with_capacity(found.len());
        for row in &found {
            match claimed(row, sweep.owner) {
                Ok(run) => runs.push(run),
                // One that cannot be read must not keep the others from being settled.
                Err(error) => {
                    tracing::error!(%error, "a run that cannot be read is ended");
                    let Ok(run_id) = rows::id(row, "id") else { continue };
                    let epoch = rows::get(row, "claimed_epoch")?;
                    let fence = Fence { run_id, owner: sweep.owner.to_owned(), epoch };
                    if let Err(error) = self.fail_run(&fence, UNREADABLE_RUN).await {
                        tracing::warn!(%error, "it could not be ended; that will be repeated");
                    }
                }
            }
        }
        Ok(runs)
    }
}

fn claimed(row: &tokio_postgres::Row, owner: &str) -> Result<ClaimedRun> {
    let run = rows::run(row)?;
    let fence = Fence { run_id: run.id, owner: owner.to_owned(), epoch: rows::get(row, "claimed_epoch")? };
    Ok(ClaimedRun { run, fence, stop_reason: rows::stop_reason(row)? })
}

fn waiting(row: &tokio_postgres::Row, owner: &str, lease: Duration) -> Result<BeginRun> {
    let metadata: &str = rows::get(row, "user_metadata")?;
    Ok(BeginRun {
        run_id: rows::id(row, "id")?,
        chat_id: rows::id(row, "chat_id")?,
        workspace_id: rows::get(row, "workspace_id")?,
        user_id: rows::get(row, "created_by")?,
        trigger: Trigger::read(rows::get(row, "trigger")?),
        owner: owner.to_owned(),
        lease,
        plan: RunPlan::parse(rows::get(row, "plan")?),
        unowned: false,
        role_id: None,
        page_id: None,
        replaces: None,
        user_message: Some(NewUserMessage {
            id: rows::id(row, "user_message_id")?,
            content: rows::get(row, "user_content")?,
            metadata: Json::parse(metadata).unwrap_or_else(|_| Json::empty_object()),
        }),
        assistant_message_id: rows::id(row, "assistant_message_id")?,
        assistant: unwritten_row(),
        idempotency_key: rows::get(row, "idempotency_key")?,
        from_queue: true,
    })
}
