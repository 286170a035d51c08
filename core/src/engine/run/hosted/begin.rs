//! Beginning a run that its host drives: the same gate as that of a turn.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::engine::Inner;
use crate::engine::message::UserMessage;
use crate::engine::request::{Busy, check_key, check_owner, read_trigger};
use crate::engine::run::begin::{Beginning, Outcome};
use crate::engine::run::stops::stop_if_noted;
use crate::error::{Error, Result};
use crate::id::{AgentRoleId, ChatId, ChatRef, MessageId, RunId};
use crate::machine::TurnIds;
use crate::model::{Part, Trigger};
use crate::project::OpenPage;

use super::HostedState;
use super::unattended::watch;

/// What a run of a host is begun with.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostedRequest {
    /// The workspace.
    pub workspace_id: String,
    /// The user.
    pub user_id: String,
    /// The chat; it is created when there is none of this id, and when no id is given.
    #[serde(default)]
    pub chat_id: Option<ChatRef>,
    /// What the user wrote; nothing when the host has stored that itself.
    #[serde(default)]
    pub message: Option<UserMessage>,
    /// The role of a chat that is created.
    #[serde(default)]
    pub role_id: Option<AgentRoleId>,
    /// The page that the user has open: what a client says of it where the engine has the host's check of pages, else
    /// resolved by the host.
    #[serde(default)]
    pub open_page: Option<OpenPage>,
    /// What begins the run.
    #[serde(default = "api", deserialize_with = "read_trigger")]
    pub trigger: Trigger,
    /// The message that is to be answered anew, or in the place of which the user has written; see `TurnRequest`.
    #[serde(default)]
    pub message_id: Option<String>,
    /// What to do when the chat is busy: refuse, or supersede. The engine cannot begin a host's loop later.
    #[serde(default)]
    pub busy: Busy,
    /// A second begin of the same user with the same key begins nothing.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

fn api() -> Trigger {
    Trigger::Api
}

/// A run that the host drives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HostedRun {
    /// The run.
    pub run_id: RunId,
    /// Its chat.
    pub chat_id: ChatId,
    /// The assistant's message, whose row the engine writes.
    pub message_id: MessageId,
    /// The run had been begun before, with the same idempotency key; it is not to be driven again.
    pub repeated: bool,
}

impl HostedRun {
    fn of(ids: TurnIds, repeated: bool) -> Self {
        Self { run_id: ids.run, chat_id: ids.chat, message_id: ids.message, repeated }
    }
}

impl HostedRequest {
    fn check(&self) -> Result<Option<Vec<Part>>> {
        check_owner("workspaceId", &self.workspace_id)?;
        check_owner("userId", &self.user_id)?;
        check_key(self.idempotency_key.as_deref())?;
        if self.busy == Busy::Enqueue {
            return Err(Error::invalid("busy", "must be reject or supersede for a run that the host drives"));
        }
        // What is answered anew is in the chat already.
        let message = self.message.as_ref().filter(|_| self.trigger != Trigger::Regenerate);
        message.map(UserMessage::parts).transpose()
    }
}

pub(super) async fn begin(inner: Arc<Inner>, request: HostedRequest) -> Result<HostedRun> {
    inner.ensure_open()?;
    let parts = request.check()?;
    let mut beginning = Beginning {
        workspace_id: &request.workspace_id,
        user_id: &request.user_id,
        chat_id: inner.chat_of(request.chat_id.as_ref(), &request.workspace_id, &request.user_id)?,
        role_id: request.role_id,
        open_page: None,
        trigger: request.trigger,
        busy: request.busy,
        idempotency_key: request.idempotency_key.as_deref(),
        parts: parts.as_deref(),
        envelope: request.message.as_ref().map(UserMessage::envelope).transpose()?.unwrap_or_default(),
        anew: request.message_id.as_deref(),
        plan: None,
        counted: false,
        unowned: false,
    };
    if let Some(run_id) = beginning.repeated(&inner).await? {
        return repeated(&inner, run_id).await;
    }
    let stored = inner.stored_settings(&request.workspace_id).await?;
    // Whether it goes on without a reader is for its host to decide.
    inner.ensure_may_run(&stored, request.trigger, false)?;
    let found = beginning.precheck(&inner).await?;
    let (user_message_id, ids) = beginning.new_ids(&found);
    let open_page = inner.checked_page(&request.workspace_id, &request.user_id, ids, request.open_page.as_ref()).await;
    beginning.open_page = open_page.as_ref();
    let fence = match beginning.begin(&inner, ids, user_message_id, found.replaces, found.role_id).await? {
        Outcome::Begun(fence) => fence,
        Outcome::Repeated(run_id) => return repeated(&inner, run_id).await,
        Outcome::Waits(_) => return Err(Error::internal("a host's run cannot wait")),
    };
    let (control, events) = mpsc::unbounded_channel();
    let state = Arc::new(HostedState::new(fence, &inner.options.runs));
    inner.hosted.insert(ids.run, Arc::clone(&state));
    inner.registry.add(ids.run, control);
    inner.runtime.spawn(watch(Arc::downgrade(&inner), ids.run, state, events));
    stop_if_noted(&inner, beginning.stop_note(), ids.run).await;
    inner.stop_if_closing(ids.run);
    Ok(HostedRun::of(ids, false))
}

async fn repeated(inner: &Inner, run_id: RunId) -> Result<HostedRun> {
    inner.repeated(run_id).await.map(|ids| HostedRun::of(ids, true))
}
