//! What is known of the keys of one issuer, and when it is to be asked again.

use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::Id;
use tokio::time::Instant;

use super::super::plan::{Brought, Plan};
use super::super::shelf::{self, Shelved};
use super::super::{Loaded, jwks};
use super::Standing;
use crate::decision::keys::{Fetched, KeySet};
use crate::telemetry::metrics::{FetchOutcome, KeyMeters};
use crate::time::{Clock, UnixSeconds};

/// After how long a fetch that failed is tried again; each further one takes twice as long.
const BACK_OFF: Duration = Duration::from_secs(1);
/// What is odd about a set, as much of it as is told.
const MOST_TOLD: usize = 10;
/// Those who wait, after which it is looked who went away. No more can wait at once.
const MOST_WAITING: usize = 2048;

/// The keys of one issuer.
pub(super) struct Tended {
    pub(super) name: Arc<str>,
    pub(super) plan: Arc<Plan>,
    /// The last good set, however old.
    pub(super) keys: Option<Arc<KeySet>>,
    /// When that was fetched.
    good: Option<UnixSeconds>,
    /// When a token caused a fetch last, by both clocks.
    pub(super) asked: Option<(Instant, UnixSeconds)>,
    /// When it is fetched anew, whoever asks.
    pub(super) due: Instant,
    pub(super) under_way: Option<UnderWay>,
    /// Told by being dropped.
    pub(super) waiting: Vec<Rc<oneshot::Sender<()>>>,
    /// Fetches that failed since the last good one and were due.
    failures: u32,
    /// Why the last fetch failed.
    pub(super) failing: Option<String>,
    /// What the shelf shall hold.
    pub(super) to_shelve: Option<Shelved>,
    /// The job that writes it.
    pub(super) shelving: Option<Id>,
    /// Why the shelf is of no use.
    shelf_trouble: Option<String>,
    /// What was last told of the set.
    notes: Vec<String>,
    /// Whether there is something to tell.
    pub(super) news: bool,
    pub(super) meters: Arc<KeyMeters>,
}

/// A fetch that is under way.
pub(super) struct UnderWay {
    pub(super) id: Id,
    /// Where a token caused it: when, by the clock that nobody can set.
    caused: Option<Instant>,
    began: UnixSeconds,
}

impl Tended {
    /// An issuer that is fetched at once, with what lies on its shelf.
    pub(super) fn new(name: Arc<str>, plan: Arc<Plan>, meters: Arc<KeyMeters>, clock: &Clock) -> Self {
        let mut tended = Self {
            name,
            plan,
            keys: None,
            good: None,
            asked: None,
            due: Instant::now(),
            under_way: None,
            waiting: Vec::new(),
            failures: 0,
            failing: None,
            to_shelve: None,
            shelving: None,
            shelf_trouble: None,
            notes: Vec::new(),
            news: true,
            meters,
        };
        // Of keys from elsewhere, which another kept under this name.
        tended.meters.forget();
        tended.take_from_shelf(clock.now());
        tended
    }

    /// Takes over what is known of the same issuer, where it was fetched from the same place by the same rules: whoever
    /// sets other times, perhaps because the issuer is away, must not lose the keys by it. Strangers gain no fetch either.
    pub(super) fn take_over(&mut self, before: &mut Self) {
        if !self.plan.brings_the_same(&before.plan) {
            return;
        }
        self.asked = before.asked;
        self.failing = before.failing.take();
        // They wait for the fetch that begins now.
        self.waiting = std::mem::take(&mut before.waiting);
        // What lies on another shelf may be older, or newer.
        if let Some(good) = before.good.filter(|good| self.good.is_none_or(|own| own <= *good)) {
            self.keys = before.keys.take();
            self.good = Some(good);
            self.notes = std::mem::take(&mut before.notes);
            self.meters.fetched_at(good);
        }
    }

    /// What a decision wants to know.
    pub(super) fn fetched(&self) -> Fetched {
        Fetched { good: self.good, asked: self.asked.map(|(_, moment)| moment), ..self.plan.unfetched() }
    }

    fn take_from_shelf(&mut self, now: UnixSeconds) {
        let Some(path) = &self.plan.shelf else { return };
        let taken = shelf::read(path, &self.plan.origin.exact()).and_then(|shelved| {
            let Some(shelved) = shelved else { return Ok(None) };
            let loaded = jwks::load(&shelved.set, self.plan.wanted)
                .map_err(|error| format!("{} is not used: {error}", path.display()))?;
            // A set from the future is as old as it can be told to be: the clock was set back since.
            let fetched = UnixSeconds::new(shelved.fetched).filter(|fetched| *fetched < now).unwrap_or(now);
            Ok(Some((loaded, fetched)))
        });
        match taken {
            Ok(None) => {}
            Ok(Some((_, fetched))) if now.since(fetched) >= self.plan.stale.as_secs_f64() => {
                tracing::warn!(issuer = &*self.name, "the keys on the shelf are too old to be used");
            }
            Ok(Some((loaded, fetched))) => {
                tracing::info!(issuer = &*self.name, age = words(now.since(fetched)), "the keys on the shelf are used");
                self.take(loaded, fetched);
            }
            Err(why) => {
                tracing::warn!(issuer = &*self.name, "the shelf {why}");
                self.shelf_trouble = Some(why);
            }
        }
    }

    /// A fetch has begun; `caused` by a token, at that moment.
    pub(super) fn begun(&mut self, id: Id, caused: Option<Instant>, now: UnixSeconds) {
        self.under_way = Some(UnderWay { id, caused, began: now });
        // Counted from the beginning: what is published after that may be asked for one pause later.
        self.asked = caused.map(|at| (at, now)).or(self.asked);
    }

