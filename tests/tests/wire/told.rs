//! What a client is told, and what it makes of that: chunks in a form that compares, and the message that they become.

use serde_json::{Map, Value, json};

use crate::parts::{Names, renamed};

/// The text of a call that nobody answered.
const INCOMPLETE: &str = "The tool call did not complete.";

/// What is to be compared of a case.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) chunks: Vec<Value>,
    pub(crate) parts: Vec<Value>,
}

/// Chunks without what is ours or theirs alone: ids by their order, no error texts, no metadata of the message. Rows of
/// the table that hold for every case are applied here: D-01 (a call without an outcome gets one), D-02 (what is open
/// is closed, and an error is told when its step is over), D-03 (a tool that the provider runs needs no entry among the
/// tools), D-04 (an empty text is none), D-05 (a call that failed is told of by one kind of part).
pub(crate) fn told(chunks: &[Value]) -> Told {
    let mut names = Names::default();
    let mut list: Vec<Value> = Vec::new();
    let mut open: Vec<Value> = Vec::new();
    let mut error = false;
    let mut executed: Vec<String> = Vec::new();
    for chunk in chunks {
        let kind = chunk["type"].as_str().unwrap_or_default();
        let id = chunk["id"].as_str().unwrap_or_default();
        let call = chunk["toolCallId"].as_str().unwrap_or_default();
        let metadata = renamed(&chunk["providerMetadata"]);
        let runs = if chunk["providerExecuted"] == true { json!("provider") } else { Value::Null };
        match kind {
            "message-metadata" => {}
            "text-start" | "reasoning-start" => {
                let name = names.begin(&format!("{kind} {id}"));
                open.push(json!([kind.replace("start", "end"), name]));
                list.push(json!([kind, name, metadata]));
            }
            "text-delta" | "reasoning-delta" | "text-end" | "reasoning-end" => {
                let start = kind.replace("delta", "start").replace("end", "start");
                let name = names.get(&format!("{start} {id}"));
                if kind.ends_with("end") {
                    open.retain(|end| *end != json!([kind, name]));
                }
                list.push(json!([kind, name, metadata, chunk["delta"]]));
            }
            "tool-input-start" => list.push(json!([kind, names.get(call), chunk["toolName"], runs])),
            "tool-input-delta" if chunk["inputTextDelta"] == "" => {}
            "tool-input-delta" => list.push(json!([kind, names.get(call), chunk["inputTextDelta"]])),
            "tool-input-available" | "tool-input-error" => {
                let is_cut_off = chunk["errorText"] == INCOMPLETE;
                if chunk["providerExecuted"] == true {
                    executed.push(call.to_owned());
                }
                let kind = if runs.is_null() { kind } else { "tool-input-available" };
                if !is_cut_off {
                    list.push(json!([kind, names.get(call), chunk["toolName"], chunk["input"], metadata]));
                }
            }
            "tool-output-available" => list.push(json!([kind, names.get(call), chunk["output"], metadata])),
            "tool-output-error" if chunk["errorText"] == INCOMPLETE => {}
            // A call that the provider ran: its failure is a text there, and the object in pieces here.
            "tool-output-error" => list.push(json!([kind, names.get(call), metadata])),
            "source-url" => list.push(json!([kind, chunk["url"], chunk["title"], metadata])),
            "source-document" => {
                list.push(json!([kind, chunk["mediaType"], chunk["title"], chunk["filename"], metadata]));
            }
            "file" => list.push(json!([kind, chunk["mediaType"], chunk["url"], metadata])),
            "error" => error = true,
            "finish-step" => {
                list.append(&mut open);
                list.push(json!([kind]));
                if std::mem::take(&mut error) {
                    list.push(json!(["error"]));
                }
            }
            "finish" => {
                if std::mem::take(&mut error) {
                    list.push(json!(["error"]));
                }
                list.push(json!([kind, chunk["finishReason"]]));
            }
            _ => list.push(json!([kind])),
        }
    }
    if error {
        list.push(json!(["error"]));
    }
    // Tools that run side by side come back in any order.
    for outcomes in list.chunk_by_mut(|one, other| is_outcome(one) && is_outcome(other)) {
        outcomes.sort_by_key(|outcome| outcome[1].as_u64());
    }
    Told { chunks: without_empty_blocks(list), parts: message(chunks) }
}

