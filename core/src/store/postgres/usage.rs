//! The ledger of calls.

use std::time::Duration;

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{CallKind, CallTokens, StepRecord};
use crate::store::{CallNote, Fence, LedgerCall, TokenLimit, UsageBy, UsageGroup, UsageOf, UsageStore, lease_lost};
use crate::text::storable;

use super::failure::Failure;
use super::limit::wait_of;
use super::log::{OWNED, fence_values};
use super::value::{Value, values};
use super::{PostgresStore, rows, seconds};

/// Columns of a call, in the order in which they are written.
const COLUMNS: &str = "id, workspace_id, user_id, chat_id, run_id, kind, model, reserved, input_tokens, output_tokens, \
     cached_input_tokens, reasoning_tokens, estimated, at";

/// Parts of a statement in which `$1` is the workspace, `$2` the window in seconds, `$3` the limit, and `$kind` the kind of calls
/// that count, if there is one. The newest calls that fill
/// it: some are free again when the oldest of these is out of the window. Most of the time the sum alone tells.
fn filling(kind: usize) -> String {
    format!(
        "\
     at AS MATERIALIZED (SELECT turnkeep_now() AS now), \
     used AS MATERIALIZED (SELECT COALESCE(SUM(one.input_tokens::numeric + one.output_tokens), 0) >= $3::numeric AS up \
         FROM turnkeep_usage AS one, at WHERE one.workspace_id = $1::text \
         AND one.at > now - make_interval(secs => $2::float8) \
         AND (${kind}::text IS NULL OR one.kind = ${kind}::text)), \
     filling AS MATERIALIZED (SELECT used.at FROM (SELECT one.at, SUM(one.input_tokens::numeric + one.output_tokens) \
         OVER (ORDER BY one.at DESC, one.id DESC ROWS UNBOUNDED PRECEDING) AS so_far FROM turnkeep_usage AS one, at \
         WHERE (SELECT up FROM used) AND one.workspace_id = $1::text \
         AND one.at > now - make_interval(secs => $2::float8) \
         AND (${kind}::text IS NULL OR one.kind = ${kind}::text)) AS used \
         WHERE used.so_far >= $3::numeric ORDER BY used.at DESC LIMIT 1)"
    )
}

/// How long that takes, in seconds.
const WAIT: &str = "\
     CASE WHEN $3::numeric = 0 AND NOT EXISTS (SELECT FROM filling) THEN $2::float8 ELSE \
         (SELECT extract(epoch FROM filling.at + make_interval(secs => $2::float8) - now)::float8 FROM filling, at) END";

/// How many parameters [`call_entry`] takes.
pub(super) const CALL_VALUES: usize = 7;

/// Parts of a statement that enter the call of the run that `owned` has, if `is_step`, in the place of what was set aside for
/// it, and else settle that, if this `is_first`: from parameters that begin with `$from`. A late attempt of an earlier write
/// takes nothing of the call that is on its way by then.
pub(super) fn call_entry(from: usize, is_step: &str, is_first: &str) -> String {
    let [step, model, input, output, cached, reasoning, estimated] = std::array::from_fn(|index| from + index);
    format!(
        "reserved AS (DELETE FROM turnkeep_usage USING owned WHERE run_id = owned.id::text AND reserved AND {is_step} \
             AND NOT EXISTS (SELECT FROM turnkeep_usage WHERE id = owned.id::text || '/' || ${step}::integer) \
             RETURNING input_tokens, model), \
         unknown AS (UPDATE turnkeep_usage SET reserved = false FROM owned WHERE run_id = owned.id::text AND reserved \
             AND NOT ({is_step}) AND {is_first}), \
         entered AS (INSERT INTO turnkeep_usage ({COLUMNS}) \
             SELECT owned.id::text || '/' || ${step}::integer, owned.workspace_id::text, owned.created_by::text, owned.chat_id::text, owned.id::text, \
             'step', COALESCE(${model}::text, (SELECT MAX(model) FROM reserved)), false, \
             CASE WHEN ${estimated}::boolean AND ${input}::bigint = 0 \
                 THEN COALESCE((SELECT MAX(input_tokens) FROM reserved), 0) ELSE ${input}::bigint END, \
             ${output}::bigint, ${cached}::bigint, ${reasoning}::bigint, ${estimated}::boolean, now FROM owned, at \
             WHERE {is_step} ON CONFLICT (id) DO NOTHING)"
    )
}

