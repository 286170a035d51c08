//! What is asked of chats, messages and runs; imports and names.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::{AgentRoleId, ChatId, MessageId, RunId};
use crate::model::{Chat, Json, Message, Run};
use crate::store::{LoggedStep, MessageFields, MessagePlace, MessageSpan, MessageVisitor, RolePrompt, model_config_of};

use super::rows::{self, ACTIVE, CHAT_COLUMNS, MESSAGE_COLUMNS, RUN_COLUMNS, STEP_COLUMNS, WAITING_COLUMNS};
use super::store_error;

/// Rows of a list; one that cannot be read costs itself and nothing else.
fn readable<T>(rows: impl Iterator<Item = rusqlite::Result<T>>) -> rusqlite::Result<Vec<T>> {
    let mut found = Vec::new();
    for row in rows {
        match row {
            Ok(row) => found.push(row),
            Err(error @ rusqlite::Error::SqliteFailure(..)) => return Err(error),
            Err(error) => tracing::error!(%error, "a row is left out of a list"),
        }
    }
    Ok(found)
}

fn one_run(connection: &Connection, condition: &str, id: String) -> Result<Option<Run>> {
    connection
        .prepare_cached(&format!("SELECT {RUN_COLUMNS} FROM ai_chat_runs WHERE {condition}"))
        .and_then(|mut statement| statement.query_row([id], rows::run).optional())
        .map_err(store_error)
}

pub(super) fn run(connection: &Connection, run_id: RunId) -> Result<Option<Run>> {
    let begun = one_run(connection, "id = ?1", run_id.to_string())?;
    if begun.is_some() {
        return Ok(begun);
    }
    connection
        .prepare_cached(&format!("SELECT {WAITING_COLUMNS} FROM ai_chat_run_queue WHERE id = ?1"))
        .and_then(|mut statement| statement.query_row([run_id.to_string()], rows::run).optional())
        .map_err(store_error)
}

pub(super) fn active_run(connection: &Connection, chat_id: ChatId) -> Result<Option<Run>> {
    one_run(connection, &format!("chat_id = ?1 AND {ACTIVE}"), chat_id.to_string())
}

pub(super) fn runs_of_chat(connection: &Connection, chat_id: ChatId, limit: usize) -> Result<Vec<Run>> {
    let mut runs = some_runs(connection, WAITING, "", chat_id, None, limit)?;
    runs.extend(some_runs(connection, BEGUN, "", chat_id, None, limit)?);
    runs.truncate(limit);
    Ok(runs)
}

pub(super) fn runs_before(connection: &Connection, chat_id: ChatId, before: RunId, limit: usize) -> Result<Vec<Run>> {
    let place = |table: &str| {
        format!("AND (created_at, id) < (SELECT created_at, id FROM {table} WHERE id = ?3 AND chat_id = ?1)")
    };
    let (_, queue) = WAITING;
    // Those that wait come before all that have begun.
    let waiting = some_runs(connection, WAITING, &place(queue), chat_id, Some(before), limit)?;
    let (_, begun) = BEGUN;
    let waits = format!("EXISTS (SELECT 1 FROM {queue} WHERE id = ?3 AND chat_id = ?1)");
    let rest = format!(
        "AND ({waits} OR (created_at, id) < (SELECT created_at, id FROM {begun} WHERE id = ?3 AND chat_id = ?1))"
    );
    let mut runs = waiting;
    runs.extend(some_runs(connection, BEGUN, &rest, chat_id, Some(before), limit)?);
    runs.truncate(limit);
    Ok(runs)
}

/// The columns of runs, and the table that they are in.
type Source = (&'static str, &'static str);
const WAITING: Source = (WAITING_COLUMNS, "ai_chat_run_queue");
const BEGUN: Source = (RUN_COLUMNS, "ai_chat_runs");

/// Newest first.
fn some_runs(
    connection: &Connection,
    (columns, table): Source,
    filter: &str,
    chat_id: ChatId,
    before: Option<RunId>,
    limit: usize,
) -> Result<Vec<Run>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let sql =
        format!("SELECT {columns} FROM {table} WHERE chat_id = ?1 {filter} ORDER BY created_at DESC, id DESC LIMIT ?2");
    let (chat_id, before) = (chat_id.to_string(), before.map(|before| before.to_string()));
    let found = connection.prepare_cached(&sql).and_then(|mut statement| match before {
        Some(before) => readable(statement.query_map(params![chat_id, limit, before], rows::run)?),
        None => readable(statement.query_map(params![chat_id, limit], rows::run)?),
    });
    found.map_err(store_error)
}

