//! The program `ntf-smol`: what the [`cli`] knows and this runtime runs.

pub mod cli;
pub mod demo;
pub mod failure;
pub mod hardening;
pub mod logging;
pub mod server;
pub mod smp;

mod announce;
mod signals;
