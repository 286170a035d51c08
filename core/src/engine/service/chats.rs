//! Chats themselves: made, listed, named, read by pages, searched, deleted and removed for good.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::clock::Timestamp;
use crate::engine::run::stops;
use crate::engine::{Engine, Inner, Who};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{AgentRoleId, ChatId, MessageId};
use crate::model::{
    Beside, Chat, Json, ListedChat, Message, MessageRole, Paging, PagingFrom, Protocol, RunReason, decode_cursor,
};
use crate::project::{StoredRow, message_snippet, row_to_ui_message, search_words};
use crate::store::{SearchFor, forbidden};
use crate::text::{counted_len, js_trim};

/// How long a title may be, in characters, as in the system before.
const MAX_TITLE: usize = 255;
/// How many chats, and messages that were found, are listed unless more are asked for,
const DEFAULT_LISTED: usize = 20;
/// and how many messages of a chat.
const DEFAULT_MESSAGES: usize = 50;
/// The most entries that a page of a list may have.
const MAX_PAGE: usize = 100;
/// No index has longer words than this, in bytes; PostgreSQL ends a little above it.
const LONGEST_WORD: usize = 2_000;
/// How long a chat that is to be removed waits for its runs to settle.
const SETTLE_DEADLINE: Duration = Duration::from_secs(30);
/// How often it looks.
const SETTLE_POLL: Duration = Duration::from_millis(20);
/// How many runs of a chat are looked at when all are to be stopped.
const MOST_STOPPED: usize = 1_000;
/// How many chats are removed at a time for their age.
const PURGED_AT_A_TIME: usize = 20;

/// A chat to be made before anybody writes in it.
#[derive(Clone, Debug, Default)]
pub struct NewChat {
    /// Its id; one is made up unless given.
    pub id: Option<ChatId>,
    /// Its title; without one it is named after its first turn, where the engine does that.
    pub title: Option<String>,
    /// Its role, for ever.
    pub role_id: Option<AgentRoleId>,
    /// The page that it is about.
    pub page_id: Option<String>,
}

/// A page of the list of chats.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChatPage {
    /// The chats, newest first.
    pub items: Vec<ListedChat>,
    /// For `cursor`: what comes after these; null at the end of the list.
    pub next_cursor: Option<String>,
    /// For `beforeCursor`: what comes before these; null at the list's beginning.
    pub prev_cursor: Option<String>,
}

/// A page of a chat's messages.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MessagePage {
    /// The messages, in the order that was asked for.
    pub items: Vec<Message>,
    /// For `cursor`: what comes after these; null at the end of the list.
    pub next_cursor: Option<String>,
    /// For `beforeCursor`: what comes before these; null at the list's beginning.
    pub prev_cursor: Option<String>,
}

/// A message as clients of the AI SDK have it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct UiMessage(pub Json);

/// A page of a chat's messages as clients of the AI SDK have them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UiMessagePage {
    /// The messages, in the order that was asked for.
    pub items: Vec<UiMessage>,
    /// For `cursor`: what comes after these; null at the end of the list.
    pub next_cursor: Option<String>,
    /// For `beforeCursor`: what comes before these; null at the list's beginning.
    pub prev_cursor: Option<String>,
}

/// One of the versions of a message.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageVersion {
    /// Whether it is the one that the chat has now.
    pub current: bool,
    /// The message.
    pub message: Message,
}

/// A message that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundMessage {
    /// Its chat.
    pub chat_id: ChatId,
    /// The chat's title, once it has one.
    pub chat_title: Option<String>,
    /// The message.
    pub message_id: MessageId,
    /// Who wrote it.
    pub role: MessageRole,
    /// One line of its text, around the first word that was found.
    pub snippet: String,
    /// When it was written.
    pub created_at: Timestamp,
}

/// What became of a chat that was removed for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Purged {
    /// Whether what it had left in the SQLite file has been overwritten, too. It is not while somebody reads an older state
    /// of the file, or where there is no room to write it anew; a later purge, of any chat, does it. On PostgreSQL, where
    /// the server reuses the space by itself, always true.
    pub scrubbed: bool,
}

/// Where a page of a list is, as clients say it.
#[derive(Clone, Debug, Default)]
pub struct PageAt {
    /// How many entries it has at most.
    pub limit: Option<usize>,
    /// What comes after this cursor.
    pub cursor: Option<String>,
    /// What comes before this one.
    pub before_cursor: Option<String>,
}

