//! Messages that join runs, against whatever may happen to these; `make steer` runs more races.

use std::process::Command;

use turnkeep_tests::scenario::on_postgres;

#[test]
fn each_message_is_in_its_run_once_or_the_next_turn_s() {
    let store = format!("store={}", if on_postgres() { "postgres" } else { "sqlite" });
    let output = Command::new(env!("CARGO_BIN_EXE_steer")).args(["races=150", &store]).output().unwrap();
    let (said, violations) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    eprintln!("{violations}{said}");
    assert!(output.status.success(), "{violations}");
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("steer: races=150 messages="), "{last}");
    assert!(last.ends_with(" lost=0 twice=0 stuck=0 wrong=0"), "{last}");
}
