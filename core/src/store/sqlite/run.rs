//! Runs: their beginning, their end, and reading them.

use async_trait::async_trait;
use rusqlite::{Params, ToSql, named_params, params};

use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::{ChatId, MessageId, RunId};
use crate::model::{Run, RunFailure, RunReason, RunStatus};
use crate::store::{Began, BeginRun, Fence, ONE_PLACE, RunPlan, RunStore, SettleRun, already_active, lease_lost};

use super::rows::{self, ACTIVE, HELD, RUN_COLUMNS, WAITING_COLUMNS};
use super::tables::Tables;
use super::{SqliteStore, limited, store_error};

/// The one epoch of a run that was never taken over.
const FIRST_EPOCH: i64 = 1;
/// A run's place among those of its chat.
const NEWEST_FIRST: &str = "ORDER BY created_at DESC, id DESC";

#[async_trait]
impl RunStore for SqliteStore {
    async fn begin_run(&self, begin: BeginRun) -> Result<Began> {
        self.write(move |tables| {
            if let Some(run_id) = tables.repeated(&begin)? {
                return Ok(Began::Repeated(run_id));
            }
            tables.ensure_chat(&begin)?;
            match tables.first_waiting(begin.chat_id)? {
                Some((first, _)) if first != begin.run_id => {
                    return Err(already_active(tables.active_run_id(begin.chat_id)?.or(Some(first))));
                }
                Some((_, owner)) if begin.from_queue && owner != begin.owner => return Err(lease_lost()),
                None if begin.from_queue => return Err(lease_lost()),
                _ => {}
            }
            // The index decides; looking first spares the loser what it would have to take back.
            if let Some(active) = tables.active_run_id(begin.chat_id)? {
                return Err(already_active(Some(active)));
            }
            tables.insert_messages(&begin, false)?;
            let status = if begin.unowned { RunStatus::Pending } else { RunStatus::Running };
            match tables.insert_run(&begin, status, None) {
                Ok(()) => {}
                Err(error) if is_gate(&error) => return Err(already_active(tables.active_run_id(begin.chat_id)?)),
                Err(error) => return Err(store_error(error)),
            }
            if begin.from_queue {
                tables.leave_queue(begin.run_id)?;
            }
            let epoch = if begin.unowned { 0 } else { FIRST_EPOCH };
            Ok(Began::Started(Fence { run_id: begin.run_id, owner: begin.owner, epoch }))
        })
        .await
    }

    async fn settle_run(&self, settle: SettleRun) -> Result<bool> {
        self.write(move |tables| {
            if let Some(step) = settle.unless_steered
                && tables.is_kept(&settle.fence, step)?
            {
                return Ok(false);
            }
            let count = settle.step.as_ref().map_or(0, |(step, _)| step.number + 1);
            let settled = tables.update_owned(
                &settle.fence,
                // Steps are counted here for good: their own writes leave the run's row alone most of the time.
                "status = :status, reason = :reason, error = :error, failure = :failure, \
                 step_count = MAX(step_count, :count, COALESCE((SELECT MAX(step_number) + 1 FROM ai_chat_run_steps \
                 WHERE run_id = :id AND state = 'finished'), 0)), \
                 lease_expires_at = NULL, finished_at = :now, updated_at = :now",
                &[
                    (":status", &settle.status.as_str()),
                    (":reason", &settle.reason.map(|reason| reason.as_str())),
                    (":error", &settle.error),
                    (":failure", &settle.failure.as_ref().map(RunFailure::to_json)),
                    (":count", &count),
                ],
            );
            match settled {
                Ok(()) => {}
                // The answer to an earlier attempt may have been lost on its way.
                Err(_) if tables.is_settled(&settle.fence, settle.status)? => return Ok(true),
                Err(error) => return Err(error),
            }
            if let Some((step, numbers)) = &settle.step
                && tables.write_step(&settle.fence, step, Some(*numbers))?
            {
                tables.enter_step(settle.fence.run_id, step, &settle.call)?;
            }
            tables.settle_reserved(settle.fence.run_id)?;
            tables.update_message(settle.fence.run_id, &settle.assistant)?;
            Ok(true)
        })
        .await
    }

