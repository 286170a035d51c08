//! The questions of [`super::queries`] by name, with JSON in and out, for bindings that pass text.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, from_json};
use crate::id::{ChatId, RunId};
use crate::project::{Labels, Language};

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
struct Export {
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

fn who(workspace_id: String, user_id: String) -> Who {
    Who { workspace_id, user_id }
}

impl Engine {
    /// Answers `runs.get`, `runs.latestForChat`, `runs.stop`, `chats.messages` and `chats.export` with the JSON of
    /// their results. `params` is the object that these methods take in every language.
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
                let export: Export = from_json(params, "params")?;
                if export.format.is_some_and(|format| format != "markdown") {
                    return Err(Error::invalid("format", "must be markdown"));
                }
                let language = Language::from_tag(export.lang.as_deref());
                let labels = export.labels.unwrap_or_default();
                let who = who(export.workspace_id, export.user_id);
                encode(&self.export_markdown(&who, export.chat_id, language, labels).await?)
            }
            _ => Err(Error::invalid("method", "there is no such method")),
        }
    }
}

fn encode<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal("a result could not be encoded").with_source(error))
}
