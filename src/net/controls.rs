//! What may change while the workers run: the limits and the certificate of connections to come.
//!
//! A connection keeps what it began with. Changing has two acts, so that whoever changes more than this can first see
//! whether all of it is possible.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::tls::{ServerTls, Shown, TlsError};
use super::{Limits, Settings};

/// The hand on it. Clones are the same hand.
#[derive(Clone, Debug)]
pub struct Controls {
    limits: Arc<ArcSwap<Limits>>,
    /// Present where there is an `https://` listener.
    tls: Option<Arc<ServerTls>>,
}

/// A change that can be made.
#[derive(Debug)]
pub struct Change {
    limits: Limits,
    shown: Option<Arc<Shown>>,
}

impl Controls {
    pub(super) fn new(limits: &Limits, tls: Option<Arc<ServerTls>>) -> Self {
        Self { limits: Arc::new(ArcSwap::from_pointee(limits.clone())), tls }
    }

    /// The limits of connections to come.
    pub(super) fn limits(&self) -> Arc<ArcSwap<Limits>> {
        Arc::clone(&self.limits)
    }

    /// Reads what the settings name. Nothing has changed yet. Where they listen and how many workers there are is not
    /// looked at: that never changes.
    ///
    /// # Errors
    /// A certificate or key that cannot be used.
    pub fn prepare(&self, settings: &Settings) -> Result<Change, TlsError> {
        let shown = match (&self.tls, &settings.tls) {
            (Some(tls), Some(settings)) => Some(tls.renew(settings)?),
            _ => None,
        };
        Ok(Change { limits: settings.limits.clone(), shown })
    }

    /// Makes a change.
    pub fn apply(&self, change: Change) {
        self.limits.store(Arc::new(change.limits));
        if let (Some(tls), Some(shown)) = (&self.tls, change.shown) {
            tls.show(shown);
        }
    }
}
