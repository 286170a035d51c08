//! A server's tool as a tool of a turn.

use std::sync::Arc;

use async_trait::async_trait;

use crate::model::Json;
use crate::tool::{ToolHandler, ToolInvocation, ToolProgress};

use super::client::McpClient;
use super::failure::McpFailure;
use super::tools::ListedTool;

/// Is told what went wrong with a server, beside the model.
pub(crate) trait Watch: Send + Sync {
    /// A call did not reach it, or nothing came back.
    fn call_failed(&self, server: &str, problem: &str);
    /// It has other tools than when the turn began.
    fn tools_changed(&self, server: &str);
}

/// A tool on a connection, which lives as long as the tools that use it.
pub(crate) struct McpTool<C> {
    pub(crate) connection: Arc<C>,
    pub(crate) tool: ListedTool,
    pub(crate) watch: Arc<dyn Watch>,
}

#[async_trait]
impl<C: AsRef<McpClient> + Send + Sync> ToolHandler for McpTool<C> {
    async fn call(&self, invocation: ToolInvocation) -> Result<Json, String> {
        self.answer(invocation, None).await
    }

    async fn call_showing(&self, invocation: ToolInvocation, progress: ToolProgress) -> Result<Json, String> {
        self.answer(invocation, Some(progress)).await
    }
}

impl<C: AsRef<McpClient> + Send + Sync> McpTool<C> {
    async fn answer(&self, invocation: ToolInvocation, progress: Option<ToolProgress>) -> Result<Json, String> {
        let client = (*self.connection).as_ref();
        let answer = client.call(&self.tool, &invocation.input, progress).await;
        if client.have_tools_changed() {
            self.watch.tools_changed(client.server_name());
        }
        answer.unwrap_or_else(|failure| {
            let told = failure.to_string();
            if !matches!(failure, McpFailure::Refused(_)) {
                self.watch.call_failed(client.server_name(), &told);
            }
            Err(told)
        })
    }
}
