//! The bodies of the fuzz targets: each takes bytes and stops where something that always holds does not.
//!
//! They stand here and not in `fuzz/`, so that ordinary tests play every seed and every find (`tests/fuzz.rs`) and
//! whoever fuzzes runs the very same.

pub mod authorization;
pub mod config;
pub mod front;
pub mod head;
pub mod jwks;
pub mod path;
pub mod token;

#[path = "../made/mod.rs"]
pub mod made;
#[path = "../model/mod.rs"]
pub mod model;
