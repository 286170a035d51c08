//! What is taken of limits.

use std::time::Duration;

use async_trait::async_trait;
use rusqlite::params;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::error::Result;
use crate::store::{LimitOf, LimitStore};

use super::SqliteStore;
use super::tables::Tables;

const USE: &str = "INSERT OR IGNORE INTO turnkeep_limit_uses (id, key, at, amount) VALUES (?1, ?2, ?3, ?4)";

#[async_trait]
impl LimitStore for SqliteStore {
    async fn take_one(&self, limit: &LimitOf<'_>, id: Uuid) -> Result<Option<Duration>> {
        const TAKEN: &str = "SELECT EXISTS (SELECT 1 FROM turnkeep_limit_uses WHERE id = ?1)";
        let (key, window, max) = (limit.key.to_owned(), limit.window, limit.max);
        self.write(move |tables| {
            if tables.one(TAKEN, [id.to_string()])? {
                return Ok(None);
            }
            let used_up = tables.used_up(&LimitOf { key: &key, window, max })?;
            if used_up.is_none() {
                tables.execute(USE, params![id.to_string(), key, tables.now, 1])?;
            }
            Ok(used_up)
        })
        .await
    }

    async fn give_back(&self, id: Uuid) -> Result<()> {
        const GIVE_BACK: &str = "DELETE FROM turnkeep_limit_uses WHERE id = ?1";
        self.write(move |tables| tables.execute(GIVE_BACK, [id.to_string()]).map(|_| ())).await
    }

    async fn forget_used(&self, before: Duration) -> Result<()> {
        const FORGET: &str = "DELETE FROM turnkeep_limit_uses WHERE at <= ?1";
        self.write(move |tables| tables.execute(FORGET, [tables.now.before(before)]).map(|_| ())).await
    }
}

impl Tables<'_> {
    /// How long it takes until something is free again, where nothing is.
    fn used_up(&self, limit: &LimitOf<'_>) -> Result<Option<Duration>> {
        // The newest uses that fill the limit: it is free again when the oldest of these is out of the window.
        const FILLING: &str = "SELECT at FROM (SELECT at, SUM(CAST(amount AS REAL)) OVER (ORDER BY at DESC, id DESC \
             ROWS UNBOUNDED PRECEDING) AS so_far FROM turnkeep_limit_uses WHERE key = ?1 AND at > ?2) \
             WHERE so_far >= ?3 ORDER BY at DESC LIMIT 1";
        let since = self.now.before(limit.window);
        let max = i64::try_from(limit.max).unwrap_or(i64::MAX);
        let found = self.first(FILLING, params![limit.key, since, max], |row| row.get::<_, String>(0))?;
        Ok(match found.as_deref().and_then(Timestamp::parse) {
            Some(at) => Some(at.after(limit.window).since(self.now)),
            None => (limit.max == 0).then_some(limit.window),
        })
    }
}
