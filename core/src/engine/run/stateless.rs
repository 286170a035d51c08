//! Turns of which nothing is stored but their records and what they use: an engine of their own drives them, in memory.

use std::sync::Arc;

use crate::engine::request::Stateless;
use crate::engine::{Busy, Engine, EngineOptions, Inner, TurnRequest, Who};
use crate::error::{Error, ErrorCode, Result};
use crate::id::RunId;
use crate::model::{RunReason, StatelessRun};
use crate::provider::Provider;
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
    let Stateless { persona } = request.stateless.take().unwrap_or_default();
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
    let mut role = inner.role_of_new_chat(&request.workspace_id, request.role_id.take()).await?.map(|(_, role)| role);
    let own = request.own_pieces();
    let mut resolved = Resolved { admin_prompt: inner.options.prompt.admin_prompt.clone(), ..Resolved::default() };
    let provider: Arc<dyn Provider> = match provider {
        Some(provider) => provider,
        None => {
            let model = inner.chat_model(&request.workspace_id, request.provider.as_ref(), role.as_ref()).await?;
            resolved.admin_prompt = model.admin_prompt;
            let config = own.applied_to(model.config);
            resolved.model_name = Some(config.model.clone());
            // It has them by now.
            (request.provider, request.model, request.options) = (None, None, None);
            Arc::new(config.build(inner.http()?)?)
        }
    };
    if let Some(persona) = persona {
        role = Some(RolePrompt { instructions: persona, ..role.unwrap_or_default() });
    }
    resolved.role = role;
    let engine = inner.stateless().await?;
    // One that closes meanwhile has closed the other one, or will.
    inner.ensure_open()?;
    turn::start(Arc::clone(&engine.inner), request, tools, Some(provider), Some(resolved)).await
}

impl Inner {
    /// The engine of the turns that are not stored.
    async fn stateless(&self) -> Result<&Engine> {
        let open = || async {
            let store = MemoryStore::recorded_in(Arc::clone(&self.clock), Arc::clone(&self.store));
            let options = EngineOptions { generate_chat_titles: false, ..self.options.clone() };
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
