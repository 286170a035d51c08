//! The writes of a run's owner: one at a time and in their order, each attempted again while the store is out of reach.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorCode, Result};
use crate::model::{Steering, StepRecord};
use crate::store::{
    ChunkPack, EnterSteering, Fence, LeaseStore, LogStore, RecordStep, RunStore, SettleRun, SteerStore, SuspendRun,
    WaitStore,
};

/// A write of a run's owner.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    /// What has streamed of the step in progress.
    Pack(ChunkPack),
    /// Calls that are about to be made.
    Intent(StepRecord),
    /// A finished step.
    Step(RecordStep),
    /// The run's end.
    Settle(SettleRun),
    /// The run's end without what could not be written of it.
    Fail(&'static str),
    /// The run begins to wait for somebody's answer.
    Suspend(SuspendRun),
    /// Messages that wait for the run enter before its next step.
    Enter(EnterSteering),
    /// The run is given up, for others to go on with.
    Release,
}

/// What a store says to a write that it has carried out.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Told {
    /// Messages wait for the run; its end was not written because of them.
    pub(crate) steered: bool,
    /// The messages that have entered.
    pub(crate) entered: Vec<Steering>,
}

impl Write {
    /// Attempts it once.
    pub(crate) async fn attempt<S>(&self, store: &S, fence: &Fence) -> Result<Told>
    where
        S: RunStore + LogStore + LeaseStore + WaitStore + SteerStore + ?Sized,
    {
        match self {
            Write::Pack(pack) => store.append_pack(fence, pack).await?,
            Write::Intent(step) => store.record_intent(fence, step).await?,
            Write::Step(record) => {
                return store.record_step(record.clone()).await.map(|steered| Told { steered, ..Told::default() });
            }
            Write::Settle(settle) => {
                let settled = store.settle_run(settle.clone()).await?;
                return Ok(Told { steered: !settled, ..Told::default() });
            }
            Write::Fail(error) => store.fail_run(fence, error).await?,
            Write::Suspend(suspend) => {
                let waits = suspend.waits.clone().from(store.time().await?);
                store.suspend_run(SuspendRun { waits, ..suspend.clone() }).await?;
            }
            Write::Release => store.release_run(fence).await?,
            Write::Enter(enter) => {
                let entered = store.enter_steering(enter.clone()).await?;
                return Ok(Told { steered: false, entered });
            }
        }
        Ok(Told::default())
    }
}

/// The first wait before something is attempted again; it doubles up to [`MAX_RETRY_WAIT`].
const RETRY_WAIT: Duration = Duration::from_millis(50);
/// The longest wait between attempts.
const MAX_RETRY_WAIT: Duration = Duration::from_secs(5);

/// How long to wait before each next attempt.
#[derive(Debug)]
pub(crate) struct Waits(Duration);

impl Default for Waits {
    fn default() -> Self {
        Self(RETRY_WAIT)
    }
}

impl Waits {
    /// The wait before the next attempt.
    pub(crate) fn next(&mut self) -> Duration {
        let doubled = (self.0 * 2).min(MAX_RETRY_WAIT);
        std::mem::replace(&mut self.0, doubled)
    }
}

/// The attempts of one write: a store that is out of reach is asked again for as long as there is patience.
#[derive(Debug)]
pub(crate) struct Attempts {
    until: Option<Instant>,
    waits: Waits,
}

impl Attempts {
    /// The first one is made `now`.
    pub(crate) fn new(patience: Duration, now: Instant) -> Self {
        Self { until: now.checked_add(patience), waits: Waits::default() }
    }

    /// When it is attempted again after this error; never when the store has answered for good, or patience is over.
    pub(crate) fn again_at(&mut self, error: &Error, now: Instant) -> Option<Instant> {
        let passes = error.code() == ErrorCode::StoreUnavailable && !error.is_lasting();
        if !passes || self.until.is_some_and(|until| now >= until) {
            if error.code() != ErrorCode::LeaseLost {
                tracing::error!(%error, "a write was refused");
            }
            return None;
        }
        tracing::warn!(%error, "a write failed and will be attempted again");
        Some(now + self.waits.next())
    }
}

/// The writes that are not on disk yet, the first of which is under way or is to be attempted again.
#[derive(Debug)]
pub(super) struct Writes {
    patience: Duration,
    queue: VecDeque<Arc<Write>>,
    /// Those of the first one, once it was attempted.
    attempts: Option<Attempts>,
    /// When the first one is attempted again; it is under way otherwise.
    again_at: Option<Instant>,
}

impl Writes {
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, queue: VecDeque::new(), attempts: None, again_at: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn is_packing(&self) -> bool {
        self.queue.front().is_some_and(|write| matches!(**write, Write::Pack(_)))
    }

    /// For a rule that is broken on purpose: the last one is attempted first, if none is under way.
    pub(super) fn turn_round(&mut self) {
        if self.again_at.is_some()
            && let Some(last) = self.queue.pop_back()
        {
            (self.attempts, self.again_at) = (None, None);
            self.queue.push_front(last);
        }
    }

    /// It is attempted once all others are on disk.
    pub(super) fn add(&mut self, write: Write) {
        debug_assert!(
            self.queue.iter().all(|earlier| matches!(**earlier, Write::Pack(_))),
            "only packs are waited for"
        );
        self.queue.push_back(Arc::new(write));
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
        (self.attempts, self.again_at) = (None, None);
    }

    /// The write that is to be attempted now.
    pub(super) fn next(&mut self, now: Instant) -> Option<Arc<Write>> {
        let first = self.queue.front()?;
        match (&self.attempts, self.again_at) {
            (None, _) => self.attempts = Some(Attempts::new(self.patience, now)),
            (Some(_), Some(at)) if at <= now => self.again_at = None,
            _ => return None,
        }
        Some(Arc::clone(first))
    }

    /// When the first one is attempted again, if it waits for that.
    pub(super) fn again_at(&self) -> Option<Instant> {
        self.again_at
    }

    /// The store has answered the write that was under way. Returns the write once this is over: with an error when it is
    /// not on disk and never will be.
    pub(super) fn answered(&mut self, answer: Result<Told>, now: Instant) -> Option<(Arc<Write>, Result<Told>)> {
        if let Err(error) = &answer {
            self.again_at = self.attempts.as_mut()?.again_at(error, now);
            if self.again_at.is_some() {
                return None;
            }
        }
        self.attempts = None;
        Some((self.queue.pop_front()?, answer))
    }
}
