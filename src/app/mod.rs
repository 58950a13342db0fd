//! Builds every part from resolved settings, binds, runs, stops.

mod epoch;
mod error;
mod hooks;
mod operator;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;

pub use error::StartError;

use crate::admin::health::Readiness;
use crate::admin::{Admin, Face};
use crate::config::Config;
use crate::decision::memo::Memo;
use crate::decision::rate::Rates;
use crate::gate::Gate;
use crate::keys::{Courier, Errands};
use crate::live::Publisher;
use crate::net::{self, ConnInfo, Drain, DrainSettings, Listen, Signal, Workers};
use crate::proxy::{Front, Proxy};
use crate::telemetry::access::{AccessLog, TokenDigest};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::report::{self, Collector};
use crate::telemetry::trace::RequestIdSeed;
use crate::time::Clock;

/// How long the last lines of the access log may take to be written.
const LOG_CLOSE: Duration = Duration::from_secs(2);
/// How long a request waits for keys: a little longer than they are asked for.
const PATIENCE: Duration = Duration::from_secs(6);
/// The running program.
pub struct App {
    /// Where it listens, port 0 resolved.
    pub addresses: Vec<Listen>,
    /// Where the admin front listens.
    pub admin: SocketAddr,
    /// Where the probes are answered.
    pub probes: Option<SocketAddr>,
    workers: Workers,
    drain: Drain,
    drain_settings: DrainSettings,
    readiness: Readiness,
    fronts: Vec<(TcpListener, Face)>,
    asked: Rc<Admin>,
    collector: Collector,
    log: AccessLog,
    #[allow(dead_code)]
    publisher: Publisher<Front>,
    #[allow(dead_code)]
    errands: Errands,
}

impl App {
    /// Binds every address, then starts the workers. `sink` takes the access log.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is left running.
    pub fn start(config: Config, clock: Clock, sink: Box<dyn io::Write + Send>) -> Result<Self, StartError> {
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
        let log = match config.telemetry.access {
            true => AccessLog::start(config.telemetry.format, sink, metrics.dropped_lines())?,
            false => AccessLog::off(),
        };
        let readiness = Readiness::default();
        let (drain_settings, memo, read) = (config.net.drain, config.memo, config.clone());
        let publisher = Publisher::new(epoch::first(config.upstreams, config.snapshot, config.proxy, &metrics)?);
        let live = publisher.live();
        let (reports, collector, book) = report::open(clock.now());
        let in_force = live.clone();
        let asked = Admin {
            settings: config.admin,
            metrics: Arc::clone(&metrics),
            readiness: readiness.clone(),
            running_config: Arc::new(move || read.effective().tree()),
            report: Arc::new(move || book.report(epoch::reporting(&in_force.epoch().snapshot))),
        };
        // Beside the epoch: a change of the config empties no bucket and fills none.
        let rates = Arc::<Rates>::default();
        let (courier, errands) = Courier::new(PATIENCE);
        let drain = Drain::default();
        let hooks = hooks::hooks(&metrics, &log, clock.clone());
        let (seed, digest, to) = (RequestIdSeed::new()?, TokenDigest::new()?, log.clone());
        let make_worker = move |number: usize| {
            let memo = Memo::new(memo.entries, memo.size);
            let gate = Gate::new(clock.clone(), memo, Arc::clone(&rates), courier.clone(), metrics.worker());
            let ids = seed.worker(u16::try_from(number).unwrap_or(u16::MAX));
            let (to, digest, reports) = (to.clone(), digest.clone(), reports.clone());
            let proxy = Rc::new(Proxy::new(live.clone(), gate, ids, to, digest, reports, Arc::clone(&metrics)));
            move |conn: Arc<ConnInfo>| {
                let proxy = Rc::clone(&proxy);
                // Boxed: the server moves what it is given several times, and this is some kilobytes large.
                service_fn(move |request| Box::pin(Rc::clone(&proxy).answer(Arc::clone(&conn), request)))
            }
        };
        let workers = net::start(bound, &config.net, &drain.signal(), hooks, make_worker)?;
        Ok(Self {
            addresses,
            admin,
            probes,
            workers,
            drain,
            drain_settings,
            readiness,
            fronts,
            asked: Rc::new(asked),
            collector,
            log,
            publisher,
            errands,
        })
    }

    /// Serves until it is told to stop and everything under way has ended. `signals` gives the next signal.
    ///
    /// # Errors
    /// A worker that was lost.
    pub async fn run(self, mut signals: impl AsyncFnMut() -> Signal) -> Result<(), net::WorkerLost> {
        // The admin front has a drain of its own, which never begins: `/readyz` answers to the very end.
        let open = Drain::default();
        let mut fronts = Vec::new();
        for (listener, face) in self.fronts {
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => fronts.push(operator::serve(listener, face, Rc::clone(&self.asked), open.clone())),
                Err(error) => tracing::error!(%error, "the admin front cannot listen"),
            }
        }
        let fronts = async {
            let mut fronts = fronts.into_iter();
            match (fronts.next(), fronts.next()) {
                (Some(whole), Some(probes)) => drop(tokio::join!(whole, probes)),
                (Some(whole), None) => whole.await,
                (None, _) => {}
            }
            std::future::pending::<()>().await;
        };
        let collected = async {
            self.collector.run().await;
            std::future::pending::<()>().await;
        };
        let stop = async {
            loop {
                match signals().await {
                    Signal::Drain | Signal::End => break,
                    Signal::Reload => {
                        tracing::warn!("reloading is not in this version yet: restart to take a new config")
                    }
                }
            }
            tracing::info!("stopping");
            self.readiness.set_draining();
            let hurry = async {
                loop {
                    if signals().await != Signal::Reload {
                        self.drain.end();
                    }
                }
            };
            tokio::select! {
                () = self.drain.run(self.drain_settings) => {}
                () = hurry => {}
            }
            std::future::pending::<()>().await;
        };
        let ended = tokio::select! {
            ended = self.workers.join() => ended,
            // It ends with the last worker, whose own word on that counts.
            () = collected => Ok(()),
            () = stop => Ok(()),
            () = fronts => Ok(()),
        };
        self.log.close(LOG_CLOSE);
        ended
    }
}
