//! Keys that are fetched: rotation, outages of every kind, and what clients and operators see of them.

use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::client::{Client, Response, ask, request};
use crate::harness::{Sidecar, eventually};
use crate::issuer::{Idp, Mood, Pair, away, certificate, set};
use crate::program::{Program, run};
use crate::tokens::bearer;
use crate::upstream::Upstream;

/// One guard and one issuer, whose keys are where `source` says.
fn config(upstream: &Upstream, source: &str, more: &str) -> String {
    format!(
        "{}unmatched = \"open\"\n[answers]\nreason = \"exact\"\n[issuer.idp]\n{source}\n{more}\n[[route]]\npath = \
         \"/guarded\"\n",
        upstream.line()
    )
}

fn from(url: &str) -> String {
    format!("jwks = {{ url = \"{url}\" }}")
}

fn shown(to: &Sidecar, token: &str) -> Response {
    ask(to.address, "POST", "/guarded", &[("Authorization", &bearer(token))], "{}")
}

/// `allow`, or the code of the refusal.
fn verdict(to: &Sidecar, token: &str) -> String {
    let response = shown(to, token);
    if response.status == 200 { "allow".to_owned() } else { response.code() }
}

fn passes(to: &Sidecar, token: &str) {
    eventually("the token to pass", || (verdict(to, token) == "allow").then_some(()));
}

fn ready(to: &Sidecar) -> (u16, String) {
    let ready = ask(to.admin, "GET", "/readyz", &[], "");
    (ready.status, ready.text())
}

#[test]
fn an_issuer_that_is_away_at_the_start_keeps_nobody_waiting_who_needs_no_keys() {
    let upstream = Upstream::friendly();
    let (port, url) = away();
    let key = Pair::new("a");
    let began = Instant::now();
    let toml = config(&upstream, &from(&url), "pause = \"1s\"\nrefresh = \"1s\"");
    let sidecar = Sidecar::with_admin(&toml, "ready_without_keys = false\n");
    let response = shown(&sidecar, &key.token());
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!((response.status, &*response.code()), (503, "keys_unavailable"));
    assert!(response.field("retry-after").is_some(), "{}", response.head);
    assert_eq!(ask(sidecar.address, "GET", "/open", &[], "").status, 200);
    assert_eq!(ask(sidecar.address, "POST", "/guarded", &[], "").code(), "credential_missing");
    let (status, text) = ready(&sidecar);
    assert!(status == 503 && text.contains("awaiting keys of idp"), "{text}");
    assert!(text.contains("could not be fetched yet"), "{text}");
    let _idp = Idp::at(port, Mood::Says(set(&[&key])));
    passes(&sidecar, &key.token());
    eventually("it to be ready", || (ready(&sidecar) == (200, "ready\n".into())).then_some(()));
    assert!(sidecar.counted("waxseal_key_fetch_total{issuer=\"idp\",outcome=\"good\"}") > 0);
    assert!(sidecar.counted("waxseal_key_fetch_total{issuer=\"idp\",outcome=\"failed\"}") > 0);
    let metrics = ask(sidecar.admin, "GET", "/metrics", &[], "").text();
    assert!(metrics.contains("waxseal_key_set_age_seconds{issuer=\"idp\"}"), "{metrics}");
}

#[test]
fn a_new_key_is_fetched_when_the_first_token_names_it() {
    let upstream = Upstream::friendly();
    let (old, new) = (Pair::new("old"), Pair::new("new"));
    let idp = Idp::with(&[&old]);
    let sidecar = Sidecar::start(&config(&upstream, &from(&idp.keys()), "pause = \"1s\""));
    passes(&sidecar, &old.token());
    let before = idp.fetches();
    idp.has(&[&old, &new]);
    for token in [new.token(), old.token(), new.token()] {
        assert_eq!(verdict(&sidecar, &token), "allow");
    }
    assert_eq!(idp.fetches(), before + 1);
    idp.has(&[&new]);
    let third = Pair::new("third");
    assert_eq!(verdict(&sidecar, &third.token()), "unknown_key", "within the pause");
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(verdict(&sidecar, &third.token()), "unknown_key");
    assert_eq!(idp.fetches(), before + 2);
    assert_eq!(verdict(&sidecar, &old.token()), "unknown_key", "a key that is gone proves nothing more");
    assert_eq!(verdict(&sidecar, &new.token()), "allow");
}

