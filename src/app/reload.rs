//! Takes a new config while running: whole, or not at all.
//!
//! One reload goes on at a time; whoever asks meanwhile shares the next one. The file is read, its cases are played and
//! everything that can fail is made on a thread of its own; what is left then is to put it in force, which cannot fail and
//! happens in one turn of the cold side. Requests under way keep what they began with.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::epoch::Lasting;
use super::supply::{Sources, patience};
use crate::admin::health::Readiness;
use crate::admin::orders::Told;
use crate::config::render::{self, many};
use crate::config::{self, Config, Diagnostic, Reading, Report};
use crate::explain;
use crate::keys::Courier;
use crate::live::{Epoch, Publisher};
use crate::net;
use crate::proxy::Front;
use crate::telemetry::metrics::ReloadOutcome;
use crate::telemetry::trace::TraceHandle;
use crate::time::Clock;
use crate::watch::{Glimpse, Watch};

/// How long reading may take: a file system that hangs must not keep every later reload waiting.
const LONGEST: Duration = Duration::from_secs(60);
/// How often files that change while they are read are read.
const MOST_READINGS: usize = 5;
/// The key of the warning at `/readyz`.
const WARNING: &str = "reload";
/// Complaints that are logged one by one.
const MOST_LOGGED: usize = 20;

/// Where the config in force came from.
pub(super) struct Origin {
    file: PathBuf,
    /// The files that were read for it, as they were then.
    files: Vec<Glimpse>,
    trace: TraceHandle,
}

impl Origin {
    pub(super) fn new(file: &Path, files: Vec<Glimpse>, trace: TraceHandle) -> Self {
        Self { file: file.to_owned(), files, trace }
    }
}

/// Takes new configs.
pub(super) struct Reloader {
    /// Absent where the config came from no file.
    pub(super) origin: Option<Origin>,
    pub(super) in_force: Arc<ArcSwap<Config>>,
    pub(super) publisher: Rc<RefCell<Publisher<Front>>>,
    pub(super) sources: Sources,
    pub(super) courier: Courier,
    pub(super) lasting: Lasting,
    pub(super) controls: net::Controls,
    pub(super) readiness: Readiness,
    pub(super) clock: Clock,
}

/// A config that can be put in force.
struct Prepared {
    config: Config,
    epoch: Epoch<Front>,
    change: net::Change,
}

impl Reloader {
    /// Reloads whenever a file has changed or somebody asks.
    pub(super) async fn run(mut self, mut asked: mpsc::Receiver<oneshot::Sender<Told>>) {
        let files = self.origin.as_mut().map(|origin| std::mem::take(&mut origin.files)).unwrap_or_default();
        let mut watch = Watch::since(files).await;
        loop {
            let mut waiting = Vec::new();
            tokio::select! {
                () = watch.changed() => {}
                Some(one) = asked.recv() => waiting.push(one),
            }
            while let Ok(another) = asked.try_recv() {
                waiting.push(another);
            }
            let told = match &self.origin {
                None => self.refuse(&Report::of_file(Path::new("-"), "this process has no config file to read", "")),
                Some(origin) => {
                    let (outcome, files) = self.prepare(&origin.file).await;
                    let told = match outcome {
                        Ok(prepared) => self.put_in_force(prepared, &origin.trace),
                        Err(report) => self.refuse(&report),
                    };
                    if let Some(files) = files {
                        watch = Watch::since(files).await;
                    }
                    told
                }
            };
            // Who went away meanwhile is not told.
            waiting.into_iter().for_each(|one| _ = one.send(told.clone()));
        }
    }

