//! Rows as the model's types. Ids come as text, times as the server's own type.

use std::error::Error as _;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::RunId;
use crate::model::{
    AgentRole, Chat, FinishReason, Json, Message, MessageRole, MessageStatus, Run, RunReason, RunStatus, StepRecord,
    Trigger, Usage,
};
use crate::role::stored_model_config;
use crate::store::mcp::allowlist;
use crate::store::{ChunkPack, LoggedStep, StepNumbers, StoredMcpServer};

/// The columns of a run, of a row that is called `run`. Steps are counted from the log, since their own writes leave the
/// run's row alone most of the time.
pub(super) const RUN_COLUMNS: &str = "run.id::text AS id, run.chat_id::text AS chat_id, \
     run.workspace_id::text AS workspace_id, COALESCE(run.created_by::text, '') AS created_by, \
     run.trigger::text AS trigger, run.status::text AS status, run.reason::text AS reason, run.error::text AS error, run.failure::text AS failure, \
     GREATEST(run.step_count, (SELECT MAX(step_number) + 1 FROM ai_chat_run_steps \
         WHERE run_id = run.id AND state = 'finished'))::bigint AS step_count, run.stop_requested_at, \
     run.assistant_message_id::text AS assistant_message_id, run.created_at, run.started_at, run.finished_at, \
     run.updated_at";
/// A run that waits, in the columns of one that has begun.
pub(super) const WAITING_COLUMNS: &str = "run.id::text AS id, run.chat_id::text AS chat_id, \
     run.workspace_id::text AS workspace_id, run.created_by::text AS created_by, run.trigger::text AS trigger, \
     'pending'::text AS status, NULL::text AS reason, NULL::text AS error, NULL::text AS failure, 0::bigint AS step_count, \
     run.stop_requested_at, run.assistant_message_id::text AS assistant_message_id, run.created_at, \
     NULL::timestamptz AS started_at, NULL::timestamptz AS finished_at, run.created_at AS updated_at";
pub(super) const MESSAGE_COLUMNS: &str = "id::text AS id, chat_id::text AS chat_id, \
     workspace_id::text AS workspace_id, user_id::text AS user_id, role::text AS role, content::text AS content, \
     tool_calls::text AS tool_calls, metadata::text AS metadata, status::text AS status, created_at, updated_at";
pub(super) const CHAT_COLUMNS: &str = "id::text AS id, workspace_id::text AS workspace_id, \
     creator_id::text AS creator_id, title::text AS title, role_id::text AS role_id, page_id::text AS page_id, \
     created_at, updated_at";
/// The columns of a role, of a row that is called `role`.
pub(super) const ROLE_COLUMNS: &str = "role.id::text AS id, role.name::text AS name, role.emoji::text AS emoji, \
     role.description::text AS description, role.instructions::text AS instructions, \
     role.model_config::text AS model_config, role.enabled, role.auto_start, \
     role.launch_message::text AS launch_message, role.created_at, role.updated_at";
/// The columns of a tool server, of a row that is called `server`.
pub(super) const MCP_COLUMNS: &str = "server.id::text AS id, server.name::text AS name, \
     server.transport::text AS transport, server.url::text AS url, server.headers_enc::text AS headers_enc, \
     server.tool_allowlist::text AS tool_allowlist, server.instructions::text AS instructions, server.enabled, \
     server.created_at, server.updated_at";
pub(super) const STEP_COLUMNS: &str = "step_number::bigint AS step_number, state::text AS state, parts, \
     finish_reason, usage, packed_until, next_sequence";

/// A row is data from outside: what cannot be read is said by its place, never by what stands there.
fn malformed(row: &Row, column: &str) -> Error {
    Error::internal(format!("the store failed: {}", place(row, column)))
}

fn place(row: &Row, column: &str) -> String {
    let has = |name: &str| row.columns().iter().any(|column| column.name() == name);
    let table = match () {
        () if has("parts") => "the log",
        () if has("trigger") => "ai_chat_runs",
        () if has("role") => "ai_chat_messages",
        () if has("headers_enc") => "ai_mcp_servers",
        () if has("instructions") => "ai_agent_roles",
        () => "a table",
    };
    let id = row.try_get::<_, &str>("id").map(|id| format!(" of {id}")).unwrap_or_default();
    format!("column {column} of {table}{id} cannot be read")
}

