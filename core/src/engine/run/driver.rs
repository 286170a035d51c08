//! Carries out what a run's shell says, with tokio, and tells it what came of that: one task per turn.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, FuturesUnordered, SelectAll};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::engine::Inner;
use crate::engine::fallback::Candidate;
use crate::error::{ErrorCode, Result};
use crate::id::RunId;
use crate::log::ChunkLog;
use crate::machine::shell::{Input, Output, Readers, Shell};
use crate::machine::writes::{Told, Write};
use crate::machine::{Ending, Event, StopCause, ToolCall, TurnIds};
use crate::model::{CallTokens, FailureKind, Json, RunOutcome, RunReason, RunStatus, UNKNOWN_CALL};
use crate::project::{Conversation, last_step_prompt};
use crate::provider::{ChatRequest, ProviderFailure, RunBy, StreamPart, ToolChoice};
use crate::store::{CallNote, LedgerCall};
use crate::tool::{ToolEffect, ToolInvocation, ToolProgress, ToolSet};

use super::follow::FOLLOWING_AGAIN;
use super::turn::{Means, Payer, Prepared};
use super::warnings::Warnings;
use super::{effects, history, stops};

/// How many tokens are set aside for an answer of unknown length.
const RESERVED_ANSWER: u64 = 1_000;

/// How a turn ended for those who wait.
#[derive(Clone, Debug)]
pub(super) enum Finished {
    Settled(Box<RunOutcome>),
    LeaseLost,
    Unsettled,
}

pub(super) struct Driver {
    inner: Arc<Inner>,
    shell: Shell,
    ids: TurnIds,
    system: String,
    conversation: Conversation,
    /// How many of the run's steps the conversation has.
    told_steps: usize,
    /// The call that is on its way, and whether the provider has found its conversation too long before.
    call: (u32, bool, usize),
    /// The deferred tools that it may call.
    loaded: Vec<String>,
    found_too_long: bool,
    /// The turn's own model, and those that are asked when it fails.
    models: Vec<Candidate>,
    tools: Arc<ToolSet>,
    warnings: Warnings,
    log: Arc<ChunkLog>,
    control: mpsc::UnboundedReceiver<Event>,
    finished: watch::Sender<Option<Finished>>,
    payer: Payer,
    /// The step whose call has its tokens set aside.
    reserved: Option<u32>,
    /// Nothing came of an earlier call for the same step.
    asked_again: bool,
    /// That is being done; the call is made after it.
    reserving: Option<BoxFuture<'static, Result<bool>>>,
    stream: Option<BoxStream<'static, Result<StreamPart, ProviderFailure>>>,
    calls: FuturesUnordered<BoxFuture<'static, Event>>,
    /// What the calls show before they are done.
    shown: SelectAll<BoxStream<'static, Event>>,
    call_handles: HashMap<String, AbortHandle>,
    write: Option<BoxFuture<'static, Result<Told>>>,
    over: bool,
}

/// Those who read the chunks in this process, and those who have said that they follow the run.
pub(super) struct RunReaders {
    pub(super) inner: Arc<Inner>,
    pub(super) run_id: RunId,
    pub(super) log: Arc<ChunkLog>,
}

impl Readers for RunReaders {
    fn are_following(&self) -> bool {
        self.inner.registry.is_followed(self.run_id, 2 * FOLLOWING_AGAIN)
    }

    fn know_numbers(&self) -> bool {
        self.log.is_numbered()
    }
}

impl Driver {
    pub(super) fn new(inner: Arc<Inner>, shell: Shell, prepared: Prepared, conversation: Conversation) -> Self {
        let Prepared { means, log, events, finished } = prepared;
        let Means { ids, payer, system, provider, fallbacks, tools, warnings, .. } = means;
        let own = Candidate { provider, model: payer.model.clone() };
        let models = std::iter::once(own).chain(fallbacks.candidates).collect();
        Self {
            inner,
            shell,
            ids,
            system,
            conversation,
            told_steps: 0,
            call: (0, false, 0),
            loaded: Vec::new(),
            found_too_long: false,
            models,
            tools,
            warnings,
            log,
            control: events,
            finished,
            payer,
            reserved: None,
            asked_again: false,
            reserving: None,
            stream: None,
            calls: FuturesUnordered::new(),
            shown: SelectAll::new(),
            call_handles: HashMap::new(),
            write: None,
            over: false,
        }
    }

