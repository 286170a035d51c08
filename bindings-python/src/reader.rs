//! The class `turnkeep._native.Reader`.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use turnkeep::{SharedReader, TurnReader};

use crate::error::OrRaise;
use crate::process::ProcessBound;
use crate::runtime::Runtime;
use crate::wait::wait;

/// Reads a turn's chunks. Closing or dropping it before the end is a disconnect.
#[pyclass(frozen, module = "turnkeep._native")]
pub(crate) struct Reader {
    parts: ProcessBound<Parts>,
}

struct Parts {
    reader: SharedReader,
    runtime: Arc<Runtime>,
}

impl Reader {
    pub(crate) fn new(reader: TurnReader, runtime: Arc<Runtime>) -> Self {
        Self { parts: ProcessBound::new(Parts { reader: reader.into(), runtime }) }
    }

    fn next_batch(&self, py: Python<'_>, limit: usize) -> PyResult<Vec<Arc<str>>> {
        let Parts { reader, runtime } = self.parts.get().or_raise(py)?;
        let _context = runtime.enter();
        wait(py, async { Ok(reader.next_batch(limit).await) })
    }
}

#[pymethods]
impl Reader {
    /// Waits for the next chunks, at most `limit` of them; none at the end or once closed.
    fn next<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Vec<Bound<'py, pyo3::types::PyString>>> {
        let batch = self.next_batch(py, limit)?;
        Ok(batch.iter().map(|chunk| pyo3::types::PyString::new(py, chunk)).collect())
    }

    /// As `next`, each chunk framed as a server-sent event with its cursor as id.
    fn next_events<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let Parts { reader, runtime } = self.parts.get().or_raise(py)?;
        let _context = runtime.enter();
        let batch = wait(py, async { Ok(reader.next_events(limit).await) })?;
        Ok(batch.iter().map(|event| PyBytes::new(py, event.as_bytes())).collect())
    }

    /// Goes away, also while another thread waits in `next`.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.parts.get().or_raise(py)?.reader.close();
        Ok(())
    }
}
