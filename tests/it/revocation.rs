//! Tokens that are taken back while the program runs.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use miniz_oxide::deflate::compress_to_vec_zlib;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::ask;
use crate::harness::{Sidecar, eventually};
use crate::issuer::{Idp, Mood, Pair, certificate};
use crate::program::{Program, folder_with};
use crate::tokens::{SECRET, bearer, now};
use crate::upstream::{Answer, Upstream};

/// Within which a change is in force.
const SOON: Duration = Duration::from_secs(1);

/// A guard for tokens of one issuer, with its key source and where its list is.
fn sidecar(upstream: &Upstream, issuer: &str) -> Sidecar {
    Sidecar::start(&format!(
        "{}unmatched = \"open\"\n[answers]\nreason = \"exact\"\n[issuer.own]\n{issuer}\n[[route]]\npath = \"/x\"\n",
        upstream.line()
    ))
}

fn with_secret(upstream: &Upstream, revoked: &str) -> Sidecar {
    sidecar(upstream, &format!("secret = {{ text = \"{SECRET}\" }}\nrevoked = {{ {revoked} }}"))
}

fn signed(kid: Option<&str>, claims: Value) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::HS512) };
    jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

fn token(id: &str) -> String {
    signed(Some("k1"), json!({ "sub": "boomi", "jti": id, "iat": now() - 60, "exp": now() + 600 }))
}

/// What becomes of a token: `ok`, or the code of its refusal.
fn judged(sidecar: &Sidecar, token: &str) -> String {
    let response = ask(sidecar.address, "POST", "/x", &[("Authorization", &bearer(token))], "");
    if response.status == 200 { String::from("ok") } else { response.code() }
}

/// Changes something, and waits until that shows in what becomes of a token.
fn within_a_second(sidecar: &Sidecar, token: &str, expected: &str, change: impl FnOnce()) {
    assert_ne!(judged(sidecar, token), expected, "it is so already");
    change();
    let changed = Instant::now();
    eventually(expected, || (judged(sidecar, token) == expected).then_some(()));
    assert!(changed.elapsed() < SOON, "{expected} after {:?}", changed.elapsed());
}

fn path(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).display().to_string()
}

/// Replaces a file in one go.
fn put(file: impl AsRef<Path>, content: &str) {
    let next = file.as_ref().with_extension("next");
    std::fs::write(&next, content).unwrap();
    std::fs::rename(next, file).unwrap();
}

fn readyz(sidecar: &Sidecar) -> String {
    ask(sidecar.admin, "GET", "/readyz", &[], "").text()
}

#[test]
fn a_token_a_subject_and_a_key_are_revoked_by_a_file_while_it_runs() {
    let (upstream, folder) = (Upstream::friendly(), TempDir::new().unwrap());
    let file = path(&folder, "revoked.jsonl");
    let end = now() + 600;
    put(&file, &format!("{{\"jti\":\"first\",\"exp\":{end}}}\n"));
    let sidecar = with_secret(&upstream, &format!("file = \"{file}\""));
    assert_eq!(judged(&sidecar, &token("first")), "token_revoked", "from the first request on");
    let other = token("other");
    within_a_second(&sidecar, &other, "token_revoked", || {
        put(&file, &format!("{{\"jti\":\"other\",\"exp\":{end}}}\n"))
    });
    assert_eq!(judged(&sidecar, &token("first")), "ok", "it is not on the list any more");
    for line in [
        format!("{{\"sub\":\"boomi\",\"before\":{},\"exp\":{end}}}\n", now()),
        format!("{{\"kid\":\"k1\",\"exp\":{end}}}\n"),
    ] {
        within_a_second(&sidecar, &token("third"), "token_revoked", || put(&file, &line));
        within_a_second(&sidecar, &token("third"), "ok", || put(&file, ""));
    }
    let fresh = signed(None, json!({ "sub": "boomi", "iat": now(), "exp": end }));
    put(&file, &format!("{{\"sub\":\"boomi\",\"before\":{},\"exp\":{end}}}\n", now() - 30));
    eventually("the older to be revoked", || (judged(&sidecar, &token("third")) == "token_revoked").then_some(()));
    assert_eq!(judged(&sidecar, &fresh), "ok");
}

