//! Chats and their messages.

use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::{ChatId, MessageId};
use crate::model::{
    Chat, Json, ListedChat, Message, MessageFields, MessageSpan, MessageVisitor, Paging, PagingFrom, Place,
    StoredMessage,
};
use crate::store::tour::AT_ONCE;
use crate::store::{ChatStore, ForkChat, SearchFor, UNTOUCHED_WITHOUT_LEASE};
use crate::text::storable;

use super::fork::{ever_shown, fork_shows, messages_of_chat, place_of};
use super::migrate::check_id;
use super::rows::{self, CHAT_COLUMNS, MESSAGE_COLUMNS};
use super::value::values;
use super::{PostgresStore, limited, seconds};

/// A time to the microsecond, which is what the server knows: rows of one millisecond have an order.
const EXACT: &str = "to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";

/// How many messages are read at a time by whoever goes through them; those that go on get more.
const FIRST_PAGE: usize = 16;
const LARGEST_PAGE: usize = 128;

/// How many messages are imported by one statement, which has to be answered in time.
const IMPORTED_AT_ONCE: usize = 2_000;
/// An id that is taken fails it. A chat that is not complete yet is hidden.
const IMPORT: &str = "\
     WITH chat AS (INSERT INTO ai_chats (id, workspace_id, creator_id, title, created_at, updated_at, role_id, page_id, \
             deleted_at) \
         VALUES ($2::uuid, $3, $4, $5::text, $6::timestamptz, $7::timestamptz, $8::uuid, $9, \
             CASE WHEN $10::boolean THEN turnkeep_now() END)) ";
const IMPORT_MESSAGES: &str = "\
     INSERT INTO ai_chat_messages \
         (id, chat_id, workspace_id, user_id, role, content, tool_calls, metadata, status, created_at, updated_at) \
     SELECT id, chat_id, workspace_id, user_id, role, content, tool_calls, metadata, status, created_at, updated_at \
         FROM json_populate_recordset(NULL::ai_chat_messages, $1::json)";

/// Rows of another writer's that nobody will end any more. A run's message is its owner's, or a sweep's. Of runs that wait
/// there may be very many: only a part is looked at, behind `$2`.
const SETTLE_STRAYS: &str = "\
     WITH at AS MATERIALIZED (SELECT turnkeep_now() AS now), \
     part AS MATERIALIZED (SELECT id FROM ai_chat_messages WHERE status = 'streaming' AND id > $2::uuid \
         ORDER BY id LIMIT $3::bigint), \
     settled AS (UPDATE ai_chat_messages AS message SET status = 'aborted', updated_at = now FROM at, part \
         WHERE message.id = part.id AND message.status = 'streaming' AND message.role = 'assistant' \
         AND message.updated_at <= now - make_interval(secs => $1::float8) \
         AND NOT EXISTS (SELECT FROM ai_chat_runs AS run WHERE run.assistant_message_id = message.id \
             AND run.status IN ('pending', 'running', 'waiting')) RETURNING message.id) \
     SELECT (SELECT COUNT(*) FROM settled) AS settled, (SELECT COUNT(*) FROM part) AS seen, \
         (SELECT id::text FROM part ORDER BY part.id DESC LIMIT 1) AS last";
/// Before every id.
const NO_ID: &str = "00000000-0000-0000-0000-000000000000";

/// Messages with these columns of theirs that may be large.
fn visit_statement(fields: MessageFields) -> String {
    // Large values lie apart from their rows, and are fetched only for columns that are asked for.
    let large = match fields {
        MessageFields::Metadata => "NULL::text AS content, NULL::text AS tool_calls, metadata::text AS metadata",
        MessageFields::Shown => "content::text AS content, NULL::text AS tool_calls, metadata::text AS metadata",
        MessageFields::All => "content::text AS content, tool_calls::text AS tool_calls, metadata::text AS metadata",
    };
    format!(
        "SELECT id::text AS id, user_id::text AS user_id, role::text AS role, {large}, status::text AS status, \
         created_at, updated_at, {EXACT} AS exact FROM {} AS message \
         ORDER BY message.created_at, message.id LIMIT $6::bigint",
        messages_of_chat(
            "*",
            // Without an alternative, which no plan for all values could look up in an index.
            "AND (created_at, id) > ($2::timestamptz, $3::uuid) \
             AND (created_at, id) <= ($4::timestamptz, $5::uuid) \
             ORDER BY message.created_at, message.id LIMIT $6::bigint"
        )
    )
}

