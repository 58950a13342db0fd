//! A new config while it runs: whole or not at all, by every trigger, and without a request that fails for it.

mod load;

use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::json;
use tempfile::TempDir;

use crate::client::{Response, ask};
use crate::harness::eventually;
use crate::program::{Program, own_port, run};
use crate::tokens::{SECRET, bearer, now, signed_with};
use crate::upstream::{Answer, Upstream, ok};

/// Another key than that of the tests.
const OTHER: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";

/// The program with a config file of its own.
pub(crate) struct Running {
    folder: TempDir,
    program: Program,
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
}

impl Running {
    pub(crate) fn start(config: &str) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("config.toml"), config).unwrap();
        std::fs::write(folder.path().join("jwtKey.txt"), SECRET).unwrap();
        Self::within(folder)
    }

    fn within(folder: TempDir) -> Self {
        let mut program = Program::start(&["run"], folder.path());
        let (address, admin) = program.addresses();
        Self { folder, program, address, admin }
    }

    /// Puts a file in the place of another, as a careful writer does.
    pub(crate) fn put(&self, name: &str, text: &str) {
        put(self.folder.path(), name, text);
    }

    /// Orders a reload with this config.
    pub(crate) fn reload(&self, config: &str) -> Response {
        self.put("config.toml", config);
        ask(self.admin, "POST", "/reload", &[], "")
    }

    fn status(&self, path: &str) -> u16 {
        ask(self.address, "GET", path, &[], "").status
    }

    /// The value of a metric.
    fn counted(&self, metric: &str) -> u64 {
        let text = ask(self.admin, "GET", "/metrics", &[], "").text();
        let value = text.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
        value.map_or(0, |value| value.trim().parse().unwrap())
    }

    fn ready(&self) -> String {
        ask(self.admin, "GET", "/readyz", &[], "").text()
    }
}

fn put(folder: &Path, name: &str, text: &str) {
    let fresh = folder.join(format!(".{name}"));
    std::fs::write(&fresh, text).unwrap();
    std::fs::rename(fresh, folder.join(name)).unwrap();
}

/// What the file begins with.
pub(crate) fn top(upstream: &Upstream) -> String {
    format!(
        "listen = \"127.0.0.1:0\"\nworkers = 2\n{}unmatched = \"open\"\n[admin]\nlisten = \"127.0.0.1:0\"\n",
        upstream.line()
    )
}

/// A route that nobody may take.
fn denied(path: &str) -> String {
    format!("[[route]]\npath = \"{path}\"\naccess = \"deny\"\n")
}

/// An issuer whose key is in a file, and a route that demands a token of it.
const GUARDED: &str = "[issuer.hotwax]\nsecret = { file = \"jwtKey.txt\" }\nsubject = \"userLoginId\"\n\
                       [[route]]\npath = \"/guarded\"\n";

const APPLIED: &str = "waxseal_reload_total{outcome=\"applied\"}";
const REFUSED: &str = "waxseal_reload_total{outcome=\"refused\"}";

#[test]
fn every_trigger_takes_the_new_config() {
    let upstream = Upstream::friendly();
    let running = Running::start(&top(&upstream));
    let epoch = || running.counted("waxseal_config_epoch");
    assert_eq!((running.status("/a"), epoch()), (200, 1));
    let answer = running.reload(&(top(&upstream) + &denied("/a")));
    assert_eq!((answer.status, answer.text()), (200, format!("config {} is in force: 1 route, 0 issuers\n", epoch())));
    assert_eq!((running.status("/a"), running.status("/b")), (404, 200));
    let answer = ask(running.admin, "POST", "/reload", &[("Accept", "application/json")], "");
    let before = epoch();
    assert_eq!(answer.json(), json!({ "applied": true, "epoch": before, "complaints": [] }));
    running.program.signal("HUP");
    eventually("the signal to be obeyed", || (epoch() == before + 1).then_some(()));
    running.put("config.toml", &(top(&upstream) + &denied("/b")));
    eventually("the file to be read", || (running.status("/b") == 404).then_some(()));
    assert_eq!(running.status("/a"), 200);
    assert_eq!((running.counted(APPLIED), running.counted(REFUSED)), (epoch() - 1, 0));
    let shown = ask(running.admin, "GET", "/config", &[], "").text();
    assert!(shown.contains("\"/b\"") && !shown.contains("\"/a\""), "{shown}");
}

