//! Chats and their messages.

use async_trait::async_trait;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::id::{ChatId, MessageId};
use crate::model::{Chat, Json, Message, MessageFields, MessagePlace, MessageSpan, MessageVisitor, StoredMessage};
use crate::store::{ChatStore, UNTOUCHED_WITHOUT_LEASE};
use crate::text::storable;

use super::migrate::check_id;
use super::rows::{self, CHAT_COLUMNS, MESSAGE_COLUMNS};
use super::value::values;
use super::{PostgresStore, limited, seconds};

/// A time to the microsecond, which is what the server knows: rows of one millisecond have an order.
const EXACT: &str = "to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";

/// How many messages are read at a time by whoever goes through them; those that go on get more.
const FIRST_PAGE: usize = 16;
const LARGEST_PAGE: usize = 128;

/// All or nothing; an id that is taken fails it.
const IMPORT: &str = "\
     WITH chat AS (INSERT INTO ai_chats (id, workspace_id, creator_id, title, created_at, updated_at) \
         VALUES ($1::uuid, $2, $3, $4::text, $5::timestamptz, $6::timestamptz)) \
     INSERT INTO ai_chat_messages \
         (id, chat_id, workspace_id, user_id, role, content, tool_calls, metadata, status, created_at, updated_at) \
     SELECT id, chat_id, workspace_id, user_id, role, content, tool_calls, metadata, status, created_at, updated_at \
         FROM json_populate_recordset(NULL::ai_chat_messages, $7::json)";

/// Rows of another writer's that nobody will end any more. A run's message is its owner's, or a sweep's.
const SETTLE_STRAYS: &str = "\
     WITH at AS MATERIALIZED (SELECT turnkeep_now() AS now), \
     settled AS (UPDATE ai_chat_messages AS message SET status = 'aborted', updated_at = now FROM at \
         WHERE message.status = 'streaming' AND message.role = 'assistant' \
         AND message.updated_at <= now - make_interval(secs => $1::float8) \
         AND NOT EXISTS (SELECT FROM ai_chat_runs AS run WHERE run.assistant_message_id = message.id \
             AND run.status IN ('pending', 'running')) RETURNING message.id) \
     SELECT COUNT(*) AS settled FROM settled";

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
         created_at, updated_at, {EXACT} AS exact FROM ai_chat_messages \
         WHERE chat_id = $1::uuid AND deleted_at IS NULL \
         AND ($2::timestamptz IS NULL OR (created_at, id) > ($2::timestamptz, $3::uuid)) \
         AND (created_at, id) <= ($4::timestamptz, $5::uuid) \
         ORDER BY ai_chat_messages.created_at, ai_chat_messages.id LIMIT $6::bigint"
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

    async fn chat_of_message(&self, message_id: MessageId) -> Result<Option<ChatId>> {
        const CHAT: &str = "SELECT chat_id::text AS id FROM ai_chat_messages WHERE id = $1::uuid";
        let found = self.database.query(CHAT, &values![message_id]).await?;
        let Some(row) = found.first() else { return Ok(None) };
        Ok(rows::get::<&str>(row, "id")?.parse().ok())
    }

    async fn messages(&self, chat_id: ChatId, limit: usize) -> Result<Vec<Message>> {
        let statement = format!(
            "SELECT {MESSAGE_COLUMNS} FROM ai_chat_messages AS message \
             WHERE message.chat_id = $1::uuid AND deleted_at IS NULL \
             ORDER BY message.created_at DESC, message.id DESC LIMIT $2::bigint"
        );
        let found = self.database.query(&statement, &values![chat_id, limited(limit)]).await?;
        found.iter().rev().map(rows::message).collect()
    }

    async fn messages_before(&self, chat_id: ChatId, before: MessageId, limit: usize) -> Result<Vec<Message>> {
        let values = values![chat_id, limited(limit), before];
        let statement = format!(
            "SELECT {MESSAGE_COLUMNS} FROM ai_chat_messages AS message \
             WHERE message.chat_id = $1::uuid AND deleted_at IS NULL AND (message.created_at, message.id) < \
             (SELECT one.created_at, one.id FROM ai_chat_messages AS one \
             WHERE one.id = $3::uuid AND one.chat_id = $1::uuid) \
             ORDER BY message.created_at DESC, message.id DESC LIMIT $2::bigint"
        );
        let found = self.database.query(&statement, &values).await?;
        found.iter().rev().map(rows::message).collect()
    }

    async fn message_span(&self, chat_id: ChatId, limit: usize) -> Result<MessageSpan> {
        let statement = format!(
            "WITH message AS (SELECT id::text AS id, {EXACT} AS exact, ROW_NUMBER() OVER \
             (ORDER BY created_at DESC, id DESC) AS place FROM ai_chat_messages \
             WHERE chat_id = $1::uuid AND deleted_at IS NULL) \
             SELECT id, exact, place, (SELECT COUNT(*) FROM message) AS count FROM message \
             WHERE place = 1 OR place = $2::bigint + 1 ORDER BY place"
        );
        let found = self.database.query(&statement, &values![chat_id, limited(limit)]).await?;
        let place =
            |row| Ok::<_, Error>(MessagePlace { created_at: rows::get(row, "exact")?, id: rows::get(row, "id")? });
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
        let (mut after, mut page) = (span.after.clone(), FIRST_PAGE);
        loop {
            let values = values![
                span.chat_id,
                after.as_ref().map(|place| &place.created_at),
                after.as_ref().map(|place| &place.id),
                &last.created_at,
                &last.id,
                limited(page),
            ];
            let rows = self.database.query(&visit, &values).await?;
            for row in &rows {
                if !shown(row, &mut visitor)? {
                    return Ok(());
                }
            }
            match rows.last() {
                Some(row) if rows.len() == page => {
                    after = Some(MessagePlace { created_at: rows::get(row, "exact")?, id: rows::get(row, "id")? });
                }
                _ => return Ok(()),
            }
            page = (page * 2).min(LARGEST_PAGE);
        }
    }

    async fn import_chat(&self, chat: Chat, messages: Vec<Message>) -> Result<()> {
        check_id("workspaceId", &chat.workspace_id, self.ids.workspace)?;
        check_id("userId", &chat.creator_id, self.ids.user)?;
        // All rows as one document, which the server takes apart by the types of its own columns.
        let rows: Vec<ImportedMessage<'_>> = messages.iter().map(ImportedMessage::of).collect();
        let rows = serde_json::to_string(&rows).map_err(|_| Error::internal("a row could not be encoded"))?;
        let values = values![
            chat.id,
            &chat.workspace_id,
            &chat.creator_id,
            chat.title.clone().map(storable),
            chat.created_at.to_string(),
            chat.updated_at.to_string(),
            rows,
        ];
        self.database.query(IMPORT, &values).await.map(|_| ())
    }

    async fn name_chat(&self, chat_id: ChatId, title: &str) -> Result<bool> {
        const NAME: &str = "UPDATE ai_chats SET title = $2::text, updated_at = turnkeep_now() \
             WHERE id = $1::uuid AND deleted_at IS NULL AND coalesce(title, '') = '' RETURNING true AS named";
        self.database.query(NAME, &values![chat_id, title]).await.map(|rows| !rows.is_empty())
    }

    async fn settle_stray_messages(&self) -> Result<usize> {
        let row = self.database.query_one(SETTLE_STRAYS, &values![seconds(UNTOUCHED_WITHOUT_LEASE)]).await?;
        Ok(usize::try_from(rows::get::<i64>(&row, "settled")?).unwrap_or(0))
    }
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
