//! The roles of workspaces: who may see and change them is said by the host with each question.

use serde::Serialize;

use crate::engine::{Actor, Engine, Inner, UnknownRole};
use crate::error::{Error, ErrorCode, Result};
use crate::id::AgentRoleId;
use crate::model::{AgentRole, ShownRole};
use crate::role::{NewRole, RoleEdit, read_bundle, write_bundle};
use crate::store::{CreateRoles, ExistingRoles, RolePrompt};

/// What an import has done with a role of its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ImportOutcome {
    /// There was none of its name.
    Created,
    /// The one that was there has its fields now.
    Replaced,
    /// The one that was there stays as it was.
    Skipped,
}

/// A role of a document that was imported.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportedRole {
    /// The role of this name that is there now.
    pub id: AgentRoleId,
    /// Its name.
    pub name: String,
    /// What was done.
    pub outcome: ImportOutcome,
}

impl Engine {
    /// Creates a role.
    ///
    /// # Errors
    /// `FORBIDDEN` unless an administrator acts; `INVALID_INPUT` naming the field; `ROLE_NAME_TAKEN`,
    /// `STORE_UNAVAILABLE`, `ENGINE_CLOSED`.
    pub async fn create_role(&self, workspace_id: &str, actor: &Actor, role: NewRole) -> Result<AgentRole> {
        self.inner.ensure_open()?;
        actor.check_admin(workspace_id)?;
        let role = (AgentRoleId::generate(), role.check()?);
        let created = self.inner.store.create_roles(CreateRoles {
            workspace_id: workspace_id.to_owned(),
            creator_id: actor.user_id.clone(),
            existing: ExistingRoles::Fail,
            roles: vec![role],
        });
        created.await?.pop().ok_or_else(|| Error::internal("a role was written and not returned"))
    }

    /// Changes a role; what the edit does not name stays.
    ///
    /// # Errors
    /// As [`Engine::create_role`], and `NOT_FOUND`.
    pub async fn update_role(
        &self,
        workspace_id: &str,
        actor: &Actor,
        role_id: AgentRoleId,
        edit: RoleEdit,
    ) -> Result<AgentRole> {
        self.inner.ensure_open()?;
        actor.check_admin(workspace_id)?;
        self.inner.store.update_role(workspace_id, role_id, edit.check()?).await?.ok_or_else(no_such_role)
    }

    /// Deletes a role: chats that have it go on without it, and its name may be used again.
    ///
    /// # Errors
    /// `FORBIDDEN` unless an administrator acts; `NOT_FOUND`, `STORE_UNAVAILABLE`, `ENGINE_CLOSED`.
    pub async fn delete_role(&self, workspace_id: &str, actor: &Actor, role_id: AgentRoleId) -> Result<()> {
        self.inner.ensure_open()?;
        actor.check_admin(workspace_id)?;
        if self.inner.store.stored_role(workspace_id, role_id).await?.is_none() {
            return Err(no_such_role());
        }
        // Whether it was this call that has deleted it, or another at the same time, is all the same.
        self.inner.store.delete_role(workspace_id, role_id).await.map(|_| ())
    }

    /// One role, disabled ones included.
    ///
    /// # Errors
    /// `NOT_FOUND`, `STORE_UNAVAILABLE`, `ENGINE_CLOSED`.
    pub async fn role(&self, workspace_id: &str, actor: &Actor, role_id: AgentRoleId) -> Result<ShownRole> {
        actor.check(workspace_id)?;
        let role = self.inner.store.stored_role(workspace_id, role_id).await?;
        role.map(|role| actor.shown(role)).ok_or_else(no_such_role)
    }

    /// The workspace's roles in the order in which they were created, disabled ones included.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`, `ENGINE_CLOSED`.
    pub async fn roles(&self, workspace_id: &str, actor: &Actor) -> Result<Vec<ShownRole>> {
        actor.check(workspace_id)?;
        let roles = self.inner.store.stored_roles(workspace_id).await?;
        Ok(roles.into_iter().map(|role| actor.shown(role)).collect())
    }

