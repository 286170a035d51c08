//! Beginning a turn, and the handle that its host holds.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{mpsc, watch};

use crate::engine::fallback::{FallbackModel, Fallbacks};
use crate::engine::message::{UserMessage, check_files};
use crate::engine::request::{OwnPieces, TurnRequest};
use crate::engine::service::mcp::McpTools;
use crate::engine::service::requests::name_after_first_turn;
use crate::engine::{Inner, PublicTurn};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{ChatId, MessageId, RunId};
use crate::log::journal::Journal;
use crate::log::{ChunkLog, Protocol, StreamFormat};
use crate::machine::shell::Shell;
use crate::machine::{Budget, Event, Limits, RunMachine, Tainting, TurnIds};
use crate::model::{CallKind, Message, RunOutcome, RunReason, RunStatus, Steering, SteeringState, Usage, Waits};
use crate::project::{OpenPage, PromptLayers, build_public_prompt, build_system_prompt};
use crate::provider::Provider;
use crate::store::{Fence, RolePrompt, RunPlan, SteeringOf};
use crate::tool::{Tool, ToolCatalog, ToolSet};

use super::begin::{Beginning, Found, Outcome, fail_begun};
use super::driver::{Driver, Finished, RunReaders};
use super::page::{self, CurrentPage};
use super::reader::{Leaving, Source, TurnReader};
use super::stops::stop_if_noted;
use super::tail::RunTail;
use super::warnings::Warnings;
use super::{history, queue, stops, taint};
use crate::log::TailFrom;
use crate::log::abandoned::AbandonedLog;

/// A turn of this process. Dropping it stops nothing.
pub struct Turn {
    inner: Arc<Inner>,
    ids: TurnIds,
    feed: Feed,
    detached: bool,
    repeated: bool,
    protocol: Protocol,
    format: StreamFormat,
    readers: Arc<AtomicUsize>,
}