#[test]
fn a_pause_after_a_new_key_is_published_its_tokens_are_never_refused() {
    const PAUSE: Duration = Duration::from_secs(1);
    let upstream = Upstream::friendly();
    let (old, new, stranger) = (Pair::new("old"), Pair::new("new"), Pair::new("stranger"));
    let idp = Idp::with(&[&old]);
    let sidecar = Sidecar::start(&config(&upstream, &from(&idp.keys()), "pause = \"1s\""));
    passes(&sidecar, &old.token());
    let (before, began) = (idp.fetches(), Instant::now());
    let mut client = Client::connect(sidecar.address);
    let mut status = |pair: &Pair| {
        let sent = request("POST", "/guarded", &[("Authorization", &bearer(&pair.token()))], "{}");
        client.send(&sent).response(false).status
    };
    // The worst moment: somebody has just caused a fetch.
    assert_eq!(status(&stranger), 401);
    idp.has(&[&old, &new]);
    let published = Instant::now();
    let mut wrongly = 0;
    while published.elapsed() < 3 * PAUSE {
        assert_eq!(status(&old), 200);
        let asked = published.elapsed();
        if status(&new) != 200 {
            assert!(asked < PAUSE, "refused {asked:?} after it was published");
            wrongly += 1;
        }
        status(&stranger);
    }
    assert!(wrongly > 0, "within the pause nobody knows");
    let most = usize::try_from(began.elapsed().as_secs()).unwrap() + 1;
    assert!(idp.fetches() - before <= most, "{} fetches in {most} s", idp.fetches() - before);
}

#[test]
fn a_thousand_strangers_cause_one_fetch_a_pause() {
    let upstream = Upstream::friendly();
    let (key, stranger) = (Pair::new("a"), Pair::new("b"));
    let idp = Idp::with(&[&key]);
    let sidecar = Sidecar::start(&config(&upstream, &from(&idp.keys()), "pause = \"1s\""));
    passes(&sidecar, &key.token());
    let (before, began) = (idp.fetches(), Instant::now());
    let (address, good) = (sidecar.address, bearer(&key.token()));
    let strangers: Vec<_> = (0..4)
        .map(|part| {
            let stranger = stranger.clone();
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                for number in 0..250 {
                    let token = bearer(&stranger.token_of(&format!("{part}-{number}")));
                    let sent = request("POST", "/guarded", &[("Authorization", &token)], "{}");
                    let response = client.send(&sent).response(false);
                    assert_eq!((response.status, &*response.code()), (401, "unknown_key"));
                }
            })
        })
        .collect();
    let mut client = Client::connect(address);
    while strangers.iter().any(|thread| !thread.is_finished()) {
        let sent = request("POST", "/guarded", &[("Authorization", &good)], "{}");
        assert_eq!(client.send(&sent).response(false).status, 200);
    }
    strangers.into_iter().for_each(|thread| thread.join().unwrap());
    let most = usize::try_from(began.elapsed().as_secs()).unwrap() + 1;
    let fetches = idp.fetches() - before;
    assert!((1..=most).contains(&fetches), "{fetches} fetches in {most} s");
}

#[test]
fn whatever_an_issuer_does_the_last_good_keys_are_used() {
    let upstream = Upstream::friendly();
    let (key, other) = (Pair::new("a"), Pair::new("b"));
    let elsewhere = Idp::with(&[&other]);
    let idp = Idp::with(&[&key]);
    let toml = config(&upstream, &from(&idp.keys()), "pause = \"1s\"\nrefresh = \"1s\"\nfetch_timeout = \"500ms\"");
    let sidecar = Sidecar::start(&toml);
    passes(&sidecar, &key.token());
    let good = set(&[&other]);
    let redirect = format!("Location: {}\r\n", elsewhere.keys());
    let secret = json!({ "keys": [{ "kty": "oct", "kid": "b", "k": "c2VjcmV0" }] }).to_string();
    for (mood, words) in [
        (Mood::Answers(500, "", good.clone()), "it answered 500"),
        (Mood::Answers(404, "", good.clone()), "it answered 404"),
        (Mood::Answers(302, redirect.leak(), String::new()), "no redirect is followed"),
        (Mood::Answers(200, "Content-Type: text/html\r\n", "<html></html>".into()), "content type"),
        (Mood::Answers(200, "Content-Type: text/plain\r\n", good.clone()), "content type"),
        (Mood::Says("<html></html>".into()), "no JWK Set"),
        (Mood::Says("{\"keys\": []}".into()), "it is empty"),
        (Mood::Says(secret), "a shared secret"),
        (Mood::Says(format!("{good}{}", " ".repeat(10 << 20))), "more than 1048576 bytes"),
        (Mood::Half(good), "broke off"),
        (Mood::Closes, "broke off"),
        (Mood::Hangs, "within 500ms"),
    ] {
        idp.is(mood);
        let warning = eventually(words, || Some(ready(&sidecar).1).filter(|text| text.contains(words)));
        assert!(warning.starts_with("ready\n") && warning.contains("keys of idp are"), "{warning}");
        assert_eq!(verdict(&sidecar, &key.token()), "allow", "{words}");
        assert_eq!(verdict(&sidecar, &other.token()), "unknown_key", "{words}");
    }
    assert_eq!(elsewhere.fetches(), 0, "a redirect was followed");
    idp.has(&[&other]);
    passes(&sidecar, &other.token());
    eventually("the warning to go", || (ready(&sidecar).1 == "ready\n").then_some(()));
}