    async fn fail_run(&self, fence: &Fence, error: &str) -> Result<()> {
        let (fence, error) = (fence.clone(), error.to_owned());
        self.write(move |tables| {
            let failed = tables.update_owned(
                &fence,
                "status = 'failed', reason = 'internal', error = :error, lease_expires_at = NULL, finished_at = :now, \
                 updated_at = :now",
                &[(":error", &error)],
            );
            match failed {
                Ok(()) => {
                    tables.settle_reserved(fence.run_id)?;
                    tables.fail_message(&fence.run_id.to_string())
                }
                Err(_) if tables.is_settled(&fence, RunStatus::Failed)? => Ok(()),
                Err(error) => Err(error),
            }
        })
        .await
    }

    async fn run(&self, run_id: RunId) -> Result<Option<Run>> {
        self.read(move |tables| tables.run(run_id)).await
    }

    async fn run_of_key(&self, workspace_id: &str, user_id: &str, key: &str) -> Result<Option<RunId>> {
        let (workspace_id, user_id, key) = (workspace_id.to_owned(), user_id.to_owned(), key.to_owned());
        self.read(move |tables| tables.run_of_key(&workspace_id, &user_id, &key)).await
    }

    async fn active_run(&self, chat_id: ChatId) -> Result<Option<Run>> {
        self.read(move |tables| tables.one_run(&format!("chat_id = ?1 AND {HELD}"), [chat_id])).await
    }

    async fn latest_run(&self, chat_id: ChatId) -> Result<Option<Run>> {
        self.read(move |tables| tables.one_run(&format!("chat_id = ?1 {NEWEST_FIRST} LIMIT 1"), [chat_id])).await
    }

    async fn runs_of_chat(&self, chat_id: ChatId, limit: usize) -> Result<Vec<Run>> {
        self.read(move |tables| {
            // Those that wait come before all that have begun.
            let mut runs = tables.some_runs(WAITING, "", params![chat_id, limited(limit)])?;
            runs.extend(tables.some_runs(BEGUN, "", params![chat_id, limited(limit)])?);
            runs.truncate(limit);
            Ok(runs)
        })
        .await
    }

    async fn runs_before(&self, chat_id: ChatId, before: RunId, limit: usize) -> Result<Vec<Run>> {
        self.read(move |tables| {
            let is_before = |(_, table): Source| {
                format!("(created_at, id) < (SELECT created_at, id FROM {table} WHERE id = ?3 AND chat_id = ?1)")
            };
            let (_, queue) = WAITING;
            let waits = format!("EXISTS (SELECT 1 FROM {queue} WHERE id = ?3 AND chat_id = ?1)");
            let values = (chat_id, limited(limit), before);
            let mut runs = tables.some_runs(WAITING, &format!("AND {}", is_before(WAITING)), values)?;
            runs.extend(tables.some_runs(BEGUN, &format!("AND ({waits} OR {})", is_before(BEGUN)), values)?);
            runs.truncate(limit);
            Ok(runs)
        })
        .await
    }

    async fn run_of_message(&self, message_id: MessageId) -> Result<Option<Run>> {
        let newest = format!("assistant_message_id = ?1 {NEWEST_FIRST} LIMIT 1");
        self.read(move |tables| tables.one_run(&newest, [message_id])).await
    }
}

/// The columns of runs, and the table that they are in.
type Source = (&'static str, &'static str);
const WAITING: Source = (WAITING_COLUMNS, "ai_chat_run_queue");
const BEGUN: Source = (RUN_COLUMNS, "ai_chat_runs");

/// Whether the insert broke the gate's index: SQLite names the columns of a unique index, and `chat_id` alone is in no
/// other.
fn is_gate(error: &rusqlite::Error) -> bool {
    matches!(error, rusqlite::Error::SqliteFailure(failure, Some(message))
        if failure.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE && message.ends_with(": ai_chat_runs.chat_id"))
}

