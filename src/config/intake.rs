//! The text of a config file, whatever is found where it should be.
//!
//! A path may lead to anything: a pipe that never ends, a device, a folder, a picture. Nothing is waited for but what
//! stands below `/dev` or `/proc`, where someone who names it means it (`--config /dev/stdin`), and no more is read than
//! a config can have.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use super::diagnostic::{Notes, Report};

/// The biggest file that is taken for a config: tens of thousands of routes.
const BIGGEST: u64 = 8 << 20;

/// Reads the text of a file.
pub(super) fn text(path: &Path) -> Result<String, Report> {
    decode(bytes(path).map_err(|(problem, advice)| Report::of_file(path, &problem, &advice))?, path)
}

/// The text that the bytes of a file are.
pub(super) fn decode(bytes: Vec<u8>, path: &Path) -> Result<String, Report> {
    if let Some(encoding) = wide(&bytes) {
        return Err(Report::of_file(path, &format!("is written in {encoding}"), "save it as UTF-8"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes());
        let mut notes = Notes::new(&text, path);
        let problem = format!("line {} is not UTF-8", notes.line(at));
        let advice = "save the file as UTF-8; an editor of Windows may have used Latin-1";
        notes.error(&(at..at + 1), "", &*problem, advice);
        notes.finish().err().unwrap_or_else(|| Report::of_file(path, &problem, advice))
    })
}

/// The bytes of a file, or a problem and an advice.
fn bytes(path: &Path) -> Result<Vec<u8>, (String, String)> {
    let unreadable = |error: io::Error| (format!("cannot be read: {error}"), advice(&error).to_owned());
    let kind = path.metadata().map_err(unreadable)?;
    if let Some(found) = no_file(&kind, path) {
        return Err(found);
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(BIGGEST + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= BIGGEST) {
        return Ok(bytes);
    }
    Err((String::from("is bigger than 8 MiB"), String::from("name the config file; this is some other one")))
}

/// Opens a file that the config points to, if it is one: a pipe would be waited for.
pub(super) fn open(path: &Path) -> io::Result<File> {
    match no_file(&path.metadata()?, path) {
        Some((problem, _)) => Err(io::Error::other(problem)),
        None => File::open(path),
    }
}

/// What to do about a file that cannot be read.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "name another file with --config",
        io::ErrorKind::PermissionDenied => "let the user that runs waxseal read it, and enter every folder above it",
        _ => "name another file with --config, or put this one right",
    }
}

/// What is wrong with something that is there and is no file, and what to do.
fn no_file(kind: &Metadata, path: &Path) -> Option<(String, String)> {
    if kind.is_dir() {
        let advice = format!("name a file in it: --config {}", path.join("config.toml").display());
        return Some((String::from("is a folder"), advice));
    }
    let meant = path.starts_with("/dev") || path.starts_with("/proc");
    let kind = kind.file_type();
    let found = match () {
        () if kind.is_file() || meant => return None,
        () if kind.is_fifo() => "is a pipe, which may never end",
        () if kind.is_socket() => "is a socket",
        () => "is a device",
    };
    Some((found.to_owned(), String::from("name a file; /dev/stdin may be named as well")))
}

/// The encoding of a text that is written in units of two bytes.
fn wide(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xFF, 0xFE, ..] | [1..=255, 0, 1..=255, 0, ..] => Some("UTF-16 (little-endian)"),
        [0xFE, 0xFF, ..] | [0, 1..=255, 0, 1..=255, ..] => Some("UTF-16 (big-endian)"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// What is told of a file.
    fn told(path: &Path) -> String {
        let began = Instant::now();
        let report = text(path).expect_err("it is no config").to_string();
        assert!(began.elapsed() < Duration::from_secs(10), "{report}");
        report
    }

    #[test]
    fn what_is_no_file_is_told_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::os::unix::fs::symlink("circle", at("circle")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
        let big = File::create(at("big")).unwrap();
        big.set_len(BIGGEST + 1).unwrap();
        for (name, words) in [
            ("", "is a folder\n    name a file in it: --config"),
            ("none", "cannot be read: No such file"),
            ("none/config.toml", "cannot be read: No such file"),
            ("circle", "cannot be read: Too many levels of symbolic links"),
            ("socket", "is a socket"),
            ("pipe", "is a pipe"),
            ("big", "is bigger than 8 MiB"),
        ] {
            let told = told(&at(name));
            assert!(told.contains(words), "{name}: {told}");
        }
        assert!(told(Path::new("/dev/zero")).contains("bigger than 8 MiB"));
        assert_eq!(text(Path::new("/dev/null")).unwrap(), "");
    }

    #[test]
    fn other_encodings_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        for (bytes, words) in [
            (&b"a = 1\nb = '\xe9'\n"[..], "config.toml:2:6: line 2 is not UTF-8"),
            (b"\xff\xfea\0 \0", "UTF-16 (little-endian)"),
            (b"a\0 \0=\0", "UTF-16 (little-endian)"),
            (b"\xfe\xff\0a", "UTF-16 (big-endian)"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let told = told(&path);
            assert!(told.contains(words), "{bytes:?}: {told}");
        }
        std::fs::write(&path, "\u{feff}a = 1").unwrap();
        assert!(text(&path).is_ok(), "a byte order mark of UTF-8 says nothing new");
    }
}
