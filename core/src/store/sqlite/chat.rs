//! Chats and their messages.

use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Row, params};

use crate::clock::Timestamp;
use crate::error::{Error, ErrorCode, Result};
use crate::id::{ChatId, MessageId, RunId};
use crate::model::{Chat, ListedChat, Message, MessageFields, MessageRole, MessageSpan, MessageVisitor, Paging, Place};
use crate::project::{AssistantFlush, indexed_words};
use crate::store::tour::AT_ONCE;
use crate::store::{BeginRun, ChatStore, ForkChat, ONE_PLACE, SearchFor, UNTOUCHED_WITHOUT_LEASE, forbidden};
use crate::text::storable;

use super::fork::{EVER_SHOWN, FORK_SHOWS, Look, message_of, newest_fork};
use super::rows::{self, ACTIVE, CHAT_COLUMNS, MESSAGE_COLUMNS};
use super::tables::Tables;
use super::{SqliteStore, limited};

/// Messages that say that they are being written, although nobody has touched them for long.
const STRAY: &str = "status = 'streaming' AND role = 'assistant' AND updated_at <= ?1";

/// How many messages' words are entered by one operation, which others wait for.
const ENTERED_AT_ONCE: usize = 100;
/// The messages that have stood where `?2` does.
const VERSIONS: &str = "SELECT message_id FROM turnkeep_message_versions WHERE first_id = \
     (SELECT first_id FROM turnkeep_message_versions WHERE message_id = ?2)";

#[async_trait]
impl ChatStore for SqliteStore {
    async fn chat(&self, chat_id: ChatId) -> Result<Option<Chat>> {
        let chat = format!("SELECT {CHAT_COLUMNS} FROM ai_chats WHERE id = ?1 AND deleted_at IS NULL");
        self.read(move |tables| tables.first(&chat, [chat_id], rows::chat)).await
    }

    async fn chat_even_deleted(&self, chat_id: ChatId) -> Result<Option<Chat>> {
        let chat = format!("SELECT {CHAT_COLUMNS} FROM ai_chats WHERE id = ?1");
        self.read(move |tables| tables.first(&chat, [chat_id], rows::chat)).await
    }

    async fn chats(&self, workspace_id: &str, user_id: &str, paging: &Paging) -> Result<Vec<(ListedChat, Place)>> {
        // The page is found in the index before anything is looked up for it.
        let listed = format!(
            "SELECT chat.*, role.name AS role_name, role.emoji AS role_emoji FROM (SELECT {CHAT_COLUMNS} FROM ai_chats \
             WHERE workspace_id = ?1 AND creator_id = ?2 AND deleted_at IS NULL AND {}) AS chat \
             LEFT JOIN ai_agent_roles AS role ON role.id = chat.role_id AND role.workspace_id = chat.workspace_id \
             AND role.enabled = 1 AND role.deleted_at IS NULL ORDER BY {}",
            part(paging, 3),
            order(paging, "chat."),
        );
        let (owner, paging) = ((workspace_id.to_owned(), user_id.to_owned()), paging.clone());
        self.read(move |tables| {
            let (time, id) = from(&paging);
            let values = params![owner.0, owner.1, limited(paging.limit), time, id];
            let found = tables.readable(&listed, values, |row| {
                let (name, emoji): (Option<String>, _) = (row.get("role_name")?, row.get("role_emoji")?);
                let role = name.map(|name| (name, emoji));
                Ok((ListedChat::new(rows::chat(row)?, role, None), place(row)?))
            })?;
            Ok(paging.in_order(found))
        })
        .await
    }

    async fn latest_chat_of_page(&self, workspace_id: &str, user_id: &str, page_id: &str) -> Result<Option<Chat>> {
        let latest = format!(
            "SELECT {CHAT_COLUMNS} FROM ai_chats WHERE workspace_id = ?1 AND creator_id = ?2 AND page_id = ?3 \
             AND deleted_at IS NULL ORDER BY created_at DESC, id DESC LIMIT 1"
        );
        let values = [workspace_id.to_owned(), user_id.to_owned(), page_id.to_owned()];
        self.read(move |tables| tables.first(&latest, values, rows::chat)).await
    }