fn is_outcome(item: &Value) -> bool {
    item[0].as_str().is_some_and(|kind| kind.starts_with("tool-output"))
}

fn without_empty_blocks(list: Vec<Value>) -> Vec<Value> {
    let kind = |item: &Value| item[0].as_str().unwrap_or_default().to_owned();
    let is_block = |item: &Value| {
        ["text-start", "text-delta", "text-end", "reasoning-start", "reasoning-delta", "reasoning-end"]
            .contains(&kind(item).as_str())
    };
    let says = |item: &Value| !item[2].is_null() || item[3].as_str().is_some_and(|delta| !delta.is_empty());
    let mut names = Names::default();
    let mut kept = Vec::new();
    for item in &list {
        if is_block(item) {
            let word = kind(item).split('-').next().unwrap_or_default().to_owned();
            let same = |other: &&Value| is_block(other) && kind(other).starts_with(&word) && other[1] == item[1];
            let is_empty_delta = kind(item).ends_with("-delta") && !says(item);
            if is_empty_delta || !list.iter().filter(same).any(says) {
                continue;
            }
        }
        let mut item = item.clone();
        if item[1].is_number() {
            item[1] = json!(names.get(&item[1].to_string()));
        }
        if kind(&item).ends_with("-end") {
            item = json!([item[0], item[1], item[2]]);
        }
        kept.push(item);
    }
    kept
}

/// The message that a client reduces the chunks to.
fn message(chunks: &[Value]) -> Vec<Value> {
    let mut parts: Vec<Map<String, Value>> = Vec::new();
    let mut blocks: Vec<(String, usize)> = Vec::new();
    let mut texts: Vec<(String, String)> = Vec::new();
    for chunk in chunks {
        let kind = chunk["type"].as_str().unwrap_or_default();
        let metadata = chunk.get("providerMetadata").map(renamed);
        let key =
            format!("{} {}", kind.split('-').next().unwrap_or_default(), chunk["id"].as_str().unwrap_or_default());
        match kind {
            "start-step" => parts.push(Map::from_iter([("type".to_owned(), json!("step-start"))])),
            "text-start" | "reasoning-start" => {
                blocks.retain(|(known, _)| *known != key);
                blocks.push((key, parts.len()));
                let word = kind.split('-').next().unwrap_or_default();
                parts.push(Map::from_iter([("type".to_owned(), json!(word)), ("text".to_owned(), json!(""))]));
                note(parts.last_mut(), "providerMetadata", metadata);
            }
            "text-delta" | "reasoning-delta" | "text-end" | "reasoning-end" => {
                let place = blocks.iter().find(|(known, _)| *known == key).map_or(usize::MAX, |(_, place)| *place);
                if let Some(part) = parts.get_mut(place) {
                    let text = format!(
                        "{}{}",
                        part["text"].as_str().unwrap_or_default(),
                        chunk["delta"].as_str().unwrap_or_default()
                    );
                    part.insert("text".to_owned(), json!(text));
                    note(Some(part), "providerMetadata", metadata);
                }
            }
            "source-url" | "source-document" | "file" => {
                let mut part = chunk.as_object().cloned().unwrap_or_default();
                part.remove("sourceId");
                parts.push(part);
            }
            kind if kind.starts_with("tool-") => {
                let id = chunk["toolCallId"].as_str().unwrap_or_default();
                let known = parts.iter_mut().find(|part| part.get("toolCallId").is_some_and(|known| known == id));
                let part = match known {
                    Some(part) => part,
                    None => {
                        let dynamic = chunk["dynamic"] == true && kind == "tool-input-available";
                        let name = chunk["toolName"].as_str().unwrap_or_default();
                        let kind = if dynamic { "dynamic-tool".to_owned() } else { format!("tool-{name}") };
                        parts.push(Map::from_iter([
                            ("type".to_owned(), json!(kind)),
                            ("toolCallId".to_owned(), json!(id)),
                        ]));
                        let Some(part) = parts.last_mut() else { continue };
                        if dynamic {
                            part.insert("toolName".to_owned(), json!(name));
                        }
                        part
                    }
                };
                let mut set = |name: &str, value: Value| part.insert(name.to_owned(), value);
                match kind {
                    "tool-input-delta" => {
                        let (call, delta) = (id.to_owned(), chunk["inputTextDelta"].as_str().unwrap_or_default());
                        match texts.iter_mut().find(|(known, _)| *known == call) {
                            Some((_, text)) => text.push_str(delta),
                            None => texts.push((call, delta.to_owned())),
                        }
                    }
                    "tool-input-available" => {
                        set("input", chunk["input"].clone());
                        set("state", json!("input-available"));
                    }
                    "tool-input-error" if chunk["errorText"] == INCOMPLETE => {}
                    "tool-input-error" => {
                        set("rawInput", chunk["input"].clone());
                        set("state", json!("output-error"));
                    }
                    "tool-output-available" => {
                        set("output", chunk["output"].clone());
                        set("state", json!("output-available"));
                    }
                    "tool-output-error" => {
                        let was_answered = chunk["errorText"] != INCOMPLETE;
                        if was_answered {
                            set("state", json!("output-error"));
                        }
                    }
                    _ => {
                        set("state", json!("input-streaming"));
                    }
                }
                if chunk["providerExecuted"] == true {
                    set("providerExecuted", json!(true));
                }
                let name =
                    if kind.starts_with("tool-output") { "resultProviderMetadata" } else { "callProviderMetadata" };
                if kind != "tool-input-start" {
                    note(Some(part), name, metadata);
                }
            }
            _ => {}
        }
    }
    comparable(parts.into_iter().map(Value::Object).collect())
}

