//! Messages that join runs.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::{MessageId, RunId};
use crate::model::{Message, MessageRole, Steering, SteeringState, entering_chunks};
use crate::store::{BeginRun, ChunkPack, EnterSteering, NewSteering, ONE_PLACE, SteerStore, Steered, SteeringOf};

use super::{MemoryStore, Tables};

/// A message as the table has it.
#[derive(Clone, Debug)]
pub(super) struct Row {
    shown: Steering,
    user_id: String,
    content: String,
    place: usize,
}

impl Row {
    pub(super) fn run_id(&self) -> RunId {
        self.shown.run_id
    }
}

#[async_trait]
impl SteerStore for MemoryStore {
    async fn steer(&self, new: NewSteering) -> Result<Steered> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        if let Some(known) = tables.steering.get(&new.message_id) {
            return Ok(Steered::Repeated(known.shown.clone()));
        }
        if !tables.runs.get(&new.run_id).is_some_and(|row| row.run.status.is_active()) {
            return Ok(Steered::NotActive);
        }
        if tables.waiting_for(new.run_id).count() >= usize::try_from(new.most).unwrap_or(usize::MAX) {
            return Ok(Steered::TooMany);
        }
        let NewSteering { message_id, run_id, chat_id, user_id, content, message, .. } = new;
        let place = tables.steering.values().map(|row| row.place + 1).max().unwrap_or(0);
        let state = SteeringState::Waiting;
        let shown = Steering { message_id, run_id, chat_id, state, step: None, message, created_at: now };
        tables.steering.insert(message_id, Row { shown: shown.clone(), user_id, content, place });
        Ok(Steered::Waits(shown))
    }

    async fn unsteer(&self, message_id: MessageId) -> Result<Option<Steering>> {
        let mut tables = self.tables()?;
        let Some(row) = tables.steering.get_mut(&message_id) else { return Ok(None) };
        if row.shown.state == SteeringState::Waiting {
            row.shown.state = SteeringState::TakenBack;
        }
        Ok(Some(row.shown.clone()))
    }

    async fn steering_message(&self, message_id: MessageId) -> Result<Option<Steering>> {
        Ok(self.tables()?.steering.get(&message_id).map(|row| row.shown.clone()))
    }

    async fn steering(&self, of: &SteeringOf) -> Result<Vec<Steering>> {
        let tables = self.tables()?;
        Ok(tables.steering_where(|shown| match of {
            SteeringOf::Run(run_id) => shown.run_id == *run_id,
            SteeringOf::WaitingInChat(chat_id) => shown.chat_id == *chat_id && shown.state == SteeringState::Waiting,
        }))
    }

    async fn enter_steering(&self, enter: EnterSteering) -> Result<Vec<Steering>> {
        let EnterSteering { fence, step, first_sequence, begun } = enter;
        let mut tables = self.tables()?;
        tables.owned(&fence)?;
        let entered = tables.entered(fence.run_id, step);
        if !entered.is_empty() {
            return Ok(entered);
        }
        for row in tables.steering.values_mut().filter(|row| row.shown.waits_for(fence.run_id)) {
            row.shown.state = SteeringState::Entered;
            row.shown.step = Some(step);
        }
        let entered = tables.entered(fence.run_id, step);
        if !entered.is_empty() {
            tables.owned(&fence)?.steering_step = step;
            let chunks = entering_chunks(begun, &entered);
            let pack = ChunkPack { step_number: step, first_sequence, chunks };
            tables.packs.entry((fence.run_id, first_sequence)).or_insert(pack);
        }
        Ok(entered)
    }
}

/// What a store that keeps its promises never does.
#[cfg(any(test, feature = "simulation"))]
impl MemoryStore {
    /// The row of a message that was taken up by a turn is gone.
    pub(crate) fn lose(&self, message_id: MessageId) {
        if let Ok(mut tables) = self.tables() {
            tables.messages.remove(&message_id);
        }
    }

    /// A pack is gone.
    pub(crate) fn lose_pack(&self, run_id: RunId, first_sequence: u64) {
        if let Ok(mut tables) = self.tables() {
            tables.packs.remove(&(run_id, first_sequence));
        }
    }

    /// A message that has entered waits all the same.
    pub(crate) fn wait_on(&self, message_id: MessageId) {
        if let Ok(mut tables) = self.tables()
            && let Some(row) = tables.steering.get_mut(&message_id)
        {
            row.shown.state = SteeringState::Waiting;
        }
    }
}

impl Steering {
    fn waits_for(&self, run_id: RunId) -> bool {
        self.run_id == run_id && self.state == SteeringState::Waiting
    }
}

impl Tables {
    fn steering_where(&self, is_wanted: impl Fn(&Steering) -> bool) -> Vec<Steering> {
        let mut found: Vec<&Row> = self.steering.values().filter(|row| is_wanted(&row.shown)).collect();
        found.sort_by_key(|row| (row.shown.run_id, row.place));
        found.into_iter().map(|row| row.shown.clone()).collect()
    }

    fn entered(&self, run_id: RunId, step: u32) -> Vec<Steering> {
        let has_entered = SteeringState::Entered;
        self.steering_where(|shown| shown.run_id == run_id && shown.state == has_entered && shown.step == Some(step))
    }

    pub(super) fn waiting_for(&self, run_id: RunId) -> impl Iterator<Item = &Steering> {
        self.steering.values().map(|row| &row.shown).filter(move |shown| shown.waits_for(run_id))
    }

    /// Makes messages of those that have waited for runs of the chat that have ended. Returns the place after them.
    pub(super) fn take_steering(&mut self, begin: &BeginRun, mut place: Timestamp, now: Timestamp) -> Timestamp {
        let own = begin.user_message.as_ref().map(|message| message.id);
        let is_over = |shown: &Steering| !self.runs.get(&shown.run_id).is_some_and(|row| row.run.status.is_active());
        let left_over = self.steering_where(|shown| {
            shown.chat_id == begin.chat_id && shown.state == SteeringState::Waiting && is_over(shown)
        });
        for shown in left_over {
            let Some(row) = self.steering.get_mut(&shown.message_id) else { continue };
            row.shown.state = SteeringState::NextTurn;
            if own == Some(shown.message_id) {
                continue;
            }
            let message = Message {
                id: shown.message_id,
                chat_id: shown.chat_id,
                workspace_id: begin.workspace_id.clone(),
                user_id: Some(row.user_id.clone()),
                role: MessageRole::User,
                content: row.content.clone(),
                tool_calls: None,
                metadata: Some(shown.message),
                status: None,
                created_at: place,
                updated_at: now,
            };
            self.messages.entry(message.id).or_insert(message);
            place = place.after(ONE_PLACE);
        }
        place
    }
}
