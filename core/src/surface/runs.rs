//! Runs: questions, stops, logs, and runs that hosts drive themselves.

use serde::Deserialize;

use crate::engine::{
    Cursor, Engine, HostedFinish, HostedRequest, HostedRun, HostedStep, Protocol, RunSignal, RunTail, StreamFormat,
    TailFrom, Who,
};
use crate::error::{Error, Result};
use crate::id::{ChatRef, RunId};
use crate::model::{FinishReason, Run, RunReason, RunStatus, StatelessRun};

use super::{Opening, Operation};

/// How many runs are listed unless more are asked for.
const DEFAULT_RUNS: usize = 50;

/// One run.
///
/// # Errors
/// `NOT_FOUND`, `FORBIDDEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Get {
    workspace_id: String,
    user_id: String,
    /// The run.
    run_id: RunId,
}

impl Operation for Get {
    const NAME: &'static str = "runs.get";
    type Answer = Run;

    async fn answer(self, engine: &Engine) -> Result<Run> {
        engine.run(&Who { workspace_id: self.workspace_id, user_id: self.user_id }, self.run_id).await
    }
}

/// The newest run of a chat; null in a chat that never had one, or that is not there (yet).
///
/// # Errors
/// `FORBIDDEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LatestForChat {
    workspace_id: String,
    user_id: String,
    /// The chat.
    chat_id: ChatRef,
}

impl Operation for LatestForChat {
    const NAME: &'static str = "runs.latestForChat";
    type Answer = Option<Run>;

    async fn answer(self, engine: &Engine) -> Result<Option<Run>> {
        let (who, chat_id) = engine.of_chat(self.workspace_id, self.user_id, &self.chat_id)?;
        engine.latest_run(&who, chat_id).await
    }
}

/// What is kept of a turn that is not stored: whose it was, and how it ended.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct GetStateless {
    workspace_id: String,
    user_id: String,
    /// The run.
    run_id: RunId,
}

impl Operation for GetStateless {
    const NAME: &'static str = "runs.getStateless";
    type Answer = StatelessRun;

    async fn answer(self, engine: &Engine) -> Result<StatelessRun> {
        engine.stateless_run(&Who { workspace_id: self.workspace_id, user_id: self.user_id }, self.run_id).await
    }
}

/// The run that holds a chat; null when the chat is free, or not there (yet).
///
/// # Errors
/// `FORBIDDEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ActiveForChat {
    workspace_id: String,
    user_id: String,
    /// The chat.
    chat_id: ChatRef,
}

impl Operation for ActiveForChat {
    const NAME: &'static str = "runs.activeForChat";
    type Answer = Option<Run>;

    async fn answer(self, engine: &Engine) -> Result<Option<Run>> {
        let (who, chat_id) = engine.of_chat(self.workspace_id, self.user_id, &self.chat_id)?;
        engine.active_run(&who, chat_id).await
    }
}

/// The newest runs of a chat, newest first; those that wait come before all others.
///
/// # Errors
/// `FORBIDDEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct List {
    workspace_id: String,
    user_id: String,
    /// The chat.
    chat_id: ChatRef,
    /// At most so many; 50 unless given.
    #[serde(default)]
    limit: Option<usize>,
    /// A run's id: those that come after it in the list.
    #[serde(default)]
    before: Option<RunId>,
}

impl Operation for List {
    const NAME: &'static str = "runs.list";
    type Answer = Vec<Run>;

    async fn answer(self, engine: &Engine) -> Result<Vec<Run>> {
        let limit = self.limit.unwrap_or(DEFAULT_RUNS);
        let (who, chat_id) = engine.of_chat(self.workspace_id, self.user_id, &self.chat_id)?;
        match self.before {
            None => engine.runs(&who, chat_id, limit).await,
            Some(before) => engine.runs_before(&who, chat_id, before, limit).await,
        }
    }
}

