//! The logs of runs.

use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{named_params, params};

use crate::error::Result;
use crate::id::RunId;
use crate::model::{StepRecord, Usage};
use crate::store::tour::AT_ONCE;
use crate::store::{
    ChunkPack, Fence, LogFrom, LogPage, LogRange, LogRow, LogStart, LogStore, LoggedStep, RecordStep, StepNumbers,
};

use super::rows::{self, STEP_COLUMNS, json};
use super::tables::Tables;
use super::{SqliteStore, limited, store_error};

/// Of how many runs the packs are looked at together, and how many of them are removed in one transaction.
const TRIMMED_RUNS: usize = 32;
const TRIMMED_PACKS: usize = 500;
/// The packs of a step that is in the log. What was told of another one stays.
const TOLD_BY_STEP: &str = "EXISTS (SELECT 1 FROM ai_chat_run_steps AS step WHERE step.run_id = pack.run_id \
     AND step.step_number = pack.step_number AND step.state <> 'intent')";

#[async_trait]
impl LogStore for SqliteStore {
    async fn append_pack(&self, fence: &Fence, pack: &ChunkPack) -> Result<()> {
        let (fence, pack) = (fence.clone(), pack.clone());
        self.write(move |tables| {
            tables.ensure_owned(&fence)?;
            tables.write_pack(&fence, &pack)
        })
        .await
    }

    async fn record_intent(&self, fence: &Fence, step: &StepRecord) -> Result<()> {
        let (fence, step) = (fence.clone(), step.clone());
        self.write(move |tables| {
            tables.update_owned(&fence, "updated_at = :now", &[])?;
            tables.write_step(&fence, &step, None).map(|_| ())
        })
        .await
    }

    async fn record_step(&self, record: RecordStep) -> Result<bool> {
        self.write(move |tables| {
            if let Some(lease) = record.lease {
                tables.update_owned(
                    &record.fence,
                    "step_count = MAX(step_count, :count), lease_expires_at = :lease, updated_at = :now",
                    &[(":count", &(record.step.number + 1)), (":lease", &tables.now.after(lease))],
                )?;
            }
            let steered = tables.is_steered(&record.fence)?;
            if tables.write_step(&record.fence, &record.step, Some(record.numbers))? {
                tables.enter_step(record.fence.run_id, &record.step, &record.call)?;
            }
            if let Some(flush) = &record.refresh {
                tables.update_message(record.fence.run_id, flush)?;
            }
            Ok(steered)
        })
        .await
    }

    async fn steps(&self, run_id: RunId) -> Result<Vec<LoggedStep>> {
        let steps = format!("SELECT {STEP_COLUMNS} FROM ai_chat_run_steps WHERE run_id = ?1 ORDER BY step_number");
        self.read(move |tables| tables.all(&steps, [run_id], rows::step)).await
    }

    async fn read_log(&self, run_id: RunId, range: LogRange) -> Result<Option<LogPage>> {
        self.read(move |tables| tables.log(run_id, range)).await
    }

    async fn trim_packs(&self, settled_for: Duration) -> Result<bool> {
        let from = self.tours.packed.place().unwrap_or_default();
        let seen: Vec<(String, bool)> = self
            .read(move |tables| {
                let values = params![tables.now.before(settled_for), from, limited(AT_ONCE)];
                tables.all(&due_runs(), values, |row| Ok((row.get(0)?, row.get(1)?)))
            })
            .await?;
        let due = || seen.iter().filter(|(_, is_due)| *is_due).map(|(run_id, _)| run_id);
        for run_id in due().take(TRIMMED_RUNS) {
            // In pieces, so that nobody's write waits for all of them.
            while self.trim_some_packs(run_id.clone()).await? == TRIMMED_PACKS {}
        }
        if due().nth(TRIMMED_RUNS).is_none() {
            self.tours.packed.has_seen(seen.len(), seen.last().map(|(run_id, _)| run_id.clone()));
        }
        Ok(due().next().is_some())
    }
}

/// Some runs that have packs, and whether these are to go: their run ended before `?1`, and steps tell what they do. Of runs
/// that wait there may be very many.
fn due_runs() -> String {
    format!(
        "SELECT packed.run_id, EXISTS (SELECT 1 FROM ai_chat_runs AS run WHERE run.id = packed.run_id \
         AND run.finished_at <= ?1 AND EXISTS (SELECT 1 FROM ai_chat_run_chunks AS pack \
         WHERE pack.run_id = packed.run_id AND {TOLD_BY_STEP})) \
         FROM (SELECT DISTINCT run_id FROM ai_chat_run_chunks WHERE run_id > ?2 ORDER BY run_id LIMIT ?3) AS packed \
         ORDER BY packed.run_id"
    )
}

impl SqliteStore {
    async fn trim_some_packs(&self, run_id: String) -> Result<usize> {
        let trim = format!(
            "DELETE FROM ai_chat_run_chunks WHERE rowid IN (SELECT pack.rowid FROM ai_chat_run_chunks AS pack \
             WHERE pack.run_id = ?1 AND {TOLD_BY_STEP} LIMIT {TRIMMED_PACKS})"
        );
        self.write(move |tables| tables.execute(&trim, [run_id])).await
    }
}

