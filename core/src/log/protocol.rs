//! What clients of one version are told in another form than those of others.
//!
//! The log has steering and withdrawn steps in a form that all of them take, and everything else as the newest of them do:
//! whatever only those know is told to the others in another form, without what they do not know, or not at all.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use crate::model::{Protocol, StreamFormat};
use crate::project::{keeping, steering_message};

use super::ag_ui::AgUi;
use super::chunk::SSE_DONE;
use super::cursor::{Cursor, TailItem};
use super::older::for_older;

/// Tells chunks of one stream, in their order, as its client takes them.
#[derive(Debug, Default)]
pub(crate) struct Speaker {
    protocol: Protocol,
    /// Messages of the user that came with the step in progress: they stay when it is taken back.
    heard: Vec<Arc<str>>,
    /// The step was taken back: what comes next is told in its place.
    taken_back: bool,
    /// The questions about calls that have no outcome yet, by the call.
    asked: HashMap<String, Question>,
    /// Of a client that is told events of AG-UI.
    ag_ui: Option<AgUi>,
    /// Behind what was told last.
    last: Cursor,
    /// Up to here its client knows what there is.
    known: Option<Cursor>,
}

/// That somebody is asked whether a call may be made.
#[derive(Debug)]
struct Question {
    approval_id: String,
    /// Why it was allowed, where the log says it with the question.
    answer_reason: Option<String>,
}

const WITHDRAWN: &str = r#"{"type":"data-withdrawn""#;
const STEERING: &str = r#"{"type":"data-steering""#;
const START_STEP: &str = r#"{"type":"start-step""#;
const FINISH_STEP: &str = r#"{"type":"finish-step""#;
const TOOL_OUTPUT: &str = r#"{"type":"tool-output-"#;
const APPROVAL_REQUEST: &str = r#"{"type":"tool-approval-request""#;
const RESET_STEP: &str = r#"{"type":"reset-step"}"#;

impl Speaker {
    pub(crate) fn new(protocol: Protocol) -> Self {
        Self { protocol, ..Self::default() }
    }

    /// The same in another format.
    pub(crate) fn in_format(self, format: StreamFormat) -> Self {
        Self { ag_ui: (format == StreamFormat::AgUi).then(AgUi::default), ..self }
    }

    /// Whether what a chunk is depends on all that comes before it.
    pub(crate) fn needs_all(&self) -> bool {
        self.ag_ui.is_some()
    }

    /// The client knows everything up to a place.
    pub(crate) fn known_until(&mut self, place: Cursor) {
        self.known = Some(place);
    }

