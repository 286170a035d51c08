//! A few readers that come and go; `make tails` has many.

use std::process::Command;

use turnkeep_tests::scenario::on_postgres;

#[test]
fn readers_that_come_and_go_receive_the_log() {
    let store = format!("store={}", if on_postgres() { "postgres" } else { "sqlite" });
    let output =
        Command::new(env!("CARGO_BIN_EXE_tails")).args(["sequences=300", "readers=30", &store]).output().unwrap();
    let (said, violations) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    eprintln!("{violations}{said}");
    assert!(output.status.success(), "{violations}");
    assert!(said.contains("tails: sequences=300 ") && said.contains(" violations=0 "), "{said}");
}
