//! A short contest; `make contend` holds a long one.

use std::process::Command;

use turnkeep_tests::scenario::on_postgres;

#[test]
fn eight_processes_that_begin_at_once_have_one_winner_each_time() {
    let store = format!("store={}", if on_postgres() { "postgres" } else { "sqlite" });
    let output = Command::new(env!("CARGO_BIN_EXE_contend"))
        .args(["begins=800", "chats=10", "processes=8", &store])
        .output()
        .unwrap();
    let (said, violations) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    eprintln!("{violations}{said}");
    assert!(output.status.success(), "{violations}");
    let last = said.lines().last().unwrap();
    let expected = "contend: begins=800 winners=100 already_active=700 other_errors=0 double_active=0 seconds=";
    assert!(last.starts_with(expected), "{last}");
}
