//! The host's tools: what the model is told of them, how their input is checked, and how they are called.

mod address;
mod mailbox;
pub mod mcp;
mod registry;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::id::{ChatId, MessageId, RunId};
use crate::model::Json;

pub use address::{IpRefusal, ResolutionRefusal, check_address, check_ip, check_resolved};
pub use mailbox::{CallTicket, Mailbox, MailboxHandler, MailboxMessage};
pub use registry::{Tool, ToolSet};

/// What the model is told of a tool, and how turnkeep treats it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolDefinition {
    /// Letters, digits, `_` and `-`, at most 64 of them.
    pub name: String,
    /// What it does and when to use it, for the model.
    #[serde(default)]
    pub description: String,
    /// The JSON Schema of its arguments; an object without properties unless given.
    #[serde(default = "Json::empty_schema")]
    pub input_schema: Json,
    /// The tool checks its input itself, and may clean it: the schema is only what the model is told.
    #[serde(default)]
    pub validates_input: bool,
    /// It changes nothing. The calls of other tools are put on disk before they run.
    #[serde(default)]
    pub read_only: bool,
    /// How long a call may take, in milliseconds; the engine's `runs.toolTimeoutMs` unless given.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
}

impl Json {
    fn empty_schema() -> Self {
        Self::parse(r#"{"type":"object","properties":{}}"#).unwrap_or_else(|_| Self::null())
    }
}

/// A call as the host sees it. Its JSON form is `{toolCallId, toolName, input, chatId, runId, messageId}`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolInvocation {
    /// Unique within the run.
    #[serde(rename = "toolCallId")]
    pub call_id: String,
    /// The tool.
    #[serde(rename = "toolName")]
    pub name: String,
    /// Its arguments, checked against the schema.
    pub input: Json,
    /// The chat.
    pub chat_id: ChatId,
    /// The run.
    pub run_id: RunId,
    /// The assistant's message.
    pub message_id: MessageId,
}

/// A tool's code. The future is dropped when the call is cancelled or its time is up.
#[async_trait]
pub trait ToolHandler: Send + Sync {
    /// Runs the tool. An error's text is what the model and the reader are told.
    async fn call(&self, invocation: ToolInvocation) -> Result<Json, String>;

    /// Whether whoever runs the tool has gone away for good: an engine does not offer such a tool any more.
    fn is_gone(&self) -> bool {
        false
    }
}
