//! The C interface of turnkeep.
//!
//! `README.md` beside this crate is the contract with C. Every exported function follows it by the same three means:
//! its body runs in `boundary`, which contains panics and turns errors into status codes; its pointers go through
//! `handle`, which checks them; and what it waits for goes through `wait`, which needs no runtime of its own.

mod boundary;
mod by_name;
pub mod bytes;
pub mod codes;
pub mod engine;
pub mod error;
pub mod export;
pub mod functions;
mod handle;
pub mod operations;
mod resume;
pub mod status;
pub mod tail;
pub mod tool_call;
pub mod turn;
pub mod version;
mod wait;