/// Stops a run, of whichever process: named by its id, by its chat (the active one), or by the idempotency key of its
/// turn. By its key a run may also be stopped that has not begun: it ends as stopped when it begins (within an hour),
/// before a provider is asked for anything. False when there is nothing left to stop.
///
/// # Errors
/// `NOT_FOUND`, `FORBIDDEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Stop {
    workspace_id: String,
    user_id: String,
    /// The run.
    #[serde(default)]
    run_id: Option<RunId>,
    /// The chat whose active run is meant; with a key, the chat of its turn.
    #[serde(default)]
    chat_id: Option<ChatRef>,
    /// The key of the run's turn.
    #[serde(default)]
    idempotency_key: Option<String>,
}

impl Operation for Stop {
    const NAME: &'static str = "runs.stop";
    type Answer = bool;

    async fn answer(self, engine: &Engine) -> Result<bool> {
        let who = Who { workspace_id: self.workspace_id, user_id: self.user_id };
        match (self.run_id, self.chat_id, self.idempotency_key) {
            (Some(run_id), None, None) => engine.stop_run(&who, run_id).await,
            (None, Some(chat_id), None) => {
                let (who, chat_id) = engine.of_chat(who.workspace_id, who.user_id, &chat_id)?;
                engine.stop_chat(&who, chat_id).await
            }
            (None, None, Some(key)) => engine.stop_keyed(&who, None, &key).await,
            (None, Some(chat_id), Some(key)) => {
                let (who, chat_id) = engine.of_chat(who.workspace_id, who.user_id, &chat_id)?;
                engine.stop_keyed(&who, Some(chat_id), &key).await
            }
            _ => Err(Error::invalid("runId", "give runId, chatId, idempotencyKey, or the last two")),
        }
    }
}

/// Settles what dead processes have left, as opening an engine does. Answers how many runs that were.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SweepNow {}

impl Operation for SweepNow {
    const NAME: &'static str = "runs.sweep";
    type Answer = usize;

    async fn answer(self, engine: &Engine) -> Result<usize> {
        engine.sweep().await
    }
}

/// Begins a run whose loop is the host's own: `runs.recordStep` and `runs.finish` drive it. The gate, the log, the lease and
/// the stops are the engine's. One that is `repeated` had been begun before, with the same key, and is not to be driven
/// again.
///
/// # Errors
/// `INVALID_INPUT`, `FORBIDDEN`, `NOT_FOUND`, `A_RUN_ALREADY_ACTIVE`, `SUPERSEDE_INVALID`, `SUPERSEDE_TARGET_MISMATCH`,
/// `SUPERSEDE_TIMEOUT`, `MESSAGE_EXISTS`, `A_RUN_BEGIN_FAILED`
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Begin(HostedRequest);

impl Operation for Begin {
    const NAME: &'static str = "runs.begin";
    const BEGINS: bool = true;
    type Answer = HostedRun;

    async fn answer(self, engine: &Engine) -> Result<HostedRun> {
        engine.begin_run(self.0).await
    }
}

/// Puts a finished step of a host's own loop on disk, and answers its number. Recording a step again by its number changes
/// nothing. After `STORE_UNAVAILABLE` the step may be recorded again.
///
/// # Errors
/// `NOT_FOUND`, `FORBIDDEN`, `LEASE_LOST`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RecordStep {
    workspace_id: String,
    user_id: String,
    /// The run.
    run_id: RunId,
    /// The step.
    step: HostedStep,
}

impl Operation for RecordStep {
    const NAME: &'static str = "runs.recordStep";
    type Answer = u32;

    async fn answer(self, engine: &Engine) -> Result<u32> {
        let who = Who { workspace_id: self.workspace_id, user_id: self.user_id };
        engine.record_step(&who, self.run_id, self.step).await
    }
}

