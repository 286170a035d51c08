//! Many runs that wait in one file; `make waiting` has a million. They are copied into a file, so there is no server here.

use std::process::Command;

#[test]
fn runs_that_wait_hold_nothing_and_go_on_when_they_are_answered() {
    let output = Command::new(env!("CARGO_BIN_EXE_waiting")).args(["runs=2000", "answers=20"]).output().unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    eprintln!("{errors}{said}");
    assert!(output.status.success(), "{errors}");
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("waiting: runs=2000 leases=0 tasks=0 open_ms="), "{last}");
    assert!(last.contains(" answered=20 "), "{last}");
}
