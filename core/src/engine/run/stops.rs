//! Stops: hearing those of other processes, and seeing through those of this one.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{broadcast, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::engine::{Inner, until_closed};
use crate::error::Result;
use crate::id::RunId;
use crate::machine::{Event, StopCause};
use crate::model::{RunReason, RunStatus};
use crate::store::Hint;

use super::sweep;

/// How often a run that was asked to stop is looked at while its owner's lease may run out.
const LOOKS_IN_A_LEASE: u32 = 60;
/// It is looked at no more often than this.
const SHORTEST_LOOK: Duration = Duration::from_millis(20);

/// Looks for stops that other processes have noted, until the engine is closed or forgotten.
pub(crate) async fn poll(engine: Weak<Inner>, mut closed: watch::Receiver<bool>) {
    let Some(period) = engine.upgrade().map(|inner| Duration::from_millis(inner.options.runs.stop_poll_ms)) else {
        return;
    };
    let mut polls = interval(period);
    polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
    polls.reset();
    loop {
        tokio::select! {
            () = until_closed(&mut closed) => return,
            _ = polls.tick() => {}
        }
        let Some(inner) = engine.upgrade() else { return };
        hear(&inner, &inner.registry.ids()).await;
    }
}

/// Passes on what other processes say, until the engine is closed or forgotten.
pub(crate) async fn listen(
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
        hear(&inner, &stops).await;
    }
}

async fn hear(inner: &Arc<Inner>, runs: &[RunId]) {
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

/// Asks the run to stop, wherever it is driven, and notes it in the store. `false` when it has settled already.
pub(crate) async fn stop(inner: &Arc<Inner>, run_id: RunId, reason: RunReason) -> Result<bool> {
    // First here, if the run is of this process, and then for those who may have to know of it later. By then it may
    // have settled because of it.
    let told = inner.registry.tell(run_id, Event::StopRequested(StopCause::noted(reason)));
    let noted = inner.store.request_stop(run_id, reason).await?;
    inner.changed(run_id);
    if noted && !told && is_waiting(inner, run_id).await {
        // It is nobody's, so nobody has to be waited for.
        sweep::sweep_stopped(inner, run_id).await?;
    } else if noted && !told && inner.stops.add(run_id) {
        inner.runtime.spawn(see_through(Arc::downgrade(inner), run_id));
    }
    Ok(noted || told)
}

async fn is_waiting(inner: &Arc<Inner>, run_id: RunId) -> bool {
    let run = inner.store.run(run_id).await;
    run.is_ok_and(|run| run.is_some_and(|run| run.status == RunStatus::Waiting))
}

/// Where a stop is noted whose run has not begun.
pub(crate) struct StopNote {
    pub(crate) workspace_id: String,
    pub(crate) user_id: String,
    pub(crate) key: String,
}

/// How often it is asked whether a stop was noted, and how long it is waited in between: the store has just taken the run.
const NOTE_TRIES: u32 = 50;
const NOTE_WAIT: Duration = Duration::from_millis(100);

/// Stops a run that was stopped before it began. To be awaited after it was written, because whoever stops it from then on
/// finds it there, and before anything is done for it.
pub(crate) async fn stop_if_noted(inner: &Arc<Inner>, note: Option<StopNote>, run_id: RunId) {
    let Some(StopNote { workspace_id, user_id, key }) = note else { return };
    for _ in 0..NOTE_TRIES {
        let looked = async {
            match inner.store.is_stop_noted(&workspace_id, &user_id, &key).await? {
                true => stop(inner, run_id, RunReason::Stopped).await.map(|_| ()),
                false => Ok(()),
            }
        };
        match looked.await {
            Ok(()) => return,
            Err(error) if inner.ensure_not_closed().is_err() => {
                tracing::debug!(%error, "the engine was closed before a stop was looked for");
                return;
            }
            Err(error) => tracing::warn!(%error, %run_id, "a stop could not be looked for; that will be repeated"),
        }
        sleep(NOTE_WAIT).await;
    }
}

/// The runs of other processes that this one has asked to stop and looks after: one watcher each, however often it asks.
#[derive(Default)]
pub(crate) struct Stops {
    watched: Mutex<HashSet<RunId>>,
}

impl Stops {
    fn add(&self, run_id: RunId) -> bool {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).insert(run_id)
    }

    fn remove(&self, run_id: RunId) {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).remove(&run_id);
    }
}

/// Looks after a run that was asked to stop and is driven elsewhere: if its owner is dead, it is settled as soon as the
/// lease has run out, and not at the next sweep after that.
async fn see_through(engine: Weak<Inner>, run_id: RunId) {
    let Some(lease) = engine.upgrade().map(|inner| inner.options.runs.lease()) else { return };
    let (begun, look) = (Instant::now(), (lease / LOOKS_IN_A_LEASE).max(SHORTEST_LOOK));
    while begun.elapsed() < 4 * lease {
        let Some(mut news) = engine.upgrade().map(|inner| inner.news.subscribe()) else { return };
        tokio::select! {
            () = sleep(look) => {}
            // At most as often as without being told.
            _ = async { tokio::join!(news.changed(), sleep(SHORTEST_LOOK)) } => {}
        }
        let Some(inner) = engine.upgrade() else { return };
        if inner.ensure_not_closed().is_err() {
            break;
        }
        match inner.store.run(run_id).await {
            Ok(Some(run)) if run.status.is_active() => {}
            Ok(_) => break,
            Err(_) => continue,
        }
        if let Err(error) = sweep::sweep_stopped(&inner, run_id).await {
            tracing::warn!(%error, "a run that was asked to stop could not be looked at; that will be repeated");
        }
    }
    if let Some(inner) = engine.upgrade() {
        inner.stops.remove(run_id);
    }
}
