//! Both ends against each other and against peers that do not keep to the protocol.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::wildcard_enum_match_arm, reason = "tests")]

mod faults;
mod frames;
mod hostile;
mod limits;
mod pair;
mod sealed;
