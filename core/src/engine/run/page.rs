//! The page that the user has open: a client says which, the host's own code says whether that is so, and the model may ask.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;

use crate::engine::{Engine, Inner};
use crate::error::Result;
use crate::machine::TurnIds;
use crate::model::Json;
use crate::project::{OpenPage, current_page};
use crate::text::js_trim;
use crate::tool::{Mailbox, Tool, ToolDefinition, ToolHandler, ToolInvocation};

/// What the host's check is called where it is asked like a tool.
const CHECK: &str = "checkOpenPage";
/// The tool that tells the model of the page.
const TOOL: &str = "getCurrentPage";
const DESCRIPTION: &str = "Tells which page the user has open, as {page: {id, title}}; page is null when there is none. \
    Use it when the user speaks of \"this page\" or \"the current page\".";

const TAKES_NOTHING: &str = r#"{"type":"object","properties":{},"additionalProperties":false}"#;

impl Engine {
    /// Has every page that a turn, or a run of the host's own, is said to be begun on (`openPage`) checked by the host: from
    /// now on only what the check answers is used, for the prompt, for the tool `getCurrentPage` and for the page of a chat
    /// that is created. It is called as a tool named `checkOpenPage` is, with `{workspaceId, userId, page: {id, title}}`,
    /// and answers `{id, title, untrusted?}`, the title being the page's own, or null where there is no such page or the user may not
    /// see it. When it fails, answers anything else, or takes longer than `requests.pageCheckTimeoutMs`, there is no page.
    /// It takes the place of one that was given before, and ends with the engine.
    ///
    /// # Errors
    /// `ENGINE_CLOSED`.
    pub fn check_pages(&self, check: Arc<dyn ToolHandler>) -> Result<()> {
        self.inner.ensure_open()?;
        self.inner.pages.set(check)
    }

    /// As [`Engine::check_pages`], for hosts that answer through a mailbox. Once it is dropped no page counts any more.
    ///
    /// # Errors
    /// `ENGINE_CLOSED`.
    pub fn check_pages_by_mailbox(&self) -> Result<Mailbox> {
        let (mailbox, tools) = Mailbox::new(vec![ToolDefinition::new(CHECK)]);
        for tool in tools {
            self.check_pages(tool.handler)?;
        }
        Ok(mailbox)
    }
}

impl Inner {
    /// The page as the host's check has it; as it was given where there is none.
    pub(crate) async fn checked_page(
        &self,
        workspace_id: &str,
        user_id: &str,
        ids: TurnIds,
        given: Option<&OpenPage>,
    ) -> Option<OpenPage> {
        let given = given?;
        let Some(check) = self.pages.get() else { return Some(given.clone()) };
        let id = given.id.as_deref().filter(|id| !js_trim(id).is_empty())?;
        let page = json!({"id": id, "title": given.title});
        let input = json!({"workspaceId": workspace_id, "userId": user_id, "page": page});
        let call = check.call(ToolInvocation {
            call_id: CHECK.to_owned(),
            name: CHECK.to_owned(),
            input: Json::from_value(&input).ok()?,
            chat_id: ids.chat,
            run_id: ids.run,
            message_id: ids.message,
            effect: None,
            idempotency_key: None,
        });
        let timeout = Duration::from_millis(self.options.requests.page_check_timeout_ms);
        // What the check says of a failure is the host's to log: it may name the page.
        let problem = match tokio::time::timeout(timeout, call).await {
            Ok(Ok(answer)) => match read(&answer) {
                Ok(page) => return page,
                Err(()) => "has answered something else than a page or null",
            },
            Ok(Err(_)) => "has failed",
            Err(_) => "takes too long",
        };
        tracing::warn!(run_id = %ids.run, problem, "the check of an open page; the run goes on without the page");
        None
    }
}

/// A page, or none.
fn read(answer: &Json) -> Result<Option<OpenPage>, ()> {
    #[derive(Deserialize)]
    struct Page {
        id: String,
        #[serde(default)]
        title: Option<String>,
        #[serde(default)]
        untrusted: bool,
    }
    match answer.read::<Option<Page>>() {
        Ok(None) => Ok(None),
        Ok(Some(Page { id, title, untrusted })) if !js_trim(&id).is_empty() => {
            Ok(Some(OpenPage { id: Some(id), title, untrusted }))
        }
        _ => Err(()),
    }
}

/// What the tool tells of: known once it has been checked.
pub(super) type CurrentPage = Arc<OnceLock<Option<OpenPage>>>;

struct TellsPage(CurrentPage);

#[async_trait]
impl ToolHandler for TellsPage {
    async fn call(&self, _: ToolInvocation) -> Result<Json, String> {
        let page = self.0.get().and_then(Option::as_ref);
        Json::from_value(&current_page(page)).map_err(|_| "The page cannot be told.".to_owned())
    }
}

/// The tool `getCurrentPage`.
pub(super) fn page_tool(page: &CurrentPage) -> Tool {
    let mut definition = ToolDefinition::new(TOOL);
    definition.description = DESCRIPTION.to_owned();
    definition.read_only = true;
    if let Ok(schema) = Json::parse(TAKES_NOTHING) {
        definition.input_schema = schema;
    }
    Tool { definition, handler: Arc::new(TellsPage(Arc::clone(page))) }
}
