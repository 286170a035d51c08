//! What happens in one turn of one process: the shell's outputs are carried out as the engine's driver does, with every
//! answer and every delay drawn.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, ErrorCode};
use crate::log::abandoned::AbandonedLog;
use crate::log::journal::Journal;
use crate::machine::shell::{Input, Output, Pace, Shell};
use crate::machine::writes::{Told, Write};
use crate::machine::{Ending, Event, Fallback, Limits, Retries, RunMachine, StopCause, ToolCall, TurnIds};
use crate::model::{FailureKind, FinishReason, Json, Part, StepRecord, Usage};
use crate::project::{FlushExtra, append_steps, flush_run};
use crate::provider::{BlockKind, ProviderFailure, RunBy, StreamPart};
use crate::store::{Fence, LogStore, LoggedStep, RunStore, SettleRun, WaitStore};
use crate::tool::ToolCatalog;

use super::effects::Closing;
use super::ledger::{can_be_sent, has_the_numbers, tells_the_steps};
use super::process::{Answer, DrawnReaders, Drive, History, LateWrite, TOOLS, Tools};
use super::world::{LEASE, World};
use super::{Broken, Mutation, ready};

/// Within this time what waits for nothing but time is a pack, or a write that is attempted again.
const SOON: Duration = Duration::from_millis(250);

/// What the store has said to a write; nothing when the process died over it.
pub(super) type Answered = Option<Result<Told, ErrorCode>>;

