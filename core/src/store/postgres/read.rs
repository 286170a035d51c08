//! Questions, and imports.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::id::{AgentRoleId, ChatId, MessageId, RunId};
use crate::model::{Chat, Json, Message, Run};
use crate::store::{
    MessageFields, MessagePlace, MessageSpan, MessageVisitor, RolePrompt, STOP_NOTES_KEPT, StoredMessage,
    model_config_of,
};
use crate::text::storable;

use super::PostgresStore;
use super::migrate::check_id;
use super::rows::{self, CHAT_COLUMNS, MESSAGE_COLUMNS, RUN_COLUMNS, WAITING_COLUMNS};
use super::value::values;

/// A time to the microsecond, which is what the server knows: rows of one millisecond have an order.
const EXACT: &str = "to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";

/// How many messages are read at a time by whoever goes through them; those that go on get more.
const FIRST_PAGE: usize = 16;
const LARGEST_PAGE: usize = 128;

/// Statements of this file, built once.
pub(super) struct Statements {
    run: String,
    runs_of_chat: String,
    runs_before: String,
    active: String,
    latest: String,
    of_message: String,
    chat: String,
    messages: String,
    messages_before: String,
    span: String,
    visits: [String; 3],
}

impl Statements {
    pub(super) fn new() -> Self {
        let runs = |rest: &str| format!("SELECT {RUN_COLUMNS} FROM ai_chat_runs AS run {rest}");
        let visit = |large: &str| {
            format!(
                "SELECT id::text AS id, user_id::text AS user_id, role::text AS role, {large}, status::text AS status, \
                 created_at, updated_at, {EXACT} AS exact FROM ai_chat_messages \
                 WHERE chat_id = $1::uuid AND deleted_at IS NULL \
                 AND ($2::timestamptz IS NULL OR (created_at, id) > ($2::timestamptz, $3::uuid)) \
                 AND (created_at, id) <= ($4::timestamptz, $5::uuid) \
                 ORDER BY ai_chat_messages.created_at, ai_chat_messages.id LIMIT $6::bigint"
            )
        };
        Self {
            run: format!(
                "{} UNION ALL SELECT {WAITING_COLUMNS} FROM ai_chat_run_queue AS run WHERE run.id = $1::uuid LIMIT 1",
                runs("WHERE run.id = $1::uuid")
            ),
            runs_of_chat: format!(
                "(SELECT {WAITING_COLUMNS} FROM ai_chat_run_queue AS run WHERE run.chat_id = $1::uuid \
                 ORDER BY run.created_at DESC, run.id DESC LIMIT $2::bigint) UNION ALL ({})",
                runs("WHERE run.chat_id = $1::uuid ORDER BY run.created_at DESC, run.id DESC LIMIT $2::bigint")
            ),
            runs_before: format!(
                "WITH place AS (SELECT created_at, id, true AS waits FROM ai_chat_run_queue \
                 WHERE id = $3::uuid AND chat_id = $1::uuid UNION ALL \
                 SELECT created_at, id, false FROM ai_chat_runs WHERE id = $3::uuid AND chat_id = $1::uuid) \
                 (SELECT {WAITING_COLUMNS} FROM ai_chat_run_queue AS run WHERE run.chat_id = $1::uuid \
                 AND (run.created_at, run.id) < (SELECT place.created_at, place.id FROM place WHERE place.waits) \
                 ORDER BY run.created_at DESC, run.id DESC LIMIT $2::bigint) UNION ALL ({})",
                runs(
                    "WHERE run.chat_id = $1::uuid AND (EXISTS (SELECT 1 FROM place WHERE place.waits) OR \
                     (run.created_at, run.id) < (SELECT place.created_at, place.id FROM place)) \
                     ORDER BY run.created_at DESC, run.id DESC LIMIT $2::bigint"
                )
            ),
            active: runs("WHERE run.chat_id = $1::uuid AND run.status IN ('pending', 'running')"),
            latest: runs("WHERE run.chat_id = $1::uuid ORDER BY run.created_at DESC, run.id DESC LIMIT 1"),
            of_message: runs(
                "WHERE run.assistant_message_id = $1::uuid ORDER BY run.created_at DESC, run.id DESC LIMIT 1",
            ),
            chat: format!("SELECT {CHAT_COLUMNS} FROM ai_chats WHERE id = $1::uuid AND deleted_at IS NULL"),
            messages: format!(
                "SELECT {MESSAGE_COLUMNS} FROM ai_chat_messages AS message \
                 WHERE message.chat_id = $1::uuid AND deleted_at IS NULL \
                 ORDER BY message.created_at DESC, message.id DESC LIMIT $2::bigint"
            ),
            messages_before: format!(
                "SELECT {MESSAGE_COLUMNS} FROM ai_chat_messages AS message \
                 WHERE message.chat_id = $1::uuid AND deleted_at IS NULL AND (message.created_at, message.id) < \
                 (SELECT one.created_at, one.id FROM ai_chat_messages AS one \
                 WHERE one.id = $3::uuid AND one.chat_id = $1::uuid) \
                 ORDER BY message.created_at DESC, message.id DESC LIMIT $2::bigint"
            ),
            span: format!(
                "WITH message AS (SELECT id::text AS id, {EXACT} AS exact, ROW_NUMBER() OVER \
                 (ORDER BY created_at DESC, id DESC) AS place FROM ai_chat_messages \
                 WHERE chat_id = $1::uuid AND deleted_at IS NULL) \
                 SELECT id, exact, place, (SELECT COUNT(*) FROM message) AS count FROM message \
                 WHERE place = 1 OR place = $2::bigint + 1 ORDER BY place"
            ),
            // Large values lie apart from their rows, and are fetched only for columns that are asked for.
            visits: [
                visit("NULL::text AS content, NULL::text AS tool_calls, metadata::text AS metadata"),
                visit("content::text AS content, NULL::text AS tool_calls, metadata::text AS metadata"),
                visit("content::text AS content, tool_calls::text AS tool_calls, metadata::text AS metadata"),
            ],
        }
    }

