//! Heartbeats: renews the leases of this process's runs, in a task that nothing else can delay.
//!
//! An engine never gives a run up because of its own lateness. If the store says that the run is still its own, it is:
//! whoever takes a run over raises its epoch, and every write names it.

use std::sync::{Arc, Weak};

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::engine::{Inner, until_closed};
use crate::error::{Error, ErrorCode, Result};
use crate::machine::{Event, StopCause};

/// Runs until the engine is closed or forgotten.
pub(crate) async fn keep(engine: Weak<Inner>, mut closed: watch::Receiver<bool>) {
    let Some(lease) = engine.upgrade().map(|inner| inner.options.runs.lease()) else { return };
    let mut renewals = interval(lease / 3);
    renewals.set_missed_tick_behavior(MissedTickBehavior::Delay);
    renewals.reset();
    loop {
        tokio::select! {
            () = until_closed(&mut closed) => return,
            _ = renewals.tick() => {}
        }
        // Sooner than at the next tick, if it fails: others wait for a lease, and no longer.
        while let Some(inner) = engine.upgrade() {
            let renewed = renew(&inner).await;
            drop(inner);
            if renewed.is_ok() {
                break;
            }
            tokio::select! {
                () = until_closed(&mut closed) => return,
                () = sleep(lease / 12) => {}
            }
        }
        if engine.strong_count() == 0 {
            return;
        }
    }
}

/// Says that this process is awake, as long as the engine is open: so often that being busy is no sleep.
pub(crate) async fn stay_awake(engine: Weak<Inner>, mut closed: watch::Receiver<bool>) {
    while let Some(inner) = engine.upgrade() {
        inner.note_awake();
        let pause = inner.options.runs.lease() / 12;
        drop(inner);
        tokio::select! {
            () = until_closed(&mut closed) => return,
            () = sleep(pause) => {}
        }
    }
}

/// Renews the lease of every run of this process, and passes on what the store says of them.
pub(crate) async fn renew(inner: &Arc<Inner>) -> Result<()> {
    let (runs, lease) = (inner.registry.ids(), inner.options.runs.lease());
    if runs.is_empty() {
        return Ok(());
    }
    let answer = timeout(lease / 3, inner.store.renew_leases(&inner.owner, &runs, lease)).await;
    let renewal = match answer {
        Ok(Ok(renewal)) => renewal,
        Ok(Err(error)) => {
            inner.note_outage(&error);
            tracing::warn!(%error, "leases could not be renewed");
            return Err(error);
        }
        Err(_) => {
            let error = Error::new(ErrorCode::StoreUnavailable, "renewing leases took too long");
            inner.note_outage(&error);
            tracing::warn!(%error, "leases could not be renewed");
            return Err(error);
        }
    };
    for run_id in renewal.lost {
        inner.registry.tell_lost(run_id);
    }
    for (run_id, reason) in renewal.stop_requested {
        inner.registry.tell(run_id, Event::StopRequested(StopCause::noted(reason)));
    }
    Ok(())
}
