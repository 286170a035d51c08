//! What has been promised, kept apart from the store, and whether the store keeps it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::engine::TailFrom;
use crate::id::{ChatId, MessageId, RunId};
use crate::log::UiChunk;
use crate::log::journal::message_status;
use crate::log::reader::{LogReader, Reached};
use crate::machine::ToolCall;
use crate::machine::writes::Told as WriteTold;
use crate::model::{
    Answer, AnswerKind, INCOMPLETE_CALL, Message, MessageRole, Part, Run, RunReason, RunStatus, StepRecord, ToolState,
    UNKNOWN_CALL, call_key, entering_chunks,
};
use crate::project::{AssistantPart, ModelMessage, append_steps, messages_from_rows};
use crate::store::{
    BeginRun, ChunkPack, EnterSteering, Fence, LogFrom, LogRange, LogRow, LogStore, LoggedStep, MOST_OWNERS, RunStore,
    SuspendRun, UNTOUCHED_WITHOUT_LEASE,
};

use super::reduce::{Told, ToldStep};
use super::store::SimulatedStore;
use super::world::LEASE;
use super::{Broken, ready};

/// What was promised of one run.
pub(super) struct Facts {
    pub(super) chat: ChatId,
    pub(super) message: MessageId,
    /// Whoever offers its tools may drive it.
    pub(super) planned: bool,
    /// The only one that may write; nobody while the run waits.
    pub(super) fence: Option<Fence>,
    /// Who waits with it, while it waits.
    pub(super) waits_in: String,
    /// When the lease runs out, in milliseconds.
    pub(super) lease_until: i64,
    /// It has had no lease yet: it is for whoever offers its tools.
    pub(super) unleased: bool,
    /// When its owner was last heard of, by the clock that nobody sets; nothing once it has been given up.
    pub(super) heard_at: Option<i64>,
    acknowledged: Vec<StepRecord>,
    intents: BTreeMap<u32, StepRecord>,
    packs: BTreeMap<u64, ChunkPack>,
    /// The first stop that was noted.
    pub(super) stop: Option<RunReason>,
    /// Which stop was noted when the run was taken from its owner.
    pub(super) swept: Option<Option<RunReason>>,
    pub(super) trimmed: bool,
    /// A pack was refused for good: the numbers of its chunks are lost, and the step is told in compact form.
    pub(super) renumbered: bool,
    /// Its end was refused for good: it has failed without its last step.
    pub(super) cut_short: bool,
    /// How many calls were made, by all of its owners.
    calls: usize,
    pub(super) settled: Option<Box<Settled>>,
    /// It waits for an answer, or has it and is nobody's still.
    pub(super) suspended: bool,
    /// How often that was.
    suspensions: i64,
    /// It does not hold its chat meanwhile.
    frees_chat: bool,
    /// What was answered, by call.
    answers: BTreeMap<String, Answer>,
    /// The calls that wait, or have waited last.
    asked: Vec<String>,
    /// The calls that were made of tools that change something.
    made: HashSet<String>,
    /// The calls that have counted.
    counted: HashSet<String>,
    /// The tools of which the model was told content from outside, and before which step.
    pub(super) told_outside: Vec<(u32, &'static str)>,
}

/// A run's rows as they were when it settled.
#[derive(PartialEq)]
pub(super) struct Settled {
    pub(super) run: Run,
    message: Option<Message>,
    steps: Vec<LoggedStep>,
}

#[derive(Default)]
pub(super) struct Ledger {
    pub(super) runs: BTreeMap<RunId, Facts>,
    pub(super) keys: HashMap<usize, RunId>,
    /// The messages of each chat, as they were added.
    added: HashMap<ChatId, Vec<MessageId>>,
}

fn broken(invariant: &'static str, detail: impl Into<String>) -> Broken {
    Broken { invariant, detail: detail.into() }
}

fn message_of(store: &SimulatedStore, facts: &Facts) -> Option<Message> {
    let rows = ready(store.messages(facts.chat, usize::MAX)).unwrap_or_default();
    rows.into_iter().find(|row| row.id == facts.message)
}

impl Facts {
    pub(super) fn new(begin: &BeginRun, lease_until: i64) -> Self {
        Self {
            chat: begin.chat_id,
            message: begin.assistant_message_id,
            planned: begin.plan.is_some(),
            fence: None,
            waits_in: begin.owner.clone(),
            lease_until,
            unleased: begin.unowned,
            heard_at: None,
            acknowledged: Vec::new(),
            intents: BTreeMap::new(),
            packs: BTreeMap::new(),
            stop: None,
            swept: None,
            trimmed: false,
            renumbered: false,
            cut_short: false,
            calls: 0,
            settled: None,
            suspended: false,
            suspensions: 0,
            frees_chat: begin.plan.as_ref().is_some_and(|plan| plan.frees_chat),
            answers: BTreeMap::new(),
            asked: Vec::new(),
            made: HashSet::new(),
            counted: HashSet::new(),
            told_outside: Vec::new(),
        }
    }

