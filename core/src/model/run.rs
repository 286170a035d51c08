//! The run: one durable agent turn.

use serde::Serialize;

use super::failure::RunFailure;
use super::step::FinishReason;
use super::usage::Usage;
use super::wait::WaitingCall;
use super::word::words;
use crate::clock::Timestamp;
use crate::id::{ChatId, MessageId, RunId};

words! {
    /// Where a run is in its life. Only the last three are final.
    RunStatus {
        /// Waiting for its turn or for a worker.
        Pending = "pending",
        /// Owned by a process.
        Running = "running",
        /// Waiting for somebody's answer, as nobody's: there is no process, task or lease.
        Waiting = "waiting",
        /// Ended as it should.
        Succeeded = "succeeded",
        /// Ended by an error.
        Failed = "failed",
        /// Ended from outside.
        Aborted = "aborted",
    }
    /// Why a run did not succeed.
    RunReason {
        /// Somebody asked it to stop.
        Stopped = "stopped",
        /// Another run took its place.
        Superseded = "superseded",
        /// Its client went away and it was not detached.
        Disconnected = "disconnected",
        /// The process that ran it died or lost its lease.
        WorkerLost = "worker_lost",
        /// The engine was closed.
        Shutdown = "shutdown",
        /// A time limit ran out.
        Timeout = "timeout",
        /// A budget was spent.
        Budget = "budget",
        /// The model's output had fallen into a loop.
        Degenerate = "degenerate",
        /// The provider refused or failed.
        ProviderError = "provider_error",
        /// A bug of ours, or a store that refused a write for good.
        Internal = "internal",
    }
    /// What began a run.
    Trigger {
        /// A person wrote.
        User = "user",
        /// A role that begins by itself.
        Autostart = "autostart",
        /// A schedule.
        Schedule = "schedule",
        /// A program.
        Api = "api",
        /// A person wants an answer anew.
        Regenerate = "regenerate",
        /// Going on where a run had ended.
        Continue = "continue",
    }
}

impl RunStatus {
    /// Whether the run has not ended. It holds its chat's gate, unless it waits for an answer and was begun as one that
    /// does not hold it then.
    pub fn is_active(self) -> bool {
        matches!(self, RunStatus::Pending | RunStatus::Running | RunStatus::Waiting)
    }

    /// Whether somebody drives the run, or may.
    pub fn is_driven(self) -> bool {
        matches!(self, RunStatus::Pending | RunStatus::Running)
    }
}

/// A row of `ai_chat_runs`, without what only the engine needs (owner, epoch, lease).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The chat that it belongs to.
    pub chat_id: ChatId,
    /// The workspace that it belongs to.
    pub workspace_id: String,
    /// Who began it.
    pub created_by: String,
    /// What began it.
    pub trigger: Trigger,
    /// Where it is.
    pub status: RunStatus,
    /// Why it did not succeed.
    pub reason: Option<RunReason>,
    /// The error in one line, when it failed.
    pub error: Option<String>,
    /// What kind of failure it was, when that is known.
    pub failure: Option<RunFailure>,
    /// What a run waits for whose status is `waiting`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<Vec<WaitingCall>>,
    /// Steps in the log. The last one of a run that failed or was aborted may have been cut off.
    pub step_count: u32,
    /// When a stop was asked for.
    pub stop_requested_at: Option<Timestamp>,
    /// The message that shows it.
    pub assistant_message_id: Option<MessageId>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When a process took it up.
    pub started_at: Option<Timestamp>,
    /// When it settled.
    pub finished_at: Option<Timestamp>,
    /// When it was last written.
    pub updated_at: Timestamp,
}

/// What is kept of a turn that is not stored: whose it was, and how it ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatelessRun {
    /// Its id.
    pub id: RunId,
    /// The workspace that it belongs to.
    pub workspace_id: String,
    /// Who began it.
    pub created_by: String,
    /// Where it is.
    pub status: RunStatus,
    /// Why it did not succeed.
    pub reason: Option<RunReason>,
    /// The error in one line, when it failed.
    pub error: Option<String>,
    /// How many steps it had.
    pub step_count: u32,
    /// When a stop was asked for.
    pub stop_requested_at: Option<Timestamp>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// How a turn ended. It is given out only after it is on disk.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunOutcome {
    /// The run.
    pub run_id: RunId,
    /// Its chat.
    pub chat_id: ChatId,
    /// The assistant's message.
    pub message_id: MessageId,
    /// `succeeded`, `failed` or `aborted`.
    pub status: RunStatus,
    /// Why it did not succeed.
    pub reason: Option<RunReason>,
    /// The error in one line, when it failed.
    pub error: Option<String>,
    /// What kind of failure it was, when it failed.
    pub failure: Option<RunFailure>,
    /// The last step's finish reason.
    pub finish_reason: Option<FinishReason>,
    /// Tokens of all steps.
    pub usage: Option<Usage>,
    /// Steps in the log. The last one of a run that failed or was aborted may have been cut off.
    pub step_count: u32,
    /// What went wrong beside it, where that is known: only whoever drives a run knows it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<RunWarning>,
}

/// Something that went wrong beside a turn, which went on without it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunWarning {
    /// What.
    pub code: WarningCode,
    /// The tool server, as its administrators call it.
    pub server: String,
    /// In one line, what is known of it.
    pub message: String,
}

/// What can go wrong beside a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningCode {
    /// A tool server could not be used: its tools are missing.
    McpUnavailable,
    /// A tool of a server cannot be used, and is missing.
    McpToolLeftOut,
    /// A tool server has other tools than when the turn began.
    McpToolsChanged,
    /// A call did not reach a tool server, or nothing came back.
    McpCallFailed,
}
