//! Signs of life, stops, and runs that were left behind. Each operation runs inside a transaction of the caller's.

use std::collections::HashMap;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use crate::clock::Timestamp;
use crate::error::{Error, ErrorCode, Result};
use crate::id::RunId;
use crate::model::{Run, RunReason};
use crate::store::{ClaimedRun, Fence, Renewal, UNTOUCHED_WITHOUT_LEASE};

use super::rows::{self, ACTIVE, RUN_COLUMNS};
use super::{read, store_error};

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
pub(super) struct Abandoned {
    run: Run,
    epoch: i64,
    stop_reason: Option<RunReason>,
}

/// The active runs (or `only` this one) whose owners are gone.
pub(super) fn abandoned(
    connection: &Connection,
    now: Timestamp,
    only: Option<RunId>,
    is_dead: impl Fn(&str) -> bool,
) -> Result<Vec<Abandoned>> {
    // Two statements, so that one run is found by its id and not by going through all of them.
    let which = if only.is_some() { "id = ?1" } else { "?1 IS NULL" };
    let mut statement = connection
        .prepare_cached(&format!(
            "SELECT {RUN_COLUMNS}, owner, epoch, lease_expires_at, stop_reason FROM ai_chat_runs \
             WHERE {which} AND {ACTIVE}"
        ))
        .map_err(store_error)?;
    let mut rows = statement.query([only.map(|run_id| run_id.to_string())]).map_err(store_error)?;
    let (now_text, mut known) = (now.to_string(), HashMap::new());
    let mut is_dead = |owner: String| *known.entry(owner).or_insert_with_key(|owner| is_dead(owner));
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(store_error)? {
        let text = |column: &str| row.get::<_, Option<String>>(column).map_err(store_error);
        let run = rows::run(row).map_err(store_error)?;
        // Every active row is in exactly one of these two arms.
        let abandoned = match text("lease_expires_at")? {
            Some(expiry) => expiry <= now_text || text("owner")?.is_some_and(&mut is_dead),
            None => run.updated_at <= now.before(UNTOUCHED_WITHOUT_LEASE),
        };
        if abandoned {
            let stop_reason = stop_reason(run.stop_requested_at.is_some(), text("stop_reason")?);
            found.push(Abandoned { run, epoch: row.get("epoch").map_err(store_error)?, stop_reason });
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
    let (now_text, expires) = (now.to_string(), now.after(lease).to_string());
    let mut claimed = Vec::new();
    for Abandoned { run, epoch, stop_reason } in abandoned(connection, now, only, is_dead)? {
        let fence = Fence { run_id: run.id, owner: owner.to_owned(), epoch: epoch + 1 };
        connection
            .prepare_cached(
                "UPDATE ai_chat_runs SET owner = ?2, epoch = ?3, lease_expires_at = ?4, updated_at = ?5 WHERE id = ?1",
            )
            .and_then(|mut update| {
                update.execute(params![fence.run_id.to_string(), fence.owner, fence.epoch, expires, now_text])
            })
            .map_err(store_error)?;
        claimed.push(ClaimedRun { run, fence, stop_reason });
    }
    Ok(claimed)
}