/// The newest messages of the chat `$1`, up to the limit `$2`, newest first.
fn newest_statement(filter: &str) -> String {
    const NEWEST: &str = "ORDER BY message.created_at DESC, message.id DESC LIMIT $2::bigint";
    let of_each = messages_of_chat("*", &format!("{filter} {NEWEST}"));
    format!("SELECT {MESSAGE_COLUMNS} FROM {of_each} AS message {NEWEST}")
}

/// A message as the chat shows it, whosever it is.
fn message_of(chat_id: ChatId, row: &tokio_postgres::Row) -> Result<Message> {
    Ok(Message { chat_id, ..rows::message(row)? })
}

/// The messages that have stood where `$2` does.
const VERSIONS: &str = "SELECT other.message_id FROM turnkeep_message_versions AS other WHERE other.first_id = \
     (SELECT one.first_id FROM turnkeep_message_versions AS one WHERE one.message_id = $2::uuid)";

/// How many of the workspace's newest messages are looked through for a word before all that have it are.
const RECENT: usize = 2_000;

/// The place of the message `$5`.
const BEFORE: &str = "SELECT one.created_at, one.id FROM ai_chat_messages AS one WHERE one.id = $5::uuid";

/// The newest messages of the workspace `$2`, or those before `$5`.
fn recent(before: Option<MessageId>) -> String {
    let place = match before {
        Some(_) => {
            format!("AND (created_at, id) < ({BEFORE})")
        }
        None => String::new(),
    };
    format!(
        "(SELECT id, chat_id, tsv, status, created_at, deleted_at FROM ai_chat_messages \
         WHERE workspace_id = $2 AND deleted_at IS NULL {place} ORDER BY created_at DESC, id DESC LIMIT {RECENT})"
    )
}

#[async_trait]
impl ChatStore for PostgresStore {
    async fn chat(&self, chat_id: ChatId) -> Result<Option<Chat>> {
        self.database
            .query(
                &format!("SELECT {CHAT_COLUMNS} FROM ai_chats WHERE id = $1::uuid AND deleted_at IS NULL"),
                &values![chat_id],
            )
            .await?
            .first()
            .map(rows::chat)
            .transpose()
    }

    async fn chat_even_deleted(&self, chat_id: ChatId) -> Result<Option<Chat>> {
        let statement = format!("SELECT {CHAT_COLUMNS} FROM ai_chats WHERE id = $1::uuid");
        self.database.query(&statement, &values![chat_id]).await?.first().map(rows::chat).transpose()
    }

    async fn chats(&self, workspace_id: &str, user_id: &str, paging: &Paging) -> Result<Vec<(ListedChat, Place)>> {
        if self.has_none(workspace_id, user_id) {
            return Ok(Vec::new());
        }
        // Where the host's pages are in the same database, and may be read.
        let (title, pages) = match self.extras.pages {
            true => (
                "page.title::text",
                "LEFT JOIN pages AS page ON page.id = chat.page_id AND page.workspace_id = chat.workspace_id",
            ),
            false => ("NULL::text", ""),
        };
        // The page is found in the index before anything is looked up for it.
        let statement = format!(
            "SELECT chat.id::text AS id, chat.workspace_id::text AS workspace_id, chat.creator_id::text AS creator_id, \
             chat.title::text AS title, chat.role_id::text AS role_id, chat.page_id::text AS page_id, \
             chat.created_at, chat.updated_at, chat.exact, role.name::text AS role_name, role.emoji::text AS role_emoji, \
             {title} AS page_title FROM (SELECT *, {EXACT} AS exact FROM ai_chats \
             WHERE workspace_id = $1 AND creator_id = $2 AND deleted_at IS NULL AND {}) AS chat \
             LEFT JOIN ai_agent_roles AS role ON role.id = chat.role_id AND role.workspace_id = chat.workspace_id \
             AND role.enabled AND role.deleted_at IS NULL {pages} ORDER BY {}",
            part(paging, 3),
            order(paging, "chat."),
        );
        let (time, id) = from(paging)?;
        let values = values![workspace_id, user_id, limited(paging.limit), time, id];
        let found = self.database.query(&statement, &values).await?;
        let listed = found.iter().map(|row| {
            let (name, emoji): (Option<String>, _) = (rows::get(row, "role_name")?, rows::get(row, "role_emoji")?);
            let role = name.map(|name| (name, emoji));
            Ok((ListedChat::new(rows::chat(row)?, role, rows::get(row, "page_title")?), place(row)?))
        });
        Ok(paging.in_order(listed.collect::<Result<Vec<_>>>()?))
    }

