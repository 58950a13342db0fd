//! A client that sends bytes as they are and reads one response after the other.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A response, chunks joined.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Response {
    /// The one value of a field, by its name without case.
    pub fn field(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let mut values = lines.filter(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim());
        let value = values.next();
        assert!(values.next().is_none(), "{name} stands twice in {}", self.head);
        value
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(&self.body)))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The code in a body of waxseal's own.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// One connection.
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub fn connect(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self { stream, buffer: Vec::new() }
    }

    pub fn send(&mut self, bytes: &[u8]) -> &mut Self {
        self.stream.write_all(bytes).unwrap();
        self
    }

    /// The next response. `to_head`: it answers a HEAD and has no body.
    pub fn response(&mut self, to_head: bool) -> Response {
        loop {
            let end = self.until(b"\r\n\r\n").expect("the connection closed without an answer");
            let head = String::from_utf8(self.buffer.drain(..end + 4).collect::<Vec<u8>>()).unwrap();
            let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
            let mut response = Response { status, head, body: Vec::new() };
            if (100..200).contains(&status) && status != 101 {
                continue;
            }
            if to_head || matches!(status, 101 | 204 | 304) {
                return response;
            }
            response.body = self.body(&response);
            return response;
        }
    }

    fn body(&mut self, response: &Response) -> Vec<u8> {
        if let Some(length) = response.field("content-length") {
            let length = length.parse().unwrap();
            while self.buffer.len() < length {
                assert!(self.more(), "the body broke off");
            }
            return self.buffer.drain(..length).collect();
        }
        if response.field("transfer-encoding") != Some("chunked") {
            while self.more() {}
            return std::mem::take(&mut self.buffer);
        }
        let mut body = Vec::new();
        loop {
            let end = self.until(b"\r\n").expect("the body broke off");
            let line = String::from_utf8(self.buffer.drain(..end + 2).collect()).unwrap();
            let size = usize::from_str_radix(line.trim(), 16).unwrap();
            while self.buffer.len() < size + 2 {
                assert!(self.more(), "the body broke off");
            }
            body.extend(self.buffer.drain(..size));
            self.buffer.drain(..2);
            if size == 0 {
                return body;
            }
        }
    }

    /// Bytes that are there or come next; none where the other side has closed.
    pub fn bytes(&mut self) -> Vec<u8> {
        if self.buffer.is_empty() {
            self.more();
        }
        std::mem::take(&mut self.buffer)
    }

    /// Whether the other side closes before it sends anything more.
    pub fn is_closed(&mut self) -> bool {
        self.buffer.is_empty() && !self.more()
    }

    fn until(&mut self, mark: &[u8]) -> Option<usize> {
        loop {
            if let Some(at) = self.buffer.windows(mark.len()).position(|window| window == mark) {
                return Some(at);
            }
            if !self.more() {
                return None;
            }
        }
    }

    fn more(&mut self) -> bool {
        let mut chunk = [0; 65536];
        match self.stream.read(&mut chunk) {
            Ok(read) => {
                self.buffer.extend_from_slice(&chunk[..read]);
                read > 0
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("nothing came: {error}"),
        }
    }
}

/// A request as text, with `Host` and, where there is a body, its length.
pub fn request(method: &str, target: &str, fields: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!("{method} {target} HTTP/1.1\r\nHost: oms.example\r\n");
    for (name, value) in fields {
        text += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    (text + "\r\n" + body).into_bytes()
}

/// Sends one request on a connection of its own.
pub fn ask(to: SocketAddr, method: &str, target: &str, fields: &[(&str, &str)], body: &str) -> Response {
    Client::connect(to).send(&request(method, target, fields, body)).response(method == "HEAD")
}
