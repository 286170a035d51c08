//! Settings of a workspace and of its roles, as far as they decide which model answers.

pub(crate) mod addresses;
pub mod resolve;
mod role;
mod workspace;

pub use role::{RoleDriver, RoleModelOverride, role_model_override};
pub use workspace::{SettingsPatch, WorkspaceSettings};
