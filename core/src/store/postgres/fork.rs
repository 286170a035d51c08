//! The messages that a chat shows: its own, and those of the chats that it was forked from.
//!
//! A fork has no copy of what it shows of other chats, but a row for each of them. In a host's own tables it has copies,
//! since the host's statements know of no forks.

use crate::error::{Error, Result};
use crate::id::{ChatId, MessageId};
use crate::model::Message;
use crate::store::{ChatStore, ForkChat};

use super::chat::rows_of;
use super::failure::Failure;
use super::gate::ATTEMPTS;
use super::value::values;
use super::{PostgresStore, rows};

/// Whether the fork, called `fork`, shows the message, called `message`, of the chat that it comes from, or did so before
/// it was cut.
const EVER: &str = "fork.origin_id = message.chat_id \
     AND (message.created_at, message.id) < (fork.before_at, fork.before_id) \
     AND (message.deleted_at IS NULL OR message.deleted_at > fork.as_of)";

/// Whether it shows it.
pub(super) fn fork_shows() -> String {
    format!("{EVER} AND (fork.cut_at IS NULL OR (message.created_at, message.id) < (fork.cut_at, fork.cut_id))")
}

/// Messages, called `message`, that the chat has, or has had before others came in their place.
fn has_shown(chat: &str) -> String {
    format!(
        "(message.chat_id = {chat}::uuid OR EXISTS \
         (SELECT FROM turnkeep_chat_forks AS fork WHERE fork.chat_id = {chat}::uuid AND {EVER}))"
    )
}

/// The same for the chat `$1`.
pub(super) fn ever_shown() -> String {
    has_shown("$1")
}

/// The place of a message that the chat has, or has had.
pub(super) fn place_of(chat: &str, message: &str) -> String {
    format!(
        "(SELECT message.created_at, message.id FROM ai_chat_messages AS message \
         WHERE message.id = {message}::uuid AND {})",
        has_shown(chat)
    )
}

/// The messages of the chat `$1`. `rest` says which of them, in which order, and how many of each chat that they come from
/// at most; the same order is to be asked for once more.
pub(super) fn messages_of_chat(columns: &str, rest: &str) -> String {
    format!(
        "((SELECT {columns} FROM ai_chat_messages AS message \
             WHERE message.chat_id = $1::uuid AND message.deleted_at IS NULL {rest}) \
         UNION ALL (SELECT older.* FROM turnkeep_chat_forks AS fork CROSS JOIN LATERAL \
             (SELECT {columns} FROM ai_chat_messages AS message WHERE {} {rest}) AS older \
             WHERE fork.chat_id = $1::uuid))",
        fork_shows()
    )
}

/// Where a fork's own messages begin, for a statement that knows the time as `now`.
pub(super) fn behind_inherited(chat: &str) -> String {
    format!("(SELECT MAX(before_at) + {} FROM turnkeep_chat_forks WHERE chat_id = {chat})", super::gate::ONE_PLACE)
}

/// When messages of the chat are replaced: after all that were replaced before, whatever the clock says. Forks know by it
/// what they show.
pub(super) fn replaced_at(chat: &str) -> String {
    format!(
        "GREATEST(now, (SELECT MAX(deleted_at) + {} FROM ai_chat_messages WHERE chat_id = {chat}))",
        super::gate::ONE_PLACE
    )
}

