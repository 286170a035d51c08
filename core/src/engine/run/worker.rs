//! Offering tools: driving runs that other engines have begun, or have left behind.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{sleep, sleep_until};

use crate::engine::options::RunLimits;
use crate::engine::service::requests::name_after_first_turn;
use crate::engine::{Engine, Inner};
use crate::error::{Error, ErrorCode, Result};
use crate::id::RunId;
use crate::machine::writes::{Attempts, Waits};
use crate::machine::{Event, TurnIds};
use crate::model::{RunReason, RunStatus};
use crate::store::{BeginRun, ClaimedRun, Fence, Offer, RunPlan};
use crate::tool::{Tool, ToolSet};

use super::begin::ids_of;
use super::driver::Finished;
use super::registry::EntryId;
use super::turn::{Done, Means, Prepared};
use super::{queue, sweep};

/// How often an engine that offers tools looks for runs, where nobody tells it.
const LOOK: Duration = Duration::from_millis(100);
/// The longest time between two looks where it is told: that an owner has died is told by nobody.
const HEARING_LOOK: Duration = Duration::from_secs(2);
/// How many it takes at a time, so that others who offer the same tools get some as well.
const BATCH: usize = 8;
/// How soon it looks again when there may be more.
const LOOK_FOR_MORE: Duration = Duration::from_millis(10);

/// What is said of a run whose message is gone.
const NO_MESSAGE: &str = "The run's message has been removed.";

/// What an engine offers.
pub(crate) struct Worker {
    offered: Mutex<OfferedTools>,
    is_working: AtomicBool,
    /// Told when a run has all its answers here: whoever has answered looks at the page.
    answered: Arc<Notify>,
    /// One permit for each run of others that may be driven here at a time.
    room: Arc<Semaphore>,
}

#[derive(Default)]
struct OfferedTools {
    tools: Vec<Tool>,
    /// Nothing can be offered any more: nobody would take it back.
    is_over: bool,
}

impl Worker {
    pub(crate) fn new(max_runs: u32) -> Self {
        let room = Arc::new(Semaphore::new(usize::try_from(max_runs).unwrap_or(Semaphore::MAX_PERMITS)));
        Self { offered: Mutex::default(), is_working: AtomicBool::new(false), answered: Arc::default(), room }
    }

    /// What is offered, without the tools that nobody would run.
    fn lock(&self) -> MutexGuard<'_, OfferedTools> {
        let mut offered = self.offered.lock().unwrap_or_else(PoisonError::into_inner);
        offered.tools.retain(|tool| !tool.handler.is_gone());
        offered
    }

    /// The tools of these names, if all of them are offered here, behind those that are the engine's own.
    pub(crate) fn offered(
        &self,
        own: impl IntoIterator<Item = Tool>,
        names: &[String],
        runs: &RunLimits,
    ) -> Option<Result<Arc<ToolSet>>> {
        if !self.is_working.load(Ordering::SeqCst) {
            return None;
        }
        let offered = self.lock();
        let find = |name: &String| offered.tools.iter().find(|tool| tool.definition.name == *name).cloned();
        let chosen: Vec<Tool> = names.iter().map(find).collect::<Option<_>>()?;
        Some(runs.tool_set(own.into_iter().chain(chosen).collect()).map(Arc::new))
    }

    /// A run may go on that this process has answered: it is looked for at once.
    pub(crate) fn hurry(&self) {
        self.answered.notify_one();
    }

    /// Offers nothing any more; whoever runs the tools is told so.
    pub(crate) fn retire(&self) {
        self.is_working.store(false, Ordering::SeqCst);
        let mut offered = self.lock();
        offered.is_over = true;
        offered.tools.clear();
    }
}

impl Engine {
    /// Offers these tools, besides those that were offered before: from now on this engine drives runs that name their
    /// tools (`offeredTools`) if it offers all of them. Runs that others have left to it, runs whose engine was closed,
    /// and runs whose engine has died are taken over from the store within moments, and go on after their last finished
    /// step. At most `runs.maxOfferedRuns` of them at a time. A tool takes the place of one of the same name. It ends when
    /// the engine is closed, and for a tool whose [`crate::tool::Mailbox`] is dropped.
    ///
    /// # Errors
    /// `INVALID_INPUT` naming the tool's field, `ENGINE_CLOSED`.
    pub fn offer_tools(&self, tools: Vec<Tool>) -> Result<()> {
        let inner = &self.inner;
        inner.ensure_open()?;
        let mut names = HashSet::new();
        for (index, tool) in tools.iter().enumerate() {
            if !names.insert(tool.definition.name.clone()) {
                return Err(Error::invalid(format!("tools[{index}].name"), "is given twice"));
            }
        }
        ToolSet::new(tools.clone(), Duration::MAX)?;
        {
            let mut offered = inner.worker.lock();
            if offered.is_over {
                return Err(Error::new(ErrorCode::EngineClosed, "the engine is closed"));
            }
            offered.tools.retain(|known| !names.contains(&known.definition.name));
            offered.tools.extend(tools);
        }
        if !inner.worker.is_working.swap(true, Ordering::SeqCst) {
            inner.runtime.spawn(work(Arc::downgrade(inner), inner.closed.subscribe()));
        }
        Ok(())
    }
}

