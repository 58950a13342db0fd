//! From what was written to what it means: defaults, and the rules between fields.
//!
//! Each table has a file of its own. A complaint never stops the others: where a value is missing or wrong a stand-in
//! is used, and the settings are thrown away at the end.

mod case;
mod demand;
mod forward;
mod front;
mod issuer;
mod listen;
mod rate;
mod route;
mod server;
mod upstream;

use std::sync::Arc;

use super::Config;
use super::boot::Boot;
use super::diagnostic::Notes;
use super::effective::Written;
use super::raw;
use super::reader::{At, Field};
use super::source::Outside;
use crate::decision::claims::ClaimPath;
use crate::decision::forwarding::HeaderRules;
use crate::decision::snapshot::Snapshot;
use crate::net;

pub(super) use server::CONNECTIONS;

/// What resolving looks at besides the file, and where it complains.
pub(super) struct Context<'c, 't> {
    /// Where complaints go.
    pub(super) notes: &'c mut Notes<'t>,
    /// Files and environment.
    pub(super) outside: &'c Outside<'c>,
}

/// Resolves the whole file. `None` where routes could not be put in order; that was complained of.
pub(super) fn resolve(file: &raw::File, written: Written, cx: &mut Context<'_, '_>) -> Option<Config> {
    require(file, cx.notes);
    let listen = listen::listen(file, cx);
    let admin = server::admin(&file.admin, &listen, cx);
    let limits = server::limits(&file.limits, cx.notes);
    let net = net::Settings {
        tls: listen::tls(&file.tls, &listen, cx),
        listen,
        workers: server::workers(&file.workers, cx.notes),
        limits,
        drain: server::drain(&file.drain),
    };
    let proxy = front::proxy(file, cx.notes);
    let issuers = issuer::issuers(&file.issuer, cx);
    let mut upstreams = upstream::Upstreams::of(&net.listen);
    if let Some(upstream) = file.upstream.at() {
        upstreams.add(upstream, "upstream", cx);
    }
    let cases = case::cases(&file.test, &issuers, cx);
    let routes = route::routes(file, &issuers, &mut upstreams, cx)?;
    let identity = routes.routes().iter().flat_map(|route| route.forwarding.claims.iter().map(|(name, _)| name));
    let snapshot = Snapshot {
        headers: Arc::new(HeaderRules::new(identity)),
        issuers: issuers.slots,
        origins: proxy.cors.origins.clone(),
        strict_paths: file.paths.get().is_some_and(|paths| paths.strict.or(false)),
        routes: Arc::new(routes),
    };
    Some(Config {
        net,
        proxy,
        telemetry: server::log(&file.log),
        admin,
        memo: server::memo(&file.memo),
        upstreams: upstreams.list,
        issuers: issuers.settings,
        snapshot,
        cases,
        warnings: Vec::new(),
        boot: Boot::of(file),
        written,
    })
}

/// The keys without which there is nothing to do.
fn require(file: &raw::File, notes: &mut Notes<'_>) {
    let start = 0..0;
    if file.listen.is_absent() {
        notes.error(&start, "listen", "is missing", "say where to listen: listen = \"0.0.0.0:8080\"");
    }
    if file.upstream.is_absent() {
        let advice = "say where allowed requests go: upstream = \"http://127.0.0.1:8081\"";
        notes.error(&start, "upstream", "is missing", advice);
    }
    if file.unmatched.is_absent() {
        let advice = "say what happens to a request that no route names; there is no silent default:\n\
                      unmatched = \"open\"       it passes, no token is looked at\n\
                      unmatched = \"protected\"  it passes with a good token of any issuer\n\
                      unmatched = \"deny\"       it is refused";
        notes.error(&start, "unmatched", "is missing", advice);
    }
}

/// A claim's name or JSON pointer, or a complaint.
fn claim_path(text: &At<String>, key: &str, notes: &mut Notes<'_>) -> Option<ClaimPath> {
    let path = &text.value;
    let broken_escape = path.split('~').skip(1).any(|rest| !rest.starts_with(['0', '1']));
    if path.is_empty() {
        notes.error(&text.span, key, "a claim has a name", "write one, as in \"sub\"");
    } else if path.starts_with('/') && broken_escape {
        let advice = "in a JSON pointer (RFC 6901) `~0` stands for `~` and `~1` for `/`";
        notes.error(&text.span, key, format!("{path:?} is no JSON pointer"), advice);
    } else {
        return Some(ClaimPath::new(path));
    }
    None
}

/// Texts of which none may be empty.
fn texts(field: Option<&[At<String>]>, key: &str, notes: &mut Notes<'_>) -> Vec<Box<str>> {
    let texts = field.unwrap_or_default();
    for text in texts.iter().filter(|text| text.value.is_empty()) {
        notes.error(&text.span, key, "an empty text", "leave it out");
    }
    texts.iter().map(|text| text.value.as_str().into()).collect()
}

/// A table that is given, or one in which nothing is.
fn table<T: Clone + Default>(field: &Field<T>) -> T {
    field.get().cloned().unwrap_or_default()
}
