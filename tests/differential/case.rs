//! A request that is put to a server, and what came back.

use std::fmt;

/// A request without a body. Its texts are bytes, one for each character (Latin-1).
#[derive(Clone, Debug)]
pub struct Case {
    pub method: String,
    pub target: String,
    pub host: String,
    /// More header fields, names as they are sent.
    pub fields: Vec<(String, String)>,
}

impl Case {
    pub fn new(method: &str, target: &str) -> Self {
        let fields = Vec::new();
        Self { method: method.to_owned(), target: target.to_owned(), host: "oms.example".to_owned(), fields }
    }

    pub fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Whether the target is in absolute form, of which the authority goes to `Host` and the path goes on.
    pub fn is_absolute(&self) -> bool {
        !self.target.starts_with('/') && self.target.contains("://")
    }

    /// Whether a server may answer it without a body, though it says how long the body would be. Some do so for `head` too.
    pub fn may_lack_body(&self) -> bool {
        self.method.eq_ignore_ascii_case("HEAD")
    }

    /// Whether it carries a field that waxseal takes away or writes anew: then it may pass, as what it is without.
    pub fn loses_fields(&self) -> bool {
        self.fields.iter().any(|(name, _)| {
            let name = name.to_ascii_lowercase();
            ["x", "script", "daphne"].iter().any(|start| name.starts_with(start)) && !name.contains("method")
        })
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} (Host: {}", self.method, self.target.escape_default(), self.host.escape_default())?;
        for (name, value) in &self.fields {
            write!(f, ", {name}: {}", value.escape_default())?;
        }
        f.write_str(")")
    }
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// The value of `X-Served`, where it could be read.
    pub served: String,
    pub body: Vec<u8>,
}

/// A server that did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// It closed the connection or the stream.
    Closed,
    /// It did nothing for a long while.
    Hung,
}

impl Answer {
    /// The first line of the body: what was served, and the target as the server saw it.
    pub fn line(&self) -> String {
        self.body.iter().take_while(|byte| **byte != b'\n').map(|byte| char::from(*byte)).collect()
    }

    /// Whether an application answered it as the guarded resource.
    pub fn is_guarded(&self) -> bool {
        self.is_served("guarded")
    }

    /// Whether an application answered it as anything else.
    pub fn is_other(&self) -> bool {
        self.is_served("other")
    }

    fn is_served(&self, word: &str) -> bool {
        self.status == 200 && (self.served == word || self.line().split(' ').next() == Some(word))
    }
}

/// The bytes of a text.
pub fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect()
}

/// A text of these bytes.
pub fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}
