//! What a call came to, as it is kept and as a model is told of it: data of a stranger, marked as such, of bounded size.

use serde_json::{Map, Value, json};

use crate::model::Json;

use super::words;

/// How many pieces a result may have.
const MOST_PIECES: usize = 1_000;
/// How much of a name or an address is kept, in UTF-16 units.
const NAME_UNITS: usize = 2_000;

/// The outcome of a call of `server`'s, at most about `room` bytes long.
///
/// # Errors
/// What the server says went wrong, or what is wrong with what it says.
pub(super) fn read(result: &Value, server: &str, room: usize) -> Result<Json, String> {
    match result["resultType"].as_str() {
        None | Some("complete") => {}
        Some("input_required") => return Err("The server asks for input that nobody here can give.".to_owned()),
        Some(_) => return Err("The server answers in a way that is not known here.".to_owned()),
    }
    let Some(map) = result.as_object() else { return Err("The server's answer has no content.".to_owned()) };
    let mut room = Room(room);
    let given = map.get("content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut content: Vec<Value> = given.iter().take(MOST_PIECES).filter_map(|piece| room.piece(piece)).collect();
    if given.len() > MOST_PIECES {
        content.push(text(&format!("[{} more pieces are left out]", given.len() - MOST_PIECES)));
    }
    if map.get("isError").and_then(Value::as_bool) == Some(true) {
        let told: Vec<&str> = content.iter().filter_map(|piece| piece["text"].as_str()).collect();
        let told = told.join("\n");
        return Err(if told.is_empty() { "The server says that the call failed.".to_owned() } else { told });
    }
    let mut outcome = Map::new();
    outcome.insert("untrusted".to_owned(), true.into());
    outcome.insert("server".to_owned(), words::line(server, NAME_UNITS).into());
    outcome.insert("content".to_owned(), content.into());
    if let Some(structured) = map.get("structuredContent").filter(|value| !value.is_null()) {
        let size = structured.to_string().len();
        let kept = if room.takes(size) { structured.clone() } else { left_out("structured content", size).into() };
        outcome.insert("structuredContent".to_owned(), kept);
    }
    // Nothing in it cannot be written; and what could not would be no result.
    Json::from_value(&outcome).map_err(|_| "The server's answer cannot be read.".to_owned())
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn left_out(what: &str, bytes: usize) -> String {
    format!("[{what}, {} KiB, is left out: the result is too large]", bytes.div_ceil(1024))
}

/// How many bytes may still be kept.
struct Room(usize);

impl Room {
    fn takes(&mut self, bytes: usize) -> bool {
        let rest = self.0.checked_sub(bytes);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// A text, or as much of it as there is room for.
    fn text(&mut self, given: &str) -> String {
        if self.takes(given.len()) {
            return given.to_owned();
        }
        let kept = given.get(..given.floor_char_boundary(self.0)).unwrap_or_default();
        self.0 = 0;
        format!("{kept}\n[… {} bytes are left out: the result is too large]", given.len() - kept.len())
    }

    /// A piece in one of the forms that are known; of others only that they were there.
    fn piece(&mut self, piece: &Value) -> Option<Value> {
        let of = |value: &Value, name: &str| value[name].as_str().map(|text| words::line(text, NAME_UNITS));
        let kind = piece["type"].as_str()?;
        Some(match kind {
            "text" => text(&self.text(piece["text"].as_str().unwrap_or_default())),
            "image" | "audio" => {
                let (data, mime_type) = (piece["data"].as_str().unwrap_or_default(), of(piece, "mimeType"));
                match self.takes(data.len()) {
                    true => json!({"type": kind, "data": data, "mimeType": mime_type}),
                    false => text(&left_out(kind, data.len())),
                }
            }
            "resource" => {
                let (resource, uri) = (&piece["resource"], of(&piece["resource"], "uri"));
                let mime_type = of(resource, "mimeType");
                match (resource["text"].as_str(), resource["blob"].as_str()) {
                    (Some(given), _) => {
                        let given = self.text(given);
                        json!({"type": "resource", "resource": {"uri": uri, "mimeType": mime_type, "text": given}})
                    }
                    (None, Some(blob)) if self.takes(blob.len()) => {
                        json!({"type": "resource", "resource": {"uri": uri, "mimeType": mime_type, "blob": blob}})
                    }
                    (None, blob) => text(&left_out("a resource", blob.unwrap_or_default().len())),
                }
            }
            // A link is told, and followed by nobody.
            "resource_link" => {
                let (uri, name, mime_type) = (of(piece, "uri"), of(piece, "name"), of(piece, "mimeType"));
                json!({"type": kind, "uri": uri, "name": name, "mimeType": mime_type})
            }
            other => text(&format!("[content of the kind {}, not known here]", words::line(other, 64))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(result: Value, room: usize) -> Value {
        serde_json::from_str(read(&result, "S", room).unwrap().get()).unwrap()
    }

    #[test]
    fn every_kind_is_kept_and_marked() {
        let result = json!({"content": [
            {"type": "text", "text": "a", "annotations": {}},
            {"type": "image", "data": "AAAA", "mimeType": "image/png"},
            {"type": "resource", "resource": {"uri": "x:y", "text": "t"}},
            {"type": "resource_link", "uri": "file:///a", "name": "n\u{202e}"},
            {"type": "hologram"},
        ], "structuredContent": {"n": 1.0}, "_meta": {}});
        let expected = json!({"untrusted": true, "server": "S", "content": [
            {"type": "text", "text": "a"},
            {"type": "image", "data": "AAAA", "mimeType": "image/png"},
            {"type": "resource", "resource": {"uri": "x:y", "mimeType": null, "text": "t"}},
            {"type": "resource_link", "uri": "file:///a", "name": "n", "mimeType": null},
            {"type": "text", "text": "[content of the kind hologram, not known here]"},
        ], "structuredContent": {"n": 1.0}});
        assert_eq!(kept(result, 1000), expected);
    }

    #[test]
    fn what_is_too_large_is_cut_or_named() {
        let long = "ü".repeat(5_000);
        let result = json!({"content": [{"type": "text", "text": long}, {"type": "image", "data": "A".repeat(4096)},
            {"type": "resource", "resource": {"blob": "A".repeat(4096)}}], "structuredContent": long});
        let kept = kept(result, 1_001);
        assert!(kept.to_string().len() < 2_000, "{kept}");
        assert!(kept["content"][0]["text"].as_str().unwrap().contains("9000 bytes are left out"), "{kept}");
        assert!(kept["structuredContent"].as_str().unwrap().contains("left out"));
        let many: Vec<Value> = (0..MOST_PIECES + 7).map(|_| text("x")).collect();
        let kept = super::tests::kept(json!({"content": many}), 1_000_000);
        assert_eq!(kept["content"].as_array().unwrap().len(), MOST_PIECES + 1);
    }

    #[test]
    fn failures_are_failures() {
        let failed = json!({"content": [{"type": "text", "text": "no such file"}], "isError": true});
        assert_eq!(read(&failed, "S", 1000).unwrap_err(), "no such file");
        assert!(read(&json!({"content": [], "isError": true}), "S", 9).is_err());
        for (result, says) in [
            (json!({"resultType": "input_required", "inputRequests": {}}), "asks for input"),
            (json!({"resultType": "task"}), "not known"),
            (json!("x"), "no content"),
        ] {
            assert!(read(&result, "S", 9).unwrap_err().contains(says));
        }
    }
}
