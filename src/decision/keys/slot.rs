//! An issuer with what is known of its keys at one moment.

use std::sync::Arc;

use super::{Issuer, KeySet, Print};
use crate::time::UnixSeconds;

/// The place of an issuer in the snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IssuerId(pub usize);

/// An issuer with the keys it has now.
#[derive(Clone, Debug)]
pub struct IssuerSlot {
    /// Its rules.
    pub issuer: Arc<Issuer>,
    keys: Option<Arc<KeySet>>,
    supply: Supply,
    /// With its keys, and without them.
    stamps: [Stamp; 2],
}

/// Where keys came from, as far as a decision wants to know: whether they grow old, and whether newer ones may be had.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Supply {
    /// With the config. They change with it alone.
    Given,
    /// Over a network that may fail.
    Fetched(Fetched),
}

/// What is known of fetches. Moments are of the wall clock, since they outlive the process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fetched {
    /// The last good fetch; `None`: there was none.
    pub good: Option<UnixSeconds>,
    /// For how many seconds after it a set may be used.
    pub stale: f64,
    /// The last fetch that a token caused; `None`: there was none.
    pub asked: Option<UnixSeconds>,
    /// How many seconds must lie between two of those.
    pub pause: f64,
}

/// Tells apart what a proof rests on: an issuer's keys and its rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp([u8; 32]);

impl IssuerSlot {
    /// An issuer with keys that the config gave.
    pub fn new(issuer: Arc<Issuer>, keys: Arc<KeySet>) -> Self {
        Self::supplied(issuer, Some(keys), Supply::Given)
    }

    /// An issuer with keys from elsewhere; `None`: there are none yet.
    pub fn supplied(issuer: Arc<Issuer>, keys: Option<Arc<KeySet>>, supply: Supply) -> Self {
        let stamp = |keys: Option<&KeySet>| {
            let mut print = Print::new();
            print.add(format!("{issuer:?}").as_bytes());
            print.add(&keys.map(|keys| keys.print).unwrap_or_default());
            Stamp(print.finish())
        };
        Self { stamps: [stamp(keys.as_deref()), stamp(None)], issuer, keys, supply }
    }

    /// The same issuer, later: `keys` are those that are there now, `None` where those of before stay.
    pub fn refreshed(&self, keys: Option<Arc<KeySet>>, fetched: Fetched) -> Self {
        match keys {
            Some(keys) => Self::supplied(Arc::clone(&self.issuer), Some(keys), Supply::Fetched(fetched)),
            None => Self { supply: Supply::Fetched(fetched), ..self.clone() },
        }
    }

    /// This issuer with the keys that `before` fetched. How long they may be used is for this one to say. Keys that the
    /// config gave are given anew with each.
    pub fn succeeding(self, before: &Self) -> Self {
        match (self.supply, before.supply) {
            (Supply::Fetched(own), Supply::Fetched(Fetched { good, asked, .. })) => {
                Self::supplied(self.issuer, before.keys.clone(), Supply::Fetched(Fetched { good, asked, ..own }))
            }
            _ => self,
        }
    }

    /// The keys that may be used now; `None`: there never were any, or they are too old.
    pub fn keys(&self, now: UnixSeconds) -> Option<&Arc<KeySet>> {
        let fresh = match self.supply {
            Supply::Given => true,
            Supply::Fetched(fetched) => fetched.good.is_some_and(|good| now.since(good) < fetched.stale),
        };
        self.keys.as_ref().filter(|_| fresh)
    }

    /// Where they came from.
    pub fn supply(&self) -> Supply {
        self.supply
    }

    /// Whether a token may cause a fetch now.
    pub fn may_ask(&self, now: UnixSeconds) -> bool {
        match self.supply {
            Supply::Given => false,
            // A clock that was set back must not keep anybody waiting for what it already told once.
            Supply::Fetched(Fetched { asked, pause, .. }) => {
                asked.is_none_or(|asked| now < asked || now.since(asked) >= pause)
            }
        }
    }

    /// Changes whenever the rules do, or the keys that may be used.
    pub fn stamp(&self, now: UnixSeconds) -> Stamp {
        let [with, without] = self.stamps;
        if self.keys(now).is_some() { with } else { without }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::verify::tests::{NOW, issuer};

    fn at(later: f64) -> UnixSeconds {
        UnixSeconds::new(NOW + later).unwrap()
    }

    fn slot(good: Option<f64>, asked: Option<f64>) -> IssuerSlot {
        let fetched = Fetched { good: good.map(at), stale: 60.0, asked: asked.map(at), pause: 10.0 };
        let keys = good.map(|_| Arc::new(KeySet::new(Vec::new())));
        IssuerSlot::supplied(Arc::new(issuer("fetched")), keys, Supply::Fetched(fetched))
    }

    #[test]
    fn fetched_keys_grow_old() {
        let had = slot(Some(0.0), None);
        assert!(had.keys(at(0.0)).is_some() && had.keys(at(59.9)).is_some());
        assert!(had.keys(at(60.0)).is_none());
        assert!(had.keys(at(-3600.0)).is_some(), "a clock that was set back makes nothing older");
        assert!(slot(None, None).keys(at(0.0)).is_none());
    }

    #[test]
    fn a_token_causes_a_fetch_once_a_pause() {
        assert!(slot(None, None).may_ask(at(0.0)));
        let asked = slot(Some(0.0), Some(0.0));
        assert!(!asked.may_ask(at(0.0)) && !asked.may_ask(at(9.9)));
        assert!(asked.may_ask(at(10.0)));
        assert!(asked.may_ask(at(-3600.0)), "a clock that was set back keeps nobody waiting");
        let given = IssuerSlot::new(Arc::new(issuer("given")), Arc::new(KeySet::new(Vec::new())));
        assert!(!given.may_ask(at(0.0)) && given.keys(at(1e9)).is_some());
    }

    #[test]
    fn word_that_nothing_changed_leaves_proofs_alone() {
        let before = slot(Some(0.0), None);
        let Supply::Fetched(fetched) = before.supply() else { panic!("it was fetched") };
        let later = Fetched { good: Some(at(50.0)), ..fetched };
        let after = before.refreshed(None, later);
        assert_eq!(after.stamp(at(1.0)), before.stamp(at(1.0)));
        assert_ne!(after.stamp(at(70.0)), before.stamp(at(70.0)), "a proof by keys that grew old is none");
        assert!(before.keys(at(70.0)).is_none() && after.keys(at(70.0)).is_some());
    }
    #[test]
    fn a_successor_takes_over_what_was_fetched_and_judges_its_age_itself() {
        let before = slot(Some(0.0), Some(0.0));
        let own = Fetched { good: None, stale: 30.0, asked: None, pause: 5.0 };
        let next = IssuerSlot::supplied(Arc::new(issuer("fetched")), None, Supply::Fetched(own)).succeeding(&before);
        assert!(next.keys(at(29.0)).is_some() && next.keys(at(30.0)).is_none());
        assert!(!next.may_ask(at(4.0)) && next.may_ask(at(5.0)));
        let given = || IssuerSlot::new(Arc::new(issuer("fetched")), Arc::new(KeySet::new(Vec::new())));
        assert_eq!(given().succeeding(&before).supply(), Supply::Given);
    }
}
