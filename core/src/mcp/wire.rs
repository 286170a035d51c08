//! Where a server is, what it takes to be let in there, and what is heard from it beside its answers.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::model::Json;
use crate::tool::ToolProgress;

use super::words;

/// How much of what a call says about its progress is shown.
const PROGRESS_UNITS: usize = 500;

/// A program of the host's.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) command: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: BTreeMap<String, String>,
}

/// Where a server is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum McpPlace {
    /// An address that takes messages and answers them, one by one or in a stream.
    Http(String),
    /// The wire before that: one stream for all answers, and another address for messages.
    Sse(String),
    /// A program that reads lines and writes lines.
    Program(Program),
}

/// A server.
#[derive(Clone)]
pub(crate) struct McpServer {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) place: McpPlace,
    /// What goes with every request, and is shown to nobody.
    pub(crate) headers: HeaderMap,
}

impl fmt::Debug for McpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpServer").field("id", &self.id).finish_non_exhaustive()
    }
}

/// How long a server is waited for, and how much of it is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct McpLimits {
    /// A handshake, or a list of tools.
    pub(crate) connect: Duration,
    /// Between two signs of life of a call.
    pub(crate) silence: Duration,
    /// A result as it is kept.
    pub(crate) result_bytes: usize,
}

/// What is heard from a server beside its answers.
#[derive(Default)]
pub(super) struct Heard {
    tools_changed: AtomicBool,
    calls: Mutex<HashMap<u64, Weak<Listening>>>,
}

/// Somebody who waits for a call.
pub(super) struct Listening {
    progress: Option<ToolProgress>,
    pub(super) sign_of_life: Notify,
}

impl Heard {
    pub(super) fn have_tools_changed(&self) -> bool {
        self.tools_changed.load(Ordering::SeqCst)
    }

    pub(super) fn tools_have_changed(&self) {
        self.tools_changed.store(true, Ordering::SeqCst);
    }

    /// From now on what is said of this call is listened to, as long as somebody has what this returns.
    pub(super) fn listen(&self, id: u64, progress: Option<ToolProgress>) -> Arc<Listening> {
        let listening = Arc::new(Listening { progress, sign_of_life: Notify::new() });
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.retain(|_, listening| listening.strong_count() > 0);
        calls.insert(id, Arc::downgrade(&listening));
        listening
    }

    /// The server has said this.
    pub(super) fn notice(&self, method: &str, params: &Value) {
        match method {
            "notifications/tools/list_changed" => self.tools_have_changed(),
            "notifications/progress" => {
                let id = &params["progressToken"];
                let id = id.as_u64().or_else(|| id.as_str()?.parse().ok());
                let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(listening) = id.and_then(|id| calls.get(&id)?.upgrade()) {
                    listening.hear(params);
                }
            }
            _ => {}
        }
    }
}

impl Listening {
    fn hear(&self, params: &Value) {
        self.sign_of_life.notify_one();
        let Some(progress) = &self.progress else { return };
        let message = params["message"].as_str().map(|message| words::line(message, PROGRESS_UNITS));
        let number = |name: &str| params.get(name).filter(|value| value.is_number()).cloned();
        let shown = json!({"progress": number("progress"), "total": number("total"), "message": message});
        if let Ok(shown) = Json::from_value(&shown) {
            progress.show(shown);
        }
    }
}
