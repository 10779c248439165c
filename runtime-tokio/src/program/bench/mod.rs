//! `ntf bench`: what this machine can do, measured on loopback.
//!
//! Everything that is measured is the real thing, over real sockets; only the peers are stand-ins of ours, and
//! run on the same processors. Figures vary with what else the machine does, so each comes
//! with the processor time that it took.

mod bare;
pub mod push;
mod sockets;
mod times;

use crate::program::cli::Bench;
use crate::program::failure::Failure;

/// Runs `ntf bench`.
///
/// # Errors
///
/// When a part of the measurement cannot start, or something is lost.
pub async fn run(options: Bench) -> Result<(), Failure> {
    match options {
        Bench::Push(options) => push::run(options).await,
        Bench::Sockets(options) => sockets::run(options).await,
    }
}
