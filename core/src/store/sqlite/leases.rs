//! Signs of life, stops, and runs that were left behind. Each operation runs inside a transaction of the caller's.

use std::collections::HashMap;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use crate::clock::Timestamp;
use crate::error::{Error, ErrorCode, Result};
use crate::id::RunId;
use crate::model::{Run, RunReason, RunStatus};
use crate::store::plan::unwritten_row;
use crate::store::{
    BeginRun, ClaimedRun, Fence, MOST_OWNERS, OfferedRuns, Renewal, RunPlan, UNTOUCHED_WITHOUT_LEASE, lease_lost,
};

use super::rows::{self, ACTIVE, RUN_COLUMNS};
use super::{begin, read, store_error};

pub(super) fn request_stop(connection: &Connection, now: Timestamp, run_id: RunId, reason: RunReason) -> Result<bool> {
    let (id, now) = (run_id.to_string(), now.to_string());
    let changed = connection
        .prepare_cached(&format!(
            "UPDATE ai_chat_runs SET stop_requested_at = COALESCE(stop_requested_at, ?2), \
             stop_reason = COALESCE(stop_reason, ?3), updated_at = ?2 WHERE id = ?1 AND {ACTIVE}"
        ))
        .and_then(|mut statement| statement.execute([id.as_str(), now.as_str(), reason.as_str()]))
        .map_err(store_error)?;
    if changed == 1 {
        return Ok(true);
    }
    let waiting = connection
        .prepare_cached(
            "UPDATE ai_chat_run_queue SET stop_requested_at = COALESCE(stop_requested_at, ?2) WHERE id = ?1",
        )
        .and_then(|mut statement| statement.execute([id.as_str(), now.as_str()]))
        .map_err(store_error)?;
    if waiting == 0 && read::run(connection, run_id)?.is_none() {
        return Err(Error::new(ErrorCode::NotFound, "there is no such run"));
    }
    Ok(waiting == 1)
}

/// The reason of a stop that somebody asked for; older rows have none.
fn stop_reason(asked: bool, reason: Option<String>) -> Option<RunReason> {
    asked.then(|| reason.and_then(|word| RunReason::parse(&word)).unwrap_or(RunReason::Stopped))
}

pub(super) fn renew_leases(
    connection: &Connection,
    now: Timestamp,
    owner: &str,
    runs: &[RunId],
    lease: Duration,
) -> Result<Renewal> {
    let (expires, mut renewal) = (now.after(lease).to_string(), Renewal::default());
    let prepared = |sql: &str| connection.prepare_cached(sql).map_err(store_error);
    let mut running = prepared(&format!(
        "UPDATE ai_chat_runs SET lease_expires_at = ?3 WHERE id = ?1 AND owner = ?2 AND {ACTIVE} \
         RETURNING stop_requested_at IS NOT NULL, stop_reason"
    ))?;
    let mut waiting = prepared(
        "UPDATE ai_chat_run_queue SET lease_expires_at = ?3 WHERE id = ?1 AND owner = ?2 \
         RETURNING stop_requested_at IS NOT NULL, NULL",
    )?;
    for run_id in runs {
        let id = run_id.to_string();
        let renew = |statement: &mut rusqlite::CachedStatement<'_>| {
            statement
                .query_row([id.as_str(), owner, expires.as_str()], |row| Ok(stop_reason(row.get(0)?, row.get(1)?)))
                .optional()
                .map_err(store_error)
        };
        let found = match renew(&mut running)? {
            Some(found) => Some(found),
            None => renew(&mut waiting)?,
        };
        match found {
            None => renewal.lost.push(*run_id),
            Some(Some(reason)) => renewal.stop_requested.push((*run_id, reason)),
            Some(None) => {}
        }
    }
    Ok(renewal)
}

