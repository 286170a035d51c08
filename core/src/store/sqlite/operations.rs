//! The statements of each operation. Each runs inside a transaction that the caller has begun.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, named_params, params};
use serde::Serialize;

use crate::clock::Timestamp;
use crate::error::{Error, ErrorCode, Result};
use crate::id::{AgentRoleId, ChatId, MessageId, RunId};
use crate::model::{Chat, Json, Message, MessageRole, Run, StepRecord};
use crate::project::AssistantFlush;
use crate::store::{
    BeginRun, ClaimedRun, Fence, LoggedStep, MessageFields, MessagePlace, MessageSpan, MessageVisitor, RecordStep,
    Renewal, RolePrompt, SettleRun, UNTOUCHED_WITHOUT_LEASE, already_active, forbidden, lease_lost,
};

use super::rows::{self, CHAT_COLUMNS, MESSAGE_COLUMNS, RUN_COLUMNS, STEP_COLUMNS};
use super::store_error;

/// The runs that hold a gate; spelled as in the partial indexes, so that they serve.
const ACTIVE: &str = "status IN ('pending', 'running')";
/// The one epoch of a run that was never taken over.
const FIRST_EPOCH: i64 = 1;

fn json<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal("a row could not be encoded").with_source(error))
}

pub(super) fn begin_run(connection: &Connection, now: Timestamp, begin: BeginRun) -> Result<Fence> {
    let now_text = now.to_string();
    ensure_chat(connection, &now_text, &begin)?;
    insert_message(connection, &now_text, &begin, MessageRole::User)?;
    insert_message(connection, &now_text, &begin, MessageRole::Assistant)?;
    let inserted = connection
        .prepare_cached(
            "INSERT INTO ai_chat_runs (id, chat_id, workspace_id, created_by, trigger, status, assistant_message_id, \
             owner, epoch, lease_expires_at, created_at, started_at, updated_at) \
             VALUES (:id, :chat, :workspace, :user, :trigger, 'running', :message, :owner, :epoch, :lease, :now, :now, :now)",
        )
        .and_then(|mut statement| {
            statement.execute(named_params! {
                ":id": begin.run_id.to_string(),
                ":chat": begin.chat_id.to_string(),
                ":workspace": begin.workspace_id,
                ":user": begin.user_id,
                ":trigger": begin.trigger.as_str(),
                ":message": begin.assistant_message_id.to_string(),
                ":owner": begin.owner,
                ":epoch": FIRST_EPOCH,
                ":lease": now.after(begin.lease).to_string(),
                ":now": now_text,
            })
        });
    match inserted {
        Ok(_) => Ok(Fence { run_id: begin.run_id, owner: begin.owner, epoch: FIRST_EPOCH }),
        Err(error) if is_gate(&error) => Err(already_active(active_run_id(connection, begin.chat_id)?)),
        Err(error) => Err(store_error(error)),
    }
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

fn insert_message(connection: &Connection, now: &str, begin: &BeginRun, role: MessageRole) -> Result<()> {
    let (id, user, content, metadata, status) = match role {
        MessageRole::User => {
            (begin.user_message_id, Some(&begin.user_id), &begin.user_content, &begin.user_metadata, None)
        }
        MessageRole::Assistant => {
            let flush = &begin.assistant;
            (begin.assistant_message_id, None, &flush.content, &flush.metadata, Some(flush.status.as_str()))
        }
    };
    connection
        .prepare_cached(
            "INSERT INTO ai_chat_messages (id, chat_id, workspace_id, user_id, role, content, metadata, status, \
             created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)",
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
                now
            ])
        })
        .map_err(store_error)?;
    Ok(())
}

