//! A short form of what `make storm FREEZE_ALL=…` and `CLOCK=…` do at length: processes that sleep, and clocks that are set,
//! lose no run of a living owner.

use std::process::Command;

fn none_is_lost(arguments: &[&str]) {
    let said = Command::new(env!("CARGO_BIN_EXE_sleepers")).args(arguments).output().unwrap();
    let (out, errors) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(said.status.success() && out.trim_end().ends_with("lost=0"), "{out}{errors}");
}

#[test]
fn whoever_sleeps_keeps_its_runs() {
    none_is_lost(&["rounds=8"]);
}

#[test]
fn a_clock_that_is_set_takes_no_run_from_anybody_and_changes_no_order() {
    none_is_lost(&["rounds=12", "clock=1"]);
}

#[test]
fn the_same_on_a_server() {
    none_is_lost(&["rounds=4", "lanes=2", "store=postgres"]);
    none_is_lost(&["rounds=6", "lanes=2", "store=postgres", "clock=1"]);
}
