//! Python binding of turnkeep: conversion, and nothing else.
//!
//! Everything crosses as JSON text. No thread of ours ever attaches to the interpreter: Python calls in, waits detached
//! (see `wait.rs`), and takes its tools' calls out of a mailbox. The classes here are for the package `turnkeep`, which
//! gives them the form that its users see.

mod calls;
mod engine;
mod error;
mod functions;
mod process;
mod reader;
mod runtime;
mod tail;
mod turn;
mod wait;

use pyo3::prelude::*;
use turnkeep::stream::{SSE_DONE, SSE_HEADERS};

/// The extension module.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    error::import_classes(module.py())?;
    module.add_class::<engine::Engine>()?;
    module.add_class::<engine::Export>()?;
    module.add_class::<calls::Offer>()?;
    module.add_class::<turn::Turn>()?;
    module.add_class::<reader::Reader>()?;
    module.add_class::<tail::Tail>()?;
    module.add_function(wrap_pyfunction!(functions::call_function, module)?)?;
    module.add_function(wrap_pyfunction!(functions::compact_tool_output, module)?)?;
    module.add("SSE_HEADERS", SSE_HEADERS.to_vec())?;
    module.add("SSE_DONE", pyo3::types::PyBytes::new(module.py(), SSE_DONE.as_bytes()))?;
    module.add("VERSION", env!("CARGO_PKG_VERSION"))
}