    async fn rename_chat(&self, chat_id: ChatId, title: &str) -> Result<bool> {
        const RENAME: &str = "UPDATE ai_chats SET title = ?2, updated_at = ?3 WHERE id = ?1 AND deleted_at IS NULL";
        let title = title.to_owned();
        self.write(move |tables| Ok(tables.execute(RENAME, params![chat_id, title, tables.now])? == 1)).await
    }

    async fn delete_chat(&self, chat_id: ChatId) -> Result<bool> {
        const DELETE: &str = "UPDATE ai_chats SET deleted_at = ?2 WHERE id = ?1 AND deleted_at IS NULL";
        self.write(move |tables| Ok(tables.execute(DELETE, params![chat_id, tables.now])? == 1)).await
    }

    async fn purge_chats(&self, chat_ids: &[ChatId]) -> Result<()> {
        let chat_ids = chat_ids.to_vec();
        self.write(move |tables| chat_ids.into_iter().try_for_each(|chat_id| tables.purge(chat_id))).await
    }

    async fn scrub(&self) -> Result<bool> {
        self.writer.scrub().await
    }

    async fn outdated_chats(
        &self,
        unchanged: Option<Duration>,
        deleted: Option<Duration>,
        limit: usize,
    ) -> Result<Vec<ChatId>> {
        let outdated = format!(
            "SELECT id FROM ai_chats WHERE ((deleted_at IS NULL AND updated_at <= ?1) OR deleted_at <= ?2) \
             AND NOT EXISTS (SELECT 1 FROM ai_chat_runs AS run WHERE run.chat_id = ai_chats.id AND run.{ACTIVE}) \
             AND id NOT IN (SELECT chat_id FROM turnkeep_fork_trunks) LIMIT ?3"
        );
        self.read(move |tables| {
            let before = |age: Option<Duration>| age.map(|age| tables.now.before(age));
            let values = params![before(unchanged), before(deleted), limited(limit)];
            let ids: Vec<String> = tables.all(&outdated, values, |row| row.get(0))?;
            Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
        })
        .await
    }

    async fn paged_messages(&self, chat_id: ChatId, paging: &Paging) -> Result<Vec<(Message, Place)>> {
        let paging = paging.clone();
        self.read(move |tables| {
            let look = Look {
                columns: MESSAGE_COLUMNS,
                descends: paging.descends(),
                from: paging.place(),
                limit: paging.limit,
            };
            let found = tables.look(chat_id, &look, |row| Ok((message_of(chat_id, row)?, place(row)?)))?;
            Ok(paging.in_order(found))
        })
        .await
    }

    async fn message_now(&self, chat_id: ChatId, message_id: MessageId) -> Result<Option<Message>> {
        // Those of a fork are behind all that it comes from, and of its parts the last one that has any shows it.
        let now = format!(
            "SELECT {} FROM ai_chat_messages AS message \
             LEFT JOIN turnkeep_chat_forks AS fork ON fork.chat_id = ?1 AND fork.origin_id = message.chat_id \
             WHERE (message.id = ?2 OR message.id IN ({VERSIONS})) \
             AND ((message.chat_id = ?1 AND message.deleted_at IS NULL) OR ({FORK_SHOWS})) \
             ORDER BY message.created_at DESC, message.id DESC LIMIT 1",
            columns_of_message()
        );
        self.read(move |tables| tables.first(&now, params![chat_id, message_id], |row| message_of(chat_id, row))).await
    }

    async fn message_after(&self, chat_id: ChatId, message_id: MessageId) -> Result<Option<Message>> {
        self.read(move |tables| {
            let Some(place) = tables.place_of(chat_id, message_id)? else { return Ok(None) };
            let look = Look { columns: MESSAGE_COLUMNS, descends: false, from: Some(&place), limit: 1 };
            Ok(tables.look(chat_id, &look, |row| message_of(chat_id, row))?.pop())
        })
        .await
    }

    async fn message_versions(&self, chat_id: ChatId, message_id: MessageId) -> Result<Vec<Message>> {
        let versions = format!(
            "SELECT {} FROM ai_chat_messages AS message WHERE (message.id = ?2 OR message.id IN ({VERSIONS})) \
             AND {EVER_SHOWN} ORDER BY message.created_at, message.id",
            columns_of_message()
        );
        self.read(move |tables| {
            tables.readable(&versions, params![chat_id, message_id], |row| message_of(chat_id, row))
        })
        .await
    }

