//! A turn's tools for a Docmost server: where it is, whose tokens they use, and which of them there are.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::docmost::{
    DocmostClient, DocmostLimits, DocmostTokens, DocmostTool, NAMES, api_of, definitions, edits_in_place,
};
use crate::error::{Error, Result};
use crate::model::Json;
use crate::tool::{Mailbox, Tool, ToolDefinition, ToolHandler, ToolInvocation};

use super::request::TurnRequest;
use super::run::asked::HostFunction;
use super::{Engine, Inner};

/// What the host's function is called where it is asked like a tool.
const TOKEN: &str = "docmostToken";

/// A Docmost server, and how a turn uses it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DocmostAccess {
    /// The server's address, with or without `/api` at its end. It must be a public one, or one that the option
    /// `http.allowPrivate` has.
    pub base_url: String,
    /// The user's access token. Where it is not given it is asked for (`docmostTokens`). It is sent to `baseUrl`, and kept
    /// nowhere: not for turns with `offeredTools`, which others may drive.
    #[serde(default)]
    pub token: Option<SecretString>,
    /// The names of the tools that the model has; unless given, all but those that change a part of a page. `getCurrentPage` it
    /// has in any case.
    #[serde(default)]
    pub tools: Option<Vec<String>>,
    /// Only tools that change nothing.
    #[serde(default)]
    pub read_only: bool,
    /// Also the tools that change a part of a page. They read it as the server last saved it and replace it as a whole: what
    /// somebody types there in the same seconds is lost.
    #[serde(default)]
    pub edit_in_place: bool,
}

/// The same, as a plan keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlannedDocmost {
    base_url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tools: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    read_only: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    edit_in_place: bool,
}

impl DocmostAccess {
    /// Whether it can be used; `is_offered`: by whoever drives the turn.
    pub(super) fn check(&self, is_offered: bool) -> Result<()> {
        api_of(&self.base_url).map_err(|problem| Error::invalid("docmost.baseUrl", problem))?;
        if is_offered && self.token.is_some() {
            let problem = "must not be given beside offeredTools: it is kept nowhere, so others could not use it";
            return Err(Error::invalid("docmost.token", problem));
        }
        for (index, name) in self.tools.iter().flatten().enumerate() {
            if !NAMES.contains(&name.as_str()) {
                return Err(Error::invalid(format!("docmost.tools[{index}]"), "is the name of no tool"));
            }
        }
        Ok(())
    }

    pub(super) fn planned(&self) -> PlannedDocmost {
        let Self { base_url, tools, read_only, edit_in_place, .. } = self.clone();
        PlannedDocmost { base_url, tools, read_only, edit_in_place }
    }
}

impl Engine {
    /// Has the host asked for the tokens of users, by which turns with `docmost` act on a Docmost server: when a turn first
    /// needs one, and once more when the server does not take it. It is called as a tool named `docmostToken` is, with
    /// `{workspaceId, userId, baseUrl, refused}`, and answers the access token as text; `refused` says that the one before was
    /// not taken. What it fails with is told to nobody. It takes the place of one that was given before, and ends with the
    /// engine.
    ///
    /// # Errors
    /// `ENGINE_CLOSED`.
    pub fn docmost_tokens(&self, tokens: Arc<dyn ToolHandler>) -> Result<()> {
        self.inner.ensure_open()?;
        self.inner.docmost.set(tokens)
    }

    /// As [`Engine::docmost_tokens`], for hosts that answer through a mailbox.
    ///
    /// # Errors
    /// `ENGINE_CLOSED`.
    pub fn docmost_tokens_by_mailbox(&self) -> Result<Mailbox> {
        let (mailbox, tools) = Mailbox::new(vec![ToolDefinition::new(TOKEN)]);
        for tool in tools {
            self.docmost_tokens(tool.handler)?;
        }
        Ok(mailbox)
    }
}