impl Tables<'_> {
    fn one_run(&self, condition: &str, values: impl Params) -> Result<Option<Run>> {
        self.first(&format!("SELECT {RUN_COLUMNS} FROM ai_chat_runs WHERE {condition}"), values, rows::run)
    }

    /// Newest first, up to the limit `?2`.
    fn some_runs(&self, (columns, table): Source, filter: &str, values: impl Params) -> Result<Vec<Run>> {
        let sql = format!("SELECT {columns} FROM {table} WHERE chat_id = ?1 {filter} {NEWEST_FIRST} LIMIT ?2");
        self.readable(&sql, values, rows::run)
    }

    pub(super) fn run(&self, run_id: RunId) -> Result<Option<Run>> {
        let begun = self.one_run("id = ?1", [run_id])?;
        if begun.is_some() {
            return Ok(begun);
        }
        self.first(&format!("SELECT {WAITING_COLUMNS} FROM ai_chat_run_queue WHERE id = ?1"), [run_id], rows::run)
    }

    fn run_of_key(&self, workspace: &str, user: &str, key: &str) -> Result<Option<RunId>> {
        let id: Option<String> = self.first(
            "SELECT id FROM ai_chat_runs WHERE workspace_id = ?1 AND created_by = ?2 AND idempotency_key = ?3 \
             UNION ALL \
             SELECT id FROM ai_chat_run_queue WHERE workspace_id = ?1 AND created_by = ?2 AND idempotency_key = ?3",
            [workspace, user, key],
            |row| row.get(0),
        )?;
        Ok(id.and_then(|id| id.parse().ok()))
    }

    /// The run that the key of this begin was used for.
    pub(super) fn repeated(&self, begin: &BeginRun) -> Result<Option<RunId>> {
        let found = match &begin.idempotency_key {
            Some(key) => self.run_of_key(&begin.workspace_id, &begin.user_id, key)?,
            None => None,
        };
        Ok(found.filter(|run_id| *run_id != begin.run_id))
    }

    fn active_run_id(&self, chat_id: ChatId) -> Result<Option<RunId>> {
        let active = format!("SELECT id FROM ai_chat_runs WHERE chat_id = ?1 AND {HELD}");
        let id: Option<String> = self.first(&active, [chat_id], |row| row.get(0))?;
        Ok(id.and_then(|id| id.parse().ok()))
    }

    /// Writes the run's row; with a reason, as one that ended at once.
    pub(super) fn insert_run(
        &self,
        begin: &BeginRun,
        status: RunStatus,
        reason: Option<RunReason>,
    ) -> rusqlite::Result<()> {
        let created_at = self.next_place("ai_chat_runs", begin.chat_id)?;
        let has_begun = status != RunStatus::Pending;
        self.try_execute(
            "INSERT INTO ai_chat_runs (id, chat_id, workspace_id, created_by, trigger, status, reason, \
             assistant_message_id, idempotency_key, owner, epoch, lease_expires_at, created_at, started_at, \
             finished_at, updated_at, plan, frees_chat, stop_requested_at, stop_reason) \
             VALUES (:id, :chat, :workspace, :user, :trigger, :status, :reason, :message, :key, :owner, :epoch, \
             :lease, :created, :started, :finished, :now, :plan, :frees_chat, \
             (SELECT stop_requested_at FROM ai_chat_run_queue WHERE id = :id), \
             (SELECT 'stopped' FROM ai_chat_run_queue WHERE id = :id AND stop_requested_at IS NOT NULL))",
            named_params! {
                ":id": begin.run_id,
                ":chat": begin.chat_id,
                ":workspace": begin.workspace_id,
                ":user": begin.user_id,
                ":trigger": begin.trigger.as_str(),
                ":status": status.as_str(),
                ":reason": reason.map(RunReason::as_str),
                ":message": begin.assistant_message_id,
                ":key": begin.idempotency_key,
                ":owner": begin.owner,
                ":epoch": if has_begun { FIRST_EPOCH } else { 0 },
                ":lease": (status == RunStatus::Running).then(|| self.now.after(begin.lease)),
                ":created": created_at,
                ":started": has_begun.then_some(self.now),
                ":finished": reason.map(|_| self.now),
                ":now": self.now,
                ":plan": begin.plan.as_ref().map(RunPlan::to_json),
                ":frees_chat": begin.plan.as_ref().is_some_and(|plan| plan.frees_chat),
            },
        )
        .map(|_| ())
    }

    /// The place after the chat's last row in this table ([`ONE_PLACE`]).
    pub(super) fn next_place(&self, table: &str, chat_id: ChatId) -> rusqlite::Result<Timestamp> {
        let last: Option<String> = self
            .connection
            .prepare_cached(&format!("SELECT MAX(created_at) FROM {table} WHERE chat_id = ?1"))?
            .query_row([chat_id], |row| row.get(0))?;
        let last = last.as_deref().and_then(Timestamp::parse);
        Ok(last.map_or(self.now, |last| self.now.max(last.after(ONE_PLACE))))
    }

    /// The place after the chat's last message, behind what it was forked from, too.
    pub(super) fn next_message_place(&self, chat_id: ChatId) -> Result<Timestamp> {
        const INHERITED: &str = "SELECT MAX(before_at) FROM turnkeep_chat_forks WHERE chat_id = ?1";
        let place = self.next_place("ai_chat_messages", chat_id).map_err(store_error)?;
        let last: Option<String> = self.one(INHERITED, [chat_id])?;
        let last = last.as_deref().and_then(Timestamp::parse);
        Ok(last.map_or(place, |last| place.max(last.after(ONE_PLACE))))
    }

    /// Changes a run that is still this fence's, at `:now`; everything else that the operation writes depends on it.
    pub(super) fn update_owned(&self, fence: &Fence, changes: &str, values: &[(&str, &dyn ToSql)]) -> Result<()> {
        let mut all: Vec<(&str, &dyn ToSql)> =
            vec![(":id", &fence.run_id), (":owner", &fence.owner), (":epoch", &fence.epoch), (":now", &self.now)];
        all.extend_from_slice(values);
        let update = format!(
            "UPDATE ai_chat_runs SET {changes} WHERE id = :id AND owner = :owner AND epoch = :epoch AND {ACTIVE}"
        );
        if self.execute(&update, &*all)? == 1 { Ok(()) } else { Err(lease_lost()) }
    }

    /// Whether the run is still this fence's; for writes that leave its row as it is.
    pub(super) fn ensure_owned(&self, fence: &Fence) -> Result<()> {
        if self.is_one_of(fence, ACTIVE)? { Ok(()) } else { Err(lease_lost()) }
    }

    /// Whether messages wait for the run, which has to be this fence's.
    pub(super) fn is_steered(&self, fence: &Fence) -> Result<bool> {
        let steered =
            format!("SELECT steering > 0 FROM ai_chat_runs WHERE id = ?1 AND owner = ?2 AND epoch = ?3 AND {ACTIVE}");
        self.first(&steered, params![fence.run_id, fence.owner, fence.epoch], |row| row.get(0))?.ok_or_else(lease_lost)
    }

    /// Whether messages keep the run from its end: they wait, or have entered behind this step.
    fn is_kept(&self, fence: &Fence, step: u32) -> Result<bool> {
        self.one(
            &format!(
                "SELECT EXISTS (SELECT 1 FROM ai_chat_runs WHERE id = ?1 AND owner = ?2 AND epoch = ?3 AND {ACTIVE} \
                 AND (steering > 0 OR steering_step > ?4))"
            ),
            params![fence.run_id, fence.owner, fence.epoch, step],
        )
    }

    fn is_settled(&self, fence: &Fence, status: RunStatus) -> Result<bool> {
        self.is_one_of(fence, &format!("status = '{}'", status.as_str()))
    }

    fn is_one_of(&self, fence: &Fence, condition: &str) -> Result<bool> {
        self.one(
            &format!(
                "SELECT EXISTS (SELECT 1 FROM ai_chat_runs WHERE id = ?1 AND owner = ?2 AND epoch = ?3 AND {condition})"
            ),
            params![fence.run_id, fence.owner, fence.epoch],
        )
    }
}
