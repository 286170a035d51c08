//! The logs of runs.

use std::time::Duration;

use async_trait::async_trait;

use crate::error::{Error, Result};
use crate::id::RunId;
use crate::model::{Json, StepRecord, Usage};
use crate::project::AssistantFlush;
use crate::store::{
    ChunkPack, Fence, LogFrom, LogPage, LogRange, LogRow, LogStart, LogStore, LoggedStep, RecordStep, StepNumbers,
    lease_lost,
};
use crate::text::storable;

use super::failure::Failure;
use super::rows::{self, RUN_COLUMNS, STEP_COLUMNS, WAITING_COLUMNS};
use super::usage::{CALL_VALUES, call_entry, call_values};
use super::value::{Value, values};
use super::{PostgresStore, seconds};

/// The run, if it is still this fence's: `$1` to `$3` are its id, owner and epoch.
pub(super) const OWNED: &str =
    "id = $1::uuid AND owner = $2::text AND epoch = $3::bigint AND status IN ('pending', 'running', 'waiting')";

/// The moment of a statement, as `now`.
pub(super) const AT: &str = "at AS MATERIALIZED (SELECT turnkeep_now() AS now)";

/// What statements need of the run that they have.
pub(super) const OF_RUN: &str = "id, assistant_message_id, chat_id, workspace_id, created_by, steering";

/// How many settled runs are looked at for chunks at once.
const TRIMMED_AT_ONCE: i64 = 100;

/// Each settled run is looked at once. What was told of a step that is not in the log stays.
const TRIM: &str = "\
     WITH due AS MATERIALIZED (SELECT id FROM ai_chat_runs WHERE chunks_trimmed_at IS NULL \
         AND finished_at <= turnkeep_now() - make_interval(secs => $1::float8) \
         ORDER BY finished_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED), \
     gone AS (DELETE FROM ai_chat_run_chunks AS pack USING due WHERE pack.run_id = due.id \
         AND EXISTS (SELECT FROM ai_chat_run_steps AS step WHERE step.run_id = pack.run_id \
             AND step.step_number = pack.step_number AND step.state <> 'intent')), \
     marked AS (UPDATE ai_chat_runs SET chunks_trimmed_at = turnkeep_now() FROM due WHERE ai_chat_runs.id = due.id) \
     SELECT COUNT(*) AS looked_at FROM due";

/// Writes a step of the run that `owned` has, from parameters that begin with `$from`. A finished row never changes
/// again.
pub(super) fn step_insert(from: usize, condition: &str) -> String {
    let [number, state, parts, reason, usage, packed, next] = std::array::from_fn(|index| from + index);
    format!(
        "INSERT INTO ai_chat_run_steps AS step (run_id, step_number, epoch, state, parts, finish_reason, usage, \
         created_at, finished_at, packed_until, next_sequence) \
         SELECT id, ${number}::integer, $3::bigint, ${state}::text, ${parts}::text, ${reason}::text, ${usage}::text, \
         now, CASE WHEN ${state}::text = 'finished' THEN now END, ${packed}::bigint, ${next}::bigint \
         FROM owned, at {condition} \
         ON CONFLICT (run_id, step_number) DO UPDATE SET epoch = excluded.epoch, state = excluded.state, \
         parts = excluded.parts, finish_reason = excluded.finish_reason, usage = excluded.usage, \
         finished_at = excluded.finished_at, packed_until = excluded.packed_until, \
         next_sequence = excluded.next_sequence WHERE step.state = 'intent'"
    )
}

/// Brings the message of the run that `owned` has up to date, from parameters that begin with `$from`.
pub(super) fn message_update(from: usize) -> String {
    let [content, tool_calls, metadata, status] = std::array::from_fn(|index| from + index);
    format!(
        "UPDATE ai_chat_messages AS message SET content = ${content}::text, tool_calls = ${tool_calls}, \
         metadata = ${metadata}, status = ${status}::text, updated_at = now FROM owned, at \
         WHERE message.id = owned.assistant_message_id"
    )
}

