//! What a run waits for that has asked somebody: an approval, an answer, or what a client does itself. Plain data; it is
//! kept with the run, and changed by computing a new one.

use serde::{Deserialize, Serialize};

use super::json::{Json, present};
use super::taint::TaintSource;
use super::word::words;
use crate::clock::Timestamp;

words! {
    /// What a call waits for.
    WaitKind {
        /// That somebody allows it.
        Approval = "approval",
        /// What a person answers: that is its output.
        Question = "question",
        /// What a client has come to: that is its output.
        ClientTool = "client_tool",
    }
    /// What has become of a call that has waited.
    AnswerKind {
        /// It was allowed.
        Approved = "approved",
        /// It was not allowed, or whoever was asked would not answer.
        Denied = "denied",
        /// It has its output.
        Answered = "answered",
        /// Nobody answered in time.
        Expired = "expired",
    }
}

/// What a tool's definition says of a call that has to wait.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// What it waits for.
    pub kind: WaitKind,
    /// The JSON Schema of the answer, or of the input that whoever allows the call may change.
    pub schema: Option<Json>,
    /// Whether whoever allows the call may change its input.
    pub editable: bool,
    /// Who may answer; the chat's owner when there are none.
    pub answerers: Vec<String>,
    /// After how many milliseconds nobody may answer any more.
    pub expires_after_ms: Option<u64>,
}

/// A call that waits, or has waited.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wait {
    /// The call.
    pub call_id: String,
    /// What it waits for.
    pub kind: WaitKind,
    /// Its tool.
    pub tool_name: String,
    /// Its arguments.
    pub input: Json,
    /// The JSON Schema of the answer, or of an input that may be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Json>,
    /// Whether its input may be changed by whoever allows it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub editable: bool,
    /// Who may answer; the chat's owner when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answerers: Vec<String>,
    /// After how many milliseconds it expires; the time itself once it is known when the run began to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after_ms: Option<u64>,
    /// From when on nobody may answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The answer, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// What the turn had read from outside when it made the call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tainted_by: Vec<TaintSource>,
}

/// What somebody has answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// What it says.
    pub kind: AnswerKind,
    /// Why, in the words of whoever answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The arguments that the call is made with instead of its own.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub input: Option<Json>,
    /// The call's output.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub output: Option<Json>,
    /// Who answered; nobody when it has expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// A call that waits, as it is shown to those who may answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitingCall {
    /// The call.
    pub call_id: String,
    /// What it waits for.
    pub kind: WaitKind,
    /// Its tool.
    pub tool_name: String,
    /// Its arguments.
    pub input: Json,
    /// The JSON Schema of the answer, or of an input that may be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Json>,
    /// Whether whoever allows it may change its input.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub editable: bool,
    /// From when on nobody may answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Stands for exactly this call: an answer that names it is for nothing else. Engines without an application secret
    /// give none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What the turn had read from outside when it made the call, the first of each origin; left out where it had read
    /// nothing, or `taint` is off.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tainted_by: Vec<TaintSource>,
}

/// Everything that a run waits for: calls of its last step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waits {
    /// The step that has made the calls.
    pub step: u32,
    /// How long the run had been driven by then, in milliseconds.
    pub taken_ms: u64,
    /// When the last answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<Timestamp>,
    /// The calls.
    pub calls: Vec<Wait>,
}

impl Wait {
    /// Whether it still waits.
    pub fn is_open(&self) -> bool {
        self.answer.is_none()
    }

    /// Whether nobody may answer it at this time any more.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

impl Waits {
    /// The same, which begins to wait now.
    #[must_use]
    pub fn from(mut self, now: Timestamp) -> Self {
        for wait in &mut self.calls {
            wait.expires_at = wait.expires_after_ms.map(|ms| now.after(std::time::Duration::from_millis(ms)));
        }
        self
    }

    /// Whether every call has its answer.
    pub fn are_answered(&self) -> bool {
        self.calls.iter().all(|wait| !wait.is_open())
    }

    /// When the next call expires.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.calls.iter().filter(|wait| wait.is_open()).filter_map(|wait| wait.expires_at).min()
    }

    /// The answer to this call of this step.
    pub fn answer_to(&self, step: u32, call_id: &str) -> Option<&Answer> {
        self.calls.iter().find(|wait| self.step == step && wait.call_id == call_id)?.answer.as_ref()
    }

    /// The same with this answer, given at this time; nothing when the call does not wait.
    #[must_use]
    pub fn answered(&self, call_id: &str, answer: Answer, now: Timestamp) -> Option<Self> {
        let mut waits = self.clone();
        let wait = waits.calls.iter_mut().find(|wait| wait.call_id == call_id && wait.is_open())?;
        wait.answer = Some(answer);
        waits.answered_at = waits.are_answered().then_some(now);
        Some(waits)
    }

    /// The same with what has expired at this time; nothing when that is nothing.
    #[must_use]
    pub fn expired(&self, now: Timestamp) -> Option<Self> {
        let mut waits = self.clone();
        let mut any = false;
        for wait in waits.calls.iter_mut().filter(|wait| wait.is_open() && wait.is_over(now)) {
            wait.answer = Some(Answer { kind: AnswerKind::Expired, reason: None, input: None, output: None, by: None });
            any = true;
        }
        waits.answered_at = waits.are_answered().then_some(now);
        any.then_some(waits)
    }

    /// As it is stored.
    pub(crate) fn to_json(&self) -> String {
        // Plain data with text keys can always be encoded.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// As it was stored.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(call_id: &str, expires_after_ms: Option<u64>) -> Wait {
        Wait {
            call_id: call_id.into(),
            kind: WaitKind::Approval,
            tool_name: "write".into(),
            input: Json::empty_object(),
            schema: None,
            editable: false,
            answerers: Vec::new(),
            expires_after_ms,
            expires_at: None,
            answer: None,
            tainted_by: Vec::new(),
        }
    }

    fn yes() -> Answer {
        Answer {
            kind: AnswerKind::Approved,
            reason: None,
            input: None,
            output: Some(Json::null()),
            by: Some("u".into()),
        }
    }

    #[test]
    fn a_call_is_answered_once_and_the_last_answer_ends_the_waiting() {
        let now = Timestamp::from_millis(1000);
        let waits = Waits { step: 2, calls: vec![wait("a", None), wait("b", Some(50))], ..Waits::default() }.from(now);
        assert_eq!(waits.next_expiry(), Some(Timestamp::from_millis(1050)));
        let one = waits.answered("a", yes(), now).unwrap();
        assert!(!one.are_answered() && one.answered_at.is_none());
        assert_eq!(one.answered("a", yes(), now), None);
        assert_eq!(one.answered("c", yes(), now), None);
        let all = one.expired(Timestamp::from_millis(1050)).unwrap();
        assert!(all.are_answered() && all.expired(now).is_none());
        assert_eq!(all.answer_to(2, "b").map(|answer| answer.kind), Some(AnswerKind::Expired));
        assert_eq!((all.answer_to(1, "b"), all.next_expiry()), (None, None));
        assert_eq!(Waits::parse(&all.to_json()), Some(all));
    }
}
