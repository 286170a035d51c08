//! The ledger of calls.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::RunId;
use crate::model::{CallKind, CallTokens, StepRecord};
use crate::store::{CallNote, Fence, LedgerCall, TokenLimit, UsageBy, UsageGroup, UsageOf, UsageStore, step_call_id};

use super::{MemoryStore, Tables};

/// A row of the ledger.
pub(super) struct Entry {
    call: LedgerCall,
    reserved: bool,
    at: Timestamp,
}

#[async_trait]
impl UsageStore for MemoryStore {
    async fn reserve_tokens(
        &self,
        limit: &TokenLimit<'_>,
        call: &LedgerCall,
        fence: Option<&Fence>,
    ) -> Result<Option<Duration>> {
        if let Some(records) = &self.records {
            // The run is none of that store's.
            return records.reserve_tokens(limit, &LedgerCall { chat_id: None, ..call.clone() }, None).await;
        }
        let now = self.clock.now();
        let mut tables = self.tables()?;
        if let Some(fence) = fence {
            tables.owned(fence)?;
        }
        if tables.ledger.contains_key(&call.id) {
            return Ok(None);
        }
        if let Some(wait) = tables.tokens_used_up(limit, now) {
            return Ok(Some(wait));
        }
        tables.ledger.insert(call.id.clone(), Entry { call: call.clone(), reserved: true, at: now });
        Ok(None)
    }

    async fn enter_call(&self, call: &LedgerCall) -> Result<()> {
        let now = self.clock.now();
        self.tables()?.enter(call.clone(), now);
        Ok(())
    }

    async fn settle_reserved(&self, fence: &Fence) -> Result<()> {
        let mut tables = self.tables()?;
        tables.owned(fence)?;
        tables.settle_reserved(fence.run_id);
        Ok(())
    }

    async fn are_tokens_used_up(&self, limit: &TokenLimit<'_>) -> Result<Option<Duration>> {
        if let Some(records) = &self.records {
            return records.are_tokens_used_up(limit).await;
        }
        let now = self.clock.now();
        Ok(self.tables()?.tokens_used_up(limit, now))
    }

    async fn usage(&self, wanted: &UsageOf) -> Result<Vec<UsageGroup>> {
        let tables = self.tables()?;
        let is_wanted = |entry: &&Entry| {
            !entry.reserved
                && entry.call.workspace_id == wanted.workspace_id
                && (wanted.user_id.is_none() || entry.call.user_id == wanted.user_id)
                && (wanted.chat_id.is_none() || entry.call.chat_id == wanted.chat_id)
                && wanted.from.is_none_or(|from| entry.at >= from)
                && wanted.until.is_none_or(|until| entry.at < until)
        };
        let has = |by| wanted.by.contains(&by);
        let mut groups: BTreeMap<_, UsageGroup> = BTreeMap::new();
        for Entry { call, at, .. } in tables.ledger.values().filter(is_wanted) {
            let day = has(UsageBy::Day).then(|| at.to_string().chars().take(10).collect::<String>());
            let user_id = call.user_id.clone().filter(|_| has(UsageBy::User));
            let chat_id = call.chat_id.filter(|_| has(UsageBy::Chat)).map(|id| id.to_string());
            let kind = has(UsageBy::Kind).then_some(call.kind);
            let key = (
                std::cmp::Reverse(day.clone()),
                user_id.clone(),
                chat_id.clone(),
                kind.map(CallKind::as_str),
                call.model.clone(),
            );
            let group = groups.entry(key).or_insert_with(|| UsageGroup {
                day,
                user_id,
                chat_id,
                kind,
                model: call.model.clone(),
                calls: 0,
                estimated_calls: 0,
                tokens: CallTokens::default(),
            });
            group.calls += 1;
            group.estimated_calls += u64::from(call.tokens.estimated);
            group.tokens = group.tokens.plus(call.tokens);
        }
        Ok(groups.into_values().collect())
    }

    async fn forget_usage(&self, before: Duration) -> Result<()> {
        let since = self.clock.now().before(before);
        self.tables()?.ledger.retain(|_, entry| entry.at > since);
        Ok(())
    }
}

#[cfg(any(test, feature = "simulation"))]
impl MemoryStore {
    /// How many calls of the run have been entered, and how many are set aside.
    pub(crate) fn calls_of(&self, run_id: RunId) -> (usize, usize) {
        let Ok(tables) = self.tables() else { return (0, 0) };
        let of_run = tables.ledger.values().filter(|entry| entry.call.run_id == Some(run_id));
        let (reserved, entered): (Vec<_>, Vec<_>) = of_run.partition(|entry| entry.reserved);
        (entered.len(), reserved.len())
    }
}

impl Tables {
    /// Enters the call that a finished step is.
    pub(super) fn enter_step(&mut self, run_id: RunId, step: &StepRecord, note: &CallNote, now: Timestamp) {
        if !step.is_of_a_call() {
            return self.settle_reserved(run_id);
        }
        let Some(row) = self.runs.get(&run_id) else { return };
        let call = LedgerCall {
            id: step_call_id(run_id, step.number),
            workspace_id: row.run.workspace_id.clone(),
            user_id: Some(row.run.created_by.clone()),
            chat_id: Some(row.run.chat_id),
            run_id: Some(run_id),
            kind: CallKind::Step,
            model: note.model.as_deref().map(str::to_owned),
            tokens: CallTokens::of(step.usage, step.text().len(), note.prompt_tokens),
        };
        self.enter(call, now);
    }

    fn enter(&mut self, mut call: LedgerCall, now: Timestamp) {
        // A late attempt of an earlier write takes nothing of the call that is on its way by now.
        if self.ledger.contains_key(&call.id) {
            return;
        }
        let set_aside = |entry: &Entry| entry.reserved && call.run_id.is_some() && entry.call.run_id == call.run_id;
        let reserved: Vec<Entry> =
            self.ledger.extract_if(.., |_, entry| set_aside(entry)).map(|(_, entry)| entry).collect();
        if let Some(reserved) = reserved.into_iter().next() {
            if call.tokens.estimated && call.tokens.input == 0 {
                call.tokens.input = reserved.call.tokens.input;
            }
            call.model = call.model.or(reserved.call.model);
        }
        self.ledger.insert(call.id.clone(), Entry { call, reserved: false, at: now });
    }

    pub(super) fn settle_reserved(&mut self, run_id: RunId) {
        for entry in self.ledger.values_mut().filter(|entry| entry.reserved && entry.call.run_id == Some(run_id)) {
            entry.reserved = false;
        }
    }

    fn tokens_used_up(&self, limit: &TokenLimit<'_>, now: Timestamp) -> Option<Duration> {
        let since = now.before(limit.window);
        let counts = |entry: &&Entry| {
            entry.call.workspace_id == limit.workspace_id
                && entry.at > since
                && limit.kind.is_none_or(|kind| kind == entry.call.kind)
        };
        let mut used: Vec<&Entry> = self.ledger.values().filter(counts).collect();
        used.sort_by_key(|entry| std::cmp::Reverse(entry.at));
        // The newest calls that fill the limit: some are free again when the oldest of these is out of the window.
        let mut sum = 0_u64;
        let filling = used.iter().find(|entry| {
            sum = sum.saturating_add(entry.call.tokens.total());
            sum >= limit.max
        });
        match filling {
            Some(entry) => Some(entry.at.after(limit.window).since(now)),
            None => (limit.max == 0).then_some(limit.window),
        }
    }
}