    async fn has_message(&self, chat_id: ChatId, message_id: MessageId) -> Result<bool> {
        self.read(move |tables| Ok(tables.place_of(chat_id, message_id)?.is_some())).await
    }

    async fn search_messages(&self, search: &SearchFor) -> Result<Vec<(Message, Option<String>)>> {
        // What its own chat does not show any more is found in the newest of its forks that does.
        let found = format!(
            "SELECT found.*, shown.title AS title FROM (SELECT {}, entry.number AS number, \
             CASE WHEN chat.deleted_at IS NULL AND message.deleted_at IS NULL AND (?4 IS NULL OR message.chat_id = ?4) \
             THEN message.chat_id ELSE {} END AS shown_in \
             FROM turnkeep_search \
             JOIN turnkeep_search_entries AS entry ON entry.number = turnkeep_search.rowid \
             JOIN ai_chat_messages AS message ON message.id = entry.message_id \
             JOIN ai_chats AS chat ON chat.id = message.chat_id \
             WHERE turnkeep_search MATCH ?1 AND chat.workspace_id = ?2 AND chat.creator_id = ?3 \
             AND (?5 IS NULL OR turnkeep_search.rowid < \
                 (SELECT number FROM turnkeep_search_entries WHERE message_id = ?5)) \
             AND shown_in IS NOT NULL ORDER BY turnkeep_search.rowid DESC LIMIT ?6) AS found \
             JOIN ai_chats AS shown ON shown.id = found.shown_in ORDER BY found.number DESC",
            columns_of_message(),
            newest_fork("(?4 IS NULL OR fork.chat_id = ?4)")
        );
        while self.enter_waiting().await? {}
        let search = search.clone();
        self.read(move |tables| {
            let values = params![
                expression(&search),
                search.workspace_id,
                search.user_id,
                search.chat_id,
                search.before,
                limited(search.limit)
            ];
            tables.readable(&found, values, |row| {
                let mut message = rows::message(row)?;
                let shown_in: String = row.get("shown_in")?;
                message.chat_id = shown_in.parse().unwrap_or(message.chat_id);
                Ok((message, row.get("title")?))
            })
        })
        .await
    }

    async fn enter_waiting(&self) -> Result<bool> {
        const WAITS: &str = "SELECT EXISTS (SELECT 1 FROM turnkeep_search_entries WHERE waits = 1)";
        if !self.read(|tables| tables.one(WAITS, [])).await? {
            return Ok(false);
        }
        self.write(|tables| tables.enter_waiting()).await
    }

    async fn chat_of_message(&self, message_id: MessageId) -> Result<Option<ChatId>> {
        let chat = format!(
            "SELECT COALESCE((SELECT id FROM ai_chats WHERE id = message.chat_id AND deleted_at IS NULL), \
             {}, message.chat_id) FROM ai_chat_messages AS message WHERE message.id = ?1",
            newest_fork("1")
        );
        let chat_id: Option<String> =
            self.read(move |tables| tables.first(&chat, [message_id], |row| row.get(0))).await?;
        Ok(chat_id.and_then(|chat_id| chat_id.parse().ok()))
    }

    async fn messages(&self, chat_id: ChatId, limit: usize) -> Result<Vec<Message>> {
        self.read(move |tables| tables.newest_messages(chat_id, None, limit)).await
    }

    async fn messages_before(&self, chat_id: ChatId, before: MessageId, limit: usize) -> Result<Vec<Message>> {
        self.read(move |tables| match tables.place_of(chat_id, before)? {
            Some(place) => tables.newest_messages(chat_id, Some(&place), limit),
            None => Ok(Vec::new()),
        })
        .await
    }

    async fn message_span(&self, chat_id: ChatId, limit: usize) -> Result<MessageSpan> {
        self.read(move |tables| {
            let segments = tables.counted_segments(chat_id)?;
            let count: usize = segments.iter().map(|(_, count)| count).sum();
            let after = if count > limit { tables.nth_newest(&segments, limit)? } else { None };
            let last = tables.nth_newest(&segments, 0)?;
            Ok(MessageSpan { chat_id, count: count.min(limit), older_left_out: count > limit, after, last })
        })
        .await
    }

