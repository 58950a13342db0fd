//! What comes from elsewhere and changes by itself: keys that are fetched, and lists of tokens that were taken back. Where it
//! goes: into force, and what is to be known of it before the operator.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::admin::health::{Latch, Readiness};
use crate::config::Config;
use crate::decision::keys::IssuerSlot;
use crate::keys::revoked::{Around, Revokers, read_by_fetched_keys};
use crate::keys::{Errands, Hooks, Keeper, Settings};
use crate::live::Publisher;
use crate::proxy::Front;
use crate::telemetry::metrics::Metrics;
use crate::time::{Clock, UnixSeconds};

/// How much longer a request waits for keys than a fetch may take.
const BEYOND_FETCH: Duration = Duration::from_secs(1);

/// How long a request waits for keys: until the slowest issuer has answered, or could not.
pub(super) fn patience(issuers: &[Settings]) -> Duration {
    let slowest = issuers.iter().filter_map(|issuer| Some(issuer.plan()?.timeout)).max();
    slowest.unwrap_or_default() + BEYOND_FETCH
}

/// Whoever keeps the keys of a config, which gets those that lie on shelves, and the lists that they prove.
pub(super) fn keeper(config: &mut Config, clock: &Clock, metrics: &Arc<Metrics>) -> Keeper {
    let meters = Arc::clone(metrics);
    let keeper = Keeper::new(&config.issuers, clock.clone(), move |issuer| meters.issuer(issuer));
    keeper.furnish(&mut config.snapshot.issuers);
    read_by_fetched_keys(&config.issuers, &mut config.snapshot.issuers);
    keeper
}

/// Whoever keeps what comes from elsewhere.
#[derive(Clone)]
pub(super) struct Sources {
    keeper: Keeper,
    revokers: Rc<Revokers>,
}

impl Sources {
    /// Keeps what these issuers need from now on. `slots` are about to be in force: they get what is known already, so that
    /// no request is judged by less.
    pub(super) fn replace(&self, issuers: &[Settings], slots: &mut [IssuerSlot]) {
        self.keeper.replace(issuers);
        self.keeper.furnish(slots);
        self.revokers.replace(issuers, slots);
        read_by_fetched_keys(issuers, slots);
    }
}

/// The sources, and what they need to run.
pub(super) struct Supplies {
    pub(super) sources: Sources,
    errands: Errands,
    hooks: Hooks,
}

impl Supplies {
    /// Keeps what the issuers of a config need, which is in force already.
    pub(super) fn new(
        keeper: Keeper,
        errands: Errands,
        publisher: &Rc<RefCell<Publisher<Front>>>,
        config: &Config,
        clock: &Clock,
        metrics: &Arc<Metrics>,
        readiness: &Readiness,
    ) -> Self {
        let mut slots = config.snapshot.issuers.clone();
        let awaited = match config.admin.ready_without_keys {
            true => HashMap::new(),
            false => awaited(&slots, clock.now(), readiness),
        };
        let revokers = Rc::new(revokers(publisher, clock.clone(), metrics, readiness));
        revokers.replace(&config.issuers, &mut slots);
        let hooks = hooks(Rc::clone(publisher), readiness.clone(), awaited);
        Self { sources: Sources { keeper, revokers }, errands, hooks }
    }

    /// Runs for ever.
    pub(super) async fn run(self) {
        let Self { sources: Sources { keeper, revokers }, errands, hooks } = self;
        tokio::join!(keeper.run(errands, hooks, |plan| async move { plan.bring().await }), revokers.run());
    }
}

/// What is awaited before the process counts as ready: the issuers that have no keys yet.
fn awaited(slots: &[IssuerSlot], now: UnixSeconds, readiness: &Readiness) -> HashMap<String, Latch> {
    let without = slots.iter().filter(|slot| slot.keys(now).is_none());
    without.map(|slot| (slot.issuer.name.to_string(), readiness.hold(&words(&slot.issuer.name)))).collect()
}

/// Takes what is known of keys to where it belongs.
fn hooks(publisher: Rc<RefCell<Publisher<Front>>>, readiness: Readiness, awaited: HashMap<String, Latch>) -> Hooks {
    let awaited = RefCell::new(awaited);
    Hooks {
        amend: Box::new(move |issuer, keys, fetched| {
            publisher.borrow_mut().amend(issuer, |slot| slot.refreshed(keys, fetched));
        }),
        standing: Box::new(move |issuer, standing| {
            if standing.as_ref().is_none_or(|standing| standing.supplied) {
                awaited.borrow_mut().remove(issuer);
            }
            match standing.and_then(|standing| standing.warning) {
                Some(warning) => readiness.warn(&words(issuer), warning),
                None => readiness.clear(&words(issuer)),
            }
        }),
    }
}

/// Whoever keeps the lists of revoked tokens, and puts them in force.
fn revokers(
    publisher: &Rc<RefCell<Publisher<Front>>>,
    clock: Clock,
    metrics: &Arc<Metrics>,
    readiness: &Readiness,
) -> Revokers {
    let (publisher, live, readiness) = (Rc::clone(publisher), publisher.borrow().live(), readiness.clone());
    Revokers::new(Around {
        clock,
        metrics: Arc::clone(metrics),
        slot: Box::new(move |issuer| {
            let epoch = live.epoch();
            epoch.snapshot.issuers.iter().find(|slot| &*slot.issuer.name == issuer).cloned()
        }),
        amend: Box::new(move |issuer, known| {
            let change = |slot: &IssuerSlot| slot.clone().with_revocations(Some(known));
            publisher.borrow_mut().amend(issuer, change);
        }),
        warn: Box::new(move |issuer, told| {
            let key = format!("revoked of {issuer}");
            match told {
                Some(text) => readiness.warn(&key, text),
                None => readiness.clear(&key),
            }
        }),
    })
}

fn words(issuer: &str) -> String {
    format!("keys of {issuer}")
}