    async fn latest_chat_of_page(&self, workspace_id: &str, user_id: &str, page_id: &str) -> Result<Option<Chat>> {
        if self.has_none(workspace_id, user_id) || check_id("pageId", page_id, self.ids.page).is_err() {
            return Ok(None);
        }
        let statement = format!(
            "SELECT {CHAT_COLUMNS} FROM ai_chats AS chat WHERE chat.workspace_id = $1 AND chat.creator_id = $2 \
             AND chat.page_id = $3 AND chat.deleted_at IS NULL ORDER BY chat.created_at DESC, chat.id DESC LIMIT 1"
        );
        let found = self.database.query(&statement, &values![workspace_id, user_id, page_id]).await?;
        found.first().map(rows::chat).transpose()
    }

    async fn rename_chat(&self, chat_id: ChatId, title: &str) -> Result<bool> {
        const RENAME: &str = "UPDATE ai_chats SET title = $2::text, updated_at = turnkeep_now() \
             WHERE id = $1::uuid AND deleted_at IS NULL RETURNING true AS renamed";
        self.database.query(RENAME, &values![chat_id, title]).await.map(|rows| !rows.is_empty())
    }

    async fn delete_chat(&self, chat_id: ChatId) -> Result<bool> {
        const DELETE: &str = "UPDATE ai_chats SET deleted_at = turnkeep_now() \
             WHERE id = $1::uuid AND deleted_at IS NULL RETURNING true AS deleted";
        self.database.query(DELETE, &values![chat_id]).await.map(|rows| !rows.is_empty())
    }

    async fn purge_chats(&self, chat_ids: &[ChatId]) -> Result<()> {
        self.purge(chat_ids).await
    }

    async fn outdated_chats(
        &self,
        unchanged: Option<Duration>,
        deleted: Option<Duration>,
        limit: usize,
    ) -> Result<Vec<ChatId>> {
        const OUTDATED: &str = "WITH at AS MATERIALIZED (SELECT turnkeep_now() AS now) \
             SELECT chat.id::text AS id FROM ai_chats AS chat, at WHERE \
             ((chat.deleted_at IS NULL AND chat.updated_at <= now - make_interval(secs => $1::float8)) \
                 OR chat.deleted_at <= now - make_interval(secs => $2::float8)) \
             AND NOT EXISTS (SELECT FROM ai_chat_runs AS run WHERE run.chat_id = chat.id \
                 AND run.status IN ('pending', 'running', 'waiting')) \
             AND NOT EXISTS (SELECT FROM turnkeep_fork_trunks AS trunk WHERE trunk.chat_id = chat.id) LIMIT $3::bigint";
        let values = values![unchanged.map(seconds), deleted.map(seconds), limited(limit)];
        self.database.query(OUTDATED, &values).await?.iter().map(|row| rows::id(row, "id")).collect()
    }

    async fn paged_messages(&self, chat_id: ChatId, paging: &Paging) -> Result<Vec<(Message, Place)>> {
        let statement = format!(
            "SELECT {MESSAGE_COLUMNS}, {EXACT} AS exact FROM {} AS message ORDER BY {} LIMIT $2::bigint",
            messages_of_chat("*", &format!("AND {}", part(paging, 2))),
            order(paging, "message."),
        );
        let (time, id) = from(paging)?;
        let found = self.database.query(&statement, &values![chat_id, limited(paging.limit), time, id]).await?;
        let messages = found.iter().map(|row| Ok((message_of(chat_id, row)?, place(row)?)));
        Ok(paging.in_order(messages.collect::<Result<Vec<_>>>()?))
    }

    async fn message_now(&self, chat_id: ChatId, message_id: MessageId) -> Result<Option<Message>> {
        let one = format!("AND (message.id = $2::uuid OR message.id IN ({VERSIONS}))");
        let statement = format!(
            "SELECT {MESSAGE_COLUMNS} FROM {} AS message ORDER BY message.created_at DESC, message.id DESC LIMIT 1",
            messages_of_chat("*", &one)
        );
        let found = self.database.query(&statement, &values![chat_id, message_id]).await?;
        found.first().map(|row| message_of(chat_id, row)).transpose()
    }

