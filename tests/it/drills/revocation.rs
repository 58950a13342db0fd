//! Drills with revocation: how soon it is in force, and how much memory a long list takes.

use std::time::{Duration, Instant};

use serde_json::json;

use super::load::Load;
use super::{config, guarded, length, rest, tell};
use crate::harness::Sidecar;
use crate::tokens::{SECRET, now, signed};
use crate::upstream::Upstream;

#[test]
fn a_revocation_is_in_force_within_a_second() {
    let (upstream, folder) = (Upstream::friendly(), tempfile::tempdir().unwrap());
    let list = folder.path().join("revoked.jsonl");
    std::fs::write(&list, "").unwrap();
    let issuer =
        format!("secret = {{ text = \"{SECRET}\" }}\nsubject = \"userLoginId\"\nrevoked = {{ file = {list:?} }}\n");
    let sidecar = Sidecar::start(&config(&upstream, &issuer));
    let rounds = length(3, 30);
    let mut slowest = Duration::ZERO;
    let mut lines = String::new();
    for round in 0..rounds {
        let token = |id: &str| signed(&json!({ "userLoginId": "boomi", "jti": id, "exp": now() + 600 }));
        let (taken, kept) = (token(&format!("taken-{round}")), token(&format!("kept-{round}")));
        let load = Load::start(sidecar.address, 200, 4, move |number| {
            (number % 2, guarded(if number % 2 == 0 { &taken } else { &kept }))
        });
        rest(Duration::from_millis(500));
        lines += &format!("{{\"jti\": \"taken-{round}\", \"exp\": {}}}\n", now() + 600);
        // As careful programs write: whole or not at all.
        std::fs::write(list.with_extension("new"), &lines).unwrap();
        std::fs::rename(list.with_extension("new"), &list).unwrap();
        let changed = Instant::now();
        rest(Duration::from_millis(1500));
        let outcomes = load.end();
        let kept = outcomes.iter().filter(|outcome| outcome.which == 1);
        assert!(kept.clone().all(|outcome| outcome.verdict == "allow"), "the other token passes");
        let of_taken = || outcomes.iter().filter(|outcome| outcome.which == 0);
        let first = of_taken().filter(|outcome| outcome.verdict == "token_revoked").map(|outcome| outcome.sent).min();
        let first = first.expect("it was never refused");
        assert!(of_taken().all(|outcome| (outcome.verdict == "allow") == (outcome.sent < first)), "and stays so");
        slowest = slowest.max(first.saturating_duration_since(changed));
    }
    tell("from a revocation to the first refusal", &format!("{rounds} times, {slowest:?} at most (1 s permitted)"));
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}
