//! From token to principal.
//!
//! Cheap looks come first: size, form, algorithm and key id are judged before any signature is computed, so that a
//! stranger cannot make waxseal work at will. Nothing that a token says chooses how it is checked.

use std::sync::Arc;

use super::claims::{Claims, malformed};
use super::jws::{Jws, Parts};
use super::keys::{Algorithm, AlgorithmSet, Issuer, IssuerId, IssuerSlot, KeySet, Stamp};
use super::memo::Memo;
use super::principal::Principal;
use super::rejection::{Code, Rejection};
use super::snapshot::Snapshot;
use super::witness::{Witness, told, told_if_bad, tried};
use crate::secret::Secret;
use crate::time::UnixSeconds;

/// A proof, and whether it was remembered.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) principal: Arc<Principal>,
    pub(super) remembered: bool,
}

/// A token that is to be proven.
#[derive(Clone, Copy)]
pub(super) struct Token<'t> {
    /// Its bytes.
    pub(super) bytes: &'t [u8],
    /// Who may have issued it, in the order in which they are asked.
    pub(super) issuers: &'t [IssuerId],
}

/// Proves a token by one of its issuers.
pub(super) fn prove<W: Witness>(
    Token { bytes: token, issuers }: Token<'_>,
    snapshot: &Snapshot,
    memo: &mut Memo,
    now: UnixSeconds,
    witness: &mut W,
) -> Result<Proof, Rejection> {
    let known = memo.recall(token, |principal, asked| {
        let mut again = candidates(snapshot, issuers, principal.iss.as_deref());
        let mut last = None;
        let unchanged = asked.iter().all(|stamp| {
            last = again.next().filter(|(_, slot)| slot.stamp(now) == *stamp).map(|(id, _)| id);
            last.is_some()
        });
        // A memo outlives a configuration: the same issuer may stand in another place now.
        unchanged && last == Some(principal.issuer)
    });
    if let Some(principal) = known {
        return Ok(Proof { principal, remembered: true });
    }
    let jws = told(witness, "form", Jws::parse(token), |jws| {
        let expected = "three parts in base64url, JSON without double members, no key brought along, at most 16 KiB";
        (expected.to_owned(), jws.as_ref().map_or_else(|rejection| rejection.detail().to_owned(), Jws::words))
    })?;
    let iss = jws.unverified_claims().text("iss").map(|iss| iss.map(Box::from));
    let iss: Option<Box<str>> = told(witness, "iss", iss, |iss| {
        let all = issuers.iter().filter_map(|id| snapshot.issuer(*id));
        let accepted: Vec<String> = all.map(Issuer::accepted_iss).collect();
        let found = match iss {
            Ok(Some(iss)) => format!("{iss:?}"),
            Ok(None) => "none".to_owned(),
            Err(rejection) => rejection.detail().to_owned(),
        };
        (accepted.join(", or "), found)
    })?;
    let mut asked: Vec<Stamp> = Vec::new();
    let mut lacking: Vec<IssuerId> = Vec::new();
    let mut furthest: Option<(Miss, &AlgorithmSet)> = None;
    for (id, slot) in candidates(snapshot, issuers, iss.as_deref()) {
        asked.push(slot.stamp(now));
        let checked = check_signature(jws.parts(), slot, now);
        let algorithms = &slot.issuer.algorithms;
        tried(witness, "signature", checked.is_ok(), || {
            let expected = format!("of issuer {:?} by {}", slot.issuer.name, slot.issuer.algorithms);
            (
                expected,
                checked.map_or_else(
                    |miss| miss.rejection(jws.parts(), algorithms).detail().to_owned(),
                    |_| "good".to_owned(),
                ),
            )
        });
        match checked {
            Ok(key) => {
                let principal = Arc::new(principal(id, &slot.issuer, token, jws, key, witness)?);
                memo.remember(asked.into(), Arc::clone(&principal));
                return Ok(Proof { principal, remembered: false });
            }
            Err(miss) => {
                if slot.may_ask(now) && miss.is_curable(jws.parts(), slot.keys(now).map(AsRef::as_ref)) {
                    lacking.push(id);
                }
                if furthest.is_none_or(|(before, _)| before < miss) {
                    furthest = Some((miss, algorithms));
                }
            }
        }
    }
    let unproven = Err(match furthest {
        Some((miss, algorithms)) => miss.rejection(jws.parts(), algorithms).for_want_of_keys(lacking),
        None => no_issuer(iss.as_deref(), issuers, snapshot),
    });
    told(witness, "issuer", unproven, |unproven| {
        let found = unproven.as_ref().err().map(|rejection: &Rejection| rejection.detail().to_owned());
        ("one of the route's issuers to prove the token".to_owned(), found.unwrap_or_default())
    })
}