/// Changes a run that is still this fence's; everything else that the operation writes depends on it.
fn update_owned(
    connection: &Connection,
    fence: &Fence,
    sql: &str,
    values: &[(&str, &dyn rusqlite::ToSql)],
) -> Result<()> {
    let id = fence.run_id.to_string();
    let mut all: Vec<(&str, &dyn rusqlite::ToSql)> =
        vec![(":id", &id), (":owner", &fence.owner), (":epoch", &fence.epoch)];
    all.extend_from_slice(values);
    let changed = connection
        .prepare_cached(&format!(
            "UPDATE ai_chat_runs SET {sql} WHERE id = :id AND owner = :owner AND epoch = :epoch AND {ACTIVE}"
        ))
        .and_then(|mut statement| statement.execute(&*all))
        .map_err(store_error)?;
    if changed == 1 { Ok(()) } else { Err(lease_lost()) }
}

fn write_step(connection: &Connection, now: &str, fence: &Fence, step: &StepRecord, finished: bool) -> Result<()> {
    let usage = step.usage.as_ref().map(json).transpose()?;
    // A finished row never changes again.
    connection
        .prepare_cached(
            "INSERT INTO ai_chat_run_steps (run_id, step_number, epoch, state, parts, finish_reason, usage, created_at, finished_at) \
             VALUES (:run, :number, :epoch, :state, :parts, :reason, :usage, :now, :finished) \
             ON CONFLICT (run_id, step_number) DO UPDATE SET epoch = excluded.epoch, state = excluded.state, \
             parts = excluded.parts, finish_reason = excluded.finish_reason, usage = excluded.usage, \
             finished_at = excluded.finished_at WHERE state = 'intent'",
        )
        .and_then(|mut statement| {
            statement.execute(named_params! {
                ":run": fence.run_id.to_string(),
                ":number": step.number,
                ":epoch": fence.epoch,
                ":state": if finished { "finished" } else { "intent" },
                ":parts": json(&step.parts).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?,
                ":reason": step.finish_reason.map(|reason| reason.as_str()),
                ":usage": usage,
                ":now": now,
                ":finished": finished.then_some(now),
            })
        })
        .map_err(store_error)?;
    Ok(())
}

pub(super) fn record_intent(connection: &Connection, now: Timestamp, fence: &Fence, step: &StepRecord) -> Result<()> {
    let now = now.to_string();
    update_owned(connection, fence, "updated_at = :now", &[(":now", &now)])?;
    write_step(connection, &now, fence, step, false)
}

pub(super) fn record_step(connection: &Connection, now: Timestamp, record: &RecordStep) -> Result<()> {
    let (now, lease) = (now.to_string(), now.after(record.lease).to_string());
    let count = record.step.number + 1;
    update_owned(
        connection,
        &record.fence,
        "step_count = MAX(step_count, :count), lease_expires_at = :lease, updated_at = :now",
        &[(":count", &count), (":lease", &lease), (":now", &now)],
    )?;
    write_step(connection, &now, &record.fence, &record.step, true)?;
    match &record.refresh {
        Some(flush) => update_message(connection, &now, record.fence.run_id, flush),
        None => Ok(()),
    }
}

fn update_message(connection: &Connection, now: &str, run_id: RunId, flush: &AssistantFlush) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE ai_chat_messages SET content = ?2, tool_calls = ?3, metadata = ?4, status = ?5, updated_at = ?6 \
             WHERE id = (SELECT assistant_message_id FROM ai_chat_runs WHERE id = ?1)",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                run_id.to_string(),
                flush.content,
                flush.tool_calls.as_ref().map(|trace| trace.get()),
                flush.metadata.get(),
                flush.status.as_str(),
                now
            ])
        })
        .map_err(store_error)?;
    Ok(())
}

pub(super) fn settle_run(connection: &Connection, now: Timestamp, settle: &SettleRun) -> Result<()> {
    let now = now.to_string();
    let count = settle.step.as_ref().map_or(0, |step| step.number + 1);
    let settled = update_owned(
        connection,
        &settle.fence,
        "status = :status, reason = :reason, error = :error, step_count = MAX(step_count, :count), \
         lease_expires_at = NULL, finished_at = :now, updated_at = :now",
        &[
            (":status", &settle.status.as_str()),
            (":reason", &settle.reason.map(|reason| reason.as_str())),
            (":error", &settle.error),
            (":count", &count),
            (":now", &now),
        ],
    );
    match settled {
        Ok(()) => {}
        // The answer to an earlier attempt may have been lost on its way.
        Err(_) if is_settled_as(connection, settle)? => return Ok(()),
        Err(error) => return Err(error),
    }
    if let Some(step) = &settle.step {
        write_step(connection, &now, &settle.fence, step, true)?;
    }
    update_message(connection, &now, settle.fence.run_id, &settle.assistant)
}

