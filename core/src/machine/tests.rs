//! Random schedules against the rules of the machine.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::id::{ChatId, MessageId, RunId};
use crate::log::UiChunk;
use crate::model::{
    FailureKind, FinishReason, Json, Part, Repeat, RunReason, RunStatus, StepRecord, ToolPart, ToolState, Usage, Wait,
    is_steering,
};
use crate::provider::{BlockKind, ProviderFailure, RunBy, Source, StreamPart};
use crate::tool::ToolCatalog;

struct Tools;

impl ToolCatalog for Tools {
    fn check(&self, name: &str, arguments: &str) -> Result<Json, String> {
        if name == "unknown" {
            return Err("no such tool".to_owned());
        }
        Json::parse(arguments).map_err(|error| error.to_string())
    }
    fn is_read_only(&self, name: &str) -> bool {
        name == "read"
    }
    fn timeout(&self, _: &str) -> Duration {
        Duration::from_secs(1)
    }
    fn repeats(&self, name: &str) -> Option<Repeat> {
        (name == "count").then_some(Repeat::Effects)
    }
}

/// The world around a machine: what is under way, what was confirmed, what readers saw.
struct World {
    machine: RunMachine,
    max_steps: u32,
    /// The provider's stream is open.
    calling: bool,
    running: Vec<String>,
    /// The store is asked for these calls.
    closing: Vec<String>,
    intent_pending: bool,
    step_pending: Option<StepRecord>,
    settlement: Option<Settlement>,
    /// The settlement is on disk,
    settled: bool,
    /// and brought no step with it.
    finished_steps: usize,
    log: Vec<StepRecord>,
    armed: HashSet<Timer>,
    chunks: Vec<UiChunk>,
    ended: Option<Ending>,
    settles: usize,
    provider_calls: u32,
    /// Others can go on with the run; they were asked to; it is given up, which is not on disk yet.
    hands_over: bool,
    handing_over: bool,
    /// What the run waits for, and what its reader is asked once that is on disk.
    waiting: Option<(StepRecord, Vec<Wait>)>,
    asked: Vec<UiChunk>,
    releasing: bool,
    /// Messages that wait for the run, and the step that they are to enter before.
    messages: usize,
    entering: Option<u32>,
    entered: usize,
}

impl World {
    /// One whose run others can go on with.
    fn handing_over(max_steps: u32) -> Self {
        let world = Self::new(max_steps);
        Self { machine: world.machine.handing_over(), hands_over: true, ..world }
    }

    /// Another process goes on with the run that was given up; what was in progress is closed.
    fn taken_over(mut self) -> Self {
        assert!(!self.calling && self.running.is_empty(), "something still runs");
        if self.finished_steps < self.chunks.iter().filter(|chunk| matches!(chunk, UiChunk::StartStep)).count() {
            let number = u32::try_from(self.log.len()).unwrap();
            self.log.push(StepRecord { number, parts: Vec::new(), finish_reason: None, usage: None });
        }
        let world = Self::handing_over(self.max_steps);
        let (finished_steps, entered, log) = (self.log.len(), self.messages_in_the_log(), self.log);
        Self { machine: world.machine.after(&log), log, finished_steps, entered, ..world }
    }

    fn new(max_steps: u32) -> Self {
        let ids = TurnIds { chat: ChatId::generate(), run: RunId::generate(), message: MessageId::generate() };
        let limits = Limits::new(max_steps, Duration::from_secs(1));
        Self {
            machine: RunMachine::new(ids, limits, Arc::new(Tools)).retrying(retries()),
            max_steps,
            calling: false,
            running: Vec::new(),
            closing: Vec::new(),
            intent_pending: false,
            step_pending: None,
            settlement: None,
            settled: false,
            finished_steps: 0,
            log: Vec::new(),
            armed: HashSet::new(),
            chunks: Vec::new(),
            ended: None,
            settles: 0,
            provider_calls: 0,
            hands_over: false,
            handing_over: false,
            waiting: None,
            asked: Vec::new(),
            releasing: false,
            messages: 0,
            entering: None,
            entered: 0,
        }
    }

