//! Single requests to providers, outside any run: vectors, transcripts, titles.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use uuid::Uuid;

use crate::engine::{Engine, Inner};
use crate::error::{Error, ErrorCode, Result};
use crate::id::ChatId;
use crate::model::{CallKind, CallTokens, Chat, Feature, Usage, estimated_tokens};
use crate::project::{
    ModelMessage, TitlePrompt, UserPart, chat_title_prompt, clean_chat_title, clean_generated_title, page_title_prompt,
};
use crate::provider::embed::embed;
use crate::provider::transcribe::{check_audio, transcribe};
use crate::provider::{
    AudioFormat, BlockKind, CallOptions, ChatRequest, EmbeddingConfig, Provider, ProviderChoice, ProviderConfig,
    ProviderFailure, StreamPart, ToolChoice,
};
use crate::store::LedgerCall;
use crate::text::js_trim;

impl Engine {
    /// Vectors for texts, in their order, by the workspace's embedding model, or by `provider` alone, which is stored
    /// nowhere. No texts, no request.
    ///
    /// # Errors
    /// `EMBEDDING_NOT_CONFIGURED` naming the driver, `PROVIDER_ERROR` (also when all of it takes longer than
    /// `requests.embeddingTimeoutMs`), `BUDGET_EXHAUSTED`, `SECRET_UNREADABLE`, `STORE_UNAVAILABLE`.
    pub async fn embed(
        &self,
        workspace_id: &str,
        texts: &[String],
        provider: Option<&ProviderChoice>,
    ) -> Result<Vec<Vec<f64>>> {
        let config = self.inner.embedding_config(workspace_id, provider).await?;
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        self.inner.embed(workspace_id, &config, texts).await
    }

    /// What is said in a recording of the media type `mime`, by the workspace's speech-to-text model, or by `provider`
    /// alone, which is stored nowhere; an empty text when nothing is said.
    ///
    /// # Errors
    /// `FORBIDDEN` where the workspace has switched dictation off; `INVALID_INPUT` for an empty recording,
    /// `PAYLOAD_TOO_LARGE` over 25 MiB, `UNSUPPORTED_MEDIA`, `STT_NOT_CONFIGURED`, `BUDGET_EXHAUSTED`, `PROVIDER_ERROR`,
    /// `SECRET_UNREADABLE`, `STORE_UNAVAILABLE`.
    pub async fn transcribe(
        &self,
        workspace_id: &str,
        audio: Bytes,
        mime: &str,
        provider: Option<&ProviderChoice>,
    ) -> Result<String> {
        let format = check_audio(&audio, mime)?;
        self.inner.ensure_feature(workspace_id, Feature::Dictation).await?;
        self.inner.transcribe(workspace_id, audio, &format, provider).await
    }

    /// A title for a page with this content, by the workspace's chat model, or by `provider` alone. Nothing is stored.
    ///
    /// # Errors
    /// `FORBIDDEN` where the workspace has switched chat off; `INVALID_INPUT` for content without text, `BUDGET_EXHAUSTED`,
    /// `AI_NOT_CONFIGURED`, `PROVIDER_ERROR`, `SECRET_UNREADABLE`, `STORE_UNAVAILABLE`.
    pub async fn generate_title(
        &self,
        workspace_id: &str,
        content: &str,
        provider: Option<&ProviderChoice>,
    ) -> Result<String> {
        let content = crate::text::js_trim(content);
        if content.is_empty() {
            return Err(Error::invalid("content", "is empty"));
        }
        self.inner.ensure_feature(workspace_id, Feature::Chat).await?;
        let answer = self.inner.ask(workspace_id, None, &page_title_prompt(content), provider).await?;
        let title = clean_generated_title(&answer);
        if title.is_empty() {
            return Err(Error::new(ErrorCode::ProviderError, "the model answered without a title"));
        }
        Ok(title)
    }
}

impl Inner {
    /// Vectors for texts, by a call that is in the ledger.
    pub(super) async fn embed(
        &self,
        workspace_id: &str,
        config: &EmbeddingConfig,
        texts: &[String],
    ) -> Result<Vec<Vec<f64>>> {
        self.has_tokens(workspace_id).await?;
        let timeout = Duration::from_millis(self.options.requests.embedding_timeout_ms);
        let vectors = embed(&self.http()?, config, texts, timeout).await?;
        let tokens = CallTokens::estimated(estimated_tokens(texts.iter().map(String::len).sum()), 0);
        let call = CallFor { workspace_id, chat: None, kind: CallKind::Embeddings, model: &config.model };
        self.enter(call, tokens).await;
        Ok(vectors)
    }

    pub(crate) async fn transcribe(
        &self,
        workspace_id: &str,
        audio: Bytes,
        format: &AudioFormat,
        provider: Option<&ProviderChoice>,
    ) -> Result<String> {
        self.has_tokens(workspace_id).await?;
        let config = self.stt_config(workspace_id, provider).await?;
        let timeout = Duration::from_millis(self.options.requests.transcription_timeout_ms);
        let text = transcribe(&self.http()?, &config, audio, format, timeout).await?;
        let call = CallFor { workspace_id, chat: None, kind: CallKind::Transcription, model: &config.model };
        self.enter(call, CallTokens::of(None, text.len(), None)).await;
        Ok(text)
    }

