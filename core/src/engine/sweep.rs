//! Settles, from its log, every run whose owner is gone.

use std::sync::Arc;

use crate::error::{ErrorCode, Result};
use crate::model::{MessageStatus, Part, RunReason, RunStatus, StepRecord, ToolState, Usage};
use crate::project::{FlushExtra, flush_run};
use crate::store::{ClaimedRun, SettleRun};

use super::Inner;

/// The outcome of a call that was on disk before it ran, and whose process then died.
const OUTCOME_UNKNOWN: &str = "The process ended while this tool was running; whether it took effect is unknown.";

/// Settles what has been abandoned; returns how many runs that were.
pub(super) async fn sweep(inner: &Arc<Inner>) -> Result<usize> {
    let claimed = inner.store.claim_abandoned(&inner.owner, inner.options.runs.lease()).await?;
    let mut settled = 0;
    for run in claimed {
        match settle(inner, run).await {
            Ok(()) => settled += 1,
            // Somebody else was faster, which is as good.
            Err(error) if error.code() == ErrorCode::LeaseLost => {}
            Err(error) => return Err(error),
        }
    }
    Ok(settled)
}

async fn settle(inner: &Arc<Inner>, claimed: ClaimedRun) -> Result<()> {
    let logged = inner.store.steps(claimed.run.id).await?;
    let mut unfinished = None;
    let mut steps: Vec<StepRecord> = Vec::with_capacity(logged.len());
    for entry in logged {
        let mut step = entry.step;
        if !entry.finished {
            close_calls(&mut step);
            unfinished = Some(step.clone());
        }
        steps.push(step);
    }
    // A stop holds even if the owner died before it heard of it.
    let stopped = claimed.run.stop_requested_at.is_some();
    let usage = steps.iter().fold(None, |sum, step| Usage::accumulate(sum, step.usage));
    let extra = FlushExtra {
        usage,
        context_tokens: steps.last().and_then(|step| step.usage?.context_tokens()),
        ..FlushExtra::default()
    };
    let settle = SettleRun {
        fence: claimed.fence,
        status: RunStatus::Aborted,
        reason: Some(if stopped { RunReason::Stopped } else { RunReason::WorkerLost }),
        error: None,
        step: unfinished,
        assistant: flush_run(&steps, MessageStatus::Aborted, &extra),
    };
    inner.store.settle_run(settle).await
}

fn close_calls(step: &mut StepRecord) {
    for part in &mut step.parts {
        if let Part::Tool(tool) = part
            && tool.state == ToolState::InputAvailable
        {
            tool.state = ToolState::OutputError(OUTCOME_UNKNOWN.to_owned());
        }
    }
}
