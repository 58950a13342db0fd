//! Builds every part from resolved settings, binds, runs, stops.

mod supply;

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method};
use hyper::service::service_fn;

use crate::admin::health::Readiness;
use crate::admin::{Admin, Face};
use crate::config::Config;
use crate::decision::memo::Memo;
use crate::decision::rate::Rates;
use crate::decision::rejection::Code;
use crate::decision::route::Mode;
use crate::decision::snapshot::Snapshot;
use crate::gate::Gate;
use crate::keys::revoked::Revokers;
use crate::keys::{self, Courier, Errands, Keeper};
use crate::live::{Epoch, Publisher};
use crate::net::{self, ConnInfo, Drain, DrainSettings, Hooks, Listen, ListenError, Peer, Signal, Workers};
use crate::proxy::{Front, Proxy};
use crate::telemetry::NoRandomness;
use crate::telemetry::access::{self, AccessLog, AccessRecord, Excerpt, TokenDigest};
use crate::telemetry::metrics::{Metrics, Side};
use crate::telemetry::report::{self, Collector};
use crate::telemetry::trace::RequestIdSeed;
use crate::time::Clock;
use crate::upstream::{self, Upstream};

/// How long the last lines of the access log may take to be written.
const LOG_CLOSE: Duration = Duration::from_secs(2);
/// Bounds on what asking the admin front may cost: a scraper and a few people.
const ADMIN_LIMITS: net::Limits = net::Limits {
    header_size: 16 * 1024,
    headers: 64,
    header_timeout: Duration::from_secs(10),
    idle_timeout: Duration::from_secs(75),
    connections: 256,
    streams: 16,
};

/// Why the program could not start as asked.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address of `listen`.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// An address of the admin front.
    #[error(
        "cannot listen at {address} (setting `{setting}`): {source}; stop the other program or choose another port"
    )]
    Admin {
        /// The address.
        address: SocketAddr,
        /// Where the config says so.
        setting: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A certificate file of an upstream.
    #[error("upstream {0}")]
    Upstream(#[from] upstream::TlsError),
    /// No random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
    /// No thread or no event queue.
    #[error("the system gives no thread: {0}")]
    Thread(#[from] io::Error),
}

impl From<NoRandomness> for StartError {
    fn from(_: NoRandomness) -> Self {
        StartError::NoRandomness
    }
}

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
    keeper: Keeper,
    revokers: Revokers,
    errands: Errands,
    /// Where keys go, and what is told of them.
    key_hooks: keys::Hooks,
}

impl App {
    /// Binds every address, then starts the workers. `sink` takes the access log.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is left running.
    pub fn start(mut config: Config, clock: Clock, sink: Box<dyn io::Write + Send>) -> Result<Self, StartError> {
        let bound = net::bind(&config.net)?;
        let addresses = bound.addresses().to_vec();
        let (admin, admin_listener) = listen(config.admin.listen, "[admin] listen")?;
        let mut fronts = vec![(admin_listener, Face::Whole)];
        let mut probes = None;
        if let Some(address) = config.admin.probes {
            let (address, listener) = listen(address, "[admin] probes")?;
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
        let meters = Arc::clone(&metrics);
        let keeper = Keeper::new(&config.issuers, clock.clone(), move |issuer| meters.issuer(issuer));
        keeper.furnish(&mut config.snapshot.issuers);
        let awaited = match config.admin.ready_without_keys {
            true => HashMap::new(),
            false => supply::awaited(&config.snapshot.issuers, clock.now(), &readiness),
        };
        let (courier, errands) = Courier::new(supply::patience(&config.issuers));
        let publisher = Publisher::new(first_epoch(config.upstreams, config.snapshot, config.proxy, &metrics)?);
        let live = publisher.live();
        let publisher = Rc::new(RefCell::new(publisher));
        let revokers = supply::revokers(&publisher, clock.clone(), &metrics, &readiness);
        revokers.replace(&config.issuers, &mut live.epoch().snapshot.issuers.clone());
        let (reports, collector, book) = report::open(clock.now());
        let in_force = live.clone();
        let asked = Admin {
            settings: config.admin,
            metrics: Arc::clone(&metrics),
            readiness: readiness.clone(),
            running_config: Arc::new(move || read.effective().tree()),
            report: Arc::new(move || book.report(reporting(&in_force.epoch().snapshot))),
        };
        // Beside the epoch: a change of the config empties no bucket and fills none.
        let rates = Arc::<Rates>::default();
        let drain = Drain::default();
        let hooks = hooks(&metrics, &log, clock.clone());
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
        let key_hooks = supply::hooks(publisher, readiness.clone(), awaited);
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
            keeper,
            revokers,
            errands,
            key_hooks,
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
                Ok(listener) => fronts.push(serve_admin(listener, face, Rc::clone(&self.asked), open.clone())),
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
        let kept = self.keeper.run(self.errands, self.key_hooks, |plan| async move { plan.bring().await });
        let revoked = self.revokers.run();
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
            () = kept => Ok(()),
            () = revoked => Ok(()),
        };
        self.log.close(LOG_CLOSE);
        ended
    }
}

/// A listener for the admin front, which is never on the path of a request.
fn listen(address: SocketAddr, setting: &'static str) -> Result<(SocketAddr, TcpListener), StartError> {
    let bind = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok((listener.local_addr()?, listener))
    };
    bind().map_err(|source| StartError::Admin { address, setting, source })
}

