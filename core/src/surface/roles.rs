//! Roles of agents. Who acts, and what they may, is said by the host.

use serde::{Deserialize, Deserializer};

use crate::engine::{Actor, Engine, ImportedRole};
use crate::error::Result;
use crate::id::AgentRoleId;
use crate::js::OwnedText;
use crate::model::{AgentRole, Json, ShownRole};
use crate::role::{NewRole, RoleEdit};
use crate::store::ExistingRoles;

use super::Operation;

/// A member that may be null to clear what it names; one that is absent leaves it.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A member that may be absent, and may not be null.
fn needed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<OwnedText>, D::Error> {
    OwnedText::deserialize(deserializer).map(Some)
}

fn text(given: Option<OwnedText>) -> Option<String> {
    given.map(|given| given.0)
}

/// Creates a role. Its name must differ from those of the workspace's other roles; lengths are counted in characters.
///
/// # Errors
/// `FORBIDDEN`, `INVALID_INPUT`, `ROLE_NAME_TAKEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Create {
    workspace_id: String,
    /// Who acts: an administrator.
    actor: Actor,
    /// At most 200 characters.
    name: OwnedText,
    /// The persona of its chats: at most 20,000 characters. It takes the place of the administrators' prompt, inside of the
    /// safety frame.
    instructions: OwnedText,
    /// A sign for lists: at most 32 characters.
    #[serde(default)]
    emoji: Option<OwnedText>,
    /// What it is for: at most 2,000 characters.
    #[serde(default)]
    description: Option<OwnedText>,
    /// The model that its chats get, in place of the workspace's.
    #[serde(default)]
    model_config: Option<Json>,
    /// Whether chats may be begun with it; true unless given.
    #[serde(default)]
    enabled: Option<bool>,
    /// Whether a client sends the launch message by itself when a chat is begun with the role; true unless given.
    #[serde(default)]
    auto_start: Option<bool>,
    /// What a client sends to begin with: at most 2,000 characters.
    #[serde(default)]
    launch_message: Option<OwnedText>,
}

impl Operation for Create {
    const NAME: &'static str = "roles.create";
    const BEGINS: bool = true;
    type Answer = AgentRole;

    async fn answer(self, engine: &Engine) -> Result<AgentRole> {
        let role = NewRole {
            name: self.name.0,
            emoji: text(self.emoji),
            description: text(self.description),
            instructions: self.instructions.0,
            model_config: self.model_config,
            enabled: self.enabled,
            auto_start: self.auto_start,
            launch_message: text(self.launch_message),
        };
        engine.create_role(&self.workspace_id, &self.actor, role).await
    }
}

/// Changes a role. What is not given stays; blank text clears what a role may be without, and so does an empty model. Chats
/// that have the role follow the change with their next turn.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`, `INVALID_INPUT`, `ROLE_NAME_TAKEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Update {
    workspace_id: String,
    /// Who acts: an administrator.
    actor: Actor,
    /// The role.
    role_id: AgentRoleId,
    /// At most 200 characters, not blank.
    #[serde(default, deserialize_with = "needed")]
    name: Option<OwnedText>,
    /// A sign for lists: at most 32 characters.
    #[serde(default, deserialize_with = "given")]
    emoji: Option<Option<OwnedText>>,
    /// What it is for: at most 2,000 characters.
    #[serde(default, deserialize_with = "given")]
    description: Option<Option<OwnedText>>,
    /// The persona of its chats: at most 20,000 characters, not blank.
    #[serde(default, deserialize_with = "needed")]
    instructions: Option<OwnedText>,
    /// The model that its chats get, in place of the workspace's.
    #[serde(default, deserialize_with = "given")]
    model_config: Option<Option<Json>>,
    /// Whether chats may be begun with it.
    #[serde(default)]
    enabled: Option<bool>,
    /// Whether a client sends the launch message by itself when a chat is begun with the role.
    #[serde(default)]
    auto_start: Option<bool>,
    /// What a client sends to begin with: at most 2,000 characters.
    #[serde(default, deserialize_with = "given")]
    launch_message: Option<Option<OwnedText>>,
}