    /// How many owners it has had, among them those who only settle it.
    pub(super) fn epoch(&self) -> i64 {
        self.fence.as_ref().map_or(0, |fence| fence.epoch)
    }

    pub(super) fn owner(&self) -> &str {
        self.fence.as_ref().map_or(&self.waits_in, |fence| &fence.owner)
    }

    /// The owner has just been heard of: at this time by the clock of leases, and by the one that only goes on.
    pub(super) fn is_heard(&mut self, now: i64, elapsed: i64) {
        (self.lease_until, self.heard_at, self.unleased) = (now + LEASE.as_millis() as i64, Some(elapsed), false);
    }

    /// Its owner has given it up, or is known to be dead.
    pub(super) fn is_given_up(&mut self, now: i64) {
        (self.lease_until, self.heard_at) = (now, None);
    }

    /// It waits from now on, as nobody's.
    pub(super) fn is_suspended(&mut self, now: i64, suspend: &SuspendRun) {
        self.is_given_up(now);
        self.suspended = true;
        self.suspensions += 1;
        self.asked = suspend.waits.calls.iter().map(|wait| wait.call_id.clone()).collect();
        self.intent_acknowledged(suspend.step.clone());
        if let Some(pack) = &suspend.pack {
            self.pack_acknowledged(pack.clone());
        }
    }

    /// What was answered to this call.
    pub(super) fn answer_kind(&self, call_id: &str) -> Option<AnswerKind> {
        self.answers.get(call_id).map(|answer| answer.kind)
    }

    /// Whether it waits for an answer still.
    pub(super) fn waits(&self) -> bool {
        self.suspended && self.asked.iter().any(|call| !self.answers.contains_key(call))
    }

    /// Whether nobody may believe that the run is his.
    pub(super) fn is_left(&self, now: i64) -> bool {
        self.settled.is_none() && (self.unleased || self.suspended || self.lease_until <= now)
    }

    /// Whether somebody else may go on with it.
    pub(super) fn may_go_on(&self, now: i64) -> bool {
        let deaths = self.epoch() - self.suspensions;
        self.is_left(now) && self.planned && self.stop.is_none() && deaths < MOST_OWNERS && !self.waits()
    }

    /// Whether it is a sweep's: nobody drives it, and nobody is waited for.
    pub(super) fn is_abandoned(&self, now: i64) -> bool {
        if self.suspended {
            let deaths = self.epoch() - self.suspensions;
            return self.settled.is_none() && (self.stop.is_some() || (!self.waits() && deaths >= MOST_OWNERS));
        }
        let waits_until = self.lease_until + UNTOUCHED_WITHOUT_LEASE.as_millis() as i64;
        self.is_left(now) && (!self.may_go_on(now) || waits_until <= now)
    }

    pub(super) fn step_acknowledged(&mut self, step: StepRecord) {
        if self.acknowledged.iter().all(|known| known.number != step.number) {
            self.acknowledged.push(step);
        }
    }