#[test]
fn a_bad_file_keeps_what_is_in_force_and_says_so_until_a_good_one_comes() {
    let upstream = Upstream::friendly();
    let good = top(&upstream) + &denied("/a");
    let running = Running::start(&good);
    let line = good.lines().count() + 1;
    let answer = running.reload(&format!("{good}[[route]]\npath = \"/b\"\nacess = \"deny\"\n"));
    let place = format!("config.toml:{}:1", line + 2);
    assert_eq!(answer.status, 409);
    assert!(answer.text().contains(&place) && answer.text().contains("acess"), "{}", answer.text());
    assert_eq!((running.status("/a"), running.status("/b")), (404, 200));
    assert!(running.counted(APPLIED) == 0 && running.counted(REFUSED) > 0);
    assert_eq!(running.counted("waxseal_config_epoch"), 1);
    assert!(running.ready().starts_with("ready\nwarning: the last reload was refused: config.toml:"));
    eventually("a line in the log", || running.program.err().contains(&place).then_some(()));
    let answer = ask(running.admin, "POST", "/reload", &[("Accept", "application/json")], "");
    let lines: Vec<_> = answer.json()["complaints"].as_array().unwrap().iter().map(|one| one["line"].clone()).collect();
    assert!(answer.status == 409 && lines.contains(&json!(line + 2)), "{lines:?}");
    let before = running.counted(REFUSED);
    std::fs::remove_file(running.folder.path().join("config.toml")).unwrap();
    eventually("no file to be noticed", || (running.counted(REFUSED) == before + 1).then_some(()));
    running.put("config.toml", &(good + &denied("/b")));
    eventually("the good file to be taken", || (running.status("/b") == 404).then_some(()));
    assert_eq!(running.ready(), "ready\n");
}

#[test]
fn a_file_whose_own_cases_fail_is_not_taken() {
    let upstream = Upstream::friendly();
    let running = Running::start(&top(&upstream));
    let case = "[[test]]\nrequest = \"GET /a\"\nexpect = \"allow\"\n";
    let answer = running.reload(&(top(&upstream) + &denied("/a") + case));
    assert_eq!(answer.status, 409);
    assert!(answer.text().contains("expected allow, got 404 route_denied"), "{}", answer.text());
    assert_eq!(running.status("/a"), 200);
    assert_eq!(running.reload(&(top(&upstream) + &denied("/b") + case)).status, 200);
    assert_eq!(running.status("/b"), 404);
}

#[test]
fn a_change_that_takes_a_restart_is_refused_whole() {
    let upstream = Upstream::friendly();
    let running = Running::start(&top(&upstream));
    for (found, instead, key) in [
        ("listen = \"127.0.0.1:0\"\nworkers", "listen = \"127.0.0.2:0\"\nworkers", "listen"),
        ("workers = 2", "workers = 3", "workers"),
        ("[admin]", "[admin]\nprobes = \"127.0.0.1:0\"", "admin.probes"),
    ] {
        let answer = running.reload(&(top(&upstream).replacen(found, instead, 1) + &denied("/a")));
        let text = answer.text();
        assert_eq!(answer.status, 409, "{key}");
        assert!(text.contains(&format!("{key}: has changed")) && text.contains("restart"), "{text}");
        assert_eq!(running.status("/a"), 200, "{key}: the rest is not taken either");
    }
    assert!(running.ready().contains("has changed"), "{}", running.ready());
}

#[test]
fn a_secret_that_changes_ends_the_tokens_of_the_old_one() {
    let upstream = Upstream::friendly();
    let running = Running::start(&(top(&upstream) + GUARDED));
    let claims = json!({ "userLoginId": "boomi", "exp": now() + 600 });
    let [old, new] = [SECRET, OTHER].map(|secret| bearer(&signed_with(secret, &claims)));
    let status = |token: &str| ask(running.address, "GET", "/guarded", &[("Authorization", token)], "").status;
    assert_eq!((status(&old), status(&new)), (200, 401));
    let began = Instant::now();
    running.put("jwtKey.txt", OTHER);
    eventually("the new key", || (status(&new) == 200).then_some(()));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(status(&old), 401, "what was proven before counts no more");
    running.put("jwtKey.txt", "short");
    eventually("the refusal", || (running.counted(REFUSED) == 1).then_some(()));
    assert_eq!(status(&new), 200);
}

#[test]
fn the_operators_token_may_change_in_its_file() {
    let upstream = Upstream::friendly();
    let folder = TempDir::new().unwrap();
    put(folder.path(), "config.toml", &(top(&upstream) + "token = { file = \"token.txt\" }\n"));
    put(folder.path(), "token.txt", "the-first-token");
    let running = Running::within(folder);
    let status = |token: &str| ask(running.admin, "GET", "/livez", &[("Authorization", &bearer(token))], "").status;
    assert_eq!((status("the-first-token"), status("the-second-token")), (200, 401));
    running.put("token.txt", "the-second-token");
    eventually("the new token", || (status("the-second-token") == 200).then_some(()));
    assert_eq!(status("the-first-token"), 401);
}

#[test]
fn a_swapped_link_is_a_change() {
    let upstream = Upstream::friendly();
    let folder = TempDir::new().unwrap();
    for (version, config) in [("..1", top(&upstream)), ("..2", top(&upstream) + &denied("/a"))] {
        std::fs::create_dir(folder.path().join(version)).unwrap();
        std::fs::write(folder.path().join(version).join("config.toml"), config).unwrap();
    }
    // As the kubelet lays out a ConfigMap.
    symlink("..1", folder.path().join("..data")).unwrap();
    symlink("..data/config.toml", folder.path().join("config.toml")).unwrap();
    let running = Running::within(folder);
    assert_eq!(running.status("/a"), 200);
    symlink("..2", running.folder.path().join("..tmp")).unwrap();
    std::fs::rename(running.folder.path().join("..tmp"), running.folder.path().join("..data")).unwrap();
    eventually("the swap to be noticed", || (running.status("/a") == 404).then_some(()));
}

