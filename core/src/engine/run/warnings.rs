//! What went wrong beside a turn, which went on without it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::mcp::Watch;
use crate::model::{RunWarning, WarningCode};

/// How many warnings of a turn are kept.
const MOST: usize = 50;

/// The warnings of a turn. Clones are the same list.
#[derive(Clone, Default)]
pub(crate) struct Warnings(Arc<Mutex<Vec<RunWarning>>>);

impl Warnings {
    /// Adds one, unless it is there.
    pub(crate) fn add(&self, code: WarningCode, server: &str, message: &str) {
        let warning = RunWarning { code, server: server.to_owned(), message: message.to_owned() };
        let mut warnings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if warnings.len() < MOST && !warnings.contains(&warning) {
            tracing::warn!(?code, server, message, "a tool server");
            warnings.push(warning);
        }
    }

    /// Those that there are by now.
    pub(crate) fn so_far(&self) -> Vec<RunWarning> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Watch for Warnings {
    fn call_failed(&self, server: &str, problem: &str) {
        self.add(WarningCode::McpCallFailed, server, problem);
    }

    fn tools_changed(&self, server: &str) {
        let message = "it has other tools by now; this turn keeps those that it began with";
        self.add(WarningCode::McpToolsChanged, server, message);
    }
}
