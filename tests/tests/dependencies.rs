//! The graph of dependencies holds what `deny.toml` allows: licences, no second version, nothing that is banned.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The texts in quotation marks of a list of the file, those after `key` if there is one.
fn listed(config: &str, list: &str, key: Option<&str>) -> BTreeSet<String> {
    let (_, rest) = config.split_once(&format!("\n{list} = [")).expect("the list");
    let mut found = BTreeSet::new();
    for line in rest.lines().take_while(|line| !line.starts_with(']')) {
        let line = match key {
            Some(key) => line.split(&format!("{key} = ")).nth(1).unwrap_or_default(),
            None => line,
        };
        found.extend(line.split('"').nth(1).map(ToOwned::to_owned));
    }
    found
}

/// Whether one way of reading a licence is allowed in all of its parts.
fn is_allowed(licence: &str, allowed: &BTreeSet<String>) -> bool {
    let licence = licence.replace(['(', ')'], " ").replace('/', " OR ");
    // `AND` binds what stands in parentheses apart; each of the parts has to have a way.
    licence.split(" AND ").all(|part| part.split(" OR ").any(|one| allowed.contains(one.trim())))
}

#[test]
fn dependencies_are_those_that_are_allowed() {
    let config = std::fs::read_to_string(root().join("deny.toml")).unwrap();
    let (allowed, skipped) = (listed(&config, "allow", None), listed(&config, "skip", Some("crate")));
    let banned = listed(&config, "deny", Some("crate"));
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    // What is compiled here: what other platforms need has perhaps never been fetched.
    let output = Command::new(&cargo)
        .args(["tree", "--workspace", "--locked", "--offline", "--prefix", "none", "--format", "{p}|{l}"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let (package, licence) = line.trim_end_matches(" (*)").split_once('|').unwrap();
        let mut words = package.split(' ');
        let (name, version) = (words.next().unwrap(), words.next().unwrap());
        versions.entry(name).or_default().insert(version);
        assert!(name == "cbindgen" || is_allowed(licence, &allowed), "{name} has the licence {licence:?}");
        assert!(!banned.contains(name), "{name} is banned");
    }
    assert!(versions.len() > 100);
    for (name, versions) in versions.iter().filter(|(_, versions)| versions.len() > 1) {
        assert!(skipped.contains(*name), "{name} stands in the graph as {versions:?}");
    }
}

#[test]
fn licences_are_read_in_all_of_their_parts() {
    let allowed: BTreeSet<String> = ["MIT", "ISC"].map(ToOwned::to_owned).into();
    for (licence, is) in [
        ("MIT", true),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("GPL-3.0", false),
        ("MIT AND GPL-3.0", false),
        ("ISC AND (Apache-2.0 OR MIT)", true),
        ("", false),
    ] {
        assert_eq!(is_allowed(licence, &allowed), is, "{licence}");
    }
}
