//! Keys that sign the tokens of cases: the issuer's own secret, or a stand-in where only its public key is known.
//!
//! A stand-in counts for the tokens that it signs and for nothing else: a case that brings its own token, and another
//! issuer's case, are judged by the keys of the config.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::decision::keys::{Issuer, IssuerId, IssuerSlot, KeySet};
use crate::decision::snapshot::Snapshot;
use crate::keys::{SignError, Signer};
use crate::secret::Secret;
use crate::time::UnixSeconds;

/// How long a token of a case lives where it does not say and its issuer permits it.
const LIFETIME: f64 = 3600.0;

/// What cases are judged by: a list of revoked tokens that is not at hand says nothing about whether the rules are right.
pub(super) fn known(config: &Config) -> Cow<'_, Snapshot> {
    config.snapshot.disregarding(|revoked| revoked.list.is_none())
}

/// A key for every issuer that can sign.
pub(super) struct StandIns {
    signers: Vec<Signing>,
}

/// What signs the tokens of one issuer.
struct Signing {
    signer: Signer,
    /// The issuer with a key that stands in for its own.
    stand_in: Option<IssuerSlot>,
}

impl StandIns {
    /// Finds or makes a key for every issuer of a config.
    pub(super) fn of(config: &Config) -> Result<Self, SignError> {
        let mut signers = Vec::with_capacity(config.issuers.len());
        for (settings, slot) in config.issuers.iter().zip(&config.snapshot.issuers) {
            signers.push(match Signer::of(settings) {
                Err(SignError::PublicKey(_)) => {
                    let (signer, public) = Signer::stand_in(&slot.issuer)?;
                    let issuer = Issuer { algorithms: public.algorithms(), ..Issuer::clone(&slot.issuer) };
                    let slot = IssuerSlot::new(Arc::new(issuer), Arc::new(KeySet::new(vec![public])))
                        .with_revocations(slot.revoked().cloned());
                    Signing { signer, stand_in: Some(slot) }
                }
                signer => Signing { signer: signer?, stand_in: None },
            });
        }
        Ok(Self { signers })
    }

    /// What the tokens of that issuer are judged by.
    pub(super) fn snapshot<'c>(&self, config: &'c Config, issuer: IssuerId) -> Cow<'c, Snapshot> {
        let stand_in = self.signers.get(issuer.0).and_then(|signing| signing.stand_in.clone());
        let mut snapshot = known(config);
        if let Some(stand_in) = stand_in
            && let Some(slot) = snapshot.to_mut().issuers.get_mut(issuer.0)
        {
            *slot = stand_in;
        }
        snapshot
    }

    /// A token as that issuer would sign it: `exp`, `iat`, `iss` and `aud` are added where the case does not say.
    pub(super) fn sign(
        &self,
        issuer: IssuerId,
        rules: &Issuer,
        claims: &Map<String, Value>,
        now: UnixSeconds,
    ) -> Option<Result<Secret<String>, SignError>> {
        let signer = &self.signers.get(issuer.0)?.signer;
        Some(signer.sign(&Value::Object(with_usual(claims, rules, now))))
    }
}

fn with_usual(claims: &Map<String, Value>, rules: &Issuer, now: UnixSeconds) -> Map<String, Value> {
    let lifetime = rules.max_lifetime.map_or(LIFETIME, |longest| longest.min(LIFETIME));
    let mut all = claims.clone();
    let mut usual = |name: &str, value: Option<Value>| {
        if let (None, Some(value)) = (all.get(name), value) {
            all.insert(name.to_owned(), value);
        }
    };
    usual("iat", Some(json!(now.whole())));
    usual("exp", Some(json!(now.plus(lifetime).whole())));
    usual("iss", rules.issuers.first().map(|iss| json!(iss)));
    usual("aud", rules.audiences.first().map(|aud| json!(aud)));
    all
}