    /// A document (YAML) of the workspace's roles, or of these, in the order in which they were created.
    ///
    /// # Errors
    /// `FORBIDDEN` unless an administrator acts; `NOT_FOUND` for an id that is no role's; `PAYLOAD_TOO_LARGE` for roles that
    /// no import would take at once; `STORE_UNAVAILABLE`, `ENGINE_CLOSED`.
    pub async fn export_roles(
        &self,
        workspace_id: &str,
        actor: &Actor,
        role_ids: Option<&[AgentRoleId]>,
    ) -> Result<String> {
        actor.check_admin(workspace_id)?;
        let mut roles = self.inner.store.stored_roles(workspace_id).await?;
        if let Some(wanted) = role_ids {
            if wanted.iter().any(|id| roles.iter().all(|role| role.id != *id)) {
                return Err(no_such_role());
            }
            roles.retain(|role| wanted.contains(&role.id));
        }
        write_bundle(&roles)
    }

    /// Creates the roles of a document that [`Engine::export_roles`] has written, or that was written by hand: all of them
    /// or none.
    ///
    /// # Errors
    /// `FORBIDDEN` unless an administrator acts; `INVALID_INPUT` with the path of the field, such as
    /// `bundle.roles[2].name`; `PAYLOAD_TOO_LARGE`; `ROLE_NAME_TAKEN`, with `existing` [`ExistingRoles::Fail`];
    /// `STORE_UNAVAILABLE`, `ENGINE_CLOSED`.
    pub async fn import_roles(
        &self,
        workspace_id: &str,
        actor: &Actor,
        bundle: &str,
        existing: ExistingRoles,
    ) -> Result<Vec<ImportedRole>> {
        self.inner.ensure_open()?;
        actor.check_admin(workspace_id)?;
        let roles: Vec<_> = read_bundle(bundle)?.into_iter().map(|fields| (AgentRoleId::generate(), fields)).collect();
        let ids: Vec<AgentRoleId> = roles.iter().map(|(id, _)| *id).collect();
        let creator_id = actor.user_id.clone();
        let create = CreateRoles { workspace_id: workspace_id.to_owned(), creator_id, existing, roles };
        self.name_what_is_taken(&create).await?;
        let written = self.inner.store.create_roles(create).await?;
        let outcome = |role: &AgentRole, id| match existing {
            _ if role.id == id => ImportOutcome::Created,
            ExistingRoles::Replace => ImportOutcome::Replaced,
            _ => ImportOutcome::Skipped,
        };
        let imported = written.into_iter().zip(ids).map(|(role, id)| {
            let outcome = outcome(&role, id);
            ImportedRole { id: role.id, name: role.name, outcome }
        });
        Ok(imported.collect())
    }

    /// The index would not say which of several names is the one.
    async fn name_what_is_taken(&self, create: &CreateRoles) -> Result<()> {
        if create.existing != ExistingRoles::Fail {
            return Ok(());
        }
        let there = self.inner.store.stored_roles(&create.workspace_id).await?;
        let taken = create.roles.iter().position(|(_, fields)| there.iter().any(|role| role.name == fields.name));
        let Some((place, (_, fields))) = taken.and_then(|place| Some((place, create.roles.get(place)?))) else {
            return Ok(());
        };
        let error = crate::store::name_taken(Some(&fields.name));
        Err(error.with_detail("field", format!("bundle.roles[{place}].name")))
    }
}

impl Inner {
    /// The role that a chat is to be created with. One that is not in use must not be asked for, unless the host would
    /// rather have a chat without a role than none.
    pub(crate) async fn role_of_new_chat(
        &self,
        workspace_id: &str,
        role_id: Option<AgentRoleId>,
    ) -> Result<Option<(AgentRoleId, RolePrompt)>> {
        let Some(role_id) = role_id else { return Ok(None) };
        match self.store.role(workspace_id, role_id).await? {
            Some(role) => Ok(Some((role_id, role))),
            None if self.options.chats.unknown_role == UnknownRole::Fallback => Ok(None),
            None => Err(no_such_role()),
        }
    }
}

impl Actor {
    /// What they are shown of a role.
    fn shown(&self, role: AgentRole) -> ShownRole {
        if self.is_admin { ShownRole::Whole(role) } else { ShownRole::Summary(role.into()) }
    }
}

/// There is none, or it is another workspace's: nobody is told which.
fn no_such_role() -> Error {
    Error::new(ErrorCode::NotFound, "there is no such role").with_detail("field", "roleId")
}