/// Looks for runs until the engine is closing or forgotten.
async fn work(engine: Weak<Inner>, mut closed: watch::Receiver<bool>) {
    let Some((mut news, lease)) = engine.upgrade().map(|inner| (inner.news.subscribe(), inner.options.runs.lease()))
    else {
        return;
    };
    loop {
        let Some(inner) = engine.upgrade() else { return };
        if inner.ensure_open().is_err() {
            return;
        }
        news.mark_unchanged();
        let look = match take(&inner).await {
            Ok(BATCH..) => LOOK_FOR_MORE,
            Ok(_) if inner.hears() => (lease / 8).clamp(LOOK, HEARING_LOOK),
            Ok(_) => LOOK,
            Err(error) => {
                tracing::warn!(%error, "runs of others could not be looked for; that will be repeated");
                LOOK
            }
        };
        let answered = Arc::clone(&inner.worker.answered);
        drop(inner);
        tokio::select! {
            _ = closed.wait_for(|closed| *closed) => return,
            () = sleep(look) => {}
            () = answered.notified() => {}
            // At most as often as without being told.
            _ = async { tokio::join!(news.changed(), sleep(LOOK)) } => {}
        }
    }
}

/// Takes some of what there is, if there is room; returns how many runs that were.
async fn take(inner: &Arc<Inner>) -> Result<usize> {
    let limit = inner.worker.room.available_permits().min(BATCH);
    if limit == 0 {
        return Ok(0);
    }
    inner.store.wake_answered().await?;
    let tools: Vec<String> = inner.worker.lock().tools.iter().map(|tool| tool.definition.name.clone()).collect();
    let lease = inner.options.runs.lease();
    let own = inner.registry.ids();
    let leases_at = sweep::judges(inner).await?;
    let offer = Offer { owner: &inner.owner, tools: &tools, spare: &own, leases_at, limit };
    let runs = inner.store.claim_offered(offer, lease).await?;
    let taken = runs.active.len() + runs.waiting.len();
    for (claimed, plan) in runs.active {
        let Some(ids) = ids_of(&claimed.run) else {
            // It would be taken again and again, by everybody.
            if let Err(error) = inner.store.fail_run(&claimed.fence, NO_MESSAGE).await {
                tracing::warn!(%error, "a run without a message could not be ended; that will be repeated");
            }
            inner.changed(claimed.run.id);
            continue;
        };
        // This process may have slept through the lease: who drives the run here ends before it is driven again.
        inner.registry.tell(ids.run, Event::LeaseLost);
        inner.registry.until_gone(ids.run).await;
        let hands = Hands::new(inner, ids.run);
        inner.runtime.spawn(drive(Arc::clone(inner), claimed, plan, ids, hands));
        inner.stop_if_closing(ids.run);
    }
    for begin in runs.waiting {
        if inner.registry.has(begin.run_id) {
            // It waits here, and its lease is good again: two that waited would both begin it.
            continue;
        }
        inner.registry.until_gone(begin.run_id).await;
        let (run_id, hands) = (begin.run_id, Hands::new(inner, begin.run_id));
        inner.runtime.spawn(wait(Arc::clone(inner), begin, hands));
        inner.stop_if_closing(run_id);
    }
    Ok(taken)
}

