//! Roles of agents: what they may consist of, the model that they ask for, and documents of them.

mod bundle;
mod model;
mod rules;

pub use bundle::{MAX_BUNDLE_BYTES, MAX_BUNDLE_ROLES, read_bundle, write_bundle};
pub use model::{RoleDriver, RoleModelOverride, role_model_override, stored_model_config};
pub use rules::{NewRole, RoleEdit, normalize_model_config, trimmed};
