//! The tools that a turn gets from its workspace's servers. A server that cannot be used is reported and missing; the turn
//! goes on without it.

use std::sync::Arc;

use futures_util::future::join_all;

use crate::engine::Inner;
use crate::engine::run::warnings::Warnings;
use crate::error::Result;
use crate::mcp::McpTool;
use crate::model::WarningCode;
use crate::project::McpGuidance;
use crate::store::StoredMcpServer;
use crate::tool::mcp::{ServerTools, name_tools, tool_name_prefix};
use crate::tool::{Tier, Tool, ToolDefinition};

use super::pool::Connected;

/// The tools of the servers of a workspace, as a turn has them.
#[derive(Clone, Default)]
pub(crate) struct McpTools {
    pub(crate) tools: Vec<Tool>,
    /// What the administrators say about them, of servers that contribute one.
    pub(crate) guidance: Vec<McpGuidance>,
    /// What went wrong, and will.
    pub(crate) warnings: Warnings,
}

impl Inner {
    /// What the enabled servers of this workspace contribute. They are asked at the same time, each within its own time.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    pub(crate) async fn mcp_tools(self: &Arc<Self>, workspace_id: &str) -> Result<McpTools> {
        let mut servers = self.store.mcp_servers(workspace_id).await?;
        servers.retain(|server| server.enabled);
        let connecting = servers.iter().map(|server| self.mcp_connection(workspace_id, server));
        let connections = join_all(connecting).await;
        let warnings = Warnings::default();
        let mut connected = Vec::new();
        for (server, connection) in servers.into_iter().zip(connections) {
            match connection {
                Ok(connection) => {
                    for problem in &connection.left_out {
                        warnings.add(WarningCode::McpToolLeftOut, &server.name, problem);
                    }
                    connected.push((server, connection));
                }
                Err(problem) => warnings.add(WarningCode::McpUnavailable, &server.name, &problem),
            }
        }
        Ok(self.named(&connected, warnings))
    }

    fn named(&self, connected: &[(StoredMcpServer, Arc<Connected>)], warnings: Warnings) -> McpTools {
        let lists: Vec<(String, Vec<String>)> = connected
            .iter()
            .map(|(server, connection)| {
                (server.id.to_string(), connection.tools.iter().map(|tool| tool.name.clone()).collect())
            })
            .collect();
        let listed: Vec<_> = connected
            .iter()
            .zip(&lists)
            .map(|((server, _), (id, tools))| {
                // A list that nobody could read allows nothing.
                let tools =
                    if server.tool_allowlist.as_ref().is_some_and(Vec::is_empty) { &[][..] } else { &tools[..] };
                ServerTools { id, name: &server.name, allowlist: server.tool_allowlist.as_deref(), tools }
            })
            .collect();
        let named = name_tools(&listed);
        let guidance = connected.iter().enumerate().filter_map(|(place, (server, _))| {
            let instructions = server.instructions.as_deref().map(str::trim).filter(|text| !text.is_empty())?;
            named.iter().any(|tool| tool.server == place).then(|| McpGuidance {
                server_name: server.name.clone(),
                tool_prefix: tool_name_prefix(&server.name),
                instructions: Some(instructions.to_owned()),
            })
        });
        let guidance = guidance.collect();
        let most = self.options.mcp.defer_above.and_then(|most| usize::try_from(most).ok());
        let tier = if most.is_some_and(|most| named.len() > most) { Tier::Deferred } else { Tier::Core };
        let watch: Arc<Warnings> = Arc::new(warnings.clone());
        let tool = |named: &crate::tool::mcp::NamedTool| {
            let (server, connection) = connected.get(named.server)?;
            let listed = connection.tools.get(named.tool)?;
            let definition = ToolDefinition {
                description: listed.description.clone(),
                input_schema: listed.schema.clone(),
                timeout_ms: Some(self.options.mcp.call_timeout_ms),
                tier,
                untrusted: true,
                server: Some(server.name.clone()),
                // What a server says of itself, such as that it only reads, is nothing to rely on.
                ..ToolDefinition::new(named.name.clone())
            };
            let (connection, tool, watch) = (Arc::clone(connection), listed.clone(), Arc::clone(&watch));
            Some(Tool { definition, handler: Arc::new(McpTool { connection, tool, watch }) })
        };
        McpTools { tools: named.iter().filter_map(tool).collect(), guidance, warnings }
    }
}
