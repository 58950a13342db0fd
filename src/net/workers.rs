//! One thread a worker, each with a runtime of its own; nothing is shared between them but counts.

use std::cell::RefCell;
use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::Service;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinSet, LocalSet, spawn_local};

use super::accept::accept_all;
use super::activity::Activity;
use super::census::{Census, Ticket};
use super::conn::{Arrival, Shared, serve};
use super::controls::Controls;
use super::drain::{Bells, DrainSignal, Phase};
use super::listener::{Bound, BoundUnix};
use super::refuse::overloaded;
use super::roster::{Roster, Spared};
use super::stream::Stream;
use super::tls::ServerTls;
use super::{ConnInfo, Hooks, Limits, Peer, Settings};
use crate::decision::rejection::Code;

/// Connections from unix sockets that may wait for one worker.
const DEALT: usize = 64;
/// Connections over the limit that one worker is telling so at a time; those beyond are closed without a word, or
/// a flood would hold the very descriptors that the limit is to save.
const REFUSALS: usize = 64;

/// A worker panicked outside of any connection, which is a fault of this program.
#[derive(Debug, Error)]
#[error("the thread waxseal-worker-{0} has panicked; its message stands above, please report it")]
pub struct WorkerLost(usize);

/// The running workers.
#[derive(Debug)]
pub struct Workers {
    ends: mpsc::UnboundedReceiver<Result<(), WorkerLost>>,
    controls: Controls,
}

impl Workers {
    /// The hand on what may change while they run.
    pub fn controls(&self) -> Controls {
        self.controls.clone()
    }

    /// Resolves when every worker has ended: after the stopping began, when all connections are gone or
    /// [`Phase::Ended`] is reached.
    ///
    /// # Errors
    ///
    /// As soon as one worker is lost. The others go on until the drain stops them.
    pub async fn join(mut self) -> Result<(), WorkerLost> {
        while let Some(end) = self.ends.recv().await {
            end?;
        }
        Ok(())
    }
}

/// What one worker is given to listen at.
#[derive(Default)]
struct Share {
    tcp: Vec<(std::net::TcpListener, Option<Arc<ServerTls>>)>,
    unix: Vec<(BoundUnix, Dealer)>,
    dealt: Option<mpsc::Receiver<StdUnixStream>>,
}

/// Deals connections out to all workers in turn, since one unix socket cannot be accepted from in several places
/// without one of them getting most of it.
#[derive(Clone)]
struct Dealer {
    workers: Vec<mpsc::Sender<StdUnixStream>>,
}

impl Dealer {
    async fn deal(&mut self, mut stream: StdUnixStream) {
        for _ in 0..self.workers.len() {
            self.workers.rotate_left(1);
            let Some(worker) = self.workers.first() else { return };
            match worker.try_send(stream) {
                Ok(()) => return,
                Err(mpsc::error::TrySendError::Full(back) | mpsc::error::TrySendError::Closed(back)) => stream = back,
            }
        }
        // All are behind: the system's own queue holds the others meanwhile.
        if let Some(worker) = self.workers.first() {
            let _ = worker.send(stream).await;
        }
    }
}

/// Starts the workers. `make_worker` runs inside each thread and is given its number; what it gives makes the
/// service of each connection, and need not be `Send`.
///
/// # Errors
///
/// Where the system gives no thread or no event queue.
pub fn start<M, W, S, B>(
    bound: Bound,
    settings: &Settings,
    drain: &DrainSignal,
    hooks: Hooks,
    make_worker: M,
) -> io::Result<Workers>
where
    M: Fn(usize) -> W + Send + Sync + 'static,
    W: Fn(Arc<ConnInfo>) -> S + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + 'static,
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let make_worker = Arc::new(make_worker);
    let controls = Controls::new(&settings.limits, bound.tls());
    let census = Census::new(controls.limits(), hooks);
    let (ended, ends) = mpsc::unbounded_channel();
    for (number, share) in shares(bound, settings.workers.max(1)).into_iter().enumerate() {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let (make_worker, census, drain) = (Arc::clone(&make_worker), Arc::clone(&census), drain.clone());
        let ended = ended.clone();
        thread::Builder::new().name(format!("waxseal-worker-{number}")).spawn(move || {
            let run = || run(runtime, async move { Worker::new(census, drain, make_worker(number)).work(share).await });
            let outcome = catch_unwind(AssertUnwindSafe(run));
            let _ = ended.send(outcome.map_err(|_| WorkerLost(number)));
        })?;
    }
    Ok(Workers { ends, controls })
}

