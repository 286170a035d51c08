//! The pure functions. They are called on JavaScript's thread, which waits for them.

use napi::Result;
use napi::bindgen_prelude::{Uint32ArraySlice, Utf16String};
use napi_derive::napi;
use turnkeep::functions;
use turnkeep::project::CompactionLimits;
use turnkeep::project::by_reference::{self, Wanted};

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

/// Answers what becomes of steps whose values stay in JavaScript: `words` are the question of
/// `turnkeep::project::by_reference` in their first `length` elements, and hold the answer afterwards. `rest` is what
/// has to cross as text; null when there is nothing. Gives what comes back as text.
///
/// # Errors
/// `INVALID_INPUT` with the field's path.
#[napi(catch_unwind)]
pub fn plan_steps(
    mut words: Uint32ArraySlice<'_>,
    length: u32,
    wanted: u32,
    rest: Option<String>,
) -> Result<Option<String>> {
    let wanted = match wanted {
        0 => Wanted::Row,
        1 => Wanted::Parts,
        _ => Wanted::Trace,
    };
    let question = words.get(..length as usize).unwrap_or_default();
    let answer = by_reference::plan(wanted, question).map_err(to_js)?;
    // SAFETY: this runs on JavaScript's thread, which waits for it, and the JavaScript half shares its words with no
    // other thread; so nothing else reads or writes them while the slice is in use.
    let words = unsafe { words.as_mut() };
    let place =
        words.get_mut(..answer.len()).ok_or_else(|| to_js(turnkeep::Error::internal("the answer is too long")))?;
    place.copy_from_slice(&answer);
    rest.map(|rest| by_reference::rest(&rest).map_err(to_js)).transpose()
}

/// Whether an output is small whose JSON has `others` bytes beside the contents of its texts and keys. Null when these
/// cannot be stored as they are.
#[napi(catch_unwind)]
pub fn is_small_output(others: u32, texts: Utf16String) -> Option<bool> {
    turnkeep::project::is_small(others as usize, &texts)
}

/// Whether a text can be stored as it is.
#[napi(catch_unwind)]
pub fn is_storable(text: Utf16String) -> bool {
    turnkeep::project::is_storable(&text)
}

/// `[bytes, text, items, depth]`: from where on outputs are cut.
#[napi(catch_unwind)]
pub fn compaction_limits() -> Vec<u32> {
    let limits = CompactionLimits::get();
    let limits = [limits.bytes, limits.text, limits.items, limits.depth];
    limits.into_iter().map(|limit| u32::try_from(limit).unwrap_or(u32::MAX)).collect()
}

/// The text of a call without an outcome.
#[napi(catch_unwind)]
pub fn incomplete_call() -> &'static str {
    turnkeep::model::INCOMPLETE_CALL
}
