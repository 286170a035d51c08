//! The Node binding: conversion, and nothing else. JavaScript's half is `index.js`, which users import.
//!
//! Everything crosses as JSON text, so that JavaScript's own parser decides what a number is; of steps only what has to
//! change does, and the rest stays where it is. Tools are not called from
//! here: JavaScript takes calls out of a mailbox and answers them, so no function of the host is held by native code,
//! nothing it does can reach Node as an uncaught exception, and nothing keeps the process from exiting.

pub mod calls;
pub mod engine;
mod error;
pub mod functions;
mod promise;
pub mod tail;
pub mod turn;

use napi_derive::napi;

/// The environment may have many cores; an engine waits more than it works.
const WORKERS: usize = 2;

#[napi_derive::module_init]
fn init() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("turnkeep")
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => napi::bindgen_prelude::create_custom_tokio_runtime(runtime),
        // napi makes one of its own on first use, and reports it if that fails too.
        Err(error) => eprintln!("turnkeep: the runtime could not be sized: {error}"),
    }
}

/// The version of the native half, which the JavaScript half compares with its own.
#[napi(catch_unwind)]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// The headers of a UI message stream over HTTP, as pairs.
#[napi(catch_unwind)]
pub fn sse_headers() -> Vec<Vec<String>> {
    turnkeep::stream::SSE_HEADERS.iter().map(|(name, value)| vec![(*name).to_owned(), (*value).to_owned()]).collect()
}
