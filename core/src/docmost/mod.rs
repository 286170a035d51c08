//! Tools for a Docmost server, which act there as the user: what a model is told of them, what is asked of the server's REST
//! interface, and the shapes of what they return. Whatever a page says is data of a stranger: bounded, and marked as such.

mod catalogue;
mod client;
mod comments;
mod diff;
mod document;
mod edit;
mod edits;
mod pages;
mod position;
mod shapes;
mod shares;
mod tool;
mod writes;

pub use client::DocmostTokens;
pub use document::{node_by_ref, outline, read_table};
pub use edit::{InsertAt, count_of_id, delete_node, insert_node, replace_node, replace_text};
pub use shapes::{comment_shape, page_shape, space_shape, workspace_shape};
pub use writes::as_node;

pub use catalogue::definitions;
pub(crate) use catalogue::{NAMES, edits_in_place};
pub(crate) use client::{DocmostClient, DocmostLimits, api_of};
pub(crate) use tool::DocmostTool;
