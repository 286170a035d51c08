//! JSON that passes through.

use serde_json::{Map, Value};
use turnkeep::js::{self, PRETTY_DEPTH};
use turnkeep::model::Json;
use turnkeep::project::{compact_text, compact_tool_output, compacted};

use crate::budget::within;
use crate::input::is_json;

/// The note that stands for what compaction left out; none is longer.
const NOTE: usize = r#"{"_truncated":true,"note":"nested content omitted"}"#.len();
/// Outputs up to this size are kept whole.
const KEPT: usize = 4000;
/// The longest spelling of a number is that of `1e20`, and of a character that of one which was escaped already.
const SPELLING: usize = 7;

/// One spelling: valid, a fixed point, and the same value as before; compaction: valid, spelled the same, and no larger
/// than its notes make it.
pub fn json(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let parsed = Json::parse(text);
    assert_eq!(parsed.is_ok(), is_json(text), "what is JSON stays JSON, and nothing else becomes it");
    let Ok(parsed) = parsed else {
        // Not in the contract, but it must not take the process down.
        let _ = js::canonical(text);
        let _ = js::pretty(text, &mut String::new());
        let _ = compact_text(text);
        return;
    };
    let canonical = within("canonical", text.len(), 2000, || js::canonical(text));
    let spelled = canonical.text.as_ref();
    assert!(is_json(spelled), "{spelled:?}");
    assert!(spelled.len() <= SPELLING * text.len() + 32);
    let again = js::canonical(spelled);
    assert_eq!((again.text.as_ref(), again.replaced), (spelled, 0), "canonical is a fixed point");
    if let (Ok(before), Ok(after)) = (serde_json::from_str(text), serde_json::from_str(spelled)) {
        same(&as_javascript_holds_it(before), &after);
    }

    let shown = js::canonical_shown(text);
    assert!(is_json(&shown), "{shown:?}");
    assert_eq!(js::canonical_shown(&shown), shown, "canonical_shown is a fixed point");
    if canonical.replaced == 0 {
        assert_eq!(shown, spelled);
    }

    let passed = parsed.get();
    let twice = Json::parse(passed).expect("kept JSON can be read again");
    assert_eq!(twice.get(), passed, "Json is a fixed point");
    assert_eq!(js::canonical(passed).text, spelled, "Json keeps the value");

    let mut pretty = String::new();
    within("pretty", text.len(), 2000, || js::pretty(spelled, &mut pretty)).expect("a String takes everything");
    assert!(is_json(&pretty), "{pretty:?}");
    assert_eq!(js::canonical(&pretty).text, spelled, "pretty keeps the value");
    assert!(pretty.len() <= (2 * PRETTY_DEPTH + 2) * (spelled.len() + 1));
    if let Ok(value) = serde_json::from_str::<Value>(spelled) {
        // Unless serde spells a number in another way.
        let as_serde_does = serde_json::to_string_pretty(&value).expect("a value has a JSON form");
        let respelled = value.to_string();
        assert!(pretty == as_serde_does || respelled != spelled, "{pretty}");
    }

    let compact = within("compact_text", text.len(), 2000, || compact_text(text));
    assert!(is_json(&compact), "{compact:?}");
    assert_eq!(js::canonical(&compact).text, compact, "compaction has one spelling");
    let notes = compact.matches("\"_truncated\":true").count();
    assert!(compact.len() <= spelled.len() + notes * NOTE, "compaction grows by its notes at most");
    let small = canonical.javascript_bytes() <= KEPT;
    if small {
        assert_eq!(compact, spelled, "what is small is kept");
    }
    assert_eq!(compacted(text), (!small).then(|| compact.to_string()));
    let of_log = compact_tool_output(&parsed);
    assert!(is_json(of_log.get()));
    assert!(of_log == parsed || js::canonical(of_log.get()).text == of_log.get());
}

/// Integer-like keys first, in their order; what cannot be stored replaced.
fn as_javascript_holds_it(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace('\0', "\u{fffd}")),
        Value::Array(items) => items.into_iter().map(as_javascript_holds_it).collect(),
        Value::Object(members) => {
            let mut merged = Map::new();
            for (key, value) in members {
                merged.insert(key.replace('\0', "\u{fffd}"), as_javascript_holds_it(value));
            }
            let index =
                |key: &str| key.parse().ok().filter(|index: &u32| *index != u32::MAX && index.to_string() == key);
            let mut members: Vec<(String, Value)> = merged.into_iter().collect();
            members.sort_by_key(|(key, _)| index(key).unwrap_or(u32::MAX));
            members.into_iter().collect::<Map<_, _>>().into()
        }
        other => other,
    }
}

/// Equal, keys in the same order; integers and fractions of the same size are the same number.
fn same(before: &Value, after: &Value) {
    match (before, after) {
        (Value::Number(before), Value::Number(after)) => {
            let exact = before.as_i128() == after.as_i128() && before.as_i128().is_some();
            assert!(exact || before.as_f64() == after.as_f64(), "{before} became {after}");
        }
        (Value::Array(before), Value::Array(after)) => {
            assert_eq!(before.len(), after.len());
            before.iter().zip(after).for_each(|(before, after)| same(before, after));
        }
        (Value::Object(before), Value::Object(after)) => {
            assert!(before.keys().eq(after.keys()), "{:?} became {:?}", before.keys(), after.keys());
            before.values().zip(after.values()).for_each(|(before, after)| same(before, after));
        }
        _ => assert_eq!(before, after),
    }
}