pub(super) fn latest_run(connection: &Connection, chat_id: ChatId) -> Result<Option<Run>> {
    one_run(connection, "chat_id = ?1 ORDER BY created_at DESC, id DESC LIMIT 1", chat_id.to_string())
}

pub(super) fn run_of_message(connection: &Connection, message_id: MessageId) -> Result<Option<Run>> {
    one_run(connection, "assistant_message_id = ?1 ORDER BY created_at DESC, id DESC LIMIT 1", message_id.to_string())
}

pub(super) fn chat_of_message(connection: &Connection, message_id: MessageId) -> Result<Option<ChatId>> {
    let chat_id: Option<String> = connection
        .prepare_cached("SELECT chat_id FROM ai_chat_messages WHERE id = ?1")
        .and_then(|mut statement| statement.query_row([message_id.to_string()], |row| row.get(0)).optional())
        .map_err(store_error)?;
    Ok(chat_id.and_then(|chat_id| chat_id.parse().ok()))
}

pub(super) fn steps(connection: &Connection, run_id: RunId) -> Result<Vec<LoggedStep>> {
    connection
        .prepare_cached(&format!("SELECT {STEP_COLUMNS} FROM ai_chat_run_steps WHERE run_id = ?1 ORDER BY step_number"))
        .and_then(|mut statement| statement.query_map([run_id.to_string()], rows::step)?.collect())
        .map_err(store_error)
}

pub(super) fn chat(connection: &Connection, chat_id: ChatId) -> Result<Option<Chat>> {
    connection
        .prepare_cached(&format!("SELECT {CHAT_COLUMNS} FROM ai_chats WHERE id = ?1 AND deleted_at IS NULL"))
        .and_then(|mut statement| statement.query_row([chat_id.to_string()], rows::chat).optional())
        .map_err(store_error)
}

pub(super) fn messages(connection: &Connection, chat_id: ChatId, limit: usize) -> Result<Vec<Message>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut newest_first: Vec<Message> = connection
        .prepare_cached(&format!(
            "SELECT {MESSAGE_COLUMNS} FROM ai_chat_messages WHERE chat_id = ?1 AND deleted_at IS NULL \
             ORDER BY created_at DESC, id DESC LIMIT ?2"
        ))
        .and_then(|mut statement| readable(statement.query_map(params![chat_id.to_string(), limit], rows::message)?))
        .map_err(store_error)?;
    newest_first.reverse();
    Ok(newest_first)
}

pub(super) fn messages_before(
    connection: &Connection,
    chat_id: ChatId,
    before: MessageId,
    limit: usize,
) -> Result<Vec<Message>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut newest_first: Vec<Message> = connection
        .prepare_cached(&format!(
            "SELECT {MESSAGE_COLUMNS} FROM ai_chat_messages WHERE chat_id = ?1 AND deleted_at IS NULL \
             AND (created_at, id) < (SELECT created_at, id FROM ai_chat_messages WHERE id = ?3 AND chat_id = ?1) \
             ORDER BY created_at DESC, id DESC LIMIT ?2"
        ))
        .and_then(|mut statement| {
            let values = params![chat_id.to_string(), limit, before.to_string()];
            readable(statement.query_map(values, rows::message)?)
        })
        .map_err(store_error)?;
    newest_first.reverse();
    Ok(newest_first)
}

pub(super) fn message_span(connection: &Connection, chat_id: ChatId, limit: usize) -> Result<MessageSpan> {
    let place = |row: &Row<'_>| Ok(MessagePlace { created_at: row.get(0)?, id: row.get(1)? });
    let nth_newest = |offset: usize| {
        connection
            .prepare_cached(
                "SELECT created_at, id FROM ai_chat_messages WHERE chat_id = ?1 AND deleted_at IS NULL \
                 ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET ?2",
            )
            .and_then(|mut statement| {
                let offset = i64::try_from(offset).unwrap_or(i64::MAX);
                statement.query_row(params![chat_id.to_string(), offset], place).optional()
            })
            .map_err(store_error)
    };
    let count: i64 = connection
        .prepare_cached("SELECT COUNT(*) FROM ai_chat_messages WHERE chat_id = ?1 AND deleted_at IS NULL")
        .and_then(|mut statement| statement.query_row([chat_id.to_string()], |row| row.get(0)))
        .map_err(store_error)?;
    let count = usize::try_from(count).unwrap_or(0);
    let after = if count > limit { nth_newest(limit)? } else { None };
    Ok(MessageSpan { chat_id, count: count.min(limit), older_left_out: count > limit, after, last: nth_newest(0)? })
}

