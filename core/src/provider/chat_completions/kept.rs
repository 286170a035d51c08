//! What gateways want to see again of an answer, in members of their own beside the text and the calls: OpenRouter's
//! reasoning details, LiteLLM's thinking blocks, Copilot's opaque reasoning. It goes back as it came.

use serde_json::{Map, Value};

use crate::model::Json;
use crate::provider::wire::metadata_of;

/// The name under which parts carry these members.
pub(super) const KEPT: &str = "gateway";
/// The name under which parts carry what any service of this kind has said.
pub(super) const OWN: &str = "openaiCompatible";
/// The name of the member in which reasoning came, among what a part carries.
pub(super) const REASONING_NAME: &str = "reasoningField";

/// The members of one answer.
#[derive(Default)]
pub(super) struct Kept(Map<String, Value>);

impl Kept {
    /// Takes a piece of a list. Pieces of the same text are put together, as they would have come in one.
    pub(super) fn list(&mut self, name: &str, pieces: Vec<Value>) {
        let known = self.0.entry(name).or_insert_with(|| Value::Array(Vec::new()));
        let Value::Array(known) = known else { return };
        for piece in pieces {
            match known.last_mut() {
                Some(last) if continues(last, &piece) => add(last, piece),
                _ => known.push(piece),
            }
        }
    }

    /// Takes a piece of a text.
    pub(super) fn text(&mut self, name: &str, piece: &str) {
        match self.0.get_mut(name) {
            Some(Value::String(known)) => known.push_str(piece),
            _ => {
                self.0.insert(name.to_owned(), piece.into());
            }
        }
    }

    /// All of it as the metadata of the part that carries it, merged into what the part carries already.
    pub(super) fn take(&mut self, with: Option<Json>) -> Option<Json> {
        let members = std::mem::take(&mut self.0);
        if members.is_empty() {
            return with;
        }
        let kept = metadata_of(KEPT, &Value::Object(members))?;
        let Some(with) = with else { return Some(kept) };
        let mut all: Map<String, Value> = with.read().ok()?;
        all.extend(kept.read::<Map<String, Value>>().ok()?);
        Json::from_value(&all).ok()
    }
}

/// The members that grow piece by piece.
const GROWING: [&str; 4] = ["text", "summary", "thinking", "signature"];

/// Whether a piece is more of the entry before it: of the same kind and place, and of text.
fn continues(last: &Value, piece: &Value) -> bool {
    let same = |name: &str| last.get(name).is_some() && last.get(name) == piece.get(name);
    let grows = |value: &Value| GROWING.iter().any(|name| value.get(name).is_some_and(Value::is_string));
    let sealed = |value: &Value| value.get("data").is_some();
    let is_place_known = same("index") || (last.get("index").is_none() && piece.get("index").is_none());
    same("type") && is_place_known && grows(piece) && !sealed(last) && !sealed(piece)
}

fn add(last: &mut Value, piece: Value) {
    let (Value::Object(last), Value::Object(piece)) = (last, piece) else { return };
    for (name, value) in piece {
        match (last.get_mut(&name), value) {
            (_, Value::Null) => {}
            (Some(Value::String(known)), Value::String(more)) if GROWING.contains(&name.as_str()) => {
                known.push_str(&more)
            }
            (_, value) => {
                last.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_one_thought_are_one_and_sealed_ones_stay_apart() {
        let mut kept = Kept::default();
        for pieces in [
            r#"[{"type":"reasoning.text","text":"I ","format":"f","index":0}]"#,
            r#"[{"type":"reasoning.text","text":"look.","index":0},{"type":"reasoning.text","signature":"S","text":"","index":0}]"#,
            r#"[{"type":"reasoning.encrypted","data":"A","index":1}]"#,
            r#"[{"type":"reasoning.encrypted","data":"B","index":1}]"#,
        ] {
            kept.list("reasoning_details", serde_json::from_str(pieces).unwrap());
        }
        let metadata = kept.take(Json::parse(r#"{"google":{"a":1.0}}"#).ok()).unwrap();
        let value: Value = metadata.read().unwrap();
        assert_eq!(value["google"]["a"], serde_json::json!(1.0));
        assert_eq!(
            value["gateway"]["reasoning_details"],
            serde_json::json!([
                {"type": "reasoning.text", "text": "I look.", "format": "f", "index": 0, "signature": "S"},
                {"type": "reasoning.encrypted", "data": "A", "index": 1},
                {"type": "reasoning.encrypted", "data": "B", "index": 1},
            ])
        );
        assert_eq!(kept.take(None), None);
    }
}
