//! What the owner of a run writes, and its log. Each operation runs inside a transaction that the caller has begun.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, named_params, params};

use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::RunId;
use crate::model::{StepRecord, Usage};
use crate::project::AssistantFlush;
use crate::store::{
    ChunkPack, Fence, LogFrom, LogPage, LogRange, LogRow, LogStart, RecordStep, SettleRun, StepNumbers, lease_lost,
};

use super::rows::{self, ACTIVE, STEP_COLUMNS, json};
use super::{read, store_error};

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
    let Some(run) = read::run(connection, run_id)? else {
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
            usage: Usage::accumulate(start.usage, rows::usage(row)),
            finish_reason: rows::finish_reason(row)?,
        };
    }
    Ok(start)
}

/// Of how many runs the packs are looked at together, and how many of them are removed in one transaction.
const TRIMMED_RUNS: usize = 32;
const TRIMMED_PACKS: usize = 500;
/// The packs of a step that is in the log. What was told of another one stays.
const TOLD_BY_STEP: &str = "EXISTS (SELECT 1 FROM ai_chat_run_steps AS step WHERE step.run_id = pack.run_id \
     AND step.step_number = pack.step_number AND step.state <> 'intent')";

pub(super) fn runs_to_trim(connection: &Connection, now: Timestamp, settled_for: Duration) -> Result<Vec<String>> {
    connection
        .prepare_cached(&format!(
            "SELECT run.id FROM (SELECT DISTINCT run_id FROM ai_chat_run_chunks) AS packed \
             JOIN ai_chat_runs AS run ON run.id = packed.run_id WHERE run.finished_at <= ?1 AND EXISTS \
             (SELECT 1 FROM ai_chat_run_chunks AS pack WHERE pack.run_id = run.id AND {TOLD_BY_STEP}) \
             LIMIT {TRIMMED_RUNS}"
        ))
        .and_then(|mut statement| {
            statement.query_map([now.before(settled_for).to_string()], |row| row.get(0))?.collect()
        })
        .map_err(store_error)
}

/// Removes some packs of this run; `true` when there may be more.
pub(super) fn trim_some_packs(connection: &Connection, run_id: &str) -> Result<bool> {
    connection
        .prepare_cached(&format!(
            "DELETE FROM ai_chat_run_chunks WHERE rowid IN (SELECT pack.rowid FROM ai_chat_run_chunks AS pack \
             WHERE pack.run_id = ?1 AND {TOLD_BY_STEP} LIMIT {TRIMMED_PACKS})"
        ))
        .and_then(|mut statement| statement.execute([run_id]))
        .map(|removed| removed == TRIMMED_PACKS)
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
