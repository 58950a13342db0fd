//! Keeps the keys of all issuers whose keys are fetched: fresh in the background, and newer where a token asks for it.
//!
//! It runs on the cold side, as one loop. Fetches and shelves are jobs beside it, at most one of each an issuer. What is
//! known changes in the loop alone, and leaves it through [`Hooks`]: first what is in force is amended, then those who
//! wait are told.
//!
//! Two clocks are in use. What outlives the process, and what a decision looks at, is of the wall clock; everything that
//! is waited for is of the one that nobody can set.

mod tended;

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::courier::{Errand, Errands};
use super::plan::{Brought, Plan};
use super::{Settings, shelf};
use crate::decision::keys::{Fetched, IssuerSlot, KeySet};
use crate::telemetry::metrics::KeyMeters;
use crate::time::Clock;
use tended::Tended;

/// How often the age of keys that cannot be refreshed is told anew.
const TELL: Duration = Duration::from_secs(1);

/// Takes what is known of the keys of an issuer, by its name. No keys: those of before.
type Amend = dyn Fn(&str, Option<Arc<KeySet>>, Fetched);
/// Takes how it stands with an issuer, by its name; `None`: it is not kept any more.
type Tell = dyn Fn(&str, Option<Standing>);
/// Gives the counters of an issuer, by its name.
type Meters = dyn Fn(&str) -> Arc<KeyMeters>;

/// Where what is known goes. They must not call the keeper.
pub struct Hooks {
    /// What it takes is to be in force when it returns.
    pub amend: Box<Amend>,
    /// For whoever tells the operator.
    pub standing: Box<Tell>,
}

/// How it stands with the keys of an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether there are keys that may be used.
    pub supplied: bool,
    /// What an operator should know.
    pub warning: Option<String>,
}

/// The keys of all issuers that are fetched. A clone is the same keeper.
#[derive(Clone)]
pub struct Keeper(Rc<Inner>);

struct Inner {
    state: RefCell<State>,
    changed: Notify,
    clock: Clock,
    meters: Box<Meters>,
}

#[derive(Default)]
struct State {
    tended: Vec<Tended>,
    /// Issuers that are not kept any more, of which nobody was told yet.
    gone: Vec<Arc<str>>,
    /// Those who waited for keys of an issuer that is kept otherwise by now, or not at all. They are told once what
    /// replaced it is in force: before, they would be judged by what was.
    released: Vec<Rc<oneshot::Sender<()>>>,
}

/// What a job brought.
enum Done {
    Fetched(Result<Brought, String>),
    Shelved(Result<(), String>),
}

type Jobs = JoinSet<Done>;

impl Keeper {
    /// A keeper for those of the issuers whose keys are fetched. What lies on their shelves is had at once.
    pub fn new(settings: &[Settings], clock: Clock, meters: impl Fn(&str) -> Arc<KeyMeters> + 'static) -> Self {
        let (state, changed) = (RefCell::default(), Notify::new());
        let keeper = Self(Rc::new(Inner { state, changed, clock, meters: Box::new(meters) }));
        keeper.replace(settings);
        keeper
    }

    /// Takes other settings, which are to be in force before this thread turns to anything else. An issuer that is fetched
    /// as before keeps its keys and its times. One that is fetched at other times keeps its keys, which are as good as
    /// before, and is fetched anew; the others start without.
    pub fn replace(&self, settings: &[Settings]) {
        let mut state = self.0.state.borrow_mut();
        let mut before = std::mem::take(&mut state.tended);
        for (settings, plan) in settings.iter().filter_map(|settings| Some((settings, settings.plan()?))) {
            let name = &settings.issuer.name;
            let same = before.iter().position(|tended| tended.name == *name && *tended.plan == *plan);
            let tended = match same {
                Some(at) => before.swap_remove(at),
                None => {
                    let mut new =
                        Tended::new(Arc::clone(name), Arc::new(plan.clone()), (self.0.meters)(name), &self.0.clock);
                    if let Some(before) = before.iter_mut().find(|tended| tended.name == *name) {
                        new.take_over(before);
                    }
                    new
                }
            };
            state.tended.push(tended);
        }
        for lost in before {
            state.released.extend(lost.waiting);
            if state.tended.iter().all(|tended| tended.name != lost.name) {
                lost.meters.forget();
                state.gone.push(lost.name);
            }
        }
        self.0.changed.notify_one();
    }

    /// Gives the issuers of a config what is known of their keys.
    pub fn furnish(&self, slots: &mut [IssuerSlot]) {
        for tended in &self.0.state.borrow().tended {
            if let Some(slot) = slots.iter_mut().find(|slot| slot.issuer.name == tended.name) {
                *slot = slot.refreshed(tended.keys.clone(), tended.fetched());
            }
        }
    }

