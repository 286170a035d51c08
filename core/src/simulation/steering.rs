//! Messages join runs, and are taken back: in runs that are driven, wait, have ended or are somebody else's by now.

use std::collections::BTreeMap;

use crate::id::{ChatId, MessageId, RunId};
use crate::model::{Json, Part, RunStatus, SteeringState, is_steering};
use crate::store::{LogFrom, LogRange, LogRow, LogStore, NewSteering, RunStore, SteerStore, Steered, SteeringOf};

use super::store::SimulatedStore;
use super::world::World;
use super::{Broken, ready};

/// What was promised of a message.
#[derive(Clone, Copy, Debug)]
struct Promised {
    run: RunId,
    chat: ChatId,
    /// Somebody was told that it is taken back.
    taken_back: bool,
}

/// The messages that were acknowledged.
#[derive(Debug, Default)]
pub(super) struct Messages(BTreeMap<MessageId, Promised>);

fn broken(invariant: &'static str, detail: String) -> Broken {
    Broken::new(invariant, detail)
}

const ONCE: &str = "each message that was accepted is in the log once, or waits, or was taken back";

impl World<'_> {
    /// A client writes to a run, whatever has become of it, or sends a message again.
    pub(super) fn steer_event(&mut self) -> Result<(), Broken> {
        let runs: Vec<(RunId, ChatId)> = self.ledger.runs.iter().map(|(run, facts)| (*run, facts.chat)).collect();
        if runs.is_empty() {
            return Ok(());
        }
        // The newest ones are those that are under way.
        let newest = runs.len().saturating_sub(2);
        let among = if self.random.chance(800) { &runs[newest..] } else { &runs[..] };
        let (run_id, chat_id) = self.random.pick(among);
        let known: Vec<MessageId> = self.messages.0.keys().copied().collect();
        let again = !known.is_empty() && self.random.chance(100);
        let message_id = if again { self.random.pick(&known) } else { self.id() };
        let new = NewSteering {
            message_id,
            run_id,
            chat_id,
            user_id: "u".to_owned(),
            content: "and this".to_owned(),
            message: Json::parse(r#"{"parts":[{"type":"text","text":"and this"}]}"#).unwrap_or_else(|_| Json::null()),
            most: 5,
        };
        self.arm_begin();
        let steered = ready(self.store.steer(new));
        self.store.arm(None);
        self.say(|| format!("{message_id} for {run_id}: {steered:?}"));
        match steered {
            Ok(Steered::Waits(_)) if again => Err(broken("a message of an id is one message", message_id.to_string())),
            Ok(Steered::Waits(_)) => {
                self.coverage.steered += 1;
                self.messages.0.insert(message_id, Promised { run: run_id, chat: chat_id, taken_back: false });
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A client takes a message back, or tries to.
    pub(super) fn unsteer_event(&mut self) {
        let known: Vec<MessageId> = self.messages.0.keys().copied().collect();
        if known.is_empty() {
            return;
        }
        let message_id = self.random.pick(&known);
        let Ok(Some(found)) = ready(self.store.unsteer(message_id)) else { return };
        self.say(|| format!("{message_id} is taken back: {:?}", found.state));
        if found.state == SteeringState::TakenBack
            && let Some(promised) = self.messages.0.get_mut(&message_id)
        {
            self.coverage.unsteered += u64::from(!promised.taken_back);
            promised.taken_back = true;
        }
    }

    /// Where each message is that was acknowledged.
    pub(super) fn check_messages(&mut self, counted: bool) -> Result<(), Broken> {
        for (message_id, promised) in &self.messages.0 {
            let found = ready(self.store.steering_message(*message_id)).ok().flatten();
            let Some(found) = found else { return Err(broken(ONCE, format!("{message_id} is gone"))) };
            if promised.taken_back && found.state != SteeringState::TakenBack {
                return Err(broken("what was taken back enters nothing", message_id.to_string()));
            }
            let cut_short = self.ledger.runs.get(&promised.run).is_some_and(|facts| facts.cut_short);
            let in_log = times_in_log(&self.store, promised.run, *message_id);
            let rows = ready(self.store.messages(promised.chat, usize::MAX)).unwrap_or_default();
            let in_chat = rows.iter().filter(|row| row.id == *message_id).count();
            let expected = match found.state {
                SteeringState::Entered => (1, 0),
                SteeringState::NextTurn => (0, 1),
                _ => (0, 0),
            };
            let count = match found.state {
                SteeringState::Entered => &mut self.coverage.entered,
                SteeringState::NextTurn => &mut self.coverage.next_turn,
                _ => continue,
            };
            *count += u64::from(counted);
            if (in_log, in_chat) != expected && !cut_short {
                let detail =
                    format!("{message_id}, {:?}: {in_log} times in the log, {in_chat} in the chat", found.state);
                return Err(broken(ONCE, detail));
            }
        }
        let is_told = |(id, promised): (&MessageId, &Promised)| {
            let found = ready(self.store.steering_message(*id)).ok().flatten();
            found.is_some_and(|found| found.state == SteeringState::Waiting)
                && times_in_log(&self.store, promised.run, *id) > 0
        };
        match self.messages.0.iter().any(is_told) {
            true => Err(broken(ONCE, "a message waits that has entered".to_owned())),
            false => Ok(()),
        }
    }

    /// What waits for the run.
    pub(super) fn waiting_for(&self, run_id: RunId) -> Vec<MessageId> {
        let found = ready(self.store.steering(&SteeringOf::Run(run_id))).unwrap_or_default();
        found
            .iter()
            .filter(|message| message.state == SteeringState::Waiting)
            .map(|message| message.message_id)
            .collect()
    }

    /// A run that has succeeded has answered everything that was accepted before, unless it had no step left for it.
    pub(super) fn check_answered_all(&self, run_id: RunId) -> Result<(), Broken> {
        let Some(run) = ready(self.store.run(run_id)).ok().flatten() else { return Ok(()) };
        let found = ready(self.store.steering(&SteeringOf::Run(run_id))).unwrap_or_default();
        let waits = found.iter().any(|message| message.state == SteeringState::Waiting);
        match run.status == RunStatus::Succeeded && waits && run.step_count < self.plan.max_steps {
            true => Err(broken("a run does not succeed while messages wait that it could answer", run_id.to_string())),
            false => Ok(()),
        }
    }

    /// A turn that begins takes up what has waited for runs that have ended.
    pub(super) fn check_taken_up(&self, chat: ChatId) -> Result<(), Broken> {
        let waiting = ready(self.store.steering(&SteeringOf::WaitingInChat(chat))).unwrap_or_default();
        let is_over =
            |run_id: RunId| ready(self.store.run(run_id)).ok().flatten().is_some_and(|run| !run.status.is_active());
        match waiting.iter().find(|message| is_over(message.run_id)) {
            Some(left) => Err(broken("a turn takes up what has waited for it", left.message_id.to_string())),
            None => Ok(()),
        }
    }
}

/// How often a message is in a run's log: in its steps, and in the packs of the one in progress.
fn times_in_log(store: &SimulatedStore, run_id: RunId, message_id: MessageId) -> usize {
    let id = message_id.to_string();
    let is_it = |part: &Json| is_steering(part) && part.get().contains(&id);
    let range = LogRange { from: LogFrom::Place { step: 0, sequence: 0 }, packs_of_finished: false, limit: usize::MAX };
    let rows = ready(store.read_log(run_id, range)).ok().flatten().map(|page| page.rows).unwrap_or_default();
    let times = |row: &LogRow| match row {
        LogRow::Pack(pack) => {
            pack.chunks.iter().filter(|chunk| Json::parse(chunk).is_ok_and(|chunk| is_it(&chunk))).count()
        }
        LogRow::Step(logged) => {
            let is_part = |part: &&crate::model::Part| matches!(part, Part::Other(part) if is_it(part));
            logged.step.parts.iter().filter(is_part).count()
        }
    };
    rows.iter().map(times).sum()
}
