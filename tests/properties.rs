//! The laws of the core, each held against generated configurations, requests and tokens.
//!
//! `WAXSEAL_LAW_CASES` sets how many cases each law is put to; `scripts/test` asks for a hundred thousand, and for a
//! million with `--long`. Laws whose single case reads a whole config take a hundredth of it (`drawn::fewer_cases`).

#![allow(unreachable_pub, missing_docs, dead_code, reason = "nothing outside uses a test")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that finds something amiss stops"
)]

mod laws {
    pub mod drawn;
    pub mod forwarding;
    pub mod paths;
    pub mod policies;
    pub mod rates;
    pub mod readings;
    pub mod revocations;
    pub mod secrets;
    pub mod tokens;
}
mod targets;

use targets::{made, model};
