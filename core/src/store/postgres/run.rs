//! Runs: their beginning, their end, and reading them.

use async_trait::async_trait;

use crate::error::Result;
use crate::id::{ChatId, MessageId, RunId};
use crate::model::{Run, RunReason};
use crate::store::{Began, BeginRun, Fence, RunPlan, RunStore, SettleRun, already_active, lease_lost};
use crate::text::storable;

use super::fork::{place_of, replaced_at};
use super::gate::{
    ATTEMPTS, CHAT, FOUND, Found, GATE, LOOK, ONE_PLACE, found, is_of, is_unique, lock_of, message_place, place,
    refused,
};
use super::log::{AT, OF_RUN, OWNED, fence_values, message_update, step_insert, step_values};
use super::migrate::check_id;
use super::rows::{self, RUN_COLUMNS, WAITING_COLUMNS};
use super::steer::take_steering;
use super::usage::{CALL_VALUES, call_entry, call_values};
use super::value::{Value, values};
use super::{PostgresStore, limited, seconds};

/// The one epoch of a run that was never taken over.
pub(super) const FIRST_EPOCH: i64 = 1;

const FAIL: &str = "\
     WITH at AS MATERIALIZED (SELECT turnkeep_now() AS now), \
     owned AS (UPDATE ai_chat_runs SET status = 'failed', reason = 'internal', error = $4::text, \
         lease_expires_at = NULL, finished_at = now, updated_at = now FROM at \
         WHERE id = $1::uuid AND owner = $2::text AND epoch = $3::bigint AND status IN ('pending', 'running', 'waiting') \
         RETURNING id, assistant_message_id), \
     reserved AS (UPDATE turnkeep_usage SET reserved = false FROM owned WHERE run_id = owned.id::text AND reserved), \
     message AS (UPDATE ai_chat_messages SET status = 'error', updated_at = now FROM at, owned \
         WHERE ai_chat_messages.id = owned.assistant_message_id) \
     SELECT COUNT(*) AS owned, EXISTS (SELECT FROM ai_chat_runs WHERE id = $1::uuid AND owner = $2::text \
         AND epoch = $3::bigint AND status = 'failed') AS settled_before FROM owned";

