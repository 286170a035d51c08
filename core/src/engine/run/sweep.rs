//! Settles, from its log, every run whose owner is gone.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::engine::Inner;
use crate::error::{Error, ErrorCode, Result};
use crate::id::RunId;
use crate::log::UiChunk;
use crate::log::journal::empty_row;
use crate::log::replay::StepView;
use crate::model::{FailureKind, MessageStatus, Part, RunFailure, RunReason, RunStatus, StepRecord, ToolState, Usage};
use crate::project::{FlushExtra, flush_run};
use crate::store::{
    ClaimedRun, Fence, LogFrom, LogPage, LogRange, LogRow, LogStore, LoggedStep, RecordStep, RunStore, SettleRun,
    StepNumbers, Sweep, Waiting,
};

use super::patience::Look;

/// The outcome of a call that was on disk before it ran, and whose process then died.
const OUTCOME_UNKNOWN: &str = "The process ended while this tool was running; whether it took effect is unknown.";

/// How many runs are taken over at a time, so that a sweep holds nobody up and loses little when it is interrupted.
const BATCH: usize = 50;

/// Settles what has been abandoned, after the leases of this process itself have been renewed; returns how many runs that were.
pub(crate) async fn sweep(inner: &Arc<Inner>) -> Result<usize> {
    super::leases::renew(inner).await?;
    let leases_at = judges(inner).await?;
    let (mut settled, mut failure) = (0, None);
    loop {
        let waiting = sweep_waiting(inner, None, leases_at).await?;
        let (runs, failed) = sweep_runs(inner, None, leases_at).await?;
        settled += waiting + runs;
        let is_stuck = failed.is_some();
        failure = failed.or(failure);
        if is_stuck || (waiting < BATCH && runs < BATCH) {
            break;
        }
        tokio::task::yield_now().await;
    }
    inner.store.settle_stray_messages().await?;
    failure.map_or(Ok(settled), Err)
}

/// As [`sweep`], as far as it gets within this time; the rest is for the next one.
pub(crate) async fn begin_sweep(inner: &Arc<Inner>, within: Duration) {
    let begun = tokio::time::timeout(within, sweep(inner)).await;
    if let Ok(Err(error)) = begun {
        tracing::warn!(%error, "the sweep failed; it will be repeated");
    }
}

/// Settles this run, which was asked to stop, if its owner is gone; it may wait for its chat.
pub(crate) async fn sweep_stopped(inner: &Arc<Inner>, run_id: RunId) -> Result<()> {
    let leases_at = judges(inner).await?;
    sweep_waiting(inner, Some(run_id), leases_at).await?;
    sweep_runs(inner, Some(run_id), leases_at).await.map(|_| ())
}

/// Settles this run if its owner is gone.
pub(crate) async fn sweep_run(inner: &Arc<Inner>, run_id: RunId) -> Result<bool> {
    let leases_at = judges(inner).await?;
    let (settled, failure) = sweep_runs(inner, Some(run_id), leases_at).await?;
    failure.map_or(Ok(settled > 0), Err)
}

/// The time by which leases may be judged, if they say anything just now. Whatever happens from here to the claim, a lease
/// that was good then stays good.
pub(crate) async fn judges(inner: &Arc<Inner>) -> Result<Option<Timestamp>> {
    let before = inner.clock.monotonic();
    let time = inner.store.time().await.inspect_err(|error| inner.note_outage(error))?;
    let look = Look { before, after: inner.clock.monotonic(), time };
    let judges = inner.patience.lock().unwrap_or_else(PoisonError::into_inner).look(look);
    // Stores may tell times more finely than this one.
    Ok(judges.then(|| time.after(Duration::from_millis(1))))
}

async fn sweep_waiting(inner: &Arc<Inner>, only: Option<RunId>, leases_at: Option<Timestamp>) -> Result<usize> {
    let (empty, own) = (empty_row(MessageStatus::Aborted), inner.registry.ids());
    let sweep = Sweep { only, spare: &own, leases_at, limit: BATCH, ..inner.everything() };
    inner.store.settle_waiting(Waiting::Abandoned(sweep), RunReason::WorkerLost, empty).await
}

async fn sweep_runs(
    inner: &Arc<Inner>,
    only: Option<RunId>,
    leases_at: Option<Timestamp>,
) -> Result<(usize, Option<Error>)> {
    let own = inner.registry.ids();
    let sweep = Sweep { only, spare: &own, leases_at, limit: BATCH, ..inner.everything() };
    let (mut settled, mut failure) = (0, None);
    for run in inner.store.claim_abandoned(sweep).await? {
        let run_id = run.run.id;
        match settle(&*inner.store, run).await {
            Ok(()) => {
                settled += 1;
                inner.changed(run_id);
            }
            // Somebody else was faster, which is as good.
            Err(error) if error.code() == ErrorCode::LeaseLost => settled += 1,
            // One that cannot be settled must not keep the others from it.
            Err(error) => failure = Some(error),
        }
    }
    Ok((settled, failure))
}

/// What is said of a run whose log cannot be read or closed.
const UNREADABLE_LOG: &str = "The run's record in the store cannot be read.";

/// Settles a run that its owner left behind with what is on disk of it.
pub(crate) async fn settle(store: &(impl RunStore + LogStore + ?Sized), claimed: ClaimedRun) -> Result<()> {
    let fence = claimed.fence.clone();
    let settled = match what_is_left(store, claimed.run.id).await {
        Ok(left) => store.settle_run(settlement(claimed, left)).await,
        Err(error) => Err(error),
    };
    match settled {
        Err(error) if error.is_for_good() => {
            tracing::error!(%error, run_id = %fence.run_id, "an abandoned run can only be ended");
            store.fail_run(&fence, UNREADABLE_LOG).await
        }
        settled => settled,
    }
}

