use super::*;
use crate::machine::reached;

#[test]
fn schedules_break_no_invariant() {
    let mut coverage = Coverage::default();
    reached::take();
    for seed in 0..10_000 {
        match run(seed, None) {
            Ok(reached) => coverage.add(&reached),
            Err(violation) => panic!("{violation}"),
        }
    }
    for (name, count) in coverage.counts() {
        assert!(count > 0, "no schedule reached {name}");
    }
    table::compare(&reached::take());
}

#[test]
fn every_broken_rule_is_found() {
    for mutation in Mutation::ALL {
        let found = (0..10_000).find_map(|seed| run(seed, Some(*mutation)).err());
        assert!(found.is_some(), "{} was not found", mutation.name());
    }
}

#[test]
fn a_seed_decides_everything() {
    for seed in 0..20 {
        let trace = || {
            let mut lines = Vec::new();
            let _ = replay(seed, None, |line| lines.push(line));
            lines
        };
        assert_eq!(trace(), trace());
    }
}
