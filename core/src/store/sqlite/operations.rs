//! The statements of each operation. Each runs inside a transaction that the caller has begun.

use std::collections::HashMap;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, named_params, params};
use serde::Serialize;

use crate::clock::Timestamp;
use crate::error::{Error, ErrorCode, Result};
use crate::id::{AgentRoleId, ChatId, MessageId, RunId};
use crate::model::{Chat, Json, Message, MessageRole, Run, RunReason, RunStatus, StepRecord, Usage};
use crate::project::AssistantFlush;
use crate::store::{
    Began, BeginRun, ChunkPack, ClaimedRun, Fence, LogFrom, LogPage, LogRange, LogRow, LogStart, LoggedStep,
    MessageFields, MessagePlace, MessageSpan, MessageVisitor, RecordStep, Renewal, RolePrompt, SettleRun, StepNumbers,
    UNTOUCHED_WITHOUT_LEASE, Waiting, already_active, forbidden, lease_lost, model_config_of,
};

use super::rows::{self, CHAT_COLUMNS, MESSAGE_COLUMNS, RUN_COLUMNS, STEP_COLUMNS, WAITING_COLUMNS};
use super::store_error;

/// The runs that hold a gate; spelled as in the partial indexes, so that they serve.
const ACTIVE: &str = "status IN ('pending', 'running')";
/// The one epoch of a run that was never taken over.
const FIRST_EPOCH: i64 = 1;

fn json<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal("a row could not be encoded").with_source(error))
}

pub(super) fn begin_run(connection: &Connection, now: Timestamp, begin: &BeginRun) -> Result<Began> {
    if let Some(run_id) = repeated(connection, begin)? {
        return Ok(Began::Repeated(run_id));
    }
    let now_text = now.to_string();
    ensure_chat(connection, &now_text, begin)?;
    match first_waiting(connection, begin.chat_id)? {
        Some(first) if first != begin.run_id => {
            return Err(already_active(active_run_id(connection, begin.chat_id)?.or(Some(first))));
        }
        None if begin.from_queue => return Err(lease_lost()),
        _ => {}
    }
    // The index decides; looking first spares the loser what it would have to take back.
    if let Some(active) = active_run_id(connection, begin.chat_id)? {
        return Err(already_active(Some(active)));
    }
    insert_messages(connection, &now_text, begin)?;
    let lease = now.after(begin.lease).to_string();
    let status = RowStatus { status: RunStatus::Running, reason: None, lease: Some(&lease), finished_at: None };
    match insert_run(connection, &now_text, begin, &status) {
        Ok(()) => {}
        Err(error) if is_gate(&error) => return Err(already_active(active_run_id(connection, begin.chat_id)?)),
        Err(error) => return Err(store_error(error)),
    }
    if begin.from_queue {
        leave_queue(connection, begin.run_id)?;
    }
    Ok(Began::Started(Fence { run_id: begin.run_id, owner: begin.owner.clone(), epoch: FIRST_EPOCH }))
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
    lease: Option<&'a str>,
    finished_at: Option<&'a str>,
}

fn insert_run(connection: &Connection, now: &str, begin: &BeginRun, row: &RowStatus<'_>) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO ai_chat_runs (id, chat_id, workspace_id, created_by, trigger, status, reason, \
             assistant_message_id, idempotency_key, owner, epoch, lease_expires_at, created_at, started_at, \
             finished_at, updated_at, stop_requested_at, stop_reason) \
             VALUES (:id, :chat, :workspace, :user, :trigger, :status, :reason, :message, :key, :owner, :epoch, \
             :lease, :now, :now, :finished, :now, (SELECT stop_requested_at FROM ai_chat_run_queue WHERE id = :id), \
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
            ":epoch": FIRST_EPOCH,
            ":lease": row.lease,
            ":finished": row.finished_at,
            ":now": now,
        })
        .map(|_| ())
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

