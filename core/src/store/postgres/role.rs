//! Roles of agents.

use async_trait::async_trait;
use serde::Serialize;
use tokio_postgres::error::SqlState;

use crate::error::{Error, Result};
use crate::id::AgentRoleId;
use crate::model::{AgentRole, RoleChange, RoleFields};
use crate::role::stored_model_config;
use crate::store::{CreateRoles, ExistingRoles, RolePrompt, RoleStore, name_taken};

use super::failure::Failure;
use super::migrate::check_id;
use super::rows::ROLE_COLUMNS;
use super::value::values;
use super::{PostgresStore, rows};

#[async_trait]
impl RoleStore for PostgresStore {
    async fn role(&self, workspace_id: &str, role_id: AgentRoleId) -> Result<Option<RolePrompt>> {
        const ROLE: &str = "SELECT name::text AS name, instructions::text AS instructions, \
             model_config::text AS model_config FROM ai_agent_roles \
             WHERE id = $1::uuid AND workspace_id = $2 AND enabled AND deleted_at IS NULL";
        if !self.may_be_there(workspace_id) {
            return Ok(None);
        }
        let found = self.database.query(ROLE, &values![role_id, workspace_id]).await?;
        let role = |row| {
            let model_config: Option<String> = rows::get(row, "model_config")?;
            Ok(RolePrompt {
                name: rows::get(row, "name")?,
                instructions: rows::get(row, "instructions")?,
                model_config: model_config.as_deref().and_then(stored_model_config),
            })
        };
        found.first().map(role).transpose()
    }

    async fn stored_role(&self, workspace_id: &str, role_id: AgentRoleId) -> Result<Option<AgentRole>> {
        if !self.may_be_there(workspace_id) {
            return Ok(None);
        }
        let statement = format!(
            "SELECT {ROLE_COLUMNS} FROM ai_agent_roles AS role \
             WHERE role.id = $1::uuid AND role.workspace_id = $2 AND role.deleted_at IS NULL"
        );
        let found = self.database.query(&statement, &values![role_id, workspace_id]).await?;
        found.first().map(rows::role).transpose()
    }

    async fn stored_roles(&self, workspace_id: &str) -> Result<Vec<AgentRole>> {
        if !self.may_be_there(workspace_id) {
            return Ok(Vec::new());
        }
        let statement = format!(
            "SELECT {ROLE_COLUMNS} FROM ai_agent_roles AS role \
             WHERE role.workspace_id = $1 AND role.deleted_at IS NULL ORDER BY role.created_at, role.id"
        );
        self.database.query(&statement, &values![workspace_id]).await?.iter().map(rows::role).collect()
    }

    async fn create_roles(&self, create: CreateRoles) -> Result<Vec<AgentRole>> {
        #[derive(Serialize)]
        struct Given<'a> {
            place: usize,
            id: AgentRoleId,
            #[serde(flatten)]
            fields: &'a RoleFields,
        }
        check_id("workspaceId", &create.workspace_id, self.ids.workspace)?;
        check_id("actor.userId", &create.creator_id, self.ids.user)?;
        let given: Vec<Given<'_>> =
            create.roles.iter().enumerate().map(|(place, (id, fields))| Given { place, id: *id, fields }).collect();
        let given = serde_json::to_string(&given).map_err(|_| Error::internal("a row could not be encoded"))?;
        let values = values![&create.workspace_id, &create.creator_id, given];
        let rows = match self.database.try_query(None, &create_statement(create.existing), &values).await {
            Ok(rows) => rows,
            Err(failure) if is_name_taken(&failure) => {
                // The answer to an earlier attempt may have been lost on its way.
                return match self.all_of(&create).await? {
                    Some(roles) => Ok(roles),
                    None => Err(name_taken(create.only_name())),
                };
            }
            Err(failure) => return Err(refused(failure)),
        };
        in_order(rows.iter().map(rows::role).collect::<Result<_>>()?, &create)
    }

    async fn update_role(
        &self,
        workspace_id: &str,
        role_id: AgentRoleId,
        change: RoleChange,
    ) -> Result<Option<AgentRole>> {
        if !self.may_be_there(workspace_id) {
            return Ok(None);
        }
        let optional = ["emoji", "description", "launch_message"]
            .map(|column| {
                format!("{column} = CASE WHEN given ? '{column}' THEN given->>'{column}' ELSE role.{column} END")
            })
            .join(", ");
        let statement = format!(
            "UPDATE ai_agent_roles AS role SET name = COALESCE(given->>'name', role.name), \
             instructions = COALESCE(given->>'instructions', role.instructions), {optional}, \
             model_config = CASE WHEN given ? 'model_config' THEN NULLIF(given->'model_config', 'null'::jsonb) \
                 ELSE role.model_config END, \
             enabled = COALESCE((given->>'enabled')::boolean, role.enabled), \
             auto_start = COALESCE((given->>'auto_start')::boolean, role.auto_start), updated_at = turnkeep_now() \
             FROM (SELECT $3::jsonb AS given) AS change \
             WHERE role.id = $1::uuid AND role.workspace_id = $2 AND role.deleted_at IS NULL RETURNING {ROLE_COLUMNS}"
        );
        let given = serde_json::to_string(&change).map_err(|_| Error::internal("a row could not be encoded"))?;
        let changed = self.database.try_query(None, &statement, &values![role_id, workspace_id, given]).await;
        let rows = changed.map_err(|failure| match is_name_taken(&failure) {
            true => name_taken(change.name.as_deref()),
            false => refused(failure),
        })?;
        rows.first().map(rows::role).transpose()
    }

    async fn delete_role(&self, workspace_id: &str, role_id: AgentRoleId) -> Result<bool> {
        const DELETE: &str = "UPDATE ai_agent_roles SET deleted_at = turnkeep_now() \
             WHERE id = $1::uuid AND workspace_id = $2 AND deleted_at IS NULL RETURNING true AS deleted";
        if !self.may_be_there(workspace_id) {
            return Ok(false);
        }
        self.database.query(DELETE, &values![role_id, workspace_id]).await.map(|rows| !rows.is_empty())
    }
}

