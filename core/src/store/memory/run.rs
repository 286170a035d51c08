//! Runs: their beginning, their end, and reading them.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::{Error, ErrorCode, Result};
use crate::id::{ChatId, MessageId, RunId};
use crate::model::{Chat, Message, MessageRole, MessageStatus, Run, RunReason, RunStatus};
use crate::store::{
    Began, BeginRecord, BeginRun, Fence, FinishRecord, ONE_PLACE, RunStore, SettleRun, already_active, forbidden,
    lease_lost,
};

use super::{MemoryStore, Owned, Tables, Waits};

#[async_trait]
impl RunStore for MemoryStore {
    async fn begin_run(&self, begin: BeginRun) -> Result<Began> {
        if let Some(records) = &self.records {
            let BeginRun { run_id, workspace_id, user_id, lease, .. } = begin.clone();
            records.begin_record(&BeginRecord { run_id, workspace_id, user_id, lease }).await?;
        }
        let now = self.clock.now();
        let mut tables = self.tables()?;
        if let Some(run_id) = tables.repeated(&begin) {
            return Ok(Began::Repeated(run_id));
        }
        tables.ensure_allowed(&begin)?;
        let active = tables.holder(begin.chat_id);
        if let Some(active) = active {
            return Err(already_active(Some(active.id)));
        }
        let waiting = tables.queue.values().filter(|row| row.begin.chat_id == begin.chat_id);
        let first = waiting.min_by_key(|row| (row.created_at, row.begin.run_id));
        match first.map(|row| (row.begin.run_id, row.begin.owner == begin.owner)) {
            Some((first, _)) if first != begin.run_id => return Err(already_active(Some(first))),
            Some((_, false)) if begin.from_queue => return Err(lease_lost()),
            None if begin.from_queue => return Err(lease_lost()),
            _ => {}
        }
        let waited = tables.queue.remove(&begin.run_id);
        tables.chats.entry(begin.chat_id).or_insert_with(|| new_chat(&begin, now)).updated_at = now;
        let fence = Fence { run_id: begin.run_id, owner: begin.owner.clone(), epoch: i64::from(!begin.unowned) };
        tables.insert_run(begin, now, None, waited.and_then(|row| row.stop_requested_at));
        Ok(Began::Started(fence))
    }

    async fn settle_run(&self, settle: SettleRun) -> Result<bool> {
        if !self.settle_here(settle.clone())? {
            return Ok(false);
        }
        self.finish_elsewhere(&settle).await.map(|()| true)
    }

    async fn fail_run(&self, fence: &Fence, error: &str) -> Result<()> {
        self.fail_here(fence, error)?;
        let found = self.tables()?.runs.get(&fence.run_id).map(|row| (row.run.chat_id, row.run.step_count));
        let Some((chat_id, step_count)) = found else { return Ok(()) };
        let finish = FinishRecord {
            run_id: fence.run_id,
            status: RunStatus::Failed,
            reason: Some(RunReason::Internal),
            error: Some(error.to_owned()),
            step_count,
        };
        self.note_end_elsewhere(&finish, chat_id).await
    }

    async fn run(&self, run_id: RunId) -> Result<Option<Run>> {
        Ok(self.tables()?.run(run_id))
    }

    async fn run_of_key(&self, workspace_id: &str, user_id: &str, key: &str) -> Result<Option<RunId>> {
        Ok(self.tables()?.run_of_key(workspace_id, user_id, key))
    }

    async fn active_run(&self, chat_id: ChatId) -> Result<Option<Run>> {
        Ok(self.tables()?.holder(chat_id))
    }

    async fn latest_run(&self, chat_id: ChatId) -> Result<Option<Run>> {
        Ok(self.tables()?.newest_run(|run| run.chat_id == chat_id))
    }

    async fn runs_of_chat(&self, chat_id: ChatId, limit: usize) -> Result<Vec<Run>> {
        let tables = self.tables()?;
        let mut waiting: Vec<Run> =
            tables.queue.values().filter(|row| row.begin.chat_id == chat_id).map(Waits::run).collect();
        waiting.sort_by_key(|run| std::cmp::Reverse((run.created_at, run.id)));
        let mut begun: Vec<Run> =
            tables.runs.values().map(|row| &row.run).filter(|run| run.chat_id == chat_id).cloned().collect();
        begun.sort_by_key(|run| std::cmp::Reverse((run.created_at, run.id)));
        Ok(waiting.into_iter().chain(begun).take(limit).collect())
    }

