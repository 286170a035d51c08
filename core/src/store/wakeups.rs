//! Hints from process to process that there may be something new. They carry an id and nothing else, may be lost, and
//! save waiting: whatever they tell is in the database, where polls find it as well.

use serde::Serialize;
use tokio::sync::broadcast;

use crate::id::RunId;

/// What another process has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// There may be something new of this run: steps, chunks, an end, or a stop.
    Run(RunId),
    /// There may be something new of any run.
    Anything,
}

/// Whether hints arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum NotificationState {
    /// One of our own has arrived a moment ago.
    Live,
    /// They do not arrive; everything is found by polling.
    Polling,
    /// This store has none.
    None,
}

/// What is known of the hints of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotificationHealth {
    /// Whether they arrive.
    pub state: NotificationState,
    /// Notifications that this process has sent, each about any number of runs.
    pub sent: u64,
    /// Notifications of other processes that have arrived.
    pub heard: u64,
}

/// A store's way to tell other processes at once.
pub trait Wakeups: Send + Sync {
    /// Says that there may be something new of this run. Returns at once; many at a time are sent together.
    fn tell(&self, run_id: RunId);

    /// What other processes say from now on.
    fn listen(&self) -> broadcast::Receiver<Hint>;

    /// Whether what they say arrives.
    fn health(&self) -> NotificationHealth;
}
