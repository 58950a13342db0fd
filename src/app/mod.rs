//! Builds every part from resolved settings, binds, runs, stops.

mod epoch;
mod error;
mod hooks;
mod operator;
mod reload;
mod stop;
mod supply;

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::service::service_fn;
use tokio::sync::{mpsc, oneshot};

pub use error::StartError;

use crate::admin::health::Readiness;
use crate::admin::orders::{Orders, Told};
use crate::admin::{Admin, Face};
use crate::config::Config;
use crate::decision::memo::Memo;
use crate::decision::rate::Rates;
use crate::gate::Gate;
use crate::keys::Courier;
use crate::live::{Live, Publisher};
use crate::net::{self, ConnInfo, Drain, Listen, Signal, Workers};
use crate::proxy::{Front, Proxy};
use crate::telemetry::access::{AccessLog, TokenDigest};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::report::{self, Collector, ReportBook, ReportLog};
use crate::telemetry::trace::{RequestIdSeed, TraceHandle};
use crate::time::Clock;
use crate::watch::Glimpse;
use epoch::Lasting;
use reload::{Origin, Reloader};
use stop::Stop;
use supply::Supplies;

/// How long the last lines of the access log may take to be written.
const LOG_CLOSE: Duration = Duration::from_secs(2);
/// The running program.
pub struct App {
    /// Where it listens, port 0 resolved.
    pub addresses: Vec<Listen>,
    /// Where the admin front listens.
    pub admin: SocketAddr,
    /// Where the probes are answered.
    pub probes: Option<SocketAddr>,
    workers: Workers,
    fronts: Vec<(TcpListener, Face)>,
    asked: Rc<Admin>,
    reloader: Reloader,
    reloads: mpsc::Receiver<oneshot::Sender<Told>>,
    stop: Stop,
    collector: Collector,
    supplies: Supplies,
}

impl App {
    /// Binds every address, then starts the workers. `sink` takes the access log.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is left running.
    pub fn start(mut config: Config, clock: Clock, sink: Box<dyn io::Write + Send>) -> Result<Self, StartError> {
        let bound = net::bind(&config.net)?;
        let addresses = bound.addresses().to_vec();
        let (admin, admin_listener) = operator::listen(config.admin.listen, "[admin] listen")?;
        let mut fronts = vec![(admin_listener, Face::Whole)];
        let mut probes = None;
        if let Some(address) = config.admin.probes {
            let (address, listener) = operator::listen(address, "[admin] probes")?;
            probes = Some(address);
            fronts.push((listener, Face::Probes));
        }
        let metrics = Metrics::new(clock.clone());
        let log = AccessLog::start(config.telemetry.format, sink, metrics.dropped_lines())?;
        let lasting = Lasting { metrics: Arc::clone(&metrics), log };
        let readiness = Readiness::default();
        let (courier, errands) = Courier::new(supply::patience(&config.issuers));
        let keeper = supply::keeper(&mut config, &clock, &metrics);
        let publisher = Publisher::new(lasting.epoch(&config, None)?);
        metrics.epoch(1);
        let (live, net) = (publisher.live(), config.net.clone());
        let publisher = Rc::new(RefCell::new(publisher));
        let supplies = Supplies::new(keeper, errands, &publisher, &config, &clock, &metrics, &readiness);
        let in_force = Arc::new(ArcSwap::from_pointee(config));
        let (reports, collector, book) = report::open(clock.now());
        let (orders, given) = Orders::new();
        let asked = asked(&in_force, &live, book, &lasting, readiness.clone(), orders.clone());
        let drain = Drain::default();
        let hooks = hooks::hooks(&metrics, live.clone(), clock.clone());
        let (seed, digest, rates) = (RequestIdSeed::new()?, TokenDigest::new()?, Arc::default());
        let shop =
            Workshop { live, clock: clock.clone(), rates, courier: courier.clone(), seed, digest, reports, metrics };
        let make_worker = move |number: usize| {
            let proxy = shop.proxy(number);
            move |conn: Arc<ConnInfo>| {
                let proxy = Rc::clone(&proxy);
                // Boxed: the server moves what it is given several times, and this is some kilobytes large.
                service_fn(move |request| Box::pin(Rc::clone(&proxy).answer(Arc::clone(&conn), request)))
            }
        };
        let workers = net::start(bound, &net, &drain.signal(), hooks, make_worker)?;
        let reloader = Reloader {
            origin: None,
            in_force,
            publisher,
            sources: supplies.sources.clone(),
            courier,
            lasting,
            controls: workers.controls(),
            readiness: readiness.clone(),
            clock,
        };
        let stop = Stop { drain, readiness, orders, ordered: given.drain, waiting: Vec::new(), signalled: false };
        let (asked, reloads) = (Rc::new(asked), given.reload);
        Ok(Self { addresses, admin, probes, workers, fronts, asked, reloader, reloads, stop, collector, supplies })
    }

