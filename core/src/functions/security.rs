//! Functions that guard what comes in.

use super::Function;

pub(super) fn find(_name: &str) -> Option<Function> {
    None
}