    pub(super) async fn run(mut self) {
        let mut input = Input::Event(Event::Begun);
        loop {
            self.shell.handle(input, Instant::now().into_std());
            while let Some(output) = self.shell.poll_output() {
                self.carry_out(output);
            }
            if self.over {
                return;
            }
            input = self.next_input().await;
        }
    }

    async fn next_input(&mut self) -> Input {
        let timeout = self.shell.poll_timeout().map(Instant::from_std);
        loop {
            tokio::select! {
                biased;
                Some(event) = self.control.recv() => return Input::Event(event),
                answer = ready_or_never(self.write.as_mut()) => {
                    self.write = None;
                    if let Ok(told) = &answer {
                        if told.steered {
                            self.inner.registry.settling(self.ids.run, false);
                        }
                        self.inner.changed(self.ids.run);
                    }
                    return Input::Written(answer);
                }
                // Before the outcomes: what a call has shown came before its own.
                Some(event) = self.shown.next(), if !self.shown.is_empty() => return Input::Event(event),
                Some(event) = self.calls.next(), if !self.calls.is_empty() => return Input::Event(event),
                () = until(timeout) => return Input::Timeout,
                reserved = ready_or_never(self.reserving.as_mut()) => {
                    self.reserving = None;
                    match reserved {
                        Ok(true) => {}
                        Ok(false) => {
                            self.stream = None;
                            return Input::Event(Event::StopRequested(StopCause::noted(RunReason::Budget)));
                        }
                        Err(error) if error.code() == ErrorCode::LeaseLost => return Input::Event(Event::LeaseLost),
                        Err(_) => return Input::Event(Event::PersistFailed),
                    }
                }
                item = next_part(self.stream.as_mut()), if self.reserving.is_none() => return Input::Event(match item {
                    Some(Ok(StreamPart::Error(failure)) | Err(failure)) if self.goes_on_with_less(&failure) => continue,
                    Some(Ok(part)) => Event::Part(part),
                    Some(Err(failure)) => Event::StreamFailed(failure),
                    None => {
                        self.stream = None;
                        Event::StreamEnded
                    }
                }),
            }
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::CallProvider { step, text_only, model, loaded, first_sequence } => {
                self.loaded = loaded;
                if step > 0 {
                    self.log.step_begins(first_sequence);
                }
                self.call_handles.clear();
                self.asked_again = self.reserved == Some(step);
                self.call_provider(step, text_only, model);
            }
            Output::CancelProvider => (self.stream, self.reserving) = (None, None),
            Output::RunTool(call) => self.run_tool(call),
            Output::CancelTool { call_id } => {
                if let Some(handle) = self.call_handles.remove(&call_id) {
                    handle.abort();
                }
            }
            Output::StepBegins { first_sequence } => self.log.step_begins(first_sequence),
            Output::CloseEffect { call_id, key, error } => self.close_effect(call_id, key, error),
            Output::Chunk(chunk) => self.log.append(chunk),
            Output::Aside(chunk) => self.log.append_aside(chunk),
            Output::Write(write) => self.write(write),
            Output::End(ending) => self.end(ending),
        }
    }

    fn write(&mut self, write: Arc<Write>) {
        if matches!(*write, Write::Settle(_) | Write::Suspend(_)) {
            self.inner.registry.settling(self.ids.run, true);
        }
        let (inner, fence) = (Arc::clone(&self.inner), self.shell.journal().fence().clone());
        self.write = Some(Box::pin(async move { write.attempt(&*inner.store, &fence).await }));
    }

