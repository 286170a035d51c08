//! A short rotation with kills; `make rotate` does a long one.

use std::process::Command;

#[test]
fn a_rotation_that_is_killed_again_and_again_loses_no_key() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_rotate")).args(["records=5000", "kills=12", "seed=7"]).output().unwrap();
    let (said, problems) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    eprintln!("{problems}{said}");
    assert!(output.status.success(), "{problems}");
    let last = said.lines().last().unwrap();
    assert!(last.contains(" unreadable=0 under_the_old_secret=0 "), "{last}");
    let killed = last.split_once("killed_while_rotating=").unwrap().1.split(' ').next().unwrap();
    assert!(killed.parse::<u32>().unwrap() > 0, "no kill met a rotation: {last}");
}
