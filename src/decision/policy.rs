//! What a route demands, and the check against a principal.

use super::claims::{ClaimPath, kind};
use super::credential::Place;
use super::keys::IssuerId;
use super::principal::Principal;
use super::rejection::{Code, Rejection};
use super::witness::{Witness, told};

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
    pub(super) fn check<W: Witness>(&self, principal: &Principal, witness: &mut W) -> Result<(), Rejection> {
        check_audience(&self.audiences, principal, witness)?;
        self.check_scopes(principal, witness)?;
        self.claims.iter().try_for_each(|rule| {
            told(witness, "claim", rule.check(principal), |_| {
                (format!("{:?} to be one of {:?}", rule.path.as_str(), rule.accepted), rule.found(principal))
            })
        })
    }

    fn check_scopes<W: Witness>(&self, principal: &Principal, witness: &mut W) -> Result<(), Rejection> {
        if self.scopes.is_empty() {
            return Ok(());
        }
        let result = match self.scopes.iter().find(|scope| !principal.scopes.contains(scope)) {
            None => Ok(()),
            Some(missing) => {
                let detail = format!("expected scope {missing:?}, found {:?}", principal.scopes);
                Err(Rejection::scope(&self.scopes.join(" "), detail))
            }
        };
        told(witness, "scope", result, |_| (format!("all of {:?}", self.scopes), format!("{:?}", principal.scopes)))
    }
}

/// Whether one of `wanted` is among the token's audiences; none wanted: always.
pub(super) fn check_audience<W: Witness>(
    wanted: &[Box<str>],
    principal: &Principal,
    witness: &mut W,
) -> Result<(), Rejection> {
    if wanted.is_empty() {
        return Ok(());
    }
    let result = match wanted.iter().any(|audience| principal.audiences.contains(audience)) {
        true => Ok(()),
        false => {
            let detail = format!("expected audience {wanted:?}, found {:?}", principal.audiences);
            Err(Rejection::new(Code::AudienceMismatch, detail))
        }
    };
    told(witness, "aud", result, |_| (format!("one of {wanted:?}"), format!("{:?}", principal.audiences)))
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
        let found = found.map_or("no such claim".to_owned(), |found| format!("{} that does not fit", kind(found)));
        let detail = format!("claim {:?}: expected one of {:?}, found {found}", self.path.as_str(), self.accepted);
        Err(Rejection::new(Code::ClaimMismatch, detail))
    }

    /// What stands there, for whoever explains.
    fn found(&self, principal: &Principal) -> String {
        self.path.find(principal.claims()).map_or_else(|| "nothing".to_owned(), ToString::to_string)
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