/// The issuers that could have issued a token under that `iss`, in the order in which they are asked.
fn candidates<'s>(
    snapshot: &'s Snapshot,
    issuers: &'s [IssuerId],
    iss: Option<&'s str>,
) -> impl Iterator<Item = (IssuerId, &'s IssuerSlot)> {
    let all = issuers.iter().filter_map(|id| snapshot.issuers.get(id.0).map(|slot| (*id, slot)));
    all.filter(move |(_, slot)| {
        let own = &slot.issuer.issuers;
        own.is_empty() || iss.is_some_and(|iss| own.iter().any(|own| **own == *iss))
    })
}

/// Issuers that are told where none fits; a log line is no list.
const MOST_TOLD: usize = 5;

/// How far a token came with one issuer, the farther the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Miss {
    /// The issuer signs with no such algorithm.
    Algorithm,
    /// It does, but none of the keys that could be meant does.
    Unfit,
    Kid,
    Signature,
    /// The issuer has no keys, and one of them could have proven the token.
    Lacking,
}

impl Miss {
    /// Whether the issuer may have a key by now that proves the token. Where it is named, one of that name is what is
    /// missing, also where keys without a name were tried in its place; else any new one may be it.
    fn is_curable(self, token: &Parts<'_>, keys: Option<&KeySet>) -> bool {
        match self {
            Miss::Algorithm => false,
            Miss::Kid | Miss::Lacking => true,
            Miss::Unfit | Miss::Signature => {
                let called = |kid| keys.is_some_and(|keys| keys.keys().iter().any(|key| key.id() == Some(kid)));
                !token.kid().is_some_and(called)
            }
        }
    }

    /// The refusal of a token that came so far with an issuer of these algorithms.
    fn rejection(self, token: &Parts<'_>, algorithms: &AlgorithmSet) -> Rejection {
        match self {
            Miss::Algorithm => {
                let detail = format!("alg: expected {algorithms}, found {:?}", token.algorithm());
                Rejection::new(Code::AlgorithmNotAllowed, detail)
            }
            Miss::Unfit => {
                let detail = format!("no key of the issuer verifies {:?}", token.algorithm());
                Rejection::new(Code::AlgorithmNotAllowed, detail)
            }
            Miss::Kid => {
                Rejection::new(Code::UnknownKey, format!("no key is called {:?}", token.kid().unwrap_or_default()))
            }
            Miss::Signature => Rejection::new(Code::SignatureInvalid, "the signature is of no known key"),
            Miss::Lacking => {
                Rejection::new(Code::KeysUnavailable, "an issuer that may have signed the token has no keys now")
            }
        }
    }
}

/// Whether one of the issuer's keys made the signature, and the name of that key.
fn check_signature<'s>(token: &Parts<'_>, slot: &'s IssuerSlot, now: UnixSeconds) -> Result<Option<&'s str>, Miss> {
    let algorithm = Algorithm::named(token.algorithm()).ok_or(Miss::Algorithm)?;
    if !slot.issuer.algorithms.contains(algorithm) {
        return Err(Miss::Algorithm);
    }
    let keys: &KeySet = slot.keys(now).ok_or(Miss::Lacking)?;
    let named = |id: Option<&str>| id.is_none() || token.kid().is_none() || id == token.kid();
    let mut miss = if keys.keys().iter().any(|key| named(key.id())) { Miss::Unfit } else { Miss::Kid };
    for key in keys.keys().iter().filter(|key| named(key.id()) && key.algorithms().contains(algorithm)) {
        if key.verifies(algorithm, token.signed(), token.signature()) {
            return Ok(key.id());
        }
        miss = Miss::Signature;
    }
    Err(miss)
}

