//! Slow and simple models of how kinds of servers find out what a request-target names.
//!
//! They are written from what such servers are known to do, not from waxseal's own reading of paths, and each gives the
//! one resource that it would serve. None of them needs to be a whole server: what it has to get right is where it
//! differs from the others.

pub mod readings;
pub mod table;
pub mod upstream;

use percent_encoding::percent_decode_str;
use unicode_normalization::UnicodeNormalization;

/// A kind of server: from the path as it was sent to the segments of the resource; `None`: it refuses.
pub type Server = fn(&str) -> Option<Vec<String>>;

/// Every kind, with its name.
pub const SERVERS: [(&str, Server); 10] = [
    ("plain", plain),
    ("tomcat", tomcat),
    ("tomcat behind a decoding proxy", decoding_proxy),
    ("decodes until nothing changes", decodes_all),
    ("keeps encoded slashes", keeps_slashes),
    ("node", node),
    ("windows", windows),
    ("folds compatibility forms", compatibility),
    ("cuts at late delimiters", late),
    ("takes overlong forms", overlong),
];

fn split(path: &str) -> Vec<String> {
    path.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect()
}

fn decode(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

/// Dot segments as RFC 3986 section 5.2.4 removes them.
fn dots(segments: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for segment in segments {
        match segment.as_str() {
            "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    kept
}

fn without_parameters(path: &str) -> String {
    path.split('/').map(|segment| segment.split(';').next().unwrap()).collect::<Vec<_>>().join("/")
}

fn plain(path: &str) -> Option<Vec<String>> {
    Some(dots(split(&decode(path))))
}

fn tomcat(path: &str) -> Option<Vec<String>> {
    Some(dots(split(&decode(&without_parameters(path)))))
}

fn decoding_proxy(path: &str) -> Option<Vec<String>> {
    tomcat(&decode(path))
}

fn decodes_all(path: &str) -> Option<Vec<String>> {
    let mut path = path.to_owned();
    for _ in 0..10 {
        path = decode(&path);
    }
    Some(dots(split(&without_parameters(&path))))
}

/// Splits first and decodes each segment, so that an encoded slash is a letter.
fn keeps_slashes(path: &str) -> Option<Vec<String>> {
    Some(dots(split(&without_parameters(path))).iter().map(|segment| decode(segment)).collect())
}

/// `new URL(target, base).pathname`: a leading `//name` is an authority, a backslash is a slash.
fn node(path: &str) -> Option<Vec<String>> {
    let path = path.replace('\\', "/");
    let path = match path.strip_prefix("//") {
        Some(rest) => rest.trim_start_matches('/').find('/').map_or("/", |at| &rest.trim_start_matches('/')[at..]),
        None => &path,
    };
    Some(dots(split(path)).iter().map(|segment| decode(segment)).collect())
}

/// Case does not count, a backslash is a slash, dots and blanks at the end of a name are not there.
fn windows(path: &str) -> Option<Vec<String>> {
    let path = decode(path).replace('\\', "/");
    let names = split(&path).into_iter().map(|name| match name.as_str() {
        "." | ".." => name,
        _ => name.trim_end_matches(['.', ' ']).to_lowercase(),
    });
    Some(dots(names.collect()))
}

fn compatibility(path: &str) -> Option<Vec<String>> {
    let path: String = decode(path).nfkc().collect();
    Some(dots(split(&path)).into_iter().map(|name| name.to_uppercase().to_lowercase()).collect())
}

fn late(path: &str) -> Option<Vec<String>> {
    let path = decode(path);
    Some(dots(split(path.split(['?', '#', ';']).next().unwrap())))
}

/// Reads `C0 AE` as a dot and `C0 AF` as a slash, and gives every byte below 80 its due.
fn overlong(path: &str) -> Option<Vec<String>> {
    let bytes: Vec<u8> = percent_decode_str(path).collect();
    let mut text = String::new();
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (lead @ (0xc0 | 0xc1), Some(next @ 0x80..=0xbf)) => {
                text.push(char::from(((lead & 1) << 6) | (next & 0x3f)));
                at += 2;
            }
            (byte, _) => {
                text.push(char::from(byte));
                at += 1;
            }
        }
    }
    Some(dots(split(&text)))
}

/// Whether a server serves the guarded resource, or something below it, for this path; and which does.
pub fn who_serves(guarded: &[&str], path: &str) -> Option<&'static str> {
    let serves = |segments: &[String]| {
        segments.len() >= guarded.len()
            && segments.iter().zip(guarded).enumerate().all(|(at, (segment, name))| {
                let last = at + 1 == guarded.len();
                let suffix = segment.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
                segment == name || segment.eq_ignore_ascii_case(name) || (last && suffix)
            })
    };
    SERVERS.into_iter().find(|(_, server)| server(path).is_some_and(|segments| serves(&segments))).map(|(name, _)| name)
}
