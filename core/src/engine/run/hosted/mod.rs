//! Runs of hosts that keep their own agent loop: the gate, the log, leases, stops and the end, without the loop.

mod begin;
mod steering;
mod unattended;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use serde::Serialize;
use tokio::sync::{Mutex, watch};

use crate::engine::options::RunLimits;
use crate::engine::service::requests::name_after_first_turn;
use crate::engine::{Engine, Inner, Who};
use crate::error::{Error, ErrorCode, Result};
use crate::id::RunId;
use crate::log::journal::{Journal, Rows, Settlement};
use crate::model::{FinishReason, RunReason, RunStatus, Usage};
use crate::store::Fence;
use crate::text::{one_line, storable};

pub use crate::project::HostedStep;
pub use begin::{HostedRequest, HostedRun};

/// How a host's run ends.
#[derive(Clone, Debug)]
pub struct HostedFinish {
    /// `succeeded`, `failed` or `aborted`.
    pub status: RunStatus,
    /// Why it did not succeed; `stopped` and `internal` unless given.
    pub reason: Option<RunReason>,
    /// The error in one line, of a run that failed.
    pub error: Option<String>,
    /// The last step's finish reason, unless that step said it.
    pub finish_reason: Option<FinishReason>,
    /// A last step, or what there was of it, to be written together with the end.
    pub step: Option<HostedStep>,
}

/// Why a host is to end its loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunSignal {
    /// Somebody asked the run to stop: cancel what is under way and finish it as `aborted`.
    Stopped,
    /// Another run is to take its place: as `Stopped`.
    Superseded,
    /// The engine is closing. The run is settled without the host.
    Shutdown,
    /// The run is another process's; nothing more can be written.
    LeaseLost,
    /// The run has ended.
    Settled,
}

/// The runs of hosts in this process.
#[derive(Default)]
pub(crate) struct Hosted {
    runs: std::sync::Mutex<HashMap<RunId, Arc<HostedState>>>,
}

struct HostedState {
    journal: Mutex<Writing>,
    signal: watch::Sender<Option<RunSignal>>,
    /// When the host's loop last recorded something.
    heard: watch::Sender<Instant>,
    /// Changes with whatever a host does for the run.
    cared: watch::Sender<()>,
}

impl HostedState {
    fn new(fence: Fence, runs: &RunLimits) -> Self {
        let rows = Rows::new(runs.lease(), runs.refresh_every_step);
        Self {
            journal: Mutex::new(Writing { journal: Journal::new(fence, None), rows }),
            signal: watch::Sender::new(None),
            heard: watch::Sender::new(Instant::now()),
            cared: watch::Sender::new(()),
        }
    }

    fn heard(&self) {
        self.heard.send_replace(Instant::now());
    }

    /// The first signal is the one that counts.
    fn signal(&self, signal: RunSignal) {
        self.signal.send_if_modified(|known| {
            let news = known.is_none();
            if news {
                *known = Some(signal);
            }
            news
        });
    }
}

struct Writing {
    journal: Journal,
    rows: Rows,
}

impl Writing {
    /// The number of the step that comes next.
    fn next_number(&self) -> u32 {
        u32::try_from(self.journal.steps().len()).unwrap_or(u32::MAX)
    }
}

impl Hosted {
    fn get(&self, run_id: RunId) -> Option<Arc<HostedState>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).get(&run_id).cloned()
    }

    fn insert(&self, run_id: RunId, state: Arc<HostedState>) {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).insert(run_id, state);
    }

    fn ids(&self) -> Vec<RunId> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    fn remove(&self, run_id: RunId) -> Option<Arc<HostedState>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).remove(&run_id)
    }
}

impl Engine {
    /// Begins a run that the host drives by [`Engine::record_step`] and [`Engine::finish_run`]. Its lease is renewed
    /// while this engine is open.
    ///
    /// # Errors
    /// As [`Engine::start_turn`], without those of the provider.
    pub async fn begin_run(&self, request: HostedRequest) -> Result<HostedRun> {
        // In a task of its own: a caller that goes away half-way must not leave a run that nobody knows of.
        let begun = self.inner.runtime.spawn(begin::begin(Arc::clone(&self.inner), request));
        begun.await.unwrap_or_else(|_| Err(Error::internal("beginning the run was interrupted")))
    }

