//! Chats: their messages, and documents of them.

use serde::Deserialize;

use crate::engine::{
    ChatPage, Engine, Export, ExportFormat, ForkAt, FoundMessage, InProgress, MessagePage, MessageVersion, NewChat,
    OpenChat, PageAt, Purged, UiMessagePage, Who,
};
use crate::error::{Error, Result};
use crate::id::{AgentRoleId, ChatRef, MessageId};
use crate::js::OwnedText;
use crate::model::{Chat, Message, Protocol};
use crate::project::{Labels, Language};

use super::{Opening, Operation};

/// A new chat, before anybody has written in it. A turn makes the chat that it is begun in by itself; this is for hosts that
/// show a chat before that. One that is there already, and the caller's, is returned as it is.
///
/// # Errors
/// `INVALID_INPUT`, `NOT_FOUND`, `FORBIDDEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Create {
    workspace_id: String,
    user_id: String,
    /// Its id; one is made up unless given.
    #[serde(default)]
    chat_id: Option<ChatRef>,
    /// Its title: 1 to 255 characters.
    #[serde(default)]
    title: Option<String>,
    /// Its role, for ever.
    #[serde(default)]
    role_id: Option<AgentRoleId>,
    /// The page that it is about.
    #[serde(default)]
    page_id: Option<String>,
}

impl Operation for Create {
    const NAME: &'static str = "chats.create";
    const BEGINS: bool = true;
    type Answer = Chat;

    async fn answer(self, engine: &Engine) -> Result<Chat> {
        let id = match &self.chat_id {
            None => None,
            Some(given) => Some(engine.of_chat(self.workspace_id.clone(), self.user_id.clone(), given)?.1),
        };
        let who = Who { workspace_id: self.workspace_id, user_id: self.user_id };
        let new = NewChat { id, title: self.title, role_id: self.role_id, page_id: self.page_id };
        engine.create_chat(&who, new).await
    }
}

/// The user's chats, newest first, a page at a time, each with the name and emoji of its role and the title of its page.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct List {
    workspace_id: String,
    user_id: String,
    /// At most so many: 1 to 100; 20 unless given.
    #[serde(default)]
    limit: Option<usize>,
    /// What comes after this cursor, the `nextCursor` of a page.
    #[serde(default)]
    cursor: Option<String>,
    /// What comes before this cursor, the `prevCursor` of a page.
    #[serde(default)]
    before_cursor: Option<String>,
}

impl Operation for List {
    const NAME: &'static str = "chats.list";
    type Answer = ChatPage;

    async fn answer(self, engine: &Engine) -> Result<ChatPage> {
        let who = Who { workspace_id: self.workspace_id, user_id: self.user_id };
        let at = PageAt { limit: self.limit, cursor: self.cursor, before_cursor: self.before_cursor };
        engine.chats(&who, &at).await
    }
}

/// The user's newest chat that was created on a page; null when there is none.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LatestForPage {
    workspace_id: String,
    user_id: String,
    /// The page.
    page_id: String,
}

impl Operation for LatestForPage {
    const NAME: &'static str = "chats.latestForPage";
    type Answer = Option<Chat>;

    async fn answer(self, engine: &Engine) -> Result<Option<Chat>> {
        let who = Who { workspace_id: self.workspace_id, user_id: self.user_id };
        engine.latest_chat_for_page(&who, &self.page_id).await
    }
}

/// Gives a chat another title. The chat as it is then.
///
/// # Errors
/// `INVALID_INPUT`, `NOT_FOUND`, `FORBIDDEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Rename {
    workspace_id: String,
    user_id: String,
    /// The chat.
    chat_id: ChatRef,
    /// 1 to 255 characters, without the white space around them.
    title: String,
}

impl Operation for Rename {
    const NAME: &'static str = "chats.rename";
    type Answer = Chat;

