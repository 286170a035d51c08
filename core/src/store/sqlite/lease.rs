//! Who has which run.

use std::time::Duration;

use async_trait::async_trait;
use rusqlite::params;

use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::RunId;
use crate::model::{Run, RunReason, RunStatus};
use crate::store::plan::unwritten_row;
use crate::store::{
    BeginRun, ClaimedRun, Fence, LeaseStore, MOST_OWNERS, Offer, OfferedRuns, Renewal, RunPlan, Sweep, UNREADABLE_RUN,
    UNTOUCHED_WITHOUT_LEASE, lease_lost,
};

use super::judge::Judge;
use super::rows::{self, ACTIVE, DRIVEN, RUN_COLUMNS, WAITING_STOPPED};
use super::tables::Tables;
use super::{SqliteStore, store_error};

#[async_trait]
impl LeaseStore for SqliteStore {
    async fn time(&self) -> Result<Timestamp> {
        Ok(self.clock.now())
    }

    async fn renew_leases(&self, owner: &str, runs: &[RunId], lease: Duration) -> Result<Renewal> {
        let (owner, runs) = (owner.to_owned(), runs.to_vec());
        self.write(move |tables| {
            let (expires, mut renewal) = (tables.now.after(lease), Renewal::default());
            let running = format!(
                "UPDATE ai_chat_runs SET lease_expires_at = ?3 WHERE id = ?1 AND owner = ?2 AND {DRIVEN} \
                 RETURNING stop_requested_at IS NOT NULL, stop_reason"
            );
            let waiting = "UPDATE ai_chat_run_queue SET lease_expires_at = ?3 WHERE id = ?1 AND owner = ?2 \
                 RETURNING stop_requested_at IS NOT NULL, NULL";
            for run_id in runs {
                let renew = |sql: &str| tables.first(sql, params![run_id, owner, expires], rows::stop_reason);
                let found = match renew(&running)? {
                    Some(found) => Some(found),
                    None => renew(waiting)?,
                };
                match found {
                    None => renewal.lost.push(run_id),
                    Some(stop) => renewal.stop_requested.extend(stop.map(|reason| (run_id, reason))),
                }
            }
            Ok(renewal)
        })
        .await
    }

    async fn release_run(&self, fence: &Fence) -> Result<()> {
        let fence = fence.clone();
        self.write(move |tables| {
            let running = tables.execute(
                &format!(
                    "UPDATE ai_chat_runs SET lease_expires_at = ?4 \
                     WHERE id = ?1 AND owner = ?2 AND epoch = ?3 AND {DRIVEN}"
                ),
                params![fence.run_id, fence.owner, fence.epoch, tables.now],
            )?;
            let waiting = tables.execute(
                "UPDATE ai_chat_run_queue SET lease_expires_at = ?3 WHERE id = ?1 AND owner = ?2",
                params![fence.run_id, fence.owner, tables.now],
            )?;
            if running + waiting == 0 { Err(lease_lost()) } else { Ok(()) }
        })
        .await
    }

    async fn claim_offered(&self, offer: Offer<'_>, lease: Duration) -> Result<OfferedRuns> {
        let (look, mut judge) = (OwnedOffer::of(offer), self.judge(lease, offer.leases_at));
        // Mostly there are none, and looking holds nobody up.
        if !self.read(move |tables| tables.has_offered(look.borrowed(), &mut judge)).await? {
            return Ok(OfferedRuns::default());
        }
        let (take, mut judge) = (OwnedOffer::of(offer), self.judge(lease, offer.leases_at));
        self.write(move |tables| tables.claim_offered(take.borrowed(), lease, &mut judge)).await
    }

    async fn claim_abandoned(&self, sweep: Sweep<'_>) -> Result<Vec<ClaimedRun>> {
        let (look, mut judge) = (OwnedSweep::of(sweep), self.judge(sweep.lease, sweep.leases_at));
        // Mostly there are none, and looking holds nobody up.
        if !self.read(move |tables| tables.any_abandoned(look.borrowed(), &mut judge)).await? {
            return Ok(Vec::new());
        }
        let (take, mut judge) = (OwnedSweep::of(sweep), self.judge(sweep.lease, sweep.leases_at));
        self.write(move |tables| tables.claim_abandoned(take.borrowed(), &mut judge)).await
    }
}

/// A sweep that goes to another thread.
pub(super) struct OwnedSweep {
    owner: String,
    spare: Vec<RunId>,
    lease: Duration,
    pub(super) only: Option<RunId>,
    pub(super) leases_at: Option<Timestamp>,
    pub(super) limit: usize,
}

impl OwnedSweep {
    pub(super) fn of(sweep: Sweep<'_>) -> Self {
        let Sweep { owner, lease, only, spare, leases_at, limit } = sweep;
        Self { owner: owner.to_owned(), spare: spare.to_vec(), lease, only, leases_at, limit }
    }

    pub(super) fn borrowed(&self) -> Sweep<'_> {
        let Self { owner, spare, lease, only, leases_at, limit } = self;
        Sweep { owner, spare, lease: *lease, only: *only, leases_at: *leases_at, limit: *limit }
    }
}

