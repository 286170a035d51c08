//! Calls that wait, under kills: a short storm. `make answers` runs a long one.

use std::process::Command;

use turnkeep_tests::scenario::on_postgres;

#[test]
fn whoever_is_killed_every_question_has_one_answer_and_every_call_is_made_once() {
    let store = format!("store={}", if on_postgres() { "postgres" } else { "sqlite" });
    let output = Command::new(env!("CARGO_BIN_EXE_answers")).args(["kills=30", &store]).output().unwrap();
    let (said, violations) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    eprintln!("{violations}{said}");
    assert!(output.status.success(), "{violations}");
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("answers: kills=30 runs="), "{last}");
    assert!(last.ends_with(" lost=0 made_twice=0 stuck=0 late=0 wrong=0"), "{last}");
}
