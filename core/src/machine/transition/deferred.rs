//! Tools that are callable from the step on that follows the one in which the model has asked for them. What it has asked
//! for is in the log, so that it is known to whoever goes on with the run.

use crate::model::{Json, StepRecord};
use crate::tool::{LOAD_TOOLS, loaded_in, not_loaded};

use super::RunMachine;

impl RunMachine {
    /// Takes in what this step has made callable.
    pub(super) fn note_loaded(&mut self, step: &StepRecord) {
        for name in loaded_in(step) {
            if self.tools.is_deferred(&name) && !self.loaded.contains(&name) {
                self.loaded.push(name);
            }
        }
    }

    /// The same of the step that has just been finished.
    pub(super) fn note_loaded_here(&mut self) {
        if self.step.calls().any(|call| call.name == LOAD_TOOLS) {
            let step = self.step.record(self.number);
            self.note_loaded(&step);
        }
    }

    /// The input of a call, if the tool is callable and the input fits it; else what the model is told.
    pub(super) fn check_call(&self, name: &str, arguments: &str) -> Result<Json, String> {
        if self.tools.is_deferred(name) && !self.loaded.iter().any(|loaded| loaded == name) {
            return Err(not_loaded(name));
        }
        self.tools.check(name, arguments)
    }
}
