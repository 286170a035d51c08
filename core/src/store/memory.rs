//! A store in the process's memory, for tests and simulations: the same answers as the others, nothing durable.

mod settings;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::{Clock, Timestamp};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{AgentRoleId, ChatId, MessageId, RunId};
use crate::model::{Chat, Json, Message, MessageRole, MessageStatus, Run, RunReason, RunStatus, StepRecord, Usage};
use crate::project::AssistantFlush;

use super::{
    Began, BeginRun, ChunkPack, ClaimedRun, Fence, LogFrom, LogPage, LogRange, LogRow, LogStart, LoggedStep,
    MOST_OWNERS, MessageFields, MessagePlace, MessageSpan, MessageVisitor, ONE_PLACE, Offer, OfferedRuns, RecordStep,
    Renewal, RolePrompt, RunPlan, STOP_NOTES_KEPT, SettleRun, StepNumbers, Store, StoredMessage, Sweep,
    UNTOUCHED_WITHOUT_LEASE, Waiting, already_active, forbidden, lease_lost,
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
    packs: BTreeMap<(RunId, u64), ChunkPack>,
    queue: BTreeMap<RunId, Waits>,
    /// By workspace, user and idempotency key.
    stop_notes: BTreeMap<(String, String, String), Timestamp>,
    settings: settings::SettingsTables,
}

struct Owned {
    run: Run,
    owner: String,
    epoch: i64,
    lease_expires_at: Option<Timestamp>,
    stop_reason: Option<RunReason>,
    idempotency_key: Option<String>,
    plan: Option<RunPlan>,
}

impl Owned {
    fn is_left(&self, now: Timestamp) -> bool {
        match self.lease_expires_at {
            Some(expiry) => expiry <= now,
            None => self.run.status == RunStatus::Pending && self.plan.is_some(),
        }
    }

    /// Whether it is a sweep's to settle.
    fn is_abandoned(&self, now: Timestamp) -> bool {
        let since = self.lease_expires_at.unwrap_or(self.run.updated_at);
        let given_up = self.epoch >= MOST_OWNERS || self.run.stop_requested_at.is_some();
        match &self.plan {
            Some(_) => self.is_left(now) && (given_up || since <= now.before(UNTOUCHED_WITHOUT_LEASE)),
            None if self.lease_expires_at.is_none() => since <= now.before(UNTOUCHED_WITHOUT_LEASE),
            None => self.is_left(now),
        }
    }

    fn take(&mut self, owner: &str, lease: Duration, now: Timestamp) -> ClaimedRun {
        let run = self.run.clone();
        self.owner = owner.to_owned();
        self.epoch += 1;
        self.lease_expires_at = Some(now.after(lease));
        self.run.updated_at = now;
        let fence = Fence { run_id: run.id, owner: owner.to_owned(), epoch: self.epoch };
        let stop_reason = run.stop_requested_at.and(Some(self.stop_reason.unwrap_or(RunReason::Stopped)));
        ClaimedRun { run, fence, stop_reason }
    }
}

/// A run that waits for its chat.
struct Waits {
    begin: BeginRun,
    lease_expires_at: Timestamp,
    created_at: Timestamp,
    stop_requested_at: Option<Timestamp>,
}

impl Waits {
    /// Whether it is a sweep's to settle.
    fn is_abandoned(&self, now: Timestamp) -> bool {
        let waited_for = self.begin.plan.is_some() && self.stop_requested_at.is_none();
        let limit = if waited_for { now.before(UNTOUCHED_WITHOUT_LEASE) } else { now };
        self.lease_expires_at <= limit
    }

