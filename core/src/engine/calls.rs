//! The questions of [`super::queries`] by name, with JSON in and out, for bindings that pass text.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, from_json};
use crate::id::{ChatId, RunId};
use crate::js::Text;
use crate::project::{Labels, Language};

use super::export::{Export, ExportFormat};
use super::{Engine, Who};

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
    chat_id: ChatId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Stop {
    workspace_id: String,
    user_id: String,
    #[serde(default)]
    run_id: Option<RunId>,
    #[serde(default)]
    chat_id: Option<ChatId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ExportParams {
    workspace_id: String,
    user_id: String,
    chat_id: ChatId,
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

fn who(workspace_id: String, user_id: String) -> Who {
    Who { workspace_id, user_id }
}

impl Engine {
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
        self.export(&who(given.workspace_id, given.user_id), given.chat_id, format).await
    }

    /// Answers `runs.get`, `runs.latestForChat`, `runs.stop`, `chats.messages`, `chats.export` and `chats.import`
    /// with the JSON of their results. `params` is the object that these methods take in every language.
    ///
    /// # Errors
    /// `INVALID_INPUT` with the field's path (`method` for an unknown method), and those of the method.
    pub async fn call(&self, method: &str, params: &str) -> Result<String> {
        self.inner.ensure_open()?;
        match method {
            "runs.get" => {
                let of: OfRun = from_json(params, "params")?;
                encode(&self.run(&who(of.workspace_id, of.user_id), of.run_id).await?)
            }
            "runs.latestForChat" => {
                let of: OfChat = from_json(params, "params")?;
                encode(&self.latest_run(&who(of.workspace_id, of.user_id), of.chat_id).await?)
            }
            "runs.stop" => {
                let stop: Stop = from_json(params, "params")?;
                let who = who(stop.workspace_id, stop.user_id);
                match (stop.run_id, stop.chat_id) {
                    (Some(run_id), None) => encode(&self.stop_run(&who, run_id).await?),
                    (None, Some(chat_id)) => encode(&self.stop_chat(&who, chat_id).await?),
                    _ => Err(Error::invalid("runId", "give either runId or chatId")),
                }
            }
            "chats.messages" => {
                let of: OfChat = from_json(params, "params")?;
                encode(&self.messages(&who(of.workspace_id, of.user_id), of.chat_id).await?)
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
            _ => Err(Error::invalid("method", "there is no such method")),
        }
    }
}

fn encode<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal("a result could not be encoded").with_source(error))
}
