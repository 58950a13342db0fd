//! What a route does to the headers of a request that may pass.

use std::collections::HashMap;

use http::HeaderName;
use http::header::{AUTHORIZATION, HOST};

use super::super::raw::{Access, Authorization, Forward, Route as RawRoute};
use super::{Context, claim_path, table};
use crate::decision::claims::ClaimPath;
use crate::decision::forwarding::{Forwarding, fold_text, folded};

/// Fields that waxseal writes itself on every request, folded.
const OWN: [&str; 4] = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-request-id"];
/// Fields without which a request has no body or no end, folded.
const FRAMING: [&str; 2] = ["content-length", "transfer-encoding"];

/// The forwarding of a route.
pub(super) fn forwarding(raw: &RawRoute, access: Access, cx: &mut Context<'_, '_>) -> Forwarding {
    let forward: Forward = table(&raw.forward);
    if let Some(span) = forward.claims.span().filter(|_| access != Access::Protected) {
        let problem = "`forward.claims` sets nothing here: this route looks at no token";
        cx.notes.warning(span, &*raw.label, problem, "clients cannot send these headers on any route, in any case");
    }
    Forwarding {
        claims: claims(raw, &forward, cx),
        strip_authorization: forward.authorization.or(Authorization::Keep) == Authorization::Strip,
        strip: strip(raw, &forward, cx),
    }
}

fn claims(raw: &RawRoute, forward: &Forward, cx: &mut Context<'_, '_>) -> Vec<(HeaderName, ClaimPath)> {
    let key = format!("{}.forward.claims", raw.label);
    let mut names: HashMap<String, &str> = HashMap::new();
    let mut found = Vec::new();
    for (header, claim) in forward.claims.get().map(|named| named.0.as_slice()).unwrap_or_default() {
        let Ok(name) = HeaderName::from_bytes(header.value.as_bytes()) else {
            cx.notes.error(
                &header.span,
                &*key,
                format!("{:?} is no name of a header", header.value),
                "write a name like \"X-Auth-User\"",
            );
            continue;
        };
        let own = OWN.contains(&&*folded(&name)).then_some("waxseal writes this field itself");
        if let Some(problem) = Forwarding::may_set(&name).err().or(own) {
            let advice = "choose a name of your own, like \"X-Auth-User\"";
            cx.notes.error(&header.span, &*key, format!("{:?}: {problem}", header.value), advice);
        } else if let Some(other) = names.insert(folded(&name).into_owned(), &header.value) {
            let problem = format!("servers take {:?} and {other:?} for the same", header.value);
            cx.notes.error(&header.span, &*key, problem, "leave one out");
        }
        let path = claim.at().and_then(|claim| claim_path(claim, &key, cx.notes));
        found.extend(path.map(|path| (name, path)));
    }
    found
}

fn strip(raw: &RawRoute, forward: &Forward, cx: &mut Context<'_, '_>) -> Vec<Box<str>> {
    let key = format!("{}.forward.strip", raw.label);
    let mut found = Vec::new();
    for header in forward.strip.get().map(|list| list.0.as_slice()).unwrap_or_default() {
        let name = HeaderName::from_bytes(header.value.as_bytes());
        let (problem, advice) = match &name {
            Err(_) => ("is no name of a header", "write a name like \"Cookie\""),
            Ok(name) if name == AUTHORIZATION => ("has a setting of its own", "write authorization = \"strip\""),
            Ok(name) if name == HOST => ("cannot be removed", "the upstream's setting `host` says which one it gets"),
            Ok(name) if FRAMING.contains(&&*folded(name)) => {
                ("says where the body ends and cannot be removed", "leave it out")
            }
            Ok(name) if OWN.contains(&&*folded(name)) => ("is written by waxseal itself", "leave it out"),
            Ok(_) => {
                found.push(fold_text(&header.value).as_ref().into());
                continue;
            }
        };
        cx.notes.error(&header.span, &*key, format!("{:?} {problem}", header.value), advice);
    }
    found
}
