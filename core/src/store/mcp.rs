//! External tool servers of workspaces.

use async_trait::async_trait;
use serde::Serialize;

use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::McpServerId;

/// A tool server as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMcpServer {
    /// Its id.
    pub id: McpServerId,
    /// What the administrators call it.
    pub name: String,
    /// Which wire it speaks: `http`, `sse` or `stdio`.
    pub transport: String,
    /// Where it is.
    pub url: String,
    /// The headers that go with every request: sealed.
    pub headers_enc: Option<String>,
    /// The tools that may be used, by the server's own names; all when there is none.
    pub tool_allowlist: Option<Vec<String>>,
    /// Guidance for the model.
    pub instructions: Option<String>,
    /// Whether its tools are offered.
    pub enabled: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// The fields of a tool server that is created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct McpServerFields {
    /// What the administrators call it.
    pub name: String,
    /// Which wire it speaks.
    pub transport: String,
    /// Where it is.
    pub url: String,
    /// Its headers, sealed.
    pub headers_enc: Option<String>,
    /// The tools that may be used.
    pub tool_allowlist: Option<Vec<String>>,
    /// Guidance for the model.
    pub instructions: Option<String>,
    /// Whether its tools are offered.
    pub enabled: bool,
}

/// A change of a tool server: what is not given stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct McpServerChange {
    /// What the administrators call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which wire it speaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its headers, sealed, or none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers_enc: Option<Option<String>>,
    /// The tools that may be used, or all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_allowlist: Option<Option<Vec<String>>>,
    /// Guidance for the model, or none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<Option<String>>,
    /// Whether its tools are offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// Tool servers in a database.
#[async_trait]
pub trait McpStore: Send + Sync {
    /// The workspace's servers in the order in which they were created, disabled ones included.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn mcp_servers(&self, workspace_id: &str) -> Result<Vec<StoredMcpServer>>;

    /// One of them.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn mcp_server(&self, workspace_id: &str, server_id: McpServerId) -> Result<Option<StoredMcpServer>>;

    /// Creates a server under this id.
    ///
    /// # Errors
    /// `INVALID_INPUT` for a workspace that the database does not know, `STORE_UNAVAILABLE`.
    async fn create_mcp_server(
        &self,
        workspace_id: &str,
        server_id: McpServerId,
        fields: McpServerFields,
    ) -> Result<StoredMcpServer>;

    /// Changes a server that is still as it was read, as far as headers and address belong together: nothing when there is
    /// none, or these two are others by now.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn update_mcp_server(
        &self,
        workspace_id: &str,
        read: &StoredMcpServer,
        change: McpServerChange,
    ) -> Result<Option<StoredMcpServer>>;

    /// Deletes a server for good. `false` when there is none.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn delete_mcp_server(&self, workspace_id: &str, server_id: McpServerId) -> Result<bool>;
}

/// A list of tools as a column has it. What cannot be read allows nothing: as a list that nobody meant it would otherwise
/// allow everything.
pub(super) fn allowlist(stored: Option<&str>) -> Option<Vec<String>> {
    let stored = stored.filter(|text| *text != "null")?;
    // The host's drivers may have written the list as a text.
    let inner = serde_json::from_str::<String>(stored).ok();
    Some(serde_json::from_str(inner.as_deref().unwrap_or(stored)).unwrap_or_default())
}

/// The list as a column has it.
pub(super) fn allowlist_text(list: Option<&Vec<String>>) -> Option<String> {
    // A list of texts has a JSON form.
    list.map(|list| serde_json::to_string(list).unwrap_or_else(|_| "[]".to_owned()))
}