/// A run of somebody else's that is driven here: known to whoever keeps leases, and taking its place.
struct Hands {
    inner: Arc<Inner>,
    run_id: RunId,
    entry: EntryId,
    events: Option<mpsc::UnboundedReceiver<Event>>,
    finished: watch::Sender<Option<Finished>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Hands {
    fn new(inner: &Arc<Inner>, run_id: RunId) -> Self {
        let (control, events) = mpsc::unbounded_channel();
        let entry = inner.registry.add(run_id, control);
        Self {
            inner: Arc::clone(inner),
            run_id,
            entry,
            events: Some(events),
            finished: watch::Sender::new(None),
            _permit: Arc::clone(&inner.worker.room).try_acquire_owned().ok(),
        }
    }

    /// What is needed for driving the run. Waits for a store that is out of reach.
    async fn prepare(&mut self, ids: TurnIds, workspace_id: &str, plan: &RunPlan) -> Result<Prepared> {
        let (inner, finished) = (Arc::clone(&self.inner), self.finished.clone());
        let means = patiently(&inner, self.run_id, || Means::offered(&inner, ids, workspace_id, plan)).await?;
        let events = self.events.take().ok_or_else(|| Error::internal("a run was prepared twice"))?;
        Ok(Prepared::new(means, events, finished))
    }

    async fn name_chat(&self, workspace_id: String, ids: TurnIds) {
        let is_succeeded = matches!(&*self.finished.borrow(), Some(Finished::Settled(outcome))
            if outcome.status == RunStatus::Succeeded);
        if is_succeeded {
            name_after_first_turn(&self.inner, &workspace_id, ids.chat).await;
        }
    }
}

impl Drop for Hands {
    /// Also when whatever drives the run panics. A driver has removed it before, and by now another one may be there.
    fn drop(&mut self) {
        self.inner.registry.remove_entry(self.run_id, self.entry);
    }
}

/// Goes on with a run after what is on disk of it.
async fn drive(inner: Arc<Inner>, claimed: ClaimedRun, plan: RunPlan, ids: TurnIds, mut hands: Hands) {
    let (fence, workspace_id) = (claimed.fence, claimed.run.workspace_id);
    inner.changed(ids.run);
    let prepared = async {
        let done = close_last_step(&inner, &fence).await?;
        let prepared = hands.prepare(ids, &workspace_id, &plan).await?;
        let now = inner.clock.now();
        let taken = match done.waits.as_ref().map(|waits| (waits, waits.answered_at)) {
            Some((waits, Some(answered_at))) => Duration::from_millis(waits.taken_ms) + now.since(answered_at),
            _ => claimed.run.started_at.map(|at| now.since(at)).unwrap_or_default(),
        };
        prepared.driver(&inner, fence.clone(), Done { taken, hands_over: true, ..done }).await
    };
    match prepared.await {
        Ok(driver) => driver.run().await,
        Err(error) => release_or_fail(&inner, fence, error).await,
    }
    hands.name_chat(workspace_id, ids).await;
}

/// Waits for the chat in the place of whoever has left.
async fn wait(inner: Arc<Inner>, begin: BeginRun, mut hands: Hands) {
    let ids = TurnIds { chat: begin.chat_id, run: begin.run_id, message: begin.assistant_message_id };
    let (workspace_id, plan) = (begin.workspace_id.clone(), begin.plan.clone().unwrap_or_default());
    match hands.prepare(ids, &workspace_id, &plan).await {
        Ok(prepared) => queue::wait(Arc::clone(&inner), Box::new(begin), prepared).await,
        Err(error) => {
            tracing::warn!(%error, "a run that waits could not be prepared");
            let ended = match error.code() {
                ErrorCode::EngineClosed | ErrorCode::StoreUnavailable => queue::release(&*inner.store, &begin).await,
                _ => queue::settle(&*inner.store, &begin, RunReason::Internal).await,
            };
            if let Err(error) = ended {
                tracing::warn!(%error, "it could not be settled or given up either; its lease will run out");
            }
            inner.changed(ids.run);
        }
    }
    hands.name_chat(workspace_id, ids).await;
}

/// The finished steps of the run. One that was in progress is closed: what is known of it stays.
async fn close_last_step(inner: &Arc<Inner>, fence: &Fence) -> Result<Done> {
    let left = patiently(inner, fence.run_id, || sweep::log_to_go_on(&*inner.store, fence.run_id)).await?;
    let waits = patiently(inner, fence.run_id, || inner.store.waits(fence.run_id)).await?.map(|found| found.waits);
    let record = left.closing(fence, inner.options.runs.lease());
    let mut attempts = Attempts::new(inner.options.runs.store_patience(), std::time::Instant::now());
    loop {
        let closed = match &record {
            // The call of a step that goes on is entered with it.
            None if left.open.is_some() => Ok(()),
            Some(record) => inner.store.record_step(record.clone()).await.map(|_| ()),
            // Of the call that was on its way, if there was one, nothing came.
            None => inner.store.settle_reserved(fence).await,
        };
        let Err(error) = closed else { break };
        match attempts.again_at(&error, std::time::Instant::now()) {
            Some(at) => sleep_until(at.into()).await,
            None if error.code() == ErrorCode::LeaseLost => return Err(error),
            None => return Err(Error::internal("the run could not be written to the store")),
        }
    }
    if record.is_some() {
        inner.changed(fence.run_id);
    }
    Ok(Done { left: Some(left), waits, ..Done::default() })
}

/// Attempts it as long as the store is out of reach and the run is ours.
async fn patiently<T, F: Future<Output = Result<T>>>(
    inner: &Arc<Inner>,
    run_id: RunId,
    mut attempt: impl FnMut() -> F,
) -> Result<T> {
    let mut waits = Waits::default();
    loop {
        match attempt().await {
            Err(error) if error.code() == ErrorCode::StoreUnavailable && inner.registry.has(run_id) => {
                tracing::warn!(%error, "a run could not be prepared; that will be repeated");
                sleep(waits.next()).await;
            }
            result => return result,
        }
    }
}

/// Settles a run that cannot be driven here, and so nowhere: its settings are everybody's.
async fn release_or_fail(inner: &Arc<Inner>, fence: Fence, error: Error) {
    // A store that is out of reach is no reason to end a run: its lease runs out, and somebody goes on with it.
    if matches!(error.code(), ErrorCode::LeaseLost | ErrorCode::StoreUnavailable) {
        return;
    }
    tracing::warn!(%error, run_id = %fence.run_id, "a run of others could not be driven");
    if error.code() == ErrorCode::EngineClosed {
        // Others still offer its tools, or may.
        if let Err(error) = inner.store.release_run(&fence).await {
            tracing::warn!(%error, "it could not be given up either; its lease will run out");
        }
        return inner.changed(fence.run_id);
    }
    let message = error.message().to_owned();
    let run_id = fence.run_id;
    let settled = match sweep::abandoned_log(&*inner.store, &fence).await {
        Ok(left) => inner.store.settle_run(left.failure(fence, message)).await.map(|_| ()),
        Err(error) => Err(error),
    };
    if let Err(error) = settled {
        tracing::warn!(%error, "it could not be settled either; a sweep will");
    }
    inner.changed(run_id);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineOptions;
    use crate::tool::Mailbox;

    fn tools(names: &[&str]) -> (Mailbox, Vec<Tool>) {
        Mailbox::new(
            names.iter().map(|name| serde_json::from_value(serde_json::json!({"name": name})).unwrap()).collect(),
        )
    }

    async fn engine() -> Engine {
        Engine::open(EngineOptions::from_json(r#"{"store":"sqlite::memory:"}"#).unwrap()).await.unwrap()
    }

    fn offers(engine: &Engine, name: &str) -> bool {
        engine.inner.worker.offered(None, &[name.to_owned()], &engine.inner.options.runs).is_some()
    }

    #[tokio::test]
    async fn tools_are_offered_until_their_mailbox_is_gone_or_the_engine_closed() {
        let engine = engine().await;
        let ((first, a), (second, b)) = (tools(&["a"]), tools(&["b"]));
        engine.offer_tools(a).unwrap();
        engine.offer_tools(b).unwrap();
        assert!(offers(&engine, "a") && offers(&engine, "b"));
        drop(first);
        assert!(!offers(&engine, "a") && offers(&engine, "b"));
        engine.close(None).await.unwrap();
        assert!(second.next().await.is_none());
        assert!(!offers(&engine, "b"));
        assert_eq!(engine.offer_tools(Vec::new()).unwrap_err().code(), ErrorCode::EngineClosed);
    }

    #[tokio::test]
    async fn a_mailbox_whose_tools_are_all_replaced_is_at_its_end() {
        let engine = engine().await;
        let (first, tools_of_first) = tools(&["a"]);
        engine.offer_tools(tools_of_first).unwrap();
        let (_second, tools_of_second) = tools(&["a", "b"]);
        engine.offer_tools(tools_of_second).unwrap();
        assert!(first.next().await.is_none());
        assert!(offers(&engine, "a"));
    }

    #[tokio::test]
    async fn nothing_of_a_wrong_offer_is_offered() {
        let engine = engine().await;
        let (_mailbox, twice) = tools(&["a", "a"]);
        let error = engine.offer_tools(twice).unwrap_err();
        assert_eq!(error.details()["field"], "tools[1].name");
        assert!(!offers(&engine, "a"));
    }

    #[tokio::test]
    async fn nothing_can_be_offered_once_nobody_would_take_it_back() {
        // As if closing had begun after the offer's first look.
        let engine = engine().await;
        engine.inner.worker.retire();
        let (mailbox, late) = tools(&["a"]);
        assert_eq!(engine.offer_tools(late).unwrap_err().code(), ErrorCode::EngineClosed);
        assert!(mailbox.next().await.is_none());
    }
}