    /// Runs for ever. `bring` is what fetches.
    pub async fn run<F>(&self, mut errands: Errands, hooks: Hooks, bring: impl Fn(Arc<Plan>) -> F)
    where
        F: Future<Output = Result<Brought, String>> + Send + 'static,
    {
        let mut jobs = Jobs::new();
        let mut told = Instant::now();
        loop {
            if told.elapsed() >= TELL {
                told = Instant::now();
                self.0.state.borrow_mut().tended.iter_mut().for_each(Tended::tell_again);
            }
            self.start_due(&mut jobs, &bring);
            self.tell(&hooks);
            tokio::select! {
                Some(errand) = errands.recv() => self.take(errand, &mut jobs, &bring),
                Some(ended) = jobs.join_next_with_id() => self.end(ended, &hooks),
                () = sleep_until(self.next(told)) => {}
                () = self.0.changed.notified() => {}
            }
        }
    }

    /// When there is something to do that nobody says.
    fn next(&self, told: Instant) -> Instant {
        let state = self.0.state.borrow();
        let due = state.tended.iter().filter(|tended| tended.under_way.is_none()).map(|tended| tended.due).min();
        let tells = state.tended.iter().any(|tended| tended.failing.is_some());
        let far = told + Duration::from_secs(24 * 60 * 60);
        due.unwrap_or(far).min(if tells { told + TELL } else { far })
    }

    /// Starts the fetches that are due, and puts on its shelf what belongs there.
    fn start_due<F>(&self, jobs: &mut Jobs, bring: &impl Fn(Arc<Plan>) -> F)
    where
        F: Future<Output = Result<Brought, String>> + Send + 'static,
    {
        let now = Instant::now();
        for tended in &mut self.0.state.borrow_mut().tended {
            if tended.under_way.is_none() && tended.due <= now {
                let id = start(jobs, bring, &tended.plan);
                tended.begun(id, None, self.0.clock.now());
            }
            if tended.shelving.is_none()
                && let (Some(shelved), Some(path)) = (tended.to_shelve.take(), tended.plan.shelf.clone())
            {
                let job = move || Done::Shelved(shelf::write(&path, &shelved));
                tended.shelving = Some(jobs.spawn_blocking(job).id());
            }
        }
    }

    /// Has the errand wait for a fetch that is under way, or for one that it causes, issuer by issuer.
    fn take<F>(&self, errand: Errand, jobs: &mut Jobs, bring: &impl Fn(Arc<Plan>) -> F)
    where
        F: Future<Output = Result<Brought, String>> + Send + 'static,
    {
        // Dropped by the last issuer that it waits for, and that is the word.
        let done = Rc::new(errand.done);
        for tended in &mut self.0.state.borrow_mut().tended {
            if !errand.issuers.contains(&tended.name) {
                continue;
            }
            if tended.under_way.is_none() {
                let now = Instant::now();
                if tended.asked.is_some_and(|(asked, _)| now.duration_since(asked) < tended.plan.pause) {
                    continue;
                }
                let id = start(jobs, bring, &tended.plan);
                tended.begun(id, Some(now), self.0.clock.now());
            }
            tended.wait(Rc::clone(&done));
        }
    }

    /// Takes in what a job brought.
    fn end(&self, ended: Result<(Id, Done), JoinError>, hooks: &Hooks) {
        let (id, done) = match ended {
            Ok((id, done)) => (id, Some(done)),
            // It panicked; what it was to bring is still wanted.
            Err(error) => (error.id(), None),
        };
        let mut state = self.0.state.borrow_mut();
        // Of an issuer that is kept otherwise by now, or not at all, nobody wants to hear.
        for tended in &mut state.tended {
            if tended.shelving == Some(id) {
                let failed = || Err(String::from("the shelf cannot be written"));
                let written = if let Some(Done::Shelved(written)) = done { written } else { failed() };
                tended.shelved(written.err());
                return;
            }
            if tended.under_way.as_ref().is_some_and(|under_way| under_way.id == id) {
                let failed = || Err(String::from("the fetch failed"));
                let brought = if let Some(Done::Fetched(brought)) = done { brought } else { failed() };
                let keys = tended.ended(brought, Instant::now());
                (hooks.amend)(&tended.name, keys, tended.fetched());
                tended.waiting.clear();
                return;
            }
        }
    }

    /// Tells how it stands with each issuer of which there is news.
    fn tell(&self, hooks: &Hooks) {
        let mut state = self.0.state.borrow_mut();
        state.released.clear();
        for name in state.gone.drain(..) {
            (hooks.standing)(&name, None);
        }
        let now = self.0.clock.now();
        for tended in state.tended.iter_mut().filter(|tended| tended.news) {
            tended.news = false;
            (hooks.standing)(&tended.name, Some(tended.standing(now)));
        }
    }
}

fn start<F>(jobs: &mut Jobs, bring: &impl Fn(Arc<Plan>) -> F, plan: &Arc<Plan>) -> Id
where
    F: Future<Output = Result<Brought, String>> + Send + 'static,
{
    let fetch = bring(Arc::clone(plan));
    jobs.spawn(async move { Done::Fetched(fetch.await) }).id()
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state.borrow();
        f.debug_list().entries(state.tended.iter().map(|tended| &tended.name)).finish()
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hooks")
    }
}

#[cfg(test)]
mod tests;
