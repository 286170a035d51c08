//! Beginning runs, and runs that wait for their chat. Each operation runs inside a transaction that the caller has begun.

use rusqlite::{Connection, OptionalExtension, named_params, params};

use crate::clock::Timestamp;
use crate::error::{Error, ErrorCode, Result};
use crate::id::{ChatId, RunId};
use crate::model::{MessageRole, RunReason, RunStatus};
use crate::project::AssistantFlush;
use crate::store::{
    Began, BeginRun, Fence, ONE_PLACE, RunPlan, STOP_NOTES_KEPT, UNTOUCHED_WITHOUT_LEASE, Waiting, already_active,
    forbidden, lease_lost,
};

use super::judge::Judge;
use super::rows::{self, ACTIVE};
use super::store_error;

/// The one epoch of a run that was never taken over.
const FIRST_EPOCH: i64 = 1;

pub(super) fn begin_run(connection: &Connection, now: Timestamp, begin: &BeginRun) -> Result<Began> {
    if let Some(run_id) = repeated(connection, begin)? {
        return Ok(Began::Repeated(run_id));
    }
    let now_text = now.to_string();
    ensure_chat(connection, &now_text, begin)?;
    match first_waiting(connection, begin.chat_id)? {
        Some((first, _)) if first != begin.run_id => {
            return Err(already_active(active_run_id(connection, begin.chat_id)?.or(Some(first))));
        }
        Some((_, owner)) if begin.from_queue && owner != begin.owner => return Err(lease_lost()),
        None if begin.from_queue => return Err(lease_lost()),
        _ => {}
    }
    // The index decides; looking first spares the loser what it would have to take back.
    if let Some(active) = active_run_id(connection, begin.chat_id)? {
        return Err(already_active(Some(active)));
    }
    insert_messages(connection, now, begin)?;
    let lease = now.after(begin.lease).to_string();
    let status = if begin.unowned {
        RowStatus { status: RunStatus::Pending, reason: None, epoch: 0, lease: None, finished_at: None }
    } else {
        let lease = Some(lease.as_str());
        RowStatus { status: RunStatus::Running, reason: None, epoch: FIRST_EPOCH, lease, finished_at: None }
    };
    match insert_run(connection, now, begin, &status) {
        Ok(()) => {}
        Err(error) if is_gate(&error) => return Err(already_active(active_run_id(connection, begin.chat_id)?)),
        Err(error) => return Err(store_error(error)),
    }
    if begin.from_queue {
        leave_queue(connection, begin.run_id)?;
    }
    Ok(Began::Started(Fence { run_id: begin.run_id, owner: begin.owner.clone(), epoch: status.epoch }))
}

/// The run that the key of this begin was used for.
fn repeated(connection: &Connection, begin: &BeginRun) -> Result<Option<RunId>> {
    let found = match &begin.idempotency_key {
        Some(key) => run_of_key(connection, &begin.workspace_id, &begin.user_id, key)?,
        None => None,
    };
    Ok(found.filter(|run_id| *run_id != begin.run_id))
}

struct RowStatus<'a> {
    status: RunStatus,
    reason: Option<RunReason>,
    epoch: i64,
    lease: Option<&'a str>,
    finished_at: Option<&'a str>,
}

/// The place after the chat's last row in this table ([`ONE_PLACE`]).
fn next_place(connection: &Connection, table: &str, chat_id: &str, now: Timestamp) -> rusqlite::Result<Timestamp> {
    let last: Option<String> = connection
        .prepare_cached(&format!("SELECT MAX(created_at) FROM {table} WHERE chat_id = ?1"))?
        .query_row([chat_id], |row| row.get(0))?;
    let last = last.as_deref().and_then(Timestamp::parse);
    Ok(last.map_or(now, |last| now.max(last.after(ONE_PLACE))))
}

fn insert_run(connection: &Connection, now: Timestamp, begin: &BeginRun, row: &RowStatus<'_>) -> rusqlite::Result<()> {
    let created_at = next_place(connection, "ai_chat_runs", &begin.chat_id.to_string(), now)?.to_string();
    let now = now.to_string();
    let now = now.as_str();
    connection
        .prepare_cached(
            "INSERT INTO ai_chat_runs (id, chat_id, workspace_id, created_by, trigger, status, reason, \
             assistant_message_id, idempotency_key, owner, epoch, lease_expires_at, created_at, started_at, \
             finished_at, updated_at, plan, stop_requested_at, stop_reason) \
             VALUES (:id, :chat, :workspace, :user, :trigger, :status, :reason, :message, :key, :owner, :epoch, \
             :lease, :created, :started, :finished, :now, :plan, (SELECT stop_requested_at FROM ai_chat_run_queue WHERE id = :id), \
             (SELECT 'stopped' FROM ai_chat_run_queue WHERE id = :id AND stop_requested_at IS NOT NULL))",
        )?
        .execute(named_params! {
            ":id": begin.run_id.to_string(),
            ":chat": begin.chat_id.to_string(),
            ":workspace": begin.workspace_id,
            ":user": begin.user_id,
            ":trigger": begin.trigger.as_str(),
            ":status": row.status.as_str(),
            ":reason": row.reason.map(RunReason::as_str),
            ":message": begin.assistant_message_id.to_string(),
            ":key": begin.idempotency_key,
            ":owner": begin.owner,
            ":epoch": row.epoch,
            ":lease": row.lease,
            ":started": (row.status != RunStatus::Pending).then_some(now),
            ":plan": begin.plan.as_ref().map(RunPlan::to_json),
            ":finished": row.finished_at,
            ":created": created_at,
            ":now": now,
        })
        .map(|_| ())
}

