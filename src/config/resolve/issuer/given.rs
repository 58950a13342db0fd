//! Keys that stand in the file or beside it: a secret, a public key, a key set.

use std::ops::Range;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::super::super::diagnostic::Notes;
use super::super::super::raw::Encoding;
use super::super::super::reader::At;
use super::super::super::source::{self, Source};
use super::super::Context;
use super::super::server::warn_of_text;
use super::Case;
use crate::decision::keys::{AlgorithmSet, KeyError};
use crate::keys::{KeySource, LoadError, Loaded, Wanted};
use crate::secret::Secret;

impl Case<'_> {
    /// A text file or other text that is not secret.
    pub(super) fn text(
        &self,
        source: &Source,
        name: &str,
        span: &Range<usize>,
        cx: &mut Context<'_, '_>,
    ) -> Option<String> {
        let text = cx.outside.fetch(source).and_then(|bytes| {
            String::from_utf8(bytes.expose().clone())
                .map_err(|_| String::from("it is no text; DER is turned into PEM by `openssl pkey -pubin -inform DER`"))
        });
        text.map_err(|problem| cx.notes.error(span, self.key(name), &*problem, source::advice(&problem))).ok()
    }

    /// The bytes that sign: decoded, and salted as OFBiz does.
    pub(super) fn secret(&self, source: &At<Source>, cx: &mut Context<'_, '_>) -> Option<Secret<Vec<u8>>> {
        let key = self.key("secret");
        warn_of_text(source, &key, cx.notes);
        let encoding = self.raw.encoding.or(Encoding::Utf8);
        let bytes = cx.outside.fetch(&source.value).and_then(|bytes| decode(bytes, encoding));
        let bytes =
            bytes.map_err(|problem| cx.notes.error(&source.span, &*key, &*problem, source::advice(&problem))).ok()?;
        let Some(salt) = self.raw.salt.at() else { return Some(bytes) };
        if encoding != Encoding::Utf8 {
            let advice = "OFBiz puts the salt before the text of the key; leave one of both out";
            cx.notes.error(&salt.span, self.key("salt"), "a salt goes with encoding = \"utf8\" alone", advice);
        }
        Some(salted(&salt.value.0, &bytes))
    }

    /// Loads them; what is odd about them is told.
    pub(super) fn load(
        &self,
        source: &KeySource,
        wanted: Wanted,
        span: &Range<usize>,
        notes: &mut Notes<'_>,
    ) -> Option<Loaded> {
        let name = match source {
            KeySource::Secret { .. } => "secret",
            KeySource::Pem { .. } => "pem",
            KeySource::Jwks { .. } | KeySource::Fetched(_) => "jwks",
        };
        let algorithms = self.raw.algorithms.span();
        let loaded = match source.load(wanted) {
            Ok(loaded) => loaded,
            Err(error @ LoadError::Key(KeyError::WrongFamily { .. })) => {
                notes.error(
                    algorithms.unwrap_or(span),
                    self.key("algorithms"),
                    error.to_string(),
                    "leave it out to take those of the key",
                );
                return None;
            }
            Err(error) => {
                let advice = match source {
                    KeySource::Secret { .. } => advice_on_secret(&error),
                    KeySource::Pem { .. } => "write pem = \"FILE\" with the public key of the issuer in PEM",
                    KeySource::Jwks { .. } | KeySource::Fetched(_) => {
                        "write jwks = { file = \"FILE\" } with the key set of the issuer"
                    }
                };
                notes.error(span, self.key(name), error.to_string(), advice);
                return None;
            }
        };
        for note in &loaded.notes {
            notes.warning(span, self.key(name), note, "all other keys of the set are used as they are");
        }
        let idle: AlgorithmSet = wanted
            .iter()
            .flat_map(|wanted| wanted.iter())
            .filter(|algorithm| !loaded.algorithms.contains(*algorithm))
            .collect();
        if !idle.is_empty() {
            let problem = format!("no key of this issuer can be used with {idle}");
            let advice = format!("the keys there are can be used with {}", loaded.algorithms);
            notes.error(algorithms.unwrap_or(span), self.key("algorithms"), problem, advice);
        }
        Some(loaded)
    }
}

