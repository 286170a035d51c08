//! What tools show before they are done.

use tokio::sync::mpsc;

use crate::model::Json;

/// How many outputs of one call wait to be shown. What comes faster than it is taken is left out: the last output of a
/// call is its outcome, and is always shown.
const MOST_WAITING: usize = 32;

/// Shows readers what a call's output is so far, as the AI SDK's preliminary results. Nothing of it is recorded.
#[derive(Clone, Debug)]
pub struct ToolProgress {
    shown: mpsc::Sender<Json>,
}

impl ToolProgress {
    /// One, and where what it shows comes out.
    pub fn new() -> (Self, mpsc::Receiver<Json>) {
        let (shown, receiver) = mpsc::channel(MOST_WAITING);
        (Self { shown }, receiver)
    }

    /// Shows an output. `false` when that is in vain: the call is over, or too much waits already.
    pub fn show(&self, output: Json) -> bool {
        self.shown.try_send(output).is_ok()
    }
}
