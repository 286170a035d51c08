//! Signs of life: renews leases, hears stops from other processes, sweeps now and then.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{broadcast, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::id::RunId;
use crate::machine::{Event, StopCause};
use crate::store::Hint;

use super::{Inner, sweep};

/// Runs until the engine is closed or forgotten.
pub(super) async fn keep(engine: Weak<Inner>, mut closed: watch::Receiver<bool>) {
    let Some(limits) = engine.upgrade().map(|inner| inner.options.runs) else {
        return;
    };
    let retention = Duration::from_millis(limits.chunk_retention_ms);
    let ticker = |period: Duration| {
        let mut ticker = interval(period);
        ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticker.reset();
        ticker
    };
    let mut stops = ticker(Duration::from_millis(limits.stop_poll_ms));
    let mut renewals = ticker(limits.lease() / 3);
    let mut sweeps = ticker(limits.lease());
    loop {
        tokio::select! {
            () = until_closed(&mut closed) => return,
            _ = stops.tick() => {
                let Some(inner) = engine.upgrade() else { return };
                hear_stops(&inner).await;
            }
            _ = renewals.tick() => {
                let Some(inner) = engine.upgrade() else { return };
                renew(&inner, limits.lease()).await;
            }
            _ = sweeps.tick() => {
                let Some(inner) = engine.upgrade() else { return };
                if let Err(error) = sweep::sweep(&inner).await {
                    tracing::warn!(%error, "the sweep failed; it will be repeated");
                }
                if let Err(error) = inner.store.trim_packs(retention).await {
                    tracing::warn!(%error, "old chunks could not be removed; that will be repeated");
                }
            }
        }
    }
}

/// Passes on what other processes say, until the engine is closed or forgotten.
pub(super) async fn listen(
    engine: Weak<Inner>,
    mut hints: broadcast::Receiver<Hint>,
    mut closed: watch::Receiver<bool>,
) {
    loop {
        let first = tokio::select! {
            () = until_closed(&mut closed) => return,
            hint = hints.recv() => hint,
        };
        let Some(inner) = engine.upgrade() else { return };
        let mut stops: Vec<RunId> = Vec::new();
        let mut next = Some(first);
        while let Some(hint) = next {
            match hint {
                Ok(Hint::Run(run_id)) => {
                    inner.tails.wake(run_id);
                    // Whoever speaks of a run of ours wants it to stop, or follows it.
                    if inner.registry.has(run_id) {
                        inner.registry.followed(run_id);
                        stops.push(run_id);
                    }
                }
                Ok(Hint::Anything) | Err(broadcast::error::RecvError::Lagged(_)) => {
                    inner.tails.wake_all();
                    stops = inner.registry.ids();
                }
                Err(broadcast::error::RecvError::Closed) => return,
            }
            next = match hints.try_recv() {
                Ok(hint) => Some(Ok(hint)),
                Err(broadcast::error::TryRecvError::Lagged(missed)) => {
                    Some(Err(broadcast::error::RecvError::Lagged(missed)))
                }
                Err(_) => None,
            };
        }
        inner.news.send_modify(|news| *news = news.wrapping_add(1));
        hear_stops_of(&inner, &stops).await;
    }
}

/// Also when the engine is gone altogether.
async fn until_closed(closed: &mut watch::Receiver<bool>) {
    let _ = closed.wait_for(|closed| *closed).await;
}

async fn hear_stops(inner: &Arc<Inner>) {
    hear_stops_of(inner, &inner.registry.ids()).await;
}

async fn hear_stops_of(inner: &Arc<Inner>, runs: &[RunId]) {
    if runs.is_empty() {
        return;
    }
    match inner.store.stop_requests(runs).await {
        Ok(stopped) => {
            for (run_id, reason) in stopped {
                inner.registry.tell(run_id, Event::StopRequested(StopCause::noted(reason)));
            }
        }
        Err(error) => tracing::warn!(%error, "stops could not be looked for"),
    }
}

/// Renews every lease, with a deadline of its own. A lease that could not be renewed before it ran out is lost, whatever
/// the store says later: another process may own the run by then.
async fn renew(inner: &Arc<Inner>, lease: Duration) {
    let runs = inner.registry.ids();
    if runs.is_empty() {
        return;
    }
    let begun = Instant::now();
    match timeout(lease / 3, inner.store.renew_leases(&inner.owner, &runs, lease)).await {
        Ok(Ok(renewal)) => {
            for run_id in &runs {
                if renewal.lost.contains(run_id) {
                    inner.registry.tell(*run_id, Event::LeaseLost);
                } else {
                    inner.registry.renewed(*run_id, begun);
                }
            }
            for (run_id, reason) in renewal.stop_requested {
                inner.registry.tell(run_id, Event::StopRequested(StopCause::noted(reason)));
            }
        }
        Ok(Err(error)) => tracing::warn!(%error, "leases could not be renewed"),
        Err(_) => tracing::warn!("renewing leases took too long"),
    }
    if let Some(limit) = Instant::now().checked_sub(lease) {
        for run_id in inner.registry.not_renewed_since(limit) {
            inner.registry.tell(run_id, Event::LeaseLost);
        }
    }
}
