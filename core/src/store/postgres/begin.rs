//! Getting hold of a chat, waiting for it, and leaving the queue.

use std::time::Duration;

use crate::error::{Error, ErrorCode, Result};
use crate::id::{ChatId, RunId};
use crate::model::{MessageRole, RunReason, RunStatus};
use crate::project::AssistantFlush;
use crate::store::{
    Began, BeginRun, Fence, RunPlan, UNTOUCHED_WITHOUT_LEASE, Waiting, already_active, forbidden, lease_lost,
};
use crate::text::storable;

use super::failure::Failure;
use super::migrate::check_id;
use super::rows;
use super::value::{ids, values};
use super::{PostgresStore, seconds};

/// The gate, as PostgreSQL names it when it is shut.
const GATE: &str = "ai_chat_runs_one_active_per_chat";
/// The one epoch of a run that was never taken over.
const FIRST_EPOCH: i64 = 1;
/// How often a beginning is attempted whose chat, or place in the queue, was changed by others meanwhile.
const ATTEMPTS: usize = 5;

/// What `$1` to `$6` are in every statement of this file that is about a chat: run, chat, workspace, user, key and
/// whether it comes from the queue.
///
/// All parts of a statement see the tables as they were when it began, and wait for each other's rows: two that begin in
/// one chat at once meet at the chat's row, and the second of them at the gate.
const LOOK: &str = "\
     at AS MATERIALIZED (SELECT turnkeep_now() AS now), \
     repeated AS MATERIALIZED ( \
         SELECT id FROM ai_chat_runs WHERE workspace_id = $3 AND created_by = $4 AND idempotency_key = $5::text \
         UNION ALL \
         SELECT id FROM ai_chat_run_queue WHERE workspace_id = $3 AND created_by = $4 AND idempotency_key = $5::text), \
     known AS MATERIALIZED ( \
         SELECT workspace_id = $3 AND creator_id = $4 AS is_theirs, deleted_at IS NOT NULL AS is_deleted \
         FROM ai_chats WHERE id = $2::uuid), \
     first AS MATERIALIZED (SELECT id, owner FROM ai_chat_run_queue WHERE chat_id = $2::uuid ORDER BY created_at, id LIMIT 1), \
     active AS MATERIALIZED ( \
         SELECT id, owner FROM ai_chat_runs WHERE chat_id = $2::uuid AND status IN ('pending', 'running'))";
/// Makes the chat, or says that it is in use; nothing for one that is not theirs. Needs `free`, and `$7` and `$8`: role
/// and page.
const CHAT: &str = "\
     chat AS ( \
         INSERT INTO ai_chats (id, workspace_id, creator_id, role_id, page_id, created_at, updated_at) \
         SELECT $2::uuid, $3, $4, $7::uuid, $8, now, now FROM free \
         ON CONFLICT (id) DO UPDATE SET updated_at = excluded.updated_at \
         WHERE ai_chats.workspace_id = $3 AND ai_chats.creator_id = $4 AND ai_chats.deleted_at IS NULL \
         RETURNING id)";
/// What the caller is told in the end.
const FOUND: &str = "\
     SELECT (SELECT id::text FROM repeated WHERE id <> $1::uuid LIMIT 1) AS repeated, \
         (SELECT is_theirs FROM known) AS is_theirs, (SELECT is_deleted FROM known) AS is_deleted, \
         (SELECT id::text FROM first) AS first, (SELECT owner FROM first) AS first_owner, \
         (SELECT id::text FROM active) AS active, \
         (SELECT owner FROM active) AS active_owner, EXISTS (SELECT FROM done) AS done";

/// [`crate::store::ONE_PLACE`].
const ONE_PLACE: &str = "interval '1 millisecond'";

/// The place after the chat's last row in this table, for a statement that knows the time as `now`.
fn place(table: &str, chat: &str) -> String {
    format!("GREATEST(now, (SELECT MAX(created_at) + {ONE_PLACE} FROM {table} WHERE chat_id = {chat}))")
}