async fn serve_admin(listener: tokio::net::TcpListener, face: Face, admin: Rc<Admin>, drain: Drain) {
    let make = move |_: Arc<ConnInfo>| {
        let admin = Rc::clone(&admin);
        service_fn(move |request| {
            let admin = Rc::clone(&admin);
            async move { Ok::<_, Infallible>(admin.answer(face, request).await) }
        })
    };
    net::serve_cold(listener, ADMIN_LIMITS, drain.signal(), Hooks::none(), make).await;
}

fn first_epoch(
    upstreams: Vec<upstream::Settings>,
    snapshot: Snapshot,
    settings: crate::proxy::Settings,
    metrics: &Arc<Metrics>,
) -> Result<Epoch<Front>, StartError> {
    metrics.epoch(1);
    let made = |settings: upstream::Settings| {
        let meters = metrics.upstream(&settings.name());
        Upstream::new(settings, meters).map(Arc::new)
    };
    let upstreams = upstreams.into_iter().map(made).collect::<Result<Vec<_>, _>>()?;
    let meters = snapshot.routes.routes().iter().map(|route| metrics.route(&route.name)).collect();
    Ok(Epoch { number: 1, snapshot, meters, front: Arc::new(Front { settings, upstreams }) })
}

/// The names of the routes in report mode.
fn reporting(snapshot: &Snapshot) -> Vec<String> {
    let routes = snapshot.routes.routes().iter().filter(|route| route.mode == Mode::Report);
    routes.map(|route| route.name.to_string()).collect()
}

/// Who is told of what happens to connections.
fn hooks(metrics: &Arc<Metrics>, log: &AccessLog, clock: Clock) -> Hooks {
    let (opened, closed, refused, log) = (Arc::clone(metrics), Arc::clone(metrics), Arc::clone(metrics), log.clone());
    Hooks {
        opened: Arc::new(move || opened.opened(Side::Downstream)),
        closed: Arc::new(move || closed.closed(Side::Downstream)),
        refused: Arc::new(move |code, peer| {
            refused.unrouted().rejected(code);
            if log.is_on() {
                log.write(nothing_asked(&clock, code, peer));
            }
        }),
    }
}

/// The line for what was refused before there was a request.
fn nothing_asked(clock: &Clock, code: Code, peer: Peer) -> AccessRecord {
    let peer = match peer {
        Peer::Ip(address) => access::Peer::Address(address.ip()),
        Peer::Unix => access::Peer::Unix,
    };
    let mut record = AccessRecord::open(clock.now(), &HeaderValue::from_static("-"), peer, &Method::default(), "-");
    record.method = Excerpt::text("-");
    record.code = Some(code);
    record.status = Some(code.status());
    record.detail = Some(Excerpt::text("refused before there was a request"));
    record
}
