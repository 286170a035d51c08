//! Documents of stored chats, written piece by piece, and chats made of documents.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::{Engine, Who};
use crate::error::{Error, Result};
use crate::id::{ChatId, MessageId};
use crate::model::{Chat, Json, Message, MessageRole, MessageStatus};
use crate::project::export::{
    ExportTotals, JsonWriter, MAX_EXPORTED_MESSAGES, MarkdownHead, MarkdownWriter, RowText, parse_chat_json, row_of,
};
use crate::project::{AssistantFlush, Labels, Language};
use crate::store::{MessageFields, MessageSpan, Place, StoredMessage};

/// A piece is handed out when it has grown to this size, in bytes. A single message may make it larger.
const PIECE_BYTES: usize = 128 * 1024;

/// What an export is to look like.
#[derive(Clone, Debug, PartialEq)]
pub enum ExportFormat {
    /// Markdown: at most the newest [`MAX_EXPORTED_MESSAGES`] messages, in the words of a language, over which the
    /// labels go.
    Markdown(Language, Labels),
    /// JSON: every message, as it is stored.
    Json,
}

/// An export that is read piece by piece, so that memory does not grow with the chat. It shows the messages that were
/// there when it began.
pub struct Export {
    engine: Engine,
    chat: Chat,
    format: ExportFormat,
    /// Callers that share an export get its pieces in turn.
    state: tokio::sync::Mutex<State>,
}

enum State {
    /// Nothing is written yet.
    Fresh,
    /// The messages of the span are still to be written.
    Messages(MessageSpan, Writer),
    Ended,
}

enum Writer {
    Markdown(Box<MarkdownWriter<'static, String>>),
    Json(JsonWriter<String>),
}

impl Writer {
    fn message(&mut self, chat: &Chat, row: &StoredMessage<'_>) -> std::fmt::Result {
        match self {
            Writer::Markdown(writer) => writer.message(&RowText {
                assistant: row.role == "assistant",
                content: row.content.unwrap_or_default(),
                metadata: row.metadata,
                streaming: row.status == Some("streaming"),
                created_at: row.created_at,
            }),
            Writer::Json(writer) => writer.message(&chat.id.to_string(), &chat.workspace_id, row),
        }
    }

    fn written(&mut self) -> &mut String {
        match self {
            Writer::Markdown(writer) => writer.sink(),
            Writer::Json(writer) => writer.sink(),
        }
    }
}

fn unwritable(_: std::fmt::Error) -> Error {
    Error::internal("the export could not be written")
}

impl Engine {
    /// Begins the export of a chat.
    ///
    /// # Errors
    /// `NOT_FOUND`, `FORBIDDEN`, `STORE_UNAVAILABLE`, `ENGINE_CLOSED`.
    pub async fn export(&self, who: &Who, chat_id: ChatId, format: ExportFormat) -> Result<Export> {
        self.inner.ensure_open()?;
        let chat = self.chat(who, chat_id).await?;
        Ok(Export { engine: self.clone(), chat, format, state: State::Fresh.into() })
    }

