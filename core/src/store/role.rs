//! Roles of agents.

use async_trait::async_trait;

use crate::error::Result;
use crate::id::AgentRoleId;
use crate::model::Json;

/// A role, as far as a turn needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct RolePrompt {
    /// Its name.
    pub name: String,
    /// Its instructions.
    pub instructions: String,
    /// Which model it wants, as stored.
    pub model_config: Option<Json>,
}

/// Roles of agents.
#[async_trait]
pub trait RoleStore: Send + Sync {
    /// A role that is neither deleted nor disabled.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn role(&self, workspace_id: &str, role_id: AgentRoleId) -> Result<Option<RolePrompt>>;
}

/// A role's stored `model_config`. Writers before us have put it there as the text of an object, too.
pub(crate) fn model_config_of(stored: &str) -> Option<Json> {
    let config = Json::parse(stored).ok()?;
    match config.as_string() {
        Some(text) => Json::parse(&text).ok(),
        None => Some(config),
    }
}
