//! Beginning a turn, and the handle that its host holds.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::{mpsc, watch};

use crate::error::{Error, ErrorCode, Result};
use crate::id::{ChatId, MessageId, RunId};
use crate::machine::{Event, Limits, RunMachine, StopCause, ToolCatalog, TurnIds};
use crate::model::{Json, MessageStatus, Part, RunOutcome, RunReason, RunStatus};
use crate::project::{FlushExtra, PromptLayers, build_system_prompt, flush_run, messages_from_rows};
use crate::provider::Provider;
use crate::store::{BeginRun, Fence, SettleRun, already_active, forbidden};
use crate::stream::ChunkLog;
use crate::tool::{Tool, ToolSet};

use super::driver::{Driver, Finished};
use super::options::TurnRequest;
use super::reader::{Leaving, TurnReader};
use super::{Inner, queries};

/// A turn of this process. Dropping it stops nothing.
pub struct Turn {
    inner: Arc<Inner>,
    ids: TurnIds,
    log: Arc<ChunkLog>,
    finished: watch::Receiver<Option<Finished>>,
    detached: bool,
    readers: Arc<AtomicUsize>,
}

impl Turn {
    /// The run's id.
    pub fn run_id(&self) -> RunId {
        self.ids.run
    }

    /// The chat's id, also of a chat that this turn created.
    pub fn chat_id(&self) -> ChatId {
        self.ids.chat
    }

    /// The id of the assistant's message.
    pub fn message_id(&self) -> MessageId {
        self.ids.message
    }

    /// The turn's chunks, encoded, from the first one on, however late it is called.
    pub fn chunks(&self) -> TurnReader {
        let leaving = (!self.detached).then(|| Leaving::new(Arc::clone(&self.inner), self.ids.run, &self.readers));
        TurnReader::new(self.log.reader(0), leaving)
    }

    /// Asks the run to stop and, so that it holds even if this process dies, notes that in the store. `false` when the
    /// run has settled already.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE` when the stop could not be noted; the run is stopped all the same.
    pub async fn stop(&self) -> Result<bool> {
        queries::stop_run(&self.inner, self.ids.run).await
    }

    /// Waits for the end of the turn and says how it ended, once that is on disk.
    ///
    /// # Errors
    /// `LEASE_LOST` when another process owns the run now, `STORE_UNAVAILABLE` when its end could not be written.
    pub async fn done(&self) -> Result<RunOutcome> {
        let mut finished = self.finished.clone();
        let gone = || Error::internal("the turn's driver is gone");
        let state = finished.wait_for(Option::is_some).await.map_err(|_| gone())?.clone();
        match state.ok_or_else(gone)? {
            Finished::Settled(outcome) => Ok(*outcome),
            Finished::LeaseLost => Err(crate::store::lease_lost()),
            Finished::Unsettled => {
                Err(Error::new(ErrorCode::StoreUnavailable, "the end of the run could not be written"))
            }
        }
    }

    /// `{runId, chatId, messageId}`.
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Ids {
            run_id: RunId,
            chat_id: ChatId,
            message_id: MessageId,
        }
        let ids = Ids { run_id: self.ids.run, chat_id: self.ids.chat, message_id: self.ids.message };
        serde_json::to_string(&ids).unwrap_or_default()
    }
}

pub(super) async fn start(
    inner: Arc<Inner>,
    request: TurnRequest,
    tools: Vec<Tool>,
    provider: Option<Arc<dyn Provider>>,
) -> Result<Turn> {
    inner.ensure_open()?;
    request.check()?;
    let parts = request.message.parts()?;
    let tools = Arc::new(ToolSet::new(tools, Duration::from_millis(inner.options.runs.tool_timeout_ms))?);
    let provider: Arc<dyn Provider> = match provider {
        Some(provider) => provider,
        None => Arc::new(inner.provider(request.provider.as_ref())?),
    };
    let role = precheck(&inner, &request).await?;
    let system = build_system_prompt(&PromptLayers {
        workspace_name: inner.options.prompt.workspace_name.clone(),
        admin_prompt: inner.options.prompt.admin_prompt.clone(),
        role_instructions: role,
        opened_page: request.open_page.clone(),
        mcp_instructions: Vec::new(),
        product_name: inner.options.prompt.product_name.clone(),
        extra_rules: inner.options.prompt.extra_rules.clone(),
    });

    // Both messages are written at one time; their ids, which rise, put the user's first.
    let user_message_id = MessageId::generate();
    let ids = TurnIds {
        chat: request.chat_id.unwrap_or_else(ChatId::generate),
        run: RunId::generate(),
        message: MessageId::generate(),
    };
    let begun_at = Instant::now();
    let fence =
        inner.store.begin_run(begin(&inner, &request, ids, user_message_id, &parts)?).await.map_err(begin_failed)?;
    let history = match inner.store.messages(ids.chat, usize::MAX).await {
        Ok(rows) => messages_from_rows(&rows),
        Err(error) => return Err(give_up(&inner, fence, error).await),
    };

    let (control, events) = mpsc::unbounded_channel();
    inner.registry.add(ids.run, control, begun_at);
    if inner.ensure_open().is_err() {
        // Closing began in between and may not have seen this run.
        inner.registry.tell(ids.run, Event::StopRequested(StopCause::Shutdown));
    }
    let limits = Limits {
        max_steps: inner.options.runs.max_steps,
        provider_silence: Duration::from_millis(inner.options.runs.provider_silence_ms),
    };
    let catalog: Arc<dyn ToolCatalog> = Arc::clone(&tools) as _;
    let log = ChunkLog::new();
    let (sender, finished) = watch::channel(None);
    let driver = Driver::new(
        Arc::clone(&inner),
        RunMachine::new(ids, limits, catalog),
        ids,
        fence,
        (system, history),
        provider,
        tools,
        Arc::clone(&log),
        events,
        sender,
    );
    inner.runtime.spawn(driver.run());
    Ok(Turn { inner, ids, log, finished, detached: request.detached, readers: Arc::default() })
}

