//! External tool servers.

use async_trait::async_trait;
use rusqlite::params;

use crate::error::{Error, Result};
use crate::id::McpServerId;
use crate::store::mcp::allowlist_text;
use crate::store::{McpServerChange, McpServerFields, McpStore, StoredMcpServer};

use super::SqliteStore;
use super::rows::{self, MCP_COLUMNS};

#[async_trait]
impl McpStore for SqliteStore {
    async fn mcp_servers(&self, workspace_id: &str) -> Result<Vec<StoredMcpServer>> {
        let servers =
            format!("SELECT {MCP_COLUMNS} FROM ai_mcp_servers WHERE workspace_id = ?1 ORDER BY created_at, id");
        let workspace_id = workspace_id.to_owned();
        self.read(move |tables| tables.readable(&servers, [workspace_id], rows::mcp_server)).await
    }

    async fn mcp_server(&self, workspace_id: &str, server_id: McpServerId) -> Result<Option<StoredMcpServer>> {
        let server = format!("SELECT {MCP_COLUMNS} FROM ai_mcp_servers WHERE id = ?1 AND workspace_id = ?2");
        let workspace_id = workspace_id.to_owned();
        self.read(move |tables| tables.first(&server, params![server_id, workspace_id], rows::mcp_server)).await
    }

    async fn create_mcp_server(
        &self,
        workspace_id: &str,
        server_id: McpServerId,
        fields: McpServerFields,
    ) -> Result<StoredMcpServer> {
        let insert = format!(
            "INSERT INTO ai_mcp_servers (id, workspace_id, name, transport, url, headers_enc, tool_allowlist, instructions, \
             enabled, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10) \
             RETURNING {MCP_COLUMNS}"
        );
        let workspace_id = workspace_id.to_owned();
        self.write(move |tables| {
            let values = params![
                server_id,
                workspace_id,
                fields.name,
                fields.transport,
                fields.url,
                fields.headers_enc,
                allowlist_text(fields.tool_allowlist.as_ref()),
                fields.instructions,
                fields.enabled,
                tables.now,
            ];
            let created = tables.first(&insert, values, rows::mcp_server)?;
            created.ok_or_else(|| Error::internal("a row was written and not returned"))
        })
        .await
    }

    async fn update_mcp_server(
        &self,
        workspace_id: &str,
        read: &StoredMcpServer,
        change: McpServerChange,
    ) -> Result<Option<StoredMcpServer>> {
        // What is optional comes as whether it changes, and to what.
        let update = format!(
            "UPDATE ai_mcp_servers SET name = coalesce(?3, name), transport = coalesce(?4, transport), \
             url = coalesce(?5, url), enabled = coalesce(?6, enabled), headers_enc = iif(?7, ?8, headers_enc), \
             tool_allowlist = iif(?9, ?10, tool_allowlist), instructions = iif(?11, ?12, instructions), \
             updated_at = ?13 WHERE id = ?1 AND workspace_id = ?2 AND url = ?14 AND headers_enc IS ?15 \
             RETURNING {MCP_COLUMNS}"
        );
        let (workspace_id, read) = (workspace_id.to_owned(), read.clone());
        self.write(move |tables| {
            let values = params![
                read.id,
                workspace_id,
                change.name,
                change.transport,
                change.url,
                change.enabled,
                change.headers_enc.is_some(),
                change.headers_enc.as_ref().and_then(Option::as_ref),
                change.tool_allowlist.is_some(),
                allowlist_text(change.tool_allowlist.as_ref().and_then(Option::as_ref)),
                change.instructions.is_some(),
                change.instructions.as_ref().and_then(Option::as_ref),
                tables.now,
                read.url,
                read.headers_enc,
            ];
            tables.first(&update, values, rows::mcp_server)
        })
        .await
    }

    async fn delete_mcp_server(&self, workspace_id: &str, server_id: McpServerId) -> Result<bool> {
        const DELETE: &str = "DELETE FROM ai_mcp_servers WHERE id = ?1 AND workspace_id = ?2";
        let workspace_id = workspace_id.to_owned();
        self.write(move |tables| Ok(tables.execute(DELETE, params![server_id, workspace_id])? == 1)).await
    }
}
