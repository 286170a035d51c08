//! The calls of tools on their way to JavaScript: those of a turn, or of what an engine offers.

use std::sync::Arc;

use napi::bindgen_prelude::PromiseRaw;
use napi::{Env, Result};
use napi_derive::napi;
use tokio::sync::watch;
use turnkeep::Error;
use turnkeep::model::Json;
use turnkeep::tool::{CallTicket, Mailbox};

use crate::error::to_js;
use crate::promise::promise;

/// A mailbox in the hands of a JavaScript object.
pub(crate) struct Calls {
    mailbox: Arc<Mailbox>,
    /// Goes with the object, so that nobody waits for tool calls on behalf of a worker thread that has ended.
    held: watch::Sender<()>,
}

impl Calls {
    pub(crate) fn new(mailbox: Mailbox) -> Self {
        Self { mailbox: Arc::new(mailbox), held: watch::Sender::new(()) }
    }

    pub(crate) fn next<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Option<String>>> {
        let mailbox = Arc::clone(&self.mailbox);
        let mut held = self.held.subscribe();
        promise(env, async move {
            tokio::select! {
                message = mailbox.next() => message.map(|message| message.to_json()).transpose(),
                _ = held.changed() => Ok(None),
            }
        })
    }

    pub(crate) fn respond(&self, ticket: i64, output: &str) -> Result<bool> {
        let output = Json::parse(output).map_err(|_| to_js(Error::invalid("output", "is not JSON")))?;
        Ok(self.mailbox.respond(CallTicket::try_from(ticket).unwrap_or_default(), Ok(output)))
    }

    /// Shows what the output of a call is so far. What has no JSON form is not shown.
    pub(crate) fn show(&self, ticket: i64, output: &str) -> bool {
        let ticket = CallTicket::try_from(ticket).unwrap_or_default();
        Json::parse(output).is_ok_and(|output| self.mailbox.show(ticket, output))
    }

    pub(crate) fn fail(&self, ticket: i64, error: String) -> bool {
        self.mailbox.respond(CallTicket::try_from(ticket).unwrap_or_default(), Err(error))
    }
}

/// What an engine offers. The tools are not offered any more once it is gone.
#[napi]
pub struct NativeOffer {
    calls: Calls,
}

impl NativeOffer {
    pub(crate) fn new(mailbox: Mailbox) -> Self {
        Self { calls: Calls::new(mailbox) }
    }
}

#[napi]
impl NativeOffer {
    /// The next message for the host's tools as JSON; `null` once the engine is closed.
    #[napi(catch_unwind)]
    pub fn next_tool_message<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Option<String>>> {
        self.calls.next(env)
    }

    /// Answers a call with the JSON of its output.
    #[napi(catch_unwind)]
    pub fn respond(&self, ticket: i64, output: String) -> Result<bool> {
        self.calls.respond(ticket, &output)
    }

    /// Shows the JSON of what the output of a call is so far.
    #[napi(catch_unwind)]
    pub fn show(&self, ticket: i64, output: String) -> bool {
        self.calls.show(ticket, &output)
    }

    /// Answers a call with the text of its error.
    #[napi(catch_unwind)]
    pub fn fail(&self, ticket: i64, error: String) -> bool {
        self.calls.fail(ticket, error)
    }
}
