//! The program `ntf`: reads the command line, starts roles, tells people what happens.
//!
//! People get sentences on standard error, programs get JSON on standard output. Exit code 0 is fine, 1
//! is failed, 2 is wrong usage.

mod announce;
mod apple;
pub mod bench;
pub mod check;
pub mod cli;
pub mod config;
mod counted;
mod days;
pub mod demo;
pub mod device;
pub mod failure;
pub mod hardening;
pub mod logging;
pub mod push;
pub mod replay;
pub mod server;
mod signals;
pub mod sim;
pub mod smp;
pub mod stand_in;
pub mod subscriber;
mod tally;
mod usage;
