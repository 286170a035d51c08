//! Chats: their messages, and documents of them.

use serde::Deserialize;

use crate::engine::{Engine, Export, ExportFormat, InProgress, OpenChat, Who};
use crate::error::{Error, Result};
use crate::id::{ChatRef, MessageId};
use crate::js::OwnedText;
use crate::model::{Chat, Message};
use crate::project::{Labels, Language};

use super::{Opening, Operation};

/// One chat: its title, its role, the page that was open when it was created.
///
/// # Errors
/// `NOT_FOUND`, `FORBIDDEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Get {
    workspace_id: String,
    user_id: String,
    /// The chat.
    chat_id: ChatRef,
}

impl Operation for Get {
    const NAME: &'static str = "chats.get";
    type Answer = Chat;

    async fn answer(self, engine: &Engine) -> Result<Chat> {
        let (who, chat_id) = engine.of_chat(self.workspace_id, self.user_id, &self.chat_id)?;
        engine.chat(&who, chat_id).await
    }
}

/// The messages of a chat, oldest first; none of a chat that is not there (yet). A message in progress has every finished
/// step.
///
/// # Errors
/// `FORBIDDEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Messages {
    workspace_id: String,
    user_id: String,
    /// The chat.
    chat_id: ChatRef,
    /// Only so many, the newest; all of them unless given.
    #[serde(default)]
    limit: Option<usize>,
    /// A message's id: only those that are older.
    #[serde(default)]
    before: Option<MessageId>,
}

impl Operation for Messages {
    const NAME: &'static str = "chats.messages";
    type Answer = Vec<Message>;

    async fn answer(self, engine: &Engine) -> Result<Vec<Message>> {
        let (who, chat_id) = engine.of_chat(self.workspace_id, self.user_id, &self.chat_id)?;
        engine.message_page(&who, chat_id, self.before, self.limit.unwrap_or(usize::MAX)).await
    }
}

/// What a page needs to show a chat and to go on with it: messages, and the run that brings what they lack. The two fit
/// together, also when the run has ended by the time that it is followed.
///
/// # Errors
/// `FORBIDDEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Open {
    workspace_id: String,
    user_id: String,
    /// The chat.
    chat_id: ChatRef,
    /// Only so many messages, the newest.
    #[serde(default)]
    limit: Option<usize>,
    /// What becomes of the message that a run is writing: left out (`omit`), and following the run brings all of it; or there
    /// with its finished steps (`include`), and the cursor is behind them.
    #[serde(default)]
    in_progress: InProgress,
}

impl Operation for Open {
    const NAME: &'static str = "chats.open";
    type Answer = OpenChat;

    async fn answer(self, engine: &Engine) -> Result<OpenChat> {
        let (who, chat_id) = engine.of_chat(self.workspace_id, self.user_id, &self.chat_id)?;
        engine.open_chat(&who, chat_id, self.in_progress, self.limit).await
    }
}

/// A chat as one document: Markdown to be read, or JSON that `chats.import` takes.
///
/// # Errors
/// `NOT_FOUND`, `FORBIDDEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ExportDocument {
    workspace_id: String,
    user_id: String,
    /// The chat.
    chat_id: ChatRef,
    /// `markdown` (the default) or `json`.
    #[serde(default)]
    format: Option<String>,
    /// A language tag; Russian for `ru…`, English otherwise.
    #[serde(default)]
    lang: Option<String>,
    /// Words of the host's own, in place of the language's.
    #[serde(default)]
    labels: Option<Labels>,
}

impl Opening for ExportDocument {
    type Opened = Export;

    async fn open(self, engine: &Engine) -> Result<Export> {
        let format = match self.format.as_deref() {
            None | Some("markdown") => {
                let language = Language::from_tag(self.lang.as_deref());
                ExportFormat::Markdown(language, self.labels.unwrap_or_default())
            }
            Some("json") => ExportFormat::Json,
            Some(_) => return Err(Error::invalid("format", "must be markdown or json")),
        };
        let (who, chat_id) = engine.of_chat(self.workspace_id, self.user_id, &self.chat_id)?;
        engine.export(&who, chat_id, format).await
    }
}

impl Operation for ExportDocument {
    const NAME: &'static str = "chats.export";
    type Answer = String;

    async fn answer(self, engine: &Engine) -> Result<String> {
        self.open(engine).await?.text().await
    }
}

/// A new chat made of a JSON export. Chat and messages get ids of their own.
///
/// # Errors
/// `INVALID_INPUT`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Import {
    workspace_id: String,
    user_id: String,
    /// The document.
    document: OwnedText,
}

impl Operation for Import {
    const NAME: &'static str = "chats.import";
    const BEGINS: bool = true;
    type Answer = Chat;

    async fn answer(self, engine: &Engine) -> Result<Chat> {
        let who = Who { workspace_id: self.workspace_id, user_id: self.user_id };
        engine.import_chat(&who, &self.document.0).await
    }
}
