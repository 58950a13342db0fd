//! Claims about when a stream is told to end.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use tokio::task::LocalSet;
use tokio::time::{Instant, timeout};

use super::*;
use crate::config;
use crate::decision::decide;
use crate::decision::head::RequestHead;
use crate::decision::memo::Memo;
use crate::decision::rate::Rates;
use crate::decision::snapshot::Snapshot;
use crate::keys::Courier;
use crate::live::{Epoch, Publisher};
use crate::telemetry::metrics::WorkerMeters;
use crate::time::{Clock, UnixSeconds};

const NOW: u64 = 1_800_000_000;
const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A snapshot as a config gives it: an issuer, and these routes.
fn snapshot(routes: &str) -> Snapshot {
    let toml = format!(
        "listen = \"127.0.0.1:0\"\nupstream = \"http://127.0.0.1:1\"\nunmatched = \"open\"\n{routes}\n\
         [issuer.own]\nsecret = {{ text = \"{SECRET}\" }}\nsubject = \"sub\"\n"
    );
    config::parse(&toml, Path::new("test.toml"), &|_| None).unwrap_or_else(|report| panic!("{report}")).snapshot
}

fn epoch(number: u64, routes: &str) -> Epoch<()> {
    Epoch { number, snapshot: snapshot(routes), memo: Default::default(), meters: Arc::new([]), front: Arc::new(()) }
}

const GUARDED: &str = "[[route]]\npath = \"/x\"\n";

/// A stream of `/x` that was opened at `NOW` with a token that ends ten seconds later.
struct Opened {
    /// The clock by which is judged; it stands still unless it is set.
    seconds: Arc<AtomicU64>,
    publisher: Publisher<()>,
    gate: Rc<Gate>,
}

impl Opened {
    fn new() -> Self {
        let seconds = Arc::new(AtomicU64::new(NOW));
        let read = Arc::clone(&seconds);
        let clock = Clock::Given(Arc::new(move || moment(read.load(Ordering::Relaxed))));
        let (courier, _) = Courier::new(Duration::from_secs(1));
        let gate = Gate::new(clock, Memo::off(), Arc::<Rates>::default(), courier, Arc::<WorkerMeters>::default());
        Self { seconds, publisher: Publisher::new(epoch(1, GUARDED)), gate: Rc::new(gate) }
    }

    fn begin(&self) -> Term {
        let claims = serde_json::json!({ "sub": "boomi", "exp": NOW + 10 });
        let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS512);
        let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
        let token = jsonwebtoken::encode(&header, &claims, &key).unwrap();
        let request =
            Request::get("/x").header("host", "oms.example").header("authorization", format!("Bearer {token}"));
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let head = RequestHead::of(&request).unwrap();
        let decision = decide(&head, &snapshot(GUARDED), &mut Memo::off(), moment(NOW));
        let opening = Opening::of(&head, request.uri(), None, &decision, moment(NOW)).unwrap();
        Term::begin(opening, &self.gate, &self.publisher.live(), true)
    }

    fn set_clock(&self, seconds: u64) {
        self.seconds.store(seconds, Ordering::Relaxed);
    }
}

fn moment(seconds: u64) -> UnixSeconds {
    UnixSeconds::new(f64::from(u32::try_from(seconds).unwrap())).unwrap()
}

/// The code with which a stream ends within so many seconds; `None`: it goes on.
async fn code_within(term: &mut Term, seconds: u64) -> Option<Code> {
    timeout(Duration::from_secs(seconds), term).await.ok().map(|ended| ended.rejection.code())
}

/// Runs on a worker, with time that passes at will.
async fn on_a_worker(work: impl AsyncFnOnce(Opened)) {
    LocalSet::new().run_until(work(Opened::new())).await;
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn it_ends_with_its_token_by_the_clock_and_not_by_a_timer() {
    on_a_worker(async |opened| {
        let mut term = opened.begin();
        assert_eq!(code_within(&mut term, 3600).await, None, "the clock stands still, however long it takes");
        opened.set_clock(NOW - 3600);
        assert_eq!(code_within(&mut term, 3600).await, None, "a clock that is set back ends nothing");
        opened.set_clock(NOW + 9);
        assert_eq!(code_within(&mut term, 2).await, None);
        let set = Instant::now();
        opened.set_clock(NOW + 3600);
        let ended = (&mut term).await;
        assert_eq!((ended.rejection.code(), ended.told), (Code::TokenExpired, "token_expired"));
        assert!(set.elapsed() <= Duration::from_millis(1100), "{:?}", set.elapsed());
    })
    .await;
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn it_ends_at_once_where_its_time_was_over_before_it_began() {
    on_a_worker(async |opened| {
        opened.set_clock(NOW + 10);
        assert_eq!(code_within(&mut opened.begin(), 1).await, Some(Code::TokenExpired));
    })
    .await;
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn it_ends_within_a_second_of_a_config_that_no_longer_permits_it() {
    for (routes, expected) in [
        (GUARDED, None),
        ("", None),
        ("[[route]]\npath = \"/x\"\nmode = \"report\"\nscope = \"write\"\n", None),
        ("[[route]]\npath = \"/x\"\nscope = \"write\"\n", Some(Code::ScopeInsufficient)),
        ("[[route]]\npath = \"/x\"\naccess = \"deny\"\n", Some(Code::RouteDenied)),
    ] {
        on_a_worker(async |mut opened| {
            let mut term = opened.begin();
            assert_eq!(code_within(&mut term, 2).await, None);
            opened.publisher.publish(epoch(2, routes));
            assert_eq!(code_within(&mut term, 1).await, expected, "{routes}");
        })
        .await;
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn it_ends_where_the_config_changed_while_the_upstream_took_its_time() {
    on_a_worker(async |mut opened| {
        opened.publisher.publish(epoch(2, "[[route]]\npath = \"/x\"\naccess = \"deny\"\n"));
        assert_eq!(code_within(&mut opened.begin(), 1).await, Some(Code::RouteDenied));
    })
    .await;
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn nobody_watches_over_a_stream_that_is_gone() {
    on_a_worker(async |opened| {
        let term = opened.begin();
        tokio::task::yield_now().await;
        assert_eq!(Rc::strong_count(&opened.gate), 2);
        drop(term);
        sleep(Duration::from_millis(1)).await;
        assert_eq!(Rc::strong_count(&opened.gate), 1);
    })
    .await;
}
