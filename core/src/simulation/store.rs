//! The store as the simulated processes see it: the one in memory, with faults where the schedule wants them and rules
//! that are broken on purpose.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::{Clock, Timestamp};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{ChatId, MessageId, RunId};
use crate::model::{
    CallEffect, CallKind, CallTokens, Json, Message, Run, RunReason, Steering, SteeringState, StepRecord, Waits,
};
use crate::project::AssistantFlush;
use crate::store::{
    Began, BeginRun, ChatStore, ChunkPack, ClaimedRun, EffectStore, EnterSteering, Fence, LeaseStore, LedgerCall,
    LogFrom, LogPage, LogRange, LogStore, LoggedStep, MemoryStore, NewSteering, Offer, OfferedRuns, QueueStore,
    RecordStep, Renewal, RunStore, SettleRun, SteerStore, Steered, SteeringOf, StopStore, SuspendRun, Sweep,
    TokenLimit, UsageStore, WaitStore, Waiting, WaitingOf, WaitingRun,
};

use super::Mutation;
use super::process::OFFERED;

/// What is to go wrong with the next write that a process makes by itself, without being asked step by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It never arrives.
    Unreachable,
    /// It is executed; its answer is lost.
    AnswerLost,
    /// It is under way and executed some time later; the process gets no answer.
    Late,
}

pub(super) struct SimulatedStore {
    inner: MemoryStore,
    clock: Arc<dyn Clock>,
    mutation: Option<Mutation>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    fault: Option<Fault>,
    late: Option<SettleRun>,
    /// For broken rules: who owns each run, and rows that were settled again.
    fences: HashMap<RunId, Fence>,
    /// Somebody reads what the last owner of a run has left.
    going_on: bool,
    settled_again: HashMap<RunId, Run>,
    /// When each message was written, by the clock alone.
    written_at: HashMap<MessageId, Timestamp>,
}

fn unreachable() -> Error {
    Error::new(ErrorCode::StoreUnavailable, "the simulated store is out of reach")
}

