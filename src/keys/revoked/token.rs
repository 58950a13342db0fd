//! A status list token (IETF draft-ietf-oauth-status-list, in its JWT form): signed by the issuer whose tokens it speaks of.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;
use serde_json::Value;

use super::ListError;
use super::read::Reader;
use crate::decision::check_signed;
use crate::decision::jws::Jws;
use crate::decision::keys::TokenTypes;
use crate::decision::revocation::{Bits, StatusList};

/// The most bytes that a list may have unpacked: a small one may be made to unpack without end.
const MOST: usize = 32 << 20;

/// Reads a status list token, and holds it to its signature first.
pub(super) fn read(text: &str, reader: &Reader) -> Result<StatusList, ListError> {
    let token = |why: &str| ListError::Token(why.to_owned());
    let jws = Jws::parse_document(text.as_bytes()).map_err(|rejection| token(rejection.detail()))?;
    // An access token of the issuer must never pass for a list.
    let types = TokenTypes { absent: false, names: vec!["statuslist+jwt".into()] };
    if !types.accept(jws.parts().typ()) {
        return Err(token("its typ is not \"statuslist+jwt\""));
    }
    check_signed(&jws, &reader.slot, reader.now).map_err(ListError::Unsigned)?;
    let claims = jws.unverified_claims();
    let uri = claims.text("sub").ok().flatten().ok_or_else(|| token("it has no sub, which says what it is called"))?;
    if reader.uri.as_deref().is_some_and(|own| own != uri) {
        return Err(ListError::Token(format!("its sub is {uri:?}, not the url that it was fetched from")));
    }
    let expires = claims.date("exp").map_err(|_| token("its exp is no number"))?;
    if expires.is_some_and(|end| end <= reader.now) {
        return Err(token("its exp is past"));
    }
    let list = claims.get("status_list").ok_or_else(|| token("it has no status_list"))?;
    let bits = list.get("bits").and_then(Value::as_u64).and_then(Bits::new);
    let bits = bits.ok_or_else(|| token("its bits are not 1, 2, 4 or 8"))?;
    let packed = list.get("lst").and_then(Value::as_str).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let packed = packed.ok_or_else(|| token("its lst is no base64url"))?;
    let bytes = decompress_to_vec_zlib_with_limit(&packed, MOST)
        .map_err(|_| token("its lst does not unpack (zlib) to at most 32 MiB"))?;
    Ok(StatusList::new(uri, bits, bytes.into(), expires))
}

#[cfg(test)]
mod tests;