    async fn runs_before(&self, chat_id: ChatId, before: RunId, limit: usize) -> Result<Vec<Run>> {
        let all = self.runs_of_chat(chat_id, usize::MAX).await?;
        let older = all.iter().position(|run| run.id == before).map_or(all.len(), |place| place + 1);
        Ok(all.into_iter().skip(older).take(limit).collect())
    }

    async fn run_of_message(&self, message_id: MessageId) -> Result<Option<Run>> {
        Ok(self.tables()?.newest_run(|run| run.assistant_message_id == Some(message_id)))
    }
}

impl MemoryStore {
    fn settle_here(&self, settle: SettleRun) -> Result<bool> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        let already = tables.runs.get(&settle.fence.run_id).is_some_and(|row| {
            row.owner == settle.fence.owner && row.epoch == settle.fence.epoch && row.run.status == settle.status
        });
        if already {
            return Ok(true);
        }
        let waits = tables.waiting_for(settle.fence.run_id).next().is_some();
        let row = tables.owned(&settle.fence)?;
        if settle.unless_steered.is_some_and(|step| waits || row.steering_step > step) {
            return Ok(false);
        }
        row.run.status = settle.status;
        row.run.reason = settle.reason;
        row.run.error = settle.error;
        row.run.failure = settle.failure;
        row.run.finished_at = Some(now);
        row.run.updated_at = now;
        row.lease_expires_at = None;
        if let Some((step, numbers)) = &settle.step {
            row.run.step_count = row.run.step_count.max(step.number + 1);
            tables.write_step(settle.fence.run_id, step, Some(*numbers));
            if self.records.is_none() {
                tables.enter_step(settle.fence.run_id, step, &settle.call, now);
            }
        }
        tables.settle_reserved(settle.fence.run_id);
        tables.update_message(settle.fence.run_id, &settle.assistant, now);
        Ok(true)
    }

    fn fail_here(&self, fence: &Fence, error: &str) -> Result<()> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        let failed_before = tables.runs.get(&fence.run_id).is_some_and(|row| {
            row.owner == fence.owner && row.epoch == fence.epoch && row.run.status == RunStatus::Failed
        });
        if failed_before {
            return Ok(());
        }
        let row = tables.owned(fence)?;
        row.run.status = RunStatus::Failed;
        row.run.reason = Some(RunReason::Internal);
        row.run.error = Some(error.to_owned());
        row.run.finished_at = Some(now);
        row.run.updated_at = now;
        row.lease_expires_at = None;
        let message = row.run.assistant_message_id;
        tables.settle_reserved(fence.run_id);
        if let Some(message) = message.and_then(|id| tables.messages.get_mut(&id)) {
            message.status = Some(MessageStatus::Error);
            message.updated_at = now;
        }
        Ok(())
    }
}

impl Tables {
    pub(super) fn run(&self, run_id: RunId) -> Option<Run> {
        let begun = self.runs.get(&run_id).map(|row| row.run.clone());
        begun.or_else(|| self.queue.get(&run_id).map(Waits::run))
    }

    pub(super) fn run_of_key(&self, workspace_id: &str, user_id: &str, key: &str) -> Option<RunId> {
        let begun = self.runs.values().find(|row| {
            row.idempotency_key.as_deref() == Some(key)
                && row.run.workspace_id == workspace_id
                && row.run.created_by == user_id
        });
        let waiting = || {
            self.queue.values().find(|row| {
                row.begin.idempotency_key.as_deref() == Some(key)
                    && row.begin.workspace_id == workspace_id
                    && row.begin.user_id == user_id
            })
        };
        begun.map(|row| row.run.id).or_else(|| waiting().map(|row| row.begin.run_id))
    }

    pub(super) fn repeated(&self, begin: &BeginRun) -> Option<RunId> {
        let key = begin.idempotency_key.as_deref()?;
        self.run_of_key(&begin.workspace_id, &begin.user_id, key).filter(|run_id| *run_id != begin.run_id)
    }