fn first_waiting(connection: &Connection, chat_id: ChatId) -> Result<Option<RunId>> {
    let id: Option<String> = connection
        .prepare_cached("SELECT id FROM ai_chat_run_queue WHERE chat_id = ?1 ORDER BY id LIMIT 1")
        .and_then(|mut statement| statement.query_row([chat_id.to_string()], |row| row.get(0)).optional())
        .map_err(store_error)?;
    Ok(id.and_then(|id| id.parse().ok()))
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
    let user = begin.user_message.as_ref();
    connection
        .prepare_cached(
            "INSERT INTO ai_chat_run_queue (id, chat_id, workspace_id, created_by, trigger, user_message_id, \
             user_content, user_metadata, assistant_message_id, idempotency_key, owner, lease_expires_at, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
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
                now.after(begin.lease).to_string(),
                now_text,
            ])
        })
        .map_err(store_error)?;
    Ok(Began::Started(Fence { run_id: begin.run_id, owner: begin.owner.clone(), epoch: 0 }))
}

pub(super) fn settle_waiting(
    connection: &Connection,
    now: Timestamp,
    waiting: Waiting,
    reason: RunReason,
    assistant: &AssistantFlush,
    is_dead: impl Fn(&str) -> bool,
) -> Result<usize> {
    let now_text = now.to_string();
    let mut statement = connection
        .prepare_cached(
            "SELECT id, chat_id, workspace_id, created_by, trigger, user_message_id, user_content, user_metadata, \
             assistant_message_id, idempotency_key, owner, lease_expires_at, stop_requested_at FROM ai_chat_run_queue \
             WHERE ?1 IS NULL OR id = ?1 ORDER BY id",
        )
        .map_err(store_error)?;
    let wanted = match waiting {
        Waiting::Run(run_id) => Some(run_id.to_string()),
        Waiting::Abandoned => None,
    };
    let rows: Vec<rows::WaitingRow> = statement
        .query_map([wanted], |row| rows::waiting(row, assistant))
        .and_then(Iterator::collect)
        .map_err(store_error)?;
    let mut settled = 0;
    for row in rows {
        let abandoned = row.lease_expires_at <= now_text || is_dead(&row.begin.owner);
        if waiting == Waiting::Abandoned && !abandoned {
            continue;
        }
        let reason = if row.stop_requested && reason == RunReason::WorkerLost { RunReason::Stopped } else { reason };
        insert_messages(connection, &now_text, &row.begin)?;
        let status =
            RowStatus { status: RunStatus::Aborted, reason: Some(reason), lease: None, finished_at: Some(&now_text) };
        insert_run(connection, &now_text, &row.begin, &status).map_err(store_error)?;
        leave_queue(connection, row.begin.run_id)?;
        settled += 1;
    }
    Ok(settled)
}

fn insert_messages(connection: &Connection, now: &str, begin: &BeginRun) -> Result<()> {
    if begin.user_message.is_some() {
        insert_message(connection, now, begin, MessageRole::User)?;
    }
    insert_message(connection, now, begin, MessageRole::Assistant)
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

/// Whether the run is still this fence's; for writes that leave its row as it is.
fn ensure_owned(connection: &Connection, fence: &Fence) -> Result<()> {
    let owned = connection
        .prepare_cached(&format!(
            "SELECT COUNT(*) FROM ai_chat_runs WHERE id = ?1 AND owner = ?2 AND epoch = ?3 AND {ACTIVE}"
        ))
        .and_then(|mut statement| {
            statement.query_row(params![fence.run_id.to_string(), fence.owner, fence.epoch], |row| row.get::<_, i64>(0))
        })
        .map_err(store_error)?;
    if owned == 1 { Ok(()) } else { Err(lease_lost()) }
}

/// `numbers` are those of a finished step; without it the step is an intent.
fn write_step(
    connection: &Connection,
    now: &str,
    fence: &Fence,
    step: &StepRecord,
    numbers: Option<StepNumbers>,
) -> Result<()> {
    let finished = numbers.is_some();
    let usage = step.usage.as_ref().map(json).transpose()?;
    // A finished row never changes again.
    connection
        .prepare_cached(
            "INSERT INTO ai_chat_run_steps (run_id, step_number, epoch, state, parts, finish_reason, usage, created_at, finished_at, packed_until, next_sequence) \
             VALUES (:run, :number, :epoch, :state, :parts, :reason, :usage, :now, :finished, :packed, :next) \
             ON CONFLICT (run_id, step_number) DO UPDATE SET epoch = excluded.epoch, state = excluded.state, \
             parts = excluded.parts, finish_reason = excluded.finish_reason, usage = excluded.usage, \
             finished_at = excluded.finished_at, packed_until = excluded.packed_until, next_sequence = excluded.next_sequence WHERE state = 'intent'",
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
                ":packed": numbers.map(|numbers| column(numbers.packed_until)),
                ":next": numbers.map(|numbers| column(numbers.next)),
            })
        })
        .map_err(store_error)?;
    Ok(())
}

