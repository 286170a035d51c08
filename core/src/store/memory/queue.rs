//! Runs that wait for their chat.

use async_trait::async_trait;

use crate::error::Result;
use crate::id::{ChatId, RunId};
use crate::model::{Run, RunReason, RunStatus};
use crate::project::AssistantFlush;
use crate::store::{Began, BeginRun, Fence, ONE_PLACE, QueueStore, Waiting};

use super::run::new_chat;
use super::{MemoryStore, Waits};

#[async_trait]
impl QueueStore for MemoryStore {
    async fn enqueue_run(&self, begin: BeginRun) -> Result<Began> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        if let Some(run_id) = tables.repeated(&begin) {
            return Ok(Began::Repeated(run_id));
        }
        tables.ensure_allowed(&begin)?;
        tables.chats.entry(begin.chat_id).or_insert_with(|| new_chat(&begin, now)).updated_at = now;
        let fence = Fence { run_id: begin.run_id, owner: begin.owner.clone(), epoch: 0 };
        let lease_expires_at = if begin.unowned { now } else { now.after(begin.lease) };
        let waiting = tables.queue.values().filter(|row| row.begin.chat_id == begin.chat_id);
        let last = waiting.map(|row| row.created_at).max();
        let created_at = last.map_or(now, |last| now.max(last.after(ONE_PLACE)));
        tables.queue.insert(begin.run_id, Waits { begin, lease_expires_at, created_at, stop_requested_at: None });
        Ok(Began::Started(fence))
    }

    async fn count_waiting(&self, chat_id: ChatId, workspace_id: &str, user_id: &str) -> Result<(u64, u64)> {
        let tables = self.tables()?;
        let count =
            |is_one: &dyn Fn(&BeginRun) -> bool| tables.queue.values().filter(|row| is_one(&row.begin)).count() as u64;
        let of_user = |begin: &BeginRun| begin.workspace_id == workspace_id && begin.user_id == user_id;
        Ok((count(&|begin| begin.chat_id == chat_id), count(&of_user)))
    }

    async fn settle_waiting(
        &self,
        waiting: Waiting<'_>,
        reason: RunReason,
        assistant: AssistantFlush,
    ) -> Result<usize> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        let chosen: Vec<RunId> = tables
            .queue
            .values()
            .filter(|row| match waiting {
                Waiting::Run(run_id, owner) => row.begin.run_id == run_id && row.begin.owner == owner,
                Waiting::Abandoned(sweep) => {
                    sweep.leases_at.is_some_and(|at| row.lease_expires_at <= at)
                        && row.is_abandoned(now)
                        && !sweep.spares(Some(&row.begin.owner), row.begin.run_id)
                }
            })
            .map(|row| row.begin.run_id)
            .take(match waiting {
                Waiting::Run(..) => 1,
                Waiting::Abandoned(sweep) => sweep.limit,
            })
            .collect();
        for run_id in &chosen {
            if let Some(row) = tables.queue.remove(run_id) {
                let stopped = row.stop_requested_at.is_some() && reason == RunReason::WorkerLost;
                let reason = if stopped { RunReason::Stopped } else { reason };
                let begin = BeginRun { assistant: assistant.clone(), ..row.begin };
                tables.insert_run(begin, now, Some(reason), row.stop_requested_at);
            }
        }
        Ok(chosen.len())
    }
}

impl Waits {
    pub(super) fn run(&self) -> Run {
        Run {
            id: self.begin.run_id,
            chat_id: self.begin.chat_id,
            workspace_id: self.begin.workspace_id.clone(),
            created_by: self.begin.user_id.clone(),
            trigger: self.begin.trigger,
            status: RunStatus::Pending,
            reason: None,
            error: None,
            failure: None,
            waiting_for: None,
            step_count: 0,
            stop_requested_at: self.stop_requested_at,
            assistant_message_id: Some(self.begin.assistant_message_id),
            created_at: self.created_at,
            started_at: None,
            finished_at: None,
            updated_at: self.created_at,
        }
    }
}