/// Whether one of the issuer's keys signed a document, or why not.
pub(super) fn check_document(document: &Parts<'_>, slot: &IssuerSlot, now: UnixSeconds) -> Result<(), Rejection> {
    let checked = check_signature(document, slot, now);
    checked.map(drop).map_err(|miss| miss.rejection(document, &slot.issuer.algorithms))
}

fn no_issuer(iss: Option<&str>, issuers: &[IssuerId], snapshot: &Snapshot) -> Rejection {
    let accepted = issuers.iter().filter_map(|id| snapshot.issuer(*id)).take(MOST_TOLD).map(Issuer::accepted_iss);
    let detail = match iss {
        Some(iss) => format!("iss: expected {}, found {iss:?}", accepted.collect::<Vec<_>>().join(", or ")),
        None => "the token has no iss, and every issuer of the route has one".to_owned(),
    };
    Rejection::new(Code::IssuerMismatch, detail)
}

/// Builds the principal of a token whose signature is good, by the rules of its issuer.
fn principal<W: Witness>(
    id: IssuerId,
    issuer: &Issuer,
    token: &[u8],
    jws: Jws<'_>,
    key: Option<&str>,
    witness: &mut W,
) -> Result<Principal, Rejection> {
    told(witness, "typ", check_type(issuer, jws.parts()), |_| {
        (issuer.types.words(), jws.parts().typ().map_or_else(|| "none".to_owned(), |typ| format!("{typ:?}")))
    })?;
    // Not what the token says first: whoever stole a key leaves its name out.
    let kid = key.or(jws.parts().kid()).map(Box::from);
    let claims = jws.into_claims();
    let expires = claims.date("exp").and_then(|exp| exp.ok_or_else(|| missing("exp")));
    let expires = told_if_bad(witness, "exp", "a number", expires)?;
    let not_before = told_if_bad(witness, "nbf", "a number", claims.date("nbf"))?;
    let issued_at = told_if_bad(witness, "iat", "a number", claims.date("iat"))?;
    let audiences = told_if_bad(witness, "aud", "text or a list of text", claims.texts("aud"))?;
    for path in &issuer.require {
        let result = if path.find(&claims).is_some() { Ok(()) } else { Err(missing(path.as_str())) };
        told(witness, "require", result, |result| {
            (format!("a claim {:?}", path.as_str()), if result.is_ok() { "one" } else { "none" }.to_owned())
        })?;
    }
    let subject = told(witness, "subject", subject(issuer, &claims), |found| {
        let found = found.as_ref().map_or_else(|rejection| rejection.detail().to_owned(), |found| format!("{found:?}"));
        (format!("text in the claim {:?}", issuer.subject.as_str()), found)
    })?;
    check_lifetime(issuer, expires, issued_at, witness)?;
    Ok(Principal {
        issuer: id,
        issuer_name: Arc::clone(&issuer.name),
        iss: claims.text("iss")?.map(Box::from),
        subject,
        audiences,
        scopes: scopes(&claims),
        expires,
        not_before,
        issued_at,
        token_id: claims.get("jti").and_then(|id| id.as_str()).map(Box::from),
        kid,
        bound: claims.get("cnf").is_some(),
        claims,
        token: Secret::new(token.to_vec()),
    })
}

fn check_type(issuer: &Issuer, token: &Parts<'_>) -> Result<(), Rejection> {
    if issuer.types.accept(token.typ()) {
        return Ok(());
    }
    let found = token.typ().map_or_else(|| "none".to_owned(), |typ| format!("{typ:?}"));
    let detail = format!("typ: expected {}, found {found}", issuer.types.words());
    Err(Rejection::new(Code::TokenType, detail))
}

