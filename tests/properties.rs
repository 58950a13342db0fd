//! The laws of the core, each held against generated configurations, requests and tokens.
//!
//! `WAXSEAL_LAW_CASES` sets how many cases each law is put to.

#![allow(unreachable_pub, missing_docs, reason = "nothing outside uses a test")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that finds something amiss stops"
)]

mod laws {
    pub mod made;
    pub mod paths;
    pub mod policies;
    pub mod rates;
    pub mod tokens;
}
mod model;
