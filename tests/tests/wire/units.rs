//! The conversions by themselves: messages, tools, schemas, usage.

use libtest_mimic::Failed;
use serde_json::{Value, json};
use turnkeep::provider::StreamPart;

use crate::corpus::{conversation, driver, lines, request};
use crate::exceptions;
use crate::parts::{decode, tokens};
use crate::verdict::{Tally, all};

type Compare = fn(&Value) -> Option<Option<String>>;

/// The corpora, and how a case of each is compared; nothing for one that turnkeep has no word for.
const CORPORA: &[(&str, Compare)] = &[
    ("openai-messages", |case| messages("openai", case)),
    ("openai-compatible-messages", |case| messages("openai-compatible", case)),
    ("google-messages", |case| messages("google", case)),
    ("anthropic-messages", |case| messages("anthropic", case)),
    ("openai-tools", |case| tools("openai", case)),
    ("openai-compatible-tools", |case| tools("openai-compatible", case)),
    ("google-tools", |case| tools("google", case)),
    ("anthropic-tools", |case| tools("anthropic", case)),
    ("google-schema", schema),
    ("openai-compatible-usage", |case| usage("openai-compatible", case)),
    ("anthropic-usage", |case| usage("anthropic", case)),
];

pub(crate) fn compare() -> Result<(), Failed> {
    all(CORPORA.iter().map(|(corpus, compare)| {
        let mut tally = Tally::new(&format!("unit/{corpus}"), exceptions::units(corpus));
        for (number, case) in lines(&format!("unit/{corpus}.jsonl")).iter().enumerate() {
            match compare(case) {
                Some(difference) => tally.case(&format!("{corpus}:{}", number + 1), difference),
                None => tally.without_a_word(),
            }
        }
        tally
    }))
}

fn body(provider: &str, model: &str, call: &turnkeep::provider::ChatRequest) -> Result<Value, String> {
    let sent = driver(provider, model).encode(call).map_err(|failure| failure.message)?;
    Ok(serde_json::from_slice(&sent.body).expect("a JSON body"))
}

fn unlike(ours: &Value, theirs: &Value) -> Option<String> {
    (ours != theirs).then(|| format!("ours is {ours}, theirs {theirs}"))
}

fn messages(provider: &str, case: &Value) -> Option<Option<String>> {
    let first = &case["args"][0];
    let prompt = if first.is_array() { first } else { &first["prompt"] };
    let mut call = conversation(prompt.as_array()?).ok()?;
    let settings = if first.is_array() { &case["args"][1] } else { first };
    if settings["supportsFunctionResponseParts"] == false || settings["providerOptionsName"] == "vertex" {
        return None;
    }
    let mut own = json!({});
    if let Some(mode) = settings["systemMessageMode"].as_str() {
        own = json!({"openai": {"systemMessageMode": mode}});
    }
    if settings["sendReasoning"] == false {
        own = json!({"anthropic": {"sendReasoning": false}});
    }
    call.options.provider_options = turnkeep::model::Json::from_value(&own).ok();
    let model = match (provider, settings["isGemmaModel"] == true, settings["isGemini3Model"] == true) {
        ("google", true, _) => "gemma-3-12b-it",
        ("google", _, true) => "gemini-3-pro",
        ("google", ..) => "gemini-2.5-flash",
        // Google's signatures go to Google's models.
        ("openai-compatible", ..) => "gemini-test",
        ("anthropic", ..) => "claude-sonnet-4-5",
        _ => "gpt-4o",
    };
    let sent = match (body(provider, model, &call), case.get("thrown")) {
        (Err(_), Some(_)) => return Some(None),
        (Ok(sent), Some(thrown)) => return Some(Some(format!("ours is {sent}, theirs throws {thrown}"))),
        (Err(message), None) => return Some(Some(message)),
        (Ok(sent), None) => sent,
    };
    let pick = |names: &[&str], from: &Value| {
        let members = names.iter().filter_map(|name| Some(((*name).to_owned(), from.get(*name)?.clone())));
        members.collect::<Value>()
    };
    let result = &case["result"];
    Some(match provider {
        "google" => {
            unlike(&pick(&["systemInstruction", "contents"], &sent), &pick(&["systemInstruction", "contents"], result))
        }
        "anthropic" => unlike(&pick(&["system", "messages"], &sent), &pick(&["system", "messages"], &result["prompt"])),
        _ => unlike(&sent["messages"], if result.is_array() { result } else { &result["messages"] }),
    })
}

fn tools(provider: &str, case: &Value) -> Option<Option<String>> {
    let given = &case["args"][0];
    let options = json!({"tools": given["tools"], "toolChoice": given["toolChoice"]});
    let call = request(&options).ok()?;
    let model = match provider {
        "google" => given["modelId"].as_str().unwrap_or("gemini-2.5-flash"),
        "anthropic" if given["supportsStructuredOutput"] == true => "claude-sonnet-4-5",
        "anthropic" => "claude-3-haiku-20240307",
        _ => "gpt-4o",
    };
    let mut sent = body(provider, model, &call).ok()?;
    let result = &case["result"];
    for tool in sent["tools"].as_array_mut().into_iter().flatten() {
        tool.as_object_mut().map(|tool| tool.remove("eager_input_streaming"));
    }
    let chosen = given["toolChoice"].is_object();
    let (choice, theirs) = match provider {
        "google" => (&sent["toolConfig"], &result["toolConfig"]),
        _ => (&sent["tool_choice"], &result["toolChoice"]),
    };
    Some(unlike(&sent["tools"], &result["tools"]).or_else(|| if chosen { unlike(choice, theirs) } else { None }))
}

fn schema(case: &Value) -> Option<Option<String>> {
    let options = json!({"tools": [{"type": "function", "name": "t", "inputSchema": case["args"][0]}]});
    let sent = body("google", "gemini-2.5-flash", &request(&options).ok()?).ok()?;
    let ours = &sent["tools"][0]["functionDeclarations"][0]["parameters"];
    if case.get("thrown").is_some() {
        return Some(Some(format!("ours is {ours}")));
    }
    let theirs = if case["result"] == json!({"$undefined": true}) { Value::Null } else { case["result"].clone() };
    Some(unlike(ours, &theirs))
}

fn usage(provider: &str, case: &Value) -> Option<Option<String>> {
    let events = match provider {
        "anthropic" => {
            let usage = &case["args"][0]["usage"];
            vec![
                json!({"type": "message_start", "message": {"id": "m"}}),
                json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}),
            ]
        }
        _ => vec![json!({"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": case["args"][0]})],
    };
    let bytes: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    let decoded = decode(driver(provider, "claude-sonnet-4-5").decoder(), [bytes.as_bytes()]);
    let Some(StreamPart::Finish { usage, .. }) = decoded.parts.last() else {
        return Some(Some("there is no finish".to_owned()));
    };
    let result = &case["result"];
    let theirs =
        json!([result["inputTokens"]["total"], result["outputTokens"]["total"], result["outputTokens"]["reasoning"]]);
    Some(unlike(&tokens(usage), &theirs))
}
