//! A short storm; `make storm` runs a long one.

use std::process::Command;

use turnkeep_tests::scenario::on_postgres;

#[test]
fn kills_and_freezes_break_no_rule() {
    let store = format!("store={}", if on_postgres() { "postgres" } else { "sqlite" });
    // A file has no server that could be restarted.
    let restarts = if on_postgres() { "restarts=3" } else { "restarts=0" };
    let output =
        Command::new(env!("CARGO_BIN_EXE_storm")).args(["kills=20", "freezes=4", &store, restarts]).output().unwrap();
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