impl PageAt {
    /// The part of the list, and one entry more: whether there is one is what a client is told.
    fn paging(&self, newest_first: bool, default: usize) -> Result<Paging> {
        let limit = checked_limit(self.limit, default)?;
        let from = match (&self.cursor, &self.before_cursor) {
            (Some(_), Some(_)) => return Err(Error::invalid("beforeCursor", "must not be given beside cursor")),
            (Some(cursor), None) => Some(PagingFrom::After(decode_cursor("cursor", cursor)?)),
            (None, Some(cursor)) => Some(PagingFrom::Before(decode_cursor("beforeCursor", cursor)?)),
            (None, None) => None,
        };
        Ok(Paging { newest_first, from, limit: limit + 1 })
    }
}

fn checked_limit(limit: Option<usize>, default: usize) -> Result<usize> {
    let limit = limit.unwrap_or(default);
    if (1..=MAX_PAGE).contains(&limit) {
        return Ok(limit);
    }
    Err(Error::invalid("limit", format!("must be from 1 to {MAX_PAGE}")))
}

impl Engine {
    /// Makes a chat. One that is there already and is the caller's is returned as it is.
    ///
    /// # Errors
    /// `INVALID_INPUT` for the title, `NOT_FOUND` for a role that is not there, or a chat that has been deleted,
    /// `FORBIDDEN`, `STORE_UNAVAILABLE`, `ENGINE_CLOSED`.
    pub async fn create_chat(&self, who: &Who, new: NewChat) -> Result<Chat> {
        self.inner.ensure_open()?;
        who.check()?;
        let title = new.title.map(|title| checked_title(&title)).transpose()?;
        let id = new.id.unwrap_or_else(ChatId::generate);
        if let Some(chat) = self.found_chat(who, id).await? {
            return Ok(chat);
        }
        let role = self.inner.role_of_new_chat(&who.workspace_id, new.role_id).await?;
        let now = self.inner.clock.now();
        let chat = Chat {
            id,
            workspace_id: who.workspace_id.clone(),
            creator_id: who.user_id.clone(),
            title,
            role_id: role.map(|(role_id, _)| role_id),
            page_id: new.page_id.filter(|page| !page.is_empty()),
            created_at: now,
            updated_at: now,
        };
        match self.inner.store.import_chat(chat.clone(), Vec::new()).await {
            Ok(()) => Ok(chat),
            // A turn's page has another name.
            Err(error) if error.details().get("field").is_some_and(|field| field == "openPage.id") => {
                Err(Error::invalid("pageId", "is not known in this database"))
            }
            // Somebody has made it in between.
            Err(error) => self.found_chat(who, id).await?.ok_or(error),
        }
    }

    /// The chat of this id, if it is the caller's.
    async fn found_chat(&self, who: &Who, id: ChatId) -> Result<Option<Chat>> {
        match self.inner.store.chat_even_deleted(id).await? {
            Some(chat) if chat.workspace_id != who.workspace_id || chat.creator_id != who.user_id => Err(forbidden()),
            Some(_) => self.chat(who, id).await.map(Some),
            None => Ok(None),
        }
    }

    /// The user's chats, newest first.
    ///
    /// # Errors
    /// `INVALID_INPUT` for limits and cursors, `STORE_UNAVAILABLE`, `ENGINE_CLOSED`.
    pub async fn chats(&self, who: &Who, at: &PageAt) -> Result<ChatPage> {
        who.check()?;
        let paging = at.paging(true, DEFAULT_LISTED)?;
        let found = self.inner.store.chats(&who.workspace_id, &who.user_id, &paging).await?;
        let (items, Beside { next_cursor, prev_cursor }) = paging.cut(found);
        Ok(ChatPage { items, next_cursor, prev_cursor })
    }

    /// The user's newest chat that was created on a page.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`, `ENGINE_CLOSED`.
    pub async fn latest_chat_for_page(&self, who: &Who, page_id: &str) -> Result<Option<Chat>> {
        who.check()?;
        self.inner.store.latest_chat_of_page(&who.workspace_id, &who.user_id, page_id).await
    }

