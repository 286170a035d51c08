//! Connections to tool servers, shared by the turns of a workspace. A turn holds what it uses; the pool lets go of a
//! connection after a while, or when its server is changed; whoever lets go last closes it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use crate::engine::Inner;
use crate::id::McpServerId;
use crate::mcp::{ListedTool, McpClient};
use crate::store::StoredMcpServer;

/// A connection and the tools that were listed on it.
pub(crate) struct Connected {
    client: McpClient,
    pub(super) tools: Vec<ListedTool>,
    pub(super) left_out: Vec<String>,
}

impl AsRef<McpClient> for Connected {
    fn as_ref(&self) -> &McpClient {
        &self.client
    }
}

/// A connection that is, or is being, made; all who want it wait for the same.
pub(super) type Connecting = Shared<BoxFuture<'static, Result<Arc<Connected>, String>>>;

struct Entry {
    /// What was connected to.
    server: StoredMcpServer,
    connecting: Connecting,
}

/// See the module's documentation.
#[derive(Default)]
pub(crate) struct McpPool(Mutex<HashMap<(String, McpServerId), Entry>>);

impl McpPool {
    fn lock(&self) -> MutexGuard<'_, HashMap<(String, McpServerId), Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects anew the next time.
    pub(crate) fn forget(&self, workspace_id: &str, server_id: McpServerId) {
        let forgotten = self.lock().remove(&(workspace_id.to_owned(), server_id));
        // What it closes is not closed under the lock.
        drop(forgotten);
    }

    /// Lets go of everything.
    pub(crate) fn clear(&self) {
        let entries = std::mem::take(&mut *self.lock());
        drop(entries);
    }

    fn forget_this(&self, key: &(String, McpServerId), connecting: &Connecting) {
        let mut entries = self.lock();
        let is_this = entries.get(key).is_some_and(|entry| entry.connecting.ptr_eq(connecting));
        let forgotten = if is_this { entries.remove(key) } else { None };
        drop(entries);
        drop(forgotten);
    }
}

/// Whether a connection to the one serves the other.
fn is_same(one: &StoredMcpServer, other: &StoredMcpServer) -> bool {
    (&one.transport, &one.url, &one.headers_enc, &one.name)
        == (&other.transport, &other.url, &other.headers_enc, &other.name)
}

impl Inner {
    /// A connection to this server: the one that there is, or a new one.
    pub(super) fn mcp_connection(self: &Arc<Self>, workspace_id: &str, server: &StoredMcpServer) -> Connecting {
        let key = (workspace_id.to_owned(), server.id);
        let mut entries = self.mcp.lock();
        if let Some(entry) = entries.get(&key).filter(|entry| is_same(&entry.server, server)) {
            let is_stale =
                matches!(entry.connecting.peek(), Some(Ok(connected)) if connected.client.have_tools_changed());
            if !is_stale {
                return entry.connecting.clone();
            }
        }
        let (engine, of, workspace) = (Arc::downgrade(self), server.clone(), workspace_id.to_owned());
        let connect = async move {
            let inner = engine.upgrade().ok_or_else(|| "the engine is closed".to_owned())?;
            let client = inner.mcp_client(&workspace, &of).await?;
            drop(inner);
            let (tools, left_out) = client.tools().await.map_err(|failure| failure.to_string())?;
            Ok(Arc::new(Connected { client, tools, left_out }))
        };
        let connecting = connect.boxed().shared();
        let entry = Entry { server: server.clone(), connecting: connecting.clone() };
        let replaced = entries.insert(key.clone(), entry);
        drop(entries);
        drop(replaced);
        self.keep_for_a_while(key, connecting.clone());
        connecting
    }

    /// Lets go of the connection in time; at once where there is none. In a task of its own, so that it is made whoever
    /// goes away meanwhile.
    fn keep_for_a_while(self: &Arc<Self>, key: (String, McpServerId), connecting: Connecting) {
        let (engine, keep) = (Arc::downgrade(self), Duration::from_millis(self.options.mcp.keep_ms));
        let mut closed = self.closed.subscribe();
        self.runtime.spawn(async move {
            let there = connecting.downgrade();
            // This task holds nothing while it waits, but what tells whether the entry is still the same.
            if connecting.await.is_ok() {
                tokio::select! {
                    () = tokio::time::sleep(keep) => {}
                    _ = closed.wait_for(|closed| *closed) => {}
                }
            }
            let connecting = there.and_then(|there| there.upgrade());
            if let (Some(inner), Some(connecting)) = (engine.upgrade(), connecting) {
                inner.mcp.forget_this(&key, &connecting);
            }
        });
    }
}
