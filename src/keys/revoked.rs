//! Lists of tokens that issuers took back: where they are, and keeping them as they are there.
//!
//! A list changes on its own, whether or not the config does. One that went bad stays in force as it was before, and so
//! does one whose file is gone: that nobody is revoked any more is said by an empty list, not by none.

mod keeper;
mod lines;
mod read;
mod token;

use std::cell::RefCell;
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use tokio::task::{AbortHandle, LocalSet};

use super::Address;
use crate::decision::keys::IssuerSlot;
use crate::decision::revocation::{Missing, Place, Revocations};
use crate::telemetry::metrics::Metrics;
use crate::time::{Clock, UnixSeconds};
use keeper::{Keeper, from_file};
pub use read::ListError;
use read::Reader;

/// What the operator says of one issuer's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where it is.
    pub from: From,
    /// What holds while it cannot be had.
    pub missing: Missing,
}

/// Where a list comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum From {
    /// A file.
    File(PathBuf),
    /// A URL: as it was written, since a status list must call itself so, and as it is asked.
    Url {
        /// As it was written.
        text: Box<str>,
        /// What is asked.
        address: Address,
        /// PEM file of the authorities to trust instead of the usual ones.
        ca: Option<PathBuf>,
    },
}

impl fmt::Debug for From {
    /// Without the query of a URL, in which some services want a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            From::File(path) => write!(f, "{path:?}"),
            From::Url { address, ca, .. } => write!(f, "{address}, {ca:?}"),
        }
    }
}

impl Settings {
    /// Where the list is, for people and for decisions.
    fn place(&self) -> Place {
        match &self.from {
            From::File(path) => Place::File(path.display().to_string().into()),
            From::Url { address, .. } => Place::Url(address.to_string().into()),
        }
    }

    /// What is known with the config: a list in a file is read at once, others are not known yet. Also tells why a file
    /// gives no list.
    pub fn first(&self, slot: &IssuerSlot) -> (Revocations, Option<ListError>) {
        let unknown = Revocations::unknown(self.place(), self.missing);
        let From::File(path) = &self.from else { return (unknown, None) };
        // Nothing is too old here: whoever judges has a clock.
        let Some(now) = UnixSeconds::new(0.0) else { return (unknown, None) };
        let reader = Reader { slot: slot.clone(), uri: None, now };
        match from_file(path).and_then(|bytes| reader.read(&bytes)) {
            Ok(list) => (Revocations { list: Some(Arc::new(list)), ..unknown }, None),
            Err(error) => (unknown, Some(error)),
        }
    }
}

/// Reads lists in files once more where the keys of their issuer, which sign a status list, are fetched ones: when the
/// config was loaded they were not there.
pub fn read_by_fetched_keys(issuers: &[super::Settings], slots: &mut [IssuerSlot]) {
    for slot in slots.iter_mut().filter(|slot| slot.revoked().is_some_and(|known| known.list.is_none())) {
        let own = issuers.iter().find(|own| own.issuer.name == slot.issuer.name && own.plan().is_some());
        let known = own.and_then(|own| own.revoked.as_ref()).map(|settings| settings.first(slot).0);
        if let Some(known) = known.filter(|known| known.list.is_some()) {
            *slot = slot.clone().with_revocations(Some(Arc::new(known)));
        }
    }
}

/// Gives word about the issuer of a name.
pub type Ask<T> = Box<dyn Fn(&str) -> T>;
/// Takes word about the issuer of a name.
pub type Tell<T> = Box<dyn Fn(&str, T)>;

/// What keeping lists needs of the rest of the program.
pub struct Around {
    /// The time.
    pub clock: Clock,
    /// Where loads are counted.
    pub metrics: Arc<Metrics>,
    /// The slot of an issuer that is in force, by name.
    pub slot: Ask<Option<IssuerSlot>>,
    /// Puts what is known for an issuer in force.
    pub amend: Tell<Arc<Revocations>>,
    /// Shows what an operator should know of an issuer's list; `None`: all is well.
    pub warn: Tell<Option<String>>,
}

/// Keeps the lists of all issuers.
pub struct Revokers {
    around: Rc<Around>,
    tasks: RefCell<Vec<Task>>,
    local: LocalSet,
}

/// What is in force for one issuer, shared with whoever keeps it.
type Held = Rc<RefCell<Arc<Revocations>>>;

struct Task {
    issuer: Arc<str>,
    from: From,
    held: Held,
    running: AbortHandle,
}

impl Task {
    /// The same, where from now on that holds while the list cannot be had.
    fn holding(self, missing: Missing) -> Self {
        let known = Revocations { missing, ..Revocations::clone(&self.held.borrow()) };
        *self.held.borrow_mut() = Arc::new(known);
        self
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Revokers {
    /// Keeps nothing yet.
    pub fn new(around: Around) -> Self {
        Self { around: Rc::new(around), tasks: RefCell::default(), local: LocalSet::new() }
    }

    /// Keeps the lists of these issuers from now on, and no others. `slots` are those that are about to be in force: where
    /// a list comes from the same place as before, they get what is known already, so that no request is judged by less.
    pub fn replace(&self, issuers: &[super::Settings], slots: &mut [IssuerSlot]) {
        let mut before = self.tasks.take();
        let mut tasks = Vec::new();
        for slot in slots {
            let name = Arc::clone(&slot.issuer.name);
            let own = issuers.iter().find(|own| own.issuer.name == name);
            let (Some(settings), Some(first)) = (own.and_then(|own| own.revoked.as_ref()), slot.revoked()) else {
                continue;
            };
            match before.iter().position(|task| task.issuer == name && task.from == settings.from) {
                Some(at) => {
                    let task = before.swap_remove(at).holding(settings.missing);
                    if task.held.borrow().list.is_some() {
                        *slot = slot.clone().with_revocations(Some(Arc::clone(&task.held.borrow())));
                    }
                    tasks.push(task);
                }
                None => tasks.push(self.start(name, settings.clone(), Arc::clone(first))),
            }
        }
        for gone in &before {
            if tasks.iter().all(|task| task.issuer != gone.issuer) {
                (self.around.warn)(&gone.issuer, None);
            }
        }
        *self.tasks.borrow_mut() = tasks;
    }

    /// Keeps them, for ever.
    pub async fn run(&self) {
        self.local.run_until(std::future::pending::<()>()).await;
    }

    fn start(&self, issuer: Arc<str>, settings: Settings, first: Arc<Revocations>) -> Task {
        let held = Rc::new(RefCell::new(first));
        let keeper = Keeper::new(Arc::clone(&issuer), settings.clone(), Rc::clone(&held), Rc::clone(&self.around));
        let running = self.local.spawn_local(keeper.run()).abort_handle();
        Task { issuer, from: settings.from, held, running }
    }
}

#[cfg(test)]
mod tests;
