//! What beginning a run and letting it wait have in common.

use crate::error::{Error, ErrorCode, Result};
use crate::id::RunId;
use crate::store::{BeginRun, already_active, forbidden, lease_lost};

use super::failure::Failure;
use super::fork::behind_inherited;
use super::migrate::check_id;
use super::{PostgresStore, rows};

/// The gate, as PostgreSQL names it when it is shut.
pub(super) const GATE: &str = "ai_chat_runs_one_active_per_chat";

/// How often a beginning is attempted whose chat, or place in the queue, was changed by others meanwhile.
pub(super) const ATTEMPTS: usize = 5;

/// What `$1` to `$6` are in every statement that begins with it: run, chat, workspace, user, key and
/// whether it comes from the queue.
///
/// All parts of a statement see the tables as they were when it began, and wait for each other's rows: two that begin in
/// one chat at once meet at the chat's row, and the second of them at the gate.
pub(super) const LOOK: &str = "\
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
         SELECT id, owner FROM ai_chat_runs WHERE chat_id = $2::uuid \
         AND (status IN ('pending', 'running') OR (status = 'waiting' AND NOT frees_chat)))";

/// Makes the chat, or says that it is in use; nothing for one that is not theirs. Needs `free`, and `$7` and `$8`: role
/// and page.
pub(super) const CHAT: &str = "\
     chat AS ( \
         INSERT INTO ai_chats (id, workspace_id, creator_id, role_id, page_id, created_at, updated_at) \
         SELECT $2::uuid, $3, $4, $7::uuid, $8, now, now FROM free \
         ON CONFLICT (id) DO UPDATE SET updated_at = excluded.updated_at \
         WHERE ai_chats.workspace_id = $3 AND ai_chats.creator_id = $4 AND ai_chats.deleted_at IS NULL \
         RETURNING id)";

/// What the caller is told in the end.
pub(super) const FOUND: &str = "\
     SELECT (SELECT id::text FROM repeated WHERE id <> $1::uuid LIMIT 1) AS repeated, \
         (SELECT is_theirs FROM known) AS is_theirs, (SELECT is_deleted FROM known) AS is_deleted, \
         (SELECT id::text FROM first) AS first, (SELECT owner FROM first) AS first_owner, \
         (SELECT id::text FROM active) AS active, \
         (SELECT owner FROM active) AS active_owner, EXISTS (SELECT FROM done) AS done";

/// [`crate::store::ONE_PLACE`].
pub(super) const ONE_PLACE: &str = "interval '1 millisecond'";

/// The place after the chat's last row in this table, for a statement that knows the time as `now`.
pub(super) fn place(table: &str, chat: &str) -> String {
    format!("GREATEST(now, (SELECT MAX(created_at) + {ONE_PLACE} FROM {table} WHERE chat_id = {chat}))")
}

/// The same for its messages, which come behind those that it was forked from.
pub(super) fn message_place(chat: &str) -> String {
    format!("GREATEST({}, {})", place("ai_chat_messages", chat), behind_inherited(chat))
}

/// What a statement found, with what its caller is to be told.
pub(super) enum Found {
    Done,
    Repeated(RunId),
    /// Others have changed something between the look and the write.
    Moved,
}

/// What is wrong is told in this order, so that nothing is said of chats of others.
pub(super) fn found(rows: &[tokio_postgres::Row], begin: &BeginRun, takes_gate: bool) -> Result<Found> {
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

/// Runs and runs that wait share their keys, which no index can see: who uses one holds its lock meanwhile.
pub(super) fn lock_of(begin: &BeginRun) -> Option<String> {
    let key = begin.idempotency_key.as_ref()?;
    Some(format!("turnkeep key {} {} {key}", begin.workspace_id, begin.user_id))
}

pub(super) fn refused(failure: Failure) -> Error {
    if failure.is_beyond_limits() {
        return Error::invalid("message.parts", "are nested too deeply, or too large, for this database");
    }
    failure.into_error()
}

pub(super) fn is_of(failure: &Failure, rule: &str) -> bool {
    failure.broken_rule(&tokio_postgres::error::SqlState::UNIQUE_VIOLATION) == Some(rule)
}

pub(super) fn is_unique(failure: &Failure) -> bool {
    ["ai_chat_runs_pkey", "ai_chat_run_queue_pkey", "ai_chat_runs_idempotency", "ai_chat_run_queue_idempotency"]
        .iter()
        .any(|rule| is_of(failure, rule))
}

impl PostgresStore {
    pub(super) fn check_ids(&self, begin: &BeginRun) -> Result<()> {
        check_id("workspaceId", &begin.workspace_id, self.ids.workspace)?;
        check_id("userId", &begin.user_id, self.ids.user)?;
        check_id(
            "openPage.id",
            begin.page_id.as_deref().unwrap_or_default(),
            self.ids.page && begin.page_id.is_some(),
        )?;
        check_id("idempotencyKey", begin.idempotency_key.as_deref().unwrap_or_default(), false)
    }
}
