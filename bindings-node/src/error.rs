//! Errors on their way to JavaScript.

use turnkeep::Error;

/// napi's errors carry text only; the text is the error's JSON, of which the JavaScript half makes a `TurnkeepError`.
pub(crate) fn to_js(error: Error) -> napi::Error {
    napi::Error::from_reason(error.to_json())
}
