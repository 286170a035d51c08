//! Recorded bytes to stream parts: whole, and cut anywhere.

use std::collections::HashMap;

use libtest_mimic::Failed;
use serde_json::{Map, Value, json};
use turnkeep::model::{Json, Usage};
use turnkeep::provider::{BlockKind, ChatRequest, Decoder, Driver, ProviderFailure, Source, StreamPart};

use crate::corpus::{driver, lines, request, response_bytes};
use crate::exceptions;
use crate::verdict::{Tally, difference};

const RANDOM_CUTS: usize = 1000;

#[derive(Debug, PartialEq)]
pub(crate) struct Decoded {
    pub(crate) parts: Vec<StreamPart>,
    pub(crate) failure: Option<ProviderFailure>,
    pub(crate) saw_stream: bool,
}

pub(crate) fn decode<'a>(mut decoder: Box<dyn Decoder>, pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let mut parts = Vec::new();
    let failure = pieces.into_iter().try_for_each(|piece| decoder.push(piece, &mut parts)).err();
    if failure.is_none() {
        decoder.finish(&mut parts);
    }
    Decoded { parts, failure, saw_stream: decoder.saw_stream() }
}

/// Whole, byte by byte, and cut at random.
pub(crate) fn decodes_alike(make: impl Fn() -> Box<dyn Decoder>, bytes: &[u8]) -> Result<Decoded, Failed> {
    let whole = decode(make(), [bytes]);
    if decode(make(), bytes.chunks(1)) != whole {
        return Err("byte by byte: other parts than whole".into());
    }
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for round in 0..RANDOM_CUTS {
        if decode(make(), cut(bytes, &mut random)) != whole {
            return Err(format!("random cuts, round {round}: other parts than whole").into());
        }
    }
    Ok(whole)
}

/// One to twelve cuts; empty pieces may come out, as they may on a wire.
fn cut<'a>(bytes: &'a [u8], random: &mut Random) -> Vec<&'a [u8]> {
    let count = 1 + random.below(12);
    let mut places: Vec<usize> = (0..count).map(|_| random.below(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

/// xorshift64*: the same cuts in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit.max(1)
    }
}

/// The decoder for the answer to a case's call.
pub(crate) fn decoder(driver: &dyn Driver, options: &Value) -> Box<dyn Decoder> {
    let call = request(options).unwrap_or_else(|_| {
        // What has no word of ours does not change how the answer is read.
        let mut options = options.clone();
        options.as_object_mut().map(|options| options.remove("tools"));
        request(&options).unwrap_or_else(|_| ChatRequest::default())
    });
    driver.decoder_for(&call)
}

pub(crate) fn compare(provider: &str) -> Result<(), Failed> {
    let mut tally = Tally::new(&format!("streams/{provider}"), exceptions::parts(provider));
    for case in lines(&format!("streams/{provider}.jsonl")) {
        let id = case["id"].as_str().expect("an id");
        let Some(bytes) = response_bytes(&case["response"]) else {
            tally.without_a_word();
            continue;
        };
        let driver = driver(provider, case["modelId"].as_str().expect("a model"));
        let decoded = decodes_alike(|| decoder(driver.as_ref(), &case["options"]), &bytes)
            .map_err(|failed| format!("{id}: {}", failed.message().unwrap_or_default()))?;
        let Some(theirs) = case["parts"].as_array().filter(|parts| !parts.is_empty()) else {
            tally.without_a_word();
            continue;
        };
        let is_dialect = !["openai", "openai-compatible", "google", "anthropic"].contains(&provider);
        let ours = simplified(Names::default().of_ours(&decoded.parts), is_dialect);
        let theirs = simplified(Names::default().of_theirs(theirs), is_dialect);
        tally.case(id, difference(&ours, &theirs));
    }
    tally.finish()
}

/// Without what says nothing: empty pieces, blocks of nothing else, a count of no reasoning, and the finish that goes
/// without saying after an error. Drivers of dialects end blocks in an order of their own.
fn simplified(list: Vec<Value>, is_dialect: bool) -> Vec<Value> {
    let kind = |item: &Value| item[0].as_str().unwrap_or_default().to_owned();
    let has_error = list.iter().any(|item| kind(item) == "error");
    let says = |item: &&Value| match kind(item).as_str() {
        "text-delta" | "reasoning-delta" => item[2] != "" || !item[3].is_null(),
        "tool-input-delta" => item[2] != "",
        "text-end" | "reasoning-end" => !is_dialect,
        "finish" => !(has_error && item[1] == "error"),
        _ => true,
    };
    let list: Vec<Value> = list.iter().filter(says).cloned().collect();
    let is_block = |item: &Value| kind(item).starts_with("text-") || kind(item).starts_with("reasoning-");
    let mut simple = Vec::new();
    let mut names = Names::default();
    for item in &list {
        let same = |other: &&Value| is_block(other) && other[1] == item[1];
        let empty = is_block(item)
            && list.iter().filter(same).all(|other| !kind(other).ends_with("-delta") && other[2].is_null());
        if empty {
            continue;
        }
        let mut item = item.clone();
        if is_block(&item) || kind(&item).starts_with("tool-") {
            item[1] = json!(names.get(&item[1].to_string()));
        }
        if kind(&item) == "finish" && item[2][2] == 0 {
            item[2][2] = Value::Null;
        }
        simple.push(item);
    }
    simple
}

/// Ids by their order, so that they compare up to renaming.
#[derive(Default)]
pub(crate) struct Names {
    known: HashMap<String, usize>,
    next: usize,
}

