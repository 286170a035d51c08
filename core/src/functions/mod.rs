//! The pure functions by their name in the contract, with JSON in and out, for bindings that pass text.
//!
//! Every function takes one JSON object whose members are its parameters; what is absent, or `null` where a parameter
//! may be left out, is what JavaScript calls `undefined`. The result is JSON text, or nothing for `undefined`.

mod export;
mod prompt;
mod security;
mod text;
mod turn;

pub use turn::compacted;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What a function answers with: JSON text, or nothing where JavaScript has `undefined`.
type Answer = Result<Option<String>>;
type Function = fn(&str) -> Answer;

/// Calls `function`, such as `flushAssistant`, with the members of the object `arguments` as its parameters.
///
/// # Errors
/// `INVALID_INPUT` with the field's path (`function` for an unknown name).
pub fn call(function: &str, arguments: &str) -> Answer {
    let found: Option<Function> = turn::find(function)
        .or_else(|| export::find(function))
        .or_else(|| prompt::find(function))
        .or_else(|| text::find(function))
        .or_else(|| security::find(function));
    match found {
        Some(found) => found(arguments),
        None => Err(Error::invalid("function", "there is no such function")),
    }
}

/// Reads a function's parameters.
fn arguments<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T> {
    if !text.trim_start().starts_with('{') {
        return Err(Error::invalid("arguments", "must be an object"));
    }
    crate::error::from_json(text, "arguments")
}

/// A result that is there.
fn answer<T: Serialize + ?Sized>(value: &T) -> Answer {
    serde_json::to_string(value)
        .map(Some)
        .map_err(|error| Error::internal("a result could not be encoded").with_source(error))
}
