//! Stops that somebody asked for.

use async_trait::async_trait;

use crate::error::{Error, ErrorCode, Result};
use crate::id::RunId;
use crate::model::RunReason;
use crate::store::{STOP_NOTES_KEPT, StopStore};

use super::{MemoryStore, Tables};

#[async_trait]
impl StopStore for MemoryStore {
    async fn request_stop(&self, run_id: RunId, reason: RunReason) -> Result<bool> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        if let Some(waits) = tables.queue.get_mut(&run_id) {
            waits.stop_requested_at.get_or_insert(now);
            return Ok(true);
        }
        let row =
            tables.runs.get_mut(&run_id).ok_or_else(|| Error::new(ErrorCode::NotFound, "there is no such run"))?;
        if !row.run.status.is_active() {
            return Ok(false);
        }
        row.run.stop_requested_at.get_or_insert(now);
        row.stop_reason.get_or_insert(reason);
        row.run.updated_at = now;
        Ok(true)
    }

    async fn stop_requests(&self, runs: &[RunId]) -> Result<Vec<(RunId, RunReason)>> {
        let mut stopped: Vec<_> = {
            let tables = self.tables()?;
            runs.iter().filter_map(|run_id| Some((*run_id, tables.stop_request(run_id)?))).collect()
        };
        if let Some(records) = &self.records {
            let elsewhere = records.stopped_records(runs).await?;
            stopped.extend(elsewhere.into_iter().map(|run_id| (run_id, RunReason::Stopped)));
        }
        Ok(stopped)
    }

    async fn note_stop(&self, workspace_id: &str, user_id: &str, key: &str) -> Result<()> {
        let now = self.clock.now();
        let notes = &mut self.tables()?.stop_notes;
        notes.retain(|_, noted_at| *noted_at >= now.before(STOP_NOTES_KEPT));
        notes.insert((workspace_id.to_owned(), user_id.to_owned(), key.to_owned()), now);
        Ok(())
    }

    async fn is_stop_noted(&self, workspace_id: &str, user_id: &str, key: &str) -> Result<bool> {
        let note = (workspace_id.to_owned(), user_id.to_owned(), key.to_owned());
        Ok(self.tables()?.stop_notes.contains_key(&note))
    }
}

impl Tables {
    pub(super) fn stop_request(&self, run_id: &RunId) -> Option<RunReason> {
        match (self.runs.get(run_id), self.queue.get(run_id)) {
            (Some(row), _) => row.run.stop_requested_at.and(Some(row.stop_reason.unwrap_or(RunReason::Stopped))),
            (None, Some(row)) => row.stop_requested_at.and(Some(RunReason::Stopped)),
            (None, None) => None,
        }
    }
}
