//! The machine with everything around it that decides: what is written when, and in which order, what is attempted again,
//! and the timers. No clock, socket, store or task: the engine's driver carries out what comes out of it with tokio, and
//! the simulator with answers and delays that are drawn.
//!
//! - One write is under way at a time, so that packs and steps reach the disk in their order: a write waits for the packs
//!   before it. When one of them is refused for good, those behind it are not attempted.
//! - What streams is put on disk in packs: a large one at once, a small one when it is due.
//! - The step that is about to be written as a whole is packed first only if somebody knows the numbers of its chunks.
//! - The last step and the settlement are one write. If the store refuses it, the run is failed without them, so that its
//!   chat is free again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{ErrorCode, Result};
use crate::log::journal::{Journal, Rows, Settlement};
use crate::model::{FailureKind, Json, RunFailure, RunReason, RunStatus, Steering, Waits};

use super::effect::{Effect, Ending, Timer, ToolCall};
use super::event::Event;
use super::transition::{NOT_WRITTEN, RunMachine};
use super::writes::{Told, Write, Writes};

/// Streamed chunks of this size are put on disk at once, and smaller ones after [`PACK_INTERVAL`].
const PACK_BYTES: usize = 4 * 1024;
/// How long streamed chunks wait for others before they are put on disk: what a killed process may lose.
const PACK_INTERVAL: Duration = Duration::from_millis(250);
/// The same while somebody elsewhere follows the run: with the time that a notification takes, a chunk is there within
/// 150 ms.
const FOLLOWED_PACK_INTERVAL: Duration = Duration::from_millis(60);

/// What the shell is told.
#[derive(Debug)]
pub(crate) enum Input {
    /// Something happened outside of it: not the answer of a write, and no timer.
    Event(Event),
    /// The write that was under way has come to this.
    Written(Result<Told>),
    /// It is as late as [`Shell::poll_timeout`] has said.
    Timeout,
}

/// What is to be done, in this order.
#[derive(Debug)]
pub(crate) enum Output {
    /// Ask the provider for this step. Its first chunk will have this number on disk.
    CallProvider { step: u32, text_only: bool, model: usize, loaded: Vec<String>, first_sequence: u64 },
    /// Close the connection to the provider.
    CancelProvider,
    /// Run a tool.
    RunTool(ToolCall),
    /// Cancel a tool's call; its outcome is already decided.
    CancelTool { call_id: String },
    /// A step begins with messages that have entered: the next chunk has this number on disk.
    StepBegins { first_sequence: u64 },
    /// Note in the store that this call was not made, unless it has been made, and tell what it has come to.
    CloseEffect { call_id: String, key: String, error: String },
    /// Give this chunk to the readers in this process.
    Chunk(Arc<str>),
    /// The same with one that is none of the log.
    Aside(Arc<str>),
    /// Attempt this write once and tell what came of it.
    Write(Arc<Write>),
    /// Nothing will follow: tell the readers and whoever waits for the outcome.
    End(Ending),
}

/// How patiently a run is written, and how often its rows are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// How long a store may be out of reach.
    pub(crate) patience: Duration,
    /// The lease that is renewed with the run's row.
    pub(crate) lease: Duration,
    /// The message row is brought up to date with every step.
    pub(crate) refresh_every_step: bool,
}

/// What is known of those who read the run.
pub(crate) trait Readers: Send + Sync {
    /// Whether somebody elsewhere follows it. He sees what is on disk.
    fn are_following(&self) -> bool;

    /// Whether somebody here knows the numbers of the chunks of the step that is about to be written: it is on disk as it
    /// streamed then.
    fn know_numbers(&self) -> bool;
}

/// Rules of this file that simulations break on purpose, to show that their invariants see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// The last pack of a run that is given up is not written.
    ReleaseLosesPack,
    /// A step does not wait for the pack before it when that has to be attempted again.
    StepOvertakesPack,
    /// A pack that did not arrive is not attempted again.
    PackAttemptedOnce,
    /// The last step is not written with the settlement.
    EndForgetsStep,
}

