//! Judges requests offline and says why: the explanation of one request, and the cases that a config keeps.
//!
//! Nothing here judges by itself. The decision that the proxy makes is asked, before a witness; the answer and the head
//! that would go up come from the functions that serve. So an explanation cannot differ from what happens, but for what
//! a single request cannot tell: how many others came before it, and whether the upstream answers.

mod advice;
mod cases;
mod inspect;
mod logged;
mod stand_in;
mod text;
mod told;
mod unnamed;

use std::borrow::Cow;
use std::collections::HashSet;

use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE, HOST};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::Empty;

pub use cases::{Outcome as CaseOutcome, check, play};
pub use inspect::{Inspection, inspect};
pub use logged::Logged;
pub use told::{Answer, Explanation, Match, Principal, Reading, Route, SentUp, Step};

use crate::config::Config;
use crate::decision::credential::Place;
use crate::decision::decide_before;
use crate::decision::forwarding::{fold_text, folded};
use crate::decision::head::RequestHead;
use crate::decision::memo::Memo;
use crate::decision::path::SLASH_AS_LETTER;
use crate::decision::policy::Policy;
use crate::decision::principal::Principal as Proven;
use crate::decision::rejection::{Code, Rejection};
use crate::decision::revocation::Revocations;
use crate::decision::route::{Candidate, Held, Mode, Route as OwnRoute, RouteId, Under};
use crate::decision::snapshot::Snapshot;
use crate::decision::verdict::{Permit, Verdict};
use crate::decision::witness::{Outcome as Looked, Record, Step as Look};
use crate::proxy::preview::{Asked, HIDDEN, Preview, without_secrets, without_user};
use crate::telemetry::{CODE_OK, Outcome};
use crate::time::UnixSeconds;

/// Stands in for an id that every request gets anew.
const FRESH_ID: &str = "(a fresh id)";
/// The schemes of credentials that may be told; any other word may be the credential itself.
const SCHEMES: [&str; 4] = ["Bearer", "Basic", "Digest", "Negotiate"];

/// Judges a request as the proxy would at that moment, and says why. Tokens that a list behind a URL takes back are not
/// known here.
pub fn explain(config: &Config, asked: &Asked, now: UnixSeconds) -> Explanation {
    explain_by(config, &config.snapshot.disregarding(Revocations::is_elsewhere), asked, now)
}

/// The same by another snapshot than the config's own.
fn explain_by(config: &Config, snapshot: &Snapshot, asked: &Asked, now: UnixSeconds) -> Explanation {
    let mut told = Explanation::about(asked, now);
    let request = match asked.fits(&config.net.limits).and_then(|()| asked.request()) {
        Ok(request) => request,
        Err(rejection) => {
            told.refused(&rejection, &preview(&Request::new(()), asked, config));
            return told;
        }
    };
    told.host = request.headers().get(HOST).map(host_text);
    let preview = preview(&request, asked, config);
    let head = match RequestHead::of(&request) {
        Ok(head) => head,
        Err(rejection) => {
            told.refused(&rejection, &preview);
            return told;
        }
    };
    let host = head.authority.map(|authority| authority.text.to_owned());
    told.host.clone_from(&host);
    let under = snapshot.routes.under(&head);
    told.readings = under.iter().map(|under| reading(under, snapshot)).collect();
    let held = snapshot.routes.find(&head);
    told.routes = held_routes(&held, snapshot);
    let mut record = Record::default();
    let decision = decide_before(&mut record, &head, snapshot, &mut Memo::off(), now);
    told.steps = record.steps.into_iter().map(|look| step(look, snapshot)).collect();
    told.principal = decision.principal.as_deref().map(principal);
    match decision.verdict {
        Verdict::Reject(rejection) => {
            told.refused(&rejection, &preview);
            if rejection.code() == Code::RouteDenied && is_unnamed(&held, snapshot) {
                told.advice = Some(Cow::Owned(unnamed::advice(&request, &head, &snapshot.routes)));
            }
        }
        Verdict::Allow(permit) => {
            if !head.is_preflight() {
                told.steps.extend(rates(&held, snapshot));
            }
            told.lifted(permit.lifted());
            let lead = snapshot.routes.route(permit.held().lead);
            let announced = lead.map_or(Ok(()), |route| preview.check_announced(&request, route));
            match (preview.preflight(&request, &head), announced) {
                (Some(answer), _) => told.answered(answer),
                (None, Err(rejection)) => told.refused(&rejection, &preview),
                (None, Ok(())) => told.upstream = sent_up(&preview, &request, host, permit, snapshot, config),
            }
        }
    }
    told
}

