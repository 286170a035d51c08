//! The order of the core's rooms: each uses only those of layers below its own. `ARCHITECTURE.md` shows the same order.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// From the bottom up.
const LAYERS: [&[&str]; 8] = [
    &["clock", "error", "id", "js", "spelling", "text"],
    &["mask", "model"],
    &["project", "role", "tool"],
    &["provider", "store"],
    &["docmost", "log", "mcp", "secret", "settings"],
    &["machine"],
    &["engine", "functions"],
    &["simulation", "surface"],
];

fn core() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The room that a file belongs to: the first part of its path below the sources.
fn room(file: &Path) -> String {
    let first = file.strip_prefix(core()).unwrap().iter().next().unwrap();
    first.to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// The rooms that a source names after `crate::`, also within braces; comments name what they like.
fn named(source: &str) -> BTreeSet<String> {
    let code: String =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut rooms = BTreeSet::new();
    for (at, path) in code.match_indices("crate::") {
        let rest = &code[at + path.len()..];
        match rest.strip_prefix('{') {
            None => rooms.extend([word(rest)]),
            Some(list) => {
                // Of a list the first words of its items, on its own level.
                let (mut depth, mut begins) = (0, true);
                for (place, character) in list.char_indices() {
                    match character {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => begins = true,
                        _ if begins && !character.is_whitespace() => {
                            rooms.extend([word(&list[place..])]);
                            begins = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    rooms
}

#[test]
fn arrows_go_down() {
    let layer_of: BTreeMap<&str, usize> =
        LAYERS.iter().enumerate().flat_map(|(layer, rooms)| rooms.iter().map(move |room| (*room, layer))).collect();
    let mut sources = Vec::new();
    files(&core(), &mut sources);
    assert!(sources.len() > 100, "the sources were not found");
    let mut seen = BTreeSet::new();
    for file in sources.iter().filter(|file| room(file) != "lib") {
        let own = room(file);
        let layer = *layer_of.get(own.as_str()).unwrap_or_else(|| panic!("{own} is in no layer"));
        seen.insert(own.clone());
        let below = |used: &String| layer_of.get(used.as_str()).is_none_or(|of_used| *of_used < layer) || *used == own;
        let above: Vec<_> =
            named(&std::fs::read_to_string(file).unwrap()).into_iter().filter(|used| !below(used)).collect();
        assert!(above.is_empty(), "{} uses {above:?}", file.display());
    }
    assert_eq!(seen.len(), layer_of.len(), "a layer names a room that there is not");
}

/// What is opened within the host's runtime must not make one of its own.
#[test]
fn the_core_makes_no_runtime() {
    let mut sources = Vec::new();
    files(&core(), &mut sources);
    for file in sources.iter().filter(|file| !file.ends_with("tests.rs")) {
        let source = std::fs::read_to_string(file).unwrap();
        let makes = ["Runtime::new", "new_multi_thread", "new_current_thread"].iter().any(|name| source.contains(name));
        assert!(!makes, "{} makes a runtime", file.display());
    }
}

/// The tests that prove an invariant, with their files.
fn proofs(invariant: &str) -> Vec<(&str, &str)> {
    let Some((_, proofs)) = invariant.split_once("Proof:") else { return Vec::new() };
    let quoted: Vec<&str> = proofs.split('`').skip(1).step_by(2).collect();
    quoted.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}

#[test]
fn each_invariant_names_a_test_that_there_is() {
    let repository = core().join("../..");
    let map = std::fs::read_to_string(repository.join("ARCHITECTURE.md")).unwrap();
    let (_, rest) = map.split_once("\n## Invariants\n").unwrap();
    let (invariants, _) = rest.split_once("\n## ").unwrap();
    let invariants: Vec<&str> = invariants.split("\n- **").skip(1).collect();
    assert!(invariants.len() >= 15, "the invariants were not found");
    for invariant in invariants {
        let proofs = proofs(invariant);
        assert!(!proofs.is_empty(), "nothing proves: {invariant}");
        for (test, file) in proofs {
            let source = std::fs::read_to_string(repository.join(file)).unwrap_or_default();
            let is_there = [format!("fn {test}("), format!("def {test}("), format!("test('{test}'")];
            assert!(is_there.iter().any(|name| source.contains(name)), "{file} has no {test}");
        }
    }
}

#[test]
fn names_are_found_however_they_are_written() {
    let source = "use crate::store::Store;\nuse crate::{error::{Error, Result}, id::ChatId};\n// crate::engine\nlet x = crate::text::a();";
    let expected = ["error", "id", "store", "text"].map(str::to_owned);
    assert_eq!(named(source), BTreeSet::from(expected));
}

#[test]
fn the_map_names_files_that_are_there() {
    let root = core().join("../..");
    let map = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    // What stands in backticks and ends as a source does; rooms of the core are named from there.
    let names: BTreeSet<&str> = map.split('`').skip(1).step_by(2).filter(|name| name.ends_with(".rs")).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        let places = [root.join(name), core().join(name), root.join("tests").join(name)];
        assert!(places.iter().any(|place| place.exists()), "{name} is not there");
    }
}