    pub(super) fn intent_acknowledged(&mut self, step: StepRecord) {
        self.intents.insert(step.number, step);
    }

    pub(super) fn pack_acknowledged(&mut self, pack: ChunkPack) {
        self.packs.insert(pack.first_sequence, pack);
    }

    /// What entered was told in a pack.
    pub(super) fn entered(&mut self, enter: &EnterSteering, told: &WriteTold) {
        if !told.entered.is_empty() {
            let chunks = entering_chunks(enter.begun, &told.entered);
            let first_sequence = enter.first_sequence;
            self.pack_acknowledged(ChunkPack { step_number: enter.step, first_sequence, chunks });
        }
    }

    fn rows(&self, store: &SimulatedStore, run_id: RunId) -> Result<Settled, Broken> {
        let run = ready(store.run(run_id)).ok().flatten();
        let run = run.ok_or_else(|| broken("no acknowledged run is lost", run_id.to_string()))?;
        let steps = ready(store.steps(run_id)).unwrap_or_default();
        Ok(Settled { run, message: message_of(store, self), steps })
    }

    /// Compares the run's rows with what was promised of them.
    fn check(&mut self, store: &SimulatedStore, run_id: RunId) -> Result<(), Broken> {
        let rows = self.rows(store, run_id)?;
        for promised in &self.acknowledged {
            let stored = rows.steps.iter().find(|stored| stored.step.number == promised.number);
            if stored.is_none_or(|stored| !stored.finished || stored.step != *promised) {
                let detail = format!("step {} of {run_id}", promised.number);
                return Err(broken("no acknowledged step is lost or changed", detail));
            }
        }
        if let Some(settled) = &self.settled {
            return match **settled == rows {
                true => Ok(()),
                false => Err(broken("a run is settled once", format!("the rows of {run_id} changed after its end"))),
            };
        }
        if !rows.run.status.is_active() {
            self.check_end(store, run_id, &rows)?;
            self.settled = Some(Box::new(rows));
        }
        Ok(())
    }

    /// The rows of a run that has just settled.
    fn check_end(&self, store: &SimulatedStore, run_id: RunId, rows: &Settled) -> Result<(), Broken> {
        let run = &rows.run;
        let wrong = |detail: String| broken("run and message agree", format!("{run_id}: {detail}"));
        let message = rows.message.as_ref().ok_or_else(|| wrong("there is no message".to_owned()))?;
        if message.status != Some(message_status(run.status)) {
            return Err(wrong(format!("the run {:?}, the message {:?}", run.status, message.status)));
        }
        let (entered, reserved) = store.calls(run_id);
        if (entered, reserved) != (self.calls, 0) {
            let detail = format!("{run_id}: {} were made, {entered} entered, {reserved} are set aside", self.calls);
            return Err(broken("each call is in the ledger once", detail));
        }
        if self.cut_short {
            return Ok(());
        }
        let steps: Vec<&StepRecord> = rows.steps.iter().map(|logged| &logged.step).collect();
        // What was withdrawn is in the log, and in nothing else.
        let all: Vec<StepRecord> = steps.iter().map(|step| (*step).clone()).collect();
        let kept = StepRecord::kept(&all);
        let in_log: Vec<Part> = kept.iter().flat_map(|step| step.parts.iter().cloned()).collect();
        if message.parts() != in_log {
            return Err(wrong("the message's parts are not those of the steps".to_owned()));
        }
        if message.content != kept.iter().map(StepRecord::text).collect::<String>() {
            return Err(wrong("the message's text is not that of the steps".to_owned()));
        }
        if run.step_count as usize != steps.len() {
            return Err(wrong(format!("{} steps are counted, {} stored", run.step_count, steps.len())));
        }
        let unfinished = rows.steps.iter().zip(0_u32..).find(|(row, place)| !row.finished || row.step.number != *place);
        if let Some((row, _)) = unfinished {
            return Err(wrong(format!("step {} is unfinished or out of order", row.step.number)));
        }
        for step in &steps {
            outcomes_are_in(step)?;
            self.answers_are_in(step, run.status)?;
            self.counts_are_told(run_id, step, run)?;
            self.held_up_for_something(step)?;
        }
        if run.reason == Some(RunReason::WorkerLost) && self.swept.is_none() {
            let detail = format!("{run_id} was settled without having been abandoned");
            return Err(broken("those who can go on with a run are waited for", detail));
        }
        // A stop holds even if the owner died before it heard of it.
        if let Some(Some(stop)) = self.swept
            && run.reason != Some(stop)
        {
            return Err(broken("a noted stop holds", format!("{run_id} was to be {stop:?} and is {:?}", run.reason)));
        }
        self.check_streamed(&steps)
    }

