//! Roles of agents.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::AgentRoleId;
use crate::model::{AgentRole, RoleChange, RoleFields};
use crate::store::{CreateRoles, ExistingRoles, RolePrompt, RoleStore, name_taken};

use super::{MemoryStore, Tables};

pub(super) struct StoredRole {
    workspace_id: String,
    is_deleted: bool,
    role: AgentRole,
}

#[async_trait]
impl RoleStore for MemoryStore {
    async fn role(&self, workspace_id: &str, role_id: AgentRoleId) -> Result<Option<RolePrompt>> {
        let tables = self.tables()?;
        Ok(tables.role_in_use(workspace_id, role_id).map(|role| RolePrompt {
            name: role.name.clone(),
            instructions: role.instructions.clone(),
            model_config: role.model_config.clone(),
        }))
    }

    async fn stored_role(&self, workspace_id: &str, role_id: AgentRoleId) -> Result<Option<AgentRole>> {
        Ok(self.tables()?.live_role(workspace_id, role_id).cloned())
    }

    async fn stored_roles(&self, workspace_id: &str) -> Result<Vec<AgentRole>> {
        let tables = self.tables()?;
        let roles = tables.roles.values().filter(|stored| stored.workspace_id == workspace_id && !stored.is_deleted);
        let mut roles: Vec<AgentRole> = roles.map(|stored| stored.role.clone()).collect();
        roles.sort_by_key(|role| (role.created_at, role.id));
        Ok(roles)
    }

    async fn create_roles(&self, create: CreateRoles) -> Result<Vec<AgentRole>> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        let taken = |tables: &Tables, name: &str| tables.role_named(&create.workspace_id, name);
        if create.existing == ExistingRoles::Fail
            && create.roles.iter().any(|(_, fields)| taken(&tables, &fields.name).is_some())
        {
            return Err(name_taken(create.only_name()));
        }
        let mut written = Vec::with_capacity(create.roles.len());
        for (id, fields) in create.roles {
            let there = tables.role_named(&create.workspace_id, &fields.name);
            let role = match (there.and_then(|there| tables.roles.get_mut(&there)), create.existing) {
                (Some(stored), ExistingRoles::Replace) => {
                    stored.role = whole(stored.role.id, fields, stored.role.created_at, now);
                    stored.role.clone()
                }
                (Some(stored), _) => stored.role.clone(),
                (None, _) => {
                    let role = whole(id, fields, now, now);
                    let workspace_id = create.workspace_id.clone();
                    tables.roles.insert(id, StoredRole { workspace_id, is_deleted: false, role: role.clone() });
                    role
                }
            };
            written.push(role);
        }
        Ok(written)
    }

    async fn update_role(
        &self,
        workspace_id: &str,
        role_id: AgentRoleId,
        change: RoleChange,
    ) -> Result<Option<AgentRole>> {
        let now = self.clock.now();
        let mut tables = self.tables()?;
        let holder = change.name.as_deref().and_then(|name| tables.role_named(workspace_id, name));
        let Some(role) = tables.live_role(workspace_id, role_id) else { return Ok(None) };
        if holder.is_some_and(|holder| holder != role_id) {
            return Err(name_taken(change.name.as_deref()));
        }
        let AgentRole { created_at, .. } = *role;
        *role = AgentRole {
            id: role_id,
            name: change.name.unwrap_or_else(|| role.name.clone()),
            emoji: change.emoji.unwrap_or_else(|| role.emoji.clone()),
            description: change.description.unwrap_or_else(|| role.description.clone()),
            instructions: change.instructions.unwrap_or_else(|| role.instructions.clone()),
            model_config: change.model_config.unwrap_or_else(|| role.model_config.clone()),
            enabled: change.enabled.unwrap_or(role.enabled),
            auto_start: change.auto_start.unwrap_or(role.auto_start),
            launch_message: change.launch_message.unwrap_or_else(|| role.launch_message.clone()),
            created_at,
            updated_at: now,
        };
        Ok(Some(role.clone()))
    }

    async fn delete_role(&self, workspace_id: &str, role_id: AgentRoleId) -> Result<bool> {
        let mut tables = self.tables()?;
        let stored = tables.roles.get_mut(&role_id).filter(|stored| stored.workspace_id == workspace_id);
        Ok(stored.is_some_and(|stored| !std::mem::replace(&mut stored.is_deleted, true)))
    }
}

impl Tables {
    /// A role that chats may be begun with.
    pub(super) fn role_in_use(&self, workspace_id: &str, role_id: AgentRoleId) -> Option<&AgentRole> {
        let stored = self.roles.get(&role_id)?;
        (stored.workspace_id == workspace_id && !stored.is_deleted && stored.role.enabled).then_some(&stored.role)
    }

    fn live_role(&mut self, workspace_id: &str, role_id: AgentRoleId) -> Option<&mut AgentRole> {
        let stored = self.roles.get_mut(&role_id)?;
        (stored.workspace_id == workspace_id && !stored.is_deleted).then_some(&mut stored.role)
    }

    /// What the index of the other stores says.
    fn role_named(&self, workspace_id: &str, name: &str) -> Option<AgentRoleId> {
        let mut live = self.roles.values().filter(|stored| stored.workspace_id == workspace_id && !stored.is_deleted);
        live.find(|stored| stored.role.name == name).map(|stored| stored.role.id)
    }
}

fn whole(id: AgentRoleId, fields: RoleFields, created_at: Timestamp, updated_at: Timestamp) -> AgentRole {
    let RoleFields { name, emoji, description, instructions, model_config, enabled, auto_start, launch_message } =
        fields;
    AgentRole {
        id,
        name,
        emoji,
        description,
        instructions,
        model_config,
        enabled,
        auto_start,
        launch_message,
        created_at,
        updated_at,
    }
}