    /// Gives a chat another title.
    ///
    /// # Errors
    /// `INVALID_INPUT` for the title, and as [`Engine::chat`].
    pub async fn rename_chat(&self, who: &Who, chat_id: ChatId, title: &str) -> Result<Chat> {
        let title = checked_title(title)?;
        self.chat(who, chat_id).await?;
        self.inner.store.rename_chat(chat_id, &title).await?;
        self.chat(who, chat_id).await
    }

    /// Deletes a chat: nobody sees it any more, and its runs are stopped. Its rows stay until it is purged.
    ///
    /// # Errors
    /// As [`Engine::chat`].
    pub async fn delete_chat(&self, who: &Who, chat_id: ChatId) -> Result<()> {
        self.chat(who, chat_id).await?;
        // First, so that no further run begins.
        self.inner.store.delete_chat(chat_id).await?;
        stop_all_of(&self.inner, chat_id).await.map(|_| ())
    }

    /// Removes a chat for good, whether or not it was deleted before: its runs are stopped, and then nothing of it is left,
    /// in rows, log, search, or files.
    ///
    /// # Errors
    /// As [`Engine::chat`]; `STORE_UNAVAILABLE` also when a run of it, which another process drives, does not settle.
    pub async fn purge_chat(&self, who: &Who, chat_id: ChatId) -> Result<Purged> {
        who.check()?;
        let chat = self.inner.store.chat_even_deleted(chat_id).await?;
        let chat = chat.ok_or_else(|| Error::new(ErrorCode::NotFound, "there is no such chat"))?;
        if chat.workspace_id != who.workspace_id || chat.creator_id != who.user_id {
            return Err(forbidden());
        }
        self.inner.store.delete_chat(chat_id).await?;
        let begun = Instant::now();
        // Until none is left, and none that waits either: their drivers still have an end to write.
        while stop_all_of(&self.inner, chat_id).await? > 0 {
            if begun.elapsed() >= SETTLE_DEADLINE {
                return Err(Error::new(ErrorCode::StoreUnavailable, "a run of this chat did not settle in time"));
            }
            sleep(SETTLE_POLL).await;
        }
        self.inner.store.purge_chats(&[chat_id]).await?;
        // The chat is gone by now, whatever becomes of what it has left.
        let scrubbed = self.inner.store.scrub().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "what a purged chat has left could not be overwritten; the next purge does it");
            false
        });
        Ok(Purged { scrubbed })
    }

    /// The chat's messages by pages, oldest or newest first; none of a chat that is not there (yet). A message in progress
    /// has every finished step.
    ///
    /// # Errors
    /// `INVALID_INPUT` for limits and cursors, and as [`Engine::messages`].
    pub async fn paged_messages(
        &self,
        who: &Who,
        chat_id: ChatId,
        newest_first: bool,
        at: &PageAt,
    ) -> Result<MessagePage> {
        let paging = at.paging(newest_first, DEFAULT_MESSAGES)?;
        let found = match self.has_chat(who, chat_id).await? {
            true => self.inner.store.paged_messages(chat_id, &paging).await?,
            false => Vec::new(),
        };
        let (items, Beside { next_cursor, prev_cursor }) = paging.cut(found);
        Ok(MessagePage { items: self.brought_up_to_date(items).await?, next_cursor, prev_cursor })
    }

    /// All versions of a message, oldest first: it, and what stood in its place before it was edited or generated anew.
    ///
    /// # Errors
    /// As [`Engine::chat`], and `NOT_FOUND` for a message that the chat never had.
    pub async fn message_versions(
        &self,
        who: &Who,
        chat_id: ChatId,
        message_id: MessageId,
    ) -> Result<Vec<MessageVersion>> {
        self.chat(who, chat_id).await?;
        let current = self.inner.store.message_now(chat_id, message_id).await?.map(|message| message.id);
        let versions = self.inner.store.message_versions(chat_id, message_id).await?;
        if versions.is_empty() {
            return Err(Error::new(ErrorCode::NotFound, "there is no such message").with_detail("field", "messageId"));
        }
        let versions = self.brought_up_to_date(versions).await?.into_iter();
        Ok(versions.map(|message| MessageVersion { current: Some(message.id) == current, message }).collect())
    }

    /// The messages of the user's chats that have all of the query's words, newest first. English and Russian words are
    /// found in their other forms, too.
    ///
    /// # Errors
    /// `INVALID_INPUT` for a query without a word, for limits, and for a message that is none of the user's; as
    /// [`Engine::messages`] for a chat.
    pub async fn search_messages(
        &self,
        who: &Who,
        chat_id: Option<ChatId>,
        query: &str,
        before: Option<MessageId>,
        limit: Option<usize>,
    ) -> Result<Vec<FoundMessage>> {
        who.check()?;
        let limit = checked_limit(limit, DEFAULT_LISTED)?;
        let words = search_words(query);
        if words.is_empty() {
            return Err(Error::invalid("query", "must have a word"));
        }
        if words.iter().any(|word| word.word.len() > LONGEST_WORD) {
            return Err(Error::invalid("query", format!("must have no word of more than {LONGEST_WORD} bytes")));
        }
        if let Some(chat_id) = chat_id
            && !self.has_chat(who, chat_id).await?
        {
            return Ok(Vec::new());
        }
        if let Some(message_id) = before {
            let none = || Error::invalid("before", "is no message of this user's chats");
            let chat_id = self.inner.store.chat_of_message(message_id).await?.ok_or_else(none)?;
            self.chat(who, chat_id).await.map_err(|_| none())?;
        }
        let search = SearchFor {
            workspace_id: who.workspace_id.clone(),
            user_id: who.user_id.clone(),
            chat_id,
            words,
            before,
            limit,
        };
        let found = self.inner.store.search_messages(&search).await?;
        let found = found.into_iter().map(|(message, chat_title)| FoundMessage {
            chat_id: message.chat_id,
            chat_title,
            message_id: message.id,
            role: message.role,
            snippet: message_snippet(&message.content, &search.words),
            created_at: message.created_at,
        });
        Ok(found.collect())
    }
}

