//! Runs that wait for somebody's answer.

use async_trait::async_trait;

use crate::error::Result;
use crate::id::RunId;
use crate::model::Waits;
use crate::store::{SuspendRun, WaitStore, WaitingOf, WaitingRun, lease_lost};
use crate::text::storable;

use super::log::{AT, OF_RUN, OWNED, column, fence_values, message_update, step_insert, step_values};
use super::migrate::check_id;
use super::rows::{self, RUN_COLUMNS};
use super::usage::{CALL_VALUES, call_entry, call_values};
use super::value::values;
use super::{PostgresStore, limited};

/// A run that has its answers, and a chat that nobody else holds. Where two of one chat wake at once, the gate decides.
const AWAKE: &str = "run.status = 'waiting' AND run.answered AND run.stop_requested_at IS NULL AND NOT EXISTS (SELECT \
     FROM ai_chat_runs AS other WHERE other.chat_id = run.chat_id AND other.id <> run.id \
     AND (other.status IN ('pending', 'running') OR (other.status = 'waiting' AND NOT other.frees_chat)))";

/// `$4` and `$5` are what the run waits for and until when, `$6` to `$12` the step, `$13` to `$16` the pack.
fn suspend_statement() -> String {
    format!(
        "WITH {AT}, \
         owned AS (UPDATE ai_chat_runs SET status = 'waiting', owner = NULL, lease_expires_at = NULL, waits = $4::text, \
         waits_until = $5::timestamptz, answered = false, suspensions = suspensions + 1, updated_at = now FROM at \
         WHERE {OWNED} RETURNING {OF_RUN}), \
         pack AS (INSERT INTO ai_chat_run_chunks \
         (run_id, first_sequence, last_sequence, epoch, step_number, chunks, created_at) \
         SELECT id, $13::bigint, $14::bigint, $3::bigint, $15::integer, $16::text, now FROM owned, at \
         WHERE $13::bigint IS NOT NULL ON CONFLICT (run_id, first_sequence) DO NOTHING), \
         step AS ({}), {}, message AS ({}) \
         SELECT COUNT(*) AS owned, EXISTS (SELECT FROM ai_chat_runs WHERE id = $1::uuid AND epoch = $3::bigint \
         AND status = 'waiting' AND owner IS NULL) AS suspended_before FROM owned",
        step_insert(6, ""),
        call_entry(17, "true", "true"),
        message_update(17 + CALL_VALUES),
    )
}

const CHANGE: &str = "\
     UPDATE ai_chat_runs SET waits = $3::text, answered = $4::boolean, waits_until = $5::timestamptz, \
     updated_at = turnkeep_now() \
     WHERE id = $1::uuid AND waits = $2::text AND status = 'waiting' AND stop_requested_at IS NULL RETURNING id";

#[async_trait]
impl WaitStore for PostgresStore {
    async fn suspend_run(&self, suspend: SuspendRun) -> Result<()> {
        let SuspendRun { fence, step, pack, waits, call, assistant } = &suspend;
        let mut values = fence_values(fence).to_vec();
        values.extend(values![storable(waits.to_json()), waits.next_expiry()]);
        values.extend(step_values(step, None)?);
        let pack = pack.as_ref();
        values.extend(values![
            pack.map(|pack| column(pack.first_sequence)),
            pack.map(|pack| column(pack.first_sequence + pack.chunks.len().saturating_sub(1) as u64)),
            pack.map(|pack| pack.step_number),
            pack.map(|pack| storable(format!("[{}]", pack.chunks.join(",")))),
        ]);
        values.extend(call_values(Some(step), call));
        let row = self.write_with_message(&suspend_statement(), values, assistant).await?;
        // The answer to an earlier attempt may have been lost on its way.
        if rows::get::<i64>(&row, "owned")? == 1 || rows::get::<bool>(&row, "suspended_before")? {
            Ok(())
        } else {
            Err(lease_lost())
        }
    }