    async fn visit_messages(
        &self,
        span: &MessageSpan,
        fields: MessageFields,
        mut visitor: MessageVisitor,
    ) -> Result<()> {
        let span = span.clone();
        // Large values lie on pages of their own, which are read only for columns that are asked for.
        let large = match fields {
            MessageFields::Metadata => "NULL, NULL, metadata",
            MessageFields::Shown => "content, NULL, metadata",
            MessageFields::All => "content, tool_calls, metadata",
        };
        let columns = format!("id, user_id, role, {large}, status, created_at, updated_at");
        self.visit(move |tables| {
            let Some(last) = &span.last else { return Ok(()) };
            let first = Place { created_at: String::new(), id: String::new() };
            let places = [span.after.as_ref().unwrap_or(&first), last];
            tables.go_through(span.chat_id, &columns, places, |row| {
                Ok(visitor(&rows::stored_message(row)?).is_continue())
            })
        })
        .await
    }

    async fn import_chat(&self, chat: Chat, messages: Vec<Message>) -> Result<()> {
        self.write(move |tables| {
            tables.insert_chat(&chat)?;
            messages.iter().try_for_each(|message| tables.insert_imported(message))
        })
        .await
    }

    async fn fork_chat(&self, fork: ForkChat) -> Result<bool> {
        self.write(move |tables| tables.fork(&fork)).await
    }

    async fn name_chat(&self, chat_id: ChatId, title: &str) -> Result<bool> {
        let title = title.to_owned();
        self.write(move |tables| {
            let named = tables.execute(
                "UPDATE ai_chats SET title = ?2, updated_at = ?3 \
                 WHERE id = ?1 AND deleted_at IS NULL AND coalesce(title, '') = ''",
                params![chat_id, title, tables.now],
            )?;
            Ok(named == 1)
        })
        .await
    }

    async fn settle_stray_messages(&self) -> Result<usize> {
        // A run's message is its owner's, or a sweep's. Of runs that wait there may be very many: only a part is looked at.
        let stray = format!(
            "({STRAY} AND NOT EXISTS (SELECT 1 FROM ai_chat_runs AS run \
             WHERE run.assistant_message_id = ai_chat_messages.id AND run.{ACTIVE}))"
        );
        let look = format!(
            "SELECT id, {stray} FROM ai_chat_messages WHERE status = 'streaming' AND id > ?2 ORDER BY id LIMIT ?3"
        );
        let from = self.tours.streaming.place().unwrap_or_default();
        let seen: Vec<(String, bool)> = self
            .read(move |tables| {
                let values = params![tables.now.before(UNTOUCHED_WITHOUT_LEASE), from, limited(AT_ONCE)];
                tables.all(&look, values, |row| Ok((row.get(0)?, row.get(1)?)))
            })
            .await?;
        self.tours.streaming.has_seen(seen.len(), seen.last().map(|(id, _)| id.clone()));
        let strays: Vec<String> = seen.into_iter().filter(|(_, is_stray)| *is_stray).map(|(id, _)| id).collect();
        if strays.is_empty() {
            return Ok(0);
        }
        let settle =
            format!("UPDATE ai_chat_messages SET status = 'aborted', updated_at = ?3 WHERE id = ?2 AND {stray}");
        self.write(move |tables| {
            let long_ago = tables.now.before(UNTOUCHED_WITHOUT_LEASE);
            strays
                .iter()
                .try_fold(0, |settled, id| Ok(settled + tables.execute(&settle, params![long_ago, id, tables.now])?))
        })
        .await
    }
}

/// The part of a list that is asked for, with its order. The limit is the parameter of this number, and the place the two
/// behind it.
fn part(paging: &Paging, limit: u8) -> String {
    let (time, id) = (limit + 1, limit + 2);
    let after = match (paging.place(), paging.descends()) {
        (None, _) => format!("?{time} IS NULL AND ?{id} IS NULL"),
        (Some(_), true) => format!("(created_at, id) < (?{time}, ?{id})"),
        (Some(_), false) => format!("(created_at, id) > (?{time}, ?{id})"),
    };
    format!("{after} ORDER BY {} LIMIT ?{limit}", order(paging, ""))
}

