//! Messages that join runs.
//!
//! Every change of what waits for a run holds the run's row and changes its `steering_version`. Whoever has read what waits
//! names the version that he has read it under, since a statement sees the tables as they were when it began.

use async_trait::async_trait;
use tokio_postgres::Row;

use crate::error::{Error, ErrorCode, Result};
use crate::id::{MessageId, RunId};
use crate::model::{Json, Steering, SteeringState, entering_chunks};
use crate::store::{EnterSteering, NewSteering, SteerStore, Steered, SteeringOf, lease_lost};
use crate::text::storable;

use super::PostgresStore;
use super::gate::{ATTEMPTS, is_of, refused};
use super::log::{AT, OWNED, column, fence_values};
use super::rows;
use super::value::values;

const COLUMNS: &str = "message.message_id::text AS message_id, message.run_id::text AS run_id, \
     message.chat_id::text AS chat_id, message.state, message.step_number::bigint AS step_number, \
     message.message::text AS message, message.created_at";

const ACTIVE: &str = "status IN ('pending', 'running', 'waiting')";

fn steer_statement() -> String {
    format!(
        "WITH {AT}, \
         run AS (UPDATE ai_chat_runs SET steering = steering + 1, steering_version = steering_version + 1 \
         WHERE id = $2::uuid AND {ACTIVE} AND steering < $7::integer RETURNING id, steering_version), \
         message AS (INSERT INTO turnkeep_steering (message_id, run_id, chat_id, user_id, content, message, state, place, \
         created_at) SELECT $1::uuid, run.id, $3::uuid, $4, $5::text, $6, 'waiting', run.steering_version, now \
         FROM run, at RETURNING *) \
         SELECT {COLUMNS} FROM message"
    )
}

const UNSTEER: &str = "\
     WITH run AS (UPDATE ai_chat_runs SET steering = steering - 1, steering_version = steering_version + 1 \
     WHERE id = $2::uuid AND steering_version = $3::integer RETURNING id) \
     UPDATE turnkeep_steering AS message SET state = 'taken_back' FROM run \
     WHERE message.message_id = $1::uuid AND message.state = 'waiting' RETURNING message.message_id::text AS id";

/// `$4` is the step, `$5` the version under which the messages were read, `$6` to `$8` the pack.
fn enter_statement() -> String {
    format!(
        "WITH {AT}, \
         owned AS (UPDATE ai_chat_runs SET steering = 0, steering_version = steering_version + 1, \
         steering_step = $4::integer WHERE {OWNED} AND steering_version = $5::integer RETURNING id), \
         entered AS (UPDATE turnkeep_steering AS message SET state = 'entered', step_number = $4::integer FROM owned \
         WHERE message.run_id = owned.id AND message.state = 'waiting'), \
         pack AS (INSERT INTO ai_chat_run_chunks \
         (run_id, first_sequence, last_sequence, epoch, step_number, chunks, created_at) \
         SELECT id, $6::bigint, $7::bigint, $3::bigint, $4::integer, $8::text, now FROM owned, at \
         ON CONFLICT (run_id, first_sequence) DO NOTHING) \
         SELECT COUNT(*) AS owned FROM owned"
    )
}

/// What a beginning does for messages that have waited for runs of its chat that have ended: they become messages that come
/// before its own, unless it is one of them. Needs `go` and `place`; `$9` is the user's message, `$21` what is replaced.
pub(super) fn take_steering() -> String {
    format!(
        "left_over AS MATERIALIZED (SELECT message.message_id FROM turnkeep_steering AS message, go \
         WHERE $9::uuid IS NOT NULL AND $21::uuid IS NULL AND message.chat_id = $2::uuid AND message.state = 'waiting' \
         AND NOT EXISTS (SELECT FROM ai_chat_runs AS run WHERE run.id = message.run_id AND run.{ACTIVE})), \
         taken AS (UPDATE turnkeep_steering AS message SET state = 'next_turn' FROM left_over \
         WHERE message.message_id = left_over.message_id AND message.state = 'waiting' RETURNING message.*), \
         told AS MATERIALIZED (SELECT *, ROW_NUMBER() OVER (ORDER BY run_id, place) - 1 AS behind FROM taken \
         WHERE message_id <> $9::uuid), \
         steered AS (INSERT INTO ai_chat_messages \
         (id, chat_id, workspace_id, user_id, role, content, metadata, created_at, updated_at) \
         SELECT told.message_id, $2::uuid, $3, $4, 'user', told.content, told.message, \
         place.message + told.behind * interval '1 millisecond', now FROM told, go, place ON CONFLICT (id) DO NOTHING)"
    )
}

#[async_trait]
impl SteerStore for PostgresStore {
    async fn steer(&self, new: NewSteering) -> Result<Steered> {
        if let Some(known) = self.steering_message(new.message_id).await? {
            return Ok(Steered::Repeated(known));
        }
        let values = values![
            new.message_id,
            new.run_id,
            new.chat_id,
            &new.user_id,
            storable(new.content.clone()),
            &new.message,
            new.most,
        ];
        match self.database.try_query(None, &steer_statement(), &values).await {
            Ok(rows) if !rows.is_empty() => {
                rows.first().map_or(Ok(Steered::NotActive), |row| Ok(Steered::Waits(steering(row)?)))
            }
            Ok(_) => {
                let full = format!("SELECT 1 FROM ai_chat_runs WHERE id = $1::uuid AND {ACTIVE}");
                let is_active = !self.database.query(&full, &values![new.run_id]).await?.is_empty();
                Ok(if is_active { Steered::TooMany } else { Steered::NotActive })
            }
            // Accepted by an attempt whose answer was lost, or at the same time.
            Err(failure) if is_of(&failure, "turnkeep_steering_pkey") => {
                let known = self.steering_message(new.message_id).await?;
                known.map(Steered::Repeated).ok_or_else(|| refused(failure))
            }
            Err(failure) => Err(refused(failure)),
        }
    }