    async fn waits(&self, run_id: RunId) -> Result<Option<WaitingRun>> {
        let sql = format!(
            "SELECT {RUN_COLUMNS}, run.waits FROM ai_chat_runs AS run WHERE run.id = $1::uuid AND run.waits IS NOT NULL"
        );
        let found = self.database.query(&sql, &values![run_id]).await?;
        Ok(found.first().map(waiting_run).transpose()?.flatten())
    }

    async fn change_waits(&self, run_id: RunId, was: &Waits, waits: &Waits) -> Result<bool> {
        let (was, now) = (storable(was.to_json()), storable(waits.to_json()));
        let values = values![run_id, was, now, waits.are_answered(), waits.next_expiry()];
        let changed = !self.database.query(CHANGE, &values).await?.is_empty();
        if changed && waits.are_answered() {
            // Whoever looks for runs does it otherwise.
            if let Err(error) = self.wake(Some(run_id)).await {
                tracing::warn!(%error, "a run that has its answers could not be woken; that will be repeated");
            }
        }
        Ok(changed)
    }

    async fn wake_answered(&self) -> Result<usize> {
        self.wake(None).await
    }

    async fn waiting_runs(&self, of: &WaitingOf) -> Result<Vec<WaitingRun>> {
        // Ids that cannot be in this database have no runs.
        let user = of.user_id.as_deref().unwrap_or_default();
        if check_id("", &of.workspace_id, self.ids.workspace).is_err()
            || check_id("", user, self.ids.user && of.user_id.is_some()).is_err()
        {
            return Ok(Vec::new());
        }
        let by = if of.user_id.is_some() { "run.created_by = $2" } else { "$2::text IS NULL" };
        let sql = format!(
            "SELECT {RUN_COLUMNS}, run.waits FROM ai_chat_runs AS run WHERE run.status = 'waiting' \
             AND run.workspace_id = $1 AND {by} AND ($3::uuid IS NULL OR run.chat_id = $3::uuid) \
             AND ($4::uuid IS NULL OR run.id > $4::uuid) ORDER BY run.id LIMIT $5::bigint"
        );
        let values = values![&of.workspace_id, of.user_id.as_ref(), of.chat_id, of.after, limited(of.limit)];
        readable(&self.database.query(&sql, &values).await?)
    }

    async fn expired_waits(&self, limit: usize) -> Result<Vec<WaitingRun>> {
        let sql = format!(
            "SELECT {RUN_COLUMNS}, run.waits FROM ai_chat_runs AS run WHERE run.status = 'waiting' \
             AND run.waits_until IS NOT NULL AND run.waits_until <= turnkeep_now() \
             ORDER BY run.waits_until LIMIT $1::bigint"
        );
        readable(&self.database.query(&sql, &values![limited(limit)]).await?)
    }
}

fn waiting_run(row: &tokio_postgres::Row) -> Result<Option<WaitingRun>> {
    let waits = rows::get::<Option<&str>>(row, "waits")?.and_then(Waits::parse);
    waits.map(|waits| Ok(WaitingRun { run: rows::run(row)?, waits })).transpose()
}

fn readable(found: &[tokio_postgres::Row]) -> Result<Vec<WaitingRun>> {
    found.iter().filter_map(|row| waiting_run(row).transpose()).collect()
}

impl PostgresStore {
    async fn wake(&self, only: Option<RunId>) -> Result<usize> {
        // One of each chat: the gate would take all of it back otherwise.
        let sql = format!(
            "WITH due AS MATERIALIZED (SELECT DISTINCT ON (run.chat_id) run.id FROM ai_chat_runs AS run \
             WHERE ($1::uuid IS NULL OR run.id = $1::uuid) AND {AWAKE} ORDER BY run.chat_id, run.id) \
             UPDATE ai_chat_runs AS run SET status = 'pending', updated_at = turnkeep_now() FROM due \
             WHERE run.id = due.id AND run.status = 'waiting' AND run.stop_requested_at IS NULL RETURNING run.id"
        );
        match self.database.try_query(None, &sql, &values![only]).await {
            Ok(woken) => Ok(woken.len()),
            // Another run has taken the chat meanwhile.
            Err(failure) if super::gate::is_of(&failure, super::gate::GATE) => Ok(0),
            Err(failure) => Err(failure.into_error()),
        }
    }
}
