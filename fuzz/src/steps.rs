//! The assistant's row: what a host's steps become, and what is made of that again.

use serde_json::{Value, json};
use turnkeep::functions::call;
use turnkeep::js;

use crate::budget::within;
use crate::input::{Input, is_json, quoted};
use crate::structure::structure;

struct Call {
    id: Option<String>,
    name: Option<String>,
    input: Option<String>,
}

struct Outcome {
    id: Option<String>,
    name: Option<String>,
    /// The output's JSON, or the error's text.
    value: Option<String>,
}

struct Step {
    text: Option<String>,
    calls: Vec<Call>,
    results: Vec<Outcome>,
    errors: Vec<Outcome>,
}

/// Every call has one outcome in the row's parts; the row, the parts, the trace, the message for clients and the export
/// all tell the same.
pub fn steps(data: &[u8]) {
    let mut input = Input::new(data);
    let status = *input.pick(&["completed", "streaming", "error", "aborted"]);
    let in_progress = input.text();
    let steps: Vec<Step> = (0..input.below(5)).map(|_| step(&mut input)).collect();
    let written: Vec<String> = steps.iter().map(Step::to_json).collect();
    let written = format!("[{}]", written.join(","));
    let budget = |what: &str, arguments: &str| {
        let result = within(what, arguments.len(), 8000, || call(what, arguments));
        let result =
            result.unwrap_or_else(|error| panic!("{what} refused its steps: {error}")).expect("there is a result");
        assert!(is_json(&result), "{what} answered {result:?}");
        result
    };

    let row = budget(
        "flushAssistant",
        &format!("{{\"steps\":{written},\"inProgressText\":{},\"status\":{}}}", quoted(&in_progress), quoted(status)),
    );
    assert_eq!(js::canonical(&row).text, row, "rows have one spelling");
    // Deeper than serde goes.
    let Ok(row) = serde_json::from_str::<Value>(&row) else { return };
    let parts = row["metadata"]["parts"].as_array().expect("there is a list of parts");

    let texts = steps.iter().filter_map(|step| step.text.as_deref()).chain([in_progress.as_str()]);
    assert_eq!(row["content"], stored(&texts.collect::<String>()));
    assert_eq!(row["status"], status);

    let expected = expected_parts(&steps, &in_progress);
    assert_eq!(parts.len(), expected.len(), "{parts:?}");
    for (part, expected) in parts.iter().zip(&expected) {
        for (member, value) in expected.as_object().expect("a part is an object") {
            assert_eq!(&part[member], value, "{member} of {part}");
        }
        if part["type"] != "text" {
            let done = part["state"] == "output-available";
            assert_eq!(part.get("errorText").is_none(), done, "one outcome: {part}");
            assert!(done || part.get("output").is_none(), "one outcome: {part}");
        }
    }

    let list = budget("assistantParts", &format!("{{\"steps\":{written},\"fallbackText\":{}}}", quoted(&in_progress)));
    let list: Value = serde_json::from_str(&list).expect("the row could be read");
    let has_text = steps.iter().any(|step| step.text.as_ref().is_some_and(|text| !text.is_empty()));
    let finished = parts.len() - usize::from(!in_progress.is_empty());
    let shown = if has_text || in_progress.is_empty() { finished } else { parts.len() };
    assert_eq!(list.as_array().map(Vec::as_slice), parts.get(..shown), "the parts are those of the row");

    let trace = budget("serializeSteps", &format!("{{\"steps\":{written}}}"));
    assert_eq!(serde_json::from_str::<Value>(&trace).expect("the row could be read"), row["toolCalls"]);
    let entries = steps.iter().map(|step| step.calls.len() + step.results.len()).sum::<usize>();
    assert_eq!(row["toolCalls"].as_array().map_or(0, Vec::len), entries);

    let stored_row = json!({"id": "1", "role": "assistant", "content": row["content"], "metadata": row["metadata"],
        "status": row["status"]});
    let message = budget("rowToUiMessage", &json!({"row": stored_row}).to_string());
    let message: Value = serde_json::from_str(&message).expect("the row could be read");
    assert_eq!(&message["parts"], &row["metadata"]["parts"], "clients see the row's parts");

    let document =
        budget("buildChatMarkdown", &json!({"chatId": "c", "exportedAt": "t", "rows": [stored_row]}).to_string());
    let document: String = serde_json::from_str(&document).expect("a document is text");
    let tools: Vec<&Value> = parts.iter().filter(|part| part["type"] != "text").collect();
    let blocks = tools.iter().flat_map(|part| [part.get("input"), part.get("output")]).flatten().count();
    let (messages, found, code) = structure(&document);
    assert_eq!((messages, found, code.len()), (1, tools.len(), blocks), "{document}");
}

