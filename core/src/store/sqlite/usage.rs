//! The ledger of calls.

use std::time::Duration;

use async_trait::async_trait;
use rusqlite::types::Value;
use rusqlite::{params, params_from_iter};

use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::RunId;
use crate::model::{CallKind, CallTokens, StepRecord, Waits};
use crate::store::{CallNote, Fence, LedgerCall, TokenLimit, UsageBy, UsageGroup, UsageOf, UsageStore, step_call_id};

use super::SqliteStore;
use super::tables::Tables;

/// In the words of the index that has what is no finished step of a chat's run.
const KNOWN: &str = "SELECT EXISTS (SELECT 1 FROM turnkeep_usage WHERE id = ?1 \
     AND (kind <> 'step' OR chat_id IS NULL OR reserved = 1))";

#[async_trait]
impl UsageStore for SqliteStore {
    async fn reserve_tokens(
        &self,
        limit: &TokenLimit<'_>,
        call: &LedgerCall,
        fence: Option<&Fence>,
    ) -> Result<Option<Duration>> {
        let (window, max, kind) = (limit.window, limit.max, limit.kind);
        let (call, fence) = (call.clone(), fence.cloned());
        self.write(move |tables| {
            if let Some(fence) = &fence {
                tables.ensure_owned(fence)?;
            }
            if tables.one(KNOWN, [&call.id])? {
                return Ok(None);
            }
            let limit = TokenLimit { workspace_id: &call.workspace_id, window, max, kind };
            let used_up = tables.tokens_used_up(&limit)?;
            if used_up.is_none() {
                tables.write_call(&call, true)?;
            }
            Ok(used_up)
        })
        .await
    }

    async fn enter_call(&self, call: &LedgerCall) -> Result<()> {
        let call = call.clone();
        self.write(move |tables| match tables.one(KNOWN, [&call.id])? {
            true => Ok(()),
            false => tables.enter_call(&call),
        })
        .await
    }

    async fn settle_reserved(&self, fence: &Fence) -> Result<()> {
        let fence = fence.clone();
        self.write(move |tables| {
            tables.ensure_owned(&fence)?;
            tables.settle_reserved(fence.run_id)
        })
        .await
    }

    async fn are_tokens_used_up(&self, limit: &TokenLimit<'_>) -> Result<Option<Duration>> {
        let TokenLimit { workspace_id, window, max, kind } = limit.clone();
        let workspace_id = workspace_id.to_owned();
        self.read(move |tables| tables.tokens_used_up(&TokenLimit { workspace_id: &workspace_id, window, max, kind }))
            .await
    }

    async fn usage(&self, wanted: &UsageOf) -> Result<Vec<UsageGroup>> {
        let wanted = wanted.clone();
        self.read(move |tables| tables.usage(&wanted)).await
    }

    async fn forget_usage(&self, before: Duration) -> Result<()> {
        const FORGET: &str = "DELETE FROM turnkeep_usage WHERE at <= ?1";
        self.write(move |tables| tables.execute(FORGET, [tables.now.before(before)]).map(|_| ())).await
    }
}