    /// What somebody has answered has come to something, unless the run was ended before.
    fn answers_are_in(&self, step: &StepRecord, status: RunStatus) -> Result<(), Broken> {
        for tool in step.tools() {
            let answer = self.answers.get(&tool.call_id);
            let fits = match (answer.map(|answer| answer.kind), &tool.state) {
                (None, _) => !self.made.contains(&tool.call_id) || tool.name != "ask",
                _ if status != RunStatus::Succeeded => true,
                // Its owner may have died before it was made, and nobody knew.
                (Some(AnswerKind::Approved), ToolState::OutputError(_)) => !tool.is_denied(),
                (Some(AnswerKind::Approved), _) => self.made.contains(&tool.call_id),
                (Some(AnswerKind::Denied | AnswerKind::Expired), ToolState::OutputError(_)) => true,
                (Some(AnswerKind::Answered), ToolState::OutputAvailable(output)) => {
                    *output == answer.and_then(|answer| answer.output.clone())
                }
                _ => false,
            };
            if !fits {
                let detail = format!("{} of step {}: {answer:?}, {:?}", tool.call_id, step.number, tool.state);
                return Err(broken("an answer is gone on with as it was given", detail));
            }
        }
        Ok(())
    }

    /// What has counted is told to be done, and nothing else is. Of a run that could not be written any more nobody knows.
    fn counts_are_told(&self, run_id: RunId, step: &StepRecord, run: &Run) -> Result<(), Broken> {
        for tool in step.tools().filter(|tool| tool.name == "count") {
            let counted = self.counted.contains(&call_key(run_id, step.number, &tool.call_id));
            let fits = match &tool.state {
                ToolState::OutputAvailable(_) => counted,
                ToolState::OutputError(error)
                    if error == INCOMPLETE_CALL && run.reason == Some(RunReason::Internal) =>
                {
                    true
                }
                ToolState::OutputError(error) => !counted && error != UNKNOWN_CALL,
                ToolState::InputAvailable => false,
            };
            if !fits {
                let detail =
                    format!("{} of step {} of {run_id}: {counted}, {:?}", tool.call_id, step.number, tool.state);
                return Err(broken("what a tool with effects has done is told, and nothing else", detail));
            }
        }
        Ok(())
    }

