//! Clients that no one here wrote, end to end: Node's fetch, Python's httpx, Java's HttpClient and curl, over HTTP/1.1,
//! HTTP/2 and TLS, in front of a plain Node server. Each plays the same steps and says what it found.
//!
//! They are ignored but in the long run (`scripts/test --long`), which installs them; one that is not there is a failure.

#![allow(missing_docs, reason = "nothing outside uses a test")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that finds something amiss stops"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// The body of `/open/large`: eight mebibytes of "waxseal ".
const LARGE: usize = 8 << 20;

/// What every client must find.
fn expected() -> BTreeMap<String, String> {
    let large = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &b"waxseal ".repeat(LARGE / 8));
    let large: String = large.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let steps = [
        ("open", "200 hello"),
        ("refused", "401 true credential_missing"),
        ("bad", "401 token_malformed"),
        ("allowed", "200 true"),
        ("upload", "200 true"),
        ("large", &format!("200 {LARGE} {large}")),
        ("events", "5 true"),
        ("head", &format!("200 {LARGE} 0")),
        ("empty", "204 0"),
        ("moved", "302 /open/hello"),
        ("gzip", "unpacked"),
        ("query", "true"),
        ("after a break", "200"),
        ("many", "250"),
    ];
    steps.map(|(name, finding)| (name.to_owned(), finding.to_owned())).into()
}

/// A child that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Upstream and waxseal, and how to reach them.
struct Stage {
    clear: String,
    secure: String,
    authority: PathBuf,
    token: String,
    folder: tempfile::TempDir,
    _running: [Running; 2],
}

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

fn token() -> String {
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let exp = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 3600;
    let claims = format!("{{\"userLoginId\":\"boomi\",\"exp\":{exp}}}");
    let signed = format!("{}.{}", part(b"{\"alg\":\"HS512\"}"), part(claims.as_bytes()));
    let key = hmac::Key::new(hmac::HMAC_SHA512, KEY.as_bytes());
    format!("{signed}.{}", part(hmac::sign(&key, signed.as_bytes()).as_ref()))
}

/// A port that nobody has now.
fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Stage {
    fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut node = Command::new("node");
        let mut upstream = node.arg(here("upstream.mjs")).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(upstream.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let upstream_port: u16 = line.trim().parse().unwrap();
        let (clear, secure, authority) = (port(), port(), folder.path().join("cert.pem"));
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&authority, made.cert.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let config = format!(
            "listen = [\"127.0.0.1:{clear}\", \"https://127.0.0.1:{secure}\"]\n\
             upstream = \"http://127.0.0.1:{upstream_port}\"\nunmatched = \"open\"\n\
             [tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n[answers]\nreason = \"exact\"\n\
             [admin]\nlisten = \"127.0.0.1:0\"\n[log]\naccess = false\n\
             [issuer.hotwax]\nsecret = {{ text = \"{KEY}\" }}\nsubject = \"userLoginId\"\n\
             [[route]]\npath = \"/api/guarded\"\n",
        );
        std::fs::write(folder.path().join("config.toml"), config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_waxseal"));
        let waxseal = command.arg("run").current_dir(folder.path()).stderr(Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", secure)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(20), "waxseal does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self {
            clear: format!("http://localhost:{clear}"),
            secure: format!("https://localhost:{secure}"),
            authority,
            token: token(),
            folder,
            _running: [Running(upstream), Running(waxseal)],
        }
    }

    /// Where to ask, whom to trust there, and in which version of HTTP.
    fn ways(&self) -> [(&str, &str, &str); 4] {
        let authority = self.authority.to_str().unwrap();
        let (clear, secure) = (self.clear.as_str(), self.secure.as_str());
        [(clear, "", "http1"), (clear, "", "http2"), (secure, authority, "http1"), (secure, authority, "http2")]
    }

    /// Plays the steps of one client and holds them to what is expected.
    fn play(&self, name: &str, command: &mut Command) {
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let found: BTreeMap<_, _> =
            said.lines().filter_map(|line| line.split_once('\t')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
        assert_eq!(found, expected(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// A program that is ended where it hangs.
fn bounded(program: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["240", program]);
    command
}

#[test]
#[ignore = "of the long run: scripts/test --long"]
fn node_fetch() {
    let stage = Stage::set();
    for base in [&stage.clear, &stage.secure] {
        let mut command = bounded("node");
        command.env("NODE_EXTRA_CA_CERTS", &stage.authority).arg(here("node.mjs")).args([base, &stage.token]);
        stage.play(&format!("fetch at {base}"), &mut command);
    }
}

#[test]
#[ignore = "of the long run: scripts/test --long"]
fn curl() {
    let stage = Stage::set();
    let [(clear, none, _), _, (secure, authority, _), _] = stage.ways();
    for (base, ca, option) in [
        (clear, none, "--http1.1"),
        (clear, none, "--http2-prior-knowledge"),
        (clear, none, "--http2"),
        (secure, authority, "--http1.1"),
        (secure, authority, "--http2"),
    ] {
        let mut command = bounded("bash");
        command.arg(here("curl.sh")).args([base, &stage.token, ca, option]);
        stage.play(&format!("curl {option} at {base}"), &mut command);
    }
}

#[test]
#[ignore = "of the long run: scripts/test --long"]
fn httpx() {
    let python = std::env::var("WAXSEAL_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let stage = Stage::set();
    for (base, ca, protocol) in stage.ways() {
        let mut command = bounded(&python);
        command.arg(here("httpx_client.py")).args([base, &stage.token, ca, protocol]);
        stage.play(&format!("httpx, {protocol} at {base}"), &mut command);
    }
}

#[test]
#[ignore = "of the long run: scripts/test --long"]
fn java_http_client() {
    let stage = Stage::set();
    let classes = stage.folder.path();
    let compiled = bounded("javac").arg("-d").arg(classes).arg(here("JavaClient.java")).status().unwrap();
    assert!(compiled.success());
    for (base, ca, protocol) in stage.ways() {
        let mut command = bounded("java");
        command.arg("-cp").arg(classes).arg("JavaClient").args([base, &stage.token, ca, protocol]);
        stage.play(&format!("HttpClient, {protocol} at {base}"), &mut command);
    }
}
