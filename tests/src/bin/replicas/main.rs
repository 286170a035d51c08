//! `replicas stop|tail|steps|wal [name=N …]`: what it costs to be several processes on one PostgreSQL server, in figures.
//! The server is started for it, with every setting that matters as Debian ships it, and writes through.
//!
//! Each line says what it has measured; the exit code says whether all of it went as it should, not how fast.

mod steps;
mod stop;
mod tail;
mod wal;

use std::process::ExitCode;

use turnkeep_tests::stage::argument;

/// Numbers among the arguments.
pub(crate) struct Numbers(Vec<String>);

impl Numbers {
    pub(crate) fn get(&self, name: &str, otherwise: usize) -> usize {
        argument(&self.0, name).and_then(|value| value.parse().ok()).unwrap_or(otherwise)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let numbers = Numbers(arguments.clone());
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["stop-child", store, provider, lease] => stop::child(store, provider, lease).await,
        ["tail-child", store, runs, seconds] => tail::child(store, runs, seconds).await,
        ["stop", ..] => stop::measure(&numbers).await,
        ["tail", ..] => tail::measure(&numbers).await,
        ["steps", ..] => steps::measure(&numbers).await,
        ["wal", ..] => wal::measure(&numbers).await,
        _ => Err("usage: replicas stop|tail|steps|wal [name=N …]".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("replicas: {error}");
            ExitCode::FAILURE
        }
    }
}

pub(crate) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
