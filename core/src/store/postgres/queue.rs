//! Runs that wait for their chat.

use std::time::Duration;

use async_trait::async_trait;

use crate::error::{Error, ErrorCode, Result};
use crate::id::{ChatId, RunId};
use crate::model::{MessageRole, RunReason, RunStatus};
use crate::project::AssistantFlush;
use crate::store::{Began, BeginRun, Fence, QueueStore, RunPlan, UNTOUCHED_WITHOUT_LEASE, Waiting};
use crate::text::storable;

use super::gate::{
    ATTEMPTS, CHAT, FOUND, Found, LOOK, ONE_PLACE, found, is_unique, lock_of, message_place, place, refused,
};
use super::run::FIRST_EPOCH;
use super::value::{ids, values};
use super::{PostgresStore, rows, seconds};

/// Those that are just being begun, taken or settled are not waited for. For one with a plan somebody who offers its
/// tools may still come.
const ABANDONED: &str = "$1::uuid IS NULL AND $6::text IS NULL AND lease_expires_at <= $11::timestamptz \
     AND lease_expires_at <= turnkeep_now() - \
     CASE WHEN plan IS NULL OR stop_requested_at IS NOT NULL THEN interval '0' \
     ELSE make_interval(secs => $7::float8) END \
     AND NOT (owner = $8::text AND id = ANY ($9::uuid[])) \
     ORDER BY chat_id, created_at, id LIMIT $10::bigint FOR UPDATE SKIP LOCKED";

fn enqueue_statement() -> String {
    format!(
        "WITH {LOOK}, \
         free AS MATERIALIZED (SELECT now FROM at WHERE NOT EXISTS (SELECT FROM repeated WHERE id <> $1::uuid)), \
         {CHAT}, \
         done AS (INSERT INTO ai_chat_run_queue (id, chat_id, workspace_id, created_by, trigger, user_message_id, \
             user_content, user_metadata, assistant_message_id, idempotency_key, owner, lease_expires_at, created_at, \
             plan) \
             SELECT $1::uuid, $2::uuid, $3, $4, $9::text, $10::uuid, $11::text, $12, $13::uuid, $5::text, $14::text, \
             now + make_interval(secs => $15::float8), {place}, $16::text FROM free, chat \
             WHERE $6::boolean IS NOT NULL \
             ON CONFLICT (id) DO UPDATE SET lease_expires_at = excluded.lease_expires_at RETURNING id) \
         {FOUND}",
        place = place("ai_chat_run_queue", "$2::uuid"),
    )
}

fn settle_statement(which: &str) -> String {
    format!(
        "WITH at AS MATERIALIZED (SELECT turnkeep_now() AS now), \
         due AS MATERIALIZED (SELECT * FROM ai_chat_run_queue WHERE {which}), \
         placed AS MATERIALIZED (SELECT due.*, now, {message_place} + 2 * nth * {ONE_PLACE} AS message_place, \
             {run_place} + nth * {ONE_PLACE} AS run_place \
             FROM (SELECT *, row_number() OVER (PARTITION BY chat_id ORDER BY created_at, id) - 1 AS nth FROM due) AS due, \
             at), \
         gone AS (DELETE FROM ai_chat_run_queue USING due WHERE ai_chat_run_queue.id = due.id), \
         users AS (INSERT INTO ai_chat_messages \
             (id, chat_id, workspace_id, user_id, role, content, metadata, created_at, updated_at) \
             SELECT user_message_id, chat_id, workspace_id, created_by, '{user}', user_content, user_metadata, \
             message_place, now FROM placed ON CONFLICT (id) DO NOTHING), \
         assistants AS (INSERT INTO ai_chat_messages \
             (id, chat_id, workspace_id, role, content, metadata, status, created_at, updated_at) \
             SELECT assistant_message_id, chat_id, workspace_id, '{assistant}', $3::text, $4, $5::text, \
             message_place + {ONE_PLACE}, now FROM placed), \
         done AS (INSERT INTO ai_chat_runs (id, chat_id, workspace_id, created_by, trigger, status, reason, \
             assistant_message_id, idempotency_key, owner, epoch, created_at, started_at, finished_at, updated_at, \
             stop_requested_at, stop_reason) \
             SELECT id, chat_id, workspace_id, created_by, trigger, '{aborted}', \
             CASE WHEN stop_requested_at IS NOT NULL AND $2::text = '{lost}' THEN '{stopped}' ELSE $2::text END, \
             assistant_message_id, idempotency_key, owner, {FIRST_EPOCH}, run_place, now, now, now, stop_requested_at, \
             CASE WHEN stop_requested_at IS NOT NULL THEN '{stopped}' END FROM placed RETURNING id) \
         SELECT (SELECT COUNT(*) FROM done) + (SELECT COUNT(*) FROM ai_chat_runs \
             WHERE id = $1::uuid AND status = '{aborted}' AND reason = $2::text AND step_count = 0 \
             AND NOT EXISTS (SELECT FROM done)) AS settled",
        user = MessageRole::User.as_str(),
        assistant = MessageRole::Assistant.as_str(),
        aborted = RunStatus::Aborted.as_str(),
        lost = RunReason::WorkerLost.as_str(),
        stopped = RunReason::Stopped.as_str(),
        message_place = message_place("due.chat_id"),
        run_place = place("ai_chat_runs", "due.chat_id"),
    )
}

