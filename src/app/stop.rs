//! When and how the process stops: by a signal, or by an order of the operator, who is told when it is done.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use crate::admin::health::Readiness;
use crate::admin::orders::Orders;
use crate::net::{Drain, DrainSettings, Signal};

/// How long the process stays after a drain that was ordered: whoever orders one mostly ends it by a signal afterwards, and
/// in a container his own process would end together with this one.
const LINGER: Duration = Duration::from_secs(5);
/// How long the answer to such an order may take to go out.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Listens for the word to stop.
pub(super) struct Stop {
    pub(super) drain: Drain,
    pub(super) readiness: Readiness,
    /// Where a reload is ordered that a signal asks for.
    pub(super) orders: Orders,
    /// Orders to drain.
    pub(super) ordered: mpsc::Receiver<oneshot::Sender<()>>,
    /// Whoever gave one and waits.
    pub(super) waiting: Vec<oneshot::Sender<()>>,
    /// Whether a signal said to stop.
    pub(super) signalled: bool,
}

impl Stop {
    /// Waits for the word and goes through all acts of stopping. Never ends: the workers do. `settings` are asked for when
    /// it begins.
    pub(super) async fn run(
        &mut self,
        settings: impl FnOnce() -> DrainSettings,
        signals: &mut impl AsyncFnMut() -> Signal,
    ) {
        self.hear(signals).await;
        tracing::info!("stopping");
        self.readiness.set_draining();
        let drain = self.drain.clone();
        let mut acts = pin!(drain.run(settings()));
        loop {
            tokio::select! {
                () = &mut acts => break,
                at_once = self.hear(signals) => if at_once {
                    drain.end();
                },
            }
        }
        std::future::pending().await
    }

    /// Waits for the next word to stop; true where it is not the first signal, and means at once.
    async fn hear(&mut self, signals: &mut impl AsyncFnMut() -> Signal) -> bool {
        loop {
            tokio::select! {
                signal = signals() => match signal {
                    Signal::Reload => self.orders.reload(),
                    Signal::Drain => return std::mem::replace(&mut self.signalled, true),
                    Signal::End => {
                        self.signalled = true;
                        return true;
                    }
                },
                Some(waiting) = self.ordered.recv() => {
                    self.waiting.push(waiting);
                    return false;
                }
            }
        }
    }

    /// Nothing is served any more. Tells whoever ordered that, and stays for the signal that will follow.
    pub(super) async fn farewell(&mut self, signals: &mut impl AsyncFnMut() -> Signal) {
        if self.waiting.is_empty() {
            return;
        }
        let signal = async {
            loop {
                self.waiting.drain(..).for_each(|waiting| _ = waiting.send(()));
                if self.signalled {
                    return;
                }
                self.hear(signals).await;
            }
        };
        // Without a signal it ends all the same.
        let _ = timeout(LINGER, signal).await;
        sleep(LAST_WORDS).await;
    }
}