    /// Puts a finished step of the host's loop on disk. Returns its number once it is there.
    ///
    /// # Errors
    /// `INVALID_INPUT` with the field's path, `LEASE_LOST` when the run has ended or is another process's,
    /// `STORE_UNAVAILABLE` (the step may be recorded again), and those of [`Engine::run`].
    pub async fn record_step(&self, who: &Who, run_id: RunId, step: HostedStep) -> Result<u32> {
        let state = self.hosted(who, run_id).await?;
        let inner = Arc::clone(&self.inner);
        // In a task of its own: what is on its way to the disk has to be accounted for, whoever waits for it.
        let recorded = self.inner.runtime.spawn(async move { inner.record_hosted(run_id, &state, step).await });
        recorded.await.unwrap_or_else(|_| Err(Error::internal("recording the step was interrupted")))
    }

    /// Ends the host's run. Ending it again the same way changes nothing.
    ///
    /// # Errors
    /// As [`Engine::record_step`].
    pub async fn finish_run(&self, who: &Who, run_id: RunId, finish: HostedFinish) -> Result<()> {
        if finish.status.is_active() {
            return Err(Error::invalid("status", "must be succeeded, failed or aborted"));
        }
        let state = match self.hosted(who, run_id).await {
            Ok(state) => state,
            // The answer to an earlier attempt may have been lost on its way.
            Err(error) if error.code() == ErrorCode::LeaseLost => {
                let run = self.run(who, run_id).await?;
                return if run.status == finish.status { Ok(()) } else { Err(error) };
            }
            Err(error) => return Err(error),
        };
        let reason = match (finish.status, finish.reason) {
            (RunStatus::Succeeded, _) => None,
            (RunStatus::Failed, None) => Some(RunReason::Internal),
            (_, None) => Some(match *state.signal.borrow() {
                Some(RunSignal::Superseded) => RunReason::Superseded,
                Some(RunSignal::Shutdown) => RunReason::Shutdown,
                _ => RunReason::Stopped,
            }),
            (_, given) => given,
        };
        let error = finish.error.as_deref().filter(|_| finish.status == RunStatus::Failed);
        let error = error.map(|error| storable(one_line(error))).filter(|error| !error.is_empty());
        let end = HostedFinish { reason, error, ..finish };
        let (inner, succeeded) = (Arc::clone(&self.inner), end.status == RunStatus::Succeeded);
        let settled = self.inner.runtime.spawn(async move { inner.settle_hosted(run_id, &state, end).await });
        settled.await.unwrap_or_else(|_| Err(Error::internal("ending the run was interrupted")))?;
        if succeeded && let Some(run) = self.inner.store.run(run_id).await? {
            let inner = Arc::clone(&self.inner);
            let name = async move { name_after_first_turn(&inner, &run.workspace_id, run.chat_id).await };
            self.inner.runtime.spawn(name);
        }
        Ok(())
    }

    /// Gives up a run whose host has forgotten it, such as a handle that nobody holds any more: it is settled as
    /// `worker_lost`. Does nothing for a run that has ended, or that this engine has not begun for a host.
    pub fn abandon_run(&self, run_id: RunId) {
        let inner = Arc::clone(&self.inner);
        if inner.hosted.get(run_id).is_some() {
            self.inner.runtime.spawn(async move { inner.abandon_hosted(run_id).await });
        }
    }

    /// The same unless a host cares for the run after all within `runs.stopDeadlineMs`: records a step, ends it, or waits
    /// for its signal. For handles that are gone of runs that may be driven by their ids.
    pub fn abandon_run_unless_driven(&self, run_id: RunId) {
        let Some(state) = self.inner.hosted.get(run_id) else { return };
        let (engine, within) = (Arc::downgrade(&self.inner), self.inner.options.runs.stop_deadline());
        let mut cared = state.cared.subscribe();
        drop(state);
        self.inner.runtime.spawn(async move {
            if tokio::time::timeout(within, cared.changed()).await.is_err()
                && let Some(inner) = engine.upgrade()
            {
                inner.abandon_hosted(run_id).await;
            }
        });
    }

    /// Gives up all runs that this engine has begun for hosts, as [`Engine::abandon_run`], because whoever could have
    /// driven them is gone.
    pub fn abandon_runs(&self) {
        for run_id in self.inner.hosted.ids() {
            self.abandon_run(run_id);
        }
    }