/// Ends a run that the host drives. Ending it again the same way changes nothing.
///
/// # Errors
/// `NOT_FOUND`, `FORBIDDEN`, `LEASE_LOST`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Finish {
    workspace_id: String,
    user_id: String,
    /// The run.
    run_id: RunId,
    /// `succeeded`, `failed` or `aborted`.
    status: RunStatus,
    /// Why it did not succeed; `internal` for a run that failed and what it was stopped for otherwise, unless given.
    #[serde(default)]
    reason: Option<RunReason>,
    /// The error in one line, of a run that failed.
    #[serde(default)]
    error: Option<String>,
    /// Why the model stopped, unless the last step said it.
    #[serde(default)]
    finish_reason: Option<FinishReason>,
    /// A last step, or what there was of it, written together with the end.
    #[serde(default)]
    step: Option<HostedStep>,
}

impl Operation for Finish {
    const NAME: &'static str = "runs.finish";
    type Answer = ();

    async fn answer(self, engine: &Engine) -> Result<()> {
        let Self { workspace_id, user_id, run_id, status, reason, error, finish_reason, step } = self;
        let finish = HostedFinish { status, reason, error, finish_reason, step };
        engine.finish_run(&Who { workspace_id, user_id }, run_id, finish).await
    }
}

/// Waits until the host is to end the loop of its run, and says why.
///
/// # Errors
/// `NOT_FOUND`, `FORBIDDEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Signal {
    workspace_id: String,
    user_id: String,
    /// The run.
    run_id: RunId,
}

impl Operation for Signal {
    const NAME: &'static str = "runs.signal";
    type Answer = RunSignal;

    async fn answer(self, engine: &Engine) -> Result<RunSignal> {
        engine.run_signal(&Who { workspace_id: self.workspace_id, user_id: self.user_id }, self.run_id).await
    }
}

/// Gives up a run that the host drives: it is aborted as `worker_lost`. One that has ended stays as it is.
///
/// # Errors
/// `NOT_FOUND`, `FORBIDDEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Abandon {
    workspace_id: String,
    user_id: String,
    /// The run.
    run_id: RunId,
}

impl Operation for Abandon {
    const NAME: &'static str = "runs.abandon";
    type Answer = ();

    async fn answer(self, engine: &Engine) -> Result<()> {
        engine.run(&Who { workspace_id: self.workspace_id, user_id: self.user_id }, self.run_id).await?;
        engine.abandon_run(self.run_id);
        Ok(())
    }
}

/// Follows a run's log, from any process, while the run goes on and after it has ended.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TailLog {
    workspace_id: String,
    user_id: String,
    /// The run.
    run_id: RunId,
    /// Go on behind this cursor. Not together with `from`.
    #[serde(default)]
    after: Option<After>,
    /// `snapshot` (the default): finished steps in compact form, then chunk by chunk. `start`: chunk by chunk.
    #[serde(default)]
    from: Option<String>,
    /// `ai-6` (the default) or `ai-7`: clients of version 7 of the AI SDK are told of steps that are withdrawn, of messages that
    /// join the run, and of what else only they know, by chunks of their own.
    #[serde(default)]
    protocol: Protocol,
    /// `ui` (the default), or `ag-ui`: events of AG-UI 1.0 instead of chunks of the AI SDK.
    #[serde(default)]
    format: StreamFormat,
}

/// A cursor as it was given out, or its number.
#[derive(Deserialize)]
#[serde(untagged)]
enum After {
    Number(u64),
    Text(String),
}

impl Opening for TailLog {
    type Opened = RunTail;

    async fn open(self, engine: &Engine) -> Result<RunTail> {
        let from = match (self.after, self.from.as_deref()) {
            (Some(_), Some(_)) => return Err(Error::invalid("from", "give either after or from")),
            (Some(After::Number(sequence)), None) => TailFrom::After(Cursor { sequence, ..Cursor::default() }),
            (Some(After::Text(cursor)), None) => TailFrom::After(cursor.parse()?),
            (None, None | Some("snapshot")) => TailFrom::Snapshot,
            (None, Some("start")) => TailFrom::Start,
            (None, Some(_)) => return Err(Error::invalid("from", "must be snapshot or start")),
        };
        let who = Who { workspace_id: self.workspace_id, user_id: self.user_id };
        Ok(engine.tail(&who, self.run_id, from).await?.telling(self.protocol, self.format))
    }
}