/// Where a turn's chunks and its end are learned from.
enum Feed {
    /// The driver of this process.
    Driver(Arc<ChunkLog>, watch::Receiver<Option<Finished>>),
    /// The store: the run is another process's, or was begun before with the same idempotency key.
    Store,
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
        // Readers of a repeated turn watch a run that is not theirs to stop.
        let stops = !self.detached && !self.is_repeated();
        let leaving = stops.then(|| Leaving::new(Arc::clone(&self.inner), self.ids.run, &self.readers));
        let source = match &self.feed {
            Feed::Driver(log, _) => Source::Turn(log.reader(0)),
            Feed::Store => Source::Log(RunTail::new(Arc::clone(&self.inner), self.ids.run, TailFrom::Snapshot)),
        };
        TurnReader::new(source, leaving).telling(self.protocol, self.format)
    }

    /// Whether the run had been begun before, with the same idempotency key.
    pub fn is_repeated(&self) -> bool {
        self.repeated
    }

    /// Whether this engine drives the run, or did. Otherwise chunks and outcome are read from the store.
    pub fn is_driven_here(&self) -> bool {
        matches!(self.feed, Feed::Driver(..))
    }

    /// Asks the run to stop and, so that it holds even if this process dies, notes that in the store. `false` when the
    /// run has settled already.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE` when the stop could not be noted; the run is stopped all the same.
    pub async fn stop(&self) -> Result<bool> {
        stops::stop(&self.inner, self.ids.run, RunReason::Stopped).await
    }

    /// The messages that wait for the run, in their order: for its next step, or, once it has ended, for the chat's next turn.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    pub async fn queue(&self) -> Result<Vec<Steering>> {
        let mut found = self.inner.store.steering(&SteeringOf::Run(self.ids.run)).await?;
        found.retain(|message| message.state == SteeringState::Waiting);
        Ok(found)
    }

    /// Waits for the end of the turn and says how it ended, once that is on disk.
    ///
    /// # Errors
    /// `LEASE_LOST` when another process owns the run now, `STORE_UNAVAILABLE` when its end could not be written.
    pub async fn done(&self) -> Result<RunOutcome> {
        let mut finished = match &self.feed {
            Feed::Driver(_, finished) => finished.clone(),
            Feed::Store => return self.settled().await,
        };
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

    /// Follows the run to its end and reads from the store how it ended.
    async fn settled(&self) -> Result<RunOutcome> {
        let mut tail = RunTail::new(Arc::clone(&self.inner), self.ids.run, TailFrom::Snapshot);
        while !tail.next_patiently(usize::MAX).await?.is_empty() {}
        let run = self.inner.store.run(self.ids.run).await?.ok_or_else(|| Error::internal("the run is gone"))?;
        let steps = self.inner.store.steps(run.id).await?;
        Ok(RunOutcome {
            run_id: run.id,
            chat_id: run.chat_id,
            message_id: self.ids.message,
            status: run.status,
            reason: run.reason,
            error: run.error,
            failure: run.failure,
            finish_reason: steps
                .iter()
                .rev()
                .find(|logged| !logged.step.is_withdrawn())
                .and_then(|logged| logged.step.finish_reason),
            usage: steps.iter().fold(None, |sum, logged| Usage::accumulate(sum, logged.step.usage)),
            step_count: run.step_count,
            warnings: Vec::new(),
        })
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

pub(crate) async fn start(
    inner: Arc<Inner>,
    request: TurnRequest,
    tools: Vec<Tool>,
    provider: Option<Arc<dyn Provider>>,
    resolved: Option<Resolved>,
) -> Result<Turn> {
    inner.ensure_open()?;
    request.check()?;
    let parts = request.parts()?;
    let runs = &inner.options.runs;
    let mut own = request.own_pieces(runs);
    let page = CurrentPage::default();
    // The host's tools come behind it: one of the same name takes its place.
    let docmost = match resolved.as_ref().and_then(|resolved| resolved.docmost.clone()) {
        Some(docmost) => docmost,
        None => inner.docmost_tools_of(&request)?,
    };
    let own_tools: Vec<Tool> = docmost.into_iter().chain(own.page_tool.then(|| page::page_tool(&page))).collect();
    if request.offered_tools.is_none() {
        ensure_waits_for_nobody(&tools, &request)?;
    }
    let given = tools.clone();
    let (tools, plan) = match &request.offered_tools {
        None => (Some(Arc::new(runs.tool_set(own_tools.iter().cloned().chain(tools).collect())?)), None),
        Some(_) if !tools.is_empty() => {
            return Err(Error::invalid("tools", "must not be given beside offeredTools"));
        }
        Some(_) if provider.is_some() => {
            return Err(Error::invalid("provider", "must not be given beside offeredTools: others could not use it"));
        }
        Some(names) => {
            let frees_chat = !request.holds_chat;
            let plan = RunPlan { tools: names.clone(), open_page: None, own: own.to_json(), frees_chat };
            (inner.worker.offered(own_tools.clone(), names, runs).transpose()?, Some(plan))
        }
    };
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
        unowned: tools.is_none(),
        plan,
        counted: resolved.as_ref().is_some_and(|resolved| resolved.public.is_some()),
    };
    if let Some(run_id) = beginning.repeated(&inner).await? {
        return repeated(inner, run_id, &request).await;
    }
    let stored = inner.stored_settings(&request.workspace_id).await?;
    inner.ensure_may_run(&stored, request.trigger, request.detached)?;
    let found = beginning.precheck(&inner).await?;
    let (user_message_id, ids) = beginning.new_ids(&found);
    let open_page = inner.checked_page(&request.workspace_id, &request.user_id, ids, request.open_page.as_ref()).await;
    let open_page = page.get_or_init(|| open_page);
    beginning.open_page = open_page.as_ref();
    if let Some(plan) = &mut beginning.plan {
        plan.open_page.clone_from(open_page);
    }
    let Found { role, role_id, replaces, .. } = found;
    let Some(tools) = tools else {
        let run_id = match beginning.begin(&inner, ids, user_message_id, replaces, role_id).await? {
            Outcome::Repeated(run_id) => return repeated(inner, run_id, &request).await,
            Outcome::Begun(fence) => fence.run_id,
            Outcome::Waits(begin) => begin.run_id,
        };
        stop_if_noted(&inner, beginning.stop_note(), run_id).await;
        inner.changed(run_id);
        let (feed, detached) = (Feed::Store, request.detached);
        let (protocol, format) = (request.protocol, request.format);
        return Ok(Turn { inner, ids, feed, detached, repeated: false, protocol, format, readers: Arc::default() });
    };
    let may_hand_over = request.offered_tools.is_some();
    let is_resolved = resolved.is_some();
    let Resolved {
        mut admin_prompt, mut model_name, role: given_role, public, mcp, fallbacks: given_fallbacks, ..
    } = resolved
        .unwrap_or_else(|| Resolved { admin_prompt: inner.options.prompt.admin_prompt.clone(), ..Resolved::default() });
    let role = if is_resolved { given_role } else { role };
    let mcp = match mcp {
        Some(mcp) => mcp,
        None if own.mcp_tools => inner.mcp_tools(&request.workspace_id).await?,
        None => McpTools::default(),
    };
    let tools = match &request.offered_tools {
        _ if mcp.tools.is_empty() => tools,
        // Those of strangers come first: whoever is called the same takes their place.
        None => Arc::new(runs.tool_set(mcp.tools.iter().cloned().chain(own_tools).chain(given).collect())?),
        Some(names) => {
            inner.worker.offered(mcp.tools.iter().cloned().chain(own_tools), names, runs).transpose()?.unwrap_or(tools)
        }
    };
    own.mcp_instructions.extend(mcp.guidance);
    let mut config = None;
    let provider: Arc<dyn Provider> = match provider {
        Some(_) if own.model.is_some() || own.options.is_some() => {
            let field = if own.model.is_some() { "model" } else { "options" };
            return Err(Error::invalid(field, "must not be given beside a provider of the caller's own"));
        }
        Some(provider) => provider,
        None => {
            let model =
                inner.chat_model_of(&request.workspace_id, &stored, request.provider.as_ref(), role.as_ref())?;
            admin_prompt = model.admin_prompt;
            let config = &*config.insert(own.clone().applied_to(model.config));
            model_name = Some(config.model.clone());
            Arc::new(config.clone().build(inner.http()?)?)
        }
    };
    check_files(parts.as_deref().unwrap_or_default(), provider.takes())?;
    let system = match &public {
        Some(public) => public_prompt(&inner, public, role, &own),
        None => system_prompt(&inner, admin_prompt, role, open_page.clone(), &own),
    };
    let page_told = public.as_ref().map_or(open_page.as_ref(), |public| public.page.as_ref());
    let tainting = taint::rules(&own, runs.taint, page_told)?;
    let (max_steps, budget) = (own.steps(runs), own.budget(&inner.options.prices, model_name.as_deref())?);
    let fallbacks = match given_fallbacks {
        Some(fallbacks) => fallbacks,
        None => inner.fallbacks(&request.fallbacks, config.as_ref(), budget.cost)?,
    };

    let outcome = beginning.begin(&inner, ids, user_message_id, replaces, role_id).await?;
    let (control, events) = mpsc::unbounded_channel();
    let (sender, finished) = watch::channel(None);
    let given = request.history.as_deref().map(|history| history::given(history, parts.as_deref().unwrap_or_default()));
    let payer = Payer {
        workspace_id: request.workspace_id.clone(),
        user_id: Some(request.user_id.clone()),
        model: model_name.as_deref().map(Arc::from),
        kind: if public.is_some() { CallKind::PublicStep } else { CallKind::Step },
    };
    let warnings = mcp.warnings;
    let step_retries = own.step_retries(runs);
    let means = Means {
        ids,
        payer,
        system,
        provider,
        fallbacks,
        step_retries,
        tools,
        max_steps,
        budget,
        given,
        warnings,
        tainting,
    };
    let prepared = Prepared::new(means, events, sender);
    let log = Arc::clone(&prepared.log);
    if request.resumable {
        log.number();
    }
    let done = Done { hands_over: may_hand_over, ..Done::default() };
    let (engine, note) = (Arc::clone(&inner), beginning.stop_note());
    match outcome {
        Outcome::Repeated(run_id) => return repeated(inner, run_id, &request).await,
        Outcome::Begun(fence) => {
            let driver = prepared.driver(&inner, fence, done).await?;
            inner.registry.add(ids.run, control);
            inner.runtime.spawn(async move {
                stop_if_noted(&engine, note, ids.run).await;
                drop(engine);
                driver.run().await;
            });
        }
        Outcome::Waits(begin) => {
            inner.registry.add(ids.run, control);
            inner.runtime.spawn(async move {
                stop_if_noted(&engine, note, ids.run).await;
                queue::wait(engine, begin, prepared).await;
            });
        }
    }
    if inner.options.generate_chat_titles {
        let (succeeded, workspace_id) = (has_succeeded(finished.clone()), request.workspace_id.clone());
        let engine = Arc::clone(&inner);
        inner.runtime.spawn(async move {
            if succeeded.await {
                name_after_first_turn(&engine, &workspace_id, ids.chat).await;
            }
        });
    }
    inner.stop_if_closing(ids.run);
    let (feed, detached) = (Feed::Driver(log, finished), request.detached);
    let (protocol, format) = (request.protocol, request.format);
    Ok(Turn { inner, ids, feed, detached, repeated: false, protocol, format, readers: Arc::default() })
}

/// Refuses what could not be gone on with: by the time of the answer there may be neither this process nor its tools.
fn ensure_waits_for_nobody(tools: &[Tool], request: &TurnRequest) -> Result<()> {
    if !request.holds_chat {
        return Err(Error::invalid("holdsChat", "is for runs that can wait: those with offeredTools"));
    }
    let Some(index) = tools.iter().position(|tool| tool.definition.may_wait()) else { return Ok(()) };
    let problem = "has calls that wait for somebody, and must be offered (offerTools) and named in offeredTools";
    Err(Error::invalid(format!("tools[{index}]"), problem))
}

fn system_prompt(
    inner: &Inner,
    admin_prompt: Option<String>,
    role: Option<RolePrompt>,
    opened_page: Option<OpenPage>,
    own: &OwnPieces,
) -> String {
    let prompt = &inner.options.prompt;
    build_system_prompt(&PromptLayers {
        workspace_name: own.workspace_name.clone().or_else(|| prompt.workspace_name.clone()),
        admin_prompt,
        role_instructions: role.map(|role| role.instructions),
        opened_page,
        mcp_instructions: own.mcp_instructions.clone(),
        product_name: prompt.product_name.clone(),
        extra_rules: [&prompt.extra_rules[..], &own.extra_rules[..]].concat(),
        extra_system: own.extra_system.clone(),
    })
}

fn public_prompt(inner: &Inner, public: &PublicTurn, role: Option<RolePrompt>, own: &OwnPieces) -> String {
    let prompt = &inner.options.prompt;
    let layers = PromptLayers {
        role_instructions: role.map(|role| role.instructions),
        opened_page: public.page.clone(),
        product_name: prompt.product_name.clone(),
        extra_rules: [&prompt.extra_rules[..], &own.extra_rules[..]].concat(),
        extra_system: own.extra_system.clone(),
        ..PromptLayers::default()
    };
    build_public_prompt(&layers, public.share_title.as_deref())
}

async fn has_succeeded(mut finished: watch::Receiver<Option<Finished>>) -> bool {
    match finished.wait_for(Option::is_some).await.as_deref() {
        Ok(Some(Finished::Settled(outcome))) => outcome.status == RunStatus::Succeeded,
        _ => false,
    }
}

/// What was found out about a turn before it came here.
#[derive(Default)]
pub(crate) struct Resolved {
    pub(super) admin_prompt: Option<String>,
    pub(super) model_name: Option<String>,
    pub(super) role: Option<RolePrompt>,
    /// It is for a visitor of public pages, and counted as such already.
    pub(super) public: Option<PublicTurn>,
    /// What the workspace's tool servers contribute.
    pub(super) mcp: Option<McpTools>,
    /// Its tools for a Docmost server.
    pub(super) docmost: Option<Vec<Tool>>,
    /// The models that are asked when the first one fails.
    pub(super) fallbacks: Option<Fallbacks>,
}

/// Whose calls a turn's are, and to which model.
#[derive(Clone, Debug)]
pub(crate) struct Payer {
    pub(super) workspace_id: String,
    /// Where that is known.
    pub(super) user_id: Option<String>,
    /// Where that is known.
    pub(super) model: Option<Arc<str>>,
    pub(super) kind: CallKind,
}

/// What a turn is driven with.
pub(crate) struct Means {
    pub(super) ids: TurnIds,
    pub(super) payer: Payer,
    pub(super) system: String,
    pub(super) provider: Arc<dyn Provider>,
    /// The models that are asked when that one fails, and how often it is asked again before.
    pub(super) fallbacks: Fallbacks,
    pub(super) step_retries: u32,
    pub(super) tools: Arc<ToolSet>,
    /// Model calls, at most.
    pub(super) max_steps: u32,
    /// What they may cost.
    pub(super) budget: Budget,
    /// The conversation, where the host keeps it itself.
    pub(super) given: Option<Vec<Message>>,
    /// What goes wrong beside it.
    pub(super) warnings: Warnings,
    /// What it may do once it has read content from outside.
    pub(super) tainting: Tainting,
}

/// Everything that a turn needs once its chat is free.
pub(crate) struct Prepared {
    pub(super) means: Means,
    pub(crate) log: Arc<ChunkLog>,
    pub(crate) events: mpsc::UnboundedReceiver<Event>,
    pub(super) finished: watch::Sender<Option<Finished>>,
}

/// What has been done of a run before it is driven here.
#[derive(Default)]
pub(crate) struct Done {
    /// What others have written of it; nothing in a run that has just begun.
    pub(crate) left: Option<AbandonedLog>,
    /// How long it has taken, without the time in which it waited for answers.
    pub(crate) taken: Duration,
    /// What it has waited for last.
    pub(crate) waits: Option<Waits>,
    /// Others can go on with it.
    pub(crate) hands_over: bool,
}

impl Means {
    /// What a run that others have begun is driven with, if its tools are offered here.
    pub(super) async fn offered(inner: &Arc<Inner>, ids: TurnIds, workspace_id: &str, plan: &RunPlan) -> Result<Self> {
        // A version that is not ours may have written more; what can be read counts.
        let mut own = plan.own.as_ref().map(OwnPieces::of_plan).unwrap_or_default();
        let page = CurrentPage::from(OnceLock::from(plan.open_page.clone()));
        let page_tool = own.page_tool.then(|| page::page_tool(&page));
        let chat = inner.store.chat(ids.chat).await?;
        let docmost = match (&own.docmost, &chat) {
            (Some(docmost), Some(chat)) => inner.docmost_tools(docmost, None, workspace_id, &chat.creator_id)?,
            _ => Vec::new(),
        };
        let mcp = if own.mcp_tools { inner.mcp_tools(workspace_id).await? } else { McpTools::default() };
        let tools = inner.worker.offered(
            mcp.tools.into_iter().chain(docmost).chain(page_tool),
            &plan.tools,
            &inner.options.runs,
        );
        own.mcp_instructions.extend(mcp.guidance);
        let gone = || Error::new(ErrorCode::EngineClosed, "the run's tools are not offered here any more");
        let tools = tools.ok_or_else(gone)??;
        let role = match chat.and_then(|chat| chat.role_id) {
            Some(role_id) => inner.store.role(workspace_id, role_id).await?,
            None => None,
        };
        let model = inner.chat_model(workspace_id, None, role.as_ref()).await?;
        let config = own.clone().applied_to(model.config);
        let model_name = Some(config.model.clone());
        let provider = Arc::new(config.clone().build(inner.http()?)?);
        let system = system_prompt(inner, model.admin_prompt, role, plan.open_page.clone(), &own);
        // What nobody here can count is not spent.
        let budget = own.budget(&inner.options.prices, model_name.as_deref())?;
        let planned: Vec<FallbackModel> = own.fallbacks.iter().cloned().map(FallbackModel::from).collect();
        let fallbacks = inner.fallbacks(&planned, Some(&config), budget.cost)?;
        let step_retries = own.step_retries(&inner.options.runs);
        let payer = Payer {
            workspace_id: workspace_id.to_owned(),
            user_id: None,
            model: model_name.as_deref().map(Arc::from),
            kind: CallKind::Step,
        };
        let (max_steps, warnings) = (own.steps(&inner.options.runs), mcp.warnings);
        let given = None;
        let tainting = taint::rules(&own, inner.options.runs.taint, plan.open_page.as_ref())?;
        Ok(Self {
            ids,
            payer,
            system,
            provider,
            fallbacks,
            step_retries,
            tools,
            max_steps,
            budget,
            given,
            warnings,
            tainting,
        })
    }
}

impl Prepared {
    pub(super) fn new(
        means: Means,
        events: mpsc::UnboundedReceiver<Event>,
        finished: watch::Sender<Option<Finished>>,
    ) -> Self {
        Self { means, log: ChunkLog::new(), events, finished }
    }

    /// The driver of the run that is ours.
    pub(super) async fn driver(self, inner: &Arc<Inner>, fence: Fence, mut done: Done) -> Result<Driver> {
        let ids = self.means.ids;
        let is_given = self.means.given.is_some();
        let read = match &self.means.given {
            Some(given) => Ok(given.clone()),
            None => history::read(inner, ids.chat, ids.message).await,
        };
        let rows = match read {
            Ok(rows) => rows,
            // What others have written of it stays theirs to judge.
            Err(error) if done.left.is_some() => return Err(error),
            Err(error) => return Err(fail_begun(inner, fence, error).await),
        };
        let (conversation, told) = history::told(inner, &rows);
        let tainting = taint::with_history(self.means.tainting.clone(), told, &self.means.tools, is_given);
        let runs = &inner.options.runs;
        let millis = Duration::from_millis;
        let limits = Limits {
            max_steps: self.means.max_steps,
            provider_silence: millis(runs.provider_silence_ms),
            first_chunk: millis(runs.first_chunk_ms.unwrap_or(runs.provider_silence_ms)),
            step: runs.step_timeout_ms.map(millis),
            run: runs.run_timeout_ms.map(|limit| millis(limit).saturating_sub(done.taken)),
            degeneration_guard: runs.degeneration_guard,
            answer_bytes: runs.max_answer_bytes,
            calls: runs.max_calls_per_step,
            calls_at_once: runs.max_parallel_calls,
            budget: Budget {
                time: self.means.budget.time.map(|limit| limit.saturating_sub(done.taken)),
                ..self.means.budget
            },
            error_text: inner.options.error_text,
        };
        let catalog: Arc<dyn ToolCatalog> = Arc::clone(&self.means.tools) as _;
        let steps = done.left.as_ref().map_or(&[][..], |left| &left.steps);
        let wait = millis(inner.options.http.retry_wait_ms);
        let Means { fallbacks, step_retries, payer, .. } = &self.means;
        let retries = fallbacks.retries(*step_retries, wait, payer.model.clone());
        let mut machine = RunMachine::new(ids, limits, catalog).retrying(retries).tainting(tainting).after(steps);
        if done.hands_over {
            machine = machine.handing_over();
        }
        if let Some(open) = done.left.as_mut().and_then(|left| left.open.take()) {
            let (number, waits) = (open.step.number, done.waits);
            machine = machine
                .resuming(open.step, (open.untold, open.told), |call| waits.as_ref()?.answer_to(number, call).cloned());
        }
        let mut journal = Journal::new(fence, self.means.provider.context_window());
        if let Some(left) = done.left {
            journal = journal.after(left.steps, left.next_sequence, left.begun);
        }
        let readers = RunReaders { inner: Arc::clone(inner), run_id: ids.run, log: Arc::clone(&self.log) };
        let shell = Shell::new(machine, journal, runs.pace(), Arc::new(readers)).taken(done.taken);
        Ok(Driver::new(Arc::clone(inner), shell, self, conversation))
    }
}

/// The turn of a run that was begun before.
async fn repeated(inner: Arc<Inner>, run_id: RunId, request: &TurnRequest) -> Result<Turn> {
    let (ids, detached) = (inner.repeated(run_id).await?, request.detached);
    let (protocol, format) = (request.protocol, request.format);
    Ok(Turn { inner, ids, feed: Feed::Store, detached, repeated: true, protocol, format, readers: Arc::default() })
}
