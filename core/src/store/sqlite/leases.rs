//! Heartbeats, stops, and runs that were left behind. Each operation runs inside a transaction of the caller's.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use crate::clock::Timestamp;
use crate::error::{Error, ErrorCode, Result};
use crate::id::RunId;
use crate::model::{Run, RunReason, RunStatus};
use crate::store::plan::unwritten_row;
use crate::store::{
    BeginRun, ClaimedRun, Fence, MOST_OWNERS, Offer, OfferedRuns, Renewal, RunPlan, Sweep, UNREADABLE_RUN,
    UNTOUCHED_WITHOUT_LEASE, lease_lost,
};

use super::judge::Judge;
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
fn stop_reason_of(asked: bool, reason: Option<String>) -> Option<RunReason> {
    asked.then(|| reason.map(|word| RunReason::read(&word)).unwrap_or(RunReason::Stopped))
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
                .query_row([id.as_str(), owner, expires.as_str()], |row| Ok(stop_reason_of(row.get(0)?, row.get(1)?)))
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
            .query_row([run_id.to_string()], |row| Ok(stop_reason_of(row.get(0)?, row.get(1)?)))
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
    owner: Option<String>,
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

    /// Whether it stays its owner's, who looks.
    fn is_spared(&self, sweep: Sweep<'_>) -> bool {
        sweep.spares(self.owner.as_deref(), self.run.id)
    }

    /// Whether those who offer these tools may go on with it.
    fn fits(&self, tools: &[String]) -> bool {
        self.run.stop_requested_at.is_none()
            && self.epoch < MOST_OWNERS
            && self.plan.as_ref().is_some_and(|plan| plan.fits(tools))
    }
}

/// Which active runs a look is about.
#[derive(Clone, Copy)]
pub(super) enum Which {
    All,
    One(RunId),
    /// Those whose plan is with them.
    Planned,
}

impl Which {
    pub(super) fn of(only: Option<RunId>) -> Self {
        only.map_or(Self::All, Self::One)
    }

    // Statements of their own, so that one run is found by its id, and those with a plan by their index.
    fn condition(self) -> &'static str {
        match self {
            Self::All => "?1 IS NULL",
            Self::One(_) => "id = ?1",
            Self::Planned => "?1 IS NULL AND plan IS NOT NULL",
        }
    }
}

/// The active runs whose owners are gone, and the ids of those whose rows cannot be read.
pub(super) struct Found {
    left: Vec<Left>,
    unreadable: Vec<String>,
}

/// Whether there is anything for a sweep to settle.
pub(super) fn any_abandoned(
    connection: &Connection,
    now: Timestamp,
    sweep: Sweep<'_>,
    judge: &mut Judge,
) -> Result<bool> {
    let found = left(connection, now, Which::of(sweep.only), judge)?;
    let is_wanted = |left: &Left| left.is_abandoned() && !left.is_spared(sweep);
    Ok(!found.unreadable.is_empty() || found.left.iter().any(is_wanted))
}

