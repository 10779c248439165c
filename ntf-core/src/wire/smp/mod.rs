//! The messaging protocol: what clients ask of SMP servers, and what these say.
//!
//! Source: `smp-transport` 5.

pub mod command;
pub mod queue;
pub mod response;
