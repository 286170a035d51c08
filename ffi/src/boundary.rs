//! The one way out to C: panics and errors become what the return type has for them.

use std::any::Any;
use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::codes::TURNKEEP_INTERNAL;
use crate::error::Error;
use crate::handle::Handle;
use crate::status::Status;

/// Runs the body of a function that returns a [`Status`] and takes an optional output for the error.
///
/// # Safety
/// `error` is NULL or may be written to.
pub(crate) unsafe fn guard(error: *mut *mut Error, body: impl FnOnce() -> turnkeep::Result<Status>) -> Status {
    contain(|| {
        let failure = match catch_unwind(AssertUnwindSafe(body)) {
            Ok(Ok(status)) => return status,
            Ok(Err(failure)) => failure,
            Err(payload) => panicked(&*payload),
        };
        let status = failure.code().number();
        if !error.is_null() {
            // SAFETY: not NULL, so it may be written to, as the caller has promised.
            unsafe { error.write(Error::from(failure).give()) };
        }
        status
    })
}

/// Runs the body of a function that has no output for an error.
pub(crate) fn contain<T: Fallback>(body: impl FnOnce() -> T) -> T {
    // Nothing that a body leaves behind half-done is reachable afterwards but through locks and channels of tokio's,
    // which stay sound.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
        panicked(&*payload);
        T::FALLBACK
    })
}

/// What a function of this return type gives after a panic. Chosen by type, so that nobody picks one by hand.
pub(crate) trait Fallback {
    const FALLBACK: Self;
}

impl Fallback for () {
    const FALLBACK: Self = ();
}

impl Fallback for i32 {
    const FALLBACK: Self = TURNKEEP_INTERNAL;
}

impl Fallback for u32 {
    const FALLBACK: Self = 0;
}

impl Fallback for *const c_char {
    const FALLBACK: Self = std::ptr::null();
}

/// The text of the panic goes to the log only: it may hold anything. The error's id ties the two together.
fn panicked(payload: &(dyn Any + Send)) -> turnkeep::Error {
    let error = turnkeep::Error::internal("turnkeep has run into a bug of its own");
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text");
    tracing::error!(error = ?error.details(), panic = text, "turnkeep panicked");
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{turnkeep_error_code, turnkeep_error_free};

    #[test]
    fn a_panic_becomes_an_error_object() {
        let mut error = std::ptr::null_mut();
        // SAFETY: `error` may be written to.
        let status = unsafe { guard(&raw mut error, || panic!("on purpose")) };
        assert_eq!(status, TURNKEEP_INTERNAL);
        // SAFETY: the guard has written an error object, which is freed once.
        unsafe {
            assert_eq!(turnkeep_error_code(error), TURNKEEP_INTERNAL);
            turnkeep_error_free(error);
        }
    }

    #[test]
    fn a_panic_becomes_the_fallback_of_the_type() {
        // SAFETY: NULL is allowed.
        assert_eq!(unsafe { guard(std::ptr::null_mut(), || panic!("on purpose")) }, TURNKEEP_INTERNAL);
        assert_eq!(contain(|| -> u32 { panic!("on purpose") }), 0);
        assert!(contain(|| -> *const c_char { panic!("on purpose") }).is_null());
    }

    #[test]
    fn success_writes_no_error() {
        let mut error = std::ptr::dangling_mut();
        // SAFETY: `error` may be written to.
        assert_eq!(unsafe { guard(&raw mut error, || Ok(7)) }, 7);
        assert_eq!(error, std::ptr::dangling_mut());
    }
}
