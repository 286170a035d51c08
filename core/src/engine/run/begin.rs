//! Getting hold of a chat: the checks before the gate, the gate, and what to do when the chat is busy.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::engine::Inner;
use crate::engine::message::{Envelope, stored_message};
use crate::engine::request::Busy;
use crate::error::{Error, ErrorCode, Result};
use crate::id::{AgentRoleId, ChatId, MessageId, RunId};
use crate::log::abandoned::AbandonedLog;
use crate::log::journal::empty_row;
use crate::machine::TurnIds;
use crate::model::{MessageRole, MessageStatus, Part, Run, RunReason, Trigger};
use crate::project::OpenPage;
use crate::store::{Began, BeginRun, Fence, NewUserMessage, RolePrompt, RunPlan, already_active, forbidden};

use super::limits::TakenRequests;
use super::stops::StopNote;
use super::{stops, sweep};

/// The first wait for a run that is to be superseded; it doubles up to [`MAX_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(2);
/// The longest wait between two looks at it.
const MAX_WAIT: Duration = Duration::from_millis(100);
/// How often a run that does not settle is looked at for a dead owner.
const SWEEP_EVERY: Duration = Duration::from_millis(500);

/// What the checks before the gate found.
pub(crate) struct Found {
    /// The chat's role, if it has one that is in use.
    pub(crate) role: Option<RolePrompt>,
    /// The role that the chat gets if it is created.
    pub(crate) role_id: Option<AgentRoleId>,
    /// The id of the user's message, if its client has one for it.
    message_id: Option<MessageId>,
    /// The message in whose place the turn stands.
    pub(crate) replaces: Option<MessageId>,
}

/// What both kinds of runs, those that the engine drives and those that the host does, are begun with.
pub(crate) struct Beginning<'a> {
    pub(crate) workspace_id: &'a str,
    pub(crate) user_id: &'a str,
    pub(crate) chat_id: Option<ChatId>,
    pub(crate) role_id: Option<AgentRoleId>,
    pub(crate) open_page: Option<&'a OpenPage>,
    pub(crate) trigger: Trigger,
    pub(crate) busy: Busy,
    pub(crate) idempotency_key: Option<&'a str>,
    /// The parts of the user's message.
    pub(crate) parts: Option<&'a [Part]>,
    /// What its client says of it besides.
    pub(super) envelope: Envelope,
    /// The message that the client wants to have written anew, or in the place of which the user has written.
    pub(super) anew: Option<&'a str>,
    /// What others need for driving the run.
    pub(crate) plan: Option<RunPlan>,
    /// Its requests were taken before.
    pub(crate) counted: bool,
    /// It is left to others.
    pub(crate) unowned: bool,
}

/// How a beginning came out.
pub(crate) enum Outcome {
    /// The chat is the caller's.
    Begun(Fence),
    /// The chat is busy and the run waits.
    Waits(Box<BeginRun>),
    /// The key was used for this run before.
    Repeated(RunId),
}

