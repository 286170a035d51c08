//! The messages that a chat shows: its own, and those of the chats that it was forked from.
//!
//! A fork has no copy of what it shows of other chats, but a row for each of them ([`Segment`]). The parts of a chat do not
//! overlap: all that a chat has itself comes after what it was forked from.

use std::fmt::Write as _;

use rusqlite::types::Value;
use rusqlite::{Row, params, params_from_iter};

use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::{ChatId, MessageId};
use crate::model::{Message, Place};
use crate::store::{ForkChat, ONE_PLACE};

use super::rows::{self, MESSAGE_COLUMNS};
use super::store_error;
use super::tables::Tables;

/// Whether the fork, called `fork`, shows the message, called `message`, of the chat that it comes from, or did so before it
/// was cut.
macro_rules! ever {
    () => {
        "fork.origin_id = message.chat_id AND (message.created_at, message.id) < (fork.before_at, fork.before_id) \
         AND (message.deleted_at IS NULL OR message.deleted_at > fork.as_of)"
    };
}

/// Messages, called `message`, that the chat `?1` has, or has had before others came in their place.
pub(super) const EVER_SHOWN: &str = concat!(
    "(message.chat_id = ?1 OR EXISTS (SELECT 1 FROM turnkeep_chat_forks AS fork WHERE fork.chat_id = ?1 AND ",
    ever!(),
    "))"
);

/// Whether the fork, called `fork`, shows the message, called `message`, of the chat that it comes from.
pub(super) const FORK_SHOWS: &str =
    concat!(ever!(), " AND (fork.cut_at IS NULL OR (message.created_at, message.id) < (fork.cut_at, fork.cut_id))");

/// Whether any fork shows the message, or has done so before it was cut.
const EVER: &str = concat!("EXISTS (SELECT 1 FROM turnkeep_chat_forks AS fork WHERE ", ever!(), ")");

/// The newest fork that is there and shows the message, called `message`.
pub(super) fn newest_fork(which: &str) -> String {
    format!(
        "(SELECT fork.chat_id FROM turnkeep_chat_forks AS fork \
         JOIN ai_chats AS one ON one.id = fork.chat_id AND one.deleted_at IS NULL \
         WHERE {FORK_SHOWS} AND {which} ORDER BY fork.chat_id DESC LIMIT 1)"
    )
}

/// One of the chats whose messages a chat shows.
pub(super) struct Segment {
    pub(super) chat_id: String,
    /// Up to where, and as of when; nothing: it is the chat itself.
    inherited: Option<Inherited>,
}

struct Inherited {
    before: (String, String),
    as_of: String,
}

/// Messages that are looked for.
pub(super) struct Look<'a> {
    pub(super) columns: &'a str,
    /// From newer to older ones.
    pub(super) descends: bool,
    /// Behind this place, in that direction.
    pub(super) from: Option<&'a Place>,
    pub(super) limit: usize,
}

impl Segment {
    /// The condition that its messages meet, for a statement that has these values already.
    fn condition(&self, values: &mut Vec<Value>) -> String {
        values.push(self.chat_id.clone().into());
        let mut condition = format!("chat_id = ?{}", values.len());
        let Some(Inherited { before, as_of }) = &self.inherited else { return condition + " AND deleted_at IS NULL" };
        values.extend([before.0.clone(), before.1.clone(), as_of.clone()].map(Value::from));
        let last = values.len();
        let (time, id) = (last - 2, last - 1);
        // Writing to a string does not fail.
        let _ = write!(
            condition,
            " AND (created_at, id) < (?{time}, ?{id}) AND (deleted_at IS NULL OR deleted_at > ?{last})"
        );
        condition
    }
}