/// What to do about a secret that cannot be used.
fn advice_on_secret(error: &LoadError) -> &'static str {
    match error {
        LoadError::Key(KeyError::ShortSecret { .. }) => {
            "make one of 64 letters (openssl rand -hex 32) and let the issuer sign with it;\n\
             if the issuer cannot change its key, write short_key = \"accept\" below it"
        }
        LoadError::Key(KeyError::PublicAsSecret) => "write pem = \"FILE\" in place of `secret`",
        LoadError::Key(KeyError::PublishedDefault(_)) => "set a secret of your own in the issuer, and name it here",
        _ => "write { file = \"FILE\" } with the key that the issuer signs with",
    }
}

/// The bytes that the text of a secret stands for. White space inside Base64 and hexadecimal is line breaks.
fn decode(secret: Secret<Vec<u8>>, encoding: Encoding) -> Result<Secret<Vec<u8>>, String> {
    if encoding == Encoding::Utf8 {
        return Ok(secret);
    }
    let dense: Vec<u8> = secret.expose().iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let dense = Secret::new(dense);
    let bytes = match encoding {
        Encoding::Hex => hex(dense.expose()).ok_or("the secret is no even number of hexadecimal digits")?,
        Encoding::Base64 | Encoding::Utf8 => {
            let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
            let engine = GeneralPurpose::new(&STANDARD, config);
            engine.decode(dense.expose()).map_err(|_| "the secret is no Base64 of the standard alphabet (+ and /)")?
        }
    };
    Ok(Secret::new(bytes))
}

fn hex(digits: &[u8]) -> Option<Vec<u8>> {
    let value = |digit: &u8| char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => Some(value(high)? << 4 | value(low)?),
        _ => None,
    });
    pairs.collect()
}

/// The key of OFBiz with a salt: the salt's bytes in lower-case hexadecimal, then the text of the key.
fn salted(salt: &Secret<String>, key: &Secret<Vec<u8>>) -> Secret<Vec<u8>> {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or_default();
    let salt = salt.expose().bytes().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    let length = salt.clone().count();
    let mut bytes = Vec::with_capacity(length + key.expose().len());
    bytes.extend(salt.filter_map(|digit| u8::try_from(digit).ok()));
    bytes.extend_from_slice(key.expose());
    Secret::new(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str, encoding: Encoding) -> Option<Vec<u8>> {
        decode(Secret::new(text.as_bytes().to_vec()), encoding).ok().map(|secret| secret.expose().clone())
    }

    #[test]
    fn secrets_are_decoded() {
        assert_eq!(decoded("a b", Encoding::Utf8).unwrap(), b"a b");
        for text in ["AP8+", "AP8\n+"] {
            assert_eq!(decoded(text, Encoding::Base64).unwrap(), [0, 255, 62]);
        }
        assert_eq!(decoded("AA==", Encoding::Base64), decoded("AA", Encoding::Base64));
        assert_eq!(decoded("00fFa9", Encoding::Hex).unwrap(), [0, 255, 0xa9]);
        for text in ["AP8-", "A", "AB"] {
            assert_eq!(decoded(text, Encoding::Base64), None, "{text}");
        }
        for text in ["0", "0g", "+1"] {
            assert_eq!(decoded(text, Encoding::Hex), None, "{text}");
        }
    }

    #[test]
    fn a_salt_stands_before_the_key_in_hexadecimal() {
        let salted = salted(&Secret::new("aZ\u{e9}".into()), &Secret::new(b"key".to_vec()));
        assert_eq!(salted.expose(), b"615ac3a9key");
    }
}
