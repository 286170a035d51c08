//! A wire on which all answers come one after another, whoever has asked: an older server's stream, or a program's lines.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::failure::McpFailure;
use super::http::HttpWire;
use super::message::{Incoming, Request, RpcError, answer_to, read};
use super::wire::{Heard, Listening};

type Answer = Result<Value, RpcError>;

/// Where messages go.
pub(super) enum Out {
    /// To an address.
    Post(Box<HttpWire>),
    /// To whoever writes them to a program.
    Lines(mpsc::UnboundedSender<String>),
}

/// The wire, for those who ask and for whoever reads.
pub(super) struct Channel {
    out: Out,
    heard: Arc<Heard>,
    silence: Duration,
    /// Those who wait; nothing once there will be no more answers.
    waiting: Mutex<Option<HashMap<u64, oneshot::Sender<Answer>>>>,
}

impl Channel {
    pub(super) fn new(out: Out, heard: Arc<Heard>, silence: Duration) -> Self {
        Self { out, heard, silence, waiting: Mutex::new(Some(HashMap::new())) }
    }

    /// Nothing comes any more: whoever waits is told.
    pub(super) fn close(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// What was read.
    pub(super) async fn deliver(&self, text: &str) {
        for incoming in read(text) {
            match incoming {
                Incoming::Answer { id: Some(id), outcome } => {
                    let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                    let asker = waiting.as_mut().and_then(|waiting| waiting.remove(&id));
                    // Who has gone away needs no answer.
                    let _ = asker.map(|asker| asker.send(outcome));
                }
                // An error without an id is nobody's in particular.
                Incoming::Answer { .. } => {}
                Incoming::Notice { method, params } => self.heard.notice(&method, &params),
                Incoming::Request { id, method } => drop(self.tell(answer_to(&id, &method)).await),
            }
        }
    }

    pub(super) async fn tell(&self, message: String) -> Result<(), McpFailure> {
        match &self.out {
            Out::Post(wire) => wire.tell(message).await,
            Out::Lines(lines) => lines.send(message).map_err(|_| McpFailure::SessionLost),
        }
    }

    pub(super) async fn ask(&self, request: &Request, listening: &Listening) -> Result<Value, McpFailure> {
        let (sender, answer) = oneshot::channel();
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(waiting) = waiting.as_mut() else { return Err(McpFailure::SessionLost) };
            waiting.insert(request.id, sender);
        }
        let _forgetting = Forgetting { channel: self, id: request.id };
        self.tell(request.to_text()).await?;
        tokio::pin!(answer);
        loop {
            let heard = async {
                tokio::select! {
                    answer = &mut answer => Some(answer),
                    () = listening.sign_of_life.notified() => None,
                }
            };
            match timeout(self.silence, heard).await {
                Ok(Some(Ok(outcome))) => return outcome.map_err(McpFailure::Refused),
                Ok(Some(Err(_))) => return Err(McpFailure::Lost("the server has gone away".to_owned())),
                Ok(None) => {}
                Err(_) => {
                    let millis = u64::try_from(self.silence.as_millis()).unwrap_or(u64::MAX);
                    return Err(McpFailure::TimedOut(millis));
                }
            }
        }
    }
}

/// An asker that goes away leaves nothing behind.
struct Forgetting<'a> {
    channel: &'a Channel,
    id: u64,
}

impl Drop for Forgetting<'_> {
    fn drop(&mut self) {
        let mut waiting = self.channel.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = waiting.as_mut() {
            waiting.remove(&self.id);
        }
    }
}
