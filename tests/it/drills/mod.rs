//! Drills: what an operator fears, played with a real issuer and requests that go on meanwhile.
//!
//! Each drill prints a row: its name, what was seen, and what is permitted. In `scripts/test` they are short;
//! `scripts/drills` plays them at full length and shows the rows.

mod clock;
mod issuer;
mod load;
mod revocation;
mod streams;

use std::time::Duration;

use crate::tokens::bearer;
use crate::upstream::Upstream;

/// How long a drill takes: short, or long where `WAXSEAL_DRILLS=long`.
pub(crate) fn length<T>(short: T, long: T) -> T {
    if std::env::var("WAXSEAL_DRILLS").is_ok_and(|length| length == "long") { long } else { short }
}

/// Prints the row of a drill.
pub(crate) fn tell(drill: &str, seen: &str) {
    eprintln!("drill | {drill} | {seen}");
}

/// A guard and an open route, and an issuer with what is said of it.
fn config(upstream: &Upstream, issuer: &str) -> String {
    format!(
        "{}unmatched = \"open\"\n[answers]\nreason = \"exact\"\n[issuer.idp]\n{issuer}\n\
         [[route]]\nname = \"guarded\"\npath = \"/guarded\"\n",
        upstream.line()
    )
}

/// A request for the guard with a token.
fn guarded(token: &str) -> Vec<u8> {
    crate::client::request("POST", "/guarded", &[("Authorization", &bearer(token))], "{}")
}

/// A pause of a test's own length.
fn rest(time: Duration) {
    std::thread::sleep(time);
}
