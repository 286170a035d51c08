//! The records of turns that are not stored; and the store of such turns, which keeps in another one what outlives them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::{Clock, Timestamp};
use crate::error::{ErrorCode, Result};
use crate::id::{ChatId, RunId};
use crate::model::{CallTokens, RunReason, RunStatus, StatelessRun, StepRecord};
use crate::store::{
    BeginRecord, CallNote, ChatStore, FinishRecord, LedgerCall, RecordStore, SettleRun, Store, lease_lost, step_call_id,
};

use super::MemoryStore;

/// A record, and until when its turn is taken for alive.
pub(super) struct Record {
    run: StatelessRun,
    lease_expires_at: Timestamp,
}

impl MemoryStore {
    /// A store of turns of which nothing is kept but their records, limits and calls, in `records`.
    pub(crate) fn recorded_in(clock: Arc<dyn Clock>, records: Arc<dyn Store>) -> Self {
        Self { records: Some(records), ..Self::new(clock) }
    }

    /// Enters the call that a finished step is into the ledger of the other store.
    pub(super) async fn enter_elsewhere(&self, run_id: RunId, step: &StepRecord, note: &CallNote) -> Result<()> {
        let Some(records) = &self.records else { return Ok(()) };
        let Some((workspace_id, user_id)) =
            self.tables()?.runs.get(&run_id).map(|row| (row.run.workspace_id.clone(), row.run.created_by.clone()))
        else {
            return Ok(());
        };
        let call = LedgerCall {
            id: step_call_id(run_id, step.number),
            workspace_id,
            user_id: Some(user_id),
            // It is nobody's to be found again.
            chat_id: None,
            run_id: Some(run_id),
            kind: note.kind,
            model: note.model.as_deref().map(str::to_owned),
            tokens: CallTokens::of(step.usage, step.text().len(), note.prompt_tokens),
        };
        records.enter_call(&call).await
    }

    /// Writes the end of a turn to the other store, and forgets all else of it.
    pub(super) async fn finish_elsewhere(&self, settle: &SettleRun) -> Result<()> {
        if self.records.is_none() {
            return Ok(());
        }
        let run_id = settle.fence.run_id;
        if let Some((step, _)) = &settle.step {
            self.enter_elsewhere(run_id, step, &settle.call).await?;
        }
        let found = self.tables()?.runs.get(&run_id).map(|row| (row.run.chat_id, row.run.step_count));
        let Some((chat_id, step_count)) = found else { return Ok(()) };
        let finish = FinishRecord {
            run_id,
            status: settle.status,
            reason: settle.reason,
            error: settle.error.clone(),
            step_count,
        };
        self.note_end_elsewhere(&finish, chat_id).await
    }

    /// Whatever the other store says of the end, unless it cannot be reached: nothing else of the turn is wanted any more.
    pub(super) async fn note_end_elsewhere(&self, finish: &FinishRecord, chat_id: ChatId) -> Result<()> {
        let Some(records) = &self.records else { return Ok(()) };
        let noted = records.finish_record(finish).await;
        if !matches!(&noted, Err(error) if error.code() == ErrorCode::StoreUnavailable) {
            self.purge_chats(&[chat_id]).await?;
        }
        noted
    }
}

#[async_trait]
impl RecordStore for MemoryStore {
    async fn begin_record(&self, begin: &BeginRecord) -> Result<()> {
        let now = self.clock.now();
        self.tables()?.records.entry(begin.run_id).or_insert_with(|| Record {
            run: StatelessRun {
                id: begin.run_id,
                workspace_id: begin.workspace_id.clone(),
                created_by: begin.user_id.clone(),
                status: RunStatus::Running,
                reason: None,
                error: None,
                step_count: 0,
                stop_requested_at: None,
                created_at: now,
                finished_at: None,
            },
            lease_expires_at: now.after(begin.lease),
        });
        Ok(())
    }

    async fn renew_records(&self, runs: &[RunId], lease: Duration) -> Result<Vec<RunId>> {
        let until = self.clock.now().after(lease);
        let mut tables = self.tables()?;
        let mut ended = Vec::new();
        for run_id in runs {
            match tables.records.get_mut(run_id).filter(|record| record.run.status.is_active()) {
                Some(record) => record.lease_expires_at = until,
                None => ended.push(*run_id),
            }
        }
        Ok(ended)
    }

    async fn stop_record(&self, run_id: RunId) -> Result<bool> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        let record = tables.records.get_mut(&run_id).filter(|record| record.run.status.is_active());
        Ok(record.map(|record| record.run.stop_requested_at.get_or_insert(now)).is_some())
    }

    async fn stopped_records(&self, runs: &[RunId]) -> Result<Vec<RunId>> {
        let tables = self.tables()?;
        let is_stopped = |record: &Record| record.run.status.is_active() && record.run.stop_requested_at.is_some();
        Ok(runs.iter().filter(|run_id| tables.records.get(run_id).is_some_and(is_stopped)).copied().collect())
    }

    async fn finish_record(&self, finish: &FinishRecord) -> Result<()> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        let record = tables.records.get_mut(&finish.run_id).ok_or_else(lease_lost)?;
        if !record.run.status.is_active() {
            return if record.run.status == finish.status { Ok(()) } else { Err(lease_lost()) };
        }
        record.run.status = finish.status;
        record.run.reason = finish.reason;
        record.run.error = finish.error.clone();
        record.run.step_count = finish.step_count;
        record.run.finished_at = Some(now);
        tables.settle_reserved(finish.run_id);
        Ok(())
    }

    async fn sweep_records(&self) -> Result<usize> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        let is_left = |record: &&mut Record| record.run.status.is_active() && record.lease_expires_at <= now;
        let mut swept = Vec::new();
        for record in tables.records.values_mut().filter(is_left) {
            let stopped = record.run.stop_requested_at.is_some();
            record.run.status = RunStatus::Aborted;
            record.run.reason = Some(if stopped { RunReason::Stopped } else { RunReason::WorkerLost });
            record.run.finished_at = Some(now);
            swept.push(record.run.id);
        }
        swept.iter().for_each(|run_id| tables.settle_reserved(*run_id));
        Ok(swept.len())
    }

    async fn record(&self, run_id: RunId) -> Result<Option<StatelessRun>> {
        Ok(self.tables()?.records.get(&run_id).map(|record| record.run.clone()))
    }

    async fn forget_records(&self, before: Duration) -> Result<()> {
        let since = self.clock.now().before(before);
        self.tables()?.records.retain(|_, record| record.run.finished_at.is_none_or(|at| at > since));
        Ok(())
    }
}