fn note(part: Option<&mut Map<String, Value>>, name: &str, metadata: Option<Value>) {
    if let (Some(part), Some(metadata)) = (part, metadata) {
        part.insert(name.to_owned(), metadata);
    }
}

/// The parts of a message, without what the rows above say: for ours and theirs alike.
pub(crate) fn comparable(parts: Vec<Value>) -> Vec<Value> {
    let mut names = Names::default();
    let mut list = Vec::new();
    for part in parts {
        let Value::Object(mut part) = part else { continue };
        let kind = part["type"].as_str().unwrap_or_default().to_owned();
        for name in ["sourceId", "id", "errorText", "title"] {
            if name != "title" || !kind.starts_with("source-") {
                part.remove(name);
            }
        }
        for name in ["providerMetadata", "callProviderMetadata", "resultProviderMetadata"] {
            if let Some(metadata) = part.get(name).map(renamed) {
                part.insert(name.to_owned(), metadata);
            }
        }
        if kind == "text" || kind == "reasoning" {
            part.remove("state");
            if part["text"] == "" && !part.contains_key("providerMetadata") {
                continue;
            }
        }
        if part.contains_key("toolCallId") {
            let id = part["toolCallId"].as_str().unwrap_or_default().to_owned();
            part.insert("toolCallId".to_owned(), json!(names.get(&id)));
            if part.get("providerExecuted") == Some(&json!(true)) {
                let name = part.remove("toolName").and_then(|name| name.as_str().map(str::to_owned));
                let name = name.unwrap_or_else(|| kind.strip_prefix("tool-").unwrap_or(&kind).to_owned());
                part.insert("type".to_owned(), json!(format!("tool-{name}")));
                part.remove("input");
                part.remove("rawInput");
                if part.get("state") != Some(&json!("output-available")) {
                    part.insert("state".to_owned(), json!("unanswered"));
                }
            } else {
                // A call that was cut off, or that nobody answered.
                let open = ["input-streaming", "input-available"];
                let is_open = part.get("state").and_then(Value::as_str).is_some_and(|state| open.contains(&state));
                if is_open {
                    part.insert("state".to_owned(), json!("unanswered"));
                }
                if part.get("state") == Some(&json!("unanswered")) && !part.contains_key("input") {
                    part.remove("rawInput");
                }
                let partial = part.get("state") == Some(&json!("unanswered"));
                if partial {
                    part.remove("input");
                }
                let raw = part.remove("rawInput");
                if let Some(raw) = raw
                    && !partial
                {
                    part.insert("input".to_owned(), raw);
                }
            }
        }
        list.push(Value::Object(part));
    }
    list
}
