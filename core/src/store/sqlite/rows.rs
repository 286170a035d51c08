//! Rows as the model's types.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Row;
use rusqlite::types::Type;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::{
    AgentRole, Chat, FinishReason, Json, Message, MessageRole, MessageStatus, Run, RunReason, RunStatus, StepRecord,
    Trigger, Usage,
};
use crate::project::AssistantFlush;
use crate::role::stored_model_config;
use crate::store::mcp::allowlist;
use crate::store::{
    BeginRun, ChunkPack, LoggedStep, NewUserMessage, RunPlan, StepNumbers, StoredMcpServer, StoredMessage,
};
use crate::text::one_line;

/// The runs that somebody drives, or may; spelled as in the partial indexes, so that they serve.
pub(super) const DRIVEN: &str = "status IN ('pending', 'running')";
/// The runs that hold a gate, spelled as in its index.
pub(super) const HELD: &str = "(status IN ('pending', 'running') OR (status = 'waiting' AND frees_chat = 0))";
/// The runs that have not ended.
pub(super) const ACTIVE: &str = "status IN ('pending', 'running', 'waiting')";
/// The runs that wait and were asked to stop, spelled as in their index.
pub(super) const WAITING_STOPPED: &str = "status = 'waiting' AND stop_requested_at IS NOT NULL";

pub(super) const RUN_COLUMNS: &str = "id, chat_id, workspace_id, created_by, trigger, status, reason, error, failure, \
     MAX(step_count, COALESCE((SELECT MAX(step_number) + 1 FROM ai_chat_run_steps \
         WHERE run_id = ai_chat_runs.id AND state = 'finished'), 0)) AS step_count, stop_requested_at, assistant_message_id, created_at, started_at, finished_at, updated_at";
pub(super) const MESSAGE_COLUMNS: &str =
    "id, chat_id, workspace_id, user_id, role, content, tool_calls, metadata, status, created_at, updated_at";
pub(super) const CHAT_COLUMNS: &str = "id, workspace_id, creator_id, title, role_id, page_id, created_at, updated_at";
pub(super) const ROLE_COLUMNS: &str = "id, name, emoji, description, instructions, model_config, enabled, auto_start, \
     launch_message, created_at, updated_at";
pub(super) const MCP_COLUMNS: &str = "id, name, transport, url, headers_enc, tool_allowlist, instructions, enabled, \
     created_at, updated_at";
pub(super) const STEP_COLUMNS: &str = "step_number, state, parts, finish_reason, usage, packed_until, next_sequence";
/// A run that waits, in the columns of one that has begun.
pub(super) const WAITING_COLUMNS: &str = "id, chat_id, workspace_id, created_by, trigger, 'pending' AS status, NULL AS reason, \
     NULL AS error, NULL AS failure, 0 AS step_count, stop_requested_at, assistant_message_id, created_at, NULL AS started_at, \
     NULL AS finished_at, created_at AS updated_at";

type SqlResult<T> = rusqlite::Result<T>;

/// A row is data from outside: what cannot be read is said by its place, never by what stands there.
fn malformed(row: &Row<'_>, column: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, place(row, column).into())
}

fn place(row: &Row<'_>, column: &str) -> String {
    let table = if row.as_ref().column_index("parts").is_ok() || row.as_ref().column_index("chunks").is_ok() {
        "the log"
    } else if row.as_ref().column_index("trigger").is_ok() {
        "ai_chat_runs"
    } else if row.as_ref().column_index("role").is_ok() {
        "ai_chat_messages"
    } else if row.as_ref().column_index("headers_enc").is_ok() {
        "ai_mcp_servers"
    } else if row.as_ref().column_index("instructions").is_ok() {
        "ai_agent_roles"
    } else {
        "a table"
    };
    let id = ["id", "run_id"].into_iter().find_map(|name| row.get::<_, String>(name).ok());
    let id = id.filter(|id| id.len() <= 64).map(|id| format!(" of {}", one_line(&id))).unwrap_or_default();
    format!("column {column} of {table}{id} cannot be read")
}

/// The value of a column that a row can do without: what cannot be read counts as missing, and the log says so.
fn tolerated<T>(row: &Row<'_>, column: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    let text = match row.get::<_, Option<String>>(column) {
        Ok(text) => text?,
        Err(_) => {
            tracing::warn!("{}", place(row, column));
            return None;
        }
    };
    let value = parse(&text);
    if value.is_none() {
        tracing::warn!("{}", place(row, column));
    }
    value
}

/// As [`tolerated`], for times, which are only shown.
pub(super) fn time(row: &Row<'_>, column: &str) -> Timestamp {
    tolerated(row, column, Timestamp::parse).unwrap_or(Timestamp::from_millis(0))
}

