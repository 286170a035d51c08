//! The pure functions behind their one door.

use serde_json::Value;
use turnkeep::ErrorCode;
use turnkeep::functions::call;

use crate::budget::within;
use crate::input::{Input, is_json, quoted};
pub use crate::templates::FUNCTIONS;

/// Stands in every text of the arguments, and in no error.
const MARKER: &str = "qzMARKzq";

/// Nothing panics; results are JSON; errors are `INVALID_INPUT`, name a field, and repeat nothing of the arguments.
pub fn functions(data: &[u8]) {
    let mut input = Input::new(data);
    let (name, template) = *input.pick(FUNCTIONS);
    match input.below(4) {
        // The arguments as they come.
        0 => {
            let arguments = input.rest_text();
            check(name, &arguments);
            marked(name, &arguments);
        }
        // Text in every place where text belongs.
        1 => {
            let text = input.rest_text();
            check(name, &filled(template, &text, "null"));
            truths(&text);
        }
        // Any value in any place.
        2 => {
            let (text, value) = (input.text(), input.json(4));
            let arguments = filled(template, &text, &value);
            check(name, &arguments);
            marked(name, &arguments);
        }
        // Right, but for a few bytes.
        _ => {
            let mut arguments = filled(template, MARKER, "{\"qzMARKzq\":\"qzMARKzq\"}").into_bytes();
            while !input.is_empty() {
                let place = (usize::from(input.byte()) << 8 | usize::from(input.byte())) % arguments.len();
                match input.below(3) {
                    0 => arguments[place] = input.byte(),
                    1 => arguments.insert(place, input.byte()),
                    _ => arguments.truncate(place.max(1)),
                }
            }
            check(name, &String::from_utf8_lossy(&arguments));
        }
    }
}

fn filled(template: &str, text: &str, value: &str) -> String {
    // One pass, so that marks within what is put in mean nothing.
    let text = quoted(text);
    let mut out = String::new();
    for character in template.chars() {
        match character {
            '@' => out.push_str(&text),
            '#' => out.push_str(value),
            other => out.push(other),
        }
    }
    out
}

/// The same arguments with the marker in every text that is not a key.
fn marked(name: &str, arguments: &str) {
    fn mark(value: &mut Value) {
        match value {
            Value::String(text) => text.push_str(MARKER),
            Value::Array(items) => items.iter_mut().for_each(mark),
            Value::Object(members) => members.values_mut().for_each(mark),
            _ => {}
        }
    }
    if let Ok(mut value) = serde_json::from_str::<Value>(arguments) {
        mark(&mut value);
        check(name, &value.to_string());
    }
}

fn check(name: &str, arguments: &str) {
    match within(name, arguments.len(), 8000, || call(name, arguments)) {
        Ok(Some(result)) => assert!(is_json(&result), "{name} answered {result:?}"),
        Ok(None) => {}
        Err(error) => {
            let json = error.to_json();
            assert_eq!(error.code(), ErrorCode::InvalidInput, "{name}: {json}");
            let field = error.details().get("field").and_then(Value::as_str).unwrap_or_default();
            assert!(!field.is_empty(), "{name}: {json}");
            assert!(is_json(&json));
            // A path may lead through a name that the caller gave, but only when it is one.
            assert!(!json.contains(MARKER) || has_marked_key(arguments), "{name}: {json}");
        }
    }
}

fn has_marked_key(arguments: &str) -> bool {
    fn within(value: &Value) -> bool {
        match value {
            Value::Array(items) => items.iter().any(within),
            Value::Object(members) => members.iter().any(|(key, value)| key.contains(MARKER) || within(value)),
            _ => false,
        }
    }
    serde_json::from_str(arguments).is_ok_and(|value| within(&value))
}

fn text_of(name: &str, member: &str, text: &str) -> String {
    let result = call(name, &format!("{{\"{member}\":{}}}", quoted(text)));
    let result = result.expect("text is what it takes").expect("it always answers");
    serde_json::from_str(&result).expect("it answers with text")
}

/// What holds for every text.
fn truths(text: &str) {
    let title = text_of("cleanGeneratedTitle", "text", text);
    assert_eq!(text_of("cleanGeneratedTitle", "text", &title), title, "a clean title is clean");
    assert!(title.encode_utf16().count() <= 120 && !title.contains(['\n', '\r']), "{title:?}");

    let cut = text_of("truncateDegenerateOutput", "text", text);
    let stuck = |text: &str| call("isDegenerateOutput", &format!("{{\"text\":{}}}", quoted(text)));
    assert_eq!(stuck(&cut).expect("it takes text").as_deref(), Some("false"), "{cut:?}");

    let safe = text_of("sanitizeToolName", "value", text);
    assert!(safe.len() <= 64 && safe.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')));
    assert_eq!(text_of("sanitizeToolName", "value", &safe), safe.trim_matches('_'));

    for (size, overlap) in [(1, 0), (2, 1), (20, 19), (1000, 200)] {
        let options =
            format!(r#"{{"text":{},"options":{{"chunkSize":{size},"chunkOverlap":{overlap}}}}}"#, quoted(text));
        // Every unit may stand in as many chunks as overlap.
        let chunks = within("splitText", text.len(), 40_000, || call("splitText", &options));
        let chunks = chunks.expect("these options are right").expect("it always answers");
        let chunks: Vec<String> = serde_json::from_str(&chunks).expect("it answers with texts");
        let stored = text.replace('\0', "\u{fffd}");
        for chunk in &chunks {
            assert!(chunk.encode_utf16().count() <= size, "{chunk:?}");
            assert!(stored.contains(chunk.as_str()), "{chunk:?} is not in the text");
        }
    }
}
