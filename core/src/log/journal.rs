//! What the owner of a run writes, and what of it is on disk.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::{
    FinishReason, Json, MessageStatus, RunFailure, RunReason, RunStatus, Steering, StepRecord, Usage, Waits,
    entering_chunks,
};
use crate::project::{AssistantFlush, Conversation, FlushExtra, flush_run};
use crate::store::{CallNote, ChunkPack, EnterSteering, Fence, RecordStep, SettleRun, StepNumbers, SuspendRun};

use super::UiChunk;
use super::replay::StepView;

/// Up to this size of the log the message row is brought up to date while the run goes on; beyond it at the end only, so
/// that a step costs the same however many went before it. Readers do not notice: they are given the log.
const REFRESH_BYTES: usize = 64 * 1024;

/// How a run ends, for the store.
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    /// A final status.
    pub status: RunStatus,
    /// Why it did not succeed.
    pub reason: Option<RunReason>,
    /// One line for people.
    pub error: Option<String>,
    /// What kind of failure it was.
    pub failure: Option<RunFailure>,
    /// The last step's finish reason.
    pub finish_reason: Option<FinishReason>,
    /// The step that is not in the log yet: the last one, or what there was of it.
    pub step: Option<StepRecord>,
    /// Tokens of all steps.
    pub usage: Option<Usage>,
    /// How full the context was after the last step.
    pub context_tokens: Option<u64>,
    /// It is none while messages wait for the run.
    pub unless_steered: bool,
}

impl Settlement {
    /// An end of this status, of which nothing more is known.
    pub fn of(status: RunStatus) -> Self {
        Self {
            status,
            reason: None,
            error: None,
            failure: None,
            finish_reason: None,
            step: None,
            usage: None,
            context_tokens: None,
            unless_steered: false,
        }
    }
}

/// A run's log as its owner has written it.
pub(crate) struct Journal {
    fence: Fence,
    steps: Vec<StepRecord>,
    usage: Option<Usage>,
    /// How large the provider's context is.
    max_context_tokens: Option<u64>,
    log_bytes: usize,
    /// What the packs tell of the step in progress.
    view: StepView,
    /// The number of the chunk after the last one on disk, or on its way there.
    next_sequence: u64,
    /// The same once the step that is being written is on disk.
    next_after_step: u64,
    unpacked: Vec<(UiChunk, Arc<str>)>,
    unpacked_bytes: usize,
    settling: bool,
    /// The settlement on its way brings this step with it.
    settling_step: bool,
    /// The model was not told of earlier messages of the chat.
    left_out: bool,
    /// The call to the provider that is on its way, or was the last one.
    call: CallNote,
    /// Messages that have entered before the step in progress.
    heard: Vec<Json>,
}

/// Whether the message row is brought up to date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Refresh {
    #[default]
    Not,
    IfSmall,
    Always,
}

/// How often the rows of run and message are brought up to date at most: what readers need is in the log.
const ROW_INTERVAL: Duration = Duration::from_secs(1);

/// When a run's rows were last brought up to date, and are to be again: now and then, or at every step for hosts that
/// want it so.
#[derive(Debug)]
pub(crate) struct Rows {
    lease: Duration,
    every_step: bool,
    at: Option<Instant>,
}

impl Rows {
    /// Those of a run with this lease.
    pub(crate) fn new(lease: Duration, every_step: bool) -> Self {
        Self { lease, every_step, at: None }
    }

    /// What a step that is written `now` takes along.
    pub(crate) fn due(&mut self, now: Instant) -> Due {
        let due = self.at.is_none_or(|at| now.saturating_duration_since(at) >= ROW_INTERVAL.min(self.lease / 10));
        if due {
            self.at = Some(now);
        }
        let message = match (self.every_step, due) {
            (true, _) => Refresh::Always,
            (false, true) => Refresh::IfSmall,
            (false, false) => Refresh::Not,
        };
        Due { message, lease: due.then_some(self.lease) }
    }
}

/// What a step's write takes along.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Due {
    /// The message row.
    pub(crate) message: Refresh,
    /// The run's row, with this lease.
    pub(crate) lease: Option<Duration>,
}

