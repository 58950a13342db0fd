//! A client that sends HTTP/2 frames as they are, sound or not.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Frame types (RFC 9113 section 6).
pub const DATA: u8 = 0x0;
pub const HEADERS: u8 = 0x1;
pub const PRIORITY: u8 = 0x2;
pub const RST_STREAM: u8 = 0x3;
pub const SETTINGS: u8 = 0x4;
pub const PING: u8 = 0x6;
pub const WINDOW_UPDATE: u8 = 0x8;
pub const CONTINUATION: u8 = 0x9;

/// Flags.
pub const END_STREAM: u8 = 0x1;
pub const END_HEADERS: u8 = 0x4;

/// The setting of the window that each stream begins with.
pub const INITIAL_WINDOW_SIZE: u16 = 0x4;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame that came.
#[derive(Clone, Debug)]
pub struct Frame {
    pub kind: u8,
    pub payload: Vec<u8>,
}

/// A frame as bytes.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A frame whose payload is a number: WINDOW_UPDATE and RST_STREAM.
pub fn number(kind: u8, stream: u32, number: u32) -> Vec<u8> {
    frame(kind, 0, stream, &number.to_be_bytes())
}

/// A field as a literal that is not remembered (RFC 7541 section 6.2.2).
pub fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        bytes.extend(length(text.len()));
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// An integer of seven bits and more (RFC 7541 section 5.1).
fn length(mut length: usize) -> Vec<u8> {
    if length < 127 {
        return vec![u8::try_from(length).unwrap()];
    }
    let mut bytes = vec![127];
    length -= 127;
    while length >= 128 {
        bytes.push(u8::try_from(length % 128).unwrap() | 128);
        length /= 128;
    }
    bytes.push(u8::try_from(length).unwrap());
    bytes
}

/// The header block of a request.
pub fn block(method: &str, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let own = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "oms.example")];
    own.iter().chain(fields).flat_map(|(name, value)| literal(name, value)).collect()
}

/// A whole request without a body.
pub fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &block("GET", path, &[]))
}

/// One connection.
pub struct Http2 {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Http2 {
    /// Connects, with the settings that a client has who says nothing.
    pub fn connect(to: SocketAddr) -> Self {
        Self::with_settings(to, &[])
    }

    /// Connects with settings.
    pub fn with_settings(to: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let stream = TcpStream::connect(to).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
        let payload: Vec<u8> = settings
            .iter()
            .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        let mut client = Self { stream, buffer: Vec::new() };
        client.send(&[PREFACE, &frame(SETTINGS, 0, 0, &payload)].concat()).unwrap();
        client
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// Where the other side has closed or takes nothing.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The next frame within `patience`; `None` where there is none, `Err` where the other side has closed.
    pub fn next(&mut self, patience: Duration) -> Result<Option<Frame>, io::Error> {
        let until = Instant::now() + patience;
        loop {
            if let Some(frame) = self.buffered() {
                return Ok(Some(frame));
            }
            let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.stream.set_read_timeout(Some(left))?;
            let mut chunk = [0; 65536];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.buffer.extend_from_slice(&chunk[..read]),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The next frame of a type, within `patience`; the others are passed over.
    pub fn next_of(&mut self, kind: u8, patience: Duration) -> Option<Frame> {
        let until = Instant::now() + patience;
        loop {
            let frame = self.next(until.saturating_duration_since(Instant::now())).ok()??;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// Whether the other side closes within `patience`; what it sends meanwhile is passed over.
    pub fn is_closed(&mut self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        loop {
            match self.next(until.saturating_duration_since(Instant::now())) {
                Ok(Some(_)) => {}
                Ok(None) => return false,
                Err(_) => return true,
            }
        }
    }

    /// Sends `bytes` again and again until the other side closes, at most for `patience`. Says whether it closed.
    pub fn flood(&mut self, mut bytes: impl FnMut() -> Vec<u8>, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        // Answers are read: a flooder that does not is one that takes nothing, which is another matter.
        let mut reading = self.stream.try_clone().unwrap();
        let reader = std::thread::spawn(move || io::copy(&mut reading, &mut io::sink()));
        let mut closed = false;
        while !closed && Instant::now() < until {
            closed = self.send(&bytes()).is_err();
        }
        let _ = self.stream.shutdown(Shutdown::Both);
        let _ = reader.join();
        closed
    }

    fn buffered(&mut self) -> Option<Frame> {
        let header: [u8; 9] = self.buffer.get(..9)?.try_into().unwrap();
        let [high, middle, low, kind, ..] = header;
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        let payload = self.buffer.get(9..9 + length)?.to_vec();
        self.buffer.drain(..9 + length);
        Some(Frame { kind, payload })
    }
}
