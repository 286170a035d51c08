//! What must hold for every text that comes from outside.
//!
//! Each target is a function of bytes that panics when something does not hold. The fuzzer (`fuzz_targets/`) looks for
//! such bytes; `tests/corpus.rs` runs what was found and kept, and mutations of it, with every `cargo test`.

mod budget;
mod bundle;
mod export;
mod functions;
mod guard;
mod input;
mod json;
mod loops;
mod sse;
mod steps;
mod structure;
mod templates;
mod wire;

pub use bundle::bundle;
pub use export::export;
pub use functions::{FUNCTIONS, functions};
pub use guard::guard;
pub use json::json;
pub use loops::loops;
pub use sse::sse;
pub use steps::steps;
pub use wire::wire;