    pub(super) fn ensure_allowed(&self, begin: &BeginRun) -> Result<()> {
        match self.chats.get(&begin.chat_id) {
            Some(chat) if chat.workspace_id != begin.workspace_id || chat.creator_id != begin.user_id => {
                Err(forbidden())
            }
            Some(chat) if self.deleted_chats.contains_key(&chat.id) => {
                Err(Error::new(ErrorCode::NotFound, "this chat has been deleted"))
            }
            _ => Ok(()),
        }
    }

    /// Writes run and messages; with a reason, as ones that ended at once.
    pub(super) fn insert_run(
        &mut self,
        begin: BeginRun,
        now: Timestamp,
        aborted: Option<RunReason>,
        stop_requested_at: Option<Timestamp>,
    ) {
        let mut place = self.next_place(begin.chat_id, now);
        if begin.user_message.is_some() && begin.replaces.is_none() && aborted.is_none() {
            place = self.take_steering(&begin, place, now);
        }
        if let Some(replaced) = begin.replaces {
            self.replace_from(begin.chat_id, replaced, now);
            let first = *self.versions.entry(replaced).or_insert(replaced);
            let new = begin.user_message.as_ref().map_or(begin.assistant_message_id, |message| message.id);
            self.versions.entry(new).or_insert(first);
        }
        let assistant = Message {
            id: begin.assistant_message_id,
            chat_id: begin.chat_id,
            workspace_id: begin.workspace_id.clone(),
            user_id: None,
            role: MessageRole::Assistant,
            content: begin.assistant.content,
            tool_calls: None,
            metadata: Some(begin.assistant.metadata),
            status: Some(begin.assistant.status),
            created_at: if begin.user_message.is_some() { place.after(ONE_PLACE) } else { place },
            updated_at: now,
        };
        if let Some(message) = begin.user_message {
            let user = Message {
                id: message.id,
                user_id: Some(begin.user_id.clone()),
                role: MessageRole::User,
                content: message.content,
                metadata: Some(message.metadata),
                status: None,
                created_at: place,
                ..assistant.clone()
            };
            self.messages.insert(user.id, user);
        }
        self.messages.insert(assistant.id, assistant);
        let newest =
            self.runs.values().filter(|row| row.run.chat_id == begin.chat_id).map(|row| row.run.created_at).max();
        let created_at = newest.map_or(now, |newest| now.max(newest.after(ONE_PLACE)));
        let run = Run {
            id: begin.run_id,
            chat_id: begin.chat_id,
            workspace_id: begin.workspace_id,
            created_by: begin.user_id,
            trigger: begin.trigger,
            status: match aborted {
                Some(_) => RunStatus::Aborted,
                None if begin.unowned => RunStatus::Pending,
                None => RunStatus::Running,
            },
            reason: aborted,
            error: None,
            failure: None,
            waiting_for: None,
            step_count: 0,
            stop_requested_at,
            assistant_message_id: Some(begin.assistant_message_id),
            created_at,
            started_at: (!begin.unowned || aborted.is_some()).then_some(now),
            finished_at: aborted.map(|_| now),
            updated_at: now,
        };
        let lease_expires_at = (aborted.is_none() && !begin.unowned).then(|| now.after(begin.lease));
        let row = Owned {
            owner: begin.owner,
            epoch: i64::from(!begin.unowned),
            plan: begin.plan,
            lease_expires_at,
            stop_reason: stop_requested_at.map(|_| RunReason::Stopped),
            idempotency_key: begin.idempotency_key,
            waits: None,
            suspensions: 0,
            steering_step: 0,
            run,
        };
        self.runs.insert(row.run.id, row);
    }

    /// The run that holds this chat.
    pub(super) fn holder(&self, chat_id: ChatId) -> Option<Run> {
        let held = self.runs.values().find(|row| row.run.chat_id == chat_id && row.holds_chat());
        held.map(|row| row.run.clone())
    }

    pub(super) fn newest_run(&self, matches: impl Fn(&Run) -> bool) -> Option<Run> {
        let found = self.runs.values().map(|row| &row.run).filter(|run| matches(run));
        found.max_by_key(|run| (run.created_at, run.id)).cloned()
    }
}

pub(super) fn new_chat(begin: &BeginRun, now: Timestamp) -> Chat {
    Chat {
        id: begin.chat_id,
        workspace_id: begin.workspace_id.clone(),
        creator_id: begin.user_id.clone(),
        title: None,
        role_id: begin.role_id,
        page_id: begin.page_id.clone(),
        created_at: now,
        updated_at: now,
    }
}
