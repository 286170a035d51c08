//! The class `turnkeep._native.Engine`.

use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use turnkeep::tool::Mailbox;
use turnkeep::{EngineOptions, Error, ErrorCode, ToolOffer, TurnRequest};

use crate::calls::Offer;
use crate::error::{OrRaise, closed};
use crate::process::ProcessBound;
use crate::runtime::Runtime;
use crate::tail::Tail;
use crate::turn::Turn;
use crate::wait::wait;

/// How long an exiting interpreter waits for an engine: more than closing one that has no grace left can take.
const EXIT_DEADLINE: Duration = Duration::from_secs(12);

/// An engine and its threads.
#[pyclass(frozen, module = "turnkeep._native")]
pub(crate) struct Engine {
    parts: ProcessBound<Parts>,
}

struct Parts {
    engine: turnkeep::Engine,
    runtime: Arc<Runtime>,
}

#[pymethods]
impl Engine {
    /// Opens an engine with options given as JSON.
    #[staticmethod]
    fn open(py: Python<'_>, options: &str) -> PyResult<Self> {
        let options = EngineOptions::from_json(options).or_raise(py)?;
        let runtime = Runtime::start().or_raise(py)?;
        match wait(py, runtime.spawn(turnkeep::Engine::open(options))) {
            Ok(engine) => Ok(Self { parts: ProcessBound::new(Parts { engine, runtime: Arc::new(runtime) }) }),
            Err(error) => {
                end_threads(py, &runtime)?;
                Err(error)
            }
        }
    }

    /// What opening the database would add to it, as JSON.
    #[staticmethod]
    fn pending_migrations(py: Python<'_>, store: String) -> PyResult<String> {
        let runtime = Runtime::start().or_raise(py)?;
        let pending = wait(py, runtime.spawn(async move { turnkeep::store::pending_migrations_json(&store).await }));
        end_threads(py, &runtime)?;
        pending
    }

    /// Begins a turn. The calls of the request's tools come out of `Turn.next_tool_message`.
    fn start_turn(&self, py: Python<'_>, request: &str) -> PyResult<Turn> {
        let parts = self.parts.get().or_raise(py)?;
        let request = TurnRequest::from_json(request).or_raise(py)?;
        let (mailbox, tools) = Mailbox::new(request.tools.clone());
        let engine = parts.engine.clone();
        let turn = wait(py, parts.runtime.spawn(async move { engine.start_turn(request, tools).await }))?;
        Ok(Turn::new(turn, mailbox, Arc::clone(&parts.runtime)))
    }

    /// Offers tools, given as JSON. Their calls come out of `Offer.next_tool_message`.
    fn offer_tools(&self, py: Python<'_>, offer: &str) -> PyResult<Offer> {
        let parts = self.parts.get().or_raise(py)?;
        let offer = ToolOffer::from_json(offer).or_raise(py)?;
        let (mailbox, tools) = Mailbox::new(offer.tools);
        parts.engine.offer_tools(tools).or_raise(py)?;
        Ok(Offer::new(mailbox))
    }

    /// Has open pages checked by the host. The checks come out of `Offer.next_tool_message`, as calls of a tool.
    fn check_pages(&self, py: Python<'_>) -> PyResult<Offer> {
        let parts = self.parts.get().or_raise(py)?;
        Ok(Offer::new(parts.engine.check_pages_by_mailbox().or_raise(py)?))
    }

    /// Has the host asked for tokens of users of Docmost. The questions come out of `Offer.next_tool_message`, as calls of a tool.
    fn docmost_tokens(&self, py: Python<'_>) -> PyResult<Offer> {
        let parts = self.parts.get().or_raise(py)?;
        Ok(Offer::new(parts.engine.docmost_tokens_by_mailbox().or_raise(py)?))
    }

    /// Calls a method by name, such as `runs.get`; parameters and result are JSON.
    fn call(&self, py: Python<'_>, method: String, params: String) -> PyResult<String> {
        let parts = self.parts.get().or_raise(py)?;
        let engine = parts.engine.clone();
        wait(py, parts.runtime.spawn(async move { engine.call(&method, &params).await }))
    }

    /// Begins an export that is read in pieces; `params` are those of `chats.export` as JSON.
    fn export(&self, py: Python<'_>, params: String) -> PyResult<Export> {
        let parts = self.parts.get().or_raise(py)?;
        let engine = parts.engine.clone();
        let export = wait(py, parts.runtime.spawn(async move { engine.export_from_json(&params).await }))?;
        Ok(Export { export: ProcessBound::new(export) })
    }

    /// Follows a run's log; `params` are those of `runs.tail` as JSON.
    fn tail(&self, py: Python<'_>, params: String) -> PyResult<Tail> {
        let parts = self.parts.get().or_raise(py)?;
        let engine = parts.engine.clone();
        let tail = wait(py, parts.runtime.spawn(async move { engine.tail_from_json(&params).await }))?;
        Ok(Tail::new(tail, Arc::clone(&parts.runtime)))
    }

    /// Gives up a run that this engine has begun for its host. For finalizers: it waits for nothing, and an id that is
    /// none is nobody's run.
    fn abandon_run(&self, py: Python<'_>, run_id: &str) -> PyResult<()> {
        let parts = self.parts.get().or_raise(py)?;
        if let Ok(run_id) = run_id.parse() {
            parts.engine.abandon_run(run_id);
        }
        Ok(())
    }

    /// Closes the engine and ends its threads. Interrupted, it goes on closing in the background.
    #[pyo3(signature = (grace_ms=None))]
    fn close(&self, py: Python<'_>, grace_ms: Option<i64>) -> PyResult<()> {
        let parts = self.parts.get().or_raise(py)?;
        let grace = grace_ms.map(u64::try_from).transpose();
        let grace = grace.map_err(|_| Error::invalid("graceMs", "must not be negative")).or_raise(py)?;
        let engine = parts.engine.clone();
        let closing = parts.runtime.spawn(async move { engine.close(grace.map(Duration::from_millis)).await });
        let closed = wait(py, async { Ok(closing.await) })?;
        end_threads(py, &parts.runtime)?;
        match closed {
            // Somebody else has closed it and ended the threads before this could begin.
            Err(error) if error.code() == ErrorCode::EngineClosed => Ok(()),
            closed => closed.or_raise(py),
        }
    }

    /// As `close(0)`, for the exit of the interpreter: whatever happens, and no later than after some seconds, no
    /// thread of the engine is left.
    fn exit(&self, py: Python<'_>) -> PyResult<()> {
        let parts = self.parts.get().or_raise(py)?;
        let engine = parts.engine.clone();
        let closing = parts.runtime.spawn(async move {
            tokio::time::timeout(EXIT_DEADLINE, engine.close(Some(Duration::ZERO)))
                .await
                .unwrap_or_else(|_| Err(closed("the engine did not close in time")))
        });
        let outcome = wait(py, closing);
        end_threads(py, &parts.runtime)?;
        outcome
    }
}

/// An export that is read in pieces.
#[pyclass(frozen, module = "turnkeep._native")]
pub(crate) struct Export {
    export: ProcessBound<turnkeep::Export>,
}

#[pymethods]
impl Export {
    /// The next piece as UTF-8; `None` at the end.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let export = self.export.get().or_raise(py)?;
        let piece = wait(py, export.next())?;
        Ok(piece.map(|piece| PyBytes::new(py, piece.as_bytes())))
    }
}

fn end_threads(py: Python<'_>, runtime: &Runtime) -> PyResult<()> {
    wait(py, async {
        runtime.shut_down();
        Ok(())
    })
}
