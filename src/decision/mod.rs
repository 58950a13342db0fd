//! The core: whether a request may pass.
pub mod rejection;
