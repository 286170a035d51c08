//! What the host is asked for: a function of its own that is called as a tool is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, ErrorCode, Result};
use crate::tool::ToolHandler;

/// A function of the host's, if it has given one.
#[derive(Default)]
pub(crate) struct HostFunction(Mutex<State>);

#[derive(Default)]
struct State {
    handler: Option<Arc<dyn ToolHandler>>,
    /// Nothing can be asked any more.
    is_over: bool,
}

impl HostFunction {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the place of one that was given before.
    ///
    /// # Errors
    /// `ENGINE_CLOSED`.
    pub(crate) fn set(&self, handler: Arc<dyn ToolHandler>) -> Result<()> {
        let mut state = self.lock();
        if state.is_over {
            return Err(Error::new(ErrorCode::EngineClosed, "the engine is closed"));
        }
        state.handler = Some(handler);
        Ok(())
    }

    /// The function that is asked now, unless whoever answers has gone away.
    pub(crate) fn get(&self) -> Option<Arc<dyn ToolHandler>> {
        self.lock().handler.clone()
    }

    /// Asks no more; whoever answers is told so.
    pub(crate) fn retire(&self) {
        let mut state = self.lock();
        state.is_over = true;
        state.handler = None;
    }
}