fn begin_statement() -> String {
    format!(
        "WITH {LOOK}, \
         free AS MATERIALIZED (SELECT now FROM at \
             WHERE NOT EXISTS (SELECT FROM repeated WHERE id <> $1::uuid) AND NOT EXISTS (SELECT FROM active) \
             AND NOT EXISTS (SELECT FROM first WHERE id <> $1::uuid) \
             AND (NOT $6::boolean OR EXISTS (SELECT FROM first WHERE id = $1::uuid AND owner = $17::text))), \
         {CHAT}, \
         waited AS (DELETE FROM ai_chat_run_queue WHERE id = $1::uuid AND owner = $17::text AND $6::boolean \
             AND EXISTS (SELECT FROM chat) RETURNING id, stop_requested_at), \
         go AS MATERIALIZED (SELECT now, (SELECT stop_requested_at FROM waited) AS stop_requested_at FROM free, chat \
             WHERE NOT $6::boolean OR EXISTS (SELECT FROM waited)), \
         place AS MATERIALIZED (SELECT {message_place} AS message, {run_place} AS run FROM at), \
         replaced AS (UPDATE ai_chat_messages AS message SET deleted_at = {replaced_at} FROM go \
             WHERE message.chat_id = $2::uuid AND message.deleted_at IS NULL \
             AND (message.created_at, message.id) >= {from}), \
         cut AS (UPDATE turnkeep_chat_forks AS part SET (cut_at, cut_id) = {from} FROM go \
             WHERE part.chat_id = $2::uuid AND (part.before_at, part.before_id) > {from} \
             AND (part.cut_at IS NULL OR (part.cut_at, part.cut_id) > {from})), \
         versions AS (INSERT INTO turnkeep_message_versions (message_id, first_id) \
             SELECT $21::uuid, $21::uuid FROM go WHERE $21::uuid IS NOT NULL \
             UNION ALL SELECT COALESCE($9::uuid, $12::uuid), COALESCE((SELECT first_id FROM turnkeep_message_versions \
                 WHERE message_id = $21::uuid), $21::uuid) FROM go WHERE $21::uuid IS NOT NULL \
             ON CONFLICT (message_id) DO NOTHING), \
         {take_steering}, \
         users AS (INSERT INTO ai_chat_messages \
             (id, chat_id, workspace_id, user_id, role, content, metadata, created_at, updated_at) \
             SELECT $9::uuid, $2::uuid, $3, $4, 'user', $10::text, $11, place.message + {BEHIND}, now FROM go, place \
             WHERE $9::uuid IS NOT NULL ON CONFLICT (id) DO NOTHING), \
         assistants AS (INSERT INTO ai_chat_messages \
             (id, chat_id, workspace_id, role, content, metadata, status, created_at, updated_at) \
             SELECT $12::uuid, $2::uuid, $3, 'assistant', $13::text, $14, $15::text, \
             place.message + {BEHIND} + CASE WHEN $9::uuid IS NULL THEN interval '0' ELSE {ONE_PLACE} END, now FROM go, place), \
         done AS (INSERT INTO ai_chat_runs (id, chat_id, workspace_id, created_by, trigger, status, \
             assistant_message_id, idempotency_key, owner, epoch, lease_expires_at, created_at, started_at, updated_at, \
             stop_requested_at, stop_reason, plan, frees_chat) \
             SELECT $1::uuid, $2::uuid, $3, $4, $16::text, CASE WHEN $20::boolean THEN 'pending' ELSE 'running' END, \
             $12::uuid, $5::text, $17::text, CASE WHEN $20::boolean THEN 0 ELSE {FIRST_EPOCH} END, \
             CASE WHEN NOT $20::boolean THEN now + make_interval(secs => $18::float8) END, place.run, \
             CASE WHEN NOT $20::boolean THEN now END, now, stop_requested_at, \
             CASE WHEN stop_requested_at IS NOT NULL THEN 'stopped' END, $19::text, $22::boolean FROM go, place RETURNING id) \
         {FOUND}",
        take_steering = take_steering(),
        message_place = message_place("$2::uuid"),
        replaced_at = replaced_at("$2::uuid"),
        from = place_of("$2", "$21"),
        run_place = place("ai_chat_runs", "$2::uuid"),
    )
}

/// How far behind its place a message comes, because of those that are taken up before it.
const BEHIND: &str = "(SELECT COUNT(*) FROM told) * interval '1 millisecond'";

fn settle_statement() -> String {
    let kept = 15 + CALL_VALUES;
    let unkept = format!("${kept}::integer IS NULL OR (steering = 0 AND steering_step <= ${kept}::integer)");
    format!(
        "WITH {AT}, \
         owned AS (UPDATE ai_chat_runs SET status = $4::text, reason = $5::text, error = $6::text, \
         failure = $7::text, step_count = GREATEST(step_count, $8::integer + 1, (SELECT MAX(step_number) + 1 \
         FROM ai_chat_run_steps WHERE run_id = $1::uuid AND state = 'finished')), \
         lease_expires_at = NULL, finished_at = now, updated_at = now FROM at WHERE {OWNED} AND ({unkept}) \
         RETURNING {OF_RUN}), \
         step AS ({}), {}, message AS ({}) \
         SELECT COUNT(*) AS owned, EXISTS (SELECT FROM ai_chat_runs WHERE id = $1::uuid AND owner = $2::text \
         AND epoch = $3::bigint AND status = $4::text) AS settled_before, \
         EXISTS (SELECT FROM ai_chat_runs WHERE {OWNED}) AS kept FROM owned",
        step_insert(8, "WHERE $8::integer IS NOT NULL"),
        call_entry(15, "$15::integer IS NOT NULL", "true"),
        message_update(kept + 1),
    )
}

/// Runs that have begun, of which `rest` says which and in which order.
fn begun(rest: &str) -> String {
    format!("SELECT {RUN_COLUMNS} FROM ai_chat_runs AS run {rest}")
}