fn parsed<T>(row: &Row<'_>, column: &str, parse: impl FnOnce(&str) -> Option<T>) -> SqlResult<T> {
    let text: String = row.get(column)?;
    parse(&text).ok_or_else(|| malformed(row, column))
}

fn from_text<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn from_json<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

pub(super) fn id<T: FromStr>(row: &Row<'_>, column: &str) -> SqlResult<T> {
    parsed(row, column, from_text)
}

pub(super) fn value(row: &Row<'_>, column: &str) -> SqlResult<Json> {
    parsed(row, column, |text| Json::parse(text).ok())
}

pub(super) fn run(row: &Row<'_>) -> SqlResult<Run> {
    Ok(Run {
        id: parsed(row, "id", from_text)?,
        chat_id: parsed(row, "chat_id", from_text)?,
        workspace_id: row.get("workspace_id")?,
        created_by: row.get("created_by")?,
        trigger: Trigger::read(&row.get::<_, String>("trigger")?),
        status: RunStatus::read(&row.get::<_, String>("status")?),
        reason: row.get::<_, Option<String>>("reason")?.as_deref().map(RunReason::read),
        error: row.get("error")?,
        // What cannot be read is known by its sentence.
        failure: row.get::<_, Option<String>>("failure")?.as_deref().and_then(from_json),
        waiting_for: None,
        step_count: row.get("step_count")?,
        // Whatever stands there, somebody has asked.
        stop_requested_at: row.get::<_, Option<String>>("stop_requested_at")?.map(|_| time(row, "stop_requested_at")),
        assistant_message_id: tolerated(row, "assistant_message_id", from_text),
        created_at: time(row, "created_at"),
        started_at: tolerated(row, "started_at", Timestamp::parse),
        finished_at: tolerated(row, "finished_at", Timestamp::parse),
        updated_at: time(row, "updated_at"),
    })
}

pub(super) fn message(row: &Row<'_>) -> SqlResult<Message> {
    // Anything but an assistant's message is a user's; that is how the rows have always been read.
    let role: String = row.get("role")?;
    Ok(Message {
        id: parsed(row, "id", from_text)?,
        chat_id: parsed(row, "chat_id", from_text)?,
        workspace_id: row.get("workspace_id")?,
        user_id: row.get("user_id")?,
        role: MessageRole::parse(&role).unwrap_or(MessageRole::User),
        content: row.get::<_, Option<String>>("content")?.unwrap_or_default(),
        tool_calls: tolerated(row, "tool_calls", |text| Json::parse(text).ok()),
        metadata: tolerated(row, "metadata", |text| Json::parse(text).ok()),
        status: row.get::<_, Option<String>>("status")?.as_deref().map(MessageStatus::read),
        created_at: time(row, "created_at"),
        updated_at: time(row, "updated_at"),
    })
}

/// The columns `id, user_id, role, content, tool_calls, metadata, status, created_at, updated_at`, where they lie.
pub(super) fn stored_message<'a>(row: &'a Row<'_>) -> SqlResult<StoredMessage<'a>> {
    let text = |column: usize| -> SqlResult<Option<&'a str>> { Ok(row.get_ref(column)?.as_str_or_null()?) };
    let needed = |column: usize| -> SqlResult<&'a str> { Ok(row.get_ref(column)?.as_str()?) };
    Ok(StoredMessage {
        id: needed(0)?,
        user_id: text(1)?,
        role: needed(2)?,
        content: text(3)?,
        tool_calls: text(4)?,
        metadata: text(5)?,
        status: text(6)?,
        created_at: needed(7)?,
        exact_created_at: None,
        updated_at: needed(8)?,
    })
}

pub(super) fn chat(row: &Row<'_>) -> SqlResult<Chat> {
    Ok(Chat {
        id: parsed(row, "id", from_text)?,
        workspace_id: row.get("workspace_id")?,
        creator_id: row.get("creator_id")?,
        title: row.get("title")?,
        role_id: tolerated(row, "role_id", from_text),
        page_id: row.get("page_id")?,
        created_at: time(row, "created_at"),
        updated_at: time(row, "updated_at"),
    })
}

pub(super) fn role(row: &Row<'_>) -> SqlResult<AgentRole> {
    Ok(AgentRole {
        id: parsed(row, "id", from_text)?,
        name: row.get("name")?,
        emoji: row.get("emoji")?,
        description: row.get("description")?,
        instructions: row.get("instructions")?,
        model_config: tolerated(row, "model_config", stored_model_config),
        enabled: row.get("enabled")?,
        auto_start: row.get("auto_start")?,
        launch_message: row.get("launch_message")?,
        created_at: time(row, "created_at"),
        updated_at: time(row, "updated_at"),
    })
}

