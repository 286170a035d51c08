//! Every target over what is kept for it, and over mutations of that: the same ones in every run.
//!
//! An input that fails is written to `target/fuzz-failures/`; move it to `fuzz/regressions/` with the fix.

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Failed, Trial};
use turnkeep_fuzz::FUNCTIONS;

type Body = fn(&[u8]);

/// The targets, and how many mutations take a few seconds each without optimization.
const TARGETS: &[(&str, Body, usize)] = &[
    ("json", turnkeep_fuzz::json, 30_000),
    ("functions", turnkeep_fuzz::functions, 12_000),
    ("steps", turnkeep_fuzz::steps, 4000),
    ("loops", turnkeep_fuzz::loops, 6000),
    ("export", turnkeep_fuzz::export, 7000),
    ("sse", turnkeep_fuzz::sse, 10_000),
    ("wire", turnkeep_fuzz::wire, 10_000),
    ("guard", turnkeep_fuzz::guard, 20_000),
    ("bundle", turnkeep_fuzz::bundle, 10_000),
];
/// Mutations grow no further than this.
const MAX_BYTES: usize = 4096;

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = vec![
        Trial::test("every_function_of_the_door_is_fuzzed", every_function_is_named),
        Trial::test("what_is_described_is_taken", what_is_described_is_taken),
    ];
    for (name, body, mutations) in TARGETS {
        trials.push(Trial::test(format!("{name}::kept"), || kept(name, *body)));
        trials.push(Trial::test(format!("{name}::mutations"), || mutated(name, *body, *mutations)));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn folder(kind: &str, target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(target)
}

fn inputs(target: &str) -> Result<Vec<(PathBuf, Vec<u8>)>, Failed> {
    let mut files = Vec::new();
    for kind in ["corpus", "regressions"] {
        let entries = std::fs::read_dir(folder(kind, target)).into_iter().flatten();
        files.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
    }
    files.sort();
    files.into_iter().map(|file| Ok((file.clone(), std::fs::read(file)?))).collect()
}

fn run(body: Body, data: &[u8]) -> Result<(), String> {
    catch_unwind(|| body(data)).map_err(|panic| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast::<&str>().map_or_else(|_| "a panic".to_owned(), |text| (*text).to_owned()),
    })
}

fn kept(target: &str, body: Body) -> Result<(), Failed> {
    let inputs = inputs(target)?;
    if inputs.is_empty() {
        return Err("there is no corpus".into());
    }
    for (file, data) in inputs {
        run(body, &data).map_err(|panic| format!("{}: {panic}", file.display()))?;
    }
    run(body, b"")?;
    Ok(())
}

fn mutated(target: &str, body: Body, count: usize) -> Result<(), Failed> {
    let inputs: Vec<Vec<u8>> = inputs(target)?.into_iter().map(|(_, data)| data).collect();
    let words = words()?;
    for seed in 0..count {
        let mut random = Random::new(seed as u64);
        let data = mutation(&inputs, &words, &mut random);
        if let Err(panic) = run(body, &data) {
            let failures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../fuzz-failures");
            std::fs::create_dir_all(&failures)?;
            let file = failures.join(format!("{target}-{seed}"));
            std::fs::write(&file, data)?;
            return Err(format!("seed {seed} (kept in {}): {panic}", file.display()).into());
        }
    }
    Ok(())
}

/// The fuzzer's dictionary: a word in quotes on each line, `\xNN` for what is not plain.
fn words() -> Result<Vec<Vec<u8>>, Failed> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("words.dict"))?;
    let mut words = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix('"')?.strip_suffix('"')) {
        let mut pieces = line.split("\\x");
        let mut word = pieces.next().unwrap_or_default().as_bytes().to_vec();
        for piece in pieces {
            let (byte, plain) = piece.split_at(2);
            word.push(u8::from_str_radix(byte, 16)?);
            word.extend_from_slice(plain.as_bytes());
        }
        words.push(word);
    }
    Ok(words)
}

/// One of the inputs, changed in one to eight places.
fn mutation(inputs: &[Vec<u8>], words: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let pick = |random: &mut Random| inputs.get(random.below(inputs.len())).cloned().unwrap_or_default();
    let mut data = pick(random);
    data.truncate(MAX_BYTES);
    for _ in 0..=random.below(8) {
        let place = random.below(data.len() + 1);
        match random.below(7) {
            0 if place < data.len() => data[place] ^= 1 << random.below(8),
            1 if place < data.len() => data[place] = random.below(256) as u8,
            2 => data.truncate(place),
            3 => {
                let length = random.below(data.len() - place + 1).min(64);
                data.drain(place..place + length);
            }
            4 => {
                // A chunk twice.
                let length = random.below(data.len() - place + 1).min(256);
                let chunk = data[place..place + length].to_vec();
                data.splice(place..place, chunk);
            }
            5 => {
                // The end of another.
                let other = pick(random);
                data.truncate(place);
                data.extend_from_slice(&other[random.below(other.len() + 1)..]);
            }
            _ => {
                let word = &words[random.below(words.len())];
                data.splice(place..place, word.iter().copied());
            }
        }
        data.truncate(MAX_BYTES);
    }
    data
}

/// splitmix64: the same numbers in every run.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 16) as usize % limit.max(1)
    }
}

fn every_function_is_named() -> Result<(), Failed> {
    let mut names = turnkeep::functions::NAMES.to_vec();
    names.sort_unstable();
    let fuzzed: Vec<&str> = FUNCTIONS.iter().map(|(name, _)| *name).collect();
    if names == fuzzed { Ok(()) } else { Err(format!("the door has {names:?}, fuzzed are {fuzzed:?}").into()) }
}

/// Arguments as they are described: what the types of all languages say fits.
fn what_is_described_is_taken() -> Result<(), Failed> {
    // A document in its text, an overlap that is shorter than a chunk, the key of a call.
    let wants_more = ["parseChatJson", "splitText", "effectStatement"];
    for (name, template) in FUNCTIONS.iter().filter(|(name, _)| !wants_more.contains(name)) {
        let arguments = template.replace('@', "\"user\"").replace('#', "null");
        turnkeep::functions::call(name, &arguments).map_err(|error| format!("{name}({arguments}): {error}"))?;
    }
    Ok(())
}
