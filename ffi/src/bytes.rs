//! Texts that C owns.

use std::ffi::c_char;
use std::ptr;

use crate::boundary;

/// A text that turnkeep has made and that turnkeep_bytes_free() gives back. It is UTF-8 and may hold NULs when it is not
/// JSON; one more NUL, which `len` does not count, follows it.
#[repr(C)]
pub struct Bytes {
    /// The first byte.
    pub data: *const c_char,
    /// How many bytes there are.
    pub len: usize,
}

impl Bytes {
    /// Hands a copy over to C.
    pub(crate) fn give(text: &str) -> Self {
        let data = Box::into_raw(terminated(text));
        Self { data: data.cast(), len: text.len() }
    }
}

/// The text with a NUL behind it, in a box of exactly that size.
pub(crate) fn terminated(text: &str) -> Box<[u8]> {
    let mut bytes = Vec::with_capacity(text.len() + 1);
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(0);
    bytes.into_boxed_slice()
}

/// Frees the text and sets `bytes` to NULL and 0, so that freeing it again does nothing. NULL does nothing, nor does a
/// `data` of NULL. The struct itself is the caller's.
///
/// # Safety
/// `bytes` is NULL, or was written by turnkeep, or is zeroed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn turnkeep_bytes_free(bytes: *mut Bytes) {
    boundary::contain(|| {
        // SAFETY: NULL or a struct, as the caller has promised.
        let Some(bytes) = (unsafe { bytes.as_mut() }) else {
            return;
        };
        let data = std::mem::replace(&mut bytes.data, ptr::null());
        let length = std::mem::take(&mut bytes.len);
        if !data.is_null() {
            let text = ptr::slice_from_raw_parts_mut(data.cast_mut().cast::<u8>(), length + 1);
            // SAFETY: `data` is not NULL, so it came from `Bytes::give`, which made a box of one byte more than `len`.
            drop(unsafe { Box::from_raw(text) });
        }
    });
}
