//! The runs that this process drives.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use crate::id::RunId;
use crate::machine::Event;

/// How the rest of the engine talks to a driver.
pub(super) type Control = mpsc::UnboundedSender<Event>;

#[derive(Default)]
pub(super) struct Registry {
    runs: Mutex<HashMap<RunId, Entry>>,
    count: watch::Sender<usize>,
}

struct Entry {
    control: Control,
    /// When the lease was last known to be good.
    renewed_at: Instant,
    /// When a process elsewhere last said that it follows the run.
    followed_at: Option<Instant>,
    /// It has ended, and those who wait for that are being told.
    ended: bool,
}

impl Registry {
    fn runs(&self) -> MutexGuard<'_, HashMap<RunId, Entry>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, run_id: RunId, control: Control, renewed_at: Instant) {
        let mut runs = self.runs();
        runs.insert(run_id, Entry { control, renewed_at, followed_at: None, ended: false });
        self.count.send_replace(runs.len());
    }

    /// Whoever knows of the run's end does not find it here any more; closing still waits until it is removed.
    pub(super) fn ended(&self, run_id: RunId) {
        if let Some(entry) = self.runs().get_mut(&run_id) {
            entry.ended = true;
        }
    }

    pub(super) fn remove(&self, run_id: RunId) {
        let mut runs = self.runs();
        runs.remove(&run_id);
        self.count.send_replace(runs.len());
    }

    pub(super) fn ids(&self) -> Vec<RunId> {
        self.runs().keys().copied().collect()
    }

    pub(super) fn has(&self, run_id: RunId) -> bool {
        self.runs().get(&run_id).is_some_and(|entry| !entry.ended)
    }

    /// Tells a driver; `false` when the run is not driven here (any more).
    pub(super) fn tell(&self, run_id: RunId, event: Event) -> bool {
        self.runs().get(&run_id).is_some_and(|entry| !entry.ended && entry.control.send(event).is_ok())
    }

    pub(super) fn tell_all(&self, event: &Event) {
        for entry in self.runs().values() {
            // A driver that has just ended does not listen any more, and need not.
            let _ = entry.control.send(event.clone());
        }
    }

    /// Somebody elsewhere wants to know what becomes of the run.
    pub(super) fn followed(&self, run_id: RunId) {
        if let Some(entry) = self.runs().get_mut(&run_id) {
            entry.followed_at = Some(Instant::now());
        }
    }

    /// Whether somebody elsewhere has said so within this time.
    pub(super) fn is_followed(&self, run_id: RunId, within: Duration) -> bool {
        let followed_at = self.runs().get(&run_id).and_then(|entry| entry.followed_at);
        followed_at.is_some_and(|at| at.elapsed() < within)
    }

    pub(super) fn renewed(&self, run_id: RunId, at: Instant) {
        if let Some(entry) = self.runs().get_mut(&run_id) {
            entry.renewed_at = entry.renewed_at.max(at);
        }
    }

    /// The runs whose lease was last good before `moment`.
    pub(super) fn not_renewed_since(&self, moment: Instant) -> Vec<RunId> {
        self.runs().iter().filter(|(_, entry)| entry.renewed_at <= moment).map(|(id, _)| *id).collect()
    }

    /// Waits until the run is not driven here any more, by whoever has lost it.
    pub(super) async fn until_gone(&self, run_id: RunId) {
        // Looked at outside of the watch, which others change while they have the runs.
        let mut count = self.count.subscribe();
        while self.runs().contains_key(&run_id) && count.changed().await.is_ok() {}
    }

    pub(super) async fn until_empty(&self) {
        // The sender is part of this registry, so waiting cannot fail.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }
}
