//! Settings of a workspace and of its roles, as far as they decide which model answers.

mod role;

pub use role::{RoleDriver, RoleModelOverride, role_model_override};