    async fn answer(self, engine: &Engine) -> Result<Chat> {
        let (who, chat_id) = engine.of_chat(self.workspace_id, self.user_id, &self.chat_id)?;
        engine.rename_chat(&who, chat_id, &self.title).await
    }
}

/// Deletes a chat: nobody sees it any more, and its runs are stopped. Its rows stay until it is purged.
///
/// # Errors
/// `NOT_FOUND`, `FORBIDDEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Delete {
    workspace_id: String,
    user_id: String,
    /// The chat.
    chat_id: ChatRef,
}

impl Operation for Delete {
    const NAME: &'static str = "chats.delete";
    type Answer = ();

    async fn answer(self, engine: &Engine) -> Result<()> {
        let (who, chat_id) = engine.of_chat(self.workspace_id, self.user_id, &self.chat_id)?;
        engine.delete_chat(&who, chat_id).await
    }
}

/// Removes a chat for good, deleted before or not: its runs are stopped, and then nothing of it is left in rows, log,
/// search, or files. A SQLite file is written anew for that, which takes as long as copying it.
///
/// # Errors
/// `NOT_FOUND`, `FORBIDDEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Purge {
    workspace_id: String,
    user_id: String,
    /// The chat.
    chat_id: ChatRef,
}

impl Operation for Purge {
    const NAME: &'static str = "chats.purge";
    type Answer = Purged;

    async fn answer(self, engine: &Engine) -> Result<Purged> {
        let (who, chat_id) = engine.of_chat(self.workspace_id, self.user_id, &self.chat_id)?;
        engine.purge_chat(&who, chat_id).await
    }
}

/// A chat that has what another one has up to a message, or a step of one, and then goes its own way; with its title, its
/// role and its page. Both share what they have: a fork costs next to nothing, however long the other chat is. In tables
/// that a host had before, whose own statements know of no forks, it has copies. Whatever becomes of either chat, edits and
/// purges too, the other one stays as it is. Of a message that is being written the fork has the finished steps.
///
/// # Errors
/// `INVALID_INPUT`, `NOT_FOUND`, `FORBIDDEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Fork {
    workspace_id: String,
    user_id: String,
    /// The chat that is forked.
    chat_id: ChatRef,
    /// The last message that the fork has, or one of its versions; the newest message unless given.
    #[serde(default)]
    message_id: Option<MessageId>,
    /// The last step of that message that the fork has, from 0; all of them unless given.
    #[serde(default)]
    step: Option<u32>,
    /// The fork's id; one is made up unless given.
    #[serde(default)]
    fork_id: Option<ChatRef>,
    /// The fork's title: 1 to 255 characters; that of the other chat unless given.
    #[serde(default)]
    title: Option<String>,
}

impl Operation for Fork {
    const NAME: &'static str = "chats.fork";
    const BEGINS: bool = true;
    type Answer = Chat;

    async fn answer(self, engine: &Engine) -> Result<Chat> {
        let id = match &self.fork_id {
            None => None,
            Some(given) => Some(engine.of_chat(self.workspace_id.clone(), self.user_id.clone(), given)?.1),
        };
        let (who, chat_id) = engine.of_chat(self.workspace_id, self.user_id, &self.chat_id)?;
        let at = ForkAt { message_id: self.message_id, step: self.step, id, title: self.title };
        engine.fork_chat(&who, chat_id, at).await
    }
}

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

/// The messages of a chat, a page at a time, by cursors; none of a chat that is not there (yet). A message in progress has
/// every finished step.
///
/// # Errors
/// `FORBIDDEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PageOfMessages {
    workspace_id: String,
    user_id: String,
    /// The chat.
    chat_id: ChatRef,
    /// Begin with the newest message; with the oldest unless given.
    #[serde(default)]
    newest_first: bool,
    /// At most so many: 1 to 100; 50 unless given.
    #[serde(default)]
    limit: Option<usize>,
    /// What comes after this cursor, the `nextCursor` of a page.
    #[serde(default)]
    cursor: Option<String>,
    /// What comes before this cursor, the `prevCursor` of a page.
    #[serde(default)]
    before_cursor: Option<String>,
}