pub(super) fn stop_requests(connection: &Connection, runs: &[RunId]) -> Result<Vec<(RunId, RunReason)>> {
    let mut statement = connection
        .prepare_cached(
            "SELECT stop_requested_at IS NOT NULL, stop_reason FROM ai_chat_runs WHERE id = ?1 \
             UNION ALL SELECT stop_requested_at IS NOT NULL, NULL FROM ai_chat_run_queue WHERE id = ?1",
        )
        .map_err(store_error)?;
    let mut stopped = Vec::new();
    for run_id in runs {
        let stop = statement
            .query_row([run_id.to_string()], |row| Ok(stop_reason(row.get(0)?, row.get(1)?)))
            .optional()
            .map_err(store_error)?;
        if let Some(Some(reason)) = stop {
            stopped.push((*run_id, reason));
        }
    }
    Ok(stopped)
}

/// A run that nobody drives any more.
pub(super) struct Left {
    run: Run,
    epoch: i64,
    stop_reason: Option<RunReason>,
    plan: Option<RunPlan>,
    /// Those who could go on with it have not come in time.
    is_waited_for: bool,
}

impl Left {
    /// Whether it is a sweep's to settle.
    fn is_abandoned(&self) -> bool {
        self.plan.is_none() || !self.is_waited_for || self.run.stop_requested_at.is_some() || self.epoch >= MOST_OWNERS
    }

    /// Whether those who offer these tools may go on with it.
    fn fits(&self, tools: &[String]) -> bool {
        self.run.stop_requested_at.is_none()
            && self.epoch < MOST_OWNERS
            && self.plan.as_ref().is_some_and(|plan| plan.fits(tools))
    }
}

/// The active runs (or `only` this one) that a sweep has to settle.
pub(super) fn abandoned(
    connection: &Connection,
    now: Timestamp,
    only: Option<RunId>,
    is_dead: impl Fn(&str) -> bool,
) -> Result<Vec<Left>> {
    let mut left = left(connection, now, only, is_dead)?;
    left.retain(Left::is_abandoned);
    Ok(left)
}

/// The active runs (or `only` this one) whose owners are gone.
fn left(
    connection: &Connection,
    now: Timestamp,
    only: Option<RunId>,
    is_dead: impl Fn(&str) -> bool,
) -> Result<Vec<Left>> {
    // Two statements, so that one run is found by its id and not by going through all of them.
    let which = if only.is_some() { "id = ?1" } else { "?1 IS NULL" };
    let mut statement = connection
        .prepare_cached(&format!(
            "SELECT {RUN_COLUMNS}, owner, epoch, lease_expires_at, stop_reason, plan FROM ai_chat_runs \
             WHERE {which} AND {ACTIVE}"
        ))
        .map_err(store_error)?;
    let mut rows = statement.query([only.map(|run_id| run_id.to_string())]).map_err(store_error)?;
    let long_ago = now.before(UNTOUCHED_WITHOUT_LEASE);
    let (now_text, long_ago_text, mut known) = (now.to_string(), long_ago.to_string(), HashMap::new());
    let mut is_dead = |owner: String| *known.entry(owner).or_insert_with_key(|owner| is_dead(owner));
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(store_error)? {
        let text = |column: &str| row.get::<_, Option<String>>(column).map_err(store_error);
        let run = rows::run(row).map_err(store_error)?;
        let plan = text("plan")?.as_deref().and_then(RunPlan::parse);
        // Every active row is in exactly one of these three arms.
        let (is_left, is_waited_for) = match text("lease_expires_at")? {
            Some(expiry) => (expiry <= now_text || text("owner")?.is_some_and(&mut is_dead), expiry > long_ago_text),
            None if run.status == RunStatus::Pending && plan.is_some() => (true, run.updated_at > long_ago),
            None => (run.updated_at <= long_ago, false),
        };
        if is_left {
            let stop_reason = stop_reason(run.stop_requested_at.is_some(), text("stop_reason")?);
            found.push(Left { run, epoch: row.get("epoch").map_err(store_error)?, stop_reason, plan, is_waited_for });
        }
    }
    Ok(found)
}

