//! Who has which run.

use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::RunId;
use crate::model::{RunReason, RunStatus};
use crate::store::{
    BeginRun, ClaimedRun, Fence, LeaseStore, MOST_OWNERS, Offer, OfferedRuns, Renewal, RunPlan, Sweep,
    UNTOUCHED_WITHOUT_LEASE,
};

use super::{MemoryStore, Owned, Waits};

#[async_trait]
impl LeaseStore for MemoryStore {
    async fn time(&self) -> Result<Timestamp> {
        Ok(self.clock.now())
    }

    async fn renew_leases(&self, owner: &str, runs: &[RunId], lease: Duration) -> Result<Renewal> {
        let now = self.clock.now();
        let ended = match &self.records {
            Some(records) => records.renew_records(runs, lease).await?,
            None => Vec::new(),
        };
        let mut tables = self.tables()?;
        let mut renewal = Renewal::default();
        for run_id in runs {
            let tables = &mut *tables;
            let running = tables.runs.get_mut(run_id).filter(|row| row.owner == owner && row.run.status.is_active());
            let running = running.filter(|_| !ended.contains(run_id));
            if let Some(row) = running {
                row.lease_expires_at = Some(now.after(lease));
            } else if let Some(row) = tables.queue.get_mut(run_id).filter(|row| row.begin.owner == owner) {
                row.lease_expires_at = now.after(lease);
            } else {
                renewal.lost.push(*run_id);
                continue;
            }
            renewal.stop_requested.extend(tables.stop_request(run_id).map(|reason| (*run_id, reason)));
        }
        Ok(renewal)
    }

    async fn release_run(&self, fence: &Fence) -> Result<()> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        if let Some(row) = tables.queue.get_mut(&fence.run_id).filter(|row| row.begin.owner == fence.owner) {
            row.lease_expires_at = now;
            return Ok(());
        }
        tables.owned(fence)?.lease_expires_at = Some(now);
        Ok(())
    }

    async fn claim_offered(&self, offer: Offer<'_>, lease: Duration) -> Result<OfferedRuns> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        let fits = |plan: &Option<RunPlan>| plan.as_ref().filter(|plan| plan.fits(offer.tools)).cloned();
        let mut found = OfferedRuns::default();
        for row in tables.runs.values_mut().filter(|row| row.run.status.is_driven() && row.is_left(now)) {
            if row.lease_expires_at.is_some_and(|lease| offer.leases_at.is_none_or(|at| lease > at)) {
                continue;
            }
            let is_own = row.owner == offer.owner && offer.spare.contains(&row.run.id);
            let wanted = row.run.stop_requested_at.is_none() && row.deaths() < MOST_OWNERS && !is_own;
            if let Some(plan) = fits(&row.plan).filter(|_| wanted && found.active.len() < offer.limit) {
                found.active.push((row.take(offer.owner, lease, now), plan));
                row.run.status = RunStatus::Running;
                row.run.started_at.get_or_insert(now);
            }
        }
        for row in tables.queue.values_mut().filter(|row| row.lease_expires_at <= now) {
            if offer.leases_at.is_none_or(|at| row.lease_expires_at > at) {
                continue;
            }
            let taken = found.active.len() + found.waiting.len();
            let is_own = row.begin.owner == offer.owner && offer.spare.contains(&row.begin.run_id);
            if row.stop_requested_at.is_none() && taken < offer.limit && !is_own && fits(&row.begin.plan).is_some() {
                row.lease_expires_at = now.after(lease);
                row.begin = BeginRun {
                    owner: offer.owner.to_owned(),
                    lease,
                    unowned: false,
                    from_queue: true,
                    ..row.begin.clone()
                };
                found.waiting.push(row.begin.clone());
            }
        }
        Ok(found)
    }

    async fn claim_abandoned(&self, sweep: Sweep<'_>) -> Result<Vec<ClaimedRun>> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        let is_wanted = |row: &Owned| {
            row.run.status.is_active()
                && (row.run.status.is_driven() || row.is_taken_to_stop())
                && row.lease_expires_at.is_none_or(|lease| sweep.leases_at.is_some_and(|at| lease <= at))
                && row.is_abandoned(now)
                && sweep.only.is_none_or(|only| only == row.run.id)
                && !sweep.spares(Some(&row.owner), row.run.id)
        };
        let wanted = tables.runs.values_mut().filter(|row| is_wanted(row)).take(sweep.limit);
        Ok(wanted.map(|row| row.take(sweep.owner, sweep.lease, now)).collect())
    }
}

impl Owned {
    /// Whether the run holds its chat.
    pub(super) fn holds_chat(&self) -> bool {
        let frees = self.plan.as_ref().is_some_and(|plan| plan.frees_chat);
        self.run.status.is_driven() || (self.run.status == RunStatus::Waiting && !frees)
    }

    /// Whether it waits and was asked to stop: a sweep's, once nobody has it.
    fn is_taken_to_stop(&self) -> bool {
        self.run.status == RunStatus::Waiting && self.run.stop_requested_at.is_some()
    }

    /// How many owners it has lost. That it waited for an answer is nobody's fault.
    fn deaths(&self) -> i64 {
        self.epoch - self.suspensions
    }

    fn is_left(&self, now: Timestamp) -> bool {
        match self.lease_expires_at {
            Some(expiry) => expiry <= now,
            None => self.run.status == RunStatus::Pending && self.plan.is_some(),
        }
    }

    /// Whether it is a sweep's to settle.
    fn is_abandoned(&self, now: Timestamp) -> bool {
        if self.is_taken_to_stop() {
            return self.lease_expires_at.is_none_or(|expiry| expiry <= now);
        }
        if self.run.status == RunStatus::Pending && self.waits.as_ref().is_some_and(crate::model::Waits::are_answered) {
            return self.run.stop_requested_at.is_some() || self.deaths() >= MOST_OWNERS;
        }
        let since = self.lease_expires_at.unwrap_or(self.run.updated_at);
        let given_up = self.deaths() >= MOST_OWNERS || self.run.stop_requested_at.is_some();
        match &self.plan {
            Some(_) => self.is_left(now) && (given_up || since <= now.before(UNTOUCHED_WITHOUT_LEASE)),
            None if self.lease_expires_at.is_none() => since <= now.before(UNTOUCHED_WITHOUT_LEASE),
            None => self.is_left(now),
        }
    }

    fn take(&mut self, owner: &str, lease: Duration, now: Timestamp) -> ClaimedRun {
        let run = self.run.clone();
        self.owner = owner.to_owned();
        self.epoch += 1;
        self.lease_expires_at = Some(now.after(lease));
        self.run.updated_at = now;
        let fence = Fence { run_id: run.id, owner: owner.to_owned(), epoch: self.epoch };
        let stop_reason = run.stop_requested_at.and(Some(self.stop_reason.unwrap_or(RunReason::Stopped)));
        ClaimedRun { run, fence, stop_reason }
    }
}

impl Waits {
    /// Whether it is a sweep's to settle.
    pub(super) fn is_abandoned(&self, now: Timestamp) -> bool {
        let waited_for = self.begin.plan.is_some() && self.stop_requested_at.is_none();
        let limit = if waited_for { now.before(UNTOUCHED_WITHOUT_LEASE) } else { now };
        self.lease_expires_at <= limit
    }
}