/// A number of the log, for SQLite.
fn column(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

impl Tables<'_> {
    /// Writing the same pack again changes nothing.
    pub(super) fn write_pack(&self, fence: &Fence, pack: &ChunkPack) -> Result<()> {
        let last = pack.first_sequence + pack.chunks.len().saturating_sub(1) as u64;
        self.execute(
            "INSERT INTO ai_chat_run_chunks \
             (run_id, first_sequence, last_sequence, epoch, step_number, chunks, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (run_id, first_sequence) DO NOTHING",
            params![
                fence.run_id,
                column(pack.first_sequence),
                column(last),
                fence.epoch,
                pack.step_number,
                format!("[{}]", pack.chunks.join(",")),
                self.now,
            ],
        )
        .map(|_| ())
    }

    /// `numbers` are those of a finished step; without them the step is an intent. Whether anything was written.
    pub(super) fn write_step(&self, fence: &Fence, step: &StepRecord, numbers: Option<StepNumbers>) -> Result<bool> {
        let finished = numbers.is_some();
        // A finished row never changes again.
        self.execute(
            "INSERT INTO ai_chat_run_steps (run_id, step_number, epoch, state, parts, finish_reason, usage, \
             created_at, finished_at, packed_until, next_sequence) \
             VALUES (:run, :number, :epoch, :state, :parts, :reason, :usage, :now, :finished, :packed, :next) \
             ON CONFLICT (run_id, step_number) DO UPDATE SET epoch = excluded.epoch, state = excluded.state, \
             parts = excluded.parts, finish_reason = excluded.finish_reason, usage = excluded.usage, \
             finished_at = excluded.finished_at, packed_until = excluded.packed_until, \
             next_sequence = excluded.next_sequence WHERE state = 'intent'",
            named_params! {
                ":run": fence.run_id,
                ":number": step.number,
                ":epoch": fence.epoch,
                ":state": if finished { "finished" } else { "intent" },
                ":parts": json(&step.parts)?,
                ":reason": step.finish_reason.map(|reason| reason.as_str()),
                ":usage": step.usage.as_ref().map(json).transpose()?,
                ":now": self.now,
                ":finished": finished.then_some(self.now),
                ":packed": numbers.map(|numbers| column(numbers.packed_until)),
                ":next": numbers.map(|numbers| column(numbers.next)),
            },
        )
        .map(|written| written > 0)
    }

    fn log(&self, run_id: RunId, range: LogRange) -> Result<Option<LogPage>> {
        let Some(run) = self.run(run_id)? else {
            return Ok(None);
        };
        let (mut step, mut sequence, start) = match range.from {
            LogFrom::Place { step, sequence } => (step, sequence, None),
            LogFrom::Sequence(wanted) => {
                let start = self.log_start(run_id, wanted)?;
                (start.step, start.first_sequence, Some(start))
            }
        };
        let mut page = LogPage { run, start, rows: Vec::new(), complete: false };
        let mut bytes = 0;
        loop {
            let finished = self.first(
                &format!(
                    "SELECT {STEP_COLUMNS}, LENGTH(parts) AS bytes FROM ai_chat_run_steps \
                     WHERE run_id = ?1 AND step_number = ?2 AND state = 'finished'"
                ),
                params![run_id, step],
                |row| Ok((rows::step(row)?, rows::bytes(row)?)),
            )?;
            if finished.is_none() || range.packs_of_finished {
                let mut packs = self
                    .connection
                    .prepare_cached(
                        "SELECT step_number, first_sequence, chunks, LENGTH(chunks) AS bytes FROM ai_chat_run_chunks \
                         WHERE run_id = ?1 AND first_sequence >= ?2 AND step_number = ?3 ORDER BY first_sequence",
                    )
                    .map_err(store_error)?;
                let mut found = packs.query(params![run_id, column(sequence), step]).map_err(store_error)?;
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
    fn log_start(&self, run_id: RunId, wanted: u64) -> Result<LogStart> {
        // The chunk that begins every log has the number 0 and belongs to no step.
        let mut start = LogStart { step: 0, first_sequence: 1, usage: None, finish_reason: None };
        self.all(
            "SELECT step_number, next_sequence, usage, finish_reason FROM ai_chat_run_steps \
             WHERE run_id = ?1 AND state = 'finished' AND next_sequence <= ?2 ORDER BY step_number",
            params![run_id, column(wanted)],
            |row| {
                start = LogStart {
                    step: row.get::<_, u32>("step_number")? + 1,
                    first_sequence: rows::sequence(row.get("next_sequence")?),
                    usage: Usage::accumulate(start.usage, rows::usage(row)),
                    finish_reason: rows::finish_reason(row)?,
                };
                Ok(())
            },
        )?;
        Ok(start)
    }
}
