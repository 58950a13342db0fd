//! `[issuer.NAME]`: rules, and keys loaded from where the file says they are.

mod fetched;
mod given;
mod revoked;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::diagnostic::Notes;
use super::super::near::nearest;
use super::super::raw::{Issuer as RawIssuer, Pem};
use super::super::reader::{At, Field, Named};
use super::super::source::Source;
use super::{Context, claim_path, texts};
use crate::decision::claims::ClaimPath;
use crate::decision::keys::{Algorithm, AlgorithmSet, Family, Issuer, IssuerId, IssuerSlot, Supply, TokenTypes};
use crate::keys::{KeySource, Settings, Wanted};

/// The registered claim that names the subject (RFC 7519 section 4.1.2).
const SUBJECT: &str = "sub";
/// Clocks that differ by more are broken, and every token lives that much longer.
const MOST_LEEWAY: Duration = Duration::from_secs(5 * 60);

/// Types of tokens that prove something else than what their bearer may do.
const FOREIGN_TYPES: [&str; 8] = [
    "logout+jwt",
    "secevent+jwt",
    "dpop+jwt",
    "kb+jwt",
    "oauth-authz-req+jwt",
    "token-introspection+jwt",
    "client-authentication+jwt",
    "entity-statement+jwt",
];

/// All issuers of a file.
#[derive(Debug, Default)]
pub(super) struct Issuers {
    /// The names, good issuers or not, and their places.
    pub(super) places: HashMap<String, IssuerId>,
    /// What the keys are told, in the order of the file.
    pub(super) settings: Vec<Settings>,
    /// Rules and keys, in the same order.
    pub(super) slots: Vec<IssuerSlot>,
}

/// Resolves every issuer and loads its keys.
pub(super) fn issuers(field: &Field<Named<RawIssuer>>, cx: &mut Context<'_, '_>) -> Issuers {
    let mut issuers = Issuers::default();
    for (at, (name, raw)) in field.get().map(|named| named.0.as_slice()).unwrap_or_default().iter().enumerate() {
        issuers.places.insert(name.value.clone(), IssuerId(at));
        if name.value.is_empty() {
            cx.notes.error(&name.span, "issuer", "an issuer has a name", "write [issuer.NAME]");
        }
        let Some(raw) = raw.at() else { continue };
        let case = Case { name, raw: &raw.value, label: format!("issuer.{}", name.value) };
        if let Some((settings, slot)) = case.resolve(cx) {
            issuers.settings.push(settings);
            issuers.slots.push(slot);
        }
    }
    fetched::refuse_shared_shelves(field, cx);
    issuers
}

/// One issuer being resolved.
struct Case<'r> {
    name: &'r At<String>,
    raw: &'r RawIssuer,
    label: String,
}

