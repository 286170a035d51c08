//! What may be used only in the process that made it.
//!
//! A forked child has none of the parent's threads, perhaps a lock that one of them held, and SQLite handles that must
//! not be touched. So in the child every use is an error, and dropping does nothing: joining threads that do not exist
//! would hang it.

use turnkeep::Error;

use crate::error::closed;

/// A value of this process, which a forked child can neither use nor drop.
pub(crate) struct ProcessBound<T> {
    value: Option<T>,
    process: u32,
}

impl<T> ProcessBound<T> {
    /// `value`, bound to the calling process.
    pub(crate) fn new(value: T) -> Self {
        Self { value: Some(value), process: std::process::id() }
    }

    /// The value.
    ///
    /// # Errors
    /// `ENGINE_CLOSED` in a forked child.
    pub(crate) fn get(&self) -> Result<&T, Error> {
        self.value.as_ref().filter(|_| !self.is_foreign()).ok_or_else(|| {
            closed("an engine cannot be used across fork; open one in the child process, or start it by spawn")
        })
    }

    fn is_foreign(&self) -> bool {
        self.process != std::process::id()
    }
}

impl<T> Drop for ProcessBound<T> {
    fn drop(&mut self) {
        if self.is_foreign() {
            std::mem::forget(self.value.take());
        }
    }
}