/// Runs `work` to its end, then drops whatever tasks are left.
fn run(runtime: Runtime, work: impl Future<Output = ()>) {
    let local = LocalSet::new();
    runtime.block_on(local.run_until(work));
    // What is dropped may still want to reach the runtime.
    let _inside = runtime.enter();
    drop(local);
}

/// Deals the sockets out to `workers`.
fn shares(bound: Bound, workers: usize) -> Vec<Share> {
    let mut shares: Vec<Share> = (0..workers).map(|_| Share::default()).collect();
    for tcp in bound.tcp {
        for (share, listener) in shares.iter_mut().zip(tcp.listeners) {
            share.tcp.push((listener, tcp.tls.clone()));
        }
    }
    if bound.unix.is_empty() {
        return shares;
    }
    let mut dealer = Dealer { workers: Vec::new() };
    for share in &mut shares {
        let (to, from) = mpsc::channel(DEALT);
        dealer.workers.push(to);
        share.dealt = Some(from);
    }
    for (number, unix) in bound.unix.into_iter().enumerate() {
        if let Some(share) = shares.get_mut(number % workers) {
            share.unix.push((unix, dealer.clone()));
        }
    }
    shares
}

/// Serves one plain listener on the caller's own runtime, until `drain` has run its course; for what is not on the
/// path of requests. The future is not `Send`: it is to be awaited from `block_on` or a local task.
pub async fn serve_cold<W, S, B>(
    listener: TcpListener,
    limits: Limits,
    drain: DrainSignal,
    hooks: Hooks,
    make_service: W,
) where
    W: Fn(Arc<ConnInfo>) -> S + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + 'static,
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let census = Census::new(Controls::new(&limits, None).limits(), hooks);
    let local = LocalSet::new();
    let work = async {
        let worker = Worker::new(census, drain, make_service);
        let mut acceptors = JoinSet::new();
        acceptors.spawn_local(Rc::clone(&worker).accept_tcp(listener, None));
        worker.finish(acceptors).await;
    };
    local.run_until(work).await;
}

/// What the tasks of one worker share.
struct Worker<W> {
    /// By the limits that were in force when a connection last opened.
    shared: RefCell<Rc<Shared>>,
    bells: Rc<Bells>,
    census: Arc<Census>,
    drain: DrainSignal,
    make: Rc<W>,
    refusals: Arc<Semaphore>,
    roster: Roster,
}