    /// The same program, which from now on takes every change of the file that its config came from. `files` are those that
    /// were read for it, as they were then.
    #[must_use]
    pub fn following(mut self, file: &Path, files: Vec<Glimpse>, trace: TraceHandle) -> Self {
        self.reloader.origin = Some(Origin::new(file, files, trace));
        self
    }

    /// Serves until it is told to stop and everything under way has ended. `signals` gives the next signal.
    ///
    /// # Errors
    /// A worker that was lost.
    pub async fn run(self, mut signals: impl AsyncFnMut() -> Signal) -> Result<(), net::WorkerLost> {
        let Self { workers, fronts, asked, reloader, reloads, mut stop, collector, supplies, .. } = self;
        let (in_force, log) = (Arc::clone(&reloader.in_force), reloader.lasting.log.clone());
        let mut beside = pin!(async {
            let asked = operator::serve_all(fronts, &asked);
            tokio::join!(asked, collector.run(), reloader.run(reloads), supplies.run());
        });
        let ended = tokio::select! {
            ended = workers.join() => ended,
            () = &mut beside => Ok(()),
            () = stop.run(|| in_force.load().net.drain, &mut signals) => Ok(()),
        };
        tokio::select! {
            () = beside => {}
            () = stop.farewell(&mut signals) => {}
        }
        log.close(LOG_CLOSE);
        ended
    }
}

/// What the operator may ask, and what he is shown.
fn asked(
    in_force: &Arc<ArcSwap<Config>>,
    live: &Live<Front>,
    book: ReportBook,
    lasting: &Lasting,
    readiness: Readiness,
    orders: Orders,
) -> Admin {
    let (told, shown, live) = (Arc::clone(in_force), Arc::clone(in_force), live.clone());
    Admin {
        token: Arc::new(move || told.load().admin.token.clone()),
        metrics: Arc::clone(&lasting.metrics),
        readiness,
        running_config: Arc::new(move || shown.load().effective().tree()),
        report: Arc::new(move || book.report(epoch::reporting(&live.epoch().snapshot))),
        orders,
    }
}

/// What every worker is made of.
struct Workshop {
    live: Live<Front>,
    clock: Clock,
    /// Beside the epoch: a change of the config empties no bucket and fills none.
    rates: Arc<Rates>,
    courier: Courier,
    seed: RequestIdSeed,
    digest: TokenDigest,
    reports: ReportLog,
    metrics: Arc<Metrics>,
}

impl Workshop {
    /// The front of the worker of this number.
    fn proxy(&self, number: usize) -> Rc<Proxy> {
        let (clock, rates) = (self.clock.clone(), Arc::clone(&self.rates));
        // Its memo takes the size that the epoch wants with the first request.
        let gate = Gate::new(clock, Memo::off(), rates, self.courier.clone(), self.metrics.worker());
        let ids = self.seed.worker(u16::try_from(number).unwrap_or(u16::MAX));
        let (live, digest, reports) = (self.live.clone(), self.digest.clone(), self.reports.clone());
        Rc::new(Proxy::new(live, gate, ids, digest, reports, Arc::clone(&self.metrics)))
    }
}
