//! An upstream that records, byte for byte, what reached it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Request line and fields, without the empty line.
    pub head: String,
    /// The body, chunks joined.
    pub body: Vec<u8>,
    /// The trailer fields of a chunked body.
    pub trailers: String,
}

impl Seen {
    /// The method.
    pub fn method(&self) -> &str {
        self.head.split(' ').next().unwrap()
    }

    /// The target as it stands in the request line.
    pub fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    /// Every value of a field, by its exact name without case.
    pub fn fields(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.filter(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
    }

    /// The one value of a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        let all = self.fields(name);
        assert!(all.len() < 2, "{name} arrived {} times", all.len());
        all.first().copied()
    }
}

/// A server for raw bytes. It answers each request with what its closure gives.
pub struct Upstream {
    /// Where it listens.
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
}

/// What to do with a request.
pub enum Answer {
    /// Send these bytes and wait for the next request.
    Bytes(Vec<u8>),
    /// Send these bytes and close.
    Last(Vec<u8>),
    /// Say nothing for ever.
    Silence,
    /// Take the connection over.
    Take(Box<dyn FnOnce(TcpStream) + Send>),
}

impl Upstream {
    /// One that says yes to everything.
    pub fn friendly() -> Self {
        Self::answering(|_| Answer::Bytes(ok("{\"ok\":true}")))
    }

    /// One that answers as it is told.
    pub fn answering(answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let upstream =
            Self { address: listener.local_addr().unwrap(), seen: Arc::default(), connections: Arc::default() };
        let (seen, connections, answer) =
            (Arc::clone(&upstream.seen), Arc::clone(&upstream.connections), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                connections.fetch_add(1, Ordering::SeqCst);
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                thread::spawn(move || {
                    let _ = serve(stream, &seen, &*answer);
                });
            }
        });
        upstream
    }

    /// The config line that names it.
    pub fn line(&self) -> String {
        format!("upstream = \"http://{}\"\n", self.address)
    }

    /// Everything that arrived.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The one request that arrived.
    pub fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.into_iter().next().unwrap()
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A plain 200 with a body.
pub fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Vec<Seen>>,
    answer: &(dyn Fn(&Seen) -> Answer + Send + Sync),
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    loop {
        let Some(request) = read_request(&mut stream, &mut buffer)? else { return Ok(()) };
        seen.lock().unwrap().push(request.clone());
        match answer(&request) {
            Answer::Bytes(bytes) => stream.write_all(&bytes)?,
            Answer::Last(bytes) => return stream.write_all(&bytes),
            Answer::Silence => loop {
                if stream.read(&mut [0; 1024])? == 0 {
                    return Ok(());
                }
            },
            Answer::Take(take) => {
                take(stream);
                return Ok(());
            }
        }
    }
}

fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Seen>> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if !more(stream, buffer)? {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end + 4);
    let mut request = Seen { head, body: Vec::new(), trailers: String::new() };
    if request.fields("transfer-encoding").iter().any(|coding| coding.eq_ignore_ascii_case("chunked")) {
        loop {
            let line = read_line(stream, buffer)?;
            let size = usize::from_str_radix(line.split(';').next().unwrap().trim(), 16).unwrap();
            if size == 0 {
                break;
            }
            while buffer.len() < size + 2 {
                if !more(stream, buffer)? {
                    return Ok(None);
                }
            }
            request.body.extend_from_slice(&buffer[..size]);
            buffer.drain(..size + 2);
        }
        loop {
            let line = read_line(stream, buffer)?;
            if line.is_empty() {
                break;
            }
            request.trailers += &line;
            request.trailers.push('\n');
        }
    } else if let Some(length) = request.field("content-length") {
        let length: usize = length.parse().unwrap();
        while buffer.len() < length {
            if !more(stream, buffer)? {
                return Ok(None);
            }
        }
        request.body = buffer.drain(..length).collect();
    }
    Ok(Some(request))
}

fn read_line(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<String> {
    loop {
        if let Some(at) = buffer.windows(2).position(|window| window == b"\r\n") {
            let line = String::from_utf8_lossy(&buffer[..at]).into_owned();
            buffer.drain(..at + 2);
            return Ok(line);
        }
        if !more(stream, buffer)? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let mut chunk = [0; 65536];
    let read = stream.read(&mut chunk)?;
    buffer.extend_from_slice(&chunk[..read]);
    Ok(read > 0)
}