    /// Reads the file and makes everything that can fail, off this thread. The files that were read come back too, unless
    /// reading did not end.
    async fn prepare(&self, file: &Path) -> (Result<Prepared, Report>, Option<Vec<Glimpse>>) {
        let (tell, told) = oneshot::channel();
        let (path, before, lasting) = (file.to_owned(), self.in_force.load_full(), self.lasting.clone());
        let (epoch, controls, clock) =
            (self.publisher.borrow().live().epoch(), self.controls.clone(), self.clock.clone());
        let work = move || {
            let reading = read(&path);
            let prepared = reading.outcome.and_then(|config| {
                explain::check(&config, clock.now())?;
                before.can_become(&config)?;
                let unusable = |problem: String| Report::of_file(&path, &problem, "");
                let change = controls.prepare(&config.net).map_err(|error| unusable(error.to_string()))?;
                let epoch = lasting.epoch(&config, Some(&epoch)).map_err(|error| unusable(error.to_string()))?;
                Ok(Prepared { config, epoch, change })
            });
            // Nobody waits any more where it took too long.
            let _ = tell.send((prepared, reading.files));
        };
        let failed = |problem: &str| (Err(Report::of_file(file, problem, "")), None);
        if let Err(error) = std::thread::Builder::new().name(String::from("reload")).spawn(work) {
            return failed(&format!("the system gives no thread: {error}"));
        }
        match timeout(LONGEST, told).await {
            Ok(Ok((outcome, files))) => (outcome, Some(files)),
            Ok(Err(_)) => failed("reading it broke inside; please report that"),
            Err(_) => failed("reading it took more than a minute"),
        }
    }

    /// Puts a config in force. Nothing here can fail.
    fn put_in_force(&self, prepared: Prepared, trace: &TraceHandle) -> Told {
        let Prepared { mut config, mut epoch, change } = prepared;
        // What has no place is about this machine, and was told at the start.
        config.warnings.retain(|warning| warning.line > 0);
        let number = epoch.number;
        self.courier.set_patience(patience(&config.issuers));
        self.sources.replace(&config.issuers, &mut epoch.snapshot.issuers);
        self.publisher.borrow_mut().publish(epoch);
        self.controls.apply(change);
        // Fails only where diagnostics are gone, and then there is nobody to tell.
        let _ = trace.set(&config.telemetry);
        self.lasting.metrics.epoch(number);
        self.lasting.metrics.reloaded(ReloadOutcome::Applied);
        self.readiness.clear(WARNING);
        for warning in &config.warnings {
            tracing::warn!(%warning, "the new config has a weakness");
        }
        tracing::info!(epoch = number, "a new config is in force");
        let told = applied(&config, number);
        self.in_force.store(Arc::new(config));
        told
    }

    /// Keeps what is in force and says why.
    fn refuse(&self, report: &Report) -> Told {
        self.lasting.metrics.reloaded(ReloadOutcome::Refused);
        let diagnostics = &report.diagnostics;
        for complaint in diagnostics.iter().take(MOST_LOGGED) {
            tracing::error!(%complaint, "the new config is refused and the one of before stays in force");
        }
        let first = diagnostics.first().map(ToString::to_string).unwrap_or_default();
        let first = first.lines().next().unwrap_or_default();
        self.readiness.warn(WARNING, format!("the last reload was refused: {first}"));
        let number = self.publisher.borrow().live().epoch().number;
        let text = format!(
            "{}{}\nrefused: the config of before stays in force\n",
            render::plain(diagnostics),
            render::summary(diagnostics)
        );
        Told { applied: false, text, json: object(false, number, diagnostics) }
    }
}

/// Reads the file and what it names, all of one moment: who swaps a link that leads to several of them must not get a mixture
/// of old and new.
fn read(file: &Path) -> Reading {
    let mut reading = config::read(file);
    for _ in 1..MOST_READINGS {
        if reading.files.iter().all(Glimpse::holds) {
            return reading;
        }
        reading = config::read(file);
    }
    if !reading.files.iter().all(Glimpse::holds) {
        let problem = "this file, or one that it names, changes while it is read";
        let advice = "write a new one beside it and rename that into its place";
        reading.outcome = Err(Report::of_file(file, problem, advice));
    }
    reading
}

/// What is said of a config that was taken.
fn applied(config: &Config, number: u64) -> Told {
    let own = config.snapshot.routes.routes().len().saturating_sub(1);
    let (routes, issuers) = (many(own, "route"), many(config.issuers.len(), "issuer"));
    let text = format!("{}config {number} is in force: {routes}, {issuers}\n", render::plain(&config.warnings));
    Told { applied: true, text, json: object(true, number, &config.warnings) }
}

fn object(applied: bool, epoch: u64, complaints: &[Diagnostic]) -> String {
    let complaints: Vec<_> = complaints.iter().map(render::object).collect();
    json!({ "applied": applied, "epoch": epoch, "complaints": complaints }).to_string()
}