fn order(paging: &Paging, of: &str) -> String {
    let way = if paging.descends() { "DESC" } else { "ASC" };
    format!("{of}created_at {way}, {of}id {way}")
}

fn from(paging: &Paging) -> (Option<&str>, Option<&str>) {
    paging.place().map(|place| (place.created_at.as_str(), place.id.as_str())).unzip()
}

fn place(row: &Row<'_>) -> rusqlite::Result<Place> {
    Ok(Place { created_at: row.get("created_at")?, id: row.get("id")? })
}

/// The word that stands for whose a message is, so that a search reads no more of the index than that.
fn owner_word(workspace_id: &str, user_id: &str) -> String {
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("{}x{}", hex(workspace_id), hex(user_id))
}

/// What the index is asked: the owner's word, and all of the stems. They are letters and digits.
fn expression(search: &SearchFor) -> String {
    let words: Vec<String> = search.words.iter().map(|word| format!("\"{}\"", word.stem)).collect();
    let owner = owner_word(&search.workspace_id, &search.user_id);
    format!("owner : \"{owner}\" AND words : ({})", words.join(" AND "))
}

/// The columns of a message, of a row that is called `message`.
fn columns_of_message() -> String {
    let columns: Vec<String> = MESSAGE_COLUMNS.split(',').map(|name| format!("message.{}", name.trim())).collect();
    columns.join(", ")
}

