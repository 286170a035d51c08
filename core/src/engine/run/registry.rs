//! The runs that this process drives.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use crate::id::RunId;
use crate::machine::Event;

/// How the rest of the engine talks to a driver.
pub(crate) type Control = mpsc::UnboundedSender<Event>;

#[derive(Default)]
pub(crate) struct Registry {
    runs: Mutex<HashMap<RunId, Entry>>,
    entries: AtomicU64,
    count: watch::Sender<usize>,
}

/// Tells one entry of a run from a later one of the same run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntryId(u64);

struct Entry {
    id: EntryId,
    control: Control,
    /// When a process elsewhere last said that it follows the run.
    followed_at: Option<Instant>,
    /// Its end is being written: that it is not active any more is no news then.
    settling: bool,
    /// It has ended, and those who wait for that are being told.
    ended: bool,
}

impl Registry {
    fn runs(&self) -> MutexGuard<'_, HashMap<RunId, Entry>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, run_id: RunId, control: Control) -> EntryId {
        let id = EntryId(self.entries.fetch_add(1, Ordering::Relaxed));
        let mut runs = self.runs();
        runs.insert(run_id, Entry { id, control, followed_at: None, settling: false, ended: false });
        self.count.send_replace(runs.len());
        id
    }

    /// Whoever knows of the run's end does not find it here any more; closing still waits until it is removed.
    pub(crate) fn ended(&self, run_id: RunId) {
        if let Some(entry) = self.runs().get_mut(&run_id) {
            entry.ended = true;
        }
    }

    pub(crate) fn remove(&self, run_id: RunId) {
        let mut runs = self.runs();
        runs.remove(&run_id);
        self.count.send_replace(runs.len());
    }

    /// Removes this entry, unless another has taken its place.
    pub(crate) fn remove_entry(&self, run_id: RunId, id: EntryId) {
        let mut runs = self.runs();
        if runs.get(&run_id).is_some_and(|entry| entry.id == id) {
            runs.remove(&run_id);
        }
        self.count.send_replace(runs.len());
    }

    pub(crate) fn ids(&self) -> Vec<RunId> {
        self.runs().keys().copied().collect()
    }

    /// How many runs are driven here and have not ended.
    pub(crate) fn active(&self) -> usize {
        self.runs().values().filter(|entry| !entry.ended).count()
    }

    pub(crate) fn has(&self, run_id: RunId) -> bool {
        self.runs().get(&run_id).is_some_and(|entry| !entry.ended)
    }

    /// The run's end is being written, or is not any more.
    pub(crate) fn settling(&self, run_id: RunId, settling: bool) {
        if let Some(entry) = self.runs().get_mut(&run_id) {
            entry.settling = settling;
        }
    }

    /// Tells a driver that the store does not name it as the owner of an active run any more. One that is writing the
    /// run's end is the reason for that itself, or is told by its own write.
    pub(crate) fn tell_lost(&self, run_id: RunId) {
        if let Some(entry) = self.runs().get(&run_id).filter(|entry| !entry.ended && !entry.settling) {
            let _ = entry.control.send(Event::LeaseLost);
        }
    }

    /// Tells a driver; `false` when the run is not driven here (any more).
    pub(crate) fn tell(&self, run_id: RunId, event: Event) -> bool {
        self.runs().get(&run_id).is_some_and(|entry| !entry.ended && entry.control.send(event).is_ok())
    }

    pub(crate) fn tell_all(&self, event: &Event) {
        for entry in self.runs().values() {
            // A driver that has just ended does not listen any more, and need not.
            let _ = entry.control.send(event.clone());
        }
    }

    /// Somebody elsewhere wants to know what becomes of the run.
    pub(crate) fn followed(&self, run_id: RunId) {
        if let Some(entry) = self.runs().get_mut(&run_id) {
            entry.followed_at = Some(Instant::now());
        }
    }

    /// Whether somebody elsewhere has said so within this time.
    pub(crate) fn is_followed(&self, run_id: RunId, within: Duration) -> bool {
        let followed_at = self.runs().get(&run_id).and_then(|entry| entry.followed_at);
        followed_at.is_some_and(|at| at.elapsed() < within)
    }

    /// Waits until the run is not driven here any more, by whoever has lost it.
    pub(crate) async fn until_gone(&self, run_id: RunId) {
        // Looked at outside of the watch, which others change while they have the runs.
        let mut count = self.count.subscribe();
        while self.runs().contains_key(&run_id) && count.changed().await.is_ok() {}
    }

    pub(crate) async fn until_empty(&self) {
        // The sender is part of this registry, so waiting cannot fail.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_has_gone_does_not_take_the_next_one_with_it() {
        let (registry, run_id) = (Registry::default(), RunId::generate());
        let (control, _events) = mpsc::unbounded_channel();
        let first = registry.add(run_id, control.clone());
        registry.remove(run_id);
        let second = registry.add(run_id, control);
        registry.remove_entry(run_id, first);
        assert!(registry.has(run_id));
        registry.remove_entry(run_id, second);
        assert!(!registry.has(run_id));
    }
}
