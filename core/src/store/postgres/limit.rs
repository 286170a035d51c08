//! What is taken of limits.

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use crate::error::Result;
use crate::store::{LimitOf, LimitStore};

use super::failure::Failure;
use super::value::values;
use super::{PostgresStore, rows, seconds};

/// Parts of statements in which `$1` is the key, `$2` the window in seconds, `$3` the limit. The newest uses that fill
/// the limit: it is free again when the oldest of these is out of the window.
const FILLING: &str = "\
     at AS MATERIALIZED (SELECT turnkeep_now() AS now), \
     filling AS MATERIALIZED (SELECT used.at FROM (SELECT one.at, SUM(one.amount) OVER (ORDER BY one.at DESC, one.id DESC \
         ROWS UNBOUNDED PRECEDING) AS so_far FROM turnkeep_limit_uses AS one, at WHERE one.key = $1::text \
         AND one.at > now - make_interval(secs => $2::float8)) AS used \
         WHERE used.so_far >= $3::numeric ORDER BY used.at DESC LIMIT 1)";
/// How long that takes, in seconds.
const WAIT: &str = "\
     CASE WHEN $3::numeric = 0 AND NOT EXISTS (SELECT FROM filling) THEN $2::float8 ELSE \
         (SELECT extract(epoch FROM filling.at + make_interval(secs => $2::float8) - now)::float8 FROM filling, at) END";

#[async_trait]
impl LimitStore for PostgresStore {
    async fn take_one(&self, limit: &LimitOf<'_>, id: Uuid) -> Result<Option<Duration>> {
        let statement = format!(
            "WITH {FILLING}, known AS (SELECT id FROM turnkeep_limit_uses WHERE id = $4::uuid), \
             used AS (INSERT INTO turnkeep_limit_uses (id, key, at, amount) SELECT $4::uuid, $1::text, now, 1 FROM at \
                 WHERE $3::numeric > 0 AND NOT EXISTS (SELECT FROM filling) ON CONFLICT (id) DO NOTHING) \
             SELECT CASE WHEN NOT EXISTS (SELECT FROM known) THEN {WAIT} END AS wait"
        );
        let (window, max, id) = (seconds(limit.window), limit.max.to_string(), id.to_string());
        // Those who take of one limit do so one after the other.
        let lock = format!("turnkeep limit {}", limit.key);
        let values = values![limit.key, &window, &max, &id];
        let found = self.database.try_query(Some(&lock), &statement, &values).await.map_err(Failure::into_error)?;
        wait_of(found.first())
    }

    async fn give_back(&self, id: Uuid) -> Result<()> {
        const GIVE_BACK: &str = "DELETE FROM turnkeep_limit_uses WHERE id = $1::uuid";
        self.database.query(GIVE_BACK, &values![id.to_string()]).await.map(|_| ())
    }

    async fn forget_used(&self, before: Duration) -> Result<()> {
        const FORGET: &str =
            "DELETE FROM turnkeep_limit_uses WHERE at <= turnkeep_now() - make_interval(secs => $1::float8)";
        self.database.query(FORGET, &values![seconds(before)]).await.map(|_| ())
    }
}

pub(super) fn wait_of(row: Option<&tokio_postgres::Row>) -> Result<Option<Duration>> {
    let Some(row) = row else { return Ok(None) };
    let wait: Option<f64> = rows::get(row, "wait")?;
    Ok(wait.map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default()))
}
