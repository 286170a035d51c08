//! Tools for a Docmost server, which act there as the user: what a model is told of them, what is asked of the server's REST
//! interface, and the shapes of what they return. Whatever a page says is data of a stranger: bounded, and marked as such.

mod catalogue;
mod client;
mod comments;
mod diff;
mod document;
mod pages;
mod position;
mod shapes;
mod shares;
mod tool;
mod writes;

pub use client::DocmostTokens;
pub use document::{node_by_ref, outline, read_table};
pub use shapes::{comment_shape, page_shape, space_shape, workspace_shape};

pub(crate) use catalogue::{NAMES, definitions};
pub(crate) use client::{DocmostClient, DocmostLimits, api_of};
pub(crate) use tool::DocmostTool;
