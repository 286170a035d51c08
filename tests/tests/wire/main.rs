//! Recorded provider traffic: what is made of it, and what is sent.
//!
//! Reads `../shared/wire` in place (or the folder named by `TURNKEEP_SHARED`). Where it is missing, every test here
//! counts as skipped.

mod corpus;
mod exceptions;
mod expected;
mod parts;
mod requests;
mod scenarios;
mod told;
mod units;
mod verdict;
mod whole;

use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let is_here = corpus::wire().is_dir();
    if !is_here {
        eprintln!("skipped: {} is not here (set TURNKEEP_SHARED)", corpus::wire().display());
    }
    let mut trials = Vec::new();
    let mut add = |name: String, body: Box<dyn FnOnce() -> Result<(), Failed> + Send>| {
        trials.push(Trial::test(name, body).with_ignored_flag(!is_here));
    };
    for provider in corpus::PROVIDERS {
        add(format!("requests::{provider}"), Box::new(|| requests::compare(provider)));
        add(format!("streams::{provider}"), Box::new(|| parts::compare(provider)));
    }
    add("expected".to_owned(), Box::new(expected::compare));
    add("units".to_owned(), Box::new(units::compare));
    add("generate".to_owned(), Box::new(whole::compare));
    add("recorded".to_owned(), Box::new(whole::recorded));
    add("scenarios".to_owned(), Box::new(scenarios::compare));
    libtest_mimic::run(&arguments, trials).exit();
}