/// A run as its owner drives it. It begins with [`Event::Begun`].
pub(crate) struct Shell {
    machine: RunMachine,
    journal: Journal,
    rows: Rows,
    readers: Arc<dyn Readers>,
    writes: Writes,
    /// Few, and no two of the same name.
    timers: Vec<(Timer, Instant)>,
    /// When the chunks that wait are to be put on disk.
    pack_due: Option<Instant>,
    settlement: Option<Settlement>,
    effects: Vec<Effect>,
    outputs: VecDeque<Output>,
    /// Readers are told this once it is on disk.
    held: Vec<Arc<str>>,
    /// How long others have driven the run, and since when it is driven here.
    taken: Duration,
    since: Option<Instant>,
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) flaw: Option<Flaw>,
}

impl Shell {
    pub(crate) fn new(machine: RunMachine, journal: Journal, pace: Pace, readers: Arc<dyn Readers>) -> Self {
        Self {
            machine,
            journal,
            rows: Rows::new(pace.lease, pace.refresh_every_step),
            readers,
            writes: Writes::new(pace.patience),
            timers: Vec::new(),
            pack_due: None,
            settlement: None,
            effects: Vec::new(),
            outputs: VecDeque::new(),
            held: Vec::new(),
            taken: Duration::ZERO,
            since: None,
            #[cfg(any(test, feature = "simulation"))]
            flaw: None,
        }
    }

    /// The same for a run that was driven for so long before.
    pub(crate) fn taken(self, taken: Duration) -> Self {
        Self { taken, ..self }
    }

    #[cfg(any(test, feature = "simulation"))]
    fn breaks(&self, rule: Flaw) -> bool {
        self.flaw == Some(rule)
    }

    #[cfg(not(any(test, feature = "simulation")))]
    #[allow(clippy::unused_self, reason = "what is shipped breaks no rule")]
    const fn breaks(&self, _: Flaw) -> bool {
        false
    }

    /// Takes what happened; what is to be done about it is for [`Shell::poll_output`] to say.
    pub(crate) fn handle(&mut self, input: Input, now: Instant) {
        self.since.get_or_insert(now);
        match input {
            Input::Event(event) => self.happen(event, now),
            Input::Written(answer) => self.written(answer, now),
            Input::Timeout => self.fire(now),
        }
        if !self.machine.is_over() {
            self.pack_when_due(now);
            self.outputs.extend(self.writes.next(now).map(Output::Write));
        }
    }

