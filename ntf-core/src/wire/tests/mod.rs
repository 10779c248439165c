//! What no single file can promise: the worked examples, the limits of every message, and the properties
//! of all of them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

mod examples;
mod limits;
mod properties;
mod samples;
mod tape;
