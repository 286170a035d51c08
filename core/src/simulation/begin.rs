//! Turns begin, wait in the queue, and take the place of others.

use std::collections::VecDeque;

use crate::engine::run::queue;
use crate::error::ErrorCode;
use crate::id::{MessageId, RunId};
use crate::log::journal::empty_row;
use crate::machine::{Event, StopCause, TurnIds};
use crate::model::{Json, MessageStatus, RunReason, RunStatus, Trigger};
use crate::store::{Began, BeginRun, Fence, NewUserMessage, QueueStore, RunPlan, RunStore};

use super::ledger::Facts;
use super::process::{History, Life, OFFERED, Superseding, Waiter};
use super::store::Fault;
use super::world::{LEASE, World};
use super::{Broken, ready};

/// Who drives it offers every tool.
fn plan_of_all(frees_chat: bool) -> RunPlan {
    RunPlan { tools: OFFERED.map(str::to_owned).into(), open_page: None, own: None, frees_chat }
}

impl World<'_> {
    pub(super) fn begin_event(&mut self) -> Result<(), Broken> {
        let Some(process) = self.process(Life::Alive, true) else { return Ok(()) };
        self.turns_left -= 1;
        let key = self.random.chance(300).then(|| self.random.below(2));
        let (run_id, assistant_message_id, user): (RunId, MessageId, MessageId) = {
            let user = self.id();
            (self.id(), self.id(), user)
        };
        let planned = self.random.chance(self.plan.rates.planned);
        let frees_chat = planned && self.random.chance(300);
        let begin = BeginRun {
            run_id,
            chat_id: self.random.pick(&self.chats),
            workspace_id: "w".to_owned(),
            user_id: "u".to_owned(),
            trigger: Trigger::User,
            owner: self.processes[process].owner.clone(),
            lease: LEASE,
            role_id: None,
            page_id: None,
            replaces: None,
            user_message: Some(NewUserMessage { id: user, content: "hi".to_owned(), metadata: Json::empty_object() }),
            assistant_message_id,
            assistant: empty_row(MessageStatus::Streaming),
            idempotency_key: key.map(|key| format!("key-{key}")),
            plan: planned.then(|| plan_of_all(frees_chat)),
            unowned: planned && self.random.chance(self.plan.rates.unowned),
            from_queue: false,
        };
        match self.random.below(3) {
            0 => self.begin(process, begin, key, false),
            1 => self.begin(process, begin, key, true),
            _ => match ready(self.store.active_run(begin.chat_id)).ok().flatten() {
                Some(active) => {
                    self.request_stop(active.id, RunReason::Superseded)?;
                    self.superseding.push(Superseding { process, target: active.id, begin, key });
                    Ok(())
                }
                None => self.begin(process, begin, key, false),
            },
        }
    }

    pub(super) fn begin(
        &mut self,
        process: usize,
        begin: BeginRun,
        key: Option<usize>,
        waits: bool,
    ) -> Result<(), Broken> {
        let run_id = begin.run_id;
        self.say(|| format!("p{process} begins {run_id} in {}, key {key:?}", begin.chat_id));
        if self.random.chance(self.plan.rates.crash_before) {
            self.crash(process);
            return Ok(());
        }
        self.arm_begin();
        let began = ready(self.store.begin_run(begin.clone()));
        self.store.arm(None);
        self.observe(&begin, key)?;
        let died = self.random.chance(self.plan.rates.crash_after);
        self.say(|| format!("    {began:?}{}", if died { ", and the process dies" } else { "" }));
        if died {
            self.crash(process);
            return Ok(());
        }
        match began {
            Ok(Began::Started(_)) if begin.unowned => Ok(()),
            Ok(Began::Started(fence)) => self.start_driving(process, &begin, fence),
            Ok(Began::Repeated(known)) => self.check_repeated(key, known),
            Err(error) if error.code() == ErrorCode::RunAlreadyActive && waits => self.enqueue(process, begin, key),
            Err(_) => Ok(()),
        }
    }

    pub(super) fn arm_begin(&mut self) {
        let (unreachable, lost) = (self.plan.rates.unreachable, self.plan.rates.answer_lost);
        let fault = match () {
            () if self.random.chance(unreachable / 2) => Some(Fault::Unreachable),
            () if self.random.chance(lost / 2) => Some(Fault::AnswerLost),
            () => None,
        };
        self.store.arm(fault);
    }

    pub(super) fn check_repeated(&mut self, key: Option<usize>, known: RunId) -> Result<(), Broken> {
        self.coverage.repeated += 1;
        match key.and_then(|key| self.ledger.keys.get(&key)) {
            Some(first) if *first == known => Ok(()),
            first => Err(Broken::new("a key begins one run", format!("{known} instead of {first:?}"))),
        }
    }

    /// Enters into the books what a begin has written, whether its answer arrived or not.
    pub(super) fn observe(&mut self, begin: &BeginRun, key: Option<usize>) -> Result<(), Broken> {
        let Some(run) = ready(self.store.run(begin.run_id)).ok().flatten() else { return Ok(()) };
        if let Some(key) = key {
            let first = *self.ledger.keys.entry(key).or_insert(begin.run_id);
            if first != begin.run_id {
                return Err(Broken::new("a key begins one run", format!("{first} and {}", begin.run_id)));
            }
        }
        let (now, elapsed) = (self.now(), self.elapsed);
        let facts = self.ledger.runs.entry(begin.run_id).or_insert_with(|| {
            let mut facts = Facts::new(begin, now);
            if !begin.unowned {
                facts.is_heard(now, elapsed);
            }
            facts
        });
        if facts.settled.is_some() {
            return Ok(());
        }
        if run.status == RunStatus::Running && facts.fence.is_none() {
            facts.fence = Some(Fence { run_id: run.id, owner: begin.owner.clone(), epoch: 1 });
            facts.is_heard(now, elapsed);
            if begin.from_queue {
                let overtaken = self.ledger.runs.iter().find(|(other, facts)| {
                    **other < run.id && facts.chat == run.chat_id && facts.fence.is_none() && facts.settled.is_none()
                });
                if let Some((other, _)) = overtaken {
                    return Err(Broken::new(
                        "runs that wait begin in their order",
                        format!("{} before {other}", run.id),
                    ));
                }
            }
            self.ledger.check_gate(&self.store, begin.chat_id)?;
            self.check_taken_up(begin.chat_id)?;
        }
        self.ledger.check(&self.store, begin.run_id)
    }

    pub(super) fn start_driving(&mut self, process: usize, begin: &BeginRun, fence: Fence) -> Result<(), Broken> {
        let rows = ready(self.store.messages(begin.chat_id, usize::MAX)).unwrap_or_default();
        let ids = TurnIds { chat: begin.chat_id, run: begin.run_id, message: begin.assistant_message_id };
        let mut drive = self.turn(process, ids, fence, History::of(&rows), begin.plan.is_some(), None);
        drive.detached = self.random.chance(700);
        if self.processes[process].closing {
            drive.control.push_back(Event::HandOver);
        }
        if self.processes[process].out_of_time {
            drive.control.push_back(Event::StopRequested(StopCause::Shutdown));
        }
        self.coverage.runs += 1;
        self.drives.push(drive);
        Ok(())
    }

    pub(super) fn enqueue(&mut self, process: usize, begin: BeginRun, key: Option<usize>) -> Result<(), Broken> {
        self.arm_begin();
        let queued = ready(self.store.enqueue_run(begin.clone()));
        self.store.arm(None);
        self.observe(&begin, key)?;
        if let Some(facts) = self.ledger.runs.get_mut(&begin.run_id) {
            // Those that wait have a lease, if only one that is over.
            facts.unleased = false;
        }
        self.say(|| format!("    it waits: {queued:?}"));
        match queued {
            Ok(Began::Started(_)) if begin.unowned => Ok(()),
            Ok(Began::Started(_)) => {
                let begin = BeginRun { from_queue: true, ..begin };
                self.coverage.queued += 1;
                self.waiters.push(Waiter { process, begin, control: VecDeque::new() });
                Ok(())
            }
            Ok(Began::Repeated(known)) => self.check_repeated(key, known),
            Err(_) => Ok(()),
        }
    }

    pub(super) fn queue_event(&mut self) -> Result<(), Broken> {
        let place = self.random.below(self.waiters.len() + self.superseding.len());
        if let Some(place) = place.checked_sub(self.waiters.len()) {
            return self.supersede(place);
        }
        if !self.is_alive(self.waiters[place].process) {
            return Ok(());
        }
        let mut waiter = self.waiters.swap_remove(place);
        let run_id = waiter.begin.run_id;
        match waiter.control.pop_front() {
            Some(Event::StopRequested(cause)) => {
                self.arm_begin();
                let settled = ready(queue::settle(&*self.store, &waiter.begin, cause.reason()));
                self.store.arm(None);
                self.say(|| format!("p{} {run_id} waits no more ({cause:?}): {settled:?}", waiter.process));
                self.ledger.check(&self.store, run_id)?;
                let told = settled.is_ok();
                if told && self.ledger.runs.get(&run_id).is_some_and(|facts| facts.settled.is_none()) {
                    let detail = format!("{run_id} was to wait no more");
                    return Err(Broken::new("nobody is told of an end that is not on disk", detail));
                }
                return Ok(());
            }
            Some(Event::HandOver) => {
                if waiter.begin.plan.is_some() {
                    return self.release_waiting(&waiter);
                }
                self.waiters.push(waiter);
                return Ok(());
            }
            Some(_) => return Ok(()),
            None => {}
        }
        self.arm_begin();
        let begun = ready(queue::attempt(&*self.store, &waiter.begin));
        self.store.arm(None);
        self.say(|| format!("p{} {run_id} looks whether its chat is free: {begun:?}", waiter.process));
        self.observe(&waiter.begin, None)?;
        match begun {
            Ok(Some(fence)) => {
                self.renewed_by_beginning(&fence);
                return self.start_driving(waiter.process, &waiter.begin, fence);
            }
            Err(error) if error.code() == ErrorCode::LeaseLost => return Ok(()),
            Ok(None) | Err(_) => {}
        }
        self.waiters.push(waiter);
        Ok(())
    }

    /// The waiter's process is about to end: others may wait with the run.
    fn release_waiting(&mut self, waiter: &Waiter) -> Result<(), Broken> {
        let run_id = waiter.begin.run_id;
        let arrives = !self.random.chance(self.plan.rates.unreachable);
        let released = arrives.then(|| ready(queue::release(&*self.store, &waiter.begin)));
        self.say(|| format!("p{} gives up {run_id}, which waits: {released:?}", waiter.process));
        if matches!(released, Some(Ok(()))) {
            self.coverage.released += 1;
            let now = self.now();
            if let Some(facts) = self.ledger.runs.get_mut(&run_id) {
                facts.is_given_up(now);
            }
        }
        self.ledger.check(&self.store, run_id)
    }

    /// Finding out that the run had begun already is a sign of life.
    fn renewed_by_beginning(&mut self, fence: &Fence) {
        let (now, elapsed) = (self.now(), self.elapsed);
        if let Some(facts) = self.ledger.runs.get_mut(&fence.run_id)
            && facts.fence.as_ref().is_some_and(|owner| owner.owner == fence.owner)
        {
            facts.is_heard(now, elapsed);
        }
    }

    pub(super) fn supersede(&mut self, place: usize) -> Result<(), Broken> {
        let waiting = &self.superseding[place];
        let over = ready(self.store.run(waiting.target)).ok().flatten().is_none_or(|run| !run.status.is_active());
        if self.is_alive(waiting.process) && over {
            let waiting = self.superseding.swap_remove(place);
            self.begin(waiting.process, waiting.begin, waiting.key, false)?;
        }
        Ok(())
    }
}