#[test]
fn keys_that_are_too_old_are_no_keys() {
    let upstream = Upstream::friendly();
    let key = Pair::new("a");
    let idp = Idp::with(&[&key]);
    let more = "pause = \"1s\"\nrefresh = \"500ms\"\nfetch_timeout = \"500ms\"\nstale = \"2s\"";
    let sidecar = Sidecar::start(&config(&upstream, &from(&idp.keys()), more));
    passes(&sidecar, &key.token());
    idp.is(Mood::Closes);
    assert_eq!(verdict(&sidecar, &key.token()), "allow");
    let began = Instant::now();
    eventually("the keys to be too old", || (verdict(&sidecar, &key.token()) == "keys_unavailable").then_some(()));
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert!(shown(&sidecar, &key.token()).field("retry-after").is_some());
    assert_eq!(ask(sidecar.address, "GET", "/open", &[], "").status, 200);
    let text = eventually("the warning", || Some(ready(&sidecar).1).filter(|text| text.contains("too old")));
    assert!(text.starts_with("ready\n"), "{text}");
    idp.has(&[&key]);
    passes(&sidecar, &key.token());
}

#[test]
fn the_shelf_bridges_a_restart_during_an_outage() {
    let (upstream, folder) = (Upstream::friendly(), TempDir::new().unwrap());
    let shelf = folder.path().join("idp.json");
    let (key, new) = (Pair::new("a"), Pair::new("b"));
    let idp = Idp::with(&[&key]);
    let toml = config(&upstream, &from(&idp.keys()), &format!("pause = \"1s\"\nshelf = {shelf:?}"));
    let sidecar = Sidecar::start(&toml);
    passes(&sidecar, &key.token());
    eventually("the shelf to be written", || shelf.exists().then_some(()));
    drop(sidecar);
    idp.is(Mood::Closes);
    let sidecar = Sidecar::with_admin(&toml, "ready_without_keys = false\n");
    assert_eq!(verdict(&sidecar, &key.token()), "allow", "from the first request on");
    assert_eq!(ready(&sidecar).0, 200);
    idp.has(&[&new]);
    passes(&sidecar, &new.token());
    drop(sidecar);
    std::fs::set_permissions(&shelf, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    idp.is(Mood::Closes);
    let sidecar = Sidecar::start(&toml);
    assert_eq!(verdict(&sidecar, &new.token()), "keys_unavailable", "others could have written it");
    let text = eventually("the warning", || Some(ready(&sidecar).1).filter(|text| text.contains("shelf")));
    assert!(text.contains("others than its owner"), "{text}");
}

#[test]
fn an_issuer_says_itself_where_its_keys_are() {
    let upstream = Upstream::friendly();
    let (key, new) = (Pair::new("a"), Pair::new("b"));
    let idp = Idp::with(&[&key]);
    idp.discovers(&json!({ "issuer": idp.name(), "jwks_uri": idp.keys() }));
    let source = format!("issuer = \"{}\"\ndiscovery = true", idp.name());
    let sidecar = Sidecar::start(&config(&upstream, &source, "pause = \"1s\"\nrefresh = \"1s\""));
    passes(&sidecar, &key.token_by(&idp.name()));
    assert_eq!(verdict(&sidecar, &key.token()), "issuer_mismatch");
    idp.has(&[&new]);
    passes(&sidecar, &new.token_by(&idp.name()));
    idp.discovers(&json!({ "issuer": format!("{}/", idp.name()), "jwks_uri": idp.keys() }));
    let text = eventually("the warning", || Some(ready(&sidecar).1).filter(|text| text.contains("every letter")));
    assert!(text.starts_with("ready\n"), "{text}");
    assert_eq!(verdict(&sidecar, &new.token_by(&idp.name())), "allow");
}

#[test]
fn keys_are_fetched_by_tls_from_whom_the_authority_vouches_for() {
    let (upstream, folder) = (Upstream::friendly(), TempDir::new().unwrap());
    let key = Pair::new("a");
    let (good, ended) = (certificate(folder.path(), "good.pem", false), certificate(folder.path(), "ended.pem", true));
    let idp = Idp::over_tls(&[&key], &good);
    let more = |ca: &std::path::Path| format!("pause = \"1s\"\nrefresh = \"1s\"\nca = {ca:?}");
    let sidecar = Sidecar::start(&config(&upstream, &from(&idp.keys()), &more(&good)));
    passes(&sidecar, &key.token());
    idp.shows(&ended);
    let text = eventually("the warning", || Some(ready(&sidecar).1).filter(|text| text.contains("no connection")));
    assert!(text.starts_with("ready\n"), "{text}");
    assert_eq!(verdict(&sidecar, &key.token()), "allow");
    drop(sidecar);
    for ca in [format!("ca = {ended:?}"), String::new()] {
        let sidecar = Sidecar::start(&config(&upstream, &from(&idp.keys()), &ca));
        assert_eq!(verdict(&sidecar, &key.token()), "keys_unavailable", "{ca}");
    }
}

#[test]
fn nothing_but_its_kid_makes_a_token_cause_a_fetch() {
    let upstream = Upstream::friendly();
    let key = Pair::new("a");
    let (idp, elsewhere) = (Idp::with(&[&key]), Idp::with(&[&key]));
    let sidecar = Sidecar::start(&config(&upstream, &from(&idp.keys()), "pause = \"1s\""));
    passes(&sidecar, &key.token());
    let before = idp.fetches();
    for (header, code) in [
        (json!({ "alg": "EdDSA", "kid": "b", "jku": elsewhere.keys() }), "token_malformed"),
        (json!({ "alg": "EdDSA", "kid": "b", "x5u": elsewhere.keys() }), "token_malformed"),
        (json!({ "alg": "none", "kid": "b" }), "algorithm_not_allowed"),
        (json!({ "alg": "HS256", "kid": "b" }), "algorithm_not_allowed"),
        (json!({ "alg": "EdDSA", "kid": "a" }), "signature_invalid"),
    ] {
        let part = |value: &serde_json::Value| {
            base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, value.to_string())
        };
        let claims = json!({ "sub": "boomi", "iss": elsewhere.name(), "exp": crate::tokens::now() + 600 });
        let token = format!("{}.{}.{}", part(&header), part(&claims), "A".repeat(86));
        assert_eq!(verdict(&sidecar, &token), code, "{header}");
    }
    assert_eq!((idp.fetches(), elsewhere.fetches(), elsewhere.strays()), (before, 0, 0));
}

