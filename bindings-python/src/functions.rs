//! The pure functions. They work without the interpreter, so other threads go on meanwhile.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::prelude::*;
use turnkeep::{Result, functions};

use crate::error::{OrRaise, panicked};

/// Calls a pure function by its name in the contract; `arguments` is the JSON of its parameters by name. `None` is
/// JavaScript's undefined.
#[pyfunction]
pub(crate) fn call_function(py: Python<'_>, name: &str, arguments: &str) -> PyResult<Option<String>> {
    detached(py, || functions::call(name, arguments))
}

/// `compactToolOutput`; `None` when the value is to stay as it is, which Python has in its hands.
#[pyfunction]
pub(crate) fn compact_tool_output(py: Python<'_>, value: &str) -> PyResult<Option<String>> {
    detached(py, || functions::compacted(value))
}

fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    py.detach(|| catch_unwind(AssertUnwindSafe(work))).unwrap_or_else(|_| Err(panicked())).or_raise(py)
}
