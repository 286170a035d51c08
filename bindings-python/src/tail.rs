//! The class `turnkeep._native.Tail`.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use turnkeep::{Error, RunTail, SharedTail};

use crate::error::OrRaise;
use crate::process::ProcessBound;
use crate::runtime::Runtime;
use crate::wait::wait;

/// Reads a run's log. Closing or dropping it stops nothing.
#[pyclass(frozen, module = "turnkeep._native")]
pub(crate) struct Tail {
    parts: ProcessBound<Parts>,
}

struct Parts {
    tail: SharedTail,
    runtime: Arc<Runtime>,
}

impl Tail {
    pub(crate) fn new(tail: RunTail, runtime: Arc<Runtime>) -> Self {
        Self { parts: ProcessBound::new(Parts { tail: tail.into(), runtime }) }
    }
}

#[pymethods]
impl Tail {
    /// Waits for the next entries, at most `limit` of them, as a JSON list, the last of which is the end; `None` after
    /// it, and once closed.
    fn next(&self, py: Python<'_>, limit: usize) -> PyResult<Option<String>> {
        let Parts { tail, runtime } = self.parts.get().or_raise(py)?;
        let _context = runtime.enter();
        wait(py, tail.next_json(limit))
    }

    /// Waits for the next server-sent events, the terminator among them; `None` after it, and once closed.
    fn next_events<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let Parts { tail, runtime } = self.parts.get().or_raise(py)?;
        let _context = runtime.enter();
        let events = wait(py, tail.next_sse(limit))?;
        Ok(events.map(|events| PyBytes::new(py, events.as_bytes())))
    }

    /// How the run ended, as JSON; `None` before everything was read, and once closed.
    #[getter]
    fn end(&self, py: Python<'_>) -> PyResult<Option<String>> {
        let end = self.parts.get().or_raise(py)?.tail.end();
        let encoded = end.map(|end| serde_json::to_string(&end)).transpose();
        encoded.map_err(|error| Error::internal("the end could not be encoded").with_source(error)).or_raise(py)
    }

    /// Goes away, also while another thread waits in `next`.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.parts.get().or_raise(py)?.tail.close();
        Ok(())
    }
}
