//! What a route demands, and the check against a principal.

use super::claims::{ClaimPath, kind};
use super::credential::Place;
use super::keys::IssuerId;
use super::principal::Principal;
use super::rejection::{Code, Rejection};

/// Whether and how a route is guarded.
#[derive(Clone, Debug, PartialEq)]
pub enum Policy {
    /// Anyone may pass; no token is looked at.
    Open,
    /// Nobody may pass.
    Deny,
    /// Whoever meets the requirement may pass.
    Require(Requirement),
}

/// What must be shown to pass a guard.
#[derive(Clone, Debug, PartialEq)]
pub struct Requirement {
    /// Who may have issued the token, in the order in which they are asked.
    pub issuers: Vec<IssuerId>,
    /// Where the token may be.
    pub places: Vec<Place>,
    /// Audiences of which the token must name one; none: any.
    pub audiences: Vec<Box<str>>,
    /// Scopes that must all be granted.
    pub scopes: Vec<Box<str>>,
    /// Claims that must fit.
    pub claims: Vec<ClaimRule>,
}

/// One claim and the values it may have.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimRule {
    /// Where the claim is.
    pub path: ClaimPath,
    /// Texts of which one must fit; `*` in them stands for any run of characters.
    pub accepted: Vec<Box<str>>,
}

impl Requirement {
    /// Checks what the token grants. Time and revocation are looked at elsewhere.
    ///
    /// # Errors
    /// `audience_mismatch`, `scope_insufficient` or `claim_mismatch`, in this order.
    pub fn check(&self, principal: &Principal) -> Result<(), Rejection> {
        check_audience(&self.audiences, principal)?;
        if let Some(missing) = self.scopes.iter().find(|scope| !principal.scopes.contains(scope)) {
            let detail = format!("expected scope {missing:?}, found {:?}", principal.scopes);
            return Err(Rejection::scope(&self.scopes.join(" "), detail));
        }
        self.claims.iter().try_for_each(|rule| rule.check(principal))
    }
}

/// Whether one of `wanted` is among the token's audiences; none wanted: always.
pub(super) fn check_audience(wanted: &[Box<str>], principal: &Principal) -> Result<(), Rejection> {
    if wanted.is_empty() || wanted.iter().any(|audience| principal.audiences.contains(audience)) {
        return Ok(());
    }
    let detail = format!("expected audience {wanted:?}, found {:?}", principal.audiences);
    Err(Rejection::new(Code::AudienceMismatch, detail))
}

impl ClaimRule {
    fn check(&self, principal: &Principal) -> Result<(), Rejection> {
        let found = self.path.find(principal.claims());
        let fits = |text: &str| self.accepted.iter().any(|accepted| wildcard_matches(accepted, text));
        let good = match found {
            Some(serde_json::Value::String(text)) => fits(text),
            Some(serde_json::Value::Array(list)) => list.iter().filter_map(|member| member.as_str()).any(fits),
            _ => false,
        };
        if good {
            return Ok(());
        }
        let found = found.map_or("nothing", kind);
        let detail = format!(
            "claim {:?}: expected one of {:?}, found {found} that does not fit",
            self.path.as_str(),
            self.accepted
        );
        Err(Rejection::new(Code::ClaimMismatch, detail))
    }
}

/// Whether `text` is what `pattern` says, where `*` stands for any run of characters, none included.
///
/// Takes time proportional to the product of both lengths at most.
pub(super) fn wildcard_matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_any_run() {
        for (pattern, text, expected) in [
            ("boomi", "boomi", true),
            ("boomi", "Boomi", false),
            ("boomi", "boomi2", false),
            ("pos-*", "pos-1", true),
            ("pos-*", "pos-", true),
            ("pos-*", "pos", false),
            ("*@x", "a@x", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*a", "a", false),
            ("a*b*b", "ab", false),
            ("*", "", true),
            ("", "", true),
            ("", "x", false),
            ("**", "x", true),
        ] {
            assert_eq!(wildcard_matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