fn is_settled_as(connection: &Connection, settle: &SettleRun) -> Result<bool> {
    connection
        .query_row(
            "SELECT COUNT(*) FROM ai_chat_runs WHERE id = ?1 AND owner = ?2 AND epoch = ?3 AND status = ?4",
            params![settle.fence.run_id.to_string(), settle.fence.owner, settle.fence.epoch, settle.status.as_str()],
            |row| row.get::<_, i64>(0),
        )
        .map(|count| count == 1)
        .map_err(store_error)
}

pub(super) fn request_stop(connection: &Connection, now: Timestamp, run_id: RunId) -> Result<bool> {
    let now = now.to_string();
    let changed = connection
        .prepare_cached(&format!(
            "UPDATE ai_chat_runs SET stop_requested_at = COALESCE(stop_requested_at, ?2), updated_at = ?2 \
             WHERE id = ?1 AND {ACTIVE}"
        ))
        .and_then(|mut statement| statement.execute([run_id.to_string(), now]))
        .map_err(store_error)?;
    if changed == 0 && run(connection, run_id)?.is_none() {
        return Err(Error::new(ErrorCode::NotFound, "there is no such run"));
    }
    Ok(changed == 1)
}

pub(super) fn renew_leases(
    connection: &Connection,
    now: Timestamp,
    owner: &str,
    runs: &[RunId],
    lease: Duration,
) -> Result<Renewal> {
    let (expires, mut renewal) = (now.after(lease).to_string(), Renewal::default());
    let mut statement = connection
        .prepare_cached(&format!(
            "UPDATE ai_chat_runs SET lease_expires_at = ?3 WHERE id = ?1 AND owner = ?2 AND {ACTIVE} \
             RETURNING stop_requested_at IS NOT NULL"
        ))
        .map_err(store_error)?;
    for run_id in runs {
        let stop: Option<bool> = statement
            .query_row([run_id.to_string().as_str(), owner, expires.as_str()], |row| row.get(0))
            .optional()
            .map_err(store_error)?;
        match stop {
            None => renewal.lost.push(*run_id),
            Some(true) => renewal.stop_requested.push(*run_id),
            Some(false) => {}
        }
    }
    Ok(renewal)
}

pub(super) fn stop_requests(connection: &Connection, runs: &[RunId]) -> Result<Vec<RunId>> {
    let mut statement = connection
        .prepare_cached("SELECT stop_requested_at IS NOT NULL FROM ai_chat_runs WHERE id = ?1")
        .map_err(store_error)?;
    let mut stopped = Vec::new();
    for run_id in runs {
        let stop: Option<bool> =
            statement.query_row([run_id.to_string()], |row| row.get(0)).optional().map_err(store_error)?;
        if stop == Some(true) {
            stopped.push(*run_id);
        }
    }
    Ok(stopped)
}