    /// What had been put on disk of a step in progress is in the step.
    fn check_streamed(&self, steps: &[&StepRecord]) -> Result<(), Broken> {
        let lost = |detail: String| broken("what was put on disk while it streamed is in the settled row", detail);
        let mut streamed: BTreeMap<u32, ToldStep> = BTreeMap::new();
        for pack in self.packs.values() {
            let told = streamed.entry(pack.step_number).or_default();
            for chunk in pack.chunks.iter().filter_map(|chunk| UiChunk::parse_of_step(chunk)) {
                told.apply(chunk).map_err(lost)?;
            }
        }
        for (number, told) in streamed.iter().filter(|(_, told)| !told.is_empty()) {
            let step = steps.get(*number as usize).ok_or_else(|| lost(format!("there is no step {number}")))?;
            told.is_in(step, false).map_err(lost)?;
        }
        for (number, intent) in &self.intents {
            let step = steps.get(*number as usize);
            let step = step.ok_or_else(|| lost(format!("there is no step {number}, whose calls were announced")))?;
            let ids = |step: &StepRecord| step.tools().map(|tool| tool.call_id.clone()).collect::<Vec<_>>();
            if ids(intent) != ids(step) {
                return Err(lost(format!("the calls of step {number}")));
            }
        }
        Ok(())
    }
}

/// A chat only grows at its end, whatever the clock says.
fn check_order(
    store: &SimulatedStore,
    chat: ChatId,
    added: &mut HashMap<ChatId, Vec<MessageId>>,
) -> Result<(), Broken> {
    let rows: Vec<MessageId> =
        ready(store.messages(chat, usize::MAX)).unwrap_or_default().iter().map(|row| row.id).collect();
    let known = added.entry(chat).or_default();
    if !rows.starts_with(known) {
        return Err(broken("messages stand in the order in which they came", format!("{chat}: {rows:?}")));
    }
    *known = rows;
    Ok(())
}

fn outcomes_are_in(step: &StepRecord) -> Result<(), Broken> {
    match step.tools().find(|tool| tool.state == ToolState::InputAvailable) {
        Some(tool) => {
            let detail = format!("{} of step {} has no outcome", tool.call_id, step.number);
            Err(broken("every stored history can be sent", detail))
        }
        None => Ok(()),
    }
}

/// Each call is followed by exactly one outcome, and no id stands for two calls.
pub(super) fn can_be_sent(messages: &[ModelMessage]) -> Result<(), Broken> {
    let wrong = |detail: &str| Err(broken("every stored history can be sent", detail));
    let mut known = HashSet::new();
    let mut asked: Vec<&str> = Vec::new();
    for message in messages {
        match message {
            ModelMessage::Tool(results) => {
                let answered: Vec<&str> = results.iter().map(|result| result.call_id.as_str()).collect();
                if asked.is_empty() || asked != answered {
                    return wrong("the outcomes are not those of the calls before them");
                }
                asked.clear();
            }
            _ if !asked.is_empty() => return wrong("a call has no outcome"),
            ModelMessage::User(_) => {}
            ModelMessage::Assistant(parts) => {
                for part in parts {
                    if let AssistantPart::ToolCall { call_id, .. } = part {
                        if !known.insert(call_id.as_str()) {
                            return wrong("a call id stands for two calls");
                        }
                        asked.push(call_id);
                    }
                }
            }
        }
    }
    if asked.is_empty() { Ok(()) } else { wrong("the last call has no outcome") }
}

impl Ledger {
    /// Whether the run's rows are as promised; settles it in the books when it has.
    pub(super) fn check(&mut self, store: &SimulatedStore, run_id: RunId) -> Result<(), Broken> {
        let Some(facts) = self.runs.get_mut(&run_id) else { return Ok(()) };
        let settled = facts.settled.is_some();
        facts.check(store, run_id)?;
        check_order(store, facts.chat, &mut self.added)?;
        if !settled && facts.settled.is_some() {
            let chat = facts.chat;
            self.check_history(store, chat)?;
        }
        Ok(())
    }

    /// A tool that changes something is called: once for each call, unless it says otherwise of itself, and only if nobody has
    /// to allow it, or somebody has. Whether the call had been made before.
    pub(super) fn made(&mut self, run_id: RunId, call: &ToolCall) -> Result<bool, Broken> {
        let Some(facts) = self.runs.get_mut(&run_id) else { return Ok(false) };
        let answer = facts.answers.get(&call.call_id).map(|answer| answer.kind);
        if call.name == "form" || (call.name == "ask" && answer != Some(AnswerKind::Approved)) {
            let detail = format!("{} of {run_id} ({}): {answer:?}", call.call_id, call.name);
            return Err(broken("no call is made that nobody has allowed", detail));
        }
        let is_first = facts.made.insert(call.call_id.clone());
        match is_first || matches!(call.name.as_str(), "count" | "put") {
            true => Ok(!is_first),
            false => Err(broken("a call is made once", format!("{} of {run_id} ({})", call.call_id, call.name))),
        }
    }

