//! `waxseal run`: serve.

use std::io;

use tokio::runtime;

use super::{ConfigFile, Failure, tell_error, told};
use crate::app::App;
use crate::config;
use crate::explain;
use crate::net::Signals;
use crate::telemetry::trace;
use crate::time::Clock;

/// Serves until a signal says otherwise.
pub(super) fn run(file: &ConfigFile) -> Result<(), Failure> {
    let path = file.path()?;
    let reading = config::read(path);
    let config = reading.outcome.map_err(|report| Failure::AtStart(told(&report.diagnostics)))?;
    let held = explain::check(&config, Clock::System.now());
    held.map_err(|report| Failure::AtStart(told(&report.diagnostics)))?;
    if !config.warnings.is_empty() {
        tell_error(told(&config.warnings));
    }
    let trace = trace::init(&config.telemetry).map_err(Failure::at_start)?;
    let app = App::start(config, Clock::System, Box::new(io::stdout())).map_err(Failure::at_start)?;
    let app = app.following(path, reading.files, trace);
    for address in &app.addresses {
        tracing::info!(%address, "listening");
    }
    tracing::info!(address = %app.admin, "the admin front is listening");
    // The cold side: nothing here is on the path of a request.
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::at_start)?;
    let ended = runtime.block_on(async {
        let mut signals = Signals::catch().map_err(Failure::at_start)?;
        app.run(async || signals.next().await).await.map_err(Failure::at_work)
    });
    // Whoever still asks for the address of a name, or writes to a disk that hangs, is not waited for.
    runtime.shutdown_background();
    ended
}
