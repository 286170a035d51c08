//! Ends a run of a host's in its place, when the host does not.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::engine::Inner;
use crate::error::ErrorCode;
use crate::id::RunId;
use crate::machine::{Event, StopCause};
use crate::model::{RunReason, RunStatus};

use super::{HostedFinish, HostedState, RunSignal};

/// How often the end of a run whose host does not write it is attempted.
const SETTLE_WAIT: Duration = Duration::from_millis(500);

/// Passes on what the rest of the engine has to say to the run, and ends it when its host does not: in time after a stop,
/// at once when the engine closes, and after the silence that is allowed. Does not keep the engine.
pub(super) async fn watch(
    engine: Weak<Inner>,
    run_id: RunId,
    state: Arc<HostedState>,
    mut events: mpsc::UnboundedReceiver<Event>,
) {
    let Some(limits) = engine.upgrade().map(|inner| inner.options.runs) else { return };
    let silence = limits.hosted_silence_ms.map(Duration::from_millis);
    let mut heard = state.heard.subscribe();
    // When the run is to be ended for its host, and as what.
    let mut due: Option<(tokio::time::Instant, RunReason)> = None;
    loop {
        let silent_at = silence.map(|limit| tokio::time::Instant::from_std(*heard.borrow_and_update()) + limit);
        let event = tokio::select! {
            biased;
            event = events.recv() => match event {
                Some(event) => event,
                None => return,
            },
            () = until(due.map(|(at, _)| at)) => {
                let (Some((_, reason)), Some(inner)) = (due, engine.upgrade()) else { return };
                if inner.end_hosted(run_id, &state, reason).await {
                    return;
                }
                due = Some((tokio::time::Instant::now() + SETTLE_WAIT, reason));
                continue;
            }
            _ = heard.changed(), if silence.is_some() => continue,
            () = until(silent_at) => {
                state.signal(RunSignal::Stopped);
                due.get_or_insert((tokio::time::Instant::now(), RunReason::Timeout));
                heard.mark_unchanged();
                state.heard();
                continue;
            }
        };
        let now = tokio::time::Instant::now();
        let (signal, at, reason) = match event {
            // The grace for the host is over by now.
            Event::StopRequested(StopCause::Shutdown) => (RunSignal::Shutdown, now, RunReason::Shutdown),
            Event::StopRequested(StopCause::Superseded) => {
                (RunSignal::Superseded, now + limits.stop_deadline(), RunReason::Superseded)
            }
            Event::StopRequested(cause @ StopCause::Other(_)) => {
                (RunSignal::Stopped, now + limits.stop_deadline(), cause.reason())
            }
            Event::StopRequested(_) => (RunSignal::Stopped, now + limits.stop_deadline(), RunReason::Stopped),
            Event::LeaseLost => {
                let Some(inner) = engine.upgrade() else { return };
                return inner.leave_hosted(run_id, RunSignal::LeaseLost);
            }
            _ => continue,
        };
        state.signal(signal);
        due = match due {
            Some((earlier, reason)) if earlier <= at => Some((earlier, reason)),
            _ => Some((at, reason)),
        };
    }
}

async fn until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

impl Inner {
    /// Ends a run whose host does not. `false` when that is to be attempted again.
    async fn end_hosted(&self, run_id: RunId, state: &HostedState, reason: RunReason) -> bool {
        let end = HostedFinish {
            status: RunStatus::Aborted,
            reason: Some(reason),
            error: None,
            finish_reason: None,
            step: None,
        };
        match self.settle_hosted(run_id, state, end).await {
            Ok(()) => true,
            Err(error) if error.code() == ErrorCode::LeaseLost => true,
            Err(error) if reason == RunReason::Shutdown || error.is_lasting() => {
                tracing::warn!(%error, "a host's run could not be settled; a later sweep will");
                self.leave_hosted(run_id, RunSignal::LeaseLost);
                true
            }
            Err(error) => {
                tracing::warn!(%error, "a host's run could not be settled; that will be repeated");
                false
            }
        }
    }

    /// Ends a run whose host has forgotten it.
    pub(super) async fn abandon_hosted(&self, run_id: RunId) {
        let Some(state) = self.hosted.get(run_id) else { return };
        while !self.end_hosted(run_id, &state, RunReason::WorkerLost).await {
            tokio::time::sleep(SETTLE_WAIT).await;
            if self.ensure_not_closed().is_err() {
                return;
            }
        }
    }
}
