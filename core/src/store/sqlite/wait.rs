//! Runs that wait for somebody's answer.

use async_trait::async_trait;
use rusqlite::{Row, params};

use crate::error::Result;
use crate::id::RunId;
use crate::model::Waits;
use crate::store::{SuspendRun, WaitStore, WaitingOf, WaitingRun};

use super::rows::{self, RUN_COLUMNS};
use super::tables::Tables;
use super::{SqliteStore, limited};

/// Has its answers, and a chat that nobody else holds.
const AWAKE: &str = "status = 'waiting' AND answered = 1 AND stop_requested_at IS NULL AND NOT EXISTS (SELECT 1 \
     FROM ai_chat_runs AS other WHERE other.chat_id = ai_chat_runs.chat_id AND other.id <> ai_chat_runs.id \
     AND (other.status IN ('pending', 'running') OR (other.status = 'waiting' AND other.frees_chat = 0)))";

#[async_trait]
impl WaitStore for SqliteStore {
    async fn suspend_run(&self, suspend: SuspendRun) -> Result<()> {
        self.write(move |tables| tables.suspend(&suspend)).await
    }

    async fn waits(&self, run_id: RunId) -> Result<Option<WaitingRun>> {
        let sql = format!("SELECT {RUN_COLUMNS}, waits FROM ai_chat_runs WHERE id = ?1 AND waits IS NOT NULL");
        self.read(move |tables| Ok(tables.first(&sql, [run_id], waiting_run)?.flatten())).await
    }

    async fn change_waits(&self, run_id: RunId, was: &Waits, waits: &Waits) -> Result<bool> {
        let (was, answered, until) = (was.to_json(), waits.are_answered(), waits.next_expiry());
        let waits = waits.to_json();
        self.write(move |tables| {
            let changed = tables.execute(
                "UPDATE ai_chat_runs SET waits = ?3, answered = ?4, waits_until = ?5, updated_at = ?6 \
                 WHERE id = ?1 AND waits = ?2 AND status = 'waiting' AND stop_requested_at IS NULL",
                params![run_id, was, waits, answered, until, tables.now],
            )?;
            if changed == 1 && answered {
                tables.wake(run_id)?;
            }
            Ok(changed == 1)
        })
        .await
    }

    async fn wake_answered(&self) -> Result<usize> {
        let any = format!("SELECT EXISTS (SELECT 1 FROM ai_chat_runs WHERE {AWAKE})");
        // Mostly there are none, and looking holds nobody up.
        if !self.read(move |tables| tables.one(&any, [])).await? {
            return Ok(0);
        }
        self.write(|tables| {
            let ids: Vec<String> =
                tables.all(&format!("SELECT id FROM ai_chat_runs WHERE {AWAKE}"), [], |row| row.get(0))?;
            let mut woken = 0;
            // One after another: two of one chat must not both wake.
            for run_id in ids.iter().filter_map(|id| id.parse().ok()) {
                woken += tables.wake(run_id)?;
            }
            Ok(woken)
        })
        .await
    }

    async fn waiting_runs(&self, of: &WaitingOf) -> Result<Vec<WaitingRun>> {
        let of = of.clone();
        let sql = format!(
            "SELECT {RUN_COLUMNS}, waits FROM ai_chat_runs WHERE status = 'waiting' AND workspace_id = ?1 {} \
             AND (?3 IS NULL OR chat_id = ?3) AND (?4 IS NULL OR id > ?4) ORDER BY id LIMIT ?5",
            // With a user the index has their rows in this order.
            if of.user_id.is_some() { "AND created_by = ?2" } else { "AND ?2 IS NULL" }
        );
        self.read(move |tables| {
            let values = params![of.workspace_id, of.user_id, of.chat_id, of.after, limited(of.limit)];
            Ok(tables.readable(&sql, values, waiting_run)?.into_iter().flatten().collect())
        })
        .await
    }

    async fn expired_waits(&self, limit: usize) -> Result<Vec<WaitingRun>> {
        let sql = format!(
            "SELECT {RUN_COLUMNS}, waits FROM ai_chat_runs \
             WHERE status = 'waiting' AND waits_until IS NOT NULL AND waits_until <= ?1 ORDER BY waits_until LIMIT ?2"
        );
        self.read(move |tables| {
            let found = tables.readable(&sql, params![tables.now, limited(limit)], waiting_run)?;
            Ok(found.into_iter().flatten().collect())
        })
        .await
    }
}

fn waiting_run(row: &Row<'_>) -> rusqlite::Result<Option<WaitingRun>> {
    let waits: Option<String> = row.get("waits")?;
    let run = rows::run(row)?;
    Ok(waits.as_deref().and_then(Waits::parse).map(|waits| WaitingRun { run, waits }))
}

impl Tables<'_> {
    fn suspend(&self, suspend: &SuspendRun) -> Result<()> {
        let SuspendRun { fence, step, pack, waits, call, assistant } = suspend;
        let waited = self.waited_step(fence.run_id)?;
        let suspended = self.update_owned(
            fence,
            "status = 'waiting', owner = NULL, lease_expires_at = NULL, waits = :waits, waits_until = :until, \
             answered = 0, suspensions = suspensions + 1, updated_at = :now",
            &[(":waits", &waits.to_json()), (":until", &waits.next_expiry())],
        );
        if let Err(error) = suspended {
            // The answer to an earlier attempt may have been lost on its way.
            let before = "SELECT EXISTS (SELECT 1 FROM ai_chat_runs WHERE id = ?1 AND epoch = ?2 \
                 AND status = 'waiting' AND owner IS NULL)";
            return if self.one(before, params![fence.run_id, fence.epoch])? { Ok(()) } else { Err(error) };
        }
        if let Some(pack) = pack {
            self.write_pack(fence, pack)?;
        }
        self.write_step(fence, step, None)?;
        self.enter_step_behind(waited, fence.run_id, step, call)?;
        self.update_message(fence.run_id, assistant)
    }

    fn wake(&self, run_id: RunId) -> Result<usize> {
        self.execute(
            &format!("UPDATE ai_chat_runs SET status = 'pending', updated_at = ?2 WHERE id = ?1 AND {AWAKE}"),
            params![run_id, self.now],
        )
    }
}