impl Beginning<'_> {
    /// The run that this key was used for before.
    pub(crate) async fn repeated(&self, inner: &Inner) -> Result<Option<RunId>> {
        let Some(key) = self.idempotency_key else {
            return Ok(None);
        };
        let Some(run_id) = inner.store.run_of_key(self.workspace_id, self.user_id, key).await? else {
            return Ok(None);
        };
        if let (Some(chat_id), Some(run)) = (self.chat_id, inner.store.run(run_id).await?)
            && run.chat_id != chat_id
        {
            return Err(Error::invalid("idempotencyKey", "was used for a run of another chat"));
        }
        Ok(Some(run_id))
    }

    /// What a stop was noted under that came before the run.
    pub(crate) fn stop_note(&self) -> Option<StopNote> {
        let key = self.idempotency_key?.to_owned();
        Some(StopNote { workspace_id: self.workspace_id.to_owned(), user_id: self.user_id.to_owned(), key })
    }

    /// The id of the user's message, and those of the run. Both messages are written at one time; their ids, which rise,
    /// put the user's first.
    pub(crate) fn new_ids(&self, found: &Found) -> (MessageId, TurnIds) {
        let user = found.message_id.unwrap_or_else(MessageId::generate);
        let chat = self.chat_id.unwrap_or_else(ChatId::generate);
        (user, TurnIds { chat, run: RunId::generate(), message: MessageId::generate() })
    }

    /// The courtesy checks before the gate.
    pub(crate) async fn precheck(&self, inner: &Arc<Inner>) -> Result<Found> {
        let mut chat = None;
        if let Some(chat_id) = self.chat_id {
            chat = inner.store.chat(chat_id).await?;
        }
        if chat.as_ref().is_some_and(|chat| chat.workspace_id != self.workspace_id || chat.creator_id != self.user_id) {
            return Err(forbidden());
        }
        let replaces = self.replaces(inner, chat.is_none()).await?;
        let message_id = self.message_id(inner, replaces).await?;
        if let Some(chat_id) = self.chat_id
            && let Some(active) = inner.store.active_run(chat_id).await?
            && active.workspace_id == self.workspace_id
            && !self.is_freed(inner, active.id).await?
            && self.busy == Busy::Reject
        {
            return Err(already_active(Some(active.id)));
        }
        let role = match chat {
            None => inner.role_of_new_chat(self.workspace_id, self.role_id).await?,
            // It keeps its role, whatever is asked for, and goes on without one that was deleted or disabled.
            Some(chat) => match chat.role_id {
                Some(role_id) => inner.store.role(self.workspace_id, role_id).await?.map(|role| (role_id, role)),
                None => None,
            },
        };
        let (role_id, role) = role.unzip();
        Ok(Found { role, role_id, message_id, replaces })
    }

    /// The id that the user's message will have: its client's own where that is a UUID, else one that is made of the
    /// client's. A message that is in the chat already is not written again. One of another chat is nobody's business
    /// here, and takes nothing away.
    async fn message_id(&self, inner: &Inner, replaces: Option<MessageId>) -> Result<Option<MessageId>> {
        let Some(name) = &self.envelope.id else { return Ok(None) };
        if replaces.is_some() {
            // A client keeps the id of a message that it edits; the row has that of the first version for ever.
            return Ok(None);
        }
        if let Ok(id) = name.parse::<MessageId>() {
            if self.has_message(inner, id).await? {
                return Err(message_exists());
            }
            if inner.store.chat_of_message(id).await?.is_none() {
                return Ok(Some(id));
            }
        }
        let Some(chat_id) = self.chat_id else { return Ok(None) };
        let id = MessageId::of_client(chat_id, name);
        match inner.store.chat_of_message(id).await? {
            None => Ok(Some(id)),
            Some(_) => Err(message_exists()),
        }
    }

    /// Whether the chat has, or has had, this message, be it one that it was forked with.
    async fn has_message(&self, inner: &Inner, id: MessageId) -> Result<bool> {
        match self.chat_id {
            Some(chat_id) => inner.store.has_message(chat_id, id).await,
            None => Ok(false),
        }
    }

    /// The message in whose place the turn stands. An answer is generated anew where it is, or after the user's message
    /// that is named; without a name it is the newest. An edited message goes with everything after it.
    async fn replaces(&self, inner: &Inner, new_chat: bool) -> Result<Option<MessageId>> {
        let generates = self.trigger == Trigger::Regenerate;
        if !generates && self.anew.is_none() {
            return Ok(None);
        }
        let unknown = || Error::invalid("messageId", "is no message of this chat");
        let chat_id = self.chat_id.filter(|_| !new_chat).ok_or_else(unknown)?;
        let found = match self.anew {
            Some(name) => {
                let id = name.parse::<MessageId>().unwrap_or_else(|_| MessageId::of_client(chat_id, name));
                inner.store.message_now(chat_id, id).await?
            }
            None => inner.store.messages(chat_id, 1).await?.pop(),
        };
        let message = found.ok_or_else(unknown)?;
        match (generates, message.role == MessageRole::Assistant) {
            (true, true) => Ok(Some(message.id)),
            (true, false) => Ok(inner.store.message_after(chat_id, message.id).await?.map(|after| after.id)),
            (false, false) => Ok(Some(message.id)),
            (false, true) => {
                Err(Error::invalid("messageId", "is a message that the model wrote, which cannot be edited"))
            }
        }
    }

    /// Takes the chat, or what its policy says when it is busy.
    pub(crate) async fn begin(
        &self,
        inner: &Arc<Inner>,
        ids: TurnIds,
        user: MessageId,
        replaces: Option<MessageId>,
        role_id: Option<AgentRoleId>,
    ) -> Result<Outcome> {
        let taken = match self.counted {
            false => inner.take_requests(self.workspace_id, self.user_id).await?,
            true => TakenRequests::default(),
        };
        let outcome = self.begin_counted(inner, ids, user, replaces, role_id).await;
        if !matches!(outcome, Ok(Outcome::Begun(_) | Outcome::Waits(_))) {
            inner.give_back(taken).await;
        }
        outcome
    }

    async fn begin_counted(
        &self,
        inner: &Arc<Inner>,
        ids: TurnIds,
        user: MessageId,
        replaces: Option<MessageId>,
        role_id: Option<AgentRoleId>,
    ) -> Result<Outcome> {
        match self.busy {
            Busy::Supersede(target) => self.supersede(inner, target).await?,
            Busy::Enqueue => self.ensure_may_wait(inner).await?,
            Busy::Reject => {}
        }
        let begin = self.row(inner, ids, user, replaces, role_id)?;
        match inner.store.begin_run(begin.clone()).await {
            Ok(Began::Started(fence)) => Ok(Outcome::Begun(fence)),
            Ok(Began::Repeated(run_id)) => Ok(Outcome::Repeated(run_id)),
            Err(error) if error.code() == ErrorCode::RunAlreadyActive => match self.busy {
                Busy::Enqueue => match inner.store.enqueue_run(begin.clone()).await.map_err(begin_failed)? {
                    Began::Started(_) => Ok(Outcome::Waits(Box::new(BeginRun { from_queue: true, ..begin }))),
                    Began::Repeated(run_id) => Ok(Outcome::Repeated(run_id)),
                },
                Busy::Supersede(_) => Err(mismatch(error.details().get("activeRunId").cloned())),
                Busy::Reject => Err(error),
            },
            Err(error) => Err(begin_failed(error)),
        }
    }

    /// Refuses to let ever more turns wait: each of them is kept, and looked at, until its chat is free.
    async fn ensure_may_wait(&self, inner: &Inner) -> Result<()> {
        let Some(chat_id) = self.chat_id else { return Ok(()) };
        let waiting = inner.store.count_waiting(chat_id, self.workspace_id, self.user_id).await?;
        let limits = &inner.options.runs;
        let refused = |limit: u32, whose: &str| {
            let message = format!("{limit} turns of this {whose} are waiting already");
            Err(Error::new(ErrorCode::RateLimited, message).with_detail("field", "busy").with_detail("limit", limit))
        };
        match waiting {
            (of_chat, _) if of_chat >= u64::from(limits.max_waiting_per_chat) => {
                refused(limits.max_waiting_per_chat, "chat")
            }
            (_, of_user) if of_user >= u64::from(limits.max_waiting_per_user) => {
                refused(limits.max_waiting_per_user, "user")
            }
            _ => Ok(()),
        }
    }

    /// Whether the run that holds the chat was left behind by its owner, and has been settled now.
    async fn is_freed(&self, inner: &Arc<Inner>, active: RunId) -> Result<bool> {
        if inner.registry.has(active) {
            return Ok(false);
        }
        sweep::sweep_run(inner, active).await
    }

    fn row(
        &self,
        inner: &Inner,
        ids: TurnIds,
        user: MessageId,
        replaces: Option<MessageId>,
        role_id: Option<AgentRoleId>,
    ) -> Result<BeginRun> {
        let user_message = match self.parts {
            None => None,
            Some(parts) => Some(NewUserMessage {
                id: user,
                content: parts.iter().filter_map(Part::as_text).collect(),
                metadata: stored_message(parts, self.envelope.metadata.as_ref())?,
            }),
        };
        Ok(BeginRun {
            run_id: ids.run,
            chat_id: ids.chat,
            workspace_id: self.workspace_id.to_owned(),
            user_id: self.user_id.to_owned(),
            trigger: self.trigger,
            owner: inner.owner.clone(),
            lease: inner.options.runs.lease(),
            plan: self.plan.clone(),
            unowned: self.unowned,
            role_id,
            page_id: self.open_page.and_then(|page| page.id.clone()),
            replaces,
            user_message,
            assistant_message_id: ids.message,
            assistant: empty_row(MessageStatus::Streaming),
            idempotency_key: self.idempotency_key.map(str::to_owned),
            from_queue: false,
        })
    }

    /// Stops the named run, if it is the one that holds the chat, and waits until it has settled.
    async fn supersede(&self, inner: &Arc<Inner>, target: RunId) -> Result<()> {
        let run = inner.store.run(target).await?;
        // Nothing is told of runs of other people's chats: `precheck` has made sure of this one.
        if run.is_none_or(|run| Some(run.chat_id) != self.chat_id) {
            return Err(Error::new(ErrorCode::SupersedeInvalid, "the run to supersede is not one of this chat")
                .with_detail("field", "busy.supersede"));
        }
        let Some(chat_id) = self.chat_id else { return Ok(()) };
        match inner.store.active_run(chat_id).await? {
            None => return Ok(()),
            Some(active) if active.id != target => return Err(mismatch(Some(active.id.to_string().into()))),
            Some(_) => {}
        }
        stops::stop(inner, target, RunReason::Superseded).await?;
        let begun = Instant::now();
        let (mut wait, mut swept) = (FIRST_WAIT, begun);
        loop {
            match inner.store.run(target).await? {
                Some(run) if run.status.is_active() => {}
                _ => return Ok(()),
            }
            inner.ensure_open()?;
            if begun.elapsed() >= Duration::from_millis(inner.options.runs.supersede_timeout_ms) {
                return Err(Error::new(ErrorCode::SupersedeTimeout, "the run to supersede did not settle in time")
                    .with_detail("activeRunId", target.to_string()));
            }
            if !inner.registry.has(target) && swept.elapsed() >= SWEEP_EVERY {
                swept = Instant::now();
                sweep::sweep_run(inner, target).await?;
            }
            sleep(wait).await;
            wait = (wait * 2).min(MAX_WAIT);
        }
    }
}

