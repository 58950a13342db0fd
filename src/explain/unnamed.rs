//! Why no route names a request, where one nearly does: for another method, another host, or another spelling.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Empty;

use crate::decision::head::RequestHead;
use crate::decision::policy::Policy;
use crate::decision::route::{Candidate, Route, RouteTable};

/// What to do about a request that falls under no route.
pub(super) fn advice(request: &Request<Empty<Bytes>>, head: &RequestHead<'_>, routes: &RouteTable) -> String {
    let under = routes.under(head);
    let unnamed = under.iter().find(|own| own.candidates.is_empty());
    let stranger = under.iter().flat_map(|own| &own.candidates).find(|found| found.whatever_host);
    let near = match (unnamed, stranger) {
        (Some(own), _) => {
            other_method(request, &own.method, head, routes).or_else(|| other_spelling(&own.path, routes))
        }
        (None, Some(stranger)) => named(stranger, routes).map(|route| other_host(head, route)),
        (None, None) => None,
    };
    near.unwrap_or_else(|| String::from("add a [[route]] that names the path, or correct the path of the request"))
}

fn named<'r>(found: &Candidate, routes: &'r RouteTable) -> Option<&'r Route> {
    routes.route(found.route)
}

fn other_host(head: &RequestHead<'_>, route: &Route) -> String {
    let host = head.authority.map(|authority| authority.text).unwrap_or_default();
    format!("no route names the host {host:?}: add it to `host` of route {:?}, or leave `host` out there", route.name)
}

/// The first route that names the path for other methods.
fn other_method(
    request: &Request<Empty<Bytes>>,
    method: &Method,
    head: &RequestHead<'_>,
    routes: &RouteTable,
) -> Option<String> {
    let mut methods: Vec<&Method> = routes.routes().iter().flat_map(|route| &route.methods).collect();
    methods.sort_unstable_by_key(|method| method.as_str());
    methods.dedup();
    let route = methods.into_iter().find_map(|other| {
        let mut asked = request.clone();
        *asked.method_mut() = other.clone();
        let head = RequestHead::of(&asked).ok()?;
        let under = routes.under(&head);
        let found = under.iter().flat_map(|own| &own.candidates).find(|found| !found.whatever_host)?;
        named(found, routes).filter(|route| !route.methods.is_empty())
    })?;
    let own: Vec<&str> = route.methods.iter().map(Method::as_str).collect();
    let more = match () {
        () if head.is_preflight() => ", for the preflights of browsers",
        () if method != request.method() => ", to which a header overrides it",
        () => "",
    };
    Some(format!(
        "route {:?} names this path for {} alone: add {:?} to its `method`{more}",
        route.name,
        own.join(", "),
        method.as_str(),
    ))
}

/// The exemption that would hold for another spelling.
fn other_spelling(path: &str, routes: &RouteTable) -> Option<String> {
    let plain = |path: &str| path.trim_end_matches('/').to_lowercase();
    let open = routes.routes().iter().filter(|route| route.policy == Policy::Open);
    let mut patterns = open.flat_map(|route| route.patterns.iter().map(move |pattern| (route, pattern.as_str())));
    let (route, pattern) = patterns.find(|(_, pattern)| plain(pattern) == plain(path))?;
    Some(format!("route {:?} is open for {pattern:?} exactly: send that, or name this path as well", route.name))
}
