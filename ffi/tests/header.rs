//! The committed header against the library that was built with it.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test that cannot go on is to panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use turnkeep::ErrorCode;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn header() -> String {
    fs::read_to_string(root().join("include/turnkeep.h")).expect("the header")
}

/// The header without comments.
fn declarations() -> String {
    let mut rest = header();
    while let Some(start) = rest.find("/*") {
        let end = rest[start..].find("*/").expect("the comment's end") + start + 2;
        rest.replace_range(start..end, "");
    }
    rest
}

fn macro_value(name: &str) -> Option<String> {
    let prefix = format!("#define {name} ");
    header().lines().find_map(|line| line.strip_prefix(&prefix).map(str::to_owned))
}

/// The library that cargo has built for this very test.
fn library() -> PathBuf {
    let test = std::env::current_exe().expect("the test's path");
    test.parent().expect("deps").join("libturnkeep_ffi.so")
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).arg(library()).output().expect("binutils");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Every name before an opening parenthesis that is not a typedef's.
fn declared() -> BTreeSet<String> {
    let text = declarations();
    let mut names = BTreeSet::new();
    for (at, _) in text.match_indices('(') {
        let before = &text[..at];
        let start = before.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(0, |at| at + 1);
        if before[start..].starts_with("turnkeep_") {
            names.insert(before[start..].to_owned());
        }
    }
    names
}

#[test]
fn the_library_exports_what_the_header_declares_and_nothing_else() {
    let exported: BTreeSet<String> = output("nm", &["-D", "--defined-only", "--format=posix"])
        .lines()
        .filter_map(|line| line.split(' ').next().map(str::to_owned))
        .collect();
    assert!(exported.len() > 20, "{exported:?}");
    assert_eq!(exported, declared());
}

#[test]
fn the_reference_names_what_the_header_declares() {
    let page = fs::read_to_string(root().join("docs/reference/c.md")).expect("the reference");
    let titles = page.lines().filter_map(|line| line.strip_prefix("### ")?.split('`').nth(1)?.strip_suffix("()"));
    let titles: BTreeSet<String> = titles.map(str::to_owned).collect();
    assert!(titles.len() > 50, "{titles:?}");
    let missing: Vec<String> = titles.difference(&declared()).cloned().collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_error_code_is_in_the_header() {
    for code in ErrorCode::ALL {
        let name = format!("TURNKEEP_{}", code.as_str());
        assert_eq!(macro_value(&name), Some(code.number().to_string()), "{name}");
    }
    let header = header();
    let numbers = header.lines().filter(|line| line.starts_with("#define TURNKEEP_")).filter_map(|line| {
        let number: i32 = line.rsplit(' ').next()?.parse().ok()?;
        (number >= 1000).then_some(number)
    });
    assert_eq!(numbers.count(), ErrorCode::ALL.len());
}

#[test]
fn the_version_is_cargos() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(macro_value("TURNKEEP_VERSION"), Some(format!("\"{version}\"")));
    let parts = ["MAJOR", "MINOR", "PATCH"].map(|part| macro_value(&format!("TURNKEEP_VERSION_{part}")).expect(part));
    assert_eq!(parts.join("."), version);
}

#[test]
fn the_soname_is_the_abi_version() {
    let abi = macro_value("TURNKEEP_ABI_VERSION").expect("the macro");
    let dynamic = output("readelf", &["--dynamic"]);
    assert!(dynamic.contains(&format!("[libturnkeep.so.{abi}]")), "{dynamic}");
}

/// Unwinding out of `extern "C"` ends the host's process, so every body is a closure that a guard runs.
#[test]
fn every_exported_body_is_guarded() {
    let mut functions = 0;
    for entry in fs::read_dir(root().join("ffi/src")).expect("the sources") {
        let source = fs::read_to_string(entry.expect("a file").path()).expect("a source");
        for function in source.split("#[unsafe(no_mangle)]").skip(1) {
            let (signature, rest) = function.split_once(" {\n").expect("a body");
            let (body, _) = rest.split_once("\n}\n").expect("a body's end");
            let lines = body.lines().map(str::trim).filter(|line| !line.starts_with("//"));
            let body = lines.collect::<Vec<_>>().join("\n");
            let contained = body.starts_with("boundary::contain(|| ");
            let guarded =
                body.starts_with("let body = || ") && body.ends_with("\nunsafe { boundary::guard(error, body) }");
            assert!(contained || guarded, "not guarded: {signature}");
            functions += 1;
        }
    }
    assert_eq!(functions, declared().len());
}

/// The name in C is the name of the contract in snake case, and the table of the C tests leaves none out.
#[test]
fn every_pure_function_is_called_by_its_name_and_tested() {
    let source = fs::read_to_string(root().join("ffi/src/functions.rs")).expect("the source");
    let table = fs::read_to_string(root().join("ffi/tests/c/functions.h")).expect("the table");
    let functions: Vec<&str> = source.split("pub unsafe extern \"C\" fn turnkeep_").skip(1).collect();
    assert!(functions.len() > 30);
    for function in functions {
        let (name, body) = function.split_once('(').expect("parameters");
        let called = body.split("call(\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a call");
        let mut snake = String::new();
        for character in called.chars() {
            if character.is_ascii_uppercase() {
                snake.push('_');
            }
            snake.push(character.to_ascii_lowercase());
        }
        assert_eq!(snake, name);
        assert!(table.contains(&format!("FUNCTION({name}),")), "{name}");
    }
}
