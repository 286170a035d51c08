//! Who is there: an engine that was given an `instanceId` holds a lock of the server's for as long as its connection
//! lives. When the same instance comes back and finds the lock of its predecessor free, that one is dead.
//!
//! Other instances do not conclude anything from it: a connection may be lost while its process lives on. And a session
//! that is shared keeps no lock, so behind a pooler only leases tell.

use crate::error::Result;

use super::session::Database;
use super::value::values;

/// Takes the lock of an owner, `$1`, for as long as the session lasts: its keys are "turn" as a number, and the name hashed
/// by the server. Shared, since a session that has just been lost may still have it.
pub(super) const HOLD: &str = "SELECT pg_advisory_lock_shared(1953854062, hashtext($1::text))";
/// The end of the names of owners that hold their lock.
const PRESENT: &str = "/present";

/// An owner that nobody drives runs as any more is taken to have no lease; takes those of this instance only.
const FREE_EARLIER: &str = "\
     WITH earlier AS MATERIALIZED ( \
         SELECT owner FROM ai_chat_runs WHERE status IN ('pending', 'running') \
         UNION SELECT owner FROM ai_chat_run_queue), \
     dead AS MATERIALIZED (SELECT owner FROM earlier \
         WHERE starts_with(owner, $1::text) AND right(owner, length($2::text)) = $2::text AND owner <> $3::text \
         AND pg_try_advisory_xact_lock(1953854062, hashtext(owner))), \
     running AS (UPDATE ai_chat_runs SET lease_expires_at = turnkeep_now() FROM dead \
         WHERE ai_chat_runs.owner = dead.owner AND status IN ('pending', 'running') \
         AND lease_expires_at > turnkeep_now() RETURNING 1), \
     waiting AS (UPDATE ai_chat_run_queue SET lease_expires_at = turnkeep_now() FROM dead \
         WHERE ai_chat_run_queue.owner = dead.owner AND lease_expires_at > turnkeep_now() RETURNING 1) \
     SELECT (SELECT COUNT(*) FROM running) + (SELECT COUNT(*) FROM waiting) AS freed";

/// The name of an owner whose connection holds its lock.
pub(super) fn present(owner: &str) -> String {
    format!("{owner}{PRESENT}")
}

/// Ends the leases of what earlier processes of this instance have left, if they are dead.
pub(super) async fn free_earlier(database: &Database, instance: &str, owner: &str) -> Result<()> {
    let values = values![format!("{instance}/"), PRESENT, owner];
    database.query(FREE_EARLIER, &values).await.map(|_| ())
}