#[test]
fn a_config_map_that_is_swapped_is_in_force_within_a_second() {
    let (upstream, folder) = (Upstream::friendly(), TempDir::new().unwrap());
    for (version, content) in [("..1", ""), ("..2", "{\"jti\":\"a\"}\n")] {
        std::fs::create_dir(folder.path().join(version)).unwrap();
        std::fs::write(folder.path().join(version).join("list"), content).unwrap();
    }
    symlink("..1", folder.path().join("..data")).unwrap();
    symlink("..data/list", folder.path().join("list")).unwrap();
    let sidecar = with_secret(&upstream, &format!("file = \"{}\"", path(&folder, "list")));
    within_a_second(&sidecar, &token("a"), "token_revoked", || {
        symlink("..2", folder.path().join("..next")).unwrap();
        std::fs::rename(folder.path().join("..next"), folder.path().join("..data")).unwrap();
    });
}

#[test]
fn a_broken_list_leaves_the_one_of_before_in_force_and_is_told() {
    let (upstream, folder) = (Upstream::friendly(), TempDir::new().unwrap());
    let file = path(&folder, "revoked.jsonl");
    put(&file, "{\"jti\":\"a\"}\n");
    let sidecar = with_secret(&upstream, &format!("file = \"{file}\""));
    assert_eq!(readyz(&sidecar), "ready\n");
    put(&file, "{\"jti\":\"b\"}\n\n{\"jtl\":\"c\"}\n");
    let told = eventually("a warning", || Some(readyz(&sidecar)).filter(|told| told.contains("warning")));
    assert!(told.starts_with("ready\n") && told.contains("line 3"), "{told}");
    assert_eq!((judged(&sidecar, &token("a")), judged(&sidecar, &token("b"))), ("token_revoked".into(), "ok".into()));
    assert_eq!(sidecar.counted("waxseal_revoked_load_total{issuer=\"own\",outcome=\"failed\"}"), 1);
    within_a_second(&sidecar, &token("b"), "token_revoked", || put(&file, "{\"jti\":\"b\"}\n"));
    eventually("no warning", || (readyz(&sidecar) == "ready\n").then_some(()));
}

#[test]
fn a_list_that_cannot_be_had_is_closed_or_open_until_it_comes() {
    let (upstream, folder) = (Upstream::friendly(), TempDir::new().unwrap());
    let file = path(&folder, "late.jsonl");
    let closed = with_secret(&upstream, &format!("file = \"{file}\""));
    let open = with_secret(&upstream, &format!("file = \"{file}\", missing = \"open\""));
    let response = ask(closed.address, "POST", "/x", &[("Authorization", &bearer(&token("a")))], "");
    assert_eq!((response.status, response.code()), (503, "keys_unavailable".into()));
    assert!(response.field("retry-after").is_some());
    assert_eq!(judged(&open, &token("a")), "ok");
    for (sidecar, words) in [(&closed, "its tokens are refused"), (&open, "no token is taken for revoked")] {
        eventually(words, || readyz(sidecar).contains(words).then_some(()));
    }
    within_a_second(&open, &token("a"), "token_revoked", || put(&file, "{\"jti\":\"a\"}\n"));
    eventually("the list", || (judged(&closed, &token("a")) == "token_revoked").then_some(()));
    assert_eq!(judged(&closed, &token("b")), "ok");
}

/// A server for one document, which may change, and be gone.
fn document() -> (Upstream, Arc<Mutex<Option<String>>>) {
    let content = Arc::<Mutex<Option<String>>>::default();
    let served = Arc::clone(&content);
    let server = Upstream::answering(move |_| match &*served.lock().unwrap() {
        Some(body) => Answer::Last(
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}", body.len())
                .into_bytes(),
        ),
        None => Answer::Last(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n".to_vec()),
    });
    (server, content)
}

