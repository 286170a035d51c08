//! What happens in one turn of one process: the part of the engine's driver, with every answer and every delay drawn.

use std::sync::Arc;

use crate::engine::run::journal::Due;
use crate::error::ErrorCode;
use crate::log::UiChunk;
use crate::machine::{Effect, Ending, Event, StopCause, ToolCall};
use crate::model::{FinishReason, Json, Usage};
use crate::project::append_steps;
use crate::provider::{BlockKind, ProviderFailure, RunBy, StreamPart};
use crate::store::{Fence, LeaseStore, LogStore, RunStore};
use crate::tool::ToolCatalog;

use super::ledger::{can_be_sent, tells_the_steps};
use super::process::{Answer, Drive, LateWrite, TOOLS, Tools, Write};
use super::world::{LEASE, World};
use super::{Broken, Mutation, ready};

/// What became of a write.
pub(super) enum Answered {
    Done,
    /// Out of reach: it stays to be attempted again.
    Again,
    Failed(Event),
    /// The process died over it.
    Died,
}

impl World<'_> {
    /// Something happens in the turn; `false` when there is nothing that could.
    pub(super) fn drive_event(&mut self, place: usize) -> Result<bool, Broken> {
        let drive = &self.drives[place];
        let taking_over = u32::from(drive.taking_over);
        let has = |there: bool, weight: u32| if there { weight } else { 0 };
        let weights = [
            has(!drive.control.is_empty(), 60),
            has(drive.pack.is_some() || drive.write.is_some(), 100),
            has(drive.may_pack() && drive.journal.unpacked_bytes() > 0, self.plan.weights.pack),
            has(!drive.running.is_empty(), 60),
            has(!drive.timers.is_empty(), self.plan.weights.timer),
            has(drive.answer.is_some(), 100),
            taking_over,
        ];
        let Some(choice) = self.random.weighted(&weights) else { return Ok(false) };
        let mut drive = self.drives.swap_remove(place);
        if drive.taking_over {
            return self.take_over(drive).map(|()| true);
        }
        let event = match choice {
            0 => drive.control.pop_front(),
            1 => match self.write_event(&mut drive)? {
                Answered::Done => drive.write.take().map(|write| done(&write)),
                Answered::Again => None,
                Answered::Failed(event) => Some(event),
                Answered::Died => {
                    self.leave_writes(&mut drive);
                    self.crash(drive.process);
                    return Ok(true);
                }
            },
            2 => {
                drive.pack = drive.journal.take_pack();
                None
            }
            3 => Some(self.tool_returns(&mut drive)),
            4 => {
                let timer = self.random.below(drive.timers.len());
                self.coverage.timers += 1;
                Some(Event::TimerFired(drive.timers.swap_remove(timer)))
            }
            _ => Some(self.provider_sends(&mut drive)),
        };
        if let Some(event) = event {
            self.feed(&mut drive, event)?;
        }
        if !drive.over {
            self.drives.push(drive);
        } else {
            self.leave_writes(&mut drive);
        }
        Ok(true)
    }

    /// Whoever asked is gone; what is under way may arrive all the same.
    pub(super) fn leave_writes(&mut self, drive: &mut Drive) {
        let fence = drive.journal.fence().clone();
        // A write that waits for a pack has not left yet.
        let Some(write) = drive.pack.take().map(Write::Pack).or_else(|| drive.write.take()) else { return };
        if self.random.chance(self.plan.rates.late) {
            self.late.push(LateWrite { fence, write });
        }
    }

    pub(super) fn feed(&mut self, drive: &mut Drive, event: Event) -> Result<(), Broken> {
        self.say(|| format!("p{} {}: {event:?}", drive.process, drive.ids.run));
        match event {
            Event::StepPersisted => drive.journal.step_persisted(),
            Event::Released => {
                self.coverage.released += 1;
                if !self.ledger.runs.get(&drive.ids.run).is_some_and(|facts| facts.renumbered) {
                    self.check_released(drive)?;
                }
            }
            _ => {}
        }
        let mut effects = std::mem::take(&mut self.effects);
        drive.machine.handle(event, &mut effects);
        for effect in effects.drain(..) {
            if drive.over {
                return Err(Broken::new("nothing follows the end", format!("{effect:?}")));
            }
            self.say(|| format!("    -> {effect:?}"));
            self.carry_out(drive, effect)?;
        }
        self.effects = effects;
        Ok(())
    }

    fn carry_out(&mut self, drive: &mut Drive, effect: Effect) -> Result<(), Broken> {
        match effect {
            Effect::CallProvider { step, .. } => self.call_provider(drive, step)?,
            Effect::Release => {
                if !self.ledger.runs.get(&drive.ids.run).is_some_and(|facts| facts.planned) {
                    let detail = drive.ids.run.to_string();
                    return Err(Broken::new("only a run that others can drive is given up", detail));
                }
                let pack = drive.journal.take_pack();
                drive.write = Some(Write::Release(pack.filter(|_| self.mutation != Some(Mutation::ReleaseLosesPack))));
            }
            Effect::CancelProvider => drive.answer = None,
            Effect::RunTool(call) => self.run_tool(drive, call)?,
            Effect::CancelTool { call_id } => {
                drive.running.retain(|running| running.call_id != call_id);
                // A cancelled tool may have come back already.
                if self.random.chance(300) {
                    drive.control.push_back(Event::ToolFinished { call_id, outcome: Ok(Json::string("too late")) });
                }
            }
            Effect::PersistIntent(step) => drive.write = Some(Write::Intent(step)),
            Effect::PersistStep(step) => {
                let renew = self.random.chance(500);
                let due = Due::new(renew, self.random.chance(300), LEASE);
                drive.write = Some(Write::Step(drive.journal.record_step(step, due)));
            }
            Effect::EmitChunk(chunk) => {
                if matches!(chunk, UiChunk::Finish { .. } | UiChunk::Abort { .. }) {
                    self.check_told(drive)?;
                }
                let encoded: Arc<str> = chunk.encode().into();
                drive.told.push(Arc::clone(&encoded));
                drive.journal.chunk(chunk, &encoded);
            }
            Effect::ArmTimer { timer, .. } => {
                if !drive.timers.contains(&timer) {
                    drive.timers.push(timer);
                }
            }
            Effect::DisarmTimer(timer) => drive.timers.retain(|armed| *armed != timer),
            Effect::Settle(settlement) => {
                if drive.settlement.is_some() {
                    return Err(Broken::new("a run is settled once", "the machine settled twice".to_owned()));
                }
                drive.write = Some(Write::Settle(drive.journal.settle(&settlement)));
                drive.settlement = Some(settlement);
            }
            Effect::End(ending) => {
                drive.over = true;
                if ending == Ending::Settled {
                    self.check_told(drive)?;
                    tells_the_steps(&self.store, drive.ids.run, drive.first_step, drive.told.iter())?;
                    self.coverage.ends += 1;
                }
            }
        }
        Ok(())
    }

    /// Nobody is told of an end that is not on disk.
    fn check_told(&self, drive: &Drive) -> Result<(), Broken> {
        let run = ready(self.store.run(drive.ids.run)).ok().flatten();
        let told = drive.settlement.as_ref().map(|settlement| (settlement.status, settlement.reason));
        match run {
            Some(run) if !run.status.is_active() && told == Some((run.status, run.reason)) => Ok(()),
            run => {
                let stored = run.map(|run| (run.status, run.reason));
                let detail = format!("{}: told {told:?}, stored {stored:?}", drive.ids.run);
                Err(Broken::new("nobody is told of an end that is not on disk", detail))
            }
        }
    }

    fn call_provider(&mut self, drive: &mut Drive, step: u32) -> Result<(), Broken> {
        let stored = ready(self.store.steps(drive.ids.run)).unwrap_or_default();
        let finished = stored.iter().filter(|logged| logged.finished && logged.step.number < step).count();
        if finished != step as usize {
            let detail = format!("{}: step {step} was asked for, {finished} are on disk", drive.ids.run);
            return Err(Broken::new("the next call follows a confirmed step", detail));
        }
        let mut messages = drive.history.clone();
        append_steps(&mut messages, &drive.journal.steps_for_the_model());
        can_be_sent(&messages)?;
        let parts_left = self.random.below(self.plan.parts + 1);
        drive.answer = Some(Answer { parts_left, called: false, finished: false });
        Ok(())
    }

    fn run_tool(&mut self, drive: &mut Drive, call: ToolCall) -> Result<(), Broken> {
        if !Tools.is_read_only(&call.name) {
            let number = drive.journal.steps().len();
            let stored = ready(self.store.steps(drive.ids.run)).unwrap_or_default();
            let noted = stored.iter().any(|logged| {
                logged.step.number as usize == number && logged.step.tools().any(|tool| tool.call_id == call.call_id)
            });
            if !noted {
                let detail = format!("{}: {} of step {number}", drive.ids.run, call.call_id);
                return Err(Broken::new("no tool changes something before its call is on disk", detail));
            }
        }
        drive.running.push(call);
        Ok(())
    }

    fn tool_returns(&mut self, drive: &mut Drive) -> Event {
        let place = self.random.below(drive.running.len());
        if let Some(call) = drive.running.get(place)
            && self.random.chance(200)
        {
            return Event::ToolShows { call_id: call.call_id.clone(), output: Json::string(&self.word()) };
        }
        let call = drive.running.swap_remove(place);
        let failed = self.random.chance(self.plan.rates.tool_fails);
        let text = self.word();
        let outcome = if failed { Err(text) } else { Ok(Json::string(&text)) };
        Event::ToolFinished { call_id: call.call_id, outcome }
    }

    fn provider_sends(&mut self, drive: &mut Drive) -> Event {
        let rates = &self.plan.rates;
        let (fails, silent_end, bad_call) = (rates.provider_fails, rates.no_finish_reason, rates.bad_call);
        let Some(answer) = drive.answer.as_mut() else { return Event::StreamEnded };
        if answer.parts_left > 0 {
            answer.parts_left -= 1;
            if self.random.chance(fails / 4) {
                drive.answer = None;
                let answered = self.random.chance(500);
                return Event::StreamFailed(failure("the connection broke", answered));
            }
            let part = self.part(bad_call);
            if let (StreamPart::ToolCall { .. }, Some(answer)) = (&part, drive.answer.as_mut()) {
                answer.called = true;
            }
            return Event::Part(part);
        }
        // After the last part: usage and a reason, and then the end.
        if !answer.finished && !self.random.chance(silent_end) {
            let reason = match answer.called {
                _ if self.random.chance(fails / 4) => FinishReason::Error,
                true if self.random.chance(900) => FinishReason::ToolCalls,
                _ => self.random.pick(&[FinishReason::Stop, FinishReason::Stop, FinishReason::Length]),
            };
            answer.finished = true;
            let counted = self.random.chance(700);
            let usage = counted.then(|| Usage { input_tokens: Some(3), output_tokens: Some(2), ..Usage::default() });
            return Event::Part(StreamPart::Finish { reason, usage });
        }
        drive.answer = None;
        if self.random.chance(fails) {
            return Event::StreamFailed(failure("the connection was reset", self.random.chance(500)));
        }
        Event::StreamEnded
    }

    fn part(&mut self, bad_call: u32) -> StreamPart {
        let kind = if self.random.chance(700) { BlockKind::Text } else { BlockKind::Reasoning };
        let id = self.random.pick(&["0", "0", "1"]).to_owned();
        let call = self.random.pick(&["call_0", "call_1"]).to_owned();
        if self.random.chance(self.plan.calls) {
            let bad = self.random.chance(bad_call);
            let name = if bad && self.random.chance(500) { "unknown" } else { self.random.pick(&TOOLS) }.to_owned();
            return match self.random.below(6) {
                0 => StreamPart::ToolInputStart { id: call, name, run_by: RunBy::Host },
                1 => StreamPart::ToolInputDelta { id: call, delta: "{".to_owned() },
                _ => {
                    let arguments = if bad { "{broken".to_owned() } else { format!(r#"{{"a":"{}"}}"#, self.word()) };
                    StreamPart::ToolCall { id: call, name, arguments, run_by: RunBy::Host, metadata: None }
                }
            };
        }
        match self.random.below(12) {
            0 => StreamPart::BlockStart { kind, id, metadata: None },
            1 => StreamPart::BlockEnd { kind, id, metadata: None },
            2 => StreamPart::ResponseMetadata { id: None, model: None },
            3 if self.random.chance(self.plan.rates.provider_fails) => StreamPart::Error(failure("overloaded", true)),
            _ => StreamPart::BlockDelta { kind, id, delta: self.word(), metadata: None },
        }
    }

    /// The write that is on its way reaches the store, or does not.
    pub(super) fn write_event(&mut self, drive: &mut Drive) -> Result<Answered, Broken> {
        let fence = drive.journal.fence().clone();
        let is_pack = drive.pack.is_some();
        let Some(write) = drive.pack.clone().map(Write::Pack).or_else(|| drive.write.clone()) else {
            return Ok(Answered::Again);
        };
        let answered = self.attempt(&fence, &write)?;
        if let Answered::Failed(event) = answered {
            // The write that waited for a pack goes with it.
            (drive.pack, drive.write) = (None, None);
            return Ok(Answered::Failed(event));
        }
        if !matches!(answered, Answered::Done) {
            return Ok(answered);
        }
        self.acknowledge(&fence, &write);
        if is_pack {
            drive.pack = None;
            return Ok(Answered::Again);
        }
        Ok(Answered::Done)
    }

    fn acknowledge(&mut self, fence: &Fence, write: &Write) {
        let Some(facts) = self.ledger.runs.get_mut(&fence.run_id) else { return };
        match write.clone() {
            Write::Pack(pack) => facts.pack_acknowledged(pack),
            Write::Intent(step) => facts.intent_acknowledged(step),
            Write::Step(record) => facts.step_acknowledged(record.step),
            Write::Release(Some(pack)) => facts.pack_acknowledged(pack),
            Write::Settle(_) | Write::Release(None) => {}
        }
    }

    pub(super) fn attempt(&mut self, fence: &Fence, write: &Write) -> Result<Answered, Broken> {
        match (self.mutation, write) {
            (Some(Mutation::StepUnwritten), Write::Step(_)) => return Ok(Answered::Done),
            (Some(Mutation::SettleBeforePersist), Write::Settle(_))
            | (Some(Mutation::ToolBeforeIntent), Write::Intent(_)) => {
                self.late.push(LateWrite { fence: fence.clone(), write: write.clone() });
                return Ok(Answered::Done);
            }
            _ => {}
        }
        let rates = &self.plan.rates;
        let (before, after) = (rates.crash_before, rates.crash_after);
        let (unreachable, lost, refused, twice) = (rates.unreachable, rates.answer_lost, rates.refused, rates.twice);
        if self.random.chance(before) {
            self.say(|| format!("    the process dies before its {} is written", write.name()));
            return Ok(Answered::Died);
        }
        if self.random.chance(refused) {
            self.say(|| format!("    the {} is refused", write.name()));
            self.coverage.refused += 1;
            if let (Write::Pack(_) | Write::Release(_), Some(facts)) = (write, self.ledger.runs.get_mut(&fence.run_id))
            {
                facts.renumbered = true;
            }
            return Ok(Answered::Failed(Event::PersistFailed));
        }
        if self.random.chance(unreachable) {
            self.say(|| format!("    the {} does not arrive", write.name()));
            if self.random.chance(self.plan.rates.late / 2) {
                self.late.push(LateWrite { fence: fence.clone(), write: write.clone() });
            }
            return Ok(Answered::Again);
        }
        let mut answer = self.perform(fence, write)?;
        if self.random.chance(twice) {
            self.say(|| "    and once more".to_owned());
            answer = self.perform(fence, write)?;
        }
        if self.random.chance(after) {
            self.say(|| format!("    the process dies after its {} was written", write.name()));
            return Ok(Answered::Died);
        }
        if self.random.chance(lost) {
            self.say(|| "    its answer is lost".to_owned());
            self.coverage.lost_answers += 1;
            return Ok(Answered::Again);
        }
        Ok(match answer {
            Ok(()) => Answered::Done,
            Err(ErrorCode::LeaseLost) if self.mutation == Some(Mutation::RefusalIgnored) => Answered::Done,
            Err(ErrorCode::LeaseLost) => Answered::Failed(Event::LeaseLost),
            Err(ErrorCode::StoreUnavailable) => Answered::Again,
            Err(_) => Answered::Failed(Event::PersistFailed),
        })
    }

    /// The store executes a write, and is compared with the books.
    pub(super) fn perform(&mut self, fence: &Fence, write: &Write) -> Result<Result<(), ErrorCode>, Broken> {
        let run_id = fence.run_id;
        let old = self.ledger.runs.get(&run_id).is_some_and(|facts| facts.fence.as_ref() != Some(fence));
        let before = if old { self.ledger.rows(&self.store, run_id) } else { None };
        let store = &self.store;
        let answer = match write {
            Write::Pack(pack) => ready(store.append_pack(fence, pack)),
            Write::Intent(step) => ready(store.record_intent(fence, step)),
            Write::Step(record) => ready(store.record_step(record.clone())),
            Write::Settle(settle) => ready(store.settle_run(settle.clone())),
            Write::Release(pack) => {
                let packed = pack.as_ref().map_or(Ok(()), |pack| ready(store.append_pack(fence, pack)));
                packed.and_then(|()| ready(store.release_run(fence)))
            }
        };
        let answer = answer.map_err(|error| error.code());
        self.say(|| format!("    {} of {run_id} under epoch {}: {answer:?}", write.name(), fence.epoch));
        if old {
            self.coverage.old_writes += 1;
            if answer.is_ok() || before != self.ledger.rows(&self.store, run_id) {
                let detail = format!("a {} of {run_id} under epoch {}", write.name(), fence.epoch);
                return Err(Broken::new("no write from an old epoch", detail));
            }
            return Ok(answer);
        }
        if answer.is_ok() {
            let (now, elapsed) = (self.now(), self.elapsed);
            if let Some(facts) = self.ledger.runs.get_mut(&run_id).filter(|facts| facts.settled.is_none()) {
                match write {
                    Write::Pack(pack) => facts.pack_acknowledged(pack.clone()),
                    Write::Intent(step) => facts.intent_acknowledged(step.clone()),
                    Write::Step(record) if record.lease.is_some() => facts.is_heard(now, elapsed),
                    Write::Release(pack) => {
                        facts.is_given_up(now);
                        pack.iter().for_each(|pack| facts.pack_acknowledged(pack.clone()));
                    }
                    _ => {}
                }
            }
        }
        self.ledger.check(&self.store, run_id)?;
        Ok(answer)
    }

    /// What an event from outside is to the turn's own process.
    pub(super) fn tell(&mut self, drive: usize, cause: StopCause) {
        self.drives[drive].control.push_back(Event::StopRequested(cause));
    }
}

fn done(write: &Write) -> Event {
    match write {
        Write::Intent(_) => Event::IntentPersisted,
        Write::Step(_) => Event::StepPersisted,
        Write::Settle(_) | Write::Pack(_) => Event::Settled,
        Write::Release(_) => Event::Released,
    }
}

fn failure(message: &str, answered: bool) -> ProviderFailure {
    ProviderFailure { answered, ..ProviderFailure::new(crate::model::FailureKind::ConnectionLost, message) }
}