impl SimulatedStore {
    pub(super) fn new(clock: Arc<dyn Clock>, mutation: Option<Mutation>) -> Self {
        Self { inner: MemoryStore::new(Arc::clone(&clock)), clock, mutation, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next begin or settlement meets this.
    pub(super) fn arm(&self, fault: Option<Fault>) {
        self.state().fault = fault;
    }

    pub(super) fn go_on(&self, going_on: bool) {
        self.state().going_on = going_on;
    }

    /// The settlement that is still under way.
    pub(super) fn take_late(&self) -> Option<SettleRun> {
        self.state().late.take()
    }

    fn take_fault(&self) -> Option<Fault> {
        self.state().fault.take()
    }

    fn breaks(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    fn own(&self, fence: &Fence) {
        if self.breaks(Mutation::FenceIgnored) || self.breaks(Mutation::ClaimIgnoresLease) {
            self.state().fences.insert(fence.run_id, fence.clone());
        }
    }

    fn fence(&self, fence: &Fence) -> Fence {
        match self.mutation {
            Some(Mutation::FenceIgnored) => self.state().fences.get(&fence.run_id).unwrap_or(fence).clone(),
            _ => fence.clone(),
        }
    }

    /// The run as it was settled again, in spite of the rule.
    fn shown(&self, run: Run) -> Run {
        match self.mutation {
            Some(Mutation::DoubleSettle) => self.state().settled_again.get(&run.id).cloned().unwrap_or(run),
            _ => run,
        }
    }

    pub(super) async fn request_stop(&self, run_id: RunId, reason: RunReason) -> Result<bool> {
        if self.breaks(Mutation::StopForgotten) {
            return Ok(true);
        }
        self.inner.request_stop(run_id, reason).await
    }

    pub(super) async fn stop_requests(&self, runs: &[RunId]) -> Result<Vec<(RunId, RunReason)>> {
        self.inner.stop_requests(runs).await
    }

    pub(super) async fn reserve(&self, fence: &Fence) -> Result<()> {
        let call = LedgerCall {
            id: RunId::generate().to_string(),
            workspace_id: "w".into(),
            user_id: None,
            chat_id: None,
            run_id: Some(fence.run_id),
            kind: CallKind::Step,
            model: None,
            tokens: CallTokens::estimated(1, 1),
        };
        let limit = TokenLimit { workspace_id: "w", window: Duration::MAX, max: u64::MAX, kind: None };
        self.inner.reserve_tokens(&limit, &call, Some(&self.fence(fence))).await.map(|_| ())
    }

    pub(super) async fn settle_reserved(&self, fence: &Fence) -> Result<()> {
        if self.breaks(Mutation::GoingOnForgetsCall) {
            return Ok(());
        }
        self.inner.settle_reserved(&self.fence(fence)).await
    }

    /// A tool's transaction that notes its call; whether it goes through.
    pub(super) fn note_effect(&self, run_id: RunId, key: &str, result: Option<Json>) -> bool {
        self.inner.note_effect(run_id, key, result)
    }

    /// How many calls of the run have been entered, and how many are set aside.
    pub(super) fn calls(&self, run_id: RunId) -> (usize, usize) {
        self.inner.calls_of(run_id)
    }

    pub(super) async fn messages(&self, chat_id: ChatId, limit: usize) -> Result<Vec<Message>> {
        let mut messages = self.inner.messages(chat_id, limit).await?;
        if self.breaks(Mutation::OrderByClock) {
            let (mut state, now) = (self.state(), self.clock.now());
            messages.sort_by_key(|message| (*state.written_at.entry(message.id).or_insert(now), message.id));
        }
        Ok(messages)
    }
}

fn after<T>(fault: Option<Fault>, answer: Result<T>) -> Result<T> {
    if fault == Some(Fault::AnswerLost) { Err(unreachable()) } else { answer }
}

#[async_trait]
impl RunStore for SimulatedStore {
    async fn begin_run(&self, begin: BeginRun) -> Result<Began> {
        let fault = self.take_fault();
        if matches!(fault, Some(Fault::Unreachable | Fault::Late)) {
            return Err(unreachable());
        }
        let (chat_id, own) = (begin.chat_id, begin.user_message.as_ref().map(|message| message.id));
        let waiting = self.inner.steering(&SteeringOf::WaitingInChat(chat_id)).await?;
        let began = self.inner.begin_run(begin).await;
        if self.breaks(Mutation::NextTurnLosesMessage) && began.is_ok() {
            waiting
                .iter()
                .filter(|left| Some(left.message_id) != own)
                .for_each(|left| self.inner.lose(left.message_id));
        }
        if let Ok(Began::Started(fence)) = &began {
            self.own(fence);
        }
        after(fault, began)
    }

    async fn settle_run(&self, settle: SettleRun) -> Result<bool> {
        let fault = self.take_fault();
        match fault {
            Some(Fault::Unreachable) => return Err(unreachable()),
            Some(Fault::Late) => {
                self.state().late = Some(settle);
                return Err(unreachable());
            }
            _ => {}
        }
        let unless_steered = match self.mutation {
            Some(Mutation::EndForgetsMessages) => None,
            Some(Mutation::LateEndCounts) => settle.unless_steered.map(|_| u32::MAX),
            _ => settle.unless_steered,
        };
        let settle = SettleRun { unless_steered, ..settle };
        let again = self.breaks(Mutation::DoubleSettle).then(|| settle.clone());
        let fence = self.fence(&settle.fence);
        let answer = self.inner.settle_run(SettleRun { fence, ..settle }).await;
        if let (Some(settle), Err(_)) = (again, &answer)
            && let Some(run) = self.inner.run(settle.fence.run_id).await?.filter(|run| !run.status.is_active())
        {
            let (status, reason, error) = (settle.status, settle.reason, settle.error);
            self.state().settled_again.insert(run.id, Run { status, reason, error, ..run });
            return Ok(true);
        }
        after(fault, answer)
    }

    async fn fail_run(&self, fence: &Fence, error: &str) -> Result<()> {
        self.inner.fail_run(&self.fence(fence), error).await
    }

    async fn run(&self, run_id: RunId) -> Result<Option<Run>> {
        Ok(self.inner.run(run_id).await?.map(|run| self.shown(run)))
    }

    async fn run_of_key(&self, workspace_id: &str, user_id: &str, key: &str) -> Result<Option<RunId>> {
        self.inner.run_of_key(workspace_id, user_id, key).await
    }

    async fn active_run(&self, chat_id: ChatId) -> Result<Option<Run>> {
        self.inner.active_run(chat_id).await
    }

    async fn latest_run(&self, chat_id: ChatId) -> Result<Option<Run>> {
        self.inner.latest_run(chat_id).await
    }

    async fn runs_of_chat(&self, chat_id: ChatId, limit: usize) -> Result<Vec<Run>> {
        self.inner.runs_of_chat(chat_id, limit).await
    }

    async fn runs_before(&self, chat_id: ChatId, before: RunId, limit: usize) -> Result<Vec<Run>> {
        self.inner.runs_before(chat_id, before, limit).await
    }

    async fn run_of_message(&self, message_id: MessageId) -> Result<Option<Run>> {
        self.inner.run_of_message(message_id).await
    }
}

#[async_trait]
impl QueueStore for SimulatedStore {
    async fn enqueue_run(&self, begin: BeginRun) -> Result<Began> {
        let fault = self.take_fault();
        if matches!(fault, Some(Fault::Unreachable | Fault::Late)) {
            return Err(unreachable());
        }
        after(fault, self.inner.enqueue_run(begin).await)
    }

    async fn count_waiting(&self, chat_id: ChatId, workspace_id: &str, user_id: &str) -> Result<(u64, u64)> {
        self.inner.count_waiting(chat_id, workspace_id, user_id).await
    }

    async fn settle_waiting(
        &self,
        waiting: Waiting<'_>,
        reason: RunReason,
        assistant: AssistantFlush,
    ) -> Result<usize> {
        let fault = self.take_fault();
        if matches!(fault, Some(Fault::Unreachable | Fault::Late)) {
            return Err(unreachable());
        }
        after(fault, self.inner.settle_waiting(waiting, reason, assistant).await)
    }
}

#[async_trait]
impl LogStore for SimulatedStore {
    async fn append_pack(&self, fence: &Fence, pack: &ChunkPack) -> Result<()> {
        if self.breaks(Mutation::LosePack) && pack.first_sequence.is_multiple_of(3) {
            return Ok(());
        }
        self.inner.append_pack(&self.fence(fence), pack).await
    }

    async fn record_intent(&self, fence: &Fence, step: &StepRecord) -> Result<()> {
        self.inner.record_intent(&self.fence(fence), step).await
    }

    async fn record_step(&self, record: RecordStep) -> Result<bool> {
        let fence = self.fence(&record.fence);
        self.inner.record_step(RecordStep { fence, ..record }).await
    }

    async fn steps(&self, run_id: RunId) -> Result<Vec<LoggedStep>> {
        self.inner.steps(run_id).await
    }

    async fn read_log(&self, run_id: RunId, range: LogRange) -> Result<Option<LogPage>> {
        let sweeping = range.from == LogFrom::Sequence(u64::MAX);
        let page = self.inner.read_log(run_id, range).await?;
        Ok(page.map(|mut page| {
            let going_on = self.state().going_on;
            let forgets = if going_on { Mutation::GoingOnForgetsPacks } else { Mutation::SweepForgetsPacks };
            if sweeping && self.breaks(forgets) {
                page.rows.clear();
            }
            LogPage { run: self.shown(page.run), ..page }
        }))
    }

    async fn trim_packs(&self, settled_for: Duration) -> Result<bool> {
        self.inner.trim_packs(settled_for).await
    }
}

#[async_trait]
impl LeaseStore for SimulatedStore {
    async fn time(&self) -> Result<Timestamp> {
        self.inner.time().await
    }

    async fn renew_leases(&self, owner: &str, runs: &[RunId], lease: Duration) -> Result<Renewal> {
        self.inner.renew_leases(owner, runs, lease).await
    }

    async fn release_run(&self, fence: &Fence) -> Result<()> {
        self.inner.release_run(&self.fence(fence)).await
    }

    async fn claim_offered(&self, offer: Offer<'_>, lease: Duration) -> Result<OfferedRuns> {
        if self.breaks(Mutation::ClaimIgnoresLease) {
            let fences: Vec<Fence> = self.state().fences.values().cloned().collect();
            for fence in fences {
                let _ = self.inner.release_run(&fence).await;
            }
        }
        let spare = if self.breaks(Mutation::ClaimTakesOwn) { &[] } else { offer.spare };
        let mut runs = self.inner.claim_offered(Offer { spare, ..offer }, lease).await?;
        if self.breaks(Mutation::ClaimKeepsEpoch) {
            runs.active.iter_mut().for_each(|(claimed, _)| claimed.fence.epoch -= 1);
        }
        runs.active.iter().for_each(|(claimed, _)| self.own(&claimed.fence));
        Ok(runs)
    }

    async fn claim_abandoned(&self, sweep: Sweep<'_>) -> Result<Vec<ClaimedRun>> {
        let spare = if self.breaks(Mutation::SweepTakesOwn) { &[] } else { sweep.spare };
        let mut claimed = self.inner.claim_abandoned(Sweep { spare, ..sweep }).await?;
        if self.breaks(Mutation::SweepWaitsForNobody) {
            let Sweep { owner, lease, .. } = sweep;
            let tools = OFFERED.map(str::to_owned);
            let offer = Offer { owner, tools: &tools, spare, leases_at: sweep.leases_at, limit: usize::MAX };
            let waited_for = self.inner.claim_offered(offer, lease).await?.active;
            claimed.extend(waited_for.into_iter().map(|(claimed, _)| claimed));
        }
        claimed.iter().for_each(|claimed| self.own(&claimed.fence));
        Ok(claimed)
    }
}

#[async_trait]
impl EffectStore for SimulatedStore {
    async fn effects(&self, run_id: RunId) -> Result<Vec<CallEffect>> {
        self.inner.effects(run_id).await
    }

    async fn close_effects(&self, fence: &Fence, keys: &[String]) -> Result<Vec<CallEffect>> {
        let fence = self.fence(fence);
        if self.breaks(Mutation::LateEffectLetThrough) {
            let noted = self.inner.effects(fence.run_id).await?;
            let of_call = |key: &String| {
                let void = || CallEffect { key: key.clone(), result: None, is_void: true };
                noted.iter().find(|effect| effect.key == *key).cloned().unwrap_or_else(void)
            };
            return Ok(keys.iter().map(of_call).collect());
        }
        self.inner.close_effects(&fence, keys).await
    }

    async fn trim_effects(&self, settled_for: Duration) -> Result<bool> {
        self.inner.trim_effects(settled_for).await
    }
}

#[async_trait]
impl WaitStore for SimulatedStore {
    async fn suspend_run(&self, suspend: SuspendRun) -> Result<()> {
        let fence = self.fence(&suspend.fence);
        let pack = if self.breaks(Mutation::WaitingLosesPack) { None } else { suspend.pack };
        self.inner.suspend_run(SuspendRun { fence, pack, ..suspend }).await
    }

    async fn waits(&self, run_id: RunId) -> Result<Option<WaitingRun>> {
        self.inner.waits(run_id).await
    }

    async fn change_waits(&self, run_id: RunId, was: &Waits, waits: &Waits) -> Result<bool> {
        let now = self.inner.waits(run_id).await?.map(|found| found.waits);
        let was = if self.breaks(Mutation::AnswerOverwrites) { now.as_ref().unwrap_or(was) } else { was };
        self.inner.change_waits(run_id, was, waits).await
    }

    async fn wake_answered(&self) -> Result<usize> {
        self.inner.wake_answered().await
    }

    async fn waiting_runs(&self, of: &WaitingOf) -> Result<Vec<WaitingRun>> {
        self.inner.waiting_runs(of).await
    }

    async fn expired_waits(&self, limit: usize) -> Result<Vec<WaitingRun>> {
        self.inner.expired_waits(limit).await
    }
}

#[async_trait]
impl SteerStore for SimulatedStore {
    async fn steer(&self, new: NewSteering) -> Result<Steered> {
        let fault = self.take_fault();
        if matches!(fault, Some(Fault::Unreachable | Fault::Late)) {
            return Err(unreachable());
        }
        after(fault, self.inner.steer(new).await)
    }

    async fn unsteer(&self, message_id: MessageId) -> Result<Option<Steering>> {
        let known = self.inner.steering_message(message_id).await?;
        match known {
            Some(known) if known.state == SteeringState::Waiting && self.breaks(Mutation::TakingBackForgotten) => {
                Ok(Some(Steering { state: SteeringState::TakenBack, ..known }))
            }
            _ => self.inner.unsteer(message_id).await,
        }
    }

    async fn steering_message(&self, message_id: MessageId) -> Result<Option<Steering>> {
        self.inner.steering_message(message_id).await
    }

    async fn steering(&self, of: &SteeringOf) -> Result<Vec<Steering>> {
        self.inner.steering(of).await
    }

    async fn enter_steering(&self, enter: EnterSteering) -> Result<Vec<Steering>> {
        let fence = self.fence(&enter.fence);
        let enter = EnterSteering { fence, ..enter };
        let entered = self.inner.enter_steering(enter.clone()).await?;
        if self.breaks(Mutation::EnteringLosesPack) {
            self.inner.lose_pack(enter.fence.run_id, enter.first_sequence);
        }
        if self.breaks(Mutation::EnteredWaitsOn) {
            entered.iter().for_each(|message| self.inner.wait_on(message.message_id));
        }
        Ok(entered)
    }
}