/// `refresh` is what else the statement does. The lease is renewed when there is one among the parameters; without one the
/// row is held, not written.
fn record_statement(refresh: &str) -> String {
    format!(
        "WITH {AT}, \
         renewed AS (UPDATE ai_chat_runs SET step_count = GREATEST(step_count, $4::integer + 1), \
         lease_expires_at = turnkeep_now() + make_interval(secs => $11::float8), updated_at = now FROM at \
         WHERE {OWNED} AND $11::float8 IS NOT NULL RETURNING {OF_RUN}), \
         held AS (SELECT {OF_RUN} FROM ai_chat_runs WHERE {OWNED} AND $11::float8 IS NULL \
         FOR SHARE), \
         owned AS (SELECT * FROM renewed UNION ALL SELECT * FROM held), \
         step AS ({}), {}{refresh} \
         SELECT COUNT(*) AS owned, COALESCE(MAX(steering), 0) > 0 AS steered FROM owned",
        step_insert(4, ""),
        call_entry(
            12,
            "$12::integer IS NOT NULL",
            "NOT EXISTS (SELECT FROM ai_chat_run_steps AS done WHERE done.run_id = owned.id \
             AND done.step_number = $4::integer AND done.state = 'finished')"
        )
    )
}

/// One statement, so that the run, its steps and its packs are those of one moment. `$1` is the run; `$2` the number of
/// [`LogFrom::Sequence`], or `$3` and `$4` the step and number of [`LogFrom::Place`]; `$5` whether packs of finished
/// steps are wanted, `$6` how many bytes. Rows that went before come first: their texts are small.
fn read_statement() -> String {
    format!(
        "WITH run AS MATERIALIZED (SELECT {RUN_COLUMNS} FROM ai_chat_runs AS run WHERE run.id = $1::uuid \
         UNION ALL SELECT {WAITING_COLUMNS} FROM ai_chat_run_queue AS run WHERE run.id = $1::uuid LIMIT 1), \
         earlier AS MATERIALIZED (SELECT step_number, next_sequence, usage, finish_reason FROM ai_chat_run_steps \
         WHERE run_id = $1::uuid AND state = 'finished' AND next_sequence <= $2::bigint), \
         start AS MATERIALIZED (SELECT COALESCE($3::bigint, MAX(step_number) + 1, 0) AS step, \
         COALESCE($4::bigint, MAX(next_sequence), 1) AS sequence FROM earlier), \
         stored AS (SELECT pack.step_number, 1 AS kind, pack.first_sequence AS sequence, \
         octet_length(pack.chunks) AS bytes \
         FROM start, ai_chat_run_chunks AS pack WHERE pack.run_id = $1::uuid \
         AND pack.first_sequence >= start.sequence AND pack.step_number >= start.step \
         AND ($5::boolean OR NOT EXISTS (SELECT FROM ai_chat_run_steps AS step WHERE step.run_id = $1::uuid \
         AND step.step_number = pack.step_number AND step.state = 'finished')) \
         UNION ALL SELECT step.step_number, 2, 0, octet_length(step.parts) \
         FROM start, ai_chat_run_steps AS step WHERE step.run_id = $1::uuid AND step.state = 'finished' \
         AND step.step_number >= start.step), \
         summed AS (SELECT *, SUM(bytes) OVER (ORDER BY step_number, kind, sequence \
         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM stored), \
         page AS MATERIALIZED (SELECT * FROM summed WHERE before IS NULL OR before < $6::bigint), \
         log AS (SELECT earlier.step_number::bigint AS step_number, 0 AS kind, next_sequence AS sequence, \
         NULL::text AS state, NULL::text AS parts, finish_reason, usage, NULL::bigint AS packed_until, next_sequence \
         FROM earlier WHERE $2::bigint IS NOT NULL \
         UNION ALL SELECT page.step_number, 1, page.sequence, NULL, chunks, NULL, NULL, NULL, NULL FROM page \
         JOIN ai_chat_run_chunks AS pack ON pack.run_id = $1::uuid AND pack.first_sequence = page.sequence \
         WHERE page.kind = 1 \
         UNION ALL SELECT page.step_number, 2, page.sequence, state, parts, finish_reason, usage, packed_until, \
         next_sequence FROM page JOIN ai_chat_run_steps AS step ON step.run_id = $1::uuid \
         AND step.step_number = page.step_number WHERE page.kind = 2) \
         SELECT run.*, log.step_number, log.kind::bigint AS kind, log.sequence, log.state, log.parts, \
         log.finish_reason, log.usage, log.packed_until, log.next_sequence, \
         (SELECT step::bigint FROM start) AS start_step, (SELECT sequence::bigint FROM start) AS start_sequence, \
         (SELECT COUNT(*) FROM stored) = (SELECT COUNT(*) FROM page) AS complete \
         FROM run LEFT JOIN log ON true ORDER BY log.kind = 0 DESC, log.step_number, log.kind, log.sequence"
    )
}

