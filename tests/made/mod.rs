//! What laws and fuzz targets are put to: configurations, requests, tokens.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::HOST;
use http::{HeaderName, Request};
use http_body_util::Empty;
use waxseal::decision::claims::ClaimPath;
use waxseal::decision::credential::Place;
use waxseal::decision::decide;
use waxseal::decision::forwarding::{Forwarding, HeaderRules};
use waxseal::decision::head::RequestHead;
use waxseal::decision::keys::{Algorithm, Issuer, IssuerId, IssuerSlot, Key, KeySet, TokenTypes};
use waxseal::decision::memo::Memo;
use waxseal::decision::opening::Opening;
use waxseal::decision::policy::{Policy, Requirement};
use waxseal::decision::rejection::Code;
use waxseal::decision::route::{Mode, Pattern, Route, RouteTable};
use waxseal::decision::snapshot::Snapshot;
use waxseal::decision::verdict::Verdict;
use waxseal::time::UnixSeconds;

/// The moment at which the laws judge unless they say otherwise.
pub const NOW: f64 = 1_800_000_000.0;
/// The same in whole seconds, as tokens say it.
pub const NOW_WHOLE: i64 = 1_800_000_000;

/// A request, with a token where there is one.
pub fn request(method: &str, target: &str, token: Option<&str>) -> Option<Request<Empty<Bytes>>> {
    let mut request = Request::builder().method(method).uri(target).header(HOST, "oms.example");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(Empty::new()).ok()
}

/// What became of a request, in a form that can be compared.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Passes { identity: Vec<(String, String)>, until: Option<f64>, lifted: Option<Code> },
    Refused(Code),
}

impl Outcome {
    pub fn passes(&self) -> bool {
        matches!(self, Outcome::Passes { .. })
    }

    /// When what passes must end, if ever.
    pub fn until(&self) -> Option<f64> {
        match self {
            Outcome::Passes { until, .. } => *until,
            Outcome::Refused(_) => None,
        }
    }
}

/// Judges a request from its head to its verdict.
pub fn judge(request: &Request<Empty<Bytes>>, snapshot: &Snapshot, memo: &mut Memo, now: f64) -> Outcome {
    let head = match RequestHead::of(request) {
        Ok(head) => head,
        Err(rejection) => return Outcome::Refused(rejection.code()),
    };
    match decide(&head, snapshot, memo, UnixSeconds::new(now).unwrap()).verdict {
        Verdict::Reject(rejection) => Outcome::Refused(rejection.code()),
        Verdict::Allow(permit) => Outcome::Passes {
            identity: permit
                .identity()
                .iter()
                .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
                .collect(),
            until: permit.until().map(UnixSeconds::seconds),
            lifted: permit.lifted().map(|rejection| rejection.code()),
        },
    }
}

/// What is kept of a request that opens a stream, where it passes with a token.
pub fn opened(request: &Request<Empty<Bytes>>, snapshot: &Snapshot, now: f64) -> Option<Opening> {
    let (head, now) = (RequestHead::of(request).ok()?, UnixSeconds::new(now).unwrap());
    let authority = head.authority.map(|authority| Arc::from(authority.text));
    let decision = decide(&head, snapshot, &mut Memo::off(), now);
    Opening::of(&head, request.uri(), authority.as_ref(), &decision, now)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A key of the laws, by number.
pub fn secret(number: u8) -> Vec<u8> {
    vec![b'a' + number; 64]
}

/// A compact JWS over these texts, signed with HMAC-SHA-512 by the key of that number.
pub fn token(header: &str, claims: &str, key: u8) -> String {
    token_by(header, claims, &secret(key))
}

/// The same by any key.
pub fn token_by(header: &str, claims: &str, key: &[u8]) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, key), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// An issuer with these keys, that issues under these names.
pub fn issuer(name: &str, iss: &[&str], keys: &[u8], leeway: f64) -> IssuerSlot {
    let algorithms = [Algorithm::HS512].into_iter().collect();
    let issuer = Issuer {
        name: name.into(),
        issuers: iss.iter().map(|iss| Box::from(*iss)).collect(),
        audiences: vec![],
        algorithms,
        subject: ClaimPath::new("sub"),
        leeway,
        max_lifetime: None,
        require: vec![],
        types: TokenTypes::default(),
    };
    let keys = keys.iter().map(|number| Key::hmac(None, &secret(*number), algorithms, false).unwrap()).collect();
    IssuerSlot::new(Arc::new(issuer), Arc::new(KeySet::new(keys)))
}

/// Demands nothing but a token of these issuers.
pub fn any_token_of(issuers: &[usize]) -> Requirement {
    Requirement {
        issuers: issuers.iter().map(|id| IssuerId(*id)).collect(),
        places: vec![Place::Authorization],
        audiences: vec![],
        scopes: vec![],
        claims: vec![],
    }
}

/// A route for every method and host.
pub fn route(path: &str, policy: Policy) -> Route {
    let forwarding = Forwarding {
        claims: vec![(HeaderName::from_static("x-auth-user"), ClaimPath::new("sub"))],
        ..Forwarding::default()
    };
    Route {
        name: path.into(),
        patterns: vec![Pattern::parse(path, policy == Policy::Open).unwrap()],
        methods: vec![],
        hosts: vec![],
        policy,
        mode: Mode::Enforce,
        forwarding,
        upstream: 0,
        timeout: None,
        body_size: None,
        rate: None,
    }
}

/// A snapshot of these routes; what none of them names falls under `unmatched`.
pub fn snapshot(mut routes: Vec<Route>, unmatched: Policy, issuers: Vec<IssuerSlot>) -> Snapshot {
    routes.push(Route { patterns: vec![], ..route("/", unmatched) });
    let identity = HeaderName::from_static("x-auth-user");
    Snapshot {
        routes: Arc::new(RouteTable::build(routes).unwrap()),
        issuers,
        origins: Arc::new([]),
        headers: Arc::new(HeaderRules::new([&identity])),
        strict_paths: false,
    }
}