impl<W, S, B> Worker<W>
where
    W: Fn(Arc<ConnInfo>) -> S + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + 'static,
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    fn new(census: Arc<Census>, drain: DrainSignal, make: W) -> Rc<Self> {
        let bells = Rc::new(Bells::default());
        let shared = Shared::new(census.limits().load_full(), census.hooks().clone(), Rc::clone(&bells));
        let (shared, refusals) = (RefCell::new(Rc::new(shared)), Arc::new(Semaphore::new(REFUSALS)));
        Rc::new(Self { shared, bells, census, drain, make: Rc::new(make), refusals, roster: Roster::default() })
    }

    /// What a connection that opens now is served by.
    fn shared(&self) -> Rc<Shared> {
        let limits = self.census.limits().load();
        let mut shared = self.shared.borrow_mut();
        if !Arc::ptr_eq(&limits, shared.limits()) {
            let hooks = self.census.hooks().clone();
            *shared = Rc::new(Shared::new(Arc::clone(&limits), hooks, Rc::clone(&self.bells)));
        }
        Rc::clone(&shared)
    }

    /// The life of a worker.
    async fn work(self: Rc<Self>, share: Share) {
        let mut acceptors = JoinSet::new();
        for (listener, tls) in share.tcp {
            match TcpListener::from_std(listener) {
                Ok(listener) => {
                    acceptors.spawn_local(Rc::clone(&self).accept_tcp(listener, tls));
                }
                Err(error) => tracing::error!(%error, "a listening socket cannot be watched"),
            }
        }
        for (unix, dealer) in share.unix {
            acceptors.spawn_local(Rc::clone(&self).accept_unix(unix, dealer));
        }
        if let Some(dealt) = share.dealt {
            acceptors.spawn_local(Rc::clone(&self).take_dealt(dealt));
        }
        self.finish(acceptors).await;
    }

    /// Waits for the stopping, and then for the end.
    async fn finish(&self, mut acceptors: JoinSet<()>) {
        let mut drain = self.drain.clone();
        drain.reached(Phase::Stopping).await;
        self.bells.ring();
        let gone = async {
            while acceptors.join_next().await.is_some() {}
            self.census.empty().await;
        };
        tokio::select! {
            () = drain.reached(Phase::Ended) => {}
            () = gone => {}
        }
    }

    async fn accept_tcp(self: Rc<Self>, listener: TcpListener, tls: Option<Arc<ServerTls>>) {
        let accept = |cx: &mut std::task::Context<'_>| listener.poll_accept(cx);
        accept_all(accept, self.drain.clone(), async |(stream, peer): (TcpStream, SocketAddr)| {
            // Small answers go out at once; where that cannot be set, they merely go out later.
            let _ = stream.set_nodelay(true);
            let local = stream.local_addr().ok().map(canonical);
            self.take(Stream::Tcp(stream), Peer::Ip(canonical(peer)), local, tls.as_deref());
        })
        .await;
    }

    async fn accept_unix(self: Rc<Self>, unix: BoundUnix, mut dealer: Dealer) {
        let BoundUnix { listener, file } = unix;
        let listener = match UnixListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "a listening socket cannot be watched"),
        };
        let accept = |cx: &mut std::task::Context<'_>| listener.poll_accept(cx);
        accept_all(accept, self.drain.clone(), async |(stream, _)| {
            // Taken out of this thread's event queue, to be put into another's.
            if let Ok(stream) = UnixStream::into_std(stream) {
                dealer.deal(stream).await;
            }
        })
        .await;
        drop(file);
    }

    async fn take_dealt(self: Rc<Self>, mut dealt: mpsc::Receiver<StdUnixStream>) {
        while let Some(stream) = dealt.recv().await {
            if let Ok(stream) = UnixStream::from_std(stream) {
                self.take(Stream::Unix(stream), Peer::Unix, None, None);
            }
        }
    }

    /// Serves a connection, or tells it that there are too many.
    fn take(&self, stream: Stream, peer: Peer, local: Option<SocketAddr>, tls: Option<&ServerTls>) {
        let Some(ticket) = self.census.admit().or_else(|| self.make_room()) else {
            (self.census.hooks().refused)(Code::Overloaded, peer);
            // A handshake for the sake of a refusal would cost more than it saves.
            if let (None, Ok(permit)) = (tls, Arc::clone(&self.refusals).try_acquire_owned()) {
                spawn_local(async move {
                    overloaded(stream).await;
                    drop(permit);
                });
            }
            return;
        };
        let info = Arc::new(ConnInfo { peer, local, tls: tls.is_some(), id: ticket.number() });
        let (number, activity) = (ticket.number(), Activity::new());
        let (seat, tls) = (self.roster.seat(number), tls.map(ServerTls::current));
        let arrival = Arrival { stream, tls, info, ticket, seat, activity: Arc::clone(&activity) };
        let task = spawn_local(serve(self.shared(), arrival, Rc::clone(&self.make)));
        self.roster.enter(number, activity, task.abort_handle(), peer);
    }

    /// A place that one of this worker's connections must give up, where one can.
    fn make_room(&self) -> Option<Ticket> {
        if let Spared::Stranger(peer) = self.roster.make_room()? {
            (self.census.hooks().refused)(Code::Overloaded, peer);
        }
        Some(self.census.admit_in_place())
    }
}

/// Writes IPv4 that came in over an IPv6 socket as IPv4.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests;
