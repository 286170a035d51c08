//! Settings of a workspace, as far as they decide which model answers.

pub(crate) mod addresses;
pub mod resolve;
mod workspace;

pub use workspace::{SettingsPatch, WorkspaceSettings};
