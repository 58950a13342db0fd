//! waxseal: a reverse-proxy authentication sidecar.
//!
//! It stands in front of an HTTP API that cannot be changed, checks the `Authorization: Bearer` token of each request
//! against a configured list of guarded routes, forwards what may pass and refuses the rest with a good answer.
//!
//! # The map
//!
//! Each room is a module. A room may import from those on lower lines of this list, never from one on its own line and
//! never upward; `tests/layers.rs` holds it to that.
//!
//! | line | rooms | what they are for |
//! | --- | --- | --- |
//! | 1 | [`cli`] | commands and flags |
//! | 2 | [`demo`] | everything in one process, to see the main job |
//! | 3 | [`app`] | builds every part from resolved settings, binds, runs, takes new configs, stops |
//! | 4 | [`explain`] | judges requests offline, says why, and plays the cases that a config keeps |
//! | 5 | [`config`] | TOML to settings; the only room that knows the file's shape |
//! | 6 | [`proxy`], [`admin`] | fronts: one forwards, one answers the operator |
//! | 7 | [`gate`] | where a worker asks whether a request may pass |
//! | 8 | [`keys`] | where key sets and lists of revoked tokens come from |
//! | 9 | [`net`], [`upstream`] | connections below and above; they know nothing of tokens |
//! | 10 | [`live`] | what is in force now |
//! | 11 | [`telemetry`] | counters, access log, diagnostics |
//! | 12 | [`decision`] | the core: whether a request may pass; pure |
//! | 13 | [`time`], [`secret`], [`watch`] | the one clock; values that are never printed; files that change |
//!
//! # What happens to a request
//!
//! 1. `net/conn.rs` makes bytes into an HTTP request, within limits of size and time.
//! 2. [`proxy::Proxy`] opens its account and looks at its head. Read `Proxy::pass` from top to bottom: it is the whole
//!    way of a request.
//! 3. [`gate::Gate::judge`] asks the core, and charges what may pass to the rates of its routes.
//! 4. [`decision::decide`] finds the routes that hold for every reading of the path, the token, who proved it, and
//!    whether that suffices. The outcome is a permit or a rejection.
//! 5. `proxy/forward.rs` spends the permit: it strips what a client may not say, adds who was proven, and points the
//!    request at its upstream.
//! 6. [`upstream::Pool`] sends it, once.
//! 7. `proxy/body.rs` streams both ways; `proxy/account.rs` closes the account: counters and a line in the access log.
//!
//! A refusal leaves after step 4 through `proxy/respond.rs`; a tunnel leaves after step 6 through `proxy/upgrade.rs`. What
//! is a stream and was opened with a token lasts as long as `proxy/term.rs` says, which asks the core again.
//!
//! # What is never done
//!
//! No request reaches a guarded path without a permit, and only a decision makes one. No token, secret or password gets
//! into a log, a metric, an error or a debug print. Nothing that may have arrived is sent twice. No lock is shared
//! between workers on the path of a request.

#![forbid(unsafe_code)]

pub mod admin;
pub mod app;
pub mod cli;
pub mod config;
pub mod decision;
pub mod demo;
pub mod explain;
pub mod gate;
pub mod keys;
pub mod live;
pub mod net;
pub mod proxy;
pub mod secret;
pub mod telemetry;
pub mod time;
pub mod upstream;
pub mod watch;
