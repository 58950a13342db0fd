//! `waxseal drain`: let the running process stop serving, and return when it has.

use std::time::Duration;

use super::ask::order;
use super::{ConfigFile, Failure, tell};

/// What the answer may take beyond the time that the config gives to draining.
const MARGIN: Duration = Duration::from_secs(10);

/// Orders it at the admin front that the config names.
pub(super) fn drain(file: &ConfigFile) -> Result<(), Failure> {
    let config = file.load()?;
    let limit = config.net.drain.delay.saturating_add(config.net.drain.timeout).saturating_add(MARGIN);
    tell(order(&config.admin, "/drain", limit)?)
}