fn preview<'p, B>(request: &Request<B>, asked: &'p Asked, config: &'p Config) -> Preview<'p> {
    Preview::of(request, &asked.conn, &config.proxy, HeaderValue::from_static(FRESH_ID))
}

impl Explanation {
    fn about(asked: &Asked, now: UnixSeconds) -> Self {
        Self {
            method: asked.method.to_string(),
            target: without_secrets(&asked.target),
            host: asked.headers.get(HOST).map(host_text),
            at: now.stamp().to_string(),
            readings: Vec::new(),
            routes: Vec::new(),
            steps: Vec::new(),
            verdict: Outcome::Allow.name(),
            status: None,
            code: CODE_OK,
            detail: None,
            advice: None,
            principal: None,
            answer: None,
            upstream: None,
        }
    }

    fn refused(&mut self, rejection: &Rejection, preview: &Preview<'_>) {
        self.blame(rejection, Outcome::Reject);
        self.answered(preview.refusal(rejection));
    }

    fn answered(&mut self, response: Response<Bytes>) {
        self.status = Some(response.status().as_u16());
        self.answer = Some(Answer::of(response));
    }

    fn lifted(&mut self, lifted: Option<&Rejection>) {
        if let Some(rejection) = lifted {
            self.blame(rejection, Outcome::Report);
        }
    }

    fn blame(&mut self, rejection: &Rejection, outcome: Outcome) {
        self.verdict = outcome.name();
        self.code = rejection.code().name();
        self.detail = Some(rejection.detail().to_owned());
        self.advice = Some(Cow::Borrowed(advice::advice(rejection.code())));
    }

    /// Forgets a refusal for want of what the log does not hold: the request passed.
    fn taken_at_its_word(&mut self) {
        (self.verdict, self.code, self.status) = (Outcome::Allow.name(), CODE_OK, None);
        (self.detail, self.advice, self.answer, self.upstream) = (None, None, None, None);
        self.steps.clear();
    }

    /// Whether the request would pass.
    pub fn passes(&self) -> bool {
        self.verdict != Outcome::Reject.name()
    }
}

/// Whether it is closed because no route names it, not by a route.
fn is_unnamed(held: &Held, snapshot: &Snapshot) -> bool {
    let is_closed = |id: &RouteId| snapshot.routes.route(*id).is_some_and(|route| route.policy == Policy::Deny);
    held.iter().find(is_closed) == Some(snapshot.routes.unmatched())
}

fn reading(under: &Under, snapshot: &Snapshot) -> Reading {
    let name = |id: RouteId| snapshot.routes.route(id).map(|route| route.name.to_string()).unwrap_or_default();
    let next = under.candidates.iter().skip(1).map(Some).chain([None]);
    let told = |(own, next): (&Candidate, Option<&Candidate>)| Match {
        route: name(own.route),
        pattern: own.pattern.clone(),
        implied: own.is_implied(),
        whatever_host: own.whatever_host,
        why: next.map(|next| own.why_before(next)),
    };
    Reading {
        path: under.path.replace(SLASH_AS_LETTER, "%2F"),
        method: under.method.to_string(),
        guards_only: under.guards_only,
        matches: under.candidates.iter().zip(next).map(told).collect(),
    }
}

fn held_routes(held: &Held, snapshot: &Snapshot) -> Vec<Route> {
    let told = |route: &OwnRoute| Route {
        name: route.name.to_string(),
        access: match route.policy {
            Policy::Open => "open",
            Policy::Deny => "deny",
            Policy::Require(_) => "protected",
        },
        mode: match route.mode {
            Mode::Enforce => "enforce",
            Mode::Report => "report",
        },
    };
    held.iter().filter_map(|id| snapshot.routes.route(id)).map(told).collect()
}

