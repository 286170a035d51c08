//! The logs of runs.

use std::time::Duration;

use async_trait::async_trait;

use crate::error::Result;
use crate::id::RunId;
use crate::model::{StepRecord, Usage};
use crate::store::{
    ChunkPack, Fence, LogFrom, LogPage, LogRange, LogRow, LogStart, LogStore, LoggedStep, RecordStep, StepNumbers,
};

use super::{MemoryStore, Tables};

#[async_trait]
impl LogStore for MemoryStore {
    async fn append_pack(&self, fence: &Fence, pack: &ChunkPack) -> Result<()> {
        let mut tables = self.tables()?;
        tables.owned(fence)?;
        tables.packs.entry((fence.run_id, pack.first_sequence)).or_insert_with(|| pack.clone());
        Ok(())
    }

    async fn record_intent(&self, fence: &Fence, step: &StepRecord) -> Result<()> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        tables.owned(fence)?.run.updated_at = now;
        tables.write_step(fence.run_id, step, None);
        Ok(())
    }

    async fn record_step(&self, record: RecordStep) -> Result<bool> {
        let steered = self.record_here(&record)?;
        self.enter_elsewhere(record.fence.run_id, &record.step, &record.call).await?;
        Ok(steered)
    }

    async fn steps(&self, run_id: RunId) -> Result<Vec<LoggedStep>> {
        let tables = self.tables()?;
        Ok(tables.steps.range((run_id, 0)..=(run_id, u32::MAX)).map(|(_, step)| step.clone()).collect())
    }

    async fn read_log(&self, run_id: RunId, range: LogRange) -> Result<Option<LogPage>> {
        let tables = self.tables()?;
        let Some(run) = tables.run(run_id) else {
            return Ok(None);
        };
        let mut place = LogStart { step: 0, first_sequence: 1, usage: None, finish_reason: None };
        let finished = tables.steps.range((run_id, 0)..=(run_id, u32::MAX)).filter(|(_, logged)| logged.finished);
        let finished: Vec<&LoggedStep> = finished.map(|(_, logged)| logged).collect();
        let start = match range.from {
            LogFrom::Place { step, sequence } => {
                place = LogStart { step, first_sequence: sequence, ..place };
                None
            }
            LogFrom::Sequence(wanted) => {
                for logged in
                    finished.iter().filter(|logged| logged.numbers.is_some_and(|numbers| numbers.next <= wanted))
                {
                    place = LogStart {
                        step: logged.step.number + 1,
                        first_sequence: logged.numbers.map_or(1, |numbers| numbers.next),
                        usage: Usage::accumulate(place.usage, logged.step.usage),
                        finish_reason: logged.step.finish_reason,
                    };
                }
                Some(place)
            }
        };
        let mut page = LogPage { run, start, rows: Vec::new(), complete: false };
        let (mut step, mut bytes) = (place.step, 0);
        loop {
            let logged = finished.iter().find(|logged| logged.step.number == step);
            let packs = tables.packs.range((run_id, place.first_sequence)..=(run_id, u64::MAX));
            let told = logged.is_none() || range.packs_of_finished;
            for (_, pack) in packs.filter(|(_, pack)| told && pack.step_number == step) {
                if bytes >= range.limit {
                    return Ok(Some(page));
                }
                bytes += pack.chunks.iter().map(|chunk| chunk.len()).sum::<usize>();
                page.rows.push(LogRow::Pack(pack.clone()));
            }
            if bytes >= range.limit {
                return Ok(Some(page));
            }
            let Some(logged) = logged else {
                page.complete = true;
                return Ok(Some(page));
            };
            bytes += logged.step.text().len();
            step += 1;
            page.rows.push(LogRow::Step((*logged).clone()));
        }
    }

    async fn trim_packs(&self, settled_for: Duration) -> Result<bool> {
        let before = self.clock.now().before(settled_for);
        let mut tables = self.tables()?;
        let Tables { packs, runs, steps, .. } = &mut *tables;
        packs.retain(|(run_id, _), pack| {
            steps.get(&(*run_id, pack.step_number)).is_none_or(|logged| !logged.finished)
                || runs.get(run_id).and_then(|row| row.run.finished_at).is_none_or(|finished_at| finished_at > before)
        });
        Ok(false)
    }
}

impl MemoryStore {
    fn record_here(&self, record: &RecordStep) -> Result<bool> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        let row = tables.owned(&record.fence)?;
        row.run.step_count = row.run.step_count.max(record.step.number + 1);
        if let Some(lease) = record.lease {
            row.run.updated_at = now;
            row.lease_expires_at = Some(now.after(lease));
        }
        let place = (record.fence.run_id, record.step.number);
        let is_known = tables.steps.get(&place).is_some_and(|logged| logged.finished);
        tables.write_step(record.fence.run_id, &record.step, Some(record.numbers));
        // A late attempt of an earlier write takes nothing of the call that is on its way by now.
        if self.records.is_none() && !is_known {
            tables.enter_step(record.fence.run_id, &record.step, &record.call, now);
        }
        if let Some(flush) = &record.refresh {
            tables.update_message(record.fence.run_id, flush, now);
        }
        Ok(tables.waiting_for(record.fence.run_id).next().is_some())
    }
}

impl Tables {
    /// `numbers` are those of a finished step; without it the step is an intent.
    pub(super) fn write_step(&mut self, run_id: RunId, step: &StepRecord, numbers: Option<StepNumbers>) {
        let written = LoggedStep { step: step.clone(), finished: numbers.is_some(), numbers };
        let row = self.steps.entry((run_id, step.number)).or_insert_with(|| written.clone());
        if !row.finished {
            *row = written;
        }
    }
}
