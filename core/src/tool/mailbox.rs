//! Tools whose code lives in another language.
//!
//! Bindings do not call into their language from our threads. They take calls out of a mailbox on a thread of their
//! own and answer each later, from any thread: a request with a later response.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::error::Error;
use crate::model::Json;

use super::{Tool, ToolDefinition, ToolHandler, ToolInvocation, ToolProgress};

/// Names one call in its mailbox; never used twice.
pub type CallTicket = u64;

/// What a host takes out of its mailbox.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum MailboxMessage {
    /// Run this tool and answer under this ticket.
    Call {
        /// The ticket.
        ticket: CallTicket,
        /// The call.
        #[serde(flatten)]
        call: ToolInvocation,
    },
    /// The call was cancelled or its time is up; an answer would be ignored.
    Cancelled {
        /// The call's ticket.
        ticket: CallTicket,
    },
}

impl MailboxMessage {
    /// `{type: "call", ticket, toolCallId, toolName, input, chatId, runId, messageId}` or `{type: "cancelled", ticket}`.
    ///
    /// # Errors
    /// `INTERNAL`, when the message has no JSON form.
    pub fn to_json(&self) -> Result<String, Error> {
        serde_json::to_string(self)
            .map_err(|error| Error::internal("a tool call could not be encoded").with_source(error))
    }
}

/// The host's end: calls come out, answers go in.
pub struct Mailbox {
    messages: tokio::sync::Mutex<mpsc::UnboundedReceiver<MailboxMessage>>,
    shared: Arc<Shared>,
}

/// The engine's end, shared by all tools of a turn or of an offer.
pub struct MailboxHandler {
    shared: Arc<Shared>,
    messages: mpsc::UnboundedSender<MailboxMessage>,
}

/// Who waits for an answer.
struct Waiting {
    outcome: oneshot::Sender<Result<Json, String>>,
    progress: Option<ToolProgress>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last_ticket: CallTicket,
    waiting: HashMap<CallTicket, Waiting>,
}

impl Mailbox {
    /// A mailbox, and tools that put their calls into it.
    pub fn new(definitions: Vec<ToolDefinition>) -> (Self, Vec<Tool>) {
        let shared = Arc::new(Shared::default());
        let (sender, receiver) = mpsc::unbounded_channel();
        let handler: Arc<dyn ToolHandler> = Arc::new(MailboxHandler { shared: Arc::clone(&shared), messages: sender });
        let tools =
            definitions.into_iter().map(|definition| Tool { definition, handler: Arc::clone(&handler) }).collect();
        (Self { messages: tokio::sync::Mutex::new(receiver), shared }, tools)
    }

    /// The next message; `None` once no message is left and none can come: the turn is over, or the engine that offered
    /// the tools is closed. Cancel-safe.
    pub async fn next(&self) -> Option<MailboxMessage> {
        self.messages.lock().await.recv().await
    }

    /// Answers a call. Returns whether anybody still waited for it.
    pub fn respond(&self, ticket: CallTicket, outcome: Result<Json, String>) -> bool {
        let waiting = self.shared.lock().waiting.remove(&ticket);
        waiting.is_some_and(|waiting| waiting.outcome.send(outcome).is_ok())
    }

    /// Shows what the output of a call is so far. `false` when that is in vain.
    pub fn show(&self, ticket: CallTicket, output: Json) -> bool {
        let progress = self.shared.lock().waiting.get(&ticket).and_then(|waiting| waiting.progress.clone());
        progress.is_some_and(|progress| progress.show(output))
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the host when a call's future is dropped before it was answered.
struct CancelOnDrop<'a> {
    handler: &'a MailboxHandler,
    ticket: CallTicket,
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if self.handler.shared.lock().waiting.remove(&self.ticket).is_some() {
            // A host that has gone away needs no notice.
            let _ = self.handler.messages.send(MailboxMessage::Cancelled { ticket: self.ticket });
        }
    }
}

#[async_trait]
impl ToolHandler for MailboxHandler {
    async fn call(&self, invocation: ToolInvocation) -> Result<Json, String> {
        self.ask(invocation, None).await
    }

    async fn call_showing(&self, invocation: ToolInvocation, progress: ToolProgress) -> Result<Json, String> {
        self.ask(invocation, Some(progress)).await
    }

    fn is_gone(&self) -> bool {
        self.messages.is_closed()
    }
}

