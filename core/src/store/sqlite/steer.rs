//! Messages that join runs.

use async_trait::async_trait;
use rusqlite::{Row, named_params, params};

use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::{MessageId, RunId};
use crate::model::{Steering, SteeringState, entering_chunks};
use crate::store::{BeginRun, ChunkPack, EnterSteering, NewSteering, ONE_PLACE, SteerStore, Steered, SteeringOf};

use super::SqliteStore;
use super::rows::{self, ACTIVE};
use super::tables::Tables;

const COLUMNS: &str = "message_id, run_id, chat_id, state, step_number, message, created_at";

#[async_trait]
impl SteerStore for SqliteStore {
    async fn steer(&self, new: NewSteering) -> Result<Steered> {
        self.write(move |tables| {
            if let Some(known) = tables.steering_message(new.message_id)? {
                return Ok(Steered::Repeated(known));
            }
            let is_active = format!("SELECT steering FROM ai_chat_runs WHERE id = ?1 AND {ACTIVE}");
            let waiting: Option<u32> = tables.first(&is_active, [new.run_id], |row| row.get(0))?;
            match waiting {
                None => return Ok(Steered::NotActive),
                Some(waiting) if waiting >= new.most => return Ok(Steered::TooMany),
                Some(_) => {}
            }
            let place: i64 = tables.one(
                "UPDATE ai_chat_runs SET steering = steering + 1, steering_version = steering_version + 1 \
                 WHERE id = ?1 RETURNING steering_version",
                [new.run_id],
            )?;
            tables.execute(
                "INSERT INTO turnkeep_steering (message_id, run_id, chat_id, user_id, content, message, state, place, \
                 created_at) VALUES (:id, :run, :chat, :user, :content, :message, 'waiting', :place, :now)",
                named_params! {
                    ":id": new.message_id,
                    ":run": new.run_id,
                    ":chat": new.chat_id,
                    ":user": new.user_id,
                    ":content": new.content,
                    ":message": new.message,
                    ":place": place,
                    ":now": tables.now,
                },
            )?;
            let NewSteering { message_id, run_id, chat_id, message, .. } = new;
            let (state, created_at) = (SteeringState::Waiting, tables.now);
            Ok(Steered::Waits(Steering { message_id, run_id, chat_id, state, step: None, message, created_at }))
        })
        .await
    }

    async fn unsteer(&self, message_id: MessageId) -> Result<Option<Steering>> {
        self.write(move |tables| {
            let taken = tables.execute(
                "UPDATE turnkeep_steering SET state = 'taken_back' WHERE message_id = ?1 AND state = 'waiting'",
                [message_id],
            )?;
            if taken == 1 {
                tables.execute(
                    "UPDATE ai_chat_runs SET steering = steering - 1, steering_version = steering_version + 1 \
                     WHERE id = (SELECT run_id FROM turnkeep_steering WHERE message_id = ?1)",
                    [message_id],
                )?;
            }
            tables.steering_message(message_id)
        })
        .await
    }

    async fn steering_message(&self, message_id: MessageId) -> Result<Option<Steering>> {
        self.read(move |tables| tables.steering_message(message_id)).await
    }

    async fn steering(&self, of: &SteeringOf) -> Result<Vec<Steering>> {
        let (condition, id) = match of {
            SteeringOf::Run(run_id) => ("run_id = ?1", run_id.to_string()),
            SteeringOf::WaitingInChat(chat_id) => ("chat_id = ?1 AND state = 'waiting'", chat_id.to_string()),
        };
        let sql = format!("SELECT {COLUMNS} FROM turnkeep_steering WHERE {condition} ORDER BY run_id, place");
        self.read(move |tables| tables.all(&sql, [id], steering)).await
    }

    async fn enter_steering(&self, enter: EnterSteering) -> Result<Vec<Steering>> {
        self.write(move |tables| {
            let EnterSteering { fence, step, first_sequence, begun } = enter;
            tables.ensure_owned(&fence)?;
            let entered = tables.entered(fence.run_id, step)?;
            if !entered.is_empty() {
                // The answer to an earlier attempt may have been lost on its way.
                return Ok(entered);
            }
            let any = tables.execute(
                "UPDATE turnkeep_steering SET state = 'entered', step_number = ?2 \
                 WHERE run_id = ?1 AND state = 'waiting'",
                params![fence.run_id, step],
            )?;
            if any == 0 {
                return Ok(Vec::new());
            }
            tables.execute(
                "UPDATE ai_chat_runs SET steering = 0, steering_version = steering_version + 1, \
                 steering_step = ?2 WHERE id = ?1",
                params![fence.run_id, step],
            )?;
            let entered = tables.entered(fence.run_id, step)?;
            let chunks = entering_chunks(begun, &entered);
            tables.write_pack(&fence, &ChunkPack { step_number: step, first_sequence, chunks })?;
            Ok(entered)
        })
        .await
    }
}

fn steering(row: &Row<'_>) -> rusqlite::Result<Steering> {
    let state: String = row.get("state")?;
    Ok(Steering {
        message_id: rows::id(row, "message_id")?,
        run_id: rows::id(row, "run_id")?,
        chat_id: rows::id(row, "chat_id")?,
        state: SteeringState::read(&state),
        step: row.get("step_number")?,
        message: rows::value(row, "message")?,
        created_at: rows::time(row, "created_at"),
    })
}

impl Tables<'_> {
    fn steering_message(&self, message_id: MessageId) -> Result<Option<Steering>> {
        let sql = format!("SELECT {COLUMNS} FROM turnkeep_steering WHERE message_id = ?1");
        self.first(&sql, [message_id], steering)
    }

    fn entered(&self, run_id: RunId, step: u32) -> Result<Vec<Steering>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM turnkeep_steering WHERE run_id = ?1 AND step_number = ?2 AND state = 'entered' \
             ORDER BY run_id, place"
        );
        self.all(&sql, params![run_id, step], steering)
    }

    /// Makes messages of those that have waited for runs of the chat that have ended: they come before the message of the
    /// turn that begins, unless it is one of them. Returns the place after them.
    pub(super) fn take_steering(&self, begin: &BeginRun, mut place: Timestamp) -> Result<Timestamp> {
        let taken: Vec<MessageId> =
            self.all(&left_over("message_id"), [begin.chat_id], |row| rows::id(row, "message_id"))?;
        let own = begin.user_message.as_ref().map(|message| message.id);
        for message_id in taken {
            self.execute("UPDATE turnkeep_steering SET state = 'next_turn' WHERE message_id = ?1", [message_id])?;
            if own == Some(message_id) {
                continue;
            }
            self.execute(
                "INSERT OR IGNORE INTO ai_chat_messages (id, chat_id, workspace_id, user_id, role, content, metadata, \
                 created_at, updated_at) SELECT message_id, chat_id, ?2, user_id, 'user', content, message, ?3, ?4 \
                 FROM turnkeep_steering WHERE message_id = ?1",
                params![message_id, begin.workspace_id, place, self.now],
            )?;
            place = place.after(ONE_PLACE);
        }
        Ok(place)
    }
}

/// Messages of a chat that wait though their runs have ended.
fn left_over(columns: &str) -> String {
    format!(
        "SELECT {columns} FROM turnkeep_steering WHERE chat_id = ?1 AND state = 'waiting' \
         AND NOT EXISTS (SELECT 1 FROM ai_chat_runs WHERE id = turnkeep_steering.run_id AND {ACTIVE}) \
         ORDER BY run_id, place"
    )
}
