//! What the tests of this room have in common: real workers with short limits, a service that does what the path
//! says, and a raw client.

use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::*;

/// The longest that a test waits for a state.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn settings(listen: Vec<Listen>) -> Settings {
    Settings {
        listen,
        workers: 2,
        tls: None,
        limits: Limits {
            header_size: 4096,
            headers: 10,
            header_timeout: Duration::from_millis(150),
            idle_timeout: Duration::from_millis(400),
            connections: 100,
            streams: 10,
        },
        drain: DrainSettings { delay: Duration::ZERO, timeout: Duration::from_secs(4) },
    }
}

pub(super) fn tcp() -> Listen {
    Listen::Tcp { address: "127.0.0.1:0".parse().unwrap(), tls: false }
}

/// A fresh key and certificate for `localhost` in `folder`.
pub(super) fn certificate(folder: &Path) -> (TlsSettings, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::create_dir_all(folder).unwrap();
    let tls = TlsSettings { cert: folder.join("cert.pem"), key: folder.join("key.pem"), tls12: true };
    fs::write(&tls.cert, made.cert.pem()).unwrap();
    fs::write(&tls.key, made.signing_key.serialize_pem()).unwrap();
    (tls, made.cert.der().clone())
}

/// Running workers, and what their hooks heard.
pub(super) struct Server {
    pub(super) bound: Vec<Listen>,
    pub(super) settings: Settings,
    pub(super) drain: Drain,
    pub(super) workers: Workers,
    pub(super) heard: Arc<Heard>,
    /// A permit lets one request of `/wait` go on.
    pub(super) gate: Arc<Semaphore>,
}

#[derive(Default)]
pub(super) struct Heard {
    opened: AtomicUsize,
    closed: AtomicUsize,
    refused: Mutex<Vec<Code>>,
}

impl Heard {
    pub(super) fn open(&self) -> usize {
        self.opened.load(Ordering::SeqCst) - self.closed.load(Ordering::SeqCst)
    }

    pub(super) fn refused(&self) -> Vec<Code> {
        self.refused.lock().unwrap().clone()
    }

    fn hooks(self: &Arc<Self>) -> Hooks {
        let (opened, closed, refused) = (Arc::clone(self), Arc::clone(self), Arc::clone(self));
        Hooks {
            opened: Arc::new(move || _ = opened.opened.fetch_add(1, Ordering::SeqCst)),
            closed: Arc::new(move || _ = closed.closed.fetch_add(1, Ordering::SeqCst)),
            refused: Arc::new(move |code, _| refused.refused.lock().unwrap().push(code)),
        }
    }
}

impl Server {
    pub(super) fn open(settings: Settings) -> Self {
        let bound = bind(&settings).unwrap();
        let addresses = bound.addresses().to_vec();
        let (drain, heard, gate) = (Drain::default(), Arc::new(Heard::default()), Arc::new(Semaphore::new(0)));
        let gates = Arc::clone(&gate);
        let workers = start(bound, &settings, &drain.signal(), heard.hooks(), move |number| {
            let gate = Arc::clone(&gates);
            move |info: Arc<ConnInfo>| service(number, info, Arc::clone(&gate))
        });
        Self { bound: addresses, settings, drain, workers: workers.unwrap(), heard, gate }
    }

    pub(super) fn address(&self) -> SocketAddr {
        match self.bound.first() {
            Some(Listen::Tcp { address, .. }) => *address,
            other => panic!("not a TCP address: {other:?}"),
        }
    }

    pub(super) async fn connect(&self) -> Client<TcpStream> {
        Client(TcpStream::connect(self.address()).await.unwrap())
    }

    /// Begins to stop, and resolves when the workers have ended.
    pub(super) async fn stop(self) {
        let settings = self.settings.drain;
        tokio::select! {
            ended = timeout(PATIENCE, self.workers.join()) => ended.unwrap().unwrap(),
            () = async { self.drain.run(settings).await; std::future::pending().await } => {}
        }
        assert_eq!(self.heard.open(), 0);
    }
}

/// Does what the path says, and answers with the number of the worker.
fn service(
    worker: usize,
    info: Arc<ConnInfo>,
    gate: Arc<Semaphore>,
) -> impl Service<Request<Incoming>, Response = Response<Full<Bytes>>, Error = Infallible> {
    service_fn(move |request| {
        let (gate, info) = (Arc::clone(&gate), Arc::clone(&info));
        async move { Ok(answer(worker, &info, &gate, request).await) }
    })
}

async fn answer(worker: usize, info: &ConnInfo, gate: &Semaphore, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let flaw = request.extensions().get::<Flawed>().map(|flawed| flawed.0);
    let mut whole = true;
    match request.uri().path() {
        "/wait" => gate.acquire().await.unwrap().forget(),
        "/panic" => panic!("as asked"),
        "/refuse" => return Response::builder().status(401).body(Full::from("no")).unwrap(),
        "/large" => return Response::new(Full::from(vec![b'x'; 16 << 20])),
        "/body" => whole = request.into_body().collect().await.is_ok(),
        "/tunnel" => {
            spawn_local(async move {
                let mut tunnel = TokioIo::new(hyper::upgrade::on(request).await.unwrap());
                let mut buffer = [0; 64];
                while let Ok(length @ 1..) = tunnel.read(&mut buffer).await {
                    tunnel.write_all(&buffer[..length]).await.unwrap();
                }
            });
            let builder = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
            return builder.header("connection", "upgrade").header("upgrade", "echo").body(Full::default()).unwrap();
        }
        _ => {}
    }
    Response::new(Full::from(format!("worker={worker} tls={} flaw={flaw:?} body={whole}", info.tls)))
}

/// A client that sends what it is told.
pub(super) struct Client<IO>(pub(super) IO);

impl<IO: AsyncReadExt + AsyncWriteExt + Unpin> Client<IO> {
    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Reads one answer with a `Content-Length` (or without a body).
    pub(super) async fn receive(&mut self) -> String {
        timeout(PATIENCE, async {
            let mut read = Vec::new();
            loop {
                let byte = self.0.read_u8().await.unwrap_or_else(|error| panic!("{error} after {read:?}"));
                read.push(byte);
                if read.ends_with(b"\r\n\r\n") {
                    break;
                }
            }
            let head = String::from_utf8(read).unwrap().to_lowercase();
            let length = head
                .split("content-length: ")
                .nth(1)
                .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse::<usize>().unwrap());
            let mut body = vec![0; length];
            self.0.read_exact(&mut body).await.unwrap();
            head + &String::from_utf8(body).unwrap()
        })
        .await
        .unwrap()
    }

    pub(super) async fn ask(&mut self, path: &str) -> String {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
        self.receive().await
    }

    /// Waits until the other side closes, and gives what came before.
    pub(super) async fn closed(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        timeout(PATIENCE, self.0.read_to_end(&mut rest)).await.unwrap().unwrap();
        rest
    }
}

/// Waits for a state.
pub(super) async fn eventually(what: &str, mut state: impl FnMut() -> bool) {
    for _ in 0..500 {
        if state() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never came to be: {what}");
}
