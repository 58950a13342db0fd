//! Keeps one list as it is where it comes from.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::read::Reader;
use super::{Around, From, Held, ListError, Settings};
use crate::decision::revocation::{List, Missing, Revocations};
use crate::keys::Address;
use crate::keys::fetch::{self, Repeated};
use crate::telemetry::metrics::{FetchOutcome, ListMeters};
use crate::watch::Watch;

/// The largest list, in bytes as it comes.
const MOST: usize = 64 << 20;
/// How often a URL is asked: a change is to be in force within a second, fetch and all.
const ASK: Duration = Duration::from_millis(600);
/// How long a server that fails is left alone at most.
const REST: Duration = Duration::from_secs(10);
/// How long one fetch may take.
const FETCH: Duration = Duration::from_secs(5);
/// How long a fetched list may be used after it was last found where it comes from, in seconds.
const STALE: f64 = 24.0 * 3600.0;
/// By how many seconds that end must move before it is told again.
const STEP: f64 = 60.0;
/// How soon a list is read again that its issuer did not sign: its keys may be on their way.
const AGAIN: Duration = Duration::from_secs(1);
/// How soon it is shown that a list has ended.
const SHOW: Duration = Duration::from_secs(10);
/// What servers call a list; some know no better than `application/octet-stream`.
const MEDIA: &[&str] = &[
    "application/statuslist+jwt",
    "application/x-ndjson",
    "application/jsonl",
    "application/json",
    "text/plain",
    "application/octet-stream",
];

/// Keeps one list.
pub(super) struct Keeper {
    issuer: Arc<str>,
    settings: Settings,
    held: Held,
    around: Rc<Around>,
    meters: Arc<ListMeters>,
    /// What was wrong last, so that it is told once.
    wrong: Option<ListError>,
    /// A digest of what the list in force was read from.
    content: Option<Box<[u8]>>,
}

/// A list that was read, and a digest of what it was read from.
struct Taken {
    list: List,
    content: Box<[u8]>,
}

impl Keeper {
    /// Begins with what is in force.
    pub(super) fn new(issuer: Arc<str>, settings: Settings, held: Held, around: Rc<Around>) -> Self {
        let meters = around.metrics.list(&issuer);
        Self { issuer, settings, held, around, meters, wrong: None, content: None }
    }

    /// Keeps it, for ever.
    pub(super) async fn run(self) {
        match self.settings.from.clone() {
            From::File(path) => self.watch(path).await,
            From::Url { text, address, ca } => self.poll(text, address, ca).await,
        }
    }

    async fn watch(mut self, path: PathBuf) {
        let mut watch = Watch::new([path.clone()]).await;
        loop {
            let own = path.clone();
            let read = self.read(None, move || from_file(&own)).await;
            self.take(read);
            // As long as the file is the same, only the keys of the issuer can make a difference.
            let unsigned = matches!(self.wrong, Some(ListError::Unsigned(_)));
            while timeout(if unsigned { AGAIN } else { SHOW }, watch.changed()).await.is_err() && !unsigned {
                self.show();
            }
        }
    }

    async fn poll(mut self, text: Box<str>, to: Address, ca: Option<PathBuf>) {
        let request = fetch::Request { to, ca, timeout: FETCH, most: MOST, media: MEDIA };
        let mut repeated = Repeated::new(request);
        let mut wait = ASK;
        loop {
            match repeated.ask().await {
                Ok(None) => self.take(Ok(None)),
                Ok(Some(found)) => {
                    let body = found.body;
                    let read = self.read(Some(text.clone()), move || Ok(body.into())).await;
                    if read.is_ok() {
                        repeated.take(found.tag);
                    }
                    self.take(read);
                }
                Err(error) => self.take(Err(error.into())),
            }
            wait = if self.wrong.is_some() { (wait * 2).min(REST) } else { ASK };
            sleep(wait).await;
        }
    }

