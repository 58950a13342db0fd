//! What is counted and logged of one request, closed exactly once.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;

use super::traffic::{Broken, Traffic};
use crate::decision::rejection::{Code, Rejection};
use crate::net::is_forsaken;
use crate::telemetry::Outcome;
use crate::telemetry::access::{AccessLog, AccessRecord, Excerpt};
use crate::telemetry::metrics::RouteMeters;

/// Filled as the request goes. Closed by a call; dropped instead, it notes that the request was cut off.
pub(super) struct Account {
    started: Instant,
    meters: Arc<RouteMeters>,
    outcome: Outcome,
    code: Option<Code>,
    /// What report mode lifted.
    lifted: Option<Code>,
    log: AccessLog,
    /// Absent where there is no access log.
    record: Option<Box<AccessRecord>>,
    traffic: Option<Rc<Traffic>>,
    closed: bool,
}

impl Account {
    /// Begins with a request whose route is not known yet.
    pub(super) fn open(meters: Arc<RouteMeters>, log: AccessLog, record: Option<Box<AccessRecord>>) -> Self {
        Self {
            started: Instant::now(),
            meters,
            outcome: Outcome::Reject,
            code: Some(Code::Internal),
            lifted: None,
            log,
            record,
            traffic: None,
            closed: false,
        }
    }

    /// The line for the log, where there is one.
    pub(super) fn record(&mut self) -> Option<&mut AccessRecord> {
        self.record.as_deref_mut()
    }

    /// The route is known.
    pub(super) fn route(&mut self, name: &Arc<str>, meters: Option<&Arc<RouteMeters>>) {
        if let Some(meters) = meters {
            self.meters = Arc::clone(meters);
        }
        if let Some(record) = &mut self.record {
            record.route = Some(Arc::clone(name));
        }
    }

    /// The request may pass; in report mode it would have been refused for `lifted`.
    pub(super) fn allowed(&mut self, lifted: Option<&Rejection>) {
        self.outcome = if lifted.is_some() { Outcome::Report } else { Outcome::Allow };
        self.lifted = lifted.map(Rejection::code);
        self.code = self.lifted;
        self.detail(lifted.map(Rejection::detail));
    }

    /// The request goes up with a body.
    pub(super) fn carries(&mut self, traffic: Rc<Traffic>) {
        self.traffic = Some(traffic);
    }

    /// The upstream answered.
    pub(super) fn answered(&mut self, status: StatusCode, waited: Duration) {
        if let Some(record) = &mut self.record {
            record.status = Some(status);
            record.upstream = Some(waited);
        }
    }

    /// It may not pass, or what came after went wrong. The code becomes the one that the client is told, also where
    /// another was lifted before: that one is counted as such and stays in the detail.
    pub(super) fn failed(&mut self, rejection: &Rejection) {
        self.code = Some(rejection.code());
        self.detail(Some(rejection.detail()));
        if let Some(record) = &mut self.record {
            record.status = Some(rejection.status());
        }
    }

    /// Bytes came up through a tunnel.
    pub(super) fn received(&mut self, bytes: u64) {
        if let Some(record) = &mut self.record {
            record.bytes_in += bytes;
        }
    }

    /// Bytes of the answer went down.
    pub(super) fn sent(&mut self, bytes: u64) {
        if let Some(record) = &mut self.record {
            record.bytes_out += bytes;
        }
    }

    fn detail(&mut self, detail: Option<&str>) {
        let (Some(record), Some(detail)) = (&mut self.record, detail) else { return };
        record.detail = Some(match (self.lifted, &record.detail) {
            (Some(lifted), Some(before)) => {
                Excerpt::text(&format!("lifted {lifted} ({}); then {detail}", before.as_str()))
            }
            _ => Excerpt::text(detail),
        });
    }

    /// Everything went down.
    pub(super) fn close(mut self) {
        self.finish();
    }

    /// The answer broke off.
    pub(super) fn cut(mut self, broken: Broken) {
        self.detail(Some(&format!("the answer broke off: {broken}")));
        self.finish();
    }

    /// The stream was ended, since what opened it would no longer pass.
    pub(super) fn ended(mut self, rejection: &Rejection) {
        self.code = Some(rejection.code());
        self.detail(Some(&format!("the stream was ended: {}", rejection.detail())));
        self.finish();
    }

    fn finish(&mut self) {
        self.closed = true;
        let duration = self.started.elapsed();
        self.meters.seconds(duration);
        match (self.outcome, self.code) {
            (Outcome::Allow, code) => self.meters.allowed(code),
            (Outcome::Reject, code) => self.meters.rejected(code.unwrap_or(Code::Internal)),
            (Outcome::Report, code) => {
                let lifted = self.lifted.unwrap_or(Code::Internal);
                self.meters.reported(lifted, code.filter(|code| *code != lifted));
            }
        }
        if let Some(mut record) = self.record.take() {
            record.outcome = self.outcome;
            record.code = self.code;
            record.duration = duration;
            record.bytes_in += self.traffic.as_ref().map_or(0, |traffic| traffic.bytes.get());
            self.log.write(*record);
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        if !self.closed {
            let why = if std::thread::panicking() {
                "a panic"
            } else if is_forsaken() {
                self.code = Some(Code::RequestTimeout);
                "the client took nothing of the answer for too long"
            } else {
                "the client went away before the end of the answer"
            };
            self.detail(Some(why));
            self.finish();
        }
    }
}
