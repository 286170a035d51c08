//! What crosses the border as a pointer: handles that C owns, texts that it lends, places that it wants written.

use std::ffi::c_char;
use std::slice;

use turnkeep::{Error, Result};

/// A type of which C holds a `Box`. Any thread may hold it.
pub(crate) trait Handle: Sized + Send + Sync {
    /// What errors call it.
    const NAME: &'static str;

    /// Hands it over to C.
    fn give(self) -> *mut Self {
        Box::into_raw(Box::new(self))
    }

    /// Looks at what C holds.
    ///
    /// # Errors
    /// `INVALID_INPUT` for NULL.
    ///
    /// # Safety
    /// `handle` is NULL or came from [`Handle::give`], and is not taken back during `'a`.
    unsafe fn borrow<'a>(handle: *const Self) -> Result<&'a Self> {
        // SAFETY: as the caller has promised.
        unsafe { handle.as_ref() }.ok_or_else(|| null(Self::NAME))
    }

    /// Takes it back from C; `None` for NULL.
    ///
    /// # Safety
    /// `handle` is NULL or came from [`Handle::give`], and is not used again.
    unsafe fn take(handle: *mut Self) -> Option<Box<Self>> {
        // SAFETY: not NULL, so it is a box of ours, as the caller has promised.
        (!handle.is_null()).then(|| unsafe { Box::from_raw(handle) })
    }
}

/// A place for an output, known not to be NULL.
pub(crate) struct Out<T>(*mut T);

impl<T> Out<T> {
    /// Checks the place before any work is done, so that nothing is lost for want of one.
    ///
    /// # Errors
    /// `INVALID_INPUT` naming `parameter` for NULL.
    ///
    /// # Safety
    /// `place` is NULL or may be written to for as long as the `Out` exists.
    pub(crate) unsafe fn new(place: *mut T, parameter: &'static str) -> Result<Self> {
        if place.is_null() { Err(null(parameter)) } else { Ok(Self(place)) }
    }

    pub(crate) fn set(self, value: T) {
        // SAFETY: `new` has checked for NULL, and its caller has promised the rest. What was there before is C's
        // business and is not dropped.
        unsafe { self.0.write(value) }
    }
}

/// The text that C lends.
///
/// # Errors
/// `INVALID_INPUT` naming `parameter` for NULL, an impossible length, or bytes that are not UTF-8.
///
/// # Safety
/// `data` is NULL or `length` bytes can be read there during `'a`.
pub(crate) unsafe fn text<'a>(data: *const c_char, length: usize, parameter: &'static str) -> Result<&'a str> {
    if data.is_null() {
        return Err(null(parameter));
    }
    if isize::try_from(length).is_err() {
        return Err(Error::invalid(parameter, "has an impossible length"));
    }
    // SAFETY: not NULL, not too long, and readable as the caller has promised.
    let bytes = unsafe { slice::from_raw_parts(data.cast::<u8>(), length) };
    std::str::from_utf8(bytes).map_err(|_| Error::invalid(parameter, "is not UTF-8"))
}

fn null(parameter: &'static str) -> Error {
    Error::invalid(parameter, "must not be NULL")
}