    async fn message_after(&self, chat_id: ChatId, message_id: MessageId) -> Result<Option<Message>> {
        let after = format!(
            "AND (message.created_at, message.id) > {} ORDER BY message.created_at, message.id LIMIT 1",
            place_of("$1", "$2")
        );
        let statement = format!(
            "SELECT {MESSAGE_COLUMNS} FROM {} AS message ORDER BY message.created_at, message.id LIMIT 1",
            messages_of_chat("*", &after)
        );
        let found = self.database.query(&statement, &values![chat_id, message_id]).await?;
        found.first().map(|row| message_of(chat_id, row)).transpose()
    }

    async fn message_versions(&self, chat_id: ChatId, message_id: MessageId) -> Result<Vec<Message>> {
        let statement = format!(
            "SELECT {MESSAGE_COLUMNS} FROM ai_chat_messages AS message \
             WHERE (message.id = $2::uuid OR message.id IN ({VERSIONS})) AND {} ORDER BY message.created_at, message.id",
            ever_shown()
        );
        let found = self.database.query(&statement, &values![chat_id, message_id]).await?;
        found.iter().map(|row| message_of(chat_id, row)).collect()
    }

    async fn has_message(&self, chat_id: ChatId, message_id: MessageId) -> Result<bool> {
        let place = format!("SELECT EXISTS {} AS has", place_of("$1", "$2"));
        rows::get(&self.database.query_one(&place, &values![chat_id, message_id]).await?, "has")
    }

    async fn search_messages(&self, search: &SearchFor) -> Result<Vec<(Message, Option<String>)>> {
        if self.has_none(&search.workspace_id, &search.user_id) {
            return Ok(Vec::new());
        }
        let columns: Vec<String> =
            MESSAGE_COLUMNS.split(", ").map(|column| format!("message.{}", column.trim())).collect();
        // The host's column keeps Russian words as they are written.
        let language = if self.extras.own_search { "russian" } else { "english" };
        // What its own chat does not show any more is found in the newest of its forks that does.
        let of_forks = format!(
            "SELECT DISTINCT ON (message.id) message.id AS hit_id, fork.chat_id AS shown_in, one.title::text AS title \
             FROM turnkeep_chat_forks AS fork JOIN ai_chats AS one ON one.id = fork.chat_id \
             JOIN ai_chat_messages AS message ON {shows} JOIN ai_chats AS chat ON chat.id = message.chat_id \
             WHERE EXISTS (SELECT FROM turnkeep_chat_forks) AND message.tsv @@ to_tsquery('{language}', $1::text) \
             AND one.workspace_id = $2 AND one.creator_id = $3 AND one.deleted_at IS NULL \
             AND message.status IS DISTINCT FROM 'streaming' \
             AND ($4::uuid IS NULL OR fork.chat_id = $4::uuid) \
             AND (chat.deleted_at IS NOT NULL OR message.deleted_at IS NOT NULL OR chat.id <> $4::uuid) \
             AND ($5::uuid IS NULL OR (message.created_at, message.id) < ({BEFORE})) \
             ORDER BY message.id, fork.chat_id DESC",
            shows = fork_shows(),
        );
        let in_chat = if search.chat_id.is_some() { "message.chat_id = $4::uuid" } else { "$4::uuid IS NULL" };
        // What is found is looked up last: of a common word there is much, and its texts and metadata are large.
        let by_word = format!("message.tsv @@ to_tsquery('{language}', $1::text)");
        let statement = |from: &str, which: &str| {
            format!(
                "SELECT {}, hit.shown_in::text AS shown_in, hit.title FROM ((SELECT message.id AS hit_id, \
                 chat.id AS shown_in, chat.title::text AS title FROM {from} AS message JOIN ai_chats AS chat ON chat.id = message.chat_id \
                 WHERE {which} \
                 AND chat.workspace_id = $2 AND chat.creator_id = $3 AND chat.deleted_at IS NULL \
                 AND message.deleted_at IS NULL AND message.status IS DISTINCT FROM 'streaming' \
                 AND {in_chat} \
                 AND ($5::uuid IS NULL OR (message.created_at, message.id) < ({BEFORE})) \
                 ORDER BY message.created_at DESC, message.id DESC LIMIT $6::bigint) UNION ALL ({of_forks})) AS hit \
                 JOIN ai_chat_messages AS message ON message.id = hit.hit_id \
                 ORDER BY message.created_at DESC, message.id DESC LIMIT $6::bigint",
                columns.join(", "),
            )
        };
        let values = values![
            expression(search, self.extras.own_search),
            &search.workspace_id,
            &search.user_id,
            search.chat_id,
            search.before,
            limited(search.limit),
        ];
        // Read from the newest on, all would be looked through for a word that few have: they are found by their words first.
        let by_words = format!(
            "(SELECT id, chat_id, status, created_at, deleted_at FROM ai_chat_messages \
             WHERE tsv @@ to_tsquery('{language}', $1::text) AND deleted_at IS NULL OFFSET 0)"
        );
        let mut found = Vec::new();
        if search.chat_id.is_none() {
            // A common word is in the newest messages, and the newest that have it are wanted; all that have it are many.
            found = self.database.query(&statement(&recent(search.before), &by_word), &values).await?;
        }
        if found.len() < search.limit {
            let all = match search.chat_id {
                None => statement(&by_words, "true"),
                Some(_) => statement("ai_chat_messages", &by_word),
            };
            found = self.database.query(&all, &values).await?;
        }
        let hit = |row| Ok((message_of(rows::id(row, "shown_in")?, row)?, rows::get(row, "title")?));
        found.iter().map(hit).collect()
    }