fn begin_statement() -> String {
    format!(
        "WITH {LOOK}, \
         free AS MATERIALIZED (SELECT now FROM at \
             WHERE NOT EXISTS (SELECT FROM repeated WHERE id <> $1::uuid) AND NOT EXISTS (SELECT FROM active) \
             AND NOT EXISTS (SELECT FROM first WHERE id <> $1::uuid) \
             AND (NOT $6::boolean OR EXISTS (SELECT FROM first WHERE id = $1::uuid AND owner = $17::text))), \
         {CHAT}, \
         waited AS (DELETE FROM ai_chat_run_queue WHERE id = $1::uuid AND owner = $17::text AND $6::boolean \
             AND EXISTS (SELECT FROM chat) RETURNING id, stop_requested_at), \
         go AS MATERIALIZED (SELECT now, (SELECT stop_requested_at FROM waited) AS stop_requested_at FROM free, chat \
             WHERE NOT $6::boolean OR EXISTS (SELECT FROM waited)), \
         place AS MATERIALIZED (SELECT {message_place} AS message, {run_place} AS run FROM at), \
         users AS (INSERT INTO ai_chat_messages \
             (id, chat_id, workspace_id, user_id, role, content, metadata, created_at, updated_at) \
             SELECT $9::uuid, $2::uuid, $3, $4, 'user', $10::text, $11, place.message, now FROM go, place \
             WHERE $9::uuid IS NOT NULL ON CONFLICT (id) DO NOTHING), \
         assistants AS (INSERT INTO ai_chat_messages \
             (id, chat_id, workspace_id, role, content, metadata, status, created_at, updated_at) \
             SELECT $12::uuid, $2::uuid, $3, 'assistant', $13::text, $14, $15::text, \
             place.message + CASE WHEN $9::uuid IS NULL THEN interval '0' ELSE {ONE_PLACE} END, now FROM go, place), \
         done AS (INSERT INTO ai_chat_runs (id, chat_id, workspace_id, created_by, trigger, status, \
             assistant_message_id, idempotency_key, owner, epoch, lease_expires_at, created_at, started_at, updated_at, \
             stop_requested_at, stop_reason, plan) \
             SELECT $1::uuid, $2::uuid, $3, $4, $16::text, CASE WHEN $20::boolean THEN 'pending' ELSE 'running' END, \
             $12::uuid, $5::text, $17::text, CASE WHEN $20::boolean THEN 0 ELSE {FIRST_EPOCH} END, \
             CASE WHEN NOT $20::boolean THEN now + make_interval(secs => $18::float8) END, place.run, \
             CASE WHEN NOT $20::boolean THEN now END, now, stop_requested_at, \
             CASE WHEN stop_requested_at IS NOT NULL THEN 'stopped' END, $19::text FROM go, place RETURNING id) \
         {FOUND}",
        message_place = place("ai_chat_messages", "$2::uuid"),
        run_place = place("ai_chat_runs", "$2::uuid"),
    )
}

fn enqueue_statement() -> String {
    format!(
        "WITH {LOOK}, \
         free AS MATERIALIZED (SELECT now FROM at WHERE NOT EXISTS (SELECT FROM repeated WHERE id <> $1::uuid)), \
         {CHAT}, \
         done AS (INSERT INTO ai_chat_run_queue (id, chat_id, workspace_id, created_by, trigger, user_message_id, \
             user_content, user_metadata, assistant_message_id, idempotency_key, owner, lease_expires_at, created_at, \
             plan) \
             SELECT $1::uuid, $2::uuid, $3, $4, $9::text, $10::uuid, $11::text, $12, $13::uuid, $5::text, $14::text, \
             now + make_interval(secs => $15::float8), {place}, $16::text FROM free, chat \
             WHERE $6::boolean IS NOT NULL \
             ON CONFLICT (id) DO UPDATE SET lease_expires_at = excluded.lease_expires_at RETURNING id) \
         {FOUND}",
        place = place("ai_chat_run_queue", "$2::uuid"),
    )
}

/// Statements of this file, built once.
pub(super) struct Statements {
    begin: String,
    enqueue: String,
    settle_one: String,
    settle_abandoned: String,
}