    fn call_provider(&mut self, step: u32, text_only: bool, model: usize) {
        self.call = (step, text_only, model);
        let Some(Candidate { provider, model }) = self.models.get(model).cloned() else { return };
        self.conversation.forget_heard();
        let steps = self.shell.journal().steps_for_the_model();
        for step in steps.iter().skip(self.told_steps) {
            self.conversation.add_step(step);
        }
        self.told_steps = steps.len();
        self.conversation.hear(self.shell.journal().heard());
        let system = if text_only { last_step_prompt(&self.system) } else { self.system.clone() };
        let tools = self.tools.callable(&self.loaded);
        if let Some(budget) = history::budget(provider.as_ref(), &system, &tools) {
            self.conversation.trim(budget);
        }
        self.shell.journal_mut().note_history(&self.conversation);
        let options = provider.options();
        let prompt = self.conversation.tokens().saturating_add(history::frame_tokens(&system, &tools));
        self.payer.model.clone_from(&model);
        self.shell.journal_mut().note_call(CallNote { model, prompt_tokens: Some(prompt), kind: self.payer.kind });
        self.reserve(step, prompt, options.max_output_tokens.unwrap_or(RESERVED_ANSWER));
        let request = ChatRequest {
            system,
            messages: std::mem::take(self.conversation.messages_mut()),
            tools,
            tool_choice: if text_only { ToolChoice::None } else { ToolChoice::Auto },
            options,
        };
        let tools = Arc::clone(&self.tools);
        let checked = provider.stream(&request).then(move |item| {
            let tools = Arc::clone(&tools);
            async move {
                if let Ok(StreamPart::ToolCall { name, arguments, run_by: RunBy::Host, .. }) = &item {
                    tools.check_ahead(name, arguments).await;
                }
                item
            }
        });
        self.stream = Some(checked.boxed());
        *self.conversation.messages_mut() = request.messages;
    }

    /// Sets aside what the step's call is taken for, before it is made. What was set aside for an earlier one, of which nothing
    /// came, is settled first: each call is counted by itself.
    fn reserve(&mut self, step: u32, prompt: u64, answer: u64) {
        let again = std::mem::take(&mut self.asked_again);
        if !self.inner.reserves(self.payer.kind) || (self.reserved == Some(step) && !again) {
            return;
        }
        self.reserved = Some(step);
        let (inner, fence) = (Arc::clone(&self.inner), self.shell.journal().fence().clone());
        let call = LedgerCall {
            id: Uuid::now_v7().to_string(),
            workspace_id: self.payer.workspace_id.clone(),
            user_id: self.payer.user_id.clone(),
            chat_id: Some(self.ids.chat),
            run_id: Some(self.ids.run),
            kind: self.payer.kind,
            model: self.payer.model.as_deref().map(str::to_owned),
            tokens: CallTokens::estimated(prompt, answer),
        };
        self.reserving = Some(Box::pin(async move {
            if again {
                inner.store.settle_reserved(&fence).await?;
            }
            inner.reserve_tokens(&call, &fence).await
        }));
    }

    /// Whether the provider finds the conversation too long and is asked again with half of it: once, and before anything
    /// of an answer was shown.
    fn goes_on_with_less(&mut self, failure: &ProviderFailure) -> bool {
        if failure.kind != FailureKind::ContextOverflow || failure.answered || self.found_too_long {
            return false;
        }
        self.found_too_long = true;
        if !self.conversation.trim(self.conversation.tokens() / 2) {
            return false;
        }
        tracing::debug!("the provider found the conversation too long; it is asked again with less of it");
        let (step, text_only, model) = self.call;
        self.call_provider(step, text_only, model);
        true
    }

    fn run_tool(&mut self, call: ToolCall) {
        let Some(handler) = self.tools.handler(&call.name) else {
            return;
        };
        let call_id = call.call_id.clone();
        let (effect, idempotency_key) = self.tools.repeating(&call.name, &call.key, &call.input);
        let database = self.inner.store.effect_database();
        let invocation = ToolInvocation {
            call_id: call.call_id,
            name: call.name,
            input: call.input,
            chat_id: self.ids.chat,
            run_id: self.ids.run,
            message_id: self.ids.message,
            effect: effect.map(|effect| ToolEffect { database, ..effect }),
            idempotency_key,
        };
        let (progress, mut shown) = ToolProgress::new();
        let id = call_id.clone();
        let shown = futures_util::stream::poll_fn(move |context| {
            shown.poll_recv(context).map(|output| Some(Event::ToolShows { call_id: id.clone(), output: output? }))
        });
        self.shown.push(shown.boxed());
        // In a task of its own: a tool that panics ends its call and nothing else.
        let validates = self.tools.validates_input(&invocation.name);
        let task = self.inner.runtime.spawn(async move {
            let mut invocation = invocation;
            if validates {
                invocation.input = match handler.validate(&invocation).await {
                    Ok(input) => input,
                    Err(problem) => return Err(format!("Invalid input for tool {}: {problem}", invocation.name)),
                };
            }
            handler.call_showing(invocation, progress).await
        });
        self.call_handles.insert(call_id.clone(), task.abort_handle());
        self.calls.push(Box::pin(async move {
            let outcome: Result<Json, String> = match task.await {
                Ok(outcome) => outcome,
                Err(error) if error.is_cancelled() => Err("The tool call was cancelled.".to_owned()),
                Err(_) => Err("The tool panicked.".to_owned()),
            };
            Event::ToolFinished { call_id, outcome }
        }));
    }