impl MessagePage {
    /// The same messages as clients of this version of the AI SDK have them.
    ///
    /// # Errors
    /// `INTERNAL` when a message cannot be encoded.
    pub fn into_ui(self, protocol: Protocol) -> Result<UiMessagePage> {
        let items = self.items.iter().map(|message| ui_message(message, protocol)).collect::<Result<_>>()?;
        Ok(UiMessagePage { items, next_cursor: self.next_cursor, prev_cursor: self.prev_cursor })
    }
}

fn ui_message(message: &Message, protocol: Protocol) -> Result<UiMessage> {
    let wrong = |_| Error::internal("a message could not be encoded");
    let row = serde_json::to_string(message).map_err(wrong)?;
    let row: StoredRow<'_> = serde_json::from_str(&row).map_err(wrong)?;
    Ok(UiMessage(Json::parse(&row_to_ui_message(&row, Some(protocol))).map_err(wrong)?))
}

pub(super) fn checked_title(title: &str) -> Result<String> {
    let title = js_trim(title);
    match counted_len(title) {
        0 => Err(Error::invalid("title", "must not be empty")),
        1..=MAX_TITLE => Ok(crate::text::storable(title.to_owned())),
        _ => Err(Error::invalid("title", format!("must have at most {MAX_TITLE} characters"))),
    }
}

/// Stops the chat's runs, those that wait for it, too. Returns how many had not settled.
async fn stop_all_of(inner: &Arc<Inner>, chat_id: ChatId) -> Result<usize> {
    // Those that wait come first, and the active one is the newest of the others.
    let mut runs = inner.store.runs_of_chat(chat_id, MOST_STOPPED).await?;
    runs.retain(|run| run.status.is_active());
    for run in &runs {
        stops::stop(inner, run.id, RunReason::Stopped).await?;
    }
    Ok(runs.len())
}

impl Inner {
    /// Removes chats that are kept no longer. Returns whether there may be more of them.
    pub(crate) async fn purge_outdated(&self) -> Result<bool> {
        let chats = &self.options.chats;
        let (kept, deleted) = (chats.retention_ms, chats.deleted_retention_ms);
        if kept.is_none() && deleted.is_none() {
            return Ok(false);
        }
        let age = |millis: Option<u64>| millis.map(Duration::from_millis);
        let outdated = self.store.outdated_chats(age(kept), age(deleted), PURGED_AT_A_TIME).await?;
        if !outdated.is_empty() {
            self.store.purge_chats(&outdated).await?;
        }
        Ok(outdated.len() == PURGED_AT_A_TIME)
    }
}