    async fn chat_of_message(&self, message_id: MessageId) -> Result<Option<ChatId>> {
        let chat = format!(
            "SELECT COALESCE((SELECT id FROM ai_chats WHERE id = message.chat_id AND deleted_at IS NULL), \
             (SELECT fork.chat_id FROM turnkeep_chat_forks AS fork JOIN ai_chats AS one ON one.id = fork.chat_id \
             WHERE {} AND one.deleted_at IS NULL ORDER BY fork.chat_id DESC LIMIT 1), message.chat_id)::text AS id \
             FROM ai_chat_messages AS message WHERE message.id = $1::uuid",
            fork_shows()
        );
        let found = self.database.query(&chat, &values![message_id]).await?;
        let Some(row) = found.first() else { return Ok(None) };
        Ok(rows::get::<&str>(row, "id")?.parse().ok())
    }

    async fn messages(&self, chat_id: ChatId, limit: usize) -> Result<Vec<Message>> {
        let found = self.database.query(&newest_statement(""), &values![chat_id, limited(limit)]).await?;
        found.iter().rev().map(|row| message_of(chat_id, row)).collect()
    }

    async fn messages_before(&self, chat_id: ChatId, before: MessageId, limit: usize) -> Result<Vec<Message>> {
        let statement = newest_statement(&format!("AND (message.created_at, message.id) < {}", place_of("$1", "$3")));
        let found = self.database.query(&statement, &values![chat_id, limited(limit), before]).await?;
        found.iter().rev().map(|row| message_of(chat_id, row)).collect()
    }

    async fn message_span(&self, chat_id: ChatId, limit: usize) -> Result<MessageSpan> {
        let statement = format!(
            "WITH message AS (SELECT id::text AS id, {EXACT} AS exact, ROW_NUMBER() OVER \
             (ORDER BY created_at DESC, id DESC) AS place FROM {} AS message) \
             SELECT id, exact, place, (SELECT COUNT(*) FROM message) AS count FROM message \
             WHERE place = 1 OR place = $2::bigint + 1 ORDER BY place",
            messages_of_chat("message.id, message.created_at", "")
        );
        let found = self.database.query(&statement, &values![chat_id, limited(limit)]).await?;
        let mut span = MessageSpan { chat_id, count: 0, older_left_out: false, after: None, last: None };
        for row in &found {
            let count = usize::try_from(rows::get::<i64>(row, "count")?).unwrap_or(0);
            (span.count, span.older_left_out) = (count.min(limit), count > limit);
            if rows::get::<i64>(row, "place")? == 1 {
                span.last = Some(place(row)?);
            }
            if rows::get::<i64>(row, "place")? == limited(limit) + 1 {
                span.after = Some(place(row)?);
            }
        }
        Ok(span)
    }