    /// Makes a chat of an exported JSON document. The chat and its messages get ids of their own, so that a document can
    /// be read more than once; a message that was being written when it was exported has been aborted.
    ///
    /// # Errors
    /// `INVALID_INPUT` with the path of the field, such as `document.messages[3].role`; `STORE_UNAVAILABLE`,
    /// `ENGINE_CLOSED`.
    pub async fn import_chat(&self, who: &Who, document: &str) -> Result<Chat> {
        self.inner.ensure_open()?;
        who.check()?;
        let now = self.inner.clock.now();
        let parsed = parse_chat_json(document, "document")?;
        let id = ChatId::generate();
        let mut messages = Vec::with_capacity(parsed.rows.len());
        for row in &parsed.rows {
            let row = row_of(row)?;
            let created_at = row.created_at.unwrap_or(now);
            let json = |raw: Option<&serde_json::value::RawValue>| raw.and_then(|raw| Json::parse(raw.get()).ok());
            messages.push(Message {
                id: MessageId::generate(),
                chat_id: id,
                workspace_id: who.workspace_id.clone(),
                user_id: (row.role == MessageRole::User).then(|| who.user_id.clone()),
                role: row.role,
                content: row.content.map(|content| content.0.into_owned()).unwrap_or_default(),
                tool_calls: json(row.tool_calls),
                metadata: json(row.metadata),
                status: match row.status {
                    Some(MessageStatus::Streaming) => Some(MessageStatus::Aborted),
                    status => status,
                },
                created_at,
                updated_at: row.updated_at.unwrap_or(created_at),
            });
        }
        let first = messages.iter().map(|message| message.created_at).min().unwrap_or(now);
        let chat = Chat {
            id,
            workspace_id: who.workspace_id.clone(),
            creator_id: who.user_id.clone(),
            title: parsed.title.map(|title| title.0.into_owned()),
            role_id: None,
            page_id: None,
            created_at: first.min(now),
            updated_at: now,
        };
        self.inner.store.import_chat(chat.clone(), messages).await?;
        Ok(chat)
    }
}

impl Export {
    /// The next piece of the document, text that is never empty; nothing at its end.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`, `ENGINE_CLOSED`. An error ends the export.
    pub async fn next(&self) -> Result<Option<String>> {
        self.engine.inner.ensure_open()?;
        let mut state = self.state.lock().await;
        let (span, writer) = match std::mem::replace(&mut *state, State::Ended) {
            State::Fresh => self.begin().await?,
            State::Messages(span, writer) => (span, writer),
            State::Ended => return Ok(None),
        };
        let (span, mut writer) = self.piece(span, writer).await?;
        let piece = std::mem::take(writer.written());
        if let Some(span) = span {
            *state = State::Messages(span, writer);
        } else if let Writer::Json(json) = &mut writer {
            json.finish().map_err(unwritable)?;
            return Ok(Some(piece + &std::mem::take(json.sink())));
        }
        Ok(Some(piece).filter(|piece| !piece.is_empty()))
    }

    /// The whole document.
    ///
    /// # Errors
    /// As [`Export::next`].
    pub async fn text(self) -> Result<String> {
        let mut text = String::new();
        while let Some(piece) = self.next().await? {
            text.push_str(&piece);
        }
        Ok(text)
    }

    async fn begin(&self) -> Result<(MessageSpan, Writer)> {
        let (chat, store) = (&self.chat, &self.engine.inner.store);
        let at = self.engine.inner.clock.now().to_string();
        match &self.format {
            ExportFormat::Json => {
                let span = store.message_span(chat.id, usize::MAX).await?;
                let writer = JsonWriter::new(String::new(), &chat.id.to_string(), chat.title.as_deref(), &at);
                Ok((span, Writer::Json(writer.map_err(unwritable)?)))
            }
            ExportFormat::Markdown(language, labels) => {
                let span = store.message_span(chat.id, MAX_EXPORTED_MESSAGES).await?;
                let totals = self.totals(&span).await?;
                let labels = labels.clone().over(Labels::builtin(*language));
                let error_text = self.engine.inner.options.error_text;
                let mut writer = MarkdownWriter::new(String::new(), Cow::Owned(labels)).telling(error_text);
                writer
                    .head(&MarkdownHead {
                        title: chat.title.as_deref(),
                        chat_id: &chat.id.to_string(),
                        messages: span.count,
                        total_tokens: &totals,
                        older_left_out: span.older_left_out,
                        exported_at: &at,
                    })
                    .map_err(unwritable)?;
                Ok((span, Writer::Markdown(Box::new(writer))))
            }
        }
    }

    /// The sum that stands above the messages, so that it has to be known before them.
    async fn totals(&self, span: &MessageSpan) -> Result<ExportTotals> {
        #[derive(Default)]
        struct Seen {
            totals: ExportTotals,
            in_progress: Vec<Row>,
        }
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        let visitor = Box::new(move |row: &StoredMessage<'_>| {
            let mut seen = shared.lock().unwrap_or_else(PoisonError::into_inner);
            if row.is_in_progress() {
                seen.in_progress.push(Row::of(row));
            } else if let Some(metadata) = row.metadata {
                seen.totals.add_text(metadata);
            }
            ControlFlow::Continue(())
        });
        self.engine.inner.store.visit_messages(span, MessageFields::Metadata, visitor).await?;
        let mut seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
        for row in seen.in_progress {
            let logged = self.logged(&row).await?;
            if let Some(metadata) = logged.as_ref().map(|flush| flush.metadata.get()).or(row.metadata.as_deref()) {
                seen.totals.add_text(metadata);
            }
        }
        Ok(seen.totals)
    }

