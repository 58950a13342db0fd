//! From `config.toml` to settings; the only room that knows the file's shape.
//!
//! A file goes through four hands: `intake` makes a text of it, `reader` and `raw` take down what was written, `resolve`
//! finds out what it means and whether it fits together, and the caller gets either settings that are good or a
//! [`Report`] with all complaints at once. Unknown keys are complaints at every level, since a typing error that is
//! passed over is an open door.
//!
//! Complaints are gathered in `diagnostic` and drawn by [`render`]. `syntax` with `faults` and `cause` says what is wrong
//! with the TOML itself, `near` and `foreign` what was probably meant. The line that is shown with a complaint is an
//! `excerpt`, of which `veil` and `known` let through only what holds no secret.
//!
//! The environment and the files of secrets are read here and nowhere below. No secret gets into a complaint, a warning
//! or the settings in effect as they are told.

mod boot;
mod case;
mod cause;
mod diagnostic;
mod dialect;
mod effective;
mod excerpt;
mod faults;
mod foreign;
mod intake;
mod known;
mod lints;
mod near;
mod quantity;
mod raw;
mod reader;
pub mod render;
mod resolve;
mod schema;
mod shown;
mod source;
mod syntax;
mod table;
mod veil;

use std::path::Path;

use toml::de::DeTable;

pub use case::{Case, Expect};
pub use diagnostic::{Diagnostic, Report, Severity};
pub use effective::Effective;
pub use schema::schema;
pub use shown::{quoted, quoted_key};

use crate::decision::memo;
use crate::decision::snapshot::Snapshot;
use crate::watch::Glimpse;
use crate::{admin, keys, net, proxy, telemetry, upstream};
use boot::Boot;
use diagnostic::Notes;
use effective::Written;
use source::Outside;

/// Everything that a file says, good and complete.
#[derive(Clone, Debug)]
pub struct Config {
    /// Sockets and connections.
    pub net: net::Settings,
    /// The front that forwards.
    pub proxy: proxy::Settings,
    /// Log and counters.
    pub telemetry: telemetry::Settings,
    /// The operator's front.
    pub admin: admin::Settings,
    /// What a worker remembers of proven tokens.
    pub memo: memo::Settings,
    /// The upstreams: first that of the top level, then others that routes name. `Route::upstream` is a place in here.
    pub upstreams: Vec<upstream::Settings>,
    /// The issuers and where their keys come from; an `IssuerId` is a place in here.
    pub issuers: Vec<keys::Settings>,
    /// What decisions look at, the keys loaded, the default route (`unmatched`) last.
    pub snapshot: Snapshot,
    /// Cases that must hold before it is taken.
    pub cases: Vec<Case>,
    /// What the operator should know, in the order of the file.
    pub warnings: Vec<Diagnostic>,
    /// What of it a running process cannot change.
    boot: Boot,
    /// What it was read from.
    written: Written,
}

/// What came of reading a file.
#[derive(Debug)]
pub struct Reading {
    /// Its settings, or all complaints about it.
    pub outcome: Result<Config, Report>,
    /// The file, and every file that it names, also those that could not be read; as they were before they were read. A
    /// change of one of them may change the outcome.
    pub files: Vec<Glimpse>,
}

/// Reads a file and the secrets it points to.
#[allow(clippy::disallowed_methods, reason = "secrets may point to the environment, which is read here alone")]
pub fn read(path: &Path) -> Reading {
    let own = Glimpse::of(path);
    let mut reading = match intake::text(path) {
        Ok(text) => understand(&text, path, &|name| std::env::var(name).ok()),
        Err(report) => Reading { outcome: Err(report), files: Vec::new() },
    };
    reading.files.push(own);
    reading
}

/// Reads a file and the secrets it points to, for whoever reads it once.
///
/// # Errors
/// All complaints about it. Trying again helps only after the file, or what it points to, has changed.
pub fn load(path: &Path) -> Result<Config, Report> {
    read(path).outcome
}

/// Reads the text of a file. `file` names it in complaints, and relative paths start from its folder; `env` gives the
/// variables that it may point to.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str, file: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, Report> {
    understand(text, file, env).outcome
}

fn understand(text: &str, file: &Path, env: &dyn Fn(&str) -> Option<String>) -> Reading {
    let mut notes = Notes::new(text, file);
    let (tree, errors) = DeTable::parse_recoverable(text);
    let raw = raw::File::read(tree.get_ref(), &mut notes);
    let outside = Outside::of(file, env);
    let written = Written::new(text, file);
    let config = resolve::resolve(&raw, written, &mut resolve::Context { notes: &mut notes, outside: &outside });
    lints::claims(&raw, &mut notes);
    lints::files(&raw, file, &outside, &mut notes);
    syntax::complain(&errors, text, &mut notes);
    let outcome = notes.finish().and_then(|warnings| match config {
        Some(config) => Ok(Config { warnings, ..config }),
        None => Err(Report::of_file(file, "the routes cannot be put in order", "")),
    });
    Reading { outcome, files: outside.seen() }
}

#[cfg(test)]
mod tests;

/// A duration as the config writes it, for whoever takes one from elsewhere.
///
/// # Errors
/// Says what was expected.
pub fn duration(text: &str) -> Result<std::time::Duration, String> {
    quantity::Time::parse(text).map(|time| time.0)
}
