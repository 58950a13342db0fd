//! The fuzz targets without a fuzzer: every seed, every find, and a few thousand mutations of them.
//!
//! The bodies stand in `tests/targets`; `scripts/fuzz` puts the same to a real fuzzer. `WAXSEAL_FUZZ_CASES` says how many
//! mutations each target is put to.

#![allow(unreachable_pub, missing_docs, dead_code, reason = "nothing outside uses a test")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that finds something amiss stops"
)]

mod targets;

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// What random mutations put in: what parsers look at.
const PIECES: [&str; 24] = [
    "%2f", "%25", "%00", "%c0%af", "/", "//", "..", ";", ".", "=", "\"", "{", "}", "[", "]", ",", "\n", "\r\n", ": ",
    " ", "\\", "0", "-1", "\u{fdd0}",
];

fn folder(kind: &str, target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(kind).join(target)
}

/// The files of a folder, in the order of their names; none where it is not there.
fn inputs(folder: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    paths.sort();
    paths.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Plays everything that is kept for a target, then mutations of it. `more` are seeds that stand elsewhere.
fn play(target: &str, body: fn(&[u8]), more: Vec<Vec<u8>>) {
    let seeds = inputs(&folder("seeds", target));
    assert!(seeds.len() >= 5, "fuzz/seeds/{target} holds {} seeds", seeds.len());
    let all = [seeds, inputs(&folder("finds", target)), more].concat();
    all.iter().for_each(|input| body(input));
    let cases = std::env::var("WAXSEAL_FUZZ_CASES").ok().and_then(|number| number.parse().ok()).unwrap_or(2_000);
    let change = (any::<prop::sample::Index>(), 0..12_usize, prop::option::of(0..PIECES.len()), any::<u8>());
    let drawn = (0..all.len(), prop::collection::vec(change, 1..8));
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let result = runner.run(&drawn, |(seed, changes)| {
        let mut input = all[seed].clone();
        for (place, lost, piece, byte) in changes {
            let at = place.index(input.len() + 1);
            let end = (at + lost).min(input.len());
            let put = piece.map_or_else(|| vec![byte], |piece| PIECES[piece].as_bytes().to_vec());
            input.splice(at..end, put);
        }
        body(&input);
        Ok(())
    });
    result.unwrap();
}

#[test]
fn heads() {
    play("head", targets::head::body, vec![]);
}

#[test]
fn paths() {
    play("path", targets::path::body, vec![]);
}

#[test]
fn authorizations() {
    play("authorization", targets::authorization::body, vec![]);
}

#[test]
fn tokens() {
    play("token", targets::token::body, vec![]);
}

#[test]
fn key_documents() {
    play("jwks", targets::jwks::body, vec![]);
}

#[test]
fn configs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut more = inputs(&root.join("tests/wrong"));
    more.push(std::fs::read(root.join("config.toml")).unwrap());
    play("config", targets::config::body, more);
}
