//! A file that keeps the last good key set over a restart.
//!
//! Whoever can write it can sign tokens, so it is taken only where nobody but this process's user and root may, only for
//! the origin that it was fetched from, and what is in it is read as if it had just come over the network.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The most bytes of such a file: a key set, in which every letter may be escaped.
const MOST: u64 = 8 << 20;
/// For the owner to read and write, and for nobody else.
const MODE: u32 = 0o600;
/// The user who may do everything.
const ROOT: u32 = 0;
/// Group and others may write.
const OTHERS_WRITE: u32 = 0o022;

/// A key set on the shelf.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shelved {
    /// Where it was fetched from.
    pub(super) origin: String,
    /// When, in seconds since 1970.
    pub(super) fetched: f64,
    /// As it was sent.
    pub(super) set: String,
}

/// What lies on the shelf; `None`: nothing yet, or a set of another origin.
///
/// # Errors
/// Says for people why it is not used.
pub(super) fn read(path: &Path, origin: &str) -> Result<Option<Shelved>, String> {
    let wrong = |why: &dyn std::fmt::Display| format!("{} is not used: {why}", path.display());
    let bytes = match bytes(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(&error)),
    };
    let shelved: Shelved =
        serde_json::from_slice(&bytes).map_err(|_| wrong(&"it is no file that waxseal wrote, or it was cut"))?;
    Ok(Some(shelved).filter(|shelved| shelved.origin == origin))
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    // A pipe would be waited for.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let file = File::open(path)?;
    let found = file.metadata()?;
    if found.permissions().mode() & OTHERS_WRITE != 0 {
        return Err(io::Error::other("others than its owner may write it, and so name their own keys (chmod 600)"));
    }
    if !is_trusted(found.uid(), user()) {
        return Err(io::Error::other("it belongs to another user, who may name keys of his own (chown)"));
    }
    if found.len() > MOST {
        return Err(io::Error::other("it is too large"));
    }
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether what belongs to that user is as good as one's own: in a folder that all may write to, anybody may have put the
/// file there.
fn is_trusted(owner: u32, own: Option<u32>) -> bool {
    owner == ROOT || own.is_none_or(|own| own == owner)
}

/// The user that this process runs as; `None`: the system does not tell.
fn user() -> Option<u32> {
    fs::metadata("/proc/self").ok().map(|process| process.uid())
}

/// Puts a set in the place of what lies there: all of it or nothing, also where the machine stops half-way.
///
/// # Errors
/// Says for people what the system said; what lay there lies there still.
pub(super) fn write(path: &Path, shelved: &Shelved) -> Result<(), String> {
    let draft = draft(path);
    let written = put(path, &draft, shelved);
    written.map_err(|error| {
        // Whether there is one or not: it is of no use.
        let _ = fs::remove_file(&draft);
        format!("{} cannot be written: {error}", path.display())
    })
}

/// A name in the same folder, where renaming is one step, and that no other process writes to: in containers, all of
/// them may have the same number.
fn draft(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{:016x}", RandomState::new().hash_one(std::process::id())))
}

fn put(path: &Path, draft: &Path, shelved: &Shelved) -> io::Result<()> {
    let text = serde_json::to_vec(shelved)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(draft)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(draft, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelved() -> Shelved {
        Shelved { origin: "https://a/?b".into(), fetched: 1.8e9, set: "{\"keys\": []}".into() }
    }

    #[test]
    fn what_is_put_there_lies_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        assert_eq!(read(&path, "https://a/?b"), Ok(None));
        for fetched in [1.8e9, 1.9e9] {
            let shelved = Shelved { fetched, ..shelved() };
            write(&path, &shelved).unwrap();
            assert_eq!(read(&path, "https://a/?b"), Ok(Some(shelved)));
        }
        assert_eq!(read(&path, "https://a/?c"), Ok(None), "a set of another origin");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, MODE);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn what_others_may_write_or_is_broken_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        write(&path, &shelved()).unwrap();
        for mode in [0o620, 0o602, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = read(&path, "https://a/?b").unwrap_err();
            assert!(error.contains("others than its owner may write it"), "{error}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(MODE)).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert!(read(&path, "https://a/?b").unwrap_err().contains("it was cut"));
        assert!(read(folder.path(), "").unwrap_err().contains("it is no file"));
    }

    #[test]
    fn what_belongs_to_somebody_else_is_not_used() {
        for (owner, own, trusted) in [(7, Some(7), true), (0, Some(7), true), (8, Some(7), false), (8, Some(0), false)]
        {
            assert_eq!(is_trusted(owner, own), trusted, "{owner} {own:?}");
        }
        assert!(is_trusted(8, None));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        write(&path, &shelved()).unwrap();
        assert_eq!(Some(path.metadata().unwrap().uid()), user(), "what it writes itself is its own");
        // Only root may give a file away.
        if std::os::unix::fs::chown(&path, Some(12_345), None).is_ok() {
            assert!(read(&path, "https://a/?b").unwrap_err().contains("belongs to another user"));
        }
    }

    #[test]
    fn what_cannot_be_written_leaves_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let (path, draft) = (folder.path().join("keys"), draft(&folder.path().join("keys")));
        write(&path, &shelved()).unwrap();
        // Somebody else's, in the place of the draft.
        fs::write(&draft, "").unwrap();
        assert!(put(&path, &draft, &Shelved { fetched: 2e9, ..shelved() }).is_err());
        assert_eq!(read(&path, "https://a/?b"), Ok(Some(shelved())));
        let error = write(&folder.path().join("none/keys"), &shelved()).unwrap_err();
        assert!(error.contains("cannot be written"), "{error}");
    }
}
