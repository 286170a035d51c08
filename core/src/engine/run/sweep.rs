//! Settles, from its log, every run whose owner is gone.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::engine::Inner;
use crate::error::{Error, ErrorCode, Result};
use crate::id::RunId;
use crate::log::abandoned::{AbandonedLog, Effects};
use crate::log::journal::empty_row;
use crate::model::{MessageStatus, RunReason};
use crate::store::{
    ClaimedRun, EffectStore, Fence, LogFrom, LogPage, LogRange, LogStore, LoggedStep, RunStore, Sweep, Waiting,
};

use super::patience::Look;

/// How many runs are taken over at a time, so that a sweep holds nobody up and loses little when it is interrupted.
const BATCH: usize = 50;

/// Settles what has been abandoned, after the leases of this process itself have been renewed; returns how many runs that were.
pub(crate) async fn sweep(inner: &Arc<Inner>) -> Result<usize> {
    super::leases::renew(inner).await?;
    let leases_at = judges(inner).await?;
    let (mut settled, mut failure) = (0, None);
    loop {
        let waiting = sweep_waiting(inner, None, leases_at).await?;
        let (runs, failed) = sweep_runs(inner, None, leases_at).await?;
        settled += waiting + runs;
        let is_stuck = failed.is_some();
        failure = failed.or(failure);
        if is_stuck || (waiting < BATCH && runs < BATCH) {
            break;
        }
        tokio::task::yield_now().await;
    }
    while inner.expire_waits().await? {
        tokio::task::yield_now().await;
    }
    inner.store.settle_stray_messages().await?;
    failure.map_or(Ok(settled), Err)
}

/// As [`sweep`], as far as it gets within this time; the rest is for the next one.
pub(crate) async fn begin_sweep(inner: &Arc<Inner>, within: Duration) {
    let begun = tokio::time::timeout(within, sweep(inner)).await;
    if let Ok(Err(error)) = begun {
        tracing::warn!(%error, "the sweep failed; it will be repeated");
    }
}

/// Settles this run, which was asked to stop, if its owner is gone; it may wait for its chat.
pub(crate) async fn sweep_stopped(inner: &Arc<Inner>, run_id: RunId) -> Result<()> {
    let leases_at = judges(inner).await?;
    sweep_waiting(inner, Some(run_id), leases_at).await?;
    sweep_runs(inner, Some(run_id), leases_at).await.map(|_| ())
}

/// Settles this run if its owner is gone.
pub(crate) async fn sweep_run(inner: &Arc<Inner>, run_id: RunId) -> Result<bool> {
    let leases_at = judges(inner).await?;
    let (settled, failure) = sweep_runs(inner, Some(run_id), leases_at).await?;
    failure.map_or(Ok(settled > 0), Err)
}

/// The time by which leases may be judged, if they say anything just now. Whatever happens from here to the claim, a lease
/// that was good then stays good.
pub(crate) async fn judges(inner: &Arc<Inner>) -> Result<Option<Timestamp>> {
    let before = inner.clock.monotonic();
    let time = inner.store.time().await.inspect_err(|error| inner.note_outage(error))?;
    let look = Look { before, after: inner.clock.monotonic(), time };
    let judges = inner.patience.lock().unwrap_or_else(PoisonError::into_inner).look(look);
    // Stores may tell times more finely than this one.
    Ok(judges.then(|| time.after(Duration::from_millis(1))))
}

async fn sweep_waiting(inner: &Arc<Inner>, only: Option<RunId>, leases_at: Option<Timestamp>) -> Result<usize> {
    let (empty, own) = (empty_row(MessageStatus::Aborted), inner.registry.ids());
    let sweep = Sweep { only, spare: &own, leases_at, limit: BATCH, ..inner.everything() };
    inner.store.settle_waiting(Waiting::Abandoned(sweep), RunReason::WorkerLost, empty).await
}

async fn sweep_runs(
    inner: &Arc<Inner>,
    only: Option<RunId>,
    leases_at: Option<Timestamp>,
) -> Result<(usize, Option<Error>)> {
    let own = inner.registry.ids();
    let sweep = Sweep { only, spare: &own, leases_at, limit: BATCH, ..inner.everything() };
    let (mut settled, mut failure) = (0, None);
    for run in inner.store.claim_abandoned(sweep).await? {
        let run_id = run.run.id;
        match settle(&*inner.store, run).await {
            Ok(()) => {
                settled += 1;
                inner.changed(run_id);
            }
            // Somebody else was faster, which is as good.
            Err(error) if error.code() == ErrorCode::LeaseLost => settled += 1,
            // One that cannot be settled must not keep the others from it.
            Err(error) => failure = Some(error),
        }
    }
    Ok((settled, failure))
}

/// What is said of a run whose log cannot be read or closed.
const UNREADABLE_LOG: &str = "The run's record in the store cannot be read.";

/// Settles a run that its owner left behind with what is on disk of it.
pub(crate) async fn settle(
    store: &(impl RunStore + LogStore + EffectStore + ?Sized),
    claimed: ClaimedRun,
) -> Result<()> {
    let fence = claimed.fence.clone();
    let settled = match abandoned_log(store, &fence).await {
        Ok(left) => store.settle_run(left.settlement(claimed)).await,
        Err(error) => Err(error),
    };
    match settled {
        Err(error) if error.is_for_good() => {
            tracing::error!(%error, run_id = %fence.run_id, "an abandoned run can only be ended");
            store.fail_run(&fence, UNREADABLE_LOG).await
        }
        settled => settled.map(|_| ()),
    }
}

/// What a run's last owner has left on disk, with the step that was in progress closed: what its tools have not done by now
/// they never will.
pub(crate) async fn abandoned_log(
    store: &(impl LogStore + EffectStore + ?Sized),
    fence: &Fence,
) -> Result<AbandonedLog> {
    let (logged, trailing) = what_is_left(store, fence.run_id).await?;
    let keys = Effects::keys(fence.run_id, &logged);
    let noted = if keys.is_empty() { Vec::new() } else { store.close_effects(fence, &keys).await? };
    Ok(AbandonedLog::of(logged, trailing, &Effects::new(fence.run_id, noted)))
}

/// The same for whoever goes on with the run: a step whose calls wait, have waited, or may be made again, goes on.
pub(crate) async fn log_to_go_on(
    store: &(impl LogStore + EffectStore + ?Sized),
    run_id: RunId,
) -> Result<AbandonedLog> {
    let (logged, trailing) = what_is_left(store, run_id).await?;
    let asks = !Effects::keys(run_id, &logged).is_empty();
    let noted = if asks { store.effects(run_id).await? } else { Vec::new() };
    Ok(AbandonedLog::to_go_on(logged, trailing, &Effects::new(run_id, noted)))
}

async fn what_is_left(store: &(impl LogStore + ?Sized), run_id: RunId) -> Result<(Vec<LoggedStep>, Option<LogPage>)> {
    let logged = store.steps(run_id).await?;
    let range = LogRange { from: LogFrom::Sequence(u64::MAX), packs_of_finished: false, limit: usize::MAX };
    let trailing = store.read_log(run_id, range).await?;
    Ok((logged, trailing))
}