impl Statements {
    pub(super) fn new() -> Self {
        Self {
            begin: begin_statement(),
            enqueue: enqueue_statement(),
            settle_one: settle_waiting_statement("id = $1::uuid AND owner = $6::text FOR UPDATE"),
            // Those that are just being begun, taken or settled are not waited for. For one with a plan somebody who
            // offers its tools may still come.
            settle_abandoned: settle_waiting_statement(
                "$1::uuid IS NULL AND $6::text IS NULL AND lease_expires_at <= $11::timestamptz \
                 AND lease_expires_at <= turnkeep_now() - \
                 CASE WHEN plan IS NULL OR stop_requested_at IS NOT NULL THEN interval '0' \
                 ELSE make_interval(secs => $7::float8) END \
                 AND NOT (owner = $8::text AND id = ANY ($9::uuid[])) \
                 ORDER BY chat_id, created_at, id LIMIT $10::bigint FOR UPDATE SKIP LOCKED",
            ),
        }
    }
}

/// What a statement found, with what its caller is to be told.
enum Found {
    Done,
    Repeated(RunId),
    /// Others have changed something between the look and the write.
    Moved,
}

impl PostgresStore {
    pub(super) async fn begin(&self, begin: &BeginRun) -> Result<Began> {
        self.check_ids(begin)?;
        let (lock, content) = (lock_of(begin), storable(begin.assistant.content.clone()));
        let user = begin.user_message.as_ref();
        let values = values![
            begin.run_id,
            begin.chat_id,
            &begin.workspace_id,
            &begin.user_id,
            begin.idempotency_key.as_ref(),
            begin.from_queue,
            begin.role_id,
            begin.page_id.as_ref(),
            user.map(|message| message.id),
            user.map(|message| storable(message.content.clone())),
            user.map(|message| &message.metadata),
            begin.assistant_message_id,
            &content,
            &begin.assistant.metadata,
            begin.assistant.status.as_str(),
            begin.trigger.as_str(),
            &begin.owner,
            seconds(begin.lease),
            begin.plan.as_ref().map(RunPlan::to_json),
            begin.unowned,
        ];
        let epoch = if begin.unowned { 0 } else { FIRST_EPOCH };
        let fence = Fence { run_id: begin.run_id, owner: begin.owner.clone(), epoch };
        for _ in 0..ATTEMPTS {
            match self.database.try_query(lock.as_deref(), &self.begin.begin, &values).await {
                Ok(rows) => match found(&rows, begin, true)? {
                    Found::Done => return Ok(Began::Started(fence)),
                    Found::Repeated(run_id) => return Ok(Began::Repeated(run_id)),
                    Found::Moved => {}
                },
                Err(failure) if is_of(&failure, GATE) => {
                    // All of it was taken back. The winner may have settled by now, and then the chat is free again.
                    match self.active(begin.chat_id).await? {
                        Some(active) if active.id == begin.run_id => return Ok(Began::Started(fence)),
                        Some(active) => return Err(already_active(Some(active.id))),
                        None => {}
                    }
                }
                // Begun by an attempt whose answer was lost, or with the same key at the same time: the next look tells.
                Err(failure) if is_unique(&failure) => {}
                Err(failure) => return Err(refused(failure)),
            }
        }
        Err(already_active(self.active(begin.chat_id).await?.map(|run| run.id)))
    }

    pub(super) async fn waiting_counts(
        &self,
        chat_id: ChatId,
        workspace_id: &str,
        user_id: &str,
    ) -> Result<(u64, u64)> {
        const COUNT: &str = "SELECT COUNT(*) FILTER (WHERE chat_id = $1::uuid) AS of_chat, \
             COUNT(*) FILTER (WHERE workspace_id::text = $2::text AND created_by::text = $3::text) AS of_user \
             FROM ai_chat_run_queue";
        let row = self.database.query_one(COUNT, &values![chat_id, workspace_id, user_id]).await?;
        let count = |column: &str| rows::get::<i64>(&row, column).map(|count| u64::try_from(count).unwrap_or_default());
        Ok((count("of_chat")?, count("of_user")?))
    }