/// What belongs to a run; nothing for one that has lost its message together with its chat.
pub(crate) fn ids_of(run: &Run) -> Option<TurnIds> {
    Some(TurnIds { chat: run.chat_id, run: run.id, message: run.assistant_message_id? })
}

impl Inner {
    /// What belongs to the run that an idempotency key was used for before.
    pub(crate) async fn repeated(&self, run_id: RunId) -> Result<TurnIds> {
        let run = self.store.run(run_id).await?;
        run.as_ref().and_then(ids_of).ok_or_else(|| Error::internal("the run of an idempotency key is gone"))
    }
}

fn message_exists() -> Error {
    let message =
        "message.id: this message is in the chat already; name it as messageId to edit it, or to have it answered anew";
    Error::new(ErrorCode::MessageExists, message).with_detail("field", "message.id")
}

fn mismatch(active: Option<serde_json::Value>) -> Error {
    let error = Error::new(ErrorCode::SupersedeTargetMismatch, "another run than the one to supersede is active");
    match active {
        Some(serde_json::Value::String(run_id)) => error.with_detail("activeRunId", run_id),
        _ => error,
    }
}

pub(crate) fn begin_failed(error: Error) -> Error {
    match error.code() {
        ErrorCode::Internal => Error::new(ErrorCode::RunBeginFailed, "the run could not be written").with_source(error),
        _ => error,
    }
}

/// Ends a run that was begun but cannot be driven, so that the chat is free again.
pub(crate) async fn fail_begun(inner: &Inner, fence: Fence, error: Error) -> Error {
    let message = "the chat's history could not be read";
    let settle = AbandonedLog::default().failure(fence, message.to_owned());
    if let Err(unsettled) = inner.store.settle_run(settle).await {
        // Nobody renews this lease, so a sweep will end the run.
        tracing::warn!(error = %unsettled, "a run that could not be begun could not be settled either");
    }
    match error.code() {
        // Its caller may try again, as everybody who meets such a store.
        ErrorCode::StoreUnavailable => error,
        _ => Error::new(ErrorCode::RunBeginFailed, message).with_source(error),
    }
}