impl Journal {
    /// The journal of a run that has just begun.
    pub(crate) fn new(fence: Fence, max_context_tokens: Option<u64>) -> Self {
        Self {
            fence,
            steps: Vec::new(),
            usage: None,
            max_context_tokens,
            log_bytes: 0,
            view: StepView::default(),
            next_sequence: 1,
            next_after_step: 1,
            unpacked: Vec::new(),
            unpacked_bytes: 0,
            settling: false,
            settling_step: false,
            left_out: false,
            call: CallNote::default(),
            heard: Vec::new(),
        }
    }

    /// The journal of a run that another process has written so far: these steps, and that the next one has `begun`.
    pub(crate) fn after(mut self, steps: Vec<StepRecord>, next_sequence: u64, begun: StepView) -> Self {
        self.view = begun;
        self.usage = steps.iter().fold(None, |sum, step| Usage::accumulate(sum, step.usage));
        self.log_bytes = steps.iter().map(encoded_size).sum();
        self.steps = steps;
        self.next_sequence = next_sequence;
        self.next_after_step = next_sequence;
        self
    }

    /// What a model that is asked for the next step is told of the steps before it. One without calls that is not the
    /// last one was broken off when its process ended: what it had said is shown, and the model is asked again, since
    /// not every provider goes on with an answer that it had begun; nor what was withdrawn. Messages that had joined the run before
    /// it are told.
    pub(crate) fn steps_for_the_model(&self) -> Cow<'_, [StepRecord]> {
        let is_told = |step: &&StepRecord| {
            !step.is_withdrawn() && (step.finish_reason.is_some() || step.tools().next().is_some())
        };
        if self.steps.iter().all(|step| is_told(&step)) {
            return Cow::Borrowed(&self.steps);
        }
        Cow::Owned(self.steps.iter().map(|step| if is_told(&step) { step.clone() } else { heard(step) }).collect())
    }

    /// Notes how much of the chat the model was told, for the message's row.
    pub(crate) fn note_history(&mut self, conversation: &Conversation) {
        self.left_out |= conversation.has_left_out();
    }

    /// Notes what the next step's call is, for the ledger.
    pub(crate) fn note_call(&mut self, call: CallNote) {
        self.call = call;
    }

    pub(crate) fn fence(&self) -> &Fence {
        &self.fence
    }

    /// Tokens of these steps.
    pub(crate) fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Every step that was written or is being written, in order.
    pub(crate) fn steps(&self) -> &[StepRecord] {
        &self.steps
    }

    fn step_number(&self) -> u32 {
        u32::try_from(self.steps.len()).unwrap_or(u32::MAX)
    }

    /// Takes a chunk that readers were given, if it is one that has to be put on disk by itself.
    pub(crate) fn chunk(&mut self, chunk: UiChunk, encoded: &Arc<str>) {
        // That a step begins may have been told by the owner before.
        let is_told = matches!(chunk, UiChunk::StartStep) && self.view.is_started();
        if chunk.is_of_step() && !self.settling && !is_told {
            self.unpacked_bytes += encoded.len();
            self.unpacked.push((chunk, Arc::clone(encoded)));
        }
    }

    /// The number of the chunk after the last one on disk, or on its way there.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// The size of the chunks that wait.
    pub(crate) fn unpacked_bytes(&self) -> usize {
        self.unpacked_bytes
    }

    /// The chunks that wait, to be put on disk.
    pub(crate) fn take_pack(&mut self) -> Option<ChunkPack> {
        if self.unpacked.is_empty() {
            return None;
        }
        self.unpacked_bytes = 0;
        let first_sequence = self.next_sequence;
        let mut chunks = Vec::with_capacity(self.unpacked.len());
        for (chunk, encoded) in self.unpacked.drain(..) {
            self.view.apply(&chunk);
            chunks.push(encoded);
        }
        self.next_sequence += chunks.len() as u64;
        Some(ChunkPack { step_number: self.step_number(), first_sequence, chunks })
    }

    /// A pack will never be on disk. What waits is not to stand behind the gap: the step tells all of it.
    pub(crate) fn pack_refused(&mut self) {
        self.unpacked.clear();
        self.unpacked_bytes = 0;
    }

    /// The write of a finished step. Chunks that wait need no write of their own: the step tells the same.
    pub(crate) fn record_step(&mut self, step: StepRecord, due: Due) -> RecordStep {
        self.usage = Usage::accumulate(self.usage, step.usage);
        let numbers = self.numbers(&step);
        self.next_after_step = numbers.next;
        self.log_bytes += encoded_size(&step);
        self.steps.push(step.clone());
        let refresh = match due.message {
            Refresh::Always => true,
            Refresh::IfSmall => self.log_bytes <= REFRESH_BYTES,
            Refresh::Not => false,
        };
        let refresh = refresh.then(|| {
            let context_tokens = step.usage.and_then(Usage::context_tokens);
            let extra = FlushExtra { context_tokens, ..self.extra() };
            flush_run(&self.steps, MessageStatus::Streaming, &extra)
        });
        RecordStep { fence: self.fence.clone(), step, numbers, lease: due.lease, refresh, call: self.call.clone() }
    }

    /// The write with which the run begins to wait: this step is not finished, and everything that was told of it goes
    /// to disk with it.
    pub(crate) fn suspend(&mut self, step: StepRecord, waits: Waits) -> SuspendRun {
        let usage = Usage::accumulate(self.usage, step.usage);
        let extra = FlushExtra { usage, context_tokens: step.usage.and_then(Usage::context_tokens), ..self.extra() };
        let shown: Vec<StepRecord> = self.steps.iter().chain([&step]).cloned().collect();
        SuspendRun {
            fence: self.fence.clone(),
            pack: self.take_pack(),
            waits,
            call: self.call.clone(),
            assistant: flush_run(&shown, MessageStatus::Streaming, &extra),
            step,
        }
    }

    /// The write with which the messages that wait enter before the next step.
    pub(crate) fn enter(&self) -> EnterSteering {
        EnterSteering {
            fence: self.fence.clone(),
            step: self.step_number(),
            first_sequence: self.next_sequence,
            begun: self.view.is_started(),
        }
    }

    /// These messages have entered. Returns the chunks that tell of them, which are on disk.
    pub(crate) fn entered(&mut self, entered: &[Steering]) -> Vec<Arc<str>> {
        if entered.is_empty() {
            self.heard.clear();
            return Vec::new();
        }
        let chunks = entering_chunks(self.view.is_started(), entered);
        chunks.iter().filter_map(|chunk| UiChunk::parse_of_step(chunk)).for_each(|chunk| self.view.apply(&chunk));
        self.next_sequence += chunks.len() as u64;
        self.heard = entered.iter().map(Steering::part).collect();
        chunks
    }

    /// The messages that have entered before the step in progress.
    pub(crate) fn heard(&self) -> &[Json] {
        &self.heard
    }

    /// The step is on disk.
    pub(crate) fn step_persisted(&mut self) {
        self.next_sequence = self.next_after_step;
        self.view = StepView::default();
        self.heard.clear();
        self.unpacked.clear();
        self.unpacked_bytes = 0;
    }

    /// The step was refused, and may be written again.
    pub(crate) fn step_refused(&mut self) {
        if let Some(step) = self.forget_last_step() {
            self.log_bytes -= encoded_size(&step);
        }
    }

    /// The settlement was refused, and may be written again.
    pub(crate) fn settlement_refused(&mut self) {
        self.settling = false;
        if std::mem::take(&mut self.settling_step) {
            self.forget_last_step();
        }
    }

    fn forget_last_step(&mut self) -> Option<StepRecord> {
        let step = self.steps.pop()?;
        self.usage = self.steps.iter().fold(None, |sum, step| Usage::accumulate(sum, step.usage));
        Some(step)
    }

    /// The write of the run's end.
    pub(crate) fn settle(&mut self, settlement: &Settlement) -> SettleRun {
        self.settling = true;
        self.settling_step = settlement.step.is_some();
        let step = settlement.step.clone().map(|step| {
            // A step whose own write was refused is there already.
            if self.steps.last().is_some_and(|last| last.number >= step.number) {
                self.steps.pop();
            } else {
                self.usage = Usage::accumulate(self.usage, step.usage);
            }
            let numbers = self.numbers(&step);
            self.steps.push(step.clone());
            (step, numbers)
        });
        let extra = FlushExtra {
            finish_reason: settlement.finish_reason.map(|reason| reason.as_str().to_owned()),
            usage: settlement.usage,
            context_tokens: settlement.context_tokens,
            error: settlement.error.clone(),
            failure: settlement.failure.clone(),
            reason: settlement.reason,
            ..self.extra()
        };
        let last = self.steps.last().map_or(0, |step| step.number);
        SettleRun {
            fence: self.fence.clone(),
            unless_steered: settlement.unless_steered.then_some(last),
            status: settlement.status,
            reason: settlement.reason,
            error: settlement.error.clone(),
            failure: settlement.failure.clone(),
            step,
            call: self.call.clone(),
            assistant: flush_run(&self.steps, message_status(settlement.status), &extra),
        }
    }

    fn numbers(&self, step: &StepRecord) -> StepNumbers {
        let rest = self.view.continuation(step, self.usage).len() as u64;
        StepNumbers { packed_until: self.next_sequence, next: self.next_sequence + rest }
    }

    fn extra(&self) -> FlushExtra {
        FlushExtra {
            usage: self.usage,
            max_context_tokens: self.max_context_tokens,
            history_left_out: self.left_out,
            ..FlushExtra::default()
        }
    }
}