/// The parameters of [`call_entry`].
pub(super) fn call_values(step: Option<&StepRecord>, note: &CallNote) -> [Value<'static>; CALL_VALUES] {
    let Some(step) = step.filter(|step| step.is_of_a_call()) else { return std::array::from_fn(|_| Value::default()) };
    let tokens = CallTokens::of(step.usage, step.text().len(), note.prompt_tokens);
    values![
        step.number,
        note.model.as_deref().map(|model| storable(model.to_owned())),
        column(tokens.input),
        column(tokens.output),
        column(tokens.cached_input),
        column(tokens.reasoning),
        tokens.estimated,
    ]
}

fn values_of(call: &LedgerCall) -> [Value<'_>; 12] {
    values![
        &call.id,
        &call.workspace_id,
        call.user_id.as_ref(),
        call.chat_id,
        call.run_id,
        call.kind.as_str(),
        call.model.as_ref().map(|model| storable(model.clone())),
        column(call.tokens.input),
        column(call.tokens.output),
        column(call.tokens.cached_input),
        column(call.tokens.reasoning),
        call.tokens.estimated,
    ]
}

#[async_trait]
impl UsageStore for PostgresStore {
    async fn reserve_tokens(
        &self,
        limit: &TokenLimit<'_>,
        call: &LedgerCall,
        fence: Option<&Fence>,
    ) -> Result<Option<Duration>> {
        let statement = format!(
            "WITH {}, owned AS MATERIALIZED (SELECT id FROM ai_chat_runs WHERE id = $16::uuid AND owner = $17::text \
                 AND epoch = $18::bigint AND status IN ('pending', 'running') FOR SHARE), \
             may AS MATERIALIZED (SELECT $16::uuid IS NULL OR EXISTS (SELECT FROM owned) AS may), \
             known AS (SELECT id FROM turnkeep_usage WHERE id = $4::text), \
             set_aside AS (INSERT INTO turnkeep_usage ({COLUMNS}) SELECT $4::text, $5::text, $6::text, $7::text, $8::text, \
                 $9::text, $10::text, true, $11::bigint, $12::bigint, $13::bigint, $14::bigint, $15::boolean, now FROM at \
                 WHERE (SELECT may FROM may) AND $3::numeric > 0 AND NOT EXISTS (SELECT FROM filling) \
                 ON CONFLICT (id) DO NOTHING) \
             SELECT may, CASE WHEN NOT EXISTS (SELECT FROM known) THEN {WAIT} END AS wait FROM may",
            filling(19),
        );
        let mut values = values![limit.workspace_id, seconds(limit.window), limit.max.to_string()].to_vec();
        values.extend(values_of(call));
        let owner = fence.map(|fence| fence.owner.as_str());
        values.extend(values![fence.map(|fence| fence.run_id), owner, fence.map(|fence| fence.epoch)]);
        values.extend(values![limit.kind.map(CallKind::as_str)]);
        // Those who take of one limit do so one after the other.
        let lock = format!("turnkeep tokens {}", limit.workspace_id);
        let found = self.database.try_query(Some(&lock), &statement, &values).await.map_err(Failure::into_error)?;
        if found.first().map_or(Ok(true), |row| rows::get(row, "may"))? {
            wait_of(found.first())
        } else {
            Err(lease_lost())
        }
    }

    async fn enter_call(&self, call: &LedgerCall) -> Result<()> {
        let statement = format!(
            "WITH at AS MATERIALIZED (SELECT turnkeep_now() AS now), \
             reserved AS (DELETE FROM turnkeep_usage WHERE run_id = $5::text AND reserved \
                 AND NOT EXISTS (SELECT FROM turnkeep_usage WHERE id = $1::text) RETURNING input_tokens, model) \
             INSERT INTO turnkeep_usage ({COLUMNS}) SELECT $1::text, $2::text, $3::text, $4::text, $5::text, $6::text, \
             COALESCE($7::text, (SELECT MAX(model) FROM reserved)), false, \
             CASE WHEN $12::boolean AND $8::bigint = 0 \
                 THEN COALESCE((SELECT MAX(input_tokens) FROM reserved), 0) ELSE $8::bigint END, \
             $9::bigint, $10::bigint, $11::bigint, $12::boolean, now FROM at ON CONFLICT (id) DO NOTHING"
        );
        self.database.query(&statement, &values_of(call)).await.map(|_| ())
    }

