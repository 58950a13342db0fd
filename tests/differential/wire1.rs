//! A client for HTTP/1.1 that sends a request as it stands, keeps its connection while that is safe, and takes any answer
//! for an answer.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::case::{Answer, Case, Silence, bytes, text};

/// How long an answer may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The way to one server.
pub struct Line {
    to: SocketAddr,
    kept: Option<TcpStream>,
}

impl Line {
    pub fn to(to: SocketAddr) -> Self {
        Self { to, kept: None }
    }

    /// Asks, with more fields than the request has.
    pub fn ask_with(&mut self, case: &Case, fields: &[(&str, &str)]) -> Result<Answer, Silence> {
        let case = fields.iter().fold(case.clone(), |case, (name, value)| case.field(name, value));
        self.ask(&case)
    }

    /// Asks. A kept connection may have been closed meanwhile; then it asks once more on a new one.
    pub fn ask(&mut self, case: &Case) -> Result<Answer, Silence> {
        let request = written(case);
        if let Some(stream) = self.kept.take() {
            match self.exchange(stream, &request, case) {
                Err(Silence::Closed) => {}
                other => return other,
            }
        }
        self.exchange(connect(self.to), &request, case)
    }

    fn exchange(&mut self, mut stream: TcpStream, request: &[u8], case: &Case) -> Result<Answer, Silence> {
        // It may have been refused and closed before all was sent.
        let _ = stream.write_all(request);
        let (answer, may_stay) = read(&mut stream, case.may_lack_body()).map_err(silence)?;
        // A server that found something amiss may have read another request than the one that was sent; and one that
        // does not know `head` sends a body that nobody awaits.
        if may_stay && answer.status < 400 && (case.method == "HEAD" || !case.may_lack_body()) {
            self.kept = Some(stream);
        }
        Ok(answer)
    }
}

/// A connection that does not wait for ever.
pub fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// What an error on a connection means.
pub fn silence(error: io::Error) -> Silence {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Silence::Hung,
        _ => Silence::Closed,
    }
}

fn written(case: &Case) -> Vec<u8> {
    let mut request = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", case.method, case.target, case.host);
    for (name, value) in &case.fields {
        request += &format!("{name}: {value}\r\n");
    }
    if !matches!(case.method.as_str(), "GET" | "HEAD" | "CONNECT") {
        request += "Content-Length: 0\r\n";
    }
    bytes(&(request + "\r\n"))
}

/// Reads one answer, and says whether the connection may be used again.
fn read(stream: &mut TcpStream, lacks_body: bool) -> io::Result<(Answer, bool)> {
    let mut buffer = Vec::new();
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        more(stream, &mut buffer)?;
    };
    let head = text(&buffer[..end]);
    let mut rest = buffer.split_off(end + 4);
    let field = |name: &str| {
        let mut lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_ascii_lowercase())
    };
    let status: u16 =
        head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    let served = field("x-served").unwrap_or_default();
    let stays = head.starts_with("HTTP/1.1") && field("connection").as_deref() != Some("close");
    if lacks_body || matches!(status, 204 | 304) {
        return Ok((Answer { status, served, body: Vec::new() }, stays));
    }
    if let Some(length) = field("content-length").and_then(|length| length.parse().ok()) {
        while rest.len() < length {
            more(stream, &mut rest)?;
        }
        return Ok((Answer { status, served, body: rest }, stays));
    }
    if field("transfer-encoding").is_none() {
        while more(stream, &mut rest).is_ok() {}
        return Ok((Answer { status, served, body: rest }, false));
    }
    Ok((Answer { status, served, body: unchunked(stream, rest)? }, stays))
}

fn unchunked(stream: &mut TcpStream, mut rest: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let Some(at) = rest.windows(2).position(|window| window == b"\r\n") else {
            more(stream, &mut rest)?;
            continue;
        };
        let size = usize::from_str_radix(text(&rest[..at]).trim(), 16).map_err(|_| io::ErrorKind::InvalidData)?;
        while rest.len() < at + 2 + size + 2 {
            more(stream, &mut rest)?;
        }
        body.extend_from_slice(&rest[at + 2..at + 2 + size]);
        rest.drain(..at + 2 + size + 2);
        if size == 0 {
            return Ok(body);
        }
    }
}

/// Reads what comes next.
pub fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<()> {
    let mut chunk = [0; 8192];
    match stream.read(&mut chunk)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        read => {
            buffer.extend_from_slice(&chunk[..read]);
            Ok(())
        }
    }
}
