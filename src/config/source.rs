//! A value that is given by a file, by an environment variable or, for trying out, as text.
//!
//! This is where the environment and the files of secrets are read. What was read is put away in a [`Secret`] at once
//! and never told in a complaint.

use std::cell::RefCell;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::diagnostic::Notes;
use super::intake;
use super::reader::{At, Field, Node, Read, Table};
use crate::secret::Secret;
use crate::watch::Glimpse;

/// The biggest file that is taken for a secret or a key. What is bigger is some other file, or has no end.
const BIGGEST: u64 = 1 << 20;

/// Where a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// In a file, relative to the folder of the config file.
    File(String),
    /// In an environment variable.
    Env(String),
    /// Here.
    Text(Secret<String>),
}

/// Text that may be a secret.
#[derive(Debug)]
struct Hidden(Secret<String>);

impl Read for Hidden {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        String::read(node, notes).map(|text| Self(Secret::new(text)))
    }
}

impl Read for Source {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        const EXPECTED: &str = "`{ file = \"…\" }`, `{ env = \"…\" }` or `{ text = \"…\" }`";
        if !node.value.is_table() {
            return node.unexpected(EXPECTED, notes);
        }
        let mut table = Table::open(node, notes)?.secretive();
        let (file, env): (Field<String>, Field<String>) = (table.take("file"), table.take("env"));
        let text: Field<Hidden> = table.take("text");
        table.close();
        let count = [file.span(), env.span(), text.span()].into_iter().flatten().count();
        if count != 1 {
            notes.error(
                &node.span,
                &*node.name,
                format!("expected one of {EXPECTED}, found {count} of them"),
                "write one",
            );
            return None;
        }
        let file = file.get().cloned().map(Source::File);
        let env = file.or_else(|| env.get().cloned().map(Source::Env));
        env.or_else(|| text.get().map(|text| Source::Text(text.0.clone())))
    }
}

impl JsonSchema for Source {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Source".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A value that is read from a file or a variable, and trimmed of white space at both ends.",
            "type": "object",
            "properties": {
                "file": { "type": "string", "description": "The path of a file, from the folder of the config file." },
                "env": { "type": "string", "description": "The name of an environment variable." },
                "text": { "type": "string", "description": "The value itself, for trying out." },
            },
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
        })
    }
}

/// What is told where the content of a file stands in place of its name; that must not be told.
pub(super) const CONTENT: &str = "this is the content of a file, not its name";

/// Whether a name is no name but what stands in a PEM file, maybe a private key.
pub(super) fn is_content(path: &str) -> bool {
    path.contains("-----BEGIN") || path.contains(['\n', '\r'])
}

/// What to do about a problem of [`Outside::fetch`], or of what was made of its bytes.
pub(super) fn advice(problem: &str) -> &'static str {
    match problem {
        CONTENT => "save it in a file and write the name of that",
        _ if problem.contains("Permission denied") => "let the user that runs waxseal read it",
        _ if problem.starts_with("cannot read") => {
            "name a file that is there; a relative path starts from the folder of the config file"
        }
        _ if problem.starts_with("the environment") => "set it where waxseal is started, or write { file = \"FILE\" }",
        _ if problem.contains("1 MiB") => "name the file of the key; this is some other one",
        _ if problem.contains("DER") => "write pem = \"FILE\" with a file that begins with -----BEGIN",
        _ => "write encoding = \"utf8\", or leave it out, if the bytes of the file are the key",
    }
}

/// What values outside the file are looked up in.
pub(super) struct Outside<'e> {
    /// The folder that relative paths start from.
    pub(super) folder: PathBuf,
    /// The environment.
    pub(super) env: &'e dyn Fn(&str) -> Option<String>,
    /// The files that were looked up, whether they could be read or not, as they were before.
    seen: RefCell<Vec<Glimpse>>,
}

impl<'e> Outside<'e> {
    /// What a config file may point to.
    pub(super) fn of(file: &Path, env: &'e dyn Fn(&str) -> Option<String>) -> Self {
        Self { folder: file.parent().unwrap_or(Path::new("")).to_owned(), env, seen: RefCell::default() }
    }

