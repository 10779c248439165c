//! The program `ntf-smol`: what the [`cli`] knows and this runtime runs.

pub mod bench;
pub mod cli;
pub mod config;
pub mod demo;
pub mod failure;
pub mod hardening;
pub mod logging;
pub mod push;
pub mod server;
pub mod smp;
pub mod subscriber;

mod announce;
mod apple;
mod counted;
mod signals;
mod tally;
mod usage;