impl World<'_> {
    /// A turn in this process: of a run that has just begun, or `after` what others have written of it.
    pub(super) fn turn(
        &mut self,
        process: usize,
        ids: TurnIds,
        fence: Fence,
        history: History,
        planned: bool,
        left: Option<AbandonedLog>,
    ) -> Drive {
        let limits = Limits {
            step: self.plan.step_limit,
            run: self.plan.run_limit,
            ..Limits::new(self.plan.max_steps, Duration::from_secs(60))
        };
        let fallback = |number: usize| Fallback {
            model: format!("m{number}").into(),
            on: Fallback::DEFAULT_ON.to_vec(),
            price: None,
        };
        let retries = Retries {
            step: if self.mutation == Some(Mutation::RetryWithoutEnd) { u32::MAX } else { self.plan.retries },
            wait: Duration::from_secs(20),
            model: None,
            fallbacks: (0..self.plan.fallbacks).map(fallback).collect(),
        };
        let mut machine = RunMachine::new(ids, limits, Arc::new(Tools))
            .retrying(retries)
            .tainting(self.tainting(&history))
            .with_taint_flaw(self.mutation.and_then(Mutation::taint_flaw));
        let mut journal = Journal::new(fence, None);
        let mut first_step = 0;
        let mut told = Vec::new();
        if planned {
            machine = machine.handing_over();
        }
        if let Some(left) = left {
            first_step = left.steps.len();
            machine = machine.after(&self.read_by_machine(&left));
            if let Some(open) = left.open {
                let waits = ready(self.store.waits(ids.run)).ok().flatten().map(|found| found.waits);
                let number = open.step.number;
                machine = machine.resuming(open.step, (open.untold, open.told), |call| {
                    waits.as_ref()?.answer_to(number, call).cloned()
                });
                told = self.ledger.told_of(ids.run, number);
                self.coverage.resumed += 1;
            }
            journal = journal.after(left.steps, left.next_sequence, left.begun);
        }
        let pace = Pace { patience: self.plan.patience, lease: LEASE, refresh_every_step: self.random.chance(300) };
        let numbered = self.random.chance(300);
        let readers = DrawnReaders { following: self.random.chance(300), numbered };
        let mut shell = Shell::new(machine, journal, pace, Arc::new(readers));
        shell.flaw = self.mutation.and_then(Mutation::flaw);
        Drive {
            process,
            ids,
            shell,
            at: self.instant(),
            history,
            detached: true,
            control: VecDeque::from([Event::Begun]),
            answer: None,
            running: Vec::new(),
            counted: HashSet::new(),
            closing: Vec::new(),
            write: None,
            again: false,
            settle: None,
            told,
            numbered,
            taking_over: false,
            left: None,
            first_step,
            called: None,
            over: false,
        }
    }

    /// Something happens in the turn; `false` when there is nothing that could.
    pub(super) fn drive_event(&mut self, place: usize) -> Result<bool, Broken> {
        let now = self.instant();
        let drive = &mut self.drives[place];
        drive.at = drive.at.max(now);
        let timeout = drive.shell.poll_timeout();
        let has = |there: bool, weight: u32| if there { weight } else { 0 };
        let waits_for_time = drive.write.is_none() && drive.running.is_empty() && drive.answer.is_none();
        if waits_for_time && !drive.again && timeout.is_some() && drive.control.is_empty() && self.random.chance(800) {
            // Other things happen meanwhile.
            return Ok(true);
        }
        let drive = &mut self.drives[place];
        let next = match timeout {
            None => 0,
            Some(_) if drive.again || waits_for_time => 100,
            Some(at) if at <= drive.at + SOON => self.plan.weights.pack,
            Some(_) => self.plan.weights.timer,
        };
        let weights = [
            has(!drive.control.is_empty(), self.plan.weights.control),
            has(drive.write.is_some(), 100),
            next,
            has(!drive.running.is_empty(), self.plan.weights.tool),
            has(timeout.is_some(), self.plan.weights.timer),
            has(drive.answer.is_some(), 100),
            u32::from(drive.taking_over),
            has(!drive.closing.is_empty(), self.plan.weights.tool),
        ];
        let Some(choice) = self.random.weighted(&weights) else { return Ok(false) };
        let mut drive = self.drives.swap_remove(place);
        if drive.taking_over {
            return self.take_over(drive).map(|()| true);
        }
        match choice {
            0 => {
                if let Some(event) = drive.control.pop_front() {
                    self.hand(&mut drive, Input::Event(event))?;
                }
            }
            1 => {
                if self.write_arrives(&mut drive)?.is_none() {
                    self.leave_write(&mut drive);
                    self.crash(drive.process);
                    return Ok(true);
                }
            }
            2 => {
                drive.at = drive.at.max(timeout.unwrap_or(drive.at));
                self.hand(&mut drive, Input::Timeout)?;
            }
            3 => {
                let event = self.tool_returns(&mut drive)?;
                self.hand(&mut drive, Input::Event(event))?;
            }
            4 => {
                // Time goes by unseen, so that several timeouts come at once.
                drive.at += Duration::from_secs(self.random.pick(&[1, 6, 30, 61]));
                self.hand(&mut drive, Input::Timeout)?;
            }
            7 => {
                if !self.close_effect(&mut drive)? {
                    self.leave_write(&mut drive);
                    self.crash(drive.process);
                    return Ok(true);
                }
            }
            _ => {
                let event = self.provider_sends(&mut drive);
                self.hand(&mut drive, Input::Event(event))?;
            }
        }
        if !drive.over {
            self.drives.push(drive);
        } else {
            self.leave_write(&mut drive);
        }
        Ok(true)
    }

    /// Whoever asked is gone; what is under way may arrive all the same.
    pub(super) fn leave_write(&mut self, drive: &mut Drive) {
        self.leave_tools(drive, |_| true);
        let Some(write) = drive.write.take() else { return };
        if self.random.chance(self.plan.rates.late) {
            let late = self.late_write(drive.shell.journal().fence(), &write);
            self.late.push(late);
        }
    }

    fn late_write(&self, fence: &Fence, write: &Arc<Write>) -> LateWrite {
        let entering = if matches!(**write, Write::Enter(_)) { self.waiting_for(fence.run_id) } else { Vec::new() };
        LateWrite { fence: fence.clone(), write: Arc::clone(write), entering }
    }

    /// Tells the shell, and does what it says.
    pub(super) fn hand(&mut self, drive: &mut Drive, input: Input) -> Result<(), Broken> {
        self.say(|| format!("p{} {}: {input:?}", drive.process, drive.ids.run));
        self.coverage.timers += u64::from(matches!(input, Input::Timeout));
        drive.shell.handle(input, drive.at);
        while let Some(output) = drive.shell.poll_output() {
            if drive.over {
                return Err(Broken::new("nothing follows the end", format!("{output:?}")));
            }
            self.say(|| format!("    -> {output:?}"));
            self.carry_out(drive, output)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, drive: &mut Drive, output: Output) -> Result<(), Broken> {
        match output {
            Output::CallProvider { step, .. } => self.call_provider(drive, step)?,
            Output::CancelProvider => drive.answer = None,
            Output::RunTool(call) => self.run_tool(drive, call)?,
            Output::CancelTool { call_id } => {
                self.leave_tools(drive, |call| call.call_id == call_id);
                // A cancelled tool may have come back already, or have shown something.
                if self.random.chance(300) {
                    let output = Json::string("too late");
                    drive.control.push_back(Event::ToolShows { call_id: call_id.clone(), output });
                }
                if self.random.chance(300) {
                    drive.control.push_back(Event::ToolFinished { call_id, outcome: Ok(Json::string("too late")) });
                }
            }
            Output::StepBegins { .. } => {}
            Output::CloseEffect { call_id, key, error } => drive.closing.push(Closing { call_id, key, error }),
            Output::Chunk(chunk) => {
                if chunk.starts_with(r#"{"type":"finish","#) || chunk.starts_with(r#"{"type":"abort","#) {
                    self.check_told(drive)?;
                }
                drive.told.push(chunk);
            }
            // None of the log: what is kept there is compared without it.
            Output::Aside(_) => {}
            Output::Write(write) => self.write(drive, write)?,
            Output::End(ending) => {
                drive.over = true;
                if let Ending::Waiting(Some(reason)) = ending {
                    self.request_stop(drive.ids.run, reason)?;
                }
                if ending == Ending::Settled {
                    self.check_answered_all(drive.ids.run)?;
                    self.check_told(drive)?;
                    self.check_ended(drive)?;
                    self.coverage.ends += 1;
                }
            }
        }
        Ok(())
    }

    fn write(&mut self, drive: &mut Drive, write: Arc<Write>) -> Result<(), Broken> {
        let run = drive.ids.run;
        if drive.write.is_some() {
            return Err(Broken::new("one write at a time", format!("{run}: a {}", write.name())));
        }
        if matches!(*write, Write::Release) && !self.ledger.runs.get(&run).is_some_and(|facts| facts.planned) {
            return Err(Broken::new("only a run that others can drive is given up", run.to_string()));
        }
        if matches!(*write, Write::Settle(_))
            && !Arc::ptr_eq(drive.settle.get_or_insert_with(|| Arc::clone(&write)), &write)
        {
            return Err(Broken::new("a run is settled once", "the machine settled twice".to_owned()));
        }
        drive.write = Some(write);
        drive.again = false;
        Ok(())
    }

    /// Nobody is told of an end that is not on disk.
    fn check_told(&self, drive: &Drive) -> Result<(), Broken> {
        let run = ready(self.store.run(drive.ids.run)).ok().flatten();
        let told = drive.shell.settlement().map(|settlement| (settlement.status, settlement.reason));
        match run {
            Some(run) if !run.status.is_active() && told == Some((run.status, run.reason)) => Ok(()),
            run => {
                let stored = run.map(|run| (run.status, run.reason));
                let detail = format!("{}: told {told:?}, stored {stored:?}", drive.ids.run);
                Err(Broken::new("nobody is told of an end that is not on disk", detail))
            }
        }
    }

    /// What this process's readers were told of a run that it has settled is what is stored; also as the log has it, if
    /// they know the numbers of its chunks.
    fn check_ended(&mut self, drive: &Drive) -> Result<(), Broken> {
        let run = drive.ids.run;
        let Some(facts) = self.ledger.runs.get(&run).filter(|facts| !facts.cut_short) else { return Ok(()) };
        tells_the_steps(&self.store, run, drive.first_step, drive.told.iter())?;
        let is_first = drive.shell.journal().fence().epoch == 1;
        let exact = drive.numbered && is_first && !facts.trimmed && !facts.renumbered;
        if !exact {
            return Ok(());
        }
        self.coverage.numbered += 1;
        has_the_numbers(&self.store, run, &drive.told)
    }

    fn call_provider(&mut self, drive: &mut Drive, step: u32) -> Result<(), Broken> {
        let stored = ready(self.store.steps(drive.ids.run)).unwrap_or_default();
        let finished = stored.iter().filter(|logged| logged.finished && logged.step.number < step).count();
        if finished != step as usize {
            let detail = format!("{}: step {step} was asked for, {finished} are on disk", drive.ids.run);
            return Err(Broken::new("the next call follows a confirmed step", detail));
        }
        self.check_retries(drive, &stored)?;
        // What was set aside for a call of which nothing came is settled before the next one.
        if drive.called.replace(step) == Some(step)
            && ready(self.store.settle_reserved(drive.shell.journal().fence())).is_err()
        {
            drive.control.push_back(Event::LeaseLost);
            return Ok(());
        }
        let mut messages = drive.history.messages.clone();
        append_steps(&mut messages, &drive.shell.journal().steps_for_the_model());
        let heard = drive.shell.journal().heard().iter().cloned().map(Part::Other).collect();
        append_steps(&mut messages, &[StepRecord { number: step, parts: heard, finish_reason: None, usage: None }]);
        can_be_sent(&messages)?;
        self.ledger.told_outside(drive.ids.run, step, &messages);
        if ready(self.store.reserve(drive.shell.journal().fence())).is_err() {
            drive.control.push_back(Event::LeaseLost);
            return Ok(());
        }
        self.ledger.called(drive.ids.run);
        let parts_left = self.random.below(self.plan.parts + 1);
        drive.answer = Some(Answer { parts_left, called: false, finished: false });
        Ok(())
    }

    /// A step is asked for again as often as that is allowed, by each owner.
    fn check_retries(&mut self, drive: &Drive, stored: &[LoggedStep]) -> Result<(), Broken> {
        let own = stored.iter().skip(drive.first_step);
        let withdrawn = own.rev().take_while(|logged| logged.step.is_withdrawn()).count();
        self.coverage.withdrawn += u64::from(withdrawn > 0);
        let (again, others) = (self.plan.retries as usize, self.plan.fallbacks);
        if withdrawn > again * (1 + others) + others {
            let detail = format!("{}: {withdrawn} in a row", drive.ids.run);
            return Err(Broken::new("a step is withdrawn no more often than is allowed", detail));
        }
        Ok(())
    }

    fn run_tool(&mut self, drive: &mut Drive, call: ToolCall) -> Result<(), Broken> {
        if !Tools.is_read_only(&call.name) {
            self.check_leave(drive.ids.run, &call)?;
            self.coverage.repeated_calls += u64::from(self.ledger.made(drive.ids.run, &call)?);
            let number = drive.shell.journal().steps().len();
            let stored = ready(self.store.steps(drive.ids.run)).unwrap_or_default();
            let noted = stored.iter().any(|logged| {
                logged.step.number as usize == number && logged.step.tools().any(|tool| tool.call_id == call.call_id)
            });
            if !noted {
                let detail = format!("{}: {} of step {number}", drive.ids.run, call.call_id);
                return Err(Broken::new("no tool changes something before its call is on disk", detail));
            }
        }
        if call.name == "count" && self.random.chance(300) && self.count(drive.ids.run, &call)? {
            drive.counted.insert(call.call_id.clone());
        }
        drive.running.push(call);
        Ok(())
    }

    fn tool_returns(&mut self, drive: &mut Drive) -> Result<Event, Broken> {
        let place = self.random.below(drive.running.len());
        if let Some(call) = drive.running.get(place)
            && self.random.chance(200)
        {
            return Ok(Event::ToolShows { call_id: call.call_id.clone(), output: Json::string(&self.word()) });
        }
        let call = drive.running.swap_remove(place);
        if call.name == "count" {
            let outcome = self.counter_returns(drive, &call)?;
            return Ok(Event::ToolFinished { call_id: call.call_id, outcome });
        }
        let failed = self.random.chance(self.plan.rates.tool_fails);
        let text = self.outcome_of(&call.name);
        let outcome = if failed { Err(text) } else { Ok(Json::string(&text)) };
        Ok(Event::ToolFinished { call_id: call.call_id, outcome })
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
                return Event::StreamFailed(self.failure(answered));
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
            let answered = self.random.chance(500);
            return Event::StreamFailed(self.failure(answered));
        }
        Event::StreamEnded
    }

    fn failure(&mut self, answered: bool) -> ProviderFailure {
        let kinds = [FailureKind::ConnectionLost, FailureKind::Overloaded, FailureKind::Refused];
        ProviderFailure { answered, ..ProviderFailure::new(self.random.pick(&kinds), "as the schedule wants it") }
    }

    /// Some schedules know calls that wait, and some call nothing else.
    fn tool_name(&mut self) -> &'static str {
        let asks = self.random.chance(self.plan.asks);
        let name = self.random.pick(if asks { &TOOLS[7..] } else { &TOOLS[..7] });
        self.or_from_outside(name)
    }

    fn part(&mut self, bad_call: u32) -> StreamPart {
        let kind = if self.random.chance(700) { BlockKind::Text } else { BlockKind::Reasoning };
        let id = self.random.pick(&["0", "0", "1"]).to_owned();
        let call = self.random.pick(&["call_0", "call_1"]).to_owned();
        if self.random.chance(self.plan.calls) {
            let bad = self.random.chance(bad_call);
            let name = if bad && self.random.chance(500) { "unknown" } else { self.tool_name() }.to_owned();
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
            3 if self.random.chance(self.plan.rates.provider_fails) => StreamPart::Error(self.failure(true)),
            _ => StreamPart::BlockDelta { kind, id, delta: self.word(), metadata: None },
        }
    }

    /// The write that is under way reaches the store, or does not, and the shell is told; nothing when the process died.
    fn write_arrives(&mut self, drive: &mut Drive) -> Result<Option<()>, Broken> {
        let (Some(write), fence) = (drive.write.clone(), drive.shell.journal().fence().clone()) else {
            return Ok(Some(()));
        };
        let Some(answer) = self.attempt(&fence, &write)? else { return Ok(None) };
        drive.write = None;
        if let Ok(told) = &answer {
            self.acknowledge(&fence, &write, told);
            if told.steered && matches!(*write, Write::Settle(_)) {
                drive.settle = None;
                self.coverage.kept += 1;
            }
            if matches!(*write, Write::Release) {
                self.coverage.released += 1;
                if !self.ledger.runs.get(&drive.ids.run).is_some_and(|facts| facts.renumbered) {
                    self.check_released(drive)?;
                }
            }
        }
        let (failed, is_away) = (answer.is_err(), answer == Err(ErrorCode::StoreUnavailable));
        self.hand(drive, Input::Written(answer.map_err(|code| Error::new(code, "as the schedule wants it"))))?;
        // With nothing that is under way, the shell waits before it attempts the write again, or has given it up.
        drive.again = failed && drive.write.is_none() && !drive.over;
        self.coverage.given_up += u64::from(is_away && !drive.again);
        // Whether a write that was given up is on disk, nobody knows.
        drive.numbered &= !failed || drive.again;
        let is_pack = matches!(*write, Write::Pack(_) | Write::Suspend(_));
        if let (true, Some(facts)) = (failed && is_pack && !drive.again, self.ledger.runs.get_mut(&drive.ids.run)) {
            facts.renumbered = true;
        }
        Ok(Some(()))
    }

    pub(super) fn acknowledge(&mut self, fence: &Fence, write: &Write, told: &Told) {
        let Some(facts) = self.ledger.runs.get_mut(&fence.run_id) else { return };
        match write {
            Write::Pack(pack) => facts.pack_acknowledged(pack.clone()),
            Write::Intent(step) => facts.intent_acknowledged(step.clone()),
            Write::Step(record) => facts.step_acknowledged(record.step.clone()),
            Write::Enter(enter) => facts.entered(enter, told),
            Write::Settle(_) | Write::Fail(_) | Write::Release | Write::Suspend(_) => {}
        }
    }

    /// The write as a broken rule makes it.
    fn mutated(&self, write: &Arc<Write>) -> Arc<Write> {
        let (Some(Mutation::WithdrawnShown), Write::Settle(settle)) = (self.mutation, &**write) else {
            return Arc::clone(write);
        };
        let stored = ready(self.store.steps(settle.fence.run_id)).unwrap_or_default();
        let last = settle.step.iter().map(|(step, _)| step.clone());
        let mut steps: Vec<StepRecord> = stored.into_iter().map(|logged| logged.step).chain(last).collect();
        steps.iter_mut().filter(|step| step.is_withdrawn()).for_each(|step| step.finish_reason = None);
        let assistant = flush_run(&steps, settle.assistant.status, &FlushExtra::default());
        Arc::new(Write::Settle(SettleRun { assistant, ..settle.clone() }))
    }

    /// What the schedule makes of an attempt.
    pub(super) fn attempt(&mut self, fence: &Fence, write: &Arc<Write>) -> Result<Answered, Broken> {
        let write = &self.mutated(write);
        match (self.mutation, &**write) {
            (Some(Mutation::StepUnwritten), Write::Step(_)) => return Ok(Some(Ok(Told::default()))),
            (Some(Mutation::AllowedUnwritten), Write::Intent(step))
                if step.tools().any(|tool| tool.approval.as_ref().is_some_and(|asked| asked.approved.is_some())) =>
            {
                return Ok(Some(Ok(Told::default())));
            }
            (Some(Mutation::SettleBeforePersist), Write::Settle(_))
            | (Some(Mutation::ToolBeforeIntent), Write::Intent(_)) => {
                let late = self.late_write(fence, write);
                self.late.push(late);
                return Ok(Some(Ok(Told::default())));
            }
            _ => {}
        }
        let rates = &self.plan.rates;
        let (before, after) = (rates.crash_before, rates.crash_after);
        let (unreachable, lost, refused, twice) = (rates.unreachable, rates.answer_lost, rates.refused, rates.twice);
        if self.random.chance(before) {
            self.say(|| format!("    the process dies before its {} is written", write.name()));
            return Ok(None);
        }
        // What the store finds fault with is the end itself: it was not written before, and will not be.
        let is_end = matches!(**write, Write::Settle(_));
        if self.random.chance(refused) && !(is_end && self.ledger.is_settled(fence.run_id)) {
            self.late.retain(|late| !is_end || !Arc::ptr_eq(&late.write, write));
            self.say(|| format!("    the {} is refused", write.name()));
            self.coverage.refused += 1;
            return Ok(Some(Err(ErrorCode::Internal)));
        }
        if self.random.chance(unreachable) {
            self.say(|| format!("    the {} does not arrive", write.name()));
            if self.random.chance(self.plan.rates.late / 2) {
                let late = self.late_write(fence, write);
                self.late.push(late);
            }
            return Ok(Some(Err(ErrorCode::StoreUnavailable)));
        }
        let mut answer = self.perform(fence, write)?;
        if self.random.chance(twice) {
            self.say(|| "    and once more".to_owned());
            answer = self.perform(fence, write)?;
        }
        if self.random.chance(after) {
            self.say(|| format!("    the process dies after its {} was written", write.name()));
            return Ok(None);
        }
        if self.random.chance(lost) {
            self.say(|| "    its answer is lost".to_owned());
            self.coverage.lost_answers += 1;
            return Ok(Some(Err(ErrorCode::StoreUnavailable)));
        }
        Ok(Some(match answer {
            Err(ErrorCode::LeaseLost) if self.mutation == Some(Mutation::RefusalIgnored) => Ok(Told::default()),
            answer => answer,
        }))
    }

    /// The store executes a write, and is compared with the books.
    pub(super) fn perform(&mut self, fence: &Fence, write: &Write) -> Result<Result<Told, ErrorCode>, Broken> {
        let run_id = fence.run_id;
        let is_again = matches!(write, Write::Suspend(_));
        let old = self
            .ledger
            .runs
            .get(&run_id)
            .is_some_and(|facts| facts.fence.as_ref() != Some(fence) || (facts.suspended && !is_again));
        let before = if old { self.ledger.rows(&self.store, run_id) } else { None };
        let answer = ready(write.attempt(&*self.store, fence)).map_err(|error| error.code());
        self.say(|| format!("    {} of {run_id} under epoch {}: {answer:?}", write.name(), fence.epoch));
        if old {
            self.coverage.old_writes += 1;
            if answer.is_ok() || before != self.ledger.rows(&self.store, run_id) {
                let detail = format!("a {} of {run_id} under epoch {}", write.name(), fence.epoch);
                return Err(Broken::new("no write from an old epoch", detail));
            }
            return Ok(answer);
        }
        if let Ok(told) = &answer {
            let (now, elapsed) = (self.now(), self.elapsed);
            if let Some(facts) = self.ledger.runs.get_mut(&run_id).filter(|facts| facts.settled.is_none()) {
                match write {
                    Write::Pack(pack) => facts.pack_acknowledged(pack.clone()),
                    Write::Intent(step) => facts.intent_acknowledged(step.clone()),
                    Write::Step(record) if record.lease.is_some() => facts.is_heard(now, elapsed),
                    Write::Fail(_) => {
                        facts.cut_short = true;
                        self.coverage.cut_short += 1;
                    }
                    Write::Release => facts.is_given_up(now),
                    Write::Enter(enter) => facts.entered(enter, told),
                    Write::Suspend(suspend) if !facts.suspended => {
                        facts.is_suspended(now, suspend);
                        self.coverage.suspended += 1;
                        let asked = suspend.waits.calls.iter().any(|wait| !wait.tainted_by.is_empty());
                        self.coverage.asked_of_tainted += u64::from(asked);
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