    /// Has someone wait for the fetch that is under way.
    pub(super) fn wait(&mut self, done: Rc<oneshot::Sender<()>>) {
        if self.waiting.len() >= MOST_WAITING {
            self.waiting.retain(|waiting| !waiting.is_closed());
        }
        self.waiting.push(done);
    }

    /// Takes in how the fetch under way ended; the keys that it brought.
    pub(super) fn ended(&mut self, brought: Result<Brought, String>, now: Instant) -> Option<Arc<KeySet>> {
        let under_way = self.under_way.take()?;
        self.news = true;
        match brought {
            Ok(brought) => {
                self.meters.fetch(FetchOutcome::Good);
                if self.failing.take().is_some() {
                    tracing::info!(issuer = &*self.name, "the keys can be fetched again");
                }
                self.failures = 0;
                let kept = brought.fresh.unwrap_or(self.plan.refresh).max(self.plan.pause).min(self.plan.refresh);
                self.due = now + kept.mul_f64(jitter(0.9));
                self.to_shelve = self.plan.shelf.as_ref().map(|_| Shelved {
                    origin: self.plan.origin.exact(),
                    fetched: under_way.began.seconds(),
                    set: brought.text,
                });
                self.take(brought.loaded, under_way.began);
                self.keys.clone()
            }
            Err(why) => {
                self.meters.fetch(FetchOutcome::Failed);
                tracing::warn!(issuer = &*self.name, "the keys cannot be fetched: {why}");
                self.failing = Some(why);
                let factor = 2_u32.saturating_pow(self.failures);
                let wait = BACK_OFF.saturating_mul(factor).min(self.plan.refresh).mul_f64(jitter(0.8));
                self.due = match under_way.caused {
                    None => {
                        self.failures = self.failures.saturating_add(1);
                        now + wait
                    }
                    // What strangers cause does not put off what is tried anyway, and nothing is tried at once again.
                    Some(_) => self.due.clamp(now + wait.min(BACK_OFF), now + wait),
                };
                None
            }
        }
    }

    /// Takes keys that were fetched at that moment.
    fn take(&mut self, loaded: Loaded, fetched: UnixSeconds) {
        let ids = |set: &KeySet| set.keys().iter().map(|key| key.id().map(str::to_owned)).collect::<Vec<_>>();
        if self.keys.as_ref().is_none_or(|before| ids(before) != ids(&loaded.keys)) {
            tracing::info!(issuer = &*self.name, keys = loaded.keys.keys().len(), "a new key set is in use");
        }
        if loaded.notes != self.notes {
            for note in loaded.notes.iter().take(MOST_TOLD) {
                tracing::warn!(issuer = &*self.name, "{note}");
            }
            if let Some(more) = loaded.notes.len().checked_sub(MOST_TOLD).filter(|more| *more > 0) {
                tracing::warn!(issuer = &*self.name, "{more} more things are odd about the set");
            }
        }
        self.notes = loaded.notes;
        self.keys = Some(Arc::new(loaded.keys));
        self.good = Some(fetched);
        self.meters.fetched_at(fetched);
    }

    /// Takes in whether the shelf could be written.
    pub(super) fn shelved(&mut self, trouble: Option<String>) {
        self.shelving = None;
        if let Some(why) = trouble.as_ref().filter(|why| self.shelf_trouble.as_ref() != Some(*why)) {
            tracing::warn!(issuer = &*self.name, "the shelf {why}");
        }
        self.shelf_trouble = trouble;
        self.news = true;
    }

    /// Keys that cannot be refreshed are older now.
    pub(super) fn tell_again(&mut self) {
        self.news |= self.failing.is_some();
    }

    /// How it stands now.
    pub(super) fn standing(&self, now: UnixSeconds) -> Standing {
        let (name, stale) = (&self.name, self.plan.stale.as_secs_f64());
        let age = self.good.map(|good| now.since(good).max(0.0));
        let failing = self.failing.as_ref().map(|why| match age {
            None => format!("the keys of {name} could not be fetched yet ({why})"),
            Some(age) if age < stale => format!(
                "the keys of {name} are {} old and cannot be refreshed ({why}); they are used until they are {} old",
                words(age),
                words(stale)
            ),
            Some(age) => format!(
                "the keys of {name} are {} old, too old to be used, and cannot be refreshed ({why})",
                words(age)
            ),
        });
        let shelf = self.shelf_trouble.as_ref().map(|why| format!("the shelf of {name}: {why}"));
        let both: Vec<String> = [failing, shelf].into_iter().flatten().collect();
        Standing { supplied: age.is_some_and(|age| age < stale), warning: (!both.is_empty()).then(|| both.join("; ")) }
    }
}

/// A factor from `least` to one, so that many processes do not ask at the same moment.
fn jitter(least: f64) -> f64 {
    // Freshly keyed each time; nothing hangs on whether it can be guessed.
    let drawn = u16::try_from(RandomState::new().hash_one(0) >> 48).unwrap_or_default();
    least + (1.0 - least) * f64::from(drawn) / f64::from(u16::MAX)
}

/// A length of time for people.
fn words(seconds: f64) -> String {
    let units = [(86_400.0, "d"), (3_600.0, "h"), (60.0, "min")];
    match units.into_iter().find(|(unit, _)| seconds >= 2.0 * unit) {
        Some((unit, name)) => format!("{} {name}", (seconds / unit).floor()),
        None => format!("{} s", seconds.floor()),
    }
}
