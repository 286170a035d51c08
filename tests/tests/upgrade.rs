//! A short form of what `make upgrade` does at length: two versions work on one store at the same time.

use std::process::Command;

fn nothing_is_lost(store: &str) {
    let said = Command::new(env!("CARGO_BIN_EXE_upgrade")).args(["turns=60", store]).output().unwrap();
    let (out, errors) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(said.status.success() && out.trim_end().ends_with("lost=0"), "{out}{errors}");
}

#[test]
fn what_another_version_writes_is_neither_lost_nor_in_anybodys_way() {
    nothing_is_lost("store=sqlite");
}

#[test]
fn the_same_on_a_server() {
    nothing_is_lost("store=postgres");
}
