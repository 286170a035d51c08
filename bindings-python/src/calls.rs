//! The calls of tools on their way to Python, and the class `turnkeep._native.Offer`.

use pyo3::prelude::*;
use turnkeep::Error;
use turnkeep::model::Json;
use turnkeep::tool::{CallTicket, Mailbox};

use crate::error::OrRaise;
use crate::process::ProcessBound;
use crate::wait::wait;

/// Waits for the next message, as JSON; `None` once there can be no more.
pub(crate) fn next(py: Python<'_>, mailbox: &Mailbox) -> PyResult<Option<String>> {
    wait(py, async {
        match mailbox.next().await {
            Some(message) => message.to_json().map(Some),
            None => Ok(None),
        }
    })
}

/// Answers a call with JSON.
pub(crate) fn respond(py: Python<'_>, mailbox: &Mailbox, ticket: CallTicket, output: &str) -> PyResult<bool> {
    let output = Json::parse(output).map_err(|_| Error::invalid("output", "is not valid JSON")).or_raise(py)?;
    Ok(mailbox.respond(ticket, Ok(output)))
}

/// Shows what the output of a call is so far. What is not JSON is not shown.
pub(crate) fn show(mailbox: &Mailbox, ticket: CallTicket, output: &str) -> bool {
    Json::parse(output).is_ok_and(|output| mailbox.show(ticket, output))
}

/// What an engine offers. The tools are not offered any more once it is dropped.
#[pyclass(frozen, module = "turnkeep._native")]
pub(crate) struct Offer {
    mailbox: ProcessBound<Mailbox>,
}

impl Offer {
    pub(crate) fn new(mailbox: Mailbox) -> Self {
        Self { mailbox: ProcessBound::new(mailbox) }
    }
}

#[pymethods]
impl Offer {
    /// Waits for the next call of a tool, or the cancelling of one, as JSON; `None` once the engine is closed.
    fn next_tool_message(&self, py: Python<'_>) -> PyResult<Option<String>> {
        next(py, self.mailbox.get().or_raise(py)?)
    }

    /// Answers a call with JSON. Returns whether anybody still waited for it.
    fn respond(&self, py: Python<'_>, ticket: CallTicket, output: &str) -> PyResult<bool> {
        respond(py, self.mailbox.get().or_raise(py)?, ticket, output)
    }

    /// Shows the JSON of what the output of a call is so far. Returns whether that is not in vain.
    fn show(&self, py: Python<'_>, ticket: CallTicket, output: &str) -> PyResult<bool> {
        Ok(show(self.mailbox.get().or_raise(py)?, ticket, output))
    }

    /// Answers a call with the text of a failure. Returns whether anybody still waited for it.
    fn fail(&self, py: Python<'_>, ticket: CallTicket, text: String) -> PyResult<bool> {
        Ok(self.mailbox.get().or_raise(py)?.respond(ticket, Err(text)))
    }
}