impl Case<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.label)
    }

    fn resolve(&self, cx: &mut Context<'_, '_>) -> Option<(Settings, IssuerSlot)> {
        self.warn_of_openness(cx.notes);
        let wanted = self.algorithms(cx.notes);
        let source = self.source(wanted.flatten(), cx);
        let mut issuer = self.rules(cx.notes);
        let (source, wanted) = (source?, wanted?);
        let slot = match &source.value {
            KeySource::Fetched(plan) => {
                // Not those of the keys there are: the next ones may be of another kind.
                issuer.algorithms = wanted.unwrap_or_else(fetched::public);
                IssuerSlot::supplied(Arc::new(issuer.clone()), None, Supply::Fetched(plan.unfetched()))
            }
            given => {
                let loaded = self.load(given, wanted, &source.span, cx.notes)?;
                issuer.algorithms = loaded.algorithms;
                IssuerSlot::new(Arc::new(issuer.clone()), Arc::new(loaded.keys))
            }
        };
        let ca = match &source.value {
            KeySource::Fetched(plan) => plan.ca.clone(),
            _ => self.raw.ca.at().filter(|_| self.has_remote_list()).map(|ca| self.authorities(ca, cx)),
        };
        let way = revoked::Way { ca, insecure: self.raw.insecure_http.or(false) };
        let (revoked, slot) = revoked::revoked(&self.raw.revoked, &self.key("revoked"), way, slot, cx);
        Some((Settings { issuer, source: source.value, revoked }, slot))
    }

    fn warn_of_openness(&self, notes: &mut Notes<'_>) {
        for (field, name, claim, danger) in [
            (&self.raw.issuer, "issuer", "iss", "whoever else signs with the same key is taken for this issuer"),
            (&self.raw.audience, "audience", "aud", "a token that was issued for another service is taken as well"),
        ] {
            if field.is_absent() {
                let problem = format!("`{name}` is not set, so `{claim}` is not looked at");
                let advice = format!("{danger}; set it if the tokens have `{claim}`");
                notes.warning(&self.name.span, &self.label, problem, advice);
            }
        }
        if let Some(leeway) = self.raw.leeway.at().filter(|leeway| leeway.value.0 > MOST_LEEWAY) {
            let problem = format!("{} is much: every token lives that much longer", leeway.value);
            notes.warning(&leeway.span, self.key("leeway"), problem, "5m bridges any clocks that are set at all");
        }
        if let Some(span) = self.raw.short_key.span().filter(|_| !self.raw.secret.is_absent()) {
            let problem = "a short key can be found by trying, and whoever finds it can sign any token";
            let advice = "make one of 64 letters (openssl rand -hex 32), and leave this out";
            notes.warning(span, self.key("short_key"), problem, advice);
        }
        self.warn_of_types(notes);
    }

    /// Tokens that were made for something else (RFC 8725 section 3.11), and what looks like a wildcard.
    fn warn_of_types(&self, notes: &mut Notes<'_>) {
        for name in self.raw.types.get().map(|many| many.0.as_slice()).unwrap_or_default() {
            let plain = name.value.to_ascii_lowercase();
            let plain = plain.strip_prefix("application/").unwrap_or(&plain);
            if plain.contains('*') {
                let problem = format!("{:?} stands for itself: there are no wildcards here", name.value);
                notes.warning(&name.span, self.key("types"), problem, "name the types, \"\" for none at all");
            } else if FOREIGN_TYPES.contains(&plain) {
                let problem = format!("tokens of type {:?} are made for something else than access", name.value);
                notes.warning(&name.span, self.key("types"), problem, "leave it out");
            }
        }
    }

    /// What the tokens must be like; the algorithms are found with the keys.
    fn rules(&self, notes: &mut Notes<'_>) -> Issuer {
        let raw = self.raw;
        let subject = raw.subject.at().and_then(|text| claim_path(text, &self.key("subject"), notes));
        let required = raw.require.get().map(|list| list.0.as_slice()).unwrap_or_default();
        let require = required.iter().filter_map(|text| claim_path(text, &self.key("require"), notes)).collect();
        let types = raw.types.get().map(|many| TokenTypes {
            absent: many.0.iter().any(|name| name.value.is_empty()),
            names: many.0.iter().filter(|name| !name.value.is_empty()).map(|name| name.value.as_str().into()).collect(),
        });
        let max_lifetime = super::server::positive(&raw.max_lifetime, &self.key("max_lifetime"), notes);
        let list = |field: &'_ Field<super::super::reader::Many<String>>, name: &str, notes: &mut Notes<'_>| {
            texts(field.get().map(|many| many.0.as_slice()), &self.key(name), notes)
        };
        Issuer {
            name: self.name.value.as_str().into(),
            issuers: list(&raw.issuer, "issuer", notes),
            audiences: list(&raw.audience, "audience", notes),
            algorithms: AlgorithmSet::default(),
            subject: subject.unwrap_or_else(|| ClaimPath::new(SUBJECT)),
            leeway: raw.leeway.get().map_or(0.0, |leeway| leeway.0.as_secs_f64()),
            max_lifetime: max_lifetime.map(|time| time.as_secs_f64()),
            require,
            types: types.unwrap_or_default(),
        }
    }

    /// The algorithms that are named; `None` where one of them is no good.
    fn algorithms(&self, notes: &mut Notes<'_>) -> Option<Wanted> {
        let key = self.key("algorithms");
        let Some(names) = self.raw.algorithms.at() else { return self.raw.algorithms.is_absent().then_some(None) };
        let mut found = Vec::new();
        for name in &names.value.0 {
            match Algorithm::named(&name.value) {
                Some(algorithm) => found.push(algorithm),
                None => {
                    let advice = match name.value.to_ascii_lowercase().as_str() {
                        "none" => String::from("an unsigned token proves nothing, and is never accepted"),
                        "ed25519" => String::from("did you mean \"EdDSA\"?"),
                        _ => suggest_algorithm(&name.value),
                    };
                    notes.error(&name.span, &*key, format!("unknown algorithm {:?}", name.value), advice);
                }
            }
        }
        let hmac = |algorithm: &&Algorithm| algorithm.family() == Family::Hmac;
        if let (Some(secret), Some(public)) = (found.iter().find(hmac), found.iter().find(|other| !hmac(other))) {
            let problem = format!("{secret} takes a shared secret and {public} a public key: one issuer has only one");
            let advice = "whoever knows the public key could sign with it; write two issuers";
            notes.error(&names.span, &*key, problem, advice);
            return None;
        }
        (found.len() == names.value.0.len()).then(|| Some(found.into_iter().collect()))
    }

    /// The one source of its keys, with the place of its setting.
    fn source(&self, wanted: Wanted, cx: &mut Context<'_, '_>) -> Option<At<KeySource>> {
        let raw = self.raw;
        let given = [
            ("secret", raw.secret.span()),
            ("pem", raw.pem.span()),
            ("jwks", raw.jwks.span()),
            ("discovery", raw.discovery.span()),
        ];
        let given: Vec<_> = given.into_iter().filter_map(|(name, span)| Some((name, span?))).collect();
        match given.as_slice() {
            [] => {
                let advice = "set one of secret = { file = \"FILE\" }, pem = \"FILE\",\n\
                              jwks = { url = \"https://…\" }, jwks = { file = \"FILE\" }, discovery = true";
                let problem = "nothing says where its keys are, so no token can be proven";
                cx.notes.error(&self.name.span, &self.label, problem, advice);
                return None;
            }
            [_] => {}
            [(first, _), rest @ ..] => {
                for (name, span) in rest {
                    let problem = format!("`{name}` beside `{first}`: an issuer has one source of keys");
                    cx.notes.error(span, self.key(name), problem, "write two issuers, or leave one out");
                }
            }
        }
        self.check_belongings(cx.notes);
        let kid = raw.kid.get().map(|kid| kid.as_str().into());
        if let Some(source) = raw.secret.at() {
            let secret = self.secret(source, cx)?;
            let short = !raw.short_key.is_absent();
            return Some(At { value: KeySource::Secret { secret, kid, short }, span: source.span.clone() });
        }
        if let Some(pem) = raw.pem.at() {
            let source = match &pem.value {
                Pem::File(path) => Source::File(path.clone()),
                Pem::Source(source) => source.clone(),
            };
            let text = self.text(&source, "pem", &pem.span, cx)?;
            return Some(At { value: KeySource::Pem { text, kid }, span: pem.span.clone() });
        }
        if let Some(file) = raw.jwks.get().and_then(|jwks| jwks.file.at()) {
            if let Some(span) = raw.jwks.get().and_then(|jwks| jwks.url.span()) {
                let problem = "both `url` and `file`: a key set comes from one place";
                cx.notes.error(span, self.key("jwks.url"), problem, "leave one out");
            }
            let text = self.text(&Source::File(file.value.clone()), "jwks", &file.span, cx)?;
            return Some(At { value: KeySource::Jwks { text }, span: file.span.clone() });
        }
        let origin = self.origin(cx.notes)?;
        let plan = self.plan(origin.value, wanted, cx);
        Some(At { value: KeySource::Fetched(Box::new(plan)), span: origin.span })
    }

    /// Settings that belong to one kind of source and do nothing beside another.
    fn check_belongings(&self, notes: &mut Notes<'_>) {
        let raw = self.raw;
        let only = |field: Option<&std::ops::Range<usize>>, name: &str, owner: &str, notes: &mut Notes<'_>| {
            if let Some(span) = field {
                let problem = format!("`{name}` belongs to {owner}, which this issuer does not have");
                notes.error(span, self.key(name), problem, "leave it out");
            }
        };
        if raw.secret.is_absent() {
            only(raw.encoding.at().map(|at| &at.span), "encoding", "`secret`", notes);
            only(raw.salt.at().map(|at| &at.span), "salt", "`secret`", notes);
            only(raw.short_key.at().map(|at| &at.span), "short_key", "`secret`", notes);
            if raw.pem.is_absent() {
                only(raw.kid.at().map(|at| &at.span), "kid", "`secret` or `pem`", notes);
            }
        }
        if !self.is_fetched() {
            let shared = |name: &str| self.has_remote_list() && matches!(name, "ca" | "insecure_http");
            for (span, name) in self.of_fetching().into_iter().filter(|(_, name)| !shared(name)) {
                only(span, name, "keys that are fetched (`jwks = { url }`, `discovery`)", notes);
            }
        }
        if let Some(kid) = raw.kid.at().filter(|kid| kid.value.is_empty()) {
            notes.error(&kid.span, self.key("kid"), "an empty text", "leave it out to take whatever a token says");
        }
    }
}

fn suggest_algorithm(name: &str) -> String {
    let known = Algorithm::ALL.map(Algorithm::name);
    match nearest(name, known) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("known algorithms: {}", known.join(", ")),
    }
}
