//! The target `loops` for libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| turnkeep_fuzz::loops(data));