pub(super) fn record_intent(connection: &Connection, now: Timestamp, fence: &Fence, step: &StepRecord) -> Result<()> {
    let now = now.to_string();
    update_owned(connection, fence, "updated_at = :now", &[(":now", &now)])?;
    write_step(connection, &now, fence, step, None)
}

/// A number of the log, for SQLite.
fn column(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

pub(super) fn append_pack(connection: &Connection, now: Timestamp, fence: &Fence, pack: &ChunkPack) -> Result<()> {
    ensure_owned(connection, fence)?;
    let mut text = String::from("[");
    for (index, chunk) in pack.chunks.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(chunk);
    }
    text.push(']');
    let last = pack.first_sequence + pack.chunks.len().saturating_sub(1) as u64;
    connection
        .prepare_cached(
            "INSERT INTO ai_chat_run_chunks (run_id, first_sequence, last_sequence, epoch, step_number, chunks, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (run_id, first_sequence) DO NOTHING",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                fence.run_id.to_string(),
                column(pack.first_sequence),
                column(last),
                fence.epoch,
                pack.step_number,
                text,
                now.to_string()
            ])
        })
        .map(|_| ())
        .map_err(store_error)
}

pub(super) fn read_log(connection: &Connection, run_id: RunId, range: LogRange) -> Result<Option<LogPage>> {
    // All of it from one snapshot: a step and its packs belong together. The writer's connection has one already.
    let _snapshot =
        if connection.is_autocommit() { Some(connection.unchecked_transaction().map_err(store_error)?) } else { None };
    let Some(run) = run(connection, run_id)? else {
        return Ok(None);
    };
    let id = run_id.to_string();
    let (mut step, mut sequence, start) = match range.from {
        LogFrom::Place { step, sequence } => (step, sequence, None),
        LogFrom::Sequence(wanted) => {
            let start = log_start(connection, &id, wanted).map_err(store_error)?;
            (start.step, start.first_sequence, Some(start))
        }
    };
    let mut page = LogPage { run, start, rows: Vec::new(), complete: false };
    let mut bytes = 0;
    loop {
        let finished = connection
            .prepare_cached(&format!(
                "SELECT {STEP_COLUMNS}, LENGTH(parts) AS bytes FROM ai_chat_run_steps \
                 WHERE run_id = ?1 AND step_number = ?2 AND state = 'finished'"
            ))
            .and_then(|mut statement| {
                statement.query_row(params![id, step], |row| Ok((rows::step(row)?, rows::bytes(row)?))).optional()
            })
            .map_err(store_error)?;
        if finished.is_none() || range.packs_of_finished {
            let mut packs = connection
                .prepare_cached(
                    "SELECT step_number, first_sequence, chunks, LENGTH(chunks) AS bytes FROM ai_chat_run_chunks \
                     WHERE run_id = ?1 AND first_sequence >= ?2 AND step_number = ?3 ORDER BY first_sequence",
                )
                .map_err(store_error)?;
            let mut found = packs.query(params![id, column(sequence), step]).map_err(store_error)?;
            while let Some(row) = found.next().map_err(store_error)? {
                if bytes >= range.limit {
                    return Ok(Some(page));
                }
                bytes += rows::bytes(row).map_err(store_error)?;
                page.rows.push(LogRow::Pack(rows::pack(row).map_err(store_error)?));
            }
        }
        if bytes >= range.limit {
            return Ok(Some(page));
        }
        let Some((logged, size)) = finished else {
            break;
        };
        bytes += size;
        sequence = logged.numbers.map_or(sequence, |numbers| numbers.next);
        step += 1;
        page.rows.push(LogRow::Step(logged));
    }
    page.complete = true;
    Ok(Some(page))
}

