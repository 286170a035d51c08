//! A short storm; `make storm` runs a long one.

use std::process::Command;

#[test]
fn kills_and_freezes_break_no_rule() {
    let output = Command::new(env!("CARGO_BIN_EXE_storm")).args(["kills=20", "freezes=4"]).output().unwrap();
    let (said, violations) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    eprintln!("{violations}{said}");
    assert!(output.status.success(), "{violations}");
    let last = said.lines().last().unwrap();
    assert!(
        last.starts_with(
            "storm: kills=20 freezes=4 lost_steps=0 double_active=0 unsettled=0 stale_writes=0 recovery_p99_ms="
        ),
        "{last}"
    );
}
