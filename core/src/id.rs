//! Ids: UUID version 7, so that they sort by the time they were made; and those that are made of a client's own ids.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The longest id of a client that is taken, in bytes.
pub(crate) const MAX_CLIENT_ID_BYTES: usize = 255;

/// A UUID (version 8) made of texts: the same of the same, and no two alike for different ones.
fn made_of(kind: &str, texts: &[&str]) -> Uuid {
    let mut hash = Sha256::new();
    for text in [kind].iter().chain(texts) {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(hash.finalize()).for_each(|(byte, of_hash)| *byte = of_hash);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id, later in order than every one that this process has made before.
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(|_| D::Error::custom("must be a UUID"))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )*};
}

ids! {
    /// A conversation.
    ChatId;
    /// A user or assistant message.
    MessageId;
    /// One durable agent turn.
    RunId;
    /// An agent role (persona).
    AgentRoleId;
    /// An external tool server of a workspace.
    McpServerId;
}

impl MessageId {
    /// The id that comes after this one in order.
    pub(crate) fn following(self) -> Self {
        Self(Uuid::from_u128(self.0.as_u128().saturating_add(1)))
    }

    /// The id of a message that a client calls by this name, in this chat: its own if that is a UUID.
    pub(crate) fn of_client(chat: ChatId, name: &str) -> Self {
        Self(made_of("message", &[&chat.to_string(), name]))
    }
}

/// A chat as a host names it: by its id, or by whatever its client calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChatRef {
    /// Its id.
    Id(ChatId),
    /// A client's name for it, which is not a UUID.
    Client(String),
}

impl ChatRef {
    /// The chat that this user's client means by it, in this workspace.
    pub fn mapped(&self, workspace_id: &str, user_id: &str) -> ChatId {
        match self {
            ChatRef::Id(id) => *id,
            ChatRef::Client(name) => ChatId(made_of("chat", &[workspace_id, user_id, name])),
        }
    }
}

impl From<ChatId> for ChatRef {
    fn from(id: ChatId) -> Self {
        ChatRef::Id(id)
    }
}

impl<'de> Deserialize<'de> for ChatRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(text.parse().map_or(ChatRef::Client(text), ChatRef::Id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_s_id_is_one_chat_for_one_user_and_another_for_the_next() {
        let client = ChatRef::Client("pp7TKWZ8MhDLRWRq".to_owned());
        let id = client.mapped("w", "u");
        assert_eq!(id, client.mapped("w", "u"));
        // Stored under it: the same for ever.
        assert_eq!(id.to_string(), "862474b0-3f7c-8c87-9a0b-dd66a1e9d1a4");
        for (workspace, user) in [("w", "v"), ("v", "u"), ("wu", ""), ("", "wu")] {
            assert_ne!(id, client.mapped(workspace, user));
        }
        let own = ChatId::generate();
        assert_eq!(ChatRef::from(own).mapped("w", "u"), own);
        assert_ne!(MessageId::of_client(own, "a"), MessageId::of_client(ChatId::generate(), "a"));
    }
}
