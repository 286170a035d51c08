//! External tool servers: how their tools are named, and what clients may see of a server's row.

mod naming;
mod set;
mod view;

pub use naming::{MAX_NAME_UNITS, cap_tool_name, disambiguate_tool_name, sanitize_tool_name, tool_name_prefix};
pub use set::{NamedTool, ServerTools, name_tools};
pub use view::{McpServerRow, McpServerView};
