//! Roles: none are kept here.

use async_trait::async_trait;

use crate::error::Result;
use crate::id::AgentRoleId;
use crate::store::{RolePrompt, RoleStore};

use super::MemoryStore;

#[async_trait]
impl RoleStore for MemoryStore {
    async fn role(&self, _: &str, _: AgentRoleId) -> Result<Option<RolePrompt>> {
        self.tables().map(|_| None)
    }
}
