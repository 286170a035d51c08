//! The class `turnkeep._native.Turn`.

use std::sync::Arc;

use pyo3::prelude::*;
use serde::Serialize;
use turnkeep::Error;
use turnkeep::tool::{CallTicket, Mailbox};

use crate::calls;
use crate::error::OrRaise;
use crate::process::ProcessBound;
use crate::reader::Reader;
use crate::runtime::Runtime;
use crate::wait::wait;

/// A turn of this process. Dropping it stops nothing.
#[pyclass(frozen, module = "turnkeep._native")]
pub(crate) struct Turn {
    parts: ProcessBound<Parts>,
}

struct Parts {
    turn: Arc<turnkeep::Turn>,
    mailbox: Mailbox,
    runtime: Arc<Runtime>,
}

impl Turn {
    pub(crate) fn new(turn: turnkeep::Turn, mailbox: Mailbox, runtime: Arc<Runtime>) -> Self {
        Self { parts: ProcessBound::new(Parts { turn: Arc::new(turn), mailbox, runtime }) }
    }
}

#[pymethods]
impl Turn {
    /// `{runId, chatId, messageId}` as JSON.
    #[getter]
    fn ids(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.parts.get().or_raise(py)?.turn.to_json())
    }

    /// A reader that begins at the first chunk.
    fn reader(&self, py: Python<'_>) -> PyResult<Reader> {
        let parts = self.parts.get().or_raise(py)?;
        Ok(Reader::new(parts.turn.chunks(), Arc::clone(&parts.runtime)))
    }

    /// Whether the run had been begun before, with the same idempotency key.
    #[getter]
    fn is_repeated(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.parts.get().or_raise(py)?.turn.is_repeated())
    }

    /// Asks the run to stop; `False` when it has settled already.
    fn stop(&self, py: Python<'_>) -> PyResult<bool> {
        let parts = self.parts.get().or_raise(py)?;
        let turn = Arc::clone(&parts.turn);
        wait(py, parts.runtime.spawn(async move { turn.stop().await }))
    }

    /// The messages that wait for the run, as JSON.
    fn queue(&self, py: Python<'_>) -> PyResult<String> {
        let parts = self.parts.get().or_raise(py)?;
        let turn = Arc::clone(&parts.turn);
        wait(py, parts.runtime.spawn(async move { encode(&turn.queue().await?) }))
    }

    /// Waits for the end of the turn; its outcome as JSON.
    fn done(&self, py: Python<'_>) -> PyResult<String> {
        let parts = self.parts.get().or_raise(py)?;
        let _context = parts.runtime.enter();
        wait(py, async { encode(&parts.turn.done().await?) })
    }

    /// Waits for the next call of a tool, or the cancelling of one, as JSON; `None` once the turn is over.
    fn next_tool_message(&self, py: Python<'_>) -> PyResult<Option<String>> {
        let parts = self.parts.get().or_raise(py)?;
        calls::next(py, &parts.mailbox)
    }

    /// Answers a call with JSON. Returns whether anybody still waited for it.
    fn respond(&self, py: Python<'_>, ticket: CallTicket, output: &str) -> PyResult<bool> {
        let parts = self.parts.get().or_raise(py)?;
        calls::respond(py, &parts.mailbox, ticket, output)
    }

    /// Shows the JSON of what the output of a call is so far. Returns whether that is not in vain.
    fn show(&self, py: Python<'_>, ticket: CallTicket, output: &str) -> PyResult<bool> {
        Ok(calls::show(&self.parts.get().or_raise(py)?.mailbox, ticket, output))
    }

    /// Answers a call with the text of a failure. Returns whether anybody still waited for it.
    fn fail(&self, py: Python<'_>, ticket: CallTicket, text: String) -> PyResult<bool> {
        Ok(self.parts.get().or_raise(py)?.mailbox.respond(ticket, Err(text)))
    }
}

fn encode<T: Serialize>(value: &T) -> turnkeep::Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal("a result could not be encoded").with_source(error))
}