#[async_trait]
impl RunStore for PostgresStore {
    async fn begin_run(&self, begin: BeginRun) -> Result<Began> {
        self.check_ids(&begin)?;
        let (lock, content) = (lock_of(&begin), storable(begin.assistant.content.clone()));
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
            user.map(|message| message.id),
            user.map(|message| storable(message.content.clone())),
            user.map(|message| &message.metadata),
            begin.assistant_message_id,
            &content,
            &begin.assistant.metadata,
            begin.assistant.status.as_str(),
            begin.trigger.as_str(),
            &begin.owner,
            seconds(begin.lease),
            begin.plan.as_ref().map(RunPlan::to_json),
            begin.unowned,
            begin.replaces,
            begin.plan.as_ref().is_some_and(|plan| plan.frees_chat),
        ];
        let epoch = if begin.unowned { 0 } else { FIRST_EPOCH };
        let fence = Fence { run_id: begin.run_id, owner: begin.owner.clone(), epoch };
        let statement = begin_statement();
        for _ in 0..ATTEMPTS {
            match self.database.try_query(lock.as_deref(), &statement, &values).await {
                Ok(rows) => match found(&rows, &begin, true)? {
                    Found::Done => return Ok(Began::Started(fence)),
                    Found::Repeated(run_id) => return Ok(Began::Repeated(run_id)),
                    Found::Moved => {}
                },
                Err(failure) if is_of(&failure, GATE) => {
                    // All of it was taken back. The winner may have settled by now, and then the chat is free again.
                    match self.active_run(begin.chat_id).await? {
                        Some(active) if active.id == begin.run_id => return Ok(Began::Started(fence)),
                        Some(active) => return Err(already_active(Some(active.id))),
                        None => {}
                    }
                }
                // Begun by an attempt whose answer was lost, or with the same key at the same time: the next look tells.
                Err(failure) if is_unique(&failure) => {}
                Err(failure) => return Err(refused(failure)),
            }
        }
        Err(already_active(self.active_run(begin.chat_id).await?.map(|run| run.id)))
    }

    async fn settle_run(&self, settle: SettleRun) -> Result<bool> {
        let mut values = fence_values(&settle.fence).to_vec();
        let error = settle.error.clone().map(storable);
        let failure = settle.failure.as_ref().map(|failure| storable(failure.to_json()));
        values.extend(values![settle.status.as_str(), settle.reason.map(RunReason::as_str), error, failure]);
        match &settle.step {
            Some((step, numbers)) => values.extend(step_values(step, Some(*numbers))?),
            None => values.extend(std::array::from_fn::<_, 7, _>(|_| Value::default())),
        }
        values.extend(call_values(settle.step.as_ref().map(|(step, _)| step), &settle.call));
        values.extend(values![settle.unless_steered]);
        let row = self.write_with_message(&settle_statement(), values, &settle.assistant).await?;
        // The answer to an earlier attempt may have been lost on its way.
        if rows::get::<i64>(&row, "owned")? == 1 || rows::get::<bool>(&row, "settled_before")? {
            Ok(true)
        } else if settle.unless_steered.is_some() && rows::get::<bool>(&row, "kept")? {
            Ok(false)
        } else {
            Err(lease_lost())
        }
    }

    async fn fail_run(&self, fence: &Fence, error: &str) -> Result<()> {
        let values = values![fence.run_id, &fence.owner, fence.epoch, storable(error.to_owned())];
        let row = self.database.query_one(FAIL, &values).await?;
        let is_done = rows::get::<i64>(&row, "owned")? == 1 || rows::get::<bool>(&row, "settled_before")?;
        if is_done { Ok(()) } else { Err(lease_lost()) }
    }

    async fn run(&self, run_id: RunId) -> Result<Option<Run>> {
        self.one_run(
            &format!(
                "{} UNION ALL SELECT {WAITING_COLUMNS} FROM ai_chat_run_queue AS run WHERE run.id = $1::uuid LIMIT 1",
                begun("WHERE run.id = $1::uuid")
            ),
            run_id.into(),
        )
        .await
    }

    async fn run_of_key(&self, workspace_id: &str, user_id: &str, key: &str) -> Result<Option<RunId>> {
        const KEYED: &str = "\
             SELECT id::text AS id FROM ai_chat_runs \
             WHERE workspace_id = $1 AND created_by = $2 AND idempotency_key = $3::text \
             UNION ALL SELECT id::text FROM ai_chat_run_queue \
             WHERE workspace_id = $1 AND created_by = $2 AND idempotency_key = $3::text";
        // Ids that cannot be in this database have no runs.
        if check_id("", workspace_id, self.ids.workspace).is_err()
            || check_id("", user_id, self.ids.user).is_err()
            || check_id("", key, false).is_err()
        {
            return Ok(None);
        }
        let found = self.database.query(KEYED, &values![workspace_id, user_id, key]).await?;
        found.first().map(|row| rows::id(row, "id")).transpose()
    }

    async fn active_run(&self, chat_id: ChatId) -> Result<Option<Run>> {
        self.one_run(
            &begun(
                "WHERE run.chat_id = $1::uuid AND (run.status IN ('pending', 'running') \
             OR (run.status = 'waiting' AND NOT run.frees_chat))",
            ),
            chat_id.into(),
        )
        .await
    }

    async fn latest_run(&self, chat_id: ChatId) -> Result<Option<Run>> {
        self.one_run(
            &begun("WHERE run.chat_id = $1::uuid ORDER BY run.created_at DESC, run.id DESC LIMIT 1"),
            chat_id.into(),
        )
        .await
    }

    async fn runs_of_chat(&self, chat_id: ChatId, limit: usize) -> Result<Vec<Run>> {
        let statement = format!(
            "(SELECT {WAITING_COLUMNS} FROM ai_chat_run_queue AS run WHERE run.chat_id = $1::uuid \
             ORDER BY run.created_at DESC, run.id DESC LIMIT $2::bigint) UNION ALL ({})",
            begun("WHERE run.chat_id = $1::uuid ORDER BY run.created_at DESC, run.id DESC LIMIT $2::bigint")
        );
        let found = self.database.query(&statement, &values![chat_id, limited(limit)]).await?;
        found.iter().take(limit).map(rows::run).collect()
    }

    async fn runs_before(&self, chat_id: ChatId, before: RunId, limit: usize) -> Result<Vec<Run>> {
        let statement = format!(
            "WITH place AS (SELECT created_at, id, true AS waits FROM ai_chat_run_queue \
             WHERE id = $3::uuid AND chat_id = $1::uuid UNION ALL \
             SELECT created_at, id, false FROM ai_chat_runs WHERE id = $3::uuid AND chat_id = $1::uuid) \
             (SELECT {WAITING_COLUMNS} FROM ai_chat_run_queue AS run WHERE run.chat_id = $1::uuid \
             AND (run.created_at, run.id) < (SELECT place.created_at, place.id FROM place WHERE place.waits) \
             ORDER BY run.created_at DESC, run.id DESC LIMIT $2::bigint) UNION ALL ({})",
            begun(
                "WHERE run.chat_id = $1::uuid AND (EXISTS (SELECT 1 FROM place WHERE place.waits) OR \
                 (run.created_at, run.id) < (SELECT place.created_at, place.id FROM place)) \
                 ORDER BY run.created_at DESC, run.id DESC LIMIT $2::bigint"
            )
        );
        let found = self.database.query(&statement, &values![chat_id, limited(limit), before]).await?;
        found.iter().take(limit).map(rows::run).collect()
    }

    async fn run_of_message(&self, message_id: MessageId) -> Result<Option<Run>> {
        self.one_run(
            &begun("WHERE run.assistant_message_id = $1::uuid ORDER BY run.created_at DESC, run.id DESC LIMIT 1"),
            message_id.into(),
        )
        .await
    }
}

impl PostgresStore {
    async fn one_run(&self, sql: &str, id: Value<'_>) -> Result<Option<Run>> {
        self.database.query(sql, &[id]).await?.first().map(rows::run).transpose()
    }
}