impl Tables<'_> {
    /// Enters the words of some messages that wait for it. Whether there may be more of them.
    fn enter_waiting(&self) -> Result<bool> {
        const WAITING: &str = "SELECT entry.number, chat.workspace_id, chat.creator_id, \
             CASE WHEN message.status IS NOT 'streaming' THEN message.content END \
             FROM turnkeep_search_entries AS entry JOIN ai_chat_messages AS message ON message.id = entry.message_id \
             JOIN ai_chats AS chat ON chat.id = message.chat_id WHERE entry.waits = 1 ORDER BY entry.number LIMIT ?1";
        let waiting = self.all(WAITING, [limited(ENTERED_AT_ONCE)], |row| {
            Ok((row.get::<_, i64>(0)?, [row.get::<_, String>(1)?, row.get(2)?], row.get::<_, Option<String>>(3)?))
        })?;
        for (number, [workspace_id, user_id], content) in &waiting {
            self.execute("DELETE FROM turnkeep_search WHERE rowid = ?1", [number])?;
            if let Some(content) = content {
                self.execute(
                    "INSERT INTO turnkeep_search (rowid, owner, words) VALUES (?1, ?2, ?3)",
                    params![number, owner_word(workspace_id, user_id), indexed_words(content)],
                )?;
            }
            self.execute("UPDATE turnkeep_search_entries SET waits = 0 WHERE number = ?1", [number])?;
        }
        Ok(waiting.len() == ENTERED_AT_ONCE)
    }

    pub(super) fn insert_chat(&self, chat: &Chat) -> Result<()> {
        self.execute(
            "INSERT INTO ai_chats (id, workspace_id, creator_id, title, role_id, page_id, created_at, updated_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                chat.id,
                chat.workspace_id,
                chat.creator_id,
                chat.title,
                chat.role_id,
                chat.page_id,
                chat.created_at,
                chat.updated_at
            ],
        )
        .map(|_| ())
    }

    pub(super) fn insert_imported(&self, message: &Message) -> Result<()> {
        self.execute(
            "INSERT INTO ai_chat_messages (id, chat_id, workspace_id, user_id, role, content, tool_calls, \
             metadata, status, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                message.id,
                message.chat_id,
                message.workspace_id,
                message.user_id,
                message.role.as_str(),
                storable(message.content.clone()),
                message.tool_calls,
                message.metadata,
                message.status.map(|status| status.as_str()),
                message.created_at,
                message.updated_at,
            ],
        )
        .map(|_| ())
    }

    /// Makes the chat of a run that begins, or says that it is in use.
    pub(super) fn ensure_chat(&self, begin: &BeginRun) -> Result<()> {
        let found: Option<(String, String, bool)> = self.first(
            "SELECT workspace_id, creator_id, deleted_at IS NOT NULL FROM ai_chats WHERE id = ?1",
            [begin.chat_id],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        match found {
            Some((workspace, creator, _)) if workspace != begin.workspace_id || creator != begin.user_id => {
                Err(forbidden())
            }
            Some((_, _, true)) => Err(Error::new(ErrorCode::NotFound, "this chat has been deleted")),
            Some(_) => {
                let used = "UPDATE ai_chats SET updated_at = ?2 WHERE id = ?1";
                self.execute(used, params![begin.chat_id, self.now]).map(|_| ())
            }
            None => self
                .execute(
                    "INSERT INTO ai_chats (id, workspace_id, creator_id, role_id, page_id, created_at, updated_at) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
                    params![begin.chat_id, begin.workspace_id, begin.user_id, begin.role_id, begin.page_id, self.now],
                )
                .map(|_| ()),
        }
    }

    /// Writes both messages of a run that begins.
    pub(super) fn insert_messages(&self, begin: &BeginRun, aborted: bool) -> Result<()> {
        let mut place = self.next_message_place(begin.chat_id)?;
        if let Some(replaced) = begin.replaces {
            self.replace_from(begin.chat_id, replaced)?;
        }
        if begin.user_message.is_some() && begin.replaces.is_none() && !aborted {
            place = self.take_steering(begin, place)?;
        }
        if begin.user_message.is_some() {
            self.insert_message(place, begin, MessageRole::User)?;
            place = place.after(ONE_PLACE);
        }
        self.insert_message(place, begin, MessageRole::Assistant)?;
        if let Some(replaced) = begin.replaces {
            const FIRST: &str =
                "INSERT OR IGNORE INTO turnkeep_message_versions (message_id, first_id) VALUES (?1, ?1)";
            const NEXT: &str = "INSERT OR IGNORE INTO turnkeep_message_versions (message_id, first_id) \
                 SELECT ?2, first_id FROM turnkeep_message_versions WHERE message_id = ?1";
            let new = begin.user_message.as_ref().map_or(begin.assistant_message_id, |message| message.id);
            self.execute(FIRST, [replaced])?;
            self.execute(NEXT, [replaced, new])?;
        }
        Ok(())
    }

    fn insert_message(&self, place: Timestamp, begin: &BeginRun, role: MessageRole) -> Result<()> {
        let (id, user, content, metadata, status) = match (role, &begin.user_message) {
            (MessageRole::User, Some(message)) => {
                (message.id, Some(&begin.user_id), &message.content, &message.metadata, None)
            }
            _ => {
                let flush = &begin.assistant;
                (begin.assistant_message_id, None, &flush.content, &flush.metadata, Some(flush.status.as_str()))
            }
        };
        self.execute(
            // A client's message that has come another way meanwhile is not written twice.
            "INSERT OR IGNORE INTO ai_chat_messages (id, chat_id, workspace_id, user_id, role, content, metadata, status, \
             created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                id,
                begin.chat_id,
                begin.workspace_id,
                user,
                role.as_str(),
                content,
                metadata,
                status,
                place,
                self.now
            ],
        )
        .map(|_| ())
    }

    /// Brings the run's message up to date.
    pub(super) fn update_message(&self, run_id: RunId, flush: &AssistantFlush) -> Result<()> {
        self.execute(
            "UPDATE ai_chat_messages SET content = ?2, tool_calls = ?3, metadata = ?4, status = ?5, updated_at = ?6 \
             WHERE id = (SELECT assistant_message_id FROM ai_chat_runs WHERE id = ?1)",
            params![run_id, flush.content, flush.tool_calls, flush.metadata, flush.status.as_str(), self.now],
        )
        .map(|_| ())
    }

    /// Ends the run's message, whose text stays as it is.
    pub(super) fn fail_message(&self, run_id: &str) -> Result<()> {
        self.execute(
            "UPDATE ai_chat_messages SET status = 'error', updated_at = ?2 \
             WHERE id = (SELECT assistant_message_id FROM ai_chat_runs WHERE id = ?1)",
            params![run_id, self.now],
        )
        .map(|_| ())
    }
}
