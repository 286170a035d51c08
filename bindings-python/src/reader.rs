//! The class `turnkeep._native.Reader`.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tokio::sync::{Mutex, watch};
use turnkeep::TurnReader;
use turnkeep::stream::sse_event;

use crate::error::OrRaise;
use crate::process::ProcessBound;
use crate::wait::wait;

/// Reads a turn's chunks. Closing or dropping it before the end is a disconnect.
#[pyclass(frozen, module = "turnkeep._native")]
pub(crate) struct Reader {
    parts: ProcessBound<Parts>,
}

struct Parts {
    /// Empty once closed.
    reader: Mutex<Option<TurnReader>>,
    closed: watch::Sender<bool>,
}

impl Reader {
    pub(crate) fn new(reader: TurnReader) -> Self {
        Self { parts: ProcessBound::new(Parts { reader: Mutex::new(Some(reader)), closed: watch::Sender::new(false) }) }
    }

    fn next_batch(&self, py: Python<'_>, limit: usize) -> PyResult<Vec<Arc<str>>> {
        let parts = self.parts.get().or_raise(py)?;
        wait(py, async {
            let mut closed = parts.closed.subscribe();
            Ok(tokio::select! {
                biased;
                _ = closed.wait_for(|closed| *closed) => Vec::new(),
                batch = parts.next_batch(limit) => batch,
            })
        })
    }
}

impl Parts {
    async fn next_batch(&self, limit: usize) -> Vec<Arc<str>> {
        match self.reader.lock().await.as_mut() {
            Some(reader) => reader.next_batch(limit).await,
            None => Vec::new(),
        }
    }
}

#[pymethods]
impl Reader {
    /// Waits for the next chunks, at most `limit` of them; none at the end or once closed.
    fn next<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Vec<Bound<'py, pyo3::types::PyString>>> {
        let batch = self.next_batch(py, limit)?;
        Ok(batch.iter().map(|chunk| pyo3::types::PyString::new(py, chunk)).collect())
    }

    /// As `next`, each chunk framed as a server-sent event.
    fn next_events<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let batch = self.next_batch(py, limit)?;
        Ok(batch.iter().map(|chunk| PyBytes::new(py, sse_event(chunk).as_bytes())).collect())
    }

    /// Goes away, also while another thread waits in `next`.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let parts = self.parts.get().or_raise(py)?;
        parts.closed.send_replace(true);
        if let Ok(mut reader) = parts.reader.try_lock() {
            reader.take();
            return Ok(());
        }
        wait(py, async {
            parts.reader.lock().await.take();
            Ok(())
        })
    }
}