pub(super) fn claim_abandoned(
    connection: &Connection,
    now: Timestamp,
    owner: &str,
    lease: Duration,
    is_dead: impl Fn(&str) -> bool,
) -> Result<Vec<ClaimedRun>> {
    struct Candidate {
        run: Run,
        owner: Option<String>,
        epoch: i64,
        lease_expires_at: Option<String>,
    }
    let mut statement = connection
        .prepare_cached(&format!(
            "SELECT {RUN_COLUMNS}, owner, epoch, lease_expires_at FROM ai_chat_runs WHERE {ACTIVE}"
        ))
        .map_err(store_error)?;
    let candidates: Vec<Candidate> = statement
        .query_map([], |row| {
            Ok(Candidate {
                run: rows::run(row)?,
                owner: row.get("owner")?,
                epoch: row.get("epoch")?,
                lease_expires_at: row.get("lease_expires_at")?,
            })
        })
        .and_then(Iterator::collect)
        .map_err(store_error)?;
    let (now_text, expires) = (now.to_string(), now.after(lease).to_string());
    let mut claimed = Vec::new();
    for candidate in candidates {
        // Every active row is in exactly one of these two arms.
        let abandoned = match &candidate.lease_expires_at {
            Some(expiry) => *expiry <= now_text || candidate.owner.as_deref().is_some_and(&is_dead),
            None => candidate.run.updated_at <= now.before(UNTOUCHED_WITHOUT_LEASE),
        };
        if !abandoned {
            continue;
        }
        let fence = Fence { run_id: candidate.run.id, owner: owner.to_owned(), epoch: candidate.epoch + 1 };
        connection
            .prepare_cached(
                "UPDATE ai_chat_runs SET owner = ?2, epoch = ?3, lease_expires_at = ?4, updated_at = ?5 WHERE id = ?1",
            )
            .and_then(|mut update| {
                update.execute(params![fence.run_id.to_string(), fence.owner, fence.epoch, expires, now_text])
            })
            .map_err(store_error)?;
        claimed.push(ClaimedRun { run: candidate.run, fence });
    }
    Ok(claimed)
}

fn one_run(connection: &Connection, condition: &str, id: String) -> Result<Option<Run>> {
    connection
        .prepare_cached(&format!("SELECT {RUN_COLUMNS} FROM ai_chat_runs WHERE {condition}"))
        .and_then(|mut statement| statement.query_row([id], rows::run).optional())
        .map_err(store_error)
}

pub(super) fn run(connection: &Connection, run_id: RunId) -> Result<Option<Run>> {
    one_run(connection, "id = ?1", run_id.to_string())
}

pub(super) fn latest_run(connection: &Connection, chat_id: ChatId) -> Result<Option<Run>> {
    one_run(connection, "chat_id = ?1 ORDER BY created_at DESC, id DESC LIMIT 1", chat_id.to_string())
}

pub(super) fn run_of_message(connection: &Connection, message_id: MessageId) -> Result<Option<Run>> {
    one_run(connection, "assistant_message_id = ?1 ORDER BY created_at DESC, id DESC LIMIT 1", message_id.to_string())
}

pub(super) fn steps(connection: &Connection, run_id: RunId) -> Result<Vec<LoggedStep>> {
    connection
        .prepare_cached(&format!("SELECT {STEP_COLUMNS} FROM ai_chat_run_steps WHERE run_id = ?1 ORDER BY step_number"))
        .and_then(|mut statement| statement.query_map([run_id.to_string()], rows::step)?.collect())
        .map_err(store_error)
}

pub(super) fn chat(connection: &Connection, chat_id: ChatId) -> Result<Option<Chat>> {
    connection
        .prepare_cached(&format!("SELECT {CHAT_COLUMNS} FROM ai_chats WHERE id = ?1 AND deleted_at IS NULL"))
        .and_then(|mut statement| statement.query_row([chat_id.to_string()], rows::chat).optional())
        .map_err(store_error)
}

pub(super) fn messages(connection: &Connection, chat_id: ChatId, limit: usize) -> Result<Vec<Message>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut newest_first: Vec<Message> = connection
        .prepare_cached(&format!(
            "SELECT {MESSAGE_COLUMNS} FROM ai_chat_messages WHERE chat_id = ?1 AND deleted_at IS NULL \
             ORDER BY created_at DESC, id DESC LIMIT ?2"
        ))
        .and_then(|mut statement| statement.query_map(params![chat_id.to_string(), limit], rows::message)?.collect())
        .map_err(store_error)?;
    newest_first.reverse();
    Ok(newest_first)
}