/// The beginning of the step in whose range `wanted` is, and what went before it.
fn log_start(connection: &Connection, run_id: &str, wanted: u64) -> rusqlite::Result<LogStart> {
    let mut earlier = connection.prepare_cached(
        "SELECT step_number, next_sequence, usage, finish_reason FROM ai_chat_run_steps \
         WHERE run_id = ?1 AND state = 'finished' AND next_sequence <= ?2 ORDER BY step_number",
    )?;
    let mut rows = earlier.query(params![run_id, column(wanted)])?;
    // The chunk that begins every log has the number 0 and belongs to no step.
    let mut start = LogStart { step: 0, first_sequence: 1, usage: None, finish_reason: None };
    while let Some(row) = rows.next()? {
        start = LogStart {
            step: row.get::<_, u32>("step_number")? + 1,
            first_sequence: rows::sequence(row.get("next_sequence")?),
            usage: Usage::accumulate(start.usage, rows::usage(row)?),
            finish_reason: row.get::<_, Option<String>>("finish_reason")?.and_then(|word| rows::finish_reason(&word)),
        };
    }
    Ok(start)
}

pub(super) fn trim_packs(connection: &Connection, now: Timestamp, settled_for: Duration) -> Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM ai_chat_run_chunks WHERE run_id IN (SELECT run.id \
             FROM (SELECT DISTINCT run_id FROM ai_chat_run_chunks) AS packed JOIN ai_chat_runs AS run \
             ON run.id = packed.run_id WHERE run.finished_at <= ?1) \
             AND EXISTS (SELECT 1 FROM ai_chat_run_steps AS step WHERE step.run_id = ai_chat_run_chunks.run_id \
             AND step.step_number = ai_chat_run_chunks.step_number AND step.state <> 'intent')",
        )
        .and_then(|mut statement| statement.execute([now.before(settled_for).to_string()]))
        .map(|_| ())
        .map_err(store_error)
}

