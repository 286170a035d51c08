//! Following a log at its end: one follower for all readers of a run in this process.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::engine::Inner;
use crate::error::ErrorCode;
use crate::id::RunId;
use crate::log::reader::{LogReader, Reached};
use crate::log::{Cursor, TailEnd, TailItem};

/// How much of what was added last is kept in memory for all readers of a run together.
const RING_BYTES: usize = 256 * 1024;
/// How often the log of a run of this process is looked at without having been told to.
const OWN_POLL: Duration = Duration::from_secs(2);
/// The same for a run of another process of which we are told.
const HEARING_POLL: Duration = Duration::from_secs(1);
/// How often a follower tells the process which drives the run that it is there.
pub(crate) const FOLLOWING_AGAIN: Duration = Duration::from_secs(5);
/// The wait after a store that is out of reach.
pub(super) const RETRY_WAIT: Duration = Duration::from_millis(250);

/// The runs of which somebody in this process follows the log.
#[derive(Default)]
pub(crate) struct Tails {
    followers: Mutex<HashMap<RunId, Weak<Follower>>>,
}

/// Follows one log for all of its readers in this process.
pub(crate) struct Follower {
    ring: Mutex<Ring>,
    pub(super) progress: watch::Sender<Progress>,
    /// Changes when there may be something new.
    wakes: watch::Sender<u64>,
}

struct Ring {
    /// The number of the first chunk that is kept.
    first: u64,
    chunks: VecDeque<Arc<str>>,
    bytes: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Progress {
    /// The number of the chunk that comes next.
    pub(super) next: u64,
    pub(super) end: Option<TailEnd>,
    /// Readers are on their own again.
    pub(super) given_up: bool,
}

impl Tails {
    /// There may be something new in the log of this run.
    pub(crate) fn wake(&self, run_id: RunId) {
        let followers = self.followers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(follower) = followers.get(&run_id).and_then(Weak::upgrade) {
            follower.wakes.send_modify(|wakes| *wakes = wakes.wrapping_add(1));
        }
    }

    /// There may be something new in any log.
    pub(crate) fn wake_all(&self) {
        let followers = self.followers.lock().unwrap_or_else(PoisonError::into_inner);
        for follower in followers.values().filter_map(Weak::upgrade) {
            follower.wakes.send_modify(|wakes| *wakes = wakes.wrapping_add(1));
        }
    }

    /// The follower of this run, which begins where `reader` is if there is none.
    pub(super) fn join(inner: &Arc<Inner>, run_id: RunId, reader: &LogReader) -> Arc<Follower> {
        let mut followers = inner.tails.followers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(follower) = followers.get(&run_id).and_then(Weak::upgrade) {
            return follower;
        }
        followers.retain(|_, follower| follower.strong_count() > 0);
        let follower = Arc::new(Follower {
            ring: Mutex::new(Ring { first: reader.next(), chunks: VecDeque::new(), bytes: 0 }),
            progress: watch::Sender::new(Progress { next: reader.next(), end: None, given_up: false }),
            wakes: watch::Sender::new(0),
        });
        followers.insert(run_id, Arc::downgrade(&follower));
        let reader = reader.wanting_all();
        inner.runtime.spawn(follow(Arc::clone(inner), run_id, reader, Arc::downgrade(&follower)));
        follower
    }
}

/// Reads on until the run is over or nobody follows it any more.
async fn follow(inner: Arc<Inner>, run_id: RunId, mut reader: LogReader, follower: Weak<Follower>) {
    let elsewhere = Duration::from_millis(inner.options.runs.tail_poll_ms);
    let mut wakes = match follower.upgrade() {
        Some(follower) => follower.wakes.subscribe(),
        None => return,
    };
    let mut closed = inner.closed.subscribe();
    let mut told_at = None::<Instant>;
    loop {
        if told_at.is_none_or(|at| at.elapsed() >= FOLLOWING_AGAIN) && !inner.registry.has(run_id) {
            told_at = Some(Instant::now());
            inner.tell_others(run_id);
        }
        wakes.mark_unchanged();
        let read = inner.store.read_log(run_id, reader.wants()).await;
        let Some(follower) = follower.upgrade() else { return };
        let mut items = Vec::new();
        let reached = match read {
            Ok(Some(page)) => Some(reader.feed(page, &mut items)),
            Err(error) if error.code() == ErrorCode::StoreUnavailable => None,
            // Its readers will ask the store themselves, and be told.
            Ok(None) | Err(_) => return follower.stop_following(),
        };
        if reader.begins_anew() {
            return follower.stop_following();
        }
        follower.add(items);
        let wait = match reached {
            Some(Reached::More) => continue,
            Some(Reached::End(end)) => {
                follower.progress.send_modify(|progress| progress.end = Some(end));
                return;
            }
            Some(Reached::Present | Reached::Nothing) if inner.registry.has(run_id) => OWN_POLL,
            // Somebody says so when there is more; the poll is for what is said and lost.
            Some(Reached::Present | Reached::Nothing) if inner.hears() => elsewhere.max(HEARING_POLL),
            Some(Reached::Present | Reached::Nothing) => elsewhere,
            None => RETRY_WAIT,
        };
        drop(follower);
        tokio::select! {
            _ = tokio::time::timeout(wait, wakes.changed()) => {}
            _ = closed.wait_for(|closed| *closed) => {}
        }
    }
}

impl Follower {
    fn stop_following(&self) {
        self.progress.send_modify(|progress| progress.given_up = true);
    }

    fn add(&self, items: Vec<TailItem>) {
        if items.is_empty() {
            return;
        }
        let next = {
            let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
            for item in items {
                ring.bytes += item.chunk.len();
                ring.chunks.push_back(item.chunk);
            }
            // What was added just now is kept at any rate.
            while ring.bytes > RING_BYTES && ring.chunks.len() > 1 {
                if let Some(oldest) = ring.chunks.pop_front() {
                    ring.bytes -= oldest.len();
                    ring.first += 1;
                }
            }
            ring.first + ring.chunks.len() as u64
        };
        self.progress.send_modify(|progress| progress.next = next);
    }

    /// At most `limit` chunks from `next` on; `None` when they are not kept any more.
    pub(super) fn read(&self, next: u64, limit: usize) -> Option<Vec<TailItem>> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let place = usize::try_from(next.checked_sub(ring.first)?).ok()?;
        let chunks = ring.chunks.iter().skip(place).take(limit);
        Some(
            (next..)
                .zip(chunks)
                .map(|(sequence, chunk)| TailItem {
                    cursor: Cursor { sequence, ..Cursor::default() },
                    chunk: Arc::clone(chunk),
                    resync: false,
                })
                .collect(),
        )
    }
}
