//! Ready or not, and why not.
//!
//! A part that must be in place before traffic may come holds a [`Latch`] with its name and drops it when it is. Being
//! ready is the absence of latches, so a part that dies on the way (and drops its latch by unwinding) must have said so
//! elsewhere. Warnings are for what an operator should know and what is no reason to take the process out of service.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// What is awaited; shared by whoever has a part in it. All of it is off the path of a request.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<Parts>>);

#[derive(Debug, Default)]
struct Parts {
    /// How many latches of each name are held.
    awaited: BTreeMap<String, usize>,
    draining: bool,
    warnings: BTreeMap<String, String>,
}

impl Readiness {
    /// Not ready until the latch is dropped; `name` says to people what is awaited, for instance `keys of hotwax`.
    pub fn hold(&self, name: &str) -> Latch {
        *self.parts().awaited.entry(name.to_owned()).or_default() += 1;
        Latch { readiness: self.clone(), name: name.to_owned() }
    }

    /// Not ready from now on: the process is stopping. There is no way back.
    pub fn set_draining(&self) {
        self.parts().draining = true;
    }

    /// Shows a warning, in the place of an earlier one of the same key.
    pub fn warn(&self, key: &str, text: impl Into<String>) {
        self.parts().warnings.insert(key.to_owned(), text.into());
    }

    /// Takes a warning back; fine where there is none.
    pub fn clear(&self, key: &str) {
        self.parts().warnings.remove(key);
    }

    /// How things stand now.
    pub fn state(&self) -> ReadyState {
        let parts = self.parts();
        let awaited: Vec<_> = parts.awaited.keys().cloned().collect();
        ReadyState {
            ready: awaited.is_empty() && !parts.draining,
            draining: parts.draining,
            awaited,
            warnings: parts.warnings.clone(),
        }
    }

    /// Nothing under the lock can panic half-way, so a poisoned one is as good as any.
    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One thing that is awaited for as long as this is held.
#[derive(Debug)]
#[must_use = "the process counts as ready as soon as this is dropped"]
pub struct Latch {
    readiness: Readiness,
    name: String,
}

impl Latch {
    /// It is there. The same as dropping the latch, in words.
    pub fn release(self) {}
}

impl Drop for Latch {
    fn drop(&mut self) {
        let mut parts = self.readiness.parts();
        if let Some(held) = parts.awaited.get_mut(&self.name) {
            *held -= 1;
            if *held == 0 {
                parts.awaited.remove(&self.name);
            }
        }
    }
}

/// How things stood at one moment; as JSON it is what `/readyz` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReadyState {
    /// Whether traffic may come.
    pub ready: bool,
    /// Whether the process is stopping.
    pub draining: bool,
    /// What is awaited, by name; empty where nothing is.
    pub awaited: Vec<String>,
    /// Warnings by key.
    pub warnings: BTreeMap<String, String>,
}

impl ReadyState {
    /// The same for the eye: `ready` or `not ready` on the first line, then what is awaited and the warnings.
    pub(super) fn text(&self) -> String {
        let mut text = String::from(if self.ready { "ready\n" } else { "not ready\n" });
        if self.draining {
            text.push_str("draining\n");
        }
        for name in &self.awaited {
            // Writing into a string does not fail.
            let _ = writeln!(text, "awaiting {name}");
        }
        for warning in self.warnings.values() {
            let _ = writeln!(text, "warning: {warning}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_awaited_is_ready() {
        let state = Readiness::default().state();
        assert!(state.ready);
        assert_eq!(state.text(), "ready\n");
    }

    #[test]
    fn every_latch_of_a_name_must_go() {
        let readiness = Readiness::default();
        let (routes, first, second) = (readiness.hold("routes"), readiness.hold("keys"), readiness.hold("keys"));
        assert_eq!(readiness.state().awaited, ["keys", "routes"]);
        assert_eq!(readiness.state().text(), "not ready\nawaiting keys\nawaiting routes\n");
        routes.release();
        drop(first);
        assert_eq!(readiness.state().awaited, ["keys"]);
        assert!(!readiness.state().ready);
        drop(second);
        assert!(readiness.state().ready);
    }

    #[test]
    fn draining_is_never_ready_again() {
        let readiness = Readiness::default();
        readiness.set_draining();
        drop(readiness.hold("routes"));
        let state = readiness.state();
        assert!(!state.ready && state.draining);
        assert_eq!(state.text(), "not ready\ndraining\n");
    }

    #[test]
    fn a_warning_is_shown_until_it_is_cleared_and_keeps_nobody_out() {
        let readiness = Readiness::default();
        readiness.warn("reload", "the new file was refused");
        readiness.warn("reload", "line 3: unknown key");
        assert!(readiness.state().ready);
        assert_eq!(readiness.state().text(), "ready\nwarning: line 3: unknown key\n");
        readiness.clear("reload");
        readiness.clear("reload");
        assert_eq!(readiness.state().text(), "ready\n");
    }

    #[test]
    fn a_latch_dropped_by_a_panic_opens_too() {
        let readiness = Readiness::default();
        let latch = readiness.hold("routes");
        let part = std::thread::spawn(move || {
            let _latch = latch;
            panic!("this panic is part of the test");
        });
        assert!(part.join().is_err());
        assert!(readiness.state().ready);
    }
}