    async fn visit_messages(
        &self,
        span: &MessageSpan,
        fields: MessageFields,
        mut visitor: MessageVisitor,
    ) -> Result<()> {
        let Some(last) = &span.last else { return Ok(()) };
        self.database.ensure_open()?;
        let visit = visit_statement(fields);
        // By pages: what a reader that breaks off has not seen is not sent, however long the chat is.
        let first = || Place { created_at: "-infinity".to_owned(), id: uuid::Uuid::nil().to_string() };
        let (mut after, mut page) = (span.after.clone().unwrap_or_else(first), FIRST_PAGE);
        loop {
            let values =
                values![span.chat_id, &after.created_at, &after.id, &last.created_at, &last.id, limited(page),];
            let rows = self.database.query(&visit, &values).await?;
            for row in &rows {
                if !shown(row, &mut visitor)? {
                    return Ok(());
                }
            }
            match rows.last() {
                Some(row) if rows.len() == page => {
                    after = place(row)?;
                }
                _ => return Ok(()),
            }
            page = (page * 2).min(LARGEST_PAGE);
        }
    }

    async fn import_chat(&self, chat: Chat, messages: Vec<Message>) -> Result<()> {
        check_id("workspaceId", &chat.workspace_id, self.ids.workspace)?;
        check_id("userId", &chat.creator_id, self.ids.user)?;
        chat.page_id.as_deref().map_or(Ok(()), |id| check_id("pageId", id, self.ids.page))?;
        let mut batches = messages.chunks(IMPORTED_AT_ONCE);
        let first = rows_of(batches.next().unwrap_or_default())?;
        let rest = batches.len() > 0;
        let values = values![
            first,
            chat.id,
            &chat.workspace_id,
            &chat.creator_id,
            chat.title.clone().map(storable),
            chat.created_at.to_string(),
            chat.updated_at.to_string(),
            chat.role_id,
            chat.page_id.as_ref(),
            rest,
        ];
        self.database.query(&format!("{IMPORT}{IMPORT_MESSAGES}"), &values).await?;
        let shown = async {
            for batch in batches {
                self.database.query(IMPORT_MESSAGES, &values![rows_of(batch)?]).await?;
            }
            const SHOW: &str = "UPDATE ai_chats SET deleted_at = NULL WHERE id = $1::uuid";
            self.database.query(SHOW, &values![chat.id]).await
        };
        if rest && let Err(error) = shown.await {
            // Nobody has seen it. What cannot be taken back now stays hidden.
            if let Err(error) = self.purge_chats(&[chat.id]).await {
                tracing::warn!(%error, chat_id = %chat.id, "a chat that was imported in part could not be removed");
            }
            return Err(error);
        }
        Ok(())
    }

    async fn fork_chat(&self, fork: ForkChat) -> Result<bool> {
        check_id("workspaceId", &fork.chat.workspace_id, self.ids.workspace)?;
        check_id("userId", &fork.chat.creator_id, self.ids.user)?;
        self.fork(fork).await
    }

    async fn name_chat(&self, chat_id: ChatId, title: &str) -> Result<bool> {
        const NAME: &str = "UPDATE ai_chats SET title = $2::text, updated_at = turnkeep_now() \
             WHERE id = $1::uuid AND deleted_at IS NULL AND coalesce(title, '') = '' RETURNING true AS named";
        self.database.query(NAME, &values![chat_id, title]).await.map(|rows| !rows.is_empty())
    }

    async fn settle_stray_messages(&self) -> Result<usize> {
        let from = self.streaming.place();
        let values = values![seconds(UNTOUCHED_WITHOUT_LEASE), from.as_deref().unwrap_or(NO_ID), limited(AT_ONCE)];
        let row = self.database.query_one(SETTLE_STRAYS, &values).await?;
        let count = |name| rows::get::<i64>(&row, name).map(|count| usize::try_from(count).unwrap_or(0));
        self.streaming.has_seen(count("seen")?, rows::get(&row, "last")?);
        count("settled")
    }
}

impl PostgresStore {
    /// Whether nobody of this name can have anything in this database.
    fn has_none(&self, workspace_id: &str, user_id: &str) -> bool {
        check_id("workspaceId", workspace_id, self.ids.workspace).is_err()
            || check_id("userId", user_id, self.ids.user).is_err()
    }
}

/// Messages as one document, which the server takes apart by the types of its own columns.
pub(super) fn rows_of(messages: &[Message]) -> Result<String> {
    let rows: Vec<ImportedMessage<'_>> = messages.iter().map(ImportedMessage::of).collect();
    serde_json::to_string(&rows).map_err(|_| Error::internal("a row could not be encoded"))
}