#[test]
fn a_deny_list_behind_a_url_is_asked_for_again_and_again() {
    let (upstream, (server, content)) = (Upstream::friendly(), document());
    let set = |body: Option<&str>| *content.lock().unwrap() = body.map(str::to_owned);
    let sidecar = with_secret(&upstream, &format!("url = \"http://{}/revoked\"", server.address));
    assert_eq!(judged(&sidecar, &token("a")), "keys_unavailable");
    set(Some(""));
    eventually("a list", || (judged(&sidecar, &token("a")) == "ok").then_some(()));
    within_a_second(&sidecar, &token("a"), "token_revoked", || set(Some("{\"jti\":\"a\"}")));
    set(None);
    let told = eventually("a warning", || Some(readyz(&sidecar)).filter(|told| told.contains("warning")));
    assert!(told.contains("it answered 500") && told.contains("an earlier list stays in force"), "{told}");
    assert_eq!((judged(&sidecar, &token("a")), judged(&sidecar, &token("b"))), ("token_revoked".into(), "ok".into()));
}

#[test]
fn a_list_is_fetched_by_tls_from_whom_the_authority_vouches_for() {
    let (upstream, folder) = (Upstream::friendly(), TempDir::new().unwrap());
    let authority = certificate(folder.path(), "authority.pem", false);
    let server = Idp::over_tls(&[], &authority);
    let list = "{\"jti\":\"a\"}".to_owned();
    server.is(Mood::Answers(200, "Content-Type: text/plain\r\n", list));
    let with = |ca: &str| {
        let key = format!("secret = {{ text = \"{SECRET}\" }}");
        sidecar(&upstream, &format!("{key}\nrevoked = {{ url = \"{}\" }}\n{ca}", server.keys()))
    };
    let trusting = with(&format!("ca = {authority:?}"));
    eventually("the list", || (judged(&trusting, &token("b")) == "ok").then_some(()));
    assert_eq!(judged(&trusting, &token("a")), "token_revoked");
    let distrusting = with("");
    let told = eventually("a warning", || Some(readyz(&distrusting)).filter(|told| told.contains("warning")));
    assert!(told.contains("no connection"), "{told}");
    assert_eq!(judged(&distrusting, &token("b")), "keys_unavailable");
}

#[test]
fn keys_from_the_shelf_prove_a_status_list_before_the_first_request() {
    let (upstream, folder) = (Upstream::friendly(), TempDir::new().unwrap());
    let pair = Pair::new("a");
    let idp = Idp::with(&[&pair]);
    let lst = URL_SAFE_NO_PAD.encode(compress_to_vec_zlib(&[0b0000_0010], 6));
    let claims = json!({ "sub": "https://list/", "iat": now(), "status_list": { "bits": 1, "lst": lst } });
    std::fs::write(folder.path().join("list"), pair.status_list(&claims)).unwrap();
    let token = |index: u64| {
        let status = json!({ "status_list": { "idx": index, "uri": "https://list/" } });
        pair.signed(&json!({ "sub": "boomi", "exp": now() + 600, "status": status }))
    };
    let (shelf, list) = (path(&folder, "shelf"), path(&folder, "list"));
    let issuer =
        format!("jwks = {{ url = \"{}\" }}\nshelf = \"{shelf}\"\nrevoked = {{ file = \"{list}\" }}", idp.keys());
    let first = sidecar(&upstream, &issuer);
    eventually("keys and list", || (judged(&first, &token(0)) == "ok").then_some(()));
    eventually("the shelf to be written", || folder.path().join("shelf").exists().then_some(()));
    drop(first);
    idp.is(Mood::Closes);
    for _ in 0..3 {
        let again = sidecar(&upstream, &issuer);
        assert_eq!((judged(&again, &token(0)), judged(&again, &token(1))), ("ok".into(), "token_revoked".into()));
    }
}