    fn visit(&self, fields: MessageFields) -> &str {
        let [metadata, shown, all] = &self.visits;
        match fields {
            MessageFields::Metadata => metadata,
            MessageFields::Shown => shown,
            MessageFields::All => all,
        }
    }
}

fn limited(limit: usize) -> i64 {
    // One more than this is asked for in places.
    i64::try_from(limit).unwrap_or(i64::MAX).min(i64::MAX - 1)
}

impl PostgresStore {
    async fn one_run(&self, sql: &str, id: super::value::Value<'_>) -> Result<Option<Run>> {
        self.database.query(sql, &[id]).await?.first().map(rows::run).transpose()
    }

    pub(super) async fn run_by_id(&self, run_id: RunId) -> Result<Option<Run>> {
        self.one_run(&self.read.run, run_id.into()).await
    }

    pub(super) async fn active(&self, chat_id: ChatId) -> Result<Option<Run>> {
        self.one_run(&self.read.active, chat_id.into()).await
    }

    pub(super) async fn latest(&self, chat_id: ChatId) -> Result<Option<Run>> {
        self.one_run(&self.read.latest, chat_id.into()).await
    }

    pub(super) async fn shown_run(&self, message_id: MessageId) -> Result<Option<Run>> {
        self.one_run(&self.read.of_message, message_id.into()).await
    }

    pub(super) async fn chat_with_message(&self, message_id: MessageId) -> Result<Option<ChatId>> {
        const CHAT: &str = "SELECT chat_id::text AS id FROM ai_chat_messages WHERE id = $1::uuid";
        let found = self.database.query(CHAT, &values![message_id]).await?;
        let Some(row) = found.first() else { return Ok(None) };
        Ok(rows::get::<&str>(row, "id")?.parse().ok())
    }

    pub(super) async fn runs_in_chat(&self, chat_id: ChatId, limit: usize) -> Result<Vec<Run>> {
        let found = self.database.query(&self.read.runs_of_chat, &values![chat_id, limited(limit)]).await?;
        found.iter().take(limit).map(rows::run).collect()
    }

    pub(super) async fn older_runs(&self, chat_id: ChatId, before: RunId, limit: usize) -> Result<Vec<Run>> {
        let found = self.database.query(&self.read.runs_before, &values![chat_id, limited(limit), before]).await?;
        found.iter().take(limit).map(rows::run).collect()
    }

    pub(super) async fn write_stop_note(&self, workspace_id: &str, user_id: &str, key: &str) -> Result<()> {
        const NOTE: &str = "\
             WITH forgotten AS (DELETE FROM turnkeep_stop_notes \
                 WHERE noted_at < turnkeep_now() - $4::bigint * interval '1 second') \
             INSERT INTO turnkeep_stop_notes (workspace_id, user_id, idempotency_key, noted_at) \
             VALUES ($1::text, $2::text, $3::text, turnkeep_now()) \
             ON CONFLICT (workspace_id, user_id, idempotency_key) DO UPDATE SET noted_at = excluded.noted_at";
        check_id("workspaceId", workspace_id, self.ids.workspace)?;
        check_id("userId", user_id, self.ids.user)?;
        check_id("idempotencyKey", key, false)?;
        let values = values![workspace_id, user_id, key, i64::try_from(STOP_NOTES_KEPT.as_secs()).unwrap_or(i64::MAX)];
        self.database.query(NOTE, &values).await.map(|_| ())
    }