/// The value of a column that a row can do without: what cannot be read counts as missing, and the log says so.
fn tolerated<T>(row: &Row, column: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>> {
    let Some(text) = get::<Option<&str>>(row, column)? else { return Ok(None) };
    let value = parse(text);
    if value.is_none() {
        tracing::warn!("{}", place(row, column));
    }
    Ok(value)
}

/// A column of any type that needs no reading.
pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: &str) -> Result<T> {
    row.try_get(column).map_err(|_| malformed(row, column))
}

fn parsed<T>(row: &Row, column: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T> {
    parse(get(row, column)?).ok_or_else(|| malformed(row, column))
}

pub(super) fn parsed_optional<T>(row: &Row, column: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>> {
    let text: Option<&str> = get(row, column)?;
    text.map(|text| parse(text).ok_or_else(|| malformed(row, column))).transpose()
}

fn from_text<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn from_json<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

/// An id column.
pub(super) fn id<T: FromStr>(row: &Row, column: &str) -> Result<T> {
    parsed(row, column, from_text)
}

/// An id column that may be empty.
pub(super) fn optional_id(row: &Row, column: &str) -> Result<Option<RunId>> {
    parsed_optional(row, column, from_text)
}

fn timestamp(time: SystemTime) -> Timestamp {
    // Down, as the model's clock is cut off: microseconds of before 1970 occur nowhere.
    let millis =
        time.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
    Timestamp::from_millis(millis)
}

pub(super) fn time(row: &Row, column: &str) -> Result<Timestamp> {
    Ok(optional_time(row, column)?.unwrap_or(Timestamp::from_millis(0)))
}

/// Times are only shown: `infinity`, which has no counterpart here, counts as missing.
pub(super) fn optional_time(row: &Row, column: &str) -> Result<Option<Timestamp>> {
    match row.try_get::<_, Option<SystemTime>>(column) {
        Ok(time) => Ok(time.map(timestamp)),
        Err(error) if error.source().is_some() => {
            tracing::warn!("{}", place(row, column));
            Ok(None)
        }
        Err(_) => Err(malformed(row, column)),
    }
}

/// A number of the log.
pub(super) fn sequence(column: i64) -> u64 {
    u64::try_from(column).unwrap_or(0)
}

/// A step's number, or a count of steps.
pub(super) fn small(row: &Row, column: &str) -> Result<u32> {
    u32::try_from(get::<i64>(row, column)?).map_err(|_| malformed(row, column))
}

pub(super) fn run(row: &Row) -> Result<Run> {
    Ok(Run {
        id: id(row, "id")?,
        chat_id: id(row, "chat_id")?,
        workspace_id: get(row, "workspace_id")?,
        created_by: get(row, "created_by")?,
        trigger: Trigger::read(get(row, "trigger")?),
        status: RunStatus::read(get(row, "status")?),
        reason: get::<Option<&str>>(row, "reason")?.map(RunReason::read),
        error: get(row, "error")?,
        // What cannot be read is known by its sentence.
        failure: get::<Option<String>>(row, "failure")?.and_then(|text| serde_json::from_str(&text).ok()),
        waiting_for: None,
        step_count: small(row, "step_count")?,
        stop_requested_at: optional_time(row, "stop_requested_at")?,
        assistant_message_id: parsed_optional(row, "assistant_message_id", from_text)?,
        created_at: time(row, "created_at")?,
        started_at: optional_time(row, "started_at")?,
        finished_at: optional_time(row, "finished_at")?,
        updated_at: time(row, "updated_at")?,
    })
}

pub(super) fn message(row: &Row) -> Result<Message> {
    // Anything but an assistant's message is a user's; that is how the rows have always been read.
    let role: &str = get(row, "role")?;
    Ok(Message {
        id: id(row, "id")?,
        chat_id: id(row, "chat_id")?,
        workspace_id: get(row, "workspace_id")?,
        user_id: get(row, "user_id")?,
        role: MessageRole::parse(role).unwrap_or(MessageRole::User),
        content: get::<Option<String>>(row, "content")?.unwrap_or_default(),
        tool_calls: tolerated(row, "tool_calls", |text| Json::parse(text).ok())?,
        metadata: tolerated(row, "metadata", |text| Json::parse(text).ok())?,
        status: get::<Option<&str>>(row, "status")?.map(MessageStatus::read),
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
    })
}

pub(super) fn chat(row: &Row) -> Result<Chat> {
    Ok(Chat {
        id: id(row, "id")?,
        workspace_id: get(row, "workspace_id")?,
        creator_id: get(row, "creator_id")?,
        title: get(row, "title")?,
        role_id: parsed_optional(row, "role_id", from_text)?,
        page_id: get(row, "page_id")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
    })
}

pub(super) fn role(row: &Row) -> Result<AgentRole> {
    Ok(AgentRole {
        id: id(row, "id")?,
        name: get(row, "name")?,
        emoji: get(row, "emoji")?,
        description: get(row, "description")?,
        instructions: get(row, "instructions")?,
        model_config: tolerated(row, "model_config", stored_model_config)?,
        enabled: get(row, "enabled")?,
        auto_start: get(row, "auto_start")?,
        launch_message: get(row, "launch_message")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
    })
}

pub(super) fn mcp_server(row: &Row) -> Result<StoredMcpServer> {
    Ok(StoredMcpServer {
        id: id(row, "id")?,
        name: get(row, "name")?,
        transport: get(row, "transport")?,
        url: get(row, "url")?,
        headers_enc: get(row, "headers_enc")?,
        tool_allowlist: allowlist(get(row, "tool_allowlist")?),
        instructions: get(row, "instructions")?,
        enabled: get(row, "enabled")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
    })
}

pub(super) fn time_text(row: &Row, column: &str) -> Result<String> {
    time(row, column).map(|time| time.to_string())
}

fn finish_reason(row: &Row) -> Result<Option<FinishReason>> {
    Ok(get::<Option<&str>>(row, "finish_reason")?.map(FinishReason::read))
}

/// Counts are no reason to lose a step.
fn usage(row: &Row) -> Result<Option<Usage>> {
    tolerated(row, "usage", from_json)
}

pub(super) fn step(row: &Row) -> Result<LoggedStep> {
    let state: &str = get(row, "state")?;
    Ok(LoggedStep {
        step: StepRecord {
            number: small(row, "step_number")?,
            parts: parsed(row, "parts", from_json)?,
            finish_reason: finish_reason(row)?,
            usage: usage(row)?,
        },
        finished: state == "finished",
        numbers: match (get(row, "packed_until")?, get(row, "next_sequence")?) {
            (Some(packed), Some(next)) => Some(StepNumbers { packed_until: sequence(packed), next: sequence(next) }),
            _ => None,
        },
    })
}

/// What went before the place where a log is read from.
pub(super) fn earlier_step(row: &Row) -> Result<(Option<FinishReason>, Option<Usage>)> {
    Ok((finish_reason(row)?, usage(row)?))
}

pub(super) fn pack(row: &Row) -> Result<ChunkPack> {
    Ok(ChunkPack {
        step_number: small(row, "step_number")?,
        first_sequence: sequence(get(row, "sequence")?),
        chunks: parsed(row, "parts", |text| {
            let chunks: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            Some(chunks.into_iter().map(|chunk| Arc::from(chunk.get())).collect())
        })?,
    })
}

/// Why a stop was asked for, if it was; older rows do not say.
pub(super) fn stop_reason(row: &Row) -> Result<Option<RunReason>> {
    let asked: bool = get(row, "stop_asked")?;
    let reason: Option<&str> = get(row, "stop_reason")?;
    Ok(asked.then(|| reason.map(RunReason::read).unwrap_or(RunReason::Stopped)))
}
