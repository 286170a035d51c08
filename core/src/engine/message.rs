//! A user's message: what a client may send, and what is refused before anything is written.

use serde::{Deserialize, Deserializer, Serialize};

use crate::error::{Error, ErrorCode, Result};
use crate::model::{Json, Part, TextPart};
use crate::text::storable;

use super::request::check_client_id;

/// A user's message: text, or the AI SDK's `UIMessage`, of which the parts are kept.
#[derive(Clone, Debug)]
pub enum UserMessage {
    /// One text part.
    Text(String),
    /// An object with `parts`.
    Parts(Json),
}

impl<'de> Deserialize<'de> for UserMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Json::deserialize(deserializer)?;
        Ok(json.as_string().map_or(UserMessage::Parts(json), UserMessage::Text))
    }
}

/// What a client says of its message besides the parts.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Envelope {
    /// Its own id for it.
    pub(super) id: Option<String>,
    /// What it wants to find with it again.
    pub(super) metadata: Option<Json>,
}

#[derive(Deserialize)]
struct MessageFields {
    role: Option<String>,
    parts: Option<Vec<Json>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PartFields {
    r#type: Option<String>,
    text: Option<String>,
    media_type: Option<String>,
    url: Option<String>,
}

impl UserMessage {
    /// What is said of it besides its parts.
    pub(super) fn envelope(&self) -> Result<Envelope> {
        let UserMessage::Parts(json) = self else { return Ok(Envelope::default()) };
        let wrong = |_| Error::invalid("message.id", "must be text");
        let mut envelope: Envelope = json.read().map_err(wrong)?;
        envelope.id = envelope.id.filter(|id| !id.is_empty());
        envelope.metadata = envelope.metadata.filter(|metadata| metadata.get() != "null");
        if let Some(id) = &envelope.id {
            check_client_id("message.id", id)?;
        }
        Ok(envelope)
    }

    /// The parts as they will be stored, after a check of each.
    pub(super) fn parts(&self) -> Result<Vec<Part>> {
        let json = match self {
            UserMessage::Text(text) if text.is_empty() => {
                return Err(Error::invalid("message", "must not be empty"));
            }
            UserMessage::Text(text) => {
                return Ok(vec![Part::Text(TextPart { text: storable(text.clone()), ..Default::default() })]);
            }
            UserMessage::Parts(json) => json,
        };
        let fields: MessageFields =
            json.read().map_err(|_| Error::invalid("message", "must be text or an object with parts"))?;
        if fields.role.is_some_and(|role| role != "user") {
            return Err(Error::invalid("message.role", "must be user"));
        }
        let parts = fields.parts.filter(|parts| !parts.is_empty());
        let parts = parts.ok_or_else(|| Error::invalid("message.parts", "must hold at least one part"))?;
        let mut says_something = false;
        for (index, part) in parts.iter().enumerate() {
            says_something |= check_part(part, &format!("message.parts[{index}]"))?;
        }
        if !says_something {
            return Err(Error::invalid("message.parts", "must hold text or a file"));
        }
        parts.iter().map(|part| part.read().map_err(|_| Error::invalid("message.parts", "cannot be read"))).collect()
    }
}

/// A message's metadata as it is stored: its parts, and what its client wants to find with it again.
pub(super) fn stored_message(parts: &[Part], metadata: Option<&Json>) -> Result<Json> {
    #[derive(Serialize)]
    struct Stored<'a> {
        parts: &'a [Part],
        #[serde(skip_serializing_if = "Option::is_none")]
        metadata: Option<&'a Json>,
    }
    let stored = Json::from_value(&Stored { parts, metadata });
    stored.map_err(|_| Error::invalid("message.parts", "cannot be stored"))
}

/// The files that some provider takes.
const TAKEN_BY_SOME: [&str; 5] = ["image/*", "audio/*", "video/*", "text/*", "application/pdf"];

/// Whether a media type is of a kind such as `image/*`.
fn is_of(media_type: &str, kind: &str) -> bool {
    match kind.strip_suffix('*') {
        Some(family) => media_type.starts_with(family) && media_type.len() > family.len(),
        None => media_type == kind,
    }
}

/// Refuses files of kinds that the provider has no form for, before anything is written.
pub(super) fn check_files(parts: &[Part], taken: Option<&[&str]>) -> Result<()> {
    let Some(taken) = taken else { return Ok(()) };
    for (index, part) in parts.iter().enumerate() {
        let Part::Other(json) = part else { continue };
        let fields: PartFields = json.read().unwrap_or_default();
        let Some(media_type) = fields.media_type.filter(|_| fields.r#type.as_deref() == Some("file")) else { continue };
        // Their parameters say nothing of the kind.
        let kind = media_type.split(';').next().unwrap_or_default().trim();
        if !taken.iter().any(|taken| is_of(kind, taken)) {
            let field = format!("message.parts[{index}].mediaType");
            let message = format!("{field}: this provider takes {} only", taken.join(", "));
            return Err(Error::new(ErrorCode::UnsupportedMedia, message).with_detail("field", field));
        }
    }
    Ok(())
}

/// Whether the part is something that a model can be told.
pub(super) fn check_part(part: &Json, path: &str) -> Result<bool> {
    let fields: PartFields = part.read().map_err(|_| Error::invalid(path, "must be a part object"))?;
    match fields.r#type.as_deref() {
        None => Err(Error::invalid(format!("{path}.type"), "is missing")),
        Some("text") => match fields.text {
            None => Err(Error::invalid(format!("{path}.text"), "is missing")),
            Some(text) => Ok(!text.is_empty()),
        },
        Some("file") => {
            if fields.url.is_none_or(|url| url.is_empty()) {
                return Err(Error::invalid(format!("{path}.url"), "is missing"));
            }
            match fields.media_type {
                Some(media_type) if TAKEN_BY_SOME.iter().any(|taken| is_of(&media_type, taken)) => Ok(true),
                _ => Err(Error::invalid(
                    format!("{path}.mediaType"),
                    format!("must be one of {}", TAKEN_BY_SOME.join(", ")),
                )),
            }
        }
        // Kept for the client, not sent to the model.
        Some(_) => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field_of<T>(result: Result<T>) -> String {
        result.err().expect("an error").details()["field"].as_str().unwrap().to_owned()
    }

    fn turn(message: &str) -> Result<Vec<Part>> {
        Json::parse(message).unwrap().read::<UserMessage>().unwrap().parts()
    }

    #[test]
    fn messages_are_checked_part_by_part() {
        for (json, field) in [
            (r#""""#, "message"),
            ("{}", "message.parts"),
            (r#"{"parts":[]}"#, "message.parts"),
            (r#"{"parts":[{"type":"text","text":""}]}"#, "message.parts"),
            (r#"{"parts":[{"type":"text"}]}"#, "message.parts[0].text"),
            (r#"{"parts":[{"text":"x"}]}"#, "message.parts[0].type"),
            (r#"{"parts":[{"type":"text","text":"x"},5]}"#, "message.parts[1]"),
            (r#"{"parts":[{"type":"file","url":"u","mediaType":"application/zip"}]}"#, "message.parts[0].mediaType"),
            (r#"{"role":"system","parts":[{"type":"text","text":"x"}]}"#, "message.role"),
        ] {
            assert_eq!(field_of(turn(json)), field, "{json}");
        }
        assert_eq!(turn(r#""hi""#).unwrap().len(), 1);
        assert_eq!(
            turn(r#"{"id":"m","parts":[{"type":"text","text":"x"},{"type":"data-x","data":1}]}"#).unwrap().len(),
            2
        );
    }
}
