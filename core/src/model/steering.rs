//! Messages that join a run that is under way.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{ChatId, MessageId, RunId};

use super::json::Json;
use super::part::Part;
use super::word::words;

/// The type of the part that such a message is in the assistant's message, and of the chunk that tells it. Clients of every
/// version of the AI SDK take a part of this kind.
pub const STEERING_PART: &str = "data-steering";

words! {
    /// What has become of a message that was to join a run.
    SteeringState {
        /// It waits: for the next step of its run, or for the chat's next turn once that run has ended.
        Waiting = "waiting",
        /// It is in the log of its run, before the model's answer of `step`.
        Entered = "entered",
        /// Its run had ended: it is a message of the chat now, of the turn that came next.
        NextTurn = "next_turn",
        /// It was taken back before any of that.
        TakenBack = "taken_back",
    }
}

/// A message that was to join a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Steering {
    /// Its id: the client's own, or one that is made of it.
    pub message_id: MessageId,
    /// The run that it was for.
    pub run_id: RunId,
    /// The chat.
    pub chat_id: ChatId,
    /// What has become of it.
    pub state: SteeringState,
    /// The step before whose answer it has entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    /// The user's message: `{"parts": [...], "metadata"?}`.
    pub message: Json,
    /// When it was accepted.
    pub created_at: Timestamp,
}

impl Steering {
    /// The part of the assistant's message that it is once it has entered.
    pub fn part(&self) -> Json {
        #[derive(Serialize)]
        struct Data<'a> {
            r#type: &'a str,
            id: MessageId,
            data: &'a Json,
        }
        let part = Data { r#type: STEERING_PART, id: self.message_id, data: &self.message };
        // Plain data with text keys cannot fail to serialize.
        Json::from_value(&part).unwrap_or_else(|_| Json::null())
    }
}

/// What a run's log says where messages enter before a step: that the step begins, unless that was told, and the messages.
pub fn entering_chunks(begun: bool, entered: &[Steering]) -> Vec<Arc<str>> {
    let begins = (!begun).then(|| Arc::from(r#"{"type":"start-step"}"#));
    begins.into_iter().chain(entered.iter().map(|message| Arc::from(message.part().get()))).collect()
}

/// Whether a part is a user's message that has joined the run.
pub fn is_steering(part: &Json) -> bool {
    #[derive(Deserialize)]
    struct Typed {
        r#type: String,
    }
    part.get().contains(STEERING_PART) && part.read::<Typed>().is_ok_and(|part| part.r#type == STEERING_PART)
}

/// The parts of the user's message, of a part that is one.
pub fn steering_parts(part: &Json) -> Option<Vec<Part>> {
    #[derive(Deserialize)]
    struct Data {
        data: Message,
    }
    #[derive(Deserialize)]
    struct Message {
        parts: Vec<Part>,
    }
    if !is_steering(part) {
        return None;
    }
    part.read::<Data>().ok().map(|part| part.data.parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_back_from_its_part() {
        let message = Json::parse(r#"{"parts":[{"type":"text","text":"I meant B"}]}"#).unwrap();
        let steering = Steering {
            message_id: MessageId::generate(),
            run_id: RunId::generate(),
            chat_id: ChatId::generate(),
            state: SteeringState::Waiting,
            step: None,
            message,
            created_at: Timestamp::from_millis(0),
        };
        let part = steering.part();
        let id = steering.message_id;
        let expected = format!(
            r#"{{"type":"data-steering","id":"{id}","data":{{"parts":[{{"type":"text","text":"I meant B"}}]}}}}"#
        );
        assert_eq!(part.get(), expected);
        let texts: Vec<_> =
            steering_parts(&part).unwrap().iter().filter_map(|part| part.as_text().map(str::to_owned)).collect();
        assert_eq!(texts, ["I meant B"]);
        assert!(steering_parts(&Json::parse(r#"{"type":"data-x","data":"data-steering"}"#).unwrap()).is_none());
        assert_eq!(entering_chunks(true, std::slice::from_ref(&steering)).len(), 1);
        assert_eq!(&*entering_chunks(false, &[steering])[0], r#"{"type":"start-step"}"#);
    }
}
