//! A store in the process's memory, for tests and simulations: the same answers as the others, nothing durable.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::{Clock, Timestamp};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{AgentRoleId, ChatId, MessageId, RunId};
use crate::model::{Chat, Json, Message, MessageRole, Run, RunStatus, StepRecord};
use crate::project::AssistantFlush;

use super::{
    BeginRun, ClaimedRun, Fence, LoggedStep, MessageFields, MessagePlace, MessageSpan, MessageVisitor, RecordStep,
    Renewal, RolePrompt, SettleRun, Store, StoredMessage, UNTOUCHED_WITHOUT_LEASE, already_active, forbidden,
    lease_lost,
};

/// See the module's documentation.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    closed: bool,
    chats: BTreeMap<ChatId, Chat>,
    messages: BTreeMap<MessageId, Message>,
    runs: BTreeMap<RunId, Owned>,
    steps: BTreeMap<(RunId, u32), LoggedStep>,
}

struct Owned {
    run: Run,
    owner: String,
    epoch: i64,
    lease_expires_at: Option<Timestamp>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, tables: Mutex::new(Tables::default()) }
    }

    fn tables(&self) -> Result<MutexGuard<'_, Tables>> {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if tables.closed { Err(Error::new(ErrorCode::EngineClosed, "the store is closed")) } else { Ok(tables) }
    }
}

impl Tables {
    fn owned(&mut self, fence: &Fence) -> Result<&mut Owned> {
        self.runs
            .get_mut(&fence.run_id)
            .filter(|row| row.owner == fence.owner && row.epoch == fence.epoch && row.run.status.is_active())
            .ok_or_else(lease_lost)
    }

    fn write_step(&mut self, run_id: RunId, step: &StepRecord, finished: bool) {
        let row =
            self.steps.entry((run_id, step.number)).or_insert_with(|| LoggedStep { step: step.clone(), finished });
        if !row.finished {
            *row = LoggedStep { step: step.clone(), finished };
        }
    }

    fn update_message(&mut self, run_id: RunId, flush: &AssistantFlush, now: Timestamp) {
        let id = self.runs.get(&run_id).and_then(|row| row.run.assistant_message_id);
        if let Some(message) = id.and_then(|id| self.messages.get_mut(&id)) {
            message.content = flush.content.clone();
            message.tool_calls = flush.tool_calls.clone();
            message.metadata = Some(flush.metadata.clone());
            message.status = Some(flush.status);
            message.updated_at = now;
        }
    }

    fn newest_run(&self, matches: impl Fn(&Run) -> bool) -> Option<Run> {
        let found = self.runs.values().map(|row| &row.run).filter(|run| matches(run));
        found.max_by_key(|run| (run.created_at, run.id)).cloned()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn begin_run(&self, begin: BeginRun) -> Result<Fence> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        if let Some(chat) = tables.chats.get(&begin.chat_id)
            && (chat.workspace_id != begin.workspace_id || chat.creator_id != begin.user_id)
        {
            return Err(forbidden());
        }
        let active = tables.newest_run(|run| run.chat_id == begin.chat_id && run.status.is_active());
        if let Some(active) = active {
            return Err(already_active(Some(active.id)));
        }
        let chat = tables.chats.entry(begin.chat_id).or_insert_with(|| Chat {
            id: begin.chat_id,
            workspace_id: begin.workspace_id.clone(),
            creator_id: begin.user_id.clone(),
            title: None,
            role_id: begin.role_id,
            page_id: begin.page_id.clone(),
            created_at: now,
            updated_at: now,
        });
        chat.updated_at = now;
        let user = Message {
            id: begin.user_message_id,
            chat_id: begin.chat_id,
            workspace_id: begin.workspace_id.clone(),
            user_id: Some(begin.user_id.clone()),
            role: MessageRole::User,
            content: begin.user_content,
            tool_calls: None,
            metadata: Some(begin.user_metadata),
            status: None,
            created_at: now,
            updated_at: now,
        };
        let assistant = Message {
            id: begin.assistant_message_id,
            user_id: None,
            role: MessageRole::Assistant,
            content: begin.assistant.content,
            metadata: Some(begin.assistant.metadata),
            status: Some(begin.assistant.status),
            ..user.clone()
        };
        tables.messages.insert(user.id, user);
        tables.messages.insert(assistant.id, assistant);
        let run = Run {
            id: begin.run_id,
            chat_id: begin.chat_id,
            workspace_id: begin.workspace_id,
            created_by: begin.user_id,
            trigger: begin.trigger,
            status: RunStatus::Running,
            reason: None,
            error: None,
            step_count: 0,
            stop_requested_at: None,
            assistant_message_id: Some(begin.assistant_message_id),
            created_at: now,
            started_at: Some(now),
            finished_at: None,
            updated_at: now,
        };
        let fence = Fence { run_id: run.id, owner: begin.owner.clone(), epoch: 1 };
        let lease_expires_at = Some(now.after(begin.lease));
        tables.runs.insert(run.id, Owned { run, owner: begin.owner, epoch: 1, lease_expires_at });
        Ok(fence)
    }