    fn feed(&mut self, event: Event) {
        let mut effects = Vec::new();
        self.machine.handle(event, &mut effects);
        for effect in effects {
            assert!(self.ended.is_none(), "an effect after the end: {effect:?}");
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::CallProvider { step, text_only, .. } => {
                assert_eq!(step as usize, self.log.len(), "called before the step before it was on disk");
                assert!(self.step_pending.is_none() && !self.calling);
                // What was withdrawn is no step of the limit.
                let kept = self.log.iter().filter(|step| !step.is_withdrawn()).count();
                assert_eq!(text_only, kept + 1 >= self.max_steps as usize);
                assert!(!self.handing_over, "another step of a run that is to be given up");
                self.calling = true;
                self.provider_calls += 1;
            }
            Effect::CancelProvider => self.calling = false,
            Effect::RunTool(call) => {
                assert!(!self.intent_pending, "a tool ran before its call was on disk");
                self.running.push(call.call_id);
            }
            Effect::CloseEffect { call_id, .. } => self.closing.push(call_id),
            Effect::CancelTool { call_id } => self.running.retain(|running| *running != call_id),
            Effect::PersistIntent(_) => self.intent_pending = true,
            Effect::EnterSteering { step } => self.entering = Some(step),
            Effect::PersistStep(step) => {
                assert_complete(&step);
                self.step_pending = Some(step);
            }
            Effect::EmitChunk(chunk) => self.reader_sees(chunk),
            Effect::EmitAside(chunk) => assert!(self.asked.is_empty() || matches!(chunk, UiChunk::Finish { .. })),
            Effect::Suspend { step, waits, asked } => {
                assert!(self.hands_over && self.settles == 0);
                assert!(!self.calling && self.running.is_empty(), "waits while something still runs");
                assert!(!waits.is_empty() && self.asked.is_empty());
                self.asked = asked;
                self.waiting = Some((step, waits));
            }
            Effect::ArmTimer { timer, .. } => drop(self.armed.insert(timer)),
            Effect::DisarmTimer(timer) => drop(self.armed.remove(&timer)),
            Effect::Settle(settlement) => {
                self.settles += 1;
                assert_eq!(self.settles, 1, "settled twice");
                if let Some(step) = &settlement.step {
                    assert_complete(step);
                }
                assert!(matches!(settlement.status, RunStatus::Succeeded | RunStatus::Failed | RunStatus::Aborted));
                self.settlement = Some(settlement);
            }
            Effect::Release => {
                assert!(self.hands_over && self.handing_over && self.settles == 0);
                assert!(!self.calling && self.running.is_empty(), "given up while something still runs");
                self.releasing = true;
            }
            Effect::End(ending) => self.ended = Some(ending),
        }
    }

    /// What a reader is told must be on disk already: a finished step, and the end. Nothing is open when a client may stop
    /// reading.
    fn reader_sees(&mut self, chunk: UiChunk) {
        match chunk {
            UiChunk::FinishStep => {
                self.finished_steps += 1;
                assert!(self.finished_steps <= self.log.len());
            }
            UiChunk::Error { .. } => assert_eq!(open_in(&self.chunks), Vec::<String>::new(), "open at the error"),
            UiChunk::Finish { .. } | UiChunk::Abort { .. } => {
                assert!(self.settled, "told of an end that is not on disk")
            }
            _ => {}
        }
        self.chunks.push(chunk);
    }

