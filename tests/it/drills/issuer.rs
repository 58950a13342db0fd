//! Drills with the issuer: it rotates, is away, fails, and is flooded with questions about it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use super::load::Load;
use super::{config, guarded, length, rest, tell};
use crate::client::ask;
use crate::harness::{Sidecar, eventually};
use crate::issuer::{Idp, Mood, Pair, certificate, set};
use crate::program::{Program, folder_with};
use crate::tokens::bearer;
use crate::upstream::Upstream;
use waxseal::time::{Clock, UnixSeconds};

/// The pause of these drills.
const PAUSE: Duration = Duration::from_secs(1);

fn fetched(idp: &Idp, more: &str) -> String {
    format!("jwks = {{ url = \"{}\" }}\npause = \"1s\"\nfetch_timeout = \"500ms\"\n{more}\n", idp.keys())
}

fn verdict(to: &Sidecar, token: &str) -> String {
    let response = ask(to.address, "POST", "/guarded", &[("Authorization", &bearer(token))], "{}");
    if response.status == 200 { "allow".to_owned() } else { response.code() }
}

#[test]
fn a_rotation_costs_no_good_token() {
    let upstream = Upstream::friendly();
    let names: Vec<&'static str> =
        (0..length(4, 21)).map(|number| &*Box::leak(format!("key-{number}").into_boxed_str())).collect();
    let pairs: Vec<Pair> = names.iter().map(|name| Pair::new(name)).collect();
    let idp = Idp::with(&[&pairs[0]]);
    let sidecar = Sidecar::start(&config(&upstream, &fetched(&idp, "refresh = \"10m\"")));
    eventually("the first keys", || (verdict(&sidecar, &pairs[0].token()) == "allow").then_some(()));
    // Tokens by the key of before and by the newest, half and half.
    let tokens = Arc::new(Mutex::new((pairs[0].token(), pairs[0].token())));
    let shown = Arc::clone(&tokens);
    let load = Load::start(sidecar.address, 500, 8, move |number| {
        let (old, new) = shown.lock().unwrap().clone();
        (number % 2, guarded(if number % 2 == 0 { &old } else { &new }))
    });
    let (before, began) = (idp.fetches(), Instant::now());
    let mut published = Vec::new();
    for two in pairs.windows(2) {
        rest(PAUSE * 3 / 2);
        idp.has(&[&two[0], &two[1]]);
        published.push(Instant::now());
        *tokens.lock().unwrap() = (two[0].token(), two[1].token());
    }
    rest(PAUSE * 3 / 2);
    let pauses = began.elapsed().as_secs_f64() / PAUSE.as_secs_f64();
    let fetches = idp.fetches() - before;
    let outcomes = load.end();
    let early = |sent: Instant| published.iter().any(|at| sent >= *at && sent - *at < PAUSE);
    let refused = outcomes.iter().filter(|outcome| outcome.verdict != "allow");
    let (within, wrongly): (Vec<_>, Vec<_>) = refused.partition(|outcome| early(outcome.sent));
    tell(
        "rotation at 500 requests a second",
        &format!(
            "{} rotations, {} requests; {} refused later than a pause after publication (0 permitted), {} before; {fetches} \
             fetches in {pauses:.0} pauses",
            published.len(),
            outcomes.len(),
            wrongly.len(),
            within.len()
        ),
    );
    assert!(wrongly.is_empty(), "{:?}", wrongly.first());
    assert!(fetches as f64 <= pauses + 1.0, "{fetches} fetches in {pauses} pauses");
    assert!(fetches >= published.len(), "every key was fetched");
}