#[async_trait]
impl QueueStore for PostgresStore {
    async fn enqueue_run(&self, begin: BeginRun) -> Result<Began> {
        self.check_ids(&begin)?;
        let lock = lock_of(&begin);
        let user = begin.user_message.as_ref();
        let values = values![
            begin.run_id,
            begin.chat_id,
            &begin.workspace_id,
            &begin.user_id,
            begin.idempotency_key.as_ref(),
            begin.from_queue,
            begin.role_id,
            begin.page_id.as_ref(),
            begin.trigger.as_str(),
            user.map(|message| message.id),
            user.map(|message| storable(message.content.clone())),
            user.map(|message| &message.metadata),
            begin.assistant_message_id,
            &begin.owner,
            seconds(if begin.unowned { Duration::ZERO } else { begin.lease }),
            begin.plan.as_ref().map(RunPlan::to_json),
        ];
        let statement = enqueue_statement();
        for _ in 0..ATTEMPTS {
            match self.database.try_query(lock.as_deref(), &statement, &values).await {
                Ok(rows) => match found(&rows, &begin, false)? {
                    Found::Done => {
                        let fence = Fence { run_id: begin.run_id, owner: begin.owner.clone(), epoch: 0 };
                        return Ok(Began::Started(fence));
                    }
                    Found::Repeated(run_id) => return Ok(Began::Repeated(run_id)),
                    Found::Moved => {}
                },
                Err(failure) if is_unique(&failure) => {}
                Err(failure) => return Err(refused(failure)),
            }
        }
        Err(Error::new(ErrorCode::StoreUnavailable, "the store failed: the chat is changed by others all the time"))
    }

    async fn count_waiting(&self, chat_id: ChatId, workspace_id: &str, user_id: &str) -> Result<(u64, u64)> {
        const COUNT: &str = "SELECT COUNT(*) FILTER (WHERE chat_id = $1::uuid) AS of_chat, \
             COUNT(*) FILTER (WHERE workspace_id::text = $2::text AND created_by::text = $3::text) AS of_user \
             FROM ai_chat_run_queue";
        let row = self.database.query_one(COUNT, &values![chat_id, workspace_id, user_id]).await?;
        let count = |column: &str| rows::get::<i64>(&row, column).map(|count| u64::try_from(count).unwrap_or_default());
        Ok((count("of_chat")?, count("of_user")?))
    }

    async fn settle_waiting(
        &self,
        waiting: Waiting<'_>,
        reason: RunReason,
        assistant: AssistantFlush,
    ) -> Result<usize> {
        let content = storable(assistant.content.clone());
        let (metadata, status) = (&assistant.metadata, assistant.status.as_str());
        let (none, patience) = (None::<RunId>, seconds(UNTOUCHED_WITHOUT_LEASE));
        let row = match waiting {
            Waiting::Run(run_id, owner) => {
                let values = values![run_id, reason.as_str(), &content, metadata, status, owner];
                let statement = settle_statement("id = $1::uuid AND owner = $6::text FOR UPDATE");
                self.database.query_one(&statement, &values).await?
            }
            Waiting::Abandoned(sweep) if sweep.leases_at.is_none() => return Ok(0),
            Waiting::Abandoned(sweep) => {
                let (spare, limit) = (ids(sweep.spare), i64::try_from(sweep.limit).unwrap_or(i64::MAX));
                let values = values![
                    none,
                    reason.as_str(),
                    &content,
                    metadata,
                    status,
                    None::<&str>,
                    patience,
                    sweep.owner,
                    spare,
                    limit,
                    sweep.leases_at
                ];
                self.database.query_one(&settle_statement(ABANDONED), &values).await?
            }
        };
        Ok(usize::try_from(rows::get::<i64>(&row, "settled")?).unwrap_or(0))
    }
}