/// The courtesy checks before the gate, and the role's instructions.
async fn precheck(inner: &Arc<Inner>, request: &TurnRequest) -> Result<Option<String>> {
    let mut role_id = request.role_id;
    if let Some(chat_id) = request.chat_id {
        if let Some(chat) = inner.store.chat(chat_id).await? {
            if chat.workspace_id != request.workspace_id || chat.creator_id != request.user_id {
                return Err(forbidden());
            }
            role_id = chat.role_id;
        }
        let latest = inner.store.latest_run(chat_id).await?;
        if let Some(active) = latest.filter(|run| run.status.is_active() && run.workspace_id == request.workspace_id) {
            return Err(already_active(Some(active.id)));
        }
    }
    let Some(role_id) = role_id else {
        return Ok(None);
    };
    let role = inner.store.role(&request.workspace_id, role_id).await?;
    match role {
        Some(role) => Ok(Some(role.instructions)),
        // A chat whose role was deleted or disabled goes on without it; a role that is asked for must exist.
        None if request.chat_id.is_some() => Ok(None),
        None => Err(Error::new(ErrorCode::NotFound, "there is no such role").with_detail("field", "roleId")),
    }
}

fn begin(
    inner: &Inner,
    request: &TurnRequest,
    ids: TurnIds,
    user_message_id: MessageId,
    parts: &[Part],
) -> Result<BeginRun> {
    #[derive(Serialize)]
    struct Metadata<'a> {
        parts: &'a [Part],
    }
    let user_metadata =
        Json::from_value(&Metadata { parts }).map_err(|_| Error::invalid("message.parts", "cannot be stored"))?;
    Ok(BeginRun {
        run_id: ids.run,
        chat_id: ids.chat,
        workspace_id: request.workspace_id.clone(),
        user_id: request.user_id.clone(),
        trigger: request.trigger,
        owner: inner.owner.clone(),
        lease: inner.options.runs.lease(),
        role_id: request.role_id,
        page_id: request.open_page.as_ref().and_then(|page| page.id.clone()),
        user_message_id,
        user_content: parts.iter().filter_map(Part::as_text).collect(),
        user_metadata,
        assistant_message_id: ids.message,
        assistant: flush_run(&[], MessageStatus::Streaming, &FlushExtra::default()),
    })
}

fn begin_failed(error: Error) -> Error {
    match error.code() {
        ErrorCode::Internal => Error::new(ErrorCode::RunBeginFailed, "the run could not be written").with_source(error),
        _ => error,
    }
}

/// Ends a run that was begun but cannot be driven, so that the chat is free again.
async fn give_up(inner: &Arc<Inner>, fence: Fence, error: Error) -> Error {
    let message = "the chat's history could not be read";
    let settle = SettleRun {
        fence,
        status: RunStatus::Failed,
        reason: Some(RunReason::Internal),
        error: Some(message.to_owned()),
        step: None,
        assistant: flush_run(
            &[],
            MessageStatus::Error,
            &FlushExtra { error: Some(message.to_owned()), ..FlushExtra::default() },
        ),
    };
    if let Err(unsettled) = inner.store.settle_run(settle).await {
        // Nobody renews this lease, so a sweep will end the run.
        tracing::warn!(error = %unsettled, "a run that could not be begun could not be settled either");
    }
    Error::new(ErrorCode::RunBeginFailed, message).with_source(error)
}