    /// One of the things that can happen now, chosen by `choice`.
    fn happen(&mut self, choice: u16) {
        let outside = choice % 97;
        if outside == 0 {
            return self.feed(Event::StopRequested(StopCause::Stopped));
        }
        if outside == 1 {
            return self.feed(Event::LeaseLost);
        }
        if outside == 4 || outside == 5 {
            self.handing_over = self.hands_over;
            self.feed(Event::HandOver);
            if outside == 5 && self.ended.is_none() {
                self.feed(Event::StopRequested(StopCause::Shutdown));
            }
            return;
        }
        if outside == 6 || outside == 7 {
            self.messages += 1;
            return;
        }
        if outside == 8 && self.messages > 0 {
            // Taken back.
            self.messages -= 1;
            return;
        }
        if outside < 4
            && let Some(timer) = self.armed.iter().next().cloned()
        {
            self.armed.remove(&timer);
            return self.feed(Event::TimerFired(timer));
        }
        if self.calling {
            return self.provider_sends(choice);
        }
        if choice.is_multiple_of(2)
            && let Some(call_id) = self.closing.pop()
        {
            let outcome = if choice.is_multiple_of(3) { Err("not done".to_owned()) } else { Ok(Json::string("done")) };
            return self.feed(Event::EffectClosed { call_id, outcome });
        }
        if let Some(place) = (!self.running.is_empty()).then(|| choice as usize % self.running.len()) {
            if choice.is_multiple_of(5) {
                let (call_id, output) = (self.running[place].clone(), Json::string("so far"));
                return self.feed(Event::ToolShows { call_id, output });
            }
            let call_id = self.running.swap_remove(place);
            let outcome = if choice.is_multiple_of(3) { Err("failed".to_owned()) } else { Ok(Json::string("out")) };
            return self.feed(Event::ToolFinished { call_id, outcome });
        }
        self.store_answers(choice.is_multiple_of(41));
    }