#[async_trait]
impl LogStore for PostgresStore {
    async fn append_pack(&self, fence: &Fence, pack: &ChunkPack) -> Result<()> {
        let text = format!("[{}]", pack.chunks.join(","));
        let last = pack.first_sequence + pack.chunks.len().saturating_sub(1) as u64;
        let mut values = fence_values(fence).to_vec();
        values.extend(values![column(pack.first_sequence), column(last), pack.step_number, storable(text)]);
        // A lock that lets others read the run, and keeps everybody from taking it over before this is on disk.
        let append = format!(
            "WITH owned AS (SELECT id, assistant_message_id FROM ai_chat_runs WHERE {OWNED} FOR SHARE), pack AS (INSERT INTO ai_chat_run_chunks \
                 (run_id, first_sequence, last_sequence, epoch, step_number, chunks, created_at) \
                 SELECT id, $4::bigint, $5::bigint, $3::bigint, $6::integer, $7::text, turnkeep_now() FROM owned \
                 ON CONFLICT (run_id, first_sequence) DO NOTHING) \
                 SELECT COUNT(*) AS owned FROM owned"
        );
        self.write_owned(&append, &values).await
    }

    async fn record_intent(&self, fence: &Fence, step: &StepRecord) -> Result<()> {
        let mut values = fence_values(fence).to_vec();
        values.extend(step_values(step, None)?);
        let record = format!(
            "WITH {AT}, owned AS (UPDATE ai_chat_runs SET updated_at = now FROM at WHERE {OWNED} RETURNING id), \
                 step AS ({}) SELECT COUNT(*) AS owned FROM owned",
            step_insert(4, "")
        );
        self.write_owned(&record, &values).await
    }

    async fn record_step(&self, record: RecordStep) -> Result<bool> {
        let mut values = fence_values(&record.fence).to_vec();
        values.extend(step_values(&record.step, Some(record.numbers))?);
        values.extend(values![record.lease.map(seconds)]);
        values.extend(call_values(Some(&record.step), &record.call));
        let row = match &record.refresh {
            None => self.database.query_one(&record_statement(""), &values).await?,
            Some(flush) => {
                let refresh = format!(", refreshed AS ({})", message_update(12 + CALL_VALUES));
                self.write_with_message(&record_statement(&refresh), values, flush).await?
            }
        };
        if rows::get::<i64>(&row, "owned")? == 1 { rows::get(&row, "steered") } else { Err(lease_lost()) }
    }

    async fn steps(&self, run_id: RunId) -> Result<Vec<LoggedStep>> {
        let steps = format!("SELECT {STEP_COLUMNS} FROM ai_chat_run_steps WHERE run_id = $1::uuid ORDER BY 1");
        self.database.query(&steps, &values![run_id]).await?.iter().map(rows::step).collect()
    }