#[test]
fn explain_looks_on_the_shelf_and_check_fetches_nothing() {
    let (upstream, folder) = (Upstream::friendly(), TempDir::new().unwrap());
    let key = Pair::new("a");
    let idp = Idp::with(&[&key]);
    let case = "[[test]]\nrequest = \"POST /guarded\"\nclaims = { sub = \"boomi\" }\nexpect = \"allow\"\n";
    let toml = config(&upstream, &from(&idp.keys()), "pause = \"1s\"\nshelf = \"idp.json\"") + case;
    let file = folder.path().join("config.toml");
    std::fs::write(&file, format!("listen = \"127.0.0.1:0\"\n{toml}\n[admin]\nlisten = \"127.0.0.1:0\"\n")).unwrap();
    let explained = || run(&["explain", "POST", "/guarded", "--token", &key.token()], folder.path());
    let before = explained();
    assert!(before.code == Some(1) && before.out.contains("keys_unavailable"), "{}{}", before.out, before.err);
    let checked = run(&["check"], folder.path());
    assert_eq!(checked.code, Some(0), "{}", checked.out);
    assert_eq!(idp.fetches(), 0, "nothing was fetched");
    let mut program = Program::start(&["run"], folder.path());
    program.addresses();
    eventually("the shelf to be written", || folder.path().join("idp.json").exists().then_some(()));
    drop(program);
    let fetches = idp.fetches();
    let after = explained();
    assert_eq!(after.code, Some(0), "{}{}", after.out, after.err);
    assert_eq!(idp.fetches(), fetches);
}
