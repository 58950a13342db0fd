//! See `tests/targets/token.rs`.

#![no_main]
#![allow(dead_code, reason = "each target uses its own part of what they share")]

#[path = "../../tests/targets/mod.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::token::body(bytes));
