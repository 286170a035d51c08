//! Which library this is.

use std::ffi::c_char;

use crate::boundary;

/// The version of the binary interface. It is the number at the end of the shared library's name and rises with every
/// change that a compiled program could notice, other than additions.
pub const TURNKEEP_ABI_VERSION: u32 = 0;

/// The library's TURNKEEP_ABI_VERSION. A program that was compiled with another one must not use the library.
#[unsafe(no_mangle)]
pub extern "C" fn turnkeep_abi_version() -> u32 {
    boundary::contain(|| TURNKEEP_ABI_VERSION)
}

/// The library's version, such as "0.1.0", ended by a NUL; it is not to be freed.
#[unsafe(no_mangle)]
pub extern "C" fn turnkeep_version() -> *const c_char {
    boundary::contain(|| concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast())
}