/// An offer that goes to another thread.
struct OwnedOffer {
    owner: String,
    tools: Vec<String>,
    spare: Vec<RunId>,
    leases_at: Option<Timestamp>,
    limit: usize,
}

impl OwnedOffer {
    fn of(offer: Offer<'_>) -> Self {
        let Offer { owner, tools, spare, leases_at, limit } = offer;
        Self { owner: owner.to_owned(), tools: tools.to_vec(), spare: spare.to_vec(), leases_at, limit }
    }

    fn borrowed(&self) -> Offer<'_> {
        let Self { owner, tools, spare, leases_at, limit } = self;
        Offer { owner, tools, spare, leases_at: *leases_at, limit: *limit }
    }
}

/// A run that nobody drives any more.
struct AbandonedRun {
    run: Run,
    owner: Option<String>,
    epoch: i64,
    /// How many owners it has lost. That it waited for an answer is nobody's fault.
    deaths: i64,
    stop_reason: Option<RunReason>,
    plan: Option<RunPlan>,
    /// Those who could go on with it have not come in time.
    is_waited_for: bool,
}

impl AbandonedRun {
    /// Whether it is a sweep's to settle.
    fn is_abandoned(&self) -> bool {
        self.plan.is_none() || !self.is_waited_for || self.run.stop_requested_at.is_some() || self.deaths >= MOST_OWNERS
    }

    /// Whether it stays its owner's, who looks.
    fn is_spared(&self, sweep: Sweep<'_>) -> bool {
        sweep.spares(self.owner.as_deref(), self.run.id)
    }

    /// Whether those who offer these tools may go on with it.
    fn fits(&self, tools: &[String]) -> bool {
        self.run.stop_requested_at.is_none()
            && self.deaths < MOST_OWNERS
            && self.plan.as_ref().is_some_and(|plan| plan.fits(tools))
    }
}

/// Which active runs a look is about.
#[derive(Clone, Copy)]
enum Which {
    All,
    One(RunId),
    /// Those whose plan is with them.
    Planned,
}

