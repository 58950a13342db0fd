//! End-to-end tests: the whole program on real sockets, between a client and an upstream that keep every byte.

#![allow(unreachable_pub, missing_docs, reason = "nothing outside uses a test")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test that finds something amiss stops"
)]

mod admin;
mod agreement;
mod cli;
mod client;
mod documents;
mod drills;
mod expect;
mod explain;
mod faults;
mod floods;
mod forwarding;
mod framing;
mod harness;
mod hops;
mod hotwax;
mod http2;
mod identity;
mod init;
mod issuer;
mod issuers;
mod keys;
mod limits;
mod listeners;
mod preflights;
mod program;
mod puzzles;
mod rates;
mod refusals;
mod reload;
mod reports;
mod revocation;
mod secrets;
#[allow(dead_code, reason = "shared with the differential tests, which use more of it")]
#[path = "../differential/servers/start.rs"]
mod start;
mod stopping;
mod streams;
mod tokens;
mod tomcat;
#[path = "../differential/servers/tomcat.rs"]
mod tomcat10;
mod upgrade;
mod upstream;
mod wrong;
