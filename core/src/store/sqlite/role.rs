//! Roles of agents.

use async_trait::async_trait;
use rusqlite::params;

use crate::error::{Error, Result};
use crate::id::AgentRoleId;
use crate::model::{AgentRole, RoleChange};
use crate::role::stored_model_config;
use crate::store::{CreateRoles, ExistingRoles, RolePrompt, RoleStore, name_taken};

use super::rows::{self, ROLE_COLUMNS};
use super::{SqliteStore, store_error};

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
                    let model_config = model_config.as_deref().and_then(stored_model_config);
                    Ok(RolePrompt { name: row.get(0)?, instructions: row.get(1)?, model_config })
                },
            )
        })
        .await
    }

    async fn stored_role(&self, workspace_id: &str, role_id: AgentRoleId) -> Result<Option<AgentRole>> {
        let role = format!(
            "SELECT {ROLE_COLUMNS} FROM ai_agent_roles WHERE id = ?1 AND workspace_id = ?2 AND deleted_at IS NULL"
        );
        let workspace_id = workspace_id.to_owned();
        self.read(move |tables| tables.first(&role, params![role_id, workspace_id], rows::role)).await
    }

    async fn stored_roles(&self, workspace_id: &str) -> Result<Vec<AgentRole>> {
        let roles = format!(
            "SELECT {ROLE_COLUMNS} FROM ai_agent_roles WHERE workspace_id = ?1 AND deleted_at IS NULL \
             ORDER BY created_at, id"
        );
        let workspace_id = workspace_id.to_owned();
        self.read(move |tables| tables.readable(&roles, [workspace_id], rows::role)).await
    }

    async fn create_roles(&self, create: CreateRoles) -> Result<Vec<AgentRole>> {
        let insert = format!(
            "INSERT INTO ai_agent_roles (id, workspace_id, creator_id, name, emoji, description, instructions, model_config, \
             enabled, auto_start, launch_message, created_at, updated_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12) {} RETURNING {ROLE_COLUMNS}",
            on_conflict(create.existing)
        );
        self.write(move |tables| {
            let mut written = Vec::with_capacity(create.roles.len());
            let mut insert = tables.connection.prepare_cached(&insert).map_err(store_error)?;
            for (id, fields) in &create.roles {
                let values = params![
                    id,
                    create.workspace_id,
                    create.creator_id,
                    fields.name,
                    fields.emoji,
                    fields.description,
                    fields.instructions,
                    fields.model_config,
                    fields.enabled,
                    fields.auto_start,
                    fields.launch_message,
                    tables.now,
                ];
                let role = insert.query_row(values, rows::role);
                written.push(role.map_err(|error| refused(error, Some(&fields.name)))?);
            }
            Ok(written)
        })
        .await
    }

    async fn update_role(
        &self,
        workspace_id: &str,
        role_id: AgentRoleId,
        change: RoleChange,
    ) -> Result<Option<AgentRole>> {
        // What is optional comes as whether it changes, and to what.
        let update = format!(
            "UPDATE ai_agent_roles SET name = coalesce(?3, name), instructions = coalesce(?4, instructions), \
             enabled = coalesce(?5, enabled), auto_start = coalesce(?6, auto_start), \
             emoji = iif(?7, ?8, emoji), description = iif(?9, ?10, description), \
             model_config = iif(?11, ?12, model_config), launch_message = iif(?13, ?14, launch_message), \
             updated_at = ?15 WHERE id = ?1 AND workspace_id = ?2 AND deleted_at IS NULL RETURNING {ROLE_COLUMNS}"
        );
        let workspace_id = workspace_id.to_owned();
        self.write(move |tables| {
            let values = params![
                role_id,
                workspace_id,
                change.name,
                change.instructions,
                change.enabled,
                change.auto_start,
                change.emoji.is_some(),
                change.emoji.as_ref().and_then(Option::as_ref),
                change.description.is_some(),
                change.description.as_ref().and_then(Option::as_ref),
                change.model_config.is_some(),
                change.model_config.as_ref().and_then(Option::as_ref),
                change.launch_message.is_some(),
                change.launch_message.as_ref().and_then(Option::as_ref),
                tables.now,
            ];
            let mut update = tables.connection.prepare_cached(&update).map_err(store_error)?;
            match update.query_row(values, rows::role) {
                Ok(role) => Ok(Some(role)),
                Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
                Err(error) => Err(refused(error, change.name.as_deref())),
            }
        })
        .await
    }

    async fn delete_role(&self, workspace_id: &str, role_id: AgentRoleId) -> Result<bool> {
        const DELETE: &str = "UPDATE ai_agent_roles SET deleted_at = ?3 \
             WHERE id = ?1 AND workspace_id = ?2 AND deleted_at IS NULL";
        let workspace_id = workspace_id.to_owned();
        self.write(move |tables| Ok(tables.execute(DELETE, params![role_id, workspace_id, tables.now])? == 1)).await
    }
}

/// A row that is there is returned in any case; one that stays is set to what it is.
fn on_conflict(existing: ExistingRoles) -> &'static str {
    match existing {
        ExistingRoles::Fail => "",
        ExistingRoles::Skip => {
            "ON CONFLICT (workspace_id, name) WHERE deleted_at IS NULL DO UPDATE SET updated_at = updated_at"
        }
        ExistingRoles::Replace => {
            "ON CONFLICT (workspace_id, name) WHERE deleted_at IS NULL DO UPDATE SET emoji = excluded.emoji, \
             description = excluded.description, instructions = excluded.instructions, \
             model_config = excluded.model_config, enabled = excluded.enabled, auto_start = excluded.auto_start, \
             launch_message = excluded.launch_message, updated_at = excluded.updated_at"
        }
    }
}

/// SQLite names the columns of a unique index; the name is in no other.
fn refused(error: rusqlite::Error, name: Option<&str>) -> Error {
    match &error {
        rusqlite::Error::SqliteFailure(failure, Some(message))
            if failure.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
                && message.ends_with("ai_agent_roles.name") =>
        {
            name_taken(name)
        }
        _ => store_error(error),
    }
}