    /// What the workspace's model, or the one that was given, answers to a question of ours.
    async fn ask(
        &self,
        workspace_id: &str,
        chat: Option<&Chat>,
        asked: &TitlePrompt,
        provider: Option<&ProviderChoice>,
    ) -> Result<String> {
        let model = self.chat_model(workspace_id, provider, None).await?;
        let timeout = Duration::from_millis(self.options.requests.title_timeout_ms);
        let call = CallFor { workspace_id, chat, kind: CallKind::Title, model: &model.config.model };
        self.ask_of(&model.config, call, (&asked.system, &asked.prompt), None, timeout).await
    }

    /// What a model answers to a question of ours, a system prompt and a message, by a call that is in the ledger.
    pub(super) async fn ask_of(
        &self,
        config: &ProviderConfig,
        call: CallFor<'_>,
        (system, prompt): (&str, &str),
        options: Option<CallOptions>,
        timeout: Duration,
    ) -> Result<String> {
        self.has_tokens(call.workspace_id).await?;
        let provider = config.build(self.http()?)?;
        let options = options.unwrap_or_else(|| provider.options());
        let mut used = Answered::default();
        let answer = generate(&provider, system, prompt, options, timeout, &mut used).await;
        // A call that was refused has used nothing.
        if used.begun {
            let prompt = estimated_tokens(system.len() + prompt.len());
            self.enter(call, CallTokens::of(used.usage, used.text.len(), Some(prompt))).await;
        }
        answer.map(|()| used.text)
    }

    async fn enter(&self, call: CallFor<'_>, tokens: CallTokens) {
        self.enter_call(LedgerCall {
            id: Uuid::now_v7().to_string(),
            workspace_id: call.workspace_id.to_owned(),
            user_id: call.chat.map(|chat| chat.creator_id.clone()),
            chat_id: call.chat.map(|chat| chat.id),
            run_id: None,
            kind: call.kind,
            model: Some(call.model.to_owned()),
            tokens,
        })
        .await;
    }
}

/// Whose a call to a provider is that is no run's.
pub(super) struct CallFor<'a> {
    pub(super) workspace_id: &'a str,
    pub(super) chat: Option<&'a Chat>,
    pub(super) kind: CallKind,
    pub(super) model: &'a str,
}

/// What came of a call.
#[derive(Default)]
struct Answered {
    text: String,
    usage: Option<Usage>,
    /// Something came.
    begun: bool,
}

/// Names a chat after its first turn has succeeded, whoever drove it, where the engine does that and the chat has no name.
pub(crate) async fn name_after_first_turn(inner: &Arc<Inner>, workspace_id: &str, chat_id: ChatId) {
    if !inner.options.generate_chat_titles {
        return;
    }
    let untitled = |chat: &Chat| chat.title.as_deref().unwrap_or_default().is_empty();
    let Some(chat) = inner.store.chat(chat_id).await.ok().flatten().filter(untitled) else { return };
    if let Ok([message, _]) = inner.store.messages(chat_id, 3).await.as_deref()
        && !js_trim(&message.content).is_empty()
    {
        name_chat(Arc::clone(inner), workspace_id.to_owned(), chat, message.content.clone()).await;
    }
}

/// Names a chat after the message that it began with, unless it has a name by then. What goes wrong is logged: a chat
/// can do without a name.
async fn name_chat(inner: Arc<Inner>, workspace_id: String, chat: Chat, message: String) {
    let chat_id = chat.id;
    let named = async {
        let answer = inner.ask(&workspace_id, Some(&chat), &chat_title_prompt(&message), None).await?;
        // First without what models put around a title, then as titles of chats have always been cleaned.
        match clean_chat_title(&clean_generated_title(&answer)) {
            Some(title) => inner.store.name_chat(chat_id, title).await.map(|_| ()),
            None => Ok(()),
        }
    };
    let mut closed = inner.closed.subscribe();
    tokio::select! {
        named = named => if let Err(error) = named {
            tracing::warn!(%error, %chat_id, "the chat could not be named");
        },
        _ = closed.wait_for(|closed| *closed) => {}
    }
}

/// One answer as text, without tools, of which `answered` has what has come.
///
/// # Errors
/// `PROVIDER_ERROR`, also when it takes longer than `timeout` or ends before it is complete.
async fn generate(
    provider: &dyn Provider,
    system: &str,
    prompt: &str,
    options: CallOptions,
    timeout: Duration,
    answered: &mut Answered,
) -> Result<()> {
    let mut parts = provider.stream(&ChatRequest {
        system: system.to_owned(),
        messages: vec![ModelMessage::User(vec![UserPart::text(prompt)])],
        tools: Vec::new(),
        tool_choice: ToolChoice::None,
        options,
    });
    let answer = async {
        let mut failure = None;
        while let Some(part) = parts.next().await {
            let part = part.map_err(ProviderFailure::into_error)?;
            answered.begun = true;
            match part {
                StreamPart::BlockDelta { kind: BlockKind::Text, delta, .. } => answered.text.push_str(&delta),
                StreamPart::Error(error) => failure = failure.or(Some(error)),
                StreamPart::Finish { usage, .. } if failure.is_none() => {
                    answered.usage = usage;
                    return Ok(());
                }
                _ => {}
            }
        }
        Err(match failure {
            Some(failure) => failure.into_error(),
            None => Error::new(ErrorCode::ProviderError, "the provider's answer ended before it was complete"),
        })
    };
    tokio::time::timeout(timeout, answer).await.unwrap_or_else(|_| {
        let message = format!("the provider did not answer within {} ms", timeout.as_millis());
        Err(Error::new(ErrorCode::ProviderError, message))
    })
}
