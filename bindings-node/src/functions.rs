//! The pure functions. They are called on JavaScript's thread, which waits for them.

use napi::Result;
use napi_derive::napi;
use turnkeep::functions;

use crate::error::to_js;

/// Calls a pure function by its name; `arguments` is the JSON of its parameters by name. Null is `undefined`.
#[napi(catch_unwind)]
pub fn call_function(name: String, arguments: String) -> Result<Option<String>> {
    functions::call(&name, &arguments).map_err(to_js)
}

/// `compactToolOutput`; null when the value is to stay as it is, which JavaScript has in its hands.
#[napi(catch_unwind)]
pub fn compact_tool_output(value: String) -> Result<Option<String>> {
    functions::compacted(&value).map_err(to_js)
}
