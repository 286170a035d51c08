//! What the system before did, as it was recorded: a file of cases each, and how they come out.
//!
//! Read in place from `../shared/vectors`, or below the folder that `TURNKEEP_SHARED` names.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// How a case came out: as recorded, or not ours to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Played {
    /// As recorded.
    Same,
    /// Not ours to play.
    NotOurs,
}

/// Cases that differ on purpose: the file, the case, and why.
pub type Intended = &'static [(&'static str, &'static str, &'static str)];

/// A file of cases, if it is here; says so if it is not.
pub fn file(name: &str) -> (PathBuf, bool) {
    let folder = std::env::var_os("TURNKEEP_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let path = folder.join("vectors").join(format!("{name}.json"));
    let is_here = path.is_file();
    if !is_here {
        eprintln!("skipped: {} is not here (set TURNKEEP_SHARED)", path.display());
    }
    (path, is_here)
}

/// Plays a file. It is wrong when a case differs that is not listed, when one is listed that does not, and when none is as
/// recorded.
pub fn play(
    path: &Path,
    name: &str,
    intended: Intended,
    check: impl Fn(&Value) -> Result<Played, String>,
) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let cases: Vec<Value> = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let (mut passed, mut differ, mut not_ours, mut wrong) = (0, 0, 0, Vec::new());
    for case in &cases {
        let case_name = case["name"].as_str().unwrap_or_default();
        match (check(case), intended.iter().any(|(file, case, _)| *file == name && *case == case_name)) {
            (Ok(Played::Same), false) => passed += 1,
            (Ok(Played::NotOurs), false) => not_ours += 1,
            (Err(_), true) => differ += 1,
            (Ok(_), true) => wrong.push(format!("{case_name}: is listed as a difference and is none")),
            (Err(problem), false) => wrong.push(format!("{case_name}: {problem}")),
        }
    }
    println!("{name}: {passed} as recorded, {differ} different on purpose, {not_ours} not ours");
    if wrong.is_empty() && passed > 0 { Ok(()) } else { Err(wrong.join("\n")) }
}

/// A value without the tags that stand for JavaScript's `undefined`, and with what others stand for; of half a pair of UTF-16
/// that is U+FFFD.
pub fn plain(value: &Value) -> Value {
    match value {
        Value::Object(members) => match (members.get("$date"), members.get("$utf16")) {
            (Some(date), _) => date.clone(),
            (_, Some(units)) => {
                let units = units.as_array().into_iter().flatten();
                let units: Vec<u16> = units.filter_map(|unit| unit.as_u64()?.try_into().ok()).collect();
                Value::String(String::from_utf16_lossy(&units))
            }
            _ => {
                let kept = members.iter().filter(|(_, value)| value.get("$undef").is_none());
                Value::Object(kept.map(|(name, value)| (name.clone(), plain(value))).collect())
            }
        },
        Value::Array(items) => Value::Array(items.iter().map(plain).collect()),
        other => other.clone(),
    }
}

/// Whether ours is what was recorded.
pub fn same(ours: &Value, theirs: &Value) -> Result<Played, String> {
    if ours == theirs { Ok(Played::Same) } else { Err(format!("ours is {ours}, recorded is {theirs}")) }
}