    pub(super) async fn enqueue(&self, begin: &BeginRun) -> Result<Began> {
        self.check_ids(begin)?;
        let lock = lock_of(begin);
        let user = begin.user_message.as_ref();
        let values = values![
            begin.run_id,
            begin.chat_id,
            &begin.workspace_id,
            &begin.user_id,
            begin.idempotency_key.as_ref(),
            begin.from_queue,
            begin.role_id,
            begin.page_id.as_ref(),
            begin.trigger.as_str(),
            user.map(|message| message.id),
            user.map(|message| storable(message.content.clone())),
            user.map(|message| &message.metadata),
            begin.assistant_message_id,
            &begin.owner,
            seconds(if begin.unowned { Duration::ZERO } else { begin.lease }),
            begin.plan.as_ref().map(RunPlan::to_json),
        ];
        for _ in 0..ATTEMPTS {
            match self.database.try_query(lock.as_deref(), &self.begin.enqueue, &values).await {
                Ok(rows) => match found(&rows, begin, false)? {
                    Found::Done => {
                        let fence = Fence { run_id: begin.run_id, owner: begin.owner.clone(), epoch: 0 };
                        return Ok(Began::Started(fence));
                    }
                    Found::Repeated(run_id) => return Ok(Began::Repeated(run_id)),
                    Found::Moved => {}
                },
                Err(failure) if is_unique(&failure) => {}
                Err(failure) => return Err(refused(failure)),
            }
        }
        Err(Error::new(ErrorCode::StoreUnavailable, "the store failed: the chat is changed by others all the time"))
    }

    fn check_ids(&self, begin: &BeginRun) -> Result<()> {
        check_id("workspaceId", &begin.workspace_id, self.ids.workspace)?;
        check_id("userId", &begin.user_id, self.ids.user)?;
        check_id(
            "openPage.id",
            begin.page_id.as_deref().unwrap_or_default(),
            self.ids.page && begin.page_id.is_some(),
        )?;
        check_id("idempotencyKey", begin.idempotency_key.as_deref().unwrap_or_default(), false)
    }

    pub(super) async fn settle_queued(
        &self,
        waiting: Waiting<'_>,
        reason: RunReason,
        assistant: &AssistantFlush,
    ) -> Result<usize> {
        let content = storable(assistant.content.clone());
        let (metadata, status) = (&assistant.metadata, assistant.status.as_str());
        let (none, patience) = (None::<RunId>, seconds(UNTOUCHED_WITHOUT_LEASE));
        let row = match waiting {
            Waiting::Run(run_id, owner) => {
                let values = values![run_id, reason.as_str(), &content, metadata, status, owner];
                self.database.query_one(&self.begin.settle_one, &values).await?
            }
            Waiting::Abandoned(sweep) if sweep.leases_at.is_none() => return Ok(0),
            Waiting::Abandoned(sweep) => {
                let (spare, limit) = (ids(sweep.spare), i64::try_from(sweep.limit).unwrap_or(i64::MAX));
                let values = values![
                    none,
                    reason.as_str(),
                    &content,
                    metadata,
                    status,
                    None::<&str>,
                    patience,
                    sweep.owner,
                    spare,
                    limit,
                    sweep.leases_at
                ];
                self.database.query_one(&self.begin.settle_abandoned, &values).await?
            }
        };
        Ok(usize::try_from(rows::get::<i64>(&row, "settled")?).unwrap_or(0))
    }
}

