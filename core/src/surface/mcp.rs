//! External tool servers of workspaces. Headers go in and never come out.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::engine::{Actor, Engine, McpServerEdit, McpTested, McpTransport, NewMcpServer};
use crate::error::Result;
use crate::id::McpServerId;
use crate::js::OwnedText;
use crate::tool::mcp::McpServerView;

use super::Operation;

/// A member that may be null to clear what it names; one that is absent leaves it.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Adds a tool server whose tools turns of the workspace may have (`mcpTools`). Its address must be a public one, or one that
/// the option `http.allowPrivate` has; that is looked at here, and again whenever a connection is made.
///
/// # Errors
/// `FORBIDDEN`, `INVALID_INPUT`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Create {
    workspace_id: String,
    /// What it is called: at most 200 characters. Its tools' names begin with it.
    name: OwnedText,
    /// `http` (streamable HTTP), `sse` (what servers had before that), or `stdio`: a program of the option `mcp.programs`.
    transport: McpTransport,
    /// Its address: at most 2,048 bytes. With `stdio` the name of the program.
    url: OwnedText,
    /// Who acts: an administrator. It may be left out unless the option `settings.actor` is `required`.
    #[serde(default)]
    actor: Option<Actor>,
    /// Headers that go with every request. They are kept sealed, for which the engine needs its `appSecret`, and shown by
    /// their names only. Blank ones are none.
    #[serde(default)]
    headers: Option<BTreeMap<String, String>>,
    /// The tools that may be used, by the server's own names; all when there are none.
    #[serde(default)]
    tool_allowlist: Option<Vec<String>>,
    /// Guidance for the model, which is told it when the server contributes a tool: at most 4,000 characters.
    #[serde(default)]
    instructions: Option<OwnedText>,
    /// Whether its tools are offered; true unless given.
    #[serde(default)]
    enabled: Option<bool>,
}

impl Operation for Create {
    const NAME: &'static str = "mcp.create";
    const BEGINS: bool = true;
    type Answer = McpServerView;

    async fn answer(self, engine: &Engine) -> Result<McpServerView> {
        let server = NewMcpServer {
            name: self.name.0,
            transport: self.transport,
            url: self.url.0,
            headers: self.headers.unwrap_or_default(),
            tool_allowlist: self.tool_allowlist,
            instructions: self.instructions.map(|text| text.0),
            enabled: self.enabled,
        };
        engine.create_mcp_server(&self.workspace_id, self.actor.as_ref(), server).await
    }
}

/// Changes a tool server. What is not given stays; an address that is given as it was shown counts as not given.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`, `INVALID_INPUT`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Update {
    workspace_id: String,
    /// The server.
    server_id: McpServerId,
    /// Who acts: an administrator. It may be left out unless the option `settings.actor` is `required`.
    #[serde(default)]
    actor: Option<Actor>,
    /// What it is called: at most 200 characters.
    #[serde(default)]
    name: Option<OwnedText>,
    /// `http`, `sse` or `stdio`.
    #[serde(default)]
    transport: Option<McpTransport>,
    /// Its address: at most 2,048 bytes. Where it leads to another place, headers must be given again, unless the option
    /// `secrets.bindToAddress` is off.
    #[serde(default)]
    url: Option<OwnedText>,
    /// The headers from now on, all of them; `{}` or null for none.
    #[serde(default, deserialize_with = "given")]
    headers: Option<Option<BTreeMap<String, String>>>,
    /// The tools that may be used, by the server's own names; all when there are none.
    #[serde(default, deserialize_with = "given")]
    tool_allowlist: Option<Option<Vec<String>>>,
    /// Guidance for the model: at most 4,000 characters; null or blank for none.
    #[serde(default, deserialize_with = "given")]
    instructions: Option<Option<OwnedText>>,
    /// Whether its tools are offered.
    #[serde(default)]
    enabled: Option<bool>,
}

impl Operation for Update {
    const NAME: &'static str = "mcp.update";
    const BEGINS: bool = true;
    type Answer = McpServerView;

    async fn answer(self, engine: &Engine) -> Result<McpServerView> {
        let edit = McpServerEdit {
            name: self.name.map(|name| name.0),
            transport: self.transport,
            url: self.url.map(|url| url.0),
            headers: self.headers.map(Option::unwrap_or_default),
            tool_allowlist: self.tool_allowlist,
            instructions: self.instructions.map(|text| text.map(|text| text.0)),
            enabled: self.enabled,
        };
        engine.update_mcp_server(&self.workspace_id, self.actor.as_ref(), self.server_id, edit).await
    }
}

/// Deletes a tool server. Turns that are under way keep its tools until they end.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Delete {
    workspace_id: String,
    /// The server.
    server_id: McpServerId,
    /// Who acts: an administrator. It may be left out unless the option `settings.actor` is `required`.
    #[serde(default)]
    actor: Option<Actor>,
}

impl Operation for Delete {
    const NAME: &'static str = "mcp.delete";
    const BEGINS: bool = true;
    type Answer = ();

    async fn answer(self, engine: &Engine) -> Result<()> {
        engine.delete_mcp_server(&self.workspace_id, self.actor.as_ref(), self.server_id).await
    }
}

/// The workspace's tool servers in the order in which they were created, disabled ones included. Of headers there are the
/// names, and what looks like a secret in an address is masked.
///
/// # Errors
/// `FORBIDDEN`, `INVALID_INPUT`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct List {
    workspace_id: String,
    /// Who acts: an administrator. It may be left out unless the option `settings.actor` is `required`.
    #[serde(default)]
    actor: Option<Actor>,
}

impl Operation for List {
    const NAME: &'static str = "mcp.list";
    type Answer = Vec<McpServerView>;

    async fn answer(self, engine: &Engine) -> Result<Vec<McpServerView>> {
        engine.mcp_servers(&self.workspace_id, self.actor.as_ref()).await
    }
}

/// Tries a tool server: whether it answers, and with which tools. A disabled one may be tried, too.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Test {
    workspace_id: String,
    /// The server.
    server_id: McpServerId,
    /// Who acts: an administrator. It may be left out unless the option `settings.actor` is `required`.
    #[serde(default)]
    actor: Option<Actor>,
}

impl Operation for Test {
    const NAME: &'static str = "mcp.test";
    const BEGINS: bool = true;
    type Answer = McpTested;

    async fn answer(self, engine: &Engine) -> Result<McpTested> {
        engine.test_mcp_server(&self.workspace_id, self.actor.as_ref(), self.server_id).await
    }
}
