//! What clients of one version are told in another form than those of others. The log is in the form that all of them take.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cursor::TailItem;

/// Which version of the AI SDK a client is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// `ai` 6, and whoever reads what `ai` 6 reads.
    #[default]
    #[serde(rename = "ai-6")]
    Ai6,
    /// `ai` 7, which takes back steps that are withdrawn.
    #[serde(rename = "ai-7")]
    Ai7,
}

/// Tells chunks of one stream, in their order, as its client takes them.
#[derive(Debug, Default)]
pub(crate) struct Speaker {
    protocol: Protocol,
    /// Messages of the user that came with the step in progress: they stay when it is taken back.
    heard: Vec<Arc<str>>,
    /// The step was taken back: what comes next is told in its place.
    taken_back: bool,
}

const WITHDRAWN: &str = r#"{"type":"data-withdrawn""#;
const STEERING: &str = r#"{"type":"data-steering""#;
const START_STEP: &str = r#"{"type":"start-step""#;
const FINISH_STEP: &str = r#"{"type":"finish-step""#;
const RESET_STEP: &str = r#"{"type":"reset-step"}"#;

impl Speaker {
    pub(crate) fn new(protocol: Protocol) -> Self {
        Self { protocol, ..Self::default() }
    }

    /// These chunks as the client takes them: none, one, or some for each.
    pub(crate) fn tell(&mut self, chunks: Vec<Arc<str>>) -> Vec<Arc<str>> {
        match self.protocol {
            Protocol::Ai6 => chunks,
            Protocol::Ai7 => chunks.into_iter().flat_map(|chunk| self.tell_newer(chunk)).collect(),
        }
    }

    /// The same with places: whatever stands for a chunk has its place.
    pub(crate) fn tell_items(&mut self, items: Vec<TailItem>) -> Vec<TailItem> {
        if self.protocol == Protocol::Ai6 {
            return items;
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
            && let Some(message) = steering_message(&chunk)
        {
            self.heard.push(Arc::clone(&message));
            return vec![message];
        }
        if chunk.starts_with(WITHDRAWN) {
            self.taken_back = true;
            return std::iter::once(RESET_STEP.into()).chain(self.heard.drain(..)).collect();
        }
        vec![chunk]
    }
}

/// A message of the user that joins a run, as newer clients have it.
fn steering_message(chunk: &str) -> Option<Arc<str>> {
    #[derive(Deserialize)]
    struct Part<'a> {
        id: &'a str,
        #[serde(borrow)]
        data: Data<'a>,
    }
    #[derive(Deserialize)]
    struct Data<'a> {
        #[serde(borrow)]
        parts: &'a serde_json::value::RawValue,
    }
    #[derive(Serialize)]
    struct Message<'a> {
        r#type: &'static str,
        id: &'a str,
        parts: &'a serde_json::value::RawValue,
    }
    let Part { id, data } = serde_json::from_str(chunk).ok()?;
    serde_json::to_string(&Message { r#type: "steering-message", id, parts: data.parts }).ok().map(Arc::from)
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