/// The log of a run whose owner is gone.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// All steps; the last of them is not in the log as a finished one if `unfinished` says so.
    pub(crate) steps: Vec<StepRecord>,
    /// The numbers of a last step that was in progress and is closed.
    pub(crate) unfinished: Option<StepNumbers>,
    /// The number of the chunk after the last one that was told, or will be of the steps.
    pub(crate) next_sequence: u64,
    /// What was told of a step of which nothing came, and which is therefore none of the steps: that it began.
    pub(crate) begun: StepView,
}

impl Left {
    /// The write that closes the step that was in progress, for whoever goes on with the run.
    pub(crate) fn closing(&self, fence: &Fence, lease: Duration) -> Option<RecordStep> {
        let (numbers, step) = self.unfinished.zip(self.steps.last().cloned())?;
        Some(RecordStep { fence: fence.clone(), step, numbers, lease: Some(lease), refresh: None })
    }
}

/// The end of a run that nobody can go on with.
pub(crate) fn failure(fence: Fence, Left { steps, unfinished, .. }: Left, error: String) -> SettleRun {
    let reason = RunReason::Internal;
    let failure = Some(RunFailure::new(FailureKind::Internal, error.as_str()));
    let extra = FlushExtra { error: Some(error.clone()), failure: failure.clone(), ..extra_of(&steps, reason) };
    SettleRun {
        fence,
        status: RunStatus::Failed,
        reason: Some(reason),
        error: Some(error),
        failure,
        step: steps.last().cloned().zip(unfinished),
        assistant: flush_run(&steps, MessageStatus::Error, &extra),
    }
}

/// What a run's owner has left on disk, with the step that was in progress closed.
pub(crate) async fn what_is_left(store: &(impl LogStore + ?Sized), run_id: RunId) -> Result<Left> {
    let logged = store.steps(run_id).await?;
    let range = LogRange { from: LogFrom::Sequence(u64::MAX), packs_of_finished: false, limit: usize::MAX };
    let trailing = store.read_log(run_id, range).await?;
    Ok(closed(logged, trailing))
}

/// `trailing` has the packs of the step that was in progress.
fn closed(logged: Vec<LoggedStep>, trailing: Option<LogPage>) -> Left {
    let mut steps: Vec<StepRecord> = Vec::with_capacity(logged.len());
    let mut intent = None;
    for entry in logged {
        if entry.finished {
            steps.push(entry.step);
        } else {
            intent = Some(entry.step);
        }
    }
    let (mut view, mut next_sequence) = (StepView::default(), 1);
    if let Some(page) = trailing {
        next_sequence = page.start.map_or(1, |start| start.first_sequence);
        for row in page.rows {
            let LogRow::Pack(pack) = row else { continue };
            next_sequence += pack.chunks.len() as u64;
            pack.chunks.iter().filter_map(|chunk| UiChunk::parse_of_step(chunk)).for_each(|chunk| view.apply(&chunk));
        }
    }
    let number = u32::try_from(steps.len()).unwrap_or(u32::MAX);
    let unfinished = match intent {
        Some(mut step) => {
            close_calls(&mut step, &view);
            Some(step)
        }
        None if view.is_empty() => None,
        None => Some(view.clone().into_record(number)),
    };
    let usage = steps.iter().chain(&unfinished).fold(None, |sum, step| Usage::accumulate(sum, step.usage));
    let begun = if unfinished.is_none() { view.clone() } else { StepView::default() };
    let numbers = unfinished.map(|step| {
        let rest = view.continuation(&step, usage).len() as u64;
        steps.push(step);
        StepNumbers { packed_until: next_sequence, next: next_sequence + rest }
    });
    let next_sequence = numbers.map_or(next_sequence, |numbers| numbers.next);
    Left { steps, unfinished: numbers, next_sequence, begun }
}

/// The end of an abandoned run.
fn settlement(claimed: ClaimedRun, Left { steps, unfinished, .. }: Left) -> SettleRun {
    // A stop holds even if the owner died before it heard of it.
    let reason = claimed.stop_reason.unwrap_or(RunReason::WorkerLost);
    SettleRun {
        fence: claimed.fence,
        status: RunStatus::Aborted,
        reason: Some(reason),
        error: None,
        failure: None,
        step: steps.last().cloned().zip(unfinished),
        assistant: flush_run(&steps, MessageStatus::Aborted, &extra_of(&steps, reason)),
    }
}

fn extra_of(steps: &[StepRecord], reason: RunReason) -> FlushExtra {
    FlushExtra {
        reason: Some(reason),
        usage: steps.iter().fold(None, |sum, step| Usage::accumulate(sum, step.usage)),
        context_tokens: steps.last().and_then(|step| step.usage?.context_tokens()),
        ..FlushExtra::default()
    }
}

fn close_calls(step: &mut StepRecord, view: &StepView) {
    for part in &mut step.parts {
        if let Part::Tool(tool) = part
            && tool.state == ToolState::InputAvailable
        {
            let unknown = || ToolState::OutputError(OUTCOME_UNKNOWN.to_owned());
            tool.state = view.outcome_of(&tool.call_id).unwrap_or_else(unknown);
        }
    }
}
