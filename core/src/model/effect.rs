//! What is known of a call whose process has died: what such a call is called over all runs, and whether it may be made
//! again. Plain data.

use sha2::{Digest, Sha256};

use super::json::Json;
use super::word::words;
use crate::id::RunId;

words! {
    /// Why a call whose outcome is not known may be made again.
    Repeat {
        /// Its tool notes in the store's own database, with what it changes, that it has been done.
        Effects = "effects",
        /// Doing it twice is as good as doing it once.
        Idempotent = "idempotent",
    }
}

/// The longest id of a call that is part of its key as it is.
const LONGEST_CALL_ID: usize = 120;

/// The name of a call over all runs: the same whenever this call is made, and no other's. Ids of calls are a provider's, and
/// may be anything.
pub fn call_key(run_id: RunId, step: u32, call_id: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':');
    if !call_id.is_empty() && call_id.len() <= LONGEST_CALL_ID && call_id.bytes().all(is_plain) {
        return format!("{run_id}/{step}/{call_id}");
    }
    let digest = Sha256::digest(call_id.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{run_id}/{step}/sha256={hex}")
}

/// Whether a call has taken effect, as the store's database has it.
#[derive(Clone, Debug, PartialEq)]
pub struct CallEffect {
    /// The call's key.
    pub key: String,
    /// Its output, where the tool has noted it.
    pub result: Option<Json>,
    /// It has not been done, and never will be.
    pub is_void: bool,
}

/// What a model is told of a call that has taken effect and whose output nobody knows.
const DONE: &str = r#"{"done":true,"note":"The process ended while this tool was running. It has taken effect; its output was not kept."}"#;

/// What a model is told of a call that was being made when its process ended, and that has not taken effect.
const NOT_DONE: &str = "The process ended while this tool was running; it has not taken effect.";

impl CallEffect {
    /// What the call has come to: its output, or that it was not made.
    ///
    /// # Errors
    /// What the model is told of a call that was not made.
    pub fn outcome(&self) -> Result<Json, String> {
        match (self.is_void, &self.result) {
            (true, _) => Err(NOT_DONE.to_owned()),
            (false, Some(result)) => Ok(result.clone()),
            (false, None) => Ok(Json::parse(DONE).unwrap_or_else(|_| Json::null())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_has_a_key_of_its_own() {
        let (run, other) = (RunId::generate(), RunId::generate());
        assert_eq!(call_key(run, 3, "call_1"), format!("{run}/3/call_1"));
        let odd = ["", "a/b", "a\u{0}", "ä", &"x".repeat(LONGEST_CALL_ID + 1)];
        let mut keys: Vec<String> = odd.iter().map(|id| call_key(run, 0, id)).collect();
        assert!(keys.iter().all(|key| key.is_ascii() && key.len() < 160));
        keys.extend([call_key(run, 1, ""), call_key(other, 0, ""), call_key(run, 0, "a")]);
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), odd.len() + 3);
    }

    #[test]
    fn an_effect_says_what_the_call_has_come_to() {
        let effect = |result, is_void| CallEffect { key: String::new(), result, is_void };
        assert_eq!(effect(Some(Json::string("x")), false).outcome(), Ok(Json::string("x")));
        assert!(effect(None, false).outcome().unwrap().get().starts_with(r#"{"done":true"#));
        assert!(effect(None, true).outcome().unwrap_err().contains("has not taken effect"));
    }
}
