//! JWK Set documents (RFC 7517) to key sets: which entries are taken and which are left out, and why.
//!
//! An entry that waxseal cannot use is left out with a note, as RFC 7517 section 5 asks; the JSON itself is read
//! strictly, so that no two readers can take it differently.

use std::collections::{BTreeSet, HashSet};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::Wanted;
use super::source::{LoadError, Loaded, usual};
use crate::decision::claims::Claims;
use crate::decision::keys::{Algorithm, AlgorithmSet, Family, Key, KeySet};

/// Reads a JWK Set.
///
/// # Errors
/// Where it is none, and where no key is left.
pub(super) fn load(text: &str, wanted: Wanted) -> Result<Loaded, LoadError> {
    let document = Claims::parse(text.as_bytes()).map_err(LoadError::NoSet)?;
    let entries = match document.get("keys") {
        Some(Value::Array(entries)) => entries,
        Some(_) => return Err(LoadError::NoSet("its member `keys` is no list")),
        None if document.get("kty").is_some() => {
            return Err(LoadError::NoSet("it is a single key; write {\"keys\": [ … ]} around it"));
        }
        None => return Err(LoadError::NoSet("it has no member `keys`")),
    };
    let (mut keys, mut notes) = (Vec::new(), Vec::new());
    for (at, entry) in entries.iter().enumerate() {
        match key(entry, wanted) {
            Ok(key) => keys.push(key),
            Err(reason) => notes.push(format!("{} left out: {reason}", words(at, entry))),
        }
    }
    notes.extend(twins(&keys));
    if keys.is_empty() {
        return Err(LoadError::Empty(notes));
    }
    let algorithms = keys.iter().flat_map(|key| key.algorithms().iter()).collect();
    Ok(Loaded { keys: KeySet::new(keys), algorithms, notes })
}

/// How a person finds the entry.
fn words(at: usize, entry: &Value) -> String {
    match entry.get("kid").and_then(Value::as_str) {
        Some(kid) => format!("key {}", shown(kid)),
        None => format!("key {} of the list", at + 1),
    }
}

