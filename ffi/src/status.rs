//! What functions return.

/// What a function that can fail returns: TURNKEEP_OK, one of the other outcomes below 1000, or the number of an error.
/// Numbers never change their meaning; new ones may be added.
pub type Status = i32;

/// It worked; the outputs are written.
pub const TURNKEEP_OK: i32 = 0;
/// There is nothing more to come, or the result of a pure function is what JavaScript calls undefined. Not an error; no
/// output is written.
pub const TURNKEEP_DONE: i32 = 1;
/// The time is up, and the call may be repeated. Not an error; no output is written.
pub const TURNKEEP_TIMEOUT: i32 = 2;