impl Inner {
    /// The tools of a turn that has these, which act as this user.
    ///
    /// # Errors
    /// `INVALID_INPUT` naming the field.
    pub(crate) fn docmost_tools(
        &self,
        planned: &PlannedDocmost,
        given: Option<SecretString>,
        workspace_id: &str,
        user_id: &str,
    ) -> Result<Vec<Tool>> {
        let api = api_of(&planned.base_url).map_err(|problem| Error::invalid("docmost.baseUrl", problem))?;
        let tokens: Arc<dyn DocmostTokens> = match given {
            Some(token) => Arc::new(GivenToken(token)),
            None => Arc::new(HostTokens {
                host: Arc::clone(&self.docmost),
                workspace_id: workspace_id.to_owned(),
                user_id: user_id.to_owned(),
                base_url: planned.base_url.clone(),
            }),
        };
        let options = &self.options.docmost;
        let limits = DocmostLimits {
            timeout: Duration::from_millis(options.request_timeout_ms),
            most_bytes: usize::try_from(options.max_response_bytes).unwrap_or(usize::MAX),
        };
        let client = Arc::new(DocmostClient::new(self.http()?, api, tokens, limits));
        let handler: Arc<dyn ToolHandler> = Arc::new(DocmostTool(client));
        let may_edit = planned.edit_in_place || planned.tools.is_some();
        let is_wanted =
            |it: &ToolDefinition| (it.read_only || !planned.read_only) && (may_edit || !edits_in_place(&it.name));
        let chosen = definitions(planned.tools.as_deref()).into_iter().filter(is_wanted);
        Ok(chosen.map(|definition| Tool { definition, handler: Arc::clone(&handler) }).collect())
    }

    /// The same of a turn that is begun.
    ///
    /// # Errors
    /// `INVALID_INPUT` naming the field, also where nobody has a token.
    pub(crate) fn docmost_tools_of(&self, request: &TurnRequest) -> Result<Vec<Tool>> {
        let Some(access) = &request.docmost else { return Ok(Vec::new()) };
        let has_tokens = access.token.is_some() || self.docmost.get().is_some_and(|handler| !handler.is_gone());
        if !has_tokens && request.offered_tools.is_none() {
            let problem = "is missing, and there is nobody to be asked for it (docmostTokens)";
            return Err(Error::invalid("docmost.token", problem));
        }
        self.docmost_tools(&access.planned(), access.token.clone(), &request.workspace_id, &request.user_id)
    }
}

/// A token that the turn has brought: there is no other one.
struct GivenToken(SecretString);

#[async_trait]
impl DocmostTokens for GivenToken {
    async fn token(&self, _: &ToolInvocation, refused: bool) -> std::result::Result<SecretString, String> {
        if refused {
            return Err("Docmost does not take the user's token (401). Nothing was done.".to_owned());
        }
        Ok(self.0.clone())
    }
}

/// Tokens that the host is asked for.
struct HostTokens {
    host: Arc<HostFunction>,
    workspace_id: String,
    user_id: String,
    base_url: String,
}

#[async_trait]
impl DocmostTokens for HostTokens {
    async fn token(&self, of: &ToolInvocation, refused: bool) -> std::result::Result<SecretString, String> {
        let nobody = "Docmost cannot be used: nobody here has the user's token.";
        let host = self.host.get().ok_or(nobody)?;
        let input = json!({
            "workspaceId": self.workspace_id,
            "userId": self.user_id,
            "baseUrl": self.base_url,
            "refused": refused,
        });
        let call = ToolInvocation {
            call_id: TOKEN.to_owned(),
            name: TOKEN.to_owned(),
            input: Json::from_value(&input).map_err(|_| nobody)?,
            chat_id: of.chat_id,
            run_id: of.run_id,
            message_id: of.message_id,
            effect: None,
            idempotency_key: None,
        };
        // What the host says of a failure may hold a secret, and is its own to log.
        let failed = |problem: &'static str| {
            tracing::warn!(run_id = %of.run_id, problem, "the token of a user of Docmost");
            "Docmost cannot be used: the user's token could not be got.".to_owned()
        };
        let answer = host.call(call).await.map_err(|_| failed("the host's function has failed"))?;
        let token = answer.as_string().filter(|token| !token.trim().is_empty());
        token
            .map(SecretString::from)
            .ok_or_else(|| failed("the host's function has answered something else than a text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(json: &str, is_offered: bool) -> String {
        let access: DocmostAccess = serde_json::from_str(json).unwrap();
        let error = access.check(is_offered).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
        error.details()["field"].as_str().unwrap().to_owned()
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        assert_eq!(field(r#"{"baseUrl":"wiki"}"#, false), "docmost.baseUrl");
        assert_eq!(field(r#"{"baseUrl":"https://u:secret@wiki"}"#, false), "docmost.baseUrl");
        assert_eq!(field(r#"{"baseUrl":"https://wiki","token":"secret"}"#, true), "docmost.token");
        assert_eq!(field(r#"{"baseUrl":"https://wiki","tools":["getPage","nope"]}"#, false), "docmost.tools[1]");
    }

    #[test]
    fn a_token_is_neither_shown_nor_kept() {
        let access: DocmostAccess =
            serde_json::from_str(r#"{"baseUrl":"https://wiki","token":"secret","readOnly":true}"#).unwrap();
        assert!(!format!("{access:?}").contains("secret"));
        assert!(!serde_json::to_string(&access.planned()).unwrap().contains("secret"));
    }
}
