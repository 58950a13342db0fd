//! `waxseal health`: ask the running process whether it is ready.

use super::ask::{Door, ask};
use super::{ConfigFile, Failure, tell};

/// Asks `/readyz` of the admin front that the config names.
pub(super) fn health(file: &ConfigFile) -> Result<(), Failure> {
    tell(ask(&file.load()?.admin, Door::Probes, "/readyz")?)
}
