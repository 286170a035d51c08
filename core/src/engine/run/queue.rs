//! A run that waits until its chat is free.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::engine::Inner;
use crate::error::{ErrorCode, Result};
use crate::id::RunId;
use crate::log::UiChunk;
use crate::log::journal::empty_row;
use crate::log::replay::start_chunk;
use crate::machine::{Event, StopCause};
use crate::model::{MessageStatus, RunOutcome, RunReason, RunStatus};
use crate::store::{Began, BeginRun, Fence, LeaseStore, QueueStore, RunStore, Waiting, lease_lost};

use super::driver::Finished;
use super::sweep;
use super::turn::{Done, Prepared};

/// How often a chat that another process holds is looked at.
const POLL: Duration = Duration::from_millis(100);
/// The same where other processes say when something has changed.
const HEARING_POLL: Duration = Duration::from_secs(1);
/// The same while this process drives the run that holds the chat: it knows when that ends.
const OWN_POLL: Duration = Duration::from_secs(5);
/// What others say is looked into no more often than this: they speak of every step.
const NEWS_POLL: Duration = Duration::from_millis(100);

/// Carries out the settlement of a run that waits here.
async fn settle_here(inner: &Inner, run_id: RunId, settlement: impl Future<Output = Result<()>>) -> Result<()> {
    inner.registry.settling(run_id, true);
    settlement.await
}

enum Next {
    Free(Fence),
    Stopped(StopCause),
    /// The run waits no more: another process has settled it, or is to wait with it.
    Lost,
}

/// Waits for the chat and drives the run, or settles it when it is to stop before that.
pub(crate) async fn wait(inner: Arc<Inner>, begin: Box<BeginRun>, mut prepared: Prepared) {
    let run_id = begin.run_id;
    let finished = match next(&inner, &begin, &mut prepared).await {
        Next::Free(fence) => {
            let finished = prepared.finished.clone();
            let done = Done { hands_over: begin.plan.is_some(), ..Done::default() };
            match prepared.driver(&inner, fence, done).await {
                Ok(driver) => return driver.run().await,
                Err(_) => {
                    finished.send_replace(Some(Finished::Unsettled));
                    return inner.registry.remove(run_id);
                }
            }
        }
        Next::Lost => Finished::LeaseLost,
        Next::Stopped(cause) => {
            match settle_here(&inner, run_id, settle(&*inner.store, &begin, cause.reason())).await {
                Ok(()) => {
                    let ids = prepared.means.ids;
                    let start = start_chunk(ids.chat, ids.run, ids.message);
                    let abort = UiChunk::Abort { reason: cause.reason().as_str().to_owned() };
                    [start, abort].iter().for_each(|chunk| prepared.log.append(chunk.encode().into()));
                    Finished::Settled(Box::new(outcome(&begin, cause.reason())))
                }
                Err(error) if error.code() == ErrorCode::LeaseLost => Finished::LeaseLost,
                Err(_) => Finished::Unsettled,
            }
        }
    };
    inner.registry.ended(run_id);
    prepared.log.end();
    prepared.finished.send_replace(Some(finished));
    inner.registry.remove(run_id);
    inner.chat_freed();
}

async fn next(inner: &Arc<Inner>, begin: &BeginRun, prepared: &mut Prepared) -> Next {
    let (mut news, mut freed) = (inner.news.subscribe(), inner.freed.subscribe());
    loop {
        news.mark_unchanged();
        freed.mark_unchanged();
        let mut poll = if inner.hears() { HEARING_POLL } else { POLL };
        let mut listens = true;
        match attempt(&*inner.store, begin).await {
            Ok(Some(fence)) => return Next::Free(fence),
            Ok(None) => {
                if free_what_was_left(inner, begin).await {
                    (poll, listens) = (OWN_POLL, false);
                }
            }
            Err(error) if error.code() == ErrorCode::LeaseLost => return Next::Lost,
            Err(error) => tracing::warn!(%error, "a run that waits could not be begun; that will be repeated"),
        }
        tokio::select! {
            biased;
            event = prepared.events.recv() => match event {
                Some(Event::StopRequested(cause)) => return Next::Stopped(cause),
                Some(Event::HandOver) if begin.plan.is_some() => {
                    if let Err(error) = release(&*inner.store, begin).await {
                        tracing::warn!(%error, "a run that waits could not be given up; its lease will run out");
                    }
                    return Next::Lost;
                }
                Some(Event::LeaseLost) | None => return Next::Lost,
                Some(_) => {}
            },
            () = sleep(poll) => {}
            _ = freed.changed() => {}
            _ = async { tokio::join!(news.changed(), sleep(NEWS_POLL)) }, if listens => {}
        }
    }
}

/// Settles the run that holds the chat if its owner is gone. Whether this process drives that run.
async fn free_what_was_left(inner: &Arc<Inner>, begin: &BeginRun) -> bool {
    let freed = match inner.store.active_run(begin.chat_id).await {
        Ok(Some(active)) if inner.registry.has(active.id) => return true,
        Ok(Some(active)) => sweep::sweep_run(inner, active.id).await.map(|_| ()),
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = freed {
        tracing::warn!(%error, "a chat could not be looked at; that will be repeated");
    }
    false
}

/// Begins the run if the chat looks free; looking is cheaper than trying.
pub(crate) async fn attempt(store: &(impl RunStore + LeaseStore + ?Sized), begin: &BeginRun) -> Result<Option<Fence>> {
    match store.active_run(begin.chat_id).await? {
        // It was begun by an attempt whose answer did not arrive.
        Some(active) if active.id == begin.run_id => {
            if !store.renew_leases(&begin.owner, &[begin.run_id], begin.lease).await?.lost.is_empty() {
                // By another process, that is, which waits with it since our lease had run out.
                return Err(lease_lost());
            }
            return Ok(Some(Fence { run_id: begin.run_id, owner: begin.owner.clone(), epoch: 1 }));
        }
        Some(_) => return Ok(None),
        None => {}
    }
    match store.begin_run(begin.clone()).await {
        Ok(Began::Started(fence)) => Ok(Some(fence)),
        Ok(Began::Repeated(_)) => Ok(None),
        Err(error) if error.code() == ErrorCode::RunAlreadyActive => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) async fn settle(store: &(impl QueueStore + ?Sized), begin: &BeginRun, reason: RunReason) -> Result<()> {
    let row = empty_row(MessageStatus::Aborted);
    match store.settle_waiting(Waiting::Run(begin.run_id, &begin.owner), reason, row).await? {
        // It waits no more: it has begun without our knowing of it, or was settled by another process.
        0 => Err(lease_lost()),
        _ => Ok(()),
    }
}

/// Gives a run that waits up, for others to wait with it.
pub(crate) async fn release(store: &(impl LeaseStore + ?Sized), begin: &BeginRun) -> Result<()> {
    store.release_run(&Fence { run_id: begin.run_id, owner: begin.owner.clone(), epoch: 0 }).await
}

fn outcome(begin: &BeginRun, reason: RunReason) -> RunOutcome {
    RunOutcome {
        run_id: begin.run_id,
        chat_id: begin.chat_id,
        message_id: begin.assistant_message_id,
        status: RunStatus::Aborted,
        reason: Some(reason),
        error: None,
        failure: None,
        finish_reason: None,
        usage: None,
        step_count: 0,
        warnings: Vec::new(),
    }
}
