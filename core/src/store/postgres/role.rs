//! Roles of agents.

use async_trait::async_trait;

use crate::error::Result;
use crate::id::AgentRoleId;
use crate::store::{RolePrompt, RoleStore, model_config_of};

use super::migrate::check_id;
use super::value::values;
use super::{PostgresStore, rows};

#[async_trait]
impl RoleStore for PostgresStore {
    async fn role(&self, workspace_id: &str, role_id: AgentRoleId) -> Result<Option<RolePrompt>> {
        const ROLE: &str = "SELECT name::text AS name, instructions::text AS instructions, \
             model_config::text AS model_config FROM ai_agent_roles \
             WHERE id = $1::uuid AND workspace_id = $2 AND enabled AND deleted_at IS NULL";
        if check_id("", workspace_id, self.ids.workspace).is_err() {
            return Ok(None);
        }
        let found = self.database.query(ROLE, &values![role_id, workspace_id]).await?;
        let role = |row| {
            let model_config: Option<String> = rows::get(row, "model_config")?;
            Ok(RolePrompt {
                name: rows::get(row, "name")?,
                instructions: rows::get(row, "instructions")?,
                model_config: model_config.as_deref().and_then(model_config_of),
            })
        };
        found.first().map(role).transpose()
    }
}