    /// The next thing to be done.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When the shell wants to be told of the time, whatever else happens.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let pack_due = self.pack_due.filter(|_| self.writes.is_empty());
        self.timers.iter().map(|(_, at)| *at).chain(pack_due).chain(self.writes.again_at()).min()
    }

    /// What has been written of the run, or is being written.
    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The same, for notes.
    pub(crate) fn journal_mut(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// How the run ends, once that has been decided.
    pub(crate) fn settlement(&self) -> Option<&Settlement> {
        self.settlement.as_ref()
    }

    fn happen(&mut self, event: Event, now: Instant) {
        if matches!(event, Event::StepPersisted) {
            self.journal.step_persisted();
        }
        let mut effects = std::mem::take(&mut self.effects);
        self.machine.handle(event, &mut effects);
        effects.drain(..).for_each(|effect| self.carry_out(effect, now));
        self.effects = effects;
    }

    /// Timers first, each in its turn: one of them may disarm the others.
    fn fire(&mut self, now: Instant) {
        let is_due = |(_, at): &&(Timer, Instant)| *at <= now;
        while let Some((timer, _)) = self.timers.iter().filter(is_due).min_by_key(|(_, at)| *at).cloned() {
            self.disarm(&timer);
            self.happen(Event::TimerFired(timer), now);
        }
    }

    fn written(&mut self, answer: Result<Told>, now: Instant) {
        let gives_up = self.breaks(Flaw::PackAttemptedOnce) && self.writes.is_packing();
        let answer = if gives_up { Ok(Told::default()) } else { answer };
        let Some((write, answer)) = self.writes.answered(answer, now) else { return };
        let event = match (&*write, answer) {
            (Write::Pack(_), Ok(_)) => return,
            (Write::Intent(_), Ok(_)) => Event::IntentPersisted,
            (Write::Step(_), Ok(told)) => {
                if told.steered {
                    self.happen(Event::Steered, now);
                }
                Event::StepPersisted
            }
            (Write::Settle(_), Ok(told)) if told.steered => {
                self.settlement = None;
                self.journal.settlement_refused();
                Event::Steered
            }
            (Write::Settle(_), Ok(_)) => Event::Settled,
            (Write::Fail(_), Ok(_)) => Event::FailedInstead,
            (Write::Release, Ok(_)) => Event::Released,
            (Write::Enter(_), Ok(told)) => Event::SteeringEntered(self.entered(&told.entered)),
            (Write::Suspend(_), Ok(_)) => {
                self.outputs.extend(std::mem::take(&mut self.held).into_iter().map(Output::Chunk));
                Event::Suspended
            }
            (Write::Settle(_), Err(error)) if error.is_for_good() => return self.fail_instead(),
            (_, Err(error)) => {
                self.writes.clear();
                if matches!(*write, Write::Pack(_)) {
                    self.journal.pack_refused();
                }
                // Whether messages have entered, nobody knows then: whoever goes on with the run reads it from the log.
                let is_unknown = matches!(*write, Write::Enter(_));
                match error.code() {
                    ErrorCode::LeaseLost => Event::LeaseLost,
                    _ if is_unknown => Event::LeaseLost,
                    _ => Event::PersistFailed,
                }
            }
        };
        self.happen(event, now);
    }

    /// Tells readers of messages that have entered. Returns what they are of the step.
    fn entered(&mut self, entered: &[Steering]) -> Vec<Json> {
        let first_sequence = self.journal.next_sequence();
        let chunks = self.journal.entered(entered);
        if !chunks.is_empty() {
            self.outputs.push_back(Output::StepBegins { first_sequence });
            self.outputs.extend(chunks.into_iter().map(Output::Chunk));
        }
        self.journal.heard().to_vec()
    }

    /// The end as far as it can be written: what cannot is left out.
    fn fail_instead(&mut self) {
        if let Some(settlement) = &mut self.settlement {
            settlement.status = RunStatus::Failed;
            settlement.reason = Some(RunReason::Internal);
            settlement.error = Some(NOT_WRITTEN.to_owned());
            settlement.failure = Some(RunFailure::new(FailureKind::Internal, NOT_WRITTEN));
        }
        self.writes.add(Write::Fail(NOT_WRITTEN));
    }

    fn pack_when_due(&mut self, now: Instant) {
        let bytes = self.journal.unpacked_bytes();
        if bytes == 0 {
            self.pack_due = None;
            return;
        }
        let due = *self.pack_due.get_or_insert_with(|| {
            let is_followed = self.readers.are_following();
            now + if is_followed { FOLLOWED_PACK_INTERVAL } else { PACK_INTERVAL }
        });
        if self.writes.is_empty() && (bytes >= PACK_BYTES || due <= now) {
            self.pack();
        }
    }

    fn pack(&mut self) {
        self.pack_due = None;
        if let Some(pack) = self.journal.take_pack() {
            self.writes.add(Write::Pack(pack));
        }
    }

    fn pack_as_numbered(&mut self) {
        if self.readers.know_numbers() {
            self.pack();
        }
    }

    fn disarm(&mut self, timer: &Timer) {
        self.timers.retain(|(armed, _)| armed != timer);
    }

    fn carry_out(&mut self, effect: Effect, now: Instant) {
        let output = match effect {
            Effect::CallProvider { step, text_only, model, loaded } => {
                let first_sequence = self.journal.next_sequence();
                Output::CallProvider { step, text_only, model, loaded, first_sequence }
            }
            Effect::CancelProvider => Output::CancelProvider,
            Effect::RunTool(call) => Output::RunTool(call),
            Effect::CancelTool { call_id } => Output::CancelTool { call_id },
            Effect::CloseEffect { call_id, key, error } => Output::CloseEffect { call_id, key, error },
            Effect::EmitChunk(chunk) => {
                let encoded: Arc<str> = chunk.encode().into();
                self.journal.chunk(chunk, &encoded);
                Output::Chunk(encoded)
            }
            Effect::EmitAside(chunk) => Output::Aside(chunk.encode().into()),
            Effect::ArmTimer { timer, after } => {
                self.disarm(&timer);
                self.timers.push((timer, now + after));
                return;
            }
            Effect::DisarmTimer(timer) => return self.disarm(&timer),
            Effect::PersistIntent(step) => return self.writes.add(Write::Intent(step)),
            Effect::PersistStep(step) => {
                self.pack_as_numbered();
                let due = self.rows.due(now);
                let record = self.journal.record_step(step, due);
                self.writes.add(Write::Step(record));
                if self.breaks(Flaw::StepOvertakesPack) {
                    self.writes.turn_round();
                }
                return;
            }
            Effect::EnterSteering { .. } => return self.writes.add(Write::Enter(self.journal.enter())),
            Effect::Settle(settlement) => {
                self.pack_as_numbered();
                let mut settle = self.journal.settle(&settlement);
                if self.breaks(Flaw::EndForgetsStep) {
                    settle.step = None;
                }
                self.settlement = Some(settlement);
                return self.writes.add(Write::Settle(settle));
            }
            Effect::Suspend { step, waits, asked } => {
                for chunk in asked {
                    let encoded: Arc<str> = chunk.encode().into();
                    self.journal.chunk(chunk, &encoded);
                    self.held.push(encoded);
                }
                self.pack_due = None;
                let here = self.since.map(|since| now.saturating_duration_since(since)).unwrap_or_default();
                let taken_ms = u64::try_from((self.taken + here).as_millis()).unwrap_or(u64::MAX);
                let waits = Waits { step: step.number, taken_ms, answered_at: None, calls: waits };
                return self.writes.add(Write::Suspend(self.journal.suspend(step, waits)));
            }
            Effect::Release => {
                if !self.breaks(Flaw::ReleaseLosesPack) {
                    self.pack();
                }
                return self.writes.add(Write::Release);
            }
            Effect::End(ending) => {
                self.timers.clear();
                self.writes.clear();
                self.pack_due = None;
                Output::End(ending)
            }
        };
        self.outputs.push_back(output);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::id::{ChatId, MessageId, RunId};
    use crate::machine::{Limits, TurnIds};
    use crate::model::{BlockKind, FinishReason, Json};
    use crate::provider::StreamPart;
    use crate::store::Fence;
    use crate::tool::ToolCatalog;

    struct NoTools;

    impl ToolCatalog for NoTools {
        fn check(&self, _: &str, _: &str) -> std::result::Result<Json, String> {
            Err("There are no tools.".to_owned())
        }
        fn is_read_only(&self, _: &str) -> bool {
            true
        }
        fn timeout(&self, _: &str) -> Duration {
            Duration::ZERO
        }
    }

    #[derive(Default)]
    struct Known {
        following: bool,
        numbers: bool,
    }

    impl Readers for Known {
        fn are_following(&self) -> bool {
            self.following
        }
        fn know_numbers(&self) -> bool {
            self.numbers
        }
    }

    /// A shell and the time, in milliseconds since it began.
    struct Bed(Shell, Instant);

    impl Bed {
        fn new(readers: Known) -> Self {
            let ids = TurnIds { chat: ChatId::generate(), run: RunId::generate(), message: MessageId::generate() };
            let machine = RunMachine::new(ids, Limits::new(3, Duration::from_secs(60)), Arc::new(NoTools));
            let journal = Journal::new(Fence { run_id: ids.run, owner: "o".into(), epoch: 1 }, None);
            let lease = Duration::from_secs(15);
            let pace = Pace { patience: Duration::from_secs(1), lease, refresh_every_step: false };
            let mut bed = Self(Shell::new(machine, journal, pace, Arc::new(readers)), Instant::now());
            bed.tell(0, Input::Event(Event::Begun));
            bed
        }

        /// The writes, and the end, that come of it.
        fn tell(&mut self, at: u64, input: Input) -> Vec<&'static str> {
            self.0.handle(input, self.1 + Duration::from_millis(at));
            let mut said = Vec::new();
            while let Some(output) = self.0.poll_output() {
                said.extend(match output {
                    Output::Write(write) => Some(match &*write {
                        Write::Pack(_) => "pack",
                        Write::Intent(_) => "intent",
                        Write::Step(_) => "step",
                        Write::Settle(_) => "settle",
                        Write::Fail(_) => "fail",
                        Write::Suspend(_) => "suspend",
                        Write::Release => "release",
                        Write::Enter(_) => "enter",
                    }),
                    Output::End(Ending::Settled) => Some("settled"),
                    Output::End(Ending::Waiting(_)) => Some("waiting"),
                    Output::End(Ending::LeaseLost) => Some("lost"),
                    Output::End(Ending::Unsettled) => Some("unsettled"),
                    _ => None,
                });
            }
            said
        }

        fn part(&mut self, at: u64, part: StreamPart) -> Vec<&'static str> {
            self.tell(at, Input::Event(Event::Part(part)))
        }

        fn text(&mut self, at: u64, bytes: usize) -> Vec<&'static str> {
            let (kind, id, delta) = (BlockKind::Text, "b".to_owned(), "x".repeat(bytes));
            self.part(at, StreamPart::BlockDelta { kind, id, delta, metadata: None })
        }

        /// The answer is complete, and the run with it.
        fn finish(&mut self, at: u64) -> Vec<&'static str> {
            self.part(at, StreamPart::Finish { reason: FinishReason::Stop, usage: None });
            self.tell(at, Input::Event(Event::StreamEnded))
        }

        fn answer(&mut self, at: u64, code: Option<ErrorCode>) -> Vec<&'static str> {
            self.tell(at, Input::Written(code.map_or(Ok(Told::default()), |code| Err(Error::new(code, "")))))
        }

        fn timeout(&self) -> Option<u64> {
            self.0.poll_timeout().map(|at| at.duration_since(self.1).as_millis().try_into().unwrap())
        }
    }

    const AWAY: Option<ErrorCode> = Some(ErrorCode::StoreUnavailable);

    #[test]
    fn small_packs_wait_and_large_ones_do_not() {
        let mut bed = Bed::new(Known::default());
        assert!(bed.text(10, 1).is_empty() && bed.text(90, 1).is_empty());
        assert_eq!(bed.timeout(), Some(260));
        assert_eq!(bed.tell(260, Input::Timeout), ["pack"]);
        // One at a time: what comes meanwhile is the next one.
        assert!(bed.text(300, PACK_BYTES).is_empty());
        assert_eq!(bed.answer(310, None), ["pack"]);
        assert!(bed.answer(320, None).is_empty());
        let mut followed = Bed::new(Known { following: true, ..Known::default() });
        followed.text(10, 1);
        assert_eq!(followed.timeout(), Some(70));
    }

    #[test]
    fn a_write_waits_for_the_pack_before_it() {
        let mut bed = Bed::new(Known::default());
        bed.text(0, 1);
        assert_eq!(bed.tell(250, Input::Timeout), ["pack"]);
        assert!(bed.finish(260).is_empty());
        assert!(bed.answer(300, AWAY).is_empty());
        assert_eq!(bed.timeout(), Some(350));
        assert_eq!(bed.tell(350, Input::Timeout), ["pack"]);
        assert_eq!(bed.answer(360, None), ["settle"]);
        assert_eq!(bed.answer(370, None), ["settled"]);
        assert_eq!(bed.timeout(), None);
    }

    #[test]
    fn nothing_is_attempted_behind_a_pack_that_was_refused() {
        let mut bed = Bed::new(Known::default());
        bed.text(0, 1);
        bed.tell(250, Input::Timeout);
        bed.finish(260);
        assert_eq!(bed.answer(270, Some(ErrorCode::Internal)), ["unsettled"]);
    }

    #[test]
    fn a_store_that_is_away_is_asked_again_while_there_is_patience() {
        let mut bed = Bed::new(Known::default());
        bed.text(0, 1);
        assert_eq!(bed.finish(0), ["settle"]);
        for (now, at) in [(0, 50), (50, 150), (150, 350), (350, 750), (750, 1550)] {
            assert!(bed.answer(now, AWAY).is_empty());
            assert_eq!(bed.timeout(), Some(at));
            assert_eq!(bed.tell(at, Input::Timeout), ["settle"]);
        }
        assert_eq!(bed.answer(1551, AWAY), ["unsettled"]);
    }

    #[test]
    fn an_end_that_is_refused_is_written_without_what_cannot_be_written() {
        let mut bed = Bed::new(Known::default());
        bed.text(0, 1);
        assert_eq!(bed.finish(0), ["settle"]);
        assert_eq!(bed.answer(1, Some(ErrorCode::Internal)), ["fail"]);
        assert_eq!(bed.answer(2, None), ["settled"]);
        let settlement = bed.0.settlement().unwrap();
        assert_eq!((settlement.status, settlement.error.as_deref()), (RunStatus::Failed, Some(NOT_WRITTEN)));
        // Unless somebody else has the run.
        let mut bed = Bed::new(Known::default());
        bed.text(0, 1);
        bed.finish(0);
        assert_eq!(bed.answer(1, Some(ErrorCode::LeaseLost)), ["lost"]);
    }

    #[test]
    fn what_has_known_numbers_is_on_disk_as_it_streamed() {
        let mut bed = Bed::new(Known { numbers: true, ..Known::default() });
        bed.text(0, 1);
        assert_eq!(bed.finish(10), ["pack"]);
        assert_eq!(bed.answer(20, None), ["settle"]);
    }
}
