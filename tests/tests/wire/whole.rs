//! Answers that come whole although a stream was asked for, and recordings without an expectation.

use libtest_mimic::Failed;
use serde_json::{Value, json};
use turnkeep::provider::{BlockKind, StreamPart};

use crate::corpus::{PROVIDERS, driver, files, framed, lines};
use crate::exceptions;
use crate::parts::{Decoded, decode, decoder, decodes_alike, tokens};
use crate::verdict::{Tally, all, difference};

/// `wire/generate`: the same content, reason and usage as the packages read.
pub(crate) fn compare() -> Result<(), Failed> {
    all(PROVIDERS.iter().map(|provider| {
        let mut tally = Tally::new(&format!("generate/{provider}"), exceptions::whole(provider));
        for case in lines(&format!("generate/{provider}.jsonl")) {
            let id = case["id"].as_str().expect("an id");
            let body = match case["response"]["recorded"].as_str() {
                Some(file) => std::fs::read_to_string(crate::corpus::wire().join(file)).expect("a recording"),
                None => case["response"]["body"].to_string(),
            };
            let is_answer = case["result"]["content"].is_array() && case["response"]["type"] != "error";
            if !is_answer {
                tally.without_a_word();
                continue;
            }
            let driver = driver(provider, case["modelId"].as_str().unwrap_or("m"));
            let decoded = decode(decoder(driver.as_ref(), &case["options"]), [body.as_bytes()]);
            tally.case(id, differs(&decoded, &case["result"]));
        }
        tally
    }))
}

fn differs(decoded: &Decoded, result: &Value) -> Option<String> {
    let mut ours: Vec<Value> = Vec::new();
    let mut finish = Value::Null;
    for part in &decoded.parts {
        match part {
            StreamPart::BlockStart { kind, .. } => {
                ours.push(json!([if *kind == BlockKind::Text { "text" } else { "reasoning" }, ""]));
            }
            StreamPart::BlockDelta { delta, .. } => {
                let Some(last) = ours.last_mut() else { continue };
                last[1] = json!(format!("{}{delta}", last[1].as_str().unwrap_or_default()));
            }
            StreamPart::ToolCall { name, arguments, .. } => ours.push(json!(["tool-call", name, as_json(arguments)])),
            StreamPart::Finish { reason, usage } => finish = json!([reason.as_str(), tokens(usage)]),
            StreamPart::Error(failure) => return Some(failure.message.clone()),
            _ => {}
        }
    }
    ours.retain(|item| item[0] == "tool-call" || item[1] != "");
    let content = result["content"].as_array().into_iter().flatten();
    let theirs: Vec<Value> = content
        .filter_map(|part| match part["type"].as_str()? {
            kind @ ("text" | "reasoning") if part["text"] != "" => Some(json!([kind, part["text"]])),
            kind @ "tool-call" => {
                Some(json!([kind, part["toolName"], as_json(part["input"].as_str().unwrap_or_default())]))
            }
            _ => None,
        })
        .collect();
    // The order of thoughts, text and calls in a whole answer is each reader's own.
    let sorted = |mut list: Vec<Value>| {
        list.sort_by_key(|item| item[0].as_str().map(str::to_owned));
        list
    };
    if let Some(difference) = difference(&sorted(ours), &sorted(theirs)) {
        return Some(difference);
    }
    let usage = &result["usage"];
    let mut theirs = json!([
        result["finishReason"]["unified"],
        [usage["inputTokens"]["total"], usage["outputTokens"]["total"], usage["outputTokens"]["reasoning"]]
    ]);
    for usage in [&mut finish, &mut theirs] {
        if usage[1][2] == 0 {
            usage[1][2] = Value::Null;
        }
    }
    (finish != theirs).then(|| format!("the finish is {finish}, theirs {theirs}"))
}

fn as_json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

/// The recorded streams that no case uses: the same parts however they are cut.
pub(crate) fn recorded() -> Result<(), Failed> {
    let mut count = 0;
    for provider in PROVIDERS {
        let used: Vec<String> = lines(&format!("streams/{provider}.jsonl"))
            .iter()
            .filter_map(|case| case["response"]["recorded"].as_str().map(str::to_owned))
            .collect();
        for file in files(&format!("recorded/{provider}"), ".chunks.txt") {
            let text = std::fs::read_to_string(&file)?;
            let done = !matches!(*provider, "google" | "anthropic");
            let bytes = framed(text.lines(), done);
            let driver = driver(provider, "recorded");
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if used.iter().any(|used| used.ends_with(&name)) {
                continue;
            }
            let decoded = decodes_alike(|| driver.decoder(), bytes.as_bytes())
                .map_err(|failed| format!("{name}: {}", failed.message().unwrap_or_default()))?;
            if decoded.failure.is_some() || decoded.parts.is_empty() {
                return Err(format!("{name} does not decode").into());
            }
            count += 1;
        }
    }
    eprintln!("recorded: {count} streams decode alike however they are cut");
    Ok(())
}
