//! What tools have noted of their calls.

use std::time::Duration;

use async_trait::async_trait;

use crate::error::Result;
use crate::id::RunId;
use crate::model::CallEffect;
use crate::store::{EffectStore, Fence};

use super::MemoryStore;

#[async_trait]
impl EffectStore for MemoryStore {
    async fn effects(&self, run_id: RunId) -> Result<Vec<CallEffect>> {
        let tables = self.tables()?;
        let of_run = tables.effects.values().filter(|(of, _)| *of == run_id);
        Ok(of_run.map(|(_, effect)| effect.clone()).collect())
    }

    async fn close_effects(&self, fence: &Fence, keys: &[String]) -> Result<Vec<CallEffect>> {
        let mut tables = self.tables()?;
        tables.owned(fence)?;
        let close = |key: &String| {
            let void = || (fence.run_id, CallEffect { key: key.clone(), result: None, is_void: true });
            tables.effects.entry(key.clone()).or_insert_with(void).1.clone()
        };
        Ok(keys.iter().map(close).collect())
    }

    async fn trim_effects(&self, settled_for: Duration) -> Result<bool> {
        let before = self.clock.now().before(settled_for);
        let mut tables = self.tables()?;
        let super::Tables { effects, runs, .. } = &mut *tables;
        effects.retain(|_, (run_id, _)| {
            runs.get(run_id).is_some_and(|row| row.run.finished_at.is_none_or(|finished_at| finished_at > before))
        });
        Ok(false)
    }
}

#[cfg(any(test, feature = "simulation"))]
impl MemoryStore {
    /// A tool's transaction that notes its call; whether it goes through.
    pub(crate) fn note_effect(&self, run_id: RunId, key: &str, result: Option<crate::model::Json>) -> bool {
        let Ok(mut tables) = self.tables() else { return false };
        let is_driven = tables.runs.get(&run_id).is_some_and(|row| {
            matches!(row.run.status, crate::model::RunStatus::Pending | crate::model::RunStatus::Running)
        });
        if !is_driven || tables.effects.contains_key(key) {
            return false;
        }
        let effect = CallEffect { key: key.to_owned(), result, is_void: false };
        tables.effects.insert(key.to_owned(), (run_id, effect));
        true
    }
}