pub(super) fn note_stop(connection: &Connection, now: Timestamp, workspace: &str, user: &str, key: &str) -> Result<()> {
    let too_old = now.before(STOP_NOTES_KEPT).to_string();
    let forget = connection.prepare_cached("DELETE FROM turnkeep_stop_notes WHERE noted_at < ?1");
    forget.and_then(|mut statement| statement.execute([too_old])).map_err(store_error)?;
    let note = "INSERT OR REPLACE INTO turnkeep_stop_notes (workspace_id, user_id, idempotency_key, noted_at) \
                VALUES (?1, ?2, ?3, ?4)";
    let note = connection.prepare_cached(note);
    note.and_then(|mut statement| statement.execute([workspace, user, key, &now.to_string()])).map_err(store_error)?;
    Ok(())
}

pub(super) fn is_stop_noted(connection: &Connection, workspace: &str, user: &str, key: &str) -> Result<bool> {
    let noted = "SELECT 1 FROM turnkeep_stop_notes WHERE workspace_id = ?1 AND user_id = ?2 AND idempotency_key = ?3";
    let found = connection.prepare_cached(noted);
    found.and_then(|mut statement| statement.exists([workspace, user, key])).map_err(store_error)
}

pub(super) fn run_of_key(connection: &Connection, workspace: &str, user: &str, key: &str) -> Result<Option<RunId>> {
    let id: Option<String> = connection
        .prepare_cached(
            "SELECT id FROM ai_chat_runs WHERE workspace_id = ?1 AND created_by = ?2 AND idempotency_key = ?3 \
             UNION ALL \
             SELECT id FROM ai_chat_run_queue WHERE workspace_id = ?1 AND created_by = ?2 AND idempotency_key = ?3",
        )
        .and_then(|mut statement| statement.query_row([workspace, user, key], |row| row.get(0)).optional())
        .map_err(store_error)?;
    Ok(id.and_then(|id| id.parse().ok()))
}

/// The run that has waited longest for the chat, and whose it is.
fn first_waiting(connection: &Connection, chat_id: ChatId) -> Result<Option<(RunId, String)>> {
    let found: Option<(String, String)> = connection
        .prepare_cached("SELECT id, owner FROM ai_chat_run_queue WHERE chat_id = ?1 ORDER BY created_at, id LIMIT 1")
        .and_then(|mut statement| {
            statement.query_row([chat_id.to_string()], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
        .map_err(store_error)?;
    Ok(found.and_then(|(id, owner)| Some((id.parse().ok()?, owner))))
}

fn leave_queue(connection: &Connection, run_id: RunId) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM ai_chat_run_queue WHERE id = ?1")
        .and_then(|mut statement| statement.execute([run_id.to_string()]))
        .map(|_| ())
        .map_err(store_error)
}

pub(super) fn enqueue_run(connection: &Connection, now: Timestamp, begin: &BeginRun) -> Result<Began> {
    if let Some(run_id) = repeated(connection, begin)? {
        return Ok(Began::Repeated(run_id));
    }
    let now_text = now.to_string();
    ensure_chat(connection, &now_text, begin)?;
    let place = next_place(connection, "ai_chat_run_queue", &begin.chat_id.to_string(), now).map_err(store_error)?;
    let user = begin.user_message.as_ref();
    connection
        .prepare_cached(
            "INSERT INTO ai_chat_run_queue (id, chat_id, workspace_id, created_by, trigger, user_message_id, \
             user_content, user_metadata, assistant_message_id, idempotency_key, owner, lease_expires_at, created_at, \
             plan) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                begin.run_id.to_string(),
                begin.chat_id.to_string(),
                begin.workspace_id,
                begin.user_id,
                begin.trigger.as_str(),
                user.map(|message| message.id.to_string()),
                user.map(|message| &message.content),
                user.map(|message| message.metadata.get()),
                begin.assistant_message_id.to_string(),
                begin.idempotency_key,
                begin.owner,
                if begin.unowned { now_text } else { now.after(begin.lease).to_string() },
                place.to_string(),
                begin.plan.as_ref().map(RunPlan::to_json),
            ])
        })
        .map_err(store_error)?;
    Ok(Began::Started(Fence { run_id: begin.run_id, owner: begin.owner.clone(), epoch: 0 }))
}

