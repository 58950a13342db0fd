//! Writes the file whole or not at all.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Everybody may read it: no secret is in it.
const MODE: u32 = 0o644;

/// Writes a file that is not there, or with `replace` in the place of one that is. A symbolic link is replaced itself,
/// and never followed; a device, a pipe or a folder is left alone.
pub(super) fn write(path: &Path, text: &str, replace: bool) -> io::Result<()> {
    if !replace {
        return fresh(path, text);
    }
    // Root may rename over a device as well, and the machine would have to do without it.
    if path.symlink_metadata().is_ok_and(|found| !found.is_file() && !found.is_symlink()) {
        return Err(io::Error::other("it is there and is no file"));
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let beside = path.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    fresh(&beside, text)?;
    fs::rename(&beside, path).inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    })
}

fn fresh(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)?;
    fill(&mut file, text).inspect_err(|_| {
        let _ = fs::remove_file(path);
    })
}

fn fill(file: &mut File, text: &str) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_or_a_link_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        fs::write(at("file"), "old").unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        assert!(write(&at("socket"), "new", true).unwrap_err().to_string().contains("is no file"));
        assert!(!at("socket").symlink_metadata().unwrap().is_file());
        drop(socket);
        write(&at("link"), "new", true).unwrap();
        assert_eq!(fs::read_to_string(at("file")).unwrap(), "old");
        write(&at("file"), "new", true).unwrap();
        assert_eq!(fs::read_to_string(at("file")).unwrap(), "new");
        assert!(write(&at("file"), "newer", false).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
