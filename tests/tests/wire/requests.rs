//! Call options to request bodies.

use libtest_mimic::Failed;
use serde_json::{Value, json};
use turnkeep::provider::{ChatRequest, Driver};

use crate::corpus::{driver, lines, request};
use crate::exceptions;
use crate::verdict::Tally;

pub(crate) fn compare(provider: &str) -> Result<(), Failed> {
    let mut tally = Tally::new(&format!("requests/{provider}"), exceptions::requests(provider));
    for case in lines(&format!("requests/{provider}.jsonl")) {
        let id = case["id"].as_str().expect("an id");
        let is_other_service = case["providerName"].as_str().is_some_and(|name| name.contains("vertex"));
        let Ok(call) = request(&case["options"]).map_err(|_| ()) else {
            tally.without_a_word();
            continue;
        };
        if is_other_service {
            tally.without_a_word();
            continue;
        }
        let model = case["modelId"].as_str().expect("a model");
        tally.case(id, difference(driver(provider, model).as_ref(), &call, &case));
    }
    tally.finish()
}

fn difference(driver: &dyn Driver, call: &ChatRequest, case: &Value) -> Option<String> {
    let sent = match driver.encode(call) {
        Ok(sent) => sent,
        Err(failure) => return Some(failure.message),
    };
    let body: Value = serde_json::from_slice(&sent.body).expect("a JSON body");
    let ours = without_streaming(body, case);
    let theirs = without_streaming(case["body"].clone(), case);
    if ours != theirs {
        return Some(format!("ours is {ours}, theirs {theirs}"));
    }
    let url = case["url"].as_str().unwrap_or_default().replace(":generateContent", ":streamGenerateContent?alt=sse");
    let is_dialect =
        !["openai", "google", "anthropic"].iter().any(|name| id_of(case).starts_with(&format!("{name}-req")));
    if sent.url != url && !is_dialect {
        return Some(format!("the URL is {}, theirs {url}", sent.url));
    }
    for (name, value) in &sent.headers {
        let sorted = |text: &str| {
            let mut words: Vec<String> = text.split(',').map(str::to_owned).collect();
            words.sort();
            words
        };
        if sorted(case["headers"][*name].as_str().unwrap_or_default()) != sorted(value) {
            return Some(format!("{name} is {value}, theirs {}", case["headers"][*name]));
        }
    }
    let missing = ["anthropic-beta", "anthropic-version"]
        .into_iter()
        .find(|name| case["headers"].get(*name).is_some() && !sent.headers.iter().any(|(known, _)| known == name));
    missing.map(|name| format!("{name} is missing"))
}

fn id_of(case: &Value) -> &str {
    case["id"].as_str().unwrap_or_default()
}

/// Without what only streaming adds, and without a choice of tools that nobody asked for: ours always says `auto`.
fn without_streaming(mut body: Value, case: &Value) -> Value {
    let Some(map) = body.as_object_mut() else { return body };
    map.remove("stream");
    map.remove("stream_options");
    if case["options"].get("toolChoice").is_none() {
        if map.get("tool_choice").is_some_and(|choice| *choice == "auto" || *choice == json!({"type": "auto"})) {
            map.remove("tool_choice");
        }
        if let Some(config) = map.get_mut("toolConfig").and_then(Value::as_object_mut)
            && config.get("functionCallingConfig") == Some(&json!({"mode": "AUTO"}))
        {
            config.remove("functionCallingConfig");
        }
        if map.get("toolConfig").is_some_and(|config| *config == json!({})) {
            map.remove("toolConfig");
        }
    }
    // A list of one text is the text.
    for message in map.get_mut("messages").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some([only]) = message["content"].as_array().map(Vec::as_slice)
            && only["type"] == "text"
            && only.as_object().is_some_and(|only| only.len() == 2)
            && message["role"] == "user"
        {
            message["content"] = only["text"].clone();
        }
    }
    if case["stream"] == false {
        for tool in map.get_mut("tools").and_then(Value::as_array_mut).into_iter().flatten() {
            tool.as_object_mut().map(|tool| tool.remove("eager_input_streaming"));
        }
    }
    body
}
