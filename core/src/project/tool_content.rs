//! What a tool returned, as the model is to see it: a picture as a picture, a text within its budget.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::model::Json;

use super::history::ToolOutput;

/// How much text of one outcome a model is told, in bytes. What a tool returns is kept whole for people; for a model, a
/// million characters are the end of the chat.
pub const MAX_OUTCOME_BYTES: usize = 100_000;

/// A piece of an outcome that holds more than a value.
#[derive(Clone, Debug, PartialEq)]
pub enum ContentPart {
    /// Text.
    Text(String),
    /// A picture.
    Image {
        /// Its media type, which begins with `image/`.
        media_type: String,
        /// Its content.
        base64: String,
    },
}

impl ContentPart {
    /// The text, or what stands for a picture where none can be sent.
    pub fn as_text(&self) -> Cow<'_, str> {
        match self {
            ContentPart::Text(text) => Cow::Borrowed(text),
            ContentPart::Image { media_type, base64 } => Cow::Owned(note(media_type, base64.len() / 4 * 3)),
        }
    }
}

/// All of it as one text, with a note in the place of each picture.
pub fn content_text(parts: &[ContentPart]) -> String {
    parts.iter().map(ContentPart::as_text).collect::<Vec<_>>().join("\n\n")
}

fn note(media_type: &str, bytes: usize) -> String {
    format!("[{media_type}, {} KiB, not shown here]", bytes.div_ceil(1024))
}

/// What stands for a file whose content is not kept.
fn gone(media_type: &str) -> String {
    format!("[{media_type}, not kept]")
}

/// A returned value as the model is told of it. Pictures are recognized in the forms of external tool servers
/// (`{content: [{type: "image", data, mimeType}]}`), of the AI SDK (`{type: "content", value: [{type: "media", data,
/// mediaType}]}`), in a list of such parts, and as a data URL by itself.
pub(super) fn told(output: Json) -> ToolOutput {
    if output.get().starts_with('"') {
        return match output.as_string().as_deref().and_then(data_url) {
            Some((media_type, base64)) => ToolOutput::Content(vec![file(media_type, base64)]),
            None => within_budget(output),
        };
    }
    match files_in(&output) {
        Some(parts) => ToolOutput::Content(parts),
        None => within_budget(output),
    }
}

fn within_budget(output: Json) -> ToolOutput {
    if output.get().len() <= MAX_OUTCOME_BYTES {
        return ToolOutput::Json(output);
    }
    let text = output.as_string().unwrap_or_else(|| output.get().to_owned());
    ToolOutput::Json(Json::string(&shortened(text)))
}