fn settle_waiting_statement(which: &str) -> String {
    format!(
        "WITH at AS MATERIALIZED (SELECT turnkeep_now() AS now), \
         due AS MATERIALIZED (SELECT * FROM ai_chat_run_queue WHERE {which}), \
         placed AS MATERIALIZED (SELECT due.*, now, {message_place} + 2 * nth * {ONE_PLACE} AS message_place, \
             {run_place} + nth * {ONE_PLACE} AS run_place \
             FROM (SELECT *, row_number() OVER (PARTITION BY chat_id ORDER BY created_at, id) - 1 AS nth FROM due) AS due, \
             at), \
         gone AS (DELETE FROM ai_chat_run_queue USING due WHERE ai_chat_run_queue.id = due.id), \
         users AS (INSERT INTO ai_chat_messages \
             (id, chat_id, workspace_id, user_id, role, content, metadata, created_at, updated_at) \
             SELECT user_message_id, chat_id, workspace_id, created_by, '{user}', user_content, user_metadata, \
             message_place, now FROM placed ON CONFLICT (id) DO NOTHING), \
         assistants AS (INSERT INTO ai_chat_messages \
             (id, chat_id, workspace_id, role, content, metadata, status, created_at, updated_at) \
             SELECT assistant_message_id, chat_id, workspace_id, '{assistant}', $3::text, $4, $5::text, \
             message_place + {ONE_PLACE}, now FROM placed), \
         done AS (INSERT INTO ai_chat_runs (id, chat_id, workspace_id, created_by, trigger, status, reason, \
             assistant_message_id, idempotency_key, owner, epoch, created_at, started_at, finished_at, updated_at, \
             stop_requested_at, stop_reason) \
             SELECT id, chat_id, workspace_id, created_by, trigger, '{aborted}', \
             CASE WHEN stop_requested_at IS NOT NULL AND $2::text = '{lost}' THEN '{stopped}' ELSE $2::text END, \
             assistant_message_id, idempotency_key, owner, {FIRST_EPOCH}, run_place, now, now, now, stop_requested_at, \
             CASE WHEN stop_requested_at IS NOT NULL THEN '{stopped}' END FROM placed RETURNING id) \
         SELECT (SELECT COUNT(*) FROM done) + (SELECT COUNT(*) FROM ai_chat_runs \
             WHERE id = $1::uuid AND status = '{aborted}' AND reason = $2::text AND step_count = 0 \
             AND NOT EXISTS (SELECT FROM done)) AS settled",
        user = MessageRole::User.as_str(),
        assistant = MessageRole::Assistant.as_str(),
        aborted = RunStatus::Aborted.as_str(),
        lost = RunReason::WorkerLost.as_str(),
        stopped = RunReason::Stopped.as_str(),
        message_place = place("ai_chat_messages", "due.chat_id"),
        run_place = place("ai_chat_runs", "due.chat_id"),
    )
}

/// Runs and runs that wait share their keys, which no index can see: who uses one holds its lock meanwhile.
fn lock_of(begin: &BeginRun) -> Option<String> {
    let key = begin.idempotency_key.as_ref()?;
    Some(format!("turnkeep key {} {} {key}", begin.workspace_id, begin.user_id))
}

fn refused(failure: Failure) -> Error {
    if failure.is_beyond_limits() {
        return Error::invalid("message.parts", "are nested too deeply, or too large, for this database");
    }
    failure.into_error()
}

fn is_of(failure: &Failure, rule: &str) -> bool {
    failure.broken_rule(&tokio_postgres::error::SqlState::UNIQUE_VIOLATION) == Some(rule)
}

fn is_unique(failure: &Failure) -> bool {
    ["ai_chat_runs_pkey", "ai_chat_run_queue_pkey", "ai_chat_runs_idempotency", "ai_chat_run_queue_idempotency"]
        .iter()
        .any(|rule| is_of(failure, rule))
}

/// What is wrong is told in this order, so that nothing is said of chats of others.
fn found(rows: &[tokio_postgres::Row], begin: &BeginRun, takes_gate: bool) -> Result<Found> {
    let row = rows.first().ok_or_else(|| Error::internal("a statement returned no row"))?;
    if let Some(run_id) = rows::optional_id(row, "repeated")? {
        return Ok(Found::Repeated(run_id));
    }
    if rows::get::<bool>(row, "done")? {
        return Ok(Found::Done);
    }
    if rows::get::<Option<bool>>(row, "is_theirs")? == Some(false) {
        return Err(forbidden());
    }
    if rows::get::<Option<bool>>(row, "is_deleted")? == Some(true) {
        return Err(Error::new(ErrorCode::NotFound, "this chat has been deleted"));
    }
    if !takes_gate {
        return Ok(Found::Moved);
    }
    let (first, active) = (rows::optional_id(row, "first")?, rows::optional_id(row, "active")?);
    if active == Some(begin.run_id) && rows::get::<Option<&str>>(row, "active_owner")? == Some(begin.owner.as_str()) {
        return Ok(Found::Done);
    }
    let is_ours = rows::get::<Option<&str>>(row, "first_owner")? == Some(begin.owner.as_str());
    match first {
        Some(first) if first != begin.run_id => Err(already_active(active.or(Some(first)))),
        Some(_) if begin.from_queue && !is_ours => Err(lease_lost()),
        None if begin.from_queue => Err(lease_lost()),
        _ if active.is_some() => Err(already_active(active)),
        _ => Ok(Found::Moved),
    }
}