pub(super) fn message_span(connection: &Connection, chat_id: ChatId, limit: usize) -> Result<MessageSpan> {
    let place = |row: &Row<'_>| Ok(MessagePlace { created_at: row.get(0)?, id: row.get(1)? });
    let nth_newest = |offset: usize| {
        connection
            .prepare_cached(
                "SELECT created_at, id FROM ai_chat_messages WHERE chat_id = ?1 AND deleted_at IS NULL \
                 ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET ?2",
            )
            .and_then(|mut statement| {
                let offset = i64::try_from(offset).unwrap_or(i64::MAX);
                statement.query_row(params![chat_id.to_string(), offset], place).optional()
            })
            .map_err(store_error)
    };
    let count: i64 = connection
        .prepare_cached("SELECT COUNT(*) FROM ai_chat_messages WHERE chat_id = ?1 AND deleted_at IS NULL")
        .and_then(|mut statement| statement.query_row([chat_id.to_string()], |row| row.get(0)))
        .map_err(store_error)?;
    let count = usize::try_from(count).unwrap_or(0);
    let after = if count > limit { nth_newest(limit)? } else { None };
    Ok(MessageSpan { chat_id, count: count.min(limit), older_left_out: count > limit, after, last: nth_newest(0)? })
}

pub(super) fn visit_messages(
    connection: &Connection,
    span: &MessageSpan,
    fields: MessageFields,
    mut visitor: MessageVisitor,
) -> Result<()> {
    let Some(last) = &span.last else {
        return Ok(());
    };
    // Large values lie on pages of their own, which are read only for columns that are asked for.
    let large = match fields {
        MessageFields::Metadata => "NULL, NULL, metadata",
        MessageFields::Shown => "content, NULL, metadata",
        MessageFields::All => "content, tool_calls, metadata",
    };
    let (after_time, after_id) = match &span.after {
        Some(after) => (after.created_at.as_str(), after.id.as_str()),
        None => ("", ""),
    };
    let mut statement = connection
        .prepare_cached(&format!(
            "SELECT id, user_id, role, {large}, status, created_at, updated_at FROM ai_chat_messages \
             WHERE chat_id = ?1 AND deleted_at IS NULL AND (created_at, id) > (?2, ?3) AND (created_at, id) <= (?4, ?5) \
             ORDER BY created_at, id"
        ))
        .map_err(store_error)?;
    let mut rows = statement
        .query(params![span.chat_id.to_string(), after_time, after_id, last.created_at, last.id])
        .map_err(store_error)?;
    while let Some(row) = rows.next().map_err(store_error)? {
        let message = rows::stored_message(row).map_err(store_error)?;
        if visitor(&message).is_break() {
            break;
        }
    }
    Ok(())
}

pub(super) fn import_chat(connection: &Connection, chat: &Chat, messages: &[Message]) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO ai_chats (id, workspace_id, creator_id, title, created_at, updated_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .and_then(|mut statement| {
            let (created, updated) = (chat.created_at.to_string(), chat.updated_at.to_string());
            statement.execute(params![
                chat.id.to_string(),
                chat.workspace_id,
                chat.creator_id,
                chat.title,
                created,
                updated
            ])
        })
        .map_err(store_error)?;
    let mut statement = connection
        .prepare_cached(
            "INSERT INTO ai_chat_messages (id, chat_id, workspace_id, user_id, role, content, tool_calls, metadata, \
             status, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )
        .map_err(store_error)?;
    for message in messages {
        statement
            .execute(params![
                message.id.to_string(),
                message.chat_id.to_string(),
                message.workspace_id,
                message.user_id,
                message.role.as_str(),
                message.content,
                message.tool_calls.as_ref().map(Json::get),
                message.metadata.as_ref().map(Json::get),
                message.status.map(|status| status.as_str()),
                message.created_at.to_string(),
                message.updated_at.to_string(),
            ])
            .map_err(store_error)?;
    }
    Ok(())
}

pub(super) fn role(connection: &Connection, workspace_id: &str, role_id: AgentRoleId) -> Result<Option<RolePrompt>> {
    connection
        .query_row(
            "SELECT name, instructions FROM ai_agent_roles \
             WHERE id = ?1 AND workspace_id = ?2 AND enabled = 1 AND deleted_at IS NULL",
            [role_id.to_string().as_str(), workspace_id],
            |row| Ok(RolePrompt { name: row.get(0)?, instructions: row.get(1)? }),
        )
        .optional()
        .map_err(store_error)
}
