//! What stays open beside a guard, and exemptions that do not count.

use http::Method;

use super::super::super::diagnostic::Notes;
use super::super::{Kind, Routes};
use crate::decision::policy::Policy;
use crate::decision::route::{HostPattern, NamedPath, Route, Survey};

/// The methods that clients of an API use.
const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
/// The most hosts that are tried for a path.
const MOST_HOSTS: usize = 8;

/// Warns of requests that pass a guard by.
pub(super) fn gaps(routes: &Routes<'_>, survey: &Survey<'_>, notes: &mut Notes<'_>) {
    let mut gaps = Gaps { routes, survey, hosts: survey.hosts(MOST_HOSTS) };
    let mut kinds = [
        Kind::new("guards that leave methods open"),
        Kind::new("guards that leave hosts open"),
        Kind::new("guards that leave open what stands above them"),
        Kind::new("exemptions that do not count for every host"),
    ];
    let mut told = [None; 4];
    for path in routes.all() {
        let (Some(route), Some(text)) = (routes.table.route(path.route), routes.written(path)) else { continue };
        let found = [
            gaps.methods(route, &text.value),
            gaps.hosts(route, &text.value),
            gaps.above(route, &text.value),
            gaps.exemption(path, route, notes),
        ];
        for ((found, kind), told) in found.into_iter().zip(&mut kinds).zip(&mut told) {
            // Once a route: the cure is the same for all its paths.
            if let Some((problem, advice)) = found.filter(|_| *told != Some(path.route)) {
                *told = Some(path.route);
                kind.warn(notes, &text.span, routes.label(path.route), problem, &advice);
            }
        }
    }
    kinds.into_iter().for_each(|kind| kind.close(notes));
}

struct Gaps<'l, 'r> {
    routes: &'l Routes<'r>,
    survey: &'l Survey<'r>,
    hosts: Vec<&'r HostPattern>,
}

impl Gaps<'_, '_> {
    /// Whether a request that a route does not take is named by no other, and passes.
    fn passes(&self, path: &str, method: &Method, host: Option<&str>) -> bool {
        if !self.survey.is_whole() {
            return false;
        }
        let path = path.strip_suffix("/**").filter(|path| !path.is_empty()).unwrap_or(path);
        let lead = self.survey.lead(path, method, host);
        let open = self.routes.table.route(lead).is_some_and(|route| route.policy == Policy::Open);
        open && lead == self.routes.table.unmatched() && self.survey.is_whole()
    }

    fn methods(&mut self, route: &Route, path: &str) -> Option<(String, String)> {
        if !route.is_guard() || route.methods.is_empty() {
            return None;
        }
        let host = route.hosts.first().map(HostPattern::example);
        let open = |method: &&Method| !route.takes(method) && self.passes(path, method, host.as_deref());
        let open: Vec<&str> = METHODS.iter().filter(open).map(Method::as_str).collect();
        let (last, others) = open.split_last()?;
        let listed = if others.is_empty() { (*last).to_owned() } else { format!("{} or {last}", others.join(", ")) };
        let problem =
            format!("a {listed} to {path:?} passes without a token: no route names it, and unmatched = \"open\"");
        Some((problem, String::from("leave `method` out, or add a route for the other methods")))
    }

    fn hosts(&mut self, route: &Route, path: &str) -> Option<(String, String)> {
        if !route.is_guard() || route.hosts.is_empty() {
            return None;
        }
        let method = route.methods.first().unwrap_or(&Method::GET);
        let hosts = self.hosts.iter().map(|host| host.example());
        let open = hosts.filter(|host| !route.names(host)).find(|host| self.passes(path, method, Some(host)))?;
        let problem = format!(
            "a request for {path:?} at {open} passes without a token: no route names it, and unmatched = \"open\""
        );
        Some((problem, String::from("leave `host` out, or add a route for the other hosts")))
    }

    /// `/api/*` leaves `/api` open.
    fn above(&self, route: &Route, path: &str) -> Option<(String, String)> {
        let bare = path.strip_suffix("/**").unwrap_or(path);
        let above = bare.strip_suffix("/*").filter(|above| route.is_guard() && !above.ends_with("/*"))?;
        let itself = if above.is_empty() { "/" } else { above };
        let host = route.hosts.first().map(HostPattern::example);
        let method = route.methods.first().unwrap_or(&Method::GET);
        self.passes(itself, method, host.as_deref()).then(|| {
            let problem = format!("path {path:?} does not hold for {itself:?} itself, which passes without a token");
            (problem, format!("write {itself:?}: a guard holds for everything below as well"))
        })
    }

    /// A host that no route names is judged under every guard, whatever its hosts.
    fn exemption(&self, path: NamedPath, route: &Route, notes: &Notes<'_>) -> Option<(String, String)> {
        if route.is_guard() || !route.hosts.is_empty() || self.hosts.is_empty() {
            return None;
        }
        let around = self.survey.around(path);
        if !self.survey.is_whole() {
            return None;
        }
        let limited = |outer: &&NamedPath| {
            self.routes.table.route(outer.route).is_some_and(|outer| outer.is_guard() && !outer.hosts.is_empty())
        };
        let guard = self.routes.elsewhere(*around.iter().find(limited)?, notes);
        let problem = format!(
            "this exemption counts for no host but those that routes name: for any other {guard} holds as well"
        );
        Some((problem, String::from("name the hosts that it is meant for: host = [\"…\"]")))
    }
}