fn step(look: Look, snapshot: &Snapshot) -> Step {
    let route = look.route.and_then(|id| snapshot.routes.route(id)).map(|route| route.name.to_string());
    let code = |code: Code| Some(code.name());
    let (outcome, code) = match look.outcome {
        Looked::Pass => ("pass", None),
        Looked::Miss => ("miss", None),
        Looked::Refuse(reason) => ("refuse", code(reason)),
        Looked::Lift(reason) => ("lift", code(reason)),
    };
    Step { look: look.look, route, expected: look.expected, found: look.found, outcome, code }
}

/// The rates that would be looked at last. How often a caller came before is nothing that one request can tell.
fn rates(held: &Held, snapshot: &Snapshot) -> Vec<Step> {
    let routes = held.iter().filter_map(|id| snapshot.routes.route(id));
    let told = routes.filter_map(|route| {
        Some(Step {
            look: "rate",
            route: Some(route.name.to_string()),
            expected: format!("at most {}", route.rate?),
            found: String::from("not counted here"),
            outcome: "pass",
            code: None,
        })
    });
    told.collect()
}

fn principal(proven: &Proven) -> Principal {
    Principal {
        issuer: proven.issuer().to_string(),
        subject: proven.subject().to_owned(),
        token_id: proven.token_id().map(str::to_owned),
        expires: proven.expires().stamp().to_the_second(),
    }
}

fn sent_up(
    preview: &Preview<'_>,
    request: &Request<Empty<Bytes>>,
    host: Option<String>,
    permit: Permit,
    snapshot: &Snapshot,
    config: &Config,
) -> Option<SentUp> {
    let lead = snapshot.routes.route(permit.held().lead)?;
    let upstream = config.upstreams.get(lead.upstream)?;
    let sent = preview.sent_up(request.clone().map(|_| ()), host, permit, snapshot, upstream);
    Some(SentUp {
        to: upstream.name(),
        method: sent.method().to_string(),
        target: without_secrets(&sent.uri().to_string()),
        headers: shown(sent.headers(), &secretive(snapshot)),
    })
}

impl Answer {
    fn of(response: Response<Bytes>) -> Self {
        Self {
            status: response.status().as_u16(),
            headers: shown(response.headers(), &HashSet::new()),
            body: String::from_utf8_lossy(response.body()).into_owned(),
        }
    }
}

/// The names of fields that some route takes a token from, or strips: what they hold may well be a credential. Folded.
fn secretive(snapshot: &Snapshot) -> HashSet<Cow<'_, str>> {
    let routes = snapshot.routes.routes();
    let stripped = routes.iter().flat_map(|route| &route.forwarding.strip).map(|name| fold_text(name));
    let places = routes.iter().filter_map(|route| match &route.policy {
        Policy::Require(requirement) => Some(&requirement.places),
        Policy::Open | Policy::Deny => None,
    });
    let shown = places.flatten().filter_map(|place| match place {
        Place::Header(name) => Some(folded(name)),
        Place::Authorization | Place::Cookie(_) | Place::Query(_) => None,
    });
    stripped.chain(shown).collect()
}

/// The fields in a fixed order, without credentials and what is in secretive fields.
fn shown(headers: &HeaderMap, secretive: &HashSet<Cow<'_, str>>) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = headers
        .iter()
        .map(|(name, value)| {
            let value = match () {
                () if name == AUTHORIZATION => hide_token(value),
                () if name == COOKIE || secretive.contains(&folded(name)) => HIDDEN.to_owned(),
                () => text(value),
            };
            (name.to_string(), value)
        })
        .collect();
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    fields
}

/// The scheme of a credential, and nothing of the credential.
fn hide_token(value: &HeaderValue) -> String {
    let scheme = value.to_str().ok().and_then(|text| text.split_once(' ')).map(|(scheme, _)| scheme);
    let known = scheme.filter(|scheme| SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme)));
    known.map_or_else(|| HIDDEN.to_owned(), |scheme| format!("{scheme} {HIDDEN}"))
}

fn host_text(value: &HeaderValue) -> String {
    without_user(&text(value))
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

#[cfg(test)]
mod tests;