    async fn read_log(&self, run_id: RunId, range: LogRange) -> Result<Option<LogPage>> {
        let (wanted, place) = match range.from {
            LogFrom::Sequence(wanted) => (Some(column(wanted)), None),
            LogFrom::Place { step, sequence } => (None, Some((step, column(sequence)))),
        };
        let values = values![
            run_id,
            wanted,
            place.map(|(step, _)| step),
            place.map(|(_, sequence)| sequence),
            range.packs_of_finished,
            i64::try_from(range.limit).unwrap_or(i64::MAX),
        ];
        let found = self.database.query(&read_statement(), &values).await?;
        let Some(first) = found.first() else { return Ok(None) };
        let mut start = LogStart {
            step: rows::small(first, "start_step")?,
            first_sequence: rows::sequence(rows::get(first, "start_sequence")?),
            usage: None,
            finish_reason: None,
        };
        let (run, complete) = (rows::run(first)?, rows::get(first, "complete")?);
        let mut page = LogPage { run, start: None, rows: Vec::new(), complete };
        for row in &found {
            match rows::get::<Option<i64>>(row, "kind")? {
                Some(0) => {
                    let (finish_reason, usage) = rows::earlier_step(row)?;
                    start.finish_reason = finish_reason;
                    start.usage = Usage::accumulate(start.usage, usage);
                }
                Some(1) => page.rows.push(LogRow::Pack(rows::pack(row)?)),
                Some(_) => page.rows.push(LogRow::Step(rows::step(row)?)),
                None => {}
            }
        }
        page.start = wanted.map(|_| start);
        Ok(Some(page))
    }

    async fn trim_packs(&self, settled_for: Duration) -> Result<bool> {
        let row = self.database.query_one(TRIM, &values![seconds(settled_for), TRIMMED_AT_ONCE]).await?;
        Ok(rows::get::<i64>(&row, "looked_at")? >= TRIMMED_AT_ONCE)
    }
}

/// A number of the log, for the server.
pub(super) fn column(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal("a row could not be encoded").with_source(error))
}

/// The seven parameters of [`step_insert`]; `numbers` are those of a finished step, without them it is an intent.
pub(super) fn step_values(step: &StepRecord, numbers: Option<StepNumbers>) -> Result<[Value<'static>; 7]> {
    Ok(values![
        step.number,
        if numbers.is_some() { "finished" } else { "intent" },
        storable(json(&step.parts)?),
        step.finish_reason.map(|reason| reason.as_str()),
        step.usage.as_ref().map(json).transpose()?,
        numbers.map(|numbers| column(numbers.packed_until)),
        numbers.map(|numbers| column(numbers.next)),
    ])
}

/// The four parameters of [`message_update`].
fn message_values(flush: &AssistantFlush) -> [Value<'_>; 4] {
    values![storable(flush.content.clone()), flush.tool_calls.as_ref(), &flush.metadata, flush.status.as_str(),]
}

/// A message without its parts but the text.
fn text_only(flush: &AssistantFlush) -> Result<AssistantFlush> {
    let part = crate::model::Part::Text(crate::model::TextPart::done(&flush.content));
    let metadata = Json::from_value(&serde_json::json!({"parts": [part]}));
    let metadata = metadata.map_err(|_| Error::internal("a row could not be encoded"))?;
    Ok(AssistantFlush { tool_calls: None, metadata, ..flush.clone() })
}

pub(super) fn fence_values(fence: &Fence) -> [Value<'_>; 3] {
    values![fence.run_id, &fence.owner, fence.epoch]
}

impl PostgresStore {
    /// Carries out a write that depends on the fence.
    pub(super) async fn write_owned(&self, sql: &str, values: &[Value<'_>]) -> Result<()> {
        let row = self.database.query_one(sql, values).await?;
        if rows::get::<i64>(&row, "owned")? == 1 { Ok(()) } else { Err(lease_lost()) }
    }

    /// Carries out a write that ends with a message's values. Where the server refuses the message's JSON, which it
    /// does beyond some ten thousand levels, the message shows its text; the log has the rest.
    pub(super) async fn write_with_message(
        &self,
        sql: &str,
        mut values: Vec<Value<'_>>,
        flush: &AssistantFlush,
    ) -> Result<tokio_postgres::Row> {
        let before = values.len();
        values.extend(message_values(flush));
        let refused = match self.database.try_query(None, sql, &values).await {
            Err(failure) if failure.is_beyond_limits() => failure,
            rows => {
                let row = rows.map_err(Failure::into_error)?.pop();
                return row.ok_or_else(|| Error::internal("a statement returned no row"));
            }
        };
        tracing::warn!(error = %refused.into_error(), "a message's parts cannot be stored; it shows its text");
        values.truncate(before);
        let text = text_only(flush)?;
        values.extend(message_values(&text));
        self.database.query_one(sql, &values).await
    }
}
