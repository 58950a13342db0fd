//! Proofs that succeeded, so that a token that is sent again is not proven again.
//!
//! A memo saves work and never changes an answer: what is remembered is that a signature was found good under certain
//! keys and rules, by the exact bytes of the token; time, revocation and policy are looked at anew on every request.
//! Only successes are remembered, so junk cannot push out the good.

use std::hash::{Hash, Hasher, RandomState};
use std::sync::Arc;

use equivalent::Equivalent;
use quick_cache::unsync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

use super::keys::Stamp;
use super::principal::Principal;

/// Remembers proofs, bounded by number and by bytes. Belongs to one worker.
pub struct Memo {
    settings: Settings,
    proofs: Option<Proofs>,
}

/// How much is remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Tokens; 0: none at all.
    pub entries: usize,
    /// Bytes that they may take.
    pub size: u64,
}

type Proofs = Cache<Known, Proof, Weight, RandomState, DefaultLifecycle<Known, Proof>>;

/// A proven token, known by its bytes, which are compared whole after the hash.
struct Known(Arc<Principal>);

struct Proof {
    /// The stamps of the issuers that were asked, up to the one that proved the token.
    asked: Box<[Stamp]>,
    principal: Arc<Principal>,
}

#[derive(Clone)]
struct Weight {
    /// What an entry weighs at least, so that the number of entries is bounded together with their bytes.
    least: u64,
}

impl Weighter<Known, Proof> for Weight {
    fn weight(&self, known: &Known, _: &Proof) -> u64 {
        // The claims are at most as long as the token and are kept decoded beside it.
        (known.token().len() as u64 * 4 + 512).max(self.least)
    }
}

impl Memo {
    /// A memo of at most so many entries and so many bytes; none of either turns it off.
    pub fn new(entries: usize, bytes: u64) -> Self {
        let settings = Settings { entries, size: bytes };
        if entries == 0 || bytes == 0 {
            return Self { settings, proofs: None };
        }
        let least = (bytes / entries as u64).max(1);
        let options = OptionsBuilder::new().estimated_items_capacity(entries).weight_capacity(bytes).build();
        let cache = options.ok().map(|options| {
            Cache::with_options(options, Weight { least }, RandomState::new(), DefaultLifecycle::default())
        });
        Self { settings, proofs: cache }
    }

    /// A memo that remembers nothing.
    pub fn off() -> Self {
        Self::new(0, 0)
    }

    /// Begins anew where other settings are in force than those it was made by.
    pub fn fit(&mut self, settings: Settings) {
        if self.settings != settings {
            *self = Self::new(settings.entries, settings.size);
        }
    }

    /// The proof of a token, if `still` says that the same issuers would be asked first, unchanged.
    pub(super) fn recall(
        &mut self,
        token: &[u8],
        still: impl FnOnce(&Principal, &[Stamp]) -> bool,
    ) -> Option<Arc<Principal>> {
        let proof = self.proofs.as_mut()?.get(&Token(token))?;
        still(&proof.principal, &proof.asked).then(|| Arc::clone(&proof.principal))
    }

    /// Remembers that the last of `asked` proved the token of `principal`.
    pub(super) fn remember(&mut self, asked: Box<[Stamp]>, principal: Arc<Principal>) {
        if let Some(cache) = &mut self.proofs {
            cache.insert(Known(Arc::clone(&principal)), Proof { asked, principal });
        }
    }
}

impl std::fmt::Debug for Memo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.proofs {
            Some(cache) => write!(f, "Memo({} proofs)", cache.len()),
            None => f.write_str("Memo(off)"),
        }
    }
}

impl Known {
    fn token(&self) -> &[u8] {
        self.0.token.expose()
    }
}

impl Hash for Known {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.token().hash(state);
    }
}

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        self.0.token == other.0.token
    }
}

impl Eq for Known {}

/// A token that is looked for; hashes as [`Known`] does.
#[derive(Hash)]
struct Token<'t>(&'t [u8]);

impl Equivalent<Known> for Token<'_> {
    fn equivalent(&self, known: &Known) -> bool {
        // Who can make two tokens meet here already has the token: the hash is seeded at random.
        self.0 == known.token()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::keys::{Algorithm, IssuerId};
    use crate::decision::policy::Policy;
    use crate::decision::route::tests::default;
    use crate::decision::verify::tests::{NOW, OWN, issuer, payload, slot, snapshot};
    use crate::decision::verify::{Token, prove};
    use crate::decision::witness::Nobody;
    use crate::time::UnixSeconds;

    #[test]
    fn a_memo_that_fits_is_kept_and_another_begins_anew() {
        let slots = vec![slot(issuer("own"), vec![OWN.key(None, &[Algorithm::HS256])])];
        let snapshot = snapshot(slots, vec![default(Policy::Deny)]);
        let token = OWN.token(Algorithm::HS256, r#"{"alg":"HS256"}"#, &payload(&[], ""));
        let token = Token { bytes: token.as_bytes(), issuers: &[IssuerId(0)] };
        let own = Settings { entries: 8, size: 1 << 16 };
        let mut memo = Memo::new(own.entries, own.size);
        prove(token, &snapshot, &mut memo, UnixSeconds::new(NOW).unwrap(), &mut Nobody).unwrap();
        for (settings, told) in [
            (own, "Memo(1 proofs)"),
            (Settings { entries: 9, ..own }, "Memo(0 proofs)"),
            (Settings { entries: 0, ..own }, "Memo(off)"),
            (own, "Memo(0 proofs)"),
        ] {
            memo.fit(settings);
            assert_eq!(format!("{memo:?}"), told);
        }
    }

    #[test]
    fn a_memo_tells_how_much_it_remembers_and_not_what() {
        let slots = vec![slot(issuer("own"), vec![OWN.key(None, &[Algorithm::HS256])])];
        let snapshot = snapshot(slots, vec![default(Policy::Deny)]);
        let token = OWN.token(Algorithm::HS256, r#"{"alg":"HS256"}"#, &payload(&[], ""));
        for (mut memo, told, again) in [
            (Memo::new(8, 1 << 16), "Memo(1 proofs)", true),
            (Memo::new(0, 1 << 16), "Memo(off)", false),
            (Memo::off(), "Memo(off)", false),
        ] {
            let mut remembered = || {
                let token = Token { bytes: token.as_bytes(), issuers: &[IssuerId(0)] };
                prove(token, &snapshot, &mut memo, UnixSeconds::new(NOW).unwrap(), &mut Nobody).unwrap().remembered
            };
            assert_eq!((remembered(), remembered()), (false, again));
            assert_eq!(format!("{memo:?}"), told);
        }
    }
}
