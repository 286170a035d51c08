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
    Chat, FinishReason, Json, Message, MessageRole, MessageStatus, Run, RunReason, RunStatus, StepRecord, Trigger,
    Usage,
};
use crate::project::AssistantFlush;
use crate::store::{BeginRun, ChunkPack, LoggedStep, NewUserMessage, RunPlan, StepNumbers, StoredMessage};

/// The runs that hold a gate; spelled as in the partial indexes, so that they serve.
pub(super) const ACTIVE: &str = "status IN ('pending', 'running')";

pub(super) const RUN_COLUMNS: &str = "id, chat_id, workspace_id, created_by, trigger, status, reason, error, \
     MAX(step_count, COALESCE((SELECT MAX(step_number) + 1 FROM ai_chat_run_steps \
         WHERE run_id = ai_chat_runs.id AND state = 'finished'), 0)) AS step_count, stop_requested_at, assistant_message_id, created_at, started_at, finished_at, updated_at";
pub(super) const MESSAGE_COLUMNS: &str =
    "id, chat_id, workspace_id, user_id, role, content, tool_calls, metadata, status, created_at, updated_at";
pub(super) const CHAT_COLUMNS: &str = "id, workspace_id, creator_id, title, role_id, page_id, created_at, updated_at";
pub(super) const STEP_COLUMNS: &str = "step_number, state, parts, finish_reason, usage, packed_until, next_sequence";
/// A run that waits, in the columns of one that has begun.
pub(super) const WAITING_COLUMNS: &str = "id, chat_id, workspace_id, created_by, trigger, 'pending' AS status, NULL AS reason, \
     NULL AS error, 0 AS step_count, stop_requested_at, assistant_message_id, created_at, NULL AS started_at, \
     NULL AS finished_at, created_at AS updated_at";

type SqlResult<T> = rusqlite::Result<T>;

fn malformed(column: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, format!("{column} is malformed").into())
}

fn parsed<T>(row: &Row<'_>, column: &str, parse: impl FnOnce(&str) -> Option<T>) -> SqlResult<T> {
    let text: String = row.get(column)?;
    parse(&text).ok_or_else(|| malformed(column))
}

fn parsed_optional<T>(row: &Row<'_>, column: &str, parse: impl FnOnce(&str) -> Option<T>) -> SqlResult<Option<T>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| parse(&text).ok_or_else(|| malformed(column))).transpose()
}

fn from_text<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn from_json<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

pub(super) fn run(row: &Row<'_>) -> SqlResult<Run> {
    Ok(Run {
        id: parsed(row, "id", from_text)?,
        chat_id: parsed(row, "chat_id", from_text)?,
        workspace_id: row.get("workspace_id")?,
        created_by: row.get("created_by")?,
        trigger: parsed(row, "trigger", Trigger::parse)?,
        status: parsed(row, "status", RunStatus::parse)?,
        reason: parsed_optional(row, "reason", RunReason::parse)?,
        error: row.get("error")?,
        step_count: row.get("step_count")?,
        stop_requested_at: parsed_optional(row, "stop_requested_at", Timestamp::parse)?,
        assistant_message_id: parsed_optional(row, "assistant_message_id", from_text)?,
        created_at: parsed(row, "created_at", Timestamp::parse)?,
        started_at: parsed_optional(row, "started_at", Timestamp::parse)?,
        finished_at: parsed_optional(row, "finished_at", Timestamp::parse)?,
        updated_at: parsed(row, "updated_at", Timestamp::parse)?,
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
        tool_calls: parsed_optional(row, "tool_calls", |text| Json::parse(text).ok())?,
        metadata: parsed_optional(row, "metadata", |text| Json::parse(text).ok())?,
        status: parsed_optional(row, "status", MessageStatus::parse)?,
        created_at: parsed(row, "created_at", Timestamp::parse)?,
        updated_at: parsed(row, "updated_at", Timestamp::parse)?,
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
        role_id: parsed_optional(row, "role_id", from_text)?,
        page_id: row.get("page_id")?,
        created_at: parsed(row, "created_at", Timestamp::parse)?,
        updated_at: parsed(row, "updated_at", Timestamp::parse)?,
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

pub(super) fn finish_reason(word: &str) -> Option<FinishReason> {
    from_json(&format!("\"{word}\""))
}

pub(super) fn usage(row: &Row<'_>) -> SqlResult<Option<Usage>> {
    parsed_optional(row, "usage", from_json)
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
    let finish_reason = parsed_optional(row, "finish_reason", finish_reason)?;
    let state: String = row.get("state")?;
    Ok(LoggedStep {
        step: StepRecord {
            number: row.get("step_number")?,
            parts: parsed(row, "parts", from_json)?,
            finish_reason,
            usage: usage(row)?,
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
            trigger: parsed(row, "trigger", Trigger::parse)?,
            owner: row.get("owner")?,
            lease: Duration::ZERO,
            plan: row.get::<_, Option<String>>("plan")?.as_deref().and_then(RunPlan::parse),
            unowned: false,
            role_id: None,
            page_id: None,
            user_message: Some(NewUserMessage {
                id: parsed(row, "user_message_id", from_text)?,
                content: row.get("user_content")?,
                metadata: parsed(row, "user_metadata", |text| Json::parse(text).ok())?,
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

/// A value as it is stored.
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal("a row could not be encoded").with_source(error))
}