impl Tables<'_> {
    /// Enters the call that a step is which has just been written as finished, for the first time: a late attempt of an
    /// earlier write takes nothing of the call that is on its way by now. The call of a step that has waited for somebody was
    /// entered when it began to wait.
    pub(super) fn enter_step(&self, run_id: RunId, step: &StepRecord, note: &CallNote) -> Result<()> {
        let waited = self.waited_step(run_id)?;
        self.enter_step_behind(waited, run_id, step, note)
    }

    /// The step that the run waits for somebody with, or has done last.
    pub(super) fn waited_step(&self, run_id: RunId) -> Result<Option<u32>> {
        const WAITS: &str = "SELECT waits FROM ai_chat_runs WHERE id = ?1 AND suspensions > 0";
        let waits = self.first(WAITS, [run_id], |row| row.get::<_, Option<String>>(0))?.flatten();
        Ok(waits.as_deref().and_then(Waits::parse).map(|waits| waits.step))
    }

    /// The same, where it is known which step had waited before.
    pub(super) fn enter_step_behind(
        &self,
        waited: Option<u32>,
        run_id: RunId,
        step: &StepRecord,
        note: &CallNote,
    ) -> Result<()> {
        if !step.is_of_a_call() || waited == Some(step.number) {
            return self.settle_reserved(run_id);
        }
        const RUN: &str = "SELECT workspace_id, created_by, chat_id FROM ai_chat_runs WHERE id = ?1";
        let owner = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?));
        let Some((workspace_id, user_id, chat_id)) = self.first(RUN, [run_id], owner)? else { return Ok(()) };
        self.enter_call(&LedgerCall {
            id: step_call_id(run_id, step.number),
            workspace_id,
            user_id,
            chat_id: chat_id.parse().ok(),
            run_id: Some(run_id),
            kind: CallKind::Step,
            model: note.model.as_deref().map(str::to_owned),
            tokens: CallTokens::of(step.usage, step.text().len(), note.prompt_tokens),
        })
    }

    fn enter_call(&self, call: &LedgerCall) -> Result<()> {
        const RESERVED: &str =
            "DELETE FROM turnkeep_usage WHERE run_id = ?1 AND reserved = 1 RETURNING input_tokens, model";
        let reserved = match call.run_id {
            Some(run_id) => self.all(RESERVED, [run_id], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))?.pop(),
            None => None,
        };
        let Some((input, model)) = reserved else { return self.write_call(call, false) };
        let mut call = call.clone();
        if call.tokens.estimated && call.tokens.input == 0 {
            call.tokens.input = u64::try_from(input).unwrap_or(0);
        }
        call.model = call.model.or(model);
        self.write_call(&call, false)
    }

    fn write_call(&self, call: &LedgerCall, reserved: bool) -> Result<()> {
        let LedgerCall { id, workspace_id, user_id, chat_id, run_id, kind, model, tokens } = call;
        self.execute(
            "INSERT OR IGNORE INTO turnkeep_usage (id, workspace_id, user_id, chat_id, run_id, kind, model, reserved, \
             input_tokens, output_tokens, cached_input_tokens, reasoning_tokens, estimated, at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            params![
                id,
                workspace_id,
                user_id,
                chat_id,
                run_id,
                kind.as_str(),
                model,
                reserved,
                column(tokens.input),
                column(tokens.output),
                column(tokens.cached_input),
                column(tokens.reasoning),
                tokens.estimated,
                self.now,
            ],
        )
        .map(|_| ())
    }

    pub(super) fn settle_reserved(&self, run_id: RunId) -> Result<()> {
        const SETTLE: &str = "UPDATE turnkeep_usage SET reserved = 0 WHERE run_id = ?1 AND reserved = 1";
        self.execute(SETTLE, [run_id]).map(|_| ())
    }

    fn tokens_used_up(&self, limit: &TokenLimit<'_>) -> Result<Option<Duration>> {
        // Most of the time there is something left, and the sum alone tells.
        const SUM: &str = "SELECT TOTAL(input_tokens + output_tokens) FROM turnkeep_usage WHERE workspace_id = ?1 AND at > ?2 \
             AND (?3 IS NULL OR kind = ?3)";
        // The newest calls that fill the limit: some are free again when the oldest of these is out of the window.
        const FILLING: &str = "SELECT at FROM (SELECT at, SUM(CAST(input_tokens + output_tokens AS REAL)) OVER \
             (ORDER BY at DESC, id DESC ROWS UNBOUNDED PRECEDING) AS so_far FROM turnkeep_usage \
             WHERE workspace_id = ?1 AND at > ?2 AND (?3 IS NULL OR kind = ?3)) WHERE so_far >= ?4 ORDER BY at DESC LIMIT 1";
        let since = self.now.before(limit.window);
        let kind = limit.kind.map(CallKind::as_str);
        let used: f64 = self.one(SUM, params![limit.workspace_id, since, kind])?;
        if limit.max > 0 && used < limit.max as f64 {
            return Ok(None);
        }
        let max = i64::try_from(limit.max).unwrap_or(i64::MAX);
        let found =
            self.first(FILLING, params![limit.workspace_id, since, kind, max], |row| row.get::<_, String>(0))?;
        Ok(match found.as_deref().and_then(Timestamp::parse) {
            Some(at) => Some(at.after(limit.window).since(self.now)),
            None => Some(limit.window),
        })
    }

    fn usage(&self, wanted: &UsageOf) -> Result<Vec<UsageGroup>> {
        let group = |by, column: &str| if wanted.by.contains(&by) { column.to_owned() } else { "NULL".to_owned() };
        let mut conditions = "NOT reserved AND workspace_id = ?".to_owned();
        let mut values = vec![Value::from(wanted.workspace_id.clone())];
        for (condition, value) in [
            (" AND user_id = ?", wanted.user_id.clone()),
            (" AND chat_id = ?", wanted.chat_id.map(|id| id.to_string())),
            (" AND at >= ?", wanted.from.map(|at| at.to_string())),
            (" AND at < ?", wanted.until.map(|at| at.to_string())),
        ] {
            if let Some(value) = value {
                conditions.push_str(condition);
                values.push(value.into());
            }
        }
        let statement = format!(
            "SELECT {day} AS day, {user} AS user_id, {chat} AS chat_id, {kind} AS kind, model, COUNT(*) AS calls, \
             SUM(estimated) AS estimated_calls, TOTAL(input_tokens) AS input, TOTAL(output_tokens) AS output, \
             TOTAL(cached_input_tokens) AS cached, TOTAL(reasoning_tokens) AS reasoning FROM turnkeep_usage \
             WHERE {conditions} GROUP BY 1, 2, 3, 4, 5 ORDER BY 1 DESC, 2, 3, 4, 5",
            day = group(UsageBy::Day, "substr(at, 1, 10)"),
            user = group(UsageBy::User, "user_id"),
            chat = group(UsageBy::Chat, "chat_id"),
            kind = group(UsageBy::Kind, "kind"),
        );
        self.readable(&statement, params_from_iter(values), |row| {
            // Sums of rows from outside may be beyond what there is.
            let sum = |column: &str| row.get::<_, f64>(column).map(|sum| sum as u64);
            let estimated_calls: i64 = row.get("estimated_calls")?;
            Ok(UsageGroup {
                day: row.get("day")?,
                user_id: row.get("user_id")?,
                chat_id: row.get("chat_id")?,
                kind: row.get::<_, Option<String>>("kind")?.map(|kind| CallKind::read(&kind)),
                model: row.get("model")?,
                calls: u64::try_from(row.get::<_, i64>("calls")?).unwrap_or(0),
                estimated_calls: u64::try_from(estimated_calls).unwrap_or(0),
                tokens: CallTokens {
                    input: sum("input")?,
                    output: sum("output")?,
                    cached_input: sum("cached")?,
                    reasoning: sum("reasoning")?,
                    estimated: estimated_calls > 0,
                },
            })
        })
    }
}

/// A number of tokens, for SQLite.
fn column(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}