    async fn settle_reserved(&self, fence: &Fence) -> Result<()> {
        let settle = format!(
            "WITH owned AS (SELECT id FROM ai_chat_runs WHERE {OWNED} FOR SHARE), \
             settled AS (UPDATE turnkeep_usage SET reserved = false FROM owned WHERE run_id = owned.id::text AND reserved) \
             SELECT COUNT(*) AS owned FROM owned"
        );
        self.write_owned(&settle, &fence_values(fence)).await
    }

    async fn are_tokens_used_up(&self, limit: &TokenLimit<'_>) -> Result<Option<Duration>> {
        let statement = format!("WITH {} SELECT {WAIT} AS wait", filling(4));
        let kind = limit.kind.map(CallKind::as_str);
        let values = values![limit.workspace_id, seconds(limit.window), limit.max.to_string(), kind];
        wait_of(self.database.query(&statement, &values).await?.first())
    }

    async fn usage(&self, wanted: &UsageOf) -> Result<Vec<UsageGroup>> {
        let group =
            |by, column: &str| if wanted.by.contains(&by) { column.to_owned() } else { "NULL::text".to_owned() };
        // Sums of rows from outside may be beyond what there is, so they come as what has no end.
        let statement = format!(
            "SELECT {day} AS day, {user} AS user_id, {chat} AS chat_id, {kind} AS kind, model COLLATE \"C\" AS model, COUNT(*) AS calls, \
             COUNT(*) FILTER (WHERE estimated) AS estimated_calls, SUM(input_tokens)::float8 AS input, \
             SUM(output_tokens)::float8 AS output, SUM(cached_input_tokens)::float8 AS cached, \
             SUM(reasoning_tokens)::float8 AS reasoning FROM turnkeep_usage \
             WHERE NOT reserved AND workspace_id = $1::text AND ($2::text IS NULL OR user_id = $2::text) \
             AND ($3::text IS NULL OR chat_id = $3::text) AND ($4::text IS NULL OR at >= $4::text::timestamptz) \
             AND ($5::text IS NULL OR at < $5::text::timestamptz) \
             GROUP BY 1, 2, 3, 4, 5 ORDER BY 1 DESC NULLS LAST, 2 NULLS FIRST, 3 NULLS FIRST, 4 NULLS FIRST, 5 NULLS FIRST",
            day = group(UsageBy::Day, "to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD')"),
            user = group(UsageBy::User, "user_id COLLATE \"C\""),
            chat = group(UsageBy::Chat, "chat_id COLLATE \"C\""),
            kind = group(UsageBy::Kind, "kind COLLATE \"C\""),
        );
        let values = values![
            &wanted.workspace_id,
            wanted.user_id.as_ref(),
            wanted.chat_id,
            wanted.from.map(|at| at.to_string()),
            wanted.until.map(|at| at.to_string()),
        ];
        let found = self.database.query(&statement, &values).await?;
        found.iter().map(group_of).collect()
    }

    async fn forget_usage(&self, before: Duration) -> Result<()> {
        const FORGET: &str =
            "DELETE FROM turnkeep_usage WHERE at <= turnkeep_now() - make_interval(secs => $1::float8)";
        self.database.query(FORGET, &values![seconds(before)]).await.map(|_| ())
    }
}

fn group_of(row: &tokio_postgres::Row) -> Result<UsageGroup> {
    let sum = |column| rows::get::<f64>(row, column).map(|sum| sum as u64);
    let count = |column| rows::get::<i64>(row, column).map(|count| u64::try_from(count).unwrap_or(0));
    let estimated_calls = count("estimated_calls")?;
    Ok(UsageGroup {
        day: rows::get(row, "day")?,
        user_id: rows::get(row, "user_id")?,
        chat_id: rows::get(row, "chat_id")?,
        kind: rows::get::<Option<String>>(row, "kind")?.map(|kind| CallKind::read(&kind)),
        model: rows::get(row, "model")?,
        calls: count("calls")?,
        estimated_calls,
        tokens: CallTokens {
            input: sum("input")?,
            output: sum("output")?,
            cached_input: sum("cached")?,
            reasoning: sum("reasoning")?,
            estimated: estimated_calls > 0,
        },
    })
}

/// A number of tokens, for the server.
fn column(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}