/// The active runs whose owners are gone.
fn left(connection: &Connection, now: Timestamp, which: Which, judge: &mut Judge) -> Result<Found> {
    let mut statement = connection
        .prepare_cached(&format!(
            "SELECT {RUN_COLUMNS}, owner, epoch, lease_expires_at, stop_reason, plan FROM ai_chat_runs \
             WHERE {} AND {ACTIVE}",
            which.condition()
        ))
        .map_err(store_error)?;
    let id = match which {
        Which::One(run_id) => Some(run_id.to_string()),
        Which::All | Which::Planned => None,
    };
    let mut rows = statement.query([id]).map_err(store_error)?;
    let long_ago = now.before(UNTOUCHED_WITHOUT_LEASE);
    let (now_text, long_ago_text) = (now.to_string(), long_ago.to_string());
    let mut found = Found { left: Vec::new(), unreadable: Vec::new() };
    while let Some(row) = rows.next().map_err(store_error)? {
        // The lease first: a row that cannot be read is its owner's as long as that lives.
        let (owner, lease, epoch) = match (row.get("owner"), row.get("lease_expires_at"), row.get("epoch")) {
            (Ok(owner), Ok(lease), Ok(epoch)) => (owner, lease, epoch),
            _ => (None::<String>, None::<String>, 0),
        };
        let id: String = row.get("id").unwrap_or_default();
        let is_gone = |judge: &mut Judge, lease: &str| judge.is_gone(&id, owner.as_deref(), epoch, lease, &now_text);
        let run = match rows::run(row) {
            Ok(run) => run,
            Err(error @ rusqlite::Error::SqliteFailure(..)) => return Err(store_error(error)),
            Err(error) => {
                if lease.is_none_or(|lease| is_gone(judge, &lease)) {
                    tracing::error!(%error, "a run that cannot be read is ended");
                    found.unreadable.push(id);
                }
                continue;
            }
        };
        let plan = row.get::<_, Option<String>>("plan").unwrap_or_default().as_deref().and_then(RunPlan::parse);
        // Every active row is in exactly one of these three arms.
        let (is_left, is_waited_for) = match &lease {
            Some(lease) => (is_gone(judge, lease), lease.as_str() > long_ago_text.as_str()),
            None if run.status == RunStatus::Pending && plan.is_some() => (true, run.updated_at > long_ago),
            None => (run.updated_at <= long_ago, false),
        };
        if is_left {
            let stop_reason = row.get::<_, Option<String>>("stop_reason").unwrap_or_default();
            let stop_reason = stop_reason_of(run.stop_requested_at.is_some(), stop_reason);
            found.left.push(Left { run, owner, epoch, stop_reason, plan, is_waited_for });
        }
    }
    Ok(found)
}

pub(super) fn claim_abandoned(
    connection: &Connection,
    now: Timestamp,
    sweep: Sweep<'_>,
    judge: &mut Judge,
) -> Result<Vec<ClaimedRun>> {
    let found = left(connection, now, Which::of(sweep.only), judge)?;
    for id in &found.unreadable {
        end_unreadable(connection, now, id)?;
    }
    let abandoned = found.left.iter().filter(|left| left.is_abandoned() && !left.is_spared(sweep)).take(sweep.limit);
    abandoned.map(|left| take(connection, now, sweep.owner, sweep.lease, left)).collect()
}

/// Ends a run of which only the id is needed.
fn end_unreadable(connection: &Connection, now: Timestamp, id: &str) -> Result<()> {
    let now = now.to_string();
    connection
        .prepare_cached(&format!(
            "UPDATE ai_chat_runs SET status = 'failed', reason = 'internal', error = ?3, epoch = CAST(epoch AS INTEGER) + 1, \
             lease_expires_at = NULL, finished_at = ?2, updated_at = ?2 WHERE id = ?1 AND {ACTIVE}"
        ))
        .and_then(|mut update| update.execute([id, &now, UNREADABLE_RUN]))
        .map_err(store_error)?;
    fail_message(connection, &now, id)
}

fn fail_message(connection: &Connection, now: &str, run_id: &str) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE ai_chat_messages SET status = 'error', updated_at = ?2 \
             WHERE id = (SELECT assistant_message_id FROM ai_chat_runs WHERE id = ?1)",
        )
        .and_then(|mut update| update.execute([run_id, now]))
        .map(|_| ())
        .map_err(store_error)
}

pub(super) fn fail_run(connection: &Connection, now: Timestamp, fence: &Fence, error: &str) -> Result<()> {
    let (id, now) = (fence.run_id.to_string(), now.to_string());
    let failed = connection
        .prepare_cached(&format!(
            "UPDATE ai_chat_runs SET status = 'failed', reason = 'internal', error = ?5, lease_expires_at = NULL, \
             finished_at = ?4, updated_at = ?4 WHERE id = ?1 AND owner = ?2 AND epoch = ?3 AND {ACTIVE}"
        ))
        .and_then(|mut update| update.execute(params![id, fence.owner, fence.epoch, now, error]))
        .map_err(store_error)?;
    if failed == 0 {
        let failed_before: bool = connection
            .query_row(
                "SELECT COUNT(*) FROM ai_chat_runs WHERE id = ?1 AND owner = ?2 AND epoch = ?3 AND status = 'failed'",
                params![id, fence.owner, fence.epoch],
                |row| row.get(0),
            )
            .map_err(store_error)?;
        return if failed_before { Ok(()) } else { Err(lease_lost()) };
    }
    fail_message(connection, &now, &id)
}