    fn run(&self) -> Run {
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

fn new_chat(begin: &BeginRun, now: Timestamp) -> Chat {
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

    /// `numbers` are those of a finished step; without it the step is an intent.
    fn write_step(&mut self, run_id: RunId, step: &StepRecord, numbers: Option<StepNumbers>) {
        let written = LoggedStep { step: step.clone(), finished: numbers.is_some(), numbers };
        let row = self.steps.entry((run_id, step.number)).or_insert_with(|| written.clone());
        if !row.finished {
            *row = written;
        }
    }

    fn run(&self, run_id: RunId) -> Option<Run> {
        let begun = self.runs.get(&run_id).map(|row| row.run.clone());
        begun.or_else(|| self.queue.get(&run_id).map(Waits::run))
    }

    fn run_of_key(&self, workspace_id: &str, user_id: &str, key: &str) -> Option<RunId> {
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

    fn repeated(&self, begin: &BeginRun) -> Option<RunId> {
        let key = begin.idempotency_key.as_deref()?;
        self.run_of_key(&begin.workspace_id, &begin.user_id, key).filter(|run_id| *run_id != begin.run_id)
    }

    fn ensure_allowed(&self, begin: &BeginRun) -> Result<()> {
        match self.chats.get(&begin.chat_id) {
            Some(chat) if chat.workspace_id != begin.workspace_id || chat.creator_id != begin.user_id => {
                Err(forbidden())
            }
            _ => Ok(()),
        }
    }

    fn stop_request(&self, run_id: &RunId) -> Option<RunReason> {
        match (self.runs.get(run_id), self.queue.get(run_id)) {
            (Some(row), _) => row.run.stop_requested_at.and(Some(row.stop_reason.unwrap_or(RunReason::Stopped))),
            (None, Some(row)) => row.stop_requested_at.and(Some(RunReason::Stopped)),
            (None, None) => None,
        }
    }

    /// Writes run and messages; with a reason, as ones that ended at once.
    fn insert_run(
        &mut self,
        begin: BeginRun,
        now: Timestamp,
        aborted: Option<RunReason>,
        stop_requested_at: Option<Timestamp>,
    ) {
        let place = self.next_place(begin.chat_id, now);
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
            run,
        };
        self.runs.insert(row.run.id, row);
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

    /// The place after the chat's last message: its time, unless the clock has gone back since.
    fn next_place(&self, chat_id: ChatId, now: Timestamp) -> Timestamp {
        let last = self.messages.values().filter(|row| row.chat_id == chat_id).map(|row| row.created_at).max();
        last.map_or(now, |last| now.max(last.after(ONE_PLACE)))
    }

    fn newest_run(&self, matches: impl Fn(&Run) -> bool) -> Option<Run> {
        let found = self.runs.values().map(|row| &row.run).filter(|run| matches(run));
        found.max_by_key(|run| (run.created_at, run.id)).cloned()
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn kind(&self) -> &'static str {
        "memory"
    }

    async fn begin_run(&self, begin: BeginRun) -> Result<Began> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        if let Some(run_id) = tables.repeated(&begin) {
            return Ok(Began::Repeated(run_id));
        }
        tables.ensure_allowed(&begin)?;
        let active = tables.newest_run(|run| run.chat_id == begin.chat_id && run.status.is_active());
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

    async fn append_pack(&self, fence: &Fence, pack: &ChunkPack) -> Result<()> {
        let mut tables = self.tables()?;
        tables.owned(fence)?;
        tables.packs.entry((fence.run_id, pack.first_sequence)).or_insert_with(|| pack.clone());
        Ok(())
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

    async fn record_intent(&self, fence: &Fence, step: &StepRecord) -> Result<()> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        tables.owned(fence)?.run.updated_at = now;
        tables.write_step(fence.run_id, step, None);
        Ok(())
    }

    async fn record_step(&self, record: RecordStep) -> Result<()> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        let row = tables.owned(&record.fence)?;
        row.run.step_count = row.run.step_count.max(record.step.number + 1);
        if let Some(lease) = record.lease {
            row.run.updated_at = now;
            row.lease_expires_at = Some(now.after(lease));
        }
        tables.write_step(record.fence.run_id, &record.step, Some(record.numbers));
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
        row.run.failure = settle.failure;
        row.run.finished_at = Some(now);
        row.run.updated_at = now;
        row.lease_expires_at = None;
        if let Some((step, numbers)) = &settle.step {
            row.run.step_count = row.run.step_count.max(step.number + 1);
            tables.write_step(settle.fence.run_id, step, Some(*numbers));
        }
        tables.update_message(settle.fence.run_id, &settle.assistant, now);
        Ok(())
    }

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

    async fn renew_leases(&self, owner: &str, runs: &[RunId], lease: Duration) -> Result<Renewal> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        let mut renewal = Renewal::default();
        for run_id in runs {
            let tables = &mut *tables;
            let running = tables.runs.get_mut(run_id).filter(|row| row.owner == owner && row.run.status.is_active());
            if let Some(row) = running {
                row.lease_expires_at = Some(now.after(lease));
            } else if let Some(row) = tables.queue.get_mut(run_id).filter(|row| row.begin.owner == owner) {
                row.lease_expires_at = now.after(lease);
            } else {
                renewal.lost.push(*run_id);
                continue;
            }
            renewal.stop_requested.extend(tables.stop_request(run_id).map(|reason| (*run_id, reason)));
        }
        Ok(renewal)
    }

    async fn stop_requests(&self, runs: &[RunId]) -> Result<Vec<(RunId, RunReason)>> {
        let tables = self.tables()?;
        Ok(runs.iter().filter_map(|run_id| Some((*run_id, tables.stop_request(run_id)?))).collect())
    }

    async fn claim_abandoned(&self, sweep: Sweep<'_>) -> Result<Vec<ClaimedRun>> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        let is_wanted = |row: &Owned| {
            row.run.status.is_active()
                && row.lease_expires_at.is_none_or(|lease| sweep.leases_at.is_some_and(|at| lease <= at))
                && row.is_abandoned(now)
                && sweep.only.is_none_or(|only| only == row.run.id)
                && !sweep.spares(Some(&row.owner), row.run.id)
        };
        let wanted = tables.runs.values_mut().filter(|row| is_wanted(row)).take(sweep.limit);
        Ok(wanted.map(|row| row.take(sweep.owner, sweep.lease, now)).collect())
    }

    async fn fail_run(&self, fence: &Fence, error: &str) -> Result<()> {
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
        if let Some(message) = message.and_then(|id| tables.messages.get_mut(&id)) {
            message.status = Some(MessageStatus::Error);
            message.updated_at = now;
        }
        Ok(())
    }

