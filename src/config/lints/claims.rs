//! Names of claims that are probably misspelt: a claim that no token has is never there.

use super::super::diagnostic::Notes;
use super::super::near::distance;
use super::super::raw::File;
use super::super::reader::At;
use super::Kind;

/// Claims that tokens of common issuers have.
const KNOWN: [&str; 22] = [
    "userLoginId",
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "scope",
    "scp",
    "azp",
    "client_id",
    "email",
    "email_verified",
    "preferred_username",
    "given_name",
    "family_name",
    "auth_time",
    "roles",
    "groups",
    "realm_access",
    "resource_access",
];

/// What people write for registered claims (RFC 7519 section 4.1).
const LONG: [(&str, &str); 7] = [
    ("audience", "aud"),
    ("issuer", "iss"),
    ("subject", "sub"),
    ("expiration", "exp"),
    ("expires", "exp"),
    ("issuedat", "iat"),
    ("notbefore", "nbf"),
];

/// Warns of every name that is a slip away from a known one.
pub(in crate::config) fn claims(file: &File, notes: &mut Notes<'_>) {
    let mut kind = Kind::new("names of claims that are probably misspelt");
    let issuers = file.issuer.get().map(|named| named.0.as_slice()).unwrap_or_default();
    let issuers = || issuers.iter().filter_map(|(name, issuer)| Some((name, issuer.get()?)));
    let subjects: Vec<&str> = issuers().filter_map(|(_, issuer)| Some(issuer.subject.get()?.as_str())).collect();
    let mut look = |text: &At<String>, key: String, known: &[&str]| {
        if let Some(pointer) = pointer(&text.value) {
            let problem = format!("{:?} is the name of one claim, and none that tokens have", text.value);
            let advice = format!("write {pointer:?}: what lies within a claim is named by a JSON pointer");
            kind.warn(notes, &text.span, &key, problem, &advice);
        } else if let Some(meant) = meant(&text.value, known) {
            let problem = format!("{:?} is probably not what the claim is called: tokens have {meant:?}", text.value);
            let advice = format!("write {meant:?}; letter case counts in the names of claims");
            kind.warn(notes, &text.span, &key, problem, &advice);
        }
    };
    for (name, issuer) in issuers() {
        let required = issuer.require.get().map(|list| list.0.as_slice()).unwrap_or_default();
        for (key, text) in issuer
            .subject
            .at()
            .map(|text| ("subject", text))
            .into_iter()
            .chain(required.iter().map(|text| ("require", text)))
        {
            look(text, format!("issuer.{}.{key}", name.value), &[]);
        }
    }
    for route in file.route.get().map(|routes| routes.0.as_slice()).unwrap_or_default() {
        let label = &route.value.label;
        for (name, _) in route.value.claim.get().map(|named| named.0.as_slice()).unwrap_or_default() {
            look(name, format!("{label}.claim"), &subjects);
        }
        let forwarded = route.value.forward.get().and_then(|forward| forward.claims.get());
        for (_, claim) in forwarded.map(|named| named.0.as_slice()).unwrap_or_default() {
            claim.at().into_iter().for_each(|claim| look(claim, format!("{label}.forward.claims"), &subjects));
        }
    }
    kind.close(notes);
}

/// The JSON pointer that a name probably should be: steps without the first `/`, or with dots below a known claim. Names
/// that are URLs are names.
fn pointer(name: &str) -> Option<String> {
    let steps = name.contains('/') && !name.starts_with('/') && !name.contains(':');
    let below = name.split_once('.').is_some_and(|(first, rest)| KNOWN.contains(&first) && !rest.is_empty());
    (steps || below).then(|| format!("/{}", if steps { name.to_owned() } else { name.replace('.', "/") }))
}

/// The known claim that was probably meant. `own` are names that the file itself uses for subjects.
fn meant<'k>(name: &str, own: &[&'k str]) -> Option<&'k str> {
    let known = || own.iter().copied().chain(KNOWN);
    if known().any(|known| known == name) {
        return None;
    }
    let lower = name.to_ascii_lowercase().replace(['_', '-'], "");
    let long = LONG.iter().find(|(long, _)| *long == lower).map(|(_, short)| *short);
    let cased = || known().find(|known| known.eq_ignore_ascii_case(name));
    // In short names a letter more or less makes another word; so does the plural.
    let slip = |known: &&str| {
        let (name, known): (Vec<char>, Vec<char>) = (name.chars().collect(), known.chars().collect());
        known.len() >= 8 && distance(&name, &known, 1).is_some()
    };
    long.or_else(cased).or_else(|| known().find(slip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_without_a_slash_are_no_names() {
        assert_eq!(pointer("realm/roles").as_deref(), Some("/realm/roles"));
        assert_eq!(pointer("realm_access.roles").as_deref(), Some("/realm_access/roles"));
        for name in ["/realm/roles", "https://example.com/roles", "urn:a/b", "my.claim", "roles", "roles."] {
            assert_eq!(pointer(name), None, "{name}");
        }
    }

    #[test]
    fn slips_are_told_and_other_names_are_not() {
        for (name, expected) in [
            ("userLoginid", Some("userLoginId")),
            ("userLogiId", Some("userLoginId")),
            ("audience", Some("aud")),
            ("Issuer", Some("iss")),
            ("issued_at", Some("iat")),
            ("SUB", Some("sub")),
            ("prefered_username", Some("preferred_username")),
            ("tenantId", Some("tenantID")),
            ("userLoginId", None),
            ("sub", None),
            ("role", None),
            ("name", None),
            ("user", None),
            ("/realm/roles", None),
            ("username", None),
        ] {
            assert_eq!(meant(name, &["tenantID"]), expected, "{name}");
        }
    }
}
