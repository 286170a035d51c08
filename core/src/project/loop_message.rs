//! A message of the user that joined a step of a host's loop, as the AI SDK has it in a prompt.

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::model::{Json, STEERING_PART};
use crate::text::storable;

use super::loop_step::object;

/// A user's message.
#[derive(Clone, Debug, Deserialize)]
pub struct LoopMessage {
    /// What the user says: a text, or texts, images and files.
    content: Json,
}

/// Text, an image or a file.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoopMessagePart {
    r#type: LoopMessagePartKind,
    /// Of text.
    text: Option<String>,
    /// An image: a URL, or what is in it as base64.
    image: Option<Json>,
    /// A file: a URL, what is in it as base64, or either as the AI SDK 7 tags it.
    data: Option<Json>,
    /// What kind of file it is.
    media_type: Option<String>,
    /// Its name.
    filename: Option<String>,
    /// What providers are to be told with it.
    provider_options: Option<Json>,
}

/// What a part of a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoopMessagePartKind {
    /// Text.
    Text,
    /// An image.
    Image,
    /// Any other file, or an image as well.
    File,
}

impl LoopMessage {
    /// The part of the assistant's message that it is, before what the step's model call has answered. Errors name places
    /// below the message.
    pub(super) fn into_part(self, id: &str) -> Result<Json> {
        let parts = match self.content.as_string() {
            Some(text) => vec![object("text", [("text", Some(Json::string(&storable(text))))])],
            None => {
                let parts: Vec<LoopMessagePart> =
                    crate::error::from_json(self.content.get(), "").map_err(|error| error.below("content"))?;
                let parts = parts.into_iter().enumerate();
                parts.map(|(place, part)| part.into_part(&format!("content[{place}]"))).collect::<Result<_>>()?
            }
        };
        let parts = parts.iter().map(Json::get).collect::<Vec<_>>().join(",");
        let data = Json::parse(&format!("{{\"parts\":[{parts}]}}")).unwrap_or_else(|_| Json::null());
        Ok(object(STEERING_PART, [("id", Some(Json::string(id))), ("data", Some(data))]))
    }
}

impl LoopMessagePart {
    fn into_part(self, path: &str) -> Result<Json> {
        let missing = |field: &str| Error::invalid(format!("{path}.{field}"), "is missing");
        let text = |value: String| Some(Json::string(&storable(value)));
        match self.r#type {
            LoopMessagePartKind::Text => {
                let said = self.text.ok_or_else(|| missing("text"))?;
                Ok(object("text", [("text", text(said)), ("providerMetadata", self.provider_options)]))
            }
            kind @ (LoopMessagePartKind::File | LoopMessagePartKind::Image) => {
                let is_image = kind == LoopMessagePartKind::Image;
                let field = if is_image { "image" } else { "data" };
                let data = self.data.or(self.image).ok_or_else(|| missing(field))?;
                let default = is_image.then(|| "image/*".to_owned());
                let media_type = self.media_type.or(default).ok_or_else(|| missing("mediaType"))?;
                let url = data_url(&data, &media_type)
                    .ok_or_else(|| Error::invalid(format!("{path}.{field}"), "has a form that cannot be kept"))?;
                let members = [
                    ("mediaType", text(media_type)),
                    ("url", text(url)),
                    ("filename", self.filename.and_then(text)),
                    ("providerMetadata", self.provider_options),
                ];
                Ok(object("file", members))
            }
        }
    }
}

/// A URL stays; anything else is the content in base64.
fn data_url(data: &Json, media_type: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Tagged {
        r#type: String,
        data: Option<String>,
        url: Option<String>,
    }
    let inline = |base64: &str| format!("data:{media_type};base64,{base64}");
    if let Some(text) = data.as_string() {
        let is_url = ["data:", "http:", "https:"].iter().any(|scheme| text.starts_with(scheme));
        return Some(if is_url { text } else { inline(&text) });
    }
    match data.read::<Tagged>().ok()? {
        Tagged { r#type, url: Some(url), .. } if r#type == "url" => Some(url),
        Tagged { r#type, data: Some(data), .. } if r#type == "data" => Some(inline(&data)),
        _ => None,
    }
}
