//! Tool calls whose pieces arrive under an index, an id, a name, or none of them.

use crate::model::Json;
use crate::provider::{RunBy, StreamPart};

use super::chunk::CallDelta;
use super::kept::Kept;

/// The calls of one answer.
#[derive(Default)]
pub(super) struct Calls(Vec<Call>);

struct Call {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
    announced: bool,
    /// The empty object that the arguments began with, as long as nothing else has come.
    placeholder: Option<String>,
    metadata: Option<Json>,
}

impl Calls {
    pub(super) fn delta(&mut self, delta: CallDelta, parts: &mut Vec<StreamPart>) {
        let function = delta.function.unwrap_or_default();
        let id = delta.id.filter(|id| !id.trim().is_empty());
        let name = function.name.filter(|name| !name.trim().is_empty());
        let place = self.place(delta.index, id.as_deref(), name.as_deref()).unwrap_or_else(|| {
            let number = self.0.len();
            self.0.push(Call {
                index: delta.index,
                id: id.unwrap_or_else(|| self.unused_id(number)),
                name: String::new(),
                arguments: String::new(),
                announced: false,
                placeholder: None,
                metadata: None,
            });
            number
        });
        let Some(call) = self.0.get_mut(place) else {
            return;
        };
        if let Some(name) = name
            && call.name.is_empty()
        {
            call.name = name;
        }
        let signature = delta.extra_content.and_then(|extra| extra.google).and_then(|google| google.thought_signature);
        if let Some(signature) = signature {
            call.metadata = Json::from_value(&serde_json::json!({"google": {"thoughtSignature": signature}})).ok();
        }
        let arguments = function.arguments.0;
        // An empty object is what some announce a call with whose arguments are still to come.
        if call.placeholder.is_some() && !arguments.trim().is_empty() {
            call.placeholder = None;
        } else if call.arguments.is_empty() && call.placeholder.is_none() && is_empty_object(&arguments) {
            call.placeholder = Some(arguments.clone());
        }
        let arguments = if call.placeholder.is_some() { String::new() } else { arguments };
        call.arguments.push_str(&arguments);
        if call.announced {
            if !arguments.is_empty() {
                parts.push(StreamPart::ToolInputDelta { id: call.id.clone(), delta: arguments });
            }
        } else if !call.name.is_empty() {
            // Some send the name only after the first arguments; readers need the name first.
            call.announced = true;
            let (id, name) = (call.id.clone(), call.name.clone());
            parts.push(StreamPart::ToolInputStart { id, name, run_by: RunBy::Host });
            if !call.arguments.is_empty() {
                parts.push(StreamPart::ToolInputDelta { id: call.id.clone(), delta: call.arguments.clone() });
            }
        }
    }

    fn unused_id(&self, number: usize) -> String {
        let mut id = format!("call_{number}");
        while self.0.iter().any(|call| call.id == id) {
            id.push('_');
        }
        id
    }

    /// The call that a delta continues; `None` when it begins a new one.
    fn place(&self, index: Option<u64>, id: Option<&str>, name: Option<&str>) -> Option<usize> {
        let Some(index) = index else {
            // Without an index a known id continues its call, and a delta without id and name the latest.
            return match (id, name) {
                (Some(id), _) => self.0.iter().rposition(|call| call.id == id),
                (None, Some(_)) => None,
                (None, None) => self.0.len().checked_sub(1),
            };
        };
        let place = self.0.iter().rposition(|call| call.index == Some(index))?;
        let call = self.0.get(place)?;
        // Gateways that number every call 0: another id that comes with a name is another call, and so is a name
        // that comes after complete arguments.
        let other_id = id.is_some_and(|id| id != call.id) && name.is_some() && !call.name.is_empty();
        let after_complete = id.is_none() && name.is_some() && call.announced && is_complete(call.written());
        if other_id || after_complete { None } else { Some(place) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Completes the calls; the first one carries what a gateway wants to see again. Returns how many of them never had a
    /// name.
    pub(super) fn finish(&mut self, kept: &mut Kept, parts: &mut Vec<StreamPart>) -> usize {
        let mut nameless = 0;
        for mut call in self.0.drain(..) {
            if call.announced {
                if let Some(placeholder) = call.placeholder {
                    parts.push(StreamPart::ToolInputDelta { id: call.id.clone(), delta: placeholder.clone() });
                    call.arguments = placeholder;
                }
                call.metadata = kept.take(call.metadata);
                parts.push(StreamPart::ToolCall {
                    id: call.id,
                    name: call.name,
                    arguments: call.arguments,
                    run_by: RunBy::Host,
                    metadata: call.metadata,
                });
            } else {
                nameless += 1;
            }
        }
        nameless
    }
}

impl Call {
    /// The arguments so far.
    fn written(&self) -> &str {
        self.placeholder.as_deref().unwrap_or(&self.arguments)
    }
}

fn is_empty_object(arguments: &str) -> bool {
    arguments
        .trim()
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .is_some_and(|inside| inside.trim().is_empty())
}

fn is_complete(arguments: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(arguments).is_ok()
}