pub(super) fn count_waiting(
    connection: &Connection,
    chat_id: ChatId,
    workspace_id: &str,
    user_id: &str,
) -> Result<(u64, u64)> {
    let count = |which: &str, values: &[&str]| {
        connection
            .prepare_cached(&format!("SELECT COUNT(*) FROM ai_chat_run_queue WHERE {which}"))
            .and_then(|mut statement| {
                statement.query_row(rusqlite::params_from_iter(values), |row| row.get::<_, i64>(0))
            })
            .map(|count| u64::try_from(count).unwrap_or_default())
            .map_err(store_error)
    };
    let of_chat = count("chat_id = ?1", &[&chat_id.to_string()])?;
    Ok((of_chat, count("workspace_id = ?1 AND created_by = ?2", &[workspace_id, user_id])?))
}

pub(super) fn anybody_waits(connection: &Connection) -> Result<bool> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM ai_chat_run_queue)")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .map_err(store_error)
}

pub(super) fn settle_waiting(
    connection: &Connection,
    now: Timestamp,
    waiting: Waiting<'_>,
    reason: RunReason,
    assistant: &AssistantFlush,
    judge: &mut Judge,
) -> Result<usize> {
    let now_text = now.to_string();
    let wanted = match waiting {
        Waiting::Run(run_id, _) => Some(run_id),
        Waiting::Abandoned(sweep) => sweep.only,
    };
    let mut settled = 0;
    for row in waiting_rows(connection, wanted, assistant)? {
        let begin = &row.begin;
        let is_wanted = match waiting {
            Waiting::Run(_, owner) => begin.owner == owner,
            Waiting::Abandoned(sweep) if sweep.spares(Some(&begin.owner), begin.run_id) => false,
            // Somebody who offers its tools may still come for it.
            Waiting::Abandoned(sweep) if begin.plan.is_some() && !row.stop_requested => {
                let limit = sweep.leases_at.map(|at| at.min(now.before(UNTOUCHED_WITHOUT_LEASE)).to_string());
                limit.is_some_and(|limit| row.lease_expires_at <= limit)
            }
            Waiting::Abandoned(_) => {
                judge.is_gone(&begin.run_id.to_string(), Some(&begin.owner), 0, &row.lease_expires_at, &now_text)
            }
        };
        if !is_wanted {
            continue;
        }
        if let Waiting::Abandoned(sweep) = waiting
            && settled >= sweep.limit
        {
            break;
        }
        let reason = if row.stop_requested && reason == RunReason::WorkerLost { RunReason::Stopped } else { reason };
        insert_messages(connection, now, &row.begin)?;
        let (status, finished_at) = (RunStatus::Aborted, Some(now_text.as_str()));
        let status = RowStatus { status, reason: Some(reason), epoch: FIRST_EPOCH, lease: None, finished_at };
        insert_run(connection, now, &row.begin, &status).map_err(store_error)?;
        leave_queue(connection, row.begin.run_id)?;
        settled += 1;
    }
    Ok(settled)
}

/// The runs that wait, or only this one, in their order. One that cannot be read is passed over: it begins no more, and
/// holds nobody up.
fn waiting_rows(
    connection: &Connection,
    only: Option<RunId>,
    assistant: &AssistantFlush,
) -> Result<Vec<rows::WaitingRow>> {
    match only {
        Some(run_id) => read_waiting(connection, "id = ?1", &[&run_id.to_string()], assistant),
        None => read_waiting(connection, "1", &[], assistant),
    }
}

fn read_waiting(
    connection: &Connection,
    which: &str,
    values: &[&dyn rusqlite::ToSql],
    assistant: &AssistantFlush,
) -> Result<Vec<rows::WaitingRow>> {
    let mut statement = connection
        .prepare_cached(&format!(
            "SELECT id, chat_id, workspace_id, created_by, trigger, user_message_id, user_content, user_metadata, \
             assistant_message_id, idempotency_key, owner, lease_expires_at, stop_requested_at, plan \
             FROM ai_chat_run_queue WHERE {which} ORDER BY created_at, id"
        ))
        .map_err(store_error)?;
    let found = statement.query_map(values, |row| rows::waiting(row, assistant)).map_err(store_error)?;
    let mut waiting = Vec::new();
    for row in found {
        match row {
            Ok(row) => waiting.push(row),
            Err(error @ rusqlite::Error::SqliteFailure(..)) => return Err(store_error(error)),
            Err(error) => tracing::error!(%error, "a run that waits cannot be read"),
        }
    }
    Ok(waiting)
}

