//! What all functions do that only pass JSON on.

use std::ffi::c_char;

use turnkeep::Result;

use crate::bytes::Bytes;
use crate::engine::Engine;
use crate::handle::{Handle, Out, text};
use crate::status::{Status, TURNKEEP_DONE, TURNKEEP_OK};

/// # Safety
/// As for the functions that use it.
pub(crate) unsafe fn ask(
    engine: *const Engine,
    method: &'static str,
    params: *const c_char,
    params_len: usize,
    result: *mut Bytes,
) -> Result<Status> {
    // SAFETY: as the caller has promised.
    let (engine, params, place) =
        unsafe { (Engine::borrow(engine)?, text(params, params_len, "params")?, Out::new(result, "result")?) };
    let answer = engine.wait(|engine| async move { engine.call(method, params).await })??;
    place.set(Bytes::give(&answer));
    Ok(TURNKEEP_OK)
}

/// # Safety
/// As for the functions that use it.
pub(crate) unsafe fn call(
    function: &'static str,
    arguments: *const c_char,
    arguments_len: usize,
    result: *mut Bytes,
) -> Result<Status> {
    // SAFETY: as the caller has promised.
    let (arguments, place) = unsafe { (text(arguments, arguments_len, "arguments")?, Out::new(result, "result")?) };
    let Some(answer) = turnkeep::functions::call(function, arguments)? else {
        return Ok(TURNKEEP_DONE);
    };
    place.set(Bytes::give(&answer));
    Ok(TURNKEEP_OK)
}
