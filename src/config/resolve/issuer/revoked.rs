//! `revoked` of an issuer: where the list of tokens is that it took back.

use std::path::PathBuf;
use std::sync::Arc;

use super::super::super::raw::Revoked;
use super::super::super::reader::Field;
use super::super::super::source::{CONTENT, advice, is_content};
use super::super::Context;
use crate::decision::keys::IssuerSlot;
use crate::decision::revocation::Missing;
use crate::keys::Address;
use crate::keys::revoked::{From, Settings};

/// How what an issuer publishes is fetched.
pub(super) struct Way {
    /// PEM file of the authorities to trust instead of the usual ones.
    pub(super) ca: Option<PathBuf>,
    /// Whether by `http://` from beyond this machine too.
    pub(super) insecure: bool,
}

/// Resolves where the list is, and gives the slot what can be known of it now. A list that cannot be had is no reason not
/// to start: what holds then is `missing`.
pub(super) fn revoked(
    field: &Field<Revoked>,
    key: &str,
    way: Way,
    slot: IssuerSlot,
    cx: &mut Context<'_, '_>,
) -> (Option<Settings>, IssuerSlot) {
    let Some(raw) = field.at() else { return (None, slot) };
    let span = &raw.span;
    let from = match (raw.value.file.at(), raw.value.url.at()) {
        (Some(file), None) if is_content(&file.value) => {
            cx.notes.error(&file.span, format!("{key}.file"), CONTENT, advice(CONTENT));
            return (None, slot);
        }
        (Some(file), None) => From::File(cx.outside.path(&file.value)),
        (None, Some(url)) => match Address::parse(&url.value, way.insecure) {
            Ok(address) => From::Url { text: url.value.as_str().into(), address, ca: way.ca },
            Err(error) => {
                let advice =
                    "write url = \"https://…\"; http:// is taken on this machine alone, unless `insecure_http`";
                cx.notes.error(&url.span, format!("{key}.url"), error.to_string(), advice);
                return (None, slot);
            }
        },
        (Some(_), Some(url)) => {
            let advice = "leave one out: an issuer has one list";
            cx.notes.error(&url.span, format!("{key}.url"), "`url` beside `file`", advice);
            return (None, slot);
        }
        (None, None) => {
            if raw.value.file.is_absent() && raw.value.url.is_absent() {
                let advice = "write revoked = { file = \"FILE\" }";
                cx.notes.error(span, key, "nothing says where the list is", advice);
            }
            return (None, slot);
        }
    };
    let settings = Settings { from, missing: raw.value.missing.or(Missing::default()) };
    if let Some(missing) = raw.value.missing.at().filter(|missing| missing.value == Missing::Open) {
        let problem = "while the list cannot be had, revoked tokens pass";
        let advice = "leave it out, unless a token that passes wrongly does less harm than none that passes";
        cx.notes.warning(&missing.span, format!("{key}.missing"), problem, advice);
    }
    let (known, error) = settings.first(&slot);
    if let Some(error) = error {
        let problem = format!("there is no list at {}: {error}", known.place);
        let advice = match settings.missing {
            Missing::Closed => "every token of this issuer is refused until there is one; an empty file revokes none",
            Missing::Open => "no token of this issuer counts as revoked until there is one",
        };
        cx.notes.warning(span, key, problem, advice);
    }
    (Some(settings), slot.with_revocations(Some(Arc::new(known))))
}
