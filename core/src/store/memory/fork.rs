//! The messages that a chat shows: its own, and those of the chats that it was forked from.

use crate::clock::Timestamp;
use crate::id::{ChatId, MessageId};
use crate::model::Message;
use crate::store::{ForkChat, LastShown, ONE_PLACE};

use super::Tables;

/// Where a message is among others.
type At = (Timestamp, MessageId);

/// What a fork shows of a chat that it comes from.
#[derive(Clone)]
pub(super) struct Segment {
    pub(super) origin_id: ChatId,
    pub(super) before: At,
    /// As it was when nothing had been replaced after this.
    as_of: Option<Timestamp>,
    /// Where the fork has gone another way since.
    cut: Option<At>,
}

fn at(message: &Message) -> At {
    (message.created_at, message.id)
}

impl Tables {
    /// The messages of a chat, oldest first.
    pub(super) fn shown(&self, chat_id: ChatId) -> Vec<Message> {
        self.messages_of(chat_id, |tables, message| tables.shows(chat_id, message))
    }

    /// The same, with those that others have come in the place of.
    pub(super) fn ever_shown(&self, chat_id: ChatId) -> Vec<Message> {
        self.messages_of(chat_id, |tables, message| tables.has_shown(chat_id, message))
    }

    fn messages_of(&self, chat_id: ChatId, is_one: impl Fn(&Self, &Message) -> bool) -> Vec<Message> {
        let of_chat = self.messages.values().filter(|message| is_one(self, message));
        let mut messages: Vec<Message> = of_chat.map(|message| Message { chat_id, ..message.clone() }).collect();
        messages.sort_by_key(at);
        messages
    }

    pub(super) fn shows(&self, chat_id: ChatId, message: &Message) -> bool {
        if message.chat_id == chat_id {
            return !self.replaced_messages.contains_key(&message.id);
        }
        self.segment(chat_id, message).is_some_and(|segment| segment.cut.is_none_or(|cut| at(message) < cut))
    }

    fn has_shown(&self, chat_id: ChatId, message: &Message) -> bool {
        message.chat_id == chat_id || self.segment(chat_id, message).is_some()
    }

    /// The part of the fork that this message is in, or was before the fork was cut.
    fn segment(&self, chat_id: ChatId, message: &Message) -> Option<&Segment> {
        let replaced = self.replaced_messages.get(&message.id);
        self.forks.get(&chat_id)?.iter().find(|segment| {
            segment.origin_id == message.chat_id
                && at(message) < segment.before
                && replaced.is_none_or(|replaced| Some(*replaced) > segment.as_of)
        })
    }

    /// Takes a message and all that comes after it out of what a chat shows.
    pub(super) fn replace_from(&mut self, chat_id: ChatId, message_id: MessageId, now: Timestamp) {
        let found = self.messages.get(&message_id).filter(|message| self.has_shown(chat_id, message)).map(at);
        let Some(from) = found else { return };
        let replaced_at = self.last_replaced(chat_id).map_or(now, |last| now.max(last.after(ONE_PLACE)));
        let own = self.messages.values().filter(|message| message.chat_id == chat_id && at(message) >= from);
        let ids: Vec<MessageId> = own.map(|message| message.id).collect();
        for id in ids {
            self.replaced_messages.entry(id).or_insert(replaced_at);
        }
        for segment in self.forks.get_mut(&chat_id).into_iter().flatten() {
            if segment.before > from && segment.cut.is_none_or(|cut| cut > from) {
                segment.cut = Some(from);
            }
        }
    }

    fn last_replaced(&self, chat_id: ChatId) -> Option<Timestamp> {
        let own = self.messages.values().filter(|message| message.chat_id == chat_id);
        own.filter_map(|message| self.replaced_messages.get(&message.id)).max().copied()
    }

    /// The place behind everything that the chat was forked from.
    pub(super) fn inherited_until(&self, chat_id: ChatId) -> Option<Timestamp> {
        self.forks.get(&chat_id)?.iter().map(|segment| segment.before.0).max()
    }

    pub(super) fn fork(&mut self, fork: ForkChat) -> bool {
        let origin = fork.origin_id;
        let Some(last) = self.messages.get(&fork.last.message_id()).filter(|last| self.has_shown(origin, last)) else {
            return false;
        };
        let all = self.forks.get(&origin).cloned().unwrap_or_default();
        let position = all.iter().position(|segment| segment.origin_id == last.chat_id);
        let (older, of_last) = all.split_at(position.unwrap_or(all.len()));
        if !self.shows(origin, last) && older.iter().any(|segment| segment.cut.is_some()) {
            return false;
        }
        let as_of = match (of_last.first(), self.replaced_messages.get(&last.id)) {
            (Some(segment), _) => segment.as_of,
            (None, Some(replaced)) => Some(replaced.before(ONE_PLACE)),
            (None, None) => self.last_replaced(origin),
        };
        let before = match fork.last {
            LastShown::With(_) => (last.created_at, fork.last.bound()),
            LastShown::Before(_) => at(last),
        };
        let newest = Segment { origin_id: last.chat_id, before, as_of, cut: None };
        self.forks.insert(fork.chat.id, older.iter().cloned().chain([newest]).collect());
        self.messages.extend(fork.own.map(|own| (own.id, own)));
        self.chats.insert(fork.chat.id, fork.chat);
        true
    }

    /// Removes chats. What forks show of them stays where nobody sees the rest of it.
    pub(super) fn purge(&mut self, chat_ids: &[ChatId]) {
        let Self { chats, deleted_chats, runs, steps, packs, effects, steering, queue, forks, .. } = self;
        let goes = |chat_id: &ChatId| chat_ids.contains(chat_id);
        chats.retain(|id, _| !goes(id));
        deleted_chats.retain(|id, _| !goes(id));
        forks.retain(|id, _| !goes(id));
        runs.retain(|_, row| !goes(&row.run.chat_id));
        steps.retain(|(run_id, _), _| runs.contains_key(run_id));
        packs.retain(|(run_id, _), _| runs.contains_key(run_id));
        effects.retain(|_, (run_id, _)| runs.contains_key(run_id));
        steering.retain(|_, row| runs.contains_key(&row.run_id()));
        queue.retain(|_, waits| !goes(&waits.begin.chat_id));
        let gone: Vec<MessageId> = self
            .messages
            .values()
            .filter(|message| !self.chats.contains_key(&message.chat_id))
            .filter(|message| !self.forks.keys().any(|fork| self.has_shown(*fork, message)))
            .map(|message| message.id)
            .collect();
        self.messages.retain(|id, _| !gone.contains(id));
        // The ids of the chats are free again.
        for chat_id in chat_ids {
            let trunk = ChatId::generate();
            let left = self.messages.values_mut().filter(|message| message.chat_id == *chat_id);
            left.for_each(|message| message.chat_id = trunk);
            let parts = self.forks.values_mut().flatten().filter(|segment| segment.origin_id == *chat_id);
            parts.for_each(|segment| segment.origin_id = trunk);
        }
    }
}