/// The part of a list that is asked for, with its order. The limit is the parameter of this number, and the place the two
/// behind it.
fn part(paging: &Paging, limit: u8) -> String {
    let (time, id) = (limit + 1, limit + 2);
    let after = match (paging.place(), paging.descends()) {
        (None, _) => format!("${time}::timestamptz IS NULL AND ${id}::uuid IS NULL"),
        (Some(_), true) => format!("(created_at, id) < (${time}::timestamptz, ${id}::uuid)"),
        (Some(_), false) => format!("(created_at, id) > (${time}::timestamptz, ${id}::uuid)"),
    };
    format!("{after} ORDER BY {} LIMIT ${limit}::bigint", order(paging, ""))
}

fn order(paging: &Paging, of: &str) -> String {
    let way = if paging.descends() { "DESC" } else { "ASC" };
    format!("{of}created_at {way}, {of}id {way}")
}

/// The place that a client names, in words that the server can read.
fn from(paging: &Paging) -> Result<(Option<&str>, Option<String>)> {
    let Some(place) = paging.place() else { return Ok((None, None)) };
    // As it gives times out itself, from its first year on.
    let is_time = place.created_at.ends_with('Z')
        && place.created_at.bytes().all(|byte| byte.is_ascii_digit() || b"-:.TZ".contains(&byte))
        && place.created_at.get(..5).is_some_and(|year| year > "0000-" && year.ends_with('-'))
        && Timestamp::parse(&place.created_at).is_some();
    match uuid::Uuid::parse_str(&place.id) {
        Ok(id) if is_time => Ok((Some(&place.created_at), Some(id.to_string()))),
        _ => {
            let field = if matches!(paging.from, Some(PagingFrom::Before(_))) { "beforeCursor" } else { "cursor" };
            Err(Error::invalid(field, "is not a cursor of this list"))
        }
    }
}

fn place(row: &tokio_postgres::Row) -> Result<Place> {
    Ok(Place { created_at: rows::get(row, "exact")?, id: rows::get(row, "id")? })
}

/// All of the words, which are letters and digits. The server knows them in every form; but where it keeps Russian ones as
/// they are, their stems are looked for as beginnings.
fn expression(search: &SearchFor, knows_russian: bool) -> String {
    let words: Vec<String> =
        search
            .words
            .iter()
            .map(|word| {
                if word.is_russian && !knows_russian {
                    format!("'{}':*", word.stem)
                } else {
                    format!("'{}'", word.word)
                }
            })
            .collect();
    words.join(" & ")
}

/// Whether the visitor wants more.
fn shown(row: &tokio_postgres::Row, visitor: &mut MessageVisitor) -> Result<bool> {
    let (created_at, updated_at) = (rows::time_text(row, "created_at")?, rows::time_text(row, "updated_at")?);
    let message = StoredMessage {
        id: rows::get(row, "id")?,
        user_id: rows::get(row, "user_id")?,
        role: rows::get(row, "role")?,
        content: rows::get(row, "content")?,
        tool_calls: rows::get(row, "tool_calls")?,
        metadata: rows::get(row, "metadata")?,
        status: rows::get(row, "status")?,
        created_at: &created_at,
        exact_created_at: Some(rows::get(row, "exact")?),
        updated_at: &updated_at,
    };
    Ok(visitor(&message).is_continue())
}

#[derive(Serialize)]
struct ImportedMessage<'a> {
    id: MessageId,
    chat_id: ChatId,
    workspace_id: &'a str,
    user_id: Option<&'a str>,
    role: &'static str,
    content: String,
    tool_calls: Option<&'a RawValue>,
    metadata: Option<&'a RawValue>,
    status: Option<&'static str>,
    created_at: String,
    updated_at: String,
}

impl<'a> ImportedMessage<'a> {
    fn of(message: &'a Message) -> Self {
        let raw = |json: &'a Option<Json>| json.as_ref().and_then(|json| serde_json::from_str(json.get()).ok());
        Self {
            id: message.id,
            chat_id: message.chat_id,
            workspace_id: &message.workspace_id,
            user_id: message.user_id.as_deref(),
            role: message.role.as_str(),
            content: storable(message.content.clone()),
            tool_calls: raw(&message.tool_calls),
            metadata: raw(&message.metadata),
            status: message.status.map(|status| status.as_str()),
            created_at: message.created_at.to_string(),
            updated_at: message.updated_at.to_string(),
        }
    }
}