pub(super) fn claim_abandoned(
    connection: &Connection,
    now: Timestamp,
    owner: &str,
    lease: Duration,
    only: Option<RunId>,
    is_dead: impl Fn(&str) -> bool,
) -> Result<Vec<ClaimedRun>> {
    abandoned(connection, now, only, is_dead)?.iter().map(|left| take(connection, now, owner, lease, left)).collect()
}

/// Makes the run this owner's.
fn take(connection: &Connection, now: Timestamp, owner: &str, lease: Duration, left: &Left) -> Result<ClaimedRun> {
    let fence = Fence { run_id: left.run.id, owner: owner.to_owned(), epoch: left.epoch + 1 };
    let (now, expires) = (now.to_string(), now.after(lease).to_string());
    connection
        .prepare_cached(
            "UPDATE ai_chat_runs SET owner = ?2, epoch = ?3, lease_expires_at = ?4, updated_at = ?5 WHERE id = ?1",
        )
        .and_then(|mut update| update.execute(params![fence.run_id.to_string(), owner, fence.epoch, expires, now]))
        .map_err(store_error)?;
    Ok(ClaimedRun { run: left.run.clone(), fence, stop_reason: left.stop_reason })
}

pub(super) fn release_run(connection: &Connection, now: Timestamp, fence: &Fence) -> Result<()> {
    let (id, now) = (fence.run_id.to_string(), now.to_string());
    let running = connection
        .prepare_cached(&format!(
            "UPDATE ai_chat_runs SET lease_expires_at = ?4 WHERE id = ?1 AND owner = ?2 AND epoch = ?3 AND {ACTIVE}"
        ))
        .and_then(|mut update| update.execute(params![id, fence.owner, fence.epoch, now]))
        .map_err(store_error)?;
    let waiting = connection
        .prepare_cached("UPDATE ai_chat_run_queue SET lease_expires_at = ?3 WHERE id = ?1 AND owner = ?2")
        .and_then(|mut update| update.execute([id.as_str(), fence.owner.as_str(), now.as_str()]))
        .map_err(store_error)?;
    if running + waiting == 0 { Err(lease_lost()) } else { Ok(()) }
}

/// Whether there is anything that those who offer these tools could take.
pub(super) fn has_offered(
    connection: &Connection,
    now: Timestamp,
    tools: &[String],
    is_dead: impl Fn(&str) -> bool,
) -> Result<bool> {
    let any = left(connection, now, None, &is_dead)?.iter().any(|left| left.fits(tools));
    Ok(any || !begin::waiting_for_offer(connection, now, tools, &unwritten_row(), is_dead)?.is_empty())
}

/// Takes up to `limit` runs that those who offer these tools can drive.
pub(super) fn claim_offered(
    connection: &Connection,
    now: Timestamp,
    (owner, tools, limit): (&str, &[String], usize),
    lease: Duration,
    is_dead: impl Fn(&str) -> bool,
) -> Result<OfferedRuns> {
    let mut found = OfferedRuns::default();
    for left in left(connection, now, None, &is_dead)?.into_iter().filter(|left| left.fits(tools)).take(limit) {
        let claimed = take(connection, now, owner, lease, &left)?;
        connection
            .prepare_cached(
                "UPDATE ai_chat_runs SET status = 'running', started_at = COALESCE(started_at, ?2) WHERE id = ?1",
            )
            .and_then(|mut update| update.execute([claimed.run.id.to_string(), now.to_string()]))
            .map_err(store_error)?;
        found.active.push((claimed, left.plan.unwrap_or_default()));
    }
    let row = unwritten_row();
    let waiting = begin::waiting_for_offer(connection, now, tools, &row, is_dead)?;
    for begin in waiting.into_iter().take(limit.saturating_sub(found.active.len())) {
        connection
            .prepare_cached("UPDATE ai_chat_run_queue SET owner = ?2, lease_expires_at = ?3 WHERE id = ?1")
            .and_then(|mut update| {
                update.execute(params![begin.run_id.to_string(), owner, now.after(lease).to_string()])
            })
            .map_err(store_error)?;
        found.waiting.push(BeginRun { owner: owner.to_owned(), lease, ..begin });
    }
    Ok(found)
}
