//! Runs that wait for their chat.

use async_trait::async_trait;
use rusqlite::{Params, params};

use crate::error::Result;
use crate::id::{ChatId, RunId};
use crate::model::{RunReason, RunStatus};
use crate::project::AssistantFlush;
use crate::store::{Began, BeginRun, Fence, QueueStore, RunPlan, UNTOUCHED_WITHOUT_LEASE, Waiting};

use super::judge::Judge;
use super::lease::OwnedSweep;
use super::tables::Tables;
use super::{SqliteStore, rows, store_error};

#[async_trait]
impl QueueStore for SqliteStore {
    async fn enqueue_run(&self, begin: BeginRun) -> Result<Began> {
        self.write(move |tables| {
            if let Some(run_id) = tables.repeated(&begin)? {
                return Ok(Began::Repeated(run_id));
            }
            tables.ensure_chat(&begin)?;
            let place = tables.next_place("ai_chat_run_queue", begin.chat_id).map_err(store_error)?;
            let user = begin.user_message.as_ref();
            tables.execute(
                "INSERT INTO ai_chat_run_queue (id, chat_id, workspace_id, created_by, trigger, user_message_id, \
                 user_content, user_metadata, assistant_message_id, idempotency_key, owner, lease_expires_at, \
                 created_at, plan) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
                params![
                    begin.run_id,
                    begin.chat_id,
                    begin.workspace_id,
                    begin.user_id,
                    begin.trigger.as_str(),
                    user.map(|message| message.id),
                    user.map(|message| &message.content),
                    user.map(|message| &message.metadata),
                    begin.assistant_message_id,
                    begin.idempotency_key,
                    begin.owner,
                    if begin.unowned { tables.now } else { tables.now.after(begin.lease) },
                    place,
                    begin.plan.as_ref().map(RunPlan::to_json),
                ],
            )?;
            Ok(Began::Started(Fence { run_id: begin.run_id, owner: begin.owner, epoch: 0 }))
        })
        .await
    }

    async fn count_waiting(&self, chat_id: ChatId, workspace_id: &str, user_id: &str) -> Result<(u64, u64)> {
        let (workspace_id, user_id) = (workspace_id.to_owned(), user_id.to_owned());
        self.read(move |tables| {
            let of_chat: i64 = tables.one("SELECT COUNT(*) FROM ai_chat_run_queue WHERE chat_id = ?1", [chat_id])?;
            let of_user: i64 = tables.one(
                "SELECT COUNT(*) FROM ai_chat_run_queue WHERE workspace_id = ?1 AND created_by = ?2",
                [workspace_id, user_id],
            )?;
            Ok((of_chat.unsigned_abs(), of_user.unsigned_abs()))
        })
        .await
    }

    async fn settle_waiting(
        &self,
        waiting: Waiting<'_>,
        reason: RunReason,
        assistant: AssistantFlush,
    ) -> Result<usize> {
        match waiting {
            Waiting::Run(run_id, owner) => {
                let owner = owner.to_owned();
                self.write(move |tables| {
                    let mut waiting = tables.waiting("id = ?1", [run_id], &assistant)?;
                    waiting.retain(|row| row.begin.owner == owner);
                    tables.abort_waiting(&waiting, reason)
                })
                .await
            }
            Waiting::Abandoned(sweep) => {
                // Mostly nobody waits, and looking holds nobody up.
                if !self.read(|tables| tables.one("SELECT EXISTS (SELECT 1 FROM ai_chat_run_queue)", [])).await? {
                    return Ok(0);
                }
                let (sweep, mut judge) = (OwnedSweep::of(sweep), self.judge(sweep.lease, sweep.leases_at));
                self.write(move |tables| {
                    let waiting = match sweep.only {
                        Some(run_id) => tables.waiting("id = ?1", [run_id], &assistant)?,
                        None => tables.waiting("1", [], &assistant)?,
                    };
                    let abandoned = waiting.into_iter().filter(|row| {
                        let begin = &row.begin;
                        if sweep.borrowed().spares(Some(&begin.owner), begin.run_id) {
                            return false;
                        }
                        if begin.plan.is_some() && !row.stop_requested {
                            // Somebody who offers its tools may still come for it.
                            let long_ago = tables.now.before(UNTOUCHED_WITHOUT_LEASE);
                            return sweep
                                .leases_at
                                .is_some_and(|at| row.lease_expires_at <= at.min(long_ago).to_string());
                        }
                        row.is_left(&mut judge, tables)
                    });
                    tables.abort_waiting(&abandoned.take(sweep.limit).collect::<Vec<_>>(), reason)
                })
                .await
            }
        }
    }
}

impl rows::WaitingRow {
    /// Whether whoever waits with it is gone.
    fn is_left(&self, judge: &mut Judge, tables: &Tables<'_>) -> bool {
        let (id, now) = (self.begin.run_id.to_string(), tables.now.to_string());
        judge.is_gone(&id, Some(&self.begin.owner), 0, &self.lease_expires_at, &now)
    }
}

impl Tables<'_> {
    /// Settles these runs as if they had begun and ended at once; how many they are.
    fn abort_waiting(&self, waiting: &[rows::WaitingRow], reason: RunReason) -> Result<usize> {
        for row in waiting {
            let is_stopped = row.stop_requested && reason == RunReason::WorkerLost;
            let reason = if is_stopped { RunReason::Stopped } else { reason };
            self.insert_messages(&row.begin, true)?;
            self.insert_run(&row.begin, RunStatus::Aborted, Some(reason)).map_err(store_error)?;
            self.leave_queue(row.begin.run_id)?;
        }
        Ok(waiting.len())
    }

    /// The run that has waited longest for the chat, and whose it is.
    pub(super) fn first_waiting(&self, chat_id: ChatId) -> Result<Option<(RunId, String)>> {
        let found: Option<(String, String)> = self.first(
            "SELECT id, owner FROM ai_chat_run_queue WHERE chat_id = ?1 ORDER BY created_at, id LIMIT 1",
            [chat_id],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        Ok(found.and_then(|(id, owner)| Some((id.parse().ok()?, owner))))
    }

    pub(super) fn leave_queue(&self, run_id: RunId) -> Result<()> {
        self.execute("DELETE FROM ai_chat_run_queue WHERE id = ?1", [run_id]).map(|_| ())
    }

    /// Runs that wait, in their order. One that cannot be read begins no more, and holds nobody up.
    fn waiting(&self, which: &str, values: impl Params, assistant: &AssistantFlush) -> Result<Vec<rows::WaitingRow>> {
        self.readable(
            &format!(
                "SELECT id, chat_id, workspace_id, created_by, trigger, user_message_id, user_content, user_metadata, \
                 assistant_message_id, idempotency_key, owner, lease_expires_at, stop_requested_at, plan \
                 FROM ai_chat_run_queue WHERE {which} ORDER BY created_at, id"
            ),
            values,
            |row| rows::waiting(row, assistant),
        )
    }

    /// The runs that wait, that these tools fit, and that nobody waits for any more.
    pub(super) fn waiting_for_offer(
        &self,
        tools: &[String],
        assistant: &AssistantFlush,
        judge: &mut Judge,
    ) -> Result<Vec<BeginRun>> {
        let mut planned = self.waiting("plan IS NOT NULL", [], assistant)?;
        planned.retain(|row| {
            let fits = row.begin.plan.as_ref().is_some_and(|plan| plan.fits(tools));
            fits && !row.stop_requested && row.is_left(judge, self)
        });
        Ok(planned.into_iter().map(|row| row.begin).collect())
    }
}
