//! The revisions of the protocol that are spoken.

use serde_json::{Map, Value, json};

/// A revision of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Revision {
    /// Without sessions: every request says by itself who asks, and in which revision.
    Stateless,
    /// One that begins with a handshake, under the name that the server gave it.
    Handshake(String),
}

/// The revision without sessions.
pub(super) const STATELESS: &str = "2026-07-28";
/// The newest that begins with a handshake: what is offered.
pub(super) const OFFERED: &str = "2025-11-25";
/// Others that a server may choose instead. The last two are those of servers that have only the older wire.
const OLDER: [&str; 3] = ["2025-06-18", "2025-03-26", "2024-11-05"];

impl Revision {
    /// The one that a handshake came to, if it is known here.
    pub(super) fn agreed(name: &str) -> Option<Self> {
        (name == OFFERED || OLDER.contains(&name)).then(|| Self::Handshake(name.to_owned()))
    }

    /// What it is called.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Revision::Stateless => STATELESS,
            Revision::Handshake(name) => name,
        }
    }
}

/// Who asks.
pub(super) fn client_info() -> Value {
    json!({"name": "turnkeep", "version": env!("CARGO_PKG_VERSION")})
}

/// What every request of the revision without sessions says of itself. There are no capabilities: a server has nothing to
/// ask of us.
pub(super) fn stateless_meta() -> Map<String, Value> {
    let mut meta = Map::new();
    meta.insert("io.modelcontextprotocol/protocolVersion".to_owned(), STATELESS.into());
    meta.insert("io.modelcontextprotocol/clientInfo".to_owned(), client_info());
    meta.insert("io.modelcontextprotocol/clientCapabilities".to_owned(), json!({}));
    meta
}
