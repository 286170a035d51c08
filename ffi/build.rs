//! Names the shared library and writes `include/turnkeep.h`.
//!
//! The header is committed. A build rewrites it when the sources say something else; with `TURNKEEP_HEADER_CHECK` set
//! it fails instead.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

/// The number that the shared library's name ends in; the test `the_soname_is_the_abi_version` ties it to
/// `TURNKEEP_ABI_VERSION`.
const SONAME: &str = "libturnkeep.so.0";
/// In the order in which a reader of the header meets them.
const SOURCES: &[&str] = &[
    "status",
    "codes",
    "version",
    "bytes",
    "error",
    "engine",
    "turn",
    "tool_call",
    "operations",
    "tail",
    "export",
    "functions",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=cbindgen.toml");
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=types.h.in");
    println!("cargo:rerun-if-changed=../include/turnkeep.h");
    println!("cargo:rerun-if-env-changed=TURNKEEP_HEADER_CHECK");
    if env::var("CARGO_CFG_TARGET_OS")? == "linux" {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,{SONAME}");
    }

    let root = env::var("CARGO_MANIFEST_DIR")?;
    let root = Path::new(&root);
    let path = root.join("../include/turnkeep.h");
    let header = header(root)?;
    let committed = fs::read_to_string(&path).unwrap_or_default();
    if header == committed {
        return Ok(());
    }
    if env::var_os("TURNKEEP_HEADER_CHECK").is_some() {
        return Err("include/turnkeep.h is out of date: build without TURNKEEP_HEADER_CHECK and commit it".into());
    }
    fs::write(&path, header)?;
    Ok(())
}

fn header(root: &Path) -> Result<String, Box<dyn Error>> {
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml"))?;
    config.after_includes = Some(version_macros()?);
    config.trailer = Some(fs::read_to_string(root.join("types.h.in"))?);
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in SOURCES {
        builder = builder.with_src(root.join("src").join(source).with_extension("rs"));
    }
    let mut text = Vec::new();
    builder.generate()?.write(&mut text);
    // A heading that says something outside Rust.
    Ok(String::from_utf8(text)?.replace(" * # Safety\n", " * The caller sees to it that:\n"))
}

/// From Cargo's own numbers, so that the header cannot claim another version than the library.
fn version_macros() -> Result<String, env::VarError> {
    let part = |name: &str| env::var(format!("CARGO_PKG_VERSION{name}"));
    Ok(format!(
        "\n/** The version of this header. turnkeep_version() tells that of the library. */\n\
         #define TURNKEEP_VERSION \"{}\"\n\
         #define TURNKEEP_VERSION_MAJOR {}\n\
         #define TURNKEEP_VERSION_MINOR {}\n\
         #define TURNKEEP_VERSION_PATCH {}",
        part("")?,
        part("_MAJOR")?,
        part("_MINOR")?,
        part("_PATCH")?
    ))
}
