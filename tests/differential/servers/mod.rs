//! The servers, each with the source of what runs on it beside its file.

pub mod express;
pub mod jetty;
pub mod nginx;
pub mod node;
pub mod python;
#[allow(dead_code, reason = "shared with the end-to-end tests, which use more of it")]
pub mod start;
pub mod tomcat;