impl Names {
    pub(crate) fn begin(&mut self, id: &str) -> usize {
        self.next += 1;
        self.known.insert(id.to_owned(), self.next);
        self.next
    }

    pub(crate) fn get(&mut self, id: &str) -> usize {
        match self.known.get(id) {
            Some(number) => *number,
            None => self.begin(id),
        }
    }

    fn of_ours(&mut self, parts: &[StreamPart]) -> Vec<Value> {
        let mut list = Vec::new();
        for part in parts {
            let word = |kind: BlockKind| if kind == BlockKind::Text { "text" } else { "reasoning" };
            list.push(match part {
                // Told to the engine only: for its readers the answer goes on.
                StreamPart::Pause | StreamPart::Refused => continue,
                StreamPart::ResponseMetadata { .. } => continue,
                StreamPart::BlockStart { kind, id, metadata } => {
                    json!([format!("{}-start", word(*kind)), self.begin(&format!("{kind:?} {id}")), shown(metadata)])
                }
                StreamPart::BlockDelta { kind, id, delta, metadata } => {
                    let id = self.get(&format!("{kind:?} {id}"));
                    json!([format!("{}-delta", word(*kind)), id, delta, shown(metadata)])
                }
                StreamPart::BlockEnd { kind, id, metadata } => {
                    json!([format!("{}-end", word(*kind)), self.get(&format!("{kind:?} {id}")), shown(metadata)])
                }
                StreamPart::ToolInputStart { id, name, .. } => json!(["tool-input-start", self.begin(id), name]),
                StreamPart::ToolInputDelta { id, delta } => json!(["tool-input-delta", self.get(id), delta]),
                StreamPart::ToolCall { id, name, arguments, metadata, .. } => {
                    json!(["tool-call", self.get(id), name, arguments, shown(metadata)])
                }
                StreamPart::ToolResult { id, name, output, is_error, metadata } => {
                    let output: Value = output.read().expect("JSON");
                    json!(["tool-result", self.get(id), name, output, is_error, shown(metadata)])
                }
                StreamPart::Source(Source::Url { url, title, metadata, .. }) => {
                    json!(["source", url, title, shown(metadata)])
                }
                StreamPart::Source(Source::Document { media_type, title, filename, metadata, .. }) => {
                    json!(["source", media_type, title, filename, shown(metadata)])
                }
                StreamPart::File { media_type, base64, metadata } => {
                    json!(["file", media_type, base64, shown(metadata)])
                }
                StreamPart::Error(_) => json!(["error"]),
                StreamPart::Finish { reason, usage } => json!(["finish", reason.as_str(), tokens(usage)]),
            });
        }
        list
    }

    fn of_theirs(&mut self, parts: &[Value]) -> Vec<Value> {
        let mut list = Vec::new();
        for part in parts {
            let kind = part["type"].as_str().expect("a type");
            let metadata = renamed(&part["providerMetadata"]);
            let name = |which: &str| format!("{} {}", which, part["id"].as_str().unwrap_or_default());
            let call = part["toolCallId"].as_str().or(part["id"].as_str()).unwrap_or_default();
            list.push(match kind {
                "stream-start" | "response-metadata" | "raw" | "tool-input-end" => continue,
                "text-start" => json!([kind, self.begin(&name("Text")), metadata]),
                "text-delta" => json!([kind, self.get(&name("Text")), part["delta"], metadata]),
                "text-end" => json!([kind, self.get(&name("Text")), metadata]),
                "reasoning-start" => json!([kind, self.begin(&name("Reasoning")), metadata]),
                "reasoning-delta" => json!([kind, self.get(&name("Reasoning")), part["delta"], metadata]),
                "reasoning-end" => json!([kind, self.get(&name("Reasoning")), metadata]),
                "tool-input-start" => json!([kind, self.begin(call), part["toolName"]]),
                "tool-input-delta" => json!([kind, self.get(call), part["delta"]]),
                "tool-call" => json!([kind, self.get(call), part["toolName"], part["input"], metadata]),
                "tool-result" => {
                    let failed = part["isError"] == true;
                    json!([kind, self.get(call), part["toolName"], part["result"], failed, metadata])
                }
                "source" if part["sourceType"] == "url" => json!([kind, part["url"], part["title"], metadata]),
                "source" => json!([kind, part["mediaType"], part["title"], part["filename"], metadata]),
                "file" => json!([kind, part["mediaType"], part["data"], metadata]),
                "error" => json!([kind]),
                _ => {
                    let usage = &part["usage"];
                    let tokens = json!([
                        usage["inputTokens"]["total"],
                        usage["outputTokens"]["total"],
                        usage["outputTokens"]["reasoning"]
                    ]);
                    json!([kind, part["finishReason"]["unified"], tokens])
                }
            });
        }
        list
    }
}

fn shown(metadata: &Option<Json>) -> Value {
    metadata.as_ref().map_or(Value::Null, |metadata| metadata.read().expect("JSON"))
}

/// Vertex AI serves the same API under another name.
pub(crate) fn renamed(metadata: &Value) -> Value {
    let Value::Object(map) = metadata else { return Value::Null };
    let named = |name: &String| if name == "vertex" { "google".to_owned() } else { name.clone() };
    Value::Object(map.iter().map(|(name, value)| (named(name), value.clone())).collect::<Map<_, _>>())
}

pub(crate) fn tokens(usage: &Option<Usage>) -> Value {
    let usage = usage.unwrap_or_default();
    json!([usage.input_tokens, usage.output_tokens, usage.reasoning_tokens])
}
