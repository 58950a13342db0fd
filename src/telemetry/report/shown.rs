//! The report as an operator gets it: for programs as JSON, else for the eye.

use std::fmt::{self, Write};

use serde::Serialize;

use super::ledger::{Ledger, Row};
use super::{Caller, Lifted};
use crate::telemetry::treacherous::{visible_json, word};
use crate::time::UnixSeconds;

/// Who would have been refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    since: String,
    routes: Vec<String>,
    dropped: u64,
    totals: Vec<Total>,
}

/// All requests of one route under one code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Total {
    route: String,
    code: &'static str,
    count: u64,
    rows: Vec<Shown>,
}

/// One caller, or all that have no row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Shown {
    /// `subject`, `address` or `others`.
    by: &'static str,
    client: String,
    issuer: Option<String>,
    count: u64,
    first: String,
    last: String,
    latest: Example,
}

/// The latest request of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Example {
    method: String,
    path: String,
    request_id: String,
    user_agent: Option<String>,
    detail: String,
}

impl Report {
    /// What the ledger holds. `routes` are in report mode now; `dropped` were too many to be taken down.
    pub(super) fn new(since: UnixSeconds, routes: Vec<String>, dropped: u64, ledger: &Ledger) -> Self {
        let totals = ledger.groups().map(|(route, code, group)| {
            let rows = group.rows();
            let count = rows.iter().map(|(_, row)| row.count).sum();
            let rows = rows.into_iter().map(|(caller, row)| Shown::of(caller, row)).collect();
            Total { route: route.to_owned(), code: code.name(), count, rows }
        });
        Self { since: since.stamp().to_string(), routes, dropped, totals: totals.collect() }
    }

    /// For programs: one object, in which nothing stands that a terminal would obey.
    pub fn json(&self) -> String {
        // A tree of plain values can always be written.
        visible_json(&serde_json::to_string(self).unwrap_or_default())
    }

    /// For the eye.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a string does not fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        if self.totals.is_empty() && self.dropped == 0 && self.routes.is_empty() {
            return writeln!(
                out,
                "no route is in report mode: write mode = \"report\" on one to see whom it would refuse"
            );
        }
        if self.totals.is_empty() {
            write!(out, "nothing would have been refused since {} by", self.since)?;
        } else {
            let count: u64 = self.totals.iter().map(|total| total.count).sum();
            write!(out, "{} would have been refused since {}; in report mode:", requests(count), self.since)?;
        }
        for (at, route) in self.routes.iter().enumerate() {
            out.push_str(if at == 0 { " " } else { ", " });
            word(route, out)?;
        }
        out.push_str(if self.routes.is_empty() { " no route any more\n" } else { "\n" });
        if self.dropped > 0 {
            writeln!(out, "{} came too fast to be taken down and are in the metrics alone", requests(self.dropped))?;
        }
        self.totals.iter().try_for_each(|total| total.write(out))
    }
}

/// A number of requests in words.
fn requests(count: u64) -> String {
    if count == 1 { String::from("1 request") } else { format!("{count} requests") }
}

impl Total {
    fn write(&self, out: &mut String) -> fmt::Result {
        out.push_str("\nroute ");
        word(&self.route, out)?;
        writeln!(out, ": {}, {}", self.code, requests(self.count))?;
        self.rows.iter().try_for_each(|row| row.write(out))
    }
}

impl Shown {
    fn of(caller: Option<&Caller>, row: &Row) -> Self {
        let (by, client, issuer) = match caller {
            Some(Caller::Subject { issuer, subject }) => {
                ("subject", subject.as_str().to_owned(), Some(issuer.to_string()))
            }
            Some(Caller::Client(client)) => ("address", client.to_string(), None),
            None => ("others", String::from("(others)"), None),
        };
        let (first, last) = (row.first.stamp().to_string(), row.latest.time.stamp().to_string());
        Self { by, client, issuer, count: row.count, first, last, latest: Example::of(&row.latest) }
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        write!(out, "{:>8}  ", self.count)?;
        match &self.issuer {
            Some(issuer) => {
                out.push_str("subject ");
                word(&self.client, out)?;
                out.push_str(" of ");
                word(issuer, out)?;
            }
            None => out.push_str(&self.client),
        }
        writeln!(out, ", first {}, last {}", self.first, self.last)?;
        out.push_str("          ");
        self.latest.write(out)
    }
}

impl Example {
    fn of(lifted: &Lifted) -> Self {
        Self {
            method: lifted.method.as_str().to_owned(),
            path: lifted.path.as_str().to_owned(),
            request_id: lifted.request_id.as_str().to_owned(),
            user_agent: lifted.user_agent.as_ref().map(|agent| agent.as_str().to_owned()),
            detail: lifted.detail.as_str().to_owned(),
        }
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        word(&self.method, out)?;
        out.push(' ');
        word(&self.path, out)?;
        let agent = self.user_agent.as_deref().map(|agent| ("agent", agent));
        for (name, value) in agent.into_iter().chain([("id", &*self.request_id), ("detail", &*self.detail)]) {
            write!(out, " {name}=")?;
            word(value, out)?;
        }
        writeln!(out)
    }
}
