//! Messages that join a host's run. The host takes them between two steps of its loop, and they are the first parts of the
//! step that it records next.

use std::sync::Arc;

use crate::engine::{Engine, Inner, Who};
use crate::error::{Error, ErrorCode, Result};
use crate::id::RunId;
use crate::model::{Json, Part, Steering, StepRecord, steering_parts};

use super::{HostedState, RunSignal, Writing};

impl Engine {
    /// Lets the messages that wait for a host's run enter before its next step, for the host to tell its model. They are in
    /// the run's log then. Taking again before the step is recorded gives the same ones.
    ///
    /// # Errors
    /// As [`Engine::record_step`].
    pub async fn take_steering(&self, who: &Who, run_id: RunId) -> Result<Vec<Steering>> {
        let state = self.hosted(who, run_id).await?;
        let inner = Arc::clone(&self.inner);
        // In a task of its own: what is on its way to the disk has to be accounted for, whoever waits for it.
        let taken = self.inner.runtime.spawn(async move { inner.enter_hosted(run_id, &state).await });
        taken.await.unwrap_or_else(|_| Err(Error::internal("taking messages was interrupted")))
    }
}

impl Inner {
    async fn enter_hosted(&self, run_id: RunId, state: &HostedState) -> Result<Vec<Steering>> {
        let mut writing = state.journal.lock().await;
        state.heard();
        let has_entered = !writing.journal.heard().is_empty();
        let entered = self.store.enter_steering(writing.journal.enter()).await;
        match &entered {
            Ok(entered) if !has_entered && !entered.is_empty() => {
                writing.journal.entered(entered);
                self.changed(run_id);
            }
            Ok(_) => {}
            Err(error) if error.code() == ErrorCode::LeaseLost => self.leave_hosted(run_id, RunSignal::LeaseLost),
            Err(_) => {}
        }
        entered
    }
}

/// The text of a message that has joined a run.
fn said(part: &Json) -> Option<String> {
    let text: String = steering_parts(part)?.iter().filter_map(Part::as_text).collect();
    (!text.is_empty()).then_some(text)
}

impl Writing {
    /// The step with the messages that have entered before it. A run that ends without one keeps them in one of their own.
    pub(super) fn with_heard(&self, step: Option<StepRecord>) -> Option<StepRecord> {
        let heard = self.journal.heard();
        if heard.is_empty() {
            return step;
        }
        let mut step = step.unwrap_or_else(|| StepRecord {
            number: self.next_number(),
            parts: vec![Part::StepStart],
            finish_reason: None,
            usage: None,
        });
        // A host that hands them on to a loop which tells of them as well tells of the same ones.
        let known: Vec<String> = heard.iter().filter_map(said).collect();
        step.parts
            .retain(|part| !matches!(part, Part::Other(part) if said(part).is_some_and(|said| known.contains(&said))));
        step.parts.splice(1..1, heard.iter().cloned().map(Part::Other));
        Some(step)
    }
}