fn subject(issuer: &Issuer, claims: &Claims) -> Result<Box<str>, Rejection> {
    let subject = issuer.subject.find(claims).ok_or_else(|| missing(issuer.subject.as_str()))?;
    let text = subject.as_str().ok_or_else(|| malformed(issuer.subject.as_str(), "text", subject))?;
    if text.is_empty() {
        // A header without a value is nobody to one upstream and somebody to the next.
        let detail =
            format!("claim {:?}: expected text that names somebody, found empty text", issuer.subject.as_str());
        return Err(Rejection::new(Code::ClaimMalformed, detail));
    }
    Ok(text.into())
}

fn check_lifetime<W: Witness>(
    issuer: &Issuer,
    expires: UnixSeconds,
    issued_at: Option<UnixSeconds>,
    witness: &mut W,
) -> Result<(), Rejection> {
    let Some(longest) = issuer.max_lifetime else { return Ok(()) };
    let lifetime = issued_at.map(|issued| expires.since(issued));
    let result = match lifetime {
        None => Err(missing("iat")),
        Some(lifetime) if lifetime > longest => {
            let detail = format!("the token lives {lifetime} s, at most {longest} s are taken");
            Err(Rejection::new(Code::TokenTooLongLived, detail))
        }
        Some(_) => Ok(()),
    };
    told(witness, "max_lifetime", result, |_| {
        let found = lifetime.map_or_else(|| "no iat".to_owned(), |lifetime| format!("{lifetime} s"));
        (format!("exp - iat of at most {longest} s"), found)
    })
}

/// The granted scopes: `scope` as text (RFC 8693 section 4.2), `scp` as a list. What is neither grants nothing.
fn scopes(claims: &Claims) -> Vec<Box<str>> {
    let text = claims.get("scope").and_then(|scope| scope.as_str()).unwrap_or_default();
    let list = claims.get("scp").and_then(|scopes| scopes.as_array()).map(Vec::as_slice).unwrap_or_default();
    let members = list.iter().filter_map(|scope| scope.as_str());
    text.split(' ').filter(|scope| !scope.is_empty()).chain(members).map(Box::from).collect()
}

fn missing(claim: &str) -> Rejection {
    Rejection::new(Code::ClaimMissing, format!("the token has no claim {claim:?}"))
}

/// Whether the token holds now. Looked at on every request, also where its proof was remembered.
pub(super) fn check_time<W: Witness>(
    principal: &Principal,
    issuer: &Issuer,
    now: UnixSeconds,
    witness: &mut W,
) -> Result<(), Rejection> {
    let ends = principal.expires.plus(issuer.leeway);
    let result = if now < ends {
        Ok(())
    } else {
        let detail = format!("exp was {}, it is {now}", principal.expires);
        Err(Rejection::new(Code::TokenExpired, detail))
    };
    told(witness, "exp", result, |_| {
        (format!("after now ({now}), with {} s of leeway", issuer.leeway), principal.expires.to_string())
    })?;
    for (name, moment) in [("nbf", principal.not_before), ("iat", principal.issued_at)] {
        let Some(moment) = moment else { continue };
        let result = if moment > now.plus(issuer.leeway) {
            let detail = format!("{name} is {moment}, it is {now}");
            Err(Rejection::new(Code::TokenNotYetValid, detail))
        } else {
            Ok(())
        };
        told(witness, name, result, |_| {
            (format!("not after now ({now}), with {} s of leeway", issuer.leeway), moment.to_string())
        })?;
    }
    Ok(())
}

/// Whether the token may be shown as plain Bearer: one that is bound to a key (RFC 7800) may not.
pub(super) fn check_unbound<W: Witness>(principal: &Principal, witness: &mut W) -> Result<(), Rejection> {
    let detail = "the token is bound to a key (cnf) and was shown as plain Bearer";
    let result = if principal.bound { Err(Rejection::new(Code::ProofInvalid, detail)) } else { Ok(()) };
    told(witness, "cnf", result, |_| {
        let found = if principal.bound { "one" } else { "none" };
        ("no claim cnf, which would bind the token to a key".to_owned(), found.to_owned())
    })
}

#[cfg(test)]
pub(super) mod tests;
#[cfg(test)]
mod vectors;