    /// The files that were looked up so far.
    pub(super) fn seen(self) -> Vec<Glimpse> {
        self.seen.into_inner()
    }

    /// Notes a file that is about to be read.
    fn note(&self, file: &Path) {
        let mut seen = self.seen.borrow_mut();
        if !seen.iter().any(|seen| seen.file() == file) {
            seen.push(Glimpse::of(file));
        }
    }
    /// The bytes of a source, or why they cannot be had. Those of files and variables are trimmed of white space.
    pub(super) fn fetch(&self, source: &Source) -> Result<Secret<Vec<u8>>, String> {
        match source {
            Source::File(path) => {
                let bytes = Secret::new(self.file(path)?);
                Ok(Secret::new(bytes.expose().trim_ascii().to_vec()))
            }
            Source::Env(name) => {
                let value = (self.env)(name).map(Secret::new);
                let value =
                    value.ok_or_else(|| format!("the environment variable {name} is not set, or is no text"))?;
                Ok(Secret::new(value.expose().trim_ascii().as_bytes().to_vec()))
            }
            Source::Text(text) => Ok(Secret::new(text.expose().as_bytes().to_vec())),
        }
    }

    /// The bytes of a file that the config names.
    pub(super) fn file(&self, path: &str) -> Result<Vec<u8>, String> {
        if is_content(path) {
            return Err(String::from(CONTENT));
        }
        let path = self.path(path);
        self.note(&path);
        let mut bytes = Vec::new();
        let read = intake::open(&path).and_then(|file| file.take(BIGGEST + 1).read_to_end(&mut bytes));
        match read {
            Err(error) => Err(format!("cannot read {}: {error}", path.display())),
            Ok(_) if bytes.len() as u64 > BIGGEST => Err(format!("{} is bigger than 1 MiB", path.display())),
            Ok(_) => Ok(bytes),
        }
    }

    /// A path that the config names, from the folder of the config file.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.folder.join(Path::new(path))
    }

    /// A file that others will read, after a look whether they can. Its content, maybe a private key, is not taken in.
    pub(super) fn readable(&self, path: &At<String>, key: &str, notes: &mut Notes<'_>) -> PathBuf {
        let file = self.path(&path.value);
        if is_content(&path.value) {
            notes.error(&path.span, key, CONTENT, advice(CONTENT));
            return file;
        }
        self.note(&file);
        if let Err(error) = intake::open(&file).and_then(|mut open| open.read(&mut [0])) {
            let problem = format!("cannot read {}: {error}", file.display());
            notes.error(&path.span, key, &*problem, advice(&problem));
        }
        file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_variables_are_trimmed_and_text_is_not() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), " \tsword fish\r\n").unwrap();
        let env = |name: &str| (name == "KEY").then(|| String::from("swordfish\n"));
        let outside = Outside::of(&folder.path().join("config.toml"), &env);
        let fetch = |source| outside.fetch(&source).map(|secret| secret.expose().clone());
        assert_eq!(fetch(Source::File("key".into())).unwrap(), b"sword fish");
        assert_eq!(fetch(Source::Env("KEY".into())).unwrap(), b"swordfish");
        assert_eq!(fetch(Source::Text(Secret::new("a ".into()))).unwrap(), b"a ");
        assert!(fetch(Source::File("none".into())).unwrap_err().contains("none: No such file"));
        assert!(std::process::Command::new("mkfifo").arg(folder.path().join("pipe")).status().unwrap().success());
        assert!(fetch(Source::File("pipe".into())).unwrap_err().contains("pipe: is a pipe, which may never end"));
        let pem = "-----BEGIN PRIVATE KEY-----\nswordfish";
        assert_eq!(fetch(Source::File(pem.into())).unwrap_err(), CONTENT);
        assert!(fetch(Source::Env("NONE".into())).unwrap_err().contains("NONE is not set"));
        assert!(fetch(Source::File("/dev/zero".into())).unwrap_err().contains("bigger"));
        assert!(fetch(Source::File("key".into())).is_ok());
        let seen: Vec<_> = outside.seen().iter().map(|seen| seen.file().to_owned()).collect();
        assert_eq!(seen, ["key", "none", "pipe", "/dev/zero"].map(|name| folder.path().join(name)));
    }
}
