//! What clients see: `[answers]`, `[cors]`, `[forwarded]`, and the limits that the proxy keeps.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::super::diagnostic::Notes;
use super::super::raw::{Answers as RawAnswers, Cors as RawCors, File, Forwarded, Preflight, Reason};
use super::super::reader::{At, Field};
use super::server::{body_stall, positive};
use super::table;
use crate::decision::origin::OriginPattern;
use crate::proxy::{Answers, Cors, Settings, Style, Trust};

/// Everything that the proxy is told.
pub(super) fn proxy(file: &File, notes: &mut Notes<'_>) -> Settings {
    let limits = table(&file.limits);
    Settings {
        answers: answers(&file.answers, notes),
        cors: cors(&file.cors, notes),
        trust: trust(&file.forwarded, notes),
        body_size: limits.body_size.get().map(|size| size.0),
        body_stall: body_stall(&limits, notes),
        request_timeout: positive(&limits.request_timeout, "limits.request_timeout", notes),
    }
}

fn answers(field: &Field<RawAnswers>, notes: &mut Notes<'_>) -> Answers {
    const REALM: &str = "waxseal";
    let raw = table(field);
    if let Some(realm) = raw.realm.at() {
        // It stands in quotes in a header field (RFC 9110 section 11.5).
        let sendable = realm.value.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'));
        if !sendable {
            notes.error(
                &realm.span,
                "answers.realm",
                "a realm is ASCII text without quotes and backslashes",
                "write one like \"waxseal\"",
            );
        }
    }
    Answers {
        style: raw.style.or(Style::Problem),
        realm: raw.realm.get().cloned().unwrap_or_else(|| REALM.to_owned()),
        exact: raw.reason.or(Reason::Coarse) == Reason::Exact,
    }
}

fn cors(field: &Field<RawCors>, notes: &mut Notes<'_>) -> Cors {
    let raw = table(field);
    let mut origins = Vec::new();
    for text in raw.origins.get().map(|list| list.0.as_slice()).unwrap_or_default() {
        match OriginPattern::parse(text.value.strip_suffix('/').unwrap_or(&text.value)) {
            Ok(origin) => {
                warn_of_cleartext(text, notes);
                origins.push(origin);
            }
            Err(problem) => {
                let advice = match text.value.as_str() {
                    "*" => "name the origins: a page of any origin must not use somebody's token",
                    _ => "write \"https://oms.example\", \"https://*.hotwax.io\" or \"http://localhost:*\"",
                };
                notes.error(&text.span, "cors.origins", problem, advice);
            }
        }
    }
    Cors { origins: Arc::from(origins), answer_preflight: raw.preflight.or(Preflight::Pass) == Preflight::Answer }
}

/// What comes in cleartext can be changed on the way, so such a page is anybody's.
fn warn_of_cleartext(origin: &At<String>, notes: &mut Notes<'_>) {
    let Some(host) = origin.value.strip_prefix("http://") else { return };
    let local = ["localhost", "127.0.0.1", "[::1]"];
    if !local
        .iter()
        .any(|local| host.strip_prefix(local).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/'])))
    {
        let problem = "whoever is on the way can change a page that comes in cleartext, and read answers with it";
        notes.warning(&origin.span, "cors.origins", problem, "write https://; http:// is for localhost");
    }
}

fn trust(field: &Field<Forwarded>, notes: &mut Notes<'_>) -> Trust {
    let raw = table(field);
    if let Some(given) = raw.proxy_protocol.at().filter(|given| given.value) {
        let advice = "leave it out, or write false";
        notes.error(&given.span, "forwarded.proxy_protocol", "not in this version yet", advice);
    }
    let mut trust = Trust::default();
    for peer in raw.trust.get().map(|list| list.0.as_slice()).unwrap_or_default() {
        if peer.value == "unix" {
            trust.unix = true;
        } else if let Some(network) = network(peer, notes) {
            trust.networks.push(network);
        }
    }
    trust
}

fn network(peer: &At<String>, notes: &mut Notes<'_>) -> Option<IpNet> {
    const KEY: &str = "forwarded.trust";
    let single = |address: IpAddr| IpNet::from(address.to_canonical());
    let network = peer.value.parse::<IpNet>().ok().or_else(|| peer.value.parse().ok().map(single));
    match network {
        None => {
            let advice = "write a network (\"10.0.0.0/8\"), an address (\"10.0.0.7\") or \"unix\"";
            notes.error(&peer.span, KEY, format!("{:?} is no network and no address", peer.value), advice);
        }
        Some(network) if network.prefix_len() == 0 => {
            let advice = "name the networks of your balancers: anyone could claim to be anyone";
            notes.warning(&peer.span, KEY, "everybody is believed", advice);
        }
        Some(_) => {}
    }
    network.map(|network| network.trunc())
}
