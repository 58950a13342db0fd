//! The configuration that requests of fuzz targets are put to, and what holds for whatever they become.

use std::path::Path;
use std::sync::LazyLock;

use http::{HeaderValue, Request};
use waxseal::config::{Config, parse};
use waxseal::decision::decide;
use waxseal::decision::head::RequestHead;
use waxseal::decision::memo::Memo;
use waxseal::decision::policy::Policy;
use waxseal::decision::rejection::{Code, Rejection};
use waxseal::decision::route::{Mode, Route, RouteTable};
use waxseal::decision::snapshot::Snapshot;
use waxseal::decision::verdict::{Permit, Verdict};
use waxseal::net::{ConnInfo, Peer};
use waxseal::proxy::preview::Preview;
use waxseal::time::UnixSeconds;

use super::model::upstream;

/// The headers that waxseal may set here.
const MAY_SET: [&str; 2] = ["X-Auth-User", "roles"];

/// How the configuration differs from the usual one.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Usual,
    /// The peer's word is believed.
    Trusting,
    /// Every guard is in report mode.
    Reporting,
}

static USUAL: LazyLock<Config> = LazyLock::new(|| config(""));
static TRUSTING: LazyLock<Config> = LazyLock::new(|| config("[forwarded]\ntrust = [\"192.0.2.0/24\"]"));
static REPORTING: LazyLock<Config> = LazyLock::new(|| {
    let mut config = config("");
    let mut routes = config.snapshot.routes.routes().to_vec();
    for route in routes.iter_mut().filter(|route| matches!(route.policy, Policy::Require(_))) {
        route.mode = Mode::Report;
    }
    config.snapshot.routes = RouteTable::build(routes).unwrap().into();
    config
});

/// One route of each kind. The issuer signs with key 0 of the laws.
fn config(more: &str) -> Config {
    let text = format!(
        r#"
        listen = "127.0.0.1:8080"
        upstream = "http://127.0.0.1:8081"
        unmatched = "open"
        [cors]
        origins = ["https://*.example"]
        [issuer.house]
        secret = {{ text = "{}" }}
        leeway = "30s"
        [[route]]
        path = "/api/service/updateInventory"
        forward = {{ claims = {{ X-Auth-User = "sub", roles = "/realm/roles" }}, strip = ["api_key"] }}
        [[route]]
        path = "/api/service/getInventory"
        access = "open"
        [[route]]
        path = "/never/**"
        access = "deny"
        [[route]]
        path = "/cookie"
        token = ["header", "cookie:token"]
        [[route]]
        path = "/query"
        token = ["query:token"]
        [[route]]
        path = "/header"
        token = ["header:X-Token"]
        forward = {{ authorization = "strip" }}
        [[route]]
        path = "/report"
        mode = "report"
        claim = {{ sub = "boo*" }}
        [[route]]
        path = "/hosts"
        host = ["*.example"]
        [[route]]
        path = "/get*"
        method = ["GET"]
        scope = ["read"]
        {more}
        "#,
        String::from_utf8(super::made::secret(0)).unwrap(),
    );
    parse(&text, Path::new("nowhere/config.toml"), &|_| None).unwrap()
}

impl Kind {
    pub fn config(self) -> &'static Config {
        match self {
            Kind::Usual => &USUAL,
            Kind::Trusting => &TRUSTING,
            Kind::Reporting => &REPORTING,
        }
    }
}

/// Judges a request at that moment, with a memo and without.
pub fn judge<B: http_body::Body>(request: &Request<B>, now: f64, kind: Kind) -> Result<Permit, Rejection> {
    let snapshot = &kind.config().snapshot;
    let now = UnixSeconds::new(now).unwrap();
    let head = RequestHead::of(request)?;
    let readings = head.readings.iter().count();
    assert!((1..=64).contains(&readings), "{readings} readings");
    assert!(head.readings.iter().all(|(text, _)| text.starts_with('/')), "{:?}", head.readings);
    let mut memo = Memo::new(8, 1 << 16);
    let mut all: Vec<Verdict> = (0..2).map(|_| decide(&head, snapshot, &mut memo, now).verdict).collect();
    all.push(decide(&head, snapshot, &mut Memo::off(), now).verdict);
    let told: Vec<String> = all.iter().map(|verdict| format!("{verdict:?}")).collect();
    assert!(told.iter().all(|verdict| *verdict == told[0]), "a memo changes the verdict: {told:?}");
    match all.pop().unwrap() {
        Verdict::Allow(permit) => {
            check(&permit, head.is_preflight(), snapshot);
            Ok(permit)
        }
        Verdict::Reject(rejection) => Err(rejection),
    }
}

/// Whatever passes has shown what its routes demand.
fn check(permit: &Permit, preflight: bool, snapshot: &Snapshot) {
    let routes: Vec<&Route> = permit.held().iter().filter_map(|id| snapshot.routes.route(id)).collect();
    assert!(routes.iter().all(|route| route.policy != Policy::Deny), "a denied route lets pass");
    let enforced = |route: &&&Route| matches!(route.policy, Policy::Require(_)) && route.mode == Mode::Enforce;
    if !preflight && routes.iter().any(|route| enforced(&route)) {
        assert!(permit.credential().is_some() && permit.until().is_some(), "{permit:?}");
    }
    if let Some(lifted) = permit.lifted() {
        assert!(lifted.status() != 400 && lifted.code() != Code::RouteDenied && permit.identity().is_empty());
    }
}

/// What the upstream gets of a request that may pass.
pub fn sent_up(request: Request<()>, permit: Permit, kind: Kind) -> Request<()> {
    let config = kind.config();
    let conn = ConnInfo { peer: Peer::Ip(([192, 0, 2, 7], 1).into()), local: None, tls: true, id: 1 };
    let preview = Preview::of(&request, &conn, &config.proxy, HeaderValue::from_static("fresh"));
    let bare = request.clone().map(|()| http_body_util::Empty::<bytes::Bytes>::new());
    let host = RequestHead::of(&bare).unwrap().authority.map(|authority| authority.text.to_owned());
    let identity: Vec<_> =
        permit.identity().iter().map(|(name, value)| (name.clone(), value.to_str().unwrap().to_owned())).collect();
    let came = request.clone();
    let sent = preview.sent_up(request, host, permit, &config.snapshot, &config.upstreams[0]);
    upstream::check(&came, &sent, &identity, &MAY_SET, matches!(kind, Kind::Trusting));
    sent
}
