//! External tool servers.

use async_trait::async_trait;

use crate::error::Result;
use crate::id::McpServerId;
use crate::store::{McpServerChange, McpServerFields, McpStore, SecretPlace, StoredMcpServer};

use super::{MemoryStore, Tables};

pub(super) struct McpServer {
    workspace_id: String,
    /// Its headers are among the other secrets.
    server: StoredMcpServer,
}

#[async_trait]
impl McpStore for MemoryStore {
    async fn mcp_servers(&self, workspace_id: &str) -> Result<Vec<StoredMcpServer>> {
        let tables = self.tables()?;
        let ids =
            tables.mcp_servers.iter().filter(|(_, stored)| stored.workspace_id == workspace_id).map(|(id, _)| *id);
        let mut servers: Vec<_> = ids.filter_map(|id| tables.mcp_server(workspace_id, id)).collect();
        servers.sort_by_key(|server| (server.created_at, server.id));
        Ok(servers)
    }

    async fn mcp_server(&self, workspace_id: &str, server_id: McpServerId) -> Result<Option<StoredMcpServer>> {
        Ok(self.tables()?.mcp_server(workspace_id, server_id))
    }

    async fn create_mcp_server(
        &self,
        workspace_id: &str,
        server_id: McpServerId,
        fields: McpServerFields,
    ) -> Result<StoredMcpServer> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        let McpServerFields { name, transport, url, headers_enc, tool_allowlist, instructions, enabled } = fields;
        let server = StoredMcpServer {
            id: server_id,
            name,
            transport,
            url,
            headers_enc: headers_enc.clone(),
            tool_allowlist,
            instructions,
            enabled,
            created_at: now,
            updated_at: now,
        };
        let stored = McpServer { workspace_id: workspace_id.to_owned(), server: server.clone() };
        tables.mcp_servers.insert(server_id, stored);
        tables.keep_headers(workspace_id, server_id, headers_enc);
        Ok(server)
    }

    async fn update_mcp_server(
        &self,
        workspace_id: &str,
        read: &StoredMcpServer,
        change: McpServerChange,
    ) -> Result<Option<StoredMcpServer>> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        let is_same = |now: &StoredMcpServer| now.url == read.url && now.headers_enc == read.headers_enc;
        let Some(mut server) = tables.mcp_server(workspace_id, read.id).filter(is_same) else { return Ok(None) };
        let McpServerChange { name, transport, url, headers_enc, tool_allowlist, instructions, enabled } = change;
        server.name = name.unwrap_or(server.name);
        server.transport = transport.unwrap_or(server.transport);
        server.url = url.unwrap_or(server.url);
        server.headers_enc = headers_enc.unwrap_or(server.headers_enc);
        server.tool_allowlist = tool_allowlist.unwrap_or(server.tool_allowlist);
        server.instructions = instructions.unwrap_or(server.instructions);
        server.enabled = enabled.unwrap_or(server.enabled);
        server.updated_at = now;
        if let Some(stored) = tables.mcp_servers.get_mut(&read.id) {
            stored.server = server.clone();
        }
        tables.keep_headers(workspace_id, read.id, server.headers_enc.clone());
        Ok(Some(server))
    }

    async fn delete_mcp_server(&self, workspace_id: &str, server_id: McpServerId) -> Result<bool> {
        let mut tables = self.tables()?;
        if tables.mcp_server(workspace_id, server_id).is_none() {
            return Ok(false);
        }
        tables.keep_headers(workspace_id, server_id, None);
        Ok(tables.mcp_servers.remove(&server_id).is_some())
    }
}

fn place(workspace_id: &str, server_id: McpServerId) -> SecretPlace {
    SecretPlace::McpHeaders { workspace_id: workspace_id.to_owned(), server_id: server_id.to_string() }
}

impl Tables {
    fn mcp_server(&self, workspace_id: &str, server_id: McpServerId) -> Option<StoredMcpServer> {
        let stored = self.mcp_servers.get(&server_id).filter(|stored| stored.workspace_id == workspace_id)?;
        let headers_enc = self.settings.secrets.get(&place(workspace_id, server_id)).cloned();
        Some(StoredMcpServer { headers_enc, ..stored.server.clone() })
    }

    fn keep_headers(&mut self, workspace_id: &str, server_id: McpServerId, blob: Option<String>) {
        let secrets = &mut self.settings.secrets;
        match blob {
            Some(blob) => secrets.insert(place(workspace_id, server_id), blob),
            None => secrets.remove(&place(workspace_id, server_id)),
        };
    }
}
