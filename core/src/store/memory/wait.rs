//! Runs that wait for somebody's answer.

use async_trait::async_trait;

use crate::error::Result;
use crate::id::RunId;
use crate::model::{RunStatus, Waits};
use crate::store::{SuspendRun, WaitStore, WaitingOf, WaitingRun, lease_lost};

use super::{MemoryStore, Owned, Tables};

#[async_trait]
impl WaitStore for MemoryStore {
    async fn suspend_run(&self, suspend: SuspendRun) -> Result<()> {
        let now = self.clock.now();
        let SuspendRun { fence, step, pack, waits, call, assistant } = suspend;
        let mut tables = self.tables()?;
        let row = tables.runs.get_mut(&fence.run_id).filter(|row| row.epoch == fence.epoch).ok_or_else(lease_lost)?;
        if row.run.status == RunStatus::Waiting && row.owner.is_empty() {
            return Ok(());
        }
        let row = tables.owned(&fence)?;
        row.run.status = RunStatus::Waiting;
        row.run.updated_at = now;
        row.owner.clear();
        row.lease_expires_at = None;
        row.waits = Some(waits);
        row.suspensions += 1;
        if let Some(pack) = pack {
            tables.packs.entry((fence.run_id, pack.first_sequence)).or_insert(pack);
        }
        tables.write_step(fence.run_id, &step, None);
        tables.enter_step(fence.run_id, &step, &call, now);
        tables.update_message(fence.run_id, &assistant, now);
        Ok(())
    }

    async fn waits(&self, run_id: RunId) -> Result<Option<WaitingRun>> {
        Ok(self.tables()?.runs.get(&run_id).and_then(waiting_run))
    }

    async fn change_waits(&self, run_id: RunId, was: &Waits, waits: &Waits) -> Result<bool> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        let Some(row) = tables.runs.get_mut(&run_id) else { return Ok(false) };
        let is_free = row.run.status == RunStatus::Waiting && row.run.stop_requested_at.is_none();
        if !is_free || row.waits.as_ref() != Some(was) {
            return Ok(false);
        }
        row.waits = Some(waits.clone());
        row.run.updated_at = now;
        tables.wake(now);
        Ok(true)
    }

    async fn wake_answered(&self) -> Result<usize> {
        let now = self.clock.now();
        Ok(self.tables()?.wake(now))
    }

    async fn waiting_runs(&self, of: &WaitingOf) -> Result<Vec<WaitingRun>> {
        let tables = self.tables()?;
        let is_wanted = |row: &&Owned| {
            row.run.status == RunStatus::Waiting
                && row.run.workspace_id == of.workspace_id
                && of.user_id.as_ref().is_none_or(|user| *user == row.run.created_by)
                && of.chat_id.is_none_or(|chat| chat == row.run.chat_id)
                && of.after.is_none_or(|after| row.run.id > after)
        };
        Ok(tables.runs.values().filter(is_wanted).filter_map(waiting_run).take(of.limit).collect())
    }

    async fn expired_waits(&self, limit: usize) -> Result<Vec<WaitingRun>> {
        let now = self.clock.now();
        let tables = self.tables()?;
        let is_over = |row: &&Owned| {
            let expiry = row.waits.as_ref().and_then(Waits::next_expiry);
            row.run.status == RunStatus::Waiting && expiry.is_some_and(|at| at <= now)
        };
        Ok(tables.runs.values().filter(is_over).filter_map(waiting_run).take(limit).collect())
    }
}

fn waiting_run(row: &Owned) -> Option<WaitingRun> {
    Some(WaitingRun { run: row.run.clone(), waits: row.waits.clone()? })
}

impl Tables {
    /// Runs that have all their answers and a free chat are pending from now on.
    fn wake(&mut self, now: crate::clock::Timestamp) -> usize {
        let is_answered = |row: &&Owned| {
            row.run.status == RunStatus::Waiting
                && row.run.stop_requested_at.is_none()
                && row.waits.as_ref().is_some_and(Waits::are_answered)
        };
        let answered: Vec<RunId> = self.runs.values().filter(is_answered).map(|row| row.run.id).collect();
        let mut woken = 0;
        for run_id in answered {
            let Some(chat_id) = self.runs.get(&run_id).map(|row| row.run.chat_id) else { continue };
            if self.holder(chat_id).is_some_and(|holder| holder.id != run_id) {
                continue;
            }
            if let Some(row) = self.runs.get_mut(&run_id) {
                row.run.status = RunStatus::Pending;
                row.run.updated_at = now;
                woken += 1;
            }
        }
        woken
    }
}
