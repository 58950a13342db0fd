//! An issuer on real sockets, with or without TLS: it has keys, rotates them, and fails in every way that is known.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::tokens::now;

/// A key pair with a name.
#[derive(Clone)]
pub struct Pair {
    kid: &'static str,
    private: EncodingKey,
    jwk: Value,
}

impl Pair {
    pub fn new(kid: &'static str) -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let x = URL_SAFE_NO_PAD.encode(pair.public_key_raw());
        let private = EncodingKey::from_ed_pem(pair.serialize_pem().as_bytes()).unwrap();
        Self { kid, private, jwk: json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": kid, "x": x }) }
    }

    /// A token that is good for ten minutes.
    pub fn token(&self) -> String {
        self.token_of(self.kid)
    }

    /// The same, with another name in it.
    pub fn token_of(&self, kid: &str) -> String {
        self.signed_as(kid, &json!({ "sub": "boomi", "exp": now() + 600 }))
    }

    /// The same, of an issuer that says its name.
    pub fn token_by(&self, iss: &str) -> String {
        self.signed_as(self.kid, &json!({ "sub": "boomi", "iss": iss, "exp": now() + 600 }))
    }

    /// These claims, signed.
    pub fn signed(&self, claims: &Value) -> String {
        self.signed_as(self.kid, claims)
    }

    /// A status list token of these claims.
    pub fn status_list(&self, claims: &Value) -> String {
        let typ = Some(String::from("statuslist+jwt"));
        let header = Header { kid: Some(self.kid.to_owned()), typ, ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, claims, &self.private).unwrap()
    }

    fn signed_as(&self, kid: &str, claims: &Value) -> String {
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, claims, &self.private).unwrap()
    }
}

/// A JWK Set of these keys.
pub fn set(pairs: &[&Pair]) -> String {
    json!({ "keys": pairs.iter().map(|pair| pair.jwk.clone()).collect::<Vec<_>>() }).to_string()
}

/// What it does with whoever asks for its keys.
#[derive(Clone)]
pub enum Mood {
    /// It answers with that body.
    Says(String),
    /// It answers with that status, those fields and that body.
    Answers(u16, &'static str, String),
    /// It says how much will come, and half of it.
    Half(String),
    /// It closes without a word.
    Closes,
    /// It says nothing for as long as the test runs.
    Hangs,
}

struct Shared {
    mood: Mutex<Mood>,
    /// What a discovery document says.
    discovery: Mutex<Option<String>>,
    fetches: AtomicUsize,
    strays: AtomicUsize,
    tls: Mutex<Option<Arc<ServerConfig>>>,
}

/// A running issuer.
pub struct Idp {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    secure: bool,
}

impl Idp {
    /// One that has these keys.
    pub fn with(pairs: &[&Pair]) -> Self {
        Self::at(0, Mood::Says(set(pairs)))
    }

    /// One in that mood, at a port of the test's choice.
    pub fn at(port: u16, mood: Mood) -> Self {
        Self::start(port, mood, None)
    }

    /// One that speaks TLS with a certificate of [`certificate`].
    pub fn over_tls(pairs: &[&Pair], certificate: &Path) -> Self {
        Self::start(0, Mood::Says(set(pairs)), Some(server(certificate)))
    }

    fn start(port: u16, mood: Mood, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let secure = tls.is_some();
        let shared = Arc::new(Shared {
            mood: Mutex::new(mood),
            discovery: Mutex::default(),
            fetches: AtomicUsize::new(0),
            strays: AtomicUsize::new(0),
            tls: Mutex::new(tls),
        });
        let idp = Self { address: listener.local_addr().unwrap(), shared: Arc::clone(&shared), secure };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                    let tls = shared.tls.lock().unwrap().clone();
                    let _ = match tls {
                        None => serve(stream, &shared),
                        Some(tls) => serve(StreamOwned::new(ServerConnection::new(tls).unwrap(), stream), &shared),
                    };
                });
            }
        });
        idp
    }

    /// How it calls itself.
    pub fn name(&self) -> String {
        format!("{}://{}", if self.secure { "https" } else { "http" }, self.address)
    }

    /// Where its keys are.
    pub fn keys(&self) -> String {
        format!("{}/keys", self.name())
    }

    pub fn is(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
    }

    /// It has these keys from now on.
    pub fn has(&self, pairs: &[&Pair]) {
        self.is(Mood::Says(set(pairs)));
    }

    /// Its discovery document, of OpenID Connect.
    pub fn discovers(&self, document: &Value) {
        *self.shared.discovery.lock().unwrap() = Some(document.to_string());
    }

    /// It shows another certificate from now on.
    pub fn shows(&self, certificate: &Path) {
        *self.shared.tls.lock().unwrap() = Some(server(certificate));
    }

    /// How often its keys were asked for.
    pub fn fetches(&self) -> usize {
        self.shared.fetches.load(Ordering::SeqCst)
    }

    /// How often anything else was.
    pub fn strays(&self) -> usize {
        self.shared.strays.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: impl Read + Write, shared: &Shared) -> std::io::Result<()> {
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        asked.extend(byte);
    }
    let asked = String::from_utf8(asked).unwrap();
    let mood = match asked.split(' ').nth(1).unwrap() {
        "/keys" => {
            shared.fetches.fetch_add(1, Ordering::SeqCst);
            shared.mood.lock().unwrap().clone()
        }
        "/.well-known/openid-configuration" if shared.discovery.lock().unwrap().is_some() => {
            Mood::Says(shared.discovery.lock().unwrap().clone().unwrap())
        }
        _ => {
            shared.strays.fetch_add(1, Ordering::SeqCst);
            Mood::Answers(404, "", String::new())
        }
    };
    let json = "Content-Type: application/json\r\n";
    let (status, fields, body, part) = match mood {
        Mood::Says(body) => (200, json, body.clone(), body.len()),
        Mood::Answers(status, fields, body) => (status, fields, body.clone(), body.len()),
        Mood::Half(body) => (200, json, body.clone(), body.len() / 2),
        Mood::Closes => return Ok(()),
        Mood::Hangs => {
            thread::sleep(Duration::from_secs(60));
            return Ok(());
        }
    };
    let head = format!("HTTP/1.1 {status} X\r\n{fields}Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body.as_bytes()[..part])?;
    stream.flush()
}

/// A certificate for 127.0.0.1 in a folder, which is its own authority; `ended`: its time is over.
pub fn certificate(folder: &Path, name: &str, ended: bool) -> PathBuf {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![String::from("127.0.0.1")]).unwrap();
    if ended {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    }
    let path = folder.join(name);
    let pem = params.self_signed(&key).unwrap().pem();
    std::fs::write(&path, pem).unwrap();
    std::fs::write(path.with_extension("key"), key.serialize_pem()).unwrap();
    path
}

fn server(certificate: &Path) -> Arc<ServerConfig> {
    let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
    let key = PrivateKeyDer::from_pem_file(certificate.with_extension("key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap())
}

/// A port at which nobody is, until an issuer is started there.
pub fn away() -> (u16, String) {
    let port = crate::program::own_port();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    (port, format!("http://127.0.0.1:{port}/keys"))
}
