//! The questions of [`super::service::queries`] by name, with JSON in and out, for bindings that pass text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, from_json};
use crate::id::{ChatId, ChatRef, MessageId, RunId};
use crate::js::Text;
use crate::model::{FinishReason, Json, RunReason, RunStatus};
use crate::project::{Labels, Language};
use crate::settings::SettingsPatch;

use super::run::hosted::{HostedFinish, HostedRequest, HostedStep};
use super::run::tail::{Cursor, RunTail, TailFrom};
use super::service::export::{Export, ExportFormat};
use super::service::open::InProgress;
use super::service::settings::Capability;
use super::{Engine, Who};

/// How many runs are listed unless more are asked for.
const DEFAULT_RUNS: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OfRun {
    workspace_id: String,
    user_id: String,
    run_id: RunId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OfChat {
    workspace_id: String,
    user_id: String,
    chat_id: ChatRef,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OpenParams {
    workspace_id: String,
    user_id: String,
    chat_id: ChatRef,
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default)]
    in_progress: InProgress,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Stop {
    workspace_id: String,
    user_id: String,
    #[serde(default)]
    run_id: Option<RunId>,
    #[serde(default)]
    chat_id: Option<ChatRef>,
    #[serde(default)]
    idempotency_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListParams {
    workspace_id: String,
    user_id: String,
    chat_id: ChatRef,
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default)]
    before: Option<RunId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MessagesParams {
    workspace_id: String,
    user_id: String,
    chat_id: ChatRef,
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default)]
    before: Option<MessageId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StepParams {
    workspace_id: String,
    user_id: String,
    run_id: RunId,
    step: HostedStep,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FinishParams {
    workspace_id: String,
    user_id: String,
    run_id: RunId,
    status: RunStatus,
    #[serde(default)]
    reason: Option<RunReason>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    finish_reason: Option<FinishReason>,
    #[serde(default)]
    step: Option<HostedStep>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TailParams {
    workspace_id: String,
    user_id: String,
    run_id: RunId,
    #[serde(default)]
    after: Option<After>,
    #[serde(default)]
    from: Option<String>,
}

/// A cursor as it was given out, or its number.
#[derive(Deserialize)]
#[serde(untagged)]
enum After {
    Number(u64),
    Text(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RotateParams {
    #[serde(default)]
    dry_run: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ExportParams {
    workspace_id: String,
    user_id: String,
    chat_id: ChatRef,
    #[serde(default)]
    format: Option<String>,
    #[serde(default)]
    lang: Option<String>,
    #[serde(default)]
    labels: Option<Labels>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Import<'a> {
    workspace_id: String,
    user_id: String,
    #[serde(borrow)]
    document: Text<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OfWorkspace {
    workspace_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UpdateParams {
    workspace_id: String,
    settings: Json,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TestParams {
    workspace_id: String,
    #[serde(default)]
    capability: Capability,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EmbedParams {
    workspace_id: String,
    texts: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TranscribeParams {
    workspace_id: String,
    audio: String,
    mime: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TitleParams<'a> {
    workspace_id: String,
    #[serde(borrow)]
    content: Text<'a>,
}

fn who(workspace_id: String, user_id: String) -> Who {
    Who { workspace_id, user_id }
}

impl Engine {
    /// Who asks, and the chat that they mean.
    fn of_chat(&self, workspace_id: String, user_id: String, given: &ChatRef) -> Result<(Who, ChatId)> {
        let chat_id = self.inner.options.chats.resolve(given, &workspace_id, &user_id)?;
        Ok((who(workspace_id, user_id), chat_id))
    }

    /// Begins the export that `chats.export` takes the parameters of.
    ///
    /// # Errors
    /// `INVALID_INPUT` with the field's path, and those of [`Engine::export`].
    pub async fn export_from_json(&self, params: &str) -> Result<Export> {
        let given: ExportParams = from_json(params, "params")?;
        let format = match given.format.as_deref() {
            None | Some("markdown") => {
                let language = Language::from_tag(given.lang.as_deref());
                ExportFormat::Markdown(language, given.labels.unwrap_or_default())
            }
            Some("json") => ExportFormat::Json,
            Some(_) => return Err(Error::invalid("format", "must be markdown or json")),
        };
        let (who, chat_id) = self.of_chat(given.workspace_id, given.user_id, &given.chat_id)?;
        self.export(&who, chat_id, format).await
    }

    /// Begins the tail that `runs.tail` takes the parameters of.
    ///
    /// # Errors
    /// `INVALID_INPUT` with the field's path, and those of [`Engine::tail`].
    pub async fn tail_from_json(&self, params: &str) -> Result<RunTail> {
        let given: TailParams = from_json(params, "params")?;
        let from = match (given.after, given.from.as_deref()) {
            (Some(_), Some(_)) => return Err(Error::invalid("from", "give either after or from")),
            (Some(After::Number(sequence)), None) => TailFrom::After(Cursor { sequence, compact: 0 }),
            (Some(After::Text(cursor)), None) => TailFrom::After(cursor.parse()?),
            (None, None | Some("snapshot")) => TailFrom::Snapshot,
            (None, Some("start")) => TailFrom::Start,
            (None, Some(_)) => return Err(Error::invalid("from", "must be snapshot or start")),
        };
        self.tail(&who(given.workspace_id, given.user_id), given.run_id, from).await
    }

    /// Answers `runs.get`, `runs.latestForChat`, `runs.activeForChat`, `runs.list`, `runs.stop`, `runs.sweep`,
    /// `runs.begin`, `runs.recordStep`, `runs.finish`, `runs.signal`, `runs.abandon`, `health`, `chats.messages`, `chats.open`, `chats.export`,
    /// `chats.import`, `settings.get`, `settings.update`, `settings.test`, `secrets.rotate`, `embed`, `transcribe` (audio
    /// in base64) and `generateTitle` with the JSON of their results. `params` is the object that these methods take in
    /// every language.
    ///
    /// # Errors
    /// `INVALID_INPUT` with the field's path (`method` for an unknown method), and those of the method.
    pub async fn call(&self, method: &str, params: &str) -> Result<String> {
        // While an engine drains, everything works that begins nothing.
        match method {
            "runs.begin" | "chats.import" | "settings.update" | "settings.test" | "secrets.rotate" | "embed"
            | "transcribe" | "generateTitle" => self.inner.ensure_open()?,
            _ => self.inner.ensure_not_closed()?,
        }
        match method {
            "runs.get" => {
                let of: OfRun = from_json(params, "params")?;
                encode(&self.run(&who(of.workspace_id, of.user_id), of.run_id).await?)
            }
            "runs.latestForChat" => {
                let of: OfChat = from_json(params, "params")?;
                let (who, chat_id) = self.of_chat(of.workspace_id, of.user_id, &of.chat_id)?;
                encode(&self.latest_run(&who, chat_id).await?)
            }
            "runs.stop" => {
                let stop: Stop = from_json(params, "params")?;
                let who = who(stop.workspace_id, stop.user_id);
                match (stop.run_id, stop.chat_id, stop.idempotency_key) {
                    (Some(run_id), None, None) => encode(&self.stop_run(&who, run_id).await?),
                    (None, Some(chat_id), None) => {
                        let (who, chat_id) = self.of_chat(who.workspace_id, who.user_id, &chat_id)?;
                        encode(&self.stop_chat(&who, chat_id).await?)
                    }
                    (None, chat_id, Some(key)) => {
                        let chat_id = self.inner.chat_of(chat_id.as_ref(), &who.workspace_id, &who.user_id)?;
                        encode(&self.stop_keyed(&who, chat_id, &key).await?)
                    }
                    _ => Err(Error::invalid("runId", "give runId, chatId, idempotencyKey, or the last two")),
                }
            }
            "runs.activeForChat" => {
                let of: OfChat = from_json(params, "params")?;
                let (who, chat_id) = self.of_chat(of.workspace_id, of.user_id, &of.chat_id)?;
                encode(&self.active_run(&who, chat_id).await?)
            }
            "runs.list" => {
                let of: ListParams = from_json(params, "params")?;
                let limit = of.limit.unwrap_or(DEFAULT_RUNS);
                let (who, chat_id) = self.of_chat(of.workspace_id, of.user_id, &of.chat_id)?;
                match of.before {
                    None => encode(&self.runs(&who, chat_id, limit).await?),
                    Some(before) => encode(&self.runs_before(&who, chat_id, before, limit).await?),
                }
            }
            "runs.sweep" => {
                let Nothing {} = from_json(params, "params")?;
                encode(&self.sweep().await?)
            }
            "health" => {
                let Nothing {} = from_json(params, "params")?;
                encode(&self.health().await)
            }
            "runs.begin" => {
                let request: HostedRequest = from_json(params, "params")?;
                encode(&self.begin_run(request).await?)
            }
            "runs.recordStep" => {
                let given: StepParams = from_json(params, "params")?;
                encode(&self.record_step(&who(given.workspace_id, given.user_id), given.run_id, given.step).await?)
            }
            "runs.finish" => {
                let FinishParams { workspace_id, user_id, run_id, status, reason, error, finish_reason, step } =
                    from_json(params, "params")?;
                let finish = HostedFinish { status, reason, error, finish_reason, step };
                encode(&self.finish_run(&who(workspace_id, user_id), run_id, finish).await?)
            }
            "runs.signal" => {
                let of: OfRun = from_json(params, "params")?;
                encode(&self.run_signal(&who(of.workspace_id, of.user_id), of.run_id).await?)
            }
            "runs.abandon" => {
                let of: OfRun = from_json(params, "params")?;
                self.run(&who(of.workspace_id, of.user_id), of.run_id).await?;
                self.abandon_run(of.run_id);
                encode(&())
            }
            "chats.messages" => {
                let of: MessagesParams = from_json(params, "params")?;
                let (who, chat_id) = self.of_chat(of.workspace_id, of.user_id, &of.chat_id)?;
                encode(&self.message_page(&who, chat_id, of.before, of.limit.unwrap_or(usize::MAX)).await?)
            }
            "chats.open" => {
                let of: OpenParams = from_json(params, "params")?;
                let (who, chat_id) = self.of_chat(of.workspace_id, of.user_id, &of.chat_id)?;
                encode(&self.open_chat(&who, chat_id, of.in_progress, of.limit).await?)
            }
            "chats.export" => {
                let export = self.export_from_json(params).await?;
                encode(&export.text().await?)
            }
            "chats.import" => {
                let import: Import<'_> = from_json(params, "params")?;
                let who = who(import.workspace_id, import.user_id);
                encode(&self.import_chat(&who, &import.document.0).await?)
            }
            "settings.get" => {
                let of: OfWorkspace = from_json(params, "params")?;
                encode(&self.settings(&of.workspace_id).await?)
            }
            "settings.update" => {
                let given: UpdateParams = from_json(params, "params")?;
                let patch = SettingsPatch::from_json(given.settings.get())?;
                encode(&self.update_settings(&given.workspace_id, &patch).await?)
            }
            "settings.test" => {
                let given: TestParams = from_json(params, "params")?;
                encode(&self.test_settings(&given.workspace_id, given.capability).await?)
            }
            "secrets.rotate" => {
                let RotateParams { dry_run } = from_json(params, "params")?;
                encode(&self.rotate_secrets(dry_run).await?)
            }
            "embed" => {
                let given: EmbedParams = from_json(params, "params")?;
                encode(&self.embed(&given.workspace_id, &given.texts).await?)
            }
            "transcribe" => {
                let given: TranscribeParams = from_json(params, "params")?;
                let audio = STANDARD.decode(&given.audio).map_err(|_| Error::invalid("audio", "must be base64"))?;
                encode(&self.transcribe(&given.workspace_id, audio.into(), &given.mime).await?)
            }
            "generateTitle" => {
                let given: TitleParams<'_> = from_json(params, "params")?;
                encode(&self.generate_title(&given.workspace_id, &given.content.0).await?)
            }
            _ => Err(Error::invalid("method", "there is no such method")),
        }
    }
}

fn encode<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal("a result could not be encoded").with_source(error))
}
