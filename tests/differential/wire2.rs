//! A small client for HTTP/2 in cleartext by prior knowledge (RFC 9113). A real one would refuse to send most of what is
//! to be sent here, so the header fields are written as literals without an index (RFC 7541 section 6.2.2), and of an
//! answer only its status and its body are read.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};

use crate::case::{Answer, Case, Silence, bytes};
use crate::wire1::{connect, more, silence};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW: u8 = 8;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// The way to waxseal.
pub struct Line {
    to: SocketAddr,
    kept: Option<Connection>,
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    next: u32,
}

impl Line {
    pub fn to(to: SocketAddr) -> Self {
        Self { to, kept: None }
    }

    /// Asks. A kept connection may have been closed meanwhile; then it asks once more on a new one.
    pub fn ask(&mut self, case: &Case) -> Result<Answer, Silence> {
        let block = block(case);
        if let Some(mut connection) = self.kept.take() {
            match connection.exchange(&block, case.may_lack_body()).map_err(silence) {
                Err(Silence::Closed) => {}
                other => return self.keep(connection, other),
            }
        }
        let mut connection = Connection::open(self.to);
        let answer = connection.exchange(&block, case.may_lack_body()).map_err(silence);
        self.keep(connection, answer)
    }

    fn keep(&mut self, connection: Connection, answer: Result<Answer, Silence>) -> Result<Answer, Silence> {
        if answer.is_ok() {
            self.kept = Some(connection);
        }
        answer
    }
}

impl Connection {
    fn open(to: SocketAddr) -> Self {
        let mut stream = connect(to);
        let mut start = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        // A table of no size, so that no field of an answer refers to an earlier one (RFC 7541 section 4.2); and room
        // for all the answers together.
        start.extend(frame(SETTINGS, 0, 0, &[0, 1, 0, 0, 0, 0]));
        start.extend(frame(WINDOW, 0, 0, &0x3fff_ffff_u32.to_be_bytes()));
        let _ = stream.write_all(&start);
        Self { stream, buffer: Vec::new(), next: 1 }
    }

    fn exchange(&mut self, block: &[u8], lacks_body: bool) -> io::Result<Answer> {
        let stream = self.next;
        self.next += 2;
        let _ = self.stream.write_all(&frame(HEADERS, END_STREAM | END_HEADERS, stream, block));
        let mut answer = Answer { status: 0, served: String::new(), body: Vec::new() };
        loop {
            let (kind, flags, of, payload) = self.frame()?;
            match kind {
                SETTINGS | PING if flags & ACK == 0 => {
                    let payload = if kind == PING { payload } else { Vec::new() };
                    self.stream.write_all(&frame(kind, ACK, 0, &payload))?;
                }
                GOAWAY => return Err(io::ErrorKind::ConnectionReset.into()),
                RESET if of == stream => return Err(io::ErrorKind::ConnectionReset.into()),
                HEADERS if of == stream && answer.status == 0 => answer.status = status(&payload),
                DATA if of == stream => answer.body.extend(payload),
                _ => {}
            }
            let ends = flags & END_STREAM != 0 || (kind == HEADERS && lacks_body);
            if matches!(kind, HEADERS | DATA) && of == stream && ends {
                return Ok(answer);
            }
        }
    }

    /// The next frame: its kind, its flags, its stream and its payload.
    fn frame(&mut self) -> io::Result<(u8, u8, u32, Vec<u8>)> {
        loop {
            if let Some((head, rest)) = self.buffer.split_first_chunk::<9>() {
                let [_, _, _, kind, flags, stream @ ..] = *head;
                let size = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
                if rest.len() >= size {
                    let payload = rest[..size].to_vec();
                    self.buffer.drain(..9 + size);
                    return Ok((kind, flags, u32::from_be_bytes(stream), payload));
                }
            }
            more(&mut self.stream, &mut self.buffer)?;
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![size[1], size[2], size[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The header block of a request. In absolute form its scheme and authority have fields of their own; what is neither
/// that nor a path is sent for a path all the same.
fn block(case: &Case) -> Vec<u8> {
    let (scheme, authority, path) = match case.target.split_once("://") {
        Some((scheme, rest)) if case.is_absolute() => {
            let at = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
            (scheme, &rest[..at], &rest[at..])
        }
        _ => ("http", case.host.as_str(), case.target.as_str()),
    };
    let mut block = Vec::new();
    for (name, value) in [(":method", &*case.method), (":scheme", scheme), (":authority", authority), (":path", path)] {
        literal(&mut block, name, value);
    }
    if authority != case.host {
        literal(&mut block, "host", &case.host);
    }
    for (name, value) in &case.fields {
        literal(&mut block, &name.to_ascii_lowercase(), value);
    }
    block
}

fn literal(block: &mut Vec<u8>, name: &str, value: &str) {
    block.push(0);
    for text in [bytes(name), bytes(value)] {
        match u8::try_from(text.len()) {
            Ok(short @ ..127) => block.push(short),
            // A length of seven bits and what is beyond (RFC 7541 section 5.1).
            _ => {
                let mut beyond = text.len() - 127;
                block.push(127);
                while beyond >= 128 {
                    block.push(u8::try_from(beyond % 128).unwrap() | 128);
                    beyond /= 128;
                }
                block.push(u8::try_from(beyond).unwrap());
            }
        }
        block.extend(text);
    }
}

/// The status at the front of a header block: one of those with an index (RFC 7541 appendix A), or three digits.
fn status(block: &[u8]) -> u16 {
    // Changes of the size of the table come first.
    let at = block.iter().position(|byte| byte & 0xe0 != 0x20).unwrap_or(0);
    match block[at..] {
        [index @ 0x88..=0x8e, ..] => [200, 204, 206, 304, 400, 404, 500][usize::from(index - 0x88)],
        [_, length, ref rest @ ..] if length & 0x80 != 0 => huffman(&rest[..usize::from(length & 0x7f)]),
        [_, _, ref rest @ ..] => String::from_utf8_lossy(&rest[..3]).parse().unwrap(),
        _ => panic!("a block of no fields: {block:02x?}"),
    }
}

/// Three digits in the code of RFC 7541 appendix B: 0 to 2 have five bits, the others six.
fn huffman(coded: &[u8]) -> u16 {
    let bits: Vec<u8> = coded.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let (mut number, mut at) = (0, 0);
    let take =
        |from: usize, count: usize| bits[from..from + count].iter().fold(0, |value, bit| value << 1 | u16::from(*bit));
    for _ in 0..3 {
        let short = take(at, 5);
        let (digit, length) = if short < 3 { (short, 5) } else { (take(at, 6) - 0x19 + 3, 6) };
        number = number * 10 + digit;
        at += length;
    }
    number
}
