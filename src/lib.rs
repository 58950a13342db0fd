//! waxseal: a reverse-proxy authentication sidecar.
#![forbid(unsafe_code)]

pub mod admin;
pub mod app;
pub mod cli;
pub mod config;
pub mod decision;
pub mod demo;
pub mod gate;
pub mod keys;
pub mod live;
pub mod net;
pub mod proxy;
pub mod secret;
pub mod telemetry;
pub mod time;
pub mod upstream;