    async fn record_intent(&self, fence: &Fence, step: &StepRecord) -> Result<()> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        tables.owned(fence)?.run.updated_at = now;
        tables.write_step(fence.run_id, step, false);
        Ok(())
    }

    async fn record_step(&self, record: RecordStep) -> Result<()> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        let row = tables.owned(&record.fence)?;
        row.run.step_count = row.run.step_count.max(record.step.number + 1);
        row.run.updated_at = now;
        row.lease_expires_at = Some(now.after(record.lease));
        tables.write_step(record.fence.run_id, &record.step, true);
        if let Some(flush) = &record.refresh {
            tables.update_message(record.fence.run_id, flush, now);
        }
        Ok(())
    }

    async fn settle_run(&self, settle: SettleRun) -> Result<()> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        let already = tables.runs.get(&settle.fence.run_id).is_some_and(|row| {
            row.owner == settle.fence.owner && row.epoch == settle.fence.epoch && row.run.status == settle.status
        });
        if already {
            return Ok(());
        }
        let row = tables.owned(&settle.fence)?;
        row.run.status = settle.status;
        row.run.reason = settle.reason;
        row.run.error = settle.error;
        row.run.finished_at = Some(now);
        row.run.updated_at = now;
        row.lease_expires_at = None;
        if let Some(step) = &settle.step {
            row.run.step_count = row.run.step_count.max(step.number + 1);
            tables.write_step(settle.fence.run_id, step, true);
        }
        tables.update_message(settle.fence.run_id, &settle.assistant, now);
        Ok(())
    }

    async fn request_stop(&self, run_id: RunId) -> Result<bool> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        let row =
            tables.runs.get_mut(&run_id).ok_or_else(|| Error::new(ErrorCode::NotFound, "there is no such run"))?;
        if !row.run.status.is_active() {
            return Ok(false);
        }
        row.run.stop_requested_at.get_or_insert(now);
        row.run.updated_at = now;
        Ok(true)
    }

    async fn renew_leases(&self, owner: &str, runs: &[RunId], lease: Duration) -> Result<Renewal> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        let mut renewal = Renewal::default();
        for run_id in runs {
            match tables.runs.get_mut(run_id).filter(|row| row.owner == owner && row.run.status.is_active()) {
                None => renewal.lost.push(*run_id),
                Some(row) => {
                    row.lease_expires_at = Some(now.after(lease));
                    if row.run.stop_requested_at.is_some() {
                        renewal.stop_requested.push(*run_id);
                    }
                }
            }
        }
        Ok(renewal)
    }

    async fn stop_requests(&self, runs: &[RunId]) -> Result<Vec<RunId>> {
        let tables = self.tables()?;
        let stopped = |id: &RunId| tables.runs.get(id).is_some_and(|row| row.run.stop_requested_at.is_some());
        Ok(runs.iter().copied().filter(stopped).collect())
    }

    async fn claim_abandoned(&self, owner: &str, lease: Duration) -> Result<Vec<ClaimedRun>> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        let mut claimed = Vec::new();
        for row in tables.runs.values_mut().filter(|row| row.run.status.is_active()) {
            let abandoned = match row.lease_expires_at {
                Some(expiry) => expiry <= now,
                None => row.run.updated_at <= now.before(UNTOUCHED_WITHOUT_LEASE),
            };
            if !abandoned {
                continue;
            }
            let run = row.run.clone();
            row.owner = owner.to_owned();
            row.epoch += 1;
            row.lease_expires_at = Some(now.after(lease));
            row.run.updated_at = now;
            let fence = Fence { run_id: run.id, owner: owner.to_owned(), epoch: row.epoch };
            claimed.push(ClaimedRun { run, fence });
        }
        Ok(claimed)
    }

    async fn run(&self, run_id: RunId) -> Result<Option<Run>> {
        Ok(self.tables()?.runs.get(&run_id).map(|row| row.run.clone()))
    }

    async fn latest_run(&self, chat_id: ChatId) -> Result<Option<Run>> {
        Ok(self.tables()?.newest_run(|run| run.chat_id == chat_id))
    }

    async fn run_of_message(&self, message_id: MessageId) -> Result<Option<Run>> {
        Ok(self.tables()?.newest_run(|run| run.assistant_message_id == Some(message_id)))
    }

    async fn steps(&self, run_id: RunId) -> Result<Vec<LoggedStep>> {
        let tables = self.tables()?;
        Ok(tables.steps.range((run_id, 0)..=(run_id, u32::MAX)).map(|(_, step)| step.clone()).collect())
    }

    async fn chat(&self, chat_id: ChatId) -> Result<Option<Chat>> {
        Ok(self.tables()?.chats.get(&chat_id).cloned())
    }

    async fn messages(&self, chat_id: ChatId, limit: usize) -> Result<Vec<Message>> {
        let tables = self.tables()?;
        let mut messages: Vec<Message> =
            tables.messages.values().filter(|row| row.chat_id == chat_id).cloned().collect();
        messages.sort_by_key(|message| (message.created_at, message.id));
        let older = messages.len().saturating_sub(limit);
        Ok(messages.split_off(older))
    }

    async fn message_span(&self, chat_id: ChatId, limit: usize) -> Result<MessageSpan> {
        let all = self.messages(chat_id, usize::MAX).await?;
        let older = all.len().saturating_sub(limit);
        let place =
            |message: &Message| MessagePlace { created_at: message.created_at.to_string(), id: message.id.to_string() };
        Ok(MessageSpan {
            chat_id,
            count: all.len() - older,
            older_left_out: older > 0,
            after: older.checked_sub(1).and_then(|last| all.get(last)).map(place),
            last: all.last().map(place),
        })
    }

    async fn visit_messages(&self, span: &MessageSpan, _: MessageFields, mut visitor: MessageVisitor) -> Result<()> {
        for message in self.messages(span.chat_id, usize::MAX).await? {
            let (id, created_at) = (message.id.to_string(), message.created_at.to_string());
            let place = Some(MessagePlace { created_at: created_at.clone(), id: id.clone() });
            if place <= span.after || place > span.last {
                continue;
            }
            let stored = StoredMessage {
                id: &id,
                user_id: message.user_id.as_deref(),
                role: message.role.as_str(),
                content: Some(&message.content),
                tool_calls: message.tool_calls.as_ref().map(Json::get),
                metadata: message.metadata.as_ref().map(Json::get),
                status: message.status.map(|status| status.as_str()),
                created_at: &created_at,
                updated_at: &message.updated_at.to_string(),
            };
            if visitor(&stored).is_break() {
                break;
            }
        }
        Ok(())
    }

    async fn import_chat(&self, chat: Chat, messages: Vec<Message>) -> Result<()> {
        let mut tables = self.tables()?;
        if tables.chats.contains_key(&chat.id) || messages.iter().any(|row| tables.messages.contains_key(&row.id)) {
            return Err(Error::internal("an imported row is there already"));
        }
        tables.chats.insert(chat.id, chat);
        tables.messages.extend(messages.into_iter().map(|message| (message.id, message)));
        Ok(())
    }

    async fn role(&self, _: &str, _: AgentRoleId) -> Result<Option<RolePrompt>> {
        self.tables().map(|_| None)
    }

    async fn close(&self) -> Result<()> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        Ok(())
    }
}