/// Rows of another writer's that nobody will end any more. A run's message is its owner's, or a sweep's.
pub(super) fn settle_stray_messages(connection: &Connection, now: Timestamp) -> Result<usize> {
    let (now_text, long_ago) = (now.to_string(), now.before(UNTOUCHED_WITHOUT_LEASE).to_string());
    connection
        .prepare_cached(&format!(
            "UPDATE ai_chat_messages SET status = 'aborted', updated_at = ?1 \
             WHERE status = 'streaming' AND role = 'assistant' AND updated_at <= ?2 AND NOT EXISTS \
             (SELECT 1 FROM ai_chat_runs AS run WHERE run.assistant_message_id = ai_chat_messages.id AND run.{ACTIVE})"
        ))
        .and_then(|mut update| update.execute([now_text, long_ago]))
        .map_err(store_error)
}

pub(super) fn has_stray_messages(connection: &Connection, now: Timestamp) -> Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM ai_chat_messages WHERE status = 'streaming' AND role = 'assistant' \
             AND updated_at <= ?1)",
        )
        .and_then(|mut query| query.query_row([now.before(UNTOUCHED_WITHOUT_LEASE).to_string()], |row| row.get(0)))
        .map_err(store_error)
}

/// Whether any active or waiting run names an owner whose name ends like this.
pub(super) fn has_runs_of(connection: &Connection, unique: &str) -> Result<bool> {
    let of = |table: &str, which: &str| {
        connection
            .prepare_cached(&format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE {which} AND owner LIKE '%' || ?1)"))
            .and_then(|mut query| query.query_row([unique], |row| row.get::<_, bool>(0)))
            .map_err(store_error)
    };
    Ok(of("ai_chat_runs", ACTIVE)? || of("ai_chat_run_queue", "1")?)
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
    offer: Offer<'_>,
    judge: &mut Judge,
) -> Result<bool> {
    let fits = |left: &Left| left.fits(offer.tools) && !is_own(left.owner.as_deref(), left.run.id, offer);
    let any = left(connection, now, Which::Planned, judge)?.left.iter().any(fits);
    if any {
        return Ok(true);
    }
    let waiting = begin::waiting_for_offer(connection, now, offer.tools, &unwritten_row(), judge)?;
    Ok(waiting.iter().any(|begin| !is_own(Some(&begin.owner), begin.run_id, offer)))
}

fn is_own(owner: Option<&str>, run_id: RunId, offer: Offer<'_>) -> bool {
    owner == Some(offer.owner) && offer.spare.contains(&run_id)
}

/// Takes up to `limit` runs that those who offer these tools can drive.
pub(super) fn claim_offered(
    connection: &Connection,
    now: Timestamp,
    offer: Offer<'_>,
    lease: Duration,
    judge: &mut Judge,
) -> Result<OfferedRuns> {
    let mut found = OfferedRuns::default();
    let fits = |left: &Left| left.fits(offer.tools) && !is_own(left.owner.as_deref(), left.run.id, offer);
    for left in left(connection, now, Which::Planned, judge)?.left.into_iter().filter(fits).take(offer.limit) {
        let claimed = take(connection, now, offer.owner, lease, &left)?;
        connection
            .prepare_cached(
                "UPDATE ai_chat_runs SET status = 'running', started_at = COALESCE(started_at, ?2) WHERE id = ?1",
            )
            .and_then(|mut update| update.execute([claimed.run.id.to_string(), now.to_string()]))
            .map_err(store_error)?;
        found.active.push((claimed, left.plan.unwrap_or_default()));
    }
    let row = unwritten_row();
    let mut waiting = begin::waiting_for_offer(connection, now, offer.tools, &row, judge)?;
    waiting.retain(|begin| !is_own(Some(&begin.owner), begin.run_id, offer));
    for begin in waiting.into_iter().take(offer.limit.saturating_sub(found.active.len())) {
        connection
            .prepare_cached("UPDATE ai_chat_run_queue SET owner = ?2, lease_expires_at = ?3 WHERE id = ?1")
            .and_then(|mut update| {
                update.execute(params![begin.run_id.to_string(), offer.owner, now.after(lease).to_string()])
            })
            .map_err(store_error)?;
        found.waiting.push(BeginRun { owner: offer.owner.to_owned(), lease, ..begin });
    }
    Ok(found)
}