impl Operation for PageOfMessages {
    const NAME: &'static str = "chats.messagePage";
    type Answer = MessagePage;

    async fn answer(self, engine: &Engine) -> Result<MessagePage> {
        let (who, chat_id) = engine.of_chat(self.workspace_id, self.user_id, &self.chat_id)?;
        let at = PageAt { limit: self.limit, cursor: self.cursor, before_cursor: self.before_cursor };
        engine.paged_messages(&who, chat_id, self.newest_first, &at).await
    }
}

/// As `chats.messagePage`, with messages as clients of the AI SDK have them.
///
/// # Errors
/// `FORBIDDEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PageOfUiMessages {
    workspace_id: String,
    user_id: String,
    /// The chat.
    chat_id: ChatRef,
    /// Begin with the newest message; with the oldest unless given.
    #[serde(default)]
    newest_first: bool,
    /// At most so many: 1 to 100; 50 unless given.
    #[serde(default)]
    limit: Option<usize>,
    /// What comes after this cursor, the `nextCursor` of a page.
    #[serde(default)]
    cursor: Option<String>,
    /// What comes before this cursor, the `prevCursor` of a page.
    #[serde(default)]
    before_cursor: Option<String>,
    /// Which clients the messages are for.
    #[serde(default)]
    protocol: Protocol,
}

impl Operation for PageOfUiMessages {
    const NAME: &'static str = "chats.uiMessagePage";
    type Answer = UiMessagePage;

    async fn answer(self, engine: &Engine) -> Result<UiMessagePage> {
        let (who, chat_id) = engine.of_chat(self.workspace_id, self.user_id, &self.chat_id)?;
        let at = PageAt { limit: self.limit, cursor: self.cursor, before_cursor: self.before_cursor };
        engine.paged_messages(&who, chat_id, self.newest_first, &at).await?.into_ui(self.protocol)
    }
}

/// All versions of a message, oldest first: it, and what stood in its place before it was edited or generated anew.
///
/// # Errors
/// `NOT_FOUND`, `FORBIDDEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Versions {
    workspace_id: String,
    user_id: String,
    /// The chat.
    chat_id: ChatRef,
    /// The message, or any version of it.
    message_id: MessageId,
}

impl Operation for Versions {
    const NAME: &'static str = "chats.versions";
    type Answer = Vec<MessageVersion>;

    async fn answer(self, engine: &Engine) -> Result<Vec<MessageVersion>> {
        let (who, chat_id) = engine.of_chat(self.workspace_id, self.user_id, &self.chat_id)?;
        engine.message_versions(&who, chat_id, self.message_id).await
    }
}

/// The messages of the user's chats that have all words of a query, newest first, each with a line of its text. English
/// and Russian words are found in their other forms, too. A message in progress is found once it has ended.
///
/// # Errors
/// `INVALID_INPUT`, `FORBIDDEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Search {
    workspace_id: String,
    user_id: String,
    /// Words; everything between them is passed over.
    query: String,
    /// In this chat alone.
    #[serde(default)]
    chat_id: Option<ChatRef>,
    /// At most so many: 1 to 100; 20 unless given.
    #[serde(default)]
    limit: Option<usize>,
    /// A message's id, the last of a page: only those that are older.
    #[serde(default)]
    before: Option<MessageId>,
}

impl Operation for Search {
    const NAME: &'static str = "chats.search";
    type Answer = Vec<FoundMessage>;

    async fn answer(self, engine: &Engine) -> Result<Vec<FoundMessage>> {
        let chat_id = match &self.chat_id {
            None => None,
            Some(given) => Some(engine.of_chat(self.workspace_id.clone(), self.user_id.clone(), given)?.1),
        };
        let who = Who { workspace_id: self.workspace_id, user_id: self.user_id };
        engine.search_messages(&who, chat_id, &self.query, self.before, self.limit).await
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