/// A self-signed certificate for `localhost` in two PEM files.
fn certificate(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    put(folder, "key.pem", &made.signing_key.serialize_pem());
    put(folder, "cert.pem", &made.cert.pem());
    made.cert.der().clone()
}

/// Whether a handshake shows this certificate.
fn shows(address: SocketAddr, certificate: &CertificateDer<'static>) -> bool {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    let mut client = rustls::ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    while client.is_handshaking() {
        if client.complete_io(&mut stream).is_err() {
            return false;
        }
    }
    true
}

#[test]
fn a_certificate_that_changes_is_shown_in_new_handshakes() {
    let upstream = Upstream::friendly();
    let folder = TempDir::new().unwrap();
    let first = certificate(folder.path());
    let config = top(&upstream).replacen("\"127.0.0.1:0\"", "\"https://127.0.0.1:0\"", 1);
    put(folder.path(), "config.toml", &format!("{config}[tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n"));
    let running = Running::within(folder);
    assert!(shows(running.address, &first));
    let second = certificate(running.folder.path());
    eventually("the new certificate", || shows(running.address, &second).then_some(()));
    assert!(!shows(running.address, &first));
    running.put("cert.pem", "no certificate");
    eventually("the refusal", || running.ready().contains("[tls] cert").then_some(()));
    assert!(shows(running.address, &second));
}

#[test]
fn log_limits_answers_and_upstream_change_too() {
    let (first, second) = (Upstream::friendly(), Upstream::answering(|_| Answer::Bytes(ok("{\"second\":true}"))));
    let running = Running::start(&top(&first));
    assert_eq!(running.status("/logged"), 200);
    eventually("the line", || running.program.out().contains("/logged").then_some(()));
    let more = "[log]\naccess = false\nformat = \"text\"\n[limits]\nbody_size = \"4B\"\n[answers]\nstyle = \"hotwax\"\n[memo]\nentries = 0\n";
    assert_eq!(running.reload(&(top(&second) + more + &denied("/a"))).status, 200);
    let answer = ask(running.address, "GET", "/quiet", &[], "");
    assert_eq!(answer.json()["second"], true);
    assert_eq!(ask(running.address, "POST", "/quiet", &[], "12345").status, 413);
    assert_eq!(ask(running.address, "GET", "/a", &[], "").json()["statusCode"], 404);
    let told = |out: &str| out.lines().filter(|line| line.contains("/quiet") || line.contains("\"/a\"")).count();
    eventually("the word in the new format", || {
        let err = running.program.err();
        err.lines().any(|line| !line.starts_with('{') && line.contains("a new config is in force")).then_some(())
    });
    let loud = (top(&second) + more).replace("access = false", "access = true");
    assert_eq!(running.reload(&loud).status, 200);
    assert_eq!(running.status("/loud"), 200);
    eventually("the line", || running.program.out().contains("/loud").then_some(()));
    let out = running.program.out();
    assert_eq!(told(&out), 0, "{out}");
    assert!(!out.lines().last().unwrap().starts_with('{'), "{out}");
}

#[test]
fn a_drain_that_was_ordered_ends_what_is_under_way_and_waits_for_the_signal() {
    let upstream = Upstream::answering(|_| {
        std::thread::sleep(Duration::from_millis(400));
        Answer::Bytes(ok("{}"))
    });
    let admin = own_port();
    let config = top(&upstream)
        .replace("[admin]\nlisten = \"127.0.0.1:0\"", &format!("[admin]\nlisten = \"127.0.0.1:{admin}\""));
    let mut running = Running::start(&config);
    let address = running.address;
    let slow = std::thread::spawn(move || ask(address, "GET", "/slow", &[], "").status);
    eventually("the request upstream", || (!upstream.seen().is_empty()).then_some(()));
    let drained = run(&["drain"], running.folder.path());
    assert_eq!((drained.code, drained.out.as_str()), (Some(0), "drained\n"), "{}", drained.err);
    assert_eq!(slow.join().unwrap(), 200);
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
    assert!(running.program.is_running() && running.ready().contains("draining"));
    running.program.signal("TERM");
    let began = Instant::now();
    assert_eq!(running.program.ended().code, Some(0));
    assert!(began.elapsed() < Duration::from_secs(3));
    let nobody = run(&["drain"], running.folder.path());
    assert_eq!(nobody.code, Some(1));
}

#[test]
fn a_drain_that_was_ordered_and_forgotten_ends_by_itself() {
    let running = Running::start(&top(&Upstream::friendly()));
    assert_eq!(ask(running.admin, "POST", "/drain", &[], "").status, 200);
    assert_eq!(running.program.ended().code, Some(0));
}
