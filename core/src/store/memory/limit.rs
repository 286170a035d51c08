//! What is taken of limits.

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::error::Result;
use crate::store::{LimitOf, LimitStore};

use super::{MemoryStore, Tables};

/// A use of something that is limited.
pub(super) struct Used {
    key: String,
    at: Timestamp,
    amount: u64,
}

#[async_trait]
impl LimitStore for MemoryStore {
    async fn take_one(&self, limit: &LimitOf<'_>, id: Uuid) -> Result<Option<Duration>> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        if tables.used.contains_key(&id) {
            return Ok(None);
        }
        if let Some(wait) = tables.used_up(limit, now) {
            return Ok(Some(wait));
        }
        tables.used.insert(id, Used { key: limit.key.to_owned(), at: now, amount: 1 });
        Ok(None)
    }

    async fn give_back(&self, id: Uuid) -> Result<()> {
        self.tables()?.used.remove(&id);
        Ok(())
    }

    async fn forget_used(&self, before: Duration) -> Result<()> {
        let since = self.clock.now().before(before);
        self.tables()?.used.retain(|_, used| used.at > since);
        Ok(())
    }
}

impl Tables {
    fn used_up(&self, limit: &LimitOf<'_>, now: Timestamp) -> Option<Duration> {
        let since = now.before(limit.window);
        let mut used: Vec<&Used> = self.used.values().filter(|used| used.key == limit.key && used.at > since).collect();
        used.sort_by_key(|used| std::cmp::Reverse(used.at));
        // The newest uses that fill the limit: it is free again when the oldest of these is out of the window.
        let mut sum = 0_u64;
        let filling = used.iter().find(|used| {
            sum = sum.saturating_add(used.amount);
            sum >= limit.max
        });
        match filling {
            Some(used) => Some(used.at.after(limit.window).since(now)),
            None => (limit.max == 0).then_some(limit.window),
        }
    }
}