pub(super) fn mcp_server(row: &Row<'_>) -> SqlResult<StoredMcpServer> {
    Ok(StoredMcpServer {
        id: parsed(row, "id", from_text)?,
        name: row.get("name")?,
        transport: row.get("transport")?,
        url: row.get("url")?,
        headers_enc: row.get("headers_enc")?,
        tool_allowlist: allowlist(row.get::<_, Option<String>>("tool_allowlist")?.as_deref()),
        instructions: row.get("instructions")?,
        enabled: row.get("enabled")?,
        created_at: time(row, "created_at"),
        updated_at: time(row, "updated_at"),
    })
}

/// A number of the log, as SQLite has it.
pub(super) fn sequence(column: i64) -> u64 {
    u64::try_from(column).unwrap_or(0)
}

/// How much there is to read in the row.
pub(super) fn bytes(row: &Row<'_>) -> SqlResult<usize> {
    Ok(usize::try_from(row.get::<_, i64>("bytes")?).unwrap_or(usize::MAX))
}

/// Counts are no reason to lose a step.
pub(super) fn usage(row: &Row<'_>) -> Option<Usage> {
    tolerated(row, "usage", from_json)
}

pub(super) fn finish_reason(row: &Row<'_>) -> SqlResult<Option<FinishReason>> {
    Ok(row.get::<_, Option<String>>("finish_reason")?.as_deref().map(FinishReason::read))
}

pub(super) fn pack(row: &Row<'_>) -> SqlResult<ChunkPack> {
    Ok(ChunkPack {
        step_number: row.get("step_number")?,
        first_sequence: sequence(row.get("first_sequence")?),
        chunks: parsed(row, "chunks", |text| {
            let chunks: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            Some(chunks.into_iter().map(|chunk| Arc::from(chunk.get())).collect())
        })?,
    })
}

pub(super) fn step(row: &Row<'_>) -> SqlResult<LoggedStep> {
    let state: String = row.get("state")?;
    Ok(LoggedStep {
        step: StepRecord {
            number: row.get("step_number")?,
            parts: parsed(row, "parts", from_json)?,
            finish_reason: finish_reason(row)?,
            usage: usage(row),
        },
        finished: state == "finished",
        numbers: match (row.get("packed_until")?, row.get("next_sequence")?) {
            (Some(packed), Some(next)) => Some(StepNumbers { packed_until: sequence(packed), next: sequence(next) }),
            _ => None,
        },
    })
}

/// A run that waits, and its lease.
pub(super) struct WaitingRow {
    pub(super) begin: BeginRun,
    pub(super) lease_expires_at: String,
    pub(super) stop_requested: bool,
}

pub(super) fn waiting(row: &Row<'_>, assistant: &AssistantFlush) -> SqlResult<WaitingRow> {
    Ok(WaitingRow {
        begin: BeginRun {
            run_id: parsed(row, "id", from_text)?,
            chat_id: parsed(row, "chat_id", from_text)?,
            workspace_id: row.get("workspace_id")?,
            user_id: row.get("created_by")?,
            trigger: Trigger::read(&row.get::<_, String>("trigger")?),
            owner: row.get("owner")?,
            lease: Duration::ZERO,
            plan: row.get::<_, Option<String>>("plan")?.as_deref().and_then(RunPlan::parse),
            unowned: false,
            role_id: None,
            page_id: None,
            replaces: None,
            user_message: Some(NewUserMessage {
                id: parsed(row, "user_message_id", from_text)?,
                content: row.get("user_content")?,
                metadata: tolerated(row, "user_metadata", |text| Json::parse(text).ok())
                    .unwrap_or_else(Json::empty_object),
            }),
            assistant_message_id: parsed(row, "assistant_message_id", from_text)?,
            assistant: assistant.clone(),
            idempotency_key: row.get("idempotency_key")?,
            from_queue: true,
        },
        lease_expires_at: row.get("lease_expires_at")?,
        stop_requested: row.get::<_, Option<String>>("stop_requested_at")?.is_some(),
    })
}

/// Why a stop was asked for, if it was, in the first two columns.
pub(super) fn stop_reason(row: &Row<'_>) -> SqlResult<Option<RunReason>> {
    Ok(stop_reason_of(row.get(0)?, row.get(1)?))
}

/// The reason of a stop that somebody asked for; older rows have none.
pub(super) fn stop_reason_of(asked: bool, reason: Option<String>) -> Option<RunReason> {
    asked.then(|| reason.map_or(RunReason::Stopped, |word| RunReason::read(&word)))
}

/// A value as it is stored.
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal("a row could not be encoded").with_source(error))
}