    /// A tool with effects has changed something: once for each call, and not after the run's end.
    pub(super) fn counted(&mut self, run_id: RunId, key: &str) -> Result<(), Broken> {
        let Some(facts) = self.runs.get_mut(&run_id) else { return Ok(()) };
        if !facts.counted.insert(key.to_owned()) {
            return Err(broken("no call takes effect twice", key.to_owned()));
        }
        match facts.settled {
            None => Ok(()),
            Some(_) => Err(broken("nothing takes effect after the end of its run", key.to_owned())),
        }
    }

    /// Somebody's answer was taken.
    pub(super) fn answered(&mut self, run_id: RunId, call_id: &str, answer: Answer) -> Result<(), Broken> {
        let Some(facts) = self.runs.get_mut(&run_id) else { return Ok(()) };
        if !facts.suspended || !facts.asked.iter().any(|asked| asked == call_id) {
            return Err(broken("only what waits is answered", format!("{call_id} of {run_id}")));
        }
        match facts.answers.insert(call_id.to_owned(), answer) {
            None => Ok(()),
            Some(_) => Err(broken("a call is answered once", format!("{call_id} of {run_id}"))),
        }
    }

    /// What was told of a step, as it is on disk.
    pub(super) fn told_of(&self, run_id: RunId, step: u32) -> Vec<Arc<str>> {
        let packs = self.runs.get(&run_id).into_iter().flat_map(|facts| facts.packs.values());
        packs.filter(|pack| pack.step_number == step).flat_map(|pack| pack.chunks.iter().cloned()).collect()
    }

    /// A provider is called for the run.
    pub(super) fn called(&mut self, run_id: RunId) {
        if let Some(facts) = self.runs.get_mut(&run_id) {
            facts.calls += 1;
        }
    }

    pub(super) fn is_settled(&self, run_id: RunId) -> bool {
        self.runs.get(&run_id).is_some_and(|facts| facts.settled.is_some())
    }

    pub(super) fn check_all(&mut self, store: &SimulatedStore) -> Result<(), Broken> {
        let runs: Vec<RunId> = self.runs.keys().copied().collect();
        runs.into_iter().try_for_each(|run_id| self.check(store, run_id))
    }

    /// The chat's rows, also those of a run in progress, and the log of that.
    fn check_history(&self, store: &SimulatedStore, chat: ChatId) -> Result<(), Broken> {
        let rows = ready(store.messages(chat, usize::MAX)).unwrap_or_default();
        can_be_sent(&messages_from_rows(&rows))?;
        for row in rows.iter().filter(|row| row.role == MessageRole::Assistant) {
            let run = self.runs.iter().find(|(_, facts)| facts.message == row.id);
            let Some((run_id, _)) = run else { continue };
            let steps: Vec<StepRecord> =
                ready(store.steps(*run_id)).unwrap_or_default().into_iter().map(|logged| logged.step).collect();
            let mut sent = Vec::new();
            append_steps(&mut sent, &steps);
            can_be_sent(&sent)?;
        }
        Ok(())
    }

    /// The gate, as the runs stand in the store.
    pub(super) fn check_gate(&self, store: &SimulatedStore, chat: ChatId) -> Result<(), Broken> {
        let runs = ready(store.runs_of_chat(chat, usize::MAX)).unwrap_or_default();
        let holds = |run: &&Run| match run.status {
            RunStatus::Running => true,
            RunStatus::Waiting => self.runs.get(&run.id).is_some_and(|facts| !facts.frees_chat),
            _ => false,
        };
        let active: Vec<RunId> = runs.iter().filter(holds).map(|run| run.id).collect();
        match active.as_slice() {
            [] | [_] => Ok(()),
            _ => Err(broken("never two active runs in a chat", format!("{active:?}"))),
        }
    }

