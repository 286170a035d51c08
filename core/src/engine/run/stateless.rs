//! Turns of which nothing is stored but their records and what they use: an engine of their own drives them, in memory.

use std::sync::Arc;

use crate::engine::message::UserMessage;
use crate::engine::request::Stateless;
use crate::engine::{
    Busy, Engine, EngineOptions, FeatureGates, GivenMessage, GivenPart, Inner, PublicTurn, TurnRequest, Who,
};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{ChatId, MessageId, RunId};
use crate::machine::TurnIds;
use crate::model::{Json, RunReason, StatelessRun};
use crate::project::public::{ShareAccess, checked_transcript, named_id, public_transcript, turned_away};
use crate::provider::Provider;
use crate::role::role_model_override;
use crate::settings::WorkspaceSettings;
use crate::store::{MemoryStore, RolePrompt, forbidden};
use crate::tool::Tool;

use super::stops;
use super::turn::{self, Resolved, Turn};

/// Begins a turn that is not stored.
pub(crate) async fn start(
    inner: Arc<Inner>,
    mut request: TurnRequest,
    tools: Vec<Tool>,
    provider: Option<Arc<dyn Provider>>,
) -> Result<Turn> {
    inner.ensure_open()?;
    request.check()?;
    let Stateless { persona, public } = request.stateless.take().unwrap_or_default();
    if let Some(public) = &public {
        check_public(&request, public)?;
    }
    for (field, is_given) in [
        ("chatId", request.chat_id.is_some()),
        ("messageId", request.message_id.is_some()),
        ("busy", request.busy != Busy::Reject),
        ("idempotencyKey", request.idempotency_key.is_some()),
        ("offeredTools", request.offered_tools.is_some()),
    ] {
        if is_given {
            return Err(Error::invalid(field, "must not be given for a turn that is not stored"));
        }
    }
    if public.is_none() {
        let stored = inner.stored_settings(&request.workspace_id).await?;
        inner.ensure_may_run(&stored, request.trigger, request.detached)?;
        let ids = TurnIds { chat: ChatId::generate(), run: RunId::generate(), message: MessageId::generate() };
        let (workspace_id, user_id) = (&request.workspace_id, &request.user_id);
        request.open_page = inner.checked_page(workspace_id, user_id, ids, request.open_page.as_ref()).await;
    }
    let mut role = inner.role_of_new_chat(&request.workspace_id, request.role_id.take()).await?.map(|(_, role)| role);
    if public.is_some() {
        prepare_public(&inner, &mut request, &mut role, provider.is_some()).await?;
    }
    let own = request.own_pieces(&inner.options.runs);
    let mut resolved = Resolved { admin_prompt: inner.options.prompt.admin_prompt.clone(), ..Resolved::default() };
    let provider: Arc<dyn Provider> = match provider {
        Some(provider) => provider,
        None => {
            let model = inner.chat_model(&request.workspace_id, request.provider.as_ref(), role.as_ref()).await?;
            resolved.admin_prompt = model.admin_prompt;
            let config = own.clone().applied_to(model.config);
            resolved.model_name = Some(config.model.clone());
            let cost = own.budget(&inner.options.prices, resolved.model_name.as_deref())?.cost;
            resolved.fallbacks = Some(inner.fallbacks(&request.fallbacks, Some(&config), cost)?);
            // It has them by now.
            (request.provider, request.model, request.options) = (None, None, None);
            Arc::new(config.build(inner.http()?)?)
        }
    };
    if let Some(persona) = persona {
        role = Some(RolePrompt { instructions: persona, ..role.unwrap_or_default() });
    }
    resolved.role = role;
    if let Some(public) = public {
        inner.take_public_request(&request.workspace_id, &request.user_id).await?;
        say_what_the_visitor_says(&mut request, &public)?;
        resolved.public = Some(public);
    }
    if request.mcp_tools {
        // The servers, and what opens their headers, are the other engine's.
        resolved.mcp = Some(inner.mcp_tools(&request.workspace_id).await?);
    }
    if request.docmost.is_some() {
        // So is the host's function that has the tokens.
        resolved.docmost = Some(inner.docmost_tools_of(&request)?);
    }
    let engine = inner.stateless().await?;
    // One that closes meanwhile has closed the other one, or will.
    inner.ensure_open()?;
    turn::start(Arc::clone(&engine.inner), request, tools, Some(provider), Some(resolved)).await
}

/// How many calls the turn of a visitor has, and how many tokens each answer, unless the host says otherwise.
const PUBLIC_STEPS: u32 = 5;
const PUBLIC_OUTPUT_TOKENS: u64 = 512;

/// What turns a visitor away before anything is looked up: always in the same words.
fn check_public(request: &TurnRequest, public: &PublicTurn) -> Result<()> {
    for (field, is_given) in [
        ("message", request.message.is_some()),
        ("history", request.history.is_some()),
        ("openPage", request.open_page.is_some()),
        ("mcpTools", request.mcp_tools),
        ("docmost", request.docmost.is_some()),
    ] {
        if is_given {
            return Err(Error::invalid(field, "must not be given beside stateless.public"));
        }
    }
    let (share_id, page_id) = (named_id(&public.share_id), named_id(&public.page_id));
    let is_found = share_id.is_some() && page_id.is_some() && public.page.is_some();
    let access = ShareAccess { share_usable: is_found, page_in_share: is_found && public.sharing_allowed };
    match turned_away(public.enabled, access, true) {
        Some(_) => Err(Error::new(ErrorCode::NotFound, "there is no such page")),
        None => Ok(()),
    }
}