    async fn unsteer(&self, message_id: MessageId) -> Result<Option<Steering>> {
        for _ in 0..ATTEMPTS * ATTEMPTS {
            let Some(known) = self.steering_message(message_id).await? else { return Ok(None) };
            if known.state != SteeringState::Waiting {
                return Ok(Some(known));
            }
            let version = self.steering_version(known.run_id).await?;
            self.database.query(UNSTEER, &values![message_id, known.run_id, version]).await?;
        }
        Err(changed_all_the_time())
    }

    async fn steering_message(&self, message_id: MessageId) -> Result<Option<Steering>> {
        let sql = format!("SELECT {COLUMNS} FROM turnkeep_steering AS message WHERE message.message_id = $1::uuid");
        self.database.query(&sql, &values![message_id]).await?.first().map(steering).transpose()
    }

    async fn steering(&self, of: &SteeringOf) -> Result<Vec<Steering>> {
        let (condition, id) = match of {
            SteeringOf::Run(run_id) => ("message.run_id = $1::uuid", run_id.to_string()),
            SteeringOf::WaitingInChat(chat_id) => {
                ("message.chat_id = $1::uuid AND message.state = 'waiting'", chat_id.to_string())
            }
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM turnkeep_steering AS message WHERE {condition} \
             ORDER BY message.run_id, message.place"
        );
        self.database.query(&sql, &values![id]).await?.iter().map(steering).collect()
    }

    async fn enter_steering(&self, enter: EnterSteering) -> Result<Vec<Steering>> {
        let EnterSteering { fence, step, first_sequence, begun } = &enter;
        for _ in 0..ATTEMPTS * ATTEMPTS {
            let (version, found) = self.enterable(&enter).await?;
            // The answer to an earlier attempt may have been lost on its way.
            if found.first().is_none_or(|message| message.state == SteeringState::Entered) {
                return Ok(found);
            }
            let chunks = entering_chunks(*begun, &found);
            let last = first_sequence + chunks.len().saturating_sub(1) as u64;
            let mut values = fence_values(fence).to_vec();
            values.extend(values![*step, version, column(*first_sequence), column(last)]);
            values.extend(values![storable(format!("[{}]", chunks.join(",")))]);
            let row = self.database.query_one(&enter_statement(), &values).await?;
            if rows::get::<i64>(&row, "owned")? == 1 {
                let entered = |message| Steering { state: SteeringState::Entered, step: Some(*step), ..message };
                return Ok(found.into_iter().map(entered).collect());
            }
        }
        Err(changed_all_the_time())
    }
}

fn steering(row: &Row) -> Result<Steering> {
    let message: &str = rows::get(row, "message")?;
    let unreadable = || Error::internal("the store failed: a message that joins a run cannot be read");
    Ok(Steering {
        message_id: rows::id(row, "message_id")?,
        run_id: rows::id(row, "run_id")?,
        chat_id: rows::id(row, "chat_id")?,
        state: SteeringState::read(rows::get(row, "state")?),
        step: rows::get::<Option<i64>>(row, "step_number")?.and_then(|step| u32::try_from(step).ok()),
        message: Json::parse(message).map_err(|_| unreadable())?,
        created_at: rows::time(row, "created_at")?,
    })
}

fn changed_all_the_time() -> Error {
    Error::new(ErrorCode::StoreUnavailable, "what waits for the run is changed by others all the time")
}

impl PostgresStore {
    async fn steering_version(&self, run_id: RunId) -> Result<u32> {
        let sql = "SELECT steering_version::bigint AS version FROM ai_chat_runs WHERE id = $1::uuid";
        let found = self.database.query(sql, &values![run_id]).await?;
        found.first().map_or(Ok(0), |row| rows::small(row, "version"))
    }

    /// What has entered before this step, or else what waits, and the version of that.
    async fn enterable(&self, enter: &EnterSteering) -> Result<(u32, Vec<Steering>)> {
        let sql = format!(
            "WITH owned AS MATERIALIZED (SELECT id, steering_version::bigint AS version FROM ai_chat_runs WHERE {OWNED}) \
             SELECT owned.version, {COLUMNS} FROM owned LEFT JOIN turnkeep_steering AS message \
             ON message.run_id = owned.id AND (message.state = 'waiting' \
             OR (message.state = 'entered' AND message.step_number = $4::integer)) ORDER BY message.place"
        );
        let mut values = fence_values(&enter.fence).to_vec();
        values.extend(values![enter.step]);
        let found = self.database.query(&sql, &values).await?;
        let first = found.first().ok_or_else(lease_lost)?;
        let version = rows::small(first, "version")?;
        let mut messages = Vec::with_capacity(found.len());
        for row in &found {
            if rows::get::<Option<&str>>(row, "message_id")?.is_some() {
                messages.push(steering(row)?);
            }
        }
        let has_entered = messages.iter().any(|message| message.state == SteeringState::Entered);
        messages.retain(|message| (message.state == SteeringState::Entered) == has_entered);
        Ok((version, messages))
    }
}
