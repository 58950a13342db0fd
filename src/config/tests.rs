//! Whole files: good ones, bad ones, and any bytes at all.

mod complaints;
mod effective;
mod good;
mod laws;
mod schema;
mod shipped;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Config, Report, parse, read};

/// A key that is long enough for HS512.
pub(super) const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The three keys that every file needs.
pub(super) const TOP: &str = "listen = '127.0.0.1:0'\nupstream = 'http://127.0.0.1:8081'\nunmatched = 'open'\n";

/// A folder with everything that a file may point to.
pub(super) struct Desk {
    folder: TempDir,
}

impl Desk {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pair = rcgen::KeyPair::generate().unwrap();
        let files = [
            ("key", format!("{KEY}\n")),
            ("hex", "ff".repeat(64)),
            ("short", String::from("short")),
            ("published", String::from("security.token.key\n")),
            ("public.pem", pair.public_key_pem()),
            ("private.pem", pair.serialize_pem()),
            ("set.json", String::from(r#"{"keys":[{"kty":"oct"}]}"#)),
        ];
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        Self { folder }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn parse(&self, text: &str) -> Result<Config, Report> {
        let env = |name: &str| (name == "WAX_KEY").then(|| KEY.to_owned());
        parse(text, &self.path("config.toml"), &env)
    }

    /// The settings of the three keys and more.
    pub(super) fn good(&self, more: &str) -> Config {
        let text = format!("{TOP}{more}");
        assert_eq!(schema::complaints(&text), Vec::<String>::new(), "{more}");
        self.parse(&text).unwrap_or_else(|report| panic!("{more}\n{report}"))
    }
}

/// How a report calls the file.
fn name(report: &Report) -> &Path {
    &report.diagnostics[0].file
}

#[test]
fn a_reading_names_every_file_that_its_outcome_may_change_with() {
    let desk = Desk::new();
    let path = desk.path("config.toml");
    let issuer = "[issuer.a]\nissuer = 'i'\naudience = 'x'\nsecret = { file = 'key' }\n";
    let top = TOP.replace("'127.0.0.1:0'", "'https://127.0.0.1:0'");
    std::fs::write(&path, format!("{top}{issuer}[tls]\ncert = 'none.pem'\nkey = 'private.pem'\n")).unwrap();
    let reading = read(&path);
    assert!(reading.outcome.is_err(), "the certificate is not there");
    let mut files: Vec<_> = reading.files.iter().map(|seen| seen.file().to_owned()).collect();
    files.sort();
    let mut expected = ["config.toml", "key", "none.pem", "private.pem"].map(|name| desk.path(name));
    expected.sort();
    assert_eq!(files, expected);
    let absent = read(&desk.path("absent.toml"));
    assert!(absent.outcome.is_err() && absent.files.len() == 1, "it may come to be");
}