#[test]
fn a_status_list_behind_a_url_is_taken_from_its_issuer_alone() {
    let (upstream, (server, content), folder) = (Upstream::friendly(), document(), TempDir::new().unwrap());
    let url = format!("http://{}/statuses", server.address);
    let pairs = [(); 2].map(|()| rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap());
    let keys = pairs.each_ref().map(|pair| EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap());
    std::fs::write(folder.path().join("key.pem"), pairs[0].public_key_pem()).unwrap();
    let sign = |key: &EncodingKey, typ: &str, claims: &Value| {
        let header = Header { typ: Some(typ.to_owned()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, key).unwrap()
    };
    let list = |key: &EncodingKey, uri: &str, statuses: u8| {
        let list = URL_SAFE_NO_PAD.encode(compress_to_vec_zlib(&[statuses], 6));
        let claims = json!({ "sub": uri, "iat": now(), "status_list": { "bits": 1, "lst": list } });
        *content.lock().unwrap() = Some(sign(key, "statuslist+jwt", &claims));
    };
    let token = |index: u64| {
        let status = json!({ "status_list": { "idx": index, "uri": url } });
        sign(&keys[0], "JWT", &json!({ "sub": "boomi", "exp": now() + 600, "status": status }))
    };
    list(&keys[0], &url, 0b0000_0010);
    let pem = path(&folder, "key.pem");
    let sidecar = sidecar(&upstream, &format!("pem = \"{pem}\"\nrevoked = {{ url = \"{url}\" }}"));
    eventually("the list", || (judged(&sidecar, &token(0)) == "ok").then_some(()));
    assert_eq!(judged(&sidecar, &token(1)), "token_revoked");
    assert_eq!(judged(&sidecar, &token(8)), "token_revoked", "beyond the list");
    within_a_second(&sidecar, &token(2), "token_revoked", || list(&keys[0], &url, 0b0000_0110));
    for (key, uri, words) in [(&keys[1], &*url, "did not sign"), (&keys[0], "https://other/", "not the url")] {
        list(key, uri, 0);
        eventually(words, || readyz(&sidecar).contains(words).then_some(()));
        assert_eq!(judged(&sidecar, &token(2)), "token_revoked", "{words}");
    }
}

#[test]
fn ten_million_statuses_take_at_most_16_mib_of_a_running_program() {
    const TOKENS: usize = 10_000_000;
    let (folder, config) = folder_with(&format!(
        "listen = \"127.0.0.1:0\"\nupstream = \"http://127.0.0.1:1\"\nunmatched = \"deny\"\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n\
         [issuer.own]\nsecret = {{ text = \"{SECRET}\" }}\nrevoked = {{ file = \"list\" }}\n[[route]]\npath = \"/x\"\n"
    ));
    let list = folder.path().join("list");
    put(&list, "");
    let mut program = Program::start(&["run", "--config", config.to_str().unwrap()], folder.path());
    let (address, admin) = program.addresses();
    // The allocator gives memory back while it is used, not while everything is quiet.
    let resident = || {
        ask(admin, "GET", "/metrics", &[], "");
        assert_eq!(ask(address, "GET", "/y", &[], "").status, 404);
        program.kilobytes("VmRSS")
    };
    let before = (0..50).map(|_| resident()).max().unwrap();
    let mut statuses = vec![0; TOKENS];
    aws_lc_rs::rand::fill(&mut statuses).unwrap();
    let claims = json!({
        "sub": "list",
        "iat": now(),
        "status_list": { "bits": 8, "lst": URL_SAFE_NO_PAD.encode(compress_to_vec_zlib(&statuses, 1)) },
    });
    let header = Header { typ: Some("statuslist+jwt".to_owned()), ..Header::new(Algorithm::HS512) };
    put(&list, &jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap());
    eventually("the list", || program.err().contains("the status of 10000000 tokens").then_some(()));
    let mut grown = 0;
    for _ in 0..500 {
        grown = resident().saturating_sub(before);
        if grown <= 16 << 10 {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("it grew by {grown} KiB");
}