    pub(super) async fn has_stop_note(&self, workspace_id: &str, user_id: &str, key: &str) -> Result<bool> {
        const NOTED: &str = "SELECT 1 AS noted FROM turnkeep_stop_notes \
             WHERE workspace_id = $1::text AND user_id = $2::text AND idempotency_key = $3::text";
        Ok(!self.database.query(NOTED, &values![workspace_id, user_id, key]).await?.is_empty())
    }

    pub(super) async fn keyed_run(&self, workspace_id: &str, user_id: &str, key: &str) -> Result<Option<RunId>> {
        const KEYED: &str = "\
             SELECT id::text AS id FROM ai_chat_runs \
             WHERE workspace_id = $1 AND created_by = $2 AND idempotency_key = $3::text \
             UNION ALL SELECT id::text FROM ai_chat_run_queue \
             WHERE workspace_id = $1 AND created_by = $2 AND idempotency_key = $3::text";
        // Ids that cannot be in this database have no runs.
        if check_id("", workspace_id, self.ids.workspace).is_err()
            || check_id("", user_id, self.ids.user).is_err()
            || check_id("", key, false).is_err()
        {
            return Ok(None);
        }
        let found = self.database.query(KEYED, &values![workspace_id, user_id, key]).await?;
        found.first().map(|row| rows::id(row, "id")).transpose()
    }

    pub(super) async fn chat_by_id(&self, chat_id: ChatId) -> Result<Option<Chat>> {
        self.database.query(&self.read.chat, &values![chat_id]).await?.first().map(rows::chat).transpose()
    }

    pub(super) async fn newest_messages(&self, chat_id: ChatId, limit: usize) -> Result<Vec<Message>> {
        let found = self.database.query(&self.read.messages, &values![chat_id, limited(limit)]).await?;
        found.iter().rev().map(rows::message).collect()
    }

    pub(super) async fn older_messages(
        &self,
        chat_id: ChatId,
        before: MessageId,
        limit: usize,
    ) -> Result<Vec<Message>> {
        let values = values![chat_id, limited(limit), before];
        let found = self.database.query(&self.read.messages_before, &values).await?;
        found.iter().rev().map(rows::message).collect()
    }

    pub(super) async fn span(&self, chat_id: ChatId, limit: usize) -> Result<MessageSpan> {
        let found = self.database.query(&self.read.span, &values![chat_id, limited(limit)]).await?;
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

    pub(super) async fn visit(
        &self,
        span: &MessageSpan,
        fields: MessageFields,
        mut visitor: MessageVisitor,
    ) -> Result<()> {
        let Some(last) = &span.last else { return Ok(()) };
        self.database.ensure_open()?;
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
            let rows = self.database.query(self.read.visit(fields), &values).await?;
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

    pub(super) async fn import(&self, chat: &Chat, messages: &[Message]) -> Result<()> {
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

    pub(super) async fn role_prompt(&self, workspace_id: &str, role_id: AgentRoleId) -> Result<Option<RolePrompt>> {
        const ROLE: &str = "SELECT name::text AS name, instructions::text AS instructions, \
             model_config::text AS model_config FROM ai_agent_roles \
             WHERE id = $1::uuid AND workspace_id = $2 AND enabled AND deleted_at IS NULL";
        if check_id("", workspace_id, self.ids.workspace).is_err() {
            return Ok(None);
        }
        let found = self.database.query(ROLE, &values![role_id, workspace_id]).await?;
        let role = |row| {
            let model_config: Option<String> = rows::get(row, "model_config")?;
            Ok(RolePrompt {
                name: rows::get(row, "name")?,
                instructions: rows::get(row, "instructions")?,
                model_config: model_config.as_deref().and_then(model_config_of),
            })
        };
        found.first().map(role).transpose()
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

/// All or nothing; an id that is taken fails it.
const IMPORT: &str = "\
     WITH chat AS (INSERT INTO ai_chats (id, workspace_id, creator_id, title, created_at, updated_at) \
         VALUES ($1::uuid, $2, $3, $4::text, $5::timestamptz, $6::timestamptz)) \
     INSERT INTO ai_chat_messages \
         (id, chat_id, workspace_id, user_id, role, content, tool_calls, metadata, status, created_at, updated_at) \
     SELECT id, chat_id, workspace_id, user_id, role, content, tool_calls, metadata, status, created_at, updated_at \
         FROM json_populate_recordset(NULL::ai_chat_messages, $7::json)";

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
