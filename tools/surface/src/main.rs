//! Writes what only converts between the engine and each language, from the one description of the surface: the
//! operations in `core/src/surface`, the functions in `core/src/functions`, the options, results and chunks as the core's
//! own types, and what is passed on unread in `shapes.rs`.
//!
//! `surface ROOT` writes, `surface ROOT --check` fails where what is there is not what it would write.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    reason = "a tool of the build: it stops where it cannot go on"
)]

mod c;
mod fuzz;
mod python;
mod read;
mod reference;
mod surface;
mod typescript;

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use reference::Language;

/// What every generated file begins with.
const GENERATED: &str =
    "Written by tools/surface from the description of the surface. Changes made here are overwritten.";

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let root = arguments.next().unwrap_or_else(|| ".".to_owned());
    let root = Path::new(&root);
    let check = arguments.next().is_some_and(|argument| argument == "--check");
    let surface = match read::read(root) {
        Ok(surface) => surface,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let package = "bindings-python/python/turnkeep/__init__.py";
    let there = fs::read_to_string(root.join(package)).unwrap_or_default();
    let files = [
        (package, python::package(&there, &surface)),
        ("docs/reference/node.md", reference::page(&surface, Language::Node)),
        ("docs/reference/python.md", reference::page(&surface, Language::Python)),
        ("docs/reference/c.md", reference::page(&surface, Language::C)),
        ("docs/reference/rust.md", reference::page(&surface, Language::Rust)),
        ("docs/schema/engine-options.json", reference::schema(&surface, "EngineOptions")),
        ("docs/schema/turn-request.json", reference::schema(&surface, "TurnRequest")),
        ("docs/schema/ui-message-chunk.json", reference::schema(&surface, "UIMessageChunk")),
        ("bindings-python/python/turnkeep/types.py", python::types(&surface)),
        ("bindings-python/python/turnkeep/errors.py", python::errors(&surface)),
        ("bindings-python/python/turnkeep/_operations.py", python::operations(&surface)),
        ("bindings-python/python/turnkeep/_plain_functions.py", python::functions(&surface)),
        ("ffi/src/codes.rs", c::codes(&surface)),
        ("ffi/tests/c/functions.h", c::table(&surface)),
        ("ffi/tests/c/operations.h", c::operation_table(&surface)),
        ("fuzz/src/templates.rs", fuzz::templates(&surface)),
        ("ffi/src/operations.rs", c::operations(&surface)),
        ("ffi/src/functions.rs", c::functions(&surface)),
        ("ffi/types.h.in", c::types(&surface)),
        ("bindings-node/surface.d.ts", typescript::declarations(&surface)),
        ("bindings-node/index.mjs", typescript::module(&surface)),
        ("bindings-node/lib/surface.js", typescript::javascript(&surface)),
    ];
    let mut stale = false;
    for (path, text) in files {
        let path = root.join(path);
        if fs::read_to_string(&path).is_ok_and(|there| there == text) {
            continue;
        }
        if check {
            eprintln!("{} is out of date: make surface, and commit it", path.display());
            stale = true;
        } else if let Err(error) = written(&path, &text) {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    if stale { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn written(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)
}
