//! Where fetched keys go: into force, and what is to be known of them before the operator.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::admin::health::{Latch, Readiness};
use crate::decision::keys::IssuerSlot;
use crate::keys::revoked::{Around, Revokers};
use crate::keys::{Hooks, Settings};
use crate::live::Publisher;
use crate::telemetry::metrics::Metrics;
use crate::time::{Clock, UnixSeconds};

/// How much longer a request waits for keys than a fetch may take.
const BEYOND_FETCH: Duration = Duration::from_secs(1);

/// How long a request waits for keys: until the slowest issuer has answered, or could not.
pub(super) fn patience(issuers: &[Settings]) -> Duration {
    let slowest = issuers.iter().filter_map(|issuer| Some(issuer.plan()?.timeout)).max();
    slowest.unwrap_or_default() + BEYOND_FETCH
}

/// What is awaited before the process counts as ready: the issuers that have no keys yet.
pub(super) fn awaited(slots: &[IssuerSlot], now: UnixSeconds, readiness: &Readiness) -> HashMap<String, Latch> {
    let without = slots.iter().filter(|slot| slot.keys(now).is_none());
    without.map(|slot| (slot.issuer.name.to_string(), readiness.hold(&words(&slot.issuer.name)))).collect()
}

/// Takes what is known of keys to where it belongs.
pub(super) fn hooks<F: 'static>(
    publisher: Rc<RefCell<Publisher<F>>>,
    readiness: Readiness,
    awaited: HashMap<String, Latch>,
) -> Hooks {
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
pub(super) fn revokers<F: 'static>(
    publisher: &Rc<RefCell<Publisher<F>>>,
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