/// `$1` is the other chat, `$2` the message, `$3` the id that ids of shown messages are less than, from `$4` on the chat,
/// and at the end its own message.
fn fork_statement() -> String {
    format!(
        "WITH target AS MATERIALIZED (SELECT message.chat_id AS holder, message.created_at, message.deleted_at, \
             message.chat_id = $1::uuid AS is_own, held.position, held.as_of, \
             CASE WHEN message.chat_id = $1::uuid THEN message.deleted_at IS NULL ELSE held.cut_at IS NULL \
                 OR (message.created_at, message.id) < (held.cut_at, held.cut_id) END AS is_shown \
             FROM ai_chat_messages AS message LEFT JOIN turnkeep_chat_forks AS held \
             ON held.chat_id = $1::uuid AND held.origin_id = message.chat_id WHERE message.id = $2::uuid AND {}), \
         older AS MATERIALIZED (SELECT one.* FROM turnkeep_chat_forks AS one, target \
             WHERE one.chat_id = $1::uuid AND (target.is_own OR one.position < target.position)), \
         known AS MATERIALIZED (SELECT * FROM target \
             WHERE is_shown OR NOT EXISTS (SELECT FROM older WHERE cut_at IS NOT NULL)), \
         chat AS (INSERT INTO ai_chats (id, workspace_id, creator_id, title, created_at, updated_at, role_id, page_id) \
             SELECT $4::uuid, $5, $6, $7::text, $8::timestamptz, $9::timestamptz, $10::uuid, $11 FROM known), \
         inherited AS (INSERT INTO turnkeep_chat_forks \
             (chat_id, position, origin_id, before_at, before_id, as_of, cut_at, cut_id) \
             SELECT $4::uuid, older.position, origin_id, before_at, before_id, older.as_of, cut_at, cut_id \
             FROM older, known), \
         newest AS (INSERT INTO turnkeep_chat_forks (chat_id, position, origin_id, before_at, before_id, as_of) \
             SELECT $4::uuid, COALESCE((SELECT MAX(position) + 1 FROM older), 0), holder, created_at, $3::uuid, \
             CASE WHEN NOT is_own THEN as_of \
                 WHEN deleted_at IS NOT NULL THEN deleted_at - interval '1 microsecond' \
                 ELSE COALESCE((SELECT MAX(one.deleted_at) FROM ai_chat_messages AS one \
                     WHERE one.chat_id = $1::uuid), '-infinity') END FROM known), \
         own AS (INSERT INTO ai_chat_messages \
             (id, chat_id, workspace_id, user_id, role, content, tool_calls, metadata, status, created_at, updated_at) \
             SELECT given.id, given.chat_id, given.workspace_id, given.user_id, given.role, given.content, \
                 given.tool_calls, given.metadata, given.status, known.created_at, given.updated_at \
             FROM json_populate_recordset(NULL::ai_chat_messages, $12::json) AS given, known) \
         SELECT EXISTS (SELECT FROM known) AS forked",
        ever_shown()
    )
}

/// Removes the chat `$1`. What forks show of it stays, as theirs, in a chat `$2` that nobody sees; what the chat itself,
/// as a fork, was the last to show of such a one goes with it.
fn purge_statement() -> String {
    format!(
        "WITH trunk AS (INSERT INTO ai_chats (id, workspace_id, creator_id, created_at, updated_at, deleted_at) \
             SELECT $2::uuid, workspace_id, creator_id, created_at, updated_at, turnkeep_now() FROM ai_chats \
             WHERE id = $1::uuid AND EXISTS (SELECT FROM turnkeep_chat_forks WHERE origin_id = $1::uuid) RETURNING id), \
         marked AS (INSERT INTO turnkeep_fork_trunks (chat_id) SELECT id FROM trunk), \
         moved AS (UPDATE ai_chat_messages AS message SET chat_id = trunk.id FROM trunk \
             WHERE message.chat_id = $1::uuid AND EXISTS (SELECT FROM turnkeep_chat_forks AS fork WHERE {EVER})), \
         turned AS (UPDATE turnkeep_chat_forks SET origin_id = trunk.id FROM trunk WHERE origin_id = $1::uuid), \
         origin AS MATERIALIZED (SELECT fork.origin_id AS id, EXISTS (SELECT FROM turnkeep_chat_forks AS other \
                 WHERE other.origin_id = fork.origin_id AND other.chat_id <> $1::uuid) AS is_shown \
             FROM turnkeep_chat_forks AS fork JOIN turnkeep_fork_trunks AS known ON known.chat_id = fork.origin_id \
             WHERE fork.chat_id = $1::uuid), \
         unshown AS (DELETE FROM ai_chat_messages AS message USING origin \
             WHERE origin.is_shown AND message.chat_id = origin.id AND NOT EXISTS \
             (SELECT FROM turnkeep_chat_forks AS fork WHERE fork.chat_id <> $1::uuid AND {EVER})), \
         parts AS (DELETE FROM turnkeep_chat_forks WHERE chat_id = $1::uuid), \
         gone AS (DELETE FROM ai_chats USING origin WHERE ai_chats.id = origin.id AND NOT origin.is_shown), \
         chat AS (DELETE FROM ai_chats WHERE id = $1::uuid) \
         SELECT 1"
    )
}