impl Operation for Update {
    const NAME: &'static str = "roles.update";
    const BEGINS: bool = true;
    type Answer = AgentRole;

    async fn answer(self, engine: &Engine) -> Result<AgentRole> {
        let edit = RoleEdit {
            name: text(self.name),
            emoji: self.emoji.map(text),
            description: self.description.map(text),
            instructions: text(self.instructions),
            model_config: self.model_config,
            enabled: self.enabled,
            auto_start: self.auto_start,
            launch_message: self.launch_message.map(text),
        };
        engine.update_role(&self.workspace_id, &self.actor, self.role_id, edit).await
    }
}

/// Deletes a role. Chats that have it keep its id and go on without it; its name may be used again.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Delete {
    workspace_id: String,
    /// Who acts: an administrator.
    actor: Actor,
    /// The role.
    role_id: AgentRoleId,
}

impl Operation for Delete {
    const NAME: &'static str = "roles.delete";
    const BEGINS: bool = true;
    type Answer = ();

    async fn answer(self, engine: &Engine) -> Result<()> {
        engine.delete_role(&self.workspace_id, &self.actor, self.role_id).await
    }
}

/// The workspace's roles in the order in which they were created, disabled ones included: whole for administrators, and
/// for everybody else what it takes to choose one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct List {
    workspace_id: String,
    /// Who asks.
    actor: Actor,
}

impl Operation for List {
    const NAME: &'static str = "roles.list";
    type Answer = Vec<ShownRole>;

    async fn answer(self, engine: &Engine) -> Result<Vec<ShownRole>> {
        engine.roles(&self.workspace_id, &self.actor).await
    }
}

/// One role, as `roles.list` has it.
///
/// # Errors
/// `NOT_FOUND`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Get {
    workspace_id: String,
    /// Who asks.
    actor: Actor,
    /// The role.
    role_id: AgentRoleId,
}

impl Operation for Get {
    const NAME: &'static str = "roles.get";
    type Answer = ShownRole;

    async fn answer(self, engine: &Engine) -> Result<ShownRole> {
        engine.role(&self.workspace_id, &self.actor, self.role_id).await
    }
}

/// Roles as one document (YAML) that `roles.importBundle` takes, there or in another workspace. It has no ids.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`, `PAYLOAD_TOO_LARGE`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ExportBundle {
    workspace_id: String,
    /// Who acts: an administrator.
    actor: Actor,
    /// Only these; all roles of the workspace unless given.
    #[serde(default)]
    role_ids: Option<Vec<AgentRoleId>>,
}

impl Operation for ExportBundle {
    const NAME: &'static str = "roles.exportBundle";
    type Answer = String;

    async fn answer(self, engine: &Engine) -> Result<String> {
        engine.export_roles(&self.workspace_id, &self.actor, self.role_ids.as_deref()).await
    }
}

/// Creates the roles of a document (YAML, at most 1 MiB and 1,000 roles), all of them or none. What is wrong in it is named by
/// its path, such as `bundle.roles[2].name`. Anchors, aliases and tags are not taken.
///
/// # Errors
/// `FORBIDDEN`, `INVALID_INPUT`, `PAYLOAD_TOO_LARGE`, `ROLE_NAME_TAKEN`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ImportBundle {
    workspace_id: String,
    /// Who acts: an administrator.
    actor: Actor,
    /// The document.
    bundle: OwnedText,
    /// What becomes of a role whose name another one has.
    #[serde(default)]
    existing: ExistingRoles,
}

impl Operation for ImportBundle {
    const NAME: &'static str = "roles.importBundle";
    const BEGINS: bool = true;
    type Answer = Vec<ImportedRole>;

    async fn answer(self, engine: &Engine) -> Result<Vec<ImportedRole>> {
        engine.import_roles(&self.workspace_id, &self.actor, &self.bundle.0, self.existing).await
    }
}