pub(super) fn record_step(connection: &Connection, now: Timestamp, record: &RecordStep) -> Result<()> {
    let now_text = now.to_string();
    match record.lease {
        Some(lease) => {
            let (count, lease) = (record.step.number + 1, now.after(lease).to_string());
            update_owned(
                connection,
                &record.fence,
                "step_count = MAX(step_count, :count), lease_expires_at = :lease, updated_at = :now",
                &[(":count", &count), (":lease", &lease), (":now", &now_text)],
            )?;
        }
        None => ensure_owned(connection, &record.fence)?,
    }
    write_step(connection, &now_text, &record.fence, &record.step, Some(record.numbers))?;
    match &record.refresh {
        Some(flush) => update_message(connection, &now_text, record.fence.run_id, flush),
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
    let count = settle.step.as_ref().map_or(0, |(step, _)| step.number + 1);
    let settled = update_owned(
        connection,
        &settle.fence,
        // Steps are counted here for good: their own writes leave the run's row alone most of the time.
        "status = :status, reason = :reason, error = :error, step_count = MAX(step_count, :count, \
         COALESCE((SELECT MAX(step_number) + 1 FROM ai_chat_run_steps WHERE run_id = :id AND state = 'finished'), 0)), \
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
    if let Some((step, numbers)) = &settle.step {
        write_step(connection, &now, &settle.fence, step, Some(*numbers))?;
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

pub(super) fn request_stop(connection: &Connection, now: Timestamp, run_id: RunId, reason: RunReason) -> Result<bool> {
    let (id, now) = (run_id.to_string(), now.to_string());
    let changed = connection
        .prepare_cached(&format!(
            "UPDATE ai_chat_runs SET stop_requested_at = COALESCE(stop_requested_at, ?2), \
             stop_reason = COALESCE(stop_reason, ?3), updated_at = ?2 WHERE id = ?1 AND {ACTIVE}"
        ))
        .and_then(|mut statement| statement.execute([id.as_str(), now.as_str(), reason.as_str()]))
        .map_err(store_error)?;
    if changed == 1 {
        return Ok(true);
    }
    let waiting = connection
        .prepare_cached(
            "UPDATE ai_chat_run_queue SET stop_requested_at = COALESCE(stop_requested_at, ?2) WHERE id = ?1",
        )
        .and_then(|mut statement| statement.execute([id.as_str(), now.as_str()]))
        .map_err(store_error)?;
    if waiting == 0 && run(connection, run_id)?.is_none() {
        return Err(Error::new(ErrorCode::NotFound, "there is no such run"));
    }
    Ok(waiting == 1)
}

/// The reason of a stop that somebody asked for; older rows have none.
fn stop_reason(asked: bool, reason: Option<String>) -> Option<RunReason> {
    asked.then(|| reason.and_then(|word| RunReason::parse(&word)).unwrap_or(RunReason::Stopped))
}

pub(super) fn renew_leases(
    connection: &Connection,
    now: Timestamp,
    owner: &str,
    runs: &[RunId],
    lease: Duration,
) -> Result<Renewal> {
    let (expires, mut renewal) = (now.after(lease).to_string(), Renewal::default());
    let prepared = |sql: &str| connection.prepare_cached(sql).map_err(store_error);
    let mut running = prepared(&format!(
        "UPDATE ai_chat_runs SET lease_expires_at = ?3 WHERE id = ?1 AND owner = ?2 AND {ACTIVE} \
         RETURNING stop_requested_at IS NOT NULL, stop_reason"
    ))?;
    let mut waiting = prepared(
        "UPDATE ai_chat_run_queue SET lease_expires_at = ?3 WHERE id = ?1 AND owner = ?2 \
         RETURNING stop_requested_at IS NOT NULL, NULL",
    )?;
    for run_id in runs {
        let id = run_id.to_string();
        let renew = |statement: &mut rusqlite::CachedStatement<'_>| {
            statement
                .query_row([id.as_str(), owner, expires.as_str()], |row| Ok(stop_reason(row.get(0)?, row.get(1)?)))
                .optional()
                .map_err(store_error)
        };
        let found = match renew(&mut running)? {
            Some(found) => Some(found),
            None => renew(&mut waiting)?,
        };
        match found {
            None => renewal.lost.push(*run_id),
            Some(Some(reason)) => renewal.stop_requested.push((*run_id, reason)),
            Some(None) => {}
        }
    }
    Ok(renewal)
}

pub(super) fn stop_requests(connection: &Connection, runs: &[RunId]) -> Result<Vec<(RunId, RunReason)>> {
    let mut statement = connection
        .prepare_cached(
            "SELECT stop_requested_at IS NOT NULL, stop_reason FROM ai_chat_runs WHERE id = ?1 \
             UNION ALL SELECT stop_requested_at IS NOT NULL, NULL FROM ai_chat_run_queue WHERE id = ?1",
        )
        .map_err(store_error)?;
    let mut stopped = Vec::new();
    for run_id in runs {
        let stop = statement
            .query_row([run_id.to_string()], |row| Ok(stop_reason(row.get(0)?, row.get(1)?)))
            .optional()
            .map_err(store_error)?;
        if let Some(Some(reason)) = stop {
            stopped.push((*run_id, reason));
        }
    }
    Ok(stopped)
}

/// A run that nobody drives any more.
pub(super) struct Abandoned {
    run: Run,
    epoch: i64,
    stop_reason: Option<RunReason>,
}

/// The active runs (or `only` this one) whose owners are gone.
pub(super) fn abandoned(
    connection: &Connection,
    now: Timestamp,
    only: Option<RunId>,
    is_dead: impl Fn(&str) -> bool,
) -> Result<Vec<Abandoned>> {
    // Two statements, so that one run is found by its id and not by going through all of them.
    let which = if only.is_some() { "id = ?1" } else { "?1 IS NULL" };
    let mut statement = connection
        .prepare_cached(&format!(
            "SELECT {RUN_COLUMNS}, owner, epoch, lease_expires_at, stop_reason FROM ai_chat_runs \
             WHERE {which} AND {ACTIVE}"
        ))
        .map_err(store_error)?;
    let mut rows = statement.query([only.map(|run_id| run_id.to_string())]).map_err(store_error)?;
    let (now_text, mut known) = (now.to_string(), HashMap::new());
    let mut is_dead = |owner: String| *known.entry(owner).or_insert_with_key(|owner| is_dead(owner));
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(store_error)? {
        let text = |column: &str| row.get::<_, Option<String>>(column).map_err(store_error);
        let run = rows::run(row).map_err(store_error)?;
        // Every active row is in exactly one of these two arms.
        let abandoned = match text("lease_expires_at")? {
            Some(expiry) => expiry <= now_text || text("owner")?.is_some_and(&mut is_dead),
            None => run.updated_at <= now.before(UNTOUCHED_WITHOUT_LEASE),
        };
        if abandoned {
            let stop_reason = stop_reason(run.stop_requested_at.is_some(), text("stop_reason")?);
            found.push(Abandoned { run, epoch: row.get("epoch").map_err(store_error)?, stop_reason });
        }
    }
    Ok(found)
}

pub(super) fn claim_abandoned(
    connection: &Connection,
    now: Timestamp,
    owner: &str,
    lease: Duration,
    only: Option<RunId>,
    is_dead: impl Fn(&str) -> bool,
) -> Result<Vec<ClaimedRun>> {
    let (now_text, expires) = (now.to_string(), now.after(lease).to_string());
    let mut claimed = Vec::new();
    for Abandoned { run, epoch, stop_reason } in abandoned(connection, now, only, is_dead)? {
        let fence = Fence { run_id: run.id, owner: owner.to_owned(), epoch: epoch + 1 };
        connection
            .prepare_cached(
                "UPDATE ai_chat_runs SET owner = ?2, epoch = ?3, lease_expires_at = ?4, updated_at = ?5 WHERE id = ?1",
            )
            .and_then(|mut update| {
                update.execute(params![fence.run_id.to_string(), fence.owner, fence.epoch, expires, now_text])
            })
            .map_err(store_error)?;
        claimed.push(ClaimedRun { run, fence, stop_reason });
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
    let begun = one_run(connection, "id = ?1", run_id.to_string())?;
    if begun.is_some() {
        return Ok(begun);
    }
    connection
        .prepare_cached(&format!("SELECT {WAITING_COLUMNS} FROM ai_chat_run_queue WHERE id = ?1"))
        .and_then(|mut statement| statement.query_row([run_id.to_string()], rows::run).optional())
        .map_err(store_error)
}

pub(super) fn active_run(connection: &Connection, chat_id: ChatId) -> Result<Option<Run>> {
    one_run(connection, &format!("chat_id = ?1 AND {ACTIVE}"), chat_id.to_string())
}

pub(super) fn runs_of_chat(connection: &Connection, chat_id: ChatId, limit: usize) -> Result<Vec<Run>> {
    let read = |sql: String| {
        connection
            .prepare_cached(&sql)
            .and_then(|mut statement| {
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                statement
                    .query_map(params![chat_id.to_string(), limit], rows::run)?
                    .collect::<rusqlite::Result<Vec<_>>>()
            })
            .map_err(store_error)
    };
    let mut runs =
        read(format!("SELECT {WAITING_COLUMNS} FROM ai_chat_run_queue WHERE chat_id = ?1 ORDER BY id DESC LIMIT ?2"))?;
    runs.extend(read(format!(
        "SELECT {RUN_COLUMNS} FROM ai_chat_runs WHERE chat_id = ?1 ORDER BY created_at DESC, id DESC LIMIT ?2"
    ))?);
    runs.truncate(limit);
    Ok(runs)
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
            "SELECT name, instructions, model_config FROM ai_agent_roles \
             WHERE id = ?1 AND workspace_id = ?2 AND enabled = 1 AND deleted_at IS NULL",
            [role_id.to_string().as_str(), workspace_id],
            |row| {
                let model_config: Option<String> = row.get(2)?;
                let model_config = model_config.as_deref().and_then(model_config_of);
                Ok(RolePrompt { name: row.get(0)?, instructions: row.get(1)?, model_config })
            },
        )
        .optional()
        .map_err(store_error)
}

pub(super) fn name_chat(connection: &Connection, now: Timestamp, chat_id: ChatId, title: &str) -> Result<bool> {
    let named = connection.execute(
        "UPDATE ai_chats SET title = ?2, updated_at = ?3 \
         WHERE id = ?1 AND deleted_at IS NULL AND coalesce(title, '') = ''",
        params![chat_id.to_string(), title, now.to_string()],
    );
    named.map(|named| named == 1).map_err(store_error)
}