    /// Waits until the host is to end its loop, and says why. Returns at once when it was to already.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn run_signal(&self, who: &Who, run_id: RunId) -> Result<RunSignal> {
        // Looked for first: a run that is not a host's any more has ended on disk before.
        let state = self.inner.hosted.get(run_id);
        let run = self.run(who, run_id).await?;
        let Some(state) = state else {
            return Ok(if run.status.is_active() { RunSignal::LeaseLost } else { RunSignal::Settled });
        };
        state.cared.send_replace(());
        let mut signal = state.signal.subscribe();
        let seen = signal.wait_for(Option::is_some).await.map(|seen| *seen);
        Ok(seen.ok().flatten().unwrap_or(RunSignal::Settled))
    }

    async fn hosted(&self, who: &Who, run_id: RunId) -> Result<Arc<HostedState>> {
        self.inner.ensure_not_closed()?;
        self.run(who, run_id).await?;
        let state = self.inner.hosted.get(run_id).ok_or_else(crate::store::lease_lost)?;
        state.cared.send_replace(());
        Ok(state)
    }
}

impl Inner {
    async fn record_hosted(&self, run_id: RunId, state: &HostedState, step: HostedStep) -> Result<u32> {
        let mut writing = state.journal.lock().await;
        let number = writing.next_number();
        match step.number {
            Some(given) if given < number => return Ok(given),
            Some(given) if given > number => {
                return Err(Error::invalid("step.number", format!("must be {number}: steps follow each other")));
            }
            _ => {}
        }
        let step = step.into_record(number, self.options.runs.shown_output_bytes)?;
        let step = writing.with_heard(Some(step.clone())).unwrap_or(step);
        state.heard();
        let due = writing.rows.due(Instant::now());
        let record = writing.journal.record_step(step, due);
        let written = self.store.record_step(record).await.map(|_| ());
        match &written {
            Ok(()) => writing.journal.step_persisted(),
            Err(_) => writing.journal.step_refused(),
        }
        drop(writing);
        match written {
            Ok(()) => {
                self.changed(run_id);
                Ok(number)
            }
            Err(error) => {
                if error.code() == ErrorCode::LeaseLost {
                    self.leave_hosted(run_id, RunSignal::LeaseLost);
                }
                Err(error)
            }
        }
    }

    async fn settle_hosted(&self, run_id: RunId, state: &HostedState, end: HostedFinish) -> Result<()> {
        let HostedFinish { status, reason, error, finish_reason, step } = end;
        let mut writing = state.journal.lock().await;
        let number = writing.next_number();
        let shown = self.options.runs.shown_output_bytes;
        let step = writing.with_heard(step.map(|step| step.into_record(number, shown)).transpose()?);
        let steps = writing.journal.steps().iter().chain(&step);
        let usage = steps.clone().fold(None, |sum, step| Usage::accumulate(sum, step.usage));
        let last = steps.last();
        let finish_reason = match status {
            RunStatus::Failed => Some(FinishReason::Error),
            _ => finish_reason.or_else(|| last.and_then(|step| step.finish_reason)),
        };
        let context_tokens = last.and_then(|step| step.usage?.context_tokens());
        let settlement = Settlement {
            status,
            reason,
            error,
            failure: None,
            finish_reason,
            step,
            usage,
            context_tokens,
            unless_steered: false,
        };
        let settle = writing.journal.settle(&settlement);
        self.registry.settling(run_id, true);
        let settled = self.store.settle_run(settle).await.map(|_| ());
        if settled.is_err() {
            self.registry.settling(run_id, false);
            writing.journal.settlement_refused();
        }
        drop(writing);
        match &settled {
            Ok(()) => self.leave_hosted(run_id, RunSignal::Settled),
            Err(error) if error.code() == ErrorCode::LeaseLost => self.leave_hosted(run_id, RunSignal::LeaseLost),
            Err(_) => {}
        }
        settled
    }

    fn leave_hosted(&self, run_id: RunId, signal: RunSignal) {
        if let Some(state) = self.hosted.remove(run_id) {
            state.signal.send_replace(Some(signal));
        }
        self.registry.remove(run_id);
        self.changed(run_id);
        self.chat_freed();
    }
}