    /// What a stream over HTTP ends with.
    pub(crate) fn terminator(&self) -> &'static str {
        if self.ag_ui.is_some() { "" } else { SSE_DONE }
    }

    /// These chunks as the client takes them: none, one, or some for each.
    pub(crate) fn tell(&mut self, chunks: Vec<Arc<str>>) -> Vec<Arc<str>> {
        if let Some(ag_ui) = &mut self.ag_ui {
            return chunks.iter().flat_map(|chunk| ag_ui.tell(chunk)).collect();
        }
        match self.protocol {
            Protocol::Ai6 => chunks.into_iter().map(for_older).collect(),
            Protocol::Ai7 => chunks.into_iter().flat_map(|chunk| self.tell_newer(chunk)).collect(),
        }
    }

    /// What of a chunk the client does not know, each with the place behind it where that is known.
    pub(crate) fn tell_placed(&mut self, place: Option<Cursor>, chunk: Arc<str>) -> Vec<(Option<Cursor>, Arc<str>)> {
        let Some(ag_ui) = &mut self.ag_ui else {
            return self.tell(vec![chunk]).into_iter().map(|chunk| (place, chunk)).collect();
        };
        let events = ag_ui.tell(&chunk);
        let before = self.last;
        let known = match (self.known, place) {
            (Some(known), Some(place)) if (known.sequence, known.compact) >= (place.sequence, place.compact) => {
                events.len()
            }
            (Some(known), Some(_)) if Cursor { events: 0, ..known } == before => known.events as usize,
            _ => 0,
        };
        self.last = place.unwrap_or(before);
        let count = events.len();
        let behind = |event: usize| match place {
            Some(_) if event < count => Some(Cursor { events: event as u32, ..before }),
            place => place,
        };
        (1..).zip(events).skip(known).map(|(event, told)| (behind(event), told)).collect()
    }

    /// The same with places: whatever stands for a chunk has its place.
    pub(crate) fn tell_items(&mut self, items: Vec<TailItem>) -> Vec<TailItem> {
        if self.ag_ui.is_some() {
            return self.tell_events(items);
        }
        if self.protocol == Protocol::Ai6 {
            let tell = |item: TailItem| TailItem { chunk: for_older(item.chunk), ..item };
            return items.into_iter().map(tell).collect();
        }
        let mut told = Vec::with_capacity(items.len());
        for TailItem { cursor, chunk, mut resync } in items {
            if resync {
                *self = Self::new(self.protocol);
            }
            for chunk in self.tell_newer(chunk) {
                told.push(TailItem { cursor, chunk, resync: std::mem::take(&mut resync) });
            }
        }
        told
    }

    fn tell_events(&mut self, items: Vec<TailItem>) -> Vec<TailItem> {
        let mut told = Vec::with_capacity(items.len());
        for TailItem { cursor, chunk, mut resync } in items {
            if resync {
                *self = Self::new(self.protocol).in_format(StreamFormat::AgUi);
            }
            for (place, chunk) in self.tell_placed(Some(cursor), chunk) {
                let cursor = place.unwrap_or(cursor);
                told.push(TailItem { cursor, chunk, resync: std::mem::take(&mut resync) });
            }
        }
        told
    }

    fn tell_newer(&mut self, chunk: Arc<str>) -> Vec<Arc<str>> {
        if chunk.starts_with(START_STEP) {
            self.heard.clear();
            // It is told in the place of the one that was taken back.
            return if std::mem::take(&mut self.taken_back) { Vec::new() } else { vec![chunk] };
        }
        if chunk.starts_with(FINISH_STEP) && self.taken_back {
            return Vec::new();
        }
        if chunk.starts_with(STEERING)
            && let Some(message) = steering_message(&chunk).map(Arc::from)
        {
            self.heard.push(Arc::clone(&message));
            return vec![message];
        }
        if chunk.starts_with(WITHDRAWN) {
            self.taken_back = true;
            self.asked.clear();
            return std::iter::once(RESET_STEP.into()).chain(self.heard.drain(..)).collect();
        }
        if chunk.starts_with(APPROVAL_REQUEST) {
            return vec![self.question(chunk)];
        }
        if chunk.starts_with(TOOL_OUTPUT) && !self.asked.is_empty() {
            return self.answer(&chunk).into_iter().chain([chunk]).collect();
        }
        vec![chunk]
    }

    /// The question without its answer, which is kept for when it is told.
    fn question(&mut self, chunk: Arc<str>) -> Arc<str> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Asked {
            tool_call_id: String,
            approval_id: String,
            answer_reason: Option<String>,
        }
        let Ok(Asked { tool_call_id, approval_id, answer_reason }) = serde_json::from_str(&chunk) else { return chunk };
        let told = answer_reason.is_some().then(|| keeping(&chunk, |member| member != "answerReason")).flatten();
        self.asked.insert(tool_call_id, Question { approval_id, answer_reason });
        told.map_or(chunk, Arc::from)
    }

    /// What somebody has said of the call that this is the outcome of.
    fn answer(&mut self, chunk: &str) -> Option<Arc<str>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct OfCall {
            r#type: String,
            tool_call_id: String,
            reason: Option<String>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Response {
            r#type: &'static str,
            approval_id: String,
            approved: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            reason: Option<String>,
        }
        let of_call: OfCall = serde_json::from_str(chunk).ok()?;
        let Question { approval_id, answer_reason } = self.asked.remove(&of_call.tool_call_id)?;
        let approved = of_call.r#type != "tool-output-denied";
        let reason = if approved { answer_reason } else { of_call.reason };
        let response = Response { r#type: "tool-approval-response", approval_id, approved, reason };
        serde_json::to_string(&response).ok().map(Arc::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(protocol: Protocol, chunks: &[&str]) -> Vec<String> {
        let mut speaker = Speaker::new(protocol);
        // However the stream comes in pieces.
        let tell = |chunk: &&str| speaker.tell(vec![Arc::from(*chunk)]);
        chunks.iter().flat_map(tell).map(|chunk| chunk.to_string()).collect()
    }

    const STEERED: &str = r#"{"type":"data-steering","id":"m","data":{"parts":[{"type":"text","text":"B"}]}}"#;
    const TAKEN_BACK: &str = r#"{"type":"data-withdrawn","id":"withdrawn-0","data":{"step":0,"kind":"silence"}}"#;

    #[test]
    fn older_clients_are_told_everything_as_it_is() {
        let chunks = [START_STEP, STEERED, TAKEN_BACK, FINISH_STEP];
        assert_eq!(told(Protocol::Ai6, &chunks), chunks);
    }

    #[test]
    fn newer_clients_are_told_what_was_said_of_a_call() {
        let asked =
            |call: &str| format!(r#"{{"type":"tool-approval-request","approvalId":"a-{call}","toolCallId":"{call}"}}"#);
        let denied = r#"{"type":"tool-output-denied","toolCallId":"c","reason":"no"}"#;
        let done = r#"{"type":"tool-output-available","toolCallId":"d","output":1}"#;
        let other = r#"{"type":"tool-output-available","toolCallId":"e","output":1}"#;
        let (of_c, of_d) = (asked("c"), asked("d"));
        let expected = [
            of_c.as_str(),
            &of_d,
            other,
            r#"{"type":"tool-approval-response","approvalId":"a-c","approved":false,"reason":"no"}"#,
            denied,
            r#"{"type":"tool-approval-response","approvalId":"a-d","approved":true}"#,
            done,
        ];
        assert_eq!(told(Protocol::Ai7, &[&of_c, &of_d, other, denied, done]), expected);
        assert_eq!(told(Protocol::Ai6, &[&of_d, done]), [of_d.as_str(), done]);
    }

    #[test]
    fn newer_clients_take_a_step_back_and_keep_what_the_user_has_said() {
        let (start, finish) = (r#"{"type":"start-step"}"#, r#"{"type":"finish-step"}"#);
        let (half, whole) = (r#"{"type":"text-start","id":"text-0-0"}"#, r#"{"type":"text-start","id":"text-1-0"}"#);
        let usage = r#"{"type":"message-metadata","messageMetadata":{}}"#;
        let message = r#"{"type":"steering-message","id":"m","parts":[{"type":"text","text":"B"}]}"#;
        let chunks = [start, STEERED, half, TAKEN_BACK, finish, usage, start, whole, finish, start];
        let expected = [start, message, half, RESET_STEP, message, usage, whole, finish, start];
        assert_eq!(told(Protocol::Ai7, &chunks), expected);
    }

    #[test]
    fn who_has_to_begin_anew_is_told_so_once() {
        let mut speaker = Speaker::new(Protocol::Ai7);
        let cursor = super::super::Cursor::after(0);
        let item = |chunk: &str, resync: bool| TailItem { cursor, chunk: chunk.into(), resync };
        speaker.tell_items(vec![item(TAKEN_BACK, false)]);
        // What was taken back is nothing to whoever begins anew.
        let told = speaker.tell_items(vec![item(r#"{"type":"start"}"#, true), item(r#"{"type":"start-step"}"#, false)]);
        let seen: Vec<(&str, bool)> = told.iter().map(|item| (&*item.chunk, item.resync)).collect();
        assert_eq!(seen, [(r#"{"type":"start"}"#, true), (r#"{"type":"start-step"}"#, false)]);
    }
}