impl MailboxHandler {
    async fn ask(&self, invocation: ToolInvocation, progress: Option<ToolProgress>) -> Result<Json, String> {
        let (outcome, receiver) = oneshot::channel();
        let ticket = {
            let mut state = self.shared.lock();
            state.last_ticket += 1;
            let ticket = state.last_ticket;
            state.waiting.insert(ticket, Waiting { outcome, progress });
            ticket
        };
        let guard = CancelOnDrop { handler: self, ticket };
        if self.messages.send(MailboxMessage::Call { ticket, call: invocation }).is_err() {
            return Err("The program that runs this tool has gone away.".to_owned());
        }
        let outcome = receiver.await;
        drop(guard);
        outcome.unwrap_or_else(|_| Err("The tool ended without an answer.".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ChatId, MessageId, RunId};

    fn invocation() -> ToolInvocation {
        ToolInvocation {
            call_id: "c".into(),
            name: "get".into(),
            input: Json::empty_object(),
            chat_id: ChatId::generate(),
            run_id: RunId::generate(),
            message_id: MessageId::generate(),
            effect: None,
            idempotency_key: None,
        }
    }

    fn one_tool() -> (Mailbox, Tool) {
        let (mailbox, mut tools) = Mailbox::new(vec![serde_json::from_str(r#"{"name":"get"}"#).unwrap()]);
        (mailbox, tools.remove(0))
    }

    #[tokio::test]
    async fn a_call_is_answered_once() {
        let (mailbox, tool) = one_tool();
        let call = tokio::spawn(async move { tool.handler.call(invocation()).await });
        let Some(MailboxMessage::Call { ticket, .. }) = mailbox.next().await else { panic!() };
        assert!(mailbox.respond(ticket, Ok(Json::string("x"))));
        assert!(!mailbox.respond(ticket, Ok(Json::null())));
        assert_eq!(call.await.unwrap(), Ok(Json::string("x")));
        assert!(mailbox.next().await.is_none());
    }

    #[tokio::test]
    async fn what_a_call_shows_comes_before_its_answer_and_not_after() {
        let (mailbox, tool) = one_tool();
        let (progress, mut shown) = ToolProgress::new();
        let call = tokio::spawn(async move { tool.handler.call_showing(invocation(), progress).await });
        let Some(MailboxMessage::Call { ticket, .. }) = mailbox.next().await else { panic!() };
        assert!(mailbox.show(ticket, Json::string("half")));
        assert!(mailbox.respond(ticket, Ok(Json::string("whole"))));
        assert!(!mailbox.show(ticket, Json::string("late")));
        assert_eq!(call.await.unwrap(), Ok(Json::string("whole")));
        assert_eq!((shown.recv().await, shown.recv().await), (Some(Json::string("half")), None));
    }

    #[test]
    fn messages_have_one_json_form_for_all_languages() {
        let call =
            ToolInvocation { input: Json::parse(r#"{"n":12345678901234567890123,"f":1.0}"#).unwrap(), ..invocation() };
        let ids = format!(r#""chatId":"{}","runId":"{}","messageId":"{}""#, call.chat_id, call.run_id, call.message_id);
        assert_eq!(
            MailboxMessage::Call { ticket: 7, call }.to_json().unwrap(),
            format!(
                r#"{{"type":"call","ticket":7,"toolCallId":"c","toolName":"get","input":{{"n":12345678901234567890123,"f":1.0}},{ids}}}"#
            )
        );
        assert_eq!(MailboxMessage::Cancelled { ticket: 7 }.to_json().unwrap(), r#"{"type":"cancelled","ticket":7}"#);
    }

    #[test]
    fn tools_are_gone_with_their_mailbox() {
        let (mailbox, tool) = one_tool();
        assert!(!tool.handler.is_gone());
        drop(mailbox);
        assert!(tool.handler.is_gone());
    }

    #[tokio::test]
    async fn a_dropped_call_is_told_to_the_host() {
        let (mailbox, tool) = one_tool();
        let call = tokio::spawn(async move { tool.handler.call(invocation()).await });
        let Some(MailboxMessage::Call { ticket, .. }) = mailbox.next().await else { panic!() };
        call.abort();
        assert!(matches!(mailbox.next().await, Some(MailboxMessage::Cancelled { ticket: t }) if t == ticket));
        assert!(!mailbox.respond(ticket, Ok(Json::null())));
    }
}