    /// Reads a list beside everything else; `None`: it is the one in force.
    async fn read(
        &self,
        uri: Option<Box<str>>,
        bytes: impl FnOnce() -> Result<Vec<u8>, ListError> + Send + 'static,
    ) -> Result<Option<Taken>, ListError> {
        let slot = (self.around.slot)(&self.issuer).ok_or(ListError::Lost)?;
        let reader = Reader { slot, uri, now: self.around.clock.now() };
        let before = self.content.clone();
        let work = move || {
            let bytes = bytes()?;
            let content: Box<[u8]> = digest::digest(&digest::SHA256, &bytes).as_ref().into();
            if before.as_ref() == Some(&content) {
                return Ok(None);
            }
            Ok(Some(Taken { list: reader.read(&bytes)?, content }))
        };
        spawn_blocking(work).await.unwrap_or(Err(ListError::Lost))
    }

    /// Puts what was read in force, or says why it was not taken.
    fn take(&mut self, read: Result<Option<Taken>, ListError>) {
        match read {
            Ok(found) => {
                self.meters.load(FetchOutcome::Good);
                self.wrong = None;
                match found {
                    Some(Taken { list, content }) => {
                        tracing::info!(
                            issuer = %self.issuer, list = %self.held.borrow().place, holds = list.words(),
                            "the list of revoked tokens is in force"
                        );
                        self.content = Some(content);
                        self.hold(Some(Arc::new(list)));
                    }
                    None => self.hold(None),
                }
            }
            Err(error) => {
                self.meters.load(FetchOutcome::Failed);
                if self.wrong.as_ref() != Some(&error) {
                    tracing::error!(
                        issuer = %self.issuer, list = %self.held.borrow().place, %error,
                        "the list of revoked tokens was not taken, what is in force stays"
                    );
                }
                self.wrong = Some(error);
            }
        }
        self.show();
    }

    /// Puts another list in force; `None`: the same one holds for longer.
    fn hold(&self, list: Option<Arc<List>>) {
        let until = match self.settings.from {
            From::File(_) => None,
            From::Url { .. } => Some(self.around.clock.now().plus(STALE)),
        };
        let before = Arc::clone(&self.held.borrow());
        let moved = match (before.until, until) {
            (Some(before), Some(until)) => until.since(before).abs() >= STEP,
            (before, until) => before != until,
        };
        if list.is_none() && !moved {
            return;
        }
        let list = list.or_else(|| before.list.clone());
        let known = Arc::new(Revocations { list, until, ..Revocations::clone(&before) });
        *self.held.borrow_mut() = Arc::clone(&known);
        (self.around.amend)(&self.issuer, known);
    }

    /// Shows what an operator should know.
    fn show(&self) {
        let held = self.held.borrow();
        let now = self.around.clock.now();
        let words = match (held.list(now), &self.wrong) {
            (Some(_), None) => None,
            (Some(list), Some(error)) => Some(format!("{error}; an earlier list stays in force ({})", list.words())),
            (None, wrong) => {
                let why = match (wrong, &held.list) {
                    (Some(error), _) => error.to_string(),
                    (None, Some(_)) => String::from("it is too old"),
                    (None, None) => String::from("it was not had yet"),
                };
                let holds = match held.missing {
                    Missing::Closed => "its tokens are refused (missing = \"closed\")",
                    Missing::Open => "no token is taken for revoked (missing = \"open\")",
                };
                Some(format!("{why}; {holds}"))
            }
        };
        let told = words.map(|words| format!("revoked tokens of {} ({}): {words}", self.issuer, held.place));
        (self.around.warn)(&self.issuer, told);
    }
}

/// The bytes of a list in a file.
pub(super) fn from_file(path: &Path) -> Result<Vec<u8>, ListError> {
    let told = |error: std::io::Error| ListError::File(error.to_string());
    // Opening a pipe would wait for whoever writes into it.
    if !std::fs::metadata(path).map_err(told)?.is_file() {
        return Err(ListError::File(String::from("it is no file")));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(told)?;
    file.take(MOST as u64 + 1).read_to_end(&mut bytes).map_err(told)?;
    if bytes.len() > MOST { Err(ListError::Large) } else { Ok(bytes) }
}
