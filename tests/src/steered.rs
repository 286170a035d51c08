//! A model that writes to its own run while it answers: messages arrive exactly where a test wants them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use serde_json::json;
use turnkeep::model::{FailureKind, FinishReason};
use turnkeep::project::{AssistantPart, ModelMessage, UserPart};
use turnkeep::provider::{BlockKind, ChatRequest, Provider, ProviderFailure, RunBy, StreamPart};
use turnkeep::{ChatId, Engine, RunId};

use crate::scenario::who;

/// What the model does in one answer.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// What arrives for the run meanwhile.
    pub hears: Vec<&'static str>,
    /// What it says.
    pub says: &'static str,
    /// It calls the tool `look`.
    pub calls: bool,
    /// It fails instead of ending.
    pub fails: bool,
    /// It ends never.
    pub hangs: bool,
}

/// An answer of these words.
pub fn says(words: &'static str) -> Answer {
    Answer { says: words, ..Answer::default() }
}

impl Answer {
    /// The same, in the middle of which these messages arrive.
    #[must_use]
    pub fn hearing(self, hears: &[&'static str]) -> Self {
        Self { hears: hears.to_vec(), ..self }
    }

    /// The same with a call.
    #[must_use]
    pub fn calling(self) -> Self {
        Self { calls: true, ..self }
    }
}

/// See the module's documentation.
pub struct SteeredModel {
    engine: OnceLock<Engine>,
    chat: ChatId,
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<Vec<String>>>,
}

impl SteeredModel {
    /// One whose turns are of this chat.
    pub fn new(engine: &Engine, chat: ChatId, answers: Vec<Answer>) -> Arc<Self> {
        let model =
            Self { engine: OnceLock::new(), chat, answers: Mutex::new(answers.into()), asked: Mutex::default() };
        let _ = model.engine.set(engine.clone());
        Arc::new(model)
    }

    /// What it was told in each call: a line for each message.
    pub fn asked(&self) -> Vec<Vec<String>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// `user: words`, `assistant: words`, `tool`.
fn line(message: &ModelMessage) -> String {
    match message {
        ModelMessage::User(parts) => {
            let texts = parts.iter().filter_map(|part| match part {
                UserPart::Text { text, .. } => Some(text.as_str()),
                UserPart::File { .. } => None,
            });
            format!("user: {}", texts.collect::<String>())
        }
        ModelMessage::Assistant(parts) => {
            let texts = parts.iter().filter_map(|part| match part {
                AssistantPart::Text { text, .. } => Some(text.as_str()),
                _ => None,
            });
            format!("assistant: {}", texts.collect::<String>())
        }
        ModelMessage::Tool(_) => "tool".to_owned(),
    }
}

async fn write_to_run(engine: Option<Engine>, chat: ChatId, messages: Vec<&'static str>) -> Option<RunId> {
    let engine = engine?;
    let run = engine.active_run(&who(), chat).await.expect("a chat")?.id;
    for message in messages {
        let params = json!({"workspaceId": "w1", "userId": "u1", "runId": run, "message": message});
        engine.call("runs.steer", &params.to_string()).await.expect("an active run");
    }
    Some(run)
}

impl Provider for SteeredModel {
    fn stream(&self, request: &ChatRequest) -> BoxStream<'static, Result<StreamPart, ProviderFailure>> {
        let lines = request.messages.iter().map(line).collect();
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(lines);
        let answer = self.answers.lock().unwrap_or_else(PoisonError::into_inner).pop_front().unwrap_or_default();
        let (engine, chat, hears) = (self.engine.get().cloned(), self.chat, answer.hears.clone());
        let parts = move || {
            let (kind, id) = (BlockKind::Text, "t".to_owned());
            let mut parts =
                vec![Ok(StreamPart::BlockDelta { kind, id, delta: answer.says.to_owned(), metadata: None })];
            if answer.calls {
                let (id, name, arguments) = ("c".to_owned(), "look".to_owned(), "{}".to_owned());
                parts.push(Ok(StreamPart::ToolCall { id, name, arguments, run_by: RunBy::Host, metadata: None }));
            }
            let reason = if answer.calls { FinishReason::ToolCalls } else { FinishReason::Stop };
            parts.push(match answer.fails {
                true => Err(ProviderFailure::new(FailureKind::ConnectionLost, "gone")),
                false => Ok(StreamPart::Finish { reason, usage: None }),
            });
            if answer.hangs {
                parts.truncate(1);
            }
            let end = if answer.hangs { stream::pending().boxed() } else { stream::empty().boxed() };
            stream::iter(parts).chain(end)
        };
        stream::once(async move {
            write_to_run(engine, chat, hears).await;
            parts()
        })
        .flatten()
        .boxed()
    }
}
