//! Exports that are read in pieces, and the import of what they gave.

use std::ffi::c_char;

use crate::boundary;
use crate::bytes::Bytes;
use crate::engine::Engine;
use crate::error::Error;
use crate::handle::{Handle, Out, text};
use crate::status::{Status, TURNKEEP_DONE, TURNKEEP_OK};
use crate::wait::wait;

/// An export that is read in pieces, so that memory does not grow with the chat.
///
/// Any number of threads may use it at once; each piece goes to one of them. turnkeep_export_free() must be the last call
/// with it, and no other call with it may be in progress. Its engine must still be open while it is read.
pub struct Export {
    export: turnkeep::Export,
}

impl Handle for Export {
    const NAME: &'static str = "export";
}

/// Begins an export. `params` are those of turnkeep_chat_export(). `export` receives a handle for turnkeep_export_free().
///
/// Errors: as turnkeep_run_get().
///
/// # Safety
/// `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `export` and
/// `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_export_open(
    engine: *const Engine,
    params: *const c_char,
    params_len: usize,
    export: *mut *mut Export,
    error: *mut *mut Error,
) -> Status {
    let body = || {
        // SAFETY: as the caller has promised.
        let (engine, params, place) =
            unsafe { (Engine::borrow(engine)?, text(params, params_len, "params")?, Out::new(export, "export")?) };
        let begun = engine.wait(|engine| async move { engine.export_from_json(params).await })??;
        place.set(Export { export: begun }.give());
        Ok(TURNKEEP_OK)
    };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// The export's next piece: UTF-8 that is never empty. TURNKEEP_OK: `piece` is written and freed by
/// turnkeep_bytes_free(). TURNKEEP_DONE: the document is complete.
///
/// Errors: INVALID_INPUT, STORE_UNAVAILABLE, ENGINE_CLOSED. An error ends the export.
///
/// # Safety
/// `export` is NULL or an export that has not been freed; `piece` and `error` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_export_next(
    export: *const Export,
    piece: *mut Bytes,
    error: *mut *mut Error,
) -> Status {
    let body = || {
        // SAFETY: as the caller has promised.
        let (export, place) = unsafe { (Export::borrow(export)?, Out::new(piece, "piece")?) };
        match wait(export.export.next())? {
            Some(piece) => {
                place.set(Bytes::give(&piece));
                Ok(TURNKEEP_OK)
            }
            None => Ok(TURNKEEP_DONE),
        }
    };
    // SAFETY: as the caller has promised.
    unsafe { boundary::guard(error, body) }
}

/// Frees the export, read to its end or not. NULL does nothing.
///
/// # Safety
/// `export` is NULL or an export that has not been freed, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_export_free(export: *mut Export) {
    boundary::contain(|| {
        // SAFETY: as the caller has promised.
        drop(unsafe { Export::take(export) });
    });
}