pub(super) fn visit_messages(
    connection: &Connection,
    span: &MessageSpan,
    fields: MessageFields,
    mut visitor: MessageVisitor,
) -> Result<()> {
    let Some(last) = &span.last else {
        return Ok(());
    };
    // Large values lie on pages of their own, which are read only for columns that are asked for.
    let large = match fields {
        MessageFields::Metadata => "NULL, NULL, metadata",
        MessageFields::Shown => "content, NULL, metadata",
        MessageFields::All => "content, tool_calls, metadata",
    };
    let (after_time, after_id) = match &span.after {
        Some(after) => (after.created_at.as_str(), after.id.as_str()),
        None => ("", ""),
    };
    let mut statement = connection
        .prepare_cached(&format!(
            "SELECT id, user_id, role, {large}, status, created_at, updated_at FROM ai_chat_messages \
             WHERE chat_id = ?1 AND deleted_at IS NULL AND (created_at, id) > (?2, ?3) AND (created_at, id) <= (?4, ?5) \
             ORDER BY created_at, id"
        ))
        .map_err(store_error)?;
    let mut rows = statement
        .query(params![span.chat_id.to_string(), after_time, after_id, last.created_at, last.id])
        .map_err(store_error)?;
    while let Some(row) = rows.next().map_err(store_error)? {
        let message = rows::stored_message(row).map_err(store_error)?;
        if visitor(&message).is_break() {
            break;
        }
    }
    Ok(())
}

pub(super) fn import_chat(connection: &Connection, chat: &Chat, messages: &[Message]) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO ai_chats (id, workspace_id, creator_id, title, created_at, updated_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .and_then(|mut statement| {
            let (created, updated) = (chat.created_at.to_string(), chat.updated_at.to_string());
            statement.execute(params![
                chat.id.to_string(),
                chat.workspace_id,
                chat.creator_id,
                chat.title,
                created,
                updated
            ])
        })
        .map_err(store_error)?;
    let mut statement = connection
        .prepare_cached(
            "INSERT INTO ai_chat_messages (id, chat_id, workspace_id, user_id, role, content, tool_calls, metadata, \
             status, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )
        .map_err(store_error)?;
    for message in messages {
        statement
            .execute(params![
                message.id.to_string(),
                message.chat_id.to_string(),
                message.workspace_id,
                message.user_id,
                message.role.as_str(),
                message.content,
                message.tool_calls.as_ref().map(Json::get),
                message.metadata.as_ref().map(Json::get),
                message.status.map(|status| status.as_str()),
                message.created_at.to_string(),
                message.updated_at.to_string(),
            ])
            .map_err(store_error)?;
    }
    Ok(())
}

pub(super) fn role(connection: &Connection, workspace_id: &str, role_id: AgentRoleId) -> Result<Option<RolePrompt>> {
    connection
        .query_row(
            "SELECT name, instructions, model_config FROM ai_agent_roles \
             WHERE id = ?1 AND workspace_id = ?2 AND enabled = 1 AND deleted_at IS NULL",
            [role_id.to_string().as_str(), workspace_id],
            |row| {
                let model_config: Option<String> = row.get(2)?;
                let model_config = model_config.as_deref().and_then(model_config_of);
                Ok(RolePrompt { name: row.get(0)?, instructions: row.get(1)?, model_config })
            },
        )
        .optional()
        .map_err(store_error)
}

pub(super) fn name_chat(connection: &Connection, now: Timestamp, chat_id: ChatId, title: &str) -> Result<bool> {
    let named = connection.execute(
        "UPDATE ai_chats SET title = ?2, updated_at = ?3 \
         WHERE id = ?1 AND deleted_at IS NULL AND coalesce(title, '') = ''",
        params![chat_id.to_string(), title, now.to_string()],
    );
    named.map(|named| named == 1).map_err(store_error)
}