impl PostgresStore {
    pub(super) async fn fork(&self, fork: ForkChat) -> Result<bool> {
        if self.extras.adopted {
            return self.copy(fork).await;
        }
        let chat = &fork.chat;
        let own = fork.own.as_ref().map_or(Ok("[]".to_owned()), |own| rows_of(std::slice::from_ref(own)))?;
        let values = values![
            fork.origin_id,
            fork.last.message_id(),
            fork.last.bound(),
            chat.id,
            &chat.workspace_id,
            &chat.creator_id,
            chat.title.clone().map(crate::text::storable),
            chat.created_at.to_string(),
            chat.updated_at.to_string(),
            chat.role_id,
            chat.page_id.as_ref(),
            own,
        ];
        rows::get(&self.database.query_one(&fork_statement(), &values).await?, "forked")
    }

    /// A fork whose messages are copies.
    async fn copy(&self, fork: ForkChat) -> Result<bool> {
        let place = |message: &Message| (message.created_at, message.id);
        let versions = self.message_versions(fork.origin_id, fork.last.message_id()).await?;
        let Some(last) = versions.into_iter().find(|message| message.id == fork.last.message_id()) else {
            return Ok(false);
        };
        let mut messages = self.messages(fork.origin_id, usize::MAX).await?;
        messages.retain(|message| place(message) < place(&last));
        if fork.last.bound() != last.id {
            messages.push(last);
        }
        messages.extend(fork.own);
        for message in &mut messages {
            (message.id, message.chat_id) = (MessageId::generate(), fork.chat.id);
        }
        self.import_chat(fork.chat, messages).await.map(|()| true)
    }

    /// Removes chats; those that have to do with forks one by one.
    pub(super) async fn purge(&self, chat_ids: &[ChatId]) -> Result<()> {
        const GIVEN: &str = "(SELECT id::uuid FROM json_array_elements_text($1::json) AS given (id))";
        // Everything else goes with them. One that is forked now fails it.
        let alone = format!(
            "DELETE FROM ai_chats WHERE id IN {GIVEN} AND NOT EXISTS (SELECT FROM turnkeep_chat_forks AS fork \
             WHERE fork.origin_id = ai_chats.id OR fork.chat_id = ai_chats.id)"
        );
        let rest = format!("SELECT id::text AS id FROM ai_chats WHERE id IN {GIVEN}");
        let ids: Vec<String> = chat_ids.iter().map(ToString::to_string).collect();
        let ids = serde_json::to_string(&ids).map_err(|_| Error::internal("ids could not be encoded"))?;
        match self.database.try_query(None, &alone, &values![&ids]).await {
            Err(failure) if !is_forked(&failure) => return Err(failure.into_error()),
            _ => {}
        }
        for row in &self.database.query(&rest, &values![&ids]).await? {
            self.purge_forked(rows::id(row, "id")?).await?;
        }
        Ok(())
    }

    async fn purge_forked(&self, chat_id: ChatId) -> Result<()> {
        let statement = purge_statement();
        let mut attempt = 1;
        loop {
            match self.database.try_query(None, &statement, &values![chat_id, ChatId::generate()]).await {
                // Somebody has forked it in between.
                Err(failure) if is_forked(&failure) && attempt < ATTEMPTS => attempt += 1,
                Err(failure) => return Err(failure.into_error()),
                Ok(_) => return Ok(()),
            }
        }
    }
}

fn is_forked(failure: &Failure) -> bool {
    failure.broken_rule(&tokio_postgres::error::SqlState::FOREIGN_KEY_VIOLATION).is_some()
}
