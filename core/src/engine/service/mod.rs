//! What is asked of an engine outside of the runs that it drives: stored runs and chats, documents, settings, requests.

pub(crate) mod chats;
pub(crate) mod export;
pub(crate) mod fork;
pub(crate) mod health;
pub(crate) mod index;
pub(crate) mod mcp;
pub(crate) mod open;
pub(crate) mod provenance;
mod queries;
pub(crate) mod requests;
pub(crate) mod roles;
pub(crate) mod search;
pub(crate) mod settings;
pub(crate) mod steering;
pub(crate) mod usage;
pub(crate) mod waiting;
