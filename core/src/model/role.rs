//! Roles of agents, as they are stored and shown.

use serde::Serialize;

use super::Json;
use crate::clock::Timestamp;
use crate::id::AgentRoleId;

/// A role as the administrators of its workspace see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentRole {
    /// Its id.
    pub id: AgentRoleId,
    /// Its name, which no other role of the workspace has that is not deleted.
    pub name: String,
    /// A sign for lists.
    pub emoji: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The persona of its chats.
    pub instructions: String,
    /// The model that it wants.
    pub model_config: Option<Json>,
    /// Whether chats may be begun with it. A chat that has it goes on without it while it is disabled.
    pub enabled: bool,
    /// Whether a client sends the launch message by itself when a chat is begun with the role.
    pub auto_start: bool,
    /// What a client sends to begin with.
    pub launch_message: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A role as everybody in its workspace sees it: what it takes to choose one.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentRoleSummary {
    /// Its id.
    pub id: AgentRoleId,
    /// Its name.
    pub name: String,
    /// A sign for lists.
    pub emoji: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Whether chats may be begun with it.
    pub enabled: bool,
    /// Whether a client sends the launch message by itself when a chat is begun with the role.
    pub auto_start: bool,
    /// What a client sends to begin with.
    pub launch_message: Option<String>,
}

/// A role: all of it for administrators, what it takes to choose one for everybody else.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ShownRole {
    /// For administrators.
    Whole(AgentRole),
    /// For everybody else.
    Summary(AgentRoleSummary),
}

impl From<AgentRole> for AgentRoleSummary {
    fn from(role: AgentRole) -> Self {
        let AgentRole { id, name, emoji, description, enabled, auto_start, launch_message, .. } = role;
        Self { id, name, emoji, description, enabled, auto_start, launch_message }
    }
}

/// What a role consists of, checked and in the form in which it is stored. The members are named as the columns are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RoleFields {
    /// The name.
    pub name: String,
    /// The sign.
    pub emoji: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The persona.
    pub instructions: String,
    /// The model.
    pub model_config: Option<Json>,
    /// Whether it is enabled.
    pub enabled: bool,
    /// Whether clients begin by themselves.
    pub auto_start: bool,
    /// What they send.
    pub launch_message: Option<String>,
}

/// What is to change about a role, checked: what is `None` stays, and `Some(None)` clears. The members are named as the
/// columns are.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RoleChange {
    /// The name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emoji: Option<Option<String>>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Option<String>>,
    /// The persona.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_config: Option<Option<Json>>,
    /// Whether it is enabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Whether clients begin by themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_start: Option<bool>,
    /// What they send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launch_message: Option<Option<String>>,
}