/// The runs that wait, that these tools fit, and that nobody waits for any more.
pub(super) fn waiting_for_offer(
    connection: &Connection,
    now: Timestamp,
    tools: &[String],
    assistant: &AssistantFlush,
    judge: &mut Judge,
) -> Result<Vec<BeginRun>> {
    let now = now.to_string();
    let mut is_left = |row: &rows::WaitingRow| {
        let begin = &row.begin;
        let fits = begin.plan.as_ref().is_some_and(|plan| plan.fits(tools));
        let id = begin.run_id.to_string();
        fits && !row.stop_requested && judge.is_gone(&id, Some(&begin.owner), 0, &row.lease_expires_at, &now)
    };
    let planned = read_waiting(connection, "plan IS NOT NULL", &[], assistant)?;
    Ok(planned.into_iter().filter(|row| is_left(row)).map(|row| row.begin).collect())
}

fn insert_messages(connection: &Connection, now: Timestamp, begin: &BeginRun) -> Result<()> {
    let chat_id = begin.chat_id.to_string();
    let mut place = next_place(connection, "ai_chat_messages", &chat_id, now).map_err(store_error)?;
    let now = now.to_string();
    if begin.user_message.is_some() {
        insert_message(connection, (place, &now), begin, MessageRole::User)?;
        place = place.after(ONE_PLACE);
    }
    insert_message(connection, (place, &now), begin, MessageRole::Assistant)
}

/// Whether the insert broke the gate's index: SQLite names the columns of a unique index, and `chat_id` alone is in no
/// other.
fn is_gate(error: &rusqlite::Error) -> bool {
    matches!(error, rusqlite::Error::SqliteFailure(failure, Some(message))
        if failure.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE && message.ends_with(": ai_chat_runs.chat_id"))
}

fn active_run_id(connection: &Connection, chat_id: ChatId) -> Result<Option<RunId>> {
    let id: Option<String> = connection
        .prepare_cached(&format!("SELECT id FROM ai_chat_runs WHERE chat_id = ?1 AND {ACTIVE}"))
        .and_then(|mut statement| statement.query_row([chat_id.to_string()], |row| row.get(0)).optional())
        .map_err(store_error)?;
    Ok(id.and_then(|id| id.parse().ok()))
}

fn ensure_chat(connection: &Connection, now: &str, begin: &BeginRun) -> Result<()> {
    let found: Option<(String, String, bool)> = connection
        .prepare_cached("SELECT workspace_id, creator_id, deleted_at IS NOT NULL FROM ai_chats WHERE id = ?1")
        .and_then(|mut statement| {
            statement
                .query_row([begin.chat_id.to_string()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()
        })
        .map_err(store_error)?;
    match found {
        Some((workspace, creator, _)) if workspace != begin.workspace_id || creator != begin.user_id => {
            Err(forbidden())
        }
        Some((_, _, true)) => Err(Error::new(ErrorCode::NotFound, "this chat has been deleted")),
        Some(_) => {
            connection
                .prepare_cached("UPDATE ai_chats SET updated_at = ?2 WHERE id = ?1")
                .and_then(|mut statement| statement.execute([begin.chat_id.to_string().as_str(), now]))
                .map_err(store_error)?;
            Ok(())
        }
        None => {
            connection
                .prepare_cached(
                    "INSERT INTO ai_chats (id, workspace_id, creator_id, role_id, page_id, created_at, updated_at) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
                )
                .and_then(|mut statement| {
                    statement.execute(params![
                        begin.chat_id.to_string(),
                        begin.workspace_id,
                        begin.user_id,
                        begin.role_id.map(|id| id.to_string()),
                        begin.page_id,
                        now
                    ])
                })
                .map_err(store_error)?;
            Ok(())
        }
    }
}

fn insert_message(
    connection: &Connection,
    (place, now): (Timestamp, &str),
    begin: &BeginRun,
    role: MessageRole,
) -> Result<()> {
    let (id, user, content, metadata, status) = match (role, &begin.user_message) {
        (MessageRole::User, Some(message)) => {
            (message.id, Some(&begin.user_id), &message.content, &message.metadata, None)
        }
        _ => {
            let flush = &begin.assistant;
            (begin.assistant_message_id, None, &flush.content, &flush.metadata, Some(flush.status.as_str()))
        }
    };
    connection
        .prepare_cached(
            // A client's message that has come another way meanwhile is not written twice.
            "INSERT OR IGNORE INTO ai_chat_messages (id, chat_id, workspace_id, user_id, role, content, metadata, status, \
             created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                id.to_string(),
                begin.chat_id.to_string(),
                begin.workspace_id,
                user,
                role.as_str(),
                content,
                metadata.get(),
                status,
                place.to_string(),
                now
            ])
        })
        .map_err(store_error)?;
    Ok(())
}