impl Which {
    fn of(only: Option<RunId>) -> Self {
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
struct Found {
    left: Vec<AbandonedRun>,
    unreadable: Vec<String>,
}

fn is_own(owner: Option<&str>, run_id: RunId, offer: Offer<'_>) -> bool {
    owner == Some(offer.owner) && offer.spare.contains(&run_id)
}

impl Tables<'_> {
    /// Whether there is anything for a sweep to settle.
    fn any_abandoned(&self, sweep: Sweep<'_>, judge: &mut Judge) -> Result<bool> {
        let found = self.left(Which::of(sweep.only), judge)?;
        let is_wanted = |left: &AbandonedRun| left.is_abandoned() && !left.is_spared(sweep);
        Ok(!found.unreadable.is_empty() || found.left.iter().any(is_wanted))
    }

    fn claim_abandoned(&self, sweep: Sweep<'_>, judge: &mut Judge) -> Result<Vec<ClaimedRun>> {
        let found = self.left(Which::of(sweep.only), judge)?;
        for id in &found.unreadable {
            self.end_unreadable(id)?;
        }
        let abandoned =
            found.left.iter().filter(|left| left.is_abandoned() && !left.is_spared(sweep)).take(sweep.limit);
        abandoned.map(|left| self.take(sweep.owner, sweep.lease, left)).collect()
    }

    /// Whether there is anything that those who offer these tools could take.
    fn has_offered(&self, offer: Offer<'_>, judge: &mut Judge) -> Result<bool> {
        let fits = |left: &AbandonedRun| left.fits(offer.tools) && !is_own(left.owner.as_deref(), left.run.id, offer);
        let any = self.left(Which::Planned, judge)?.left.iter().any(fits);
        if any {
            return Ok(true);
        }
        let waiting = self.waiting_for_offer(offer.tools, &unwritten_row(), judge)?;
        Ok(waiting.iter().any(|begin| !is_own(Some(&begin.owner), begin.run_id, offer)))
    }

    /// Takes up to `limit` runs that those who offer these tools can drive.
    fn claim_offered(&self, offer: Offer<'_>, lease: Duration, judge: &mut Judge) -> Result<OfferedRuns> {
        let mut found = OfferedRuns::default();
        let fits = |left: &AbandonedRun| left.fits(offer.tools) && !is_own(left.owner.as_deref(), left.run.id, offer);
        for left in self.left(Which::Planned, judge)?.left.into_iter().filter(fits).take(offer.limit) {
            let claimed = self.take(offer.owner, lease, &left)?;
            self.execute(
                "UPDATE ai_chat_runs SET status = 'running', started_at = COALESCE(started_at, ?2) WHERE id = ?1",
                params![claimed.run.id, self.now],
            )?;
            found.active.push((claimed, left.plan.unwrap_or_default()));
        }
        let row = unwritten_row();
        let mut waiting = self.waiting_for_offer(offer.tools, &row, judge)?;
        waiting.retain(|begin| !is_own(Some(&begin.owner), begin.run_id, offer));
        for begin in waiting.into_iter().take(offer.limit.saturating_sub(found.active.len())) {
            self.execute(
                "UPDATE ai_chat_run_queue SET owner = ?2, lease_expires_at = ?3 WHERE id = ?1",
                params![begin.run_id, offer.owner, self.now.after(lease)],
            )?;
            found.waiting.push(BeginRun { owner: offer.owner.to_owned(), lease, ..begin });
        }
        Ok(found)
    }

    /// The active runs whose owners are gone, and for a sweep those that wait for an answer and were asked to stop.
    fn left(&self, which: Which, judge: &mut Judge) -> Result<Found> {
        let mut found = Found { left: Vec::new(), unreadable: Vec::new() };
        self.left_of(which, DRIVEN, judge, &mut found)?;
        if !matches!(which, Which::Planned) {
            self.left_of(which, WAITING_STOPPED, judge, &mut found)?;
        }
        Ok(found)
    }

    fn left_of(&self, which: Which, status: &str, judge: &mut Judge, found: &mut Found) -> Result<()> {
        let mut statement = self
            .connection
            .prepare_cached(&format!(
                "SELECT {RUN_COLUMNS}, owner, epoch, suspensions, answered, lease_expires_at, stop_reason, plan \
                 FROM ai_chat_runs WHERE {} AND {status}",
                which.condition()
            ))
            .map_err(store_error)?;
        let id = match which {
            Which::One(run_id) => Some(run_id.to_string()),
            Which::All | Which::Planned => None,
        };
        let mut rows = statement.query([id]).map_err(store_error)?;
        let long_ago = self.now.before(UNTOUCHED_WITHOUT_LEASE);
        let (now_text, long_ago_text) = (self.now.to_string(), long_ago.to_string());
        while let Some(row) = rows.next().map_err(store_error)? {
            // The lease first: a row that cannot be read is its owner's as long as that lives.
            let (owner, lease, epoch) = match (row.get("owner"), row.get("lease_expires_at"), row.get("epoch")) {
                (Ok(owner), Ok(lease), Ok(epoch)) => (owner, lease, epoch),
                _ => (None::<String>, None::<String>, 0),
            };
            let id: String = row.get("id").unwrap_or_default();
            let is_gone =
                |judge: &mut Judge, lease: &str| judge.is_gone(&id, owner.as_deref(), epoch, lease, &now_text);
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
            // Every active row is in exactly one of these arms.
            let (is_left, is_waited_for) = match &lease {
                Some(lease) => (is_gone(judge, lease), lease.as_str() > long_ago_text.as_str()),
                None if run.status == RunStatus::Waiting => (true, false),
                // Somebody has answered, and is not to find that in vain, however long nobody offers its tools.
                None if run.status == RunStatus::Pending && row.get("answered").unwrap_or_default() => (true, true),
                None if run.status == RunStatus::Pending && plan.is_some() => (true, run.updated_at > long_ago),
                None => (run.updated_at <= long_ago, false),
            };
            if is_left {
                let reason = row.get::<_, Option<String>>("stop_reason").unwrap_or_default();
                let stop_reason = rows::stop_reason_of(run.stop_requested_at.is_some(), reason);
                let deaths = epoch - row.get::<_, i64>("suspensions").unwrap_or_default();
                found.left.push(AbandonedRun { run, owner, epoch, deaths, stop_reason, plan, is_waited_for });
            }
        }
        Ok(())
    }

    /// Makes the run this owner's.
    fn take(&self, owner: &str, lease: Duration, left: &AbandonedRun) -> Result<ClaimedRun> {
        let fence = Fence { run_id: left.run.id, owner: owner.to_owned(), epoch: left.epoch + 1 };
        self.execute(
            "UPDATE ai_chat_runs SET owner = ?2, epoch = ?3, lease_expires_at = ?4, updated_at = ?5 WHERE id = ?1",
            params![fence.run_id, owner, fence.epoch, self.now.after(lease), self.now],
        )?;
        Ok(ClaimedRun { run: left.run.clone(), fence, stop_reason: left.stop_reason })
    }

    /// Ends a run of which only the id is needed.
    fn end_unreadable(&self, id: &str) -> Result<()> {
        self.execute(
            &format!(
                "UPDATE ai_chat_runs SET status = 'failed', reason = 'internal', error = ?3, \
                 epoch = CAST(epoch AS INTEGER) + 1, lease_expires_at = NULL, finished_at = ?2, updated_at = ?2 \
                 WHERE id = ?1 AND {ACTIVE}"
            ),
            params![id, self.now, UNREADABLE_RUN],
        )?;
        self.fail_message(id)
    }

    /// Whether any active or waiting run names an owner whose name ends like this.
    pub(super) fn has_runs_of(&self, unique: &str) -> Result<bool> {
        let of = |table: &str, which: &str| -> Result<bool> {
            self.one(&format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE {which} AND owner LIKE '%' || ?1)"), [unique])
        };
        Ok(of("ai_chat_runs", DRIVEN)? || of("ai_chat_run_queue", "1")?)
    }
}
