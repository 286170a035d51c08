//! Recorded provider traffic through the decoder: whole, byte by byte and cut at random places.
//!
//! Reads `../shared/wire` in place (or the folder named by `TURNKEEP_SHARED`). Where it is missing, every test here
//! counts as skipped.

use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use turnkeep::provider::openai_compatible::ChatCompletionsDecoder;
use turnkeep::provider::{BlockKind, Decoder, StreamPart};

/// Recordings of services that speak chat completions. The first is the driver's own; the others speak dialects of it.
const FOLDERS: &[&str] =
    &["openai-compatible", "alibaba", "deepseek", "groq", "moonshotai", "openai", "perplexity", "xai"];
const RANDOM_CUTS: usize = 1000;

fn main() {
    let arguments = Arguments::from_args();
    let recorded = shared().join("wire/recorded");
    let mut trials = Vec::new();
    for folder in FOLDERS {
        let files = recordings(&recorded.join(folder));
        if files.is_empty() {
            eprintln!("skipped: {} is not here (set TURNKEEP_SHARED)", recorded.join(folder).display());
            trials.push(Trial::test(format!("recorded::{folder}"), || Ok(())).with_ignored_flag(true));
        }
        for file in files {
            let name = format!("recorded::{folder}::{}", file.file_name().unwrap_or_default().to_string_lossy());
            trials.push(Trial::test(name, move || decodes_alike(&file)));
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn shared() -> PathBuf {
    std::env::var_os("TURNKEEP_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from)
}

fn recordings(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<PathBuf> = entries.filter(|path| path.to_string_lossy().ends_with(".chunks.txt")).collect();
    files.sort();
    files
}

fn decodes_alike(file: &Path) -> Result<(), Failed> {
    let text = std::fs::read_to_string(file)?;
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let mut bytes = String::new();
    for line in lines.iter().chain(&["[DONE]"]) {
        bytes.push_str(&format!("data: {line}\n\n"));
    }
    let bytes = bytes.into_bytes();
    let whole = decode(std::iter::once(bytes.as_slice()));
    check_against_lines(&lines, &whole)?;
    same("byte by byte", &whole, &decode(bytes.chunks(1)))?;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for round in 0..RANDOM_CUTS {
        let pieces = cut(&bytes, &mut random);
        same(&format!("random cuts, round {round}"), &whole, &decode(pieces.into_iter()))?;
    }
    Ok(())
}

fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<StreamPart> {
    let mut decoder = ChatCompletionsDecoder::default();
    let mut parts = Vec::new();
    for piece in pieces {
        decoder.push(piece, &mut parts).expect("recorded bytes are a stream");
    }
    decoder.finish(&mut parts);
    parts
}

fn same(how: &str, whole: &[StreamPart], cut: &[StreamPart]) -> Result<(), Failed> {
    if whole == cut { Ok(()) } else { Err(format!("{how}: other parts than whole").into()) }
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

/// What the lines say when they are simply added up, against what the decoder made of them.
fn check_against_lines(lines: &[&str], parts: &[StreamPart]) -> Result<(), Failed> {
    let (mut text, mut reasoning, mut arguments) = (String::new(), String::new(), String::new());
    let mut usage = Value::Null;
    for line in lines {
        let chunk: Value = serde_json::from_str(line)?;
        let delta = &chunk["choices"][0]["delta"];
        text.push_str(delta["content"].as_str().unwrap_or_default());
        let thought = delta["reasoning_content"].as_str().filter(|thought| !thought.is_empty());
        reasoning.push_str(thought.or(delta["reasoning"].as_str()).unwrap_or_default());
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            arguments.push_str(call["function"]["arguments"].as_str().unwrap_or_default());
        }
        if chunk["usage"].is_object() {
            usage = chunk["usage"].clone();
        }
    }
    let (mut seen_text, mut seen_reasoning, mut seen_arguments) = (String::new(), String::new(), String::new());
    let mut finished = None;
    for part in parts {
        match part {
            StreamPart::BlockDelta { kind: BlockKind::Text, delta, .. } => seen_text.push_str(delta),
            StreamPart::BlockDelta { kind: BlockKind::Reasoning, delta, .. } => seen_reasoning.push_str(delta),
            StreamPart::ToolCall { arguments, .. } => seen_arguments.push_str(arguments),
            StreamPart::Finish { usage, .. } => finished = Some(*usage),
            StreamPart::Error(failure) => return Err(failure.message.clone().into()),
            _ => {}
        }
    }
    if (&text, &reasoning, &arguments) != (&seen_text, &seen_reasoning, &seen_arguments) {
        return Err("text, reasoning or arguments differ from the lines".into());
    }
    let Some(decoded) = finished else { return Err("there is no finish part".into()) };
    let tokens = decoded.map(|usage| (usage.input_tokens, usage.output_tokens)).unwrap_or_default();
    let expected = (usage["prompt_tokens"].as_u64(), usage["completion_tokens"].as_u64());
    if tokens != expected {
        return Err(format!("usage is {tokens:?}, the lines say {expected:?}").into());
    }
    Ok(())
}