fn step(input: &mut Input<'_>) -> Step {
    let text = if input.chance(3) { None } else { Some(input.text()) };
    let calls = (0..input.below(4))
        .map(|_| Call { id: id(input), name: name(input), input: (!input.chance(4)).then(|| input.json(5)) })
        .collect();
    let results = (0..input.below(4))
        .map(|_| Outcome { id: id(input), name: name(input), value: (!input.chance(4)).then(|| input.json(9)) })
        .collect();
    let errors = (0..input.below(3))
        .map(|_| Outcome { id: id(input), name: name(input), value: (!input.chance(4)).then(|| input.text()) })
        .collect();
    Step { text, calls, results, errors }
}

fn id(input: &mut Input<'_>) -> Option<String> {
    match input.below(8) {
        0 => None,
        1 => Some(input.text()),
        other => Some(["", "a", "a", "b", "c", "\0"][usize::from(other) - 2].to_owned()),
    }
}

fn name(input: &mut Input<'_>) -> Option<String> {
    match input.below(6) {
        0 => None,
        1 | 2 => Some(input.text()),
        other => Some(["", "x", "getPage"][usize::from(other) - 3].to_owned()),
    }
}

impl Step {
    fn to_json(&self) -> String {
        let text = |text: &Option<String>| text.as_deref().map(quoted);
        let calls = self.calls.iter().map(|call| {
            object(&[("toolCallId", text(&call.id)), ("toolName", text(&call.name)), ("input", call.input.clone())])
        });
        let outcome = |outcome: &Outcome, name: &'static str, value: Option<String>| {
            object(&[("toolCallId", text(&outcome.id)), ("toolName", text(&outcome.name)), (name, value)])
        };
        let results = self.results.iter().map(|result| outcome(result, "output", result.value.clone()));
        let errors = self.errors.iter().map(|error| outcome(error, "errorText", text(&error.value)));
        let list = |items: Vec<String>| Some(format!("[{}]", items.join(",")));
        object(&[
            ("text", text(&self.text)),
            ("toolCalls", list(calls.collect())),
            ("toolResults", list(results.collect())),
            ("toolErrors", list(errors.collect())),
        ])
    }
}

fn object(members: &[(&str, Option<String>)]) -> String {
    let members = members.iter().filter_map(|(name, value)| Some(format!("\"{name}\":{}", value.as_ref()?)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

fn stored(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// What the parts must say, without the values that passed through.
fn expected_parts(steps: &[Step], in_progress: &str) -> Vec<Value> {
    let mut parts = Vec::new();
    let filled = |text: &Option<String>| text.as_deref().map(stored).filter(|text| !text.is_empty());
    for step in steps {
        parts.extend(filled(&step.text).map(|text| json!({"type": "text", "text": text})));
        for call in &step.calls {
            let (Some(id), Some(name)) = (filled(&call.id), filled(&call.name)) else { continue };
            let of_call = |outcome: &&Outcome| filled(&outcome.id).as_ref() == Some(&id);
            let mut part = json!({"type": format!("tool-{name}"), "toolCallId": id});
            if step.results.iter().rfind(of_call).is_some() {
                part["state"] = json!("output-available");
            } else {
                part["state"] = json!("output-error");
                let text = step.errors.iter().rfind(of_call).and_then(|error| filled(&error.value));
                part["errorText"] = json!(text.as_deref().unwrap_or("The tool call did not complete."));
            }
            parts.push(part);
        }
    }
    parts.extend(
        Some(stored(in_progress)).filter(|text| !text.is_empty()).map(|text| json!({"type": "text", "text": text})),
    );
    parts
}
