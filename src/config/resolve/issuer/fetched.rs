//! Keys that are fetched: where from, how often, and what is done while they cannot be had.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use super::super::super::diagnostic::Notes;
use super::super::super::quantity::Time;
use super::super::super::raw::Issuer as RawIssuer;
use super::super::super::reader::{At, Field, Named};
use super::super::Context;
use super::super::server::positive;
use super::Case;
use crate::decision::keys::{Algorithm, AlgorithmSet, Family};
use crate::keys::{Address, AddressError, Origin, Plan, Wanted};
use crate::upstream::{TlsClient, TlsSettings};

/// Short enough that a key taken back at the issuer is soon taken back here, long enough to be no burden.
const REFRESH: Duration = Duration::from_secs(10 * 60);
/// What an issuer bears from each sidecar, whatever strangers send.
const PAUSE: Duration = Duration::from_secs(10);
/// A client waits that long at most.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// An outage of a day is borne.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// Beyond that a key that was stolen stays good for as long as its thief can keep the issuer away.
const MOST_STALE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// All algorithms of public keys.
pub(super) fn public() -> AlgorithmSet {
    Algorithm::ALL.into_iter().filter(|algorithm| algorithm.family() != Family::Hmac).collect()
}

impl Case<'_> {
    /// Whether its keys are fetched.
    pub(super) fn is_fetched(&self) -> bool {
        let url = self.raw.jwks.get().is_some_and(|jwks| !jwks.url.is_absent());
        url || !self.raw.discovery.is_absent()
    }

    /// Whether its list of revoked tokens is fetched.
    pub(super) fn has_remote_list(&self) -> bool {
        self.raw.revoked.get().is_some_and(|revoked| !revoked.url.is_absent())
    }

    /// The settings that belong to fetching, by name, where they stand.
    pub(super) fn of_fetching(&self) -> [(Option<&Range<usize>>, &'static str); 7] {
        let raw = self.raw;
        [
            (raw.refresh.span(), "refresh"),
            (raw.pause.span(), "pause"),
            (raw.fetch_timeout.span(), "fetch_timeout"),
            (raw.ca.span(), "ca"),
            (raw.shelf.span(), "shelf"),
            (raw.stale.span(), "stale"),
            (raw.insecure_http.span(), "insecure_http"),
        ]
    }

    /// Where its keys are fetched from.
    pub(super) fn origin(&self, notes: &mut Notes<'_>) -> Option<At<Origin>> {
        let insecure = self.raw.insecure_http.or(false);
        if let Some(jwks) = self.raw.jwks.at() {
            let (file, url) = (&jwks.value.file, &jwks.value.url);
            if file.is_absent() && url.is_absent() {
                let advice = "write jwks = { url = \"https://…\" } or jwks = { file = \"FILE\" }";
                notes.error(&jwks.span, self.key("jwks"), "neither `url` nor `file` is there", advice);
            }
            let url = url.at()?;
            let address = Address::parse(&url.value, insecure);
            let address = address.map_err(|error| self.complain_of(error, &url.span, "jwks.url", notes)).ok()?;
            return Some(At { value: Origin::Url(address), span: url.span.clone() });
        }
        let discovery = self.raw.discovery.at()?;
        if !discovery.value {
            let advice = "write discovery = true, or leave it out and name the keys otherwise";
            notes.error(&discovery.span, self.key("discovery"), "nothing says then where its keys are", advice);
            return None;
        }
        let names = self.raw.issuer.get().map(|many| many.0.as_slice()).unwrap_or_default();
        let [issuer] = names else {
            if !matches!(self.raw.issuer, Field::Wrong(_)) {
                let problem = format!("discovery is asked of the one `issuer`, and there are {}", names.len());
                let advice = "write issuer = \"https://…\", exactly as the tokens have it in `iss`";
                notes.error(&discovery.span, self.key("discovery"), problem, advice);
            }
            return None;
        };
        let origin = Origin::discovery(&issuer.value, insecure);
        let origin = origin.map_err(|error| self.complain_of(error, &issuer.span, "issuer", notes)).ok()?;
        Some(At { value: origin, span: discovery.span.clone() })
    }

    /// Says why an address is not asked.
    fn complain_of(&self, error: AddressError, span: &Range<usize>, name: &str, notes: &mut Notes<'_>) {
        let advice = match error {
            AddressError::Cleartext => "write https://, or insecure_http = true where nobody else can be on the way",
            AddressError::Query => {
                "discovery is asked of an issuer without; else name the keys by jwks = { url = \"…\" }"
            }
            AddressError::User => "leave them out: keys are fetched without a password",
            _ => "write a URL like \"https://idp.example/keys\"",
        };
        notes.error(span, self.key(name), format!("this is not asked for keys: {error}"), advice);
    }

    /// How its keys are fetched.
    pub(super) fn plan(&self, origin: Origin, wanted: Wanted, cx: &mut Context<'_, '_>) -> Plan {
        let raw = self.raw;
        if let (Some(span), true) = (raw.algorithms.span(), is_hmac(wanted)) {
            let problem = "these take a shared secret, and no secret is ever fetched";
            let advice = "name algorithms of public keys, or leave it out and take those of the keys";
            cx.notes.error(span, self.key("algorithms"), problem, advice);
        }
        let mut time =
            |field: &Field<Time>, name: &str, default| positive(field, &self.key(name), cx.notes).unwrap_or(default);
        let (refresh, pause) = (time(&raw.refresh, "refresh", REFRESH), time(&raw.pause, "pause", PAUSE));
        let timeout = time(&raw.fetch_timeout, "fetch_timeout", FETCH_TIMEOUT);
        let stale = time(&raw.stale, "stale", STALE);
        if let Some(given) = raw.stale.at().filter(|given| given.value.0 > MOST_STALE) {
            let problem = format!("{} is much: a key that was stolen stays good that long", given.value);
            let advice = "7d bridges any outage that somebody looks after";
            cx.notes.warning(&given.span, self.key("stale"), problem, advice);
        }
        if let Some(span) = raw.stale.span().or(raw.refresh.span()).filter(|_| stale <= refresh + timeout) {
            let problem =
                format!("keys would be too old ({}) before new ones are fetched ({})", Time(stale), Time(refresh));
            cx.notes.error(span, self.key("stale"), problem, "let `stale` be some times as long as `refresh`");
        }
        self.warn_of_cleartext(cx.notes);
        Plan {
            origin,
            wanted,
            refresh,
            pause,
            timeout,
            stale,
            ca: raw.ca.at().map(|ca| self.authorities(ca, cx)),
            shelf: raw.shelf.at().map(|shelf| self.shelf(shelf, cx)),
            insecure: raw.insecure_http.or(false),
        }
    }

    fn warn_of_cleartext(&self, notes: &mut Notes<'_>) {
        if let Some(given) = self.raw.insecure_http.at().filter(|given| given.value) {
            let problem = "keys may be fetched in cleartext: whoever is on the way can name keys of their own";
            notes.warning(&given.span, self.key("insecure_http"), problem, "leave it out, and write https://");
        }
    }

    /// The file of authorities, after a look whether it is any good.
    pub(super) fn authorities(&self, ca: &At<String>, cx: &mut Context<'_, '_>) -> std::path::PathBuf {
        let file = cx.outside.readable(ca, &self.key("ca"), cx.notes);
        let settings = TlsSettings { ca: Some(file.clone()), ..TlsSettings::default() };
        if let Some(error) = TlsClient::load(&settings).err().filter(|_| !cx.notes.blames(&ca.span)) {
            let advice = "name a PEM file of the certificates of authorities";
            cx.notes.error(&ca.span, self.key("ca"), error.to_string(), advice);
        }
        file
    }

    fn shelf(&self, shelf: &At<String>, cx: &mut Context<'_, '_>) -> std::path::PathBuf {
        let file = cx.outside.path(&shelf.value);
        if shelf.value.is_empty() || file.is_dir() {
            let advice = "name a file that waxseal may write, in a folder of its own";
            cx.notes.error(&shelf.span, self.key("shelf"), "this is no name of a file", advice);
        }
        file
    }
}

/// Whether there are algorithms, and they take a secret.
fn is_hmac(wanted: Wanted) -> bool {
    wanted.is_some_and(|wanted| wanted.iter().any(|algorithm| algorithm.family() == Family::Hmac))
}

/// Refuses a shelf that two issuers would take from each other.
pub(super) fn refuse_shared_shelves(field: &Field<Named<RawIssuer>>, cx: &mut Context<'_, '_>) {
    let issuers = field.get().map(|named| named.0.as_slice()).unwrap_or_default();
    let mut owners = HashMap::new();
    for (name, shelf) in issuers.iter().filter_map(|(name, raw)| Some((&name.value, raw.get()?.shelf.at()?))) {
        let path = cx.outside.path(&shelf.value);
        if let Some(owner) = owners.insert(path, name) {
            let problem = format!("this is the shelf of issuer {owner:?} too");
            let key = format!("issuer.{name}.shelf");
            cx.notes.error(&shelf.span, key, problem, "give each issuer a file of its own");
        }
    }
}
