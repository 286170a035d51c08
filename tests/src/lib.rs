//! Shared by the tests that cross crates or languages.

pub mod chunks;
pub mod counting;
pub mod docmost;
pub mod embeddings;
pub mod fault;
pub mod leaks;
pub mod mcp;
pub mod processes;
mod provider;
pub mod recorded;
pub mod scenario;
pub mod shapes;
pub mod stage;
pub mod steered;
pub mod table;

pub use provider::{Response, Script, ScriptedProvider, Then};
