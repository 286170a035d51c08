//! External tool servers.

use async_trait::async_trait;

use crate::error::{Error, Result};
use crate::id::McpServerId;
use crate::store::mcp::allowlist_text;
use crate::store::{McpServerChange, McpServerFields, McpStore, StoredMcpServer};

use super::failure::Failure;
use super::migrate::check_id;
use super::rows::MCP_COLUMNS;
use super::value::values;
use super::{PostgresStore, rows};

#[async_trait]
impl McpStore for PostgresStore {
    async fn mcp_servers(&self, workspace_id: &str) -> Result<Vec<StoredMcpServer>> {
        if !self.may_be_there(workspace_id) {
            return Ok(Vec::new());
        }
        let statement = format!(
            "SELECT {MCP_COLUMNS} FROM ai_mcp_servers AS server WHERE server.workspace_id = $1 \
             ORDER BY server.created_at, server.id"
        );
        self.database.query(&statement, &values![workspace_id]).await?.iter().map(rows::mcp_server).collect()
    }

    async fn mcp_server(&self, workspace_id: &str, server_id: McpServerId) -> Result<Option<StoredMcpServer>> {
        if !self.may_be_there(workspace_id) {
            return Ok(None);
        }
        let statement = format!(
            "SELECT {MCP_COLUMNS} FROM ai_mcp_servers AS server WHERE server.id = $1::uuid AND server.workspace_id = $2"
        );
        let found = self.database.query(&statement, &values![server_id, workspace_id]).await?;
        found.first().map(rows::mcp_server).transpose()
    }

    async fn create_mcp_server(
        &self,
        workspace_id: &str,
        server_id: McpServerId,
        fields: McpServerFields,
    ) -> Result<StoredMcpServer> {
        check_id("workspaceId", workspace_id, self.ids.workspace)?;
        // The answer to an earlier attempt may have been lost on its way: the same row again is no other row.
        let statement = format!(
            "WITH at AS MATERIALIZED (SELECT turnkeep_now() AS now) \
             INSERT INTO ai_mcp_servers AS server (id, workspace_id, name, transport, url, headers_enc, tool_allowlist, \
                 instructions, enabled, created_at, updated_at) \
             SELECT $1::uuid, $2, $3::text, $4::text, $5::text, $6::text, $7::jsonb, $8::text, $9::boolean, now, now \
             FROM at ON CONFLICT (id) DO UPDATE SET updated_at = server.updated_at \
             RETURNING {MCP_COLUMNS}"
        );
        let values = values![
            server_id,
            workspace_id,
            &fields.name,
            &fields.transport,
            &fields.url,
            fields.headers_enc.as_deref(),
            allowlist_text(fields.tool_allowlist.as_ref()),
            fields.instructions.as_deref(),
            fields.enabled,
        ];
        let rows = self.database.try_query(None, &statement, &values).await.map_err(Failure::into_error)?;
        let created = rows.first().ok_or_else(|| Error::internal("a row was written and not returned"))?;
        rows::mcp_server(created)
    }

    async fn update_mcp_server(
        &self,
        workspace_id: &str,
        read: &StoredMcpServer,
        change: McpServerChange,
    ) -> Result<Option<StoredMcpServer>> {
        if !self.may_be_there(workspace_id) {
            return Ok(None);
        }
        let optional = ["headers_enc", "instructions"]
            .map(|column| {
                format!("{column} = CASE WHEN given ? '{column}' THEN given->>'{column}' ELSE server.{column} END")
            })
            .join(", ");
        let statement = format!(
            "UPDATE ai_mcp_servers AS server SET name = COALESCE(given->>'name', server.name), \
             transport = COALESCE(given->>'transport', server.transport), url = COALESCE(given->>'url', server.url), \
             enabled = COALESCE((given->>'enabled')::boolean, server.enabled), {optional}, \
             tool_allowlist = CASE WHEN given ? 'tool_allowlist' \
                 THEN NULLIF(given->'tool_allowlist', 'null'::jsonb) ELSE server.tool_allowlist END, \
             updated_at = turnkeep_now() FROM (SELECT $3::jsonb AS given) AS change \
             WHERE server.id = $1::uuid AND server.workspace_id = $2 AND server.url = $4 \
             AND server.headers_enc IS NOT DISTINCT FROM $5::text RETURNING {MCP_COLUMNS}"
        );
        let given = serde_json::to_string(&change).map_err(|_| Error::internal("a row could not be encoded"))?;
        let values = values![read.id, workspace_id, given, &read.url, read.headers_enc.as_deref()];
        let rows = self.database.try_query(None, &statement, &values).await.map_err(Failure::into_error)?;
        rows.first().map(rows::mcp_server).transpose()
    }

    async fn delete_mcp_server(&self, workspace_id: &str, server_id: McpServerId) -> Result<bool> {
        const DELETE: &str =
            "DELETE FROM ai_mcp_servers WHERE id = $1::uuid AND workspace_id = $2 RETURNING true AS deleted";
        if !self.may_be_there(workspace_id) {
            return Ok(false);
        }
        self.database.query(DELETE, &values![server_id, workspace_id]).await.map(|rows| !rows.is_empty())
    }
}
