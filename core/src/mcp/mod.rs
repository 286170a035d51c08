//! A client for tool servers that speak the Model Context Protocol: what is said, in which revision, over which wire, and
//! what is made of the answers. Whatever a server says is data of a stranger: bounded, cleaned, and never fatal to a turn.

mod channel;
mod client;
mod failure;
mod http;
mod message;
mod outcome;
mod revision;
mod sse;
mod stdio;
mod tool;
mod tools;
mod wire;
mod words;

pub(crate) use client::McpClient;
pub(crate) use tool::{McpTool, Watch};
pub(crate) use tools::ListedTool;
pub(crate) use wire::{McpLimits, McpPlace, McpServer, Program};
