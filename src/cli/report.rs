//! `waxseal report`: who would be refused by the routes in report mode, and why.

use clap::Args;

use super::ask::{Door, ask};
use super::{ConfigFile, Failure, tell};

/// What `report` is told.
#[derive(Debug, Args)]
pub(super) struct Asked {
    #[command(flatten)]
    config: ConfigFile,
    /// Print JSON instead of text for the eye.
    #[arg(long)]
    json: bool,
}

/// Asks `/report` of the admin front that the config names, and prints what it says.
pub(super) fn report(asked: &Asked) -> Result<(), Failure> {
    let target = if asked.json { "/report?format=json" } else { "/report" };
    tell(ask(&asked.config.load()?.admin, Door::Whole, target)?)
}