    async fn settle_stray_messages(&self) -> Result<usize> {
        let now = self.clock.now();
        let long_ago = now.before(UNTOUCHED_WITHOUT_LEASE);
        let mut tables = self.tables()?;
        let Tables { messages, runs, .. } = &mut *tables;
        let mut settled = 0;
        for message in messages.values_mut() {
            let is_shown = || {
                runs.values().any(|row| row.run.assistant_message_id == Some(message.id) && row.run.status.is_active())
            };
            let streams = message.role == MessageRole::Assistant && message.status == Some(MessageStatus::Streaming);
            if streams && message.updated_at <= long_ago && !is_shown() {
                message.status = Some(MessageStatus::Aborted);
                message.updated_at = now;
                settled += 1;
            }
        }
        Ok(settled)
    }

    async fn time(&self) -> Result<Timestamp> {
        Ok(self.clock.now())
    }

    async fn release_run(&self, fence: &Fence) -> Result<()> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        if let Some(row) = tables.queue.get_mut(&fence.run_id).filter(|row| row.begin.owner == fence.owner) {
            row.lease_expires_at = now;
            return Ok(());
        }
        tables.owned(fence)?.lease_expires_at = Some(now);
        Ok(())
    }

    async fn claim_offered(&self, offer: Offer<'_>, lease: Duration) -> Result<OfferedRuns> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        let fits = |plan: &Option<RunPlan>| plan.as_ref().filter(|plan| plan.fits(offer.tools)).cloned();
        let mut found = OfferedRuns::default();
        for row in tables.runs.values_mut().filter(|row| row.run.status.is_active() && row.is_left(now)) {
            if row.lease_expires_at.is_some_and(|lease| offer.leases_at.is_none_or(|at| lease > at)) {
                continue;
            }
            let is_own = row.owner == offer.owner && offer.spare.contains(&row.run.id);
            let wanted = row.run.stop_requested_at.is_none() && row.epoch < MOST_OWNERS && !is_own;
            if let Some(plan) = fits(&row.plan).filter(|_| wanted && found.active.len() < offer.limit) {
                found.active.push((row.take(offer.owner, lease, now), plan));
                row.run.status = RunStatus::Running;
                row.run.started_at.get_or_insert(now);
            }
        }
        for row in tables.queue.values_mut().filter(|row| row.lease_expires_at <= now) {
            if offer.leases_at.is_none_or(|at| row.lease_expires_at > at) {
                continue;
            }
            let taken = found.active.len() + found.waiting.len();
            let is_own = row.begin.owner == offer.owner && offer.spare.contains(&row.begin.run_id);
            if row.stop_requested_at.is_none() && taken < offer.limit && !is_own && fits(&row.begin.plan).is_some() {
                row.lease_expires_at = now.after(lease);
                row.begin = BeginRun {
                    owner: offer.owner.to_owned(),
                    lease,
                    unowned: false,
                    from_queue: true,
                    ..row.begin.clone()
                };
                found.waiting.push(row.begin.clone());
            }
        }
        Ok(found)
    }

    async fn run(&self, run_id: RunId) -> Result<Option<Run>> {
        Ok(self.tables()?.run(run_id))
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

    async fn run_of_key(&self, workspace_id: &str, user_id: &str, key: &str) -> Result<Option<RunId>> {
        Ok(self.tables()?.run_of_key(workspace_id, user_id, key))
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

    async fn active_run(&self, chat_id: ChatId) -> Result<Option<Run>> {
        Ok(self.tables()?.newest_run(|run| run.chat_id == chat_id && run.status.is_active()))
    }

    async fn latest_run(&self, chat_id: ChatId) -> Result<Option<Run>> {
        Ok(self.tables()?.newest_run(|run| run.chat_id == chat_id))
    }

    async fn run_of_message(&self, message_id: MessageId) -> Result<Option<Run>> {
        Ok(self.tables()?.newest_run(|run| run.assistant_message_id == Some(message_id)))
    }

    async fn chat_of_message(&self, message_id: MessageId) -> Result<Option<ChatId>> {
        Ok(self.tables()?.messages.values().find(|message| message.id == message_id).map(|message| message.chat_id))
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

    async fn messages_before(&self, chat_id: ChatId, before: MessageId, limit: usize) -> Result<Vec<Message>> {
        let mut all = self.messages(chat_id, usize::MAX).await?;
        all.truncate(all.iter().position(|message| message.id == before).unwrap_or(0));
        let older = all.len().saturating_sub(limit);
        Ok(all.split_off(older))
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
                exact_created_at: None,
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

    async fn name_chat(&self, chat_id: ChatId, title: &str) -> Result<bool> {
        let mut tables = self.tables()?;
        let unnamed = |chat: &&mut Chat| chat.title.as_deref().unwrap_or_default().is_empty();
        let Some(chat) = tables.chats.get_mut(&chat_id).filter(unnamed) else { return Ok(false) };
        chat.title = Some(title.to_owned());
        chat.updated_at = self.clock.now();
        Ok(true)
    }

    async fn close(&self) -> Result<()> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        Ok(())
    }
}