#[test]
fn an_hour_without_the_issuer_refuses_no_known_key() {
    let upstream = Upstream::friendly();
    let folder = tempfile::tempdir().unwrap();
    let (good, ended) = (certificate(folder.path(), "good.pem", false), certificate(folder.path(), "ended.pem", true));
    let (key, new) = (Pair::new("a"), Pair::new("b"));
    let idp = Idp::over_tls(&[&key], &good);
    let began = f64::from(u32::try_from(crate::tokens::now()).unwrap());
    let played = Arc::new(Mutex::new(began));
    let read = Arc::clone(&played);
    let clock = Clock::Given(Arc::new(move || UnixSeconds::new(*read.lock().unwrap()).unwrap()));
    let toml = config(&upstream, &fetched(&idp, &format!("refresh = \"1s\"\nca = {good:?}")));
    let sidecar = Sidecar::with_clock(&toml, clock);
    let token = |pair: &Pair, now: f64| pair.signed(&json!({ "sub": "boomi", "exp": now + 600.0 }));
    eventually("the first keys", || (verdict(&sidecar, &token(&key, began)) == "allow").then_some(()));
    let (whole, secret) = (set(&[&key]), json!({ "keys": [{ "kty": "oct", "kid": "b", "k": "c2VjcmV0" }] }));
    let moods = [
        ("down", Mood::Closes),
        ("hanging", Mood::Hangs),
        ("500", Mood::Answers(500, "", whole.clone())),
        ("404", Mood::Answers(404, "", whole.clone())),
        ("HTML", Mood::Answers(200, "Content-Type: text/html\r\n", "<html></html>".into())),
        ("an empty set", Mood::Says("{\"keys\": []}".into())),
        ("a secret", Mood::Says(secret.to_string())),
        ("10 MiB", Mood::Says(format!("{whole}{}", " ".repeat(10 << 20)))),
        ("half a body", Mood::Half(whole.clone())),
        ("another content type", Mood::Answers(200, "Content-Type: text/plain\r\n", whole.clone())),
        ("a redirect", Mood::Answers(302, "Location: https://127.0.0.1:1/\r\n", String::new())),
        ("an ended certificate", Mood::Says(whole)),
    ];
    let (mut judged, mut unknown) = (0, 0);
    for (name, mood) in &moods {
        if *name == "an ended certificate" {
            idp.shows(&ended);
        }
        idp.is(mood.clone());
        // An hour in all, a few minutes each.
        for _ in 0..3 {
            *played.lock().unwrap() += 3600.0 / (moods.len() * 3) as f64;
            rest(Duration::from_millis(length(150, 1500)));
            let now = *played.lock().unwrap();
            assert_eq!(verdict(&sidecar, &token(&key, now)), "allow", "{name}");
            let stranger = verdict(&sidecar, &token(&new, now));
            assert_eq!(stranger, "unknown_key", "{name}: while keys are there, an unknown one is unknown");
            (judged, unknown) = (judged + 1, unknown + 1);
        }
    }
    assert!(*played.lock().unwrap() - began > 3599.0);
    tell(
        "the issuer is away for an hour of played time",
        &format!("{} ways to fail; {judged} of {judged} requests with known keys passed", moods.len()),
    );
}

#[test]
fn a_start_without_the_issuer_says_503_and_never_401() {
    let upstream = Upstream::friendly();
    let key = Pair::new("a");
    for (name, mood) in [
        ("down", Mood::Closes),
        ("hanging", Mood::Hangs),
        ("500", Mood::Answers(500, "", String::new())),
        ("an empty set", Mood::Says("{\"keys\": []}".into())),
    ] {
        let idp = Idp::at(0, mood);
        let sidecar = Sidecar::start(&config(&upstream, &fetched(&idp, "refresh = \"1s\"")));
        for _ in 0..length(3, 20) {
            let response = ask(sidecar.address, "POST", "/guarded", &[("Authorization", &bearer(&key.token()))], "{}");
            assert_eq!((response.status, &*response.code()), (503, "keys_unavailable"), "{name}");
            assert!(response.field("retry-after").is_some());
            assert_eq!(ask(sidecar.address, "GET", "/open", &[], "").status, 200, "{name}");
        }
        let began = Instant::now();
        idp.has(&[&key]);
        eventually("it to recover", || (verdict(&sidecar, &key.token()) == "allow").then_some(()));
        tell("start without the issuer", &format!("{name}: 503 until it was back, then {:?}", began.elapsed()));
    }
}

