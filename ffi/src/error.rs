//! The error object.

use std::ffi::c_char;
use std::ptr;

use turnkeep::ErrorCode;

use crate::boundary;
use crate::bytes::terminated;
use crate::handle::Handle;
use crate::status::{Status, TURNKEEP_OK};

/// What went wrong. A function that fails writes one to its last parameter, unless that is NULL; turnkeep_error_free()
/// gives it back. It does not change, so any number of threads may read it.
pub struct Error {
    code: ErrorCode,
    name: Box<[u8]>,
    message: Box<[u8]>,
    json: Box<[u8]>,
}

impl Handle for Error {
    const NAME: &'static str = "error";
}

impl From<turnkeep::Error> for Error {
    fn from(error: turnkeep::Error) -> Self {
        Self {
            code: error.code(),
            name: terminated(error.code().as_str()),
            message: terminated(error.message()),
            json: terminated(&error.to_json()),
        }
    }
}

/// The number that the failing function has returned; TURNKEEP_OK for NULL.
///
/// # Safety
/// `error` is NULL or an error that has not been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_error_code(error: *const Error) -> Status {
    boundary::contain(|| {
        // SAFETY: as the caller has promised.
        unsafe { Error::borrow(error) }.map_or(TURNKEEP_OK, |error| error.code.number())
    })
}

/// The code as every language spells it, such as "A_RUN_ALREADY_ACTIVE", ended by a NUL. It is valid until the error is
/// freed. NULL for NULL.
///
/// # Safety
/// `error` is NULL or an error that has not been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_error_name(error: *const Error) -> *const c_char {
    boundary::contain(|| {
        // SAFETY: as the caller has promised.
        unsafe { Error::borrow(error) }.map_or(ptr::null(), |error| error.name.as_ptr().cast())
    })
}

/// One line for people, ended by a NUL. `len`, unless it is NULL, is set to its length, since it may hold NULs itself.
/// It is valid until the error is freed. NULL for NULL, with `len` unchanged.
///
/// # Safety
/// `error` is NULL or an error that has not been freed; `len` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_error_message(error: *const Error, len: *mut usize) -> *const c_char {
    // SAFETY: as the caller has promised.
    boundary::contain(|| unsafe { Error::borrow(error).map_or(ptr::null(), |error| lend(&error.message, len)) })
}

/// {"code","message","httpStatus","details"} as JSON, ended by a NUL. `len`, unless it is NULL, is set to its length.
/// It is valid until the error is freed. NULL for NULL, with `len` unchanged.
///
/// # Safety
/// `error` is NULL or an error that has not been freed; `len` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_error_json(error: *const Error, len: *mut usize) -> *const c_char {
    // SAFETY: as the caller has promised.
    boundary::contain(|| unsafe { Error::borrow(error).map_or(ptr::null(), |error| lend(&error.json, len)) })
}

/// Frees the error. NULL does nothing.
///
/// # Safety
/// `error` is NULL or an error that has not been freed, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_error_free(error: *mut Error) {
    boundary::contain(|| {
        // SAFETY: as the caller has promised.
        drop(unsafe { Error::take(error) });
    });
}

/// # Safety
/// `len` is NULL or may be written to.
unsafe fn lend(text: &[u8], len: *mut usize) -> *const c_char {
    if !len.is_null() {
        // SAFETY: not NULL, so it may be written to.
        unsafe { len.write(text.len().saturating_sub(1)) };
    }
    text.as_ptr().cast()
}
