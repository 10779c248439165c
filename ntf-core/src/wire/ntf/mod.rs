//! The notification protocol: what clients ask of subscribers, and what these say.
//!
//! Source: `ntf-protocol` 2.

pub mod command;
pub mod response;
