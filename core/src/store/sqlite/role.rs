//! Roles of agents.

use async_trait::async_trait;
use rusqlite::params;

use crate::error::Result;
use crate::id::AgentRoleId;
use crate::store::{RolePrompt, RoleStore, model_config_of};

use super::SqliteStore;

#[async_trait]
impl RoleStore for SqliteStore {
    async fn role(&self, workspace_id: &str, role_id: AgentRoleId) -> Result<Option<RolePrompt>> {
        let workspace_id = workspace_id.to_owned();
        self.read(move |tables| {
            tables.first(
                "SELECT name, instructions, model_config FROM ai_agent_roles \
                 WHERE id = ?1 AND workspace_id = ?2 AND enabled = 1 AND deleted_at IS NULL",
                params![role_id, workspace_id],
                |row| {
                    let model_config: Option<String> = row.get(2)?;
                    let model_config = model_config.as_deref().and_then(model_config_of);
                    Ok(RolePrompt { name: row.get(0)?, instructions: row.get(1)?, model_config })
                },
            )
        })
        .await
    }
}
