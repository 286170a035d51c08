//! Roles of agents.

use async_trait::async_trait;
use serde::Deserialize;

use crate::error::{Error, ErrorCode, Result};
use crate::id::AgentRoleId;
use crate::model::{AgentRole, Json, RoleChange, RoleFields};

/// A role, as far as a turn needs it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RolePrompt {
    /// Its name.
    pub name: String,
    /// Its instructions.
    pub instructions: String,
    /// Which model it wants, as stored.
    pub model_config: Option<Json>,
}

/// What becomes of a new role whose name another role of the workspace has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ExistingRoles {
    /// Nothing is written: `ROLE_NAME_TAKEN`.
    #[default]
    Fail,
    /// The role that is there stays as it is.
    Skip,
    /// The role that is there gets the fields of the new one, and keeps its id.
    Replace,
}

/// Roles to be created, all of them or none.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateRoles {
    /// Their workspace.
    pub workspace_id: String,
    /// Who creates them.
    pub creator_id: String,
    /// What becomes of names that are taken.
    pub existing: ExistingRoles,
    /// The roles, with names that differ. Those that come later are later in the list, too.
    pub roles: Vec<(AgentRoleId, RoleFields)>,
}

/// Roles of agents. Of those that are not deleted no two have one name in a workspace: that is for an index to decide.
#[async_trait]
pub trait RoleStore: Send + Sync {
    /// A role that is neither deleted nor disabled.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn role(&self, workspace_id: &str, role_id: AgentRoleId) -> Result<Option<RolePrompt>>;

    /// A role that is not deleted.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn stored_role(&self, workspace_id: &str, role_id: AgentRoleId) -> Result<Option<AgentRole>>;

    /// The workspace's roles that are not deleted, in the order in which they were created.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn stored_roles(&self, workspace_id: &str) -> Result<Vec<AgentRole>>;

    /// Creates roles, or does with those that are there what `existing` says. Returns one for each that was given, in
    /// their order; a role that was created has the id that it was given.
    ///
    /// # Errors
    /// `ROLE_NAME_TAKEN`, and then nothing is written; `INVALID_INPUT` for a workspace or a user that the database does
    /// not know; `STORE_UNAVAILABLE`.
    async fn create_roles(&self, create: CreateRoles) -> Result<Vec<AgentRole>>;

    /// Changes a role that is not deleted; nothing when there is none.
    ///
    /// # Errors
    /// `ROLE_NAME_TAKEN`, `STORE_UNAVAILABLE`.
    async fn update_role(
        &self,
        workspace_id: &str,
        role_id: AgentRoleId,
        change: RoleChange,
    ) -> Result<Option<AgentRole>>;

    /// Deletes a role: its row stays, for the chats that have it, and its name is free. `false` when there is none.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn delete_role(&self, workspace_id: &str, role_id: AgentRoleId) -> Result<bool>;
}

/// Another role of the workspace has this name; one of these, where it is not known which.
pub(crate) fn name_taken(name: Option<&str>) -> Error {
    let message = match name {
        Some(name) => format!("a role named \"{name}\" already exists in this workspace"),
        None => "a role with one of these names already exists in this workspace".to_owned(),
    };
    Error::new(ErrorCode::RoleNameTaken, message).with_detail("field", "name")
}

impl CreateRoles {
    /// The name that is taken, where there is one name only.
    pub(super) fn only_name(&self) -> Option<&str> {
        match self.roles.as_slice() {
            [(_, fields)] => Some(&fields.name),
            _ => None,
        }
    }
}