    /// Asks the store what a call has come to, which was not made if nothing is noted of it. A store that cannot say leaves
    /// it unknown.
    fn close_effect(&mut self, call_id: String, key: String, error: String) {
        let (inner, fence) = (Arc::clone(&self.inner), self.shell.journal().fence().clone());
        self.calls.push(Box::pin(async move {
            match effects::close(&inner, &fence, key).await {
                Ok(Some(effect)) if effect.is_void => Event::EffectClosed { call_id, outcome: Err(error) },
                Ok(Some(effect)) => Event::EffectClosed { call_id, outcome: effect.outcome() },
                Err(error) if error.code() == ErrorCode::LeaseLost => Event::LeaseLost,
                Ok(None) | Err(_) => Event::EffectClosed { call_id, outcome: Err(UNKNOWN_CALL.to_owned()) },
            }
        }));
    }

    /// How the run stands that waits.
    fn waits(&self) -> Finished {
        let journal = self.shell.journal();
        Finished::Settled(Box::new(RunOutcome {
            run_id: self.ids.run,
            chat_id: self.ids.chat,
            message_id: self.ids.message,
            status: RunStatus::Waiting,
            reason: None,
            error: None,
            failure: None,
            finish_reason: None,
            usage: journal.usage(),
            step_count: u32::try_from(journal.steps().len()).unwrap_or(u32::MAX),
            warnings: self.warnings.so_far(),
        }))
    }

    fn end(&mut self, ending: Ending) {
        self.over = true;
        self.inner.registry.ended(self.ids.run);
        self.log.end();
        if let Ending::Waiting(Some(reason)) = ending {
            // It was asked to stop just before, and that may be noted nowhere.
            let (inner, run_id) = (Arc::clone(&self.inner), self.ids.run);
            self.inner.runtime.spawn(async move {
                if let Err(error) = stops::stop(&inner, run_id, reason).await {
                    tracing::warn!(%error, "a stop could not be noted; the run waits on");
                }
            });
        }
        self.finished.send_replace(Some(match (&ending, self.shell.settlement()) {
            (Ending::Settled, Some(settlement)) => Finished::Settled(Box::new(RunOutcome {
                run_id: self.ids.run,
                chat_id: self.ids.chat,
                message_id: self.ids.message,
                status: settlement.status,
                reason: settlement.reason,
                error: settlement.error.clone(),
                failure: settlement.failure.clone(),
                finish_reason: settlement.finish_reason,
                usage: settlement.usage,
                step_count: u32::try_from(self.shell.journal().steps().len()).unwrap_or(u32::MAX),
                warnings: self.warnings.so_far(),
            })),
            (Ending::Waiting(_), _) => self.waits(),
            (Ending::LeaseLost, _) => Finished::LeaseLost,
            (Ending::Settled | Ending::Unsettled, _) => Finished::Unsettled,
        }));
        self.inner.registry.remove(self.ids.run);
        self.inner.chat_freed();
    }
}

impl Drop for Driver {
    /// Also when the driver itself panics: nobody may wait for ever, and no tool may go on unseen.
    fn drop(&mut self) {
        self.call_handles.values().for_each(AbortHandle::abort);
        if !self.over {
            self.end(Ending::Unsettled);
        }
    }
}

async fn ready_or_never<T>(future: Option<&mut BoxFuture<'static, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

async fn next_part(
    stream: Option<&mut BoxStream<'static, Result<StreamPart, ProviderFailure>>>,
) -> Option<Result<StreamPart, ProviderFailure>> {
    match stream {
        Some(stream) => stream.next().await,
        None => std::future::pending().await,
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
