//! Secrets in files that everyone can read.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::super::diagnostic::Notes;
use super::super::raw::{File, Upstream};
use super::super::reader::{At, Field};
use super::super::source::{Outside, Source};
use super::Kind;

/// For everyone: neither the owner nor the group.
const OTHERS_READ: u32 = 0o004;
/// Who may not pass a folder cannot read what is in it.
const OTHERS_PASS: u32 = 0o001;

/// Warns of secrets and private keys that everyone on the machine can read.
pub(in crate::config) fn files(file: &File, config: &Path, outside: &Outside<'_>, notes: &mut Notes<'_>) {
    let mut kind = Kind::new("files of secrets that everyone can read");
    let mut look = |path: &str, at: &std::ops::Range<usize>, key: &str, notes: &mut Notes<'_>| {
        let path = outside.path(path);
        // What is no secret, or cannot be read, is told already, and need not be hidden.
        if open_to_all(&path) && !notes.blames(at) {
            let problem = format!("everyone on this machine can read {}", path.display());
            let advice = format!(
                "chmod 600 {}\n\
                 for a Secret of Kubernetes write defaultMode: 0400 at its volume (0440 beside an fsGroup)",
                path.display()
            );
            kind.warn(notes, at, key, problem, &advice);
        }
    };
    let mut texts: Vec<&At<Source>> = Vec::new();
    let issuers = file.issuer.get().map(|named| named.0.as_slice()).unwrap_or_default();
    let secrets = issuers
        .iter()
        .filter_map(|(name, issuer)| Some((format!("issuer.{}.secret", name.value), issuer.get()?.secret.at()?)));
    let token = file.admin.get().and_then(|admin| admin.token.at()).map(|token| (String::from("admin.token"), token));
    for (key, source) in secrets.chain(token) {
        match &source.value {
            Source::File(path) => look(path, &source.span, &key, notes),
            Source::Text(_) => texts.push(source),
            Source::Env(_) => {}
        }
    }
    let key = |upstream: &'_ Field<Upstream>| upstream.get().and_then(|upstream| upstream.0.client_key.at().cloned());
    let routes = file.route.get().map(|routes| routes.0.as_slice()).unwrap_or_default();
    let own =
        routes.iter().map(|route| (format!("{}.upstream.client_key", route.value.label), key(&route.value.upstream)));
    let top = (String::from("upstream.client_key"), key(&file.upstream));
    let tls = (String::from("tls.key"), file.tls.get().and_then(|tls| tls.key.at().cloned()));
    for (key, path) in own.chain([top, tls]) {
        path.iter().for_each(|path| look(&path.value, &path.span, &key, notes));
    }
    if let Some(first) = texts.first().filter(|_| open_to_all(config)) {
        let problem = String::from("everyone on this machine can read this file, and the secret in it");
        kind.warn(notes, &first.span, "", problem, &format!("chmod 600 {}", config.display()));
    }
    kind.close(notes);
}

/// Whether the file, wherever a link leads, can be read by everyone. One that cannot be looked at is not.
fn open_to_all(path: &Path) -> bool {
    let Ok(file) = path.canonicalize() else { return false };
    let allows =
        |path: &Path, bits: u32| std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & bits == bits);
    allows(&file, OTHERS_READ) && file.ancestors().skip(1).all(|folder| allows(folder, OTHERS_PASS))
}
