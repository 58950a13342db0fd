//! Writes the file whole or not at all.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Everybody may read it: no secret is in it.
const MODE: u32 = 0o644;

/// Writes a file that is not there, or with `replace` in the place of one that is. A symbolic link is replaced itself,
/// and never followed.
pub(super) fn write(path: &Path, text: &str, replace: bool) -> io::Result<()> {
    if !replace {
        return fresh(path, text);
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