    /// Everything that an unauthorized write could have changed.
    pub(super) fn rows(&self, store: &SimulatedStore, run_id: RunId) -> Option<(Settled, Vec<crate::store::LogRow>)> {
        let rows = self.runs.get(&run_id)?.rows(store, run_id).ok()?;
        let from = LogFrom::Place { step: 0, sequence: 0 };
        let range = LogRange { from, packs_of_finished: true, limit: usize::MAX };
        Some((rows, ready(store.read_log(run_id, range)).ok()??.rows))
    }
}

/// The whole log in one go, and whether it was told from another place than was asked for.
pub(super) fn whole_log(
    store: &SimulatedStore,
    run_id: RunId,
    from: TailFrom,
) -> Result<(Vec<Arc<str>>, bool), Broken> {
    let mut reader = LogReader::new(from);
    let (mut chunks, mut resynchronized) = (Vec::new(), false);
    // A log that leads nowhere must end the schedule, not the simulator.
    for _ in 0..1000 {
        let Some(page) = ready(store.read_log(run_id, reader.wants())).ok().flatten() else { break };
        let mut items = Vec::new();
        let reached = reader.feed(page, &mut items);
        for item in items {
            if item.resync {
                chunks.clear();
                resynchronized = true;
            }
            chunks.push(item.chunk);
        }
        match reached {
            Reached::More => {}
            Reached::End(_) => return Ok((chunks, resynchronized)),
            Reached::Nothing | Reached::Present => break,
        }
    }
    Err(broken("a log that is over can be read to its end", run_id.to_string()))
}

/// What readers were told of the step in progress by an owner who gives the run up is on disk.
pub(super) fn tells_abandoned_log<'a>(
    store: &SimulatedStore,
    run_id: RunId,
    chunks: impl Iterator<Item = &'a Arc<str>>,
) -> Result<(), Broken> {
    let wrong =
        |detail: String| broken("what an owner has told is there for the next one", format!("{run_id}: {detail}"));
    let from = LogFrom::Sequence(u64::MAX);
    let range = LogRange { from, packs_of_finished: false, limit: usize::MAX };
    let rows = ready(store.read_log(run_id, range)).ok().flatten().map(|page| page.rows).unwrap_or_default();
    let packs = rows.iter().filter_map(|row| match row {
        LogRow::Pack(pack) => Some(pack.chunks.iter()),
        LogRow::Step(_) => None,
    });
    let kept = Told::of(packs.flatten()).map_err(wrong)?;
    if Told::of(chunks).map_err(wrong)?.goes_on_as(&kept) {
        return Ok(());
    }
    Err(wrong("its last chunks are not on disk".to_owned()))
}

/// What readers were told has the places of the log: as many chunks, and steps that begin and end where they do there.
pub(super) fn has_the_numbers(store: &SimulatedStore, run_id: RunId, told: &[Arc<str>]) -> Result<(), Broken> {
    let (log, _) = whole_log(store, run_id, TailFrom::Start)?;
    let is_border = |chunk: &str| ["start-step", "finish-step"].iter().any(|name| chunk[9..].starts_with(name));
    let borders = |chunks: &[Arc<str>]| -> Vec<usize> {
        (0..chunks.len()).filter(|place| is_border(&chunks[*place])).chain([chunks.len()]).collect()
    };
    match borders(&log) == borders(told) {
        true => Ok(()),
        false => {
            let detail = format!("{run_id}: {:?} in the log, {:?} were told", borders(&log), borders(told));
            Err(broken("the numbers that readers know are those of the log", detail))
        }
    }
}

/// What readers were told is what is stored.
pub(super) fn tells_the_steps<'a>(
    store: &SimulatedStore,
    run_id: RunId,
    first_step: usize,
    chunks: impl Iterator<Item = &'a Arc<str>>,
) -> Result<(), Broken> {
    let stored = ready(store.steps(run_id)).unwrap_or_default();
    let steps: Vec<StepRecord> = stored.into_iter().skip(first_step).map(|logged| logged.step).collect();
    let wrong = |detail: String| broken("what readers receive are the stored steps and one end", detail);
    Told::of(chunks).and_then(|told| told.is_whole(&steps)).map_err(wrong)
}