/// Creates the roles of `$3` in the workspace `$1`, for the user `$2`. A row that is there is returned in any case; one
/// that stays is set to what it is.
fn create_statement(existing: ExistingRoles) -> String {
    let on_conflict = match existing {
        ExistingRoles::Fail => "",
        ExistingRoles::Skip => {
            "ON CONFLICT (workspace_id, name) WHERE deleted_at IS NULL DO UPDATE SET updated_at = role.updated_at"
        }
        ExistingRoles::Replace => {
            "ON CONFLICT (workspace_id, name) WHERE deleted_at IS NULL DO UPDATE SET emoji = excluded.emoji, \
             description = excluded.description, instructions = excluded.instructions, \
             model_config = excluded.model_config, enabled = excluded.enabled, auto_start = excluded.auto_start, \
             launch_message = excluded.launch_message, updated_at = excluded.updated_at"
        }
    };
    format!(
        "WITH at AS MATERIALIZED (SELECT turnkeep_now() AS now), \
         given AS MATERIALIZED (SELECT * FROM json_to_recordset($3::json) AS given (place bigint, id uuid, name text, \
             emoji text, description text, instructions text, model_config jsonb, enabled boolean, auto_start boolean, \
             launch_message text)) \
         INSERT INTO ai_agent_roles AS role (id, workspace_id, creator_id, name, emoji, description, instructions, \
             model_config, enabled, auto_start, launch_message, created_at, updated_at) \
         SELECT id, $1, $2, name, emoji, description, instructions, model_config, enabled, auto_start, launch_message, \
             now, now FROM given, at ORDER BY place {on_conflict} RETURNING {ROLE_COLUMNS}"
    )
}

/// The rows in the order of what they were made of.
fn in_order(mut rows: Vec<AgentRole>, create: &CreateRoles) -> Result<Vec<AgentRole>> {
    let mut ordered = Vec::with_capacity(rows.len());
    for (_, fields) in &create.roles {
        let place = rows.iter().position(|role| role.name == fields.name);
        let place = place.ok_or_else(|| Error::internal("a statement returned too few rows"))?;
        ordered.push(rows.swap_remove(place));
    }
    Ok(ordered)
}

fn is_name_taken(failure: &Failure) -> bool {
    // Whatever the database calls that index; the other one is that of ids.
    failure.broken_rule(&SqlState::UNIQUE_VIOLATION).is_some_and(|rule| rule != "ai_agent_roles_pkey")
}

/// What the database refers to beyond the workspace is the user who acts.
fn refused(failure: Failure) -> Error {
    let error = failure.into_error();
    if error.details().get("field").is_some_and(|field| field == "userId") { error.below("actor") } else { error }
}

impl PostgresStore {
    /// Whether an id can be a workspace's in this database at all.
    pub(super) fn may_be_there(&self, workspace_id: &str) -> bool {
        check_id("", workspace_id, self.ids.workspace).is_ok()
    }

    /// The roles, if all of them have been created.
    async fn all_of(&self, create: &CreateRoles) -> Result<Option<Vec<AgentRole>>> {
        let mut roles = self.stored_roles(&create.workspace_id).await?;
        roles.retain(|role| create.roles.iter().any(|(id, _)| *id == role.id));
        if roles.len() == create.roles.len() { in_order(roles, create).map(Some) } else { Ok(None) }
    }
}
