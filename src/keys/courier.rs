//! How a worker asks for keys and waits for them.
//!
//! Whoever asks has a token that might be good, and so has every stranger: those who wait are bounded in number and in
//! time. However many ask, each issuer is asked once: what an [`Errand`] leads to is up to whoever runs it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};

/// Requests that may wait for keys at once. Each holds a connection and little else.
const WAITING: usize = 1024;

/// Word that the keys of some issuers are wanted.
#[derive(Debug)]
pub struct Errand {
    /// The issuers, by name.
    pub issuers: Vec<Arc<str>>,
    /// To be told, or dropped, as soon as what came of it is in force.
    pub done: oneshot::Sender<()>,
}

/// The end that errands come out of.
pub type Errands = mpsc::Receiver<Errand>;

/// Takes errands to whoever keeps the keys.
#[derive(Clone, Debug)]
pub struct Courier {
    errands: mpsc::Sender<Errand>,
    places: Arc<Semaphore>,
    /// In milliseconds, shared by all clones.
    patience: Arc<AtomicU64>,
}

/// Too many wait already, or it took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InVain;

impl Courier {
    /// A courier and where its errands go. Nobody waits longer than `patience`.
    pub fn new(patience: Duration) -> (Self, Errands) {
        let (errands, received) = mpsc::channel(WAITING);
        let courier = Self { errands, places: Arc::new(Semaphore::new(WAITING)), patience: Arc::default() };
        courier.set_patience(patience);
        (courier, received)
    }

    /// From now on nobody waits longer than that.
    pub fn set_patience(&self, patience: Duration) {
        self.patience.store(u64::try_from(patience.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Asks for the keys of these issuers, and waits until what came of it is in force.
    ///
    /// # Errors
    /// [`InVain`] where that cannot be waited for. Nothing has changed then, as far as is known.
    pub async fn fetch(&self, issuers: Vec<Arc<str>>) -> Result<(), InVain> {
        let _place = self.places.try_acquire().map_err(|_| InVain)?;
        let (done, word) = oneshot::channel();
        self.errands.try_send(Errand { issuers, done }).map_err(|_| InVain)?;
        // Dropped without a word: it was done, or nobody keeps such keys any more. The epoch tells.
        let patience = Duration::from_millis(self.patience.load(Ordering::Relaxed));
        tokio::time::timeout(patience, word).await.map(drop).map_err(|_| InVain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_is_told_or_gives_up_in_time() {
        let (courier, mut errands) = Courier::new(Duration::from_secs(6));
        let asked = tokio::time::Instant::now();
        assert_eq!(courier.fetch(vec!["a".into()]).await, Err(InVain));
        assert_eq!(asked.elapsed(), Duration::from_secs(6));
        courier.clone().set_patience(Duration::from_secs(9));
        let asked = tokio::time::Instant::now();
        assert_eq!((courier.fetch(vec!["a".into()]).await, asked.elapsed()), (Err(InVain), Duration::from_secs(9)));
        let _ = errands.recv().await;
        assert_eq!(errands.recv().await.map(|errand| errand.issuers), Some(vec!["a".into()]));
        let run = async {
            let errand = errands.recv().await;
            drop(errand);
        };
        assert_eq!(tokio::join!(courier.fetch(vec!["b".into()]), run).0, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_wait() {
        let (courier, _errands) = Courier::new(Duration::from_secs(6));
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..WAITING {
            let courier = courier.clone();
            waiting.spawn(async move { courier.fetch(vec!["a".into()]).await });
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let asked = tokio::time::Instant::now();
        assert_eq!((courier.fetch(vec!["a".into()]).await, asked.elapsed()), (Err(InVain), Duration::ZERO));
        assert!(waiting.join_all().await.iter().all(|waited| *waited == Err(InVain)));
    }
}