/// The step without what the model has said; nothing may be left of it.
fn heard(step: &StepRecord) -> StepRecord {
    step.heard().unwrap_or_else(|| StepRecord { parts: Vec::new(), ..step.clone() })
}

/// The status of the message of a run with this status.
pub(crate) fn message_status(status: RunStatus) -> MessageStatus {
    match status {
        RunStatus::Succeeded => MessageStatus::Completed,
        RunStatus::Failed => MessageStatus::Error,
        RunStatus::Pending | RunStatus::Running | RunStatus::Waiting | RunStatus::Aborted | RunStatus::Other(_) => {
            MessageStatus::Aborted
        }
    }
}

/// The row of a message in which nothing has been written.
pub(crate) fn empty_row(status: MessageStatus) -> AssistantFlush {
    flush_run(&[], status, &FlushExtra::default())
}

/// The size of the step's JSON, without building it.
fn encoded_size(step: &StepRecord) -> usize {
    struct Counter(usize);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    // Counting cannot fail; what cannot be encoded is reported by the store.
    let _ = serde_json::to_writer(&mut counter, step);
    counter.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::RunId;
    use crate::model::{Part, TextPart};

    fn step(number: u32) -> StepRecord {
        let parts = vec![Part::StepStart, Part::Text(TextPart::done("x"))];
        let usage = Some(Usage { input_tokens: Some(1), ..Usage::default() });
        StepRecord { number, parts, finish_reason: None, usage }
    }

    fn settlement(step: Option<StepRecord>) -> Settlement {
        let status = RunStatus::Succeeded;
        Settlement { step, ..Settlement::of(status) }
    }

    #[test]
    fn what_was_refused_is_written_again_as_it_was() {
        let fence = Fence { run_id: RunId::generate(), owner: "o".into(), epoch: 1 };
        let mut journal = Journal::new(fence, None);
        let first = journal.record_step(step(0), Due::default()).numbers;
        journal.step_refused();
        assert!(journal.steps().is_empty());
        assert_eq!(journal.record_step(step(0), Due::default()).numbers, first);
        journal.step_persisted();
        // With a last step, and without: the step before it stays in either case.
        for last in [Some(step(1)), None] {
            let settled = journal.settle(&settlement(last.clone()));
            journal.settlement_refused();
            assert_eq!(journal.steps(), [step(0)]);
            let again = journal.settle(&settlement(last));
            assert_eq!((again.step, again.assistant), (settled.step, settled.assistant));
            journal.settlement_refused();
        }
    }

    #[test]
    fn a_step_that_another_owner_has_begun_begins_once() {
        let fence = Fence { run_id: RunId::generate(), owner: "o".into(), epoch: 2 };
        let mut begun = StepView::default();
        begun.apply(&UiChunk::StartStep);
        let mut journal = Journal::new(fence, None).after(Vec::new(), 2, begun);
        journal.chunk(UiChunk::StartStep, &UiChunk::StartStep.encode().into());
        assert_eq!(journal.take_pack(), None);
        // A text's beginning, itself and its end, the step's end and the usage: the log's second to sixth chunk.
        let numbers = journal.record_step(step(0), Due::default()).numbers;
        assert_eq!(numbers, StepNumbers { packed_until: 2, next: 7 });
    }

    #[test]
    fn rows_are_due_now_and_then() {
        let lease = Duration::from_secs(3);
        let (mut rows, begun) = (Rows::new(lease, false), Instant::now());
        let due = [0, 299, 300, 301, 600].map(|millis| rows.due(begun + Duration::from_millis(millis)).lease.is_some());
        assert_eq!(due, [true, false, true, false, true]);
        assert_eq!(Rows::new(lease, true).due(begun).message, Refresh::Always);
    }
}