/// What a visitor's turn has of the workspace's settings, and otherwise, unless the host says so. `is_given`: the provider is
/// the host's own.
async fn prepare_public(
    inner: &Inner,
    request: &mut TurnRequest,
    role: &mut Option<RolePrompt>,
    is_given: bool,
) -> Result<()> {
    let settings = inner.stored_settings(&request.workspace_id).await?;
    let settings = WorkspaceSettings::from_stored(settings.settings.as_deref());
    if role.is_none()
        && let Some(chosen) = settings.filled("publicShareAssistantRoleId").and_then(|id| id.parse().ok())
    {
        *role = inner.store.role(&request.workspace_id, chosen).await?;
    }
    request.max_steps = request.max_steps.or(Some(PUBLIC_STEPS));
    if is_given {
        return Ok(());
    }
    let options = request.options.get_or_insert_default();
    options.max_output_tokens = options.max_output_tokens.or(Some(PUBLIC_OUTPUT_TOKENS));
    let of_role = role.as_ref().and_then(|role| role_model_override(None, role.model_config.as_ref()?));
    if request.model.is_none() && request.provider.is_none() && of_role.is_none() {
        request.model = settings.filled("publicShareChatModel").map(str::to_owned);
    }
    Ok(())
}

/// The visitor's conversation as history and message.
fn say_what_the_visitor_says(request: &mut TurnRequest, public: &PublicTurn) -> Result<()> {
    let given: Vec<Json> = public.messages.iter().map(|message| message.0.clone()).collect();
    let mut messages = public_transcript(checked_transcript(&given, "stateless.public.messages")?);
    let last = messages.pop().filter(|message| message.role == "user" && !message.texts.concat().is_empty());
    let last = last.ok_or_else(|| {
        Error::invalid("stateless.public.messages", "must end with a message of the visitor's that has text")
    })?;
    let wrong = |_| Error::internal("a message could not be encoded");
    let text = |text: String| Json::from_value(&serde_json::json!({"type": "text", "text": text})).map_err(wrong);
    let parts = last.texts.into_iter().map(text).collect::<Result<Vec<_>>>()?;
    request.message = Some(UserMessage::Parts(
        Json::from_value(&serde_json::json!({"role": "user", "parts": parts})).map_err(wrong)?,
    ));
    let history = messages.into_iter().map(|message| {
        let parts = message.texts.into_iter().map(|part| text(part).map(GivenPart)).collect::<Result<Vec<_>>>()?;
        Ok(GivenMessage { role: message.role, parts })
    });
    request.history = Some(history.collect::<Result<Vec<_>>>()?);
    Ok(())
}

impl Inner {
    /// The engine of the turns that are not stored.
    async fn stateless(&self) -> Result<&Engine> {
        let open = || async {
            let store = MemoryStore::recorded_in(Arc::clone(&self.clock), Arc::clone(&self.store));
            // Settings are those of the other store, and what they switch off was looked at before.
            let (generate_chat_titles, features) = (false, FeatureGates::Report);
            let options = EngineOptions { generate_chat_titles, features, ..self.options.clone() };
            Engine::on_store(options, Arc::new(store), format!("{}/stateless", self.owner), Arc::clone(&self.clock))
                .await
        };
        self.stateless.get_or_try_init(open).await
    }

    /// How many of them are driven here.
    pub(crate) fn active_stateless(&self) -> usize {
        self.stateless.get().map_or(0, |engine| engine.inner.registry.active())
    }
}

impl Engine {
    /// What is kept of a turn that is not stored.
    ///
    /// # Errors
    /// `FORBIDDEN`, `NOT_FOUND`, `STORE_UNAVAILABLE`.
    pub async fn stateless_run(&self, who: &Who, run_id: RunId) -> Result<StatelessRun> {
        who.check()?;
        let run = self.inner.store.record(run_id).await?;
        let run = run.ok_or_else(|| Error::new(ErrorCode::NotFound, "there is no such run"))?;
        if run.workspace_id != who.workspace_id || run.created_by != who.user_id {
            return Err(forbidden());
        }
        Ok(run)
    }

    /// Stops such a turn, from any process. `false` when it has ended.
    pub(crate) async fn stop_stateless(&self, who: &Who, run_id: RunId) -> Result<bool> {
        self.stateless_run(who, run_id).await?;
        let noted = self.inner.store.stop_record(run_id).await?;
        if let Some(engine) = self.inner.stateless.get().filter(|engine| engine.inner.registry.has(run_id)) {
            return Ok(stops::stop(&engine.inner, run_id, RunReason::Stopped).await? || noted);
        }
        self.inner.tell_others(run_id);
        Ok(noted)
    }
}