/// The beginning and the end of a text that is too long, and how much is missing between them.
pub(super) fn shortened(text: String) -> String {
    if text.len() <= MAX_OUTCOME_BYTES {
        return text;
    }
    let head = text.floor_char_boundary(MAX_OUTCOME_BYTES / 10 * 8);
    let tail = text.ceil_char_boundary(text.len() - MAX_OUTCOME_BYTES / 10 * 2);
    let (first, last) = (text.get(..head).unwrap_or_default(), text.get(tail..).unwrap_or_default());
    format!("{first}\n[… {} bytes are left out here …]\n{last}", tail - head)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Piece {
    r#type: String,
    text: Option<String>,
    data: Option<String>,
    #[serde(alias = "mime_type")]
    mime_type: Option<String>,
    media_type: Option<String>,
    resource: Option<Resource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    text: Option<String>,
    blob: Option<String>,
    mime_type: Option<String>,
}

/// The pieces of a value that holds files in a known form; nothing when there is no file in it.
fn files_in(output: &Json) -> Option<Vec<ContentPart>> {
    // Files are long, and most outcomes are short or no lists of parts.
    if !output.get().contains("\"type\"") {
        return None;
    }
    let value: Value = output.read().ok()?;
    let (list, structured, mark) = match value {
        Value::Array(list) => (list, None, None),
        Value::Object(mut map) => {
            let mark = mark_of(&map);
            let list = map.shift_remove("content").or_else(|| map.shift_remove("value"));
            let Some(Value::Array(list)) = list else { return None };
            (list, map.shift_remove("structuredContent"), mark)
        }
        _ => return None,
    };
    let mut parts = Vec::with_capacity(list.len() + 1);
    parts.extend(mark.map(ContentPart::Text));
    let mut has_file = false;
    for piece in list {
        let piece: Piece = serde_json::from_value(piece).ok()?;
        let media_type = piece.media_type.or(piece.mime_type);
        match (piece.r#type.as_str(), piece.text, piece.data, piece.resource) {
            ("text", Some(text), ..) => parts.push(ContentPart::Text(text)),
            ("image" | "audio" | "media" | "file" | "image-data" | "file-data", _, Some(data), _) => {
                has_file = true;
                let guess = if piece.r#type.starts_with("image") { "image/png" } else { "application/octet-stream" };
                parts.push(file(media_type.as_deref().unwrap_or(guess), &data));
            }
            ("resource", _, _, Some(Resource { text: Some(text), .. })) => parts.push(ContentPart::Text(text)),
            ("resource", _, _, Some(Resource { blob: Some(data), mime_type, .. })) => {
                has_file = true;
                parts.push(file(mime_type.as_deref().unwrap_or("application/octet-stream"), &data));
            }
            _ => return None,
        }
    }
    if !has_file {
        return None;
    }
    if let Some(structured) = structured.filter(|value| !value.is_null()) {
        parts.push(ContentPart::Text(structured.to_string()));
    }
    for part in &mut parts {
        if let ContentPart::Text(text) = part {
            *text = shortened(std::mem::take(text));
        }
    }
    Some(parts)
}

/// What an outcome says of where it is from, which a model is told with its pieces as it is with a value.
fn mark_of(map: &Map<String, Value>) -> Option<String> {
    let is_untrusted = map.get("untrusted") == Some(&Value::Bool(true));
    let said = ["untrusted", "server"].into_iter().filter_map(|name| Some((name.to_owned(), map.get(name)?.clone())));
    is_untrusted.then(|| Value::Object(said.collect()).to_string())
}

fn file(media_type: &str, data: &str) -> ContentPart {
    let data = data_url(data).map_or(data, |(_, content)| content);
    if !is_base64(data) {
        // Such as what a stored row keeps of it.
        return ContentPart::Text(gone(media_type));
    }
    match media_type {
        "image/png" | "image/jpeg" | "image/gif" | "image/webp" => {
            ContentPart::Image { media_type: media_type.to_owned(), base64: data.to_owned() }
        }
        _ => ContentPart::Text(note(media_type, data.len() / 4 * 3)),
    }
}

fn data_url(text: &str) -> Option<(&str, &str)> {
    let (head, content) = text.strip_prefix("data:")?.split_once(',')?;
    let media_type = head.strip_suffix(";base64")?;
    Some((media_type.split(';').next().unwrap_or(media_type), content))
}

fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    !text.is_empty()
        && text.len().is_multiple_of(4)
        && text.len() - digits.len() <= 2
        && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> ToolOutput {
        told(Json::parse(text).unwrap())
    }

    #[test]
    fn a_picture_is_a_picture_in_whatever_form_it_comes() {
        let picture = ContentPart::Image { media_type: "image/png".into(), base64: "AAAA".into() };
        for form in [
            r#"{"content":[{"type":"image","data":"AAAA","mimeType":"image/png"}]}"#,
            r#"{"content":[{"type":"image","data":"data:image/png;base64,AAAA"}],"isError":false}"#,
            r#"[{"type":"image","data":"AAAA","mimeType":"image/png"}]"#,
            r#"{"type":"content","value":[{"type":"media","data":"AAAA","mediaType":"image/png"}]}"#,
            r#""data:image/png;base64,AAAA""#,
        ] {
            assert_eq!(of(form), ToolOutput::Content(vec![picture.clone()]), "{form}");
        }
    }

    #[test]
    fn what_is_from_outside_says_so_beside_its_pictures() {
        let picture = r#"{"type":"image","data":"AAAA","mimeType":"image/png"}"#;
        for (said, expected) in [
            (r#""untrusted":true,"server":"Wiki","#, Some(r#"{"untrusted":true,"server":"Wiki"}"#)),
            (r#""untrusted":true,"#, Some(r#"{"untrusted":true}"#)),
            (r#""untrusted":false,"server":"Wiki","#, None),
            (r#""server":"Wiki","#, None),
        ] {
            let ToolOutput::Content(parts) = of(&format!(r#"{{{said}"content":[{picture}]}}"#)) else { panic!() };
            let mark = parts.iter().find(|part| matches!(part, ContentPart::Text(_))).map(|part| part.as_text());
            assert_eq!(mark.as_deref(), expected);
            assert!(matches!(parts.last(), Some(ContentPart::Image { .. })));
        }
    }

    #[test]
    fn what_is_no_picture_any_more_is_named() {
        let cut = of(
            r#"{"content":[{"type":"text","text":"Taken."},{"type":"image","data":"AAAA… [cut]","mimeType":"image/png"},
            {"type":"audio","data":"AAAA","mimeType":"audio/wav"}]}"#,
        );
        let ToolOutput::Content(parts) = cut else { panic!() };
        assert_eq!(content_text(&parts), "Taken.\n\n[image/png, not kept]\n\n[audio/wav, 1 KiB, not shown here]");
    }

    #[test]
    fn values_stay_values() {
        for value in
            [r#"{"content":[{"type":"text","text":"a"}]}"#, r#"{"type":"x","n":1.0}"#, "[1]", "null", r#""data:x""#]
        {
            assert_eq!(of(value), ToolOutput::Json(Json::parse(value).unwrap()));
        }
    }

    #[test]
    fn a_text_without_end_has_a_beginning_and_an_end() {
        let ToolOutput::Json(json) = told(Json::string(&format!("first {} last", "ü".repeat(400_000)))) else {
            panic!()
        };
        let text = json.as_string().unwrap();
        assert!(text.starts_with("first ü") && text.ends_with("ü last") && text.len() < MAX_OUTCOME_BYTES + 100);
        assert!(text.contains("bytes are left out here"));
        let ToolOutput::Json(json) = told(Json::parse(&format!("[{}0]", "1,".repeat(100_000))).unwrap()) else {
            panic!()
        };
        assert!(json.get().len() < MAX_OUTCOME_BYTES + 100);
    }
}
