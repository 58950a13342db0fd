//! The connections of one worker that can be spared: who goes where there is no place for a newcomer.
//!
//! A place costs a stranger nothing, so whoever takes them all and asks for nothing would keep everybody else out. A newcomer
//! therefore gets the place of one that has had a while and never brought a whole request, the oldest first, or else of one
//! that has been silent for long, the longest first. Where there is none it is the newcomer who is refused: were the young
//! spared too, a crowd of newcomers would put each other out, and nobody be served.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::Peer;
use super::activity::Activity;

/// How long anybody may take to a first request, handshake included, before a newcomer is preferred.
const WELCOME: Duration = Duration::from_secs(1);

/// The connections of one worker. A clone is the same list.
#[derive(Clone, Default)]
pub(super) struct Roster(Rc<RefCell<Lists>>);

#[derive(Default)]
struct Lists {
    all: HashMap<u64, Entry>,
    /// Those of whom nobody has noticed yet that they asked for something; a lower number is an older connection.
    strangers: BTreeSet<u64>,
    /// Those that have fallen silent, in the order in which they did.
    silent: BTreeMap<u64, u64>,
    /// How often that happened.
    silences: u64,
}

struct Entry {
    activity: Arc<Activity>,
    task: AbortHandle,
    peer: Peer,
    since: Instant,
}

/// Whose place was given to a newcomer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spared {
    /// That of one who never brought a whole request.
    Stranger(Peer),
    /// That of one who was silent.
    Silent,
}

impl Roster {
    /// A seat for the connection of that number, to be kept as long as it is open.
    pub(super) fn seat(&self, number: u64) -> Seat {
        Seat { roster: self.clone(), number, silence: None }
    }

    /// Enters the connection of that number, which `task` serves.
    pub(super) fn enter(&self, number: u64, activity: Arc<Activity>, task: AbortHandle, peer: Peer) {
        let mut lists = self.0.borrow_mut();
        lists.strangers.insert(number);
        lists.all.insert(number, Entry { activity, task, peer, since: Instant::now() });
    }

    /// Ends a connection that can be spared, and says which; `None` where there is none.
    pub(super) fn make_room(&self) -> Option<Spared> {
        let mut lists = self.0.borrow_mut();
        while let Some(number) = lists.strangers.first().copied() {
            // Who has asked meanwhile is no stranger, and is never looked at again.
            let stranger = lists.all.get(&number).filter(|entry| entry.activity.requests() == 0);
            match stranger.map(|entry| (entry.since.elapsed() < WELCOME, entry.task.clone(), entry.peer)) {
                Some((true, ..)) => break,
                Some((false, task, peer)) => {
                    lists.strangers.remove(&number);
                    task.abort();
                    return Some(Spared::Stranger(peer));
                }
                None => lists.strangers.remove(&number),
            };
        }
        while let Some((_, number)) = lists.silent.pop_first() {
            if let Some(entry) = lists.all.get(&number).filter(|entry| entry.activity.is_at_rest()) {
                entry.task.abort();
                return Some(Spared::Silent);
            }
        }
        None
    }
}

/// The place of one connection in the roster.
pub(super) struct Seat {
    roster: Roster,
    number: u64,
    silence: Option<u64>,
}

impl Seat {
    /// The connection has been silent for a while.
    pub(super) fn fall_silent(&mut self) {
        self.wake();
        let mut lists = self.roster.0.borrow_mut();
        lists.silences += 1;
        let silence = lists.silences;
        lists.silent.insert(silence, self.number);
        self.silence = Some(silence);
    }

    /// It is not silent any more.
    pub(super) fn wake(&mut self) {
        if let Some(silence) = self.silence.take() {
            self.roster.0.borrow_mut().silent.remove(&silence);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.wake();
        let mut lists = self.roster.0.borrow_mut();
        lists.strangers.remove(&self.number);
        lists.all.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::task::{LocalSet, spawn_local};
    use tokio::time::sleep;

    use super::*;

    fn enter(roster: &Roster, number: u64) -> (Seat, Arc<Activity>) {
        let activity = Activity::new();
        let task = spawn_local(pending::<()>()).abort_handle();
        roster.enter(number, Arc::clone(&activity), task, Peer::Unix);
        (roster.seat(number), activity)
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_go_first_then_the_silent_and_never_who_is_at_work() {
        let work = async {
            let roster = Roster::default();
            let mut seats: Vec<_> = (0..6).map(|number| enter(&roster, number)).collect();
            let spared = || roster.make_room();
            // The second and the last ask for something, and the last is not done with it.
            drop(seats[1].1.begin());
            let _under_way = seats[5].1.begin();
            seats[1].0.fall_silent();
            seats[5].0.fall_silent();
            let gone = seats.remove(2);
            drop(gone);
            let stranger = Some(Spared::Stranger(Peer::Unix));
            assert_eq!(spared(), Some(Spared::Silent), "nobody is put out who has only come");
            sleep(WELCOME).await;
            assert_eq!([spared(), spared(), spared()], [stranger, stranger, stranger]);
            assert_eq!(spared(), None);
            drop(seats);
            let lists = roster.0.borrow();
            assert!(lists.all.is_empty() && lists.strangers.is_empty() && lists.silent.is_empty());
        };
        LocalSet::new().run_until(work).await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_wakes_stays_and_who_falls_silent_again_is_the_last_in_turn() {
        let work = async {
            let roster = Roster::default();
            let mut seats: Vec<_> = (0..3).map(|number| enter(&roster, number)).collect();
            for (seat, activity) in &mut seats {
                drop(activity.begin());
                seat.fall_silent();
            }
            seats[1].0.wake();
            seats[0].0.fall_silent();
            assert_eq!(roster.0.borrow().silent.values().copied().collect::<Vec<_>>(), [2, 0]);
            assert_eq!(roster.make_room(), Some(Spared::Silent));
            assert_eq!(roster.make_room(), Some(Spared::Silent));
            assert_eq!(roster.make_room(), None);
        };
        LocalSet::new().run_until(work).await;
    }
}
