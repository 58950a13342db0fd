//! Real servers behind waxseal, each asked straight and through it: what one of them takes for the guarded resource, in
//! whatever spelling, waxseal must not let pass without a token; and what is harmless must arrive as it was sent.
//!
//! No list of expected readings stands here: the server itself says which resource it took a request for.
//!
//! `WAXSEAL_DIFFERENTIAL_CASES` sets how many requests are made up for each door of a server, and
//! `WAXSEAL_DIFFERENTIAL_SEED` which; a failure names its seed. A server that is not installed is left out aloud, or fails
//! where `CI` is set or `WAXSEAL_UPSTREAMS` is `required`.

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

mod case;
#[path = "../it/client.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests, which use more of it")]
mod client;
mod harmless;
#[path = "../it/harness.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests, which use more of it")]
mod harness;
mod made;
mod play;
#[path = "../it/program.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests, which use more of it")]
mod program;
mod servers;
#[path = "../it/tokens.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests, which use more of it")]
mod tokens;
mod tricks;
mod wire1;
mod wire2;

use play::play;
use servers::{express, jetty, nginx, node, python, tomcat};

#[test]
fn tomcat() {
    play("tomcat", tomcat::start());
}

#[test]
fn jetty() {
    play("jetty", jetty::start());
}

#[test]
fn express() {
    play("express", express::start());
}

#[test]
fn node() {
    play("node", node::start());
}

#[test]
fn nginx() {
    play("nginx", nginx::start());
}

#[test]
fn nginx_before_tomcat() {
    if let Some(tomcat) = tomcat::start() {
        play("nginx before tomcat", nginx::start_before(&tomcat));
    }
}

#[test]
fn starlette() {
    play("starlette", python::start_asgi());
}

#[test]
fn gunicorn() {
    play("gunicorn", python::start_gunicorn());
}

#[test]
fn flask() {
    play("flask", python::start_wsgi());
}