    fn provider_sends(&mut self, choice: u16) {
        let signed = |choice: u16| choice.is_multiple_of(4).then(|| Json::parse(r#"{"p":{"signature":"s"}}"#).unwrap());
        let kind = if choice.is_multiple_of(2) { BlockKind::Text } else { BlockKind::Reasoning };
        let (id, call) = ("b".to_owned(), format!("c{}", choice % 3));
        let name = ["read", "write", "unknown", "count"][choice as usize % 4].to_owned();
        let arguments = if choice.is_multiple_of(5) { "{bad" } else { "{}" }.to_owned();
        let run_by =
            if choice.is_multiple_of(11) { RunBy::Provider { dynamic: choice.is_multiple_of(2) } } else { RunBy::Host };
        match choice % 15 {
            13 => {
                let (output, is_error, metadata) = (Json::string("found"), choice.is_multiple_of(2), signed(choice));
                self.feed(Event::Part(StreamPart::ToolResult { id: call, name, output, is_error, metadata }));
            }
            14 => {
                let (id, url, metadata) = ("s".to_owned(), "https://example.com".to_owned(), None);
                self.feed(Event::Part(StreamPart::Source(Source::Url { id, url, title: None, metadata })));
            }
            0..=2 => {
                self.feed(Event::Part(StreamPart::BlockDelta { kind, id, delta: "x".into(), metadata: signed(choice) }))
            }
            3 => self.feed(Event::Part(StreamPart::BlockEnd { kind, id, metadata: signed(choice) })),
            4 => self.feed(Event::Part(StreamPart::ToolInputStart { id: call, name, run_by })),
            5 => self.feed(Event::Part(StreamPart::ToolInputDelta { id: call, delta: "{".into() })),
            6..=8 => self.feed(Event::Part(StreamPart::ToolCall {
                id: call,
                name,
                arguments,
                run_by,
                metadata: signed(choice),
            })),
            9 => {
                let failure = ProviderFailure::new(FailureKind::BadResponse, "bad");
                self.feed(Event::Part(StreamPart::Error(failure)));
            }
            10 => {
                self.calling = false;
                let failure = ProviderFailure {
                    answered: choice.is_multiple_of(2),
                    ..ProviderFailure::new(FailureKind::ConnectionLost, "gone")
                };
                self.feed(Event::StreamFailed(failure));
            }
            _ => {
                let reason = match choice % 7 {
                    0 => FinishReason::Length,
                    1..=2 => FinishReason::Stop,
                    _ => FinishReason::ToolCalls,
                };
                let usage = Some(Usage { input_tokens: Some(1), ..Usage::default() });
                self.feed(Event::Part(StreamPart::Finish { reason, usage }));
                if self.ended.is_none() {
                    self.calling = false;
                    self.feed(Event::StreamEnded);
                }
            }
        }
    }

    fn store_answers(&mut self, refused: bool) {
        if refused && (self.intent_pending || self.step_pending.is_some() || self.settlement.is_some()) {
            self.intent_pending = false;
            self.step_pending = None;
            return self.feed(Event::PersistFailed);
        }
        if std::mem::take(&mut self.releasing) {
            return self.feed(if refused { Event::PersistFailed } else { Event::Released });
        }
        if std::mem::take(&mut self.intent_pending) {
            return self.feed(Event::IntentPersisted);
        }
        if let Some(step) = self.step_pending.take() {
            self.log.push(step);
            if self.messages > 0 {
                self.feed(Event::Steered);
            }
            return self.feed(Event::StepPersisted);
        }
        if let Some(step) = self.entering.take() {
            return self.messages_enter(step);
        }
        if let Some(settlement) = self.settlement.take() {
            if settlement.unless_steered && self.messages > 0 {
                self.settles -= 1;
                return self.feed(Event::Steered);
            }
            self.settled = true;
            self.log.extend(settlement.step);
            self.feed(Event::Settled);
        }
    }

    fn messages_enter(&mut self, step: u32) {
        assert_eq!(step as usize, self.log.len(), "they enter before the next step");
        let part = |number: usize| {
            Json::parse(&format!(r#"{{"type":"data-steering","id":"m{number}","data":{{"parts":[]}}}}"#)).unwrap()
        };
        let parts: Vec<Json> = (self.entered..self.entered + self.messages).map(part).collect();
        if !parts.is_empty() {
            self.reader_sees(UiChunk::StartStep);
            parts.iter().for_each(|part| self.reader_sees(UiChunk::Part(part.clone())));
        }
        self.entered += std::mem::take(&mut self.messages);
        self.feed(Event::SteeringEntered(parts));
    }

    /// How often messages are in the log, and that of each the first comes first.
    fn messages_in_the_log(&self) -> usize {
        let parts = self.log.iter().flat_map(|step| &step.parts);
        let ids: Vec<String> = parts
            .filter_map(|part| match part {
                Part::Other(part) if is_steering(part) => Some(part.get().to_owned()),
                _ => None,
            })
            .collect();
        let mut once = ids.clone();
        once.dedup();
        assert_eq!(ids, once, "a message entered twice");
        ids.len()
    }

    fn check_readers(&self) {
        let (mut open_blocks, mut calls) = (HashSet::new(), HashMap::new());
        let mut in_step = false;
        for chunk in &self.chunks {
            match chunk {
                UiChunk::StartStep => assert!(!std::mem::replace(&mut in_step, true)),
                UiChunk::FinishStep => assert!(std::mem::replace(&mut in_step, false)),
                UiChunk::TextStart { id, .. } | UiChunk::ReasoningStart { id, .. } => {
                    assert!(open_blocks.insert(id.clone()))
                }
                UiChunk::TextDelta { id, .. } | UiChunk::ReasoningDelta { id, .. } => assert!(open_blocks.contains(id)),
                UiChunk::TextEnd { id, .. } | UiChunk::ReasoningEnd { id, .. } => assert!(open_blocks.remove(id)),
                UiChunk::ToolInputStart { tool_call_id, .. } => {
                    assert_eq!(calls.insert(tool_call_id.clone(), 0), None, "a call id came twice");
                }
                // A call that came whole is told of by its input alone.
                UiChunk::ToolInputAvailable { tool_call_id, .. } | UiChunk::ToolInputError { tool_call_id, .. } => {
                    calls.entry(tool_call_id.clone()).or_insert(0);
                }
                UiChunk::ToolOutputAvailable { tool_call_id, .. } | UiChunk::ToolOutputError { tool_call_id, .. } => {
                    *calls.get_mut(tool_call_id).expect("an announced call") += 1;
                }
                _ => {}
            }
        }
        if self.ended == Some(Ending::Settled) {
            assert!(!in_step && open_blocks.is_empty(), "something was left open for the readers");
            assert!(calls.values().all(|outcomes| *outcomes == 1), "a call without exactly one outcome: {calls:?}");
            let last = self.chunks.last().expect("at least one");
            assert!(matches!(last, UiChunk::Finish { .. } | UiChunk::Abort { .. } | UiChunk::Error { .. }));
        }
        let ends = self.chunks.iter().filter(|c| matches!(c, UiChunk::Finish { .. } | UiChunk::Abort { .. })).count();
        assert!(ends <= 1);
    }
}

/// The blocks and calls that a reader has seen begin and not end.
fn open_in(chunks: &[UiChunk]) -> Vec<String> {
    let mut open = Vec::new();
    for chunk in chunks {
        match chunk {
            UiChunk::TextStart { id, .. } | UiChunk::ReasoningStart { id, .. } => open.push(id.clone()),
            UiChunk::ToolInputStart { tool_call_id, .. } => open.push(tool_call_id.clone()),
            UiChunk::ToolInputAvailable { tool_call_id, .. } | UiChunk::ToolInputError { tool_call_id, .. } => {
                open.retain(|id| id != tool_call_id);
                open.push(tool_call_id.clone());
            }
            UiChunk::TextEnd { id, .. } | UiChunk::ReasoningEnd { id, .. } => open.retain(|known| known != id),
            UiChunk::ToolOutputAvailable { tool_call_id, .. } | UiChunk::ToolOutputError { tool_call_id, .. } => {
                open.retain(|id| id != tool_call_id);
            }
            _ => {}
        }
    }
    open
}

fn assert_complete(step: &StepRecord) {
    for tool in step.tools() {
        assert_ne!(tool.state, ToolState::InputAvailable, "recorded without an outcome");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_schedule_keeps_the_rules(
        max_steps in 1_u32..5,
        hands_over in any::<bool>(),
        choices in proptest::collection::vec(any::<u16>(), 1..120),
    ) {
        let mut world = if hands_over { World::handing_over(max_steps) } else { World::new(max_steps) };
        world.feed(Event::Begun);
        let mut owners = 1;
        for choice in choices {
            if world.ended == Some(Ending::LeaseLost) && world.handing_over {
                world.check_readers();
                world = world.taken_over();
                world.feed(Event::Begun);
                owners += 1;
            }
            if world.ended.is_some() {
                break;
            }
            world.happen(choice);
        }
        // Whatever has happened, a stop brings it to its end.
        if world.ended.is_none() {
            world.feed(Event::StopRequested(StopCause::Shutdown));
            for _ in 0..6 {
                world.store_answers(false);
                while let Some(call_id) = world.closing.pop() {
                    world.feed(Event::EffectClosed { call_id, outcome: Err("not done".to_owned()) });
                }
            }
        }
        prop_assert!(world.ended.is_some());
        prop_assert!(world.machine.is_over());
        // One that was broken off is made again, and once more by whoever goes on.
        prop_assert!(world.provider_calls < 2 * (max_steps + owners));
        if world.ended == Some(Ending::Settled) {
            prop_assert!(!world.calling && world.running.is_empty(), "something still runs");
            prop_assert_eq!(world.settles, 1);
            prop_assert_eq!(world.messages_in_the_log(), world.entered);
        }
        for (place, step) in world.log.iter().enumerate() {
            prop_assert_eq!(step.number as usize, place);
        }
        world.check_readers();
        let before = world.chunks.len();
        world.ended = None;
        world.feed(Event::StopRequested(StopCause::Stopped));
        world.feed(Event::StreamEnded);
        prop_assert!(world.chunks.len() == before && world.ended.is_none(), "it spoke after its end");
    }
}

fn text(delta: &str) -> Event {
    Event::Part(StreamPart::BlockDelta {
        kind: BlockKind::Text,
        id: "b".to_owned(),
        delta: delta.to_owned(),
        metadata: None,
    })
}

fn retries() -> Retries {
    Retries { step: 1, wait: Duration::from_secs(1), ..Retries::default() }
}

fn begun(limits: Limits) -> World {
    let ids = TurnIds { chat: ChatId::generate(), run: RunId::generate(), message: MessageId::generate() };
    let mut world = World { machine: RunMachine::new(ids, limits, Arc::new(Tools)), ..World::new(limits.max_steps) };
    world.feed(Event::Begun);
    world
}

fn limits() -> Limits {
    Limits::new(5, Duration::from_secs(60))
}

/// What the run is settled as.
fn settled_as(world: &World) -> (RunStatus, Option<RunReason>) {
    let settlement = world.settlement.as_ref().expect("a settlement");
    (settlement.status, settlement.reason)
}

#[test]
fn silence_before_the_first_piece_has_a_limit_of_its_own() {
    let limits = Limits { first_chunk: Duration::from_secs(3), ..limits() };
    let mut machine = begun(limits).machine;
    let armed = |machine: &mut RunMachine, event: Event| -> Vec<Duration> {
        let mut effects = Vec::new();
        machine.handle(event, &mut effects);
        let silence = |effect: &Effect| match effect {
            Effect::ArmTimer { timer: Timer::ProviderSilence, after } => Some(*after),
            _ => None,
        };
        effects.iter().filter_map(silence).collect()
    };
    // What carries nothing of the answer does not count.
    for part in [
        StreamPart::ResponseMetadata { id: None, model: None },
        StreamPart::BlockStart { kind: BlockKind::Text, id: "b".into(), metadata: None },
        StreamPart::BlockDelta { kind: BlockKind::Text, id: "b".into(), delta: String::new(), metadata: None },
    ] {
        assert!(armed(&mut machine, Event::Part(part)).is_empty());
    }
    assert_eq!(armed(&mut machine, text("x")), [Duration::from_secs(60)]);
}

#[test]
fn a_step_and_a_run_that_take_too_long_are_aborted_with_what_they_have() {
    let limits = Limits { step: Some(Duration::from_secs(1)), run: Some(Duration::from_secs(9)), ..limits() };
    for timer in [Timer::Step, Timer::Run] {
        let mut world = begun(limits);
        assert!(world.armed.contains(&timer));
        world.feed(text("half"));
        world.feed(Event::TimerFired(timer));
        assert_eq!(settled_as(&world), (RunStatus::Aborted, Some(RunReason::Timeout)));
        assert_eq!(world.settlement.as_ref().unwrap().step.as_ref().unwrap().text(), "half");
        assert!(!world.calling && world.armed.is_empty());
    }
    // Also while its tools run; and a step that is on its way to the disk still gets there.
    let mut world = with_a_tool_running(limits);
    world.feed(Event::ToolFinished { call_id: world.running[0].clone(), outcome: Ok(Json::null()) });
    assert!(world.step_pending.is_some() && !world.armed.contains(&Timer::Step));
    world.feed(Event::TimerFired(Timer::Run));
    assert!(world.settlement.is_none());
    world.store_answers(false);
    assert_eq!((settled_as(&world).1, world.log.len()), (Some(RunReason::Timeout), 1));
}

/// A world in which a step with a call has been asked for, and its tool runs.
fn with_a_tool_running(limits: Limits) -> World {
    let call = StreamPart::ToolCall {
        id: "c".into(),
        name: "read".into(),
        arguments: "{}".into(),
        run_by: RunBy::Host,
        metadata: None,
    };
    let finish = StreamPart::Finish { reason: FinishReason::ToolCalls, usage: None };
    let mut world = begun(limits);
    for event in [Event::Part(call), Event::Part(finish), Event::StreamEnded] {
        world.feed(event);
    }
    assert_eq!(world.running.len(), 1);
    world
}

#[test]
fn a_budget_of_time_ends_a_run_between_two_steps() {
    let minute = Duration::from_secs(60);
    let budget = Budget { time: Some(minute), ..Budget::default() };
    let mut world = with_a_tool_running(Limits { budget, run: Some(10 * minute), ..limits() });
    world.feed(Event::TimerFired(Timer::Run));
    assert!(world.settlement.is_none() && world.armed.contains(&Timer::Run));
    world.feed(Event::ToolFinished { call_id: world.running[0].clone(), outcome: Ok(Json::null()) });
    world.store_answers(false);
    assert_eq!((settled_as(&world).1, world.log.len()), (Some(RunReason::Budget), 1));
    assert_eq!(world.provider_calls, 1);
    // The run's own limit holds all the same, and ends it wherever it is.
    let mut world = with_a_tool_running(Limits { budget, run: Some(10 * minute), ..limits() });
    world.feed(Event::TimerFired(Timer::Run));
    world.feed(Event::TimerFired(Timer::Run));
    assert_eq!(settled_as(&world), (RunStatus::Aborted, Some(RunReason::Timeout)));
    // Where the run's limit is the shorter one it is the only one.
    let mut world = with_a_tool_running(Limits { budget, run: Some(minute), ..limits() });
    world.feed(Event::TimerFired(Timer::Run));
    assert_eq!(settled_as(&world), (RunStatus::Aborted, Some(RunReason::Timeout)));
}

#[test]
fn text_that_goes_round_in_circles_is_ended() {
    let mut world = begun(limits());
    // Asked for, and over in time.
    world.feed(text(&"ha ".repeat(700)));
    world.feed(text("and that was it. "));
    assert!(world.settlement.is_none());
    for _ in 0..1000 {
        if world.settlement.is_none() {
            world.feed(text("And now the same thing again. "));
        }
    }
    assert_eq!(settled_as(&world), (RunStatus::Aborted, Some(RunReason::Degenerate)));
    assert!(!world.calling);
    // Unless nobody minds.
    let mut world = begun(Limits { degeneration_guard: false, ..limits() });
    (0..1000).for_each(|_| world.feed(text("the same again and ")));
    assert!(world.settlement.is_none() && world.calling);
}

#[test]
fn chunks_that_cannot_be_stored_end_the_run() {
    let mut world = begun(limits());
    world.feed(text("half"));
    world.feed(Event::PersistFailed);
    assert_eq!(settled_as(&world), (RunStatus::Failed, Some(RunReason::Internal)));
    assert!(!world.calling);
}

#[test]
fn a_run_is_given_up_between_two_steps_and_gone_on_with() {
    let mut world = World::handing_over(5);
    world.feed(Event::Begun);
    let call = |id: &str| {
        let (id, name) = (id.to_owned(), "read".to_owned());
        StreamPart::ToolCall { id, name, arguments: "{}".into(), run_by: RunBy::Host, metadata: None }
    };
    let usage = Some(Usage { input_tokens: Some(1), ..Usage::default() });
    let answer = |world: &mut World, id: &str| {
        world.feed(Event::Part(call(id)));
        world.feed(Event::Part(StreamPart::Finish { reason: FinishReason::ToolCalls, usage }));
        world.calling = false;
        world.feed(Event::StreamEnded);
    };
    answer(&mut world, "c");
    world.handing_over = true;
    world.feed(Event::HandOver);
    assert!(!world.releasing && world.running == ["c"], "the step is given the time that it takes");
    world.running.clear();
    world.feed(Event::ToolFinished { call_id: "c".into(), outcome: Ok(Json::null()) });
    world.store_answers(false);
    assert!(world.releasing && world.provider_calls == 1);
    world.store_answers(false);
    assert_eq!(world.ended, Some(Ending::LeaseLost));

    let mut world = world.taken_over();
    world.feed(Event::Begun);
    answer(&mut world, "c");
    // The ids of the steps before are taken.
    assert_eq!(world.running, ["c_2"]);
    world.feed(Event::StopRequested(StopCause::Stopped));
    let settlement = world.settlement.clone().expect("a settlement");
    assert_eq!(settlement.step.map(|step| step.number), Some(1));
    assert_eq!(settlement.usage.and_then(|usage| usage.input_tokens), Some(2));
}

fn overloaded() -> Event {
    Event::StreamFailed(ProviderFailure::new(FailureKind::Overloaded, "too much to do"))
}

#[test]
fn a_step_is_withdrawn_once_it_is_on_disk_as_such_and_asked_for_again_after_a_while() {
    let mut world = World::new(2);
    world.feed(Event::Begun);
    world.feed(text("half"));
    world.feed(overloaded());
    let step = world.step_pending.clone().expect("a step");
    assert!(step.is_withdrawn() && step.text() == "half");
    assert_eq!(world.provider_calls, 1);
    world.store_answers(false);
    assert!(world.armed.contains(&Timer::Retry) && world.provider_calls == 1);
    world.armed.remove(&Timer::Retry);
    world.feed(Event::TimerFired(Timer::Retry));
    assert_eq!(world.provider_calls, 2);
    // The second attempt is the last.
    world.feed(text("again"));
    world.feed(overloaded());
    assert_eq!(settled_as(&world), (RunStatus::Failed, Some(RunReason::ProviderError)));
    assert_eq!(world.settlement.unwrap().step.map(|step| step.text()).as_deref(), Some("again"));
}

/// Whoever drove the run before may have made the call.
#[test]
fn a_call_with_effects_that_is_to_be_made_again_is_asked_for_when_its_run_ends_before() {
    let tool = ToolPart::new("count", "c", Some(Json::empty_object()), ToolState::InputAvailable);
    let tool = ToolPart { repeats: Some(Repeat::Effects), ..tool };
    let step =
        StepRecord { number: 0, parts: vec![Part::StepStart, Part::Tool(tool)], finish_reason: None, usage: None };
    let world = World::handing_over(2);
    let mut world = World { machine: world.machine.resuming(step, (Vec::new(), Vec::new()), |_| None), ..world };
    world.feed(Event::Begun);
    assert!(world.intent_pending);
    world.feed(Event::StopRequested(StopCause::Stopped));
    world.store_answers(false);
    assert_eq!((world.closing.as_slice(), world.settles), (&["c".to_owned()][..], 0));
    let outcome = Ok(Json::string("counted"));
    world.feed(Event::EffectClosed { call_id: "c".into(), outcome: outcome.clone() });
    world.store_answers(false);
    assert_eq!(settled_as(&world), (RunStatus::Aborted, Some(RunReason::Stopped)));
    assert_eq!(world.log[0].tools().next().unwrap().state, ToolState::OutputAvailable(outcome.ok()));
}

#[test]
fn what_the_provider_has_run_itself_is_not_taken_back() {
    let mut world = World::new(2);
    world.feed(Event::Begun);
    world.feed(Event::Part(StreamPart::ToolCall {
        id: "c".into(),
        name: "search".into(),
        arguments: "{}".into(),
        run_by: RunBy::Provider { dynamic: false },
        metadata: None,
    }));
    world.feed(overloaded());
    assert_eq!(settled_as(&world), (RunStatus::Failed, Some(RunReason::ProviderError)));
}

#[test]
fn whoever_goes_on_with_a_run_counts_the_attempts_of_others() {
    let mut world = World::handing_over(3);
    world.feed(Event::Begun);
    world.feed(text("half"));
    world.feed(Event::StreamFailed(ProviderFailure::new(FailureKind::ConnectionLost, "")));
    world.handing_over = true;
    world.feed(Event::HandOver);
    world.store_answers(false);
    assert!(world.releasing && world.provider_calls == 1);
    world.store_answers(false);
    let mut world = world.taken_over();
    world.feed(Event::Begun);
    world.feed(text("again"));
    world.feed(Event::StreamFailed(ProviderFailure::new(FailureKind::ConnectionLost, "")));
    assert_eq!(settled_as(&world), (RunStatus::Failed, Some(RunReason::ProviderError)));
}

#[test]
fn a_run_that_nobody_else_can_drive_is_aborted_by_a_shutdown() {
    let mut world = World::new(5);
    world.feed(Event::Begun);
    world.feed(Event::HandOver);
    world.feed(Event::StopRequested(StopCause::Shutdown));
    assert_eq!(world.settlement.map(|settlement| settlement.reason), Some(Some(RunReason::Shutdown)));
    assert!(!world.releasing);
}
