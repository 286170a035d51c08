//! JSON text as JavaScript would hold and write it.
//!
//! Rows that other servers have written, and everything that is compared with them, follow the habits of
//! `JSON.parse` and `JSON.stringify`: integer-like keys first, the last of two equal keys, numbers and escapes spelled
//! in one way. Two habits are left out on purpose: integers are never rounded, and what no database column can hold
//! (U+0000, half a surrogate pair) becomes U+FFFD.
//!
//! All of it works on text, without recursion, in time linear in the text (sorting of integer-like keys aside).

mod canonical;
mod number;
mod pretty;
mod scan;
mod value;

pub use canonical::{Canonical, canonical, canonical_shown, pretty_shown};
pub use number::write_number;
pub use pretty::{PRETTY_DEPTH, pretty};
pub(crate) use scan::{Scanner, escaped_utf16_len, unescape, write_string};
pub use value::{Number, OwnedText, Raw, Text, truthy};
pub(crate) use value::{list, object, objects, optional_object, present};
