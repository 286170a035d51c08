//! Documents of roles.

use turnkeep::AgentRoleId;
use turnkeep::clock::Timestamp;
use turnkeep::model::{AgentRole, RoleFields};
use turnkeep::role::{read_bundle, write_bundle};

use crate::budget::within;

/// What is taken is written so that it is taken again, as the same; what is refused is refused within bounds and named.
pub fn bundle(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let read = within("read_bundle", text.len(), 600, || read_bundle(&text));
    let roles = match read {
        Ok(roles) => roles,
        Err(error) => {
            assert!(error.details().contains_key("field"), "{error}");
            return;
        }
    };
    let stored: Vec<AgentRole> = roles.iter().cloned().map(stored).collect();
    let written = write_bundle(&stored).expect("what was read is small enough to be written");
    let again = read_bundle(&written).unwrap_or_else(|error| panic!("{error}: {written:?}"));
    assert_eq!(again, roles, "{written:?}");
}

fn stored(fields: RoleFields) -> AgentRole {
    let RoleFields { name, emoji, description, instructions, model_config, enabled, auto_start, launch_message } =
        fields;
    let at = Timestamp::from_millis(0);
    AgentRole {
        id: AgentRoleId::generate(),
        name,
        emoji,
        description,
        instructions,
        model_config,
        enabled,
        auto_start,
        launch_message,
        created_at: at,
        updated_at: at,
    }
}