/// A text of the set in quotes, as much of it as a line for people holds.
fn shown(text: &str) -> String {
    /// Longer than any name that is known, and than the thumbprints by which keys are called (RFC 7638).
    const MOST: usize = 100;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{:?} (cut)", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

/// Tells of keys of one name for one algorithm: RFC 7517 section 4.5 asks for names that differ, and some issuers change a
/// key under its name. All of them are the issuer's, so each is tried.
fn twins(keys: &[Key]) -> Vec<String> {
    let (mut seen, mut told) = (HashSet::new(), BTreeSet::new());
    for key in keys {
        let Some(kid) = key.id() else { continue };
        told.extend(key.algorithms().iter().filter(|own| !seen.insert((kid, *own))).map(|own| (kid, own.name())));
    }
    let words =
        |(kid, algorithm): (&str, &str)| format!("several keys named {} for {algorithm}: each is tried", shown(kid));
    told.into_iter().map(words).collect()
}

/// One entry as a key, or why it is of no use.
fn key(entry: &Value, wanted: Wanted) -> Result<Key, String> {
    let entry = entry.as_object().ok_or("it is no object")?;
    check_use(entry)?;
    let kid = optional_text(entry, "kid")?;
    let kind = kind(entry)?;
    let family = match &kind {
        Kind::Rsa { .. } => Family::Rsa,
        Kind::Point { family, .. } => *family,
    };
    let allowed = allowed(entry, family, wanted)?;
    let key = match kind {
        Kind::Rsa { n, e } => Key::rsa(kid, &n, &e, allowed),
        Kind::Point { family, point } => Key::point(kid, family, &point, allowed),
    };
    key.map_err(|error| error.to_string())
}

/// Whether the key is there to verify signatures (RFC 7517 sections 4.2 and 4.3).
fn check_use(entry: &Map<String, Value>) -> Result<(), String> {
    match optional_text(entry, "use")? {
        None | Some("sig") => {}
        Some(other) => return Err(format!("its use is {}, not \"sig\"", shown(other))),
    }
    let verifies = match entry.get("key_ops") {
        None => true,
        Some(Value::Array(operations)) => operations.iter().any(|operation| operation == "verify"),
        Some(_) => return Err(String::from("its key_ops is no list")),
    };
    if verifies { Ok(()) } else { Err(String::from("its key_ops do not hold \"verify\"")) }
}

/// The algorithms that the key may be used with: what the operator wants, what its own `alg` says, what fits it.
fn allowed(entry: &Map<String, Value>, family: Family, wanted: Wanted) -> Result<AlgorithmSet, String> {
    let fitting: AlgorithmSet = Algorithm::ALL.into_iter().filter(|algorithm| algorithm.family() == family).collect();
    let own = match optional_text(entry, "alg")? {
        None => None,
        Some(name) => Some(Algorithm::named(name).ok_or_else(|| format!("its alg {} is not known here", shown(name)))?),
    };
    let allowed = match (own, wanted) {
        (None, None) => usual(family),
        (None, Some(wanted)) => wanted.and(fitting),
        (Some(own), _) if !fitting.contains(own) => return Err(format!("its alg {own} does not fit its kind")),
        (Some(own), None) => AlgorithmSet::from_iter([own]),
        (Some(own), Some(wanted)) => wanted.and(AlgorithmSet::from_iter([own])),
    };
    match wanted {
        Some(wanted) if allowed.is_empty() => Err(format!("it is not for any of the issuer's algorithms ({wanted})")),
        _ => Ok(allowed),
    }
}

/// The parts of a key that its kind asks for.
enum Kind {
    /// RFC 7518 section 6.3.1.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// RFC 7518 section 6.2.1, RFC 8037 section 2.
    Point { family: Family, point: Vec<u8> },
}

fn kind(entry: &Map<String, Value>) -> Result<Kind, String> {
    let kty = optional_text(entry, "kty")?.ok_or("it has no kty")?;
    if kty == "oct" {
        return Err(String::from("it is a shared secret, which a set of public keys must not hold"));
    }
    if entry.contains_key("d") {
        return Err(String::from("it is a private key; only the issuer should have that"));
    }
    match kty {
        "RSA" => Ok(Kind::Rsa { n: number(entry, "n")?, e: number(entry, "e")? }),
        "EC" => {
            let (family, length) = match optional_text(entry, "crv")?.ok_or("it has no crv")? {
                "P-256" => (Family::P256, 32),
                "P-384" => (Family::P384, 48),
                other => return Err(format!("its curve {} is not known here", shown(other))),
            };
            /// The first byte of an uncompressed point (SEC 1 section 2.3.3).
            const UNCOMPRESSED: u8 = 4;
            let mut point = vec![UNCOMPRESSED];
            point.extend(coordinate(entry, "x", length)?);
            point.extend(coordinate(entry, "y", length)?);
            Ok(Kind::Point { family, point })
        }
        "OKP" => match optional_text(entry, "crv")?.ok_or("it has no crv")? {
            "Ed25519" => Ok(Kind::Point { family: Family::Ed25519, point: coordinate(entry, "x", 32)? }),
            other => Err(format!("its curve {} is not known here", shown(other))),
        },
        other => Err(format!("its kty {} is not known here", shown(other))),
    }
}

/// A member that is text where it is there.
fn optional_text<'e>(entry: &'e Map<String, Value>, name: &str) -> Result<Option<&'e str>, String> {
    match entry.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("its {name} is no text")),
    }
}

/// A member that holds bytes.
fn bytes(entry: &Map<String, Value>, name: &str) -> Result<Vec<u8>, String> {
    let text = optional_text(entry, name)?.ok_or_else(|| format!("it has no {name}"))?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("its {name} is no base64url"))
}

/// A big-endian number. Leading zeros, which RFC 7518 section 2 forbids and some issuers write, say nothing.
fn number(entry: &Map<String, Value>, name: &str) -> Result<Vec<u8>, String> {
    Ok(bytes(entry, name)?.into_iter().skip_while(|byte| *byte == 0).collect())
}

/// A coordinate, whose length is the curve's (RFC 7518 section 6.2.1.2).
fn coordinate(entry: &Map<String, Value>, name: &str, length: usize) -> Result<Vec<u8>, String> {
    let bytes = bytes(entry, name)?;
    if bytes.len() == length { Ok(bytes) } else { Err(format!("its {name} has {} bytes, not {length}", bytes.len())) }
}

#[cfg(test)]
mod tests;