#[test]
fn strangers_by_the_thousand_cause_a_fetch_a_pause() {
    let upstream = Upstream::friendly();
    let (key, stranger) = (Pair::new("a"), Pair::new("b"));
    let idp = Idp::with(&[&key]);
    let toml = config(&upstream, &fetched(&idp, ""));
    let (folder, _) =
        folder_with(&format!("listen = \"127.0.0.1:0\"\nworkers = 1\n{toml}\n[admin]\nlisten = \"127.0.0.1:0\"\n"));
    let mut program = Program::start(&["run"], folder.path());
    let (address, _) = program.addresses();
    let good = guarded(&key.token());
    eventually("the first keys", || {
        (crate::client::Client::connect(address).send(&good).response(false).status == 200).then_some(())
    });
    let kilobytes = program.kilobytes("VmRSS");
    let load = Load::start(address, 100, 2, move |number| (number, good.clone()));
    let (before, began, count) = (idp.fetches(), Instant::now(), length(4_000, 100_000));
    let senders: Vec<_> = (0..4)
        .map(|part| {
            let stranger = stranger.clone();
            std::thread::spawn(move || {
                let (mut client, mut codes) = (crate::client::Client::connect(address), BTreeMap::new());
                for number in 0..count / 4 {
                    let token = stranger.token_of(&format!("{part}-{number}"));
                    let response = client.send(&guarded(&token)).response(false);
                    *codes.entry(response.code()).or_insert(0) += 1;
                }
                codes
            })
        })
        .collect();
    let mut codes = BTreeMap::new();
    for sender in senders {
        for (code, count) in sender.join().unwrap() {
            *codes.entry(code).or_insert(0) += count;
        }
    }
    let pauses = began.elapsed().as_secs_f64() / PAUSE.as_secs_f64();
    let (fetches, grown) = (idp.fetches() - before, program.kilobytes("VmHWM").saturating_sub(kilobytes));
    let outcomes = load.end();
    let valid = outcomes.iter().filter(|outcome| outcome.verdict == "allow").count();
    tell(
        "distinct unknown kids",
        &format!(
            "{count}: {codes:?}; {fetches} fetches in {pauses:.0} pauses; memory grew by {grown} KiB; {valid} of {} valid \
             requests passed",
            outcomes.len()
        ),
    );
    assert_eq!(valid, outcomes.len());
    assert_eq!(codes.keys().collect::<Vec<_>>(), ["unknown_key"]);
    assert!(fetches as f64 <= pauses + 1.0, "{fetches} fetches in {pauses} pauses");
    assert!(grown < 32 * 1024, "memory grew by {grown} KiB");
}

#[test]
fn a_restart_during_an_outage_takes_tokens_from_the_first_request_on() {
    let (upstream, folder) = (Upstream::friendly(), tempfile::tempdir().unwrap());
    let shelf = folder.path().join("idp.json");
    let key = Pair::new("a");
    let idp = Idp::with(&[&key]);
    let toml = config(&upstream, &fetched(&idp, &format!("shelf = {shelf:?}")));
    let sidecar = Sidecar::start(&toml);
    eventually("the first keys", || (verdict(&sidecar, &key.token()) == "allow").then_some(()));
    eventually("the shelf", || shelf.exists().then_some(()));
    drop(sidecar);
    idp.is(Mood::Closes);
    let restarts = length(3, 20);
    for _ in 0..restarts {
        let sidecar = Sidecar::start(&toml);
        assert_eq!(verdict(&sidecar, &key.token()), "allow");
    }
    tell("restart during an outage, with a shelf", &format!("{restarts} of {restarts} first requests passed"));
}
