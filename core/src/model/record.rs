//! Names of records.

/// Which record a secret belongs to. A sealed secret opens only in the record that it was sealed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordIdentity(String);

impl RecordIdentity {
    /// A key of a workspace's provider: `slot` is the column.
    pub fn provider_key(workspace_id: &str, driver: &str, slot: &str) -> Self {
        // JSON keeps the three apart whatever is in them.
        Self(serde_json::json!(["ai_provider_credentials", workspace_id, driver, slot]).to_string())
    }

    /// The headers of a tool server.
    pub fn mcp_headers(workspace_id: &str, server_id: &str) -> Self {
        Self(serde_json::json!(["ai_mcp_servers", workspace_id, server_id, "headers_enc"]).to_string())
    }

    /// The name, which keeps its parts apart whatever is in them.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}