impl Tables<'_> {
    /// Where the messages of a chat are, the chat itself first, then what it was forked from, newest first.
    pub(super) fn segments(&self, chat_id: ChatId) -> Result<Vec<Segment>> {
        const FORKS: &str = "SELECT origin_id, before_at, before_id, as_of, cut_at, cut_id FROM turnkeep_chat_forks \
             WHERE chat_id = ?1 ORDER BY position DESC";
        let mut segments = vec![Segment { chat_id: chat_id.to_string(), inherited: None }];
        segments.extend(self.all(FORKS, [chat_id], |row| {
            let before: (String, String) = (row.get(1)?, row.get(2)?);
            let cut: (Option<String>, Option<String>) = (row.get(4)?, row.get(5)?);
            let before = match cut {
                (Some(time), Some(id)) => before.min((time, id)),
                _ => before,
            };
            Ok(Segment { chat_id: row.get(0)?, inherited: Some(Inherited { before, as_of: row.get(3)? }) })
        })?);
        Ok(segments)
    }

    /// The messages of a chat, in the order in which they are looked for.
    pub(super) fn look<T>(
        &self,
        chat_id: ChatId,
        look: &Look<'_>,
        mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let mut segments = self.segments(chat_id)?;
        if !look.descends {
            segments.reverse();
        }
        let (way, beyond) = if look.descends { ("DESC", '<') } else { ("ASC", '>') };
        let mut found = Vec::new();
        for segment in segments {
            let wanted = look.limit.saturating_sub(found.len());
            if wanted == 0 {
                break;
            }
            let mut values = vec![Value::from(super::limited(wanted))];
            let mut condition = segment.condition(&mut values);
            if let Some(place) = look.from {
                values.extend([place.created_at.clone(), place.id.clone()].map(Value::from));
                let last = values.len();
                let _ = write!(condition, " AND (created_at, id) {beyond} (?{}, ?{last})", last - 1);
            }
            let sql = format!(
                "SELECT {} FROM ai_chat_messages WHERE {condition} ORDER BY created_at {way}, id {way} LIMIT ?1",
                look.columns
            );
            found.extend(self.readable(&sql, params_from_iter(values), &mut read)?);
        }
        Ok(found)
    }

    /// The newest messages of a chat, or of those before a place, oldest first.
    pub(super) fn newest_messages(
        &self,
        chat_id: ChatId,
        before: Option<&Place>,
        limit: usize,
    ) -> Result<Vec<Message>> {
        let look = Look { columns: MESSAGE_COLUMNS, descends: true, from: before, limit };
        let mut messages = self.look(chat_id, &look, |row| message_of(chat_id, row))?;
        messages.reverse();
        Ok(messages)
    }

    /// Where the chat has this message, or has had it.
    pub(super) fn place_of(&self, chat_id: ChatId, message_id: MessageId) -> Result<Option<Place>> {
        let place = format!(
            "SELECT message.created_at, message.id FROM ai_chat_messages AS message WHERE message.id = ?2 AND {EVER_SHOWN}"
        );
        self.first(&place, params![chat_id, message_id], |row| Ok(Place { created_at: row.get(0)?, id: row.get(1)? }))
    }

    /// How many messages each part of a chat has.
    pub(super) fn counted_segments(&self, chat_id: ChatId) -> Result<Vec<(Segment, usize)>> {
        let segments = self.segments(chat_id)?.into_iter();
        let counted = segments.map(|segment| {
            let mut values = Vec::new();
            let sql = format!("SELECT COUNT(*) FROM ai_chat_messages WHERE {}", segment.condition(&mut values));
            let count: i64 = self.one(&sql, params_from_iter(values))?;
            Ok((segment, usize::try_from(count).unwrap_or(0)))
        });
        counted.collect()
    }

    /// The place of the message that has so many newer ones.
    pub(super) fn nth_newest(&self, segments: &[(Segment, usize)], mut offset: usize) -> Result<Option<Place>> {
        for (segment, count) in segments {
            if offset < *count {
                let mut values = vec![Value::from(super::limited(offset))];
                let sql = format!(
                    "SELECT created_at, id FROM ai_chat_messages WHERE {} ORDER BY created_at DESC, id DESC \
                     LIMIT 1 OFFSET ?1",
                    segment.condition(&mut values)
                );
                let place = |row: &Row<'_>| Ok(Place { created_at: row.get(0)?, id: row.get(1)? });
                return self.first(&sql, params_from_iter(values), place);
            }
            offset -= count;
        }
        Ok(None)
    }

    /// Goes through the messages of a chat between two places, oldest first, until nothing more is wanted.
    pub(super) fn go_through(
        &self,
        chat_id: ChatId,
        columns: &str,
        [after, last]: [&Place; 2],
        mut wants_more: impl FnMut(&Row<'_>) -> rusqlite::Result<bool>,
    ) -> Result<()> {
        for segment in self.segments(chat_id)?.into_iter().rev() {
            let places = [&after.created_at, &after.id, &last.created_at, &last.id];
            let mut values: Vec<Value> = places.into_iter().cloned().map(Value::from).collect();
            let sql = format!(
                "SELECT {columns} FROM ai_chat_messages WHERE {} AND (created_at, id) > (?1, ?2) \
                 AND (created_at, id) <= (?3, ?4) ORDER BY created_at, id",
                segment.condition(&mut values)
            );
            let mut statement = self.connection.prepare_cached(&sql).map_err(store_error)?;
            let mut rows = statement.query(params_from_iter(values)).map_err(store_error)?;
            while let Some(row) = rows.next().map_err(store_error)? {
                if !wants_more(row).map_err(store_error)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Takes a message and all that comes after it out of what a chat shows. They stay what its versions are, and what
    /// forks of it show.
    pub(super) fn replace_from(&self, chat_id: ChatId, message_id: MessageId) -> Result<()> {
        let Some(place) = self.place_of(chat_id, message_id)? else { return Ok(()) };
        let last: Option<String> =
            self.one("SELECT MAX(deleted_at) FROM ai_chat_messages WHERE chat_id = ?1", [chat_id])?;
        // Later than everything that was replaced before, whatever the clock says: forks know by it what they show.
        let last = last.as_deref().and_then(Timestamp::parse);
        let at = last.map_or(self.now, |last| self.now.max(last.after(ONE_PLACE)));
        self.execute(
            "UPDATE ai_chat_messages SET deleted_at = ?2 WHERE chat_id = ?1 AND deleted_at IS NULL \
             AND (created_at, id) >= (?3, ?4)",
            params![chat_id, at, place.created_at, place.id],
        )?;
        self.execute(
            "UPDATE turnkeep_chat_forks SET cut_at = ?2, cut_id = ?3 WHERE chat_id = ?1 \
             AND (before_at, before_id) > (?2, ?3) AND (cut_at IS NULL OR (cut_at, cut_id) > (?2, ?3))",
            params![chat_id, place.created_at, place.id],
        )
        .map(|_| ())
    }

    /// Makes a chat that shows what another one does up to a message. `false` when it is not known any more what that was.
    pub(super) fn fork(&self, fork: &ForkChat) -> Result<bool> {
        const SHOWN: &str = "FROM turnkeep_chat_forks AS fork WHERE fork.chat_id = ?1";
        let message = format!(
            "SELECT message.chat_id, message.created_at, message.id, message.deleted_at FROM ai_chat_messages AS message \
             WHERE message.id = ?2 AND {EVER_SHOWN}"
        );
        let (origin, last) = (fork.origin_id, fork.last.message_id());
        let found = self.first(&message, params![origin, last], |row| {
            Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, Option<String>>(3)?])
        })?;
        let Some([Some(holder), Some(created_at), Some(id), deleted_at]) = found else { return Ok(false) };
        let is_own = holder == origin.to_string();
        let of_holder: Option<(i64, String)> = self.first(
            &format!("SELECT fork.position, fork.as_of {SHOWN} AND fork.origin_id = ?2"),
            params![origin, holder],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let position = match &of_holder {
            Some((position, _)) if !is_own => *position,
            _ => self.one(&format!("SELECT COALESCE(MAX(fork.position) + 1, 0) {SHOWN}"), [origin])?,
        };
        let is_shown = match is_own {
            true => deleted_at.is_none(),
            false => self.one(
                &format!(
                    "SELECT EXISTS (SELECT 1 {SHOWN} AND fork.origin_id = ?2 \
                     AND (fork.cut_at IS NULL OR (?3, ?4) < (fork.cut_at, fork.cut_id)))"
                ),
                params![origin, holder, created_at, id],
            )?,
        };
        // What the chat showed before it was cut is not written down anywhere.
        let was_cut = format!("SELECT EXISTS (SELECT 1 {SHOWN} AND fork.position < ?2 AND fork.cut_at IS NOT NULL)");
        if !is_shown && self.one(&was_cut, params![origin, position])? {
            return Ok(false);
        }
        let as_of = match (of_holder, deleted_at.as_deref().and_then(Timestamp::parse)) {
            (Some((_, as_of)), _) if !is_own => as_of,
            // As it was just before it was replaced.
            (_, Some(replaced)) => replaced.before(ONE_PLACE).to_string(),
            _ => self
                .one::<Option<String>>("SELECT MAX(deleted_at) FROM ai_chat_messages WHERE chat_id = ?1", [origin])?
                .unwrap_or_default(),
        };
        self.insert_chat(&fork.chat)?;
        self.execute(
            "INSERT INTO turnkeep_chat_forks (chat_id, position, origin_id, before_at, before_id, as_of, cut_at, cut_id) \
             SELECT ?2, position, origin_id, before_at, before_id, as_of, cut_at, cut_id FROM turnkeep_chat_forks \
             WHERE chat_id = ?1 AND position < ?3",
            params![origin, fork.chat.id, position],
        )?;
        self.execute(
            "INSERT INTO turnkeep_chat_forks (chat_id, position, origin_id, before_at, before_id, as_of) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![fork.chat.id, position, holder, created_at, fork.last.bound(), as_of],
        )?;
        if let Some(own) = &fork.own {
            self.insert_imported(own)?;
        }
        Ok(true)
    }

    /// Removes a chat and all that belongs to it. What forks show of it stays, as theirs.
    pub(super) fn purge(&self, chat_id: ChatId) -> Result<()> {
        const FORKS: &str = "SELECT EXISTS (SELECT 1 FROM turnkeep_chat_forks WHERE origin_id = ?1)";
        const ORIGINS: &str = "SELECT fork.origin_id FROM turnkeep_chat_forks AS fork \
             JOIN turnkeep_fork_trunks AS trunk ON trunk.chat_id = fork.origin_id WHERE fork.chat_id = ?1";
        if self.one(FORKS, [chat_id])? {
            let trunk = ChatId::generate();
            self.execute(
                "INSERT INTO ai_chats (id, workspace_id, creator_id, created_at, updated_at, deleted_at) \
                 SELECT ?2, workspace_id, creator_id, created_at, updated_at, ?3 FROM ai_chats WHERE id = ?1",
                params![chat_id, trunk, self.now],
            )?;
            self.execute("INSERT INTO turnkeep_fork_trunks (chat_id) VALUES (?1)", [trunk])?;
            let moved =
                format!("UPDATE ai_chat_messages AS message SET chat_id = ?2 WHERE message.chat_id = ?1 AND {EVER}");
            self.execute(&moved, [chat_id, trunk])?;
            self.execute("UPDATE turnkeep_chat_forks SET origin_id = ?2 WHERE origin_id = ?1", [chat_id, trunk])?;
        }
        let origins: Vec<String> = self.all(ORIGINS, [chat_id], |row| row.get(0))?;
        // Everything else goes with it.
        self.execute("DELETE FROM ai_chats WHERE id = ?1", [chat_id])?;
        for origin in origins {
            if self.one(FORKS, [&origin])? {
                let unshown =
                    format!("DELETE FROM ai_chat_messages AS message WHERE message.chat_id = ?1 AND NOT {EVER}");
                self.execute(&unshown, [origin])?;
            } else {
                self.execute("DELETE FROM ai_chats WHERE id = ?1", [origin])?;
            }
        }
        Ok(())
    }
}

/// A message as the chat shows it, whosever it is.
pub(super) fn message_of(chat_id: ChatId, row: &Row<'_>) -> rusqlite::Result<Message> {
    Ok(Message { chat_id, ..rows::message(row)? })
}
