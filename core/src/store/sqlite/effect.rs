//! What tools have noted of their calls.

use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Row, params};

use crate::error::Result;
use crate::id::RunId;
use crate::model::{CallEffect, Json};
use crate::store::{EffectStore, Fence};

use super::SqliteStore;

const EFFECTS: &str = "SELECT call_id, result, void FROM turnkeep_effects";

/// How many notes are removed at once.
const TRIMMED_EFFECTS: usize = 500;

#[async_trait]
impl EffectStore for SqliteStore {
    async fn effects(&self, run_id: RunId) -> Result<Vec<CallEffect>> {
        let of_run = format!("{EFFECTS} WHERE run_id = ?1");
        self.read(move |tables| tables.all(&of_run, [run_id], effect)).await
    }

    async fn close_effects(&self, fence: &Fence, keys: &[String]) -> Result<Vec<CallEffect>> {
        const CLOSE: &str = "INSERT INTO turnkeep_effects (call_id, run_id, void, created_at) VALUES (?1, ?2, 1, ?3) \
             ON CONFLICT (call_id) DO NOTHING";
        let (fence, keys) = (fence.clone(), keys.to_vec());
        let of_call = format!("{EFFECTS} WHERE call_id = ?1");
        self.write(move |tables| {
            tables.ensure_owned(&fence)?;
            let mut closed = Vec::with_capacity(keys.len());
            for key in &keys {
                tables.execute(CLOSE, params![key, fence.run_id, tables.now])?;
                closed.extend(tables.first(&of_call, [key], effect)?);
            }
            Ok(closed)
        })
        .await
    }

    async fn trim_effects(&self, settled_for: Duration) -> Result<bool> {
        // Mostly there are none, and looking holds nobody up.
        let due = format!(
            "SELECT effect.call_id FROM turnkeep_effects AS effect JOIN ai_chat_runs AS run ON run.id = effect.run_id \
             WHERE run.finished_at <= ?1 LIMIT {TRIMMED_EFFECTS}"
        );
        let due: Vec<String> =
            self.read(move |tables| tables.all(&due, [tables.now.before(settled_for)], |row| row.get(0))).await?;
        if due.is_empty() {
            return Ok(false);
        }
        let may_be_more = due.len() == TRIMMED_EFFECTS;
        self.write(move |tables| {
            for key in &due {
                tables.execute("DELETE FROM turnkeep_effects WHERE call_id = ?1", [key])?;
            }
            Ok(may_be_more)
        })
        .await
    }
}

fn effect(row: &Row<'_>) -> rusqlite::Result<CallEffect> {
    let result: Option<String> = row.get("result")?;
    // What cannot be read is none of ours: that it was done counts.
    let result = result.and_then(|text| Json::parse(&text).ok());
    Ok(CallEffect { key: row.get("call_id")?, result, is_void: row.get("void")? })
}