    /// Writes messages until the piece is full. Gives the rest of the span, or nothing at its end.
    async fn piece(&self, span: MessageSpan, writer: Writer) -> Result<(Option<MessageSpan>, Writer)> {
        struct Piece {
            writer: Writer,
            last: Option<Place>,
            /// A row of which the log may know more; where it was reached the visit broke off.
            in_progress: Option<(Place, Row)>,
            written: std::fmt::Result,
            full: bool,
        }
        let piece = Piece { writer, last: None, in_progress: None, written: Ok(()), full: false };
        let piece = Arc::new(Mutex::new(Some(piece)));
        let (shared, chat) = (Arc::clone(&piece), self.chat.clone());
        let visitor = Box::new(move |row: &StoredMessage<'_>| {
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(piece) = shared.as_mut() else {
                return ControlFlow::Break(());
            };
            if row.is_in_progress() {
                piece.in_progress = Some((row.place(), Row::of(row)));
                piece.full = true;
                return ControlFlow::Break(());
            }
            piece.written = piece.writer.message(&chat, row);
            piece.last = Some(row.place());
            piece.full = piece.written.is_err() || piece.writer.written().len() >= PIECE_BYTES;
            if piece.full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let fields = match self.format {
            ExportFormat::Markdown(..) => MessageFields::Shown,
            ExportFormat::Json => MessageFields::All,
        };
        self.engine.inner.store.visit_messages(&span, fields, visitor).await?;
        let piece = piece.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut piece = piece.ok_or_else(|| Error::internal("a piece of an export is gone"))?;
        piece.written.map_err(unwritable)?;
        if let Some((place, row)) = piece.in_progress {
            let logged = self.logged(&row).await?;
            let shown = match &logged {
                Some(flush) => StoredMessage {
                    content: Some(&flush.content),
                    tool_calls: flush.tool_calls.as_ref().map(Json::get),
                    metadata: Some(flush.metadata.get()),
                    ..row.stored()
                },
                None => row.stored(),
            };
            piece.writer.message(&self.chat, &shown).map_err(unwritable)?;
            piece.last = Some(place);
        }
        let rest = (piece.full && piece.last != span.last).then_some(MessageSpan { after: piece.last, ..span });
        Ok((rest, piece.writer))
    }

    /// What the log knows of a message that is being written.
    async fn logged(&self, row: &Row) -> Result<Option<AssistantFlush>> {
        match row.id.parse() {
            Ok(id) => self.engine.logged_row(id).await,
            Err(_) => Ok(None),
        }
    }
}

/// A row, beyond its visit.
struct Row {
    id: String,
    user_id: Option<String>,
    role: String,
    content: Option<String>,
    tool_calls: Option<String>,
    metadata: Option<String>,
    status: Option<String>,
    created_at: String,
    updated_at: String,
}

impl Row {
    fn of(row: &StoredMessage<'_>) -> Self {
        Self {
            id: row.id.to_owned(),
            user_id: row.user_id.map(str::to_owned),
            role: row.role.to_owned(),
            content: row.content.map(str::to_owned),
            tool_calls: row.tool_calls.map(str::to_owned),
            metadata: row.metadata.map(str::to_owned),
            status: row.status.map(str::to_owned),
            created_at: row.created_at.to_owned(),
            updated_at: row.updated_at.to_owned(),
        }
    }

    fn stored(&self) -> StoredMessage<'_> {
        StoredMessage {
            id: &self.id,
            user_id: self.user_id.as_deref(),
            role: &self.role,
            content: self.content.as_deref(),
            tool_calls: self.tool_calls.as_deref(),
            metadata: self.metadata.as_deref(),
            status: self.status.as_deref(),
            created_at: &self.created_at,
            exact_created_at: None,
            updated_at: &self.updated_at,
        }
    }
}
